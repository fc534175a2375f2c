"""Fit the calibrations to the published measurements: ``make calibrate``.

Reads ``data/measurements/*.csv`` and rewrites ``data/calibrations.csv`` and
``data/calibration_factors.csv``.  The same measurements give the same bytes.
`hayasa.estimate` reads nothing but these two files.
"""

from __future__ import annotations

import csv
import sys
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hayasa.catalog.reader import data_directory
from hayasa.engine.calibration import Calibration, DeviceFactor, prefill_kind, weight_kind
from hayasa.engine.waits import FITTED_WAITS, READ_CACHE
from hayasa.machine.split import messages_per_step
from hayasa.model.flops import prefill_flop

from .fit import Coefficients, Factors, Floats, factor_logs, fit_coefficients, fit_factors, hold_out, predict_s, scopes
from .rows import EXCLUSIONS, Measurement, load_measurements, usable, without_unpacking

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

PREFILL_SHRINKAGE = 0.5
"""How many measured configurations a prefill factor of 1 weighs as much as.

Prompts are read at very different shares of the peak, so one measurement says much.
"""

SHORTEST_PROMPT = 256
"""Tokens from which on a prompt keeps the cores busy."""

SIGNIFICANT_DIGITS = 4

NOT_FITTED = {READ_CACHE.name: 1.0}
"""Coefficients of what is there whether it is fitted or not: no cache is read faster than the memory allows."""


@dataclass(frozen=True)
class Form:
    """Which waits one engine's calibration has on one backend.

    Parameters
    ----------
    engine, backend : str
        What is fitted.
    waits : tuple of str
        Names of the kinds that are fitted; the coefficients of the others stay 0.
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


FORMS = (
    Form(
        "llama.cpp",
        "cuda",
        ("read_weights", "unpack_weights", "attention", "layers", "moe_layers", "old_builds"),
        "2024 年以降のビルド。層ごとの待ちは 2025 年 8 月から短くなった。",
    ),
    Form(
        "llama.cpp",
        "metal",
        ("read_weights", "unpack_weights", "attention", "layers", "moe_layers", "dies", "old_builds"),
        "2023 年以降のビルド。層ごとの待ちは 2025 年 8 月から短くなった。",
        unpacked_kinds=("k",),
    ),
    Form("mlx", "mlx", ("read_weights", "attention", "layers", "moe_layers", "dies"), "2025 年以降の mlx-lm。"),
    Form(
        "llama.cpp",
        "vulkan",
        ("read_weights", "unpack_weights", "read_cache", "layers", "moe_layers"),
        "多くは Ryzen AI Max+ 395 の測定。ドライバーによる差が大きい。",
    ),
    Form(
        "llama.cpp",
        "rocm",
        ("read_weights", "unpack_weights", "read_cache", "layers", "moe_layers"),
        "多くは Ryzen AI Max+ 395 の測定。ドライバーによる差が大きい。",
    ),
    Form("llama.cpp", "cpu", ("read_weights",), "Raspberry Pi 5 の測定だけ。"),
    Form(
        "gpt-fast",
        "cuda",
        ("read_weights", "unpack_weights", "layers"),
        "A100 80GB SXM の測定だけ。",
        unpacked_kinds=("block",),
    ),
    Form("vllm", "cuda", ("read_weights", "attention", "layers"), "全体の遅延から求めた測定。"),
    Form("vllm", "rocm", ("read_weights", "attention", "layers"), "MI300X の、全体の遅延から求めた測定。"),
)


def calibrate(form: Form, measurements: Sequence[Measurement]) -> tuple[Calibration, list[DeviceFactor]]:
    """Fit one engine on one backend."""
    mine = rows_of(form, measurements)
    rows = usable(mine)
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
        **{
            fitted.coefficient: rounded(coefficients.get(fitted.kind.name, NOT_FITTED.get(fitted.kind.name, 0.0)))
            for fitted in FITTED_WAITS
        },
        pipeline_message_s=rounded(_pipeline_message_s(mine, coefficients, factors)),
        tensor_message_s=rounded(_tensor_message_s(mine, coefficients, factors)),
        prefill_share_float=rounded(shares["float"]),
        prefill_share_packed=rounded(shares["packed"]),
        prefill_share_experts=rounded(shares["experts"]),
        low_factor=rounded(unknown[0]),
        high_factor=rounded(unknown[1]),
        known_low_factor=rounded(known[0]),
        known_high_factor=rounded(known[1]),
        rows=len(rows),
        devices=len({m.device.id for m in rows}),
        models=len({m.model.id for m in rows}),
        error_in_sample=rounded(float(np.mean(np.abs(measured / predicted - 1)))),
        error_device_held_out=rounded(by_device.error),
        error_generation_held_out=rounded(hold_out(rows, form.waits, lambda m: m.device.family).error),
        error_model_held_out=rounded(hold_out(rows, form.waits, lambda m: m.model.id).error),
        error_source_held_out=rounded(hold_out(rows, form.waits, lambda m: m.source).error),
        coverage_device_held_out=rounded(by_device.coverage),
        coverage_model_held_out=rounded(by_pair.coverage),
        sources="|".join(sorted({m.source for m in rows})),
        note=form.note,
    )
    counts: dict[tuple[str, str], int] = defaultdict(int)
    old: dict[tuple[str, str], set[tuple[str, ...]]] = defaultdict(set)
    every: dict[tuple[str, str], set[tuple[str, ...]]] = defaultdict(set)
    for m in rows:
        for scope in scopes(m):
            counts[scope] += 1
            every[scope].add(m.configuration)
            if m.is_old_build:
                old[scope].add(m.configuration)
    return calibration, [
        DeviceFactor(
            calibration=id_,
            scope=scope[0],
            weight_kind=scope[1],
            step_factor=rounded(float(np.exp(log))),
            old_build_share=rounded(len(old[scope]) / len(every[scope])),
            prefill_factor=rounded(prefill_factors.get(scope[0], 0.0)),
            rows=counts[scope],
        )
        for scope, log in sorted(factors.items())
    ]


def rows_of(form: Form, measurements: Sequence[Measurement]) -> list[Measurement]:
    """Return the rows of a form, without the wait for unpacking where the form does not have it."""
    mine = [m for m in measurements if (m.row["engine"], m.row["backend"]) == (form.engine, form.backend)]
    return [m if weight_kind(m.weights) in form.unpacked_kinds else without_unpacking(m) for m in mine]


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


def _one_device_s(rows: Sequence[Measurement], coefficients: Coefficients, factors: Factors) -> Floats:
    return predict_s(rows, coefficients) * np.exp(factor_logs(rows, factors))


def _pipeline_message_s(measurements: Sequence[Measurement], coefficients: Coefficients, factors: Factors) -> float:
    """Median time that handing on to the next device adds; 0 if not measured."""
    rows = [m for m in measurements if m.devices > 1 and m.batch_size == 1 and m.row["split"] in ("layer", "pipeline")]
    if not rows:
        return 0.0
    added = np.array([m.step_s for m in rows]) - _one_device_s(rows, coefficients, factors)
    return max(
        0.0,
        float(np.median(added / np.array([messages_per_step("pipeline", m.devices, m.model.layers) for m in rows]))),
    )


def _tensor_message_s(measurements: Sequence[Measurement], coefficients: Coefficients, factors: Factors) -> float:
    """Median time of an all-reduce, or of what llama.cpp's split by rows does instead; 0 if not measured."""
    rows = [m for m in measurements if m.devices > 1 and m.batch_size == 1 and m.row["split"] in ("tensor", "row")]
    if not rows:
        return 0.0
    share = _one_device_s(rows, coefficients, factors) / np.array([m.devices for m in rows])
    added = np.array([m.step_s for m in rows]) - share
    return max(
        0.0, float(np.median(added / np.array([messages_per_step("tensor", m.devices, m.model.layers) for m in rows])))
    )


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
