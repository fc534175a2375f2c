"""Several devices: in a row (pipeline), or side by side (tensor parallel)."""

from __future__ import annotations

from ..errors import MAX_DEVICES, require_integer, require_non_negative, require_positive

SPLITS = ("pipeline", "tensor")


def messages_per_step(split: str, devices: int, layers: float) -> float:
    """Count what devices tell each other in a step, one after another.

    Examples
    --------
    >>> messages_per_step("pipeline", 8, 61), messages_per_step("tensor", 8, 61)
    (7, 122)
    """
    if devices == 1:
        return 0
    return devices - 1 if split == "pipeline" else 2 * layers


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
    device, plus ``devices - 1`` messages.

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
    0.107
    """
    require_positive("one_device_step_s", one_device_step_s)
    require_integer("devices", devices, 1, MAX_DEVICES)
    message = _message_s(message_bytes, link_bandwidth_bytes_per_s, link_latency_s)
    return one_device_step_s + messages_per_step("pipeline", devices, 0) * message


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
