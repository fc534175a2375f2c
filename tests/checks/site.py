"""The built site, as files: its links, what it would fetch, and the frame of each page."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

from lxml import html

# (element, attribute) whose address a browser fetches by itself.
FETCHED = {
    ("script", "src"), ("img", "src"), ("source", "src"), ("video", "src"), ("video", "poster"),
    ("audio", "src"), ("track", "src"), ("iframe", "src"), ("embed", "src"), ("object", "data"),
    ("input", "src"), ("image", "href"), ("use", "href"),
}  # fmt: skip
FETCHED_RELATIONS = {
    "stylesheet", "icon", "preload", "modulepreload", "prefetch", "preconnect", "dns-prefetch",
    "manifest", "apple-touch-icon", "mask-icon",
}  # fmt: skip
CSS_ADDRESS = re.compile(r"""url\(\s*['"]?([^'")]+)['"]?\s*\)|@import\s+['"]([^'"]+)['"]""")
CSS_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
SCRIPT_FETCH = re.compile(
    r"""(?:\bimport|\bfetch|\bimportScripts|new\s+(?:Shared)?Worker|\.open|sendBeacon)"""
    r"""\s*\(?\s*(?:['"]\w+['"]\s*,\s*)?['"`]((?:https?:)?//[^'"`]+)"""
    r"""|\bfrom\s*['"](https?://[^'"]+)"""
)
UNRESOLVED = re.compile(r"[?@](?:sec|fig|tbl|eq|exr|sol|thm|lem|def|exm|nte|tip|wrn|imp|cau)-[\w-]+")


@dataclass(frozen=True)
class Page:
    """One HTML file of the site."""

    site: Path
    path: Path

    @property
    def name(self) -> str:
        return self.path.relative_to(self.site).as_posix()

    @cached_property
    def tree(self) -> html.HtmlElement:
        return html.fromstring(self.path.read_bytes())

    @cached_property
    def anchors(self) -> Counter[str]:
        return Counter([*self.tree.xpath("//@id"), *self.tree.xpath("//a/@name")])


def pages(site: Path) -> list[Page]:
    """Return every page of a site."""
    return [Page(site, path) for path in own(site, "*.html")]


def own(site: Path, pattern: str) -> list[Path]:
    """Return the files of a site that are the book's: JupyterLite, where it was made, goes ways of its own."""
    return [path for path in sorted(site.rglob(pattern)) if not path.is_relative_to(site / "notebooks" / "lite")]


def is_elsewhere(address: str) -> bool:
    """Tell whether an address leaves the site."""
    return bool(urlsplit(address.strip()).netloc)


def fetched_addresses(page: Page) -> Iterator[str]:
    """Yield every address a browser fetches when it shows a page, apart from its scripts' own."""
    for element in page.tree.iter(html.etree.Element):
        tag = element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""
        for name, value in element.attrib.items():
            attribute = name.rpartition("}")[2].rpartition(":")[2]
            if (tag, attribute) in FETCHED:
                yield value
            if attribute in ("srcset", "imagesrcset"):
                yield from (part.split()[0] for part in value.split(",") if part.strip())
            if attribute == "style":
                yield from css_addresses(value)
        if tag == "link" and FETCHED_RELATIONS & set(element.get("rel", "").lower().split()):
            yield element.get("href", "")
        if tag == "style":
            yield from css_addresses(element.text or "")
        if tag == "meta" and element.get("http-equiv", "").lower() == "refresh":
            yield element.get("content", "").partition("=")[2]


def css_addresses(text: str) -> list[str]:
    """Return every address in a style sheet."""
    return [first or second for first, second in CSS_ADDRESS.findall(CSS_COMMENT.sub("", text))]


def external_requests(site: Path) -> list[str]:
    """Return every request to elsewhere that the files of a site would cause."""
    result = []
    for page in pages(site):
        result += [
            f"{page.name}: 外から読み込みます: {address}"
            for address in fetched_addresses(page)
            if is_elsewhere(address)
        ]
        for script in page.tree.iter("script"):
            result += [
                f"{page.name}: スクリプトが外を読みます: {address}" for address in script_addresses(script.text or "")
            ]
    for path in own(site, "*.css"):
        text = path.read_text(encoding="utf-8")
        result += [
            f"{path.relative_to(site)}: 外から読み込みます: {address}"
            for address in css_addresses(text)
            if is_elsewhere(address)
        ]
    for path in [*own(site, "*.js"), *own(site, "*.mjs")]:
        text = path.read_text(encoding="utf-8")
        result += [
            f"{path.relative_to(site)}: スクリプトが外を読みます: {address}" for address in script_addresses(text)
        ]
    for path in own(site, "*.svg"):
        text = path.read_text(encoding="utf-8")
        found = [*css_addresses(text), *re.findall(r'<(?:image|use)[^>]*href="([^"]+)"', text)]
        result += [
            f"{path.relative_to(site)}: 外から読み込みます: {address}" for address in found if is_elsewhere(address)
        ]
    return result


def script_addresses(text: str) -> list[str]:
    """Return addresses elsewhere that a script plainly fetches; a browser test sees the rest."""
    return [first or second for first, second in SCRIPT_FETCH.findall(text)]


def dead_links(site: Path) -> list[str]:
    """Return every link, anchor and file inside the site that is not there."""
    every = {page.path.resolve(): page for page in pages(site)}
    result = []
    for page in every.values():
        links = [*page.tree.xpath("//a/@href | //area/@href"), *fetched_addresses(page)]
        base = page.tree.xpath("string(//base/@href)")
        for link in sorted(set(links)):
            address = urljoin(base, link.strip()) if base else link.strip()
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            root = site if parts.path.startswith("/") else page.path.parent
            target = (root / unquote(parts.path).lstrip("/")).resolve() if parts.path else page.path.resolve()
            if target.is_dir():
                target /= "index.html"
            if not target.is_file():
                result.append(f"{page.name}: リンク先がありません: {link}")
            elif parts.fragment and target in every:
                fragment = unquote(parts.fragment)
                if fragment not in every[target].anchors and not fragment.startswith("__"):
                    result.append(f"{page.name}: リンク先に #{fragment} がありません: {link}")
    for path in own(site, "*.css"):
        for address in css_addresses(path.read_text(encoding="utf-8")):
            parts = urlsplit(address)
            if (
                not parts.scheme
                and not parts.netloc
                and parts.path
                and not (path.parent / unquote(parts.path)).is_file()
            ):
                result.append(f"{path.relative_to(site)}: ファイルがありません: {address}")
    return result


def page_problems(page: Page) -> list[str]:
    """Return what is wrong with the frame of a page: language, title, headings, images, ids."""
    tree, result = page.tree, []
    if tree.get("lang") != "ja":
        result.append(f'html の lang が "{tree.get("lang")}" です ("ja" のはずです)')
    if not (tree.findtext(".//title") or "").strip():
        result.append("title がありません")
    if (count := len(tree.findall(".//h1"))) != 1:
        result.append(f"h1 が {count} 個あります")
    levels = [
        int(heading.tag[1])
        for heading in tree.xpath("//main//*[self::h1 or self::h2 or self::h3 or self::h4 or self::h5 or self::h6]")
    ]
    result += [
        f"見出しが h{before} から h{after} へ飛びます" for before, after in pairwise(levels) if after > before + 1
    ]
    for image in tree.xpath("//img[not(ancestor::noscript)]"):
        if not (image.get("alt") or "").strip():
            result.append(f"画像に alt がありません: {(image.get('src') or '')[:80]}")
    result += [f"id {name} が {count} 回あります" for name, count in page.anchors.items() if count > 1]
    text = " ".join(
        tree.xpath(
            "//main//text()[not(ancestor::code) and not(ancestor::pre) and not(ancestor::script) and not(ancestor::style)]"
        )
    )
    result += [f"解決されていない参照があります: {found}" for found in sorted(set(UNRESOLVED.findall(text)))]
    return [f"{page.name}: {problem}" for problem in result]


def same_titles(site: Path) -> list[str]:
    """Return titles that more than one page carries."""
    titles = Counter(page.tree.findtext(".//title") for page in pages(site))
    return [f"題 {title} のページが {count} つあります" for title, count in titles.items() if count > 1]
