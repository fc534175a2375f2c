"""The quizzes: five for each chapter, every wrong choice with a name and a reason, every number computed."""

import copy
import re
import shutil
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from hayasa.book.notebooks import judge
from press.problems import BookError, Problems
from tests.checks import teaching
from tests.checks.chapters import Manuscript
from tests.checks.prose import unsupported
from tests.checks.report import expect_none
from tools import quiz_cells
from tools.quizzes import choices_of, read_quizzes
from tools.teaching import FOLDER

KEYS = {"id", "chapter", "see", "ask", "choices"}
CHAPTERS = 15
EACH = 5
CHOICES = 4
MISCONCEPTION = re.compile(r"^\| (M\d+) ", re.MULTILINE)


@pytest.fixture(scope="module")
def quizzes() -> list[dict]:
    return tomllib.loads((FOLDER / "quizzes.toml").read_text(encoding="utf-8"))["quiz"]


@pytest.fixture(scope="module")
def chapters(manuscripts) -> dict[str, Manuscript]:
    return {manuscript.name.removeprefix("chapters/").removesuffix(".ipynb"): manuscript for manuscript in manuscripts}


def problems(quizzes: list[dict], chapters: dict[str, Manuscript]) -> Iterator[str]:
    """Yield what is wrong with the form of quizzes."""
    known = set(MISCONCEPTION.findall((FOLDER / "misconceptions.md").read_text(encoding="utf-8")))
    for quiz in quizzes:
        name, choices = quiz["id"], quiz["choices"]
        if quiz.keys() != KEYS:
            yield f"{name}: 鍵が違います: {sorted(quiz)}"
        if quiz["chapter"] not in chapters or f"{{#{quiz['see']}}}" not in chapters[quiz["chapter"]].markdown:
            yield f"{name}: {quiz['see']} は {quiz['chapter']} にありません"
        if len({choice["text"] for choice in choices}) != CHOICES or sum("right" in choice for choice in choices) != 1:
            yield f"{name}: 違う選択肢が四つで、正答が一つのはずです"
        for choice in choices:
            expected = {"text", "say", "right"} if "right" in choice else {"text", "say", "slip"}
            if choice.keys() != expected or len(choice["say"]) < 8:
                yield f"{name}: {choice['text']}: 名前か、かける言葉がありません"
            if re.search(r"[$`*]", choice["say"]):
                yield f"{name}: {choice['text']}: かける言葉に、式やコードや飾りがあります"
            if re.fullmatch(r"M\d+", choice.get("slip", "")) and choice["slip"] not in known:
                yield f"{name}: {choice['slip']} という誤解はありません"


def number_problems(quizzes: list[dict], chapters: dict[str, Manuscript]) -> Iterator[str]:
    """Yield the numbers of what is said to be true that the chapter does not compute."""
    numbers = {name: teaching.numbers_of([chapter]) for name, chapter in chapters.items()}
    for quiz in quizzes:
        true = [quiz["ask"], *(choice["say"] for choice in quiz["choices"])]
        true += [choice["text"] for choice in quiz["choices"] if "right" in choice]
        said = Manuscript(quiz["id"], (nbformat.v4.new_markdown_cell("\n".join(true)),))
        for number, sentence in unsupported(said, numbers[quiz["chapter"]]):
            yield f"{quiz['id']}: {number} は {quiz['chapter']} にありません: {sentence}"


def test_quizzes_have_their_form(quizzes, chapters):
    expect_none(problems(quizzes, chapters))
    assert Counter(quiz["chapter"] for quiz in quizzes) == dict.fromkeys(sorted(chapters)[:CHAPTERS], EACH)
    ids = [f"{int(quiz['chapter'][:2])}-{number % EACH + 1}" for number, quiz in enumerate(quizzes)]
    assert [quiz["id"] for quiz in quizzes] == ids


def test_right_answers_are_nowhere_more_often(quizzes):
    places = Counter(next(i for i, one in enumerate(quiz["choices"]) if "right" in one) for quiz in quizzes)
    assert all(len(quizzes) / 6 <= places[place] <= len(quizzes) / 3 for place in range(CHOICES)), places


def test_right_answers_are_not_told_by_their_length(quizzes):
    for extreme in (max, min):
        told = [quiz["id"] for quiz in quizzes if "right" in extreme(quiz["choices"], key=lambda one: len(one["text"]))]
        assert len(told) <= 0.4 * len(quizzes), told


def test_every_misconception_is_looked_for(quizzes):
    known = set(MISCONCEPTION.findall((FOLDER / "misconceptions.md").read_text(encoding="utf-8")))
    problems = "\n".join(path.read_text(encoding="utf-8") for path in (FOLDER / "problems").glob("*.md"))
    slips = {choice.get("slip") for quiz in quizzes for choice in quiz["choices"]}
    assert len(known) == 14
    assert {f"M{number}" for number in range(1, 11)} <= slips
    assert known <= slips | set(re.findall(r"M\d+", problems))


def test_what_is_said_to_be_true_is_computed(quizzes, chapters):
    expect_none(number_problems(quizzes, chapters))


def test_the_checker_says_of_each_choice_what_the_question_does(quizzes, chapters):
    for chapter in chapters:
        asked = [quiz for quiz in quizzes if quiz["chapter"] == chapter]
        choices = choices_of(quizzes, chapter)
        assert [*choices] == [quiz["id"] for quiz in asked]
        for quiz in asked:
            for letter, choice in zip("ABCD", quiz["choices"], strict=True):
                said = judge(letter, choices[quiz["id"]]["answer"])
                assert said.startswith(f"{'○' if 'right' in choice else '×'} {letter}：") and said.endswith(
                    choice["say"]
                )


def test_quizzes_that_cannot_be_read_are_refused(tmp_path):
    assert read_quizzes(tmp_path, Problems()) == []
    (tmp_path / "teaching").mkdir()
    (tmp_path / "teaching/quizzes.toml").write_text("[[quiz", encoding="utf-8")
    problems = Problems()
    read_quizzes(tmp_path, problems)
    with pytest.raises(BookError, match="TOML"):
        problems.stop_if_any()


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        (("see",), "sec-nowhere", "にありません"),
        (("choices", 0, "right"), True, "正答が一つ"),
        (("choices", 0, "slip"), "M99", "M99"),
        (("choices", 0, "say"), "", "言葉"),
        (("choices", 0, "say"), "縮むのは $F$ のほうだけです。", "式"),
        (("choices", 1, "text"), "半分になる", "四つ"),
    ],
)
def test_a_bad_quiz_is_noticed(quizzes, chapters, path, value, complaint):
    bad = copy.deepcopy(quizzes[:1])
    place = bad[0]
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    assert any(complaint in problem for problem in problems(bad, chapters))


def test_a_stale_number_is_noticed(quizzes, chapters):
    bad = copy.deepcopy(quizzes[:1])
    bad[0]["ask"] = bad[0]["ask"].replace("13.3 µs", "13.4 µs")
    assert any("13.4 µs" in problem for problem in number_problems(bad, chapters))


# ---------------------------------------------------------------- the cells of the chapters


def test_each_chapter_asks_its_questions_before_its_exercises(quizzes, chapters):
    for chapter in sorted(chapters)[:CHAPTERS]:
        cells = chapters[chapter].cells
        (at,) = (at for at, cell in enumerate(cells) if cell.id == quiz_cells.label(chapter))
        assert cells[at].source == quiz_cells.cell_text(quizzes, chapter), "make teaching で作り直してください"
        assert cells[at + 1].source.startswith(quiz_cells.EXERCISES)


def test_a_question_tells_its_right_answer_and_why_of_each(quizzes):
    for quiz in quizzes:
        right = next(at for at, choice in enumerate(quiz["choices"]) if "right" in choice)
        said = "\n".join(quiz_cells.question(quiz))
        assert f'{{#quiz-{quiz["id"]} .hayasa-guess data-answer="{right + 1}"}}' in said
        asked, _, answer = said.partition("::: {.callout-tip")
        for at, (letter, choice) in enumerate(zip("ABCD", quiz["choices"], strict=True)):
            assert f"\n- {letter}　{choice['text']}\n" in asked
            assert f"\n- {'○' if at == right else '×'} **{letter}**　{choice['say']}\n" in answer


def test_a_stale_cell_is_written_anew_and_a_missing_one_made(tmp_path, capsys):
    (tmp_path / "teaching").mkdir()
    (tmp_path / "chapters").mkdir()
    first, _, _ = (FOLDER / "quizzes.toml").read_text(encoding="utf-8").partition('[[quiz]]\nid = "2-1"')
    (tmp_path / "teaching/quizzes.toml").write_text(first, encoding="utf-8")
    chapter = Path(shutil.copy(FOLDER.parent / "chapters/01-memory-hierarchy.ipynb", tmp_path / "chapters"))
    stored = chapter.read_text(encoding="utf-8")
    assert quiz_cells.main(tmp_path) == 0 and capsys.readouterr().out == ""
    without = nbformat.reads(stored, as_version=4)
    without.cells = [cell for cell in without.cells if cell.id != "sec-quiz-1"]
    for broken in (stored.replace("**1-1**", "**1-0**"), nbformat.writes(without)):
        chapter.write_text(broken, encoding="utf-8")
        assert quiz_cells.main(tmp_path) == 0 and "作り直しました" in capsys.readouterr().out
        assert chapter.read_text(encoding="utf-8") == stored


def test_a_chapter_without_exercises_is_refused():
    with pytest.raises(ValueError, match="演習"):
        quiz_cells.with_cell(nbformat.v4.new_notebook(), "sec-quiz-1", "")
