"""The time that reading a prompt takes, as a list of waits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..engine.engines import Engine
from ..engine.prompt import ChosenPrompt, choose_prompt_calibration
from ..engine.waits import BOUND, COMPUTE, DEVICE_DIFFERENCE, READ_WEIGHTS, Wait
from ..machine.device import Device
from ..machine.split import devices_at_a_time
from ..model.flops import prefill_flop
from ..model.prompt import prompt_work
from ..model.shape import Model
from ..model.weights import WeightFormat, weight_bytes
from .step import dealt_waits, step_s

IDEAL_MICRO_BATCH = 512
"""Tokens that are said to be computed together where no engine decides it."""


class PromptTime(NamedTuple):
    """How long it takes to read the prompts of all sequences, and why.

    Parameters
    ----------
    waits : tuple of Wait
        Their sum, but for the hidden ones, is the best estimate.
    micro_batch : int
        Tokens that are computed together.
    best_s, slow_s, fast_s : float
        Seconds: the best estimate, and the ends of its 90 % interval.
    bound_s : float
        Seconds that physics asks for; where the peak is not known, of reading the weights alone.
    chosen : ChosenPrompt or None
        What corrected the bound; None for ``ideal``.
    """

    waits: tuple[Wait, ...]
    micro_batch: int
    best_s: float
    slow_s: float
    fast_s: float
    bound_s: float
    chosen: ChosenPrompt | None


def prompt_time(
    model: Model,
    device: Device,
    weights: WeightFormat,
    engine: Engine,
    backend: str,
    *,
    prompt_length: int,
    cached_tokens: int = 0,
    batch_size: int = 1,
    micro_batch: int = 0,
    devices: int = 1,
    split: str = "pipeline",
) -> PromptTime | None:
    """Return how long it takes to read a prompt; None if nothing is known of how fast the device computes.

    A `micro_batch` of 0 is the engine's own.

    Examples
    --------
    >>> from hayasa import estimate
    >>> result = estimate("llama-3.1-8b", "rtx-4090", prompt_length=2048)
    >>> result.time_to_first_token_s == result.prompt_time.best_s
    True
    """
    chosen = None
    if engine.id != "ideal":
        chosen = choose_prompt_calibration(engine, device, weights, backend)
        if chosen is None:
            return None
    micro_batch = micro_batch or (chosen.calibration.micro_batch if chosen else IDEAL_MICRO_BATCH)
    peak = device.peak_flop_per_s(weights.compute_format)
    flop = prefill_flop(model, prompt_length, cached_tokens) * batch_size
    # The further sequences may touch the same experts.
    read_s = weight_bytes(model, weights).read_bytes(prompt_length) / device.memory_bandwidth_bytes_per_s
    share = _busy_share(prompt_length * batch_size, micro_batch, devices, split)
    compute_s = flop / peak * share if peak else 0.0
    read_s *= share
    bound_s = max(read_s, compute_s)
    if chosen is None:
        if not peak:
            return None
        longer = read_s > compute_s
        ideal = (Wait(READ_WEIGHTS, 1.0, read_s, not longer), Wait(COMPUTE, 1.0, compute_s, longer))
        return PromptTime(ideal, micro_batch, bound_s, read_s + compute_s, bound_s, bound_s, None)
    work = prompt_work(model, weights, prompt_length, cached_tokens, batch_size, micro_batch)
    waits: list[Wait] = []
    for kind, factor, amount, pace_s, _ in chosen.paces:
        units: float = getattr(work, amount)
        if units:
            waits.append(Wait(kind, factor, units * pace_s * share))
    total_s = step_s(waits)
    if chosen.device_factor != 1:
        waits.append(Wait(DEVICE_DIFFERENCE, chosen.device_factor - 1, total_s))
        total_s *= chosen.device_factor
    if total_s < bound_s:
        waits.append(Wait(BOUND, 1.0, bound_s - total_s))
        total_s = bound_s
    return PromptTime(
        tuple(waits),
        micro_batch,
        total_s,
        total_s / chosen.low_factor,
        max(total_s / chosen.high_factor, bound_s),
        bound_s,
        chosen,
    )


def _busy_share(tokens: int, micro_batch: int, devices: int, split: str) -> float:
    """Return the time on several devices over that on one.

    Every matrix cut over them, they work side by side.  Layers dealt out, one
    micro-batch follows the other: all are busy once the first has come
    through, which four cards measured at 1.0, 1.5, 2.5 and 2.8 times the speed of one
    for 1, 2, 8 and 16 micro-batches (`data/measurements/xiongjiedai_llama3.csv`).

    Examples
    --------
    >>> [round(1 / _busy_share(512 * pieces, 512, 4, "pipeline"), 1) for pieces in (1, 2, 8, 16)]
    [1.0, 1.6, 2.9, 3.4]
    """
    if split != "pipeline":
        return 1 / devices_at_a_time(split, devices)
    pieces = (tokens + micro_batch - 1) // micro_batch
    return (pieces + devices - 1) / (pieces * devices)


def dealt_prompt(parts: Sequence[tuple[PromptTime | None, float]], tokens: int) -> PromptTime | None:
    """Return how long unlike devices in a row take, each with its share of the layers; None if one is unknown.

    The first micro-batch passes all of them, and the others follow as fast as
    the slowest lets them.
    """
    known = [(time, share) for time, share in parts if time is not None]
    if len(known) < len(parts):
        return None
    first = known[0][0]
    pieces = (tokens + first.micro_batch - 1) // first.micro_batch

    def in_a_row(shares_s: list[float]) -> float:
        all_s = 0.0
        for one_s in shares_s:
            all_s += one_s
        return all_s / pieces + max(shares_s) * (pieces - 1) / pieces

    best_s = in_a_row([share * time.best_s for time, share in known])
    waits = dealt_waits([(time.waits, share) for time, share in known])
    behind = best_s / step_s(waits)
    return PromptTime(
        tuple([Wait(kind, factor, load_s * behind, hidden) for kind, factor, load_s, hidden in waits]),
        first.micro_batch,
        best_s,
        in_a_row([share * time.slow_s for time, share in known]),
        in_a_row([share * time.fast_s for time, share in known]),
        in_a_row([share * time.bound_s for time, share in known]),
        first.chosen,
    )
