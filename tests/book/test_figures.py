"""Figures and tables can be read by those who do not see them."""

import nbformat
import pytest

from tests.checks import figures
from tests.checks.chapters import Manuscript
from tests.checks.report import expect_none


def test_every_figure_and_table_is_described(manuscripts):
    expect_none(problem for manuscript in manuscripts for problem in figures.problems(manuscript))


def test_there_are_figures_to_check(manuscripts):
    cells = [cell for manuscript in manuscripts for cell in manuscript.code_cells]
    assert sum("image/svg+xml" in output.get("data", {}) for cell in cells for output in cell.outputs) >= 3


def test_no_generated_image_is_stored(root):
    # Services that show a link, and shops for books, take no SVG; test_share_picture.py draws these two anew.
    images = [
        path.name
        for path in (root / "images").iterdir()
        if path.suffix != ".svg" and path.name not in ("share.png", "cover.png")
    ]
    assert images == []


ALT = "#| fig-alt: AとBの棒グラフ。Aの棒がBの棒の16倍長いことがわかる。\n"


def cell(options, **data):
    output = nbformat.v4.new_output("display_data", {name.replace("_", "/"): value for name, value in data.items()})
    return nbformat.v4.new_code_cell(options + "draw()", outputs=[output])


def complaints(*cells):
    return figures.problems(Manuscript("chapters/00-test.ipynb", cells))


SVG = {"image_svg+xml": "<svg/>"}
TABLE = {"text_markdown": "| a |\n|--:|\n| 1 |"}


def test_described_figures_and_tables_pass():
    markdown = nbformat.v4.new_markdown_cell('![題](a.svg){#fig-a fig-alt="重みがDRAMからHBM、SRAMへ運ばれる道のり。"}')
    figure = cell("#| label: fig-a\n#| fig-cap: 題\n" + ALT, **SVG)
    assert complaints(markdown, figure, cell("#| label: tbl-a\n#| tbl-cap: 題\n", **TABLE)) == []


@pytest.mark.parametrize(
    ("made", "complaint"),
    [
        (cell("#| label: fig-a\n#| fig-cap: 題\n", **SVG), "fig-alt がありません"),
        (cell("#| label: fig-a\n#| fig-cap: 題\n#| fig-alt: 題\n", **SVG), "図の題と同じ"),
        (cell("#| label: fig-a\n#| fig-cap: 題\n#| fig-alt: 棒グラフ\n", **SVG), "短すぎます"),
        (cell("#| label: fig-a\n" + ALT, **SVG), "fig-cap"),
        (cell("#| fig-cap: 題\n" + ALT, **SVG), "label: fig-"),
        (cell("#| tbl-cap: 題\n", **TABLE), "label: tbl-"),
        (cell("#| label: tbl-a\n", **TABLE), "tbl-cap"),
        (nbformat.v4.new_markdown_cell("![題](a.svg)"), "fig-alt がありません"),
        (nbformat.v4.new_markdown_cell('![題](a.svg){#fig-a fig-alt=""}'), "fig-alt がありません"),
    ],
)
def test_missing_descriptions_are_found(made, complaint):
    found = complaints(made)
    assert any(complaint in problem and "00-test.ipynb" in problem for problem in found), found
