"""Take the figures that the slides ask for out of the chapters, as they are stored there.

Runs before the slides are made (`project: pre-render` of `slides/_quarto.yml`), with any Python.  A deck asks for
``figures/fig-hierarchy.svg``: the output of the cell whose label is ``fig-hierarchy``.
"""

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SLIDES = ROOT / "slides"
FIGURES = SLIDES / "figures"
ASKED = re.compile(r"\]\(figures/([\w-]+)\.svg\)")
LABEL = re.compile(r"^#\| label: (\S+)$", re.MULTILINE)


def stored_figures():
    """Return the SVG of every labelled cell of the chapters, by label."""
    figures = {}
    for path in sorted((ROOT / "chapters").glob("*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            label = LABEL.search("".join(cell["source"]))
            for output in cell.get("outputs", []) if label else []:
                svg = output.get("data", {}).get("image/svg+xml")
                if svg:
                    figures[label.group(1)] = "".join(svg)
    return figures


def main():
    """Write what is asked for, and nothing else; return the exit code."""
    asked = {
        name: deck.name
        for deck in sorted(SLIDES.glob("*.qmd"))
        for name in ASKED.findall(deck.read_text(encoding="utf-8"))
    }
    figures = stored_figures()
    missing = [f"{deck}: 図 {name} は、どの章にもありません" for name, deck in asked.items() if name not in figures]
    if missing:
        print("\n".join(missing))
        return 1
    FIGURES.mkdir(exist_ok=True)
    for path in FIGURES.iterdir():
        if path.stem not in asked:
            path.unlink()
    for name in asked:
        (FIGURES / (name + ".svg")).write_text(figures[name], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
