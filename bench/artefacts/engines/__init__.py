"""One engine per file; each file defines ``ENGINE``."""
