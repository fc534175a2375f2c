"""The reading layer by itself: options, shortcodes, settings, notebooks."""

from __future__ import annotations

from pathlib import Path

import pytest
from books import CONFIG, PIXEL, code_cell, make_book, notebook, printed, shown, text_cell

from press.cache import Cache
from press.problems import Problems
from press.read.cell_options import read_options, split_options
from press.read.config import Entry, read_book
from press.read.manuscript import Manuscript, _quarto_syntax, read_manuscript


def test_options_are_split_from_code() -> None:
    options, code = split_options("#| label: fig-x\n#| fig-subcap:\n#|   - 甲\n\nx = 1\n# 普通のコメント")
    assert options == "label: fig-x\nfig-subcap:\n  - 甲"
    assert code == "x = 1\n# 普通のコメント"


@pytest.mark.parametrize("mark", ["# |", "#  | ", "#|", "#\t|"])
def test_a_formatter_may_part_the_signs_of_an_option(mark: str) -> None:
    assert split_options(f"{mark}echo: false\nx") == ("echo: false", "x")


def test_options_only_stand_at_the_top() -> None:
    assert split_options("x = 1\n#| label: fig-x") == ("", "x = 1\n#| label: fig-x")


def fit_options(source: str, tags: list[str]) -> dict:
    return read_options(source, tags, lambda message, advice: pytest.fail(message))


def test_jupyter_tags_are_options_and_give_way_to_lines() -> None:
    assert fit_options("", ["hide-code"]) == {"echo": False}
    assert fit_options("echo: true", ["hide-code"]) == {"echo": True}


@pytest.mark.parametrize(("written", "value"), [("true", True), ("false", False), ("show", "show"), ("hide", "hide")])
def test_code_fold_takes(written: str, value: object) -> None:
    assert fit_options(f"code-fold: {written}", []) == {"code-fold": value}


def test_what_is_not_fit_is_complained_of_and_left_out() -> None:
    told: list[str] = []
    options = read_options(
        "echo: maybe\nlayout-ncol: 0\nlabel: fig-x", [], lambda message, advice: told.append(message)
    )
    assert options == {"label": "fig-x"}
    assert told == ["#| echo: maybe は使えない値です", "#| layout-ncol: 0 は使えない値です"]


@pytest.mark.parametrize(
    ("source", "markdown"),
    [
        ("{{< kbd Ctrl-C >}}", "[Ctrl-C]{.kbd}"),
        ("前{{< pagebreak >}}後", "前後"),
        ("`{{< kbd X >}}`", "`{{< kbd X >}}`"),
        ("```\n{{< kbd X >}}\n```", "```\n{{< kbd X >}}\n```"),
        ("{{{< kbd X >}}}", "\\{\\{\\< kbd X \\>\\}\\}"),
        ("`{{{< kbd X >}}}`", "`{{< kbd X >}}`"),
        ("~~~\n{{</* kbd X */>}}\n~~~", "~~~\n{{< kbd X >}}\n~~~"),
        ("``` {shortcodes=false}\n{{{< kbd X >}}}\n```", "``` {shortcodes=false}\n{{{< kbd X >}}}\n```"),
        ("````\n```{mermaid}\nA\n```\n````", "````\n```{mermaid}\nA\n```\n````"),
        ("```{{python}}\nx = 1\n```", "```` markdown\n```{python}\nx = 1\n```\n````"),
        ("~~~ {{{r}}}\n~~~", "~~~~ markdown\n```{{r}}\n```\n~~~~"),
    ],
)
def test_quarto_syntax_becomes_pandocs(source: str, markdown: str) -> None:
    assert _quarto_syntax(source) == markdown


def read(folder: Path, source: str = "a.ipynb") -> tuple[Manuscript, Problems]:
    problems = Problems()
    book = read_book(folder, problems)
    manuscript = read_manuscript(book, Entry(source, "chapter"), Cache(folder / ".press"), problems)
    assert manuscript is not None
    return manuscript, problems


def test_settings_with_their_defaults(tmp_path: Path) -> None:
    book = read_book(make_book(tmp_path), Problems())
    assert [entry.href for entry in book.entries] == ["index.html", "a.html", "references.html"]
    assert (book.output_dir, book.number_sections, book.words["crossref-fig-title"]) == ("_book", True, "図")


def test_words_of_the_book_win_over_those_of_the_language(tmp_path: Path) -> None:
    make_book(tmp_path, **{"_quarto.yml": CONFIG + "language: {crossref-fig-title: 絵}\n"})
    words = read_book(tmp_path, Problems()).words
    assert (words["crossref-fig-title"], words["crossref-tbl-title"]) == ("絵", "表")


def test_parts_and_appendices(tmp_path: Path) -> None:
    parts = CONFIG.replace(
        "chapters: [index.qmd, a.ipynb, references.qmd]",
        "chapters: [index.qmd, {part: 第I部, chapters: [a.ipynb]}]\n  appendices: [references.qmd]",
    )
    entries = read_book(make_book(tmp_path, **{"_quarto.yml": parts}), Problems()).entries
    assert [(e.source, e.role, e.part) for e in entries] == [
        ("index.qmd", "chapter", None),
        ("a.ipynb", "chapter", "第I部"),
        ("references.qmd", "appendix", None),
    ]


def test_streams_that_follow_each_other_are_one_output(tmp_path: Path) -> None:
    cell = code_cell("x", printed("一"), printed("二"), printed("三", "stderr"))
    manuscript, _ = read(make_book(tmp_path, **{"a.ipynb": notebook(text_cell("# 題"), cell)}))
    outputs = manuscript.cells[1].outputs
    assert [(o.kind, o.text) for o in outputs] == [("stdout", "一二"), ("stderr", "三")]


def test_the_richest_form_of_an_output_is_taken(tmp_path: Path) -> None:
    cell = code_cell("#| label: fig-x\nx", shown(svg=PIXEL, png="AAAA", text="<Figure>"))
    manuscript, _ = read(make_book(tmp_path, **{"a.ipynb": notebook(text_cell("# 題"), cell)}))
    assert manuscript.media == {"a_files/figure-html/fig-x-output-1.svg": PIXEL.encode()}


def test_a_place_is_named_by_cell_and_line(tmp_path: Path) -> None:
    manuscript, _ = read(make_book(tmp_path, **{"a.ipynb": notebook(text_cell("# 題"), text_cell("一\n二\n三"))}))
    assert manuscript.place("三") == "セル 2（3 行目）"
    assert manuscript.place("ない", "二") == "セル 2（2 行目）"
    assert manuscript.place("ない") == ""


def test_a_place_in_qmd_counts_from_the_top_of_the_file(tmp_path: Path) -> None:
    manuscript, _ = read(make_book(tmp_path, **{"index.qmd": "---\ntitle: 題\n---\n\n本文\n"}), "index.qmd")
    assert manuscript.place("本文") == "5 行目"


def test_a_box_may_open_in_one_cell_and_close_in_another(tmp_path: Path) -> None:
    cells = [text_cell("# 題\n\n::: {.callout-tip}\n## 解答"), code_cell("1", shown(text="1")), text_cell(":::\n\n外")]
    manuscript, problems = read(make_book(tmp_path, **{"a.ipynb": notebook(*cells)}))
    assert len(problems) == 0
    assert manuscript.ast.count("callout-tip") == 1


def test_the_cache_gives_back_what_was_made_from_the_same(tmp_path: Path) -> None:
    cache, made = Cache(tmp_path), []

    def make() -> str:
        made.append(1)
        return f"{len(made)}"

    assert [cache.text("a", ["x"], make), cache.text("a", ["x"], make), cache.text("a", ["y"], make)] == ["1", "1", "2"]
    assert cache.text("b", ["x"], make) == "3"
