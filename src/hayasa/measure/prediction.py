"""What the formulas say of a measurement, and how the two are compared."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import quantiles

from ..formulas import compute_latency_s, memory_latency_s, step_latency_bounds_s, tokens_per_s


def decode_prediction_tokens_per_s(
    parameters: float, bytes_per_parameter: float, memory_bandwidth_bytes_per_s: float
) -> float:
    """Tokens per second if a step does nothing but read the weights once.

    Examples
    --------
    >>> decode_prediction_tokens_per_s(2**25, 4, 2**28)
    2.0
    """
    return tokens_per_s(memory_latency_s(parameters, bytes_per_parameter, memory_bandwidth_bytes_per_s))


def batch_prediction_tokens_per_s(
    parameters: float,
    bytes_per_parameter: float,
    batch_size: int,
    memory_bandwidth_bytes_per_s: float,
    peak_flop_per_s: float,
) -> float:
    """Tokens per second by the roofline: reading and computing at the same time.

    Examples
    --------
    1000 weights of 4 bytes at 4000 B/s: one step a second, until 2 · 1000 · B
    operations take longer than that.

    >>> [batch_prediction_tokens_per_s(1000, 4, b, 4000, 16000) for b in (1, 8, 16)]
    [1.0, 8.0, 8.0]
    """
    read_s = memory_latency_s(parameters, bytes_per_parameter, memory_bandwidth_bytes_per_s)
    compute_s = compute_latency_s(parameters, batch_size, peak_flop_per_s)
    return tokens_per_s(step_latency_bounds_s(read_s, compute_s)[0], batch_size)


def paired(measured: Sequence[float], predicted: Sequence[float]) -> tuple[float, float, float]:
    """Median and quartiles of measured over predicted, pair by pair.

    Examples
    --------
    The third pair met a slow moment; both sides felt it.

    >>> paired([8.0, 9.0, 4.0], [10.0, 10.0, 5.0])
    (0.8, 0.8, 0.9)
    """
    ratios = [m / p for m, p in zip(measured, predicted, strict=True)]
    if len(ratios) < 3:
        raise ValueError(f"quartiles need at least three pairs, not {len(ratios)}")
    low, middle, high = quantiles(ratios, n=4)
    return middle, low, high
