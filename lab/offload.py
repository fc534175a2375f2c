"""Fit what a part of the model on the host costs: ``python -m lab.offload``.

Reads ``data/measurements/offload/*.csv`` and rewrites
``data/offload_calibrations.csv``; the same measurements give the same bytes.
The device's share of a step is not fitted here: it is what the calibration of
the device says, so this comes after `lab.calibrate`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hayasa import Estimate, estimate
from hayasa.catalog.reader import data_directory, read_rows
from hayasa.engine.offload import OffloadCalibration
from hayasa.engine.waits import FETCH_WEIGHTS

from .calibrate import write_rows
from .fit import Floats, HeldOut

ENGINE, BACKEND = "llama.cpp", "cuda"

SOFT_ERROR = 0.05
"""Relative error from which on a row counts linearly instead of squared."""

ROUNDS = 100
STEP = 0.01
"""Of the logarithm of a number, to see what it changes."""

START = OffloadCalibration(
    id=f"{ENGINE}/{BACKEND}",
    host_read_factor=1.1,
    measured_host_read_factor=1.1,
    host_cores_bytes_per_s=6e10,
    host_cores_share=0.4,
    hand_over_s=1e-4,
    note="多くは 2026 年の、CUDA のビルド。CPU だけの行は、コアが 5 つ以上の計算機。",
)
FREE = {
    "host_read_factor": 0.15,
    "measured_host_read_factor": 0.3,
    "host_cores_bytes_per_s": 0.3,
    "host_cores_share": 0.3,
    "hand_over_s": 0.5,
}
"""The numbers that are fitted, and how far their logarithms may well be from the start."""

PRIOR = 0.002
"""How much that counts beside a row: so little that only what no row speaks of stays where it was."""


@dataclass(frozen=True, eq=False)
class Row:
    """One measurement: what `data/measurements/offload/README.md` says, and the estimate of it.

    Parameters
    ----------
    cells : mapping
        The row as it stands.
    result : Estimate
        What `hayasa.estimate` answers; its waits on the host are made anew in each round.
    device_s : float
        Seconds of its waits on the device; 0 without one.
    step_s : float
        Measured seconds per step.
    """

    cells: Mapping[str, str]
    result: Estimate
    device_s: float
    step_s: float

    @property
    def has_device(self) -> bool:
        """Whether a device took part."""
        return bool(self.cells["device"])

    def predicted_s(self, calibration: OffloadCalibration) -> float:
        """Return the seconds of a step for some numbers."""
        offload = self.result.offload
        assert offload
        waits = offload._replace(calibration=calibration).step_waits()
        seconds = sum(
            wait.seconds for wait in waits if not wait.hidden and (self.has_device or wait.kind.place == "host")
        )
        return self.device_s + seconds


def load() -> list[Row]:
    """Return all rows whose split is known."""
    rows = []
    for path in sorted((data_directory() / "measurements" / "offload").glob("*.csv")):
        rows += [_row(cells) for cells in read_rows(path) if cells["gpu_layers"]]
    return rows


def _row(cells: Mapping[str, str]) -> Row:
    result = estimate(
        cells["model"],
        cells["device"] or "rtx-3090",  # whose part is nothing
        weights=cells["weights"],
        engine=ENGINE,
        backend=cells["backend"] or None,
        context_length=int(cells["context_length"]),
        gpu_layers=int(cells["gpu_layers"]),
        cpu_moe_layers=int(cells["cpu_moe_layers"]) or None,
        host=cells["host"],
        prompt_length=int(cells["prefill_tokens"] or 512),
        micro_batch=int(cells["micro_batch"] or 0) or None,
        # A day or a year is no build.
        build=cells["measured_on"] if len(cells["measured_on"]) == len("2026-01") else None,
        server=cells["measured_through"] == "server",
    )
    assert result.offload
    device_s = result.step_latency_s - sum(wait.seconds for wait in result.offload.step_waits() if not wait.hidden)
    return Row(cells, result, device_s if cells["device"] else 0.0, 1 / float(cells["decode_tokens_per_s"]))


def fit(rows: Sequence[Row]) -> OffloadCalibration:
    """Find the numbers that bring the steps nearest to the measurements.

    Notes
    -----
    Gauss-Newton in the logarithms.  A machine counts as the root of how many
    rows it has: its rows err together.
    """
    names, start = list(FREE), START
    counts = Counter(row.cells["machine"] for row in rows)
    importance = np.array([counts[row.cells["machine"]] ** -0.5 for row in rows])
    measured = np.log([row.step_s for row in rows])
    prior = PRIOR / np.array(list(FREE.values())) ** 2
    origin = np.log([getattr(start, name) for name in names])
    logs = origin.copy()

    def errors(logs: Floats) -> Floats:
        numbers = replace(start, **dict(zip(names, np.exp(logs).tolist(), strict=True)))
        return np.log([row.predicted_s(numbers) for row in rows]) - measured

    for _ in range(ROUNDS):
        error = errors(logs)
        slopes = np.array([(errors(logs + STEP * one) - error) / STEP for one in np.eye(len(names))]).T
        weight = importance / np.sqrt(1 + (error / SOFT_ERROR) ** 2)
        curvature = slopes.T @ (weight[:, None] * slopes) + np.diag(prior)
        change = np.linalg.solve(curvature, slopes.T @ (weight * error) + prior * (logs - origin))
        logs = logs - change / 2
        if np.all(np.abs(change) < 1e-5):
            break
    return replace(start, **dict(zip(names, np.exp(logs).tolist(), strict=True)))


def log_ratios(rows: Sequence[Row], calibration: OffloadCalibration) -> Floats:
    """Return the logarithms of measured over estimated speed."""
    return np.array([np.log(row.predicted_s(calibration) / row.step_s) for row in rows])


def hold_out(rows: Sequence[Row], key: Callable[[Row], Hashable]) -> HeldOut:
    """Fit without each group in turn, and see how far off it then is."""
    groups = [key(row) for row in rows]
    found = np.full(len(rows), np.nan)
    counts = Counter(groups)
    for group in counts:
        inside = np.array([other == group for other in groups])
        without = fit([row for row, here in zip(rows, inside, strict=True) if not here])
        found[inside] = log_ratios([row for row, here in zip(rows, inside, strict=True) if here], without)
    return HeldOut(found, groups, np.array([1 / counts[group] for group in groups]))


def fetch_factors(rows: Sequence[Row]) -> Floats:
    """Return the time to send weights over the ideal for each machine with a known slot, from its prompts.

    What is left of a measured prompt after what the device needs is the way there.
    """
    factors: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        speed, offload = row.cells["prefill_tokens_per_s"], row.result.offload
        time, tokens = row.result.prompt_time, row.result.prompt_length
        if not (speed and offload and time and row.has_device and offload.host.link_bandwidth_bytes_per_s):
            continue
        if row.result.backend != BACKEND:
            continue
        fetched = [wait for wait in time.waits if wait.kind == FETCH_WEIGHTS]
        fetched_s = sum(wait.load_s for wait in fetched)
        device_s = time.best_s - sum(wait.seconds for wait in fetched)
        factors[row.cells["machine"]].append((tokens / float(speed) - device_s) / fetched_s)
    return np.array([np.median(found) for found in factors.values()])


def calibrate(rows: Sequence[Row]) -> OffloadCalibration:
    """Fit the rows that nothing speaks against, and say how far off it is on what it has not seen."""
    used = [row for row in rows if not row.cells["left_out"]]
    found = fit(used)
    by_machine = hold_out(used, lambda row: row.cells["machine"])
    own = np.array([row.cells["host_known"] == "own_speed" for row in used])
    offloaded = np.array([row.has_device for row in used])
    errors = np.abs(np.exp(-by_machine.log_ratio) - 1)
    low, high = by_machine.interval()
    own_ratio = np.exp(by_machine.log_ratio[own])
    fetched = np.log(fetch_factors(rows))
    # How far each machine is from the mean of the others.
    apart = np.abs(fetched - np.mean(fetched)) * len(fetched) / (len(fetched) - 1)
    return replace(
        found,
        fetch_factor=float(np.exp(np.mean(fetched))),
        fetch_spread=float(np.exp(np.max(apart))),
        low_factor=low,
        high_factor=high,
        # One machine told it: as wide again as it was off.
        own_low_factor=min(0.87, float(own_ratio.min()) ** 2),
        own_high_factor=max(1.15, float(own_ratio.max()) ** 2),
        rows=len(used),
        machines=len({row.cells["machine"] for row in used}),
        models=len({row.cells["model"] for row in used}),
        error_in_sample=float(np.mean(np.abs(np.exp(-log_ratios(used, found)) - 1))),
        error_machine_held_out=by_machine.error,
        error_offloaded_machine_held_out=float(np.mean(errors[offloaded])),
        error_model_held_out=hold_out(used, lambda row: row.cells["model"]).error,
        error_source_held_out=hold_out(used, lambda row: row.cells["source"]).error,
        error_year_held_out=hold_out(used, lambda row: row.cells["measured_on"][:4]).error,
        coverage_machine_held_out=by_machine.coverage,
    )


def report(rows: Sequence[Row], calibration: OffloadCalibration) -> None:
    """Say in Japanese how far off each machine is, and what was left out."""
    c = calibration
    print(
        f"{c.id}: {c.rows} 件、{c.machines} 台、{c.models} モデル。平均の外れ（未知の計算機 / うち GPU のある行 /"
        f" モデル / 出典 / 年）: {c.error_machine_held_out:.1%} / {c.error_offloaded_machine_held_out:.1%} /"
        f" {c.error_model_held_out:.1%} / {c.error_source_held_out:.1%} / {c.error_year_held_out:.1%}、90 % 区間の的中 {c.coverage_machine_held_out:.0%}"
    )
    used = [row for row in rows if not row.cells["left_out"]]
    by_machine = hold_out(used, lambda row: row.cells["machine"])
    for machine in dict.fromkeys(by_machine.groups):
        ratios = [r for r, group in zip(by_machine.log_ratio, by_machine.groups, strict=True) if group == machine]
        print(f"  {machine}: 実測 / 見積り（外して当てはめ）", " ".join(f"{np.exp(r):.2f}" for r in ratios))
    for row in rows:
        if row.cells["left_out"]:
            ratio = np.exp(log_ratios([row], calibration)[0])
            print(f"  除外 {row.cells['id']}: 実測 / 見積り {ratio:.2f}（{row.cells['left_out']}）")


def main() -> None:
    """Fit, report, and rewrite the file."""
    rows = load()
    calibration = calibrate(rows)
    report(rows, calibration)
    write_rows(data_directory() / "offload_calibrations.csv", [calibration])


if __name__ == "__main__":
    main()
