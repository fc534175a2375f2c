"""Every number with a unit in the prose is computed by a cell, cited, or excused with a reason."""

import tomllib
from functools import reduce
from operator import or_
from pathlib import Path

import nbformat
import pytest

from tests.checks import prose
from tests.checks.chapters import Manuscript
from tests.checks.report import expect_none

# Its numbers belong to examples in docstrings, which are run as doctests.
GENERATED = {"api.qmd"}
EXCEPTIONS = Path(__file__).with_name("prose_exceptions.toml")


def test_numbers_in_prose_are_computed_or_cited(manuscripts):
    everywhere = reduce(or_, (prose.computed(manuscript) for manuscript in manuscripts))
    found = []
    for manuscript in (without_quiz(m) for m in manuscripts if m.name not in GENERATED):
        # A page without cells speaks of what the chapters compute.
        numbers = prose.computed(manuscript) if manuscript.code_cells else everywhere
        found += [(manuscript.name, *item) for item in prose.unsupported(manuscript, numbers)]
    exceptions = tomllib.loads(EXCEPTIONS.read_text(encoding="utf-8")).get("exception", [])
    expect_none(prose.problems(found, exceptions))


def without_quiz(manuscript: Manuscript) -> Manuscript:
    """Leave out the questions, whose wrong choices are wrong; tests/teaching holds what they say to be true."""
    cells = (cell for cell in manuscript.cells if not cell.id.startswith("sec-quiz-"))
    return Manuscript(manuscript.name, tuple(cells))


def test_there_are_numbers_to_check(manuscripts):
    checked = [
        quantity
        for manuscript in manuscripts
        for sentence in prose.sentences(manuscript)
        for quantity in prose.quantities(sentence)
        if not quantity.says_nothing
    ]
    assert len(checked) > 100


def chapter(markdown, source="", output="", **options):
    cells = [nbformat.v4.new_markdown_cell(markdown)]
    header = "".join(f'#| {name.replace("_", "-")}: "{value}"\n' for name, value in options.items())
    outputs = [nbformat.v4.new_output("stream", text=output)] if output else []
    cells.append(nbformat.v4.new_code_cell(header + source, outputs=outputs))
    return Manuscript("chapters/00-test.ipynb", tuple(cells))


def numbers_without_support(*args, **options):
    made = chapter(*args, **options)
    return [number for number, _ in prose.unsupported(made, prose.computed(made))]


@pytest.mark.parametrize(
    ("markdown", "source", "output"),
    [
        ("速さは552 トークン/秒です。", "", "552 トークン/秒"),
        ("帯域幅は1,935 GB/sです。", "b = 1935e9", ""),
        ("帯域幅は1.935 TB/sです。", "", "1935 GB/s"),
        ("帯域幅は1935 GB/sです。", "", "| 帯域幅 (GB/s) | 1935 |"),
        ("時間は1.81 msです。", "", "1.81 ms"),
        ("時間は1.81ミリ秒です。", "", "1.81 ms"),
        ("1秒に16億回です。", "n = 1600e6", ""),
        ("速さは約190 トークン/秒です。", "", "190.88 トークン/秒"),
        ("割合は77%です。", "", "割合 0.77"),
        ("割合は77%です。", "", "77%"),
        ("割合は50 GB/sの半分です。", "b = 50e9", ""),
        ("A100は552 トークン/秒です [@jiang2025]。", "", ""),
        ("552 トークン/秒です [@jiang2025]。\n552 トークン/秒でした。", "", ""),
        ("`552 GB/s` と $552$ と第2章とM4、int4、Q4_0、7B、2025年。", "", ""),
        ("```\n552 GB/s\n```", "", ""),
        ("1秒に1回、3個ずつ。", "", ""),
    ],
)
def test_supported_numbers_pass(markdown, source, output):
    assert numbers_without_support(markdown, source, output) == []


@pytest.mark.parametrize(
    ("markdown", "source", "output", "expected"),
    [
        ("速さは553 トークン/秒です。", "", "552 トークン/秒", ["553 トークン/秒"]),
        ("帯域幅は1935 GB/sです。", "", "1935 MB/s", ["1935 GB/s"]),
        ("比は7倍です。", "", "16倍", ["7 倍"]),
        ("速さは190 トークン/秒です。", "", "190.88 トークン/秒", ["190 トークン/秒"]),
        ("速さは約180 トークン/秒です。", "", "190.88 トークン/秒", ["180 トークン/秒"]),
        ("帯域幅は1935 GB/sです。", "label = '1935 GB/s'", "", ["1935 GB/s"]),
        ("速さは、553 トークン/秒です。\n別の文 [@jiang2025]。", "", "", ["553 トークン/秒"]),
        ("章 @sec-x の553 GB/sです。", "", "", ["553 GB/s"]),
        ("| 表 | 553 GB/s |", "", "", ["553 GB/s"]),
        ("108個あります。", "", "", ["108 個"]),
        ("差は1.6倍です。", "ax.set(ylim=(1.6, 0))", "1.7倍", ["1.6 倍"]),
        ("割合は77%です。", "r = 0.77", "", ["77 %"]),
    ],
)
def test_unsupported_numbers_are_found(markdown, source, output, expected):
    assert numbers_without_support(markdown, source, output) == expected


def test_captions_and_alt_texts_are_prose():
    options = {"fig_cap": "帯域幅は553 GB/s", "fig_alt": "棒が99 msまで伸びる"}
    assert numbers_without_support("文。", "", **options) == ["553 GB/s", "99 ms"]
    alt = '![題](a.svg){#fig-a fig-alt="棒が99 msまで伸びる"}'
    assert numbers_without_support(alt) == ["99 ms"]


def test_literals_of_a_figure_support_nothing():
    source = "ax.set(xlim=(0, 60)); ax.text(180, 0.02, 'B')"
    assert numbers_without_support("60 msで180 GB/s。", source) == []
    assert numbers_without_support("60 msで180 GB/s。", source, label="fig-a") == ["60 ms", "180 GB/s"]


def test_a_number_counts_only_in_its_own_chapter(manuscripts):
    made = chapter("速さは552 トークン/秒です。")
    assert prose.unsupported(made, prose.computed(made)) != []


def test_exceptions_need_a_reason_and_a_use():
    found = [("a.ipynb", "7 倍", "比は7倍です。")]
    excused = {"file": "a.ipynb", "number": "7 倍", "reason": "元記事の誤りを引いている"}
    assert prose.problems(found, [excused]) == []
    assert "結果にもなく" in prose.problems(found, [])[0]
    assert "使われていません" in prose.problems([], [excused])[0]
    assert "理由がありません" in prose.problems(found, [excused | {"reason": " "}])[0]
