"""When an engine was built: what it still had to wait for then."""

from __future__ import annotations

from ..errors import InvalidValueError, shown

BUILD_MONTHS = (
    (1550, "2023-11"),
    (1691, "2023-12"),
    (2824, "2024-05"),
    (3622, "2024-08"),
    (4277, "2024-12"),
    (5635, "2025-06"),
    (6077, "2025-08"),
    (6609, "2025-10"),
    (6918, "2025-11"),
    (7280, "2025-12"),
    (7938, "2026-02"),
    (8577, "2026-03"),
    (9739, "2026-07"),
)
"""Builds of llama.cpp by their number, and the month in which they were measured (``data/measurements``)."""

MOST_DIGITS = 6
"""A build's number has no more; what is longer is something else."""

MONTHS = ("01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "11", "12")


def build_month(build: str | None) -> str:
    """Return the month of a build: as it was given, or that of the last build of `BUILD_MONTHS` not after it.

    Parameters
    ----------
    build : str or None
        A month such as ``"2025-06"``, or a build of llama.cpp such as ``"b6100"`` or ``"6100"``.

    Returns
    -------
    str
        The month; empty for None, the newest.

    Raises
    ------
    InvalidValueError
        If it is neither.

    Examples
    --------
    >>> build_month("2025-06"), build_month("b6100"), build_month(None)
    ('2025-06', '2025-08', '')
    """
    if build is None:
        return ""
    if isinstance(build, str):
        month = build[5:]
        if len(build) == 7 and build[4] == "-" and _is_number(build[:4]) and month in MONTHS:
            return build
        number = build[1:] if build.startswith("b") else build
        if len(number) <= MOST_DIGITS and _is_number(number):
            months = [month for first, month in BUILD_MONTHS if first <= int(number)]
            return months[-1] if months else BUILD_MONTHS[0][1]
    raise InvalidValueError(
        f"build は、2025-06 のような年月か、b6100 のような llama.cpp のビルド番号です（与えられた値: {shown(build)}）。"
    )


def _is_number(text: str) -> bool:
    """Tell whether a text consists of digits."""
    for character in text:
        if character not in "0123456789":
            return False
    return text != ""
