"""Small manuscripts of kinds that were once read otherwise than Quarto reads them, each with what Quarto makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from books import CONFIG, PIXEL, code_cell, make_book, notebook, printed, shown, text_cell
from bs4 import BeautifulSoup, Tag

from press.build import build

QMD = CONFIG.replace("a.ipynb", "a.qmd")


def article(folder: Path, source: str | None = None, **files: str | bytes) -> Tag:
    """The page of a chapter: `source` as .qmd, else the notebook among `files`."""
    if source is not None:
        files = {"_quarto.yml": QMD, "a.qmd": f"# 題 {{#sec-a}}\n\n{source}\n", **files}
    site = build(make_book(folder, **files))
    return BeautifulSoup((site / "a.html").read_text(encoding="utf-8"), "html.parser").select_one("article")


def cells(folder: Path, *given: dict) -> Tag:
    return article(folder, **{"a.ipynb": notebook(text_cell("# 題 {#sec-a}"), *given)})


def said(el: Tag | None) -> str:
    return " ".join(el.get_text().split()) if el else ""


@pytest.mark.parametrize("mark", ["# |", "#|", "#  |"])
def test_an_option_is_obeyed_as_formatters_write_it(tmp_path: Path, mark: str) -> None:
    page = cells(tmp_path, code_cell(f"{mark} echo: false\nprint(5)", printed("5\n")))
    assert [said(pre) for pre in page.select("pre")] == ["5"]


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("次の二つ:\n- 甲\n- 乙", "次の二つ:- 甲- 乙"),
        ("次の二つ:\n1. 甲\n2. 乙", "次の二つ:1. 甲2. 乙"),
        ("出発 :rocket: です", "出発 :rocket: です"),
        ("場所は https://example.com です", "場所は https://example.com です"),
        ("前\n# 見出しではない", "前# 見出しではない"),
        ("前\n> 引用ではない", "前> 引用ではない"),
    ],
)
def test_the_dialect_is_quartos(tmp_path: Path, source: str, text: str) -> None:
    page = article(tmp_path, source)
    (paragraph,) = page.select("p")
    assert said(paragraph).replace(" ", "") == text.replace(" ", "")
    assert not page.select("ul, ol, blockquote, p a")


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("```{{python}}\nx = 1\n```", "```{python}\nx = 1\n```"),
        ("````markdown\n```{{python}}\nx = 1\n```\n````", "```{python}\nx = 1\n```"),
        ("````\n```{{r}}\n```\n````", "```{r}\n```"),
        ("````\n```{python}\n```\n````", "```{python}\n```"),
    ],
)
def test_a_cell_that_is_shown_has_single_braces(tmp_path: Path, source: str, code: str) -> None:
    assert [pre.get_text() for pre in article(tmp_path, source).select("pre")] == [code]


def test_inline_code_that_is_shown_has_single_braces(tmp_path: Path) -> None:
    page = article(tmp_path, "`{{python}} x` と `` `{{r}} y` `` と `{{< kbd X >}}` と `{python}`")
    assert [said(code) for code in page.select("code")] == ["{python} x", "`{r} y`", "{{< kbd X >}}", "{python}"]


@pytest.mark.parametrize(
    ("first", "second", "shares"),
    [
        ('width="40%"', 'width="60%"', "40fr 60fr"),
        ("", "", "50fr 50fr"),
        ('width="30%"', "", "30fr 70fr"),
        ('width="33.3%"', 'width="33.3%"', "33.3fr 33.3fr"),
    ],
)
def test_columns_stand_side_by_side(tmp_path: Path, first: str, second: str, shares: str) -> None:
    source = f"::: {{.columns}}\n::: {{.column {first}}}\n左\n:::\n\n::: {{.column {second}}}\n右\n:::\n:::"
    (row,) = article(tmp_path, source).select(".layout.columns")
    assert [said(column) for column in row.select(":scope > .column")] == ["左", "右"]
    widths = row["style"].removeprefix("--columns:").replace("minmax(0,", "").replace(")", "").split()
    assert widths == shares.split()
    assert not row.select(".column[style]")


@pytest.mark.parametrize(
    ("source", "caption", "alt"),
    [
        ("[![題](z.svg){#fig-l}](https://example.com)", "図 1.1: 題", "題"),
        ('[![題 *斜*](z.svg){#fig-l fig-alt="説明"}](https://example.com)', "図 1.1: 題 斜", "説明"),
        ("[![題](z.svg)](https://example.com)", "題", "題"),
    ],
)
def test_a_linked_image_is_a_figure(tmp_path: Path, source: str, caption: str, alt: str) -> None:
    page = article(tmp_path, source + ("\n\n@fig-l" if "#fig-l" in source else ""), **{"z.svg": PIXEL})
    (figure,) = page.select("figure")
    assert said(figure.select_one("figcaption")) == caption
    assert figure.select_one("a[href='https://example.com'] > img")["alt"] == alt
    assert [said(a) for a in page.select("a.quarto-xref")] == (["図 1.1"] if "#fig-l" in source else [])


def test_captions_of_listings_and_groups_of_tables_stand_above(tmp_path: Path) -> None:
    tables = "| A |\n|---|\n| 1 |\n\n: 左 {#tbl-p1}\n\n| C |\n|---|\n| 3 |\n\n: 右 {#tbl-p2}"
    listing = '```{#lst-f .python lst-cap="印"}\nx = 1\n```'
    page = article(tmp_path, f"::: {{#tbl-p layout-ncol=2}}\n{tables}\n\n全体\n:::\n\n{listing}\n\n@tbl-p @tbl-p1 @lst-f")
    assert [said(figure.find(True, recursive=False)) for figure in page.select("figure")] == ["表 1.1: 全体", "コード 1.1: 印"]
    assert [figure.find(True, recursive=False).name for figure in page.select("figure")] == ["figcaption"] * 2
    assert [said(a) for a in page.select("a.quarto-xref")] == ["表 1.1", "表 1.1 (a)", "コード 1.1"]


def test_yaml_in_a_markdown_cell_of_its_own_is_the_chapters(tmp_path: Path) -> None:
    source = notebook(text_cell("---\ntitle: 題\ndescription: 要約\n---"), text_cell("本文"))
    page = article(tmp_path, **{"a.ipynb": source})
    assert said(page.select_one("h1")).startswith("1 題")
    assert said(page.select_one(".book-description")) == "要約"


def test_a_file_is_included_where_it_is_named(tmp_path: Path) -> None:
    files = {
        "part/_one.qmd": "## 一 {#sec-one}\n\n{{< include _two.qmd >}}\n\n後\n",
        "_two.qmd": "二 @sec-one\n",
        "part/_three.md": "三\n\n::: {.callout-note}\n四\n:::",
    }
    source = "前\n\n{{< include part/_one.qmd >}}\n\n{{< include /part/_three.md >}}\n\n```\n{{< include _two.qmd >}}\n```"
    page = article(tmp_path, source, **files)
    assert [said(p) for p in page.select("article > p")] == ["前", "二 セクション 1.1", "後", "三"]
    assert said(page.select_one(".admonition > p:last-child")) == "四"
    assert said(page.select_one("pre")) == "{{< include _two.qmd >}}"


def test_a_file_is_included_as_seen_from_the_chapter(tmp_path: Path) -> None:
    book = CONFIG.replace("a.ipynb", "part/a.qmd")
    files = {"part/_one.qmd": "{{< include sub/_two.qmd >}}", "part/sub/_two.qmd": "二"}
    site = build(make_book(tmp_path, **{"_quarto.yml": book, "part/a.qmd": "# 題\n\n{{< include _one.qmd >}}"}, **files))
    assert "<p>二</p>" in (site / "part/a.html").read_text(encoding="utf-8")


def test_margin_notes_stand_in_the_margin(tmp_path: Path) -> None:
    page = article(tmp_path, "::: {.column-margin}\n欄外\n:::\n\n[これも]{.aside} と [ここも]{.column-margin}")
    assert [said(note) for note in page.select(".aside")] == ["欄外", "これも", "ここも"]
    cell = code_cell("#| column: margin\n#| echo: false\nx", shown(svg=PIXEL))
    (note,) = cells(tmp_path / "cell", cell).select(".cell.aside")
    assert note.select("img")


def test_a_figure_may_stand_in_the_margin(tmp_path: Path) -> None:
    page = article(tmp_path, "![題](z.svg){#fig-z .column-margin}\n\n@fig-z", **{"z.svg": PIXEL})
    assert page.select("figure.aside#fig-z > img, figure.aside#fig-z img:not(.aside)")


def test_the_front_page_says_what_the_book_is_about(tmp_path: Path) -> None:
    config = CONFIG.replace("title: 見本", "title: 見本\n  subtitle: 副題\n  description: この本の説明")
    site = build(make_book(tmp_path, **{"_quarto.yml": config}))
    page = BeautifulSoup((site / "index.html").read_text(encoding="utf-8"), "html.parser")
    assert [said(p) for p in page.select(".title-block p")] == ["副題", "この本の説明"]
    assert not (site / "a.html").read_text(encoding="utf-8").count('class="book-description"')
