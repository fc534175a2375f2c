"""Small functions, one construct each, with what they are asked; test_translate.py runs them in both languages."""

from __future__ import annotations

import math

from .kinds import Point

NUMBERS = [0, 1, -1, 2, 7, -7, 0.5, -0.5, 1.5, 2.5, -2.5, 1e-9, 123456789.125, 1e16, 1e22, -3.7, 5e-324, 2.0**53]
PAIRS = [(a, b) for a in NUMBERS for b in (1, -1, 2, 3, -3, 0, 0.5, -0.1, 0.3, 1e10)]
# What Python writes as a float, JavaScript as an int, is left out: whole numbers are ints here.
THINGS = [
    None,
    True,
    False,
    0,
    1,
    -2,
    0.5,
    "",
    "a",
    "表",
    (),
    (1,),
    [],
    [0],
    {},
    {"a": 1},
    Point(1, 2),
    math.nan,
    math.inf,
]
TEXTS = [
    "",
    "a",
    "abc",
    "_exps",
    "x_exps",
    " a b ",
    "\t\n a\x1c",
    "ab" * 20,
    "😀é表",
    "a,b,,c",
    "'",
    "it's",
    'say "it\'s"',
    "\x7f\u200b",
]


def add(a, b):
    return a + b


def subtract(a, b):
    return a - b


def multiply(a, b):
    return a * b


def divide(a, b):
    return a / b


def floor_divide(a, b):
    return a // b


def modulo(a, b):
    return a % b


def power(a, b):
    return a**b


def negative(a):
    return -a


def annotated(a: float, b: int, word: str) -> str:
    c = a * b - a + 3
    d = (c / 4) if c < 10 else -c
    if a and word and b >= 1:
        d += 1
        word += "!"
    return f"{word or 'none'}: {d:.3f} {a == b} {a != b} {word == 'x!'} {max(a, b, d):.2f}"


def annotated_division(a: float, b: float) -> float:
    return a / b


def compare(a, b):
    return [a < b, a <= b, a > b, a >= b, a == b, a != b]


def equal(a, b):
    return (a == b, a != b)


def chained(a, b):
    return 0 < a <= b


def in_place(values, more):
    same = values
    values += more
    values *= 1
    return (same, values)


def truth(value):
    return (True if value else False, not value, bool(value))


def one_or_other(a, b):
    return (a and b, a or b, a and b or "neither", not a and not b)


def is_none(value):
    return (value is None, value is not None, value is True, value is False)


def kinds(value):
    return [
        isinstance(value, str),
        isinstance(value, bool),
        isinstance(value, (list, dict)),
        isinstance(value, tuple),
        isinstance(value, (int, float)),
        isinstance(value, (str, bytes, bool)),
        isinstance(value, Point),
        type(value) is str,
        type(value) is bool,
    ]


def contained(container, part):
    return (part in container, part not in container)


def item(container, key):
    return container[key]


def sliced(container, a, b):
    return (container[a:b], container[a:], container[:b], container[:])


def length(container):
    return len(container)


def rounded(value):
    return round(value)


def rounded_to(value, digits):
    return round(value, digits)


def whole(value):
    return int(value)


def floating(value):
    return float(value)


def mathematics(value):
    return (math.isfinite(value), abs(value))


def logarithm(value):
    return (math.log(value), math.exp(value))


def constants():
    return (10**9, -1, 1e30, "a\n`${x}`\\", [], (), (1,), {"a": (1, [2])}, None, True)


WRITTEN = [0, 1, -1, 7, 4096, 0.5, 0.1 + 0.2, 1 / 3, 1e-5, 1e-4, 123456789.5, 1e15 + 0.5, 1e16, 1.5e300, 5e-324, -2.5]


def written(value):
    return f"{value}|{value!r}|{str(value)}|{repr(value)}"


def formatted(value):
    return f"{value:g} {value:.0f} {value:.2f} {value:,.1f} {value:.3e} {value:e} {value:.4g} {value:,.0f} {value:f} {value:.1g}"


def formatted_to(value, digits):
    return f"<{value:.{digits}e}|{value:,.{digits}f}|{value:.{digits}g}>"


def grouped(value):
    return f"{value:,} {value:d} {value:,d}"


def texts(value):
    return [
        value.startswith("a"),
        value.startswith(("x", "_")),
        value.endswith("_exps"),
        value.endswith(("c", "b ")),
        value.removesuffix("_exps"),
        value.split(","),
        value.strip(),
        value.lower(),
        value.upper(),
        value.replace("a", "$&"),
        value.strip("bc-]^"),
        ", ".join([value, "b"]),
        "-".join(letter for letter in value),
        value + "x",
        value * 2,
        "b" in value,
        len(value),
        value[1:],
        value[-2:],
        value < "b",
    ]


def to_text(value):
    return str(value)


CASES = {
    "add": [*PAIRS, ("a", "b"), ([1], [2]), ((1,), (2,)), (True, 1), ("a", 1), (None, 1), ([1], (2,)), (1, "a")],
    "subtract": [*PAIRS, (True, 3), ("a", "a"), (None, 1)],
    "multiply": [*PAIRS, ("ab", 3), (3, "ab"), ([1, 2], 2), ((1,), 3), ("a", -1), (True, 5), (2, None), ("a", 0.5)],
    "divide": [*PAIRS, (True, 2), ("a", 2), (None, 1), (1, None)],
    "floor_divide": [*PAIRS, (9007199254740991, 3), (7.5, 2.5), (True, 2), ("a", 2)],
    "modulo": [*PAIRS, (7.5, 2.5), (True, 2), (None, 2)],
    "power": [
        (0, -1),
        (2, 10),
        (2.5, 3),
        (0, 0),
        (1, math.nan),
        (-1, math.inf),
        (-8, 2),
        (10.0, 400),
        (4, 0.5),
        (0.0, -2),
        ("a", 1),
    ],
    "negative": [(value,) for value in (3, -2.5, True, "a", None)],
    "annotated": [(a, b, word) for a in (0.25, 3, 100, 0) for b in (1, 2, 0) for word in ("", "x")],
    "annotated_division": [(1, 4), (1.5, 0), (0, 3)],
    "compare": [
        *PAIRS,
        ("a", "b"),
        ("表", "😀"),
        ("\uffff", "😀"),
        ((1, 2), (1, 3)),
        ((1,), (1, 0)),
        ([2], [1, 5]),
        (True, 1),
        (1, "a"),
        (None, 1),
        ((1,), [1]),
        (math.nan, 1),
    ],
    "equal": [(a, b) for a in THINGS for b in THINGS if a is not b or a != math.nan],
    "chained": [(0, 1), (1, 1), (2, 1), (-1, 5), ("a", 1)],
    "in_place": [([1], [2]), ((1,), (2,)), ([], (3,)), (1, 2)],
    "truth": [(value,) for value in THINGS],
    "one_or_other": [(a, b) for a in THINGS for b in (0, "b", None)],
    "is_none": [(value,) for value in THINGS],
    "kinds": [(value,) for value in THINGS],
    "contained": [
        ("abc", "b"),
        ("abc", "d"),
        ("abc", 1),
        ([1, 2], 2),
        ((1, (2,)), (2,)),
        ({"a": 1}, "a"),
        ({"a": 1}, "b"),
        ({(1, 2): 3}, (1, 2)),
        ([True], 1),
        (3, 3),
        ([None], None),
        ({1: 2}, True),
    ],
    "item": [
        ("abc", 0),
        ("abc", -1),
        ("😀b", 1),
        ("abc", 3),
        ([1, 2], -2),
        ([1, 2], -3),
        ((1, 2), 1),
        ({"a": 1}, "a"),
        ({"a": 1}, "b"),
        ({(1, "x"): 3}, (1, "x")),
        (Point(3, 4), 1),
        ([1], "a"),
        ([1], 0.5),
        ({"a": 1}, [1]),
        (None, 0),
        ({1: 2}, True),
    ],
    "sliced": [
        (value, a, b) for value in ("😀bcde", [1, 2, 3], (1, 2, 3), "") for a in (0, 1, -2, 9) for b in (0, 2, -1, 9)
    ]
    + [("abc", None, 1), ("abc", 0.5, 1), (5, 0, 1)],
    "length": [("",), ("😀é",), ([1, 2],), ((),), ({"a": 1},), (Point(1, 2),), (5,), (None,)],
    "rounded": [
        (value,)
        for value in (
            0.5,
            1.5,
            2.5,
            -0.5,
            -1.5,
            2.4,
            2.6,
            0.49999999999999994,
            1e20,
            4503599627370497.5,
            3,
            math.nan,
            math.inf,
            "a",
        )
    ],
    "rounded_to": [
        (value, digits) for value in (2.675, 0.125, 0.375, 1.005, 1e20, -0.0625, 12345.678) for digits in (0, 1, 2, 3)
    ],
    "whole": [
        (value,)
        for value in (1.9, -1.9, "12", " -7 ", "+02", "1_000", "1.5", "", "x", "1__0", math.nan, math.inf, None, True)
    ],
    "floating": [
        (value,)
        for value in (
            1,
            True,
            "1.5",
            " 1e-5 ",
            "-.5",
            "1.",
            "1_0.0_1",
            "inf",
            "-Infinity",
            "nan",
            "0x10",
            "",
            "1e",
            "1e400",
            None,
            [1],
        )
    ],
    "mathematics": [(value,) for value in (0, 1.5, -1.5, 3, True, "a", None)] + [(math.nan,), (math.inf,)],
    "logarithm": [(value,) for value in (1, True, 0, -1, 800, "a", None)] + [(math.nan,), (math.inf,), (-math.inf,)],
    "constants": [()],
    "written": [
        (value,)
        for value in (
            *WRITTEN,
            *TEXTS,
            None,
            True,
            False,
            (1,),
            (1, "a"),
            [],
            [None, 0.5],
            {"a": 1, (1, 2): []},
            math.nan,
            -math.inf,
        )
    ],
    "formatted": [
        (value,)
        for value in (
            *WRITTEN,
            0.125,
            0.375,
            2.5,
            3.5,
            1e21,
            1.2345e22,
            999999.5,
            99999.95,
            -0.001,
            math.nan,
            math.inf,
            -math.inf,
            True,
        )
    ],
    "formatted_to": [
        (value, digits)
        for value in (0.125, 2.5, 1.005, 1e22, 74.65, 123456, 9.995, 0.5, 1.5, 5e-324)
        for digits in range(6)
    ],
    "grouped": [(value,) for value in (0, 1, -1, 999, 1000, -123456, 1234567890, 2**53 - 1, True, "a", None)],
    "texts": [(value,) for value in TEXTS],
    "to_text": [(value,) for value in THINGS if not isinstance(value, Point)],
}
