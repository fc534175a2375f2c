"""What several sequences cost llama.cpp beyond one: fitted by `lab.calibrate`, looked at by ``python -m lab.batches``.

One sequence is fitted first; what is fitted here is only what a batch waits
for besides.  Beside batches there are prompts that were read a few tokens at a
time, which are computed alike: they say what other cards do than the one that
most batches were measured on.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hayasa.catalog.objects import get_device, get_model, get_weight_format
from hayasa.catalog.reader import data_directory, read_rows
from hayasa.engine.calibration import weight_kind
from hayasa.engine.waits import FITTED_WAITS, READ_WEIGHTS, SAMPLING, TILE_UNPACK, UNPACKING, clock_hz
from hayasa.model.tensors import weight_tensors
from hayasa.model.weights import tensor_bytes
from hayasa.model.work import step_work

from .fit import (
    Coefficients,
    Floats,
    HeldOut,
    configuration_weights,
    factor_logs,
    fit_coefficients,
    fit_factors,
    predict_s,
)
from .rows import PROMPT, Measurement

BATCH_WAITS = ("further_experts", "vectors", "tiles", "tile_unpack", "expert_routes")
"""Waits that only several sequences have, by the name of their kind."""

FEW_DEVICES = 1.5
"""How much wider the interval is made, on a logarithmic scale, than models alone would have it."""

PASSES = "measurements/passes/llamacpp_micro_batches.csv"


@dataclass(frozen=True, eq=False)
class Batches:
    """What was fitted to several sequences, and how far off it is.

    Parameters
    ----------
    coefficients : mapping
        Of all waits, those of one sequence among them.
    rows : list of Measurement
        What it was fitted to.
    held_out : dict
        Errors on what neither fit, of one sequence nor of several, had seen.
    """

    coefficients: Coefficients
    rows: list[Measurement]
    held_out: dict[str, HeldOut]

    def interval(self) -> tuple[float, float]:
        """Return the ends of the 90 % interval over the estimate.

        What was held out by model, a little wider: the devices are too few to
        say themselves how much they differ.
        """
        low, high = self.held_out["model"].interval()
        return low**FEW_DEVICES, high**FEW_DEVICES

    @property
    def coverage(self) -> float:
        """Share of the rows that it holds where their device was held out; 0 if none could be."""
        log_ratio = self.held_out["device"].log_ratio
        seen = np.exp(log_ratio[~np.isnan(log_ratio)])
        low, high = self.interval()
        return float(np.mean((low <= seen) & (seen <= high))) if seen.size else 0.0


def fit_batches(
    singles: Sequence[Measurement], several: Sequence[Measurement], waits: Sequence[str], given: Coefficients
) -> Batches:
    """Fit what several sequences cost, with what one costs as `lab.calibrate` fits it.

    Parameters
    ----------
    singles : sequence of Measurement
        Rows of one sequence.
    several : sequence of Measurement
        Rows of several on one device, and of prompts that were read a few tokens at a time.
    waits : sequence of str
        Names of the waits of one sequence that are fitted.
    given : mapping
        Coefficients of the others.
    """
    rows = [_batched(m) for m in several]
    keys: dict[str, Callable[[Measurement], Hashable]] = {
        "model": lambda m: m.model.id,
        "device": lambda m: m.device.id,
        "source": lambda m: m.source,
    }
    return Batches(
        _fitted(singles, rows, rows, waits, given)[0],
        rows,
        {name: _hold_out(singles, rows, waits, given, key) for name, key in keys.items()},
    )


def _fitted(
    singles: Sequence[Measurement],
    rows: Sequence[Measurement],
    asked: Sequence[Measurement],
    waits: Sequence[str],
    given: Coefficients,
) -> tuple[Coefficients, Floats]:
    """Fit one sequence, then several; return the coefficients, and the seconds of what is asked."""
    one = fit_coefficients(singles, waits, given)
    factors = fit_factors(singles, one)
    # The differences of devices hold for all of a step.
    relative = [
        replace(m, step_s=m.step_s / float(np.exp(log)))
        for m, log in zip(rows, factor_logs(rows, factors), strict=True)
    ]
    coefficients = fit_coefficients(relative, BATCH_WAITS, one)
    return coefficients, predict_s(asked, coefficients) * np.exp(factor_logs(asked, factors))


def _hold_out(
    singles: Sequence[Measurement],
    rows: Sequence[Measurement],
    waits: Sequence[str],
    given: Coefficients,
    key: Callable[[Measurement], Hashable],
) -> HeldOut:
    groups = [key(m) for m in rows]
    log_ratio = np.full(len(rows), np.nan)
    for group in dict.fromkeys(groups):
        train = [m for m in rows if key(m) != group]
        if len(train) < len(BATCH_WAITS) + 2:
            continue
        test = [m for m in rows if key(m) == group]
        predicted = _fitted([m for m in singles if key(m) != group], train, test, waits, given)[1]
        log_ratio[[other == group for other in groups]] = np.log(predicted / [m.step_s for m in test])
    return HeldOut(log_ratio, groups, configuration_weights(rows))


def _batched(m: Measurement) -> Measurement:
    """Return a row of several sequences, with what one of them reads apart from the further experts."""
    loads_s = dict(m.loads_s)
    share = m.work.first_bytes / m.work.weight_bytes
    for name in (READ_WEIGHTS.name, *UNPACKING):
        loads_s[name] *= share
    if weight_kind(m.weights) == "float":
        loads_s[TILE_UNPACK.name] = 0.0
    return replace(m, loads_s=loads_s)


def load_passes() -> list[Measurement]:
    """Return the prompts that were read a few tokens at a time, as batches that share one cache."""
    return [_pass(row) for row in read_rows(data_directory() / PASSES) if row["tokens"] != "1"]


def _pass(row: dict[str, str]) -> Measurement:
    model, device, weights = get_model(row["model"]), get_device(row["device"]), get_weight_format(row["weights"])
    tokens, context = int(row["tokens"]), int(row["context_length"])
    one, work = (step_work(model, weights, get_weight_format("f16"), n, context, tokens) for n in (1, tokens))
    # Hardly any token is multiplied with the output matrix, and all look back on one cache.
    output = weight_tensors(model)[0 if model.tied_embeddings else -1]
    n_bytes, flop = tensor_bytes(output, model, weights), 2 * output.parameters
    work = work._replace(
        weight_bytes=work.weight_bytes - n_bytes,
        first_bytes=work.first_bytes - n_bytes,
        tile_bytes=work.tile_bytes and work.tile_bytes - n_bytes,
        vector_flop=work.vector_flop * (1 - flop / one.weight_flop),
        tile_flop=work.tile_flop * (1 - flop / one.weight_flop),
        kv_bytes=one.kv_bytes,
        padding_bytes=one.padding_bytes,
    )
    month = (row["measured_on"] + "-12")[:7]
    loads_s = {
        fitted.kind.name: getattr(work, fitted.amount) * fitted.pace_s(device, weights, clock_hz(device))
        if fitted.is_in(month)
        else 0.0
        for fitted in FITTED_WAITS
    }
    loads_s[SAMPLING.name] = loads_s[PROMPT] = 0.0
    described = {
        **row,
        "file": row["source"],
        "batch_size": tokens,
        "devices": 1,
        "split": "",
        "flash_attention": 1,
        "micro_batch": tokens,
        "power_limit_w": None,
    }
    step_s = tokens / float(row["tokens_per_s"])
    return Measurement(described, model, device, weights, context, step_s, loads_s, work)  # type: ignore[arg-type]
