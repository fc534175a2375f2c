"""The resolving layer by itself: structure, numbers, references, citations."""

from __future__ import annotations

import string
from pathlib import Path

import panflute as pf
import pytest
from books import CONFIG, PIXEL, code_cell, make_book, notebook, raw_cell, shown, text_cell
from hypothesis import given
from hypothesis import strategies as st

from press.build import read, resolve
from press.cache import Cache
from press.problems import Problems
from press.read.config import read_book
from press.resolve.kinds import kind_of
from press.resolve.page import Page
from press.resolve.references import relative
from press.resolve.structure import _Structure


def pages_of(folder: Path) -> list[Page]:
    problems = Problems()
    book, cache = read_book(folder, problems), Cache(folder / ".press")
    pages = resolve(book, read(book, cache, problems), cache, problems)
    problems.stop_if_any()
    return pages


def chapter(tmp_path: Path, *cells: dict, **files: str) -> Page:
    return pages_of(make_book(tmp_path, **{"a.ipynb": notebook(text_cell("# 題 {#sec-a}"), *cells), **files}))[1]


def links(page: Page) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    pf.Doc(*page.blocks).walk(
        lambda el, doc: (
            found.append((el.url, pf.stringify(el).replace("\u00a0", " "))) if isinstance(el, pf.Link) else None
        )
    )
    return found


def all_of(page: Page, kind: type) -> list:
    found: list = []
    pf.Doc(*page.blocks).walk(lambda el, doc: found.append(el) if isinstance(el, kind) else None)
    return found


@pytest.mark.parametrize(
    ("label", "kind"),
    [
        ("fig-a", "fig"),
        ("Fig-a", "fig"),
        ("sec-日本", "sec"),
        ("figure", None),
        ("dao2022", None),
        ("exr-1", "exr"),
        ("fig-", None),
    ],
)
def test_the_kind_of_a_label_is_its_prefix(label: str, kind: str | None) -> None:
    assert kind_of(label) == kind


def test_numbers_count_by_chapter_and_kind(tmp_path: Path) -> None:
    page = chapter(
        tmp_path,
        text_cell("$$a$$ {#eq-a}\n\n$$b$$ {#eq-b}\n\n| x |\n|---|\n| 1 |\n\n: 表 {#tbl-x}"),
        code_cell("#| label: fig-x\n#| fig-cap: 図\nx", shown(svg=PIXEL)),
        text_cell("@eq-a @eq-b @tbl-x @fig-x [-@fig-x] [数 @fig-x] @sec-a"),
    )
    assert [text for _, text in links(page)] == [
        "式 1.1",
        "式 1.2",
        "表 1.1",
        "図 1.1",
        "1.1",
        "数 1.1",
        "チャプター 1",
    ]


def test_a_reference_leads_to_the_other_page(tmp_path: Path) -> None:
    page = chapter(
        tmp_path, text_cell("$$a$$ {#eq-a}"), **{"references.qmd": "# 文献\n\n::: {#refs}\n:::\n\n@eq-a と @sec-a"}
    )
    assert page.number == "1"
    references = pages_of(tmp_path)[2]
    assert links(references) == [("a.html#eq-a", "式 1.1"), ("a.html", "チャプター 1")]


def test_unnumbered_pages_number_without_a_chapter(tmp_path: Path) -> None:
    make_book(tmp_path, **{"index.qmd": "# はじめに {.unnumbered}\n\n$$a$$ {#eq-a}\n\n@eq-a と @sec-a\n"})
    assert [text for _, text in links(pages_of(tmp_path)[0])] == ["式 1", "1 題"]


def test_a_notebook_is_numbered_whatever_its_heading_says(tmp_path: Path) -> None:
    make_book(tmp_path, **{"a.ipynb": notebook(text_cell("# 題 {#sec-a .unnumbered}"))})
    assert pages_of(tmp_path)[1].number == "1"


def test_headings_in_boxes_have_no_number(tmp_path: Path) -> None:
    page = chapter(tmp_path, text_cell("## 節\n\n::: {.callout-note}\n## 題\n\n### 中\n:::\n\n## 次"))
    numbers = [pf.stringify(h) for h in all_of(page, pf.Header)]
    assert numbers == ["1.1 節", "中", "1.2 次"]


def test_a_box_over_several_cells_holds_them(tmp_path: Path) -> None:
    page = chapter(
        tmp_path,
        text_cell('::: {.callout-tip collapse="true"}\n## 解答\n'),
        code_cell("1 + 1", shown(text="2")),
        text_cell(":::"),
    )
    (box,) = [d for d in all_of(page, pf.Div) if "callout" in d.classes]
    assert [c.text for c in _code(box)] == ["1 + 1", "2"]


def _code(el: pf.Element) -> list[pf.CodeBlock]:
    found: list[pf.CodeBlock] = []
    el.walk(lambda e, doc: found.append(e) if isinstance(e, pf.CodeBlock) else None)
    return found


@pytest.mark.parametrize(
    ("options", "codes"),
    [
        ("#| echo: false\n", ["2"]),
        ("#| output: false\n", ["1 + 1"]),
        ("#| include: false\n", []),
        ("", ["1 + 1", "2"]),
    ],
)
def test_what_of_a_cell_is_shown(tmp_path: Path, options: str, codes: list[str]) -> None:
    page = chapter(tmp_path, code_cell(f"{options}1 + 1", shown(text="2")))
    assert [c.text for c in all_of(page, pf.CodeBlock)] == codes


def test_alt_text_is_what_the_cell_says_else_its_caption(tmp_path: Path) -> None:
    page = chapter(
        tmp_path,
        code_cell("#| label: fig-a\n#| fig-cap: 題\n#| fig-alt: 読み上げ\nx", shown(svg=PIXEL)),
        code_cell("#| label: fig-b\n#| fig-cap: 題だけ\nx", shown(svg=PIXEL)),
        text_cell('![絵の題](x.svg){#fig-c fig-alt="手書きの説明"}'),
        **{"x.svg": PIXEL},
    )
    assert [pf.stringify(i) for i in all_of(page, pf.Image)] == ["読み上げ", "題だけ", "手書きの説明"]


def test_a_stored_html_table_becomes_a_table_with_its_label(tmp_path: Path) -> None:
    html = "<style>x</style><table><thead><tr><th>a</th></tr></thead><tbody><tr><td>1</td></tr></tbody></table>"
    page = chapter(tmp_path, code_cell("#| label: tbl-a\n#| tbl-cap: 題\nx", shown(html=html, text="x")))
    (table,) = all_of(page, pf.Table)
    assert (table.identifier, pf.stringify(table.caption).replace("\u00a0", " ")) == ("tbl-a", "表 1.1: 題")


NUMBERS = """<style xmlns="http://purl.org/net/xbiblio/csl" class="in-text" version="1.0">
<info><title>n</title><id>n</id><updated>2026-01-01T00:00:00+00:00</updated></info>
<citation><layout delimiter=","><text variable="citation-number"/></layout></citation>
<bibliography><layout><text variable="citation-number" suffix=" "/><text variable="title"/></layout></bibliography>
</style>"""


def test_years_are_told_apart_over_the_whole_book(tmp_path: Path) -> None:
    bibliography = "@article{a, title={A}, author={Dao, Tri}, year={2022}}\n@article{b, title={B}, author={Dao, Tri}, year={2022}}\n"
    make_book(
        tmp_path,
        **{
            "index.qmd": "# 序 {.unnumbered}\n\n[@a]\n",
            "a.ipynb": notebook(text_cell("# 題\n\n[@b]")),
            "references.bib": bibliography,
        },
    )
    first, second, listed = pages_of(tmp_path)
    assert links(first) == [("references.html#ref-a", "Dao 2022年a")]
    assert links(second) == [("references.html#ref-b", "Dao 2022年b")]
    assert len([d for d in all_of(listed, pf.Div) if "csl-entry" in d.classes]) == 2


def test_without_a_place_for_the_whole_books_list_each_page_has_its_own(tmp_path: Path) -> None:
    """As in Quarto 1.10: numbers begin anew on each page, and `nocite` lists what is not cited."""
    bibliography = "".join(f"@online{{{key}, title={{{key.upper()}}}}}\n" for key in "abc")
    make_book(
        tmp_path,
        **{
            "index.qmd": "# 序 {.unnumbered}\n\n[@a; @c]\n",
            "a.ipynb": notebook(text_cell("# 題\n\n[@b] と [@a]\n\n## 出典")),
            "references.qmd": '---\nnocite: "@*"\n---\n\n# 参考文献 {.unnumbered}\n',
            "references.bib": bibliography,
            "numbers.csl": NUMBERS,
            "_quarto.yml": CONFIG + "csl: numbers.csl\n",
        },
    )
    first, second, listed = pages_of(tmp_path)
    assert links(first) == [("#ref-a", "1"), ("#ref-c", "2")]
    assert links(second) == [("#ref-b", "1"), ("#ref-a", "2")]
    entries = [
        [pf.stringify(el).strip() for el in all_of(page, pf.Div) if "csl-entry" in el.classes]
        for page in (first, second, listed)
    ]
    assert entries == [["1 A", "2 C"], ["1 B", "2 A"], ["1 A", "2 B", "3 C"]]
    assert second.anchors >= {"ref-a", "ref-b"}
    assert second.blocks[-1].identifier == "refs"  # beneath the last heading


def test_a_page_without_citations_has_no_list(tmp_path: Path) -> None:
    make_book(tmp_path, **{"a.ipynb": notebook(text_cell("# 題\n\n[@dao2022]")), "references.qmd": "# 索引\n"})
    first, second, last = pages_of(tmp_path)
    assert [bool([d for d in all_of(page, pf.Div) if d.identifier == "refs"]) for page in (first, second, last)] == [
        False,
        True,
        False,
    ]


def test_only_what_is_for_html_is_left(tmp_path: Path) -> None:
    page = chapter(
        tmp_path,
        text_cell(
            '::: {.content-visible when-format="pdf"}\n紙 \\newpage @fig-none\n:::\n\n::: {.content-hidden when-format="pdf"}\n画面\n:::'
        ),
    )
    assert "".join(pf.stringify(b) for b in page.blocks).strip() == "画面"


@pytest.mark.parametrize(
    ("options", "count", "rows"),
    [
        ({"layout-ncol": 2}, 3, [[1, 1], [1, 1]]),
        ({"layout-nrow": 2}, 3, [[1, 1], [1, 1]]),
        ({"layout": "[[1,1],[1]]"}, 3, [[1, 1], [1]]),
        ({"layout": [[30, -10, 60]]}, 3, [[30, 10, 60]]),
        ({"layout": "[1]"}, 2, [[1], [1]]),
    ],
)
def test_layout_rows(options: dict, count: int, rows: list) -> None:
    assert _Structure._layout_rows(None, options, count) == rows  # type: ignore[arg-type]


names = st.text(string.ascii_lowercase, min_size=1, max_size=4)


@given(st.lists(names, max_size=3), names, st.lists(names, max_size=3), names)
def test_relative_addresses_lead_back(folders: list[str], page: str, others: list[str], target: str) -> None:
    here, there = "/".join([*folders, f"{page}.html"]), "/".join([*others, f"{target}.html"])
    steps = [*folders, *relative(here, there).split("/")]
    while ".." in steps:
        at = steps.index("..")
        del steps[at - 1 : at + 1]
    assert "/".join(steps) == there


def test_english_books_speak_english(tmp_path: Path) -> None:
    config = CONFIG.replace("lang: ja", "lang: en")
    page = chapter(tmp_path, text_cell("$$a$$ {#eq-a}\n\n@eq-a"), **{"_quarto.yml": config})
    assert links(page) == [("#eq-a", "Equation 1.1")]


@pytest.mark.parametrize(
    "front_matter", ["code-fold: true", "format: {html: {code-fold: true}}", "format: {html: {code-fold: show}}"]
)
def test_a_chapter_may_fold_its_code(tmp_path: Path, front_matter: str) -> None:
    source = notebook(raw_cell(f"---\n{front_matter}\n---"), text_cell("# 題"), code_cell("1", shown(text="1")))
    page = pages_of(make_book(tmp_path, **{"a.ipynb": source}))[1]
    (fold,) = [d for d in all_of(page, pf.Div) if "fold" in d.classes]
    assert fold.attributes["open"] == str("show" in front_matter).lower()
