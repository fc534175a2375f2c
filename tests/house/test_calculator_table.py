"""The table of common choices in the calculator's page says what hayasa says."""

import pytest

import hayasa
from tools import calculator_table


def test_the_table_is_up_to_date():
    assert calculator_table.main(["--check"]) == 0, "make calculator-table で作り直してください"


@pytest.fixture
def page(monkeypatch, tmp_path):
    """Give the tool a copy of the page."""
    copy = tmp_path / "calculator.qmd"
    copy.write_text(calculator_table.PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(calculator_table, "PAGE", copy)
    return copy


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("～", "～1"),
        ("| ― |", "| 99 |"),
        ("RTX 3060、12 GB", "RTX 3060、16 GB"),
        ("、Q4_K_M |", "、Q8_0 |"),
    ],
)
def test_a_changed_cell_is_noticed(page, capsys, old, new):
    text = page.read_text(encoding="utf-8")
    assert old in text
    page.write_text(text.replace(old, new, 1), encoding="utf-8")
    assert calculator_table.main(["--check"]) == 1
    assert "make calculator-table" in capsys.readouterr().err
    # Writing it mends it, and nothing else on the page.
    assert calculator_table.main([]) == 0
    assert page.read_text(encoding="utf-8") == text


def test_a_changed_estimate_is_noticed(page, monkeypatch):
    estimate = hayasa.estimate
    monkeypatch.setattr(
        hayasa, "estimate", lambda *choice, **more: estimate(*choice, **more | {"context_length": 65536})
    )
    assert calculator_table.main(["--check"]) == 1


def test_a_page_without_a_place_for_the_table_is_noticed(page, capsys):
    page.write_text(page.read_text(encoding="utf-8").replace("早見表の終わり", "終わり"), encoding="utf-8")
    assert calculator_table.main(["--check"]) == 1
    assert "注釈" in capsys.readouterr().err


def test_what_does_not_fit_has_a_dash():
    rows = {line.split(" | ")[0]: line.split(" | ")[1:] for line in calculator_table.table().splitlines()}
    small, large = rows["| M2（GPU 8コア）、16 GB"], rows["| M3 Ultra（GPU 80コア）、256 GB"]
    assert [cell.strip(" |") == "―" for cell in small] == [False, False, True, True]
    assert not any("―" in cell for cell in large)
