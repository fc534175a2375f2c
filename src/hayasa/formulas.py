"""The two limits on speed, memory and compute, and how much of each a measured speed used.

`memory_latency_s` and `compute_latency_s` are the formulas of the article the
book grew from, as they stand; everything else here follows from them.
"""

from __future__ import annotations

from .errors import require_non_negative, require_positive


def memory_latency_s(parameters: float, bytes_per_parameter: float, memory_bandwidth_bytes_per_s: float) -> float:
    r"""Time to read every weight once from memory.

    .. math:: t_\mathrm{memory} = \frac{P \, n_\mathrm{bytes}}{n_\mathrm{bandwidth}}

    Parameters
    ----------
    parameters : float
        Number of weights :math:`P` (dimensionless).
    bytes_per_parameter : float
        Bytes that one weight takes: 4 for fp32, 2 for fp16, 1 for int8, 0.5 for int4.
    memory_bandwidth_bytes_per_s : float
        Memory bandwidth of the device in bytes per second.

    Returns
    -------
    float
        Seconds.

    Raises
    ------
    InvalidValueError
        If an argument is not a positive finite number.

    Notes
    -----
    Assumes that every weight is read exactly once per step, at the full
    bandwidth, and nothing else is read.  Source: the article (see the book's
    references).

    Examples
    --------
    7e9 weights of half a byte are 3.5 GB; at 120 GB/s that takes 29.2 ms.

    >>> t = memory_latency_s(7e9, 0.5, 120e9)
    >>> round(t * 1000, 1), int(1 / t), int(1 / memory_latency_s(7e9, 0.5, 1935e9))
    (29.2, 34, 552)
    """
    require_positive("parameters", parameters)
    require_positive("bytes_per_parameter", bytes_per_parameter)
    require_positive("memory_bandwidth_bytes_per_s", memory_bandwidth_bytes_per_s)
    return parameters * bytes_per_parameter / memory_bandwidth_bytes_per_s


def compute_latency_s(parameters: float, batch_size: float, peak_flop_per_s: float) -> float:
    r"""Time to multiply and add with every weight, once per sequence.

    .. math:: t_\mathrm{compute} = \frac{2 \, P \, B}{n_\mathrm{flops}}

    Parameters
    ----------
    parameters : float
        Number of weights :math:`P` (dimensionless).
    batch_size : float
        Sequences :math:`B` that advance by one token in the step (dimensionless).
    peak_flop_per_s : float
        Peak rate of the device in FLOP per second, dense, in the number
        format that is multiplied.

    Returns
    -------
    float
        Seconds.

    Raises
    ------
    InvalidValueError
        If an argument is not a positive finite number.

    Notes
    -----
    Each weight costs one multiplication and one addition per token, hence 2.
    Attention over the context is left out.  Source: the article (see the
    book's references).

    Examples
    --------
    >>> int(1 / compute_latency_s(7e9, 1, 1248e12)), int(1 / compute_latency_s(7e9, 1, 38e12))
    (89142, 2714)
    """
    require_positive("parameters", parameters)
    require_positive("batch_size", batch_size)
    require_positive("peak_flop_per_s", peak_flop_per_s)
    return 2 * parameters * batch_size / peak_flop_per_s


def transfer_latency_s(n_bytes: float, bandwidth_bytes_per_s: float) -> float:
    r"""Time to move so many bytes: :math:`t = \mathrm{bytes} / \mathrm{bandwidth}`.

    Parameters
    ----------
    n_bytes : float
        Bytes to move; zero is allowed.
    bandwidth_bytes_per_s : float
        Rate in bytes per second.

    Returns
    -------
    float
        Seconds.

    Raises
    ------
    InvalidValueError
        If `n_bytes` is negative or the bandwidth is not positive.

    Examples
    --------
    3.5 GB through one 12.8 GB/s memory channel:

    >>> round(transfer_latency_s(3.5e9, 12.8e9), 3)
    0.273
    """
    require_non_negative("n_bytes", n_bytes)
    require_positive("bandwidth_bytes_per_s", bandwidth_bytes_per_s)
    return n_bytes / bandwidth_bytes_per_s


def step_latency_bounds_s(memory_s: float, compute_s: float) -> tuple[float, float]:
    r"""Least and most time of a step that does both, reading and computing.

    .. math:: \max(t_m, t_c) \le t \le t_m + t_c

    Parameters
    ----------
    memory_s, compute_s : float
        Seconds that reading and computing take on their own.

    Returns
    -------
    tuple of float
        Seconds with perfect overlap, and with none.  The second is at most
        twice the first.

    Raises
    ------
    InvalidValueError
        If a time is negative.

    Examples
    --------
    >>> step_latency_bounds_s(3.0, 1.0)
    (3.0, 4.0)
    """
    require_non_negative("memory_s", memory_s)
    require_non_negative("compute_s", compute_s)
    return max(memory_s, compute_s), memory_s + compute_s


def tokens_per_s(step_s: float, batch_size: float = 1) -> float:
    """Tokens per second over all sequences: ``batch_size / step_s``.

    Parameters
    ----------
    step_s : float
        Seconds that one decode step takes.
    batch_size : float
        Sequences that advance by one token in the step (dimensionless).

    Returns
    -------
    float
        Tokens per second, all sequences together.

    Raises
    ------
    InvalidValueError
        If an argument is not a positive finite number.

    Examples
    --------
    >>> tokens_per_s(0.05), tokens_per_s(0.05, 4)
    (20.0, 80.0)
    """
    require_positive("step_s", step_s)
    require_positive("batch_size", batch_size)
    return batch_size / step_s


def arithmetic_intensity_flop_per_byte(flop: float, n_bytes: float) -> float:
    """Return the computation done per byte read: ``flop / n_bytes``.

    Parameters
    ----------
    flop : float
        Floating-point operations of the step.
    n_bytes : float
        Bytes that the step reads.

    Returns
    -------
    float
        FLOP per byte.

    Raises
    ------
    InvalidValueError
        If `flop` is negative or `n_bytes` is not positive.

    Examples
    --------
    One fp16 weight: 2 FLOP for 2 bytes.

    >>> arithmetic_intensity_flop_per_byte(2, 2)
    1.0
    """
    require_non_negative("flop", flop)
    require_positive("n_bytes", n_bytes)
    return flop / n_bytes


def ridge_point_flop_per_byte(peak_flop_per_s: float, memory_bandwidth_bytes_per_s: float) -> float:
    """Return the arithmetic intensity at which both limits meet: peak over bandwidth.

    Parameters
    ----------
    peak_flop_per_s : float
        Dense peak in FLOP per second.
    memory_bandwidth_bytes_per_s : float
        Memory bandwidth in bytes per second.

    Returns
    -------
    float
        FLOP per byte.  Work below it is memory bound, above it compute bound.

    Raises
    ------
    InvalidValueError
        If an argument is not a positive finite number.

    Examples
    --------
    A100 80 GB PCIe, fp16 tensor cores:

    >>> round(ridge_point_flop_per_byte(312e12, 1935e9), 1)
    161.2
    """
    require_positive("peak_flop_per_s", peak_flop_per_s)
    require_positive("memory_bandwidth_bytes_per_s", memory_bandwidth_bytes_per_s)
    return peak_flop_per_s / memory_bandwidth_bytes_per_s


def crossover_batch_size(
    bytes_per_parameter: float, peak_flop_per_s: float, memory_bandwidth_bytes_per_s: float
) -> float:
    r"""Batch size at which computing takes as long as reading the weights.

    .. math:: B^* = \frac{n_\mathrm{bytes}}{2} \cdot \frac{n_\mathrm{flops}}{n_\mathrm{bandwidth}}

    Parameters
    ----------
    bytes_per_parameter : float
        Bytes that one weight takes.
    peak_flop_per_s : float
        Dense peak in FLOP per second.
    memory_bandwidth_bytes_per_s : float
        Memory bandwidth in bytes per second.

    Returns
    -------
    float
        A batch size (dimensionless), not rounded.

    Raises
    ------
    InvalidValueError
        If an argument is not a positive finite number.

    Notes
    -----
    A dense model, weights only: KV cache and attention are left out.

    Examples
    --------
    fp16 weights on an A100 80 GB PCIe: as many sequences as the ridge point says.

    >>> round(crossover_batch_size(2, 312e12, 1935e9), 1)
    161.2
    """
    require_positive("bytes_per_parameter", bytes_per_parameter)
    ridge = ridge_point_flop_per_byte(peak_flop_per_s, memory_bandwidth_bytes_per_s)
    return bytes_per_parameter / 2 * ridge


def mbu(
    decode_tokens_per_s: float,
    bytes_per_step: float,
    memory_bandwidth_bytes_per_s: float,
    *,
    batch_size: int = 1,
) -> float:
    r"""Memory bandwidth utilization: bytes read per second over the bandwidth.

    .. math:: \mathrm{MBU} = \frac{(\mathrm{tokens/s} / B) \cdot \mathrm{bytes/step}}{\mathrm{BW}}

    Parameters
    ----------
    decode_tokens_per_s : float
        Measured tokens per second, all sequences together.
    bytes_per_step : float
        Bytes that one decode step reads.
    memory_bandwidth_bytes_per_s : float
        Memory bandwidth in bytes per second.
    batch_size : int
        Sequences that advance in one step.

    Returns
    -------
    float
        A share of the bandwidth (dimensionless); above 1 something is
        counted wrongly.

    Raises
    ------
    InvalidValueError
        If an argument is not a positive finite number.

    Examples
    --------
    24.11 tokens/s of 3.82 GB on 120 GB/s:

    >>> round(mbu(24.11, 3.82e9, 120e9), 2)
    0.77
    """
    require_positive("decode_tokens_per_s", decode_tokens_per_s)
    require_positive("bytes_per_step", bytes_per_step)
    require_positive("memory_bandwidth_bytes_per_s", memory_bandwidth_bytes_per_s)
    require_positive("batch_size", batch_size)
    return decode_tokens_per_s / batch_size * bytes_per_step / memory_bandwidth_bytes_per_s


def mfu(tokens_per_s: float, flop_per_token: float, peak_flop_per_s: float) -> float:
    r"""Model FLOPs utilization: useful work per second over the peak.

    .. math:: \mathrm{MFU} = \frac{\mathrm{tokens/s} \cdot \mathrm{FLOP/token}}{\mathrm{peak}}

    Parameters
    ----------
    tokens_per_s : float
        Measured tokens per second, all sequences together.
    flop_per_token : float
        FLOP that one token takes.
    peak_flop_per_s : float
        Dense peak in FLOP per second.

    Returns
    -------
    float
        A share of the peak (dimensionless).

    Raises
    ------
    InvalidValueError
        If an argument is not a positive finite number.

    Examples
    --------
    A prompt read at 4850 tokens/s with 14 GFLOP each, on 312 TFLOP/s:

    >>> round(mfu(4850, 14e9, 312e12), 2)
    0.22
    """
    require_positive("tokens_per_s", tokens_per_s)
    require_positive("flop_per_token", flop_per_token)
    require_positive("peak_flop_per_s", peak_flop_per_s)
    return tokens_per_s * flop_per_token / peak_flop_per_s
