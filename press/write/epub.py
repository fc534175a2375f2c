"""The finished pages of a book as one EPUB 3, which pandoc writes.

The look is in `epub.css`. Formulas are MathML, pictures bring what is read aloud of them, solutions stand behind
their chapter. Nothing of the day or the machine goes in, so the same book gives the same bytes.
"""

from __future__ import annotations

import re
import tempfile
import uuid
from pathlib import Path
from urllib.parse import unquote

import panflute as pf

from press import pandoc
from press.cache import Cache
from press.problems import Problems
from press.read.config import CONFIG, Book
from press.resolve.page import Page
from press.write.html import column_widths
from press.write.walk import NoFormError, WholeBook, answer_anchor, part_of, unread_formula

CSS = Path(__file__).with_name("epub.css")
# The level of a page's sections: a reader turns the leaf at those above, parts and pages, alone.
SECTION = 3
IMAGES = (".svg", ".png", ".jpg", ".jpeg", ".gif", ".webp")
OPTIONS = ("-f", "json", "-t", "epub3", "--mathml", "--toc", "--toc-depth=3", "--split-level=2",
           "--syntax-highlighting=monochrome")  # fmt: skip  # whoever reads white on black would not see dark colours
# The earliest that an archive can say, in the place of the day on which it is made.
ENVIRONMENT = {"SOURCE_DATE_EPOCH": "315532800"}


def book_epub(book: Book, pages: list[Page], cache: Cache, problems: Problems) -> bytes:
    """The book as an EPUB; the pages are of no use afterwards.

    Raises
    ------
    BookError
        With all that has no form there.
    """
    with tempfile.TemporaryDirectory() as folder:
        blocks: list[pf.Element] = []
        before = ""
        for page in pages:
            part = part_of(book, page)
            if part != before and page.entry.role != "part":
                blocks += [pf.Header(*pandoc.plain(part), level=1, classes=["part"])] if part else []
            before = part
            blocks += _page_blocks(book, page, pages, Path(folder), problems)
        problems.stop_if_any()
        metadata = {
            "title": book.title, "subtitle": book.subtitle, "author": book.author, "lang": book.lang,
            "date": book.day.isoformat() if book.day else "", "description": book.description, "toc-title": book.words["toc-title-document"],
            "identifier": uuid.uuid5(uuid.NAMESPACE_URL, book.site_url or book.title).urn,
        }  # fmt: skip
        tree = pandoc.dump(blocks, {key: value for key, value in metadata.items() if value})
        made, warned = Path(folder) / "book.epub", list[str]()
        cover = [f"--epub-cover-image={book.root / book.cover}"] if book.cover else []
        pandoc.run(*OPTIONS, *cover, "--css", CSS, "-o", made, text=tree, warned=warned, environment=ENVIRONMENT)
        for warning in warned:
            where = next((page for page in pages if unread_formula(page.blocks, warning)), None)
            source = where.entry.source if where else CONFIG
            place = where.manuscript.place(unread_formula(where.blocks, warning)) if where else ""
            problems.add(source, place, f"EPUB に写せません: {warning[:200]}", "書き方を確かめてください")
        problems.stop_if_any()
        return made.read_bytes()


def _page_blocks(book: Book, page: Page, pages: list[Page], folder: Path, problems: Problems) -> list[pf.Element]:
    with problems.working_on(page.entry.source):
        try:
            return _Drawing(book, page, pages, folder).page_blocks()
        except NoFormError as error:
            place = page.manuscript.place(*error.needles)
            problems.add(page.entry.source, place, f"{error.construct} は、EPUB に写せません",
                         "ふつうの Markdown で書くか、press/write/epub.py に書き方を加えてください")  # fmt: skip
    return []


class _Drawing(WholeBook):
    """Quarto's shapes as boxes with classes, and every name one that the whole book has only once."""

    def __init__(self, book: Book, page: Page, pages: list[Page], folder: Path):
        super().__init__(book, page, pages)
        self.folder = folder
        self.boxes = {
            "callout": self._titled,
            "theorem": self._titled,
            "proof": self._titled,
            "tab": self._titled,
            "filename": self._filename,
            **dict.fromkeys(("cell-output-stdout", "cell-output-stderr", "cell-output-error"), self._printed),
            **dict.fromkeys(("cell", "cell-output", "references", "csl-entry"), self._open),
        }

    def title(self, number: str) -> list[pf.Element]:
        head = [pf.Str(number), pf.Space()] if number else []
        name = _name(self.page.href, "")
        return [pf.Header(*head, *self.inlines(self.page.title), level=1 + self.deeper, identifier=name)]

    def solutions(self, word: str) -> list[pf.Element]:
        return [pf.Header(pf.Str(word), level=SECTION, identifier=self._name("?answers"))]

    # ---- places ----

    def _name(self, anchor: str) -> str:
        return _name(self.page.href, anchor) if anchor else ""

    def at(self, anchor: str) -> list[pf.Element]:
        return [pf.Div(identifier=self._name(anchor))] if anchor else []

    def jump(self, path: str, anchor: str, content: list[pf.Element]) -> list[pf.Element]:
        return [pf.Link(*content, url=f"#{_name(path, anchor)}")]

    def aside_of(self, words: list[pf.Element]) -> list[pf.Element]:
        return [pf.Div(pf.Para(*words), classes=["elsewhere"])]

    # ---- blocks ----

    def header(self, el: pf.Header) -> list[pf.Element]:
        content = [item for one in el.content for item in (one.content if _is_number(one) else self.inlines([one]))]
        # In the contents, which may have no formulas, as everywhere.
        content = [pf.Emph(pf.Str(item.text)) if isinstance(item, pf.Math) else item for item in content]
        return [pf.Header(*content, level=el.level - 2 + SECTION, identifier=self._name(el.identifier))]

    def code(self, el: pf.CodeBlock) -> list[pf.Element]:
        language = [name for name in el.classes if name not in ("cell-code", "numberLines")][:1]
        return [*self.at(el.identifier), pf.CodeBlock(el.text, classes=language)]

    def figure(self, el: pf.Figure) -> list[pf.Element]:
        title, inside = self._caption(el.caption), self.blocks(el.content)
        above = {"lst", "tbl"} & set(el.classes)
        shown = [*title, *inside] if above else [pf.Figure(*inside, caption=pf.Caption(*title))]
        # pandoc finds the places of boxes from other files, those of figures it does not.
        return [pf.Div(*shown, identifier=self._name(el.identifier), classes=["shown"])]

    def table(self, el: pf.Table) -> list[pf.Element]:
        rows = [*el.head.content, *(row for body in el.content for row in body.content), *el.foot.content]
        for cell in (cell for row in rows for cell in row.content):
            cell.content = self.blocks(cell.content)
        widths = column_widths(el.attributes.pop("tbl-colwidths", ""), len(el.colspec))
        el.colspec = [(alignment, width) for (alignment, _), width in zip(el.colspec, widths, strict=True)]
        el.caption, el.identifier = pf.Caption(*self._caption(el.caption)), self._name(el.identifier)
        el.classes, el.attributes = [], {}
        return [el]

    def _caption(self, caption: pf.Caption | None) -> list[pf.Element]:
        return [] if caption is None else [pf.Plain(*self.inlines(block.content)) for block in caption.content]

    def _open(self, el: pf.Div) -> list[pf.Element]:
        kept = [name for name in el.classes if name == "csl-entry"]
        return [pf.Div(*self.blocks(el.content), identifier=self._name(el.identifier), classes=kept)]

    def box(self, el: pf.Div) -> list[pf.Element]:
        drawn = super().box(el)
        # What has a form of its own sees to its place itself.
        return drawn if any(name in self.boxes for name in el.classes) else [*self.at(el.identifier), *drawn]

    def _titled(self, el: pf.Div) -> list[pf.Element]:
        kind = el.attributes.get("kind", "")
        shape = "callout" if "callout" in el.classes else "theorem"
        title = pf.Div(pf.Para(*self.inlines(el.content[0].content[0].content)), classes=["box-title"])
        more: list[pf.Element] = []
        if "answered" in el.attributes:
            word = pf.Str(self.book.words["environment-solution-title"])
            link = pf.Link(word, url=f"#{self._name(answer_anchor(el.identifier))}")
            more = [pf.Div(pf.Para(link), classes=["answered"])]
        inside = [title, *self.blocks(el.content[1:]), *more]
        return [pf.Div(*inside, identifier=self._name(el.identifier), classes=[shape, f"{shape}-{kind}"])]

    def _filename(self, el: pf.Div) -> list[pf.Element]:
        name = pf.Div(pf.Para(pf.Str(el.attributes["name"])), classes=["filename"])
        return [*self.at(el.identifier), name, *self.blocks(el.content)]

    def _printed(self, el: pf.Div) -> list[pf.Element]:
        return [pf.Div(*self.blocks(el.content), identifier=self._name(el.identifier), classes=["printed"])]

    # ---- inlines ----

    def span(self, el: pf.Span) -> list[pf.Element]:
        inside = self.inlines(el.content)
        return [pf.Span(*inside, identifier=self._name(el.identifier))] if el.identifier else inside

    def equation(self, el: pf.Span) -> list[pf.Element]:
        number = pf.Span(pf.Str(pf.stringify(el.content[-1])), classes=["equation-number"])
        return [pf.Span(el.content[0], number, identifier=self._name(el.identifier), classes=["equation"])]

    def image(self, el: pf.Image) -> pf.Element:
        data = self.picture(el, IMAGES)
        path = self.folder / f"{len(list(self.folder.iterdir())) + 1}{Path(unquote(el.url)).suffix}"
        path.write_bytes(data)
        said = " ".join(pf.stringify(el).split())
        return pf.Image(*([pf.Str(said)] if said else []), url=str(path))

    def note(self, el: pf.Note) -> list[pf.Element]:
        el.content = self.blocks(el.content)
        return [el]


def _is_number(el: pf.Element) -> bool:
    return isinstance(el, pf.Span) and "header-section-number" in el.classes


def _name(href: str, anchor: str) -> str:
    """A name for a place of a page that no other page has, of signs that a name may have."""
    page = re.sub(r"\.html$", "", href).replace("/", "-")
    place = re.sub(r"[^-.\w]", "-", anchor)
    return f"p-{page}--{place}" if place else f"p-{page}"
