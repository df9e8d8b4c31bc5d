"""One detector a file; the file's name is the method's name. See docs/add-a-method.md."""
