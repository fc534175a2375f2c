"""What one decode step has to read and compute, whatever it runs on."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from .flops import groups_flop_per_token, state_flop_per_token, weight_flop_per_token
from .kv_cache import (
    DEFAULT_MICRO_BATCH,
    CacheLayers,
    cache_layers,
    groups_padding_bytes,
    groups_read_bytes,
    state_bytes_moved,
)
from .shape import Model
from .tensors import active_parameters, experts_touched, weight_tensors
from .weights import WeightFormat, weight_bytes

HIDDEN_VALUE_BYTES = 2
"""Bytes of a number that devices send each other: engines compute in 16 bits there."""


VECTOR_SEQUENCES = 8
"""Sequences up to which llama.cpp multiplies one after the other on vector units; more share tiles of a matrix."""

TILE_SEQUENCES = 16
"""Sequences that a tile is wide: fewer take as long."""

STATE_MIXERS = "LKM"
"""Mixers with a recurrent state beside a convolution: Gated DeltaNet, Kimi Delta Attention, Mamba-2."""


class Work(NamedTuple):
    """The work of one decode step, all sequences together.

    Parameters
    ----------
    weight_bytes, kv_bytes : float
        Bytes of weights that are read, and of KV cache and states that are moved.
    weight_flop, attention_flop : float
        FLOP with the weights and in attention.
    layers : float
        Layers by what runs in them: one with four normalizations counts 1.5.
    moe_layers : float
        Layers with experts.
    state_layers : float
        Layers with a recurrent state, which launch more kernels than attention does.
    sequences : float
        Sequences that advance together.
    vocabulary : float
        Entries from which their next tokens are chosen.
    padding_bytes : float
        Bytes of KV cache that an engine keeps behind the windows, up to a micro-batch of a prompt.
    first_bytes, further_bytes : float
        Of the bytes of weights all but the experts that only further sequences
        touch, and these.
    vector_flop, tile_flop, tile_bytes : float
        FLOP of the second to the `VECTOR_SEQUENCES`-th sequence with the weights;
        beyond that, FLOP of all, a tile at least, and the bytes of weights that
        are unpacked for them.
    routed_layers : float
        Layers with experts, where there are several sequences.
    routed_bytes : float
        Of the bytes of weights those of experts.
    all_reduces, all_reduce_bytes : float
        How often the devices of a tensor split add up their parts, and the
        bytes that each of them sends for that.
    """

    weight_bytes: float
    kv_bytes: float
    weight_flop: float
    attention_flop: float
    layers: float
    moe_layers: float
    state_layers: float = 0.0
    sequences: float = 1.0
    vocabulary: float = 0.0
    padding_bytes: float = 0.0
    first_bytes: float = 0.0
    further_bytes: float = 0.0
    vector_flop: float = 0.0
    tile_flop: float = 0.0
    tile_bytes: float = 0.0
    routed_layers: float = 0.0
    routed_bytes: float = 0.0
    all_reduces: float = 0.0
    all_reduce_bytes: float = 0.0

    def share(self, model: Model, devices: int, split: str = "tensor") -> Work:
        r"""Return the work of one device of a tensor split.

        Every matrix is cut over all devices; the cache is cut by its heads, so
        that no more devices than there are heads share it, and llama.cpp's split
        by rows leaves it where it is.  Where experts are dealt out whole, the
        device counts that more of those that are needed lie on than on any other.
        After attention and after the feed-forward part of each layer the parts
        are added up, for which a ring sends :math:`2 (D - 1) / D` of them.

        Examples
        --------
        >>> llama = Model(id="l", layers=32, hidden_size=4096, attention_heads=32, kv_heads=8,
        ...               head_dim=128, intermediate_size=14336, vocab_size=128256)
        >>> work = Work(16e9, 1e9, 32e9, 1e9, 32, 0).share(llama, 4)
        >>> work.weight_bytes, work.kv_bytes, work.all_reduces, work.all_reduce_bytes
        (4000000000.0, 250000000.0, 64.0, 786432.0)
        """
        if devices == 1:
            return self
        heads = 1 if model.attention_kind == "mla" else model.kv_heads
        holders = 1 if split == "row" else min(devices, max(1, heads))
        all_reduces = 2.0 * layer_count(model)
        ring = 2 * (devices - 1) / devices
        uneven = 0.0
        if split == "expert":
            touched = experts_touched(model.experts, model.experts_per_token, int(self.sequences))
            uneven = busiest_share(model.experts, touched, devices) - 1 / devices
        return Work(
            self.weight_bytes / devices + self.routed_bytes * uneven,
            self.kv_bytes / holders,
            self.weight_flop / devices + self.weight_flop * routed_share(model) * uneven,
            self.attention_flop / devices,
            self.layers,
            self.moe_layers,
            self.state_layers,
            self.sequences,
            self.vocabulary,
            self.padding_bytes / holders,
            self.first_bytes / devices,
            self.further_bytes / devices,
            self.vector_flop / devices,
            self.tile_flop / devices,
            self.tile_bytes / devices,
            self.routed_layers,
            self.routed_bytes / devices + self.routed_bytes * uneven,
            all_reduces,
            all_reduces * ring * self.sequences * model.hidden_size * HIDDEN_VALUE_BYTES,
        )

    def without(self, part: Work) -> Work:
        """Return what remains of it without a part that is done elsewhere, field by field.

        Examples
        --------
        >>> Work(5.0, 4.0, 3.0, 2.0, 8.0, 0.0).without(Work(5.0, 1.0, 3.0, 0.0, 2.0, 0.0, sequences=0.0)).layers
        6.0
        """

        def less(all_: float, its: float) -> float:
            # Differences of sums in another order may fall below 0 by a last digit.
            return max(0.0, all_ - its)

        return Work(
            less(self.weight_bytes, part.weight_bytes),
            less(self.kv_bytes, part.kv_bytes),
            less(self.weight_flop, part.weight_flop),
            less(self.attention_flop, part.attention_flop),
            less(self.layers, part.layers),
            less(self.moe_layers, part.moe_layers),
            less(self.state_layers, part.state_layers),
            less(self.sequences, part.sequences),
            less(self.vocabulary, part.vocabulary),
            less(self.padding_bytes, part.padding_bytes),
            less(self.first_bytes, part.first_bytes),
            less(self.further_bytes, part.further_bytes),
            less(self.vector_flop, part.vector_flop),
            less(self.tile_flop, part.tile_flop),
            less(self.tile_bytes, part.tile_bytes),
            less(self.routed_layers, part.routed_layers),
            less(self.routed_bytes, part.routed_bytes),
            less(self.all_reduces, part.all_reduces),
            less(self.all_reduce_bytes, part.all_reduce_bytes),
        )


def busiest_share(experts: int, touched: float, devices: int) -> float:
    r"""Return the share of the needed experts that lie on the device that has most of them.

    .. math:: \frac{1}{D} + c(D) \sqrt{\frac{1}{n D} \left(1 - \frac{1}{D}\right)
        \left(1 - \frac{n}{E}\right)}, \quad c(D) = 3.4 \, (1 - D^{-0.26})

    Notes
    -----
    :math:`n` of :math:`E` experts are drawn without looking where they lie;
    :math:`c(D)` is by how many standard deviations the greatest of
    :math:`D` normal numbers exceeds their mean, within 4 % from 2 to 64.
    Engines that move experts according to how often they are needed come
    nearer to :math:`1 / D`.

    Examples
    --------
    A token's 8 of 256 experts on 8 devices: two or three of them on one, instead of one on each.

    >>> round(8 * busiest_share(256, 8, 8), 1), busiest_share(256, 256, 8)
    (2.3, 0.125)
    """
    variance = (1 - 1 / devices) * max(0.0, 1 - touched / experts) / (touched * devices)
    beyond: float = 3.4 * (1 - devices**-0.26) * variance**0.5
    return min(1.0, 1 / devices + beyond)


@lru_cache(maxsize=256)
def routed_share(model: Model) -> float:
    """Return the share of a token's weights that are experts of its own.

    Examples
    --------
    >>> routed_share(Model(id="7b", stated_parameters=7e9))
    0.0
    """
    if not (model.has_experts and model.has_shape):
        return 0.0
    routed = 0.0
    for tensor in weight_tensors(model):
        if tensor.is_routed:
            routed += tensor.parameters * model.experts_per_token / model.experts
    return routed / active_parameters(model)


def layer_count(model: Model) -> float:
    r"""Return the number of layers; of a model whose shape is not known the usual number for its size.

    .. math:: 40 \left( \frac{P_\mathrm{active}}{8 \cdot 10^9} \right)^{1/4}

    Notes
    -----
    The fourth root fits the listed models, dense ones and mixtures of experts,
    with a median error of about 15 %.

    Examples
    --------
    >>> layer_count(Model(id="8b", stated_parameters=8e9))
    40.0
    """
    return float(model.layers) or 40.0 * (active_parameters(model) / 8e9) ** 0.25


@lru_cache(maxsize=256)
def _waiting_layers(model: Model) -> tuple[float, float, float]:
    """Return `Work.layers`, `Work.moe_layers` and `Work.state_layers`."""
    layers = layer_count(model)
    experts = layers if model.has_experts and not model.has_shape else model.moe_layers
    states = sum([1.0 for mixer in model.layer_mixers if mixer in STATE_MIXERS])
    return layers * (2 + model.norms_per_layer) / 4, experts, states


BY_CONTEXT = ("kv_bytes", "attention_flop", "padding_bytes")
"""Fields of `Work` that the context adds to; it leaves all others alempty."""


@lru_cache(maxsize=4096)
def work_without_context(model: Model, weights: WeightFormat, batch_size: int) -> Work:
    """Return the work of a decode step whose context is empty.

    Examples
    --------
    >>> int4 = WeightFormat(id="int4", bits_per_weight=4)
    >>> work_without_context(Model(id="7b", stated_parameters=7e9), int4, 2).weight_flop
    28000000000.0
    """
    layers, moe_layers, state_layers = _waiting_layers(model)
    read = weight_bytes(model, weights)
    read_bytes, routed_bytes = read.read_bytes(batch_size), read.routed_read_bytes(batch_size)
    further_bytes = routed_bytes - read.routed_read_bytes(1)
    token_flop = weight_flop_per_token(model)
    in_tiles = batch_size > VECTOR_SEQUENCES
    return Work(
        read_bytes,
        state_bytes_moved(model, batch_size),
        token_flop * batch_size,
        state_flop_per_token(model) * batch_size,
        layers,
        moe_layers,
        state_layers,
        float(batch_size),
        float(batch_size * model.vocab_size),
        0.0,
        read_bytes - further_bytes,
        further_bytes,
        0.0 if in_tiles else token_flop * (batch_size - 1),
        token_flop * max(TILE_SEQUENCES, batch_size) if in_tiles else 0.0,
        read_bytes if in_tiles else 0.0,
        moe_layers if batch_size > 1 else 0.0,
        routed_bytes,
    )


def step_work(
    model: Model,
    weights: WeightFormat,
    kv_cache: WeightFormat,
    batch_size: int = 1,
    context_length: int = 0,
    micro_batch: int = DEFAULT_MICRO_BATCH,
) -> Work:
    """Return the work of a decode step; of a cache that was filled by so many tokens of a prompt at a time.

    Examples
    --------
    >>> int4 = WeightFormat(id="int4", bits_per_weight=4)
    >>> work = step_work(Model(id="7b", stated_parameters=7e9), int4, int4)
    >>> work.weight_bytes, work.weight_flop
    (3500000000.0, 14000000000.0)
    """
    groups = cache_layers(model) if context_length else ()
    empty = work_without_context(model, weights, batch_size)
    return work_at(empty, model, groups, batch_size, context_length, kv_cache.bytes_per_cached_value, micro_batch)


def work_at(
    empty: Work,
    model: Model,
    groups: tuple[CacheLayers, ...],
    batch_size: int,
    context_length: int,
    value_bytes: float,
    micro_batch: int = DEFAULT_MICRO_BATCH,
) -> Work:
    """Return the work of a step at a context, given that at none and the layers that look back on it.

    Examples
    --------
    >>> llama = Model(id="l", layers=32, hidden_size=4096, attention_heads=32, kv_heads=8,
    ...               head_dim=128, intermediate_size=14336, vocab_size=128256)
    >>> work_at(Work(4e9, 0, 16e9, 0, 32, 0), llama, cache_layers(llama), 1, 8192, 2.0).kv_bytes / 2**30
    1.0
    """
    if not groups:
        return empty
    return Work(
        empty.weight_bytes,
        empty.kv_bytes + groups_read_bytes(groups, context_length, batch_size, value_bytes),
        empty.weight_flop,
        empty.attention_flop + groups_flop_per_token(model, groups, context_length) * batch_size,
        empty.layers,
        empty.moe_layers,
        empty.state_layers,
        empty.sequences,
        empty.vocabulary,
        groups_padding_bytes(groups, context_length, micro_batch, batch_size, value_bytes),
        empty.first_bytes,
        empty.further_bytes,
        empty.vector_flop,
        empty.tile_flop,
        empty.tile_bytes,
        empty.routed_layers,
        empty.routed_bytes,
    )
