"""Patterns, the text around them, and classes that keep what they have found, one sort each."""

from __future__ import annotations

import math
import re
import unicodedata

from .flow import defaults
from .kinds import KeptError, Point

WORDS = re.compile(r"[a-z0-9.]+|[^\x00-\xbf]+", re.ASCII)
SPEED = re.compile(r"^\W*(?P<what>eval|速さ)?\s*:?\s*(?P<speed>[\d,]*\.?\d+) tok(?:en)?s?/s\b(?P<rest>\S*)$", re.ASCII | re.IGNORECASE)  # fmt: skip
PAIR = re.compile(r',(?:"((?:[^"]|"")*)"|([^,]*))', re.ASCII)
BEHIND = re.compile(r"(?<![a-z\d.])(?!0+\D)(\d{1,3})\s*(?:gb|([枚台]))(?![a-z\d])", re.ASCII)
LEFT, RIGHT = "left", ("right", 2)


def sought(text):
    found = SPEED.search(text)
    if not found:
        return None
    return [found["what"], found[2], found.groups(), sorted(found.groupdict().items(), key=lambda pair: pair[0])]


def anchored(text):
    return [WORDS.match(text) is None, WORDS.fullmatch(text) is not None, bool(BEHIND.search(text))]


def all_found(text):
    return [WORDS.findall(text), PAIR.findall(text), [word for word in BEHIND.findall(text)]]


def replaced(text):
    return [
        WORDS.sub("<>", text),
        WORDS.sub("", text, 2),
        BEHIND.sub(r"[\1]", text),
        BEHIND.sub(lambda found: f"{int(found[1]) * 2}{found[2] or '-'}", text),
    ]


def escaped(letters):
    return (
        re.compile("".join([f"[^{re.escape(one)}]*{re.escape(one)}" for one in letters]), re.ASCII).match(
            "a.b-c]d^e\\f"
        )
        is None
    )


def missing_group(text):
    found = WORDS.search(text)
    return found["nothing"] if found else None


def lines(text):
    return [text.splitlines(), text.split(), text.count("a"), text.count(""), text.removeprefix("ab")]


def wide(text):
    return unicodedata.normalize("NFKC", text)


def counted(values, value):
    return values.count(value)


def growing(values, more):
    values.extend(more)
    return values


def taken(table, key):
    return [table.pop(key, 9), table, table.pop(key)]


def updated(table, other):
    table.update(other)
    return table


def frozen(values):
    seen = frozenset(values)
    return [len(seen), 1 in seen, "a" in seen, len(frozenset())]


def geometry(a, b):
    return [math.hypot(a, b), math.sqrt(a), math.pi * b]


def sides():
    return [LEFT, RIGHT]


class Shelf:
    """A class that keeps what it is given."""

    def __init__(self, first, *, room=2):
        self.kept = [first]
        self.room: int = room

    @property
    def full(self):
        return len(self.kept) >= self.room

    def put(self, value):
        if self.full:
            self.room = 0
            return False
        self.kept.append(value)
        return True

    def each(self):
        yield from self.kept


def shelved(values):
    shelf = Shelf(values[0], room=3)
    told = [shelf.put(value) for value in values]
    return [told, list(shelf.each()), shelf.room, shelf.full, Shelf(1) == Shelf(1), shelf == shelf]


def called_with(given):
    return defaults(**given)


def called_with_more(a):
    return defaults(**({"a": a, "b": 0} | {"d": 7}))


def moved(x):
    return [Point(1, 2)._replace(x=x), Point(1, 2)._replace()]


def kept_error(n):
    try:
        if n:
            raise KeptError("いくつかあります。", ("a", "b"))
        raise KeptError("ありません。")
    except KeptError as error:
        return [str(error), error.suggestions]


def raised_again(n):
    try:
        raise KeptError("もう一度。")
    except ValueError:
        if n:
            raise
        return "caught"


TEXTS = [
    ("",), ("12.3 tok/s",), ("**Eval: 1,234.5 tokens/s**",), ("速さ 12 TOKENS/S\n",), ("eval 5 toks/ſ",), ("ſ5 tok/s速い",),
    ("速さ:12 tok/s。",), (",a,\"b,\"\"c\"\"\",,d",), ("16gb x 007gb 12枚 3台x 0.5gb",), ("gpt-oss.20b の 速さ\u3000é\u00a012",),
    ("a\r\nb\x0bc\x1cd\x85e\u2028f\n\n",), ("ab ab\taba",), ("🚀ab🚀12gb",), ("\x1f \u2003a",), ("ab",), ("\n",),
    ("12 tok/s\u3000x",),
]  # fmt: skip
CASES = {
    "sought": TEXTS,
    "anchored": TEXTS,
    "all_found": TEXTS,
    "replaced": TEXTS,
    "escaped": [("a.b",), ("-]^",), ("\\f",), ("x",), ("速",)],
    "missing_group": [("a",), ("",)],
    "lines": TEXTS,
    "wide": [("１２：ＡＢ\u3000ｶﾞ\u00a0½",), ("",)],
    "counted": [([1, 1.0, True, "1"], 1), ((1, "a"), "a"), ("aXaa", "a"), ([], 1)],
    "growing": [([1], (2, 3)), ([1], "ab"), ([1], 5), ((1,), [2])],
    "taken": [({"a": 1, "b": 2}, "b"), ({"a": 1}, "z")],
    "updated": [({"a": 1, "b": 2}, {"b": 3, "c": 4}), ({}, {})],
    "frozen": [([1, 1, "a"],), ([],), ([[1]],)],
    "geometry": [(3, 4), (0.5, -2), (-1, 1)],
    "sides": [()],
    "shelved": [([1, 2, 3, 4],), (["a"],)],
    "called_with": [({"a": 1, "d": 2},), ({"a": 1},), ({"a": 1, "d": 2, "e": 3},), ({"a": 1, "b": 5, "c": 6, "d": 7},)],
    "called_with_more": [(1,)],
    "moved": [(5,)],
    "kept_error": [(0,), (1,)],
    "raised_again": [(0,), (1,)],
}
