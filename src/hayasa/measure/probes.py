"""Measure this machine, with a prediction beside each measurement.

What is measured is what the estimates are made of: the memory bandwidth
against the working set, the compute throughput, a decode step over synthetic
weights, and the same step for a batch.  Everything runs on one thread, on the
CPU, with numpy.

Machines are noisy, so three rules hold throughout.  The clock counts the time
that the thread itself ran, not what others ran meanwhile.  A prediction and
the measurement it belongs to are taken in turns, and compared pair by pair.
Every array is written and read once before the clock starts.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date
from statistics import median
from typing import Any

import numpy as np

from .. import __version__
from ..formulas import tokens_per_s
from .machine import machine_description, peak_memory_bytes
from .prediction import batch_prediction_tokens_per_s, decode_prediction_tokens_per_s, paired
from .record import Record, Row, working_sets


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    Parameters
    ----------
    hidden_size : int
        Rows and columns of each synthetic weight matrix.
    layers, short_layers : int
        Matrices of the larger and of the smaller synthetic model.
    probe_bytes : int
        Working set of the bandwidth probe, larger than any cache.
    rounds, batch_rounds : int
        Pairs of measurement and prediction; the median of them counts.
    batch_sizes : tuple of int
        Batch sizes of the sweep.
    """

    hidden_size: int = 4096
    layers: int = 8
    short_layers: int = 2
    probe_bytes: int = 2**28
    rounds: int = 25
    batch_rounds: int = 5
    batch_sizes: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64, 128, 256)


def clock_name() -> str:
    """Name of the clock: the thread's own time, where it is fine enough."""
    return "perf_counter" if sys.platform == "win32" else "thread_time"


def in_turns(
    tasks: Mapping[str, Callable[[], object]], rounds: int, clock: Callable[[], float]
) -> dict[str, list[float]]:
    """Time several tasks in turns: the first of each, then the second of each."""
    for task in tasks.values():
        task()
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(rounds):
        for name, task in tasks.items():
            start = clock()
            task()
            seconds[name].append(clock() - start)
    return seconds


def measure(plan: Plan = Plan()) -> Record:
    """Measure this machine, in this process."""
    started = time.perf_counter()
    clock: Callable[[], float] = getattr(time, clock_name())
    rng = np.random.default_rng(0)
    shape = (plan.layers, plan.hidden_size, plan.hidden_size)
    weights = rng.random(shape, dtype=np.float32)
    weights -= np.float32(0.5)
    weights *= np.float32((12 / plan.hidden_size) ** 0.5)  # keeps the activations near 1
    wide = weights[: plan.short_layers].astype(np.float64)
    probe = aligned_ones(plan.probe_bytes // 8)

    rows = _bandwidth_rows(probe, plan, clock)
    rows.append(_all_cores_row(weights.reshape(-1)))
    decode, time_ratios = _decode_rows(probe, weights, wide, plan, clock)
    rows += decode
    rows += _pitfall_rows(probe, plan, clock)
    rows += _batch_rows(probe, weights[: plan.short_layers], plan, clock)
    return Record(
        measured_on=date.today().isoformat(),
        machine=machine_description(),
        versions=_versions(),
        method={
            "clock": clock_name(),
            "blas_threads": os.environ.get("OPENBLAS_NUM_THREADS", ""),
            "rounds": plan.rounds,
            "batch_rounds": plan.batch_rounds,
            "hidden_size": plan.hidden_size,
            "seconds": round(time.perf_counter() - started, 1),
            "peak_memory_bytes": peak_memory_bytes(),
        },
        rows=tuple(rows),
        time_ratios=time_ratios,
    )


def aligned_ones(count: int) -> Any:
    """Return `count` ones of 8 bytes, the first at the start of a memory page."""
    page = 4096
    raw = np.empty(count * 8 + page, np.uint8)
    start = -raw.ctypes.data % page
    ones = raw[start : start + count * 8].view(np.float64)
    ones[:] = 1
    return ones


def _bandwidth_rows(probe: Any, plan: Plan, clock: Callable[[], float]) -> list[Row]:
    """Read arrays of all sizes, each so often that a sample takes some milliseconds."""
    sample_bytes = min(plan.probe_bytes, 2**27)

    def task(size: int) -> Callable[[], object]:
        x = probe[: size // 8]
        # The same x, seen many times: the loop over it runs inside numpy, where
        # a turn costs nanoseconds, and not in Python.
        again = np.broadcast_to(x, (max(1, sample_bytes // size), x.size))
        return lambda: np.vecdot(again, x)

    sizes = working_sets(plan.probe_bytes)
    seconds = in_turns({str(size): task(size) for size in sizes}, plan.rounds, clock)
    rows = []
    for size in sizes:
        n_bytes = max(1, sample_bytes // size) * size
        speed = n_bytes / median(seconds[str(size)])
        rows.append(Row(f"bandwidth-{size}", "bandwidth", speed, "B/s", read_bytes=size))
    return rows


def _all_cores_row(numbers: Any) -> Row:
    """Read with one thread per core; by the clock on the wall, so the best of ten counts."""
    cores = os.cpu_count() or 1
    parts = np.array_split(numbers, cores)
    best = float("inf")
    with ThreadPoolExecutor(cores) as pool:
        for _ in range(10):
            start = time.perf_counter()
            list(pool.map(lambda part: np.dot(part, part), parts))
            best = min(best, time.perf_counter() - start)
    n_bytes = int(numbers.nbytes)
    return Row("bandwidth-all-cores", "bandwidth-all-cores", n_bytes / best, "B/s", read_bytes=n_bytes)


def _decode_rows(
    probe: Any, weights: Any, wide: Any, plan: Plan, clock: Callable[[], float]
) -> tuple[list[Row], dict[str, float]]:
    """Time decode steps over weights of three sizes, in turns with the bandwidth probe."""
    models = {
        "decode-fp32-small": weights[: plan.short_layers],
        "decode-fp32-large": weights,
        "decode-fp64-small": wide,
    }

    def step(matrices: Any) -> Callable[[], object]:
        first = np.ones(matrices.shape[-1], matrices.dtype)

        def run() -> Any:
            x = first
            for matrix in matrices:
                x = matrix @ x
            return x

        return run

    small, vector = models["decode-fp32-small"], np.ones(plan.hidden_size, np.float32)
    tasks: dict[str, Callable[[], object]] = {
        "probe": lambda: np.dot(probe, probe),
        # Reads the weights as a step does, row by row beside a vector, in one call.
        "rows": lambda: np.vecdot(small, vector),
    }
    tasks |= {name: step(matrices) for name, matrices in models.items()}
    seconds = in_turns(tasks, plan.rounds, clock)
    bandwidth = [probe.nbytes / t for t in seconds["probe"]]
    by_rows = [small.nbytes / t for t in seconds["rows"]]
    rows = [
        _compared(
            Row(
                "bandwidth-rows",
                "bandwidth-rows",
                median(by_rows),
                "B/s",
                weights="fp32",
                read_bytes=int(small.nbytes),
            ),
            by_rows,
            bandwidth,
        )
    ]
    for name, matrices in models.items():
        measured = [tokens_per_s(t) for t in seconds[name]]
        predicted = [decode_prediction_tokens_per_s(matrices.size, matrices.itemsize, b) for b in bandwidth]
        rows.append(
            _compared(
                Row(
                    name,
                    "decode",
                    median(measured),
                    "tokens/s",
                    weights=name.split("-")[1],
                    read_bytes=int(matrices.nbytes),
                ),
                measured,
                predicted,
            )
        )
    base = seconds["decode-fp32-small"]
    return rows, {
        "large_over_small": paired(seconds["decode-fp32-large"], base)[0],
        "fp64_over_fp32": paired(seconds["decode-fp64-small"], base)[0],
    }


def _pitfall_rows(probe: Any, plan: Plan, clock: Callable[[], float]) -> list[Row]:
    """Measure the bandwidth wrongly, in turns with measuring it rightly."""
    near = probe[: 2**16 // 8]
    off = probe.view(np.uint8)[16 : 16 + near.nbytes].view(probe.dtype)
    singles = near.view(np.float32)
    again = max(1, min(plan.probe_bytes, 2**26) // near.nbytes)
    untouched = np.zeros(probe.size)

    def repeated(x: Any) -> Callable[[], object]:
        views = np.broadcast_to(x, (again, x.size))
        return lambda: np.vecdot(views, x)

    tasks: dict[str, Callable[[], object]] = {
        "probe": lambda: np.dot(probe, probe),
        "pitfall-untouched": lambda: np.dot(untouched, untouched),
        "near": repeated(near),
        "pitfall-sum": lambda: np.broadcast_to(singles, (again, singles.size)).sum(axis=1),
        "pitfall-unaligned": repeated(off),
    }
    seconds = in_turns(tasks, plan.batch_rounds, clock)
    rows = []
    for name, right, read_bytes, times in (
        ("pitfall-untouched", "probe", probe.nbytes, 1),
        ("pitfall-sum", "near", near.nbytes, again),
        ("pitfall-unaligned", "near", near.nbytes, again),
    ):
        wrong = [read_bytes * times / t for t in seconds[name]]
        true = [read_bytes * times / t for t in seconds[right]]
        row = Row(name, "pitfall", median(wrong), "B/s", read_bytes=int(read_bytes))
        rows.append(_compared(row, wrong, true))
    return rows


def _batch_rows(probe: Any, weights: Any, plan: Plan, clock: Callable[[], float]) -> list[Row]:
    """Time the step for growing batches, in turns with both limits."""
    side = min(plan.hidden_size, 2048)
    square = weights[0, :side, :side].copy()

    def step(batch_size: int) -> Callable[[], object]:
        first = np.ones((weights.shape[-1], batch_size), weights.dtype)

        def run() -> Any:
            x = first
            for matrix in weights:
                x = matrix @ x
            return x

        return run

    tasks: dict[str, Callable[[], object]] = {
        "probe": lambda: np.dot(probe, probe),
        "peak": lambda: square @ square,
    }
    tasks |= {str(size): step(size) for size in plan.batch_sizes}
    seconds = in_turns(tasks, plan.batch_rounds, clock)
    bandwidth = [probe.nbytes / t for t in seconds["probe"]]
    peak = [2 * side**3 / t for t in seconds["peak"]]
    rows = [Row("peak-fp32", "peak", median(peak), "FLOP/s", weights="fp32")]
    for size in plan.batch_sizes:
        measured = [tokens_per_s(t, size) for t in seconds[str(size)]]
        predicted = [
            batch_prediction_tokens_per_s(weights.size, weights.itemsize, size, b, f)
            for b, f in zip(bandwidth, peak, strict=True)
        ]
        rows.append(
            _compared(
                Row(
                    f"batch-{size}",
                    "batch",
                    median(measured),
                    "tokens/s",
                    weights="fp32",
                    read_bytes=int(weights.nbytes),
                    batch_size=size,
                ),
                measured,
                predicted,
            )
        )
    return rows


def _compared(row: Row, measured: Sequence[float], predicted: Sequence[float]) -> Row:
    ratio, low, high = paired(measured, predicted)
    return replace(row, predicted=median(predicted), ratio=ratio, ratio_low=low, ratio_high=high)


def _versions() -> dict[str, str]:
    blas = np.show_config(mode="dicts").get("Build Dependencies", {}).get("blas", {})
    return {
        "hayasa": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": f"{blas.get('name', '')} {blas.get('version', '')}".strip(),
    }
