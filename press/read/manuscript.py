"""A chapter's file to a `Manuscript`: its cells, its syntax tree, the images it stored."""

from __future__ import annotations

import base64
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from press import pandoc
from press.cache import Cache
from press.problems import Problems
from press.read.cell_options import read_options, split_options
from press.read.config import EPUB, LITE, NOT_UTF8, PDF, Book, Entry, yaml_place, yaml_reason
from press.read.images import is_image
from press.read.settings import checked
from press.read.tables import ADVICE, uneven_rows

# nbformat validates with jsonschema, which looks for an optional checker of web addresses whose
# grammar takes two seconds to load; notebooks have no use for it.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
import nbformat  # noqa: E402

# Longer than any fence an author writes, so that a stored output cannot close it by accident.
FENCE = ":" * 24
IMAGE_TYPES = {
    "image/svg+xml": "svg",
    "image/png": "png",
    "image/jpeg": "jpeg",
    "image/gif": "gif",
    "image/webp": "webp",
}
# The richest form first, in Quarto's order.
MIME_ORDER = ["text/html", "text/markdown", *IMAGE_TYPES, "text/latex", "text/plain"]
REFUSED_MIME = {
    "application/javascript",
    "application/vnd.jupyter.widget-view+json",
    "application/vnd.plotly.v1+json",
    "application/vnd.vegalite.v5+json",
}
ANNOTATION = re.compile(r"(?m)(?:#|//|--|%|;|!|/\*|<!--)\s*<\d+>\s*(?:\*/|-->)?\s*$")
INCLUDE = re.compile(r"\s*\{\{< +include\b *(.*?) +>\}\}\s*")
INLINE_CODE = re.compile(r"\{(?:python|r|julia|jl|ojs)\}\s")


@dataclass(frozen=True)
class Output:
    """One stored output; `kind` is stdout, stderr, text, markdown, latex, html, image or error."""

    kind: str
    text: str  # for an image: its address relative to the page


@dataclass(frozen=True)
class Cell:
    """One cell of a notebook, or (`number` 0) a .qmd file, in pieces where it includes others."""

    number: int
    source: str
    first_line: int = 1
    options: dict[str, Any] = field(default_factory=dict)
    outputs: tuple[Output, ...] = ()
    code: str | None = None  # None: Markdown
    file: str = ""  # for an included file: its name
    places: tuple[str, ...] = ()  # of each line, where files are included

    def place(self, offset: int) -> str:
        line = self.source.count("\n", 0, offset)
        if line < len(self.places):
            return self.places[line]
        line += self.first_line
        return f"セル {self.number}（{line} 行目）" if self.number else f"{self.file} {line} 行目".lstrip()


@dataclass
class Manuscript:
    """A chapter as read: `ast` is pandoc's JSON, with a placeholder for every code cell."""

    entry: Entry
    cells: list[Cell]
    front_matter: dict[str, Any] = field(default_factory=dict)
    ast: str = ""
    media: dict[str, bytes] = field(default_factory=dict)  # address relative to the page -> bytes

    @property
    def html(self) -> dict[str, Any]:
        """What the chapter says under `format: html:`."""
        said: dict[str, Any] = self.front_matter.get("format", {}).get("html", {})
        return said

    def place(self, *needles: str) -> str:
        """Where the first of `needles` that occurs stands: "セル 5（3 行目）", "12 行目", "_a.qmd 3 行目"."""
        for needle in needles:
            for cell in self.cells:
                at = cell.source.find(needle)
                if at >= 0 and needle:
                    return cell.place(at)
        return ""

    def cell_at(self, number: int) -> Cell:
        return next(cell for cell in self.cells if cell.number == number)


def read_manuscript(book: Book, entry: Entry, cache: Cache, problems: Problems) -> Manuscript | None:
    """Read one chapter; None (and a problem) if it cannot be read at all."""
    try:
        text = (book.root / entry.source).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        problems.add(entry.source, "", *NOT_UTF8)
        return None
    except OSError as error:
        problems.add(
            entry.source, "", f"読めません（{error.strerror}）", "ファイルがあるか、読めるかを確かめてください"
        )
        return None
    if entry.source.endswith(".ipynb"):
        manuscript = _read_notebook(book.root, entry, text, problems)
    else:
        manuscript = _read_qmd(book.root, entry, text, problems)
    if manuscript is None:
        return None
    _check_shortcodes(manuscript, problems)
    _check_tables(manuscript, problems)
    _parse(book, manuscript, cache, problems)
    return manuscript if manuscript.ast else None


# ---- notebooks -------------------------------------------------------------------------------


def _read_notebook(root: Path, entry: Entry, text: str, problems: Problems) -> Manuscript | None:
    try:
        invalid: dict[str, Exception] = {}
        notebook = nbformat.reads(text, as_version=4, capture_validation_error=invalid)  # type: ignore[no-untyped-call]
        if invalid:
            raise invalid["ValidationError"]
    except Exception as error:  # nbformat trips in Python's words over JSON that is nothing like a notebook
        said = str(error).strip() if isinstance(error, ValueError | nbformat.ValidationError) else ""
        reason = said.splitlines()[0][:160] if said else "JSON ですが、ノートブックの形をしていません"
        problems.add(entry.source, "", f"ノートブックとして読めません（{reason}）",
                     "Jupyter で開いて保存し直してください")  # fmt: skip
        return None
    manuscript = Manuscript(entry, [])
    for number, raw in enumerate(notebook.cells, start=1):
        raw.source = raw.source.replace("\r\n", "\n")
        cell = _read_cell(manuscript, number, raw, problems)
        if cell is not None:
            manuscript.cells.append(cell if cell.code is not None else _with_included(root, entry, cell, problems))
    return manuscript


def _read_cell(manuscript: Manuscript, number: int, raw: Any, problems: Problems) -> Cell | None:
    entry, here = manuscript.entry, f"セル {number}"
    if raw.cell_type == "code":
        return _read_code_cell(manuscript, number, raw, problems)
    if raw.get("attachments"):
        problems.add(entry.source, here, "貼り付けた画像（attachment）には対応していません",
                     "images/ に置いて ![説明](../images/…) と書いてください")  # fmt: skip
    front_matter, rest = _split_front_matter(raw.source) if number == 1 else (None, raw.source)
    if front_matter is not None:
        if rest.strip():
            # Quarto prints the YAML as text there; whoever wrote it wants neither that nor its loss.
            problems.add(entry.source, here, "先頭の YAML と本文が同じセルにあります",
                         "YAML だけのセルと、本文のセルに分けてください")  # fmt: skip
        manuscript.front_matter = _load_front_matter(entry, here, front_matter, problems)
        return Cell(number, rest, first_line=raw.source.count("\n") - rest.count("\n") + 1)
    if raw.cell_type == "raw" and raw.source.strip():
        problems.add(entry.source, here, "生（raw）のセルは先頭の YAML のほかには使えません",
                     "Markdown のセルにしてください")  # fmt: skip
        return None
    return Cell(number, raw.source)


def _read_code_cell(manuscript: Manuscript, number: int, raw: Any, problems: Problems) -> Cell:
    entry, here = manuscript.entry, f"セル {number}"
    option_yaml, code = split_options(raw.source)
    options = read_options(
        option_yaml, raw.metadata.get("tags", []), lambda *told: problems.add(entry.source, here, *told)
    )
    runs = options.get("eval", True) and manuscript.front_matter.get("execute", {}).get("eval", True)
    if runs and code.strip() and raw.execution_count is None and not raw.outputs:
        problems.add(entry.source, here, "実行されていません",
                     "make notebooks で実行するか、#| eval: false を付けてください")  # fmt: skip
    if ANNOTATION.search(code):
        problems.add(entry.source, here, "コード注釈（# <1>）には対応していません", "文章で説明してください")
    outputs = _read_outputs(manuscript, number, options, raw.outputs, problems)
    return Cell(number, raw.source, options=options, outputs=outputs, code=code)


def _read_outputs(
    manuscript: Manuscript, number: int, options: dict[str, Any], raw: list[Any], problems: Problems
) -> tuple[Output, ...]:
    outputs: list[Output] = []
    for output in raw:
        kind = output.output_type
        if kind == "stream":
            if outputs and outputs[-1].kind == output.name:
                outputs[-1] = Output(output.name, outputs[-1].text + output.text)
            else:
                outputs.append(Output(output.name, output.text))
        elif kind == "error":
            outputs.append(Output("error", "\n".join(output.traceback)))
        elif (found := _read_display(manuscript, number, options, output, len(outputs) + 1, problems)) is not None:
            outputs.append(found)
    return tuple(outputs)


def _read_display(
    manuscript: Manuscript, number: int, options: dict[str, Any], output: Any, index: int, problems: Problems
) -> Output | None:
    refused = REFUSED_MIME & set(output.data)
    mime = next((m for m in MIME_ORDER if m in output.data), None)
    if refused or mime is None:
        problems.add(manuscript.entry.source, f"セル {number}",
                     f"出力 {'、'.join(sorted(refused or output.data))} には対応していません",
                     "Markdown の表か SVG/PNG の図にしてください")  # fmt: skip
        return None
    content = output.data[mime]
    if mime in IMAGE_TYPES:
        stem = Path(manuscript.entry.source).stem
        name = options.get("label") or f"cell-{number}"
        address = f"{stem}_files/figure-html/{name}-output-{index}.{IMAGE_TYPES[mime]}"
        try:
            manuscript.media[address] = _image_bytes(mime, content)
        except ValueError as error:
            problems.add(manuscript.entry.source, f"セル {number}", f"出力の画像（{mime}）が壊れています（{error}）",
                         "このセルを実行し直してください")  # fmt: skip
            return None
        return Output("image", address)
    return Output("text" if mime == "text/plain" else mime.removeprefix("text/"), content)


def _image_bytes(mime: str, content: str) -> bytes:
    """The stored image; a ValueError that says why if it is none."""
    try:
        data = (
            content.encode() if mime == "image/svg+xml" else base64.b64decode("".join(content.split()), validate=True)
        )
    except ValueError:
        raise ValueError("base64 ではありません") from None
    if not is_image(f"image.{IMAGE_TYPES[mime]}", data):
        raise ValueError("中身がこの種類の画像ではありません")
    return data


# ---- .qmd ------------------------------------------------------------------------------------


def _read_qmd(root: Path, entry: Entry, text: str, problems: Problems) -> Manuscript:
    front_matter, body = _split_front_matter(text)
    cell = Cell(0, body, first_line=text.count("\n") - body.count("\n") + 1)
    manuscript = Manuscript(entry, [_with_included(root, entry, cell, problems)])
    if front_matter is not None:
        manuscript.front_matter = _load_front_matter(entry, "", front_matter, problems)
    return manuscript


# ---- included files --------------------------------------------------------------------------


def _with_included(root: Path, entry: Entry, cell: Cell, problems: Problems) -> Cell:
    """The cell with every file that it includes in its place."""
    lines = _included(root, entry, cell, (), problems)
    return replace(cell, source="".join(line for line, _ in lines), places=tuple(place for _, place in lines))


def _included(
    root: Path, entry: Entry, cell: Cell, trail: tuple[str, ...], problems: Problems
) -> list[tuple[str, str]]:
    """The lines of a cell or of an included file, and where each stands.

    As in Quarto, `/a.qmd` is seen from the book's folder, `a.qmd` from the chapter's (also in a file
    that is itself included), a blank line follows, and fences include files too unless they say
    `shortcodes=false`.
    """
    fences = [found for found in SHORTCODE.finditer(cell.source) if found["fence"]]
    lines: list[tuple[str, str]] = []
    for line in re.finditer(r"[^\n]*\n|[^\n]+", cell.source):
        fence = next((found for found in fences if found.start() <= line.start() < found.end()), None)
        found = None if fence and "shortcodes=false" in fence["info"] else INCLUDE.fullmatch(line[0])
        place = cell.place(line.start())
        if found is None:
            lines.append((line[0], place))
            continue
        name = found[1].strip("\"'")
        path = os.path.normpath(
            os.path.join("" if name.startswith("/") else Path(entry.source).parent, name.lstrip("/"))
        )
        told = partial(problems.add, entry.source, place)
        if path in trail:
            told(f"include が輪になっています（{' → '.join([*trail, path])}）", "どれかの include を消してください")
        elif not name or path.startswith("..") or not (root / path).is_file():
            told(f"include: {name} がありません", "本のフォルダーの中のファイルを、章から見た名前で書いてください")
        else:
            try:
                text = (root / path).read_text(encoding="utf-8-sig")
            except UnicodeDecodeError:
                told(f"include: {name} を UTF-8 として読めません", "文字コードを UTF-8 にして保存し直してください")
                continue
            if fence is None and _split_front_matter(text)[0] is not None:
                told(f"include: {name} の先頭に YAML があります", "YAML は、取り込む章の側に書いてください")
            lines += _included(root, entry, Cell(0, text, file=path), (*trail, path), problems)
            if lines and not lines[-1][0].endswith("\n"):
                lines[-1] = (lines[-1][0] + "\n", lines[-1][1])
            lines.append(("\n", place))
    return lines


def _split_front_matter(text: str) -> tuple[str | None, str]:
    found = re.match(r"---[ \t]*\n(.*?\n)?(?:---|\.\.\.)[ \t]*(?:\n|\Z)", text, flags=re.S)
    return (found[1] or "", text[found.end() :]) if found else (None, text)


def _load_front_matter(entry: Entry, here: str, text: str, problems: Problems) -> dict[str, Any]:
    try:
        loaded = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:
        place = f"{here} {yaml_place(error, offset=1)}".strip()
        problems.add(entry.source, place, "先頭の YAML が読めません", yaml_reason(error))
        return {}
    return checked("chapter", loaded, "先頭の YAML の ", lambda *told: problems.add(entry.source, here, *told))


# ---- Markdown to pandoc's tree ---------------------------------------------------------------


def _parse(book: Book, manuscript: Manuscript, cache: Cache, problems: Problems) -> None:
    markdown = "\n\n".join(_cell_markdown(cell) for cell in manuscript.cells) + "\n"
    filters = [book.root / path for path in book.filters]
    # What Quarto tells filters, of which press tells only this much; and which other forms of the book there are to offer.
    told = {"input-file": str(book.root / manuscript.entry.source), "repo-url": book.repo_url}
    told["whole"] = " ".join(name for name in (PDF, EPUB, LITE) if (book.root / name).is_file())
    options = [f"--metadata={key}:{value}" for key, value in told.items() if filters]
    key = [pandoc.DIALECT, markdown, *options, *(path.read_text(encoding="utf-8") for path in filters)]
    options += [option for path in filters for option in ("--lua-filter", str(path))]
    warned: list[str] = []

    def parse() -> str:
        ast = pandoc.parse(markdown, *options, warned=warned)
        if warned:
            raise _DoubtfulError  # and nothing is kept, so that the next build says it again
        return ast

    try:
        manuscript.ast = cache.text("ast", key, parse)
    except _DoubtfulError:
        for warning in warned:
            problems.add(manuscript.entry.source, *doubt(warning, manuscript.place))
    except pandoc.PandocError as error:
        problems.add(
            manuscript.entry.source, "", f"pandoc が読めません: {error}", "直前に変えた所の記法を確かめてください"
        )


class _DoubtfulError(Exception):
    """pandoc has read the chapter, but not as it was meant."""


def doubt(warning: str, place: Callable[[str], str]) -> tuple[str, str, str]:
    """A warning of pandoc's as place, message and advice; its own line numbers are those of no file."""
    note = re.search(r"[Nn]ote (?:reference|with key) ['‘’\"]?([^'‘’\" ]+)", warning)
    label = re.search(r"Duplicate identifier ['‘’\"]?([^'‘’\" ]+)", warning)
    if label:
        where = place(f"#{label[1]}") or place(label[1])
        return where, f"札 {label[1]} がこのページに二つあります", "どちらかの名前を変えてください"
    if note:
        said = "二度定義されています" if "uplicate" in warning else "定義だけあって、使われていません"
        where = place(f"[^{note[1]}]:") or place(f"[^{note[1]}]")
        return where, f"脚注 [^{note[1]}] が{said}", "脚注の札を確かめてください"
    if "unclosed" in warning:
        return place(":::"), "囲み（:::）が閉じていません", "::: の組を確かめてください"
    return "", f"pandoc の警告: {warning[:200]}", "原稿のその箇所を直してください"


def _cell_markdown(cell: Cell) -> str:
    if cell.code is None:
        return _quarto_syntax(cell.source)
    # Whatever is Markdown in a code cell is parsed with the chapter, so that references,
    # citations and mathematics in captions and outputs mean the same as in the text.
    parts = [(key, str(cell.options[key])) for key in ("fig-cap", "tbl-cap", "lst-cap") if cell.options.get(key)]
    for key in ("fig-subcap", "tbl-subcap"):
        captions = cell.options.get(key) or []
        captions = [captions] if isinstance(captions, str) else captions
        parts += [(f"{key}-{i}", str(caption)) for i, caption in enumerate(captions, start=1)]
    for index, output in enumerate(cell.outputs):
        if output.kind in ("markdown", "latex"):
            parts.append((f"output-{index}", output.text))
        elif output.kind == "stdout" and cell.options.get("output") == "asis":
            parts.append((f"output-{index}", output.text))
    inner = "\n\n".join(f"{FENCE} {{.press-part name={name}}}\n{text}\n{FENCE}" for name, text in parts)
    return f"{FENCE}:: {{.press-cell number={cell.number}}}\n{inner}\n{FENCE}::"


SHORTCODE = re.compile(
    r"(?P<code>^[ \t]*(?P<fence>`{3,}|~{3,})(?P<info>[^\n`]*)\n(?P<text>.*?\n)??[ \t]*(?P=fence)[ \t]*$"
    r"|(?P<tick>`+)(?!`).+?(?<!`)(?P=tick)(?!`))"
    r"|(?P<escaped>\{\{\{<.*?>\}\}\}|\{\{</\*.*?\*/>\}\})"
    r"|(?<!\{)\{\{<\s*(?P<name>[\w-]+)(?P<rest>.*?)>\}\}(?!\})",
    flags=re.M | re.S,
)


ESCAPED = re.compile(r"\{(\{\{<.*?>\}\})\}|\{\{</\*(.*?)\*/>\}\}")
# The shortcodes that Quarto brings with it; of others it knows nothing and leaves them as they are.
IN_CODE = re.compile(
    r"(?<!\{)\{\{<\s*(kbd|pagebreak|meta|var|env|video|lipsum|brand|contents|placeholder|version)\b.*?>\}\}"
)


def _quarto_syntax(markdown: str) -> str:
    """Write Quarto's own Markdown as pandoc's: fences with braces and the shortcodes press knows."""

    def rewritten(found: re.Match[str]) -> str:
        if found["fence"] is not None:
            return _fence(found)
        if found["code"] is not None:
            return ESCAPED.sub(_unescaped, found[0])
        if found["escaped"] is not None:
            return re.sub(r"([^\w\s]|_)", r"\\\1", ESCAPED.sub(_unescaped, found[0]))
        if found["name"] == "kbd":
            return f"[{found['rest'].strip()}]{{.kbd}}"
        return "" if found["name"] == "pagebreak" else found[0]

    return SHORTCODE.sub(rewritten, markdown)


def _fence(found: re.Match[str]) -> str:
    """A cell with doubled braces is shown as it would be written."""
    info, text = found["info"].strip(), found["text"] or ""
    if "shortcodes=false" not in info:
        text = ESCAPED.sub(_unescaped, text)
    if re.fullmatch(r"\{\{+[^{}<\n]+\}+\}", info):
        outer = found["fence"][0] * (len(found["fence"]) + 1)
        return f"{outer} markdown\n```{info[1:-1]}\n{text}```\n{outer}"
    return found[0].replace(found["text"] or "", text, 1)


def _unescaped(found: re.Match[str]) -> str:
    return found[1] or f"{{{{<{found[2]}>}}}}"


def _check_shortcodes(manuscript: Manuscript, problems: Problems) -> None:
    """Refuse what is not Markdown of press: other shortcodes, shortcodes in code (Quarto obeys them there), cells."""
    told = partial(problems.add, manuscript.entry.source)
    for cell in manuscript.cells:
        for found in SHORTCODE.finditer(cell.source) if cell.code is None else ():
            place = cell.place(found.start())
            if language := re.match(r"\s*\{(python|r|julia|bash|ojs)\b", found["info"] or ""):
                told(place, f"実行するコード {{{language[1]}}} は本文では使えません",
                     "章を .ipynb のコードのセルにするか、```python と書いて表示だけにしてください")  # fmt: skip
            elif diagram := re.match(r"\s*\{(mermaid|dot)\b", found["info"] or ""):
                told(place, f"図を描くコード {{{diagram[1]}}} には対応していません（Quarto は図にします）",
                     f"SVG の図にするか、```{diagram[1]} と書いてコードのまま見せてください")  # fmt: skip
            elif found["fence"] and re.search(rf"(?m)^[ \t]*{found['fence']}[^`~\n]", found["text"] or ""):
                told(place, f"囲み（{found['fence']}）が閉じていません", f"{found['fence']} の組を確かめてください")
            elif found["name"] not in (None, "kbd", "pagebreak"):
                told(place, f"ショートコード {found['name']} には対応していません",
                     "使えるのは kbd、pagebreak と、一行に単独で書いた include です")  # fmt: skip
            inside = IN_CODE.search(found["code"] or "")
            if inside and "shortcodes=false" not in (found["info"] or ""):
                told(cell.place(found.start() + inside.start()), f"コードの中の {inside[0]} は、Quarto では文字のまま表示されません",
                     "{{{< … >}}} と書いてください")  # fmt: skip


def _check_tables(manuscript: Manuscript, problems: Problems) -> None:
    for cell in manuscript.cells:
        if cell.code is None:
            for at, message in uneven_rows(cell.source):
                problems.add(manuscript.entry.source, cell.place(at), message, ADVICE)
        for output in cell.outputs:
            for _, message in uneven_rows(output.text) if output.kind == "markdown" else ():
                problems.add(manuscript.entry.source, f"セル {cell.number}", f"出力の{message}", ADVICE)
