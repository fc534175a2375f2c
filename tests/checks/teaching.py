"""What is written for teachers: its numbers, its links, its minutes."""

import re
from collections.abc import Iterable, Iterator
from math import ceil
from pathlib import Path
from unicodedata import east_asian_width
from urllib.parse import unquote, urlsplit

import nbformat

from tests.checks.chapters import ROOT, Manuscript, manuscript_paths, without_code
from tests.checks.prose import Computed, Quantity, computed, quantities, unsupported
from tools.teaching import FOLDER, SNIPPET

SITE = ROOT / "_book"
HANDOUTS = FOLDER / "handouts"
ANSWERS = FOLDER / "handout-answers.md"
LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)")
NAMED_LINK = re.compile(r"(?:\]\[|(?<!\])\[)(?P<name>[^\][]+)\](?![(:\[])")
DEFINITION = re.compile(r"^\[(?P<name>[^\]]+)\]: (?P<target>\S+)$", re.MULTILINE)
ANCHOR = re.compile(r"\{#([\w-]+)|^#\| label: ([\w-]+)", re.MULTILINE)
# What a step of a lesson takes, and the heading that says from when to when it goes on.
TAKES = re.compile(r"^- （(?:(?P<minutes>\d+)分)?(?:(?P<seconds>\d+)秒)?）", re.MULTILINE)
BLOCK = re.compile(r"^### (?P<start>\d+)–(?P<end>\d+)分　(?P<title>[^（\n]+)", re.MULTILINE)
ROW = re.compile(r"^\| (?P<start>\d+)–(?P<end>\d+) \| (?P<title>[^|]+?) \|", re.MULTILINE)
SESSION = re.compile(r"^## (?P<title>第\d+回.*)$", re.MULTILINE)
SPENT = re.compile(r"^\| (?P<minutes>\d+) \|", re.MULTILINE)
# Exercises that are set by name, of which a title may hold a quotation; and how a chapter names its own.
QUOTED = r"「(?:[^「」]|「[^」]*」)*」"
SET = re.compile(rf"第(?P<chapter>\d+)章の\[?演習(?:\]\([^)]*\))?(?P<names>(?:{QUOTED})+)")
EXERCISE = re.compile(r"\{#exr-[^\n]*\n+## (?P<title>.+)")
# A sheet of A4 with margins of 2 cm: letters of 10 points and lines of 6 mm.
LETTERS, LINES = 48, 42
RAW_QUARTO = re.compile(r"\{#|\[-?@|^:::|@(?:sec|fig|tbl|eq|exr)-", re.MULTILINE)


def read(path: Path) -> Manuscript:
    """Read a text with snippets as a manuscript, so that the book's checks can be asked about it."""
    cells, at, text = [], 0, DEFINITION.sub("", TAKES.sub("- ", path.read_text(encoding="utf-8")))
    for snippet in SNIPPET.finditer(text):
        cells.append(nbformat.v4.new_markdown_cell(text[at : snippet.start()]))
        printed = nbformat.v4.new_output("stream", text=snippet["printed"])
        cells.append(nbformat.v4.new_code_cell(snippet["code"], outputs=[printed]))
        at = snippet.end()
    cells.append(nbformat.v4.new_markdown_cell(text[at:]))
    return Manuscript(path.relative_to(ROOT).as_posix(), tuple(cells))


def links(text: str) -> Iterator[tuple[str, str]]:
    """Yield (target, line) for every link of a text, those by name too."""
    named = {found["name"]: found["target"] for found in DEFINITION.finditer(text)}
    for line in without_code(DEFINITION.sub("", text)).splitlines():
        for found in LINK.finditer(line):
            yield found["target"], line
        for found in NAMED_LINK.finditer(line):
            if found["name"] in named:
                yield named[found["name"]], line


def source_of(path: Path) -> Path | None:
    """Return the manuscript behind a page of the site."""
    page = path.relative_to(SITE)
    return next(
        (source for source in manuscript_paths() if source.relative_to(ROOT).with_suffix(".html") == page), None
    )


def link_problem(file: Path, target: str) -> str | None:
    """Return what is wrong with a link that a text has, or None."""
    address = urlsplit(target)
    if address.scheme:
        return None if address.scheme == "https" else "https ではありません"
    path = Path(file.parent, unquote(address.path)).resolve() if address.path else file
    if not path.is_relative_to(SITE):
        return None if path.exists() else "そのファイルはありません"
    if path.suffix == ".ipynb":
        return None if (ROOT / "chapters" / path.name).exists() else "そのノートブックはありません"
    source = source_of(path)
    if source is None:
        return "そのページは本にありません"
    anchors = {name for found in ANCHOR.findall(_source_text(source)) for name in found if name}
    return None if not address.fragment or address.fragment in anchors else f"{address.fragment} という札はありません"


def _source_text(source: Path) -> str:
    if source.suffix != ".ipynb":
        return source.read_text(encoding="utf-8")
    return "\n".join(cell.source for cell in nbformat.read(source, as_version=4).cells)


def chapters_of(file: Path, manuscripts: Iterable[Manuscript]) -> list[Manuscript]:
    """Return the pages of the book that a text links: its numbers may stand there."""
    targets = (Path(file.parent, urlsplit(target).path) for target, _ in links(file.read_text(encoding="utf-8")))
    sources = {source_of(path.resolve()) for path in targets if path.resolve().is_relative_to(SITE)}
    names = {source.relative_to(ROOT).as_posix() for source in sources if source}
    return [manuscript for manuscript in manuscripts if manuscript.name in names]


def exercise_problems(text: str, manuscripts: Iterable[Manuscript]) -> Iterator[str]:
    """Yield the exercises that a text sets and its chapter does not have."""
    titles = {
        Path(manuscript.name).name[:2]: {found["title"] for found in EXERCISE.finditer(manuscript.markdown)}
        for manuscript in manuscripts
    }
    for found in SET.finditer(text):
        for name in re.findall(QUOTED, found["names"]):
            if name[1:-1] not in titles.get(found["chapter"].zfill(2), ()):
                yield f"第{found['chapter']}章に、演習{name}はありません"


def numbers_of(manuscripts: Iterable[Manuscript]) -> Computed:
    """Return what the cells and the cited sentences of manuscripts hold."""
    numbers = Computed(frozenset(), frozenset(), frozenset())
    for manuscript in manuscripts:
        numbers |= computed(manuscript)
    return numbers


def number_problems(file: Path, manuscripts: Iterable[Manuscript]) -> list[tuple[str, str, str]]:
    """Return (file, number, line) where neither a snippet nor a page that is linked has the number.

    What the calculator says is supported too: that it says so is looked at by itself.  What a handout
    gives may stand in its answers, which it does not link.
    """
    own = read(file)
    told = {(quantity.dimension, quantity.value) for _, quantity in speeds_told(file.read_text(encoding="utf-8"))}
    answers = [read(ANSWERS)] if file.parent == HANDOUTS else []
    numbers = numbers_of([own, *answers, *chapters_of(file, manuscripts)]) | Computed(
        frozenset(told), frozenset(), frozenset()
    )
    return [(own.name, number, line) for number, line in unsupported(own, numbers)]


def speeds_told(text: str) -> Iterator[tuple[str, Quantity]]:
    """Yield (query of the calculator, speed that its line tells)."""
    for target, line in links(text):
        address = urlsplit(target)
        if address.path.endswith("calculator.html"):
            for quantity in quantities(line):
                if quantity.dimension == "token/s":
                    yield f"?{address.query}", quantity


def minute_problems(text: str) -> list[str]:
    """Return where the steps of a lesson, its blocks and its table do not add up."""
    blocks = list(BLOCK.finditer(text))
    ends = [*(block.start() for block in blocks[1:]), len(text)]
    result, now = [], 0
    for block, end in zip(blocks, ends, strict=True):
        steps = text[block.end() : end].split("\n## ")[0]
        takes = sum(60 * int(step["minutes"] or 0) + int(step["seconds"] or 0) for step in TAKES.finditer(steps))
        start, stop = int(block["start"]), int(block["end"])
        if start != now:
            result.append(f"{block['title']}: {now}分からのはずが、{start}分からです")
        if takes != 60 * (stop - start):
            result.append(f"{block['title']}: 項目の合計が {takes / 60:g} 分で、{stop - start} 分と合いません")
        now = stop
    table = [(row["start"], row["end"]) for row in ROW.finditer(text)]
    if table != [(block["start"], block["end"]) for block in blocks]:
        result.append("流れの表と、見出しの時間が合いません")
    return result


def lines_on_paper(text: str) -> int:
    """Return how many lines of a sheet a handout takes, roughly."""
    plain = LINK.sub("]", DEFINITION.sub("", text))
    total = 0
    for line in plain.splitlines():
        if line.startswith("#"):
            total += 2
        elif line.startswith("|:") or line.startswith("|-"):
            continue  # a rule
        elif line.strip():
            width = sum(1 if east_asian_width(letter) in "WFA" else 0.5 for letter in line)
            total += ceil(width / LETTERS)
    # A blank line between what is not a list or a table is half a line.
    return ceil(total + 0.5 * plain.count("\n\n"))


def session_minutes(text: str) -> dict[str, int]:
    """Return the minutes of each session that a syllabus deals out."""
    starts = [*SESSION.finditer(text)]
    ends = [*(start.start() for start in starts[1:]), len(text)]
    spent = {
        start["title"]: sum(int(row["minutes"]) for row in SPENT.finditer(text[start.end() : end].split("\n## ")[0]))
        for start, end in zip(starts, ends, strict=True)
    }
    return {title: minutes for title, minutes in spent.items() if minutes}
