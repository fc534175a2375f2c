"""The KV cache: what attention has to remember, and re-read at every token."""

from __future__ import annotations

from ..errors import MAX_CONTEXT_LENGTH, require_integer, require_positive
from .shape import Model

FP16_BYTES = 2.0
"""Bytes per cached value in the 16-bit formats that engines use by default."""


def kv_values_per_layer(model: Model) -> int:
    r"""Values that one layer caches per token.

    .. math:: 2 \, n_\mathrm{kv\,heads} \, d_\mathrm{head}

    and, for multi-head latent attention, the latent vector and its rotary
    part instead.

    Examples
    --------
    Llama 3.1 8B has 8 key/value heads of width 128:

    >>> kv_values_per_layer(Model(id="l", layers=32, hidden_size=4096, attention_heads=32,
    ...     kv_heads=8, head_dim=128, intermediate_size=14336, vocab_size=128256))
    2048
    """
    model.require_shape("KV キャッシュ")
    if model.attention_kind == "mla":
        return model.kv_lora_rank + model.qk_rope_head_dim
    return 2 * model.kv_heads * model.head_dim


def kv_cache_bytes_per_token(model: Model, bytes_per_value: float = FP16_BYTES) -> float:
    """Bytes that each further token adds to the cache, over all layers.

    Parameters
    ----------
    model : Model
        A model whose shape is known.
    bytes_per_value : float
        Bytes per cached value: 2 for fp16, 1.0625 for q8_0.

    Returns
    -------
    float
        Bytes per token, as long as no sliding window is full.

    Raises
    ------
    InvalidValueError
        If only the number of parameters is known, or `bytes_per_value` is
        not positive.

    Examples
    --------
    >>> kv_cache_bytes_per_token(Model(id="l", layers=32, hidden_size=4096,
    ...     attention_heads=32, kv_heads=8, head_dim=128, intermediate_size=14336,
    ...     vocab_size=128256))
    131072.0
    """
    require_positive("bytes_per_value", bytes_per_value, maximum=8)
    return kv_values_per_layer(model) * model.layers * bytes_per_value


def cached_token_layers(model: Model, context_length: int) -> int:
    """Sum over the layers of the tokens that each of them looks back on.

    Examples
    --------
    Two layers, one of which looks back 128 tokens only:

    >>> cached_token_layers(Model(id="x", layers=2, hidden_size=64, attention_heads=1,
    ...     kv_heads=1, head_dim=64, intermediate_size=64, vocab_size=100,
    ...     sliding_window=128, sliding_window_layers=1), 1000)
    1128
    """
    require_integer("context_length", context_length, 0, MAX_CONTEXT_LENGTH)
    windowed = min(context_length, model.sliding_window) if model.sliding_window_layers else 0
    return model.full_attention_layers * context_length + model.sliding_window_layers * windowed


def kv_cache_bytes(
    model: Model, context_length: int, *, batch_size: int = 1, bytes_per_value: float = FP16_BYTES
) -> float:
    """Bytes of the cache, which is also what a decode step reads of it.

    Parameters
    ----------
    model : Model
        A model whose shape is known.
    context_length : int
        Tokens already in the cache, per sequence.
    batch_size : int
        Sequences, each with a cache of its own.
    bytes_per_value : float
        Bytes per cached value.

    Returns
    -------
    float
        Bytes; sliding-window layers keep no more than their window.

    Raises
    ------
    InvalidValueError
        If a number is out of range or the model's shape is unknown.

    Examples
    --------
    8192 tokens of Llama 3.1 8B are exactly one GiB:

    >>> llama = Model(id="l", layers=32, hidden_size=4096, attention_heads=32, kv_heads=8,
    ...               head_dim=128, intermediate_size=14336, vocab_size=128256)
    >>> kv_cache_bytes(llama, 8192) / 2**30
    1.0
    """
    if context_length == 0:
        return 0.0
    require_integer("batch_size", batch_size, 1, 10**9)
    require_positive("bytes_per_value", bytes_per_value, maximum=8)
    per_layer = kv_values_per_layer(model) * bytes_per_value
    return per_layer * cached_token_layers(model, context_length) * batch_size
