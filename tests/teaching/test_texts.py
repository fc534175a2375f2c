"""What teachers read and hand out: every number computed, every link sound, every minute accounted for."""

import contextlib
import io
from math import isclose

import pytest

import hayasa
from tests.checks import prose, teaching
from tests.checks.report import expect_none
from tests.web.javascript import page_script
from tests.web.test_state import Page
from tools.teaching import FOLDER, computed, texts

TEXTS = list(texts())
LESSON = FOLDER / "90min.md"


@pytest.fixture(scope="module")
def page(root):
    return Page(page_script(root))


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.relative_to(FOLDER).as_posix())
class TestEveryText:
    def test_what_it_computes_is_what_it_shows(self, path):
        text = path.read_text(encoding="utf-8")
        assert computed(text, path.name) == text, "make teaching で計算し直してください"

    def test_its_numbers_are_computed_or_stand_in_a_chapter_it_links(self, path, manuscripts):
        expect_none(prose.problems(teaching.number_problems(path, manuscripts), []))

    def test_its_links_lead_somewhere(self, path):
        found = teaching.links(path.read_text(encoding="utf-8"))
        expect_none(
            f"{path.name}: {target}: {problem}"
            for target, _ in found
            if (problem := teaching.link_problem(path, target))
        )

    def test_the_exercises_that_it_sets_are_in_the_book(self, path, manuscripts):
        expect_none(teaching.exercise_problems(path.read_text(encoding="utf-8"), manuscripts))

    def test_it_can_be_read_without_the_book_s_tools(self, path):
        assert teaching.RAW_QUARTO.findall(path.read_text(encoding="utf-8")) == []


def answers(page: Page, search: str) -> list[float]:
    """Return the bounds that hayasa gives to the question of an address of the calculator."""
    found = page.read(search)
    assert found["problems"] == []
    asked = []

    class Asked:
        """The package, which remembers what it was asked."""

        def __getattr__(self, name):
            return getattr(hayasa, name)

        def estimate(self, *arguments, **keywords):
            asked.append(hayasa.estimate(*arguments, **keywords))
            return asked[-1]

    with contextlib.redirect_stdout(io.StringIO()):
        exec(page.ask("code", found["state"]).replace("import hayasa\n", ""), {"hayasa": Asked()})
    return [result.decode_tokens_per_s_bound for result in asked]


def test_the_calculator_says_what_the_texts_say(page):
    told = [(path, *one) for path in TEXTS for one in teaching.speeds_told(path.read_text(encoding="utf-8"))]
    assert len(told) >= 6
    expect_none(
        f"{path.name}: {search}: {quantity.text} ではなく {shown}"
        for path, search, quantity in told
        for shown in [answers(page, search)]
        if not any(isclose(quantity.value, answer, abs_tol=quantity.resolution / 2) for answer in shown)
    )


def test_every_view_of_the_calculator_is_sound(page):
    views = {
        target.partition("?")[2]
        for path in TEXTS
        for target, _ in teaching.links(path.read_text(encoding="utf-8"))
        if "calculator.html?" in target
    }
    assert len(views) >= 5
    for view in views:
        assert answers(page, f"?{view}")


def test_the_minutes_of_the_lesson_add_up():
    text = LESSON.read_text(encoding="utf-8")
    expect_none(teaching.minute_problems(text))
    assert teaching.BLOCK.findall(text)[-1][1] == "90"


def test_the_minutes_of_every_session_add_up():
    text = (FOLDER / "syllabus.md").read_text(encoding="utf-8")
    spent = teaching.session_minutes(text)
    assert len(spent) == 7  # the first has a lesson of its own
    expect_none(f"{title}: {minutes} 分です" for title, minutes in spent.items() if minutes != 90)


HANDOUTS = sorted((FOLDER / "handouts").glob("*.md"))


def test_there_is_a_handout_for_every_session():
    text = (FOLDER / "syllabus.md").read_text(encoding="utf-8")
    assert len(HANDOUTS) == len(teaching.SESSION.findall(text)) == 8
    assert all(f"](handouts/{path.name})" in text for path in HANDOUTS)


@pytest.mark.parametrize("path", HANDOUTS, ids=lambda path: path.name)
def test_a_handout_fits_one_sheet(path):
    text = path.read_text(encoding="utf-8")
    assert 25 <= teaching.lines_on_paper(text) <= teaching.LINES
    assert teaching.lines_on_paper(text + text) > teaching.LINES


# ---------------------------------------------------------------- the checks can fail


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("- （4分）それぞれ", "- （5分）それぞれ", "合いません"),
        ("### 50–59分", "### 50–58分", "合いません"),
        ("| 50–59 |", "| 50–58 |", "表"),
    ],
)
def test_lost_minutes_are_noticed(old, new, complaint):
    text = LESSON.read_text(encoding="utf-8")
    assert old in text
    found = teaching.minute_problems(text.replace(old, new))
    assert any(complaint in problem for problem in found)


def test_a_session_that_is_too_long_is_noticed():
    text = (FOLDER / "syllabus.md").read_text(encoding="utf-8")
    assert "\n| 18 | " in text
    assert set(teaching.session_minutes(text.replace("\n| 18 | ", "\n| 20 | ")).values()) == {90, 92}


@pytest.mark.parametrize(
    ("target", "complaint"),
    [
        ("../_book/chapters/03-a100.html", "ページ"),
        ("../_book/chapters/02-latency.html#sec-nowhere", "札"),
        ("../_book/notebooks/students/00-none.ipynb", "ノートブック"),
        ("handouts/00.md", "ファイル"),
        ("http://example.com", "https"),
    ],
)
def test_a_dead_link_is_noticed(target, complaint):
    assert complaint in (teaching.link_problem(LESSON, target) or "")


def test_a_stale_number_is_noticed():
    text = "```python\nprint(1935 / 3.5)\n```\n\n```text\n552.0\n```\n"
    assert "552.857" in computed(text, "x")
    with pytest.raises(AssertionError):
        computed("```python\nassert 1 > 2\n```\n\n```text\n```\n", "x")


def test_an_exercise_that_no_chapter_has_is_noticed(manuscripts):
    text = "第3章の演習「どちらを買うか」「そんな演習」、[第6章の演習](x)「宣伝文句を点検する：「4ビットで4倍」」"
    assert list(teaching.exercise_problems(text, manuscripts)) == ["第3章に、演習「そんな演習」はありません"]
