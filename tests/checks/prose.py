"""Numbers in prose against computed values.

A number with a unit that a reader meets in the prose of a chapter has to be

- in an output of that chapter, in whatever prefix (``1935 GB/s`` is ``1935e9``); after 約 it
  may be a rounding of one, or
- a literal of its code, likewise. A literal is an input, so it supports no ratio and no
  percentage: those are results. In a cell that draws a figure the literals are sizes, limits
  and positions on paper and support nothing, or
- in a sentence that cites its source, there or elsewhere in the chapter, or
- in the list of exceptions, with a reason.

What this cannot see: whether the number stands for the same thing in both places.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from math import isclose

from tests.checks.chapters import Manuscript, options, output_texts, without_code

# unit as written -> (dimension, factor to its SI base)
UNITS: dict[str, tuple[str, float]] = {}
for _prefix, _factor in {"": 1, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15}.items():
    if _prefix:
        UNITS[f"{_prefix}B"] = ("byte", _factor)
        UNITS[f"{_prefix}B/s"] = ("byte/s", _factor)
        UNITS[f"{_prefix}T/s"] = ("transfer/s", _factor)
    UNITS[f"{_prefix}Hz"] = ("Hz", _factor)
    UNITS[f"{_prefix}W"] = ("W", _factor)
    for _name in ("OPS", "FLOPS", "FLOP/s", "OP/s"):
        UNITS[f"{_prefix}{_name}"] = ("op/s", _factor)
for _prefix, _factor in {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}.items():
    UNITS[f"{_prefix}B"] = ("byte", _factor)
    UNITS[f"{_prefix}B/s"] = ("byte/s", _factor)
for _names, _unit in {
    ("バイト",): ("byte", 1),
    ("ビット", "bit"): ("bit", 1),
    ("トークン/秒", "トークン毎秒", "tokens/s", "token/s"): ("token/s", 1),
    ("トークン", "tokens"): ("token", 1),
    ("秒", "s"): ("s", 1),
    ("ミリ秒", "ms"): ("s", 1e-3),
    ("マイクロ秒", "µs", "μs", "us"): ("s", 1e-6),
    ("ナノ秒", "ns"): ("s", 1e-9),
    ("倍",): ("ratio", 1),
    ("%", "%", "パーセント"): ("percent", 1),
    # How many there are of something.
    ("個", "台", "枚", "本", "回", "層", "行", "人"): ("count", 1),
}.items():
    UNITS |= dict.fromkeys(_names, _unit)

# A count this small says how a sentence is built, not what was computed.
SMALL_COUNT = 10
# What is never an input of a chapter, only its result.
RESULTS_ONLY = {"ratio", "percent"}

_UNIT = "|".join(re.escape(unit) for unit in sorted(UNITS, key=len, reverse=True))
_DIGITS = r"(?<![A-Za-z0-9_.,@/^-])(?P<digits>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)(?![\d_])"
QUANTITY = re.compile(
    rf"(?P<about>約|およそ|ほぼ)?\s?{_DIGITS}(?P<scale>[万億兆])?[ \u00a0]?(?P<unit>{_UNIT})(?![A-Za-z/])"
)
BARE = re.compile(r"(?<![A-Za-z0-9_.])\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?")
SCALES = {None: 1, "万": 1e4, "億": 1e8, "兆": 1e12}
CITATION = re.compile(r"(?<![\w\\])@(?!sec-|fig-|tbl-|eq-|exr-|sol-|thm-|def-|lem-|exm-)[A-Za-z][\w:-]*")
# Neither prose nor shown: mathematics, link targets, attributes, comments.
NOT_PROSE = re.compile(r"\$\$.*?\$\$|\$[^$\n]+\$|\]\([^)]*\)|<!--.*?-->|https?://\S+", re.DOTALL)
ATTRIBUTES = re.compile(r"\{[^{}\n]*\}")
QUOTED_ATTRIBUTE = re.compile(r'(?:fig-alt|fig-cap|tbl-cap)="([^"]*)"')


@dataclass(frozen=True)
class Quantity:
    """A number with a unit, as it stands in the prose."""

    text: str
    number: float
    unit: str
    about: bool = False
    resolution: float = field(default=0.0, compare=False)

    @property
    def dimension(self) -> str:
        return UNITS[self.unit][0]

    @property
    def value(self) -> float:
        return self.number * UNITS[self.unit][1]

    @property
    def says_nothing(self) -> bool:
        """Whether it is a turn of phrase: one of something, or a handful."""
        return self.number == 1 or (self.dimension == "count" and self.number <= SMALL_COUNT)


def quantities(text: str) -> Iterator[Quantity]:
    """Yield every number with a unit in a text."""
    for match in QUANTITY.finditer(text):
        digits = match["digits"].replace(",", "")
        scale = SCALES[match["scale"]]
        written = (match["digits"] + (match["scale"] or "") + " " + match["unit"]).strip()
        decimals = len(digits.partition(".")[2])
        zeros = 0 if decimals else len(digits) - len(digits.rstrip("0"))
        yield Quantity(
            written,
            float(digits) * scale,
            match["unit"],
            match["about"] is not None,
            scale * 10.0 ** (zeros - decimals),
        )


@dataclass(frozen=True)
class Computed:
    """The numbers that the cells of one or more chapters hold."""

    by_dimension: frozenset[tuple[str, float]]
    bare: frozenset[float]
    inputs: frozenset[float]

    def __or__(self, other: "Computed") -> "Computed":
        return Computed(
            self.by_dimension | other.by_dimension,
            self.bare | other.bare,
            self.inputs | other.inputs,
        )

    def supports(self, quantity: Quantity) -> bool:
        same = [value for dimension, value in self.by_dimension if dimension == quantity.dimension]
        factor = UNITS[quantity.unit][1]
        without_unit = set(self.bare)
        if quantity.dimension not in RESULTS_ONLY:
            without_unit |= self.inputs
        # A number without a unit may be meant in any: in the unit of the prose, or in SI.
        values = [*same, *without_unit, *(value * factor for value in without_unit)]
        if quantity.dimension == "percent":
            values += [value * 100 for value in without_unit]
        tolerance = quantity.resolution * factor / 2 if quantity.about else 0.0
        return any(isclose(value, quantity.value, rel_tol=1e-9, abs_tol=tolerance * (1 + 1e-9)) for value in values)


def computed(chapter: Manuscript) -> Computed:
    """Collect the numbers in a chapter's outputs, its literals and its cited sentences."""
    by_dimension: set[tuple[str, float]] = set()
    bare: set[float] = set()
    inputs: set[float] = set()
    for cell in chapter.code_cells:
        for text in output_texts(cell):
            by_dimension |= {(found.dimension, found.value) for found in quantities(text)}
            rest = QUANTITY.sub(" ", text)
            bare |= {float(number.replace(",", "").rstrip(".")) for number in BARE.findall(rest)}
        if not str(options(cell).get("label", "")).startswith("fig-"):
            inputs |= set(literals(cell.source))
    by_dimension |= {
        (found.dimension, found.value)
        for sentence in sentences(chapter)
        if CITATION.search(sentence)
        for found in quantities(sentence)
    }
    return Computed(frozenset(by_dimension), frozenset(bare), frozenset(inputs))


def literals(source: str) -> Iterator[float]:
    """Yield the numbers written in a cell's code; text in quotes is not computed."""
    lines = [line for line in source.splitlines() if not line.startswith(("%", "!"))]
    for node in ast.walk(ast.parse("\n".join(lines))):
        if isinstance(node, ast.Constant) and type(node.value) in (int, float):
            yield float(node.value)


def sentences(chapter: Manuscript) -> Iterator[str]:
    """Yield the prose line by line (a line is a sentence), captions and alt texts included."""
    for cell in chapter.cells:
        if cell.cell_type == "code":
            for name in ("fig-cap", "fig-alt", "tbl-cap", "fig-subcap"):
                value = options(cell).get(name, [])
                yield from [value] if isinstance(value, str) else value
            continue
        text = NOT_PROSE.sub(lambda match: "\n" * match.group().count("\n"), without_code(cell.source))
        yield from QUOTED_ATTRIBUTE.findall(text)
        yield from ATTRIBUTES.sub("", text).splitlines()


def unsupported(chapter: Manuscript, numbers: Computed) -> list[tuple[str, str]]:
    """Return (number, sentence) for each number that neither a cell nor a source supports."""
    return [
        (quantity.text, sentence.strip())
        for sentence in sentences(chapter)
        if not CITATION.search(sentence)
        for quantity in quantities(sentence)
        if not quantity.says_nothing and not numbers.supports(quantity)
    ]


def problems(found: Iterable[tuple[str, str, str]], exceptions: Iterable[dict[str, str]]) -> list[str]:
    """Return what is left of (file, number, sentence) after the exceptions, and idle exceptions."""
    allowed = {(entry["file"], entry["number"]): entry["reason"] for entry in exceptions}
    found = list(found)
    result = [
        f"{file}: {number} はどのセルの結果にもなく、出典もありません: {sentence}"
        for file, number, sentence in found
        if (file, number) not in allowed
    ]
    used = {(file, number) for file, number, _ in found}
    result += [
        f"{file}: 例外 {number} は使われていません。消してください"
        for file, number in allowed
        if (file, number) not in used
    ]
    result += [
        f"{file}: 例外 {number} に理由がありません" for (file, number), reason in allowed.items() if not reason.strip()
    ]
    return result
