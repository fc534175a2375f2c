"""Fit what drafts cost, and gather how well they are accepted: ``python -m lab.drafts``.

Reads ``data/measurements/drafts/*.csv`` and rewrites
``data/draft_calibrations.csv`` and ``data/draft_acceptance.csv``.  The same
rows give the same bytes.

Two numbers are fitted, and one of them again where a backend has no kernels
for a few tokens: everything else, the experts that the tokens touch among it,
is the batch that `hayasa.estimate` knows.
"""

from __future__ import annotations

import csv
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, fields

import numpy as np

import hayasa
from hayasa.answer.drafts import SAME_EVERYWHERE, acceptance_from_share, round_waits
from hayasa.answer.step import step_s
from hayasa.catalog.reader import Row, data_directory, read_rows
from hayasa.engine.drafting import (
    ANY_TEXT,
    DRAFTERS,
    EAGLE,
    EAGLE3,
    FURTHER_TOKENS,
    LEAVE_ONE_TOKEN_PATH,
    MODEL,
    MTP,
    NGRAM,
    TEXTS,
    ChosenDrafting,
    DraftAcceptance,
    DraftCalibration,
    get_drafter,
)

from .fit import Floats, HeldOut, weighted_quantiles

SOFT_ERROR = 0.08
"""Relative error from which on a row counts linearly instead of squared: acceptance itself is known to a few percent."""

ROUNDS = 60
"""Rounds of a fit; it usually needs about twenty."""

NO_DRAFTER = "none"
"""A pass over so many tokens that was measured by itself."""

UNITS = DraftCalibration(id="units", leaving_share=1.0, cycles_per_flop=1.0)
"""With these coefficients each fitted wait is its load."""

OTHERS = "others"

CLASSES = {
    "llama.cpp/metal": "llama.cpp の Metal には、少数のトークンをまとめる速い経路が、量子化した重みの多くにない。",
    OTHERS: "Metal のほかの、実測のあるエンジンとバックエンドを合わせたもの。",
}
"""What has a number of its own for few tokens, and what to know about it."""

HEADS = (MTP, EAGLE, EAGLE3)
"""Ways of drafting of which several lengths were measured in the same place: their acceptance falls by position."""

DECAYS = tuple(1 - step / 200 for step in range(41))
"""What is tried for the acceptance of a position over that of the one before it."""

SWEPT = 3
"""Lengths from which on a series says something about that."""

QUANTILES = (0.05, 0.95)
LEAST_SPREAD = 0.05
"""Acceptance is never known better than this: prompts and temperatures differ by as much."""

LEAST_SPREAD_OF_ONE = 0.15
"""The same where one publisher is all there is: models differ by as much."""

SIGNIFICANT_DIGITS = 4


@dataclass(frozen=True, eq=False)
class Measurement:
    """One published gain, as seconds of a round over those of a step.

    Parameters
    ----------
    row : mapping
        As it stands in its file.
    round_over_step : float
        Measured: expected tokens over the gain, or the cost of a pass by itself.
    known : float
        What the estimate says without the fitted waits.
    loads : tuple of float
        Leaving the one-token path, and further tokens, for factors of 1.
    """

    row: Row
    round_over_step: float
    known: float
    loads: tuple[float, float]

    @property
    def id(self) -> str:
        """Which numbers hold for it."""
        id_ = f"{self.row['engine']}/{self.row['backend']}"
        return id_ if id_ in CLASSES else OTHERS

    @property
    def machine(self) -> str:
        """What was measured on: machine, how many, and the engine."""
        return f"{self.row['devices']} {self.row['device']} {self.row['engine']}"


def load_measurements() -> list[Measurement]:
    """Return the published gains that nothing speaks against."""
    path = data_directory() / "measurements" / "drafts" / "speeds.csv"
    return [measurement(row) for row in read_rows(path) if not row["left_out"]]


def measurement(row: Row) -> Measurement:
    """Return a row with what the estimate says to it."""
    method, tokens = row["method"], int(row["draft_tokens"])
    context_length = int(row["context_length"]) + int(row["decode_tokens"]) // 2
    plain = hayasa.estimate(
        row["model"],
        row["device"],
        weights=row["weights"],
        batch_size=int(row["batch_size"]),
        context_length=context_length,
        engine=row["engine"],
        backend=row["backend"],
        devices=int(row["devices"]),
        split=row["split"] or "pipeline",
    )
    small = None
    if method == MODEL:
        small = hayasa.estimate(
            row["draft_model"],
            row["device"],
            weights=row["draft_weights"],
            context_length=context_length,
            engine=row["engine"],
            backend=row["backend"],
        )
    drafter = get_drafter(NGRAM if method == NO_DRAFTER else method)
    waits = round_waits(plain, drafter, small, ChosenDrafting(UNITS, 1.0, 1.0, ()), tokens)
    loads = {wait.kind.name: wait.load_s / plain.step_latency_s for wait in waits}
    leaving, further = loads[LEAVE_ONE_TOKEN_PATH.name], loads.get(FURTHER_TOKENS.name, 0.0)
    everything = step_s(waits) / plain.step_latency_s
    return Measurement(row, _round_over_step(row), everything - leaving - further, (leaving, further))


def _round_over_step(row: Row) -> float:
    if row["pass_over_step"]:
        return float(row["pass_over_step"])
    given = row["tokens_per_pass"]
    tokens = float(given) if given else 1 + int(row["draft_tokens"]) * float(row["acceptance"])
    return tokens * float(row["base_tokens_per_s"]) / float(row["tokens_per_s"])


Coefficients = dict[str, float]
"""By `leaving`, and the id of each class for further tokens."""

_NAMES = ("leaving", *CLASSES)


def _loads(rows: Sequence[Measurement]) -> Floats:
    return np.array([[m.loads[0], *(m.loads[1] if m.id == id_ else 0.0 for id_ in CLASSES)] for m in rows])


def importance(rows: Sequence[Measurement]) -> Floats:
    """Return the weight of each row: a machine with many says more, but not in proportion."""
    counts = Counter(m.machine for m in rows)
    return np.array([counts[m.machine] ** -0.5 for m in rows])


def fit(rows: Sequence[Measurement]) -> Coefficients:
    """Find the coefficients that bring the rounds nearest to the measurements."""
    loads, known = _loads(rows), np.array([m.known for m in rows])
    measured = np.array([m.round_over_step for m in rows])
    current = np.array([0.1, *(0.01 for _ in CLASSES)])
    for _ in range(ROUNDS):
        estimated = known + loads @ current
        error = np.log(estimated / measured)
        weight = importance(rows) / np.sqrt(1 + (error / SOFT_ERROR) ** 2) / (estimated * measured)
        step = (_non_negative(loads, measured - known, np.sqrt(weight)) - current) / 2
        current = current + step
        if np.all(np.abs(step) <= 1e-8):
            break
    return dict(zip(_NAMES, current.tolist(), strict=True))


def _non_negative(x: Floats, t: Floats, root: Floats) -> Floats:
    """Minimize the weighted squared error of ``x @ c - t`` with no c below 0: what falls below is left out."""
    c, inner = np.zeros(x.shape[1]), x.max(axis=0) > 0
    while inner.any():
        c[inner] = np.linalg.lstsq(x[:, inner] * root[:, None], t * root, rcond=None)[0]
        below = c < 0
        c[below] = 0.0
        if not below.any():
            break
        inner &= ~below
    return c


def log_ratio(rows: Sequence[Measurement], coefficients: Coefficients) -> Floats:
    """Return the logarithm of measured over estimated gain."""
    estimated = np.array([m.known for m in rows]) + _loads(rows) @ np.array([coefficients[name] for name in _NAMES])
    ratio: Floats = np.log(estimated / np.array([m.round_over_step for m in rows]))
    return ratio


def hold_out(rows: Sequence[Measurement], key: Callable[[Measurement], Hashable]) -> HeldOut:
    """Fit without each group in turn, and see how far off it then is."""
    groups = [key(m) for m in rows]
    ratio = np.full(len(rows), np.nan)
    for group in dict.fromkeys(groups):
        here = np.array([other == group for other in groups])
        coefficients = fit([m for m, out in zip(rows, here, strict=True) if not out])
        ratio[here] = log_ratio([m for m, out in zip(rows, here, strict=True) if out], coefficients)
    return HeldOut(ratio, groups, importance(rows))


def _of(held_out: HeldOut, rows: Sequence[Measurement], id_: str) -> HeldOut:
    """Return what was held out of one class."""
    here = np.array([m.id == id_ for m in rows])
    groups = [group for group, inside in zip(held_out.groups, here, strict=True) if inside]
    return HeldOut(held_out.log_ratio[here], groups, held_out.importance[here])


def calibrate(rows: Sequence[Measurement]) -> list[DraftCalibration]:
    """Return a row for each class."""
    coefficients = fit(rows)
    by_machine = hold_out(rows, lambda m: m.machine)
    by_model = hold_out(rows, lambda m: m.row["model"])
    by_source = hold_out(rows, lambda m: m.row["id"].rpartition("-")[0])
    found = []
    for id_, note in CLASSES.items():
        mine = [m for m in rows if m.id == id_]
        machine = _of(by_machine, rows, id_)
        low, high = machine.interval()
        in_sample = HeldOut(log_ratio(mine, coefficients), [0] * len(mine), importance(mine))
        found.append(
            DraftCalibration(
                id=id_,
                engine="" if id_ == OTHERS else id_.partition("/")[0],
                backend="|".join(sorted({m.row["backend"] for m in mine})),
                leaving_share=coefficients["leaving"],
                cycles_per_flop=coefficients[id_],
                low_factor=low,
                high_factor=high,
                rows=len(mine),
                machines=len({m.machine for m in mine}),
                models=len({m.row["model"] for m in mine}),
                error_in_sample=in_sample.error,
                error_machine_held_out=machine.error,
                error_model_held_out=_of(by_model, rows, id_).error,
                error_source_held_out=_of(by_source, rows, id_).error,
                coverage_machine_held_out=machine.coverage,
                note=note,
            )
        )
    return found


def fit_decay() -> float:
    """Return how much acceptance falls from position to position, from series of lengths in one place.

    With the right one, all lengths of a series give the same acceptance of the first position.
    """
    series: dict[tuple[str, ...], list[tuple[float, int]]] = defaultdict(list)
    for row in read_rows(data_directory() / "measurements" / "drafts" / "speeds.csv"):
        if row["method"] in HEADS:
            place = row["source"], row["device"], row["weights"], row["method"], row["base_tokens_per_s"]
            series[place].append((_share(row), int(row["draft_tokens"])))
    swept = [found for found in series.values() if len(found) >= SWEPT]

    def spread(decay: float) -> float:
        first = [[acceptance_from_share(share, k, decay=decay) for share, k in found] for found in swept]
        return float(np.mean([np.std(one) for one in first]))

    return min(DECAYS, key=spread)


def _share(row: Row) -> float:
    """Return the accepted share of what was drafted."""
    if row["acceptance"]:
        return float(row["acceptance"])
    return (float(row["tokens_per_pass"]) - 1) / int(row["draft_tokens"])


def gather_acceptance() -> list[DraftAcceptance]:
    """Return the median acceptance by way of drafting and kind of text, with its spread.

    A publisher counts once for each kind of text, however many figures it gives.
    """
    falls = fit_decay()
    figures: dict[tuple[str, str], list[tuple[float, str, str]]] = defaultdict(list)
    for row in read_rows(data_directory() / "measurements" / "drafts" / "acceptance.csv"):
        decay = falls if row["method"] in HEADS else SAME_EVERYWHERE
        acceptance = acceptance_from_share(_share(row), int(row["draft_tokens"]), decay=decay)
        method = EAGLE if row["method"] == EAGLE3 else row["method"]
        for text in (row["text"], ANY_TEXT):
            figures[method, text].append((acceptance, _publisher(row["source"]), row["text"]))
    found = []
    for method in [one.id for one in DRAFTERS if one.id != EAGLE3]:
        for text in (ANY_TEXT, *TEXTS):
            if (method, text) in figures:
                decay = falls if method in HEADS else SAME_EVERYWHERE
                found.append(_summary(method, text, figures[method, text], decay))
    return found


def _publisher(source: str) -> str:
    """Return host, owner and repository of an address."""
    return "/".join(source.split("/")[:5])


def _summary(method: str, text: str, figures: Sequence[tuple[float, str, str]], decay: float) -> DraftAcceptance:
    counts = Counter((publisher, kind) for _, publisher, kind in figures)
    values = np.array([value for value, _, _ in figures])
    weight = np.array([1 / counts[publisher, kind] for _, publisher, kind in figures])
    middle = weighted_quantiles(values, weight, (0.5,))[0]
    low, high = weighted_quantiles(values, weight, QUANTILES)
    publishers = len({publisher for _, publisher, _ in figures})
    least = LEAST_SPREAD if publishers > 1 else LEAST_SPREAD_OF_ONE
    return DraftAcceptance(
        id=f"{method}/{text or 'any'}",
        method=method,
        text=text,
        acceptance=middle,
        low=max(0.0, min(low, middle - least)),
        high=min(1.0, max(high, middle + least)),
        decay=decay,
        rows=len(figures),
        sources=publishers,
    )


def write(name: str, rows: Sequence[DraftCalibration] | Sequence[DraftAcceptance]) -> None:
    """Write objects as a table whose columns are their fields."""
    columns = [field.name for field in fields(rows[0])]
    with (data_directory() / name).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([_cell(getattr(row, column)) for column in columns] for row in rows)


def _cell(value: object) -> object:
    return f"{value:.{SIGNIFICANT_DIGITS}g}" if isinstance(value, float) else value


def main() -> None:
    """Fit, write, and say how far off it is."""
    rows = load_measurements()
    if "-v" in sys.argv:
        held_out = hold_out(rows, lambda m: m.machine)
        for m, ratio in zip(rows, held_out.log_ratio, strict=True):
            print(f"{m.row['id']:22} {m.machine:40} {m.round_over_step:5.2f} {np.exp(ratio):5.2f}")
    calibrations = calibrate(rows)
    write("draft_calibrations.csv", calibrations)
    write("draft_acceptance.csv", gather_acceptance())
    for row in calibrations:
        print(
            f"{row.id}: {row.rows} rows, {row.machines} machines, error {row.error_in_sample:.1%} in sample,"
            f" {row.error_machine_held_out:.1%} machine, {row.error_model_held_out:.1%} model,"
            f" {row.error_source_held_out:.1%} source held out, coverage {row.coverage_machine_held_out:.0%}"
        )


if __name__ == "__main__":
    main()
