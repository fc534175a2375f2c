"""[@key] against the bibliography: one run of citeproc for the whole book."""

from __future__ import annotations

import json
import re
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
    """Fill in every citation and the reference list (the Div `refs`).

    The citations are lifted out of all pages into one small document, so that a style
    that tells years apart (2022a, 2022b) does so over the whole book, and citeproc runs once.
    """
    cites = [(page, cite) for page in pages for cite in _cites(page)]
    before = len(problems)
    known = _known_keys(book, cache, problems)
    if len(problems) > before:
        return  # what cannot be read is no reason to say of every citation that it is missing
    for page, cite in cites:
        for citation in cite.citations:
            if citation.id not in known:
                _complain(page, citation.id, bool(book.bibliography), problems)
    if cites and book.bibliography and all(_refs_div(page) is None for page in pages):
        problems.add("_quarto.yml", "", "文献を引いていますが、文献表を置くページがありません",
                     "::: {#refs} ::: を書いた references.qmd を book: chapters に加えてください")  # fmt: skip
    if len(problems) or not book.bibliography:
        return
    try:
        answered = _citeproc(book, [cite for _, cite in cites], cache)
    except pandoc.PandocError as error:
        problems.add(book.csl or "_quarto.yml", "", f"文献を書き出せません（{' '.join(str(error).split())[:200]}）",
                     "csl: のファイルが CSL の書式かを確かめてください")  # fmt: skip
        return
    blocks = list(pandoc.load(answered).content)
    home = next((page.href for page in pages if _refs_div(page) is not None), "")
    for (page, cite), block in zip(cites, blocks, strict=False):
        done = block.content[0]
        done.walk(lambda el, doc, page=page: _aim(el, page, home))
        cite.content = list(done.content)
        _unwrap(cite)
    _fill_references(pages, blocks[len(cites) :])


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


def _citeproc(book: Book, cites: list[pf.Cite], cache: Cache) -> str:
    blocks: list[pf.Element] = [pf.Para(pf.Cite(*cite.content, citations=list(cite.citations))) for cite in cites]
    blocks.append(pf.Div(identifier="refs"))
    options = ["--citeproc", "--metadata=link-citations:true", f"--metadata=lang:{book.lang}"]
    if book.nocite:
        options.append(f"--metadata=nocite:{book.nocite}")
    if book.csl:
        options.append(f"--csl={book.root / book.csl}")
    options += [f"--bibliography={book.root / path}" for path in book.bibliography]
    text = pandoc.dump(blocks)
    read = [*book.bibliography, *([book.csl] if book.csl else [])]
    key = [
        text,
        *options[:2],
        book.nocite,
        book.lang,
        *((book.root / path).read_text(encoding="utf-8") for path in read),
    ]
    return cache.text("citations", key, lambda: pandoc.run("-f", "json", "-t", "json", *options, text=text))


def _refs_div(page: Page) -> pf.Div | None:
    return next((b for b in page.blocks if isinstance(b, pf.Div) and b.identifier == "refs"), None)


def _fill_references(pages: list[Page], blocks: list[pf.Element]) -> None:
    listed = next((b for b in blocks if isinstance(b, pf.Div) and b.identifier == "refs"), None)
    for page in pages:
        here = _refs_div(page)
        if here is not None and listed is not None:
            here.content, here.classes, here.attributes = (
                list(listed.content),
                list(listed.classes),
                dict(listed.attributes),
            )
            page.anchors |= {entry.identifier for entry in listed.content}


def _aim(el: pf.Element, page: Page, home: str) -> Any:
    """A link to a reference leads to the page that holds the list."""
    if isinstance(el, pf.Link) and re.match(r"#ref-", el.url):
        if not home:
            return list(el.content)
        el.url = el.url if page.href == home else relative(page.href, home) + el.url
    return None


def _unwrap(cite: pf.Cite) -> None:
    """pandoc would print a Cite's classes; a Span with the same content says the same."""
    replace(cite, [pf.Span(*cite.content, classes=["citation"])])
