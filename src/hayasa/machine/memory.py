"""What has to lie in memory by the model alone, and what devices have."""

from __future__ import annotations

from ..errors import MAX_DEVICES, require_integer
from ..model.kv_cache import FP16_BYTES, kv_cache_bytes
from ..model.shape import Model
from ..model.weights import WeightFormat, weight_bytes_resident
from .device import Device


def memory_required_bytes(
    model: Model,
    weights: WeightFormat,
    *,
    batch_size: int = 1,
    context_length: int = 0,
    bytes_per_value: float = FP16_BYTES,
) -> float:
    """Bytes of weights and KV cache together.

    Parameters
    ----------
    model : Model
        Any model; its shape must be known if `context_length` is not 0.
    weights : WeightFormat
        How it is stored.
    batch_size : int
        Sequences, each with a cache of its own.
    context_length : int
        Tokens in the cache of each sequence.
    bytes_per_value : float
        Bytes per cached value.

    Returns
    -------
    float
        Bytes.

    Raises
    ------
    InvalidValueError
        If a number is out of range.

    Notes
    -----
    Leaves out what an engine needs beside: activations, compute buffers, the
    driver's own share, and the part of a unified memory that the operating
    system keeps.  `hayasa.memory_fit` counts them.

    Examples
    --------
    >>> int4 = WeightFormat(id="int4", bits_per_weight=4)
    >>> memory_required_bytes(Model(id="7b", stated_parameters=7e9), int4)
    3500000000.0
    """
    cache = kv_cache_bytes(model, context_length, batch_size=batch_size, bytes_per_value=bytes_per_value)
    return weight_bytes_resident(model, weights) + cache


def memory_available_bytes(device: Device, devices: int = 1) -> float:
    """Bytes that so many devices have together; 0 if unknown.

    Parameters
    ----------
    device : Device
        One of the devices, all alike.
    devices : int
        How many.

    Returns
    -------
    float
        Bytes.

    Raises
    ------
    InvalidValueError
        If `devices` is no positive whole number.

    Examples
    --------
    >>> mini = Device(id="m", memory_bandwidth_bytes_per_s=273e9, memory_capacity_bytes=64e9)
    >>> memory_available_bytes(mini, 8)
    512000000000.0
    """
    require_integer("devices", devices, 1, MAX_DEVICES)
    return device.memory_capacity_bytes * devices
