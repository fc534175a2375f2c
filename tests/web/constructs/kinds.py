"""Classes and errors, one sort each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class RefusedError(ValueError):
    """An error of the package's own."""


class ToldError(RefusedError):
    """An error that is another one, too."""


class KeptError(RefusedError):
    """An error that keeps more than its message."""

    def __init__(self, message: str, suggestions: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.suggestions = suggestions


class Point(NamedTuple):
    """A named tuple."""

    x: float
    y: float = 0.0

    @property
    def size(self) -> float:
        return self.x * self.x + self.y * self.y

    def moved(self, dx: float, *, dy: float = 0.0) -> Point:
        return Point(self.x + dx, y=self.y + dy)


@dataclass(frozen=True, kw_only=True)
class Box:
    """A dataclass with keywords only, defaults and a check."""

    name: str
    default: int = 1
    width: float = 2.0
    parts: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.width < 0:
            raise RefusedError(f"width は 0 以上です（{self.width}）。")

    def __hash__(self) -> int:
        return hash(self.name)

    @property
    def doubled(self) -> float:
        return 2 * self.width

    def scaled(self, factor: float, *, plus: int = 0) -> float:
        return self.doubled * factor + plus


@dataclass(frozen=True)
class Pair:
    """A dataclass whose fields have an order."""

    first: object
    second: object = None


@dataclass(frozen=True, eq=False)
class Lonely:
    """A dataclass that is equal to itself only."""

    value: int = 0
