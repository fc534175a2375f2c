"""The notebooks for readers, as the site carries them: plain, complete, and running without the book."""

import base64
import io
import lzma
import os
import re
import shutil
import subprocess
import sys
import zipfile
from urllib.parse import unquote

import nbformat
import pytest
from books import CONFIG, code_cell, make_book, notebook, printed, text_cell

from hayasa.book.notebooks import Answer, Checker, Choice, Road
from press.problems import Problems
from press.read.config import LITE, read_book
from tools import nbval_figures, notebooks, readers

CHAPTERS = notebooks.chapter_paths()
by_chapter = pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
# Quarto's Markdown, which would show as it is.
RAW = re.compile(r"\{#\w|^:::|\[-?@\w|(?<!\w)@(?:sec|fig|tbl|eq|exr)-|\{\.\w|\{\{<|press-\w+:", flags=re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:|data:|mailto:)([^)\s]+)\)")


def texts(made):
    return [cell.source for cell in made.cells if cell.cell_type == "markdown"]


def codes(made):
    return [cell for cell in made.cells if cell.cell_type == "code"]


def without_options(source):
    return re.sub(r"(?m)^#\|.*\n?", "", source).strip("\n")


@by_chapter
@pytest.mark.parametrize("folder", [readers.FOLDER, readers.STUDENTS])
def test_the_text_is_plain_and_its_links_lead_somewhere(site, folder, path):
    file = site / folder / path.name
    made = nbformat.read(file, as_version=4)
    nbformat.validate(made)
    for text in texts(made):
        prose = re.sub(r"```.*?```|`[^`]*`|\$\$.*?\$\$|\$[^$]*\$", "", text, flags=re.DOTALL)
        assert not RAW.search(prose), prose
        for address in LINK.findall(text):
            target, _, anchor = unquote(address).partition("#")
            page = file.parent / target.partition("?")[0]
            assert page.is_file(), address
            assert not anchor or f'id="{anchor}"' in page.read_text(encoding="utf-8"), address


@by_chapter
def test_all_code_and_outputs_of_the_chapter_are_there(site, path):
    stored, (setup, *made) = (codes(nbformat.read(p, as_version=4)) for p in (path, site / readers.FOLDER / path.name))
    assert setup.id == "setup"
    made = [cell for cell in made if not cell.id.startswith("slider-")]  # by which the page's own figures are drawn
    assert [cell.id for cell in made] == [cell.id for cell in stored]
    for old, new in zip(stored, made, strict=True):
        assert new.source.removeprefix("# 解答\n") == without_options(old.source)
        assert new.execution_count == old.execution_count
        for output in new.outputs:
            if readers.SVG in output.get("data", {}):
                assert output.data.pop("text/markdown").startswith("![図](data:image/svg+xml;base64,")
        assert new.outputs == old.outputs


@by_chapter
def test_all_captions_are_there(site, path):
    page = (site / "chapters" / f"{path.stem}.html").read_text(encoding="utf-8")
    text = "\n".join(texts(nbformat.read(site / readers.FOLDER / path.name, as_version=4))).replace(
        "\N{NO-BREAK SPACE}", " "
    )
    numbers = set(re.findall(r"<(?:fig)?caption>(?:<p>)?([図表]\s[\w.]+):", page))
    assert numbers and all(f"**{number.replace(chr(160), ' ')}:**" in text for number in numbers)


@pytest.mark.skipif(not nbval_figures.is_pinned_platform(), reason="記憶した図は Linux x86_64 のもの")
def test_nbval_finds_the_stored_outputs_far_from_the_book(site, tmp_path):
    """One run of pytest, a kernel for each chapter, and a folder: what one leaves behind helps no other."""
    for path in CHAPTERS:
        (tmp_path / path.stem).mkdir()
        shutil.copy(site / readers.FOLDER / path.name, tmp_path / path.stem)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-m", "pytest", "--nbval", "-q", "-rA", "-p", "no:cacheprovider", "-c", os.devnull]
    done = subprocess.run(
        [*command, "--rootdir", ".", "."], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
    ran = set(re.findall(r"(?m)^PASSED ([^/]+)/", done.stdout))
    assert ran == {path.stem for path in CHAPTERS}


def run(folder, *sources):
    """What the last of some cells prints, in a kernel of its own."""
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    client = notebooks.NotebookClient(
        nbformat.v4.new_notebook(cells=cells),
        timeout=120,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
    )
    client.execute()
    return "".join(output.get("text", "") for output in cells[-1].outputs)


def test_hayasa_is_the_one_that_the_notebook_carries(site, root, tmp_path):
    setup = codes(nbformat.read(site / readers.FOLDER / CHAPTERS[0].name, as_version=4))[0].source
    # Whoever runs all cells once more runs the first one again, too.
    where, answer = run(
        tmp_path, setup, "import hayasa", setup, "print(hayasa.__file__, hayasa.get_model('llama-2-7b').layers)"
    ).split()
    assert not where.startswith(str(root)) and answer == "32"


@by_chapter
def test_what_the_code_imports_of_this_book_is_carried(site, root, path):
    setup, *sources = [cell.source for cell in codes(nbformat.read(site / readers.FOLDER / path.name, as_version=4))]
    carried = re.search(r'hayasa_wheel = "(.*)"', setup)[1]
    with zipfile.ZipFile(io.BytesIO(lzma.decompress(base64.b85decode(carried)))) as wheel:
        brought = {name.partition("/")[0] for name in wheel.namelist()}
    ours = {"hayasa"} | {folder.name for folder in root.iterdir() if any(folder.glob("*.py"))}
    assert ours & readers.imported("\n".join(sources)) <= brought


ANSWERS = """
[exr-a]
x = { ask = "いくつ", unit = "ms", said = "x = {} ms", wrong = [{ times = 2, say = "違います。" }] }
y = { ask = "どれ", said = "こうです。", choices = [{ text = "ア", say = "逆です。" }, { text = "イ", right = true }] }
"""


@pytest.fixture
def small(tmp_path):
    """A book of one chapter with one exercise, and its table of answers."""
    exercise = text_cell("::: {#exr-a}\n## 名\n問い [@sec-a]\n:::")
    solution = text_cell('::: {.callout-tip collapse="true"}\n## 解答：名\nこうです。')
    code = code_cell("print('x = 1,234.5 ms')", printed("x = 1,234.5 ms\n"))
    chapter = notebook(text_cell("# 題 {#sec-a}"), exercise, solution, code, text_cell("以上。\n:::"))
    return make_book(tmp_path, **{"a.ipynb": chapter, readers.ANSWERS: ANSWERS})


def test_from_a_site_hayasa_comes_from_there(small):
    config = small / "_quarto.yml"
    config.write_text(CONFIG.replace("  title:", "  site-url: https://example.org/hayasa/\n  title:"), encoding="utf-8")
    assert readers.main(["--root", str(small)]) == 0
    (wheel,) = (small / readers.FOLDER).glob("*.whl")
    made = nbformat.read(small / readers.FOLDER / "a.ipynb", as_version=4)
    address = f"https://example.org/hayasa/notebooks/{wheel.name}"
    assert f"\n%pip install -q --force-reinstall --no-deps {address}" in codes(made)[0].source
    assert "](https://example.org/hayasa/a.html#sec-a)" in "\n".join(texts(made))
    assert "base64" not in codes(made)[0].source


def test_what_a_reader_changed_is_kept(small):
    command = ["--own", "--root", str(small)]
    assert readers.main(command) == 0
    full, students = (small / readers.OWN / name for name in ("a.ipynb", "students/a.ipynb"))
    assert "](../_book/a.html#sec-a)" in full.read_text(encoding="utf-8")
    assert "](../../_book/a.html#sec-a)" in students.read_text(encoding="utf-8")
    full.write_text("mine", encoding="utf-8")
    students.unlink()
    assert readers.main(command) == 0
    assert full.read_text(encoding="utf-8") == "mine" and students.is_file()


@by_chapter
def test_each_chapter_offers_its_notebooks(site, root, path):
    page = (site / "chapters" / f"{path.stem}.html").read_text(encoding="utf-8")
    (box,) = re.findall(r'<div class="notebook-links">(.*?)</div>', page, flags=re.DOTALL)
    offered = [f"../notebooks/{path.name}", f"../notebooks/students/{path.name}"]
    if (root / LITE).is_file():
        offered += [f"../{LITE}?path={path.name}&amp;", f"../{LITE}?path=students/{path.name}&amp;"]
    assert re.findall(r'href="([^"]*)"', box) == offered
    assert "github" not in box


def test_a_repository_offers_colab_and_binder(root):
    """The filter alone, as Quarto would tell it of the book: it has no other way to know the repository."""
    lua, chapter = root / "theme" / "notebook-links.lua", CHAPTERS[0]
    told = [f"--metadata=input-file:{chapter}", "--metadata=repo-url:https://github.com/someone/hayasa"]
    html = readers_pandoc("--lua-filter", str(lua), *told)
    assert f"https://colab.research.google.com/github/someone/hayasa/blob/notebooks/{chapter.name}" in html
    assert f"https://mybinder.org/v2/gh/someone/hayasa/notebooks?labpath={chapter.name}" in html
    assert html.index("<h1") < html.index("notebook-links") < html.index("本文")
    assert "ブラウザで開く" not in html and "ネットワークが要ります" in readers_pandoc(
        "--lua-filter", str(lua), *told, f"--metadata=whole:{LITE}"
    )
    assert "notebook-links" not in readers_pandoc(
        "--lua-filter", str(lua), f"--metadata=input-file:{root / 'index.qmd'}"
    )


@by_chapter
def test_binder_has_what_a_notebook_would_fetch(site, root, path):
    setup = codes(nbformat.read(site / readers.FOLDER / path.name, as_version=4))[0].source
    asked = {pin for pins in re.findall(r'missing\("([^"]*)"\)', setup) for pin in pins.split()}
    given = (root / ".binder" / "requirements.txt").read_text(encoding="utf-8")
    assert asked <= set(re.findall(r"^[\w.-]+==[\w.]+", given, flags=re.MULTILINE))


def readers_pandoc(*options):
    from press import pandoc

    return pandoc.run("-f", "markdown", "-t", "html", *options, text="# 題\n\n本文\n")


def test_packages_are_those_that_the_code_imports():
    assert readers.packages("x = 1") == set()
    assert readers.packages("import os, hayasa\nimport numpy as np") == {"numpy"}
    assert readers.packages("from hayasa.book.figures import BLUE") == {"matplotlib", "matplotlib-fontja"}


# ---- the table of answers ------------------------------------------------------------------------


def test_the_right_value_is_read_from_the_solution(small):
    made = readers.editions(read_book(small, Problems()), lambda cells: "", Problems())
    setup = codes(
        nbformat.from_dict(
            {"cells": [vars(cell) | {"cell_type": "code"} for cell in made["notebooks/students/a.ipynb"]]}
        )
    )[1]
    checker = Checker(re.search(r'Checker\("([^"]*)"\)', setup.source)[1])
    x = Answer(1234.5, "ms", wrong=(Road(2469.0, "違います。"),))
    assert checker._answers == {"exr-a": {"x": x, "y": Choice("B", {"A": "逆です。"})}}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[exr-a]", "[exr-b]", "演習 exr-b が本にありません"),
        ("x = {} ms", "y = {} ms", "exr-a.x: a.ipynb の解答の出力に「y = {} ms」がありません"),
        ('unit = "ms", ', "", "exr-a.x: unit がありません"),
        ("unit =", 'units = "ms", unit =', "exr-a.x: units という鍵は使えません"),
        ("times = 2, ", "", "wrong の行き先が決まりません"),
        ("times = 2", 'times = 2, said = "x = {}"', "wrong の行き先が決まりません"),
        ("[exr-a]", "[exr-a", "TOML として読めません"),
        ("x = { ask", "x = 3 # ", "exr-a.x: 表ではありません"),
        ('"こうです。"', '"ああです。"', "exr-a.y: a.ipynb の解答の文に「ああです。」がありません"),
        (", right = true", "", "exr-a.y: choices の一つが、正しいかどうか決まりません"),
        (', say = "逆です。"', ", right = true", "exr-a.y: choices から一つを選べません"),
        ("choices =", 'unit = "ms", choices =', "exr-a.y: unit という鍵は使えません"),
        ('{ text = "ア", say', "{ say", "exr-a.y: text がありません"),
    ],
)  # fmt: skip
def test_a_wrong_table_of_answers_is_refused(small, old, new, said, capsys):
    assert old in ANSWERS
    (small / readers.ANSWERS).write_text(ANSWERS.replace(old, new), encoding="utf-8")
    assert readers.main(["--root", str(small)]) == 1
    assert said in capsys.readouterr().err
