"""Numbers: sections, figures, tables, listings, equations, theorems, callouts; and who has which."""

from __future__ import annotations

from collections import Counter

import panflute as pf

from press.problems import Problems
from press.read.config import Book
from press.resolve.kinds import TITLE_WORD, kind_of
from press.resolve.page import Page, Target
from press.resolve.raw_html import RawHtml
from press.resolve.tree import children, descend

NO_BREAK_SPACE = "\u00a0"


class Register:
    """Every label of the book and what it stands for."""

    def __init__(self) -> None:
        self._targets: dict[str, Target] = {}

    def add(self, page: Page, target: Target, problems: Problems) -> bool:
        """Enter a label; False, and a problem, if the book has it already."""
        first = self._targets.get(target.label)
        if first is not None:
            manuscript = page.manuscript
            problems.add(manuscript.entry.source, manuscript.place(f"#{target.label}", target.label),
                         f"札 {target.label} が二つあります（もう一つは {first.href}）",
                         "どちらかの名前を変えてください")  # fmt: skip
            return False
        self._targets[target.label] = target
        return True

    def get(self, label: str) -> Target | None:
        """The target of a label; `@Fig-x` is `@fig-x` at the beginning of a sentence."""
        return self._targets.get(label) or self._targets.get(label[:1].lower() + label[1:])

    def without(self, href: str) -> Register:
        """The labels of all pages but one."""
        others = Register()
        others._targets = {label: target for label, target in self._targets.items() if target.href != href}
        return others

    def labels(self) -> list[str]:
        return list(self._targets)


def number_page(book: Book, page: Page, register: Register, problems: Problems) -> None:
    """Number everything on a page, in reading order, and enter it in the register."""
    _Numbering(book, page, register, problems).run()


class _Numbering:
    def __init__(self, book: Book, page: Page, register: Register, problems: Problems):
        self.book, self.page, self.register, self.problems = book, page, register, problems
        self.counts: Counter[str] = Counter()
        self.sections: list[int] = []

    def run(self) -> None:
        page = self.page
        if page.label:
            kind = "apx" if page.entry.role == "appendix" else "ch"
            target = Target(page.label, kind, page.href, page.number, page.plain_title)
            if kind_of(page.label) == "sec":
                self.register.add(page, target, self.problems)
            page.anchors.add(page.label)
        for block in page.blocks:
            self._block(block)

    def _block(self, el: pf.Element, in_box: bool = False) -> None:
        """Number `el`, then what is in it; in a box (callout, tab) headings have no number."""
        if isinstance(el, pf.Header):
            self._section(el, in_box)
        elif isinstance(el, pf.Figure) and kind_of(el.identifier):
            self._float(el)
            return
        elif isinstance(el, pf.Table) and (kind_of(el.identifier) == "tbl" or "numbered" in el.classes):
            self._caption(el.caption, self._take(el.identifier, "tbl"), "tbl")
        elif isinstance(el, pf.Div) and "callout" in el.classes:
            self._callout(el)
        elif isinstance(el, pf.Div) and ("theorem" in el.classes or "proof" in el.classes):
            self._theorem(el)
        elif isinstance(el, pf.Span) and "equation" in el.classes:
            number = self._take(el.identifier, "eq")
            el.content.append(pf.Span(pf.Str(f"({number})"), classes=["equation-number"]))
            return
        elif getattr(el, "identifier", ""):
            self._anchor(el.identifier)
        elif isinstance(el, pf.RawBlock | pf.RawInline):
            self._raw(el)
        boxed = in_box or (isinstance(el, pf.Div) and bool({"callout", "tabset", "theorem", "proof"} & set(el.classes)))
        for child in children(el):
            self._block(child, boxed)

    def _raw(self, el: pf.RawBlock | pf.RawInline) -> None:
        for label in RawHtml(el.text).labels:
            self._anchor(label)

    def _anchor(self, label: str) -> None:
        if label in self.page.anchors:
            manuscript = self.page.manuscript
            self.problems.add(manuscript.entry.source, manuscript.place(f"#{label}", label),
                              f"札 {label} がこのページに二つあります", "どちらかの名前を変えてください")  # fmt: skip
        self.page.anchors.add(label)

    def _take(self, label: str, kind: str, title: str = "") -> str:
        self.counts[kind] += 1
        chapter = f"{self.page.number}." if self.page.number else ""
        number = f"{chapter}{self.counts[kind]}"
        self._enter(label, kind, number, title)
        return number

    def _enter(self, label: str, kind: str, number: str, title: str = "") -> None:
        if self.register.add(self.page, Target(label, kind, self.page.href, number, title), self.problems):
            self._anchor(label)

    def _section(self, el: pf.Header, in_box: bool) -> None:
        title = pf.stringify(el).strip()
        number = ""
        numbered = self.page.number and el.level > 1 and not in_box and "unnumbered" not in el.classes
        if numbered:
            depth = el.level - 1
            self.sections = (self.sections + [0] * depth)[:depth]
            self.sections[-1] += 1
            number = ".".join([self.page.number, *map(str, self.sections)])
            if el.level <= self.book.number_depth:  # deeper ones are counted, but not shown
                spans = [pf.Span(pf.Str(number), classes=["header-section-number"]), pf.Space()]
                el.content = spans + list(el.content)
        referable = number or not self.page.number
        if kind_of(el.identifier) == "sec" and referable:
            self._enter(el.identifier, "sec", number, title)
        elif el.identifier:
            self._anchor(el.identifier)  # a section without a number cannot be referred to, only linked

    def _float(self, el: pf.Figure) -> None:
        kind = kind_of(el.identifier) or "fig"
        number = self._take(el.identifier, kind, pf.stringify(el.caption).strip())
        parts = [f for f in descend(el.content) if isinstance(f, pf.Figure | pf.Table) and f.identifier]
        parts = [f for f in parts if kind_of(f.identifier) == kind]
        for index, part in enumerate(parts):
            letter = chr(ord("a") + index)
            self._enter(part.identifier, kind, f"{number} ({letter})", pf.stringify(part.caption).strip())
            _prepend(part.caption, f"({letter})")
        for child in descend(el.content):
            if child not in parts and not isinstance(child, pf.Figure):
                self._shallow(child)
        self._caption(el.caption, number, kind)

    def _shallow(self, el: pf.Element) -> None:
        if isinstance(el, pf.Span) and "equation" in el.classes:
            self._block(el)
        elif isinstance(el, pf.RawBlock | pf.RawInline):
            self._raw(el)

    def _caption(self, caption: pf.Caption | None, number: str, kind: str) -> None:
        word = self.book.words[TITLE_WORD[kind]]
        text = f"{word}{NO_BREAK_SPACE}{number}"
        _prepend(caption, f"{text}:" if caption is not None and len(caption.content) else text)

    def _callout(self, el: pf.Div) -> None:
        kind = kind_of(el.identifier) if el.identifier else None
        title = el.content[0].content[0]
        word = self.book.words[f"callout-{el.attributes['kind']}-title"]
        if kind:
            number = self._take(el.identifier, kind, pf.stringify(title).strip())
            head = f"{word}{NO_BREAK_SPACE}{number}"
            title.content = [pf.Str(f"{head}:"), pf.Space(), *title.content] if len(title.content) else [pf.Str(head)]
        elif not len(title.content):
            titled = el.attributes.get("appearance", "default") == "default"
            title.content = [pf.Str(word) if titled else _spoken(word)]
        else:
            # Sighted readers see the kind by colour and icon; a screen reader hears it.
            title.content = [_spoken(word), *title.content]

    def _theorem(self, el: pf.Div) -> None:
        kind = el.attributes["kind"]
        word = self.book.words[TITLE_WORD[kind]]
        title = el.content[0].content[0]
        name = list(title.content)
        head = word
        if el.identifier and kind_of(el.identifier):
            head = f"{word}{NO_BREAK_SPACE}{self._take(el.identifier, kind, pf.stringify(title).strip())}"
        end = "." if "proof" in el.classes else ""
        title.content = [pf.Str(head + end)]
        if name:
            title.content = [pf.Str(head), pf.Space(), pf.Str("("), *name, pf.Str(f"){end}")]


def _spoken(word: str) -> pf.Span:
    return pf.Span(pf.Str(word), classes=["visually-hidden"])


def _prepend(caption: pf.Caption | None, text: str) -> None:
    if caption is None:
        return
    if not len(caption.content):
        caption.content = [pf.Plain(pf.Str(text))]
        return
    first = caption.content[0]
    first.content = [pf.Str(text), pf.Space(), *first.content]
