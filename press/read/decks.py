"""A folder of slides: its `_quarto.yml` (`project: type: default`), and each `.qmd` in it as a `Deck`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import panflute as pf
import yaml

from press import pandoc
from press.problems import Problems
from press.read.config import CONFIG, NOT_UTF8, Book, Entry, yaml_place, yaml_reason
from press.read.manuscript import doubt
from press.read.settings import checked
from press.read.tables import ADVICE, uneven_rows

HEAD = "---\n"


@dataclass(frozen=True)
class Deck:
    """One talk: its title and what is on its slides, as pandoc's tree."""

    source: str
    title: str
    subtitle: str
    doc: pf.Doc
    text: str  # as written, with the head's lines left empty

    def place(self, needle: str) -> str:
        """Where something first stands: "12 行目"."""
        at = self.text.find(needle) if needle else -1
        return f"{self.text.count(chr(10), 0, at) + 1} 行目" if at >= 0 else ""


def read_decks(root: Path, problems: Problems) -> tuple[Book, dict[str, Any]]:
    """Read a folder's `_quarto.yml`: its decks as the entries of a book, and what stands under `revealjs`.

    Raises
    ------
    BookError
        If it is no folder of slides.
    """
    loaded = _yaml(_text(root / CONFIG, CONFIG, problems), CONFIG, problems)
    problems.stop_if_any()
    said = checked("decks", loaded, "設定 ", lambda message, advice: problems.add(CONFIG, "", message, advice))
    project = said.get("project", {})
    if project.get("type", "default") != "default":
        problems.add(
            CONFIG, "", "project: type が default ではありません", "スライドは本ではないので、default と書いてください"
        )
    if "revealjs" not in said.get("format", {}):
        problems.add(CONFIG, "", "format: revealjs がありません", "スライドの形式と設定を書いてください")
    sources = sorted(path.name for path in root.glob("*.qmd") if not path.name.startswith("_"))
    if not sources:
        problems.add(CONFIG, "", "スライドの原稿（.qmd）がありません", "このフォルダーに置いてください")
    problems.stop_if_any()
    book = Book(
        root=root,
        title="",
        lang=said.get("lang", "en"),
        author=said.get("author", ""),
        entries=tuple(Entry(source, "chapter") for source in sources),
        output_dir=project.get("output-dir", "."),
        resources=_strings(project.get("resources")),
        pre_render=_strings(project.get("pre-render")),
    )
    return book, said["format"]["revealjs"]


def read_deck(root: Path, source: str, problems: Problems) -> Deck | None:
    """Read one deck; None (and a problem) if it cannot be read."""
    before = len(problems)
    text = _text(root / source, source, problems)
    if not text.startswith(HEAD) or "\n---\n" not in text:
        problems.add(source, "", "先頭に題がありません", "--- で囲み、title: を書いてください")
        return None
    head, body = text[len(HEAD) :].split("\n---\n", 1)
    said = checked(
        "deck", _yaml(head, source, problems), "", lambda message, advice: problems.add(source, "", message, advice)
    )
    if not said.get("title"):
        problems.add(source, "", "title がありません", "スライドの題を書いてください")
    if len(problems) > before:
        return None
    blank = "\n" * (head.count("\n") + 3)
    for at, message in uneven_rows(body):
        line = len(blank) + body.count("\n", 0, at) + 1
        problems.add(source, f"{line} 行目", message, ADVICE)
    warned: list[str] = []
    try:
        doc = pandoc.load(pandoc.parse(body, warned=warned))
    except pandoc.PandocError as error:
        problems.add(source, "", f"読めません: {error}", "書き方を確かめてください")
        return None
    deck = Deck(source, said["title"], said.get("subtitle", ""), doc, blank + body)
    for warning in warned:
        problems.add(source, *doubt(warning, deck.place))
    return deck


def _strings(value: Any) -> tuple[str, ...]:
    return tuple(value if isinstance(value, list) else [value]) if value else ()


def _text(path: Path, source: str, problems: Problems) -> str:
    try:
        return path.read_text(encoding="utf-8").replace("\r\n", "\n")
    except FileNotFoundError:
        problems.add(source, "", f"{source} がありません", "スライドのあるフォルダーを指してください")
    except UnicodeDecodeError:
        problems.add(source, "", *NOT_UTF8)
    return ""


def _yaml(text: str, source: str, problems: Problems) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        problems.add(source, yaml_place(error), "YAML として読めません", yaml_reason(error))
        return None
