"""Several devices: in a row (pipeline), or side by side (tensor parallel)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from ..errors import MAX_DEVICES, InvalidValueError, require_integer, require_non_negative, require_positive, shown
from .device import Device

SPLITS = ("pipeline", "tensor", "expert", "row")
"""How a model is dealt out: its layers; every matrix, with two sums a layer; every matrix but those of the
experts, of which each device has some whole; or, in llama.cpp's old way, the rows of the matrices alone,
with a sum after every one of them."""


def devices_at_a_time(split: str, devices: int) -> int:
    """Return how many of the devices work at the same time.

    Examples
    --------
    >>> devices_at_a_time("pipeline", 4), devices_at_a_time("tensor", 4)
    (1, 4)
    """
    return 1 if split == "pipeline" else devices


def messages_per_step(split: str, devices: int, layers: float) -> float:
    """Count what devices of one machine tell each other in a step, one after another.

    The host chooses the token there, so that the last one hands nothing on.

    Examples
    --------
    >>> messages_per_step("pipeline", 8, 61), messages_per_step("tensor", 8, 61)
    (7, 122)
    """
    if devices == 1:
        return 0
    return devices - 1 if split == "pipeline" else 2 * layers


def layer_shares(devices: Sequence[Device], wanted: Sequence[float] | None = None) -> tuple[float, ...]:
    """Deal the layers of a model out over unlike devices in a row.

    Parameters
    ----------
    devices : sequence of Device
        Devices of the row, in its order.
    wanted : sequence of float, optional
        What each takes, in any unit, like llama.cpp's ``--tensor-split``; by
        default as much as its memory holds, as llama.cpp deals them out.

    Returns
    -------
    tuple of float
        Shares of the layers (dimensionless), which add up to 1.

    Raises
    ------
    InvalidValueError
        If there are not as many numbers as devices, one of them is not
        positive, or none are given and a memory is unknown.

    Examples
    --------
    >>> card = Device(id="a", memory_bandwidth_bytes_per_s=936e9, memory_capacity_bytes=24e9)
    >>> small = Device(id="b", memory_bandwidth_bytes_per_s=360e9, memory_capacity_bytes=8e9)
    >>> layer_shares([card, small]), layer_shares([card, small], [1, 1])
    ((0.75, 0.25), (0.5, 0.5))
    """
    if wanted is None:
        parts = [device.memory_capacity_bytes for device in devices]
        unknown = [device.id for device in devices if not device.memory_capacity_bytes]
        if unknown:
            raise InvalidValueError(
                f"{unknown[0]} のメモリの量が分からないので、層の分け方を device_shares で指定してください。"
            )
    elif isinstance(wanted, (list, tuple)) and len(wanted) == len(devices):
        parts = [require_positive("device_shares", part) for part in wanted]
    else:
        raise InvalidValueError(
            f"device_shares は、デバイスと同じ {len(devices)} 個の正の数の並びで指定してください"
            f"（与えられた値: {shown(wanted)}）。"
        )
    whole = total(parts)
    return tuple([part / whole for part in parts])


def joined_device(devices: Sequence[Device], shares: Sequence[float]) -> Device:
    """Return unlike devices in a row as one: they read and compute at the pace of all of them together.

    Examples
    --------
    >>> fast = Device(id="a", memory_bandwidth_bytes_per_s=900e9, memory_capacity_bytes=24e9)
    >>> slow = Device(id="b", memory_bandwidth_bytes_per_s=300e9, memory_capacity_bytes=24e9)
    >>> both = joined_device([fast, slow], [0.5, 0.5])
    >>> both.id, round(both.memory_bandwidth_bytes_per_s / 1e9), both.memory_capacity_bytes / 1e9
    ('a+b', 450, 48.0)
    """

    def pace(speed: Callable[[Device], float]) -> float:
        seconds = 0.0
        for device, share in zip(devices, shares, strict=True):
            if not speed(device):
                return 0.0
            seconds += share / speed(device)
        return 1 / seconds

    capacities = [device.memory_capacity_bytes for device in devices]
    return Device(
        id="+".join([device.id for device in devices]),
        name=" + ".join([device.name or device.id for device in devices]),
        memory_bandwidth_bytes_per_s=pace(lambda device: device.memory_bandwidth_bytes_per_s),
        memory_capacity_bytes=total(capacities) if min(capacities) else 0.0,
        unified_memory=any(device.unified_memory for device in devices),
        peak_fp32_flop_per_s=pace(lambda device: device.peak_flop_per_s("fp32")),
        peak_fp16_dense_flop_per_s=pace(lambda device: device.peak_flop_per_s("fp16")),
        peak_bf16_dense_flop_per_s=pace(lambda device: device.peak_flop_per_s("bf16")),
        peak_fp8_dense_flop_per_s=pace(lambda device: device.peak_flop_per_s("fp8")),
        peak_int8_dense_op_per_s=pace(lambda device: device.peak_flop_per_s("int8")),
        peak_int4_dense_op_per_s=pace(lambda device: device.peak_flop_per_s("int4")),
        peak_fp4_dense_flop_per_s=pace(lambda device: device.peak_flop_per_s("fp4")),
    )


def total(values: Iterable[float]) -> float:
    """Return the sum, added up in order: Python and a page then agree to the last digit."""
    found = 0.0
    for value in values:
        found += value
    return found


def pipeline_step_s(
    one_device_step_s: float,
    devices: int,
    *,
    message_bytes: float = 0.0,
    link_bandwidth_bytes_per_s: float = 0.0,
    link_latency_s: float = 0.0,
) -> float:
    """Time of a decode step whose layers are dealt out over devices in a row.

    The devices work one after another, so the step takes as long as on one
    device, plus one message each: the chosen token goes back to the first.

    Parameters
    ----------
    one_device_step_s : float
        Seconds that one device would take for all layers.
    devices : int
        Devices in the row.
    message_bytes : float
        Bytes handed on: ``batch_size * hidden_size * bytes_per_value``.
    link_bandwidth_bytes_per_s : float
        Bandwidth between neighbours, in bytes per second; 0 if it is not to count.
    link_latency_s : float
        Seconds until a message arrives, whatever its size.

    Returns
    -------
    float
        Seconds.

    Raises
    ------
    InvalidValueError
        If a number is out of range.

    Notes
    -----
    One batch in flight.  Several would keep all devices busy, which raises
    the throughput but not the speed of one sequence.

    Examples
    --------
    Eight machines, 0.1 s of reading, 1 ms per hand-over:

    >>> round(pipeline_step_s(0.1, 8, link_latency_s=1e-3), 3)
    0.108
    """
    require_positive("one_device_step_s", one_device_step_s)
    require_integer("devices", devices, 1, MAX_DEVICES)
    message = _message_s(message_bytes, link_bandwidth_bytes_per_s, link_latency_s)
    return one_device_step_s + (devices if devices > 1 else 0) * message


def tensor_parallel_step_s(
    one_device_step_s: float,
    devices: int,
    *,
    all_reduces: int,
    message_bytes: float = 0.0,
    link_bandwidth_bytes_per_s: float = 0.0,
    link_latency_s: float = 0.0,
) -> float:
    """Time of a decode step whose matrices are cut over devices side by side.

    Every device reads its share at the same time; after attention and after
    the feed-forward part of each layer the partial sums are added up over
    all devices (an all-reduce).

    Parameters
    ----------
    one_device_step_s : float
        Seconds that one device would take for everything.
    devices : int
        Devices side by side.
    all_reduces : int
        All-reduces per step, usually ``2 * layers``.
    message_bytes : float
        Bytes that are added up: ``batch_size * hidden_size * bytes_per_value``.
    link_bandwidth_bytes_per_s : float
        Bandwidth of one device's link, one direction; 0 if it is not to count.
    link_latency_s : float
        Seconds that one all-reduce takes however small it is.

    Returns
    -------
    float
        Seconds.

    Raises
    ------
    InvalidValueError
        If a number is out of range.

    Examples
    --------
    80 layers on 8 devices, 0.08 s on one, 10 µs per all-reduce:

    >>> round(tensor_parallel_step_s(0.08, 8, all_reduces=160, link_latency_s=1e-5), 4)
    0.0116
    """
    require_positive("one_device_step_s", one_device_step_s)
    require_integer("devices", devices, 1, MAX_DEVICES)
    require_integer("all_reduces", all_reduces, 0, 10**7)
    if devices == 1:
        return one_device_step_s
    # A ring passes every byte on twice, less its own share.
    ring_bytes = 2 * (devices - 1) / devices * require_non_negative("message_bytes", message_bytes)
    message = _message_s(ring_bytes, link_bandwidth_bytes_per_s, link_latency_s)
    return one_device_step_s / devices + all_reduces * message


def _message_s(n_bytes: float, bandwidth_bytes_per_s: float, latency_s: float) -> float:
    require_non_negative("message_bytes", n_bytes)
    require_non_negative("link_bandwidth_bytes_per_s", bandwidth_bytes_per_s)
    require_non_negative("link_latency_s", latency_s)
    return latency_s + (n_bytes / bandwidth_bytes_per_s if bandwidth_bytes_per_s else 0.0)
