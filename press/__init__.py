"""press: the embedded engine. The manuscripts of a Quarto book become a web site without Quarto.

Three layers, each knowing only the one before it::

    read/     _quarto.yml, notebooks and .qmd files  ->  Book, Manuscript
    resolve/  numbers, cross-references, citations, links  ->  one finished syntax tree a page
    write/    HTML pages, the site's chrome, the swap with the old site

Pandoc parses and prints (Quarto stands on it too), Zensical draws the chrome. Whatever a
manuscript holds that press cannot show is a `Problem`, never a silent loss.
"""
