"""Sources to objects: the book's description, its notebooks and .qmd files."""
