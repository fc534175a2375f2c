"""A finished page as the cells of a notebook that any Jupyter shows well, without Quarto and without the book.

What a page says stands as plain Markdown; code keeps the outputs that its chapter stores.  Numbers are part
of the text, a link leads to the site, a callout is a quotation, and what is folded on the page is folded here.
"""

from __future__ import annotations

import base64
import html as entities
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import panflute as pf

from press import pandoc
from press.cache import Cache
from press.read.config import Book
from press.resolve.kinds import kind_of
from press.resolve.page import Page
from press.resolve.structure import cell_defaults
from press.resolve.tree import children
from press.write.html import image_size
from press.write.walk import NoFormError, Walk, called, is_solution, take_answer

# What every Jupyter draws. Not `gfm`: pandoc would write its mathematics in fences that Jupyter does not know.
MARKDOWN = "markdown_strict+tex_math_dollars+pipe_tables+backtick_code_blocks"
CUT = "<!--press:cell-->"
IMAGE = "press-image:"  # what the address of an image begins with until it is carried in the cell
SITE = "press-site:"  # what an address inside the book begins with until the notebook's own is known
IMAGE_TYPES = {".svg": "image/svg+xml", ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg",
               ".gif": "image/gif", ".webp": "image/webp"}  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """One cell of a notebook that is written."""

    id: str
    source: str
    outputs: list[dict[str, Any]] | None = None  # None: Markdown
    count: int | None = None  # of its last run
    metadata: dict[str, Any] = field(default_factory=dict)
    poses: str = ""  # the label of the exercise or question that stands here
    answers: str = ""  # the label of the one whose solution this is a piece of


def notebook_text(cells: Iterable[Cell], site: str, kernel: str = "python3") -> str:
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
    metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": kernel},
                "language_info": {"name": "python"}}  # fmt: skip
    notebook = {"cells": written, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def page_cells(book: Book, page: Page, cache: Cache) -> list[Cell]:
    """The page of a notebook as cells; the page is of no use afterwards.

    Raises
    ------
    NoFormError
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
        elif isinstance(block, pf.Div) and exercise and is_solution(block):
            yield from (replace(piece, answers=exercise) for piece in _box(block))
        else:
            exercise = ""
            answer = take_answer(block)
            asked = block.identifier if answer else ""
            yield from (replace(piece, poses=asked) for piece in _box(block))
            yield from (replace(piece, answers=asked) for fold in answer for piece in _box(fold))


def _box(block: pf.Element) -> Iterator[_Piece]:
    """A block as pieces: whole, or, where there are code cells in it, up to each and on."""
    if not isinstance(block, pf.Div) or not _holds_cell(block):
        yield _Piece([block], begins=isinstance(block, pf.Header))
        return
    if "cell" in block.classes:
        if "number" not in block.attributes:
            raise NoFormError("囲み .cell", ".cell")
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
        raise NoFormError(f"{called(block)} の中のコードセル")
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


class _Drawing(Walk):
    """Quarto's shapes as plain Markdown; addresses inside the book lead to the site."""

    def __init__(self, book: Book, page: Page):
        super().__init__(book, page)
        self.images: dict[str, bytes] = {}
        self.level = 1  # of the last heading
        self.boxes = {
            "callout": self._callout,
            "theorem": self._theorem,
            "proof": self._titled,
            "tab": self._titled,
            "filename": self._filename,
        }

    def with_images(self, source: str) -> str:
        """A cell's text with its images carried at its end.

        An attachment would be shorter to read, but JupyterLab draws none that is an SVG.
        """
        carried = []
        for name in dict.fromkeys(re.findall(rf"\({IMAGE}([^)\s]+)\)", source)):
            data = _sized(self.images[unquote(name)])
            kind = IMAGE_TYPES[Path(unquote(name)).suffix.lower()]
            source = source.replace(f"({IMAGE}{name})", f"[{name}]")
            carried.append(f"[{name}]: data:{kind};base64,{base64.b64encode(data).decode()}")
        return "\n\n".join([source, *carried])

    def inlines(self, inlines: Iterable[pf.Element]) -> list[pf.Element]:
        drawn = super().inlines(inlines)
        return [stressed for at in range(len(drawn)) for stressed in _stressed(drawn, at)]

    def figure(self, el: pf.Figure) -> list[pf.Element]:
        drawn = self.blocks(el.content)
        caption = [_caption(el.caption)] if el.caption is not None and len(el.caption.content) else []
        return [*drawn, *self.blocks(caption)]

    def header(self, el: pf.Header) -> list[pf.Element]:
        self.level = el.level
        return [pf.Header(*self.inlines(el.content), level=el.level)]

    def code(self, el: pf.CodeBlock) -> list[pf.Element]:
        return [pf.CodeBlock(el.text, classes=[name for name in el.classes if name in ("python", "sh", "text")][:1])]

    def equation(self, el: pf.Span) -> list[pf.Element]:
        formula, number = el.content[0], pf.stringify(el.content[-1]).strip("()")
        return [pf.Math(rf"{formula.text.strip()} \tag{{{number}}}", format="DisplayMath")]

    def link(self, el: pf.Link) -> list[pf.Element]:
        inside = self.inside(el.url)
        return [pf.Link(*self.inlines(el.content), url=SITE + "".join(inside) if inside else el.url)]

    def image(self, el: pf.Image) -> pf.Element:
        name = Path(unquote(el.url)).name
        self.images[name] = self.picture(el, IMAGE_TYPES)
        return pf.Image(*el.content, url=IMAGE + quote(name))

    def elsewhere(self) -> list[pf.Element]:
        page = pf.Link(pf.Str("ウェブのページ"), url=SITE + self.page.href)
        return [pf.Para(pf.Str("動く図は、"), page, pf.Str("にあります。"))]

    def note(self, el: pf.Note) -> list[pf.Element]:
        if len(el.content) != 1 or not isinstance(el.content[0], pf.Para):
            raise NoFormError("段落が一つではない脚注", pf.stringify(el).strip()[:20])
        return [pf.Str("（注："), *self.inlines(el.content[0].content), pf.Str("）")]

    def table(self, el: pf.Table) -> list[pf.Element]:
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
            "解答の続き" if go_on else pf.stringify(pf.Plain(*self.inlines(el.content[0].content[0].content))).strip()
        )
        body = self.blocks(el.content if go_on else el.content[1:])
        head = pf.RawBlock(f"<details>\n<summary>{entities.escape(title, quote=False)}</summary>", "html")
        return [head, *body, pf.RawBlock("</details>", "html")]

    def _titled(self, el: pf.Div) -> list[pf.Element]:
        if "continued" in el.classes:
            return self.blocks(el.content)
        title = self.inlines(el.content[0].content[0].content)
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
