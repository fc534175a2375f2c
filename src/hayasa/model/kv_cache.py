"""What a model remembers of the context: the KV cache, and states of fixed size."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from ..errors import MAX_CONTEXT_LENGTH, MAX_LAYERS, require_integer, require_positive
from .shape import ATTENTION_MIXERS, STATE_MIXERS, Model, heads_of

FP16_BYTES = 2.0
"""Bytes per cached value in the 16-bit formats that engines use by default."""

STATE_VALUE_BYTES = 4.0
"""Bytes per number of a recurrent state, which engines keep in fp32."""

COMPRESSED_TOKENS = {"Q": 4, "Z": 128}
"""Tokens that one cached entry stands for, by mixer; source: ``compress_ratios`` of DeepSeek V4's config."""


def kv_values_per_layer(model: Model, mixer: str = "A") -> int:
    r"""Values that one layer caches per token.

    .. math:: n_\mathrm{kv\,heads} \, (d_\mathrm{key} + d_\mathrm{value})

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
    heads = heads_of(model, mixer)
    if model.attention_kind == "shared":
        return heads.key_dim
    return heads.kv_heads * (heads.key_dim + heads.value_dim)


DEFAULT_MICRO_BATCH = 512
"""Tokens of a prompt that llama.cpp computes together unless told otherwise."""


class CacheLayers(NamedTuple):
    """Layers that look back on the context alike.

    An entry of the cache is what they keep of a token, or of several that are
    compressed into one.

    Parameters
    ----------
    mixer : str
        How they look back, one of `ATTENTION_MIXERS`.
    layers : int
        How many there are.
    values, index_values : int
        Values of an entry, and further ones by which an indexer finds it.
    is_stored : bool
        Whether the entries are their own, not those of an earlier layer.
    tokens_per_entry : int
        Tokens that an entry stands for.
    window, selected : int
        Entries that are kept, and entries that are read, at most; 0 for all.
    """

    mixer: str
    layers: int
    values: int
    index_values: int = 0
    is_stored: bool = True
    tokens_per_entry: int = 1
    window: int = 0
    selected: int = 0

    def entries(self, context_length: int) -> int:
        """Return how many entries a layer keeps of a context."""
        entries = context_length // self.tokens_per_entry
        return min(entries, self.window) if self.window else entries

    def entries_read(self, context_length: int) -> int:
        """Return how many of them a decode step reads."""
        entries = self.entries(context_length)
        return min(entries, self.selected) if self.selected else entries


def first_mixers(model: Model, first_layers: int | None) -> tuple[str, ...]:
    """Return how each of the first so many layers looks back; None for all."""
    mixers = model.layer_mixers
    return mixers if first_layers is None else mixers[:first_layers]


@lru_cache(maxsize=256)
def cache_layers(model: Model, first_layers: int | None = None) -> tuple[CacheLayers, ...]:
    """Return the layers that cache something per token, those alike together; of the first so many, or of all.

    Examples
    --------
    >>> two = Model(id="x", layers=2, hidden_size=64, attention_heads=1, kv_heads=1, head_dim=64,
    ...             intermediate_size=64, vocab_size=100, sliding_window=128, sliding_window_layers=1)
    >>> [(group.mixer, group.layers, group.values, group.entries(1000)) for group in cache_layers(two)]
    [('A', 1, 128, 1000), ('W', 1, 128, 128)]
    """
    model.require_shape("KV キャッシュ")
    mixers = first_mixers(model, first_layers)
    found = []
    for mixer in ATTENTION_MIXERS:
        # What is compressed lies behind a window of single tokens.
        alike = ("W", *COMPRESSED_TOKENS) if mixer == "W" else (mixer,)
        layers = sum(1 for one in mixers if one in alike)
        if layers:
            has_index = mixer in ("I", "Q")
            found.append(
                CacheLayers(
                    mixer,
                    layers,
                    kv_values_per_layer(model, mixer),
                    index_values=model.index_head_dim // max(1, model.index_pool) if has_index else 0,
                    is_stored=mixer not in ("a", "w"),
                    tokens_per_entry=COMPRESSED_TOKENS.get(mixer, 1),
                    window=model.sliding_window if mixer in ("W", "w") else 0,
                    selected=model.index_top_k if has_index or mixer == "R" else 0,
                )
            )
    return tuple(found)


def state_values_per_layer(model: Model, mixer: str) -> int:
    r"""Numbers that one recurrent layer remembers, whatever the context.

    .. math:: n_\mathrm{heads} \, d_\mathrm{value} \, d_\mathrm{key}
              + (k - 1) \, (n_\mathrm{heads} \, d_\mathrm{value} + 2 \, n_\mathrm{groups} \, d_\mathrm{key})

    The second part is what its convolution of width :math:`k` has yet to see
    again; a short convolution has nothing else, over the hidden size.

    Examples
    --------
    >>> qwen = Model(id="q", layers=40, hidden_size=2048, attention_heads=16, kv_heads=2, head_dim=256,
    ...              intermediate_size=512, vocab_size=248320, mixer_pattern="LLLA", state_heads=32,
    ...              state_head_dim=128, state_groups=16, state_dim=128, conv_kernel=4)
    >>> state_values_per_layer(qwen, "L") == 32 * 128 * 128 + 3 * 8192
    True
    """
    if mixer in STATE_MIXERS:
        state = model.state_heads * model.state_head_dim * model.state_dim
        return state + (model.conv_kernel - 1) * convolved_values(model)
    return (model.conv_kernel - 1) * model.hidden_size if mixer == "C" else 0


def convolved_values(model: Model) -> int:
    """Return how many numbers per token go through the convolution before a state."""
    return model.state_heads * model.state_head_dim + 2 * model.state_groups * model.state_dim


def state_bytes(model: Model, first_layers: int | None = None) -> float:
    """Bytes of the recurrent states of one sequence, which are there from its first token.

    Parameters
    ----------
    model : Model
        Any model.
    first_layers : int, optional
        Count only the first so many layers, by default all.

    Returns
    -------
    float
        Bytes over these layers; 0 without such layers.

    Examples
    --------
    Qwen3.5 35B-A3B; llama.cpp logs 2.81 MiB for the convolutions and 60.00 MiB for the states:

    >>> qwen = Model(id="q", layers=40, hidden_size=2048, attention_heads=16, kv_heads=2, head_dim=256,
    ...              intermediate_size=512, vocab_size=248320, mixer_pattern="LLLA", state_heads=32,
    ...              state_head_dim=128, state_groups=16, state_dim=128, conv_kernel=4)
    >>> state_bytes(qwen) / 2**20
    62.8125
    """
    return _state_bytes(model, _require_layers(first_layers))


@lru_cache(maxsize=256)
def _state_bytes(model: Model, first_layers: int | None) -> float:
    return STATE_VALUE_BYTES * sum(state_values_per_layer(model, mixer) for mixer in first_mixers(model, first_layers))


def _require_layers(first_layers: int | None) -> int | None:
    """Return a number of layers that was given, or None for all."""
    return None if first_layers is None else require_integer("first_layers", first_layers, 0, MAX_LAYERS)


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
        Bytes per token, as long as no sliding window is full; what several
        tokens share counts in parts.

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
    values = 0.0
    for group in cache_layers(model):
        if group.is_stored:
            values += group.layers * (group.values + group.index_values) / group.tokens_per_entry
    return values * bytes_per_value


def kv_cache_bytes(
    model: Model,
    context_length: int,
    *,
    batch_size: int = 1,
    bytes_per_value: float = FP16_BYTES,
    first_layers: int | None = None,
) -> float:
    """Bytes that the context takes in memory: cache and recurrent states.

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
    first_layers : int, optional
        Count only the first so many layers, by default all.

    Returns
    -------
    float
        Bytes; sliding-window layers keep no more than their window, and
        layers that use the keys and values of an earlier one keep none.

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
    require_integer("context_length", context_length, 0, MAX_CONTEXT_LENGTH)
    require_integer("batch_size", batch_size, 1, 10**9)
    require_positive("bytes_per_value", bytes_per_value, maximum=8)
    first_layers = _require_layers(first_layers)
    values = 0
    for group in cache_layers(model, first_layers) if context_length else ():
        if group.is_stored:
            values += group.layers * (group.values + group.index_values) * group.entries(context_length)
    return (values * bytes_per_value + state_bytes(model, first_layers)) * batch_size


def kv_read_bytes(
    model: Model,
    context_length: int,
    *,
    batch_size: int = 1,
    bytes_per_value: float = FP16_BYTES,
    first_layers: int | None = None,
) -> float:
    """Bytes of it that one decode step moves.

    Sparse attention reads what its indexer has chosen, and all by which it
    chooses; layers that use the keys and values of an earlier one read them
    again; a recurrent state is read and written.

    Parameters
    ----------
    model : Model
        A model; its shape must be known if `context_length` is not 0.
    context_length : int
        Tokens already in the cache, per sequence.
    batch_size : int
        Sequences, each with a cache of its own.
    bytes_per_value : float
        Bytes per cached value.
    first_layers : int, optional
        Count only the first so many layers, by default all.

    Returns
    -------
    float
        Bytes per step.

    Raises
    ------
    InvalidValueError
        If a number is out of range or the model's shape is unknown.

    Examples
    --------
    Without any of these a step reads what is stored:

    >>> llama = Model(id="l", layers=32, hidden_size=4096, attention_heads=32, kv_heads=8,
    ...               head_dim=128, intermediate_size=14336, vocab_size=128256)
    >>> kv_read_bytes(llama, 8192) == kv_cache_bytes(llama, 8192)
    True
    """
    require_integer("context_length", context_length, 0, MAX_CONTEXT_LENGTH)
    require_integer("batch_size", batch_size, 1, 10**9)
    require_positive("bytes_per_value", bytes_per_value, maximum=8)
    first_layers = _require_layers(first_layers)
    groups = cache_layers(model, first_layers) if context_length else ()
    states = state_bytes_moved(model, batch_size, first_layers)
    return states + groups_read_bytes(groups, context_length, batch_size, bytes_per_value)


def state_bytes_moved(model: Model, batch_size: int, first_layers: int | None = None) -> float:
    """Return what of that are states, which are read and written whatever the context.

    Examples
    --------
    >>> state_bytes_moved(Model(id="7b", stated_parameters=7e9), 1)
    0.0
    """
    return 2 * state_bytes(model, first_layers) * batch_size


def groups_read_bytes(
    groups: tuple[CacheLayers, ...], context_length: int, batch_size: int, bytes_per_value: float
) -> float:
    """Return what of that is cache, of layers that were looked up and numbers that are known to be in range.

    Examples
    --------
    >>> two = Model(id="x", layers=2, hidden_size=64, attention_heads=1, kv_heads=1, head_dim=64,
    ...             intermediate_size=64, vocab_size=100)
    >>> groups_read_bytes(cache_layers(two), 100, 1, 2.0)
    51200.0
    """
    values = 0
    for group in groups:
        read = group.values * group.entries_read(context_length)
        if group.index_values:
            read += group.index_values * group.entries(context_length)
        values += group.layers * read
    return values * bytes_per_value * batch_size


def kv_padding_bytes(
    model: Model,
    context_length: int,
    micro_batch: int = DEFAULT_MICRO_BATCH,
    *,
    batch_size: int = 1,
    bytes_per_value: float = FP16_BYTES,
    first_layers: int | None = None,
) -> float:
    """Bytes that an engine keeps behind sliding windows, and reads in vain in each step.

    A window has to hold what the first token of a micro-batch sees when the
    last one has been written; llama.cpp therefore keeps a micro-batch more.

    Parameters
    ----------
    model, context_length, batch_size, bytes_per_value, first_layers
        As in `kv_read_bytes`.
    micro_batch : int
        Tokens of a prompt that are computed together.

    Returns
    -------
    float
        Bytes per step; 0 without windows.

    Examples
    --------
    >>> llama = Model(id="l", layers=32, hidden_size=4096, attention_heads=32, kv_heads=8,
    ...               head_dim=128, intermediate_size=14336, vocab_size=128256)
    >>> kv_padding_bytes(llama, 8192)
    0.0
    """
    groups = cache_layers(model, first_layers) if context_length else ()
    return groups_padding_bytes(groups, context_length, micro_batch, batch_size, bytes_per_value)


def groups_padding_bytes(
    groups: tuple[CacheLayers, ...], context_length: int, micro_batch: int, batch_size: int, bytes_per_value: float
) -> float:
    """Return the same, of layers that were looked up.

    Examples
    --------
    >>> groups_padding_bytes((CacheLayers("W", 1, 128, window=100),), 1000, 512, 1, 2.0)
    131072.0
    """
    values = 0
    for group in groups:
        if group.window and not group.selected:
            seen = group.entries(context_length)
            kept = min(context_length, group.window + micro_batch) // group.tokens_per_entry
            values += group.layers * group.values * max(0, kept - seen)
    return float(values * bytes_per_value * batch_size)
