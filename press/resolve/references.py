"""@fig-x and its kin become links; what cannot be resolved is a problem."""

from __future__ import annotations

import difflib
import os
import re

import panflute as pf

from press.problems import Problems
from press.read.config import Book
from press.resolve.kinds import KINDS, kind_of, reference_word
from press.resolve.numbering import NO_BREAK_SPACE, Register
from press.resolve.page import Page, Target
from press.resolve.tree import descend, replace

STUCK = re.compile(rf"(?<=\w)@(?:{'|'.join(sorted(KINDS))})-[\w-]+", flags=re.I)


def resolve_references(book: Book, page: Page, register: Register, problems: Problems) -> None:
    """Replace every cross-reference on a page; citations of literature are left for citeproc."""
    resolver = _Resolver(book, page, register, problems)
    for el in descend(page.blocks):
        resolver.visit(el)


class _Resolver:
    def __init__(self, book: Book, page: Page, register: Register, problems: Problems):
        self.book, self.page, self.register, self.problems = book, page, register, problems

    def visit(self, el: pf.Element) -> None:
        if isinstance(el, pf.Cite):
            links = self._cite(el)
            if links is not None:
                replace(el, links)
            return
        text = ""
        if isinstance(el, pf.Link) and el.url.startswith("mailto:"):
            text = el.url
        elif isinstance(el, pf.Str) and not _in_cite_or_mail(el):
            text = el.text
        if stuck := STUCK.search(text):
            self._stuck(stuck[0])

    def _complain(self, message: str, advice: str, *needles: str) -> None:
        manuscript = self.page.manuscript
        self.problems.add(manuscript.entry.source, manuscript.place(*needles), message, advice)

    def _stuck(self, text: str) -> None:
        if any("\\" + text in cell.source for cell in self.page.manuscript.cells):
            return  # \@fig-x is meant as plain text
        self._complain(
            f"{text} が参照になりません（直前の文字とつながっています）",
            "@ の前に空白を入れるか、[@…] と書いてください",
            text,
        )

    def _cite(self, el: pf.Cite) -> list[pf.Element] | None:
        kinds = [kind_of(citation.id) for citation in el.citations]
        if not any(kinds):
            return None
        inlines: list[pf.Element] = []
        for citation in el.citations:
            target = self.register.get(citation.id)
            if target is None:
                near = self._near(citation.id)
                advice = f"札を確かめてください（近い札: {near}）" if near else "札（label か {#…}）を確かめてください"
                self._complain(f"参照 @{citation.id} の指す先がありません", advice, f"@{citation.id}")
                continue
            if inlines:
                inlines += [pf.Str(","), pf.Space()]
            inlines.append(self._link(citation, target))
        return inlines

    def _near(self, label: str) -> str:
        return "、".join(difflib.get_close_matches(label, self.register.labels(), n=2))

    def _link(self, citation: pf.Citation, target: Target) -> pf.Link:
        text = self._text(citation, target)
        return pf.Link(*text, url=self._url(target), classes=["quarto-xref"])

    def _text(self, citation: pf.Citation, target: Target) -> list[pf.Element]:
        bare = citation.mode == "SuppressAuthor"
        if target.kind in ("ch", "apx", "sec") and not (self.page.number and target.number):
            # As in Quarto: a page without a number speaks of chapters by number and title, of
            # sections by title.
            number = target.number if target.kind != "sec" else ""
            return [pf.Str(f"{number} {target.title}".strip())]
        if len(citation.prefix):
            return [*citation.prefix, pf.Str(f"{NO_BREAK_SPACE}{target.number}")]
        if bare:
            return [pf.Str(target.number)]
        word = reference_word(target.kind, self.book.words)
        if citation.id[:1].isupper():
            word = word[:1].upper() + word[1:]
        return [pf.Str(f"{word}{NO_BREAK_SPACE}{target.number}" if word else target.number)]

    def _url(self, target: Target) -> str:
        if target.href == self.page.href:
            return f"#{target.label}"
        path = relative(self.page.href, target.href)
        return path if target.kind in ("ch", "apx") else f"{path}#{target.label}"


def relative(page: str, target: str) -> str:
    """The address of `target` seen from `page`, both relative to the site's root."""
    return os.path.relpath(target, os.path.dirname(page) or ".").replace(os.sep, "/")


def _in_cite_or_mail(el: pf.Element) -> bool:
    parent = el.parent
    while parent is not None:
        if isinstance(parent, pf.Cite | pf.Citation) or (
            isinstance(parent, pf.Link) and parent.url.startswith("mailto:")
        ):
            return True
        parent = parent.parent
    return False
