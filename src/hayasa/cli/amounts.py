"""Numbers as people type them: 8k, 16GB, 1,000, in full width too."""

from __future__ import annotations

import re
import unicodedata

from ..errors import InvalidValueError, require_positive, shown
from ..units import GIB

_THOUSANDS = {"": 1, "k": 10**3, "m": 10**6}
# A comma stands between thousands and nowhere else: 16,5 is no way to write sixteen and a half.
_AMOUNT = re.compile(r"([+-]?(?:(?:\d{1,3}(?:,\d{3})+|\d+(?:_\d+)*)(?:\.\d*)?|\.\d+))\s*([a-z]*)")


def _amount(text: str) -> tuple[float, str] | None:
    """Return number and unit, lower case; None if there is no number."""
    found = _AMOUNT.fullmatch(unicodedata.normalize("NFKC", text).strip().lower())
    if not found:
        return None
    digits = found[1].replace(",", "").replace("_", "")
    return (float(digits) if "." in digits else int(digits)), found[2]


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
