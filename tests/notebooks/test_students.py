"""The students' edition: no solutions, room for answers, and a checker that knows the usual mistakes."""

import copy
import math
import re
from collections import Counter
from itertools import combinations

import nbformat
import pytest

from hayasa.book import notebooks as checks
from hayasa.book.notebooks import Answer, Checker, Choice, Road, judge, missing, pack
from tools import notebooks, readers

CHAPTERS = notebooks.chapter_paths()
by_chapter = pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
# One with drawings alone and one with data; what the others add is compared as code.
RUN = CHAPTERS[1], CHAPTERS[4]


def read(path):
    return nbformat.read(path, as_version=4)


def checker(notebook) -> Checker | None:
    setup = next(cell.source for cell in notebook.cells if cell.cell_type == "code")
    packed = re.search(r'Checker\("([^"]*)"\)', setup)
    return Checker(packed[1]) if packed else None


@by_chapter
def test_solutions_are_gone_and_every_exercise_has_room(site, path):
    full, student = (read(site / folder / path.name) for folder in (readers.FOLDER, readers.STUDENTS))
    text = "\n".join(cell.source for cell in student.cells)
    folded = re.compile(r"# 解答|<details>\n<summary>(解答|[\d-]+の答え)")
    solutions = [cell for cell in full.cells if folded.match(cell.source)]
    assert all(cell.source not in text for cell in solutions)
    assert "解答：" not in text and "解答の続き" not in text
    exercises = len(re.findall(r"^#+ 演習\s[\w.]+ \(", text, flags=re.MULTILINE))
    assert exercises == text.count("# ここで計算します。") == text.count("**考えたこと**")
    kept = {cell.id for cell in full.cells if cell.cell_type == "code" and cell not in solutions}
    assert kept <= {cell.id for cell in student.cells}


@by_chapter
def test_every_checked_exercise_is_asked_with_its_units(site, path):
    notebook = read(site / readers.STUDENTS / path.name)
    answers = getattr(checker(notebook), "_answers", {})
    asked = {
        found[1]: cell.source
        for cell in notebook.cells
        if (found := re.search(r'check\(\n    "([\w-]+)"', cell.source))
    }
    assert asked.keys() == {name for name in answers if name.startswith("exr-")}
    for exercise, source in asked.items():
        words = dict(re.findall(r"^    (\w+)=\.\.\.,((?:\s*#.*\n)+)", source, flags=re.MULTILINE))
        assert list(words) == list(answers[exercise])
        for name, answer in answers[exercise].items():
            if isinstance(answer, Choice):
                assert re.findall(r"#   ([A-Z]) ", words[name]) == choices(answer), (exercise, name)
            else:
                assert answer.unit in words[name], (exercise, name)


def choices(choice):
    return sorted([choice.right, *choice.wrong])


def test_every_question_is_asked_beneath_its_choices(site):
    for path in (path for path in CHAPTERS if path.stem[0].isdigit()):
        notebook = read(site / readers.STUDENTS / path.name)
        asked = {name: answers for name, answers in checker(notebook)._answers.items() if not name.startswith("exr-")}
        assert [*asked] == [f"{int(path.stem[:2])}-{number}" for number in range(1, 6)]
        for name, answers in asked.items():
            (at,) = (at for at, cell in enumerate(notebook.cells) if cell.id == f"quiz-{name}-check")
            assert notebook.cells[at].source.endswith(f'\ncheck("{name}", answer=...)')
            offered = dict(re.findall(r"(?m)^- +([A-Z])　(.+)$", notebook.cells[at - 1].source))
            choice = answers["answer"]
            assert [*offered] == choices(choice) and choice.why
            assert all(offered[choice.right] not in say for say in choice.wrong.values()), "this gives the answer away"


def every_answer(site):
    for path in CHAPTERS:
        for exercise, answers in getattr(checker(read(site / readers.STUDENTS / path.name)), "_answers", {}).items():
            for name, answer in answers.items():
                yield f"{exercise}.{name}", answer


def test_right_answers_are_right_and_each_wrong_road_is_told_apart(site):
    answers = [(name, answer) for name, answer in every_answer(site) if isinstance(answer, Answer)]
    assert len(answers) > 130
    for name, answer in answers:
        assert judge(answer.value, answer).startswith("○"), name
        for road in answer.wrong:
            assert judge(road.value, answer).endswith(f"：{road.say}"), (name, road)
        ends = [answer.value, *(road.value for road in answer.wrong)]
        for one, other in combinations(ends, 2):
            assert abs(one - other) > 2 * answer.within * abs(answer.value), (name, one, other)


def test_each_choice_is_answered(site):
    chosen = [(name, choice) for name, choice in every_answer(site) if isinstance(choice, Choice)]
    assert len(chosen) >= 20
    # Whoever always says the same letter is wrong more often than not.
    assert max(Counter(choice.right for _, choice in chosen).values()) <= len(chosen) / 2
    for name, choice in chosen:
        assert choices(choice) == list("ABCDE"[: len(choice.wrong) + 1]), name
        assert judge(choice.right, choice) == f"○ {choice.right}：合っています。{choice.why}", name
        for letter, say in choice.wrong.items():
            assert judge(letter, choice) == f"× {letter}：{say}" and say.endswith("。"), name


def test_no_hint_gives_the_answer_away(site):
    for name, answer in every_answer(site):
        if isinstance(answer, Choice):
            continue
        for given in (
            answer.value * 1.03,
            answer.value * 8,
            answer.value * 0.3,
            -answer.value,
            answer.value * 1000,
            1 / answer.value,
        ):
            said = judge(given, answer).partition("：")[2]
            assert not re.search(rf"(?<![\d.]){re.escape(f'{answer.value:g}')}(?![\d.])", said), (name, said)


# What is filled in, by the mark that it gets.
FILLS = {
    "－": lambda answer: "...",
    "○": lambda answer: repr(answer.right) if isinstance(answer, Choice) else f"{answer.value:.4g}",
    "×": lambda answer: "'九'",
}


def filled_in(notebook):
    """Put a cell for each of `FILLS` in the place of each check; return how many lines each says, with which mark."""
    answers = getattr(checker(notebook), "_answers", {})
    cells, made = [], []
    for cell in notebook.cells:
        if not cell.id.endswith("-check"):
            cells.append(cell)
            continue
        asked = answers[re.search(r'check\(\s*"([\w-]+)"', cell.source)[1]]
        for turn, (mark, fill) in enumerate(FILLS.items()):
            check = copy.deepcopy(cell)
            check.id += f"-{turn}"
            for name, answer in asked.items():
                check.source = check.source.replace(f"{name}=...", f"{name}={fill(answer)}")
            cells.append(check)
            made.append((check, len(asked), mark))
    notebook.cells = cells
    return made


@pytest.mark.parametrize("path", RUN, ids=lambda path: path.stem)
def test_run_all_comes_to_its_end_however_it_is_filled_in(site, path, tmp_path):
    notebook = read(site / readers.STUDENTS / path.name)
    asked = sum(len(re.findall(r"=\.\.\.[,)]", cell.source)) for cell in notebook.cells)
    checks = filled_in(notebook)
    assert sum(lines for _, lines, _ in checks) == len(FILLS) * asked
    client = notebooks.NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    for check, lines, mark in checks:
        # What a cell prints may come in pieces that end anywhere.
        said = "".join(output.text for output in check.outputs).splitlines()
        assert len(said) == lines, said
        assert all(f" {mark} " in f"{line} " for line in said), said


# ---- the checker itself ----------------------------------------------------------------------------

SPEED = Answer(53.0, "トークン/秒", wrong=(Road(26.5, "fp16の値です。"),))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (53, "○ 53 トークン/秒：合っています。"),
        (53.4, "○"),
        (26.5, "fp16の値です。"),
        (53 * 8, "バイトとビット"),
        (53 / 8, "バイトとビット"),
        (53 * 1e3, "接頭辞"),
        (53e-9, "接頭辞"),
        (53 * 1.0737, "GBとGiB"),
        (53 / 1.0737, "GBとGiB"),
        (54.3, "kBとKiB"),
        (54, "△ 54 トークン/秒：近い値"),
        (106, "「2」"),
        (0.53, "百分率"),
        (1 / 53, "逆数です"),
        (1000 / 53, "逆数です"),
        (-53, "符号"),
        (55, "△ 55 トークン/秒：近い値"),
        (20, "小さすぎます"),
        (200, "大きすぎます"),
        (None, "－ まだ"),
        (..., "－ まだ"),
        (True, "数を一つ"),
        ("53", "数を一つ"),
        ([53], "数を一つ"),
        (math.nan, "数を一つ"),
        (math.inf, "数を一つ"),
        (0, "小さすぎます"),
    ],
)
def test_judge(given, said):
    assert said in judge(given, SPEED)


FASTER = Choice("B", {"A": "置く量です。", "C": "比が逆です。"})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("B", "○ B：合っています。"),
        (" b", "○ B"),
        ("Ｂ", "○ B"),
        ("A", "× A：置く量です。"),
        ("C", "× C：比が逆です。"),
        ("D", "× 'D'：AとBとCから一つ"),
        ("", "× ''：AとBとCから一つ"),
        (2, "× 2：AとBとCから一つ"),
        (True, "× True：AとBとCから一つ"),
        (["B"], "AとBとCから一つ"),
        (None, "－ まだ"),
        (..., "－ まだ"),
    ],
)
def test_judge_of_a_choice(given, said):
    assert said in judge(given, FASTER)


def test_a_packed_choice_is_the_same():
    assert Checker(pack({"exr-a": {"x": FASTER, "y": SPEED}}))._answers == {"exr-a": {"x": FASTER, "y": SPEED}}


def test_a_cut_number_is_named():
    assert "切り捨て" in judge(7.0, Answer(7.09, "倍", within=0.001))
    assert "切り捨て" in judge(552, Answer(553, "倍", within=0.0001, wrong=(Road(552, "切り捨てた値です。"),)))


def test_zero_can_be_right():
    assert judge(0, Answer(0, "個")).startswith("○") and judge(1, Answer(0, "個")).startswith("×")


def test_numbers_of_other_libraries_count():
    import numpy as np

    assert judge(np.float32(53), SPEED).startswith("○") and judge(np.int64(53), SPEED).startswith("○")


def test_unknown_names_are_refused_with_the_known_ones():
    check = Checker(pack({"exr-a": {"x": SPEED}}))
    with pytest.raises(ValueError, match="演習 'exr-b' はありません。あるもの: exr-a"):
        check("exr-b", x=1)
    with pytest.raises(ValueError, match="exr-a に y という答えはありません。あるもの: x"):
        check("exr-a", y=1)


def test_other_versions_are_said(capsys):
    assert missing(f"pytest=={pytest.__version__}") == "" and capsys.readouterr().out == ""
    assert missing("pytest==0.1 no-such-package==1") == "no-such-package==1"
    assert f"pytest {pytest.__version__}（本は0.1）" in capsys.readouterr().out


def test_a_kernel_that_lets_nothing_be_added_is_left_alone(monkeypatch):
    monkeypatch.setattr("IPython.get_ipython", lambda: None)
    assert checks.show_figures_untrusted() is None
