"""The walk over a finished page into a form that is not the page itself: a notebook, a printed book.

Every construct has a form there or is refused: nothing falls away unseen.  What differs from form to form is
in the methods that a form's own walk replaces.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import unquote

import panflute as pf

from press.read.config import Book
from press.resolve.kinds import kind_of
from press.resolve.links import ELSEWHERE
from press.resolve.page import Page
from press.resolve.tree import descend

# A page's own machinery: it does nothing without the page.
MACHINERY = re.compile(r"\s*(<!--.*?-->|<(script|style)\b[^>]*>.*?</\2>|<link\b[^>]*>)\s*", flags=re.S | re.I)
# Boxes that are no more than what is in them.
OPEN = {"captions", "tabset", "layout", "aside", "fold", "column", "columns", "references", "csl-entry"}
# Elements that stay as they are, but for what is in them.
PLAIN = (pf.Para, pf.Plain, pf.Str, pf.Space, pf.SoftBreak, pf.LineBreak, pf.Emph, pf.Strong, pf.Code, pf.Math,
         pf.Quoted, pf.Superscript, pf.Subscript, pf.Strikeout, pf.BlockQuote, pf.BulletList, pf.OrderedList,
         pf.ListItem, pf.CodeBlock, pf.HorizontalRule, pf.Cite)  # fmt: skip


class NoFormError(Exception):
    """A construct that the form does not know: what it is, and what to look for in the manuscript."""

    def __init__(self, construct: str, *needles: str):
        super().__init__(construct)
        self.construct, self.needles = construct, needles


def called(el: pf.Element) -> str:
    """What an element is called in a refusal."""
    return type(el).__name__


def _unknown(el: pf.Element) -> NoFormError:
    words = [word.text for word in descend([el]) if isinstance(word, pf.Str)]
    return NoFormError(called(el), *words[:1])


def is_solution(block: pf.Element) -> bool:
    """A folded callout (beneath an exercise), or a proof that calls itself a solution."""
    if not isinstance(block, pf.Div):
        return False
    is_folded = "callout" in block.classes and block.attributes.get("collapse") == "true"
    return is_folded or ("proof" in block.classes and block.attributes["kind"] == "sol")


def take_answer(block: pf.Element) -> list[pf.Element]:
    """Take out of a block what is folded in it, if it is a question with a name of its own.

    The answer of one without a name stands on the page besides.
    """
    if not (
        isinstance(block, pf.Div) and block.identifier and any(key.startswith("data-") for key in block.attributes)
    ):
        return []
    folded = [child for child in block.content if is_solution(child)]
    block.content = [child for child in block.content if not is_solution(child)]
    return folded


class Walk:
    """A page's elements into those of another form."""

    folds = True  # whether what is folded on the page can be folded there

    def __init__(self, book: Book, page: Page):
        self.book, self.page = book, page
        self.boxes: dict[str, Callable[[pf.Div], list[pf.Element]]] = {}  # by class

    def blocks(self, blocks: Iterable[pf.Element]) -> list[pf.Element]:
        return [drawn for block in blocks for drawn in self.block(block)]

    def block(self, el: pf.Element) -> list[pf.Element]:
        if isinstance(el, pf.Div):
            return self.box(el)
        if isinstance(el, pf.RawBlock):
            return self.raw(el)
        if isinstance(el, pf.Figure):
            return self.figure(el)
        if isinstance(el, pf.Table):
            return self.table(el)
        if isinstance(el, pf.Header):
            return self.header(el)
        if isinstance(el, pf.BulletList | pf.OrderedList):
            for item in el.content:
                item.content = self.blocks(item.content)
            return [el]
        if isinstance(el, pf.BlockQuote):
            return [pf.BlockQuote(*self.blocks(el.content))]
        if isinstance(el, pf.CodeBlock):
            return self.code(el)
        if isinstance(el, pf.Para | pf.Plain):
            drawn = self.inlines(el.content)
            return [type(el)(*drawn)] if drawn else []
        if isinstance(el, PLAIN):
            return [el]
        raise _unknown(el)

    def inlines(self, inlines: Iterable[pf.Element]) -> list[pf.Element]:
        return [drawn for inline in inlines for drawn in self.inline(inline)]

    def inline(self, el: pf.Element) -> list[pf.Element]:
        if isinstance(el, pf.Span):
            if "equation" in el.classes:
                return self.equation(el)
            return [] if "visually-hidden" in el.classes else self.span(el)
        if isinstance(el, pf.Link):
            return self.link(el)
        if isinstance(el, pf.Image):
            return [self.image(el)]
        if isinstance(el, pf.RawInline):
            return self.raw(el)
        if isinstance(el, pf.Note):
            return self.note(el)
        if isinstance(el, pf.Math):
            return self.math(el)
        if isinstance(el, pf.Code):
            return [pf.Code(el.text)]
        if isinstance(el, PLAIN):
            if hasattr(el, "content"):
                el.content = self.inlines(el.content)
            return [el]
        raise _unknown(el)

    # ---- what a form may replace ----

    def box(self, el: pf.Div) -> list[pf.Element]:
        shape = next((each for each in el.classes if each in self.boxes), None)
        if shape:
            return self.boxes[shape](el)
        return self.live(el) if el.classes and not OPEN & set(el.classes) else self.blocks(el.content)

    def span(self, el: pf.Span) -> list[pf.Element]:
        return self.inlines(el.content)

    def math(self, el: pf.Math) -> list[pf.Element]:
        return [el]

    def raw(self, el: pf.RawBlock | pf.RawInline) -> list[pf.Element]:
        rest = MACHINERY.sub("", el.text)
        if rest.strip():
            raise NoFormError(f"生の HTML {rest.strip()[:40]!r}", rest.strip())
        return []

    def live(self, el: pf.Div) -> list[pf.Element]:
        """A place that a script of the page fills: here the text that stands in for it, if any."""
        if not any(each.startswith("data-") for each in el.attributes):
            raise NoFormError(f"囲み .{'.'.join(el.classes)}", f".{el.classes[0]}", el.classes[0])
        # What is folded there answers what is asked there; it may not stand in sight.
        kept = [block for block in el.content if self.folds or not is_solution(block)]
        return self.blocks(kept) or self.elsewhere()

    # ---- what every form has in its own way ----

    def figure(self, el: pf.Figure) -> list[pf.Element]:
        raise NotImplementedError

    def table(self, el: pf.Table) -> list[pf.Element]:
        raise NotImplementedError

    def header(self, el: pf.Header) -> list[pf.Element]:
        raise NotImplementedError

    def code(self, el: pf.CodeBlock) -> list[pf.Element]:
        raise NotImplementedError

    def equation(self, el: pf.Span) -> list[pf.Element]:
        """A formula and, last, its number."""
        raise NotImplementedError

    def link(self, el: pf.Link) -> list[pf.Element]:
        raise NotImplementedError

    def image(self, el: pf.Image) -> pf.Element:
        raise NotImplementedError

    def note(self, el: pf.Note) -> list[pf.Element]:
        raise NotImplementedError

    def elsewhere(self) -> list[pf.Element]:
        """What says that something moves on the page alone."""
        raise NotImplementedError

    # ---- addresses ----

    def inside(self, url: str) -> tuple[str, str] | None:
        """An address inside the book as the file's path on the site, and the rest with its mark; None elsewhere."""
        if ELSEWHERE.match(url) or not url:
            return None
        path, rest = re.fullmatch(r"([^?#]*)(.*)", url, flags=re.S).groups()  # type: ignore[union-attr]
        here = self.page.href
        return os.path.normpath(os.path.join(os.path.dirname(here), path)).replace(os.sep, "/") if path else here, rest

    def picture(self, el: pf.Image, suffixes: Iterable[str]) -> bytes:
        """The file of an image, which must be of one of these kinds."""
        if el.url.startswith("data:") or Path(unquote(el.url)).suffix.lower() not in suffixes:
            raise NoFormError(f"画像 {el.url[:40]}", el.url)
        media = self.page.manuscript.media
        path = self.book.root / Path(self.page.href).parent / unquote(el.url)
        return media[el.url] if el.url in media else path.read_bytes()


class WholeBook(Walk):
    """A page into its place in one document that holds the whole book, where nothing folds.

    Solutions stand behind their chapter; links from page to page stay in the document. Code that the
    page folds is not printed, as it is not when the page itself is printed: whoever reads goes on to what it shows.
    """

    folds = False

    def __init__(self, book: Book, page: Page, pages: Iterable[Page]):
        super().__init__(book, page)
        self.pages = {other.href for other in pages}
        # In a part, whose own title is the first level, all others stand one lower.
        self.deeper = int(bool(part_of(book, page)) and page.entry.role != "part")

    def page_blocks(self) -> list[pf.Element]:
        """The page under its title."""
        page, words = self.page, self.book.words
        number = f"{words['crossref-apx-prefix']} {page.number}" if page.entry.role == "appendix" else page.number
        return [*self.title(number if page.number else ""), *self.at(page.label or ""), *self.body()]

    def body(self) -> list[pf.Element]:
        """What stands under the title, the solutions behind the rest."""
        kept, solutions = parted(self.page.blocks)
        blocks = self.blocks(kept)
        if solutions:
            blocks += self.solutions(self.book.words["environment-solution-title"])
            for exercise, pieces in solutions.items():
                blocks += self.at(answer_anchor(exercise)) + self.blocks(pieces)
        return blocks

    def box(self, el: pf.Div) -> list[pf.Element]:
        if "fold" in el.classes and el.attributes["open"] == "false":
            return []
        drawn = super().box(el)
        return self.in_language(el.attributes["lang"], drawn) if el.attributes.keys() == {"lang"} else drawn

    def link(self, el: pf.Link) -> list[pf.Element]:
        content, inside = self.inlines(el.content), self.inside(el.url)
        if inside is None:
            return [pf.Link(*content, url=el.url)] if el.url else content
        path, rest = inside
        site = self.book.site_url.rstrip("/")
        if path in self.pages and (not rest.startswith("?") or not site):
            return self.jump(path, unquote(rest).removeprefix("#") if rest.startswith("#") else "", content)
        # What is no page of the book is a file of its site.
        return [pf.Link(*content, url=f"{site}/{path}{rest}")] if site else content

    def elsewhere(self) -> list[pf.Element]:
        address = f"{self.book.site_url.rstrip('/')}/{self.page.href}".lstrip("/")
        said = pf.Link(pf.Str(address), url=address) if self.book.site_url else pf.Code(address)
        return self.aside_of([pf.Str("ここには、ウェブのページ（"), said, pf.Str("）では、動かせる図があります。")])

    def in_language(self, language: str, content: list[pf.Element]) -> list[pf.Element]:
        """What is read out in another language than the book's."""
        return [pf.Div(*content, attributes={"lang": language})]

    # ---- what every form has in its own way ----

    def title(self, number: str) -> list[pf.Element]:
        """The page's title, which others link to by the page's address; `number` may be empty."""
        raise NotImplementedError

    def solutions(self, word: str) -> list[pf.Element]:
        """The heading of the solutions."""
        raise NotImplementedError

    def at(self, anchor: str) -> list[pf.Element]:
        """A place on this page; nothing where it has no name."""
        raise NotImplementedError

    def jump(self, path: str, anchor: str, content: list[pf.Element]) -> list[pf.Element]:
        """A link to a page, or a place on it."""
        raise NotImplementedError

    def aside_of(self, words: list[pf.Element]) -> list[pf.Element]:
        """A note beside the text."""
        raise NotImplementedError


def unread_formula(blocks: Iterable[pf.Element], warning: str) -> str:
    """The TeX of the formula that pandoc warns of, as it was written; empty if it is none of these."""
    formulas = (el.text for el in descend(blocks) if isinstance(el, pf.Math))
    return next((tex for tex in formulas if f"TeX math {' '.join(tex.split())}, " in warning), "")


def part_of(book: Book, page: Page) -> str:
    """The part that a page stands in; a part may be a page itself."""
    if page.entry.role == "appendix" and page.entry.part is None:
        return book.words["section-title-appendices"]
    return page.entry.part or ""


def answer_anchor(exercise: str) -> str:
    """The anchor of an exercise's solution: a name that no label can have."""
    return f"?answer-{exercise}"


def parted(blocks: Iterable[pf.Element]) -> tuple[list[pf.Element], dict[str, list[pf.Element]]]:
    """The blocks without the solutions, and those by exercise or question; an exercise knows whether it has one."""
    kept: list[pf.Element] = []
    solutions: dict[str, list[pf.Element]] = {}
    exercise: pf.Div | None = None
    for block in blocks:
        if exercise is not None and is_solution(block):
            exercise.attributes["answered"] = "true"
            title = block.content[0].content[0]
            posed = exercise.content[0].content[0]
            title.content = [posed.content[0], pf.Str(" — "), *title.content]
            solutions.setdefault(exercise.identifier, []).append(block)
            continue
        if answer := take_answer(block):
            solutions[block.identifier] = answer
        is_exercise = isinstance(block, pf.Div) and "theorem" in block.classes and kind_of(block.identifier) == "exr"
        exercise = block if is_exercise else None
        kept.append(block)
    return kept, solutions
