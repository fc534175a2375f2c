"""Let stored figures differ in their last digit where the platform is not the pinned one.

The outputs were stored on Linux x86_64 with the versions of requirements.txt.  There nbval
compares a figure character by character.  On another processor the same drawing may come
out a rounding away: there each number of a fresh SVG that lies within `TOLERANCE` of the
stored one (in points; a pixel is about one) counts as equal, and anything else still fails.
"""

import importlib.metadata
import platform
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from nbformat import NotebookNode

REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements.txt"
DRAWING_PACKAGES = ("contourpy", "fonttools", "matplotlib", "matplotlib-fontja", "numpy")
TOLERANCE = 0.02
SVG = "image/svg+xml"

NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
# Ids that matplotlib makes from a hash of the drawing, so they change with its last digit.
HASHED_ID = re.compile(r"\b[a-zA-Z][0-9a-f]{10}\b")


def is_pinned_platform() -> bool:
    """Tell whether figures have to come out exactly as they are stored."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return False
    pins = re.findall(r"^([\w.-]+)==([^\s;]+)", REQUIREMENTS.read_text(encoding="utf-8"), re.MULTILINE)
    # Where a pin forks by Python version, the first one, for older ones, made the stored outputs.
    stored_with = dict(reversed(pins))
    return all(importlib.metadata.version(name) == stored_with[name] for name in DRAWING_PACKAGES)


def with_plain_ids(svg: str) -> str:
    """Return the drawing with hashed ids replaced by their order of appearance."""
    order: dict[str, str] = {}
    return HASHED_ID.sub(lambda match: order.setdefault(match.group(), f"id{len(order)}"), svg)


def is_same_drawing(fresh: str, stored: str, tolerance: float = TOLERANCE) -> bool:
    """Tell whether two SVG texts differ by nothing but numbers within the tolerance."""
    fresh, stored = with_plain_ids(fresh), with_plain_ids(stored)
    if NUMBER.sub("#", fresh) != NUMBER.sub("#", stored):
        return False
    pairs = zip(NUMBER.findall(fresh), NUMBER.findall(stored), strict=True)
    return all(abs(float(a) - float(b)) <= tolerance for a, b in pairs)


def snap(fresh: Iterable[NotebookNode], stored: Iterable[NotebookNode]) -> None:
    """Put the stored drawing in the place of each fresh one that is the same drawing.

    Figures are paired in their order, as nbval pairs them.
    """
    figures = [[output for output in outputs if SVG in output.get("data", {})] for outputs in (fresh, stored)]
    for new, old in zip(*figures, strict=False):
        if is_same_drawing(new["data"][SVG], old["data"][SVG]):
            new["data"][SVG] = old["data"][SVG]
