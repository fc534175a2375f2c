"""Measure an NVIDIA GPU with PyTorch: bandwidth, batches, weight-only kernels.

``python lab/measure_gpu.py`` writes a record of the same form as ``hayasa measure``, so
that the book can show both in one table.  It needs a PyTorch that knows the GPU; the book
does not.  What it measures:

- the read bandwidth against the working set: the L2 cache, then the HBM;
- a decode step over fp16 matrices for growing batches, against the roofline, with the
  kernels launched one by one and replayed as one CUDA graph: the difference is the cost of
  launching;
- the same step over weights stored in four bits (PyTorch's own weight-only kernel), whose
  traffic is a quarter.

``--device cpu`` runs the same code, smaller and without graphs and the four-bit kernel, on a
machine without a GPU: a check of the program, not of the machine.
"""

import argparse
import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "src"))

from hayasa import __version__
from hayasa.measure.machine import machine_description
from hayasa.measure.prediction import batch_prediction_tokens_per_s, paired
from hayasa.measure.record import Record, Row, working_sets, write_record
from hayasa.units import scaled, significant

INT4_GROUP = 128


@dataclass(frozen=True)
class GpuPlan:
    """How much is measured; the default takes about a minute and 6 GB on a large GPU."""

    hidden_size: int = 8192
    layers: int = 8
    largest_bytes: int = 2**32
    smallest_bytes: int = 2**22
    peak_side: int = 8192
    rounds: int = 15
    batch_sizes: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


SMALL = GpuPlan(
    hidden_size=256, layers=4, largest_bytes=2**24, smallest_bytes=2**20, peak_side=256,
    rounds=3, batch_sizes=(1, 4, 16),
)  # fmt: skip


def int4_bytes(hidden_size: int, layers: int, group: int = INT4_GROUP) -> int:
    """Bytes of square matrices in four bits with a 16-bit scale and zero point per group.

    >>> int4_bytes(128, 1)  # 16,384 weights: 8,192 bytes and 128 groups of 4 bytes
    8704
    """
    weights = layers * hidden_size**2
    return weights // 2 + weights // group * 4


def compared(row: Row, measured: Sequence[float], predicted: Sequence[float]) -> Row:
    """Fill in the medians, and the ratio of the pairs."""
    ratio, low, high = paired(measured, predicted)
    return replace(
        row,
        measured=median(measured),
        predicted=median(predicted),
        ratio=ratio,
        ratio_low=low,
        ratio_high=high,
    )


def batch_row(
    row: Row,
    seconds: Sequence[float],
    parameters: int,
    bandwidth_bytes_per_s: Sequence[float],
    peak_flop_per_s: Sequence[float],
) -> Row:
    """Turn the times of a step into a row beside what the roofline says."""
    measured = [row.batch_size / t for t in seconds]
    predicted = [
        batch_prediction_tokens_per_s(parameters, row.read_bytes / parameters, row.batch_size, b, f)
        for b, f in zip(bandwidth_bytes_per_s, peak_flop_per_s, strict=True)
    ]
    return compared(row, measured, predicted)


class Stopwatch:
    """Times work on the GPU by events on its own clock; on the CPU by the wall clock."""

    def __init__(self, torch: Any, device: str) -> None:
        self.torch, self.device = torch, device

    def seconds(self, task: Callable[[], object], times: int = 1) -> float:
        """Return the mean time of one of so many calls."""
        if self.device != "cuda":
            start = time.perf_counter()
            for _ in range(times):
                task()
            return (time.perf_counter() - start) / times
        begin, end = (self.torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        for _ in range(times):
            task()
        end.record()
        end.synchronize()
        return float(begin.elapsed_time(end)) / 1e3 / times

    def in_turns(self, tasks: Mapping[str, Callable[[], object]], rounds: int, times: int) -> dict[str, list[float]]:
        """Time several tasks in turns, after one time that does not count."""
        for task in tasks.values():
            self.seconds(task)
        found: dict[str, list[float]] = {name: [] for name in tasks}
        for _ in range(rounds):
            for name, task in tasks.items():
                found[name].append(self.seconds(task, times))
        return found


def bandwidth_rows(torch: Any, watch: Stopwatch, plan: GpuPlan) -> list[Row]:
    """Sum arrays of all sizes; a sum is memory bound on a GPU, unlike in numpy."""
    numbers = torch.ones(plan.largest_bytes // 4, dtype=torch.float32, device=watch.device)
    rows = []
    for size in working_sets(plan.largest_bytes, plan.smallest_bytes):
        x = numbers[: size // 4]
        times = max(1, min(200, 2**30 // size))
        seconds = watch.in_turns({"read": lambda x=x: x.sum()}, plan.rounds, times)["read"]
        rows.append(Row(f"bandwidth-{size}", "bandwidth", size / median(seconds), "B/s", read_bytes=size))
    return rows


def graphed(torch: Any, step: Callable[[], object]) -> Callable[[], object]:
    """Capture a step as a CUDA graph: all its kernels are then launched at once."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return lambda: graph.replay()


def batch_rows(torch: Any, watch: Stopwatch, plan: GpuPlan) -> list[Row]:
    """Time the fp16 step for growing batches, launched one by one and as a graph."""
    cuda = watch.device == "cuda"
    dtype = torch.float16 if cuda else torch.float32
    shape = (plan.layers, plan.hidden_size, plan.hidden_size)
    weights = torch.randn(shape, dtype=dtype, device=watch.device) / plan.hidden_size**0.5
    parameters, n_bytes = weights.numel(), weights.numel() * weights.element_size()
    name = "fp16" if cuda else "fp32"
    probe = torch.ones(plan.largest_bytes // 4, dtype=torch.float32, device=watch.device)
    square = torch.randn((plan.peak_side, plan.peak_side), dtype=dtype, device=watch.device)

    def step(x: Any) -> Callable[[], object]:
        def run() -> Any:
            y = x
            for matrix in weights:
                y = matrix @ y
            return y

        return run

    limits = {"probe": lambda: probe.sum(), "peak": lambda: square @ square}
    rows = []
    for size in plan.batch_sizes:
        x = torch.randn((plan.hidden_size, size), dtype=dtype, device=watch.device)
        tasks = {**limits, "batch": step(x)}
        if cuda:
            tasks["graph"] = graphed(torch, step(x))
        seconds = watch.in_turns(tasks, plan.rounds, 3)
        bandwidth = [plan.largest_bytes / t for t in seconds["probe"]]
        peak = [2 * plan.peak_side**3 / t for t in seconds["peak"]]
        if not rows:
            rows.append(Row(f"peak-{name}", "peak", median(peak), "FLOP/s", weights=name))
        for kind in ("batch", "graph"):
            if kind in seconds:
                row = Row(
                    f"{kind}-{name}-{size}", kind, 0.0, "tokens/s",
                    weights=name, read_bytes=n_bytes, batch_size=size,
                )  # fmt: skip
                rows.append(batch_row(row, seconds[kind], parameters, bandwidth, peak))
    return rows


def int4_rows(torch: Any, watch: Stopwatch, plan: GpuPlan) -> list[Row]:
    """Time the step over weights in four bits, with PyTorch's weight-only kernel."""
    size = plan.hidden_size
    groups = size // INT4_GROUP
    packed, scales = [], []
    for _ in range(plan.layers):
        codes = torch.randint(0, 256, (size, size // 2), dtype=torch.uint8, device="cuda")
        packed.append(torch.ops.aten._convert_weight_to_int4pack(codes, 8))
        scales.append(torch.full((groups, size, 2), 1e-3, dtype=torch.bfloat16, device="cuda"))
    probe = torch.ones(plan.largest_bytes // 4, dtype=torch.float32, device="cuda")
    square = torch.randn((plan.peak_side, plan.peak_side), dtype=torch.bfloat16, device="cuda")
    parameters, n_bytes = plan.layers * size**2, int4_bytes(size, plan.layers)
    rows = []
    for batch_size in plan.batch_sizes:
        x = torch.randn((batch_size, size), dtype=torch.bfloat16, device="cuda")

        def step(x: Any = x) -> Any:
            for codes, scale in zip(packed, scales, strict=True):
                x = torch.ops.aten._weight_int4pack_mm(x, codes, INT4_GROUP, scale)
            return x

        tasks = {
            "probe": lambda: probe.sum(),
            "peak": lambda: square @ square,
            "graph": graphed(torch, step),
        }
        seconds = watch.in_turns(tasks, plan.rounds, 3)
        row = Row(
            f"graph-int4-{batch_size}", "graph", 0.0, "tokens/s",
            weights="int4", read_bytes=n_bytes, batch_size=batch_size,
        )  # fmt: skip
        bandwidth = [plan.largest_bytes / t for t in seconds["probe"]]
        peak = [2 * plan.peak_side**3 / t for t in seconds["peak"]]
        rows.append(batch_row(row, seconds["graph"], parameters, bandwidth, peak))
    return rows


def measure(torch: Any, device: str, plan: GpuPlan) -> Record:
    """Measure everything; what this PyTorch cannot do is left out and said so."""
    started, watch = time.perf_counter(), Stopwatch(torch, device)
    torch.manual_seed(0)
    rows = [*bandwidth_rows(torch, watch, plan), *batch_rows(torch, watch, plan)]
    machine, left_out = machine_description(), ""
    if device == "cuda":
        about = torch.cuda.get_device_properties(0)
        machine |= {
            "gpu": about.name,
            "gpu_memory_bytes": about.total_memory,
            "gpu_sm_count": about.multi_processor_count,
        }
        try:
            rows += int4_rows(torch, watch, plan)
        except (AttributeError, RuntimeError) as error:
            left_out = f"int4: {str(error).splitlines()[0]}"
    return Record(
        measured_on=date.today().isoformat(),
        machine=machine,
        versions={
            "hayasa": __version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "cuda": str(torch.version.cuda),
        },
        method={
            "clock": "cuda events" if device == "cuda" else "perf_counter",
            "rounds": plan.rounds,
            "hidden_size": plan.hidden_size,
            "layers": plan.layers,
            "seconds": round(time.perf_counter() - started, 1),
            "left_out": left_out,
        },
        rows=tuple(rows),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write a record."""
    parser = argparse.ArgumentParser(description="NVIDIA の GPU を PyTorch で測ります。")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda", help="既定: cuda")
    parser.add_argument("--output", default=f"gpu-{date.today().isoformat()}.json", help="記録")
    options = parser.parse_args(arguments)
    try:
        import torch
    except ImportError:
        print("エラー: PyTorch がありません。GPU に合うものを入れてください。", file=sys.stderr)
        return 2
    if options.device == "cuda" and not torch.cuda.is_available():
        print("エラー: PyTorch から使える NVIDIA の GPU がありません。", file=sys.stderr)
        return 2
    record = measure(torch, options.device, GpuPlan() if options.device == "cuda" else SMALL)
    for row in record.rows:
        value = f"{significant(row.measured)} トークン/s" if row.unit == "tokens/s" else scaled(row.measured, row.unit)
        ratio = f"、実測/予測 {row.ratio:.2f}" if row.ratio else ""
        print(f"{row.id}: {value}{ratio}")
    if record.method["left_out"]:
        print(f"測れなかったもの: {record.method['left_out']}", file=sys.stderr)
    write_record(record, options.output)
    print(f"記録を {options.output} に書きました。", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
