"""A finished page as the cells of a notebook that any Jupyter shows well, without Quarto and without the book.

What a page says stands as plain Markdown; code keeps the outputs that its chapter stores.  Numbers are part
of the text, a link leads to the site, a callout is a quotation, and what is folded on the page is folded here.
"""

from __future__ import annotations

import base64
import html as entities
import json
import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import panflute as pf

from press import pandoc
from press.cache import Cache
from press.read.config import Book
from press.resolve.kinds import kind_of
from press.resolve.links import ELSEWHERE
from press.resolve.page import Page
from press.resolve.structure import cell_defaults
from press.resolve.tree import children
from press.write.html import image_size

# What every Jupyter draws. Not `gfm`: pandoc would write its mathematics in fences that Jupyter does not know.
MARKDOWN = "markdown_strict+tex_math_dollars+pipe_tables+backtick_code_blocks"
CUT = "<!--press:cell-->"
IMAGE = "press-image:"  # what the address of an image begins with until it is carried in the cell
SITE = "press-site:"  # what an address inside the book begins with until the notebook's own is known
IMAGE_TYPES = {".svg": "image/svg+xml", ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg",
               ".gif": "image/gif", ".webp": "image/webp"}  # fmt: skip
# A page's own machinery: it does nothing without the page.
MACHINERY = re.compile(r"\s*(<!--.*?-->|<(script|style)\b[^>]*>.*?</\2>|<link\b[^>]*>)\s*", flags=re.S | re.I)
# Elements that `MARKDOWN` has a form for; those that need more are in `_Drawing`.
PLAIN = (pf.Para, pf.Plain, pf.Str, pf.Space, pf.SoftBreak, pf.LineBreak, pf.Emph, pf.Strong, pf.Code, pf.Math,
         pf.Quoted, pf.Superscript, pf.Subscript, pf.Strikeout, pf.BlockQuote, pf.BulletList, pf.OrderedList,
         pf.ListItem, pf.CodeBlock, pf.HorizontalRule, pf.Cite)  # fmt: skip
METADATA = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"}}  # fmt: skip


class NotebookError(Exception):
    """A construct that has no form in a notebook: what it is, and what to look for in the manuscript."""

    def __init__(self, construct: str, *needles: str):
        super().__init__(construct)
        self.construct, self.needles = construct, needles


@dataclass(frozen=True)
class Cell:
    """One cell of a notebook that is written."""

    id: str
    source: str
    outputs: list[dict[str, Any]] | None = None  # None: Markdown
    count: int | None = None  # of its last run
    metadata: dict[str, Any] = field(default_factory=dict)
    poses: str = ""  # the label of the exercise that stands here
    answers: str = ""  # the label of the exercise whose solution this is a piece of


def notebook_text(cells: Iterable[Cell], site: str) -> str:
    """The file of a notebook of these cells; `site` is what its links to the site begin with."""
    written = []
    for cell in cells:
        source = cell.source if cell.outputs is not None else cell.source.replace(f"]({SITE}", f"]({site}")
        made: dict[str, Any] = {"id": cell.id, "metadata": cell.metadata, "source": source.splitlines(keepends=True)}
        if cell.outputs is None:
            made["cell_type"] = "markdown"
        else:
            made |= {"cell_type": "code", "execution_count": cell.count, "outputs": cell.outputs}
        written.append(made)
    notebook = {"cells": written, "metadata": METADATA, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def page_cells(book: Book, page: Page, cache: Cache) -> list[Cell]:
    """The page of a notebook as cells; the page is of no use afterwards.

    Raises
    ------
    NotebookError
        If something on the page has no form in a notebook.
    """
    title: list[pf.Element] = [pf.Str(page.number), pf.Space()] if page.number else []
    heading = pf.Header(*title, *page.title, level=1)
    pieces = _joined(_pieces([heading, *page.blocks]))
    drawing = _Drawing(book, page)
    marked: list[pf.Element] = []
    for piece in pieces:
        if piece.blocks:
            marked += [*drawing.blocks(piece.blocks), pf.RawBlock(CUT, "html")]
    options = ["-f", "json", "-t", MARKDOWN, "--wrap=none"]
    tree = pandoc.dump(marked)
    texts = iter(cache.text("notebook", [*options, tree], lambda: pandoc.run(*options, text=tree)).split(CUT))
    stored = json.loads((book.root / page.entry.source).read_text(encoding="utf-8-sig"))["cells"]
    cells = []
    for count, piece in enumerate(pieces, start=1):
        if piece.blocks:
            source = drawing.with_images(next(texts).strip("\n"))
            cells.append(Cell(f"text-{count}", source, poses=piece.poses, answers=piece.answers))
        else:
            cells.append(_code_cell(book, page, piece, stored[piece.number - 1]))
    return cells


def _code_cell(book: Book, page: Page, piece: _Piece, stored: dict[str, Any]) -> Cell:
    """A code cell with all that its chapter stores of it, and of what the page shows folded or not at all, folded."""
    cell = page.manuscript.cell_at(piece.number)
    options = cell_defaults(book, page.manuscript) | cell.options
    shown = options.get("include", True) is not False and not piece.answers
    hides = {
        "source_hidden": not shown
        or options.get("echo", True) is False
        or options.get("code-fold", False) in (True, "true"),
        "outputs_hidden": bool(stored["outputs"]) and (not shown or options.get("output", True) is False),
    }
    metadata: dict[str, Any] = {key: value for key, value in stored["metadata"].items() if key == "tags"}
    if hidden := {key: True for key, value in hides.items() if value}:
        metadata["jupyter"] = hidden
    if hides["source_hidden"]:
        metadata["cellView"] = "form"  # what Colab calls it
    code = (cell.code or "").strip("\n")
    if piece.answers:  # the first line is what Jupyter shows of a folded cell
        code = f"# {book.words['environment-solution-title']}\n{code}"
    return Cell(stored.get("id", f"code-{piece.number}"), code, stored["outputs"],
                stored["execution_count"], metadata, answers=piece.answers)  # fmt: skip


# ---- where cells begin and end ---------------------------------------------------------------------


@dataclass(frozen=True)
class _Piece:
    """Blocks that go into one Markdown cell, or the number of a code cell."""

    blocks: list[pf.Element] = field(default_factory=list)
    number: int = 0
    poses: str = ""
    answers: str = ""
    begins: bool = False  # a cell of its own, not a part of the one before

    def is_like(self, other: _Piece) -> bool:
        return bool(self.blocks and other.blocks) and (self.poses, self.answers) == (other.poses, other.answers)


END = _Piece()


def _pieces(blocks: Iterable[pf.Element]) -> Iterator[_Piece]:
    exercise = ""
    for block in blocks:
        classes = getattr(block, "classes", [])
        if isinstance(block, pf.Div) and "theorem" in classes and kind_of(block.identifier) == "exr":
            exercise = block.identifier
            yield from (replace(piece, poses=exercise) for piece in _box(block))
        elif isinstance(block, pf.Div) and exercise and _is_solution(block):
            yield from (replace(piece, answers=exercise) for piece in _box(block))
        else:
            exercise = ""
            yield from _box(block)


def _is_solution(box: pf.Div) -> bool:
    """A folded callout beneath an exercise, or a proof that calls itself a solution."""
    is_folded = "callout" in box.classes and box.attributes.get("collapse") == "true"
    return is_folded or ("proof" in box.classes and box.attributes["kind"] == "sol")


def _box(block: pf.Element) -> Iterator[_Piece]:
    """A block as pieces: whole, or, where there are code cells in it, up to each and on."""
    if not isinstance(block, pf.Div) or not _holds_cell(block):
        yield _Piece([block], begins=isinstance(block, pf.Header))
        return
    if "cell" in block.classes:
        if "number" not in block.attributes:
            raise NotebookError("囲み .cell", ".cell")
        yield _Piece(number=int(block.attributes["number"]))
        if captions := list(_captions(block.content)):
            yield _Piece([pf.Div(*captions, classes=["captions"])])
        return
    inside = list(block.content)
    title, inside = ([inside[0]], inside[1:]) if _is_boxed(block) else ([], inside)
    classes, waiting = list(block.classes), title
    for piece in [*(piece for child in inside for piece in _box(child)), END]:
        if piece.blocks:
            waiting = waiting + piece.blocks
            continue
        if waiting:
            yield _Piece([pf.Div(*waiting, classes=classes, attributes=dict(block.attributes))])
        classes, waiting = [*block.classes, "continued"], []
        if piece is not END:
            yield piece


def _is_boxed(block: pf.Element) -> bool:
    return isinstance(block, pf.Div) and bool({"callout", "theorem", "proof", "tab"} & set(block.classes))


def _holds_cell(block: pf.Element) -> bool:
    if isinstance(block, pf.Div) and "cell" in block.classes:
        return True
    held = any(_holds_cell(child) for child in children(block))
    if held and not isinstance(block, pf.Div):
        raise NotebookError(f"{_name(block)} の中のコードセル")
    return held


def _captions(blocks: Iterable[pf.Element]) -> Iterator[pf.Element]:
    """What is said beneath a cell's outputs; the outputs themselves stand in the cell."""
    for block in blocks:
        yield from _captions(children(block))
        if isinstance(block, pf.Figure | pf.Table) and block.caption is not None and len(block.caption.content):
            yield _caption(block.caption)


def _caption(caption: pf.Caption) -> pf.Para:
    """One paragraph that begins with the number, in bold."""
    first, *others = (item for block in caption.content for item in [*block.content, pf.Space()])
    return pf.Para(pf.Strong(first), *others)


def _joined(pieces: Iterable[_Piece]) -> list[_Piece]:
    """Text goes on in one cell up to the next heading, box or code."""
    joined: list[_Piece] = []
    for piece in pieces:
        if joined and not piece.begins and piece.is_like(joined[-1]):
            joined[-1] = replace(joined[-1], blocks=joined[-1].blocks + piece.blocks)
        else:
            joined.append(piece)
    return joined


# ---- what stands in a Markdown cell ------------------------------------------------------------------


class _Drawing:
    """Quarto's shapes as plain Markdown; addresses inside the book lead to the site."""

    def __init__(self, book: Book, page: Page):
        self.book, self.page = book, page
        self.images: dict[str, Path | bytes] = {}
        self.level = 1  # of the last heading
        self.boxes: dict[str, Callable[[pf.Div], list[pf.Element]]] = {
            "callout": self._callout,
            "theorem": self._theorem,
            "proof": self._titled,
            "tab": self._titled,
            "filename": self._filename,
        }

    def blocks(self, blocks: Iterable[pf.Element]) -> list[pf.Element]:
        return [drawn for block in blocks for drawn in self._block(block)]

    def with_images(self, source: str) -> str:
        """A cell's text with its images carried at its end.

        An attachment would be shorter to read, but JupyterLab draws none that is an SVG.
        """
        carried = []
        for name in dict.fromkeys(re.findall(rf"\({IMAGE}([^)\s]+)\)", source)):
            image = self.images[unquote(name)]
            data = _sized(image if isinstance(image, bytes) else image.read_bytes())
            kind = IMAGE_TYPES[Path(unquote(name)).suffix.lower()]
            source = source.replace(f"({IMAGE}{name})", f"[{name}]")
            carried.append(f"[{name}]: data:{kind};base64,{base64.b64encode(data).decode()}")
        return "\n\n".join([source, *carried])

    def _block(self, el: pf.Element) -> list[pf.Element]:
        if isinstance(el, pf.Div):
            shape = next((name for name in el.classes if name in self.boxes), None)
            if shape:
                return self.boxes[shape](el)
            if el.classes and not {"captions", "tabset", "layout", "aside", "fold", "column", "columns"} & set(
                el.classes
            ):
                return self._live(el)
            return self.blocks(el.content)
        if isinstance(el, pf.RawBlock):
            return self._raw(el)
        if isinstance(el, pf.Figure):
            drawn = self.blocks(el.content)
            caption = [_caption(el.caption)] if el.caption is not None and len(el.caption.content) else []
            return [*drawn, *self.blocks(caption)]
        if isinstance(el, pf.Table):
            return self._table(el)
        if isinstance(el, pf.Header):
            self.level = el.level
            return [pf.Header(*self._inlines(el.content), level=el.level)]
        if isinstance(el, pf.BulletList | pf.OrderedList):
            for item in el.content:
                item.content = self.blocks(item.content)
            return [el]
        if isinstance(el, pf.BlockQuote):
            return [pf.BlockQuote(*self.blocks(el.content))]
        if isinstance(el, pf.CodeBlock):
            return [
                pf.CodeBlock(el.text, classes=[name for name in el.classes if name in ("python", "sh", "text")][:1])
            ]
        if isinstance(el, pf.Para | pf.Plain):
            drawn = self._inlines(el.content)
            return [type(el)(*drawn)] if drawn else []
        if isinstance(el, PLAIN):
            return [el]
        raise NotebookError(_name(el), pf.stringify(el).strip()[:40])

    def _inlines(self, inlines: Iterable[pf.Element]) -> list[pf.Element]:
        drawn = [drawn for inline in inlines for drawn in self._inline(inline)]
        return [stressed for at in range(len(drawn)) for stressed in _stressed(drawn, at)]

    def _inline(self, el: pf.Element) -> list[pf.Element]:
        if isinstance(el, pf.Span):
            return self._span(el)
        if isinstance(el, pf.Link):
            return [pf.Link(*self._inlines(el.content), url=self._url(el.url))]
        if isinstance(el, pf.Image):
            return [self._image(el)]
        if isinstance(el, pf.RawInline):
            return self._raw(el)
        if isinstance(el, pf.Note):
            return self._note(el)
        if isinstance(el, pf.Code):
            return [pf.Code(el.text)]
        if isinstance(el, PLAIN):
            if hasattr(el, "content"):
                el.content = self._inlines(el.content)
            return [el]
        raise NotebookError(_name(el), pf.stringify(el).strip()[:40])

    def _span(self, el: pf.Span) -> list[pf.Element]:
        if "equation" in el.classes:
            formula, number = el.content[0], pf.stringify(el.content[-1]).strip("()")
            return [pf.Math(rf"{formula.text.strip()} \tag{{{number}}}", format="DisplayMath")]
        return [] if "visually-hidden" in el.classes else self._inlines(el.content)

    def _url(self, url: str) -> str:
        if ELSEWHERE.match(url) or not url:
            return url
        path, mark, rest = re.fullmatch(r"([^?#]*)([?#]?)(.*)", url, flags=re.S).groups()  # type: ignore[union-attr]
        inside = os.path.normpath(os.path.join(os.path.dirname(self.page.href), path)) if path else self.page.href
        return SITE + inside.replace(os.sep, "/") + mark + rest

    def _image(self, el: pf.Image) -> pf.Image:
        media, path = self.page.manuscript.media, self.book.root / Path(self.page.href).parent / unquote(el.url)
        name = Path(unquote(el.url)).name
        if el.url.startswith("data:") or Path(name).suffix.lower() not in IMAGE_TYPES:
            raise NotebookError(f"画像 {el.url[:40]}", el.url)
        self.images[name] = media[el.url] if el.url in media else path
        return pf.Image(*el.content, url=IMAGE + quote(name))

    def _raw(self, el: pf.RawBlock | pf.RawInline) -> list[pf.Element]:
        rest = MACHINERY.sub("", el.text)
        if rest.strip():
            raise NotebookError(f"生の HTML {rest.strip()[:40]!r}", rest.strip())
        return []

    def _live(self, el: pf.Div) -> list[pf.Element]:
        """A place that a script of the page fills: here the text that stands in for it, if any."""
        if not any(name.startswith("data-") for name in el.attributes):
            raise NotebookError(f"囲み .{'.'.join(el.classes)}", f".{el.classes[0]}", el.classes[0])
        page = pf.Link(pf.Str("ウェブのページ"), url=SITE + self.page.href)
        return self.blocks(el.content) or [pf.Para(pf.Str("動く図は、"), page, pf.Str("にあります。"))]

    def _note(self, el: pf.Note) -> list[pf.Element]:
        if len(el.content) != 1 or not isinstance(el.content[0], pf.Para):
            raise NotebookError("段落が一つではない脚注", pf.stringify(el).strip()[:20])
        return [pf.Str("（注："), *self._inlines(el.content[0].content), pf.Str("）")]

    def _table(self, el: pf.Table) -> list[pf.Element]:
        rows = [*el.head.content, *(row for body in el.content for row in body.content), *el.foot.content]
        for cell in (cell for row in rows for cell in row.content):
            cell.content = self.blocks(cell.content)
        caption = [_caption(el.caption)] if el.caption is not None and len(el.caption.content) else []
        el.caption, el.identifier, el.classes, el.attributes = pf.Caption(), "", [], {}
        el.colspec = [(alignment, "ColWidthDefault") for alignment, _ in el.colspec]
        return [el, *self.blocks(caption)]

    # ---- boxes ----

    def _callout(self, el: pf.Div) -> list[pf.Element]:
        if "collapse" in el.attributes and el.attributes["collapse"] == "true":
            return self._folded(el)
        return [pf.BlockQuote(*self._titled(el))]

    def _folded(self, el: pf.Div) -> list[pf.Element]:
        go_on = "continued" in el.classes
        title = (
            "解答の続き" if go_on else pf.stringify(pf.Plain(*self._inlines(el.content[0].content[0].content))).strip()
        )
        body = self.blocks(el.content if go_on else el.content[1:])
        head = pf.RawBlock(f"<details>\n<summary>{entities.escape(title, quote=False)}</summary>", "html")
        return [head, *body, pf.RawBlock("</details>", "html")]

    def _titled(self, el: pf.Div) -> list[pf.Element]:
        if "continued" in el.classes:
            return self.blocks(el.content)
        title = self._inlines(el.content[0].content[0].content)
        return [pf.Para(pf.Strong(*title)), *self.blocks(el.content[1:])]

    def _theorem(self, el: pf.Div) -> list[pf.Element]:
        """Under a heading, by which it is found in Jupyter's contents."""
        first, *rest = self._titled(el)
        if "continued" in el.classes:
            return [first, *rest]
        return [pf.Header(*first.content[0].content, level=min(self.level + 1, 6)), *rest]

    def _filename(self, el: pf.Div) -> list[pf.Element]:
        return [pf.Para(pf.Code(el.attributes["name"])), *self.blocks(el.content)]


def _sized(image: bytes) -> bytes:
    """An SVG that says how large it is; without, it would be as wide as the notebook."""
    size = image_size(image)
    if not size or not re.search(rb"<svg\b(?![^>]*\swidth=)", image):
        return image
    return image.replace(b"<svg", b'<svg width="%d" height="%d"' % size, 1)


def _stressed(inlines: list[pf.Element], at: int) -> list[pf.Element]:
    """An inline; as HTML if it is a stress whose stars CommonMark would print: **です。**次."""
    el = inlines[at]
    if not isinstance(el, pf.Strong | pf.Emph):
        return [el]
    text = pf.stringify(el)
    before = pf.stringify(inlines[at - 1])[-1:] if at else ""
    after = pf.stringify(inlines[at + 1])[:1] if at + 1 < len(inlines) else ""
    if all(not _is_mark(inner) or _is_mark(outer) for inner, outer in ((text[:1], before), (text[-1:], after))):
        return [el]
    name = "strong" if isinstance(el, pf.Strong) else "em"
    return [pf.RawInline(f"<{name}>", "html"), *el.content, pf.RawInline(f"</{name}>", "html")]


def _is_mark(character: str) -> bool:
    """Whether stars may stand between this character and a word."""
    return not character.strip() or unicodedata.category(character)[0] in "PS"


def _name(el: pf.Element) -> str:
    return type(el).__name__
