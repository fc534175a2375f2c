"""Finished pages to files: HTML, the site's chrome, the mathematical font, the swap."""
