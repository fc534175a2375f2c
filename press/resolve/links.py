"""Links, images and raw HTML: to the built pages, to files that exist; everything else is a problem."""

from __future__ import annotations

import html
import os
import re
from pathlib import Path
from urllib.parse import unquote

import panflute as pf

from press.problems import Problems
from press.read.config import Book
from press.read.images import SUFFIXES, is_image
from press.resolve.page import Page
from press.resolve.raw_html import Address, RawHtml
from press.resolve.references import relative
from press.resolve.tree import descend

FORBIDDEN_SCRIPT = "ページは、属性に書いたプログラムを動かしません。<script> の中か、.js のファイルに書いてください"
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
        with problems.working_on(page.entry.source):
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
        elif isinstance(el, pf.RawBlock | pf.RawInline):
            html = RawHtml(el.text)
            for handler in html.handlers:
                self._complain(f"生の HTML の {handler}=… は動きません", FORBIDDEN_SCRIPT, handler)
            for address in html.addresses:
                self._raw(address)

    def _complain(self, message: str, advice: str, url: str) -> None:
        manuscript = self.page.manuscript
        place = manuscript.place(url, unquote(url), html.escape(url))
        self.problems.add(manuscript.entry.source, place, message, advice)

    def _inside(self, url: str) -> str:
        """A link's path as one relative to the book's root."""
        here = os.path.dirname(self.page.entry.source)
        path = url.removeprefix("/") if url.startswith("/") else os.path.join(here, url)
        return os.path.normpath(unquote(path)).replace(os.sep, "/")

    def _link(self, el: pf.Link) -> None:
        if el.url.lower().startswith("javascript:"):
            self._complain(f"リンク {el.url} は動きません", FORBIDDEN_SCRIPT, el.url)
            return
        if ELSEWHERE.match(el.url) or not el.url:
            return
        path, query, anchor = _parts(el.url)
        inside = self._inside(path)
        page = self.by_source.get(inside) if path else self.page
        if page is not None and path and query:
            # Quarto leaves the address as it is, and the reader finds no such page.
            self._complain(
                f"リンク {el.url} には ?… が付いているので、原稿の名前ではページに届きません",
                f"{Path(path).with_suffix('.html').as_posix()}{query}{anchor} と書いてください",
                el.url,
            )
            return
        page = page or self.by_href.get(inside)
        if page is not None:
            el.url = (relative(self.page.href, page.href) if path else "") + query + anchor
            self._anchor(page, anchor, path or el.url)
        elif self._carry(inside):
            el.url = relative(self.page.href, inside) + query + anchor
        else:
            self._dead(f"リンク {el.url}", el.url)

    def _anchor(self, page: Page, anchor: str, shown: str) -> None:
        if anchor and unquote(anchor.removeprefix("#")) not in page.anchors:
            self._complain(
                f"リンク {shown} の先に見出しや札 {anchor} がありません",
                f"{page.entry.source} の札を確かめてください",
                anchor,
            )

    def _carry(self, inside: str) -> bool:
        """Let the site carry a file of the book; False if there is none."""
        is_there = not inside.startswith("..") and (self.book.root / inside).is_file()
        if is_there:
            self.files.add(inside)
        return is_there

    def _dead(self, what: str, url: str) -> None:
        self._complain(
            f"{what} の指す先がありません", "ファイル名を確かめるか、その章を _quarto.yml に加えてください", url
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
        if self._carry(inside):
            self._drawn(inside, f"画像 {el.url}", el.url)
            el.url = relative(self.page.href, inside)
        else:
            self._complain(f"画像 {el.url} がありません", "ファイルを置くか、書き方を確かめてください", el.url)

    def _drawn(self, inside: str, what: str, url: str) -> None:
        if not is_image(inside, (self.book.root / inside).read_bytes()):
            self._complain(
                f"{what} の中身が画像ではありません",
                "SVG、PNG、JPEG などの、名前どおりの画像を置き直してください",
                url,
            )

    def _raw(self, address: Address) -> None:
        """An address in raw HTML, which goes to the page as it is."""
        url, shown = address.url, f'生の HTML の {address.attribute}="{address.url}"'
        if url.startswith("data:") or not url:
            return
        if url.lower().startswith("javascript:"):
            self._complain(f"{shown} は動きません", FORBIDDEN_SCRIPT, url)
            return
        if ELSEWHERE.match(url):
            if address.is_loaded:
                self._complain(
                    f"{shown} が外のものを読み込みます（読者の手元では表示されないことがあります）",
                    "本のフォルダーに置いてください",
                    url,
                )
            return
        path, _, anchor = _parts(url)
        inside = self._inside(path)
        page = self.by_href.get(inside) if path else self.page
        if page is not None:
            self._anchor(page, anchor, url)
        elif inside in self.by_source or path.startswith("/"):
            self._complain(
                f"{shown} は、このままでは届きません",
                "生の HTML では、このページから見た .html の番地を書いてください",
                url,
            )
        elif not self._carry(inside):
            self._dead(shown, url)
        elif Path(inside).suffix.lower() in SUFFIXES:
            self._drawn(inside, shown, url)


def _parts(url: str) -> tuple[str, str, str]:
    """Path, query with its mark, anchor with its mark."""
    rest, mark, anchor = url.partition("#")
    path, question, query = rest.partition("?")
    return path, question + query, mark + anchor
