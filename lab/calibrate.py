"""Fit the calibrations to the published measurements: ``make calibrate``.

Reads ``data/measurements/*.csv`` and rewrites ``data/calibrations.csv`` and
``data/calibration_factors.csv``.  The same measurements give the same bytes.
`hayasa.estimate` reads nothing but these two files.
"""

from __future__ import annotations

import csv
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hayasa.catalog.reader import data_directory
from hayasa.engine.calibration import Calibration, DeviceFactor, weight_kind
from hayasa.engine.waits import ASSUMED_CLOCK_HZ, FITTED_WAITS
from hayasa.machine.split import messages_per_step
from hayasa.model.flops import prefill_flop

from .batches import Batches, fit_batches, load_passes
from .fit import (
    NOT_FITTED,
    Coefficients,
    Factors,
    Floats,
    configuration_weights,
    factor_logs,
    fit_coefficients,
    fit_factors,
    hold_out,
    predict_s,
    scopes,
)
from .rows import (
    EXCLUSIONS,
    LONG_CONTEXT,
    PROMPT,
    Measurement,
    at_launch_clock,
    load_measurements,
    of_form,
    usable,
    without_cores,
)

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

PREFILL_SHRINKAGE = 0.5
"""How many measured configurations a prefill factor of 1 weighs as much as.

Prompts are read at very different shares of the peak, so one measurement says much.
"""

SHORTEST_PROMPT = 256
"""Tokens from which on a prompt keeps the cores busy."""

SIGNIFICANT_DIGITS = 4


@dataclass(frozen=True)
class Form:
    """Which waits one engine's calibration has on one backend.

    Parameters
    ----------
    engine, backend : str
        What is fitted.
    waits : tuple of str
        Names of the kinds that are fitted; the coefficients of the others stay 0.
    family : str
        Beginning of the device families whose rows are fitted apart; empty for all others.
    several : bool
        Whether batches, and devices side by side, are fitted with the rest.
    launches_by_host : bool
        Whether launches take the same time on every device, instead of the same cycles.
    borrowed : str
        Id of the calibration, fitted before, from which `borrows` are taken.
    borrows : tuple of str
        Names of the kinds whose coefficients too few rows of its own say something about.
    unpacked_kinds : tuple of str
        Kinds of weights that the cores may be too slow to unpack.
    batches : bool
        Whether several sequences are fitted after one, as `lab.batches` does.
    """

    engine: str
    backend: str
    waits: tuple[str, ...]
    note: str
    family: str = ""
    several: bool = False
    launches_by_host: bool = False
    borrowed: str = ""
    borrows: tuple[str, ...] = ()
    unpacked_kinds: tuple[str, ...] = ("float", "block", "k")
    batches: bool = False

    @property
    def id(self) -> str:
        """Name of what it fits."""
        return f"{self.engine}/{self.backend}" + (f"/{self.family}" if self.family else "")


SERVED = ("multiply", "read_cache", "layers", "moe_layers", "sequences", "all_reduces", PROMPT)
"""Waits of engines that were measured with batches and several devices."""

FORMS = (
    Form(
        "llama.cpp",
        "cuda",
        (
            "read_weights",
            "unpack_weights",
            "unpack_before_turing",
            "read_cache",
            "read_padding",
            "layers",
            "moe_layers",
            "state_layers",
            "builds_to_2025",
            "sampling",
        ),
        "2024 年 4 月以降のビルド。層ごとの待ちは 2025 年 8 月から短くなった。",
        batches=True,
    ),
    Form(
        "llama.cpp",
        "metal",
        (
            "read_weights",
            "unpack_weights",
            "attention",
            "layers",
            "moe_layers",
            "state_layers",
            "dies",
            "builds_to_2025",
            "builds_of_2025",
            "sampling",
        ),
        "2023 年以降のビルド。層ごとの待ちは 2025 年 8 月と 2026 年 3 月から短くなった。",
        unpacked_kinds=("k",),
        batches=True,
    ),
    Form(
        "mlx",
        "mlx",
        ("read_weights", "attention", "layers", "moe_layers", "dies"),
        "2025 年以降の mlx-lm。状態を持つ層の余分な待ちは、Metal の llama.cpp の実測で補った。",
        borrowed="llama.cpp/metal",
        borrows=("state_layers",),
    ),
    Form(
        "llama.cpp",
        "vulkan",
        ("read_weights", "unpack_weights", "read_cache", "layers", "moe_layers", "state_layers", "sampling"),
        "AMD と NVIDIA の GPU。多くは Ryzen AI Max+ 395 と RX 7900 XT。層ごとの待ちは、GPU のクロックによらない。",
        launches_by_host=True,
    ),
    Form(
        "llama.cpp",
        "vulkan",
        ("read_weights",),
        "Intel の GPU 3 種の 4 件だけ。ほかの GPU とは別の命令で計算する。",
        family="intel",
        launches_by_host=True,
        borrowed="llama.cpp/vulkan",
        borrows=("read_cache", "layers", "moe_layers", "state_layers", "sampling"),
    ),
    Form(
        "llama.cpp",
        "rocm",
        ("read_weights", "unpack_weights", "read_cache", "layers", "moe_layers", "state_layers"),
        "多くは Ryzen AI Max+ 395 の測定。ドライバーと ROCm の版による差が大きい。",
        launches_by_host=True,
        borrowed="llama.cpp/vulkan",
        borrows=("sampling",),
    ),
    Form(
        "llama.cpp",
        "sycl",
        ("read_weights", "layers", "moe_layers"),
        "Arc Pro B70 の測定だけ。",
        launches_by_host=True,
        borrowed="llama.cpp/vulkan",
        borrows=("read_cache", "state_layers", "sampling"),
    ),
    Form(
        "llama.cpp",
        "cpu",
        ("read_weights", "layers"),
        "Raspberry Pi からサーバーまで。メモリの速さが書かれていない測定は、その CPU の標準の速さと見なした。"
        "ノート PC は、メモリを 1 枚しか載せていないことが多く、そのぶん遅い。",
        launches_by_host=True,
    ),
    Form(
        "gpt-fast",
        "cuda",
        ("read_weights", "unpack_weights", "layers"),
        "A100 80GB SXM の測定だけ。",
        unpacked_kinds=("block",),
    ),
    Form(
        "vllm",
        "cuda",
        ("read_weights", "unpack_weights", "builds_to_2025", *SERVED),
        "Ampere と Hopper。複数の系列と、テンソル並列を含む。",
        several=True,
    ),
    Form(
        "vllm",
        "cuda",
        ("read_weights", "multiply", "read_cache", "layers", "moe_layers", "sequences"),
        "B200 の測定だけ。複数の系列と、テンソル並列を含む。出はじめのカードで、ばらつきが大きい。",
        family="nvidia-blackwell",
        several=True,
        borrowed="vllm/cuda",
        borrows=("all_reduces",),
    ),
    Form(
        "vllm",
        "rocm",
        ("read_weights", "read_cache", "layers", "sequences", "all_reduces", PROMPT),
        "MI300X の、全体の遅延から求めた測定。複数の系列と、テンソル並列を含む。",
        several=True,
    ),
    Form(
        "sglang",
        "cuda",
        ("read_weights", "unpack_weights", "layers"),
        "H20 の測定だけ。系列ごとの待ちと通信は、vLLM の実測で補った。",
        several=True,
        borrowed="vllm/cuda",
        borrows=("multiply", "read_cache", "moe_layers", "sequences", "all_reduces", PROMPT),
    ),
)


def calibrate_all(measurements: Sequence[Measurement]) -> list[tuple[Calibration, list[DeviceFactor]]]:
    """Fit every form, in an order in which what is borrowed is there."""
    fitted: dict[str, Coefficients] = {}
    found = []
    for form in FORMS:
        calibration, factors, fitted[form.id] = calibrate(form, measurements, given_to(form, fitted))
        found.append((calibration, factors))
    return found


def given_to(form: Form, fitted: Mapping[str, Coefficients]) -> Coefficients:
    """Return the coefficients that a form does not fit itself."""
    given = dict(NOT_FITTED)
    if form.several:
        given["all_reduce_bytes"] = 1.0
    return given | {name: fitted[form.borrowed][name] for name in form.borrows}


def calibrate(
    form: Form, measurements: Sequence[Measurement], given: Coefficients
) -> tuple[Calibration, list[DeviceFactor], Coefficients]:
    """Fit one form, with the coefficients that it does not fit given."""
    mine = rows_of(form, measurements)
    rows = usable(mine, several=form.several)
    coefficients = fit_coefficients(rows, form.waits, given)
    factors = fit_factors(rows, coefficients)
    measured = np.array([m.step_s for m in rows])
    held_out = {name: hold_out(rows, form.waits, key, given) for name, key in HELD_OUT.items()}
    by_device = held_out["device"]
    by_pair = hold_out(rows, form.waits, lambda m: (m.device.id, m.model.id), given)
    known = by_pair.interval()
    if len({m.device.id for m in rows}) >= 4:
        unknown = by_device.interval()
    else:  # too few devices to know how much they differ
        unknown = known[0] ** 2, known[1] ** 2
    shares, prefill_factors = _prefill_shares(rows)
    if PROMPT in coefficients:
        shares = {**shares, **dict.fromkeys(("float", "packed"), 1 / coefficients[PROMPT])}
    years = sorted(int(m.year) for m in rows)
    written = dict(coefficients)
    batches = None
    if not form.several:
        written["all_reduces"] = _sum_us("tensor", mine, coefficients, factors)
    if form.batches:
        several = _kept([m for m in mine if m.devices == 1 < m.batch_size])
        several += [m for m in load_passes() if m.row["backend"] == form.backend]
        batches = fit_batches(rows, several, form.waits, given)
        written = dict(batches.coefficients) | {"all_reduces": written["all_reduces"]}
    fields_written: dict[str, Any] = {
        fitted.coefficient: rounded(written.get(fitted.kind.name, 0.0)) for fitted in FITTED_WAITS
    }
    errors: dict[str, Any] = {f"error_{name}_held_out": rounded(one.error) for name, one in held_out.items()}
    calibration = Calibration(
        id=form.id,
        engine=form.engine,
        backend=form.backend,
        family=form.family,
        unpacked_kinds="|".join(form.unpacked_kinds),
        launch_clock_hz=ASSUMED_CLOCK_HZ if form.launches_by_host else 0.0,
        **fields_written,
        row_sum_us=rounded(_sum_us("row", mine, coefficients, factors)),
        pipeline_message_s=rounded(_pipeline_message_s(mine, coefficients, factors)),
        prefill_share_float=rounded(shares["float"]),
        prefill_share_packed=rounded(shares["packed"]),
        low_factor=rounded(unknown[0]),
        high_factor=rounded(unknown[1]),
        known_low_factor=rounded(known[0]),
        known_high_factor=rounded(known[1]),
        rows=len(rows),
        devices=len({m.device.id for m in rows}),
        models=len({m.model.id for m in rows}),
        **_of_batches(batches, sum(m.batch_size > 1 for m in rows)),
        split_rows=sum(m.devices > 1 for m in rows),
        first_year=years[0],
        last_year=years[-1],
        error_in_sample=rounded(float(np.mean(np.abs(measured / _one_device_s(rows, coefficients, factors) - 1)))),
        **errors,
        coverage_device_held_out=rounded(by_device.coverage),
        coverage_model_held_out=rounded(by_pair.coverage),
        sources="|".join(sorted({m.row["file"] for m in rows})),
        note=form.note,
    )
    counts = Counter(scope for m in rows for scope in scopes(m))
    return (
        calibration,
        [
            DeviceFactor(
                calibration=form.id,
                scope=scope[0],
                weight_kind=scope[1],
                step_factor=rounded(float(np.exp(log))),
                prefill_factor=rounded(prefill_factors.get(scope[0], 0.0)),
                rows=counts[scope],
            )
            for scope, log in sorted(factors.items())
        ],
        coefficients,
    )


HELD_OUT: dict[str, Callable[[Measurement], Hashable]] = {
    "device": lambda m: m.device.id,
    "generation": lambda m: m.device.family,
    "model": lambda m: m.model.id,
    "source": lambda m: m.source,
    "year": lambda m: m.year,
}
"""What the fit is asked to predict without having seen it."""


def rows_of(form: Form, measurements: Sequence[Measurement]) -> list[Measurement]:
    """Return the rows of a form, with the waits as it has them."""
    apart = tuple(
        one.family
        for one in FORMS
        if one.family and not form.family and (one.engine, one.backend) == (form.engine, form.backend)
    )
    mine = of_form(measurements, form.engine, form.backend, form.family, apart)
    mine = [m if weight_kind(m.weights) in form.unpacked_kinds else without_cores(m) for m in mine]
    return [at_launch_clock(m, ASSUMED_CLOCK_HZ) if form.launches_by_host else m for m in mine]


def rounded(value: float) -> float:
    """Return a number with the digits that are worth writing down."""
    return float(f"{value:.{SIGNIFICANT_DIGITS - 1}e}")


def _prefill_shares(
    rows: Sequence[Measurement],
) -> tuple[dict[str, float], dict[str, float]]:
    """Median share of the peak in prefill, by kind, and how devices differ from it."""
    logs: dict[str, dict[Hashable, tuple[str, float]]] = {kind: {} for kind in ("float", "packed", "experts")}
    for m in rows:
        peak = m.device.peak_flop_per_s(m.weights.compute_format)
        tokens, speed = m.row["prefill_tokens"] or 0, m.row["prefill_tokens_per_s"]
        if not (speed and tokens >= SHORTEST_PROMPT and peak):
            continue
        share = prefill_flop(m.model, tokens) / tokens * speed / peak
        kind = "float" if weight_kind(m.weights) == "float" else "packed"
        if m.model.experts:
            kind = "experts"
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


def _one_device_s(rows: Sequence[Measurement], coefficients: Coefficients, factors: Factors) -> Floats:
    return predict_s(rows, coefficients) * np.exp(factor_logs(rows, factors))


def _pipeline_message_s(measurements: Sequence[Measurement], coefficients: Coefficients, factors: Factors) -> float:
    """Median time that handing on to the next device adds; 0 if not measured.

    Only shallow contexts count: what is missing at deep ones is no hand-over.
    """
    rows = [
        m
        for m in _kept(measurements)
        if m.devices > 1 == m.batch_size
        and m.row["split"] in ("layer", "pipeline")
        and m.context_length <= LONG_CONTEXT
    ]
    if not rows:
        return 0.0
    added = np.array([m.step_s for m in rows]) - _one_device_s(rows, coefficients, factors)
    hops = np.array([messages_per_step("pipeline", m.devices, m.model.layers) for m in rows])
    return max(0.0, _weighted_median(added / hops, configuration_weights(rows)))


def _kept(measurements: Sequence[Measurement]) -> list[Measurement]:
    """Return the rows that no exclusion names."""
    return [m for m in measurements if not any(excluded(m) for _, excluded in EXCLUSIONS)]


def _weighted_median(values: Floats, weights: Floats) -> float:
    order = np.argsort(values, kind="stable")
    position = np.cumsum(weights[order]) - weights[order] / 2
    return float(np.interp(weights.sum() / 2, position, values[order]))


def _sum_us(split: str, measurements: Sequence[Measurement], coefficients: Coefficients, factors: Factors) -> float:
    """Median time of an all-reduce, or of what llama.cpp's split by rows does instead; 0 if not measured."""
    rows = [m for m in measurements if m.devices > 1 and m.batch_size == 1 and m.row["split"] == split]
    if not rows:
        return 0.0
    added = np.array([m.step_s for m in rows]) - _one_device_s(rows, coefficients, factors)
    return max(0.0, float(np.median(added / np.array([m.loads_s["all_reduces"] for m in rows]))))


def _of_batches(batches: Batches | None, rows: int) -> dict[str, Any]:
    """Return what a calibration says of several sequences; where they were fitted with the rest, of how many rows."""
    if batches is None:
        return {"batched_rows": rows}
    low, high = batches.interval()
    return {
        "batched_rows": len(batches.rows),
        "batched_low_factor": rounded(low),
        "batched_high_factor": rounded(high),
        "error_batches_device_held_out": rounded(batches.held_out["device"].error),
        "error_batches_model_held_out": rounded(batches.held_out["model"].error),
        "coverage_batches_held_out": rounded(batches.coverage),
    }


def write_rows(path: Path, rows: Sequence[DataclassInstance]) -> None:
    """Write dataclasses as CSV, one column per field."""
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
    for reason, excluded in EXCLUSIONS:
        print(f"除外 {sum(map(excluded, measurements)):4} 件: {reason}")
    found = calibrate_all(measurements)
    calibrations = [calibration for calibration, _ in found]
    factors = [factor for _, some in found for factor in some]
    for c in calibrations:
        print(
            f"{c.id}: {c.rows} 件、{c.devices} 機種、{c.models} モデル。"
            f"平均の外れ（未知の機種 / 世代 / モデル / 出典 / 年）:"
            f" {c.error_device_held_out:.1%} / {c.error_generation_held_out:.1%} /"
            f" {c.error_model_held_out:.1%} / {c.error_source_held_out:.1%} / {c.error_year_held_out:.1%}、"
            f"90 % 区間の的中 {c.coverage_device_held_out:.0%}"
            f"（既知の機種 {c.coverage_model_held_out:.0%}）"
        )
    write_rows(data_directory() / "calibrations.csv", calibrations)
    write_rows(data_directory() / "calibration_factors.csv", factors)


if __name__ == "__main__":
    main()
