"""Computed tables as Markdown, the form that both engines of the book can number."""

from collections.abc import Mapping, Sequence

from IPython.display import Markdown
from tabulate import tabulate


def table(rows: Sequence[Mapping[str, object]], *, align: str) -> Markdown:
    """Show rows as a Markdown table.

    Parameters
    ----------
    rows
        One mapping per row, from column title to cell.  Cells are shown as they
        are: format numbers, with their units, before.
    align
        One letter per column: ``l`` left, ``r`` right, ``c`` centre.

    Returns
    -------
    IPython.display.Markdown
        A pipe table.

    Raises
    ------
    ValueError
        If `align` does not have one letter for each column.

    Examples
    --------
    >>> print(table([{"層": "SRAM", "容量": "20 MB"}], align="lr").data)
    | 層   |   容量 |
    |:-----|-------:|
    | SRAM |  20 MB |
    """
    names = {"l": "left", "r": "right", "c": "center"}
    columns = list(rows[0])
    if len(align) != len(columns) or not set(align) <= set(names):
        raise ValueError(
            f"align は列ごとに l, r, c のどれか1文字です（{len(columns)}列）: {align!r}"
        )
    text = tabulate(
        [[str(row[column]) for column in columns] for row in rows],
        headers=columns,
        tablefmt="pipe",
        colalign=[names[letter] for letter in align],
        # "1,935" is text here, not a number to be parsed and rewritten.
        disable_numparse=True,
    )
    return Markdown(text)
