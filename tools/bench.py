"""Measure how fast the house is. It prints and never asserts: numbers depend on the machine.

``python -m tools.bench [NAME ...]`` runs the named benchmarks, or all of them.
A benchmark is a function that yields ``(what was measured, value, unit)``.
"""

import gzip
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

import yaml
from tabulate import tabulate

from tools import notebooks
from tools.bench_hayasa import measure_hayasa
from tools.bench_pages import measure_figures, measure_lighthouse, measure_pages

ROOT = Path(__file__).resolve().parent.parent
SOURCES = (
    *("_quarto.yml", "*.qmd", "references.*", "chapters", "images", "theme"),
    *("data", "src", "web", "teaching", "tools/page", "tools/web.py", "tools/readers.py", "tools/quizzes.py"),
    # What the wheel in the readers' notebooks is made of.
    *("pyproject.toml", "README.md", "LICENSE-*", "requirements.txt"),
)
NOT_COPIED = shutil.ignore_patterns("hayasa*.js", "__pycache__")  # built from the rest of web/
SAVES = 5

Row = tuple[str, float, str]


def seconds(command: Sequence[str], cwd: Path = ROOT) -> float:
    """Return how long a command takes; raise if it fails."""
    started = time.perf_counter()
    subprocess.run(command, cwd=cwd, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def press_command(root: Path) -> list[str]:
    """Return the command that builds the book in `root` with press."""
    return [sys.executable, "-m", "press", "build", str(root), "--quiet"]


def copy_of_the_book(directory: str) -> Path:
    """Copy the manuscripts, and nothing built, into a directory."""
    book = Path(directory) / "book"
    book.mkdir()
    for pattern in SOURCES:
        for source in ROOT.glob(pattern):
            target = book / source.relative_to(ROOT)
            target.parent.mkdir(exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=NOT_COPIED)
            else:
                shutil.copy(source, target)
    return book


def last_chapter(book: Path) -> Path:
    """Return the last numbered chapter of a copy of the book."""
    return sorted((book / "chapters").glob("[0-9]*.ipynb"))[-1]


def change(chapter: Path, new: str, old: str = "この章") -> str:
    """Write `new` in the place of `old`, and return it."""
    text = chapter.read_text(encoding="utf-8")
    assert old in text, f"{chapter.name} に {old} がありません"
    chapter.write_text(text.replace(old, new, 1), encoding="utf-8")
    return new


def measure_press() -> Iterator[Row]:
    """Time press: the first build of this book, and a build after one chapter changed."""
    with tempfile.TemporaryDirectory() as directory:
        book = copy_of_the_book(directory)
        yield "press: この本を初めて作る", seconds(press_command(book)), "秒"
        change(last_chapter(book), "本章")
        yield "press: 一章を変えて作り直す", seconds(press_command(book)), "秒"
        yield "press: もう一度作る", seconds(press_command(book)), "秒"
        yield from measure_first_visit(book / "_book")


def measure_preview() -> Iterator[Row]:
    """Time `press preview`: from saving a chapter to its page, and to the whole site."""
    with tempfile.TemporaryDirectory() as directory:
        book = copy_of_the_book(directory)
        chapter, shown = last_chapter(book), "この章"
        page = chapter.relative_to(book).with_suffix(".html").as_posix()
        command = [sys.executable, "-m", "press", "preview", str(book), "--port", "0"]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, encoding="utf-8") as process:
            assert process.stdout is not None
            address = next(line.split()[0] for line in process.stdout if line.startswith("http://"))
            pages, sites = [], []
            for turn in range(SAVES):
                time.sleep(1)
                shown = change(chapter, f"変更{turn}", shown)
                saved = time.perf_counter()
                while shown not in urllib.request.urlopen(address + page).read().decode():
                    time.sleep(0.05)  # asked more often, the preview would serve instead of building
                pages.append(time.perf_counter() - saved)
                next(line for line in process.stdout if " ページ、" in line)
                sites.append(time.perf_counter() - saved)
            process.terminate()
    yield "press preview: 保存した章のページが変わるまで (中央値)", statistics.median(pages), "秒"
    yield "press preview: 本の全体が変わるまで (中央値)", statistics.median(sites), "秒"


def measure_growth() -> Iterator[Row]:
    """Time press for generated books: this book's chapters over and over, each with own labels."""
    for count in (25, 50, 100):
        with tempfile.TemporaryDirectory() as directory:
            book = copy_of_the_book(directory)
            write_long_book(book, count)
            yield f"press: {count} 章の本を初めて作る", seconds(press_command(book)), "秒"


def write_long_book(book: Path, count: int) -> None:
    """Turn a copy of the book into one of `count` chapters."""
    originals = sorted((book / "chapters").glob("[0-9]*.ipynb"))
    texts = [path.read_text(encoding="utf-8") for path in originals]
    owners = {
        label: index
        for index, text in enumerate(texts)
        for label in re.findall(r"(?:\{#|#\| label: )([a-z]+-[a-z0-9-]+)", text)
    }

    def turn_of(turn: int, owner: int) -> int:
        """The last turn may stop half-way: what it lacks is taken from the first."""
        return turn if turn * len(originals) + owner < count else 0

    def relabelled(text: str, turn: int) -> str:
        def with_turn(found: re.Match[str]) -> str:
            owner = owners.get(found[0])
            return found[0] if owner is None else f"{found[0]}-turn{turn_of(turn, owner)}"

        text = re.sub(r"\b[a-z]+-[a-z0-9-]+", with_turn, text)
        for owner, path in enumerate(originals):
            text = text.replace(f"]({path.name}", f"](../turn{turn_of(turn, owner)}/{path.name}")
        return text

    chapters = []
    for number in range(count):
        turn, original = divmod(number, len(originals))
        chapter = book / f"turn{turn}" / originals[original].name
        chapter.parent.mkdir(exist_ok=True)
        chapter.write_text(relabelled(texts[original], turn), encoding="utf-8")
        chapters.append(chapter.relative_to(book).as_posix())
    for appendix in (book / "chapters").glob("[a-z]*"):
        appendix.write_text(relabelled(appendix.read_text(encoding="utf-8"), 0), encoding="utf-8")
    config = yaml.safe_load((book / "_quarto.yml").read_text(encoding="utf-8"))
    config["book"]["chapters"] = ["index.qmd", *chapters, "references.qmd"]
    (book / "_quarto.yml").write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")
    index = "# はじめに {.unnumbered}\n\n作られた本です。\n"
    (book / "index.qmd").write_text(index, encoding="utf-8")


def measure_first_visit(site: Path) -> Iterator[Row]:
    """Add up what a browser fetches on the first visit to a chapter, compressed."""
    page = sorted((site / "chapters").glob("*.html"))[0]
    html = page.read_text(encoding="utf-8")
    links = re.findall(r'<(?:script|img)[^>]*\ssrc="([^"]+)"', html)
    links += re.findall(r'<link[^>]*rel="(?:stylesheet|icon)"[^>]*href="([^"]+)"', html)
    links += re.findall(r'<link[^>]*href="([^"]+)"[^>]*rel="(?:stylesheet|icon)"', html)
    files = {page} | {
        (page.parent / unquote(urlsplit(link).path)).resolve() for link in links if not urlsplit(link).scheme
    }
    size = sum(len(gzip.compress(file.read_bytes())) for file in files if file.is_file())
    yield "章を初めて開くときに届く量 (gzip)", size / 1e3, "KB"


def measure_chapters() -> Iterator[Row]:
    """Time the execution of every chapter from a fresh kernel."""
    for path in notebooks.chapter_paths():
        started = time.perf_counter()
        notebooks.execute(path)
        yield f"章の実行: {path.stem}", time.perf_counter() - started, "秒"


BENCHMARKS: dict[str, Callable[[], Iterator[Row]]] = {
    "press": measure_press,
    "preview": measure_preview,
    "growth": measure_growth,
    "chapters": measure_chapters,
    "hayasa": measure_hayasa,
    "pages": measure_pages,
    "figures": measure_figures,
    "lighthouse": measure_lighthouse,
}


def main(names: Sequence[str]) -> int:
    """Run the benchmarks and print one table."""
    if unknown := [name for name in names if name not in BENCHMARKS]:
        print(
            f"エラー: {'、'.join(unknown)} というベンチマークはありません。使えるもの: {'、'.join(BENCHMARKS)}",
            file=sys.stderr,
        )
        return 2
    print(f"{platform.system()} {platform.machine()}、{os.cpu_count()} コア、Python {platform.python_version()}")
    rows: list[Row] = []
    for name in names or BENCHMARKS:
        print(f"{name} を測っています…", file=sys.stderr)
        rows += BENCHMARKS[name]()
    table = [(what, f"{value:.3g}" if value < 100 else f"{value:,.0f}", unit) for what, value, unit in rows]
    print(tabulate(table, ["測ったもの", "値", "単位"], tablefmt="pipe", colalign=("left", "right", "left")))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
