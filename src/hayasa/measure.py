"""Measure this machine, with a prediction beside each measurement: ``hayasa measure``.

What is measured is what the estimates are made of: the memory bandwidth
against the working set, the compute throughput, a decode step over synthetic
weights, and the same step for a batch.  Everything runs on one thread, on the
CPU, with numpy.

Machines are noisy, so three rules hold throughout.  The clock counts the time
that the thread itself ran, not what others ran meanwhile.  A prediction and
the measurement it belongs to are taken in turns, and compared pair by pair.
Every array is written and read once before the clock starts.

`measure` does the work in this process; `run` starts a fresh one, because a
BLAS reads how many threads it may use when numpy is first imported.  Only
those two need numpy.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import date
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from . import __version__
from .datasets import data_directory, get_device, read_rows
from .errors import DataFileError, HayasaError
from .latency import compute_latency_s, memory_latency_s, step_latency_bounds_s, tokens_per_s
from .listing import table_lines
from .units import scaled, significant

SCHEMA = "hayasa-measurement/1"

ONE_THREAD = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "BLIS_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
}
"""Environment under which numpy's BLAS, whichever it is, uses one thread."""

PITFALLS = {
    "pitfall-untouched": "書き込んでいないnp.zerosを読む",
    "pitfall-sum": "np.sumで読む（fp32、64 KiB）",
    "pitfall-unaligned": "16バイトずれた場所から読む（64 KiB）",
}
"""Wrong ways to measure the bandwidth: predicted is what the right way gives."""


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


@dataclass(frozen=True)
class Row:
    """One measurement and its prediction.

    Parameters
    ----------
    id : str
        Unique within a record.
    kind : str
        ``bandwidth``, ``bandwidth-all-cores``, ``bandwidth-rows``, ``pitfall``,
        ``peak``, ``decode`` or ``batch``.
    measured : float
        The median, in `unit`.
    unit : str
        ``B/s``, ``FLOP/s`` or ``tokens/s``.
    weights : str
        Number format of the weights: ``fp32``, ``fp64``, or empty.
    read_bytes : int
        Bytes that are read: the working set, or the weights of one step.
    batch_size : int
        Sequences that advance in one step.
    predicted : float
        What the formula says, in `unit`; 0 where nothing is predicted.
    ratio, ratio_low, ratio_high : float
        Median and quartiles of measured over predicted, pair by pair.
    """

    id: str
    kind: str
    measured: float
    unit: str
    weights: str = ""
    read_bytes: int = 0
    batch_size: int = 1
    predicted: float = 0.0
    ratio: float = 0.0
    ratio_low: float = 0.0
    ratio_high: float = 0.0


@dataclass(frozen=True)
class Record:
    """One run of the measurements, as it is stored.

    Parameters
    ----------
    measured_on : str
        ISO date.
    machine : mapping
        Processor, cores, caches, memory and system; no name and no path.
    versions : mapping
        Versions of what took part.
    method : mapping
        Clock, threads, rounds, seconds and peak memory.
    rows : tuple of Row
        The measurements.
    time_ratios : mapping
        Ratios of times of pairs of rows, taken in the same rounds.
    """

    measured_on: str
    machine: Mapping[str, Any]
    versions: Mapping[str, str]
    method: Mapping[str, Any]
    rows: tuple[Row, ...]
    time_ratios: Mapping[str, float] = field(default_factory=dict)

    def row(self, id_: str) -> Row:
        """Return the row of an id; a KeyError if there is none."""
        return {row.id: row for row in self.rows}[id_]

    def of_kind(self, kind: str) -> list[Row]:
        """Return the rows of one kind, in the order of the record."""
        return [row for row in self.rows if row.kind == kind]


@dataclass(frozen=True)
class Check:
    """Something that holds on every machine it was tried on, idle or loaded.

    Parameters
    ----------
    name : str
        What is compared, in Japanese.
    value, low, high : float
        A ratio and the range it has to lie in (dimensionless).
    """

    name: str
    value: float
    low: float
    high: float

    @property
    def holds(self) -> bool:
        """Whether the ratio lies in the range."""
        return self.low <= self.value <= self.high


# --- predictions ---------------------------------------------------------------------------


def decode_prediction_tokens_per_s(
    parameters: float, bytes_per_parameter: float, memory_bandwidth_bytes_per_s: float
) -> float:
    """Tokens per second if a step does nothing but read the weights once.

    Parameters
    ----------
    parameters : float
        Number of weights.
    bytes_per_parameter : float
        Bytes of one weight.
    memory_bandwidth_bytes_per_s : float
        Measured bandwidth in bytes per second.

    Returns
    -------
    float
        Tokens per second, an upper bound.

    Examples
    --------
    >>> decode_prediction_tokens_per_s(2**25, 4, 2**28)
    2.0
    """
    return tokens_per_s(memory_latency_s(parameters, bytes_per_parameter, memory_bandwidth_bytes_per_s))


def batch_prediction_tokens_per_s(
    parameters: float,
    bytes_per_parameter: float,
    batch_size: int,
    memory_bandwidth_bytes_per_s: float,
    peak_flop_per_s: float,
) -> float:
    """Tokens per second by the roofline: reading and computing at the same time.

    Parameters
    ----------
    parameters : float
        Number of weights.
    bytes_per_parameter : float
        Bytes of one weight.
    batch_size : int
        Sequences that advance in one step.
    memory_bandwidth_bytes_per_s : float
        Measured bandwidth in bytes per second.
    peak_flop_per_s : float
        Measured throughput of a large matrix product in FLOP per second.

    Returns
    -------
    float
        Tokens per second of the whole batch, an upper bound.

    Examples
    --------
    1000 weights of 4 bytes at 4000 B/s: one step a second, until 2 · 1000 · B
    operations take longer than that.

    >>> [batch_prediction_tokens_per_s(1000, 4, b, 4000, 16000) for b in (1, 8, 16)]
    [1.0, 8.0, 8.0]
    """
    read_s = memory_latency_s(parameters, bytes_per_parameter, memory_bandwidth_bytes_per_s)
    compute_s = compute_latency_s(parameters, batch_size, peak_flop_per_s)
    return tokens_per_s(step_latency_bounds_s(read_s, compute_s)[0], batch_size)


def paired(measured: Sequence[float], predicted: Sequence[float]) -> tuple[float, float, float]:
    """Median and quartiles of measured over predicted, pair by pair.

    Parameters
    ----------
    measured, predicted : sequences of float
        Equally long, at least three, of one unit.

    Returns
    -------
    tuple of float
        Median, lower and upper quartile (dimensionless).

    Raises
    ------
    ValueError
        If the lengths differ, or if there are fewer than three pairs: a quartile of two
        values is an extrapolation, which can lie beyond both and even below zero.

    Examples
    --------
    The third pair met a slow moment; both sides felt it.

    >>> paired([8.0, 9.0, 4.0], [10.0, 10.0, 5.0])
    (0.8, 0.8, 0.9)
    """
    ratios = [m / p for m, p in zip(measured, predicted, strict=True)]
    if len(ratios) < 3:
        raise ValueError(f"quartiles need at least three pairs, not {len(ratios)}")
    low, middle, high = quantiles(ratios, n=4)
    return middle, low, high


def working_sets(largest_bytes: int, smallest_bytes: int = 2**14) -> list[int]:
    """Sizes to read, each twice the one before.

    Parameters
    ----------
    largest_bytes, smallest_bytes : int
        Ends of the range, both included.

    Returns
    -------
    list of int
        Bytes.

    Examples
    --------
    >>> working_sets(2**17)
    [16384, 32768, 65536, 131072]
    """
    sizes = [smallest_bytes]
    while sizes[-1] * 2 <= largest_bytes:
        sizes.append(sizes[-1] * 2)
    return sizes


# --- measuring -----------------------------------------------------------------------------


def clock_name() -> str:
    """Name of the clock: the thread's own time, where it is fine enough.

    Returns
    -------
    str
        A function of the module `time`.  On Windows the thread's time
        advances in steps of 16 ms, so there it is ``perf_counter``.
    """
    return "perf_counter" if sys.platform == "win32" else "thread_time"


def in_turns(
    tasks: Mapping[str, Callable[[], object]], rounds: int, clock: Callable[[], float]
) -> dict[str, list[float]]:
    """Time several tasks in turns: the first of each, then the second of each.

    Parameters
    ----------
    tasks : mapping
        Functions without arguments, by name.
    rounds : int
        How often each is timed, after one time that does not count.
    clock : callable
        Returns seconds.

    Returns
    -------
    dict
        Seconds of each round, by name.
    """
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
    """Measure this machine, in this process.

    Parameters
    ----------
    plan : Plan
        How much to measure.  The default takes 10 to 20 seconds and 1.2 GB.

    Returns
    -------
    Record
        What was measured.

    Raises
    ------
    HayasaError
        If numpy is missing or older than 2.0.
    """
    started = time.perf_counter()
    np = _numpy()
    clock: Callable[[], float] = getattr(time, clock_name())
    rng = np.random.default_rng(0)
    shape = (plan.layers, plan.hidden_size, plan.hidden_size)
    weights = rng.random(shape, dtype=np.float32)
    weights -= np.float32(0.5)
    weights *= np.float32((12 / plan.hidden_size) ** 0.5)  # keeps the activations near 1
    wide = weights[: plan.short_layers].astype(np.float64)
    probe = aligned_ones(plan.probe_bytes // 8)

    rows = _bandwidth_rows(np, probe, plan, clock)
    rows.append(_all_cores_row(np, weights.reshape(-1)))
    decode, time_ratios = _decode_rows(np, probe, weights, wide, plan, clock)
    rows += decode
    rows += _pitfall_rows(np, probe, plan, clock)
    rows += _batch_rows(np, probe, weights[: plan.short_layers], plan, clock)
    return Record(
        measured_on=date.today().isoformat(),
        machine=machine_description(),
        versions=_versions(np),
        method={
            "clock": clock_name(),
            "blas_threads": os.environ.get("OPENBLAS_NUM_THREADS", ""),
            "rounds": plan.rounds,
            "batch_rounds": plan.batch_rounds,
            "hidden_size": plan.hidden_size,
            "seconds": round(time.perf_counter() - started, 1),
            "peak_memory_bytes": _peak_memory_bytes(),
        },
        rows=tuple(rows),
        time_ratios=time_ratios,
    )


def _numpy() -> Any:
    try:
        import numpy as np
    except ImportError:
        np = None  # type: ignore[assignment]
    if np is None or not hasattr(np, "vecdot"):
        raise HayasaError("測るには numpy 2.0 以上が必要です。pip install 'numpy>=2' を実行してください。")
    return np


def aligned_ones(count: int) -> Any:
    """Return `count` ones of 8 bytes, the first at the start of a memory page.

    Parameters
    ----------
    count : int
        Length of the array.

    Returns
    -------
    numpy.ndarray
        Ones, not zeros: untouched zeros are all one page, which a cache holds.
        At the start of a page, because numbers that straddle two cache lines
        are read from the inner caches at two thirds of the speed.
    """
    np = _numpy()
    page = 4096
    raw = np.empty(count * 8 + page, np.uint8)
    start = -raw.ctypes.data % page
    ones = raw[start : start + count * 8].view(np.float64)
    ones[:] = 1
    return ones


def _bandwidth_rows(np: Any, probe: Any, plan: Plan, clock: Callable[[], float]) -> list[Row]:
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


def _all_cores_row(np: Any, numbers: Any) -> Row:
    """Read with one thread per core; by the clock on the wall, so the best of ten counts."""
    from concurrent.futures import ThreadPoolExecutor

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
    np: Any, probe: Any, weights: Any, wide: Any, plan: Plan, clock: Callable[[], float]
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


def _pitfall_rows(np: Any, probe: Any, plan: Plan, clock: Callable[[], float]) -> list[Row]:
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


def _batch_rows(np: Any, probe: Any, weights: Any, plan: Plan, clock: Callable[[], float]) -> list[Row]:
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


# --- the machine ---------------------------------------------------------------------------


def machine_description() -> dict[str, Any]:
    """Say what kind of machine this is, without its name or any path.

    Returns
    -------
    dict
        ``processor``, ``logical_cores``, ``memory_bytes``, ``caches_bytes``
        (by level, of one core), ``system``.  What cannot be found is empty.
    """
    return {
        "processor": _processor(),
        "logical_cores": os.cpu_count() or 1,
        "memory_bytes": _memory_bytes(),
        "caches_bytes": _caches_bytes(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def _sysctl(name: str) -> str:
    """Ask macOS for a property of the machine; empty elsewhere."""
    if sys.platform != "darwin":
        return ""
    asked = subprocess.run(["sysctl", "-n", name], capture_output=True, text=True, check=False)
    return asked.stdout.strip()


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return _sysctl("machdep.cpu.brand_string") or platform.processor()


def _memory_bytes() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0


def _caches_bytes() -> dict[str, int]:
    sizes = {}
    for folder in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        try:
            level, kind, size = (
                (folder / name).read_text(encoding="utf-8").strip() for name in ("level", "type", "size")
            )
        except OSError:
            continue
        if kind != "Instruction" and size.endswith("K"):
            sizes[f"L{level}"] = int(size[:-1]) * 1024
    for level, names in {
        "L1": ("hw.perflevel0.l1dcachesize", "hw.l1dcachesize"),
        "L2": ("hw.perflevel0.l2cachesize", "hw.l2cachesize"),
        "L3": ("hw.l3cachesize",),
    }.items():
        found = next((text for text in map(_sysctl, names) if text.isdigit() and int(text)), "")
        if found:
            sizes[level] = int(found)
    return sizes


def _versions(np: Any) -> dict[str, str]:
    blas = np.show_config(mode="dicts").get("Build Dependencies", {}).get("blas", {})
    return {
        "hayasa": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": f"{blas.get('name', '')} {blas.get('version', '')}".strip(),
    }


def _peak_memory_bytes() -> int:
    try:
        import resource
    except ImportError:  # Windows
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


# --- records -------------------------------------------------------------------------------


def checks(record: Record) -> list[Check]:
    """Compare what holds on every machine: ratios only, never absolute speeds.

    Parameters
    ----------
    record : Record
        A run with the default plan.

    Returns
    -------
    list of Check
        Each with the range it has to lie in.
    """
    names = {
        "decode-fp32-small": "fp32、小",
        "decode-fp32-large": "fp32、大",
        "decode-fp64-small": "fp64、小",
    }
    found = [Check(f"デコードの実測 ÷ 予測（{name}）", record.row(id_).ratio, 0.5, 1.4) for id_, name in names.items()]
    ratios = record.time_ratios
    found.append(Check("重みを4倍にしたときの時間の比", ratios["large_over_small"], 3.0, 5.2))
    found.append(Check("fp64 ÷ fp32 の時間の比", ratios["fp64_over_fp32"], 1.6, 2.5))
    near, far = record.row(f"bandwidth-{2**19}"), record.row(f"bandwidth-{2**28}")
    cache = near.measured / far.measured
    found.append(Check("帯域幅の比（512 KiB ÷ 256 MiB）", cache, 1.5, float("inf")))
    batch = record.row("batch-64").measured / record.row("batch-1").measured
    found.append(Check("スループットの比（B = 64 ÷ B = 1）", batch, 3.0, float("inf")))
    return found


def to_json(record: Record) -> str:
    """Write a record as JSON text.

    Parameters
    ----------
    record : Record
        What was measured.

    Returns
    -------
    str
        Text that `from_json` turns into an equal record.
    """
    return json.dumps({"schema": SCHEMA, **asdict(record)}, ensure_ascii=False, indent=1) + "\n"


def from_json(text: str, name: str = "記録") -> Record:
    """Read a record from JSON text.

    Parameters
    ----------
    text : str
        What `to_json` wrote.
    name : str
        How messages call the text.

    Returns
    -------
    Record
        The record.

    Raises
    ------
    DataFileError
        If the text is no record of this kind.
    """
    try:
        values = json.loads(text)
        if values.pop("schema") != SCHEMA:
            raise KeyError("schema")
        values["rows"] = tuple(Row(**row) for row in values["rows"])
        return Record(**values)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DataFileError(f"{name} は hayasa measure の記録（{SCHEMA}）ではありません。") from None


def read_record(path: str | os.PathLike[str]) -> Record:
    """Read a record from a file.

    Parameters
    ----------
    path : path
        A file that ``hayasa measure`` wrote.

    Returns
    -------
    Record
        The record.

    Raises
    ------
    DataFileError
        If there is no such file, or it is no record.
    """
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise DataFileError(f"{file.name} を読めません。") from None
    return from_json(text, file.name)


def recorded(name: str) -> Record:
    """Return one of the records that come with the book.

    Parameters
    ----------
    name : str
        File name without ``.json``, in ``data/measurements/own``.

    Returns
    -------
    Record
        The record.

    Raises
    ------
    DataFileError
        If there is no such record.
    """
    return read_record(data_directory() / "measurements" / "own" / f"{name}.json")


def recorded_rows(name: str) -> list[dict[str, str]]:
    """Return the rows of one of the tables that come with the book.

    Parameters
    ----------
    name : str
        File name without ``.csv``, in ``data/measurements/own``.

    Returns
    -------
    list of dict
        Text by column name.

    Raises
    ------
    DataFileError
        If there is no such table.
    """
    return read_rows(data_directory() / "measurements" / "own" / f"{name}.csv", ())


def run() -> Record:
    """Measure this machine in a fresh process whose BLAS uses one thread.

    Returns
    -------
    Record
        What was measured.

    Raises
    ------
    HayasaError
        If the measurement failed; the message says why.
    """
    done = subprocess.run(
        [sys.executable, "-m", "hayasa.measure"],
        env={**os.environ, **ONE_THREAD, "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["理由は不明です。"])[-1]
        raise HayasaError(f"測定が途中で止まりました: {reason}")
    return from_json(done.stdout, "測定の結果")


def record_lines(record: Record, device: str = "") -> list[str]:
    """Lay out a record: each measurement, its prediction and their ratio.

    Parameters
    ----------
    record : Record
        What was measured.
    device : str
        Name of a device whose published bandwidth is set beside the measured.

    Returns
    -------
    list of str
        Lines of text, in Japanese.
    """
    machine = record.machine
    caches = "、".join(f"{level} {size // 1024:,} KiB" for level, size in machine["caches_bytes"].items())
    lines = table_lines(
        [
            ["測った日", record.measured_on],
            [
                "機械",
                f"{machine['processor']}（{machine['logical_cores']} コア、"
                f"メモリ {scaled(machine['memory_bytes'], 'B')}、{machine['system']}）",
            ],
            ["キャッシュ", caches or "不明"],
            ["かかった時間", f"{significant(record.method['seconds'])} s"],
            ["使ったメモリ", scaled(record.method["peak_memory_bytes"], "B")],
        ]
    )
    lines.append("")
    table = [
        [_what(row), _value(row, row.measured), _value(row, row.predicted), _ratio(row.ratio)] for row in record.rows
    ]
    if device:
        catalog = get_device(device)
        cores = record.row("bandwidth-all-cores").measured
        share = cores / catalog.memory_bandwidth_bytes_per_s
        published = scaled(catalog.memory_bandwidth_bytes_per_s, "B/s")
        table.append(
            [f"帯域幅（全コア、予測は {catalog.id} の公称値）", scaled(cores, "B/s"), published,
             _ratio(share)]
        )  # fmt: skip
    lines += table_lines(table, header=["測ったもの", "実測", "予測", "実測/予測"], right="lrrr")
    lines.append("")
    table = [
        [check.name, _ratio(check.value), _range(check), "はい" if check.holds else "いいえ"]
        for check in checks(record)
    ]
    return lines + table_lines(table, header=["どの機械でも成り立つはずの比", "値", "範囲", "範囲内"], right="lrrl")


def _what(row: Row) -> str:
    if row.kind == "bandwidth":
        return f"帯域幅（作業量 {_binary(row.read_bytes)}）"
    if row.kind == "bandwidth-all-cores":
        return "帯域幅（全コア）"
    if row.kind == "pitfall":
        return f"落とし穴：{PITFALLS[row.id]}"
    if row.kind == "bandwidth-rows":
        return f"帯域幅（{row.weights}、行ごと、作業量 {_binary(row.read_bytes)}）"
    if row.kind == "peak":
        return f"計算力（{row.weights} の行列積）"
    size = scaled(row.read_bytes, "B")
    if row.kind == "decode":
        return f"デコード（{row.weights}、重み {size}）"
    return f"バッチ {row.batch_size}（{row.weights}、重み {size}）"


def _binary(n_bytes: int) -> str:
    for factor, unit in ((2**20, "MiB"), (2**10, "KiB")):
        if n_bytes >= factor:
            return f"{n_bytes // factor} {unit}"
    return f"{n_bytes} B"


def _value(row: Row, value: float) -> str:
    if not value:
        return "-"
    return f"{significant(value)} トークン/秒" if row.unit == "tokens/s" else scaled(value, row.unit)


def _ratio(value: float) -> str:
    return f"{value:.2f}" if value else "-"


def _range(check: Check) -> str:
    high = "" if check.high == float("inf") else f"{check.high:g}"
    return f"{check.low:g} ～ {high}".rstrip()


def csv_rows(record: Record) -> list[list[object]]:
    """Return the measurements as rows of a CSV file, the header first.

    Parameters
    ----------
    record : Record
        What was measured.

    Returns
    -------
    list of list
        Cells; numbers are unscaled, in the unit of their row.
    """
    names = [field_.name for field_ in fields(Row)]
    return [list(names), *([getattr(row, name) for name in names] for row in record.rows)]


def command(arguments: argparse.Namespace) -> None:
    """Measure, print, and write a dated record: what ``hayasa measure`` does.

    Parameters
    ----------
    arguments : argparse.Namespace
        `device`, `output`, `csv` and `json`: the options of the command.
    """
    if arguments.device:
        get_device(arguments.device)  # refuse a wrong name before measuring, not after
    print("測っています（30 秒ほどかかります）…", file=sys.stderr)
    record = run()
    if arguments.json:
        print(to_json(record), end="")
    elif arguments.csv:
        csv.writer(sys.stdout, lineterminator="\n").writerows(csv_rows(record))
    else:
        print("\n".join(record_lines(record, arguments.device)))
    if arguments.output != "-":
        path = Path(arguments.output or f"hayasa-measure-{record.measured_on}.json")
        write_record(record, path)
        print(f"記録を {path} に書きました。", file=sys.stderr)


def write_record(record: Record, path: str | os.PathLike[str]) -> None:
    """Write a record to a file.

    Parameters
    ----------
    record : Record
        What was measured.
    path : path
        The file; an older one is replaced.

    Raises
    ------
    DataFileError
        If the file cannot be written.
    """
    try:
        Path(path).write_text(to_json(record), encoding="utf-8")
    except OSError as error:
        raise DataFileError(f"{path} に書けません: {error.strerror}。") from None


def main(arguments: Iterable[str] = ()) -> int:
    """Measure in this process and print the record as JSON: what `run` starts.

    Parameters
    ----------
    arguments : iterable of str
        Ignored.

    Returns
    -------
    int
        Exit code 0; 1 if something is missing.
    """
    try:
        print(to_json(measure()), end="")
    except HayasaError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
