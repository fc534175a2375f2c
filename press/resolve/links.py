"""Links and images: to the built pages, to files that exist; everything else is a problem."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import unquote

import panflute as pf

from press.problems import Problems
from press.read.config import Book
from press.resolve.page import Page
from press.resolve.references import relative
from press.resolve.tree import descend

ELSEWHERE = re.compile(r"^([a-z][a-z0-9+.-]*:|//)", flags=re.I)


def resolve_links(book: Book, pages: list[Page], problems: Problems) -> set[str]:
    """Aim links at pages, check anchors and files.

    Returns
    -------
    set of str
        Files, relative to the book's root, that the site has to carry.
    """
    resolver = _Links(book, pages, problems)
    for page in pages:
        resolver.page = page
        for el in descend(page.blocks):
            resolver.visit(el)
    return resolver.files


class _Links:
    page: Page

    def __init__(self, book: Book, pages: list[Page], problems: Problems):
        self.book, self.problems = book, problems
        self.by_source = {page.entry.source: page for page in pages}
        self.by_href = {page.href: page for page in pages}
        self.files: set[str] = set()

    def visit(self, el: pf.Element) -> None:
        if isinstance(el, pf.Link) and "quarto-xref" not in el.classes:
            self._link(el)
        elif isinstance(el, pf.Image):
            self._image(el)

    def _complain(self, message: str, advice: str, *needles: str) -> None:
        manuscript = self.page.manuscript
        self.problems.add(manuscript.entry.source, manuscript.place(*needles), message, advice)

    def _inside(self, url: str) -> str:
        """A link's path as one relative to the book's root."""
        here = os.path.dirname(self.page.entry.source)
        path = url.removeprefix("/") if url.startswith("/") else os.path.join(here, url)
        return os.path.normpath(unquote(path)).replace(os.sep, "/")

    def _link(self, el: pf.Link) -> None:
        if ELSEWHERE.match(el.url) or not el.url:
            return
        path, _, anchor = el.url.partition("#")
        if not path:
            self._anchor(self.page, anchor, el.url)
            return
        inside = self._inside(path)
        page = self.by_source.get(inside) or self.by_href.get(inside)
        if page is not None:
            el.url = relative(self.page.href, page.href) + (f"#{anchor}" if anchor else "")
            if anchor:
                self._anchor(page, anchor, path)
        elif (self.book.root / inside).is_file() and not inside.startswith(".."):
            self.files.add(inside)
            el.url = relative(self.page.href, inside) + (f"#{anchor}" if anchor else "")
        else:
            self._complain(
                f"リンク {el.url} の指す先がありません",
                "ファイル名を確かめるか、その章を _quarto.yml に加えてください",
                el.url,
            )

    def _anchor(self, page: Page, anchor: str, shown: str) -> None:
        if unquote(anchor) not in page.anchors:
            self._complain(
                f"リンク {shown} の先に見出しや札 #{anchor} がありません",
                f"{page.entry.source} の札を確かめてください",
                anchor,
            )

    def _image(self, el: pf.Image) -> None:
        if not el.url or el.url.startswith("data:"):
            return
        if ELSEWHERE.match(el.url):
            self._complain(
                f"画像 {el.url} が外にあります（読者の手元では表示されないことがあります）",
                "images/ に置いてください",
                el.url,
            )
            return
        if el.url in self.page.manuscript.media:
            return
        inside = self._inside(el.url)
        if not (self.book.root / inside).is_file() or inside.startswith(".."):
            self._complain(f"画像 {el.url} がありません", "ファイルを置くか、書き方を確かめてください", el.url)
            return
        self.files.add(inside)
        el.url = relative(self.page.href, str(Path(inside).as_posix()))
