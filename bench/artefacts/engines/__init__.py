"""One engine a file; each defines ``ENGINE``."""
