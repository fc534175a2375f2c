"""What a reader's notebook needs besides its own text: packages, figures that show, answers checked.

Needs the standard library only, so that it runs wherever a notebook does.
"""

import base64
import json
import math
import numbers
import zlib
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NamedTuple
from unicodedata import normalize

# What may have happened to a number, whatever the exercise: how many times too large or too small it is then,
# and what to say.  These come before the near miss: GB for GiB is 7 % off.
_ROADS = (
    (100, "割合と百分率（%）を取り違えていませんか。"),
    (8, "バイトとビットを取り違えていませんか。"),
    (2, "掛けるか割るはずの「2」が、抜けているか余分です。"),
    *(
        (1024**power / 1000**power, f"{name}を取り違えていませんか。")
        for power, name in ((1, "kBとKiB"), (2, "MBとMiB"), (3, "GBとGiB"), (4, "TBとTiB"))
    ),
    *((1000**power, "単位の接頭辞（m、µ、k、M、G、T）を取り違えていませんか。") for power in (1, 2, 3, 4)),
)
_ON_ROAD = 0.005  # as shares: three digits are enough to be known on a common road
_NEAR = 0.05


class Road(NamedTuple):
    """A known way to a wrong answer: the number at its end, and what to tell who went there."""

    value: float
    say: str


class Answer(NamedTuple):
    """The right answer to a question.

    Attributes
    ----------
    value
        The number, in `unit`.
    unit
        As it is shown, such as ``"ms"``.
    within
        How far, as a share of `value`, an answer may lie from it and still be right.
    wrong
        Where known mistakes lead.
    """

    value: float
    unit: str
    within: float = 0.01
    wrong: tuple[Road, ...] = ()


class Choices(NamedTuple):
    """What may be chosen as the answer to a question.

    Attributes
    ----------
    right
        The letter of the right choice.
    say
        What to tell who chose it, by letter.
    """

    right: str
    say: Mapping[str, str]


def judge(given: object, answer: Answer) -> str:
    """Say whether an answer is right, near, or which usual mistake it was, without telling the right one.

    Returns
    -------
    str
        A line that begins with ○, △, × or － (nothing written yet).

    Examples
    --------
    >>> time = Answer(9.33, "ms", wrong=(Road(2.33, "int4のときの値です。"),))
    >>> for given in (9.3, 2.33, 0.107, 9.7, 9, 1, "9.33", ...):
    ...     print(judge(given, time))
    ○ 9.3 ms：合っています。
    × 2.33 ms：int4のときの値です。
    × 0.107 ms：逆数です。割る数と割られる数（時間と速さ）を取り違えていませんか。
    △ 9.7 ms：近い値です。途中の丸めや、使った入力を確かめてください。
    △ 9 ms：端数を切り捨てた値です。もう一桁書いてください。
    × 1 ms：小さすぎます。先に、桁を暗算で見積もってください。
    × '9.33'：数を一つ書いてください（strが書かれています）。
    － まだ書かれていません。
    """
    if given is None or given is ...:
        return "－ まだ書かれていません。"
    if isinstance(given, bool) or not isinstance(given, numbers.Real) or not math.isfinite(given):
        return f"× {given!r}：数を一つ書いてください（{type(given).__name__}が書かれています）。"
    value = float(given)
    shown = f"{value:.4g} {answer.unit}"
    if _is_close(value, answer.value, answer.within):
        return f"○ {shown}：合っています。"
    for roads, within in ((answer.wrong, answer.within), (_common(answer.value), _ON_ROAD)):
        for road in roads:
            if _is_close(value, road.value, within):
                return f"× {shown}：{road.say}"
    if _is_cut(value, answer.value):
        return f"△ {shown}：端数を切り捨てた値です。もう一桁書いてください。"
    if _is_close(value, answer.value, _NEAR):
        return f"△ {shown}：近い値です。途中の丸めや、使った入力を確かめてください。"
    side = "大きすぎます" if value > answer.value else "小さすぎます"
    return f"× {shown}：{side}。先に、桁を暗算で見積もってください。"


def judge_choice(given: object, choices: Choices) -> str:
    """Say whether a choice is right, or why it is not, without telling the right one.

    Returns
    -------
    str
        A line that begins with ○, × or － (nothing chosen yet).

    Examples
    --------
    >>> asked = Choices("B", {"A": "それは半分です。", "B": "量が2倍になるからです。"})
    >>> for given in ("B", "a", "C", ...):
    ...     print(judge_choice(given, asked))
    ○ B：合っています。量が2倍になるからです。
    × A：それは半分です。
    × 'C'：A、Bのどれかを、"A" のように書いてください。
    － まだ選ばれていません。
    """
    if given is None or given is ...:
        return "－ まだ選ばれていません。"
    letter = normalize("NFKC", given).strip().upper() if isinstance(given, str) else ""
    if letter not in choices.say:
        return f'× {given!r}：{"、".join(choices.say)}のどれかを、"A" のように書いてください。'
    return f"{'○' if letter == choices.right else '×'} {letter}：{'合っています。' * (letter == choices.right)}{choices.say[letter]}"


def _common(right: float) -> Iterator[Road]:
    for ratio, say in _ROADS:
        yield from (Road(right * ratio, say), Road(right / ratio, say))
    yield Road(-right, "符号が逆です。")
    if right:
        for unit in (1, 1000, 1e-3):
            yield Road(unit / right, "逆数です。割る数と割られる数（時間と速さ）を取り違えていませんか。")


def _is_close(value: float, right: float, within: float) -> bool:
    return math.isclose(value, right, rel_tol=0, abs_tol=within * abs(right))


def _is_cut(value: float, right: float) -> bool:
    """Whether `value` is `right` without its last decimals."""
    return abs(right) >= 1 and any(value == math.trunc(right * 10**places) / 10**places for places in range(3))


class Checker:
    """The answers of a chapter, called with a reader's own.

    Parameters
    ----------
    packed
        What :func:`pack` made of the answers.

    Examples
    --------
    >>> choices = Choices("B", {"A": "それは半分です。", "B": "量が2倍になるからです。"})
    >>> check = Checker(pack({"exr-fp16-transfer": {"hbm_ms": Answer(9.33, "ms")}, "1-1": choices}))
    >>> check("exr-fp16-transfer", hbm_ms=9.33)
    hbm_ms ○ 9.33 ms：合っています。
    >>> check("1-1", "A")
    1-1 × A：それは半分です。
    """

    def __init__(self, packed: str):
        stored = json.loads(zlib.decompress(base64.b85decode(packed)))
        self._choices = {name: Choices(*asked) for name, asked in stored.items() if isinstance(asked, list)}
        self._answers = {
            exercise: {
                name: Answer(value, unit, within, tuple(Road(*road) for road in wrong))
                for name, (value, unit, within, wrong) in answers.items()
            }
            for exercise, answers in stored.items()
            if exercise not in self._choices
        }

    def __call__(self, exercise: str, choice: object = ..., /, **given: object) -> None:
        """Print a line for each answer of an exercise, or for the choice at a question.

        What is not given counts as not yet written.

        Raises
        ------
        ValueError
            If there is no such exercise or question, or it asks for no answer of a given name.
        """
        if exercise in self._choices and not given:
            print(exercise, judge_choice(choice, self._choices[exercise]))
            return
        if exercise not in self._answers or choice is not ...:
            raise ValueError(self._refusal(exercise))
        answers = self._answers[exercise]
        if unknown := sorted(given.keys() - answers.keys()):
            raise ValueError(
                f"{exercise} に {'、'.join(unknown)} という答えはありません。あるもの: {'、'.join(answers)}"
            )
        for name, answer in answers.items():
            print(name, judge(given.get(name, ...), answer))

    def _refusal(self, name: str) -> str:
        if name in self._choices:
            return f'問い {name} の答えは、check("{name}", "A") のように書きます。'
        if name in self._answers:
            return f"演習 {name} の答えは、名前を付けて書きます: {'、'.join(self._answers[name])}"
        return f"演習 {name!r} はありません。あるもの: {'、'.join([*self._answers, *self._choices])}"


def pack(answers: Mapping[str, Mapping[str, Answer] | Choices]) -> str:
    """Answers by exercise and name, and choices by question, as one text: no secret, but nothing that is read by accident.

    Examples
    --------
    >>> "9.33" in pack({"exr-fp16-transfer": {"hbm_ms": Answer(9.33, "ms")}})
    False
    """
    return base64.b85encode(zlib.compress(json.dumps(answers, ensure_ascii=False).encode(), 9)).decode()


def missing(pins: str) -> str:
    """Those of the packages a notebook was made with that are not installed; a line is printed of other versions.

    Parameters
    ----------
    pins
        Packages with their versions, as in a file of requirements, with spaces between.

    Examples
    --------
    >>> missing("no-such-package==1.0")
    'no-such-package==1.0'
    """
    absent, other = [], []
    for pin in pins.split():
        name, _, made_with = pin.partition("==")
        try:
            here = version(name)
        except PackageNotFoundError:
            absent.append(pin)
            continue
        if here != made_with:
            other.append(f"{name} {here}（本は{made_with}）")
    if other:
        print(f"本を作った版と違うものがあり、表や図の見た目が少し変わることがあります：{'、'.join(other)}")
    return " ".join(absent)


def picture(svg: str) -> str:
    """A drawing as Markdown.

    Jupyter shows an SVG only in a notebook that it trusts, which a downloaded one is not before it was run;
    as an image in Markdown it does.

    Examples
    --------
    >>> picture("<svg/>")
    '![図](data:image/svg+xml;base64,PHN2Zy8+)'
    """
    return f"![図](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"


def show_figures_untrusted() -> None:
    """Have each drawing that a cell shows as SVG shown as Markdown, too, where the kernel lets one add to it."""
    from IPython import get_ipython

    def add(message: dict[str, Any]) -> dict[str, Any]:
        data = message["content"].get("data", {})
        if svg := data.get("image/svg+xml"):
            data["text/markdown"] = picture(svg)
        return message

    publisher: Any = getattr(get_ipython(), "display_pub", None)
    if hasattr(publisher, "register_hook"):
        publisher.register_hook(add)
