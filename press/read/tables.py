"""Tables drawn with bars: what of them pandoc would leave out without a word."""

from __future__ import annotations

import re
from collections.abc import Iterator

DASHES = re.compile(r"\|?[ \t]*:?-+:?[ \t]*(\|[ \t]*:?-+:?[ \t]*)*\|?")
# Where a bar is no end of a cell: in a block of code, behind a backslash, in code, in a formula, in a tag.
CODE_BLOCK = re.compile(r"^[ \t]*(`{3,}|~{3,})[^\n`]*\n.*?^[ \t]*\1[ \t]*$", flags=re.M | re.S)
NO_BARS = re.compile(r"\\.|(`+)(?!`).*?(?<!`)\1(?!`)|\$[^$\n]+\$|<[^>\n]+>")
ADVICE = "行の | の数を確かめてください（文字としての | は \\| と書きます）"


def uneven_rows(markdown: str) -> Iterator[tuple[int, str]]:
    """Find rows with more or fewer cells than their table, of which pandoc drops the rest and adds what lacks.

    Yields
    ------
    tuple[int, str]
        Where the row begins, and what is to be said of it.
    """
    lines = CODE_BLOCK.sub(lambda found: re.sub(r"[^\n]", "x", found[0]), markdown).splitlines(keepends=True)
    at, columns, before = 0, 0, (0, 0)  # of the line before: where, its cells
    for line in lines:
        text = line.strip()
        row = re.sub(r"^\||\|$", "", NO_BARS.sub("", text))
        cells = row.count("|") + 1 if "|" in text else 0
        odd = []
        if columns and cells:
            odd = [(at, cells)]
        elif before[1] and cells and DASHES.fullmatch(text):
            columns, odd = cells, [before]
        else:
            columns = 0
        yield from ((place, f"表の行のセルが {found} 個で、表の {columns} 個と合いません")
                    for place, found in odd if found != columns)  # fmt: skip
        at, before = at + len(line), (at, cells)
