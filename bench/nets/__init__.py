"""Networks with the key layouts of their official code. Importing any module of this package imports torch."""
