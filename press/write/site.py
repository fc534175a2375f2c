"""The site: pages in the generator's chrome, then put in the place of the old one at once."""

from __future__ import annotations

import base64
import contextlib
import ctypes
import fcntl
import hashlib
import html as entities
import os
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import panflute as pf
import yaml

from press.cache import Cache
from press.read.config import Book
from press.resolve.page import Page
from press.write.generator import Generator, SiteError
from press.write.mathfont import math_characters, math_font
from press.write.style import WORD, used_style
from press.write.theme import Repair, check_repairs, finish_assets, finish_page, theme_changed

INLINE_SCRIPT = re.compile(r"<script(?![^>]* src=)(?![^>]* type=.application/)[^>]*>(.*?)</script>", flags=re.S | re.I)
ASSET = re.compile(r'<(?:script[^>]* src|link rel="stylesheet" href)="([^":]+)"')
CHARSET = '<meta charset="utf-8">'
# What a page may load and run: what is on its own site or in the page itself; from elsewhere nothing.
POLICY = (
    "default-src 'self'; script-src 'self' {inline}; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; media-src 'self' data:; font-src 'self' data:; base-uri 'self'; form-action 'self'"
)
DESCRIPTION_LENGTH = 120  # what search engines show of it in Japanese
STAGE = ".press-site-"  # what a site is called beside its place until it is put there


@dataclass(frozen=True)
class Files:
    """What a site is made of, by address relative to its root."""

    pages: dict[str, str]
    media: dict[str, bytes]
    copies: set[str]  # relative to the book's root


def check_output(book: Book, output: Path) -> None:
    """Refuse to replace a folder that is not a built site.

    Raises
    ------
    SiteError
        If `output` holds the book itself or something that press did not make, or cannot be looked at.
    """
    if output == book.root or output in book.root.parents:
        raise SiteError(f"出力先 {output.name}/ は本のフォルダーそのものです。別の場所にしてください")
    with writing(output):
        if output.exists() and not output.is_dir():
            raise SiteError(f"出力先 {output.name} はフォルダーではありません。別の場所にしてください")
        if output.is_dir() and any(output.iterdir()) and not (output / "index.html").is_file():
            raise SiteError(f"出力先 {output.name}/ に本ではないものが入っています。空にするか、別の場所にしてください")


def put(data: bytes, output: Path) -> None:
    """Write a file beside its place, then put it there at once: the old one or the new one, whatever comes between.

    Raises
    ------
    SiteError
        If the system will not have it there.
    """
    beside = output.with_name(f"{STAGE}{output.name}")
    with writing(output):
        output.parent.mkdir(parents=True, exist_ok=True)
        try:
            beside.write_bytes(data)
            beside.replace(output)
        finally:
            beside.unlink(missing_ok=True)


@contextlib.contextmanager
def writing(output: Path) -> Iterator[None]:
    """Say in the author's words that the system will not have anything there."""
    try:
        yield
    except OSError as error:
        raise SiteError(
            f"出力先 {output} に書けません（{error.strerror}）。置き場所のフォルダー、書く権限、空き容量を確かめるか、"
            "別の場所にしてください"
        ) from error


def write_site(book: Book, pages: list[Page], content: Files, output: Path, cache: Cache, generator: Generator) -> None:
    """Make the whole site beside the old one, then swap the two."""
    with _workplace(book) as work:
        _write_docs(book, pages, work / "docs", content.pages)
        _write_assets(book, work / "docs" / "assets", content, cache)
        site = _generate(book, pages, work, generator)
        _finish(site, book)
        _add_files(book, site, content)
        _lighten_style(site, content, cache)
        swap(site, output)


def write_page(book: Book, pages: list[Page], content: Files, output: Path, generator: Generator) -> None:
    """Put the pages that have content into the site as it stands.

    All others are empty, which takes the generator a fraction of the time and changes nothing on these.
    """
    with _workplace(book) as work:
        _write_docs(book, pages, work / "docs", content.pages)
        site = _generate(book, pages, work, generator)
        finished = work / "finished"
        for address in content.pages:
            (finished / address).parent.mkdir(parents=True, exist_ok=True)
            text = (site / address).read_text(encoding="utf-8")
            (finished / address).write_text(_finish_page(text, Counter(), book, address), encoding="utf-8")
        _add_files(book, finished, content)
        with _staged(finished, output) as new:
            for path in new.rglob("*"):
                if path.is_file():
                    target = output / path.relative_to(new)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    os.replace(path, target)


@contextlib.contextmanager
def _workplace(book: Book) -> Iterator[Path]:
    root = book.root / ".press"
    root.mkdir(exist_ok=True)
    with _passing_folder(root, "site-") as work:
        yield work


@contextlib.contextmanager
def _staged(new: Path, output: Path) -> Iterator[Path]:
    """`new` on the file system of `output`, which may be another than the book's: only there can it be put in place."""
    with writing(output):
        output.parent.mkdir(parents=True, exist_ok=True)
        with _passing_folder(output.parent, STAGE) as beside:
            yield Path(shutil.move(new, beside / "site"))


@contextlib.contextmanager
def _passing_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """A folder for as long as it is worked in. What killed builds left is removed first.

    Whoever works in one holds its lock, which the system gives back when the process ends, however it ends.
    """
    for left in parent.iterdir():
        if left.name.startswith(prefix) and _is_abandoned(left):
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=parent, prefix=prefix) as folder, _opened(Path(folder)) as handle:
        with contextlib.suppress(OSError):  # no locks on this file system: nobody takes the folder for abandoned either
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield Path(folder)


def _is_abandoned(folder: Path) -> bool:
    try:
        with _opened(folder) as handle:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[int]:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield handle
    finally:
        os.close(handle)


# ---- what the generator reads ----------------------------------------------------------------------


def _write_docs(book: Book, pages: list[Page], docs: Path, bodies: dict[str, str]) -> None:
    for page in pages:
        path = (docs / page.href).with_suffix(".md")
        path.parent.mkdir(parents=True, exist_ok=True)
        body = bodies.get(page.href)
        path.write_text("" if body is None else _front_matter(book, page) + body, encoding="utf-8")


def _write_assets(book: Book, assets: Path, content: Files, cache: Cache) -> None:
    assets.mkdir(parents=True, exist_ok=True)
    style = files("press.write").joinpath("chrome.css").read_text(encoding="utf-8")
    shared = "".join((book.root / path).read_text(encoding="utf-8") for path in book.css)
    (assets / "book.css").write_text(style + "\n" + shared, encoding="utf-8")
    search = files("press.write").joinpath("iframe-worker.js").read_text(encoding="utf-8")
    (assets / "iframe-worker.js").write_text(search, encoding="utf-8")
    (assets / "stix-two-math.woff2").write_bytes(math_font(math_characters(list(content.pages.values())), cache))


def _front_matter(book: Book, page: Page) -> str:
    settings: dict[str, Any] = {} if page.toc else {"hide": ["toc"]}
    if description := _description(book, page):
        settings["description"] = entities.escape(description)  # the theme prints it as it is
    return f"---\n{yaml.safe_dump(settings, allow_unicode=True)}---\n" if settings else ""


def _description(book: Book, page: Page) -> str:
    """What search engines show under the page's title: its own description, else how it begins."""
    given = page.manuscript.front_matter.get("description") or (book.description if page.href == "index.html" else "")
    first = next((block for block in page.blocks if isinstance(block, pf.Para)), None)
    return str(given) or (_beginning(" ".join(pf.stringify(first).split())) if first else "")


def _beginning(text: str) -> str:
    """Whole sentences up to about the length that is shown; at least the first."""
    kept = ""
    for sentence in re.findall(r"[^。]+(?:。|$)", text):
        if kept and len(kept + sentence) > DESCRIPTION_LENGTH:
            break
        kept += sentence
    return kept


def _config(book: Book, pages: list[Page]) -> str:
    language = book.lang.split("-")[0]
    config: dict[str, Any] = {
        "site_name": entities.escape(book.title, quote=False),  # the theme prints it as it is
        "site_author": book.author,
        "site_description": book.description,
        "docs_dir": "docs",
        "site_dir": "site",
        "use_directory_urls": False,
        "validation": False,  # press has looked at every link; the generator would take five times as long
        "nav": _navigation(book, pages),
        "extra_css": ["assets/book.css"],
        # With "offline" the search also works on pages opened straight from the disk.
        "plugins": [{"search": {"lang": language}}, "offline"],
        "markdown_extensions": [
            {"press.write.prebuilt": {}},
            {"toc": {"permalink": True, "permalink_title": "この見出しへのリンク", "toc_depth": book.toc_depth}},
        ],
        "extra": {"generator": False, "polyfills": [{"path": "assets/iframe-worker.js", "async": False}]},
        "theme": {
            "name": "material",
            "language": language,
            "font": False,
            "features": [
                "content.code.copy",
                "content.lazy",
                "navigation.footer",
                "navigation.indexes",
                "navigation.sections",
                "navigation.top",
                "search.highlight",
                "toc.follow",
            ],
            "palette": [
                _palette("light", "default", "weather-night", "暗い画面にする"),
                _palette("dark", "slate", "weather-sunny", "明るい画面にする"),
            ],
        },
    }
    if book.favicon:
        config["theme"]["favicon"] = book.favicon
    if book.site_url:
        config["site_url"] = book.site_url
    return yaml.safe_dump(config, allow_unicode=True, sort_keys=False)


def _palette(preference: str, scheme: str, icon: str, name: str) -> dict[str, Any]:
    media = f"(prefers-color-scheme: {preference})"
    return {"media": media, "scheme": scheme, "primary": "indigo", "accent": "indigo",
            "toggle": {"icon": f"material/{icon}", "name": name}}  # fmt: skip


def _navigation(book: Book, pages: list[Page]) -> list[Any]:
    """Pages in reading order, parts and appendices as sections of the sidebar."""
    by_source = {page.entry.source: page for page in pages}
    sections: dict[str, list[Any]] = {}
    navigation: list[Any] = []
    for page in pages:
        entry = page.entry
        item: Any = {
            entities.escape(page.sidebar_title, quote=False): str(Path(page.href).with_suffix(".md").as_posix())
        }
        part = entry.part
        if part is None and entry.role == "appendix":
            part = book.words["section-title-appendices"]
        if part is None:
            navigation.append(item)
            continue
        if part not in sections:
            sections[part] = []
            title = by_source[part].plain_title if part in by_source else part
            navigation.append({entities.escape(title, quote=False): sections[part]})
        sections[part].append(next(iter(item.values())) if entry.role == "part" else item)
    return navigation


# ---- the generator and after -------------------------------------------------------------------------


def _generate(book: Book, pages: list[Page], work: Path, generator: Generator) -> Path:
    config = work / "zensical.yml"
    config.write_text(_config(book, pages), encoding="utf-8")
    generator.run(config)
    return work / "site"


def _finish(site: Path, book: Book) -> None:
    """Mend and lighten what the theme brings, and close each page to the outside."""
    found: Counter[Repair] = Counter()
    finish_assets(site, found, book.lang)
    for path in site.rglob("*.html"):
        address = path.relative_to(site).as_posix()
        path.write_text(_finish_page(path.read_text(encoding="utf-8"), found, book, address), encoding="utf-8")
    check_repairs(found)


def _finish_page(text: str, found: Counter[Repair], book: Book, address: str) -> str:
    return _with_policy(_with_card(finish_page(text, found), book, address))


def _with_card(text: str, book: Book, address: str) -> str:
    """Say what a link to the page shows where it is shared: its title, how it begins, the book's picture."""
    title = re.search(r"<title>(.*?)</title>", text, re.S)
    described = re.search(r'<meta name="description" content="(.*?)">', text, re.S)
    about = {
        "title": title[1] if title else "",
        "description": described[1] if described else "",
        "image": entities.escape(_address_of(book.image, book, address)) if book.image else "",
        "image:alt": entities.escape(book.image_alt),
    }
    site = {"type": "website", "site_name": entities.escape(book.title)}
    tags = []
    if book.open_graph:
        tags += [f'<meta property="og:{name}" content="{said}">' for name, said in {**about, **site}.items() if said]
    if book.twitter_card:
        card = "summary_large_image" if book.image else "summary"
        tags += [
            f'<meta name="twitter:{name}" content="{said}">' for name, said in {"card": card, **about}.items() if said
        ]
    return text.replace("</title>", "</title>" + "".join(f"\n        {tag}" for tag in tags), 1)


def _address_of(path: str, book: Book, address: str) -> str:
    """Return where a file of the site lies: from everywhere if the site's own address is known, else from a page."""
    return f"{book.site_url.rstrip('/')}/{path}" if book.site_url else "../" * address.count("/") + path


def _with_policy(text: str) -> str:
    """Let the page run the scripts that were written into it, and load nothing from elsewhere."""
    digests = (hashlib.sha256(script.encode()).digest() for script in INLINE_SCRIPT.findall(text))
    inline = " ".join(dict.fromkeys(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests))
    before, charset, after = text.partition(CHARSET)
    if not charset:
        raise theme_changed(CHARSET)
    policy = POLICY.format(inline=inline)
    return f'{before}{charset}\n      <meta http-equiv="Content-Security-Policy" content="{policy}">{after}'


def _add_files(book: Book, site: Path, content: Files) -> None:
    """What goes past the generator, which would take a linked README.md for a page."""
    for address, data in content.media.items():
        (site / address).parent.mkdir(parents=True, exist_ok=True)
        (site / address).write_bytes(data)
    for address in content.copies:
        (site / address).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(book.root / address, site / address)
    (site / ".nojekyll").touch()  # GitHub Pages serves the folder as it is


def _lighten_style(site: Path, content: Files, cache: Cache) -> None:
    """Leave in the style sheet what the pages, or scripts and style sheets beside those that they name, have use for."""
    pages = [site / address for address in content.pages]
    texts = {page: page.read_text(encoding="utf-8") for page in [*pages, site / "404.html"]}
    folders = {(page.parent / name).parent.resolve() for page, text in texts.items() for name in ASSET.findall(text)}
    style = site / "assets" / "book.css"
    beside = {path for folder in folders for path in folder.glob("*.*s") if path.suffix in (".js", ".css")} - {
        style.resolve()
    }
    words = {word for text in texts.values() for word in WORD.findall(text)}
    words |= {word for path in beside for word in WORD.findall(path.read_text(encoding="utf-8"))}
    whole = style.read_text(encoding="utf-8")
    named = sorted(words & {*WORD.findall(whole)} | {word for word in words if word[-1] in "-_"})
    style.write_text(cache.text("style", [whole, *named], lambda: used_style(whole, named)), encoding="utf-8")


def swap(new: Path, output: Path) -> None:
    """Put `new` in the place of `output`, in one step: whoever looks sees a whole site."""
    with _staged(new, output) as staged:
        if not output.exists():
            os.replace(staged, output)
        elif not _exchange(staged, output):
            # No such step on this system: for an instant there is no site at all.
            os.replace(output, staged.with_name("old-site"))
            os.replace(staged, output)


def _exchange(one: Path, other: Path) -> bool:
    """Let two folders trade names; False where the system cannot."""
    here, exchange_flag = -100, 2  # AT_FDCWD; RENAME_EXCHANGE of Linux and RENAME_SWAP of macOS
    names = os.fsencode(one), os.fsencode(other)
    library = ctypes.CDLL(None)
    if hasattr(library, "renameat2"):
        return bool(library.renameat2(here, names[0], here, names[1], exchange_flag) == 0)
    if hasattr(library, "renamex_np"):
        return bool(library.renamex_np(names[0], names[1], exchange_flag) == 0)
    return False
