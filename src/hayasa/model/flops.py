"""Floating-point operations: two per weight and token, plus attention."""

from __future__ import annotations

from ..errors import MAX_CONTEXT_LENGTH, require_integer
from .kv_cache import cached_token_layers
from .shape import Model
from .tensors import active_parameters


def weight_flop_per_token(model: Model) -> float:
    """Work of one token with the weights: ``2 * active_parameters``.

    Parameters
    ----------
    model : Model
        Any model.

    Returns
    -------
    float
        FLOP per token.

    Examples
    --------
    >>> weight_flop_per_token(Model(id="7b", stated_parameters=7e9))
    14000000000.0
    """
    return 2.0 * active_parameters(model)


def attention_flop_per_token_and_layer(model: Model) -> int:
    r"""Work of one token with one cached token, in one layer.

    .. math:: 4 \, n_\mathrm{heads} \, d_\mathrm{head}

    Two for the product of query and key, two for the weighted sum of values;
    over `s` cached tokens and width `d` that is the usual ``4 s d``.

    Notes
    -----
    With multi-head latent attention the up-projections are absorbed into the
    query and the output, as engines do when decoding: every head works on
    the latent vector itself.

    Examples
    --------
    >>> attention_flop_per_token_and_layer(Model(id="l", layers=32, hidden_size=4096,
    ...     attention_heads=32, kv_heads=8, head_dim=128, intermediate_size=14336,
    ...     vocab_size=128256)) == 4 * 4096
    True
    """
    model.require_shape("注意機構の計算量")
    if model.attention_kind == "mla":
        return 2 * model.attention_heads * (2 * model.kv_lora_rank + model.qk_rope_head_dim)
    return 4 * model.attention_heads * model.head_dim


def attention_flop_per_token(model: Model, context_length: int) -> float:
    """Work of attention for one token at a context: ``4 s d`` per layer.

    Parameters
    ----------
    model : Model
        A model; its shape must be known if `context_length` is not 0.
    context_length : int
        Tokens :math:`s` already in the cache.

    Returns
    -------
    float
        FLOP per token.

    Raises
    ------
    InvalidValueError
        If `context_length` is out of range or the shape is unknown.

    Examples
    --------
    >>> attention_flop_per_token(Model(id="7b", stated_parameters=7e9), 0)
    0.0
    """
    if context_length == 0:
        return 0.0
    token_layers = cached_token_layers(model, context_length)
    return float(attention_flop_per_token_and_layer(model) * token_layers)


def flop_per_token(model: Model, context_length: int = 0) -> float:
    """Work of one token: weights and attention.

    Parameters
    ----------
    model : Model
        Any model.
    context_length : int
        Tokens already in the cache.

    Returns
    -------
    float
        FLOP per token.

    Raises
    ------
    InvalidValueError
        If `context_length` is out of range or the shape is unknown.

    Examples
    --------
    >>> flop_per_token(Model(id="7b", stated_parameters=7e9))
    14000000000.0
    """
    return weight_flop_per_token(model) + attention_flop_per_token(model, context_length)


def prefill_flop(model: Model, prompt_length: int) -> float:
    """Work of reading a prompt.

    Every token is multiplied with the weights; only the last one needs the
    output matrix; token number `i` attends to `i` tokens.

    Parameters
    ----------
    model : Model
        Any model; without a shape, attention is left out.
    prompt_length : int
        Tokens of the prompt.

    Returns
    -------
    float
        FLOP.

    Raises
    ------
    InvalidValueError
        If `prompt_length` is below 1 or absurd.

    Examples
    --------
    >>> prefill_flop(Model(id="7b", stated_parameters=7e9), 512) == 512 * 14e9
    True
    """
    n = require_integer("prompt_length", prompt_length, 1, MAX_CONTEXT_LENGTH)
    if not model.has_shape:
        return weight_flop_per_token(model) * n
    output = 2.0 * model.vocab_size * model.hidden_size
    weights = (weight_flop_per_token(model) - output) * n + output
    return weights + attention_flop_per_token_and_layer(model) * _attended(model, n)


def _attended(model: Model, n: int) -> float:
    """Sum over prompt tokens and layers of how many tokens each attends to."""
    whole = n * (n + 1) / 2
    window = min(n, model.sliding_window) if model.sliding_window_layers else 0
    windowed = window * (window + 1) / 2 + (n - window) * window
    return model.full_attention_layers * whole + model.sliding_window_layers * windowed
