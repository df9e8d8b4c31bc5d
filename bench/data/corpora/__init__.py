"""One data set a file; each defines ``CORPUS``."""
