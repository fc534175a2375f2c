"""Write the notebooks for readers: ``python tools/readers.py [--root DIR]``.

``notebooks/NN-slug.ipynb`` is a chapter as any Jupyter shows it well, which runs without the book;
``notebooks/students/NN-slug.ipynb`` has cells to fill in and a checker in the place of the solutions.

The book's `pre-render` names this file, so Quarto runs it too.  Where a Python that it finds lacks
what press needs, it makes none, and the pages offer none.
"""

import sys

# Stands before everything that an older Python could not even read.
if sys.version_info < (3, 11):  # noqa: UP036
    sys.exit(
        "エラー: tools/readers.py には Python 3.11 以降が必要です（使われた Python: {}.{}）。".format(*sys.version_info)
    )

import argparse
import ast
import base64
import hashlib
import io
import json
import lzma
import re
import subprocess
import tempfile
import tomllib
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from itertools import chain, repeat
from pathlib import Path
from string import ascii_uppercase
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FOLDER, STUDENTS = "notebooks", "notebooks/students"
BOOK_HOST = "https://book.invalid/"  # stands for the site in a browser's own Jupyter (lite/page.js)
OWN = "my-notebooks"  # never overwritten
ANSWERS = "teaching/answers.toml"
SVG = "image/svg+xml"
# The keys of an answer and of a wrong road to it, of one that is chosen and of a choice, and whether they are needed.
ANSWER_KEYS = {"ask": True, "unit": True, "said": True, "within": False, "wrong": False}
ROAD_KEYS = {"say": True, "times": False, "said": False}
CHOSEN_KEYS = {"ask": True, "said": True, "choices": True}
CHOICE_KEYS = {"text": True, "right": False, "say": False}
LINKS = "notebook-links"  # the box by which a page offers its notebooks
FIGURE = "hayasa-figure"  # a figure that the page's own script draws, and a slider moves

sys.path[:0] = [str(ROOT), str(ROOT / "src")]
if missing := [name for name in ("panflute", "pypandoc", "nbformat", "matplotlib") if find_spec(name) is None]:
    print(f"{'、'.join(missing)} がないので、読者のノートブックは作りません（make book で作れます）。")
    sys.exit()

import panflute as pf  # noqa: E402

from hayasa.book.notebooks import Answer, Choice, Road, pack, picture  # noqa: E402
from press.build import read, resolve  # noqa: E402
from press.cache import Cache  # noqa: E402
from press.problems import BookError, Problems  # noqa: E402
from press.read.config import Book, Entry, read_book  # noqa: E402
from press.resolve.links import resolve_links  # noqa: E402
from press.resolve.page import Page  # noqa: E402
from press.write.notebook import Cell, notebook_text, page_cells  # noqa: E402
from press.write.walk import NoFormError  # noqa: E402
from tools.quizzes import ANSWER, QUESTION, choices_of, read_quizzes  # noqa: E402
from tools.web import write_if_changed  # noqa: E402

CARRIED = """\
# この本の道具を用意します。最初に一度だけ実行してください。
# hayasa {version} はこのセルの中に入っていて、そのほかに足りないものだけを取ってきます。
import base64, io, lzma, sys, tempfile, zipfile

hayasa_wheel = "{wheel}"
if "hayasa_folder" not in globals():
    hayasa_folder = tempfile.TemporaryDirectory()
    zipfile.ZipFile(io.BytesIO(lzma.decompress(base64.b85decode(hayasa_wheel)))).extractall(hayasa_folder.name)
    sys.path.insert(0, hayasa_folder.name)
"""
FROM_SITE = """\
# この本の道具を用意します。最初に一度だけ実行してください。
%pip install -q --force-reinstall --no-deps {address}
"""
PACKAGES = """
from hayasa.book.notebooks import missing, show_figures_untrusted

show_figures_untrusted()
if packages := missing("{pins}"):
    %pip install -q {{packages}}
"""
SLIDERS = """\
# ウェブのページで動かせる図です。ipywidgets（jupyterに付いてきます）があれば、ここでもつまみで動かせます。
from hayasa.book.sliders import slider_figure

slider_figure({arguments})
"""
IN_BROWSER = """\
# この本の道具を用意します。最初に一度だけ実行してください。
# Pythonもhayasaもこのサイトから読み込みました。numpyなどは、使うセルを実行したときにPyodideの配布元から取ってきます。
from hayasa.book.notebooks import prepare_browser

prepare_browser()
"""
CHECKER = """
from hayasa.book.notebooks import Checker

check = Checker("{answers}")
"""


def write_notebooks(root: Path) -> None:
    """Write both editions of every chapter that is a notebook, for the site.

    Raises
    ------
    BookError
        With every problem found; the old notebooks stay as they are.
    """
    problems = Problems()
    book = read_book(root, problems)
    wheel_name, wheel = build_wheel()

    def setup(cells: list[Cell]) -> str:
        return bringing(wheel_name, wheel, book.site_url, cells) + packages_source(cells)

    for path, cells in editions(book, setup, problems).items():
        site = f"{book.site_url.rstrip('/')}/" if book.site_url else "../" * path.count("/")
        write_if_changed(root / path, notebook_text(cells, site))
    if book.site_url:
        (root / FOLDER / wheel_name).write_bytes(wheel)


def write_own(root: Path) -> None:
    """Write what is not there yet into a folder where readers may change everything.

    Raises
    ------
    BookError
        With every problem found.
    """
    problems = Problems()
    book = read_book(root, problems)
    wheel_name, wheel = build_wheel()

    def setup(cells: list[Cell]) -> str:
        return bringing(wheel_name, wheel, "", cells) + packages_source(cells)

    for path, cells in editions(book, setup, problems).items():
        mine = root / OWN / Path(path).relative_to(FOLDER)
        mine.parent.mkdir(parents=True, exist_ok=True)
        if not mine.exists():
            mine.write_text(notebook_text(cells, "../" * path.count("/") + f"{book.output_dir}/"), encoding="utf-8")


def browser_notebooks(root: Path) -> dict[str, str]:
    """Return both editions of every chapter as a browser's own Jupyter opens them, by their place in it.

    Raises
    ------
    BookError
        With every problem found.
    """
    problems = Problems()
    book = read_book(root, problems)
    made = editions(book, lambda cells: IN_BROWSER, problems)
    site = f"{book.site_url.rstrip('/')}/" if book.site_url else BOOK_HOST
    return {path.removeprefix(f"{FOLDER}/"): notebook_text(cells, site, "python") for path, cells in made.items()}


def chapters(book: Book) -> list[Entry]:
    """Return the pages of a book that are notebooks."""
    return [entry for entry in book.entries if entry.source.endswith(".ipynb")]


def editions(book: Book, setup_for: Callable[[list[Cell]], str], problems: Problems) -> dict[str, list[Cell]]:
    """Return the cells of both editions of every chapter, by their address on the site; `setup_for` writes the first."""
    for entry in chapters(book):  # the pages link to them, and press looks whether they are there
        for folder in (FOLDER, STUDENTS):
            (book.root / folder).mkdir(parents=True, exist_ok=True)
            (book.root / folder / Path(entry.source).name).touch()
    kept = Cache(book.root / ".press" / "cache")
    pages = resolve(book, read(book, kept, problems), kept, problems)
    resolve_links(book, pages, problems)
    problems.stop_if_any()
    given, quizzes = answers_table(book.root, problems), read_quizzes(book.root, problems)
    problems.stop_if_any()
    made: dict[str, list[Cell]] = {}
    asked: set[str] = set()
    for page in pages:
        if page.entry in chapters(book):
            with problems.working_on(page.entry.source):
                name, cells = Path(page.entry.source).name, _cells(book, page, kept, problems)
                answers = _answers(page, cells, given, problems)
                asked |= {cell.poses for cell in cells}
                setup = setup_for(cells)
                made[f"{FOLDER}/{name}"] = with_setup(cells, setup)
                choices = choices_of(quizzes, Path(name).stem)
                setup += CHECKER.format(answers=pack(answers | choices)) if answers or choices else ""
                made[f"{STUDENTS}/{name}"] = with_setup([*students_cells(cells, answers, given)], setup)
    for exercise in sorted(given.keys() - asked):
        problems.add(ANSWERS, "", f"演習 {exercise} が本にありません", "札の綴りを確かめるか、消してください")
    problems.stop_if_any()
    return made


def answers_table(root: Path, problems: Problems) -> dict[str, Any]:
    """Return the table of answers by exercise and name, if a book has one."""
    try:
        table = tomllib.loads((root / ANSWERS).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        problems.add(ANSWERS, "", "TOML として読めません", str(error))
        return {}
    for exercise, answers in table.items():
        for name, said in answers.items():
            for problem, cure in _answer_problems(said):
                problems.add(ANSWERS, f"{exercise}.{name}", problem, cure)
    return table


def _answer_problems(said: Any) -> Iterator[tuple[str, str]]:
    """Yield (problem, cure) of an entry of the table of answers."""
    if not isinstance(said, dict):
        yield "表ではありません", "{ ask = …, unit = …, said = … } と書いてください"
        return
    chosen, choices = "choices" in said, said.get("choices", [])
    parts = [(CHOICE_KEYS, choice) for choice in choices] or [(ROAD_KEYS, road) for road in said.get("wrong", [])]
    for keys, entry in [(CHOSEN_KEYS if chosen else ANSWER_KEYS, said), *parts]:
        for key in sorted(entry.keys() - keys.keys()):
            yield f"{key} という鍵は使えません", f"使えるもの: {'、'.join(keys)}"
        for key in (key for key, is_needed in keys.items() if is_needed and key not in entry):
            yield f"{key} がありません", "書いてください"
        if keys is ROAD_KEYS and ("times" in entry) == ("said" in entry):
            yield "wrong の行き先が決まりません", "times か said の、どちらか一つを書いてください"
        if keys is CHOICE_KEYS and ("right" in entry) == ("say" in entry):
            yield "choices の一つが、正しいかどうか決まりません", "right = true か say の、どちらか一つを書いてください"
    if chosen and (len(choices) < 2 or sum("right" in choice for choice in choices) != 1):
        yield "choices から一つを選べません", "二つ以上を並べ、一つだけに right = true と書いてください"


def _cells(book: Book, page: Page, kept: Cache, problems: Problems) -> list[Cell]:
    page.blocks = [block for block in page.blocks if LINKS not in getattr(block, "classes", [])]
    figures = []
    for block in page.blocks:
        if FIGURE in getattr(block, "classes", []):
            block.content = [pf.Para(pf.Str(f"{FIGURE}-{len(figures)}"))]  # where its cell will stand
            figures.append(slider_cell(block.attributes, len(figures), kept))
    try:
        return list(_with_figures(page_cells(book, page, kept), figures))
    except NoFormError as error:
        place = page.manuscript.place(*error.needles)
        problems.add(page.entry.source, place, f"{error.construct} は、読者のノートブックに写せません",
                     "ふつうの Markdown で書くか、press/write/notebook.py に書き方を加えてください")  # fmt: skip
    return []


def slider_cell(attributes: Mapping[str, str], number: int, kept: Cache) -> Cell:
    """Return the cell that shows a figure of the page with its sliders; what it stores is the figure at rest."""
    asked = {key.removeprefix("data-"): value for key, value in attributes.items() if key.startswith("data-")}
    kind = asked.pop("figure")

    def draw() -> str:
        from hayasa.book.sliders import drawing, moving_figure  # takes seconds, for what hardly ever changes

        moving = moving_figure(kind, **asked)
        return json.dumps(drawing(moving, moving.start))

    drawn_by = [version("matplotlib"), hashlib.sha256(build_wheel()[1]).hexdigest()]
    data = json.loads(kept.text("sliders", [kind, json.dumps(asked), *drawn_by], draw))
    arguments = ", ".join([f'"{kind}"', *(f'{key}="{value}"' for key, value in asked.items())])
    output = {"output_type": "display_data", "metadata": {}, "data": data}
    return Cell(f"slider-{number + 1}", SLIDERS.format(arguments=arguments).rstrip("\n"), [output])


def _with_figures(cells: Iterable[Cell], figures: list[Cell]) -> Iterator[Cell]:
    """Yield the cells with each figure's where the text has left a place for it."""
    count = 1
    for cell in cells:
        count = cell.count or count
        before, *pieces = re.split(rf"\s*{FIGURE}-(\d+)\s*", cell.source)
        yield replace(cell, source=before)
        for at in range(0, len(pieces), 2):
            yield replace(figures[int(pieces[at])], count=count)  # as if run there: nbval asks for it
            if pieces[at + 1]:
                yield replace(cell, id=f"{cell.id}-{at // 2 + 2}", source=pieces[at + 1])


def with_setup(cells: list[Cell], setup: str) -> list[Cell]:
    """Return the cells with what they need beneath the title, and drawings as it has them made."""
    hidden = {"jupyter": {"source_hidden": True}, "cellView": "form"}
    cells = [
        replace(cell, outputs=[shown(output) for output in cell.outputs]) if cell.outputs else cell for cell in cells
    ]
    return [*cells[:1], Cell("setup", setup.rstrip("\n"), [], metadata=hidden), *cells[1:]]


def shown(output: dict[str, Any]) -> dict[str, Any]:
    """Return a stored output as the first code cell has it made: with each drawing as Markdown, too."""
    data = output.get("data", {})
    if SVG not in data:
        return output
    return output | {"data": data | {"text/markdown": picture("".join(data[SVG]))}}


# ---- what a notebook brings ------------------------------------------------------------------------


@cache
def build_wheel() -> tuple[str, bytes]:
    """Return the name and the bytes of hayasa's wheel; the same sources give the same bytes."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
        (path,) = Path(folder).glob("*.whl")
        return path.name, path.read_bytes()


@cache
def squeezed(wheel: bytes, without: str = "") -> str:
    """Return a wheel as text, without a folder of it: packed as a whole, it is a third smaller than file by file."""
    stored = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(wheel)) as files, zipfile.ZipFile(stored, "w") as copy:
        for name in sorted(files.namelist()):
            if not without or not name.startswith(without):
                copy.writestr(zipfile.ZipInfo(name), files.read(name))
    return base64.b85encode(lzma.compress(stored.getvalue(), preset=9)).decode()


def bringing(name: str, wheel: bytes, site: str, cells: Iterable[Cell]) -> str:
    """Return the code that brings hayasa: from the site if there is one, else from what the code carries."""
    if site:
        return FROM_SITE.format(address=f"{site.rstrip('/')}/{FOLDER}/{name}")
    without = "" if "lab" in imported(code_of(cells)) else "lab/"
    return CARRIED.format(version=version("hayasa"), wheel=squeezed(wheel, without))


def code_of(cells: Iterable[Cell]) -> str:
    """Return the code of some cells."""
    return "\n".join(cell.source for cell in cells if cell.outputs is not None)


def packages_source(cells: Iterable[Cell]) -> str:
    """Return the code that brings the packages which the cells import, as the book was made with them."""
    pins = " ".join(f"{name}=={version(name)}" for name in sorted(packages(code_of(cells))))
    return PACKAGES.format(pins=pins) if pins else ""


def packages(code: str) -> set[str]:
    """Return what code imports, itself or by way of the book's own modules, as packages of an index."""
    return imported(code) & chapter_packages()


@cache
def imported(code: str, package: str = "") -> set[str]:
    """Return what code of a package imports, itself or by way of the book's own modules."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(code)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{package}.{node.module}" if node.level == 1 else node.module] if node.level < 2 else []
        for name in names:
            path = (ROOT / "src" if name.startswith("hayasa.") else ROOT) / Path(*name.split(".")).with_suffix(".py")
            if name.startswith(("hayasa.book.", "lab.")) and path.is_file():
                found |= imported(path.read_text(encoding="utf-8"), name.rpartition(".")[0])
            found.add(name.partition(".")[0].replace("_", "-").lower())
    return found


@cache
def chapter_packages() -> set[str]:
    """Return what chapters may import, as pyproject.toml names it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return {re.split(r"[^\w-]", line)[0] for line in project["dependency-groups"]["cells"]}


# ---- the students' edition -------------------------------------------------------------------------


def students_cells(
    cells: Iterable[Cell], answers: dict[str, dict[str, Answer | Choice]], given: dict[str, Any]
) -> Iterator[Cell]:
    """Yield the cells with room for an answer in the place of each solution."""
    answered: set[str] = set()
    for cell in cells:
        if not cell.answers:
            yield cell
        elif cell.answers not in answered:
            answered.add(cell.answers)
            if cell.answers.startswith(QUESTION):
                yield _question(cell.answers.removeprefix(QUESTION))
            else:
                yield from _room(cell.answers, answers.get(cell.answers, {}), given)


def _question(name: str) -> Cell:
    source = f'# ... を "A" のように書きかえて、実行します。\ncheck("{name}", {ANSWER}=...)'
    return Cell(f"{QUESTION}{name}-check", source, [])


def _room(exercise: str, answers: dict[str, Answer | Choice], given: dict[str, Any]) -> Iterator[Cell]:
    slug = exercise.partition("-")[2]
    yield Cell(f"{slug}-try", "# ここで計算します。\n", [])
    if answers:
        width = max(map(len, answers))
        lines = [
            f"    {start.ljust(width + 5)}  # {words}"
            for name, said in given[exercise].items()
            for start, words in zip(chain([f"{name}=...,"], repeat("")), _asked(said), strict=False)
        ]
        head = "# ... を答えに書きかえて、実行します。式のままでもかまいません。\n"
        if any(isinstance(answer, Choice) for answer in answers.values()):
            head += '# 選ぶものは、"A" のように書きます。\n'
        yield Cell(f"{slug}-check", head + "\n".join(["check(", f'    "{exercise}",', *lines, ")"]), [])
    yield Cell(f"{slug}-words", "**考えたこと**（このセルを開いて書きます）：")


def _asked(said: dict[str, Any]) -> Iterator[str]:
    """Yield what is asked for with its unit, and the choices, line by line."""
    yield said["ask"] + (f"（{said['unit']}）" if said.get("unit") else "")
    yield from (f"  {letter} {choice['text']}" for letter, choice in _lettered(said))


def _lettered(said: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    return zip(ascii_uppercase, said.get("choices", []), strict=False)


def _answers(
    page: Page, cells: list[Cell], given: dict[str, Any], problems: Problems
) -> dict[str, dict[str, Answer | Choice]]:
    """Return the right answers of a chapter's exercises, as its solutions give them."""
    answers: dict[str, dict[str, Answer | Choice]] = {}
    for exercise in dict.fromkeys(cell.poses for cell in cells if cell.poses):
        solution = [cell for cell in cells if cell.answers == exercise]
        printed = "\n".join(map(_printed, solution))
        for name, said in given.get(exercise, {}).items():
            if "choices" in said:
                if said["said"] not in "\n".join(cell.source for cell in solution if cell.outputs is None):
                    problems.add(ANSWERS, f"{exercise}.{name}", f"{page.entry.source} の解答の文に「{said['said']}」がありません",
                                 "答えを言っている文を写してください")  # fmt: skip
                answers.setdefault(exercise, {})[name] = _choice(said)
                continue
            values = {template: _value(template, printed) for template in _templates(said)}
            for template in (template for template, value in values.items() if value is None):
                problems.add(ANSWERS, f"{exercise}.{name}", f"{page.entry.source} の解答の出力に「{template}」がありません",
                             "解答のセルの出力の行を、数のところを {} にして写してください")  # fmt: skip
            if None not in values.values():
                answers.setdefault(exercise, {})[name] = _answer(said, values)  # type: ignore[arg-type]
    return answers


def _templates(said: dict[str, Any]) -> list[str]:
    return [said["said"], *(road["said"] for road in said.get("wrong", []) if "said" in road)]


def _choice(said: dict[str, Any]) -> Choice:
    (right,) = (letter for letter, choice in _lettered(said) if "right" in choice)
    return Choice(right, {letter: choice["say"] for letter, choice in _lettered(said) if "say" in choice})


def _answer(said: dict[str, Any], values: dict[str, float]) -> Answer:
    right = values[said["said"]]
    roads = (
        Road(values[road["said"]] if "said" in road else right * road["times"], road["say"])
        for road in said.get("wrong", [])
    )
    return Answer(right, said["unit"], said.get("within", 0.01), tuple(roads))


def _printed(cell: Cell) -> str:
    """What a code cell shows, as text."""
    shown = []
    for output in cell.outputs or []:
        text = output.get("text") or output.get("data", {}).get("text/markdown", "")
        shown.append("".join(text))
    return "\n".join(shown)


def _value(template: str, printed: str) -> float | None:
    """The number at {} where the template, … standing for anything, first fits what was printed."""
    parts = re.split(r"(\{\}|…)", template)
    number = r"([-+−]?[\d,]*\.?\d+(?:e[-+]?\d+)?)"
    pattern = "".join({"{}": number, "…": r"[^\n]*?"}.get(part, re.escape(part)) for part in parts)
    found = re.search(pattern, printed)
    return float(found[1].replace(",", "").replace("−", "-")) if found else None


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(description="章から、読者のノートブック notebooks/*.ipynb を作る")
    parser.add_argument("--root", type=Path, default=ROOT, help="本のフォルダー")
    parser.add_argument(
        "--own", action="store_true", help=f"サイトのためではなく、手元で書きかえるために {OWN}/ に作る"
    )
    options = parser.parse_args(arguments)
    try:
        (write_own if options.own else write_notebooks)(options.root.resolve())
    except BookError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
