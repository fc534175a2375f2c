"""Walking a tree without rebuilding it: several times faster than panflute's own walk."""

from __future__ import annotations

from collections.abc import Iterable

import panflute as pf

LEAVES = (pf.Str, pf.Space, pf.SoftBreak, pf.Code, pf.Math)  # nothing is in them, and most elements are of them


def children(el: pf.Element) -> list[pf.Element]:
    """The elements directly in `el`, captions and table cells included."""
    if isinstance(el, pf.Table):
        rows = [*el.head.content, *(row for body in el.content for row in body.content), *el.foot.content]
        cells = [block for row in rows for cell in row.content for block in cell.content]
        return [*(el.caption.content if el.caption is not None else []), *cells]
    if isinstance(el, pf.DefinitionItem):
        return [*el.term, *(block for definition in el.definitions for block in definition.content)]
    content = getattr(el, "content", None)
    if content is None or isinstance(content, str):
        return []
    found = list(content)
    if isinstance(el, pf.Figure) and el.caption is not None:
        found += list(el.caption.content)
    return found


def descend(blocks: Iterable[pf.Element]) -> list[pf.Element]:
    """Everything in `blocks`, parents before their children, as it is now."""
    found: list[pf.Element] = []
    for el in blocks:
        found.append(el)
        if not isinstance(el, LEAVES):
            found += descend(children(el))
    return found


def replace(el: pf.Element, by: list[pf.Element]) -> None:
    """Put other elements in the place of `el`."""
    container = el.container
    # panflute's own index is out of date once a neighbour before it was replaced.
    index = next(i for i, other in enumerate(container) if other is el)
    container.pop(index)
    for other in reversed(by):
        container.insert(index, other)
