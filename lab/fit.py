"""Fit the coefficients of the waits, and see how far off they are on what they had not seen.

The fit minimizes a soft absolute error of the logarithm of the step time, so
that being 10 % off costs the same on every device and a few odd rows do not
bend the rest.  Every device, model, weight format and source counts once,
however many rows it has.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter

import numpy as np
import numpy.typing as npt

from hayasa.engine.calibration import weight_kind
from hayasa.engine.waits import FITTED_WAITS, MULTIPLY, READ_CACHE, READ_WEIGHTS

from .rows import PROMPT, Measurement

Floats = npt.NDArray[np.float64]

Coefficients = Mapping[str, float]
"""The factor of each wait, by the name of its kind; those that are not fitted are left out."""

SOFT_ERROR = 0.05
"""Relative error from which on a row counts linearly instead of squared."""

SHRINKAGE = 2.0
"""How many measured configurations a step factor of 1 weighs as much as."""

ALIKE = ("apple", "nvidia-blackwell", "cpu-")
"""Families whose chips are alike enough to learn from each other.

Apple's of one generation are made of the same cores and differ in number;
NVIDIA's Blackwell were all measured with recent builds; processors of one generation
are the same cores, and run the same kernels.  The older families
mix memories, kinds of chips and ages of builds: there a factor makes unseen
chips worse, not better.
"""

NARROWEST_INTERVAL = 0.87, 1.15
"""No interval is narrower: builds, drivers and machines differ by as much."""

INTERVAL = (0.04, 0.96)
"""Quantiles at the ends of the 90 % interval, a little outside 5 and 95 %.

What was held out differs more from the rest than the rest among itself.
"""

LEAST_COVERAGE = 0.85
"""What an interval has to hold of the groups that it was made without."""

STRETCHES = (1.0, 1.25, 1.5, 1.75, 2.0)
"""By how much an interval may be stretched for that, on a logarithmic scale."""

NO_KNOWLEDGE = 0.6, 1.5
"""Interval where nothing could be held out."""

PRIOR = 0.0025
"""What a coefficient twice as large as its start costs: as much as a configuration that is 5 % off.

That is little against what a few rows say, and keeps what hardly any row waits for where it is plausible.
"""

MAX_ROUNDS = 100
"""Rounds of a fit; it usually needs about thirty."""

_NAMES = (*(fitted.kind.name for fitted in FITTED_WAITS), PROMPT)

_AT_LEAST_1 = (READ_WEIGHTS.name, READ_CACHE.name, MULTIPLY.name, PROMPT)
"""What physics forbids to be faster than the ideal."""

NOT_FITTED = {READ_CACHE.name: 1.0}
"""Coefficients of what is there whether it is fitted or not: no cache is read faster than the memory allows."""

_BESIDE = tuple(
    [_NAMES.index(one.kind.name) for one in FITTED_WAITS if first.kind.name in (one.kind.name, one.beside)]
    for first in FITTED_WAITS
    if any(one.beside == first.kind.name for one in FITTED_WAITS)
)
"""Waits that go on at the same time, by their place in `_NAMES`: the longest counts."""

_loads_of = itemgetter(*_NAMES)

# A start at which both reading and unpacking matter for some rows.
_START = {
    "read_weights": 1.1,
    "unpack_weights": 0.14,
    "unpack_before_turing": 0.2,
    "multiply": 1.6,
    "attention": 0.1,
    "read_cache": 1.0,
    "read_padding": 1.0,
    "layers": 1e5,
    "moe_layers": 5e4,
    "state_layers": 5e4,
    "dies": 5e4,
    "builds_to_2025": 5e4,
    "builds_of_2025": 5e4,
    "further_experts": 0.7,
    "vectors": 7e-3,
    "tiles": 2e-3,
    "tile_unpack": 0.1,
    "expert_routes": 100.0,
    "sequences": 70.0,
    "sampling": 3.0,
    "all_reduces": 15.0,
    "all_reduce_bytes": 1.0,
    PROMPT: 2.0,
}


def configuration_weights(rows: Sequence[Measurement]) -> Floats:
    """Return the weight of each row: a configuration counts once, however many rows it has."""
    counts = Counter(m.configuration for m in rows)
    return np.array([1 / counts[m.configuration] for m in rows])


def _loads(rows: Sequence[Measurement]) -> Floats:
    """Return the seconds of every row and wait, for factors of 1."""
    return np.array([_loads_of(m.loads_s) for m in rows])


def fit_coefficients(
    rows: Sequence[Measurement], waits: Sequence[str], given: Coefficients = NOT_FITTED
) -> Coefficients:
    """Find the coefficients that bring the sum of the waits nearest to the measurements.

    Parameters
    ----------
    rows : sequence of Measurement
        What was measured.
    waits : sequence of str
        Names of the waits whose coefficients are to be found.
    given : mapping
        Coefficients of others.

    Returns
    -------
    mapping
        All that were found or given.

    Notes
    -----
    Each round takes the longest of the waits that go on at the same time as
    known, weighs the rows by their last error, and solves a linear problem
    with lower bounds.  Half steps keep it from swinging between the waits.
    """
    x = _loads(rows)
    t = np.array([m.step_s for m in rows])
    importance = configuration_weights(rows)
    free = np.array([name in waits for name in _NAMES])
    fixed = np.array([0.0 if name in waits else given.get(name, 0.0) for name in _NAMES])
    lower = np.where(free, [1.0 if name in _AT_LEAST_1 else 0.0 for name in _NAMES], fixed)
    start = np.array([_START[name] for name in _NAMES])
    current = np.where(free, start, fixed)
    for _ in range(MAX_ROUNDS):
        active, predicted = _active_waits(x, current)
        error = np.log(predicted / t)
        weight = importance / np.sqrt(1 + (error / SOFT_ERROR) ** 2) / (predicted * t)
        solved = _bounded_least_squares(active, t, weight, lower, free, start)
        step = (solved - current) / 2
        current = current + step
        if np.all(np.abs(step) <= 1e-8 * np.abs(current)):
            break
    return {name: float(value) for name, value in zip(_NAMES, current, strict=True) if name in waits or name in given}


def _active_waits(x: Floats, coefficients: Floats) -> tuple[Floats, Floats]:
    """Zero all but the longest of the waits that go on at the same time in each row; return the sums too."""
    active = x.copy()
    seconds = x * coefficients
    for group in _BESIDE:
        longest = seconds[:, group].argmax(axis=1)
        for place, column in enumerate(group):
            active[longest != place, column] = 0.0
    return active, active @ coefficients


def _bounded_least_squares(
    x: Floats, t: Floats, weight: Floats, lower: Floats, free: npt.NDArray[np.bool_], start: Floats
) -> Floats:
    """Minimize the weighted squared error of ``x @ c - t``, and the `PRIOR`, with ``c >= lower``.

    Whatever falls below its bound is put on it, and the rest solved again.
    """
    root = np.sqrt(weight)
    c = lower.copy()
    inner = free.copy()
    while inner.any():
        rest = t - x[:, ~inner] @ c[~inner]
        # In units of their starts, so that large and small coefficients are alike.
        rows = np.vstack([x[:, inner] * start[inner] * root[:, None], np.sqrt(PRIOR) * np.eye(inner.sum())])
        wanted = np.append(rest * root, np.full(inner.sum(), np.sqrt(PRIOR)))
        c[inner] = np.linalg.lstsq(rows, wanted, rcond=None)[0] * start[inner]
        below = inner & (c < lower)
        if not below.any():
            break
        c[below] = lower[below]
        inner &= ~below
    return c


def predict_s(rows: Sequence[Measurement], coefficients: Coefficients) -> Floats:
    """Return the step times that coefficients say, without any factor."""
    return _active_waits(_loads(rows), np.array([coefficients.get(name, 0.0) for name in _NAMES]))[1]


Factors = dict[tuple[str, str], float]
"""Logarithm of a step factor by scope and weight kind."""


def scopes(m: Measurement) -> tuple[tuple[str, str], tuple[str, str]]:
    """Return what a row says something about: the generation, where all its chips are alike, and the device."""
    alike = m.device.family.startswith(ALIKE)
    family = (m.device.family, weight_kind(m.weights)) if alike else ("", "")
    return family, (m.device.id, "")


def fit_factors(rows: Sequence[Measurement], coefficients: Coefficients) -> Factors:
    """Find how much single devices and chip generations differ from the sum.

    Notes
    -----
    Only the generations in `ALIKE` have a factor of their own.
    """
    error = np.log(np.array([m.step_s for m in rows]) / predict_s(rows, coefficients))
    importance = configuration_weights(rows)
    factors: Factors = {}
    for of_level in zip(*map(scopes, rows), strict=True):
        total: dict[tuple[str, str], float] = defaultdict(float)
        count: dict[tuple[str, str], float] = defaultdict(float)
        for scope, e, weight in zip(of_level, error, importance, strict=True):
            total[scope] += weight * e
            count[scope] += weight
        means = {scope: total[scope] / (count[scope] + SHRINKAGE) for scope in total if scope[0]}
        error = error - np.array([means.get(scope, 0.0) for scope in of_level])
        factors.update(means)
    return factors


def factor_logs(rows: Sequence[Measurement], factors: Factors) -> Floats:
    """Return the logarithm of the factor of each row; 0 where none is known."""
    return np.array([sum(factors.get(scope, 0.0) for scope in scopes(m)) for m in rows])


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Errors on rows that the fit had not seen.

    Parameters
    ----------
    log_ratio : numpy.ndarray
        Logarithm of measured over estimated speed; nan where nothing could be
        held out.
    groups : list
        What each row was held out with.
    importance : numpy.ndarray
        Weight of each row.
    """

    log_ratio: Floats
    groups: list[Hashable]
    importance: Floats

    @property
    def error(self) -> float:
        """Mean absolute relative error of the estimated speed."""
        seen = ~np.isnan(self.log_ratio)
        if not seen.any():
            return 0.0
        return float(np.mean(np.abs(np.exp(-self.log_ratio[seen]) - 1)))

    def interval(self) -> tuple[float, float]:
        """Return the ends of the 90 % interval over the estimate.

        The quantiles of the held-out errors, stretched where they would hold
        less than `LEAST_COVERAGE` of groups that they were made without.
        """
        return self._quantiles(None, self._stretch)

    @property
    def _stretch(self) -> float:
        for stretch in STRETCHES:
            if self._coverage(stretch) >= LEAST_COVERAGE:
                return stretch
        return STRETCHES[-1]

    @property
    def coverage(self) -> float:
        """Share of rows inside an interval made from the errors of all other groups."""
        return self._coverage(self._stretch)

    def _quantiles(self, leave_out: Hashable, stretch: float) -> tuple[float, float]:
        keep = ~np.isnan(self.log_ratio)
        keep &= np.array([group != leave_out for group in self.groups])
        if not keep.any():
            return NO_KNOWLEDGE
        low, high = weighted_quantiles(self.log_ratio[keep], self.importance[keep], INTERVAL)
        narrow = NARROWEST_INTERVAL
        return (
            min(narrow[0], float(np.exp(stretch * low))),
            max(narrow[1], float(np.exp(stretch * high))),
        )

    def _coverage(self, stretch: float) -> float:
        ratio, seen = np.exp(self.log_ratio), ~np.isnan(self.log_ratio)
        inside: list[bool] = []
        for group in dict.fromkeys(self.groups):
            here = seen & np.array([other == group for other in self.groups])
            if here.any() and (seen & ~here).any():
                low, high = self._quantiles(group, stretch)
                inside += list((low <= ratio[here]) & (ratio[here] <= high))
        return float(np.mean(inside)) if inside else 0.0


def weighted_quantiles(values: Floats, importance: Floats, levels: Sequence[float]) -> list[float]:
    """Return quantiles of values that do not all count alike."""
    order = np.argsort(values, kind="stable")
    position = np.cumsum(importance[order]) - importance[order] / 2
    return [float(np.interp(q * importance.sum(), position, values[order])) for q in levels]


def hold_out(
    rows: Sequence[Measurement],
    waits: Sequence[str],
    key: Callable[[Measurement], Hashable],
    given: Coefficients = NOT_FITTED,
) -> HeldOut:
    """Fit without each group in turn, and see how far off it then is."""
    groups = [key(m) for m in rows]
    log_ratio = np.full(len(rows), np.nan)
    for group in dict.fromkeys(groups):
        train = [m for m, other in zip(rows, groups, strict=True) if other != group]
        test = [m for m, other in zip(rows, groups, strict=True) if other == group]
        if len(train) < len(waits) + 2:
            continue
        coefficients = fit_coefficients(train, waits, given)
        factors = fit_factors(train, coefficients)
        predicted = predict_s(test, coefficients) * np.exp(factor_logs(test, factors))
        measured = np.array([m.step_s for m in test])
        log_ratio[[other == group for other in groups]] = np.log(predicted / measured)
    return HeldOut(log_ratio, groups, configuration_weights(rows))
