"""Fit the share of the rated power that is drawn, and how the clock follows a limit.

Free numbers: three for servers, where two devices were measured under many
loads; one each for cards and for whole machines, of which few were measured;
one for the rest of a PC; three for the clock under a limit, all from one card.

Run ``python -m lab.power``.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

import hayasa
from hayasa.answer.estimate import Estimate
from hayasa.catalog.reader import data_directory, read_rows
from hayasa.engine.power import ClockCalibration, at_clock, clock_at_power, power_at_clock, rated_powers

Floats = npt.NDArray[np.float64]

PC = "265K Custom PC"
"""The machine of which cards and the rest can be told apart: a usual PC, not a board that starves the card."""

CLOCKS_FROM = "rtx-3090"
"""The only card whose clock was written down."""

BARELY_SLOWED = 0.95
"""Share of the clock above which a miss says more of the noise than of the limit."""

WIDEST = 0.6, 1.4
"""No interval of few devices is narrower than what they span, nor than this where only one was measured."""


class Drawn(NamedTuple):
    """Measured watts as a share of the rated ones, and how busy memory and cores were."""

    device: str
    share: float
    memory_busy: float
    compute_busy: float


def measured() -> list[dict[str, str]]:
    """Return every measurement of power."""
    return [
        row for path in sorted((data_directory() / "measurements" / "power").glob("*.csv")) for row in read_rows(path)
    ]


def question(row: Mapping[str, str], **other: object) -> Estimate:
    """Return the estimate of what was measured."""
    devices = int(row["devices"])
    length = int(row["context_length"])
    arguments: dict[str, object] = {
        "weights": row["weights"],
        "batch_size": int(row["batch_size"]),
        "engine": row["engine"],
        "devices": devices,
        "split": "tensor" if devices > 1 else "pipeline",
        **({"prompt_length": length} if row["phase"] == "prompt" else {"context_length": length}),
        **other,
    }
    return hayasa.estimate(row["model"], arguments.pop("device", row["device"]), **arguments)  # type: ignore[arg-type]


def drawn(row: Mapping[str, str]) -> Drawn:
    """Return a row as the fit sees it; how busy it was follows from the measured speed."""
    share = float(row["power_w"]) / int(row["devices"]) / rated_powers()[row["device"]].rated_power_w
    if row["phase"] != "serving":
        return Drawn(row["device"], share, 0.0, 0.0)
    result = question(row)
    step_s = result.batch_size / float(row["tokens_per_s"])
    return Drawn(row["device"], share, result.memory_latency_s / step_s, result.compute_latency_s / step_s)


def fit_shares(rows: Sequence[Drawn], columns: int) -> Floats:
    """Return base, memory and compute share; every device counts once."""
    counts = {device: sum(row.device == device for row in rows) for device in {row.device for row in rows}}
    weights = np.sqrt([1 / counts[row.device] for row in rows])
    busy = np.array([[1.0, row.memory_busy, row.compute_busy] for row in rows])[:, :columns]
    shares = np.array([row.share for row in rows])
    found, *_ = np.linalg.lstsq(busy * weights[:, None], shares * weights, rcond=None)
    return np.concatenate([found, np.zeros(3 - columns)])


def ratio(row: Drawn, coefficients: Floats) -> float:
    """Return measured over fitted share."""
    fitted = coefficients @ [1.0, min(row.memory_busy, 1.0), min(row.compute_busy, 1.0)]
    return row.share / min(float(fitted), 1.0)


def calibrate(rating: str, phase: str, rows: Sequence[Drawn], columns: int, host: Sequence[float]) -> dict[str, object]:
    """Return a row of ``power_calibrations.csv``: the fit, and how far off it is on devices that it has not seen."""
    coefficients = fit_shares(rows, columns)
    devices = sorted({row.device for row in rows})
    ratios: dict[str, list[float]] = {}
    for device in devices if len(devices) > 1 else ():
        others = fit_shares([row for row in rows if row.device != device], columns)
        ratios[device] = [ratio(row, others) for row in rows if row.device == device]
    low, high = WIDEST
    if ratios:
        low = min(float(np.quantile(one, 0.04)) for one in ratios.values())
        high = max(float(np.quantile(one, 0.96)) for one in ratios.values())
    errors = [float(np.mean(np.abs(1 - 1 / np.array(one)))) for one in ratios.values()]
    inside = [float(np.mean([low <= value <= high for value in one])) for one in ratios.values()]
    names = ("base_share", "memory_share", "compute_share")
    return {
        "id": f"{rating}/{phase}",
        **{name: f"{value:.3f}" for name, value in zip(names, coefficients, strict=True)},
        "low_factor": f"{min(low, 1):.3f}",
        "high_factor": f"{max(high, 1):.3f}",
        "most_share": f"{max(1.0, *(row.share for row in rows)):.3f}",
        **{f"host_power_{name}": f"{value:.0f}" for name, value in zip(("w", "low_w", "high_w"), host, strict=True)},
        "rows": len(rows),
        "devices": len(devices),
        "error_device_held_out": f"{np.mean(errors):.3f}" if errors else 0,
        "coverage_device_held_out": f"{np.mean(inside):.3f}" if inside else 0,
    }


def unlimited(row: Mapping[str, str]) -> bool:
    """Tell whether a device ran at its rated power or above."""
    return not row["power_limit_w"] or float(row["power_limit_w"]) >= rated_powers()[row["device"]].rated_power_w


def shares() -> list[dict[str, object]]:
    """Return the rows of ``power_calibrations.csv``."""
    rows = [row for row in measured() if row["device"] in rated_powers() and unlimited(row)]

    def of(rating: str, phase: str, measured_at: str) -> list[Drawn]:
        return [
            drawn(row)
            for row in rows
            if rated_powers()[row["device"]].rating == rating
            and (row["phase"], row["measured_at"]) == (phase, measured_at)
        ]

    cards = calibrate("card", "decode", of("card", "decode", "device"), 1, (0, 0, 0))
    rest = [
        float(row["power_w"]) - float(str(cards["base_share"])) * rated_powers()[row["device"]].rated_power_w
        for row in rows
        if PC in row["machine"]
    ]
    host = [float(np.quantile(rest, share)) for share in (0.5, 0.05, 0.95)]
    host[1] = max(host[1], 0.0)
    serving = of("server", "serving", "device")
    machines = of("machine", "decode", "wall")
    nothing = (0, 0, 0)
    return [
        calibrate("card", "decode", of("card", "decode", "device"), 1, host),
        calibrate("card", "prompt", of("card", "prompt", "device"), 1, host),
        calibrate("server", "decode", serving, 3, nothing),
        calibrate("server", "prompt", serving, 3, nothing),
        calibrate("machine", "decode", machines, 1, nothing),
        calibrate("machine", "prompt", machines, 1, nothing),
    ]


def sweeps() -> dict[tuple[str, str, str], list[dict[str, str]]]:
    """Return the measurements with a limit, by device, model and phase, from the lowest limit up."""
    found = defaultdict(list)
    for row in measured():
        if row["power_limit_w"]:
            found[row["device"], row["model"], row["phase"]].append(row)
    return {key: sorted(rows, key=lambda row: float(row["power_limit_w"])) for key, rows in found.items()}


def at_stock(rows: Sequence[dict[str, str]]) -> dict[str, str]:
    """Return the row at the rated power, or the nearest above."""
    return next(row for row in rows if unlimited(row))


def fit_clock() -> dict[str, object]:
    """Return the row of ``power_clocks.csv``."""
    points = [
        (float(row["core_clock_hz"]) / float(top["core_clock_hz"]), float(row["power_w"]) / float(top["power_w"]))
        for (device, _, _), rows in sweeps().items()
        if device == CLOCKS_FROM
        for top in [at_stock(rows)]
        for row in rows
        if float(row["power_w"]) < float(top["power_w"])
    ]

    def off(known: ClockCalibration) -> float:
        return float(np.mean([abs(power_at_clock(clock, known) / share - 1) for clock, share in points]))

    grid = [
        ClockCalibration("gpu", float(static), float(least), float(slope), len(points), *([0.0] * 6))
        for static in np.arange(0.2, 0.5, 0.02)
        for least in np.arange(0.4, 1.0, 0.02)
        for slope in np.arange(1.0, 6.1, 0.5)
    ]
    known = min(grid, key=off)
    error = float(np.mean([abs(clock_at_power(share, known) / clock - 1) for clock, share in points]))
    seen: dict[str, list[float]] = {"decode": [], "prompt": []}
    held_out: dict[str, list[float]] = {"decode": [], "prompt": []}
    per_clock: list[float] = []
    for (device, _, phase), rows in sweeps().items():
        top = at_stock(rows)
        misses = []
        for row in rows:
            if float(row["power_w"]) >= 0.99 * float(top["power_w"]):
                continue
            # From the draw without a limit, so that only what the limit does is judged.
            clock = clock_at_power(float(row["power_w"]) / float(top["power_w"]), known)
            predicted = speed(row, clock) / speed(row, 1.0)
            misses.append(abs(predicted / (float(row["tokens_per_s"]) / float(top["tokens_per_s"])) - 1))
            if clock < BARELY_SLOWED:
                per_clock.append(misses[-1] / (1 - clock))
        print(
            f"{device} {rows[0]['model']} {phase}: mean miss of the relative speed {np.mean(misses):.3f}, worst {max(misses):.3f}"
        )
        (seen if device == CLOCKS_FROM else held_out)[phase].append(float(np.mean(misses)))
    return {
        "id": "gpu",
        "static_share": f"{known.static_share:.2f}",
        "least_voltage_share": f"{known.least_voltage_share:.2f}",
        "voltage_slope": f"{known.voltage_slope:.2f}",
        "rows": len(points),
        "speed_spread_per_clock": f"{np.quantile(per_clock, 0.9):.2f}",
        "error_clock": f"{error:.3f}",
        "error_decode": f"{np.mean(seen['decode']):.3f}",
        "error_prompt": f"{np.mean(seen['prompt']):.3f}",
        "error_decode_held_out": f"{np.mean(held_out['decode']):.3f}",
        "error_prompt_held_out": f"{np.mean(held_out['prompt']):.3f}",
    }


def speed(row: Mapping[str, str], clock: float) -> float:
    """Return the estimated speed of what was measured, at a share of the clock."""
    device = at_clock(hayasa.get_device(row["device"]), clock)
    if row["phase"] != "prompt":
        return question(row, device=device).decode_tokens_per_s
    # Only the relative speed counts: where an engine's share of the peak is not known, the peak will do.
    bound = question(row, device=device, engine="ideal").prefill_tokens_per_s_bound
    return question(row, device=device).prefill_tokens_per_s or bound or float("nan")


def write(name: str, rows: Sequence[Mapping[str, object]]) -> None:
    """Write a table."""
    with (data_directory() / name).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    """Write both tables."""
    tables: tuple[tuple[str, Callable[[], list[dict[str, object]]]], ...] = (
        ("power_calibrations.csv", shares),
        ("power_clocks.csv", lambda: [fit_clock()]),
    )
    for name, fit in tables:
        rows = fit()
        write(name, rows)
        for row in rows:
            print(*(f"{column}={value}" for column, value in row.items()))


if __name__ == "__main__":
    main()
