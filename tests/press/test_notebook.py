"""A page as the cells of a notebook: everything has a plain form, or is refused with its place."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest
from books import CONFIG, PIXEL, code_cell, make_book, notebook, printed, shown, text_cell

from press.build import read, resolve
from press.cache import Cache
from press.problems import BookError, Problems
from press.read.config import read_book
from press.resolve.links import resolve_links
from press.write.notebook import Cell, notebook_text, page_cells
from press.write.walk import NoFormError
from tools import readers

TITLE = "# 題 {#sec-a}\n\n"


def cells_of(folder: Path, *cells: dict, **files) -> list[Cell]:
    make_book(folder, **{"a.ipynb": notebook(text_cell(TITLE + "初め。"), *cells)} | files)
    problems = Problems()
    book = read_book(folder, problems)
    cache = Cache(folder / ".press" / "cache")
    pages = resolve(book, read(book, cache, problems), cache, problems)
    resolve_links(book, pages, problems)
    problems.stop_if_any()
    return page_cells(book, next(page for page in pages if page.href == "a.html"), cache)


def text_of(folder: Path, source: str, **files) -> str:
    """What becomes of one Markdown cell."""
    return "\n\n".join(
        cell.source for cell in cells_of(folder, text_cell(f"## 節 {{#sec-x}}\n\n{source}\n"), **files)[1:]
    )


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("ここは @sec-x です。", "1.1](press-site:a.html#sec-x) です。"),
        ("論文[@dao2022]。", "(press-site:references.html#ref-dao2022)"),
        ("$$a < b$$ {#eq-a}\n\n[@eq-a]", r"$$a < b \tag{1.1}$$"),
        ("[前](index.qmd)と[外](https://example.org/a?b#c)", "[前](press-site:index.html)と[外](https://example.org/a?b#c)"),
        ("::: {.callout-note}\n## 題\n本文\n:::", "> **題**\n>\n> 本文"),
        ('::: {.callout-tip collapse="true"}\n## A < B\n本文\n:::', "<details>\n<summary>A &lt; B</summary>\n\n本文\n\n</details>"),
        ("::: {#exr-a}\n## 名\n問い\n:::", "### 練習 1.1 (名)\n\n問い"),
        ("| a | b |\n|:--|--:|\n| 1 | 2 |\n\n: 題 {#tbl-a}", "**表 1.1:** 題"),
        ("![題](p.svg){#fig-a fig-alt='絵'}", "![絵][p.svg]\n\n**図 1.1:** 題\n\n[p.svg]: data:image/svg+xml;base64,"),
        ("::: {.panel-tabset}\n## 甲\nA\n\n## 乙\nB\n:::", "**甲**\n\nA\n\n**乙**\n\nB"),
        ("文[^1]。\n\n[^1]: 注。", "文（注：注。）。"),
        ("**です。**\n次", "<strong>です。</strong>次"),
        ("次**です**よ、**（甲）** と", "次**です**よ、**（甲）** と"),
        ("``` {.python filename='a.py'}\nx = 1\n```", "`a.py`\n\n``` python\nx = 1\n```"),
        (":::: {.live #q data-x=1}\n問い\n\n::: {.callout-tip collapse=true}\n## 答え\n秘密\n:::\n::::", "問い\n\n<details>\n<summary>答え</summary>\n\n秘密"),
        ('<div class="live" data-x="1"></div>', "動く図は、[ウェブのページ](press-site:a.html)にあります。"),
        ("値段は \\$5 と $x$。", "値段は \\$5 と $x$。"),
    ],
)  # fmt: skip
def test_what_quarto_writes_becomes_plain(tmp_path, source, expected):
    text = text_of(tmp_path, source, **{"p.svg": PIXEL}).replace("\N{NO-BREAK SPACE}", " ")
    assert expected in text
    assert ":::" not in text and "{#" not in text


def test_a_question_with_a_name_and_its_answer_are_cells_of_their_own(tmp_path):
    fold = "::: {.callout-tip collapse=true}\n## 答え\n秘密\n:::\n::::\n\n"
    cells = cells_of(
        tmp_path, text_cell(f":::: {{.live #q data-x=1}}\n問い\n\n{fold}:::: {{.live data-x=1}}\n予想\n\n{fold}")
    )
    question, answer, guess = cells[1:]
    assert (question.source, question.poses) == ("問い", "q")
    assert "秘密" in answer.source and answer.answers == "q"
    assert "予想" in guess.source and "秘密" in guess.source and not guess.poses


def test_an_image_without_a_size_gets_one(tmp_path):
    svg = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 32"/>'
    text = text_of(tmp_path, "![題](p.svg)", **{"p.svg": svg})
    assert readers.base64.b64decode(text.rpartition(",")[2]).decode().startswith('<svg width="64" height="32"')


@pytest.mark.parametrize(
    ("source", "construct"),
    [
        ("甲\n:   乙", "DefinitionList"),
        ("<table><tr><td>1</td></tr></table>", "生の HTML '<table>"),
        ("文[^1]。\n\n[^1]: 一。\n\n    二。", "段落が一つではない脚注"),
        ("::: {.strange}\n中\n:::", "囲み .strange"),
    ],
)
def test_what_has_no_form_is_refused(tmp_path, source, construct):
    with pytest.raises(NoFormError) as caught:
        text_of(tmp_path, source)
    assert construct in caught.value.construct


def test_the_refusal_names_file_cell_and_construct(tmp_path):
    make_book(tmp_path, **{"a.ipynb": notebook(text_cell(TITLE), text_cell("一。\n\n::: {.strange}\n中\n:::\n"))})
    with pytest.raises(BookError) as caught:
        readers.editions(read_book(tmp_path, Problems()), lambda cells: "", Problems())
    (problem,) = caught.value.problems
    assert (problem.file, problem.place) == ("a.ipynb", "セル 2（3 行目）")
    assert "囲み .strange" in problem.message and "写せません" in problem.message


def test_code_keeps_its_outputs_and_all_of_it_runs(tmp_path):
    cells = cells_of(
        tmp_path,
        code_cell("#| include: false\nx = 1"),
        code_cell("#| label: fig-a\n#| fig-cap: 題\n#| code-fold: true\nprint(x)\nshow()", printed("1\n"), shown(svg=PIXEL, text="<Figure>"), count=2),
        code_cell("#| output: false\n1 / 0", printed("2\n"), count=3, tags=["raises-exception"]),
    )  # fmt: skip
    hidden, figure, caption, quiet = cells[1:]
    assert hidden.source == "x = 1" and hidden.metadata["jupyter"] == {"source_hidden": True}
    assert figure.source == "print(x)\nshow()" and figure.count == 2
    assert [output["output_type"] for output in figure.outputs] == ["stream", "display_data"]
    assert figure.metadata == {"jupyter": {"source_hidden": True}, "cellView": "form"}
    assert caption.outputs is None and caption.source.replace("\N{NO-BREAK SPACE}", " ") == "**図 1.1:** 題"
    assert quiet.metadata == {"tags": ["raises-exception"], "jupyter": {"outputs_hidden": True}}
    made = nbformat.reads(notebook_text(cells, "../"), as_version=4)
    nbformat.validate(made)
    assert [cell.id for cell in made.cells if cell.cell_type == "code"] == ["cell-1", "cell-2", "cell-3"]


def test_a_solution_is_folded_and_known_as_one(tmp_path):
    cells = cells_of(
        tmp_path,
        text_cell("## 演習 {#sec-x}\n\n::: {#exr-a}\n## 名\n問い\n:::"),
        text_cell('::: {.callout-tip collapse="true"}\n## 解答：名\nこうします。'),
        code_cell("print(1)", printed("1\n")),
        text_cell("1です。\n:::\n\n後。"),
        text_cell('::: {.callout-tip collapse="true"}\n## 余談\n話。\n:::'),
    )
    assert [(cell.poses, cell.answers) for cell in cells[2:]] == [("exr-a", ""), *[("", "exr-a")] * 3, ("", "")]
    before, code, after, rest = cells[3:]
    assert before.source == "<details>\n<summary>解答：名</summary>\n\nこうします。\n\n</details>"
    assert code.source == "# 解答\nprint(1)" and code.metadata["jupyter"] == {
        "source_hidden": True,
        "outputs_hidden": True,
    }
    assert after.source == "<details>\n<summary>解答の続き</summary>\n\n1です。\n\n</details>"
    assert rest.source.startswith("後。") and "<summary>余談</summary>" in rest.source


def test_links_begin_as_the_notebook_needs(tmp_path):
    cells = cells_of(
        tmp_path, text_cell("## 節 {#sec-x}\n\n@sec-x"), code_cell("print('](press-site:')", printed("x\n"))
    )
    for site in ("../", "https://example.org/book/"):
        text = "".join(text for cell in json.loads(notebook_text(cells, site))["cells"] for text in cell["source"])
        assert f"]({site}a.html#sec-x)" in text and "print('](press-site:')" in text


def test_a_page_can_be_offered_by_filters_that_know_their_file(tmp_path):
    """As Quarto says it in `quarto.doc.input_file`, press says it in the metadata."""
    lua = "function Pandoc(d) d.blocks:insert(pandoc.Para(pandoc.utils.stringify(d.meta['input-file']))) return d end"
    cells = cells_of(tmp_path, **{"_quarto.yml": CONFIG + "filters: [f.lua]\n", "f.lua": lua})
    assert cells[-1].source.endswith("a.ipynb")
