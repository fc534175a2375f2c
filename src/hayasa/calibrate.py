"""Fit the calibrations to the published measurements: ``make calibrate``.

Reads ``data/measurements/*.csv`` and rewrites ``data/calibrations.csv`` and
``data/calibration_factors.csv``.  The same measurements give the same bytes.
This is the only module of the package that needs numpy; `hayasa.estimate`
reads nothing but the two files.

The fit minimizes a soft absolute error of the logarithm of the step time, so
that being 10 % off costs the same on every device and a few odd rows do not
bend the rest.  Every device, model, weight format and source counts once,
however many rows it has.
"""

from __future__ import annotations

import csv
import sys
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .calibration import (
    COEFFICIENTS,
    Calibration,
    DeviceFactor,
    prefill_kind,
    step_waits_s,
    weight_kind,
)
from .datasets import (
    data_directory,
    get_device,
    get_model,
    get_weight_format,
    read_rows,
)
from .devices import Device
from .errors import HayasaError, UnknownNameError
from .flops import attention_flop_per_token, prefill_flop
from .kv_cache import kv_cache_bytes
from .models import Model
from .weights import WeightFormat, weight_bytes

Floats = npt.NDArray[np.float64]

SOFT_ERROR = 0.05
"""Relative error from which on a row counts linearly instead of squared."""

SHRINKAGE, PREFILL_SHRINKAGE = 2.0, 0.5
"""How many measured configurations a factor of 1 weighs as much as.

Prompts are read at very different shares of the peak, so one measurement says more.
"""

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

NEW_BUILDS_SINCE = "2025-08"
"""Month from which llama.cpp merges kernels and uses flash attention by default."""

SHORTEST_PROMPT = 256
"""Tokens from which on a prompt keeps the cores busy."""

LONG_CONTEXT = 1024
"""Tokens beyond which attention without flash attention is another matter."""

SIGNIFICANT_DIGITS = 4

MAX_ROUNDS = 100
"""Rounds of a fit; it usually needs about thirty."""


@dataclass(frozen=True)
class Form:
    """Which waits one engine's calibration has on one backend.

    Parameters
    ----------
    engine, backend : str
        What is fitted.
    waits : tuple of str
        The names in `COEFFICIENTS` that are fitted; the others stay 0.
    unpacked_kinds : tuple of str
        Kinds of weights that the cores may be too slow to unpack.
    note : str
        What a reader should know, in Japanese.
    """

    engine: str
    backend: str
    waits: tuple[str, ...]
    note: str
    unpacked_kinds: tuple[str, ...] = ("float", "block", "k")


_READ, _UNPACK, _ATTENTION, _CACHE, _LAYER, _MOE, _DIE, _OLD = COEFFICIENTS

FORMS = (
    Form(
        "llama.cpp",
        "cuda",
        (_READ, _UNPACK, _ATTENTION, _LAYER, _MOE, _OLD),
        "2024 年以降のビルド。層ごとの待ちは 2025 年 8 月から短くなった。",
    ),
    Form(
        "llama.cpp",
        "metal",
        (_READ, _UNPACK, _ATTENTION, _LAYER, _MOE, _DIE, _OLD),
        "2023 年以降のビルド。層ごとの待ちは 2025 年 8 月から短くなった。",
        unpacked_kinds=("k",),
    ),
    Form("mlx", "mlx", (_READ, _ATTENTION, _LAYER, _MOE, _DIE), "2025 年以降の mlx-lm。"),
    Form(
        "llama.cpp",
        "vulkan",
        (_READ, _UNPACK, _CACHE, _LAYER, _MOE),
        "多くは Ryzen AI Max+ 395 の測定。ドライバーによる差が大きい。",
    ),
    Form(
        "llama.cpp",
        "rocm",
        (_READ, _UNPACK, _CACHE, _LAYER, _MOE),
        "多くは Ryzen AI Max+ 395 の測定。ドライバーによる差が大きい。",
    ),
    Form("llama.cpp", "cpu", (_READ,), "Raspberry Pi 5 の測定だけ。"),
    Form(
        "gpt-fast",
        "cuda",
        (_READ, _UNPACK, _LAYER),
        "A100 80GB SXM の測定だけ。",
        unpacked_kinds=("block",),
    ),
    Form("vllm", "cuda", (_READ, _ATTENTION, _LAYER), "全体の遅延から求めた測定。"),
    Form("vllm", "rocm", (_READ, _ATTENTION, _LAYER), "MI300X の、全体の遅延から求めた測定。"),
)


@dataclass(frozen=True, eq=False)
class Measurement:
    """One published decode speed and the waits that its step consists of.

    Parameters
    ----------
    row : dict
        The row as it stands in the file.
    source : str
        Name of the file.
    model, device, weights : Model, Device, WeightFormat
        What was measured.
    context_length : int
        Mean number of cached tokens while it was measured.
    step_s : float
        Measured seconds per step.
    waits_s : tuple of float
        From `hayasa.calibration.step_waits_s`.
    """

    row: dict[str, str]
    source: str
    model: Model
    device: Device
    weights: WeightFormat
    context_length: int
    step_s: float
    waits_s: tuple[float, ...]

    @property
    def devices(self) -> int:
        """How many devices shared the model."""
        return int(self.row["devices"])

    @property
    def batch_size(self) -> int:
        """Sequences that advanced together."""
        return int(self.row["batch_size"])

    @property
    def configuration(self) -> tuple[str, ...]:
        """What counts once in a fit, however many rows it has."""
        return (self.device.id, self.model.id, self.weights.id, self.source)


def load_measurements(directory: Path | None = None) -> tuple[list[Measurement], list[str]]:
    """Read all published measurements that the tables can describe.

    Parameters
    ----------
    directory : pathlib.Path, optional
        Where the files lie; by default ``data/measurements``.

    Returns
    -------
    measurements : list of Measurement
        In the order of the files.
    skipped : list of str
        One reason per row that could not be used, in Japanese.

    Raises
    ------
    DataFileError
        If a file cannot be read.
    """
    directory = directory or data_directory() / "measurements"
    found: list[Measurement] = []
    skipped: list[str] = []
    for path in sorted(directory.glob("*.csv")):
        for row in read_rows(path):
            try:
                found.append(_measurement(row, path.stem))
            except UnknownNameError as error:
                skipped.append(f"{row['id']}: {error}")
            except (HayasaError, ValueError):
                skipped.append(f"{row['id']}: 文脈の長さか速さが書かれていません。")
    return found, skipped


def _measurement(row: dict[str, str], source: str) -> Measurement:
    model, weights = get_model(row["model"]), get_weight_format(row["weights"])
    device = get_device(row["device"])
    batch = int(row["batch_size"])
    # The speed is the mean while the context grows, so the middle counts.
    context = int(row["context_length"]) + int(row["decode_tokens"] or 0) // 2
    waits = step_waits_s(
        model,
        device,
        weight_bytes=weight_bytes(model, weights).read_bytes(batch),
        kv_bytes=kv_cache_bytes(model, context, batch_size=batch),
        attention_flop=attention_flop_per_token(model, context) * batch,
        old_build_share=float(_is_old_build(row)),
    )
    step_s = batch / float(row["decode_tokens_per_s"])
    return Measurement(row, source, model, device, weights, context, step_s, waits)


def _is_old_build(row: dict[str, str]) -> bool:
    """Tell whether a row was measured before `NEW_BUILDS_SINCE`.

    Of a date without a month the end of the year counts.
    """
    return (row["measured_on"] + "-12")[:7] < NEW_BUILDS_SINCE


EXCLUSIONS: tuple[tuple[str, Callable[[Measurement], bool]], ...] = (
    (
        "2023 年の CUDA ビルド（CUDA graph も flash attention もない）",
        lambda m: m.source == "xiongjiedai_llama2" and m.row["backend"] == "cuda",
    ),
    (
        "メモリをほとんど使い切った測定（ページの入れ替えが起きる）",
        lambda m: (
            "ほぼ埋まる" in m.row["note"]
            or weight_bytes(m.model, m.weights).resident_bytes > 0.9 * m.device.memory_capacity_bytes
        ),
    ),
    (
        "flash attention を使わない、文脈の長い llama.cpp の測定（今の既定とは違う）",
        lambda m: (
            m.row["engine"] == "llama.cpp" and m.row["flash_attention"] == "0" and m.context_length > LONG_CONTEXT
        ),
    ),
    (
        "Vulkan と ROCm の bf16（演算器がなく、別の経路で計算される）",
        lambda m: m.row["backend"] in ("vulkan", "rocm") and m.weights.id == "bf16",
    ),
    (
        "MLX の Gemma 2（注意機構の値を抑える処理があり、まとめた命令が使えない）",
        lambda m: m.row["engine"] == "mlx" and m.model.id.startswith("gemma-2"),
    ),
    (
        "MLX の DeepSeek-V3（潜在ベクトルの注意機構が、まとめた命令になっていない）",
        lambda m: m.row["engine"] == "mlx" and m.model.attention_kind == "mla",
    ),
)
"""What is left out of the fits, and why; nothing else is."""


def usable(measurements: Iterable[Measurement]) -> list[Measurement]:
    """Return the rows of one device and one sequence that no exclusion names.

    Where a source gives a speed with and without flash attention, only the
    one with it counts: it is what engines do today.

    Parameters
    ----------
    measurements : iterable of Measurement
        All of them.

    Returns
    -------
    list of Measurement
        Those to fit.
    """
    rows = [m for m in measurements if m.devices == 1 and m.batch_size == 1]
    rows = [m for m in rows if not any(excluded(m) for _, excluded in EXCLUSIONS)]
    with_flash = {(m.row["backend"], m.configuration) for m in rows if m.row["flash_attention"] == "1"}
    return [m for m in rows if m.row["flash_attention"] == "1" or (m.row["backend"], m.configuration) not in with_flash]


def _configuration_weights(rows: Sequence[Measurement]) -> Floats:
    counts: dict[Hashable, int] = defaultdict(int)
    for m in rows:
        counts[m.configuration] += 1
    return np.array([1 / counts[m.configuration] for m in rows])


def fit_coefficients(rows: Sequence[Measurement], waits: Sequence[str]) -> Floats:
    """Find the coefficients that bring the sum of the waits nearest to the measurements.

    Parameters
    ----------
    rows : sequence of Measurement
        What was measured.
    waits : sequence of str
        Which coefficients may differ from 0.

    Returns
    -------
    numpy.ndarray
        One number per name in `COEFFICIENTS`, none negative, the first at
        least 1: memory is never read faster than its bandwidth.

    Notes
    -----
    Each round takes the longer of the first two waits as given, weighs the
    rows by their last error, and solves a linear problem with lower bounds.
    Half steps keep it from swinging between the two.
    """
    x = np.array([m.waits_s for m in rows])
    t = np.array([m.step_s for m in rows])
    importance = _configuration_weights(rows)
    free = np.array([name in waits for name in COEFFICIENTS])
    lower = np.where(np.array(COEFFICIENTS) == _READ, 1.0, 0.0)
    # A start at which both of the first two waits matter for some rows.
    start = np.array([1.1, 0.14, 0.1, 1.0, 1e5, 5e4, 5e4, 5e4])
    current = np.where(free, start, 0.0)
    for _ in range(MAX_ROUNDS):
        active, predicted = _active_waits(x, current)
        error = np.log(predicted / t)
        weight = importance / np.sqrt(1 + (error / SOFT_ERROR) ** 2) / (predicted * t)
        solved = _bounded_least_squares(active, t, weight, lower, free)
        step = (solved - current) / 2
        current = current + step
        if np.all(np.abs(step) <= 1e-8 * np.abs(current)):
            break
    return current


def _active_waits(x: Floats, coefficients: Floats) -> tuple[Floats, Floats]:
    """Zero the shorter of reading and unpacking in each row; return the sums too."""
    active = x.copy()
    reading = x[:, 0] * coefficients[0] >= x[:, 1] * coefficients[1]
    active[reading, 1] = 0.0
    active[~reading, 0] = 0.0
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


def predict_s(rows: Sequence[Measurement], coefficients: Floats) -> Floats:
    """Return the step times that coefficients say, without any factor.

    Parameters
    ----------
    rows : sequence of Measurement
        What to predict.
    coefficients : numpy.ndarray
        From `fit_coefficients`.

    Returns
    -------
    numpy.ndarray
        Seconds.
    """
    return _active_waits(np.array([m.waits_s for m in rows]), coefficients)[1]


Factors = dict[tuple[str, str], float]
"""Logarithm of a step factor by scope and weight kind."""


def _scopes(m: Measurement) -> tuple[tuple[str, str], tuple[str, str]]:
    """Return the generation, where all its chips are alike, and the device."""
    alike = m.device.family.startswith(ALIKE)
    family = (m.device.family, weight_kind(m.weights)) if alike else ("", "")
    return family, (m.device.id, "")


def fit_factors(rows: Sequence[Measurement], coefficients: Floats) -> Factors:
    """Find how much single devices and chip generations differ from the sum.

    Parameters
    ----------
    rows : sequence of Measurement
        What was measured.
    coefficients : numpy.ndarray
        From `fit_coefficients`.

    Returns
    -------
    dict
        Logarithms of factors, each the mean over configurations shrunk
        towards 0: first of the generations, then of the devices in them.

    Notes
    -----
    Only the generations in `ALIKE` have a factor of their own.
    """
    error = np.log(np.array([m.step_s for m in rows]) / predict_s(rows, coefficients))
    importance = _configuration_weights(rows)
    factors: Factors = {}
    for level in range(2):
        total: dict[tuple[str, str], float] = defaultdict(float)
        count: dict[tuple[str, str], float] = defaultdict(float)
        for m, e, weight in zip(rows, error, importance, strict=True):
            total[_scopes(m)[level]] += weight * e
            count[_scopes(m)[level]] += weight
        means = {scope: total[scope] / (count[scope] + SHRINKAGE) for scope in total if scope[0]}
        error = error - np.array([means.get(_scopes(m)[level], 0.0) for m in rows])
        factors.update(means)
    return factors


def factor_logs(rows: Sequence[Measurement], factors: Factors) -> Floats:
    """Return the logarithm of the factor of each row; 0 where none is known.

    Parameters
    ----------
    rows : sequence of Measurement
        What to predict.
    factors : dict
        From `fit_factors`.

    Returns
    -------
    numpy.ndarray
        Dimensionless.
    """
    return np.array([sum(factors.get(scope, 0.0) for scope in _scopes(m)) for m in rows])


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
        low, high = _weighted_quantiles(self.log_ratio[keep], self.importance[keep], INTERVAL)
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


def _weighted_quantiles(values: Floats, importance: Floats, levels: Sequence[float]) -> list[float]:
    order = np.argsort(values, kind="stable")
    position = np.cumsum(importance[order]) - importance[order] / 2
    return [float(np.interp(q * importance.sum(), position, values[order])) for q in levels]


def hold_out(rows: Sequence[Measurement], waits: Sequence[str], key: Callable[[Measurement], Hashable]) -> HeldOut:
    """Fit without each group in turn, and see how far off it then is.

    Parameters
    ----------
    rows : sequence of Measurement
        What was measured.
    waits : sequence of str
        Which coefficients may differ from 0.
    key : callable
        The group of a row: its device, its model and so on.

    Returns
    -------
    HeldOut
        One error per row.
    """
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
    return HeldOut(log_ratio, groups, _configuration_weights(rows))


def calibrate(form: Form, measurements: Sequence[Measurement]) -> tuple[Calibration, list[DeviceFactor]]:
    """Fit one engine on one backend.

    Parameters
    ----------
    form : Form
        What to fit.
    measurements : sequence of Measurement
        All measurements, of any engine.

    Returns
    -------
    calibration : Calibration
        The row of ``calibrations.csv``.
    factors : list of DeviceFactor
        Its rows of ``calibration_factors.csv``.
    """
    mine = [m for m in measurements if (m.row["engine"], m.row["backend"]) == (form.engine, form.backend)]
    rows = [_without_unpacking(m, form) for m in usable(mine)]
    mine = [_without_unpacking(m, form) for m in mine]
    coefficients = fit_coefficients(rows, form.waits)
    factors = fit_factors(rows, coefficients)
    predicted = predict_s(rows, coefficients) * np.exp(factor_logs(rows, factors))
    measured = np.array([m.step_s for m in rows])
    by_device = hold_out(rows, form.waits, lambda m: m.device.id)
    by_pair = hold_out(rows, form.waits, lambda m: (m.device.id, m.model.id))
    known = by_pair.interval()
    if len({m.device.id for m in rows}) >= 4:
        unknown = by_device.interval()
    else:  # too few devices to know how much they differ
        unknown = known[0] ** 2, known[1] ** 2
    shares, prefill_factors = _prefill_shares(rows)
    id_ = f"{form.engine}/{form.backend}"
    calibration = Calibration(
        id=id_,
        engine=form.engine,
        backend=form.backend,
        unpacked_kinds="|".join(form.unpacked_kinds),
        **{name: _round(value) for name, value in zip(COEFFICIENTS, coefficients, strict=True)},
        pipeline_message_s=_round(_pipeline_message_s(mine, coefficients, factors)),
        tensor_message_s=_round(_tensor_message_s(mine, coefficients, factors)),
        prefill_share_float=_round(shares["float"]),
        prefill_share_packed=_round(shares["packed"]),
        prefill_share_experts=_round(shares["experts"]),
        low_factor=_round(unknown[0]),
        high_factor=_round(unknown[1]),
        known_low_factor=_round(known[0]),
        known_high_factor=_round(known[1]),
        rows=len(rows),
        devices=len({m.device.id for m in rows}),
        models=len({m.model.id for m in rows}),
        error_in_sample=_round(float(np.mean(np.abs(measured / predicted - 1)))),
        error_device_held_out=_round(by_device.error),
        error_generation_held_out=_round(hold_out(rows, form.waits, lambda m: m.device.family).error),
        error_model_held_out=_round(hold_out(rows, form.waits, lambda m: m.model.id).error),
        error_source_held_out=_round(hold_out(rows, form.waits, lambda m: m.source).error),
        coverage_device_held_out=_round(by_device.coverage),
        coverage_model_held_out=_round(by_pair.coverage),
        sources="|".join(sorted({m.source for m in rows})),
        note=form.note,
    )
    counts: dict[tuple[str, str], int] = defaultdict(int)
    old: dict[tuple[str, str], set[tuple[str, ...]]] = defaultdict(set)
    every: dict[tuple[str, str], set[tuple[str, ...]]] = defaultdict(set)
    for m in rows:
        for scope in _scopes(m):
            counts[scope] += 1
            every[scope].add(m.configuration)
            if _is_old_build(m.row):
                old[scope].add(m.configuration)
    return calibration, [
        DeviceFactor(
            calibration=id_,
            scope=scope[0],
            weight_kind=scope[1],
            step_factor=_round(float(np.exp(log))),
            old_build_share=_round(len(old[scope]) / len(every[scope])),
            prefill_factor=_round(prefill_factors.get(scope[0], 0.0)),
            rows=counts[scope],
        )
        for scope, log in sorted(factors.items())
    ]


def _without_unpacking(m: Measurement, form: Form) -> Measurement:
    """Drop the wait for unpacking where a form does not have it for these weights."""
    if weight_kind(m.weights) in form.unpacked_kinds:
        return m
    return replace(m, waits_s=(m.waits_s[0], 0.0, *m.waits_s[2:]))


def _round(value: float) -> float:
    return float(f"{value:.{SIGNIFICANT_DIGITS - 1}e}")


def _prefill_shares(
    rows: Sequence[Measurement],
) -> tuple[dict[str, float], dict[str, float]]:
    """Median share of the peak in prefill, by kind, and how devices differ from it."""
    logs: dict[str, dict[Hashable, tuple[str, float]]] = {kind: {} for kind in ("float", "packed", "experts")}
    for m in rows:
        peak = m.device.peak_flop_per_s(m.weights.compute_format)
        tokens = int(m.row["prefill_tokens"] or 0)
        if not (m.row["prefill_tokens_per_s"] and tokens >= SHORTEST_PROMPT and peak):
            continue
        speed = float(m.row["prefill_tokens_per_s"])
        share = prefill_flop(m.model, tokens) / tokens * speed / peak
        kind = prefill_kind(m.weights, experts=m.model.experts > 0)
        logs[kind].setdefault(m.configuration, (m.device.id, float(np.log(share))))
    medians = {
        kind: float(np.median([log for _, log in found.values()])) if found else -np.inf for kind, found in logs.items()
    }
    differences: dict[str, list[float]] = defaultdict(list)
    for kind, found in logs.items():
        for device, log in found.values():
            differences[device].append(log - medians[kind])
    factors = {
        device: float(np.exp(sum(found) / (len(found) + PREFILL_SHRINKAGE))) for device, found in differences.items()
    }
    return {kind: float(np.exp(median)) for kind, median in medians.items()}, factors


def _one_device_s(rows: Sequence[Measurement], coefficients: Floats, factors: Factors) -> Floats:
    return predict_s(rows, coefficients) * np.exp(factor_logs(rows, factors))


def _pipeline_message_s(measurements: Sequence[Measurement], coefficients: Floats, factors: Factors) -> float:
    """Median time that handing on to the next device adds; 0 if not measured."""
    rows = [m for m in measurements if m.devices > 1 and m.batch_size == 1 and m.row["split"] in ("layer", "pipeline")]
    if not rows:
        return 0.0
    added = np.array([m.step_s for m in rows]) - _one_device_s(rows, coefficients, factors)
    return max(0.0, float(np.median(added / np.array([m.devices - 1 for m in rows]))))


def _tensor_message_s(measurements: Sequence[Measurement], coefficients: Floats, factors: Factors) -> float:
    """Median time of an all-reduce; 0 if not measured."""
    rows = [m for m in measurements if m.devices > 1 and m.batch_size == 1 and m.row["split"] == "tensor"]
    if not rows:
        return 0.0
    share = _one_device_s(rows, coefficients, factors) / np.array([m.devices for m in rows])
    added = np.array([m.step_s for m in rows]) - share
    return max(0.0, float(np.median(added / np.array([2 * m.model.layers for m in rows]))))


def write_rows(path: Path, rows: Sequence[Calibration] | Sequence[DeviceFactor]) -> None:
    """Write dataclasses as CSV, one column per field.

    Parameters
    ----------
    path : pathlib.Path
        The file to replace.
    rows : sequence of Calibration or DeviceFactor
        At least one.
    """
    names = [field.name for field in fields(rows[0])]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([_cell(getattr(row, name)) for name in names] for row in rows)


def _cell(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.{SIGNIFICANT_DIGITS}g}"


def main() -> None:
    """Fit every form and rewrite both files, reporting errors in Japanese."""
    measurements, skipped = load_measurements()
    print(f"測定 {len(measurements)} 件を読みました（読めなかった行 {len(skipped)} 件）。")
    for reason in skipped:
        print(f"  {reason}", file=sys.stderr)
    single = [m for m in measurements if m.devices == 1 and m.batch_size == 1]
    for reason, excluded in EXCLUSIONS:
        print(f"除外 {sum(map(excluded, single)):4} 件: {reason}")
    calibrations, factors = [], []
    for form in FORMS:
        calibration, its_factors = calibrate(form, measurements)
        calibrations.append(calibration)
        factors += its_factors
        c = calibration
        print(
            f"{c.id}: {c.rows} 件、{c.devices} 機種、{c.models} モデル。"
            f"平均の外れ（未知の機種 / 世代 / モデル / 出典）:"
            f" {c.error_device_held_out:.1%} / {c.error_generation_held_out:.1%} /"
            f" {c.error_model_held_out:.1%} / {c.error_source_held_out:.1%}、"
            f"90 % 区間の的中 {c.coverage_device_held_out:.0%}"
            f"（既知の機種 {c.coverage_model_held_out:.0%}）"
        )
    write_rows(data_directory() / "calibrations.csv", calibrations)
    write_rows(data_directory() / "calibration_factors.csv", factors)


if __name__ == "__main__":
    main()
