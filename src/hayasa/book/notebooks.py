"""What a reader's notebook needs besides its own text: packages, figures that show, answers checked.

Needs the standard library only, so that it runs wherever a notebook does.
"""

import base64
import json
import math
import numbers
import unicodedata
import zlib
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NamedTuple

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
_OF_DETOUR = 0.05  # what is 1.8 % off was rounded, and need not have taken kB for KiB, which are 2.4 % apart
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


class Choice(NamedTuple):
    """The right one of a few choices, by letter.

    Attributes
    ----------
    right
        Its letter, such as ``"B"``.
    wrong
        What to tell who chose another, by its letter.
    why
        Why the right one is right.
    """

    right: str
    wrong: Mapping[str, str]
    why: str = ""


def judge(given: object, answer: Answer | Choice) -> str:
    """Say whether an answer is right, near, or which usual mistake it was, without telling the right one.

    Parameters
    ----------
    given
        A number for an `Answer`; a letter for a `Choice`, of whatever case and width.
    answer
        What is asked for.

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
    >>> faster = Choice("B", {"A": "置く量の比です。"}, why="読む量の比です。")
    >>> for given in ("B", "ａ", "C"):
    ...     print(judge(given, faster))
    ○ B：合っています。読む量の比です。
    × A：置く量の比です。
    × 'C'：AとBから一つ、"A" のように書いてください。
    """
    if given is None or given is ...:
        return "－ まだ書かれていません。"
    if isinstance(answer, Choice):
        return _judge_choice(given, answer)
    if isinstance(given, bool) or not isinstance(given, numbers.Real) or not math.isfinite(given):
        return f"× {given!r}：数を一つ書いてください（{type(given).__name__}が書かれています）。"
    value = float(given)
    shown = f"{value:.4g} {answer.unit}"
    if _is_close(value, answer.value, answer.within):
        return f"○ {shown}：合っています。"
    for road in answer.wrong:
        if _is_close(value, road.value, answer.within):
            return f"× {shown}：{road.say}"
    for road in _common(answer.value):
        if abs(value - road.value) <= min(_ON_ROAD * abs(road.value), _OF_DETOUR * abs(road.value - answer.value)):
            return f"× {shown}：{road.say}"
    if _is_cut(value, answer.value):
        return f"△ {shown}：端数を切り捨てた値です。もう一桁書いてください。"
    if _is_close(value, answer.value, _NEAR):
        return f"△ {shown}：近い値です。途中の丸めや、使った入力を確かめてください。"
    side = "大きすぎます" if value > answer.value else "小さすぎます"
    return f"× {shown}：{side}。先に、桁を暗算で見積もってください。"


def _judge_choice(given: object, choice: Choice) -> str:
    letters = sorted([choice.right, *choice.wrong])
    letter = unicodedata.normalize("NFKC", given).strip().upper() if isinstance(given, str) else ""
    if letter not in letters:
        return f'× {given!r}：{"と".join(letters)}から一つ、"A" のように書いてください。'
    right = f"合っています。{choice.why}"
    return f"× {letter}：{choice.wrong[letter]}" if letter in choice.wrong else f"○ {letter}：{right}"


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
    >>> check = Checker(pack({"exr-fp16-transfer": {"hbm_ms": Answer(9.33, "ms")}}))
    >>> check("exr-fp16-transfer", hbm_ms=9.33)
    hbm_ms ○ 9.33 ms：合っています。
    """

    def __init__(self, packed: str):
        stored = json.loads(zlib.decompress(base64.b85decode(packed)))
        self._answers = {
            exercise: {name: _unpacked(fields) for name, fields in answers.items()}
            for exercise, answers in stored.items()
        }

    def __call__(self, exercise: str, /, **given: object) -> None:
        """Print a line for each answer of an exercise; what is not given counts as not yet written.

        Raises
        ------
        ValueError
            If there is no such exercise, or it asks for no answer of a given name.
        """
        if exercise not in self._answers:
            raise ValueError(f"演習 {exercise!r} はありません。あるもの: {'、'.join(self._answers)}")
        answers = self._answers[exercise]
        if unknown := sorted(given.keys() - answers.keys()):
            raise ValueError(
                f"{exercise} に {'、'.join(unknown)} という答えはありません。あるもの: {'、'.join(answers)}"
            )
        for name, answer in answers.items():
            print(name, judge(given.get(name, ...), answer))


def _unpacked(fields: list[Any]) -> Answer | Choice:
    if isinstance(fields[0], str):  # a letter
        return Choice(*fields)
    value, unit, within, wrong = fields
    return Answer(value, unit, within, tuple(Road(*road) for road in wrong))


def pack(answers: Mapping[str, Mapping[str, Answer | Choice]]) -> str:
    """Answers by exercise and name as one text: no secret, but nothing that is read by accident.

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


# Pyodide tells only the browser's console that it could not fetch a package.
_NOT_FETCHED = """\
{name}を取ってこられませんでした。
numpyやpandasなどは、それを使うセルを実行したときに、Pyodideの配布元（cdn.jsdelivr.net）から取ってきます。
ネットワークにつながっているかを確かめて、このセルをもう一度実行してください。"""
_NOT_THERE = """\
{name}は、ブラウザの中のPythonにはありません。
綴りを確かめてください。正しければ、ノートブックをダウンロードして、手元のJupyterで実行してください。"""


def prepare_browser() -> None:
    """Make a notebook ready that runs in a browser's own Jupyter: figures show, and a missing package says why."""
    from IPython import get_ipython
    from pyodide_js import lockfile

    show_figures_untrusted()
    known = {name for package in lockfile.packages.to_py().values() for name in package["imports"]}

    def explain(
        shell: Any, kind: type, error: ModuleNotFoundError, trace: Any, tb_offset: int | None = None
    ) -> list[str]:
        name = (error.name or str(error)).partition(".")[0]
        lines = [(_NOT_FETCHED if name in known else _NOT_THERE).format(name=name)]
        shell._showtraceback(kind, error, lines)
        return lines

    get_ipython().set_custom_exc((ModuleNotFoundError,), explain)
