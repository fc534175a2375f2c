"""Errors a reader can act on, and the checks that raise them.

Every message is Japanese and names the argument, the value that was given
and what is allowed.  All errors are ``ValueError``, so that
``except ValueError`` catches whatever the package refuses.
"""

from __future__ import annotations

import math

# Nothing that is built has more; a larger number is a slip of units.
MAX_BATCH_SIZE = 1_000_000
MAX_CONTEXT_LENGTH = 100_000_000
MAX_DEVICES = 1_000_000
MAX_LAYERS = 100_000  # more than any model has: all of them


class HayasaError(ValueError):
    """Base of everything that `hayasa` refuses."""


class InvalidValueError(HayasaError):
    """A number outside what its argument allows."""


class UnknownNameError(HayasaError):
    """A model, device, weight format or engine that no table lists.

    Attributes
    ----------
    suggestions : tuple of str
        Known ids that look alike, best first.
    """

    def __init__(self, message: str, suggestions: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.suggestions = suggestions


class DoesNotFitError(HayasaError):
    """Weights and KV cache need more memory than the devices have."""


class DataFileError(HayasaError):
    """A CSV file is missing, or a row of it cannot be read."""


_LONGEST = 60


def shown(value: object) -> str:
    """Write a value for a message: as Python writes it, but no longer than a line.

    Examples
    --------
    >>> shown("8k"), shown("a" * 1000) == "'" + "a" * 59 + "…"
    ("'8k'", True)
    """
    try:
        text = repr(value)
    except ValueError:  # Python does not write whole numbers of thousands of digits
        return "桁の多すぎる整数"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def require_kind(name: str, value: object, kind: type) -> None:
    """Raise unless `value` is an object of `kind`, one of the package's own.

    Examples
    --------
    >>> from hayasa import Device
    >>> require_kind("device", "rtx-4090", Device)
    Traceback (most recent call last):
        ...
    hayasa.errors.InvalidValueError: device は hayasa.Device で指定してください（与えられた値: 'rtx-4090'）。
    """
    if not isinstance(value, kind):
        raise InvalidValueError(
            f"{name} は hayasa.{kind.__name__} で指定してください（与えられた値: {shown(value)}）。"
        )


def _number(name: str, value: object, allowed: str) -> float:
    """Return `value` as a float, or say that it is no finite number."""
    # A digit, which comes before ":", stands apart from what is Japanese.
    apart = " " if allowed < ":" else ""
    if isinstance(value, (str, bytes, bool)) or value is None:
        raise InvalidValueError(f"{name} は{apart}{allowed}で指定してください（与えられた値: {shown(value)}）。")
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise InvalidValueError(
            f"{name} は{apart}{allowed}で指定してください（与えられた値: {shown(value)}）。"
        ) from None
    if not math.isfinite(number):
        raise InvalidValueError(f"{name} は有限の{apart}{allowed}で指定してください（与えられた値: {shown(value)}）。")
    return number


def require_positive(name: str, value: float, maximum: float = 1e30) -> float:
    """Return `value` if it is a finite number above zero.

    Examples
    --------
    >>> require_positive("parameters", 7e9)
    7000000000.0
    >>> require_positive("parameters", -1)
    Traceback (most recent call last):
        ...
    hayasa.errors.InvalidValueError: parameters は正の数で指定してください（与えられた値: -1）。
    """
    if type(value) is float and 0 < value <= maximum:  # the common case, kept fast
        return value
    number = _number(name, value, "正の数")
    if number <= 0:
        raise InvalidValueError(f"{name} は正の数で指定してください（与えられた値: {shown(value)}）。")
    if number > maximum:
        raise InvalidValueError(f"{name} は {maximum:g} 以下で指定してください（与えられた値: {shown(value)}）。")
    return number


def require_non_negative(name: str, value: float, maximum: float = 1e30) -> float:
    """Return `value` if it is a finite number, zero or above.

    Examples
    --------
    >>> require_non_negative("link_latency_s", 0)
    0.0
    """
    number = _number(name, value, "0 以上の数")
    if number < 0:
        raise InvalidValueError(f"{name} は 0 以上の数で指定してください（与えられた値: {shown(value)}）。")
    if number > maximum:
        raise InvalidValueError(f"{name} は {maximum:g} 以下で指定してください（与えられた値: {shown(value)}）。")
    return number


def require_integer(name: str, value: int, minimum: int, maximum: int) -> int:
    """Return `value` if it is a whole number from `minimum` to `maximum`.

    Examples
    --------
    >>> require_integer("batch_size", 8, 1, 100)
    8
    >>> require_integer("n", 0, 1, 9)
    Traceback (most recent call last):
        ...
    hayasa.errors.InvalidValueError: n は 1 以上 9 以下の整数で指定してください（与えられた値: 0）。
    """
    if type(value) is int and minimum <= value <= maximum:  # the common case, kept fast
        return value
    allowed = f"{minimum} 以上 {maximum} 以下の整数"
    number = _number(name, value, allowed)
    if number != int(number) or not minimum <= number <= maximum:
        raise InvalidValueError(f"{name} は {allowed}で指定してください（与えられた値: {shown(value)}）。")
    return int(number)


def require_choice(name: str, value: str, allowed: tuple[str, ...]) -> str:
    """Return `value` if it is one of `allowed`.

    Examples
    --------
    >>> require_choice("split", "tensor", ("pipeline", "tensor"))
    'tensor'
    """
    if value not in allowed:
        raise InvalidValueError(
            f"{name} は {' / '.join(allowed)} のどれかにしてください（与えられた値: {shown(value)}）。"
        )
    return value


def require_tuple(name: str, value: object) -> None:
    """Refuse what is no tuple.

    Examples
    --------
    >>> require_tuple("notes", ("a note",))
    >>> require_tuple("notes", "a note")
    Traceback (most recent call last):
        ...
    hayasa.errors.InvalidValueError: notes は tuple で指定してください（与えられた値: 'a note'）。
    """
    if not isinstance(value, tuple):
        raise InvalidValueError(f"{name} は tuple で指定してください（与えられた値: {shown(value)}）。")
