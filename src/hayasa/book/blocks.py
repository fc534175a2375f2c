"""Blocks of quantized weights, byte by byte, as llama.cpp stores them.

These few lines are what chapter 6 draws and tells in words.  They exist to be
read and checked against the `gguf` package, not to be fast.  Layouts after
ggml/src/ggml-common.h and ggml-quants.c.
"""

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidValueError

BLOCK = 32
"""Weights that share a scale."""

SUPER_BLOCK = 256
"""Weights of a Q4_K block: eight blocks whose scales are quantized together."""

_Q4_0_BYTES = 18
_Q4_K_BYTES = 144


def quantize_q8_0(weights: NDArray[np.float32]) -> bytes:
    """Return the 34 bytes of a Q8_0 block: an fp16 scale and 32 integers of 8 bits.

    The scale maps the largest magnitude to 127.

    Parameters
    ----------
    weights : array of 32 floats

    Raises
    ------
    InvalidValueError
        If there are not 32 of them.

    Examples
    --------
    >>> len(quantize_q8_0(np.linspace(-1, 1, 32, dtype=np.float32))) * 8 / 32
    8.5
    """
    block = _require_block(weights)
    scale = abs(block).max() / 127
    return np.float16(scale).tobytes() + np.rint(_steps(block, scale)).astype(np.int8).tobytes()


def quantize_q4_0(weights: NDArray[np.float32]) -> bytes:
    """Return the 18 bytes of a Q4_0 block: an fp16 scale and 32 integers of 4 bits.

    The scale maps the weight of largest magnitude to -8, so it may be negative.
    Integers are stored with 8 added, two to a byte: the first 16 of a block in
    the low halves, the other 16 in the high ones.

    Parameters
    ----------
    weights : array of 32 floats

    Raises
    ------
    InvalidValueError
        If there are not 32 of them.

    Examples
    --------
    >>> len(quantize_q4_0(np.linspace(-1, 1, 32, dtype=np.float32))) * 8 / 32
    4.5
    """
    block = _require_block(weights)
    scale = block[abs(block).argmax()] / np.float32(-8)
    stored = np.clip(np.trunc(_steps(block, scale) + np.float32(8.5)), 0, 15).astype(np.uint8)
    packed: NDArray[np.uint8] = stored[:16] | stored[16:] << 4
    return np.float16(scale).tobytes() + packed.tobytes()


def dequantize_q4_0(block: bytes) -> NDArray[np.float32]:
    """Return the 32 weights that a Q4_0 block stands for: scale times integer.

    Parameters
    ----------
    block : bytes
        Its 18 bytes.

    Raises
    ------
    InvalidValueError
        If it has another length.

    Examples
    --------
    The largest magnitude comes back as it was, here -1:

    >>> float(dequantize_q4_0(quantize_q4_0(np.linspace(-1, 0.5, 32, dtype=np.float32)))[0])
    -1.0
    """
    raw = _require_bytes(block, _Q4_0_BYTES)
    scale = raw[:2].view(np.float16).astype(np.float32)
    integers = np.concatenate([raw[2:] & 15, raw[2:] >> 4]).astype(np.float32) - 8
    return scale * integers


def dequantize_q4_k(block: bytes) -> NDArray[np.float32]:
    r"""Return the 256 weights that a Q4_K super-block stands for.

    .. math:: w = (d \, s_j) \, q - (d_\min \, m_j)

    Parameters
    ----------
    block : bytes
        Its 144 bytes: two fp16 numbers, 16 numbers of 6 bits, 256 of 4.

    Raises
    ------
    InvalidValueError
        If it has another length.

    Examples
    --------
    >>> float(abs(dequantize_q4_k(bytes(144))).max())
    0.0
    """
    raw = _require_bytes(block, _Q4_K_BYTES)
    d, d_min = raw[:4].view(np.float16).astype(np.float32)
    # Eight scales and eight minimums of 6 bits in 12 bytes: the first four of
    # each are whole, the last four take their upper bits from what these leave.
    first, second, third = raw[4:16].reshape(3, 4).astype(int)
    scales = np.array([*(first & 63), *(third & 15 | (first >> 6) << 4)])
    minimums = np.array([*(second & 63), *(third >> 4 | (second >> 6) << 4)])
    pairs = raw[16:].reshape(4, BLOCK)
    integers = np.stack([pairs & 15, pairs >> 4], axis=1).reshape(8, BLOCK)
    weights: NDArray[np.float32] = (d * scales)[:, None] * integers - (d_min * minimums)[:, None]
    return weights.reshape(SUPER_BLOCK)


def _steps(block: NDArray[np.float32], scale: np.float32) -> NDArray[np.float32]:
    """Return how many times the scale each weight is; a block of zeros has none."""
    return block / scale if scale else np.zeros_like(block)


def _require_block(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    block = np.asarray(weights, np.float32)
    if block.shape != (BLOCK,):
        raise InvalidValueError(f"1ブロックの重みは {BLOCK} 個です（与えられた形: {block.shape}）。")
    return block


def _require_bytes(block: bytes, n_bytes: int) -> NDArray[np.uint8]:
    raw = np.frombuffer(block, np.uint8)
    if len(raw) != n_bytes:
        raise InvalidValueError(f"1ブロックは {n_bytes} バイトです（与えられた長さ: {len(raw)}）。")
    return raw
