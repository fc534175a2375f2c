"""Plain-text tables whose columns line up although Japanese is twice as wide."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence


def display_width(text: str) -> int:
    """Columns that a text takes in a terminal.

    Examples
    --------
    >>> display_width("速さ 24")
    7
    """
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def table_lines(rows: Sequence[Sequence[str]], *, header: Sequence[str] = (), right: str = "") -> list[str]:
    r"""Lay out rows in columns.

    Examples
    --------
    >>> print("\n".join(table_lines([["速さ", "24.1"], ["上限", "31"]], right="lr")))
    速さ  24.1
    上限    31
    """
    everything = [list(header), *rows] if header else list(rows)
    widths = [max(map(display_width, column)) for column in zip(*everything, strict=True)]
    sides = right.ljust(len(widths))
    lines = []
    for cells in everything:
        padded = []
        for cell, width, side in zip(cells, widths, sides, strict=True):
            blanks = " " * (width - display_width(cell))
            padded.append(blanks + cell if side == "r" else cell + blanks)
        lines.append("  ".join(padded).rstrip())
    if header:
        lines.insert(1, "  ".join("-" * width for width in widths))
    return lines
