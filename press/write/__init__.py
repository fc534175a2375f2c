"""Finished pages to files: HTML, the site's chrome, the mathematical font, the swap."""

# Stands around the headings of a page's HTML. The generator's process reads it too, which must not
# have to load what makes the HTML.
CUT = "<!--press:heading-->"
