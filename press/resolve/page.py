"""A page on its way from structure to HTML, and what others can refer to on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import panflute as pf

from press import pandoc
from press.problems import Problems
from press.read.config import Book, Entry
from press.read.manuscript import Manuscript
from press.resolve.kinds import kind_of


@dataclass(frozen=True)
class Target:
    """Something with a label: where it is and what a reference to it says."""

    label: str
    kind: str  # "sec", "fig", …; "ch" and "apx" for the chapter itself
    href: str
    number: str  # "3.2", "A.1"; "" where nothing is numbered
    title: str = ""


@dataclass
class Page:
    """One page: its title and blocks are finished step by step."""

    manuscript: Manuscript
    title: list[pf.Element]
    label: str
    blocks: list[pf.Element]
    number: str = ""  # "3", "A" or ""
    anchors: set[str] = field(default_factory=set)
    toc: bool = True
    dense: bool = False  # to look things up in: in small letters and two columns where it is printed
    layout: str = "article"  # or "full": without a table of contents the page takes its place

    @property
    def entry(self) -> Entry:
        return self.manuscript.entry

    @property
    def href(self) -> str:
        return self.entry.href

    @property
    def plain_title(self) -> str:
        return str(pf.stringify(pf.Plain(*self.title))).strip()

    @property
    def sidebar_title(self) -> str:
        return f"{self.number} {self.plain_title}".strip()


def make_page(book: Book, manuscript: Manuscript, blocks: list[pf.Element], problems: Problems) -> Page:
    """Take the chapter's first heading (or its YAML title) off the blocks as the page's title."""
    source = manuscript.entry.source
    title, label, unnumbered, dense = [], "", False, False
    if manuscript.front_matter.get("title"):
        title = pandoc.inlines(str(manuscript.front_matter["title"]))
    else:
        at = next((i for i, b in enumerate(blocks) if isinstance(b, pf.Header)), None)
        if at is None or blocks[at].level != 1:
            problems.add(source, "", "題（# 見出し）がありません", "最初の見出しを # 題 {#sec-…} にしてください")
        else:
            heading = blocks.pop(at)
            title, label = list(heading.content), heading.identifier
            # Quarto numbers a notebook's chapter whatever its heading says.
            unnumbered = "unnumbered" in heading.classes and not source.endswith(".ipynb")
            dense = "dense" in heading.classes
    for block in blocks:
        if isinstance(block, pf.Header) and block.level == 1:
            text = pf.stringify(block).strip()
            problems.add(source, manuscript.place(text), f"二つ目の題「{text}」があります", "## にしてください")
    page = Page(manuscript, title, label, blocks, number="" if unnumbered else "?", dense=dense)
    _set_layout(book, page)
    if label and kind_of(label) not in (None, "sec"):
        problems.add(
            source, manuscript.place(label), f"章の札 {label} が sec- で始まりません", "{#sec-…} としてください"
        )
    return page


def _set_layout(book: Book, page: Page) -> None:
    """What the page says of itself, else the book; `format: html:` goes before the page at large."""
    said: dict[str, Any] = (
        {"toc": book.toc, "page-layout": book.page_layout} | page.manuscript.front_matter | page.manuscript.html
    )
    page.toc, page.layout = said["toc"], said["page-layout"]


def number_chapters(book: Book, pages: list[Page]) -> None:
    """1, 2, 3 for chapters, A, B, C for appendices, nothing for the rest."""
    chapter, appendix = 0, 0
    for page in pages:
        if page.number != "?" or not book.number_sections or page.entry.role == "part":
            page.number = ""
        elif page.entry.role == "appendix":
            page.number = chr(ord("A") + appendix)
            appendix += 1
        else:
            chapter += 1
            page.number = str(chapter)
