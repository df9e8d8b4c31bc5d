"""One dataset per file; each file defines ``DATASET``."""
