"""How much of a device a measured speed used."""

from __future__ import annotations

from .errors import require_positive


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
