"""Numbers as people type them: 8k, 16GB, 273GB/s, 8B, 1,000, in full width too."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping

from ..errors import InvalidValueError, require_positive, shown
from ..units import GIB

_LONGEST = 100
"""Characters of a number, by far."""

_SHARES = {"": 1, "%": 100}
_THOUSANDS = {"": 1, "k": 10**3, "m": 10**6}
# A comma stands between thousands and nowhere else: 16,5 is no way to write sixteen and a half.
_AMOUNT = re.compile(r"([+-]?(?:(?:\d{1,3}(?:,\d{3})+|\d+(?:_\d+)*)(?:\.\d*)?|\.\d+)(?:e\+?\d{1,3}(?![a-z]))?)\s*(\S*)")

BANDWIDTHS = {"": 1e9, "gb/s": 1e9, "gbs": 1e9, "mb/s": 1e6, "tb/s": 1e12}
"""Bytes per second by unit; GB/s where none is typed."""

CLOCKS = {"": 1e9, "ghz": 1e9, "mhz": 1e6}
"""Cycles per second by unit; GHz where none is typed."""

PEAKS = {"": 1e12, "tflops": 1e12, "tflop/s": 1e12, "tops": 1e12, "gflops": 1e9, "pflops": 1e15}
"""FLOP per second by unit; TFLOPS where none is typed."""

LATENCIES = {"": 1e-3, "ms": 1e-3, "us": 1e-6, "μs": 1e-6, "s": 1.0}
"""Seconds by unit; milliseconds where none is typed."""

SPEEDS = dict.fromkeys(("", "t/s", "tok/s", "tok/sec", "tps", "tokens/s", "tokens/sec", "トークン/秒"), 1.0)
"""Tokens per second by unit."""

POWERS = {"": 1.0, "w": 1.0, "kw": 1e3}
"""Watts by unit."""

COUNTS = {"": 1.0, "m": 1e6, "b": 1e9, "t": 1e12, "万": 1e4, "億": 1e8, "兆": 1e12}
"""Parameters by unit."""


def _amount(text: str) -> tuple[float, str] | None:
    """Return number and unit, lower case; None if there is no number that is finite."""
    # argparse makes an empty list of the value --.
    if not isinstance(text, str) or len(text) > _LONGEST:
        return None
    found = _AMOUNT.fullmatch(unicodedata.normalize("NFKC", text).strip().lower())
    if not found:
        return None
    number = float(found[1].replace(",", "").replace("_", ""))
    return (int(number) if number.is_integer() else number, found[2]) if math.isfinite(number) else None


def integer(option: str, text: str) -> int:
    """Read a whole number of `option`; k stands for a thousand, m for a million."""
    amount = _amount(text)
    if amount and amount[1] in _THOUSANDS:
        value = amount[0] * _THOUSANDS[amount[1]]
        if value == int(value):
            return int(value)
    raise InvalidValueError(f"{option} は 8192 や 8k のような整数で指定してください（与えられた値: {shown(text)}）。")


def memory_bytes(option: str, text: str) -> float:
    """Read an amount of memory of `option` in bytes; GB counts as GiB, as memory is sold."""
    amount = _amount(text)
    if not amount or amount[1] not in ("", "g", "gb", "gib"):
        raise InvalidValueError(
            f"{option} は 16 や 16GB のように、GiB の数で指定してください（与えられた値: {shown(text)}）。"
        )
    return require_positive(option, amount[0]) * GIB


def quantity(option: str, text: str, units: Mapping[str, float], example: str) -> float:
    """Read a number of `option` that may have one of some units after it.

    Examples
    --------
    >>> quantity("--bandwidth", "1.8 TB/s", BANDWIDTHS, "273 や 273GB/s")
    1800000000000.0
    """
    amount = _amount(text)
    if not amount or amount[1] not in units:
        raise InvalidValueError(f"{option} は {example} のように指定してください（与えられた値: {shown(text)}）。")
    return require_positive(option, amount[0] * units[amount[1]])


def fraction(option: str, text: str) -> float:
    """Read a share of `option`: 0.8 or 80%.

    Examples
    --------
    >>> fraction("--acceptance", "80%"), fraction("--acceptance", "0.8")
    (0.8, 0.8)
    """
    amount = _amount(text)
    if amount and amount[1] in _SHARES:
        share = amount[0] / _SHARES[amount[1]]
        if 0 <= share <= 1:
            return share
    raise InvalidValueError(
        f"{option} は 0.8 や 80% のように、0 から 1 までの割合で指定してください（与えられた値: {shown(text)}）。"
    )
