"""Floating-point operations: two per weight and token, plus attention."""

from __future__ import annotations

from functools import lru_cache

from ..errors import MAX_CONTEXT_LENGTH, require_integer
from .kv_cache import CacheLayers, cache_layers, state_values_per_layer
from .shape import Model, heads_of
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


STATE_FLOP = {"L": 7, "K": 7, "M": 5, "C": 2}
"""FLOP per number of a recurrent state and token.

Two each for adding to the state and for reading it out, one for its decay,
and two for what the delta rule first takes out of it; two for a convolution.
"""


@lru_cache(maxsize=1024)
def attention_flop_per_token_and_layer(model: Model, mixer: str = "A") -> int:
    r"""Work of one token with one cached token, in one layer.

    .. math:: 2 \, n_\mathrm{heads} \, (d_\mathrm{key} + d_\mathrm{value})

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
    heads = heads_of(model, mixer)
    return 2 * heads.heads * (heads.key_dim + heads.value_dim)


def _index_flop(model: Model) -> int:
    """Return the work of an indexer with one cached entry, in one layer."""
    return 2 * model.index_heads * model.index_head_dim // max(1, model.index_pool)


@lru_cache(maxsize=256)
def state_flop_per_token(model: Model) -> float:
    """Work of one token with the recurrent states of all layers, whatever the context.

    Examples
    --------
    >>> state_flop_per_token(Model(id="7b", stated_parameters=7e9))
    0.0
    """
    flop = 0.0
    for mixer in model.layer_mixers:
        flop += STATE_FLOP.get(mixer, 0) * state_values_per_layer(model, mixer)
    return flop


def attention_flop_per_token(model: Model, context_length: int) -> float:
    """Work of attention for one token at a context: ``4 s d`` per layer that sees all of it.

    Layers with a state do the same work at every context.

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
    require_integer("context_length", context_length, 0, MAX_CONTEXT_LENGTH)
    groups = cache_layers(model) if context_length else ()
    return state_flop_per_token(model) + groups_flop_per_token(model, groups, context_length)


def groups_flop_per_token(model: Model, groups: tuple[CacheLayers, ...], context_length: int) -> float:
    """Return what of that is attention, of layers that were looked up and a context that is known to be in range.

    Examples
    --------
    >>> groups_flop_per_token(Model(id="7b", stated_parameters=7e9), (), 0)
    0.0
    """
    flop = 0.0
    for group in groups:
        per_entry = attention_flop_per_token_and_layer(model, group.mixer)
        flop += group.layers * per_entry * group.entries_read(context_length)
        if group.index_values:
            flop += group.layers * _index_flop(model) * group.entries(context_length)
    return flop


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


def prefill_flop(model: Model, prompt_length: int, cached_tokens: int = 0) -> float:
    """Work of reading a prompt.

    Every token is multiplied with the weights; only the last one needs the
    output matrix; token number `i` of the prompt attends to what is cached
    and to `i` tokens.

    Parameters
    ----------
    model : Model
        Any model; without a shape, attention is left out.
    prompt_length : int
        Tokens of the prompt.
    cached_tokens : int
        Tokens before it that are in the cache already.

    Returns
    -------
    float
        FLOP.

    Raises
    ------
    InvalidValueError
        If `prompt_length` is below 1, `cached_tokens` below 0, or one of them absurd.

    Examples
    --------
    >>> prefill_flop(Model(id="7b", stated_parameters=7e9), 512) == 512 * 14e9
    True
    """
    n = require_integer("prompt_length", prompt_length, 1, MAX_CONTEXT_LENGTH)
    return prompt_weight_flop(model, n) + prompt_attention_flop(model, n, cached_tokens)


def prompt_weight_flop(model: Model, prompt_length: int) -> float:
    """Work of a prompt with the weights: of all tokens, but for the output matrix, which only the last one needs.

    Examples
    --------
    >>> prompt_weight_flop(Model(id="7b", stated_parameters=7e9), 512) == 512 * 14e9
    True
    """
    output = 2.0 * model.vocab_size * model.hidden_size if model.has_shape else 0.0
    return (weight_flop_per_token(model) - output) * prompt_length + output


def prompt_attention_flop(model: Model, prompt_length: int, cached_tokens: int = 0) -> float:
    """Work of a prompt in attention and with recurrent states, after so many tokens in the cache.

    Examples
    --------
    Two halves of a prompt are as much work as the whole:

    >>> llama = Model(id="l", layers=32, hidden_size=4096, attention_heads=32, kv_heads=8,
    ...               head_dim=128, intermediate_size=14336, vocab_size=128256)
    >>> halves = prompt_attention_flop(llama, 512) + prompt_attention_flop(llama, 512, 512)
    >>> halves == prompt_attention_flop(llama, 1024)
    True
    """
    n = prompt_length
    d = require_integer("cached_tokens", cached_tokens, 0, MAX_CONTEXT_LENGTH)
    if not model.has_shape:
        return 0.0
    flop = state_flop_per_token(model) * n
    for group in cache_layers(model):
        per_entry = attention_flop_per_token_and_layer(model, group.mixer)
        most = group.selected or group.window
        flop += group.layers * per_entry * (_attended(group, d + n, most) - _attended(group, d, most))
        if group.index_values:
            indexed = _attended(group, d + n, group.window) - _attended(group, d, group.window)
            flop += group.layers * _index_flop(model) * indexed
    return flop


def _attended(group: CacheLayers, n: int, most: int) -> float:
    """Sum over the first tokens of how many entries, at most so many, each attends to in a layer."""
    growing = min(n, most * group.tokens_per_entry) if most else n
    return growing * (growing + 1) / 2 / group.tokens_per_entry + (n - growing) * most
