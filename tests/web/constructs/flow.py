"""Statements, calls and comprehensions, one sort each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache, lru_cache

from .kinds import Box, Lonely, Pair, Point, RefusedError, ToldError

LIMIT = 3
TABLE = {"a": 1, "b": (2, 3), **dict.fromkeys(("c", "d"), 0)}
LOOKUP = {"double": lambda value: value * 2, "count": len}
_LATER = {name: place for place, name in enumerate(("x", "y"))}


def branches(n):
    if n < 0:
        return "less"
    elif n == 0:
        return "none"
    else:
        result = "more"
    return result if n < 10 else result + "!"


def nothing(n):
    if n:
        return


def loops(n):
    total = 0
    for i in range(n):
        if i == 1:
            continue
        if i == 5:
            break
        total += i
    while total > 4:
        total -= 3
    for i, (key) in enumerate("ab", 1):
        total += i
    for key, value in {"p": 1, "q": 2}.items():
        total += value
    return (total, i, key)


def unpacked(values):
    a, b = values
    a, b = b, a
    first, *rest = (a, b, 3)
    x = y = b
    return (a, b, first, rest, x, y)


def unpacked_in_loop(pairs):
    return [a for a, b in pairs] + [b for _, b in pairs if b]


def functions(n):
    def power(base, exponent=2):
        return base**exponent

    def adding(step: int, *, times: int = 1) -> int:
        return n + step * times

    shift = lambda value, by=LIMIT: value + by  # noqa: E731
    late = []
    for i in range(3):
        late.append(lambda: i)
    return [power(n), power(n, 3), adding(1), shift(n), shift(n, 10), [one() for one in late]]


def defaults(a, b=2, *, c=LIMIT, d):
    return (a, b, c, d)


def calls():
    return [
        defaults(1, d=4),
        defaults(1, b=3, d=4, c=5),
        defaults(a=0, d=None),
        together(1, 2),
        together(*[3, 4], 5),
        together(),
    ]


def together(*values):
    return (values, len(values))


@lru_cache(maxsize=8)
def remembered(a, b=2, *, c=3):
    return [a, b, c]


@cache
def once():
    return [1]


def caching():
    same = remembered(1) is None
    return [remembered(1), remembered(1, c=4), remembered((1, 2), 3), remembered("1"), once(), same]


def unhashable(value):
    return remembered(value)


def counting(n) -> Iterator[int]:
    for i in range(n):
        if i == 3:
            return
        yield i
    yield from (10, 20)


def comprehensions(n):
    values = [x * x for x in range(n) if x % 2]
    table = {str(x): x for x in values}
    nested = [(x, y) for x in range(3) for y in range(x) if x + y > 1]
    return [values, table, nested, sorted({x % 3 for x in range(n)}), [x for x in counting(n)], tuple(x for x in "ab")]


def lazily(values):
    # Python stops before it divides by nothing.
    return [any(1 / x > 0 for x in values), all(1 / x < 0 for x in values), sum(x for x in values[:1])]


def reductions(values):
    return [
        sum(values),
        sum(values, 10),
        min(values),
        max(values),
        max(values, key=lambda x: -x),
        min(values, key=lambda x: (x % 2, -x)),
        max(3, 1, 2),
        sorted(values, reverse=True),
        sorted(values, key=lambda x: x % 3),
        sorted(values, key=lambda x: x % 2, reverse=True),
        list(zip(values, "abc")),
        list(enumerate(values, 5)),
        any(values),
        all(values),
        list(range(5, 0, -2)),
        len(range(2, 9, 3)),
    ]


def emptiness(values):
    return [
        min(values, default=None),
        max(values, default="none", key=len),
        sum(values),
        list(values),
        min([*values, 1]),
    ]


def smallest(values):
    return min(values)


def strictly(a, b):
    return list(zip(a, b, strict=True))


def dicts(key):
    table = {"a": 1, **TABLE, "z": 9}
    table[key] = 5
    table["a"] = 7
    values = [0, 0]
    values[-1] = 2
    return [
        table.get(key),
        table.get("none"),
        table.get("none", 3),
        list(table),
        list(table.values()),
        list(table.items()),
        values,
        dict(table),
        len(table),
    ]


def merged(a, b):
    both, same = a | b, a
    a |= b
    return [both, same, a]


def first_of(values):
    return next((value for value in values if value), "none")


def defaulted(key):
    table = {"a": 1}
    return [table.setdefault(key, 5), table.setdefault("a", 6), table]


def box_of(fields):
    box = Box(**fields)
    return [box.name, box.width]


def keys():
    table = {(1, 2): "a", 1: "b", "1": "c", None: "d", (): "e"}
    return [
        table[1, 2],
        table[True],
        table["1"],
        table[None],
        table[()],
        (1, 2) in table,
        (2, 1) in table,
        {1, True, "1"} == {"1", 1},
    ]


def set_item(value, key):
    value[key] = 1
    return value


def lists():
    values = [1]
    values.append(2)
    values += (3, 4)
    return [values, [*values, *"ab"], (*values, 5), list(values) == values, values is None]


def looked_up(name, value):
    return LOOKUP[name](value)


def attributes(name):
    return getattr(Box(name="x"), name, None)


def missing(name):
    return getattr(Box(name="x"), name)


def raising(n):
    if n == 0:
        raise RefusedError(f"n は {n} です。")
    if n == 1:
        raise ToldError("known")
    if n == 2:
        raise ValueError("plain")
    return n


def caught(n):
    try:
        if n == 3:
            return 1 / 0
        if n == 4:
            return TABLE["nothing"]
        if n == 5:
            return [][1]
        if n == 6:
            return None + 1
        return raising(n)
    except ToldError as error:
        return ("told", str(error))
    except (RefusedError, ZeroDivisionError, KeyError):
        return "refused"
    except ValueError:
        raise RefusedError("again") from None


def points():
    p = Point(3, 4)
    x, y = p
    q = p.moved(1)
    return [
        p,
        p.size,
        q,
        p.moved(1, dy=2),
        p == Point(3, y=4),
        p == (3, 4),
        p != q,
        x + y,
        p[0],
        p[-1],
        len(p),
        list(p),
        Point(1) < Point(2),
        p in [p],
        Point(x=5),
    ]


def boxes():
    box = Box(name="a")
    wide = replace(box, width=5, parts=(1,))
    return [
        (box.name, box.default, box.width, box.parts),
        (wide.name, wide.width, wide.doubled),
        box.scaled(3),
        wide.scaled(3, plus=1),
        box == Box(name="a"),
        box == wide,
        box != wide,
        box == replace(wide, width=2.0, parts=()),
        Pair(1) == Pair(1, None),
        Pair(first=[1]) == Pair([1]),
        Pair(1) == Lonely(1),
        Lonely(1) == Lonely(1),
        [one == one for one in (Lonely(2),)],
    ]


def narrow(width):
    return Box(name="n", width=width).doubled


def unknown_field(name):
    box = Box(name="x")
    return replace(box, default=name).default


def late_constant(name):
    return _LATER[name]


def reserved(new, function, this):
    var, let = new, function
    return [var, let, this, [delete for delete in (1, 2)]]


CASES = {
    "branches": [(-1,), (0,), (5,), (10,)],
    "nothing": [(0,), (1,)],
    "loops": [(0,), (3,), (9,)],
    "unpacked": [([1, 2],), ((1, 2),), ("ab",), ([1],), ([1, 2, 3],), (5,), (Point(1, 2),)],
    "unpacked_in_loop": [([(1, 2), (3, 0)],), ([(1, 2, 3)],), (["ab"],), ([1],)],
    "functions": [(2,)],
    "calls": [()],
    "together": [(), (1,), (1, "a")],
    "caching": [()],
    "unhashable": [([1],), ({"a": 1},), ((1, [2]),)],
    "comprehensions": [(0,), (6,)],
    "lazily": [([1, 0],), ([-1, 0],)],
    "reductions": [([3, 1, 2],), ([5, 4, 4, 9],), ([2.5],)],
    "emptiness": [([],), (["a"],)],
    "smallest": [([],), ([1, "a"],), ([3, float("nan"), 1],), ([float("nan"), 1],), ("cab",)],
    "strictly": [("ab", [1, 2]), ("ab", [1]), ([], [1])],
    "dicts": [("a",), ("new",), ((1, 2),)],
    "merged": [({"a": 1, "b": 2}, {"b": 3, "c": 4}), ({}, {}), ({"a": 1}, None), (None, {})],
    "first_of": [([0, 2, 3],), ([],), ((0, ""),), (None,)],
    "defaulted": [("a",), ("b",), ([1],)],
    "box_of": [({"name": "x"},), ({"name": "x", "width": 3},), ({"name": "x", "depth": 3},), ({"width": 3},), ([],)],
    "keys": [()],
    "set_item": [([0], 0), ([0], 1), ((0,), 0), ({}, [1]), ("a", 0)],
    "lists": [()],
    "looked_up": [("double", 3), ("count", "abc"), ("none", 1)],
    "attributes": [("width",), ("doubled",), ("nothing",)],
    "missing": [("width",), ("nothing",)],
    "raising": [(0,), (1,), (2,), (3,)],
    "caught": [(n,) for n in range(8)],
    "points": [()],
    "boxes": [()],
    "narrow": [(3,), (-1,)],
    "unknown_field": [(3,)],
    "late_constant": [("y",), ("z",)],
    "reserved": [(1, 2, 3)],
}
