"""Hosts as people type them: ``"ddr5-5600 x2 64GB"``, ``"Ryzen 9 7950X"``, ``"2.9 tok/s"``."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

from ..errors import InvalidValueError, UnknownNameError, require_positive
from ..machine.host import Host
from ..names import require_name
from ..units import GIB
from .objects import get_device

EXAMPLES = "ddr5-5600 x2、ddr4-3200 4ch 128GB、Ryzen 9 7950X、実測した 60 GB/s、CPU だけで測った 2.9 トークン/秒"

BYTES_PER_CHANNEL = 8
"""Bytes that a channel of 64 bits, or two of 32 that are sold as one, moves at a time."""

_USUAL_CHANNELS = 2
_DATA_BITS = 128 / 130
_TRANSFERS_PER_S = {"3": 8e9, "4": 16e9, "5": 32e9, "6": 64e9}
"""Of one lane of PCIe, by generation."""

_NUMBER = r"(\d+(?:\.\d+)?)"
_SPEED = re.compile(_NUMBER + r"\s*(?:tok(?:en)?s?/s(?:ec)?|t/s|tps|トークン/秒)")
_DISK = re.compile(r"(?:ssd|nvme)\s*" + _NUMBER + r"\s*gb/s")
_LINK = re.compile(r"pcie\s*-?([3456])(?:\.0)?(?:\s*x\s*(1|2|4|8|16)\b)?")
_BANDWIDTH = re.compile(_NUMBER + r"\s*(gb/s|tb/s)")
_CAPACITY = re.compile(r"(?:\b(\d{1,2})\s*x\s*)?" + _NUMBER + r"\s*(?:gb|gib)(?!/)")
_MEMORY = re.compile(r"(?:lp)?ddr[345]x?[\s-]*(\d{3,5})\b")
_CHANNELS = re.compile(r"\b(?:x\s*(\d{1,2})|(\d{1,2})\s*(?:x|ch|channels?|チャンネル)?)(?:\b|$)")
_PARTS: tuple[tuple[re.Pattern[str], str, Callable[[re.Match[str]], float]], ...] = (
    (_SPEED, "tokens_per_s", lambda part: float(part[1])),
    (_DISK, "disk_bandwidth_bytes_per_s", lambda part: float(part[1]) * 1e9),
    (_CAPACITY, "memory_capacity_bytes", lambda part: int(part[1] or 1) * float(part[2]) * GIB),
    (
        _LINK,
        "link_bandwidth_bytes_per_s",
        lambda part: _TRANSFERS_PER_S[part[1]] * _DATA_BITS * int(part[2] or 16) / 8,
    ),
    (
        _BANDWIDTH,
        "memory_bandwidth_bytes_per_s",
        lambda part: float(part[1]) * (1e12 if part[2] == "tb/s" else 1e9),
    ),
)
"""What may stand beside the memory, each with how its text is read; bandwidths of single things come first."""

_WORDS = {"single": "1ch", "dual": "2ch", "quad": "4ch", "octa": "8ch", "-channel": " ", "チャネル": "ch"}


def get_host(name: str | float) -> Host:
    """Return the host of a name, or of a number.

    Parameters
    ----------
    name : str or float
        Kind, transfer rate and channels of its memory, the name of a
        processor that `hayasa devices` lists, a bandwidth that was measured,
        or the speed of the very model on the processor alone; in addition
        the amount of memory, the slot and the SSD:
        ``"ddr5-5600 x2 64GB pcie4 x16 ssd 7GB/s"``.  Without a number of
        channels there are two; a number alone is a bandwidth in GB/s.  What
        STREAM prints as Triad leaves out a quarter of what it moves.  A number is a measured bandwidth in bytes per
        second.

    Returns
    -------
    Host
        What it is.

    Raises
    ------
    UnknownNameError
        If nothing is known of such a name.
    InvalidValueError
        If a number is out of range.

    Examples
    --------
    >>> get_host("DDR5-5600 x2 64GB").memory_bandwidth_bytes_per_s / 1e9
    89.6
    >>> get_host("ddr4-3200 8ch").memory_bandwidth_bytes_per_s / 1e9
    204.8
    >>> get_host("2.89 tok/s").tokens_per_s, get_host(60e9).is_measured
    (2.89, True)
    """
    if not isinstance(name, str):
        bandwidth = require_positive("host", name, maximum=1e17)
        return Host(id=f"{bandwidth / 1e9:g} GB/s", memory_bandwidth_bytes_per_s=bandwidth, is_measured=True)
    return _read_host(unicodedata.normalize("NFKC", require_name(name, argument="host", what="主記憶")))


@lru_cache(maxsize=256)
def _read_host(text: str) -> Host:
    if re.fullmatch(_NUMBER, text.strip()):
        text = f"{text.strip()} GB/s"
    rest = text.lower()
    found: dict[str, float | bool] = {}
    for pattern, field, read in _PARTS:
        part = pattern.search(rest)
        if part:
            found[field] = require_positive("host", read(part))
            rest = f"{rest[: part.start()]} {rest[part.end() :]}"
    found["is_measured"] = "memory_bandwidth_bytes_per_s" in found
    rest = " ".join(rest.replace(",", " ").replace("、", " ").split())
    if rest and "memory_bandwidth_bytes_per_s" not in found:
        found["memory_bandwidth_bytes_per_s"] = _theoretical_bytes_per_s(rest, text)
    elif rest:
        raise _unknown(text)
    if not ("memory_bandwidth_bytes_per_s" in found or "tokens_per_s" in found):
        raise _unknown(text)
    return replace(Host(id=text, tokens_per_s=1.0), **{"tokens_per_s": 0.0, **found})  # type: ignore[arg-type]


def _theoretical_bytes_per_s(rest: str, text: str) -> float:
    """Return the bandwidth of memory modules, or of a processor that is listed."""
    memory = _MEMORY.search(rest)
    if not memory:
        try:
            device = get_device(rest)
        except UnknownNameError:
            raise _unknown(text) from None
        if not device.family.startswith("cpu"):
            raise InvalidValueError(f"host {text} は CPU でも主記憶でもありません。指定のしかた: {EXAMPLES}。")
        return device.memory_bandwidth_bytes_per_s
    rate, channels = int(memory[1]), _USUAL_CHANNELS
    others = f"{rest[: memory.start()]} {rest[memory.end() :]}"
    for word, short in _WORDS.items():
        others = others.replace(word, short)
    number = _CHANNELS.search(others)
    if number:
        channels = int(number[1] or number[2])
        others = f"{others[: number.start()]} {others[number.end() :]}"
    if others.strip(" -") or not (200 <= rate <= 20000 and 1 <= channels <= 64):
        raise _unknown(text)
    return float(channels * BYTES_PER_CHANNEL) * rate * 1e6


def _unknown(text: str) -> UnknownNameError:
    return UnknownNameError(f"host {text!r} が何か分かりません。指定のしかた: {EXAMPLES}。")
