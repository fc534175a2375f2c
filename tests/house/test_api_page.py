"""The page of hayasa's functions says what the docstrings say."""

import griffe

from tools import api_page


def test_the_page_is_up_to_date():
    assert api_page.PAGE.read_text(encoding="utf-8") == api_page.page(), "make api で作り直してください"


def test_every_public_name_is_on_it():
    import hayasa

    page = api_page.page()
    missing = [name for name in hayasa.__all__ if f"### `{name}` " not in page]
    assert missing == []


def test_a_changed_docstring_is_noticed(monkeypatch, tmp_path, capsys):
    stale = tmp_path / "api.qmd"
    stale.write_text(
        api_page.page().replace("Time to read every weight", "Time to write every weight"), encoding="utf-8"
    )
    monkeypatch.setattr(api_page, "PAGE", stale)
    assert api_page.main(["--check"]) == 1
    assert "make api" in capsys.readouterr().err


def test_docstrings_become_markdown():
    text = "Bytes :math:`n_b` of ``x``.\n\n.. math:: t = \\frac{a}{b}\n\nEnd."
    assert api_page.markdown(text) == "Bytes $n_b$ of `x`.\n\n$$\nt = \\frac{a}{b}\n$$\n\nEnd."


def test_a_call_names_its_parameters_and_what_they_are_by_default():
    source = """
def short(a: float, *, b: float = 1.0, **more: str) -> float:
    'Text.'


def with_a_longer_name(first: float, *, second_parameter_with_a_long_name: float = 1.0) -> float:
    'Text.'
"""
    with griffe.temporary_visited_module(source) as module:
        assert api_page.signature(module["short"], "short") == "short(a, *, b=1.0, **more) -> float"
        lines = api_page.signature(module["with_a_longer_name"], "with_a_longer_name").split("\n")
        assert lines == ["with_a_longer_name(first, *,", "    second_parameter_with_a_long_name=1.0) -> float"]
