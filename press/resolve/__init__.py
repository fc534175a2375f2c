"""Trees with Quarto's meanings worked out: structure, numbers, references, citations, links."""
