"""Units: SI inside, GB and GiB only where a number is shown."""

from __future__ import annotations

GB = 10**9
"""Bytes in a gigabyte, the unit of bandwidths and of memory on data sheets."""

GIB = 2**30
"""Bytes in a gibibyte, the unit llama.cpp prints file sizes in."""

_SCALES = ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def significant(value: float, digits: int = 3) -> str:
    """Write `value` with so many meaningful digits and thousands separators.

    Examples
    --------
    >>> significant(24.1137), significant(89142.857, 5), significant(0.00594)
    ('24.1', '89,143', '0.00594')
    """
    if value == 0:
        return "0"
    written = f"{value:.{digits - 1}e}"
    rounded = float(written)
    if abs(rounded) < 1e-4:
        return written
    exponent = int(written.split("e")[1])  # 2 for 999, 3 for 1000
    return f"{rounded:,.{max(0, digits - 1 - exponent)}f}"


def scaled(value: float, unit: str, digits: int = 3) -> str:
    """Write `value` with a decimal prefix: 120e9 ``B/s`` becomes 120 GB/s.

    Examples
    --------
    >>> scaled(120e9, "B/s"), scaled(3.5e9, "B"), scaled(512, "B")
    ('120 GB/s', '3.50 GB', '512 B')
    """
    for factor, prefix in _SCALES:
        if abs(value) >= factor:
            return f"{significant(value / factor, digits)} {prefix}{unit}"
    return f"{significant(value, digits)} {unit}"


def gibibytes(n_bytes: float, digits: int = 3) -> str:
    """Write an amount of memory the way it is sold and llama.cpp prints it.

    Examples
    --------
    >>> gibibytes(24 * 2**30), gibibytes(3825065984)
    ('24.0 GiB', '3.56 GiB')
    """
    return f"{significant(n_bytes / GIB, digits)} GiB"


def duration(seconds: float, digits: int = 3) -> str:
    """Write a time in what suits it: 時間 and 分, 分 and 秒, s, ms or µs.

    Examples
    --------
    >>> duration(29.71), duration(0.0291667), duration(5.6e-06)
    ('29.7 s', '29.2 ms', '5.60 µs')
    >>> duration(119), duration(120), duration(9000)
    ('119 s', '2分0秒', '2時間30分')
    >>> duration(147.2), duration(7199.9), duration(1e6)
    ('2分27秒', '2時間0分', '278 時間')
    """
    if seconds >= 360_000:
        return f"{significant(seconds / 3600, digits)} 時間"
    # 2.45 分 would be taken for two minutes and 45 seconds.
    whole = int(seconds + 0.5)
    if whole >= 7200:
        minutes = int(seconds / 60 + 0.5)
        return f"{minutes // 60}時間{minutes % 60}分"
    if whole >= 120:
        return f"{whole // 60}分{whole % 60}秒"
    for factor, unit in ((1.0, "s"), (1e-3, "ms")):
        if seconds >= factor:
            return f"{significant(seconds / factor, digits)} {unit}"
    return f"{significant(seconds / 1e-6, digits)} µs"
