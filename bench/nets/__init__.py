"""Networks with the key layouts of their official code. Importing a module of this room imports torch."""
