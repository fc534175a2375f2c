"""A finished page to HTML: the shapes of `resolve.structure` to the elements the theme draws."""

from __future__ import annotations

import html as entities
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import panflute as pf

from press import pandoc
from press.cache import Cache
from press.read.config import Book
from press.resolve.page import Page
from press.write import CUT

# The theme's box for each kind of callout.
BOX = {"note": "note", "tip": "tip", "warning": "warning", "important": "danger", "caution": "failure"}
MATH = re.compile(
    r'<math display="(\w+)"[^>]*><semantics>(.*?)'
    r'<annotation encoding="application/x-tex">(.*?)</annotation></semantics></math>',
    flags=re.S,
)
PRE = re.compile(r"<pre([^>]*)>(<code[^>]*>)?(.*?)</pre>", flags=re.S)
LINE_LINK = re.compile(r'<a href="#cb[\d-]+" aria-hidden="true" tabindex="-1"></a>')


class MathError(Exception):
    """A formula that has no MathML; the text is its TeX."""


def page_html(book: Book, page: Page, cache: Cache) -> str:
    """The page's body; its own headings stand between `CUT` marks, the first is the title.

    Raises
    ------
    MathError
        If a formula cannot be turned into MathML.
    """
    marked: list[pf.Element] = [pf.Plain(*page.title), _raw(CUT)]
    for block in page.blocks:
        marked += [_raw(CUT), block, _raw(CUT)] if isinstance(block, pf.Header) else [block]
    drawn = list(pf.Doc(*marked).walk(_Drawing(book, page)).content)
    options = ["-f", "json", "-t", "html5", "--mathml", "--wrap=none", "--email-obfuscation=none"]
    tree = pandoc.dump(drawn)
    body = cache.text("html", [*options, tree], lambda: pandoc.run(*options, text=tree))
    unread = re.search(r'<span class="math[^"]*">(.*?)</span>', body, flags=re.S)
    if unread:
        raise MathError(entities.unescape(unread[1]))
    body = MATH.sub(_mathml, body)
    body = PRE.sub(_scrollable, body)
    title, _, body = body.partition(CUT)
    return f"{CUT}{_title(book, page, title.strip())}{CUT}\n{_subtitle(book, page)}{body}{_source_links(book, page)}"


# ---- title and foot ------------------------------------------------------------------------------


def _title(book: Book, page: Page, text: str) -> str:
    if page.href == "index.html":
        return f"<h1 {_title_attributes(page)}>{entities.escape(book.title)}</h1>"
    if page.entry.role == "appendix" and page.number:
        text = f"{book.words['crossref-apx-prefix']} {page.number} — {text}"
    elif page.number:
        text = f'<span class="chapter-number">{page.number}</span> {text}'
    return f"<h1 {_title_attributes(page)}>{text}</h1>"


def _title_attributes(page: Page) -> str:
    label = entities.escape(page.label or "title-block-header", quote=True)
    return f'id="{label}"' + (' data-page-layout="full"' if page.layout == "full" else "")


def _subtitle(book: Book, page: Page) -> str:
    said = page.manuscript.front_matter
    lines = {key: str(said.get(key, "")) for key in ("subtitle", "description")}
    if page.href == "index.html":
        lines = {
            "subtitle": lines["subtitle"] or book.subtitle,
            "author": book.author,
            "date": book.date,
            "description": lines["description"] or book.description,
        }
    parts = [f'<p class="book-{name}">{entities.escape(text)}</p>' for name, text in lines.items() if text]
    head = f'<div class="title-block">{"".join(parts)}</div>\n' if parts else ""
    if page.href == "index.html" and page.plain_title != book.title:
        title = entities.escape(page.plain_title)
        head += f'{CUT}<h2 id="front-page">{title}</h2>{CUT}\n'
    return head


def _source_links(book: Book, page: Page) -> str:
    """Edit and issue links, only where the book has a repository."""
    if not book.repo_url:
        return ""
    source = f"{book.repo_branch}/{page.entry.source}"
    urls = {
        "edit": f"{book.repo_url}/edit/{source}",
        "source": f"{book.repo_url}/blob/{source}",
        "issue": f"{book.repo_url}/issues/new",
    }
    links = [
        f'<a href="{entities.escape(urls[action], quote=True)}">{book.words[f"repo-action-links-{action}"]}</a>'
        for action in book.repo_actions
        if action in urls
    ]
    return f'<p class="page-source">{" ".join(links)}</p>\n' if links else ""


def _mathml(found: re.Match[str]) -> str:
    """MathML with its TeX as alternative text instead of an annotation that search would read."""
    display, body, tex = found.groups()
    formula = f'<math display="{display}" alttext="{tex.replace(chr(34), "&quot;").strip()}">{body}</math>'
    # Only Chromium scrolls a formula itself: Gecko and WebKit need a box around it.
    return f'<span class="math display">{formula}</span>' if display == "block" else formula


def _scrollable(found: re.Match[str]) -> str:
    """Code that the keyboard can scroll, without the links that draw numbers which it does not have."""
    attributes, code, text = found.groups()
    if "numberSource" not in attributes:
        text = LINE_LINK.sub("", text)
    if code:  # the theme scrolls this element, and takes the attribute away where nothing is hidden
        return f'<pre{attributes}><code tabindex="0"{code.removeprefix("<code")}{text}</pre>'
    return f'<pre tabindex="0"{attributes}>{text}</pre>'


# ---- the body --------------------------------------------------------------------------------------


def _raw(html: str) -> pf.RawBlock:
    return pf.RawBlock(html, "html")


class _Drawing:
    """Called by panflute from the innermost element outwards."""

    def __init__(self, book: Book, page: Page):
        self.book, self.page = book, page
        self.tabsets = 0
        self.draw: dict[str, Callable[[pf.Div], Any]] = {
            "callout": self._callout,
            "tabset": self._tabset,
            "fold": self._fold,
            "theorem": self._theorem,
            "proof": self._theorem,
            "filename": self._filename,
            "cell": self._cell,
        }

    def __call__(self, el: pf.Element, doc: pf.Doc) -> Any:
        if isinstance(el, pf.Div):
            shape = next((name for name in el.classes if name in self.draw), None)
            return self.draw[shape](el) if shape else None
        if isinstance(el, pf.Table):
            return self._table(el)
        if isinstance(el, pf.Figure) and {"lst", "tbl"} & set(el.classes):
            return self._captioned_above(el)
        if isinstance(el, pf.Image):
            self._size(el)
        if isinstance(el, pf.CodeBlock) and "mermaid" in el.classes:
            el.classes = ["text"]  # shown as it is: the theme would draw it
        return None

    def _callout(self, el: pf.Div) -> list[pf.Element]:
        title, body, kind = el.content[0], _paragraphs(el.content[1:]), el.attributes["kind"]
        look = el.attributes.get("appearance", "default")
        classes = f"admonition {BOX[kind]} callout-{kind} callout-{look}"
        classes += " callout-iconless" if el.attributes.get("icon") == "false" else ""
        identifier = _id(el)
        collapse = el.attributes.get("collapse")
        inner = list(title.content)
        if collapse is None:
            head = [_raw(f'<div class="{classes}"{identifier}><p class="admonition-title">'), *inner, _raw("</p>")]
            return [*head, *body, _raw("</div>")]
        is_open = " open" if collapse == "false" else ""
        head = [_raw(f'<details class="{classes}"{identifier}{is_open}><summary>'), *inner, _raw("</summary>")]
        return [*head, *body, _raw("</details>")]

    def _tabset(self, el: pf.Div) -> list[pf.Element]:
        self.tabsets += 1
        name = f"__tabbed_{self.tabsets}"
        inputs, labels, panes = "", [], []
        for nth, tab in enumerate(el.content, start=1):
            checked = " checked" if nth == 1 else ""
            inputs += f'<input type="radio" name="{name}" id="{name}_{nth}"{checked}>'
            labels += [_raw(f'<label for="{name}_{nth}">'), *tab.content[0].content, _raw("</label>")]
            panes += [_raw('<div class="tabbed-block">'), *_paragraphs(tab.content[1:]), _raw("</div>")]
        return [
            _raw(f'<div class="tabbed-set tabbed-alternate">{inputs}<div class="tabbed-labels">'),
            *labels,
            _raw('</div><div class="tabbed-content">'),
            *panes,
            _raw("</div></div>"),
        ]

    def _fold(self, el: pf.Div) -> list[pf.Element]:
        is_open = " open" if el.attributes["open"] == "true" else ""
        summary = entities.escape(el.attributes["summary"])
        return [
            _raw(f'<details class="code-fold"{is_open}><summary>{summary}</summary>'),
            *el.content,
            _raw("</details>"),
        ]

    def _theorem(self, el: pf.Div) -> list[pf.Element]:
        shape = "theorem" if "theorem" in el.classes else "proof"
        return [
            _raw(f'<div class="{shape} {shape}-{el.attributes["kind"]}"{_id(el)}><p class="theorem-title">'),
            *el.content[0].content,
            _raw("</p>"),
            *_paragraphs(el.content[1:]),
            _raw("</div>"),
        ]

    def _filename(self, el: pf.Div) -> list[pf.Element]:
        name = entities.escape(el.attributes["name"])
        return [
            _raw(f'<div class="code-with-filename"><p class="code-filename">{name}</p>'),
            *el.content,
            _raw("</div>"),
        ]

    def _cell(self, el: pf.Div) -> list[pf.Element] | None:
        el.attributes.pop("number", None)
        return None if len(el.content) else []

    def _table(self, el: pf.Table) -> list[pf.Element]:
        """A table in a box of its own that scrolls on a narrow screen, also by keyboard."""
        name = pf.stringify(el.caption).strip() if el.caption is not None else ""
        name = entities.escape(name or self.book.words["crossref-tbl-title"], quote=True)
        el.classes = [*el.classes, "book-table"]
        widths = column_widths(el.attributes.pop("tbl-colwidths", ""), len(el.colspec))
        el.colspec = [(alignment, width) for (alignment, _), width in zip(el.colspec, widths, strict=True)]
        return [_raw(f'<div class="table-scroll" role="group" aria-label="{name}" tabindex="0">'), el, _raw("</div>")]

    def _captioned_above(self, el: pf.Figure) -> list[pf.Element]:
        """Listings and groups of tables; pandoc would print the caption below, as for a figure."""
        caption = [] if el.caption is None else list(el.caption.content)
        head = f'<figure class="{" ".join(el.classes)}"{_id(el)}><figcaption>'
        return [_raw(head), *caption, _raw("</figcaption>"), *el.content, _raw("</figure>")]

    def _size(self, el: pf.Image) -> None:
        """Width and height from the file, so that the page does not jump while it loads."""
        el.attributes["loading"] = "lazy"
        if "width" in el.attributes or "height" in el.attributes:
            return
        size = image_size(self._bytes(el.url))
        if size:
            el.attributes["data-size"] = f"{size[0]}x{size[1]}"

    def _bytes(self, url: str) -> bytes:
        media = self.page.manuscript.media
        if url in media:
            return media[url]
        path = self.book.root / Path(self.page.href).parent / url
        return path.read_bytes() if path.is_file() else b""


def column_widths(given: str, columns: int) -> list[float | str]:
    """[30, 70] as shares of the width; as wide as the content where nothing fitting is given."""
    numbers = [float(number) for number in re.findall(r"\d+(?:\.\d+)?", given)]
    if len(numbers) != columns or sum(numbers) <= 0:
        return ["ColWidthDefault"] * columns
    return [number / max(sum(numbers), 100) for number in numbers]


def _id(el: pf.Element) -> str:
    return f' id="{entities.escape(el.identifier, quote=True)}"' if el.identifier else ""


def _paragraphs(blocks: Any) -> list[pf.Element]:
    return [
        pf.Para(*block.content) if isinstance(block, pf.Plain) and not _holds_image(block) else block
        for block in blocks
    ]


def _holds_image(block: pf.Plain) -> bool:
    return any(isinstance(item, pf.Image) for item in block.content)


def image_size(data: bytes) -> tuple[int, int] | None:
    """Width and height in CSS pixels of a PNG or an SVG; None for anything else, and for what has no extent."""
    size = _written_size(data)
    return size if size and all(size) else None


def _written_size(data: bytes) -> tuple[int, int] | None:
    if data[:8] == b"\x89PNG\r\n\x1a\n" and len(data) >= 24:
        return struct.unpack(">II", data[16:24])
    head = data[:2000].decode("utf-8", "ignore")
    found = re.search(r"<svg\b[^>]*>", head, flags=re.S)
    if not found:
        return None
    width, height = (re.search(rf'\b{name}="([\d.]+)(px|pt)?"', found[0]) for name in ("width", "height"))
    if width and height:
        points = [float(size[1]) * (4 / 3 if size[2] == "pt" else 1) for size in (width, height)]
        return round(points[0]), round(points[1])
    box = re.search(r'viewBox="[\d.-]+[ ,]+[\d.-]+[ ,]+([\d.]+)[ ,]+([\d.]+)"', found[0])
    return (round(float(box[1])), round(float(box[2]))) if box else None
