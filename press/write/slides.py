"""Decks as slides: pandoc writes them for reveal.js, which comes from a package, and for Typst, which prints them.

What Quarto does with the same sources is done here: `fig-alt` is the alternative text of a picture,
`when-format="revealjs"` is for the wall, all other formats for paper. Speaker notes are for the wall alone.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import panflute as pf

from press import pandoc
from press.problems import Problems
from press.read.config import CONFIG, Book
from press.read.decks import Deck
from press.write.pdf import SVG_FONTS, MissingPackageError, set_document
from press.write.walk import unread_formula

REVEAL_PACKAGE = "sphinx_revealjs"  # it carries reveal.js 5, to which pandoc's own template belongs
REVEAL = "reveal"  # where it lies beside the decks
PARTS = ("dist", "plugin/notes", "plugin/search", "plugin/zoom")
TEMPLATE = Path(__file__).with_name("slides.typ")
SLIDE_LEVEL = 2
PAUSE = ". . ."
TYPST_POINTS = 841.89 / 1280  # of a pixel of the wall, on paper of the same shape
# What Quarto makes of a box and pandoc does not; any other box is only a box.
QUARTO_ONLY = re.compile(r"callout-.*|panel-.*|aside|absolute|cell.*|magic-move|r-stretch")
# Settings of `revealjs` that are variables of pandoc's template.
VARIABLES = {"slide-number": "slideNumber", "controls": "controls", "center": "center", "hash": "hash", "width": "width",
             "height": "height", "margin": "margin"}  # fmt: skip


def reveal_folder() -> Path:
    """The folder of reveal.js.

    Raises
    ------
    MissingPackageError
        If the package that carries it is not there.
    """
    spec = find_spec(REVEAL_PACKAGE)
    if spec is None or spec.origin is None:
        raise MissingPackageError(
            "スライドを作るためのパッケージがありません。make slides で作るか、requirements-slides.txt にあるものを入れてください"
        )
    return Path(spec.origin).parent / "_static" / "revealjs"


def copy_reveal(output: Path) -> None:
    """Put reveal.js beside the decks, without maps and what older browsers asked for."""
    for part in PARTS:
        shutil.copytree(
            reveal_folder() / part,
            output / REVEAL / part,
            dirs_exist_ok=True,
            ignore=shutil.ignore_patterns("*.map", "*.eot", "*.ttf", "*.esm.js"),
        )


def images(deck: Deck) -> list[str]:
    """The picture files that a deck shows, relative to its folder."""
    found: list[str] = []
    deck.doc.walk(lambda el, doc: found.append(unquote(el.url)) if isinstance(el, pf.Image) else None)
    return list(dict.fromkeys(found))


def check_look(root: Path, reveal: dict[str, Any], problems: Problems) -> None:
    """Add what the settings ask for and nobody has."""
    themes = {path.stem for path in (reveal_folder() / "dist" / "theme").glob("*.css")}
    theme = reveal.get("theme", "white")
    if theme not in themes:
        problems.add(
            CONFIG,
            "",
            f"設定 revealjs: theme: {theme} はありません",
            f"{'、'.join(sorted(themes))} のどれかにしてください",
        )
    for name in listed(reveal.get("css")):
        if not (root / name).is_file():
            problems.add(CONFIG, "", f"設定 revealjs: css: {name} がありません", "ファイル名を確かめてください")


def check_deck(root: Path, deck: Deck, problems: Problems) -> None:
    """Add whatever would not be seen, heard or found on a slide."""

    def add(needle: str, message: str, advice: str) -> None:
        problems.add(deck.source, deck.place(needle), message, advice)

    def look(el: pf.Element, doc: pf.Doc) -> None:
        if isinstance(el, pf.Image):
            address = urlsplit(el.url)
            if address.scheme or address.netloc:
                add(el.url, f"{el.url} は外から読み込む画像です", "教室に回線はありません。フォルダーに置いてください")
            elif not (root / unquote(el.url)).is_file():
                add(el.url, f"画像 {el.url} がありません", "ファイル名を確かめてください")
            if not _said(el):
                add(el.url, f"画像 {el.url} に fig-alt がありません", '{fig-alt="何が読み取れるか"} を付けてください')
        elif isinstance(el, pf.Div):
            for name in filter(QUARTO_ONLY.fullmatch, el.classes):
                add(f".{name}", f"::: {{.{name}}} には対応していません", "引用（>）か段組（.columns）で書いてください")
        elif fence := pandoc.loose_fence(el):
            add(fence, f"囲み（{fence[:3]}）の開きと閉じが合いません", f"{fence[:3]} の組を確かめてください")
        elif isinstance(el, pf.Cite):
            add(pf.stringify(el), f"{pf.stringify(el)} は、スライドでは引けません", "本の章へのリンクにしてください")

    deck.doc.walk(look)
    first = deck.doc.content[0] if len(deck.doc.content) else None
    if not (isinstance(first, pf.Header) and first.level <= SLIDE_LEVEL):
        add("", "はじめの枚に題がありません", "## で題を書いてください")
    for el in deck.doc.content:
        if isinstance(el, pf.Header) and el.level > SLIDE_LEVEL:
            add(
                pf.stringify(el),
                f"「{pf.stringify(el)}」は段の深い見出しです",
                "一枚に題は一つ、## だけを使ってください",
            )


# ---- on the wall -----------------------------------------------------------------------------------


def deck_html(book: Book, deck: Deck, reveal: dict[str, Any], problems: Problems) -> str:
    """A page that shows a deck."""
    blocks = _for(deck.doc.content, wall=True)
    meta = {"title": deck.title, "subtitle": deck.subtitle, "author": book.author, "lang": book.lang}
    tree = pandoc.dump(blocks, {key: value for key, value in meta.items() if value})
    options = ["-f", "json", "-t", "revealjs", "--standalone", f"--slide-level={SLIDE_LEVEL}", "--mathml",
               "-V", f"revealjs-url={REVEAL}", "-V", f"theme={reveal.get('theme', 'white')}",
               "-V", "transition=none", "-V", f"lang={book.lang}"]  # fmt: skip
    for key, variable in VARIABLES.items():
        if key in reveal:
            value = reveal[key]
            options += ["-V", f"{variable}={str(value).lower() if isinstance(value, bool) else value}"]
    options += [part for name in listed(reveal.get("css")) for part in ("--css", name)]
    warned: list[str] = []
    html = pandoc.run(*options, text=tree, warned=warned)
    for warning in warned:
        place = deck.place(unread_formula(deck.doc.content, warning))
        problems.add(deck.source, place, f"スライドにできません: {warning[:200]}", "書き方を確かめてください")
    return html


# ---- on paper --------------------------------------------------------------------------------------


def deck_pdf(book: Book, deck: Deck, problems: Problems) -> bytes:
    """The same deck, a page for each slide; one that takes more is a problem."""
    files = {"slides.typ": TEMPLATE.read_bytes()}
    slides = list(_slides(_for(deck.doc.content, wall=False)))
    body = []
    for title, blocks in slides:
        drawn = [_printed(book.root, block, files) for block in blocks]
        text = pandoc.run("-f", "json", "-t", "typst", "--wrap=none", text=pandoc.dump(drawn))
        body.append(f"#slide([{_typst(title)}])[\n{text}\n]")
    said = ", ".join(f'{key}: "{_escaped(value)}"' for key, value in
                     (("title", deck.title), ("author", book.author), ("lang", book.lang)))  # fmt: skip
    opening = ", ".join(f'"{_escaped(value)}"' for value in (deck.title, deck.subtitle, book.author))
    main = f'#import "/slides.typ": *\n#show: deck.with({said})\n#opening({opening})\n' + "\n".join(body)
    pdf = set_document(files, main, {deck.source: main}, problems)
    problems.stop_if_any()
    for number in _too_long(pdf, [pf.stringify(title) for title, _ in slides]):
        title = pf.stringify(slides[number][0])
        problems.add(
            deck.source, deck.place(title), f"「{title}」は、紙の一枚に入りません", "減らすか、二枚に分けてください"
        )
    return pdf


def _too_long(pdf: bytes, titles: list[str]) -> list[int]:
    """Which slides go on to a second page; Typst's bookmarks say on which each begins."""
    import pypdfium2  # not needed for the site

    document = pypdfium2.PdfDocument(pdf)
    starts = [mark.get_dest().get_index() for mark in document.get_toc()]
    assert len(starts) == len(titles), (len(starts), titles)
    ends = [*starts[1:], len(document)]
    return [number for number, (start, end) in enumerate(zip(starts, ends, strict=True)) if end - start > 1]


def _slides(blocks: list[pf.Element]) -> Iterable[tuple[pf.Element, list[pf.Element]]]:
    """The title and the blocks of each slide."""
    title: pf.Element = pf.Plain()
    own: list[pf.Element] = []
    for block in blocks:
        if isinstance(block, pf.Header):
            if own or len(title.content):
                yield title, own
            title, own = pf.Plain(*block.content), []
        else:
            own.append(block)
    yield title, own


def _typst(inlines: pf.Element) -> str:
    return pandoc.run("-f", "json", "-t", "typst", "--wrap=none", text=pandoc.dump([inlines])).strip()


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _printed(root: Path, block: pf.Element, files: dict[str, bytes]) -> pf.Element:
    """A block with its pictures and columns as calls of what `slides.typ` defines."""

    def draw(el: pf.Element, doc: pf.Doc | None) -> Any:
        if isinstance(el, pf.Image):
            data = (root / unquote(el.url)).read_bytes()
            for generic, font in SVG_FONTS.items():
                data = re.sub(rb"(font-family\s*[=:]\s*[\"']?)" + generic + rb"\b", rb"\g<1>" + font, data)
            name = f"{len(files)}{Path(el.url).suffix}"
            files[name] = data
            height = float(re.sub(r"px$", "", el.attributes.get("height", "420"))) * TYPST_POINTS
            return pf.RawInline(f'#picture("/{name}", "{_escaped(pf.stringify(el))}", {height:.1f}pt)', "typst")
        if isinstance(el, pf.Math):
            tex = _escaped(" ".join(el.text.split()))
            return [pf.RawInline(f'#spoken("{tex}")[', "typst"), el, pf.RawInline("]", "typst")]
        if isinstance(el, pf.Div) and "columns" in el.classes:
            cells = [column for column in el.content if isinstance(column, pf.Div)]
            widths = ", ".join(re.sub(r"%$", "fr", cell.attributes.get("width", "50%")) for cell in cells)
            inside: list[pf.Element] = []
            for cell in cells:
                inside += [pf.RawBlock("[", "typst"), *cell.content, pf.RawBlock("],", "typst")]
            return [
                pf.RawBlock(f"#grid(columns: ({widths},), column-gutter: 20pt,", "typst"),
                *inside,
                pf.RawBlock(")", "typst"),
            ]
        if isinstance(el, pf.Table):
            el.classes = [*el.classes, "typst:no-figure"]
        return None

    pf.elements.RAW_FORMATS.add("typst")
    return pf.Div(block).walk(draw)


# ---- for both --------------------------------------------------------------------------------------


def _for(blocks: Iterable[pf.Element], wall: bool) -> list[pf.Element]:
    """What of the blocks is for the wall, or for paper."""
    kept: list[pf.Element] = []
    for block in blocks:
        if isinstance(block, pf.Div):
            if not _shown(block, wall) or ("notes" in block.classes and not wall):
                continue
            inside = _for(block.content, wall)
            if {"content-visible", "content-hidden"} & set(block.classes):
                kept += inside
            else:
                block.content = inside
                kept.append(block)
        elif isinstance(block, pf.RawBlock) and not wall:
            continue
        elif isinstance(block, pf.Para) and pf.stringify(block).strip() == PAUSE and not wall:
            continue
        else:
            kept.append(block.walk(_alternative))
    return kept


def _shown(el: pf.Div, wall: bool) -> bool:
    """Whether a conditional box is shown; one without a condition always is."""
    named = el.attributes.get("when-format", el.attributes.get("unless-format"))
    if named is None:
        return True
    holds = (named == "revealjs") is wall
    holds = holds if "when-format" in el.attributes else not holds
    return holds if "content-visible" in el.classes else not holds


def _alternative(el: pf.Element, doc: pf.Doc | None) -> None:
    if isinstance(el, pf.Image):
        said = _said(el)
        el.content = [pf.Str(said)] if said else []
        el.attributes.pop("fig-alt", None)


def _said(el: pf.Image) -> str:
    return str(el.attributes.get("fig-alt") or pf.stringify(el))


def listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value] if value else []
