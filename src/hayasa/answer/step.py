"""A decode step as a list of waits."""

from __future__ import annotations

from collections.abc import Iterable

from ..engine.calibration import ChosenCalibration
from ..engine.waits import (
    BOUND,
    COMPUTE,
    DEVICE_DIFFERENCE,
    FURTHER_SEQUENCES,
    MESSAGES,
    READ_CACHE,
    READ_WEIGHTS,
    Wait,
)
from ..machine.split import messages_per_step
from ..model.work import Work


def step_s(waits: Iterable[Wait]) -> float:
    """Return the time of a step: the sum of its waits, but for the hidden ones."""
    total_s = 0.0
    for _, factor, load_s, hidden in waits:
        if not hidden:
            total_s += factor * load_s
    return total_s


def ideal_waits(work: Work, memory_s: float, compute_s: float) -> list[Wait]:
    """Return the waits that physics leaves: reading and computing, side by side."""
    computes_longer = memory_s < compute_s
    read_bytes = work.weight_bytes + work.kv_bytes
    cache_s = memory_s * work.kv_bytes / read_bytes if read_bytes else 0.0
    return [
        Wait(READ_WEIGHTS, 1.0, memory_s - cache_s, computes_longer),
        Wait(READ_CACHE, 1.0, cache_s, computes_longer),
        Wait(COMPUTE, 1.0, compute_s, not computes_longer),
    ]


def calibrated_waits(
    chosen: ChosenCalibration,
    work: Work,
    compute_s: float,
    bound_s: float,
    batch_size: int,
    devices: int,
    split: str,
    layers: float,
) -> list[Wait]:
    """Return the waits that were measured for an engine."""
    together = devices if split == "tensor" else 1
    waits: list[Wait] = []
    total_s = 0.0
    for kind, factor, amount, pace_s, beside in chosen.paces:
        units: float = getattr(work, amount)
        wait = Wait(kind, factor, units * pace_s / together)
        seconds = wait.seconds
        if waits and waits[-1].kind.name == beside:
            # Memory and cores work at the same time: the longer counts.
            other = waits[-1].seconds
            if seconds > other:
                waits[-1] = waits[-1].hide()
                total_s += seconds - other
            else:
                wait = wait.hide()
        else:
            total_s += seconds
        waits.append(wait)
    if chosen.step_factor != 1:
        waits.append(Wait(DEVICE_DIFFERENCE, chosen.step_factor - 1, total_s))
        total_s *= chosen.step_factor
    if batch_size > 1 and chosen.batch_share and compute_s:
        # One sequence computes while it reads; what the others add waits for the cores.
        further = Wait(FURTHER_SEQUENCES, 1 / chosen.batch_share, compute_s * (batch_size - 1) / batch_size)
        waits.append(further)
        total_s += further.seconds
    if devices > 1:
        calibration = chosen.calibration
        message_s = calibration.tensor_message_s if split == "tensor" else calibration.pipeline_message_s
        if message_s:
            messages = Wait(MESSAGES, messages_per_step(split, devices, layers), message_s)
            waits.append(messages)
            total_s += messages.seconds
    if total_s < bound_s:
        waits.append(Wait(BOUND, 1.0, bound_s - total_s))
    return waits
