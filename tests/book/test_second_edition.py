"""Words, exercises and code of the pages that were rewritten for readers; the others follow."""

import ast
import re

import nbformat
import pytest

from tests.checks.chapters import Manuscript, options
from tests.checks.prose import sentences
from tests.checks.report import expect_none

PART_ONE = ("chapters/01-memory-hierarchy.ipynb", "chapters/02-latency.ipynb", "chapters/03-a100-vs-macmini.ipynb")
# What quotes the article's own words.
QUOTING = {"chapters/d-article.ipynb"}

WORDS_TABLE = re.compile(r"^\| 使わない語 .*\n\|[-:| ]+\|\n((?:\|.*\n)+)", re.MULTILINE)
EXERCISE = re.compile(r"^::: \{#(exr-[\w-]+)\}\n## .+\n(.*)", re.MULTILINE)
EFFORT = re.compile(r"(★☆☆|★★☆|★★★) \d+分")

# What the front page promises is arithmetic, `for`, dictionaries and functions.
BEYOND_THE_PROMISE = (
    ast.Import,
    ast.ImportFrom,
    ast.ClassDef,
    ast.Lambda,
    ast.ListComp,
    ast.DictComp,
    ast.SetComp,
    ast.GeneratorExp,
    ast.Try,
    ast.With,
    ast.While,
    ast.Yield,
    ast.Assert,
    ast.Starred,
)


@pytest.fixture(scope="module")
def rules(root):
    """Return (words not to be used, what to write, where they may stand) from the rules of writing."""
    table = WORDS_TABLE.search((root / "STYLE.md").read_text(encoding="utf-8"))
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table[1].splitlines()]
    return [(words.split("、"), instead, [*filter(None, allowed.split("、"))]) for words, instead, allowed in rows]


def word_problems(manuscript, rules):
    for sentence in sentences(manuscript):
        for words, instead, allowed in rules:
            rest = sentence
            for phrase in allowed:
                rest = rest.replace(phrase, "")
            for word in words:
                if word in rest:
                    yield f"{manuscript.name}: {word} → {instead}: {sentence.strip()}"


def exercise_problems(manuscript):
    found = EXERCISE.findall(manuscript.markdown)
    if manuscript.name.startswith(("chapters/0", "chapters/1")) and len(found) < 3:
        yield f"{manuscript.name}: 演習が三つありません"
    for label, line in found:
        if not EFFORT.fullmatch(line):
            yield f"{manuscript.name}: {label}: 題の次の行に、難しさと時間を「★★☆ 8分」と書いてください"


def is_folded(cell):
    given = options(cell)
    return given.get("code-fold") is True or given.get("echo") is False


def code_problems(manuscript):
    for cell in manuscript.code_cells:
        nodes = [] if is_folded(cell) else ast.walk(ast.parse(cell.source))
        beyond = {type(node).__name__ for node in nodes if isinstance(node, BEYOND_THE_PROMISE)}
        if beyond:
            yield f"{manuscript.name}: {cell.get('id')}: 約束していない書き方です: {'、'.join(sorted(beyond))}"


def of(manuscripts, names):
    chosen = [manuscript for manuscript in manuscripts if manuscript.name in names]
    assert len(chosen) == len(names)
    return chosen


def rewritten(manuscripts):
    of(manuscripts, QUOTING)
    return [manuscript for manuscript in manuscripts if manuscript.name not in QUOTING]


def test_words_not_to_be_used_are_not_used(manuscripts, rules):
    assert len(rules) > 10
    expect_none(problem for manuscript in rewritten(manuscripts) for problem in word_problems(manuscript, rules))


def test_every_exercise_says_how_long_and_how_hard(manuscripts):
    expect_none(problem for manuscript in rewritten(manuscripts) for problem in exercise_problems(manuscript))


def test_part_one_shows_only_what_the_front_page_promises(manuscripts):
    expect_none(problem for manuscript in of(manuscripts, PART_ONE) for problem in code_problems(manuscript))


def chapter(markdown="", *sources):
    cells = [nbformat.v4.new_markdown_cell(markdown), *map(nbformat.v4.new_code_cell, sources)]
    return Manuscript("chapters/00-test.ipynb", tuple(cells))


@pytest.mark.parametrize(
    "text", ["速いマシンです。", "レイテンシが長い。", "30 t/sです。", "仮想マシンとマシン。", "1回に読む量です。"]
)
def test_a_word_is_noticed(rules, text):
    assert len([*word_problems(chapter(text), rules)]) == 1


@pytest.mark.parametrize(
    "text", ["速い機械です。", "レイテンシーが長い。", "仮想マシンです。", "`tok/s` と書く。", "重みを読み出す量。"]
)
def test_other_words_pass(rules, text):
    assert [*word_problems(chapter(text), rules)] == []


def test_an_exercise_without_effort_is_noticed():
    with_effort = "::: {#exr-a}\n## 題\n★★☆ 8分\n\n文。\n:::\n"
    without = "::: {#exr-b}\n## 題\n文。\n:::\n"
    assert [*exercise_problems(chapter(with_effort * 3, "1"))] == []
    assert "exr-b" in next(exercise_problems(chapter(with_effort * 3 + without, "1")))
    assert "三つ" in next(exercise_problems(chapter(with_effort, "1")))


@pytest.mark.parametrize("source", ["import math", "[x for x in y]", "assert x", "f = lambda x: x", "class A: pass"])
def test_code_beyond_the_promise_is_noticed_unless_it_is_folded(source):
    assert len([*code_problems(chapter("", source))]) == 1
    assert [*code_problems(chapter("", "#| code-fold: true\n" + source))] == []
