"""How far off the estimates were meant to be at most, how far off they are, and what would help.

One row of ``data/goals.csv`` per class of questions, made by ``python -m lab.goals``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from ..catalog.reader import read_objects


@dataclass(frozen=True, kw_only=True)
class Goal:
    """A class of questions, with the errors on what a fit had not seen.

    Parameters
    ----------
    part : str
        ``"decode"``, ``"batches"``, ``"prompt"``, ``"offload"`` or ``"draft"``.
    id : str
        Id of the calibration.
    subset : str
        Which of its rows count, in Japanese; empty for all.
    goal : float
        Mean absolute relative error that none of the others should exceed.
    rows : int
        Measurements that count.
    error_device_held_out, error_model_held_out, error_source_held_out, error_year_held_out : float
        Mean absolute relative error of the speed with each held out in turn; 0 if it could not be.
    spread : float
        Mean error of the best single answer to each question that was measured more
        than once, by others or with other builds: what no estimate can be better than; 0 if
        there is no such question.
    spread_rows : int
        Measurements behind it.
    reason, needed : str
        Why the goal is missed and which measurements would help, in Japanese.
    """

    part: str
    id: str
    subset: str = ""
    goal: float
    rows: int
    error_device_held_out: float
    error_model_held_out: float
    error_source_held_out: float
    error_year_held_out: float
    spread: float
    spread_rows: int
    reason: str
    needed: str

    @property
    def reached(self) -> float:
        """The largest of the errors."""
        return max(
            self.error_device_held_out,
            self.error_model_held_out,
            self.error_source_held_out,
            self.error_year_held_out,
        )


@cache
def goals() -> tuple[Goal, ...]:
    """All rows of ``goals.csv``.

    Returns
    -------
    tuple of Goal
        In the order of the file.

    Raises
    ------
    DataFileError
        If the file is missing, or a cell holds no number.
    """
    return read_objects(Goal, "goals.csv")
