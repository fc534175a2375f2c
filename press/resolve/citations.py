"""[@key] against the bibliography, by citeproc."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import panflute as pf

from press import pandoc
from press.cache import Cache
from press.problems import Problems
from press.read.config import Book
from press.resolve.page import Page
from press.resolve.references import relative
from press.resolve.tree import descend, replace


def resolve_citations(book: Book, pages: list[Page], cache: Cache, problems: Problems) -> None:
    """Fill in every citation and the lists of references.

    Where a page holds the Div `refs`, the list of the whole book stands there, and a style that tells
    years apart (2022a, 2022b) does so over the whole book. Otherwise, as in Quarto, each page is by
    itself: its own list stands at its end, and a style with numbers counts on each page from one.
    """
    before = len(problems)
    known = _known_keys(book, cache, problems)
    if len(problems) > before:
        return  # what cannot be read is no reason to say of every citation that it is missing
    for page in pages:
        for citation in (citation for cite in _cites(page) for citation in cite.citations):
            if citation.id not in known:
                _complain(page, citation.id, bool(book.bibliography), problems)
    if len(problems) or not book.bibliography:
        return
    home = next((page for page in pages if _refs_div(page) is not None), None)
    groups = [(pages, book.nocite)] if home else [([page], _nocite(book, page)) for page in pages]
    try:
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda group: _fill(book, group[0], group[1], home, cache), groups))
    except pandoc.PandocError as error:
        problems.add(book.csl or "_quarto.yml", "", f"文献を書き出せません（{' '.join(str(error).split())[:200]}）",
                     "csl: のファイルが CSL の書式かを確かめてください")  # fmt: skip


def _nocite(book: Book, page: Page) -> str:
    """What a page lists without citing it: `nocite: "@*"` is all."""
    return str(page.manuscript.front_matter.get("nocite", book.nocite))


def _fill(book: Book, pages: list[Page], nocite: str, home: Page | None, cache: Cache) -> None:
    """One run of citeproc: the citations of some pages, and the list of what they cite."""
    cites = [(page, cite) for page in pages for cite in _cites(page)]
    if not cites and not nocite:
        return
    *blocks, listed = pandoc.load(_citeproc(book, [cite for _, cite in cites], nocite, cache)).content
    for (page, cite), block in zip(cites, blocks, strict=True):
        done = block.content[0]
        done.walk(lambda el, doc, page=page: _aim(el, page, home or page))
        cite.content = list(done.content)
        _unwrap(cite)
    place = home or pages[0]
    div = _refs_div(place)
    if div is None:
        place.blocks.append(listed)
    else:
        div.content, div.classes, div.attributes = list(listed.content), list(listed.classes), dict(listed.attributes)
    place.anchors |= {entry.identifier for entry in listed.content}


def _cites(page: Page) -> list[pf.Cite]:
    return [el for el in descend(page.blocks) if isinstance(el, pf.Cite)]


def _known_keys(book: Book, cache: Cache, problems: Problems) -> set[str]:
    keys: set[str] = set()
    for path in book.bibliography:
        told = partial(problems.add, path, "")
        text = (book.root / path).read_text(encoding="utf-8")
        kind = {".bib": "biblatex", ".json": "csljson", ".yaml": "markdown", ".yml": "markdown"}.get(
            (book.root / path).suffix, "biblatex"
        )
        convert = partial(pandoc.run, "-f", kind, "-t", "csljson", text=text)
        try:
            keys |= {item["id"] for item in json.loads(cache.text("bibliography", [kind, text], convert))}
        except pandoc.PandocError as error:
            told(
                f"文献表として読めません（{' '.join(str(error).split())[:200]}）", "括弧とコンマの組を確かめてください"
            )
    return keys


def _complain(page: Page, key: str, has_bibliography: bool, problems: Problems) -> None:
    manuscript = page.manuscript
    advice = "references.bib に加えるか、鍵の綴りを確かめてください"
    if not has_bibliography:
        advice = "_quarto.yml に bibliography: を書いてください（@ をただの文字にするには \\@ と書きます）"
    problems.add(manuscript.entry.source, manuscript.place(f"@{key}"), f"文献 @{key} が文献表にありません", advice)


def _citeproc(book: Book, cites: list[pf.Cite], nocite: str, cache: Cache) -> str:
    blocks: list[pf.Element] = [pf.Para(pf.Cite(*cite.content, citations=list(cite.citations))) for cite in cites]
    blocks.append(pf.Div(identifier="refs"))
    options = ["--citeproc", "--metadata=link-citations:true", f"--metadata=lang:{book.lang}"]
    if book.csl:
        options.append(f"--csl={book.root / book.csl}")
    options += [f"--bibliography={book.root / path}" for path in book.bibliography]
    text = pandoc.dump(blocks, {"nocite": list(pandoc.load(pandoc.parse(nocite)).content)} if nocite else None)
    read = [*book.bibliography, *([book.csl] if book.csl else [])]
    key = [text, book.lang, *((book.root / path).read_text(encoding="utf-8") for path in read)]
    return cache.text("citations", key, lambda: pandoc.run("-f", "json", "-t", "json", *options, text=text))


def _refs_div(page: Page) -> pf.Div | None:
    return next((b for b in page.blocks if isinstance(b, pf.Div) and b.identifier == "refs"), None)


def _aim(el: pf.Element, page: Page, home: Page) -> Any:
    """A link to a reference leads to the page that holds the list."""
    if isinstance(el, pf.Link) and re.match(r"#ref-", el.url) and page is not home:
        el.url = relative(page.href, home.href) + el.url
    return None


def _unwrap(cite: pf.Cite) -> None:
    """pandoc would print a Cite's classes; a Span with the same content says the same."""
    replace(cite, [pf.Span(*cite.content, classes=["citation"])])
