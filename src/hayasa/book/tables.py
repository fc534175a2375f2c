"""Computed tables as Markdown, the form that both engines of the book can number."""

from collections.abc import Iterable, Sequence

from IPython.display import Markdown
from tabulate import tabulate  # type: ignore[import-untyped]

_ALIGNMENTS = {"l": "left", "r": "right", "c": "center"}


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, align: str) -> Markdown:
    """Show rows as a Markdown table.

    Examples
    --------
    >>> print(table(["層", "容量"], [("SRAM", "20 MB")], align="lr").data)
    | 層   |   容量 |
    |:-----|-------:|
    | SRAM |  20 MB |
    """
    if len(align) != len(columns) or not set(align) <= set(_ALIGNMENTS):
        raise ValueError(f"align は列ごとに l、r、c のどれか1文字です（{len(columns)}列）: {align!r}")
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
