"""A decode step as a list of waits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..engine.calibration import ChosenCalibration, Pace
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
from ..model.work import BY_CONTEXT, Work


def step_s(waits: Iterable[Wait], before_s: float = 0.0) -> float:
    """Return the time of a step: the sum of its waits, but for the hidden ones, behind others of so many seconds."""
    total_s = before_s
    for _, factor, load_s, hidden in waits:
        if not hidden:
            total_s += factor * load_s
    return total_s


def dealt_waits(parts: Iterable[tuple[Iterable[Wait], float]]) -> list[Wait]:
    """Return the waits of devices in a row, each with its share of the layers: those of a kind as one.

    Examples
    --------
    >>> [both] = dealt_waits([([Wait(READ_WEIGHTS, 1.5, 0.1)], 0.75), ([Wait(READ_WEIGHTS, 1.2, 0.4)], 0.25)])
    >>> round(both.load_s, 4), round(both.seconds, 4)
    (0.175, 0.2325)
    """
    dealt: dict[str, Wait] = {}
    for waits, share in parts:
        for kind, factor, load_s, hidden in waits:
            key = f"{kind.name} {hidden}"
            before = dealt.get(key, Wait(kind, factor, 0.0, hidden))
            load_s = before.load_s + share * load_s
            seconds = before.seconds + factor * (load_s - before.load_s)
            dealt[key] = Wait(kind, seconds / load_s if load_s else factor, load_s, hidden)
    return list(dealt.values())


def message_waits(
    several: Sequence[ChosenCalibration],
    devices: int,
    split: str,
    sums: float = 0.0,
    link_latency_s: float | None = None,
) -> list[Wait]:
    """Return what devices in a row wait for each other, and machines in a network for all that they send.

    Within a machine the slowest of the devices' links counts, and the last
    device hands nothing on.  Between machines the token that was chosen has to
    go back to the first one.
    """
    if link_latency_s is not None:
        return [Wait(MESSAGES, devices if split == "pipeline" else sums, link_latency_s)]
    message_s = max([one.calibration.pipeline_message_s for one in several], default=0.0)
    if split != "pipeline" or not message_s:
        return []
    return [Wait(MESSAGES, messages_per_step(split, devices, 0), message_s)]


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


class ReadyWaits(NamedTuple):
    """The waits that were measured for an engine, done but for those that the context changes.

    Parameters
    ----------
    before, after : tuple of Wait
        What comes before and behind these.
    before_s : float
        Seconds of what comes before.
    by_context : tuple of Pace
        What makes these of the work of a step.
    """

    before: tuple[Wait, ...]
    before_s: float
    by_context: tuple[Pace, ...]
    after: tuple[Wait, ...]


def ready_waits(paces: Sequence[Pace], share: Work) -> ReadyWaits:
    """Make what waits can be made of the work of any step, whatever its context.

    What goes on at the same time must lie on one side of what the context changes, or within it.
    """
    places = [place for place, pace in enumerate(paces) if pace.amount in BY_CONTEXT]
    first, end = (places[0], places[-1] + 1) if places else (0, 0)
    before = tuple(waits_of(paces[:first], share))
    return ReadyWaits(before, step_s(before), tuple(paces[first:end]), tuple(waits_of(paces[end:], share)))


def waits_of(paces: Sequence[Pace], share: Work) -> list[Wait]:
    """Return the waits of so much work: of those that pass at the same time all but the longest are hidden."""
    waits: list[Wait] = []
    group, longest, longest_s = "", 0, 0.0
    for kind, factor, amount, pace_s, beside in paces:
        units: float = getattr(share, amount)
        load_s = units * pace_s
        seconds = factor * load_s
        hidden = False
        if group and group == beside:
            # Memory and cores work at the same time: the longest counts.
            hidden = seconds <= longest_s
            if not hidden:
                waits[longest] = waits[longest].hide()
        else:
            group = kind.name
        if not hidden:
            longest, longest_s = len(waits), seconds
        waits.append(Wait(kind, factor, load_s, hidden))
    return waits


def calibrated_waits(
    chosen: ChosenCalibration,
    ready: ReadyWaits,
    share: Work,
    compute_s: float,
    bound_s: float,
    batch_size: int,
    devices: int,
    split: str,
    link_latency_s: float | None = None,
) -> tuple[list[Wait], float]:
    """Return the waits that were measured for an engine, for what one device does at a time, and their sum."""
    behind = [*waits_of(ready.by_context, share), *ready.after]
    total_s = step_s(behind, ready.before_s)
    waits = [*ready.before, *behind]
    if chosen.step_factor != 1:
        difference = Wait(DEVICE_DIFFERENCE, chosen.step_factor - 1, total_s)
        waits.append(difference)
        total_s += difference.seconds
    if batch_size > 1 and chosen.batch_share and compute_s:
        # One sequence computes while it reads; what the others add waits for the cores.
        further = Wait(FURTHER_SEQUENCES, 1 / chosen.batch_share, compute_s * (batch_size - 1) / batch_size)
        waits.append(further)
        total_s += further.seconds
    several = message_waits([chosen], devices, split, share.all_reduces, link_latency_s) if devices > 1 else []
    for messages in several:
        waits.append(messages)
        total_s += messages.seconds
    if total_s < bound_s:
        waits.append(Wait(BOUND, 1.0, bound_s - total_s))
        total_s = bound_s
    return waits, total_s
