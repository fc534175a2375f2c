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

import numpy as np
import numpy.typing as npt

from hayasa.engine.calibration import weight_kind
from hayasa.engine.waits import FITTED_WAITS, READ_CACHE, READ_WEIGHTS, UNPACK_WEIGHTS

from .rows import Measurement

Floats = npt.NDArray[np.float64]

Coefficients = Mapping[str, float]
"""The factor of each wait, by the name of its kind; those that are not fitted are left out."""

SOFT_ERROR = 0.05
"""Relative error from which on a row counts linearly instead of squared."""

SHRINKAGE = 2.0
"""How many measured configurations a step factor of 1 weighs as much as."""

ALIKE = ("apple", "nvidia-blackwell")
"""Families whose chips are alike enough to learn from each other.

Apple's of one generation are made of the same cores and differ in number;
NVIDIA's Blackwell were all measured with recent builds.  The older families
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

MAX_ROUNDS = 100
"""Rounds of a fit; it usually needs about thirty."""

_NAMES = tuple(fitted.kind.name for fitted in FITTED_WAITS)
_READ, _UNPACK = (_NAMES.index(kind.name) for kind in (READ_WEIGHTS, UNPACK_WEIGHTS))

# A start at which both reading and unpacking matter for some rows.
_START = {
    "read_weights": 1.1,
    "unpack_weights": 0.14,
    "attention": 0.1,
    "read_cache": 1.0,
    "layers": 1e5,
    "moe_layers": 5e4,
    "dies": 5e4,
    "old_builds": 5e4,
}


def configuration_weights(rows: Sequence[Measurement]) -> Floats:
    """Return the weight of each row: a configuration counts once, however many rows it has."""
    counts = Counter(m.configuration for m in rows)
    return np.array([1 / counts[m.configuration] for m in rows])


def _loads(rows: Sequence[Measurement]) -> Floats:
    """Return the seconds of every row and wait, for factors of 1."""
    return np.array([[m.loads_s[name] for name in _NAMES] for m in rows])


def fit_coefficients(rows: Sequence[Measurement], waits: Sequence[str]) -> Coefficients:
    """Find the coefficients that bring the sum of the waits nearest to the measurements.

    Notes
    -----
    Each round takes the longer of reading and unpacking as given, weighs the
    rows by their last error, and solves a linear problem with lower bounds.
    Half steps keep it from swinging between the two.
    """
    x = _loads(rows)
    t = np.array([m.step_s for m in rows])
    importance = configuration_weights(rows)
    free = np.array([name in waits for name in _NAMES])
    # Nothing is read faster than the memory allows.
    lower = np.array([1.0 if name in (READ_WEIGHTS.name, READ_CACHE.name) else 0.0 for name in _NAMES])
    current = np.where(free, [_START[name] for name in _NAMES], 0.0)
    for _ in range(MAX_ROUNDS):
        active, predicted = _active_waits(x, current)
        error = np.log(predicted / t)
        weight = importance / np.sqrt(1 + (error / SOFT_ERROR) ** 2) / (predicted * t)
        solved = _bounded_least_squares(active, t, weight, lower, free)
        step = (solved - current) / 2
        current = current + step
        if np.all(np.abs(step) <= 1e-8 * np.abs(current)):
            break
    return {name: float(value) for name, value in zip(_NAMES, current, strict=True) if name in waits}


def _active_waits(x: Floats, coefficients: Floats) -> tuple[Floats, Floats]:
    """Zero the shorter of reading and unpacking in each row; return the sums too."""
    active = x.copy()
    reading = x[:, _READ] * coefficients[_READ] >= x[:, _UNPACK] * coefficients[_UNPACK]
    active[reading, _UNPACK] = 0.0
    active[~reading, _READ] = 0.0
    return active, active @ coefficients


def _bounded_least_squares(x: Floats, t: Floats, weight: Floats, lower: Floats, free: npt.NDArray[np.bool_]) -> Floats:
    """Minimize the weighted squared error of ``x @ c - t`` with ``c >= lower``.

    Whatever falls below its bound is put on it, and the rest solved again.
    """
    root = np.sqrt(weight)
    c = np.where(free, lower, 0.0)
    inner = free & (x.max(axis=0) > 0)
    while inner.any():
        rest = t - x[:, ~inner] @ c[~inner]
        scale = np.sqrt((weight[:, None] * x[:, inner] ** 2).sum(axis=0))
        solved = np.linalg.lstsq(x[:, inner] / scale * root[:, None], rest * root, rcond=None)[0]
        c[inner] = solved / scale
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
    for level in range(2):
        total: dict[tuple[str, str], float] = defaultdict(float)
        count: dict[tuple[str, str], float] = defaultdict(float)
        for m, e, weight in zip(rows, error, importance, strict=True):
            total[scopes(m)[level]] += weight * e
            count[scopes(m)[level]] += weight
        means = {scope: total[scope] / (count[scope] + SHRINKAGE) for scope in total if scope[0]}
        error = error - np.array([means.get(scopes(m)[level], 0.0) for m in rows])
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


def hold_out(rows: Sequence[Measurement], waits: Sequence[str], key: Callable[[Measurement], Hashable]) -> HeldOut:
    """Fit without each group in turn, and see how far off it then is."""
    groups = [key(m) for m in rows]
    log_ratio = np.full(len(rows), np.nan)
    for group in dict.fromkeys(groups):
        train = [m for m, other in zip(rows, groups, strict=True) if other != group]
        test = [m for m, other in zip(rows, groups, strict=True) if other == group]
        if len(train) < len(waits) + 2:
            continue
        coefficients = fit_coefficients(train, waits)
        factors = fit_factors(train, coefficients)
        predicted = predict_s(test, coefficients) * np.exp(factor_logs(test, factors))
        measured = np.array([m.step_s for m in test])
        log_ratio[[other == group for other in groups]] = np.log(predicted / measured)
    return HeldOut(log_ratio, groups, configuration_weights(rows))
