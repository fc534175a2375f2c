"""Every outside reference is in the bibliography, and the bibliography is used and dated."""

import re

import nbformat
import pytest

from tests.checks import references
from tests.checks.chapters import Manuscript, without_code
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


def test_the_list_of_references_stands_beneath_its_heading(manuscripts):
    """Both engines put a page's list at its end, under whatever heading stands there."""
    last = {
        one.name: re.findall(r"(?m)^## (\S+)", without_code(one.markdown))[-1:]
        for one in manuscripts
        if references.cited_keys(one)
    }
    assert len(last) > 10
    expect_none(f"{name}: 最後の節は「出典」ではなく{heading}" for name, heading in last.items() if heading != ["出典"])


def doubled_words(markdown: str) -> list[str]:
    """References whose word would stand twice (節 6.3節) or not at all (6.3)."""
    return [found for found in re.findall(r"\[@sec-[\w-]+\](?:節|章)", markdown)]


def test_no_reference_says_its_word_twice(manuscripts):
    found = [f"{one.name}: {reference}" for one in manuscripts for reference in doubled_words(one.markdown)]
    expect_none(found)


def test_a_word_that_stands_twice_is_found():
    assert doubled_words("[@sec-a]節と[-@sec-b]節と第[-@sec-c]章") == ["[@sec-a]節"]
