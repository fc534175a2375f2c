"""`_quarto.yml` to a `Book`: the keys press acts on, and an error for those it cannot honour."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from press.problems import Problems
from press.read.images import is_image
from press.read.settings import checked
from press.read.words import words

CONFIG = "_quarto.yml"

NOT_UTF8 = ("UTF-8 として読めません", "文字コードを UTF-8 にして保存し直してください")
# The book in one file, where `python -m press pdf` and `epub` have put it; the site may offer it.
PDF, EPUB = "book.pdf", "book.epub"
LITE = "notebooks/lite/notebooks/index.html"  # a Jupyter for the browser
COVER = "epub-cover-image"
CODE_DEFAULTS = ("code-fold", "code-summary", "code-line-numbers")  # of a whole book or chapter


@dataclass(frozen=True)
class Entry:
    """One page of the book, in reading order."""

    source: str
    role: str  # "chapter", "appendix" or "part"
    part: str | None = None  # the part's title; for a part given as a file, that file

    @property
    def href(self) -> str:
        return str(Path(self.source).with_suffix(".html").as_posix())


@dataclass(frozen=True)
class Book:
    """What `_quarto.yml` says, with defaults filled in."""

    root: Path
    title: str
    lang: str = "ja"
    subtitle: str = ""
    author: str = ""
    date: str = ""  # as the book's language writes it
    day: datetime.date | None = None  # the same for machines, where it is one day
    description: str = ""
    entries: tuple[Entry, ...] = ()
    output_dir: str = "_book"
    words: dict[str, str] = field(default_factory=dict)
    bibliography: tuple[str, ...] = ()
    csl: str | None = None
    nocite: str = ""
    filters: tuple[str, ...] = ()
    css: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    pre_render: tuple[str, ...] = ()
    favicon: str | None = None
    cell_defaults: dict[str, Any] = field(default_factory=dict)
    number_sections: bool = True
    number_depth: int = 6
    toc: bool = True
    toc_depth: int = 3
    page_layout: str = "article"
    repo_url: str = ""
    repo_branch: str = "main"
    repo_actions: tuple[str, ...] = ()
    site_url: str = ""
    image: str | None = None
    cover: str | None = None  # of the EPUB
    image_alt: str = ""
    open_graph: bool = False
    twitter_card: bool = False


def read_book(root: Path, problems: Problems) -> Book:
    """Read and check `_quarto.yml`; whatever is wrong is added to `problems`.

    Raises
    ------
    BookError
        If there is no usable description to go on with.
    """
    loaded = _load(root, problems)
    problems.stop_if_any()
    settings = checked("", loaded, "設定 ", lambda message, advice: problems.add(CONFIG, "", message, advice))
    book, project = settings.get("book", {}), settings.get("project", {})
    html = settings.get("format", {}).get("html", {})
    if project.get("type") != "book":
        problems.add(CONFIG, "", "project: type が book ではありません", "type: book と書いてください")
    if not book.get("title"):
        problems.add(CONFIG, "", "book: title がありません", "本の題を書いてください")
    entries = tuple(_entries(root, book, problems))
    problems.stop_if_any()

    lang = str(settings.get("lang", "en"))
    described = Book(
        root=root,
        title=str(book["title"]),
        lang=lang,
        subtitle=str(book.get("subtitle", "")),
        author=_authors(book.get("author")),
        date=_date(book.get("date"), lang, problems),
        day=_day(book.get("date")),
        description=str(book.get("description", "")),
        entries=entries,
        output_dir=str(project.get("output-dir", "_book")),
        words=words(lang, _language(root, settings.get("language"), problems)),
        bibliography=_paths(root, settings.get("bibliography"), "bibliography", problems),
        csl=next(iter(_paths(root, settings.get("csl"), "csl", problems)), None),
        nocite=str(settings.get("nocite", "")),
        filters=_paths(root, settings.get("filters"), "filters", problems),
        css=_paths(root, html.get("css"), "css", problems),
        resources=tuple(map(str, _as_list(project.get("resources")))),
        pre_render=tuple(map(str, _as_list(project.get("pre-render")))),
        favicon=next(iter(_paths(root, book.get("favicon"), "favicon", problems)), None),
        cell_defaults=_cell_defaults(settings, html),
        number_sections=html.get("number-sections", settings.get("number-sections", True)),
        number_depth=html.get("number-depth", 6),
        toc=html.get("toc", settings.get("toc", True)),
        toc_depth=html.get("toc-depth", 3),
        page_layout=html.get("page-layout", "article"),
        repo_url=str(book.get("repo-url", "")).rstrip("/"),
        repo_branch=str(book.get("repo-branch", "main")),
        repo_actions=tuple(_as_list(book.get("repo-actions"))),
        site_url=str(book.get("site-url", "")),
        image=next(iter(_paths(root, str(settings.get("image", "")).lstrip("/") or None, "image", problems)), None),
        cover=next(iter(_paths(root, settings.get(COVER), COVER, problems)), None),
        image_alt=str(settings.get("image-alt", "")),
        open_graph=bool(book.get("open-graph")),
        twitter_card=bool(book.get("twitter-card")),
    )
    problems.stop_if_any()
    return described


def _load(root: Path, problems: Problems) -> dict[str, Any]:
    path = root / CONFIG
    if not path.is_file():
        problems.add(CONFIG, "", "本の設定ファイルがありません", "本のフォルダーで実行してください")
        return {}
    settings = _yaml(path, CONFIG, problems)
    problems.stop_if_any()
    if not isinstance(settings, dict):
        problems.add(CONFIG, "", "設定が空か、「鍵: 値」の形ではありません", "project: と book: を書いてください")
        return {}
    return settings


def _yaml(path: Path, shown: str, problems: Problems) -> Any:
    """What a file of settings holds; None, and a problem, if it cannot be read."""
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError:
        problems.add(shown, "", *NOT_UTF8)
    except (yaml.YAMLError, ValueError) as error:
        problems.add(shown, yaml_place(error), "YAML として読めません", yaml_reason(error))
    return None


def yaml_place(error: Exception, offset: int = 0) -> str:
    mark = getattr(error, "problem_mark", None)
    return f"{mark.line + 1 + offset} 行目" if mark else ""


def yaml_reason(error: Exception) -> str:
    reason = getattr(error, "problem", None) or str(error)
    return f"字下げ、コロン、引用符を確かめてください（{reason}）"


def _entries(root: Path, book: dict[str, Any], problems: Problems) -> list[Entry]:
    entries: list[Entry] = []
    for key, role in (("chapters", "chapter"), ("appendices", "appendix")):
        for item in _as_list(book.get(key)):
            if isinstance(item, dict) and isinstance(part := item.get("part"), str):
                if part.endswith((".qmd", ".ipynb", ".md")):
                    entries.append(Entry(part, "part", part))
                entries += [Entry(str(c), role, part) for c in _as_list(item.get("chapters"))]
            elif isinstance(item, dict) and isinstance(item.get("file"), str):
                entries.append(Entry(item["file"], role))
            elif isinstance(item, str):
                entries.append(Entry(item, role))
            else:
                problems.add(CONFIG, "", f"book: {key} の項目 {item!r} を読めません",
                             "ファイル名か、part: と chapters: の組を書いてください")  # fmt: skip
    if not entries:
        problems.add(CONFIG, "", "book: chapters が空です", "index.qmd から順に章を並べてください")
    elif entries[0].source not in ("index.qmd", "index.ipynb", "index.md"):
        problems.add(
            CONFIG, "", "最初の章が index.qmd ではありません", "book: chapters の先頭に index.qmd を置いてください"
        )
    pages: dict[str, str] = {}
    for entry in entries:
        if entry.href in pages:
            same = f"{pages[entry.href]} と {entry.source} が同じページになります"
            problems.add(CONFIG, "", same, "二度並んでいれば一つに、名前が同じなら片方を変えてください")
        pages[entry.href] = entry.source
        if Path(entry.source).is_absolute() or ".." in Path(entry.source).parts:
            problems.add(
                CONFIG, "", f"章 {entry.source} が本のフォルダーの外にあります", "本のフォルダーの中に置いてください"
            )
            continue
        if Path(entry.source).suffix not in (".qmd", ".ipynb", ".md"):
            problems.add(CONFIG, "", f"章 {entry.source} の種類には対応していません", ".ipynb か .qmd にしてください")
        elif not (root / entry.source).is_file():
            problems.add(CONFIG, "", f"章 {entry.source} がありません",
                         "ファイルを置くか、book: chapters から外してください")  # fmt: skip
    return entries


def _cell_defaults(settings: dict[str, Any], html: dict[str, Any]) -> dict[str, Any]:
    defaults: dict[str, Any] = settings.get("execute", {}) | {key: html[key] for key in CODE_DEFAULTS if key in html}
    return defaults


def _language(root: Path, value: Any, problems: Problems) -> dict[str, str]:
    if isinstance(value, str):
        path = root / value
        if not path.is_file():
            problems.add(CONFIG, "", f"language: {value} がありません", "ファイル名を確かめてください")
            return {}
        value = _yaml(path, value, problems)
    return {str(k): str(v) for k, v in value.items()} if isinstance(value, dict) else {}


def _paths(root: Path, value: Any, key: str, problems: Problems) -> tuple[str, ...]:
    paths = tuple(str(item) for item in _as_list(value))
    for path in paths:
        if not (root / path).is_file():
            problems.add(CONFIG, "", f"{key}: {path} がありません", "ファイル名を確かめてください")
        elif key == COVER and not is_image(path, (root / path).read_bytes()):
            problems.add(CONFIG, "", f"{key}: {path} の中身が画像ではありません", "画像のファイルを確かめてください")
        elif key not in ("favicon", "image", COVER) and not _is_utf8(root / path):
            problems.add(path, "", *NOT_UTF8)
    return paths


def _is_utf8(path: Path) -> bool:
    try:
        path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _authors(value: Any) -> str:
    names = [str(a.get("name", "")) if isinstance(a, dict) else str(a) for a in _as_list(value)]
    return "、".join(name for name in names if name)


def _date(value: Any, lang: str, problems: Problems) -> str:
    """The book's date as its language writes it."""
    if value in ("today", "now", "last-modified"):
        problems.add(
            CONFIG, "", f"book: date: {value} では、作るたびに違う本になります", "2026-11-22 のように書いてください"
        )
    day = _day(value)
    if day is None:
        return str(value or "")
    return f"{day.year}年{day.month}月{day.day}日" if lang.startswith("ja") else f"{day:%B} {day.day}, {day.year}"


def _day(value: Any) -> datetime.date | None:
    try:
        return datetime.date.fromisoformat(str(value))
    except ValueError:
        return None


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]
