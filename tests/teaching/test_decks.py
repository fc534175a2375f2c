"""The slides of the course: a deck for each session, every minute accounted for, every number computed."""

import re
from itertools import accumulate, pairwise

import pytest

from tests.checks import prose, teaching
from tests.checks.report import expect_none
from tools.slide_figures import ASKED, SLIDES, stored_figures
from tools.teaching import FOLDER

DECKS = sorted(SLIDES.glob("*.qmd"))
# The first lesson has texts of its own for its numbers; the handouts' answers are of all sessions.
LESSON, ANSWERS, SYLLABUS = FOLDER / "90min.md", FOLDER / "handout-answers.md", FOLDER / "syllabus.md"
NOTE = re.compile(r"^::: \{\.notes\}\n(?P<start>\d+)–(?P<end>\d+)分。", re.MULTILINE)
SLIDE = re.compile(r"^## ", re.MULTILINE)


def slides_of(text):
    """Yield (title, what stands under it) of every slide."""
    for slide in SLIDE.split(text)[1:]:
        title, _, body = slide.partition("\n")
        yield title, body


def note_problems(text):
    """Yield where the notes of a deck do not lead from the first minute to the last."""
    spans = [(0, 0)]
    for title, body in slides_of(text):
        found = NOTE.search(body)
        if not found:
            yield f"「{title}」に、何分から何分かがありません"
        else:
            spans.append((int(found["start"]), int(found["end"])))
    for (_, before), (start, end) in pairwise(spans):
        if start != before or end <= start:
            yield f"{before}分のあとが、{start}–{end}分です"
    if spans[-1][1] != 90:
        yield f"{spans[-1][1]}分で終わります"


def ends_of_sessions():
    """Return at which minutes the plan goes on, for each session."""
    lesson = [int(block["end"]) for block in teaching.BLOCK.finditer(LESSON.read_text(encoding="utf-8"))]
    text = SYLLABUS.read_text(encoding="utf-8")
    parts = teaching.SESSION.split(text)[2::2]  # of the sessions but the first, whose lesson that is
    return [lesson, *map(_ends, parts[1:])]


def _ends(part):
    """Return at which minutes the rows of a session's table end."""
    minutes = [int(row["minutes"]) for row in teaching.SPENT.finditer(part.split("\n## ")[0])]
    return list(accumulate(minutes))


def test_there_is_a_deck_for_every_session():
    assert len(DECKS) == len(teaching.SESSION.findall(SYLLABUS.read_text(encoding="utf-8"))) == 8


@pytest.mark.parametrize("path", DECKS, ids=lambda path: path.stem)
class TestEveryDeck:
    def test_its_notes_lead_through_the_90_minutes(self, path):
        expect_none(note_problems(path.read_text(encoding="utf-8")))

    def test_it_goes_on_where_the_plan_does(self, path):
        plan = ends_of_sessions()[DECKS.index(path)]
        ends = {int(found["end"]) for found in NOTE.finditer(path.read_text(encoding="utf-8"))}
        assert len(plan) >= 6
        assert set(plan) - ends == set()

    def test_its_numbers_are_computed_or_stand_in_a_chapter_it_links(self, path, manuscripts):
        text = path.read_text(encoding="utf-8")
        linked = [manuscript for manuscript in manuscripts if f"../{manuscript.name.rsplit('.', 1)[0]}.html" in text]
        assert linked
        own = teaching.read(path)
        numbers = teaching.numbers_of([*map(teaching.read, (LESSON, ANSWERS)), *linked])
        expect_none(prose.problems([(own.name, number, line) for number, line in prose.unsupported(own, numbers)], []))

    def test_the_exercises_that_it_sets_are_in_the_book(self, path, manuscripts):
        expect_none(teaching.exercise_problems(path.read_text(encoding="utf-8"), manuscripts))

    def test_its_links_lead_somewhere(self, path):
        as_on_the_site = teaching.SITE / "slides" / path.name
        expect_none(
            f"{path.name}: {target}: {problem}"
            for target, _ in teaching.links(path.read_text(encoding="utf-8"))
            if target.startswith("../")
            if (problem := teaching.link_problem(as_on_the_site, target))
        )

    def test_few_words(self, path):
        """What is read aloud stands in the notes."""
        for title, body in slides_of(path.read_text(encoding="utf-8")):
            shown = re.sub(r"::: \{\.notes\}.*?:::|<[^>]*>|\{[^}]*\}|\([^)]*\)|[\s|:*#>-]", "", body, flags=re.DOTALL)
            assert len(shown) <= 190, (title, len(shown))


def test_the_pictures_are_the_book_s():
    asked = {name for path in DECKS for name in ASKED.findall(path.read_text(encoding="utf-8"))}
    assert len(asked) >= 12
    assert asked <= set(stored_figures())


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [("13–18分", "13–17分", "17分のあと"), ("80–85分。", "", "がありません"), ("85–90分", "85–89分", "89分で終わ")],
)
def test_lost_minutes_are_noticed(old, new, complaint):
    text = DECKS[0].read_text(encoding="utf-8")
    assert old in text
    assert any(complaint in problem for problem in note_problems(text.replace(old, new, 1)))
