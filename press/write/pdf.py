"""The finished pages of a book as one printed one: pandoc writes them in Typst's language, Typst sets them.

The look is in `book.typ`, which defines what is called here. The fonts come with packages and nothing of the
day or the machine goes in, so the same book gives the same bytes. The file asks to be PDF/UA-1: Typst refuses
a figure or a formula that cannot be read aloud.
"""

from __future__ import annotations

import re
import tempfile
import unicodedata
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from ctypes import c_long, create_string_buffer
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import panflute as pf

from press import pandoc
from press.cache import Cache
from press.problems import Problems
from press.read.config import CONFIG, Book
from press.resolve.page import Page
from press.write.html import column_widths, image_size
from press.write.pack import packed
from press.write.walk import NoFormError, WholeBook, answer_anchor, part_of, unread_formula

TEMPLATE = Path(__file__).with_name("book.typ")
FONTS = ("pylopdf_fonts_jp", "noto_cjk_sans_jp_bold")  # the packages that bring them
WIDTH_MM, MARGIN_MM = 182, 20  # of a page (JIS B5) and on either side of its text
POINTS = 72 / 25.4  # of a millimetre
IMAGES = (".svg", ".png", ".jpg", ".jpeg", ".gif", ".webp")
# What an SVG calls its fonts, and what the book has: Typst would take some Latin one.
SVG_FONTS = {b"sans-serif": b"Noto Sans JP", b"monospace": b"DejaVu Sans Mono"}
Box = tuple[float, float, float, float]  # left, bottom, right, top, in points
OPTIONS = ("-f", "json", "-t", "typst", "--wrap=none", "--syntax-highlighting=idiomatic")

# Of a table: the size of its letters in points, and what a cell takes besides (its sides, gaps beside Latin words).
TABLE_TEXT, TABLE_INSET = 7.65, 14
# An item that begins with its own mark: 「A　…」, 「○ B　…」.
OWN_MARK = re.compile(r"([○×] )?\w{1,2}\u3000")

TALLEST = 110 * POINTS  # of an image: half of what a page holds

# Between a number and its title; they stand in the reader's list of bookmarks too.
IDEOGRAPHIC_SPACE, EN_SPACE = "\u3000", "\u2002"

pf.elements.RAW_FORMATS.add("typst")  # panflute 2.3.1 does not know it


class MissingPackageError(Exception):
    """A package that only the printed book needs is not there."""


def needed_packages() -> None:
    """Raise `MissingPackageError` unless all that sets and measures a printed book is there."""
    missing = [name for name in ("pypdfium2", "typst", *FONTS) if find_spec(name) is None]
    if missing:
        raise MissingPackageError(
            f"PDF を作るためのパッケージ {'、'.join(missing)} がありません。make pdf で作るか、"
            "requirements-pdf.txt にあるものを入れてください"
        )


def book_pdf(book: Book, pages: list[Page], cache: Cache, problems: Problems) -> bytes:
    """The book as a PDF; the pages are of no use afterwards.

    Raises
    ------
    BookError
        With all that has no form in print, and all that would stand outside the margins.
    """
    with ThreadPoolExecutor() as pool:
        chapters = list(pool.map(lambda page: _chapter(book, page, pages, cache, problems), pages))
    problems.stop_if_any()
    files: dict[str, bytes] = {"book.typ": TEMPLATE.read_bytes()}
    for chapter in chapters:
        files |= chapter.files
    alone = {page.entry.source: _main(book, [page], [chapter]) for page, chapter in zip(pages, chapters, strict=True)}
    pdf = set_document(files, _main(book, pages, chapters), alone, problems)
    problems.stop_if_any()
    sources = {page.href: page.entry.source for page in pages}
    for found in misplaced(pdf, MARGIN_MM):
        href, heading = place_in(pdf, found)
        problems.add(sources.get(href, CONFIG), f"「{heading}」のあと（PDF の {found.page} ページ）",
                     f"「{found.said}」が{found.what}", "短くするか、改行できるように書いてください")  # fmt: skip
    problems.stop_if_any()
    return packed(pdf)


# ---- one document ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Chapter:
    """A page in Typst's language, and the files that it asks for."""

    file: str
    files: dict[str, bytes]


def _chapter(book: Book, page: Page, pages: list[Page], cache: Cache, problems: Problems) -> _Chapter:
    file = str(Path(page.href).with_suffix(".typ").as_posix())
    with problems.working_on(page.entry.source):
        drawing = _Drawing(book, page, pages)
        try:
            tree = pandoc.dump(drawing.page_blocks())
        except NoFormError as error:
            place = page.manuscript.place(*error.needles)
            problems.add(page.entry.source, place, f"{error.construct} は、PDF に写せません",
                         "ふつうの Markdown で書くか、press/write/pdf.py に書き方を加えてください")  # fmt: skip
            return _Chapter(file, {})
        warned: list[str] = []
        body = cache.text("typst", [*OPTIONS, tree], lambda: pandoc.run(*OPTIONS, text=tree, warned=warned))
        for warning in warned:
            place = page.manuscript.place(unread_formula(page.blocks, warning))
            problems.add(page.entry.source, place, f"PDF に写せません: {warning[:200]}", "書き方を確かめてください")
        return _Chapter(file, {file: f'#import "/book.typ": *\n{body}'.encode()} | drawing.images)
    return _Chapter(file, {})


def _main(book: Book, pages: list[Page], chapters: list[_Chapter]) -> str:
    """Cover, contents, and the chapters in their parts."""
    said = {"title": book.title, "subtitle": book.subtitle, "author": book.author, "date": book.date,
            "lang": book.lang, "description": book.description,
            "contents": book.words["toc-title-document"]}  # fmt: skip
    settings = ", ".join(f"{key}: {_text(value)}" for key, value in said.items())
    if book.day:
        settings += f", day: datetime(year: {book.day.year}, month: {book.day.month}, day: {book.day.day})"
    lines = ['#import "/book.typ": *', f"#show: book.with({settings}, width: {WIDTH_MM}mm, margin: {MARGIN_MM}mm)"]
    before = ""
    for page, chapter in zip(pages, chapters, strict=True):
        part = part_of(book, page)
        if part != before and page.entry.role != "part":
            lines += [f"#part({_text(part)})"] if part else []
        before = part
        lines.append(f"#include {_text('/' + chapter.file)}")
    return "\n".join(lines) + "\n"


def set_document(files: dict[str, bytes], main: str, alone: dict[str, str], problems: Problems) -> bytes:
    """Let Typst set the files; what it complains of is a problem of the page where it does so, too, alone."""
    with tempfile.TemporaryDirectory() as folder:
        for name, data in files.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        pdf, complaints = _compiled(main, folder)
        others = {source: _compiled(text, folder)[1] if complaints else [] for source, text in alone.items()}
    for complaint in complaints:
        for where in [source for source, said in others.items() if complaint in said] or [CONFIG]:
            problems.add(where, "", f"Typst が組めません: {complaint}", "書き方を確かめてください")
    return pdf


def _compiled(main: str, folder: str) -> tuple[bytes, list[str]]:
    """The PDF of a text that asks for the files of a folder, and what Typst says against it."""
    import typst  # not needed for the site

    fonts = [str(Path(str(spec.origin)).parent) for spec in map(find_spec, FONTS) if spec]
    path = Path(folder, "main.typ")
    path.write_text(main, encoding="utf-8")
    compiler = typst.Compiler(str(path), root=folder, font_paths=fonts, ignore_system_fonts=True)
    pdf: Any = b""
    complaints: list[Any] = []
    try:
        pdf, complaints = compiler.compile_with_warnings(format="pdf", pdf_standards=["ua-1"])
    except typst.TypstError as error:
        complaints = [error]
    return bytes(pdf), [" ".join([complaint.message, *complaint.hints]) for complaint in complaints]


# ---- one page ----------------------------------------------------------------------------------------


def _text(text: str) -> str:
    """A string of Typst's language."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _raw(text: str) -> pf.RawBlock:
    return pf.RawBlock(text, "typst")


def _inline(text: str) -> pf.RawInline:
    return pf.RawInline(text, "typst")


class _Drawing(WholeBook):
    """Quarto's shapes as calls of what `book.typ` defines."""

    def __init__(self, book: Book, page: Page, pages: list[Page]):
        super().__init__(book, page, pages)
        self.images: dict[str, bytes] = {}
        self.level = 1  # of the last heading
        self.room = (WIDTH_MM - 2 * MARGIN_MM) * POINTS  # for an image
        self.boxes = {
            "aside": self._aside,
            "callout": self._callout,
            "theorem": self._theorem,
            "proof": self._theorem,
            "tab": self._tab,
            "filename": self._filename,
            "layout": self._layout,
            "cell-output-stdout": self._printed,
            "cell-output-stderr": self._printed,
            "cell-output-error": self._printed,
            "csl-entry": self._entry,
            **dict.fromkeys(("cell", "cell-output", "references"), self._open),
        }

    def title(self, number: str) -> list[pf.Element]:
        head = [pf.Str(number + IDEOGRAPHIC_SPACE)] if number else []
        return self._heading(1, "章", self.page.href, [*head, *self.inlines(self.page.title)])

    def solutions(self, word: str) -> list[pf.Element]:
        return self._heading(2, "節", f"{self.page.href}#?answers", [pf.Str(word)])

    def body(self) -> list[pf.Element]:
        drawn = super().body()
        return [_raw("#dense["), *drawn, _raw("]")] if self.page.dense else drawn

    # ---- places ----

    def _name(self, anchor: str) -> str:
        return _text(f"{self.page.href}#{anchor}")

    def at(self, anchor: str) -> list[pf.Element]:
        return [_raw(f"#at({self._name(anchor)})")] if anchor else []

    def jump(self, path: str, anchor: str, content: list[pf.Element]) -> list[pf.Element]:
        return [_inline(f"#to({_text(f'{path}#{anchor}' if anchor else path)})["), *content, _inline("]")]

    def aside_of(self, words: list[pf.Element]) -> list[pf.Element]:
        return [_raw("#elsewhere["), pf.Plain(*words), _raw("]")]

    # ---- blocks ----

    def blocks(self, blocks: Iterable[pf.Element], leading: Iterable[pf.Element] = ()) -> list[pf.Element]:
        """What leads to a list, and a line in bold that serves as a heading, stays beside what comes next."""
        drawn: list[pf.Element] = []
        for block, after in pairwise([*blocks, None]):
            leads = isinstance(block, pf.Para) and (
                isinstance(after, pf.BulletList | pf.OrderedList)
                or [type(item) for item in block.content] == [pf.Strong]
                or any(block is each for each in leading)
            )
            drawn += self._called("leads", self.block(block)) if leads else self.block(block)
        return drawn

    def block(self, el: pf.Element) -> list[pf.Element]:
        marked = isinstance(el, pf.BulletList) and all(OWN_MARK.match(pf.stringify(item)) for item in el.content)
        return self._called("marked", super().block(el)) if marked else super().block(el)

    def live(self, el: pf.Div) -> list[pf.Element]:
        return self._called("question", super().live(el))

    def _called(self, call: str, content: list[pf.Element]) -> list[pf.Element]:
        return [_raw(f"#{call}["), *content, _raw("]")]

    def _heading(self, level: int, kind: str, label: str, content: list[pf.Element]) -> list[pf.Element]:
        level += self.deeper
        # In one line: a break would be a space in the list of bookmarks.
        return [pf.Plain(_inline(f"#titled({level}, {_text(kind)}, {_text(label)})["), *content, _inline("]"))]

    def header(self, el: pf.Header) -> list[pf.Element]:
        if not el.identifier:
            raise NoFormError("札のない見出し", pf.stringify(el).strip())
        if el.level > self.level + 1:  # PDF/UA
            raise NoFormError("段を飛ばした見出し", el.identifier, f"{'#' * el.level} ")
        self.level = el.level
        kind = "節" if el.level == 2 else "項"
        first, *rest = el.content
        if isinstance(first, pf.Span) and "header-section-number" in first.classes:
            content = [*first.content, pf.Str(EN_SPACE), *self.inlines(rest[1:])]  # in the place of a space
        else:
            content = self.inlines(el.content)
        return self._heading(el.level, kind, f"{self.page.href}#{el.identifier}", content)

    def code(self, el: pf.CodeBlock) -> list[pf.Element]:
        language = [name for name in el.classes if name not in ("cell-code", "numberLines")][:1]
        block = pf.CodeBlock(el.text, classes=language)
        numbered = [_raw("#numbered-lines["), block, _raw("]")] if "numberLines" in el.classes else [block]
        return [*self.at(el.identifier), *numbered]

    def figure(self, el: pf.Figure) -> list[pf.Element]:
        above = str(bool({"lst", "tbl"} & set(el.classes))).lower()
        title = self._caption(el.caption)
        return [
            _raw(f"#shown({self._label(el)}, above: {above})["),
            *title,
            _raw("]["),
            *self.blocks(el.content),
            _raw("]"),
        ]

    def table(self, el: pf.Table) -> list[pf.Element]:
        rows = [*el.head.content, *(row for body in el.content for row in body.content), *el.foot.content]
        given = el.attributes.pop("tbl-colwidths", "")
        widths = column_widths(given, len(el.colspec)) if given else self._fitting(rows, len(el.colspec))
        for cell in (cell for row in rows for cell in row.content):
            cell.content = self.blocks(cell.content)
        el.colspec = [(alignment, width) for (alignment, _), width in zip(el.colspec, widths, strict=True)]
        title, label = self._caption(el.caption), self._label(el)
        el.caption, el.identifier, el.classes, el.attributes = pf.Caption(), "", ["typst:no-figure"], {}
        head = [_raw(f"#tabular({label})["), *title, _raw("][")] if title else [_raw(f"#tabular({label}, none)[")]
        return [*head, el, _raw("]")]

    def _fitting(self, rows: list[pf.TableRow], columns: int) -> list[float | str]:
        """Shares of the width with which the rows take the fewest lines; as wide as the content where all fits.

        A column is never narrower than its longest word, nor than all that it has, where that is but a word or two.
        """
        cells = [[pf.stringify(cell) for cell in row.content] for row in rows if len(row.content) == columns]
        wanted = [list(map(_width, row)) for row in cells]
        words = [max(map(_longest_word, column)) for column in zip(*cells, strict=True)]
        most = [max(column) for column in zip(*wanted, strict=True)]
        least = [max(whole if whole <= 8 else word, 1) for whole, word in zip(most, words, strict=True)]
        inset = TABLE_INSET / TABLE_TEXT
        rest = self.room / TABLE_TEXT - columns * inset - sum(least)
        if sum(most) - sum(least) <= rest or rest < 0:
            return ["ColWidthDefault"] * columns

        def lines(widths: list[float]) -> float:
            return sum(max(1, *(text / width for text, width in zip(row, widths, strict=True))) for row in wanted)

        # Each em goes where it saves the most.
        widths = list(least)
        for _ in range(int(rest)):
            wider = [[width + (at == to) for at, width in enumerate(widths)] for to in range(columns)]
            widths = min(wider, key=lines)
        return [round((width + inset) / (sum(widths) + columns * inset), 3) for width in widths]

    def _label(self, el: pf.Element) -> str:
        return self._name(el.identifier) if el.identifier else "none"

    def _caption(self, caption: pf.Caption | None) -> list[pf.Element]:
        """Paragraphs in one line, as nothing else is in a caption."""
        lines = [] if caption is None else [[*self.inlines(block.content), pf.Space()] for block in caption.content]
        return [pf.Plain(*(item for line in lines for item in line))] if lines else []

    def _open(self, el: pf.Div) -> list[pf.Element]:
        return [*self.at(el.identifier), *self.blocks(el.content)]

    def _entry(self, el: pf.Div) -> list[pf.Element]:
        return [_raw("#entry["), *self._open(el), _raw("]")]

    def box(self, el: pf.Div) -> list[pf.Element]:
        drawn = super().box(el)
        # What has a form of its own sees to its place itself.
        return drawn if any(name in self.boxes for name in el.classes) else [*self.at(el.identifier), *drawn]

    def in_language(self, language: str, content: list[pf.Element]) -> list[pf.Element]:
        return [_raw(f"#in-language({_text(language)})["), *content, _raw("]")]

    def _titled(self, call: str, el: pf.Div, more: Iterable[pf.Element] = ()) -> list[pf.Element]:
        """A box; its title is not left with the first line alone, nor what is added with none."""
        title = pf.Plain(*self.inlines(el.content[0].content[0].content))
        content = list(el.content[1:])
        return [
            *self.at(el.identifier),
            _raw(f"#{call}["),
            title,
            _raw("]["),
            *self.blocks(content, leading=[*content[:-1][:1], *(content[-1:] if more else [])]),
            *more,
            _raw("]"),
        ]

    def _callout(self, el: pf.Div) -> list[pf.Element]:
        return self._titled(f"callout({_text(el.attributes['kind'])})", el)

    def _theorem(self, el: pf.Div) -> list[pf.Element]:
        more = []
        if "answered" in el.attributes:
            word = self.book.words["environment-solution-title"]
            more = [_raw(f"#answered({self._name(answer_anchor(el.identifier))}, {_text(word)})")]
        return self._titled("theorem", el, more)

    def _tab(self, el: pf.Div) -> list[pf.Element]:
        return [
            *self.at(el.identifier),
            pf.Para(pf.Strong(*self.inlines(el.content[0].content[0].content))),
            *self.blocks(el.content[1:]),
        ]

    def _aside(self, el: pf.Div) -> list[pf.Element]:
        el.classes = [name for name in el.classes if name != "aside"]
        return [_raw("#aside["), *self.box(el), _raw("]")]

    def _filename(self, el: pf.Div) -> list[pf.Element]:
        return [
            *self.at(el.identifier),
            _raw(f"#filename({_text(el.attributes['name'])})["),
            *self.blocks(el.content),
            _raw("]"),
        ]

    def _printed(self, el: pf.Div) -> list[pf.Element]:
        return [*self.at(el.identifier), _raw("#printed["), *self.blocks(el.content), _raw("]")]

    def _layout(self, el: pf.Div) -> list[pf.Element]:
        shares = [float(share) for share in re.findall(r"([\d.]+)fr", el.attributes["style"])]
        whole, drawn = self.room, []
        for share, cell in zip(shares, el.content, strict=False):
            self.room = whole * share / sum(shares) - 12
            drawn += [_raw("["), *self.block(cell), _raw("],")]
        self.room = whole
        columns = ", ".join(f"{share}fr" for share in shares)
        return [
            *self.at(el.identifier),
            _raw(f"#grid(columns: ({columns},), column-gutter: 12pt, "),
            *drawn,
            _raw(")"),
        ]

    # ---- inlines ----

    def span(self, el: pf.Span) -> list[pf.Element]:
        place = [_inline(f"#at({self._name(el.identifier)})")] if el.identifier else []
        return [*place, *self.inlines(el.content)]

    def math(self, el: pf.Math) -> list[pf.Element]:
        # pandoc takes TeX's little step back for a whole em; Typst puts a bracket beside a name by itself.
        drawn = pf.Math(re.sub(r"(?<!\\)\\!", "", el.text), format=el.format)
        return [_inline(f"#spoken({_text(el.text.strip())})["), drawn, _inline("]")]

    def equation(self, el: pf.Span) -> list[pf.Element]:
        number = pf.stringify(el.content[-1])
        return [_inline(f"#equation({self._label(el)}, {_text(number)})["), *self.math(el.content[0]), _inline("]")]

    def image(self, el: pf.Image) -> pf.Element:
        data = self.picture(el, IMAGES)
        for generic, font in SVG_FONTS.items():
            data = re.sub(rb"(font-family\s*[=:]\s*[\"']?)" + generic + rb"\b", rb"\g<1>" + font, data)
        path = f"{Path(self.page.href).with_suffix('')}-{len(self.images) + 1}{Path(unquote(el.url)).suffix}"
        self.images[path] = data
        size = image_size(data)
        width = min(size[0] * 0.75, 0.82 * self.room, TALLEST * size[0] / size[1]) if size else self.room
        said = " ".join(pf.stringify(el).split())
        return _inline(f"#picture({_text('/' + path)}, {_text(said)}, {width:.1f}pt)")

    def note(self, el: pf.Note) -> list[pf.Element]:
        el.content = self.blocks(el.content)
        return [el]


def _width(text: str) -> float:
    """About so many ems of a text in one line."""
    return sum(1 if unicodedata.east_asian_width(letter) in "WF" else 0.6 for letter in text)


def _longest_word(text: str) -> float:
    """The widest piece that stays in one line; a line may end after each kanji or kana, and in long names."""
    return max(map(_width, re.split(r"\s|(?<=[_/.=:])|(?<=[^\x00-\xff])", text)))


# ---- what is measured --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Misplaced:
    """What stands where it may not: on which page and how high (in points), what it says, and what is wrong."""

    page: int
    top: float
    said: str  # nothing for a picture
    what: str


def misplaced(pdf: bytes, margin_mm: float, slack_mm: float = 1.0) -> list[Misplaced]:
    """What stands in the margins at the sides, off the page or on other text.

    Punctuation may hang out by less than `slack_mm`.
    """
    import pypdfium2  # not needed for the site

    found = []
    for number, page in enumerate(pypdfium2.PdfDocument(pdf), start=1):
        width, height = page.get_size()
        text = page.get_textpage()
        lines: list[Box] = [text.get_rect(at) for at in range(text.count_rects())]
        images: list[Box] = [item.get_bounds() for item in page.get_objects(filter=[pypdfium2.raw.FPDF_PAGEOBJ_IMAGE])]
        for box in [*lines, *images]:
            beyond = _beyond(box, width, height, margin_mm * POINTS) / POINTS
            if beyond > slack_mm:
                said = text.get_text_bounded(*box) if box in lines else ""
                found.append(Misplaced(number, box[3], _short(said), f"、余白に {beyond:.1f} mm はみ出します"))
        for box in _covered(lines):
            said = text.get_text_bounded(*box)
            found.append(Misplaced(number, box[3], _short(said), "、隣の字に重なります"))
    return found


def place_in(pdf: bytes, found: Misplaced) -> tuple[str, str]:
    """Where an author finds it: the page of the book, as it is called on the site, and the last heading before."""
    import pypdfium2

    document = pypdfium2.PdfDocument(pdf)
    headings = [(mark.get_dest(), mark.get_title()) for mark in document.get_toc()]
    # A heading's place is called as on the site.
    pages = [(place, name.partition("#")[0]) for place, name in _named_places(document)]
    return _last_before(found, pages), _last_before(found, headings)


def _last_before(found: Misplaced, places: list[tuple[Any, str]]) -> str:
    starts = [(place.get_index() + 1, -place.get_view()[1][1], name) for place, name in places]
    return max((start for start in starts if start[:2] <= (found.page, -found.top)), default=(0, 0, ""))[2]


def _named_places(document: Any) -> Iterator[tuple[Any, str]]:
    from pypdfium2 import PdfDest, raw

    for at in range(raw.FPDF_CountNamedDests(document)):
        size = c_long()
        raw.FPDF_GetNamedDest(document, at, None, size)
        name = create_string_buffer(size.value)
        place = raw.FPDF_GetNamedDest(document, at, name, size)
        yield PdfDest(place, document), name.raw.decode("utf-16-le").rstrip("\0")


def _short(text: str) -> str:
    return " ".join(text.split())[:40]


def _beyond(box: Box, width: float, height: float, margin: float) -> float:
    """How far a box reaches out of where it may stand."""
    left, bottom, right, top = box
    return max(margin - left, right - (width - margin), -bottom, top - height)


def _covered(boxes: list[Box]) -> list[Box]:
    """The boxes that lie on another one: of a column too narrow for its words, not of a formula's small letters."""
    boxes = sorted(boxes, key=lambda box: -box[3])
    found = []
    for at, box in enumerate(boxes):
        for other in boxes[at + 1 :]:
            if other[3] < box[1]:
                break
            across = min(box[2], other[2]) - max(box[0], other[0])
            down = min(box[3], other[3]) - max(box[1], other[1])
            if across > 2 and down > max(5, 0.6 * min(box[3] - box[1], other[3] - other[1])):
                found.append(min(box, other))
    return found
