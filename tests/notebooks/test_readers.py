"""The notebooks for readers, as the site carries them: plain, complete, and running without the book."""

import json
import os
import re
import shutil
import subprocess
import sys
from urllib.parse import unquote

import nbformat
import pytest

from press.problems import Problems
from press.read.config import read_book
from tools import nbval_figures, notebooks, readers

CHAPTERS = notebooks.chapter_paths()
by_chapter = pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
# Quarto's Markdown, which would show as it is.
RAW = re.compile(r"\{#\w|^:::|\[-?@\w|(?<!\w)@(?:sec|fig|tbl|eq|exr)-|\{\.\w|\{\{<|press-\w+:", flags=re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:|data:|mailto:)([^)\s]+)\)")


def texts(notebook):
    return [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]


def codes(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def without_options(source):
    return re.sub(r"(?m)^#\|.*\n?", "", source).strip("\n")


@by_chapter
@pytest.mark.parametrize("folder", [readers.FOLDER, readers.STUDENTS])
def test_the_text_is_plain_and_its_links_lead_somewhere(site, folder, path):
    file = site / folder / path.name
    notebook = nbformat.read(file, as_version=4)
    nbformat.validate(notebook)
    for text in texts(notebook):
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
    text = "\n".join(texts(nbformat.read(site / readers.FOLDER / path.name, as_version=4))).replace("\N{NO-BREAK SPACE}", " ")
    numbers = set(re.findall(r"<(?:fig)?caption>(?:<p>)?([図表]\s[\w.]+):", page))
    assert numbers and all(f"**{number.replace(chr(160), ' ')}:**" in text for number in numbers)


@by_chapter
@pytest.mark.skipif(not nbval_figures.is_pinned_platform(), reason="記憶した図は Linux x86_64 のもの")
def test_nbval_finds_the_stored_outputs_far_from_the_book(site, path, tmp_path):
    shutil.copy(site / readers.FOLDER / path.name, tmp_path)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-m", "pytest", "--nbval", "-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", "."]
    done = subprocess.run([*command, path.name], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def run(folder, *sources):
    """What the last of some cells prints, in a kernel of its own."""
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    notebook = nbformat.v4.new_notebook(cells=cells)
    client = notebooks.NotebookClient(notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
    client.execute()
    return "".join(output.get("text", "") for output in cells[-1].outputs)


def test_hayasa_is_the_one_that_the_notebook_carries(site, root, tmp_path):
    setup = codes(nbformat.read(site / readers.FOLDER / CHAPTERS[0].name, as_version=4))[0].source
    where, answer = run(tmp_path, setup, "import hayasa\nprint(hayasa.__file__, hayasa.get_model('llama-2-7b').layers)").split()
    assert not where.startswith(str(root)) and answer == "32"


def test_from_a_site_hayasa_comes_from_there(root, tmp_path):
    shutil.copytree(root, tmp_path / "book", ignore=readers_need)
    config = tmp_path / "book" / "_quarto.yml"
    config.write_text(config.read_text(encoding="utf-8").replace("book:\n", "book:\n  site-url: https://example.org/hayasa/\n", 1), encoding="utf-8")
    assert readers.main(["--root", str(tmp_path / "book")]) == 0
    folder = tmp_path / "book" / readers.FOLDER
    (wheel,) = folder.glob("*.whl")
    notebook = nbformat.read(folder / CHAPTERS[0].name, as_version=4)
    assert f"\n%pip install -q --force-reinstall --no-deps https://example.org/hayasa/notebooks/{wheel.name}\n" in codes(notebook)[0].source
    assert "](https://example.org/hayasa/chapters/02-latency.html)" in "\n".join(texts(notebook))
    assert "base64" not in codes(notebook)[0].source


def readers_need(folder, names):
    return {name for name in names if name in ("_book", "tests", "node_modules", "my-notebooks") or name.startswith(".")}


def test_what_a_reader_changed_is_kept(root, tmp_path):
    shutil.copytree(root, tmp_path / "book", ignore=readers_need)
    command = ["--own", "--root", str(tmp_path / "book")]
    assert readers.main(command) == 0
    first, second = (tmp_path / "book" / readers.OWN / path.name for path in CHAPTERS[:2])
    assert "](../_book/chapters/" in first.read_text(encoding="utf-8")
    first.write_text("mine", encoding="utf-8")
    second.unlink()
    assert readers.main(command) == 0
    assert first.read_text(encoding="utf-8") == "mine" and second.is_file()


@by_chapter
def test_each_chapter_offers_its_notebooks(site, path):
    page = (site / "chapters" / f"{path.stem}.html").read_text(encoding="utf-8")
    (box,) = re.findall(r'<div class="notebook-links">(.*?)</div>', page, flags=re.DOTALL)
    assert re.findall(r'href="([^"]*)"', box) == [f"../notebooks/{path.name}", f"../notebooks/students/{path.name}"]
    assert "github" not in box


def test_a_repository_offers_colab_and_binder(root):
    """The filter alone, as Quarto would tell it of the book: it has no other way to know the repository."""
    lua, chapter = root / "theme" / "notebook-links.lua", CHAPTERS[0]
    told = [f"--metadata=input-file:{chapter}", "--metadata=repo-url:https://github.com/someone/hayasa"]
    html = readers_pandoc("--lua-filter", str(lua), *told)
    assert f"https://colab.research.google.com/github/someone/hayasa/blob/notebooks/{chapter.name}" in html
    assert f"https://mybinder.org/v2/gh/someone/hayasa/notebooks?labpath={chapter.name}" in html
    assert html.index("<h1") < html.index("notebook-links") < html.index("本文")
    assert "notebook-links" not in readers_pandoc("--lua-filter", str(lua), f"--metadata=input-file:{root / 'index.qmd'}")


def readers_pandoc(*options):
    from press import pandoc

    return pandoc.run("-f", "markdown", "-t", "html", *options, text="# 題\n\n本文\n")


def test_packages_are_those_that_the_code_imports(monkeypatch):
    assert readers.packages("x = 1") == set()
    assert readers.packages("import os, hayasa\nimport numpy as np") == {"numpy"}
    assert readers.packages("from hayasa.book.figures import BLUE") == {"matplotlib", "matplotlib-fontja"}


# ---- the table of answers ------------------------------------------------------------------------


def refused(root, tmp_path, old, new):
    """What is said of a table of answers with one thing changed."""
    shutil.copytree(root, tmp_path / "book", ignore=readers_need)
    table = tmp_path / "book" / readers.ANSWERS
    text = table.read_text(encoding="utf-8")
    assert old in text
    table.write_text(text.replace(old, new), encoding="utf-8")
    problems = Problems()
    book = read_book(tmp_path / "book", problems)
    with pytest.raises(readers.BookError) as caught:
        readers.editions(book, "", problems)
    return str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[exr-balance]", "[exr-balanced]", "演習 exr-balanced が本にありません"),
        ('said = "B = {}"', 'said = "b = {}"', "exr-balance.batch_size: chapters/01-memory-hierarchy.ipynb の解答の出力に「b = {}」がありません"),
        ('unit = "人", said = "B = {}"', 'said = "B = {}"', "exr-balance.batch_size: unit がありません"),
        ('unit = "人", said = "B = {}"', 'units = "人", unit = "人", said = "B = {}"', "exr-balance.batch_size: units という鍵は使えません"),
        ("{ times = 8, say =", "{ times = 8, said = \"{}\", say =", "wrong の行き先が決まりません"),
        ("[exr-balance]", "[exr-balance", "TOML として読めません"),
    ],
)  # fmt: skip
def test_a_wrong_table_of_answers_is_refused(root, tmp_path, old, new, said):
    assert said in refused(root, tmp_path, old, new)
