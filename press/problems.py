"""What is wrong with a book: collected over the whole run, shown together, each with its place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Problem:
    """One thing an author has to mend.

    Parameters
    ----------
    file
        The manuscript, relative to the book's root.
    place
        Where in it: "セル 5（3 行目）", "12 行目", or "" for the whole file.
    message
        What is wrong, naming the thing.
    advice
        What to do about it.
    """

    file: str
    place: str
    message: str
    advice: str

    def __str__(self) -> str:
        where = f"{self.file} {self.place}".rstrip()
        return f"{where}: {self.message}\n    → {self.advice}"


class BookError(Exception):
    """The book cannot be built; carries every problem found."""

    def __init__(self, problems: list[Problem]):
        self.problems = sorted(set(problems))
        super().__init__("\n".join(map(str, self.problems)))


class Problems:
    """The list that all layers add to, so that one run shows everything."""

    def __init__(self) -> None:
        self._found: list[Problem] = []

    def add(self, file: str, place: str, message: str, advice: str) -> None:
        self._found.append(Problem(file, place, message, advice))

    def __len__(self) -> int:
        return len(self._found)

    def stop_if_any(self) -> None:
        if self._found:
            raise BookError(self._found)
