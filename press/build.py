"""One build, from sources to site."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from press.cache import Cache
from press.problems import BookError, Problem, Problems
from press.read.config import CONFIG, Book, Entry, read_book
from press.read.manuscript import Manuscript, read_manuscript
from press.read.scripts import run_scripts
from press.resolve.citations import resolve_citations
from press.resolve.links import resolve_links
from press.resolve.numbering import Register, number_page
from press.resolve.page import Page, make_page, number_chapters
from press.resolve.references import resolve_references
from press.resolve.resources import resource_files
from press.resolve.structure import build_structure
from press.write.html import MathError, page_html
from press.write.site import Files, SiteError, check_output, write_site

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
    log = root.resolve() / ".press" / "error.log"
    log.unlink(missing_ok=True)
    problems = Problems(log)
    with problems.working_on("本の全体"):
        return _build(root.resolve(), output, say, problems)
    raise problems.error()


def _build(root: Path, output: Path | None, say: Say, problems: Problems) -> Path:
    started = time.perf_counter()
    with problems.working_on(CONFIG):
        book = read_book(root, problems)
    problems.stop_if_any()
    output = (output or book.root / book.output_dir).resolve()
    cache = Cache(book.root / ".press" / "cache")
    try:
        check_output(book, output)
        if book.pre_render:
            run_scripts(book, output, say, problems)
            problems.stop_if_any()
            book = read_book(book.root, problems)  # as in Quarto, a script may have changed it
        manuscripts = read(book, cache, problems)
        pages = resolve(book, manuscripts, cache, problems)
        files = resolve_links(book, pages, problems) | resource_files(book, output, problems)
        problems.stop_if_any()
        bodies = _write_pages(book, pages, cache, problems, say)
        problems.stop_if_any()
        media = {
            str(Path(page.href).parent / name): data for page in pages for name, data in page.manuscript.media.items()
        }
        write_site(book, pages, Files(bodies, media, files), output, cache)
    except SiteError as error:
        raise BookError([Problem("_quarto.yml", "", str(error), "上の理由を取り除いてください")]) from error
    say(f"{len(pages)} ページ、{time.perf_counter() - started:.1f} 秒")
    return output


def read(book: Book, cache: Cache, problems: Problems) -> list[Manuscript]:
    """All chapters; stops if one cannot be read."""

    def read_one(entry: Entry) -> Manuscript | None:
        with problems.working_on(entry.source):
            return read_manuscript(book, entry, cache, problems)
        return None

    manuscripts = _side_by_side(read_one, book.entries)
    return [manuscript for manuscript in manuscripts if manuscript is not None]


def resolve(book: Book, manuscripts: list[Manuscript], cache: Cache, problems: Problems) -> list[Page]:
    """Structure, numbers, references and citations of all pages."""
    pages: list[Page] = []
    for manuscript in manuscripts:
        with problems.working_on(manuscript.entry.source):
            pages.append(make_page(book, manuscript, build_structure(book, manuscript, cache, problems), problems))
    number_chapters(book, pages)
    register = Register()
    for step in (number_page, resolve_references):
        for page in pages:
            with problems.working_on(page.entry.source):
                step(book, page, register, problems)
    resolve_citations(book, pages, cache, problems)
    return pages


def _write_pages(book: Book, pages: list[Page], cache: Cache, problems: Problems, say: Say) -> dict[str, str]:
    def write(page: Page) -> str:
        with problems.working_on(page.entry.source):
            try:
                return page_html(book, page, cache)
            except MathError as error:
                tex = str(error)
                place = page.manuscript.place(tex, tex.strip())
                problems.add(
                    page.entry.source, place, f"数式を MathML にできません: {tex[:60]}", "TeX の書き方を確かめてください"
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
