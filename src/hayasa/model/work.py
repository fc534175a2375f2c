"""What one decode step has to read and compute, whatever it runs on."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from .flops import attention_flop_per_token, weight_flop_per_token
from .kv_cache import DEFAULT_MICRO_BATCH, kv_padding_bytes, kv_read_bytes
from .shape import Model
from .tensors import active_parameters
from .weights import WeightFormat, weight_bytes

HIDDEN_VALUE_BYTES = 2
"""Bytes of a number that devices send each other: engines compute in 16 bits there."""


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
    all_reduces: float = 0.0
    all_reduce_bytes: float = 0.0

    def share(self, model: Model, devices: int) -> Work:
        r"""Return the work of one device of a tensor split.

        Every matrix is cut over all devices; the cache is cut by its heads, so
        that no more devices than there are heads share it.  After attention and
        after the feed-forward part of each layer the parts are added up, for
        which a ring sends :math:`2 (D - 1) / D` of them.

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
        holders = min(devices, max(1, heads))
        all_reduces = 2.0 * layer_count(model)
        ring = 2 * (devices - 1) / devices
        return Work(
            self.weight_bytes / devices,
            self.kv_bytes / holders,
            self.weight_flop / devices,
            self.attention_flop / devices,
            self.layers,
            self.moe_layers,
            self.state_layers,
            self.sequences,
            self.vocabulary,
            self.padding_bytes / holders,
            all_reduces,
            all_reduces * ring * self.sequences * model.hidden_size * HIDDEN_VALUE_BYTES,
        )


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
    layers, moe_layers, state_layers = _waiting_layers(model)
    return Work(
        weight_bytes(model, weights).read_bytes(batch_size),
        kv_read_bytes(model, context_length, batch_size=batch_size, bytes_per_value=kv_cache.bytes_per_cached_value),
        weight_flop_per_token(model) * batch_size,
        attention_flop_per_token(model, context_length) * batch_size,
        layers,
        moe_layers,
        state_layers,
        float(batch_size),
        float(batch_size * model.vocab_size),
        kv_padding_bytes(
            model,
            context_length,
            micro_batch,
            batch_size=batch_size,
            bytes_per_value=kv_cache.bytes_per_cached_value,
        ),
    )
