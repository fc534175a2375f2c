"""One build, from sources to site."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import panflute as pf

from press.cache import Cache
from press.problems import Problems
from press.read.config import CONFIG, Book, Entry, read_book
from press.read.decks import read_deck, read_decks
from press.read.manuscript import Manuscript, read_manuscript
from press.read.scripts import run_scripts
from press.resolve.citations import resolve_citations
from press.resolve.links import resolve_links
from press.resolve.numbering import Register, number_page
from press.resolve.page import Page, make_page, number_chapters
from press.resolve.references import resolve_references
from press.resolve.resources import resource_files
from press.resolve.structure import build_structure
from press.resolve.tree import descend
from press.write.epub import book_epub
from press.write.generator import Generator
from press.write.html import MathError, page_html
from press.write.pdf import book_pdf, needed_packages
from press.write.site import Files, check_output, put, write_page, write_site, writing
from press.write.slides import check_deck, check_look, copy_reveal, deck_html, deck_pdf, images, listed, reveal_folder

Item = TypeVar("Item")
Result = TypeVar("Result")
Say = Callable[[str], None]


def build(root: Path, output: Path | None = None, say: Say = lambda line: None) -> Path:
    """Build the book in `root`.

    Parameters
    ----------
    root
        The folder of `_quarto.yml`.
    output
        Where the site goes; by default the book's `output-dir`.
    say
        Called with a line of progress for each chapter.

    Returns
    -------
    Path
        The folder of the finished site.

    Raises
    ------
    BookError
        With every problem found. The old site is untouched.
    """
    with Workshop(root, output, say) as workshop:
        return workshop.build()


@dataclass(frozen=True)
class _Built:
    """What the last build leaves for the next page: the book as it was read and numbered."""

    book: Book
    output: Path
    pages: list[Page]
    register: Register
    cites: dict[str, list[pf.Cite]]  # by page, as they were before citeproc


class Workshop:
    """A book that is built again and again; a context manager, since the generator stays loaded."""

    def __init__(self, root: Path, output: Path | None, say: Say):
        self._root, self._output, self._say = root.resolve(), output, say
        self._cache = Cache(self._root / ".press" / "cache")
        self._generator = Generator()
        self._built: _Built | None = None

    def __enter__(self) -> Workshop:
        return self

    def __exit__(self, *error: object) -> None:
        self._generator.close()

    def build(self) -> Path:
        """Build the whole book; see `press.build.build`."""
        problems = self._problems()
        with problems.working_on("本の全体"):
            return self._build(problems)
        raise problems.error()

    def _problems(self) -> Problems:
        log = self._root / ".press" / "error.log"
        log.unlink(missing_ok=True)
        return Problems(log)

    def _build(self, problems: Problems) -> Path:
        started = time.perf_counter()
        book, output = _prepare(self._root, self._output, self._say, problems)
        manuscripts = read(book, self._cache, problems)
        pages = _make_pages(book, manuscripts, self._cache, problems)
        register = Register()
        cites = _resolve(book, pages, pages, register, self._cache, problems)
        files = resolve_links(book, pages, problems) | resource_files(book, output, problems)
        content = self._content(book, pages, files, problems)
        write_site(book, pages, content, output, self._cache, self._generator)
        self._built = _Built(book, output, pages, register, cites)
        self._say(f"{len(pages)} ページ、{time.perf_counter() - started:.1f} 秒")
        return output

    def build_page(self, source: str) -> None:
        """Put one chapter's page into the site of the last build, all others staying as they are.

        Raises
        ------
        BookError
            With what is wrong on this page. The site is untouched.
        """
        built, problems = self._built, self._problems()
        entry = built and next((entry for entry in built.book.entries if entry.source == source), None)
        if built and entry:
            with problems.working_on(source):
                self._build_page(built, entry, problems)
            problems.stop_if_any()

    def _build_page(self, built: _Built, entry: Entry, problems: Problems) -> None:
        manuscript = read_manuscript(built.book, entry, self._cache, problems)
        problems.stop_if_any()
        assert manuscript is not None
        made = _make_pages(built.book, [manuscript], self._cache, problems)
        problems.stop_if_any()
        (page,) = made
        pages = [page if old.entry is entry else _stand_in(old, built.cites[old.href]) for old in built.pages]
        _resolve(built.book, pages, [page], built.register.without(page.href), self._cache, problems)
        content = self._content(built.book, [page], resolve_links(built.book, pages, problems), problems)
        write_page(built.book, pages, content, built.output, self._generator)

    def _content(self, book: Book, pages: list[Page], files: set[str], problems: Problems) -> Files:
        problems.stop_if_any()
        bodies = _write_pages(book, pages, self._cache, problems, self._say)
        problems.stop_if_any()
        media = {
            str(Path(page.href).parent / name): data for page in pages for name, data in page.manuscript.media.items()
        }
        return Files(bodies, media, files)


def build_pdf(root: Path, output: Path, say: Say = lambda line: None) -> Path:
    """Write the book in `root` as one PDF.

    Parameters
    ----------
    root
        The folder of `_quarto.yml`.
    output
        The file to write.
    say
        Called with a line of progress.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    BookError
        With every problem found. An old file is untouched.
    MissingPackageError
        If what sets a PDF is not there.
    """
    needed_packages()
    return _build_whole(root, output, say, "pdf", book_pdf)


def build_epub(root: Path, output: Path, say: Say = lambda line: None) -> Path:
    """Write the book in `root` as one EPUB; see `build_pdf`."""
    return _build_whole(root, output, say, "epub", book_epub)


def _build_whole(
    root: Path, output: Path, say: Say, form: str, write: Callable[[Book, list[Page], Cache, Problems], bytes]
) -> Path:
    started = time.perf_counter()
    root = root.resolve()
    problems, cache = Problems(root / ".press" / "error.log"), Cache(root / ".press" / "cache")
    with problems.working_on("本の全体"):
        book, _ = _prepare(root, None, say, problems)
        pages = resolve(book, read(book, cache, problems), cache, problems, form)
        resolve_links(book, pages, problems)
        problems.stop_if_any()
        made = write(book, pages, cache, problems)
        put(made, output)
        say(f"{output}（{len(made) / 1e6:.1f} MB、{time.perf_counter() - started:.1f} 秒）")
        return output
    raise problems.error()


def build_slides(root: Path, output: Path | None = None, say: Say = lambda line: None) -> Path:
    """Write the decks in `root` as pages for the wall and as PDF.

    Parameters
    ----------
    root
        The folder of the decks and of their `_quarto.yml`.
    output
        Where they go; by default the folder's `output-dir`.
    say
        Called with a line of progress for each deck.

    Returns
    -------
    Path
        The folder of the slides.

    Raises
    ------
    BookError
        With every problem found. Nothing is written.
    MissingPackageError
        If reveal.js or what sets a PDF is not there.
    """
    needed_packages()
    reveal_folder()
    root = root.resolve()
    problems = Problems(root / ".press" / "error.log")
    with problems.working_on("スライドの全体"):
        book, reveal = read_decks(root, problems)
        output = (output or root / book.output_dir).resolve()
        run_scripts(book, output, say, problems)
        problems.stop_if_any()
        decks = [deck for entry in book.entries if (deck := read_deck(root, entry.source, problems))]
        check_look(root, reveal, problems)
        for deck in decks:
            check_deck(root, deck, problems)
        files = resource_files(book, output, problems) | set(listed(reveal.get("css")))
        problems.stop_if_any()
        made: dict[str, bytes] = {}
        for deck in decks:
            files |= set(images(deck))
            with problems.working_on(deck.source):
                made[deck.source.replace(".qmd", ".html")] = deck_html(book, deck, reveal, problems).encode()
                made[deck.source.replace(".qmd", ".pdf")] = deck_pdf(book, deck, problems)
            say(f"{deck.title}")
        problems.stop_if_any()
        made |= {name: (root / name).read_bytes() for name in files}
        with writing(output):
            copy_reveal(output)
        for name, data in made.items():
            put(data, output / name)
        return output
    raise problems.error()


def _prepare(root: Path, output: Path | None, say: Say, problems: Problems) -> tuple[Book, Path]:
    """The book after what is to run before it is made, and where its site goes."""
    with problems.working_on(CONFIG):
        book = read_book(root, problems)
    problems.stop_if_any()
    output = (output or book.root / book.output_dir).resolve()
    check_output(book, output)
    if book.pre_render:
        run_scripts(book, output, say, problems)
        problems.stop_if_any()
        book = read_book(book.root, problems)  # as in Quarto, a script may have changed it
    return book, output


def read(book: Book, cache: Cache, problems: Problems) -> list[Manuscript]:
    """All chapters; stops if one cannot be read."""

    def read_one(entry: Entry) -> Manuscript | None:
        with problems.working_on(entry.source):
            return read_manuscript(book, entry, cache, problems)
        return None

    manuscripts = _side_by_side(read_one, book.entries)
    return [manuscript for manuscript in manuscripts if manuscript is not None]


def resolve(
    book: Book, manuscripts: list[Manuscript], cache: Cache, problems: Problems, form: str = "html"
) -> list[Page]:
    """Structure, numbers, references and citations of all pages."""
    pages = _make_pages(book, manuscripts, cache, problems, form)
    _resolve(book, pages, pages, Register(), cache, problems)
    return pages


def _make_pages(
    book: Book, manuscripts: list[Manuscript], cache: Cache, problems: Problems, form: str = "html"
) -> list[Page]:
    pages: list[Page] = []
    for manuscript in manuscripts:
        with problems.working_on(manuscript.entry.source):
            blocks = build_structure(book, manuscript, cache, problems, form)
            pages.append(make_page(book, manuscript, blocks, problems))
    return pages


def _resolve(
    book: Book, pages: list[Page], new: list[Page], register: Register, cache: Cache, problems: Problems
) -> dict[str, list[pf.Cite]]:
    """Numbers, references and citations of new pages among all; what each page cites, as it stood before."""
    number_chapters(book, pages)
    for step in (number_page, resolve_references):
        for page in new:
            with problems.working_on(page.entry.source):
                step(book, page, register, problems)
    cites = {page.href: [_copy(el) for el in descend(page.blocks) if isinstance(el, pf.Cite)] for page in pages}
    resolve_citations(book, pages, cache, problems)
    return cites


def _stand_in(page: Page, cites: list[pf.Cite]) -> Page:
    """A page that stays as it is: its text is what citeproc, which numbers over the whole book, has to see."""
    lists = [
        pf.Div(identifier=block.identifier)
        for block in page.blocks
        if isinstance(block, pf.Div) and block.identifier == "refs"
    ]
    blocks = [pf.Para(_copy(cite)) for cite in cites] + lists
    return replace(page, blocks=blocks, number="?" if page.number else "", anchors=set(page.anchors))


def _copy(cite: pf.Cite) -> pf.Cite:
    return pf.Cite(*cite.content, citations=list(cite.citations))


def _write_pages(book: Book, pages: list[Page], cache: Cache, problems: Problems, say: Say) -> dict[str, str]:
    def write(page: Page) -> str:
        with problems.working_on(page.entry.source):
            try:
                return page_html(book, page, cache)
            except MathError as error:
                tex = str(error)
                place = page.manuscript.place(tex, tex.strip())
                problems.add(
                    page.entry.source,
                    place,
                    f"数式を MathML にできません: {tex[:60]}",
                    "TeX の書き方を確かめてください",
                )
        return ""

    bodies: dict[str, str] = {}
    for number, (page, body) in enumerate(zip(pages, _side_by_side(write, pages), strict=True), start=1):
        bodies[page.href] = body
        say(f"[{number}/{len(pages)}] {page.sidebar_title}")
    return bodies


def _side_by_side(work: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """pandoc runs outside Python, so threads are enough to keep all cores busy."""
    with ThreadPoolExecutor() as pool:
        return list(pool.map(work, items))
