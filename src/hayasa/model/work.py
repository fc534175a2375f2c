"""What one decode step has to read and compute, whatever it runs on."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from .flops import attention_flop_per_token, weight_flop_per_token
from .kv_cache import kv_read_bytes
from .shape import Model
from .tensors import active_parameters
from .weights import WeightFormat, weight_bytes


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
    """

    weight_bytes: float
    kv_bytes: float
    weight_flop: float
    attention_flop: float
    layers: float
    moe_layers: float

    def without(self, part: Work) -> Work:
        """Return what remains of it without a part that is done elsewhere.

        Examples
        --------
        >>> Work(5.0, 4.0, 3.0, 2.0, 8.0, 0.0).without(Work(5.0, 1.0, 3.0, 0.0, 2.0, 0.0)).layers
        6.0
        """
        return Work(
            # Differences of sums in another order may fall below 0 by a last digit.
            weight_bytes=max(0.0, self.weight_bytes - part.weight_bytes),
            kv_bytes=max(0.0, self.kv_bytes - part.kv_bytes),
            weight_flop=max(0.0, self.weight_flop - part.weight_flop),
            attention_flop=max(0.0, self.attention_flop - part.attention_flop),
            layers=self.layers - part.layers,
            moe_layers=self.moe_layers - part.moe_layers,
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
def _waiting_layers(model: Model) -> tuple[float, float]:
    """Return `Work.layers` and `Work.moe_layers`."""
    layers = layer_count(model)
    experts = layers if model.has_experts and not model.has_shape else model.moe_layers
    return layers * (2 + model.norms_per_layer) / 4, experts


def step_work(
    model: Model, weights: WeightFormat, kv_cache: WeightFormat, batch_size: int = 1, context_length: int = 0
) -> Work:
    """Return the work of a decode step.

    Examples
    --------
    >>> int4 = WeightFormat(id="int4", bits_per_weight=4)
    >>> work = step_work(Model(id="7b", stated_parameters=7e9), int4, int4)
    >>> work.weight_bytes, work.weight_flop
    (3500000000.0, 14000000000.0)
    """
    layers, moe_layers = _waiting_layers(model)
    return Work(
        weight_bytes(model, weights).read_bytes(batch_size),
        kv_read_bytes(model, context_length, batch_size=batch_size, bytes_per_value=kv_cache.bytes_per_cached_value),
        weight_flop_per_token(model) * batch_size,
        attention_flop_per_token(model, context_length) * batch_size,
        layers,
        moe_layers,
    )
