"""Every outside reference is in the bibliography, and the bibliography is used and dated."""

import re

import nbformat
import pytest

from tests.checks import references
from tests.checks.chapters import Manuscript
from tests.checks.report import expect_none

ENTRY = "@online{jiang2025,\n  title = {題},\n  url = {https://example.org/},\n  urldate = {2026-11-22},\n}\n"


def test_citations_and_bibliography_agree(manuscripts, root):
    expect_none(references.problems(manuscripts, root / "references.bib"))


def complaints(tmp_path, markdown, bibliography):
    path = tmp_path / "references.bib"
    path.write_text(bibliography, encoding="utf-8")
    chapter = Manuscript("chapters/00-test.ipynb", (nbformat.v4.new_markdown_cell(markdown),))
    return references.problems([chapter], path)


@pytest.mark.parametrize(
    "markdown", ["文 [@jiang2025]。", "[@jiang2025, 図1; @jiang2025]", "@jiang2025 によれば、 @fig-a の"]
)
def test_a_cited_and_dated_entry_passes(tmp_path, markdown):
    assert complaints(tmp_path, markdown, ENTRY) == []


@pytest.mark.parametrize(
    ("markdown", "bibliography", "complaint"),
    [
        ("[@nobody2020]", ENTRY, "@nobody2020 は references.bib にありません"),
        ("文。", ENTRY, "どこからも引かれていません"),
        ("`[@jiang2025]`", ENTRY, "どこからも引かれていません"),
        ("[@jiang2025]", ENTRY.replace("url = {https://example.org/},", ""), "url がありません"),
        ("[@jiang2025]", ENTRY.replace("  urldate = {2026-11-22},\n", ""), "urldate がありません"),
        ("[@jiang2025]", ENTRY.replace("  title = {題},\n", ""), "title がありません"),
        ("[@jiang2025]", ENTRY * 2, "二度あります"),
    ],
)
def test_gaps_are_found(tmp_path, markdown, bibliography, complaint):
    found = complaints(tmp_path, markdown, bibliography)
    assert any(complaint in problem for problem in found), found


def test_citations_tell_their_sources_apart(root):
    expect_none(references.ambiguous(root / "references.bib", root / "references.csl"))


TWO_OF_A_YEAR = (
    "@online{first, author = {{Apple}}, title = {One}, date = {2024-05}, urldate = {2026-11-22}}\n"
    "@online{second, author = {{Apple}}, title = {Two}, SHORT date = {2024}, urldate = {2026-11-22}}\n"
)
TWO_WITHOUT_A_YEAR = TWO_OF_A_YEAR.replace("date = {2024-05},", "").replace("date = {2024},", "")


@pytest.mark.parametrize(
    ("bibliography", "shown"),
    [(TWO_OF_A_YEAR, "（Apple 2024）"), (TWO_WITHOUT_A_YEAR, "（Apple、2026年参照）")],
)
def test_sources_that_look_the_same_are_found(tmp_path, root, bibliography, shown):
    path = tmp_path / "references.bib"
    path.write_text(bibliography.replace("SHORT", ""), encoding="utf-8")
    (found,) = references.ambiguous(path, root / "references.csl")
    assert "@first、@second" in found
    assert shown in found
    path.write_text(bibliography.replace("SHORT", "shorttitle = {Two},"), encoding="utf-8")
    assert references.ambiguous(path, root / "references.csl") == []


def test_suffixes_to_years_are_found(tmp_path, root):
    style = (root / "references.csl").read_text(encoding="utf-8")
    path = tmp_path / "suffixes.csl"
    path.write_text(style.replace("<citation ", '<citation disambiguate-add-year-suffix="true" '), encoding="utf-8")
    assert any(
        "disambiguate-add-year-suffix" in problem for problem in references.ambiguous(root / "references.bib", path)
    )


def doubled_words(markdown: str) -> list[str]:
    """References whose word would stand twice (節 6.3節) or not at all (6.3)."""
    return [found for found in re.findall(r"\[@sec-[\w-]+\](?:節|章)", markdown)]


def test_no_reference_says_its_word_twice(manuscripts):
    found = [f"{one.name}: {reference}" for one in manuscripts for reference in doubled_words(one.markdown)]
    expect_none(found)


def test_a_word_that_stands_twice_is_found():
    assert doubled_words("[@sec-a]節と[-@sec-b]節と第[-@sec-c]章") == ["[@sec-a]節"]
