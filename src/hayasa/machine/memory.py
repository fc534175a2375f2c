"""What has to lie in memory, and how much context and batch would fit."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import MAX_BATCH_SIZE, MAX_CONTEXT_LENGTH, MAX_DEVICES, require_integer
from ..model.kv_cache import FP16_BYTES, kv_cache_bytes
from ..model.shape import Model
from ..model.weights import WeightFormat, weight_bytes_resident
from .device import Device

MAC_GPU_MEMORY_SHARE = 0.75
"""Share of a Mac's memory that macOS leaves to the GPU unless told otherwise.

Approximate; source: llmfit issue 754, as chapter 7 cites.  `memory_available_bytes`
does not subtract it: the limit can be raised.
"""


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
    system keeps.

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


def max_context_length(
    model: Model,
    device: Device,
    weights: WeightFormat,
    *,
    batch_size: int = 1,
    devices: int = 1,
    bytes_per_value: float = FP16_BYTES,
) -> int:
    """Longest context per sequence for which everything fits.

    Parameters
    ----------
    model : Model
        A model whose shape is known.
    device : Device
        One of the devices, with a known capacity.
    weights : WeightFormat
        How the model is stored.
    batch_size : int
        Sequences, each with a cache of its own.
    devices : int
        How many devices share model and cache evenly.
    bytes_per_value : float
        Bytes per cached value.

    Returns
    -------
    int
        Tokens; -1 if not even the weights fit.

    Raises
    ------
    InvalidValueError
        If a number is out of range.

    Examples
    --------
    >>> llama = Model(id="l", layers=32, hidden_size=4096, attention_heads=32, kv_heads=8,
    ...               head_dim=128, intermediate_size=14336, vocab_size=128256)
    >>> f16 = WeightFormat(id="f16", bits_per_weight=16)
    >>> gpu = Device(id="g", memory_bandwidth_bytes_per_s=1e12, memory_capacity_bytes=24e9)
    >>> (24e9 - weight_bytes_resident(llama, f16)) // 131072
    60573.0
    >>> max_context_length(llama, gpu, f16)
    60573
    """
    available = memory_available_bytes(device, devices)

    def fits(tokens: int) -> bool:
        needed = memory_required_bytes(
            model,
            weights,
            batch_size=batch_size,
            context_length=tokens,
            bytes_per_value=bytes_per_value,
        )
        return needed <= available

    return _largest(fits, MAX_CONTEXT_LENGTH)


def max_batch_size(
    model: Model,
    device: Device,
    weights: WeightFormat,
    *,
    context_length: int,
    devices: int = 1,
    bytes_per_value: float = FP16_BYTES,
) -> int:
    """Most sequences of a context for which everything fits.

    Parameters
    ----------
    model : Model
        A model whose shape is known.
    device : Device
        One of the devices, with a known capacity.
    weights : WeightFormat
        How the model is stored.
    context_length : int
        Tokens in the cache of each sequence, at least 1.
    devices : int
        How many devices share model and cache evenly.
    bytes_per_value : float
        Bytes per cached value.

    Returns
    -------
    int
        Sequences; 0 if not even one fits.

    Raises
    ------
    InvalidValueError
        If a number is out of range.

    Examples
    --------
    One GiB per sequence beside 16.06 GB of weights, in 24 GB:

    >>> llama = Model(id="l", layers=32, hidden_size=4096, attention_heads=32, kv_heads=8,
    ...               head_dim=128, intermediate_size=14336, vocab_size=128256)
    >>> f16 = WeightFormat(id="f16", bits_per_weight=16)
    >>> gpu = Device(id="g", memory_bandwidth_bytes_per_s=1e12, memory_capacity_bytes=24e9)
    >>> max_batch_size(llama, gpu, f16, context_length=8192)
    7
    """
    require_integer("context_length", context_length, 1, MAX_CONTEXT_LENGTH)
    available = memory_available_bytes(device, devices)
    one = kv_cache_bytes(model, context_length, bytes_per_value=bytes_per_value)
    free = available - weight_bytes_resident(model, weights)
    return max(0, min(MAX_BATCH_SIZE, int(free // one)))


def _largest(fits: Callable[[int], bool], limit: int) -> int:
    """Return the largest number up to `limit` that fits, by bisection; -1 if none."""
    if not fits(0):
        return -1
    low, high = 0, limit + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low
