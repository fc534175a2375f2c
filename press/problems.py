"""What is wrong with a book: collected over the whole run, shown together, each with its place."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


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

    def __init__(self, log: Path | None = None) -> None:
        self._found: list[Problem] = []
        self._log = log

    def add(self, file: str, place: str, message: str, advice: str) -> None:
        self._found.append(Problem(file, place, message, advice))

    @contextmanager
    def working_on(self, file: str) -> Iterator[None]:
        """Make whatever else goes wrong a problem of `file`; where it went wrong is kept in the log."""
        try:
            yield
        except BookError:
            raise
        except Exception as error:
            advice = "直前に変えた所を確かめてください。"
            if self._log is not None:
                self._log.parent.mkdir(parents=True, exist_ok=True)
                with self._log.open("a", encoding="utf-8") as log:
                    log.write(f"{file}\n{traceback.format_exc()}\n")
                advice += f"press の誤りなら、{self._log.parent.name}/{self._log.name} を添えて知らせてください"
            said = " ".join(str(error).split())[:200]
            self.add(file, "", f"press が処理できませんでした（{type(error).__name__}: {said}）", advice)

    def __len__(self) -> int:
        return len(self._found)

    def error(self) -> BookError:
        return BookError(self._found)

    def stop_if_any(self) -> None:
        if self._found:
            raise self.error()
