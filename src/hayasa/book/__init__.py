"""The looks of the book: figures and tables.  Needs matplotlib, pandas and IPython."""
