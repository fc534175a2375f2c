"""What the calibrations say of devices that they were fitted without, as the book tells it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd  # type: ignore[import-untyped]

from hayasa.machine.device import Device

from .calibrate import FORMS, HELD_OUT, Form, given_to, rows_of
from .fit import Coefficients, HeldOut, fit_coefficients, hold_out, predict_s
from .rows import Measurement, usable

TOLD = FORMS[:3]
"""The forms with the most devices: llama.cpp on CUDA and on Metal, and MLX."""


class Unseen:
    """Measurements, and what formulas that have not seen their devices say of them.

    Parameters
    ----------
    measurements : iterable of Measurement
        All that were published.
    """

    def __init__(self, measurements: Iterable[Measurement]) -> None:
        self._form = {form.id: form for form in TOLD}
        self._rows: dict[str, list[Measurement]] = {}
        self._given: dict[str, Coefficients] = {}
        self.held_out: dict[str, HeldOut] = {}
        all_rows, fitted = list(measurements), dict[str, Coefficients]()
        for form in TOLD:
            rows, given = usable(rows_of(form, all_rows)), given_to(form, fitted)
            fitted[form.id] = fit_coefficients(rows, form.waits, given)
            self._rows[form.id], self._given[form.id] = rows, given
            self.held_out[form.id] = self._without_each_device(form, rows)

    def _without_each_device(self, form: Form, rows: list[Measurement]) -> HeldOut:
        return hold_out(rows, form.waits, HELD_OUT["device"], self._given[form.id])

    def table(self) -> pd.DataFrame:
        """Return a row per measurement: where it was run, what was measured, and how many times the estimate it is."""
        return pd.DataFrame(
            {
                "form": id_,
                "id": m.row["id"],
                "device": m.device.id,
                "model": m.model.id,
                "weights": m.weights.id,
                "year": int(m.year),
                "measured": 1 / m.step_s,
                "ratio": ratio,
            }
            for id_, rows in self._rows.items()
            for m, ratio in zip(rows, np.exp(self.held_out[id_].log_ratio), strict=True)
        )

    def speed(self, form_id: str, row_id: str, unseen: Callable[[Device], bool]) -> tuple[float, float, float, float]:
        """Return estimate, ends of the 90 % interval and measurement of a row, fitted without what is unseen."""
        form = self._form[form_id]
        rows = self._rows[form_id]
        target = next(m for m in rows if m.row["id"] == row_id)
        train = [m for m in rows if not unseen(m.device)]
        coefficients = fit_coefficients(train, form.waits, self._given[form_id])
        best = float(1 / predict_s([target], coefficients)[0])
        low, high = self._without_each_device(form, train).interval()
        return best, best * low, best * high, 1 / target.step_s
