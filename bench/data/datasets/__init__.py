"""One dataset a file; each defines ``DATASET``."""
