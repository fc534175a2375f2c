"""Computed tables as Markdown, the form that both engines of the book can number."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from IPython.display import Markdown
from tabulate import tabulate  # type: ignore[import-untyped]

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-untyped]

_ALIGNMENTS = {"l": "left", "r": "right"}


def show(frame: pd.DataFrame, formats: str | Mapping[str, str] | None = None) -> Markdown:
    """Show a frame as a Markdown table: `DataFrame.to_markdown` with a format for each column.

    `formats` holds texts for `str.format`, by title; one text alone is for
    every column, but not for the index.  Numbers and what has a format stand
    right, other text left, and a missing value is a dash.  An index is shown
    if it has a name.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"層": ["SRAM", "DRAM"], "容量": [20.25, None]})
    >>> print(show(frame, {"容量": "{:.0f} MB"}).data)
    | 層   |   容量 |
    |:-----|-------:|
    | SRAM |  20 MB |
    | DRAM |      — |
    """
    # Only here: chapters without frames start sooner, in the browser by a download.
    import pandas as pd
    from pandas.api.types import is_numeric_dtype  # type: ignore[import-untyped]

    by_title = dict.fromkeys(frame, formats) if isinstance(formats, str) else dict(formats or {})
    labels = [name for name in frame.index.names if name is not None]
    frame = frame.reset_index(labels) if labels else frame
    if unknown := by_title.keys() - set(frame):
        raise ValueError(f"formats に、表にない列があります: {sorted(unknown)}。列: {list(frame)}")
    columns = [
        ["—" if pd.isna(cell) else by_title.get(title, "{}").format(cell) for cell in cells]
        for title, cells in frame.items()
    ]
    align = ("r" if title in by_title or is_numeric_dtype(cells) else "l" for title, cells in frame.items())
    return table(list(frame), zip(*columns, strict=True), align="".join(align))


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, align: str) -> Markdown:
    """Show rows of finished cells as a Markdown table, with one letter of `align` per column: l or r.

    Examples
    --------
    >>> print(table(["層", "容量"], [("SRAM", "20 MB")], align="lr").data)
    | 層   |   容量 |
    |:-----|-------:|
    | SRAM |  20 MB |
    """
    if len(align) != len(columns) or not set(align) <= set(_ALIGNMENTS):
        raise ValueError(f"align は列ごとに l、r のどちらか1文字です（{len(columns)}列）: {align!r}")
    cells = [[str(cell) for cell in row] for row in rows]
    for row in cells:
        if len(row) != len(columns):
            raise ValueError(f"行の長さが列の数（{len(columns)}）と違います: {row!r}")
    text = tabulate(
        cells,
        headers=columns,
        tablefmt="pipe",
        colalign=[_ALIGNMENTS[letter] for letter in align],
        # "1,935" is text here, not a number to be parsed and rewritten.
        disable_numparse=True,
    )
    return Markdown(text)  # type: ignore[no-untyped-call]
