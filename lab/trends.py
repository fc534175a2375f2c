"""Whether the errors have a direction, and how large they are by class: ``python -m lab.trends``.

For each calibration, every row is estimated by a fit that has not seen its
model.  A line through the logarithm of measured over estimated speed says how
far the estimate drifts from the short contexts to the long ones, from small
models to large ones, from one sequence to many, from one device to several,
and from the first year to the last: 0 % would be none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from .calibrate import FORMS, HELD_OUT, given_to, rows_of
from .fit import Coefficients, HeldOut, fit_coefficients, hold_out
from .rows import Measurement, load_measurements, usable

FEWEST = 20
"""Rows from which on a line through them says something."""

ALONG: dict[str, Callable[[Measurement], float]] = {
    "文脈": lambda m: np.log2(m.context_length + 256),
    "重み": lambda m: np.log2(m.loads_s["read_weights"] * m.device.memory_bandwidth_bytes_per_s),
    "系列": lambda m: np.log2(m.batch_size),
    "台数": lambda m: np.log2(m.devices),
    "年": lambda m: float(m.year),
}
"""What an error may depend on, on a scale on which a straight line is plausible."""


def drift(rows: Sequence[Measurement], held_out: HeldOut, along: Callable[[Measurement], float]) -> float | None:
    """Return how much faster than estimated the last rows are than the first, by a line through all; None if none is.

    Ends are the 5th and 95th percentile.
    """
    seen = ~np.isnan(held_out.log_ratio)
    x = np.array([along(m) for m in rows])[seen]
    if seen.sum() < FEWEST or len(set(x)) < 2:
        return None
    y, weight = held_out.log_ratio[seen], np.sqrt(held_out.importance[seen])
    slope = np.polyfit(x, y, 1, w=weight)[0]
    low, high = np.quantile(x, [0.05, 0.95])
    return float(np.expm1(slope * ((high - low) or (x.max() - x.min()))))


CLASSES: dict[str, Callable[[Measurement], bool]] = {
    "1 台 1 系列": lambda m: m.devices == 1 and m.batch_size == 1,
    "複数系列": lambda m: m.devices == 1 and m.batch_size > 1,
    "複数台": lambda m: m.devices > 1,
}
"""Questions that differ in kind."""


def error_and_coverage(rows: Sequence[Measurement], held_out: HeldOut, wanted: Callable[[Measurement], bool]) -> str:
    """Write how many rows of a class there are, their mean error, and the share of them inside the interval."""
    here = np.array([wanted(m) for m in rows]) & ~np.isnan(held_out.log_ratio)
    if not here.any():
        return ""
    low, high = np.log(held_out.interval())
    log_ratio = held_out.log_ratio[here]
    inside = np.mean((low <= log_ratio) & (log_ratio <= high))
    return f"{here.sum()} 件 {np.mean(np.abs(np.expm1(-log_ratio))):.1%}（区間に {inside:.0%}）"


def main() -> None:
    """Print the drifts of each calibration, and its errors by class, in Japanese."""
    measurements = load_measurements()[0]
    fitted: dict[str, Coefficients] = {}
    for form in FORMS:
        rows = usable(rows_of(form, measurements), several=form.several)
        given = given_to(form, fitted)
        fitted[form.id] = fit_coefficients(rows, form.waits, given)
        held_out = hold_out(rows, form.waits, HELD_OUT["model"], given)
        found = {name: drift(rows, held_out, along) for name, along in ALONG.items()}
        text = "、".join(f"{name} {value:+.1%}" for name, value in found.items() if value is not None)
        print(f"{form.id}（{len(rows)} 件）: {text or '行が少なく、言えません'}")
        for by in ("device", "model", "source"):
            one = held_out if by == "model" else hold_out(rows, form.waits, HELD_OUT[by], given)
            parts = [(name, error_and_coverage(rows, one, wanted)) for name, wanted in CLASSES.items()]
            print(f"  {by} を除いたとき: {'、'.join(f'{name} {said}' for name, said in parts if said) or 'なし'}")


if __name__ == "__main__":
    main()
