"""Tables of the chapters: how a frame is shown, and where its data comes from."""

import re

import nbformat
import pandas as pd
import pytest

from hayasa.book.tables import show, table
from tests.checks.chapters import Manuscript
from tests.checks.report import expect_none

# The tables of `data/` are read in one place, which checks them and knows where they are.
READS_A_FILE = re.compile(r"\b(?:open|read_csv|read_text|read_rows|data_directory)\(")


def reading_files(manuscript):
    return [
        f"{manuscript.name}: {cell.id}: データは hayasa を通して読んでください: {found.group()}"
        for cell in manuscript.code_cells
        for found in READS_A_FILE.finditer(cell.source)
    ]


def test_chapters_read_data_through_hayasa(manuscripts):
    expect_none(problem for manuscript in manuscripts for problem in reading_files(manuscript))


def test_a_chapter_that_reads_a_file_is_noticed():
    cell = nbformat.v4.new_code_cell('rows = read_rows(data_directory() / "devices.csv")')
    assert len(reading_files(Manuscript("chapters/00-test.ipynb", (cell,)))) == 2


def shown(frame, formats=None):
    """Return the cells of a shown frame, and how its columns are aligned."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in show(frame, formats).data.splitlines()]
    aligned = "".join("r" if cell.endswith(":") else "l" for cell in rows.pop(1))
    return rows, aligned


MACHINES = pd.DataFrame({"機械": ["A100", "M4"], "BW": [1935.0, None], "層": ["1/2", "3"]})


def test_numbers_stand_right_and_text_left():
    assert shown(MACHINES) == ([["機械", "BW", "層"], ["A100", "1935.0", "1/2"], ["M4", "—", "3"]], "lrl")


def test_what_has_a_format_stands_right():
    rows, aligned = shown(MACHINES, {"BW": "{:,.0f} GB/s", "層": "{}層"})
    assert (rows[1], rows[2], aligned) == (["A100", "1,935 GB/s", "1/2層"], ["M4", "—", "3層"], "lrr")


def test_one_format_is_for_every_column_but_the_index():
    frame = pd.DataFrame({"I": [0.5], "B*": [1.0]}, index=pd.Index(["M4"], name="機械"))
    assert shown(frame, "{:.0%}") == ([["機械", "I", "B*"], ["M4", "50%", "100%"]], "lrr")


def test_an_index_without_a_name_is_not_shown():
    assert shown(pd.DataFrame({"B": [1, 2]}, index=["x", "y"])) == ([["B"], ["1"], ["2"]], "r")


def test_every_level_of_an_index_can_have_a_format():
    frame = pd.DataFrame({"v": [1]}, index=pd.MultiIndex.from_tuples([(4096, 2)], names=["文脈長", "B"]))
    assert shown(frame, {"文脈長": "{:,}"})[0] == [["文脈長", "B", "v"], ["4,096", "2", "1"]]


def test_two_columns_may_have_one_title():
    frame = pd.DataFrame([[1, 2]], columns=["機種", "機種"])
    assert shown(frame, "{}個")[0] == [["機種", "機種"], ["1個", "2個"]]


def test_a_format_for_no_column_is_refused():
    with pytest.raises(ValueError, match=r"\['帯域'\]。列: \['機械', 'BW', '層'\]"):
        show(MACHINES, {"帯域": "{:.0f}"})


@pytest.mark.parametrize(("rows", "align"), [([("a", "b")], "l"), ([("a", "b")], "lx"), ([("a",)], "ll")])
def test_rows_that_do_not_fit_are_refused(rows, align):
    with pytest.raises(ValueError, match="列"):
        table(["x", "y"], rows, align=align)
