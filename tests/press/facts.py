"""What is on a page that press built, in the shape of the `expected.json` files."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from bs4 import BeautifulSoup, Tag

ENGINES_OWN = ("site_libs/", "assets/")
ENGINES_FILES = {"search.json", "search.js", "sitemap.xml", "404.html", ".nojekyll"}
BOX_KINDS = ("note", "tip", "warning", "important", "caution")


def facts(site: Path, page: str) -> dict[str, Any]:
    """Facts of one page (its address relative to the site)."""
    soup = BeautifulSoup((site / page).read_text(encoding="utf-8"), "html.parser")
    main = soup.select_one("article")
    for permalink in main.select("a.headerlink"):
        permalink.decompose()
    for formula in main.select("math"):
        formula.replace_with(f"\\({formula['alttext']}\\)")
    up = "../" * page.count("/") or "./"
    return {
        "title": text(main.select_one("h1")),
        "sidebar": [[up + _inside(page, a["href"]), text(a)] for a in _sidebar_links(soup)],
        "prev_next": [[up + _inside(page, a["href"]), text(a.select_one(".md-footer__title .md-ellipsis"))] for a in soup.select("a.md-footer__link")],
        "headings": [[h.name, h.get("id"), text(h)] for h in main.select("h2,h3,h4,h5,h6") if _is_section(h)],
        "figures": [[f["id"], text(f.find("figcaption", recursive=False))] for f in main.select("figure[id^=fig-]")],
        "captions": [[c.parent.get("id") or "", text(c)] for c in main.select("figcaption, table[id] > caption")],
        "tables": [[t["id"], text(t.find("caption"))] for t in main.select("table[id^=tbl-]")],
        "equations": [[e["id"], [text(e.select_one(".equation-number")).strip("()")]] for e in main.select("span[id^=eq-]")],
        "theorems": [[t["id"], text(t.select_one(".theorem-title"))] for t in main.select("div.theorem")],
        "proofs": [[p.get("id"), text(p.select_one(".theorem-title"))] for p in main.select("div.proof")],
        "xrefs": [[a["href"], text(a)] for a in main.select("a.quarto-xref")],
        "unresolved": [],
        "callouts": [_callout(box) for box in main.select(".admonition")],
        "tabsets": [[text(label) for label in t.select(".tabbed-labels label")] for t in main.select(".tabbed-set")],
        "folded_code": [_fold(fold) for fold in main.select("details.code-fold")],
        "code": [code_text(pre) for pre in main.select("pre.cell-code")],
        "stdout": [code_text(pre) for pre in main.select(".cell-output-stdout pre, .cell-output-display > pre")],
        "footnotes": [text(item).rstrip("↩︎ ") for item in main.select("section.footnotes li")],
        "citations": [[a["href"], text(a)] for a in main.select("span.citation a")],
        "citetext": [text(c) for c in main.select("span.citation")],
        "references": [text(entry) for entry in main.select(".csl-entry")],
        "links": sorted({up + _inside(page, a["href"], anchor=True) for a in main.select("a[href]") if not a["href"].startswith(("#", "http"))}),
        "images_alt": [image.get("alt") for image in main.select("img")],
    }  # fmt: skip


def carried(site: Path) -> dict[str, Any]:
    """What an engine, either of the two, hands through: raw HTML, links, files; and who has contents."""
    files = [path.relative_to(site).as_posix() for path in sorted(site.rglob("*")) if path.is_file()]
    files = [file for file in files if not file.startswith(ENGINES_OWN) and file not in ENGINES_FILES]
    pages = {file: _carried_by(site, file) for file in files if file.endswith(".html")}
    written = {file: json.loads((site / file).read_text(encoding="utf-8")) for file in files if file.endswith(".json")}
    return {"files": files, "written": written, "pages": pages}


def _carried_by(site: Path, page: str) -> dict[str, Any]:
    soup = BeautifulSoup((site / page).read_text(encoding="utf-8"), "html.parser")
    main = soup.select_one("article") or soup.select_one("main")
    raw = [el for el in main.select("link, script, noscript, img, div, span, section") if _is_raw(el)]
    return {
        "raw": [[el.name, dict(sorted(el.attrs.items())), text(el)] for el in raw],
        "links": [[os.path.normpath(unquote(a["href"])), text(a)] for a in main.select("a[href]:not(.headerlink)")],
        "contents": bool(soup.select("#TOC a, .md-sidebar--secondary:not([hidden]) a")),
    }


def _is_raw(el: Tag) -> bool:
    marks = {name for name in el.attrs if name.startswith("data-")} - {"data-number", "data-anchor-id"}
    return bool(marks) or el.name in ("link", "script", "noscript", "img") or el.get("id") == "inside"


def text(element: Tag | None) -> str:
    return re.sub(r"\s+", " ", element.get_text().replace("\u00a0", " ")).strip() if element else ""


def code_text(pre: Tag) -> str:
    return pre.get_text().rstrip("\n")


def _inside(page: str, href: str, anchor: bool = False) -> str:
    """An address on `page` as one relative to the site's root."""
    path, _, label = href.partition("#")
    inside = os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page
    return inside + (f"#{label}" if anchor and label else "")


def _sidebar_links(soup: BeautifulSoup) -> list[Tag]:
    return [
        a
        for a in soup.select("nav.md-nav--primary a.md-nav__link")
        if not a["href"].startswith("#") and not a.find_parent(class_="md-nav--secondary")
    ]


def _is_section(heading: Tag) -> bool:
    boxes = heading.find_parent(class_=["admonition", "tabbed-set", "theorem"])
    return boxes is None and heading.get("id") != "front-page"


def _callout(box: Tag) -> list[Any]:
    kind = next(kind for kind in BOX_KINDS if f"callout-{kind}" in box["class"])
    title = box.select_one(".admonition-title, summary")
    return [kind, text(title), box.name == "details"]


def _fold(fold: Tag) -> list[Any]:
    return [text(fold.find("summary")), fold.has_attr("open"), code_text(fold.select_one("pre"))]
