"""The article's numbers, computed here without the book's code and found in its outputs."""

from fractions import Fraction

import pytest

from tests.checks.chapters import output_texts

PARAMETERS, BATCH_SIZE = 7 * 10**9, 1
BYTES_PER_PARAMETER = Fraction(1, 2)
BANDWIDTH_BYTES_PER_S = {"A100": 1935 * 10**9, "Mac mini M4": 120 * 10**9}
PEAK_OP_PER_S = {"A100": 1248 * 10**12, "Mac mini M4": 38 * 10**12}

BY_MEMORY = {name: value / (PARAMETERS * BYTES_PER_PARAMETER) for name, value in BANDWIDTH_BYTES_PER_S.items()}
BY_COMPUTE = {name: Fraction(value, 2 * PARAMETERS * BATCH_SIZE) for name, value in PEAK_OP_PER_S.items()}


def ratio(values):
    return int(values["A100"] / values["Mac mini M4"])


EXPECTED = {
    "A100": (int(BY_MEMORY["A100"]), int(BY_COMPUTE["A100"])),
    "Mac mini M4": (int(BY_MEMORY["Mac mini M4"]), int(BY_COMPUTE["Mac mini M4"])),
    "A100 ÷ Mac mini M4": (ratio(BY_MEMORY), ratio(BY_COMPUTE)),
}


def test_the_sums_themselves():
    assert EXPECTED == {"A100": (552, 89142), "Mac mini M4": (34, 2714), "A100 ÷ Mac mini M4": (16, 32)}


def cell_outputs(manuscripts, chapter, cell_id):
    """Return what one cell of one chapter shows."""
    manuscript = next(manuscript for manuscript in manuscripts if chapter in manuscript.name)
    cell = next(cell for cell in manuscript.cells if cell.id == cell_id)
    return "\n".join(output_texts(cell))


def table_rows(text):
    """Return the rows of a pipe table as {first cell: the others}."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    return {row[0]: row[1:] for row in rows[2:]}


@pytest.mark.parametrize("name", EXPECTED)
def test_the_result_table(manuscripts, name):
    rows = table_rows(cell_outputs(manuscripts, "03-a100-vs-macmini", "tbl-result"))
    unit = "倍" if "÷" in name else ""
    assert rows[name] == [f"{value:,}{unit}" for value in EXPECTED[name]]


def test_the_input_table(manuscripts):
    rows = table_rows(cell_outputs(manuscripts, "03-a100-vs-macmini", "tbl-inputs"))
    for name in BANDWIDTH_BYTES_PER_S:
        assert rows[name] == [f"{BANDWIDTH_BYTES_PER_S[name] // 10**9} GB/s", f"{PEAK_OP_PER_S[name] // 10**12} TOPS"]


def test_the_appendix_prints_the_eight_numbers_of_the_article(manuscripts):
    text = cell_outputs(manuscripts, "d-article", "article-code-1")
    printed = [
        int(line.rpartition(": ")[2].rstrip(" トークン/秒倍").replace(",", "")) for line in text.split("\n") if line
    ]
    by_memory, by_compute = ([EXPECTED[name][view] for name in EXPECTED] for view in (0, 1))
    inputs = [ratio(BANDWIDTH_BYTES_PER_S), ratio(PEAK_OP_PER_S)]
    assert printed == [*inputs, *by_memory, *by_compute]


def test_the_memory_hierarchy(manuscripts):
    rows = table_rows(cell_outputs(manuscripts, "01-memory-hierarchy", "tbl-hierarchy"))
    assert {"19 TB/s", "20 MB"} <= set(rows["SRAM"])
    assert {"1.5 TB/s", "40 GB"} <= set(rows["HBM"])
    assert "12.8 GB/s" in rows["DRAM"] and any(cell.startswith("1 TB") for cell in rows["DRAM"])


def test_the_front_page_shows_the_same_machines(manuscripts):
    front = next(manuscript for manuscript in manuscripts if manuscript.name == "index.qmd").markdown
    for number in ("1935 GB/s", "120 GB/s", "1248 TOPS", "38 TOPS", "16倍", "32倍"):
        assert number in front, number
