"""Which part of a model lies where: some layers on the device, the others in the host's memory."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from ..errors import MAX_LAYERS, require_integer
from .kv_cache import kv_cache_bytes, kv_padding_bytes, kv_read_bytes
from .shape import Model
from .tensors import WeightTensor, is_looked_up, weight_tensors
from .weights import WeightBytes, WeightFormat, bytes_of_tensors
from .work import STATE_MIXERS, Work


class Placement(NamedTuple):
    """What of a model's layers lies in the host's memory, as llama.cpp deals it out.

    The device gets the output matrix first, then layers from the last one
    down; experts are left to the host from the first layer up.

    Parameters
    ----------
    host_layers : int
        How many of the first layers lie there whole.
    expert_layers : int
        In how many of the first layers the experts lie there.
    output_on_host : bool
        Whether the output matrix lies there, as it does when the device has no layer at all.
    """

    host_layers: int
    expert_layers: int
    output_on_host: bool

    @property
    def leaves_something(self) -> bool:
        """Whether anything lies there."""
        return self.host_layers > 0 or self.expert_layers > 0


def placement_of(model: Model, gpu_layers: int, cpu_moe_layers: int) -> Placement:
    """Return where things lie for llama.cpp's ``--n-gpu-layers`` and ``--n-cpu-moe``.

    Parameters
    ----------
    model : Model
        A model whose shape is known.
    gpu_layers : int
        How many layers the device gets.  The output matrix counts as one of
        them, and as the first, so that all is there from ``layers + 1`` on.
    cpu_moe_layers : int
        In how many of the first layers the experts stay on the host; more
        than there are layers are all of them.

    Raises
    ------
    InvalidValueError
        If a number is out of range or the model's shape is unknown.

    Notes
    -----
    Source: ``load_tensors`` in ``src/llama-model.cpp`` of ggml-org/llama.cpp,
    ``i_gpu_start = max(n_layer_all + 1 - n_gpu_layers, 0)``.  Older builds
    gave the output matrix to the device last.

    Examples
    --------
    >>> llama = Model(id="l2", layers=32, hidden_size=4096, attention_heads=32, kv_heads=32,
    ...               head_dim=128, intermediate_size=11008, vocab_size=32000)
    >>> placement_of(llama, 20, 0)
    Placement(host_layers=13, expert_layers=0, output_on_host=False)
    """
    model.require_shape("CPU と GPU の分担")
    gpu_layers = require_integer("gpu_layers", gpu_layers, 0, MAX_LAYERS)
    cpu_moe_layers = require_integer("cpu_moe_layers", cpu_moe_layers, 0, MAX_LAYERS)
    host_layers = min(model.layers, max(0, model.layers + 1 - gpu_layers))
    return Placement(host_layers, min(model.layers, cpu_moe_layers), gpu_layers == 0)


@lru_cache(maxsize=4096)
def host_weight_bytes(model: Model, weights: WeightFormat, placement: Placement) -> WeightBytes:
    """Bytes of the weights that lie in the host's memory, but for embeddings, which are never read whole.

    Of a file that was looked into, its own bytes are dealt out as the model's shape says.

    Examples
    --------
    Half of the layers are half of their bytes; the output matrix is on the device:

    >>> llama = Model(id="l2", layers=32, hidden_size=4096, attention_heads=32, kv_heads=32,
    ...               head_dim=128, intermediate_size=11008, vocab_size=32000)
    >>> f16 = WeightFormat(id="f16", bits_per_weight=16)
    >>> round(host_weight_bytes(llama, f16, placement_of(llama, 17, 0)).resident_bytes / 1e9, 2)
    6.48
    """
    layers, outside = _bytes_by_layer(model, weights)
    shared = outside.shared_bytes if placement.output_on_host else 0.0
    routed = 0.0
    for layer in range(max(placement.host_layers, placement.expert_layers)):
        routed += layers[layer].routed_bytes_per_expert
        if layer < placement.host_layers:
            shared += layers[layer].shared_bytes
    return WeightBytes(
        embedding_bytes=0.0,
        embedding_row_bytes=0.0,
        shared_bytes=shared,
        routed_bytes_per_expert=routed,
        experts=outside.experts,
        experts_per_token=outside.experts_per_token,
    )


@lru_cache(maxsize=256)
def _bytes_by_layer(model: Model, weights: WeightFormat) -> tuple[tuple[WeightBytes, ...], WeightBytes]:
    """Return the bytes of each layer, and of what is multiplied with outside of them."""
    model.require_shape("CPU と GPU の分担")
    by_layer: list[list[WeightTensor]] = [[] for _ in range(model.layers + 1)]
    for tensor in weight_tensors(model):
        if not is_looked_up(tensor, model):
            by_layer[tensor.layer if tensor.layer >= 0 else model.layers].append(tensor)
    found = [bytes_of_tensors(model, weights, tensors) for tensors in by_layer]
    if weights.stored is not None:
        shared = routed = 0.0
        for one in found:
            shared += one.shared_bytes
            routed += one.routed_bytes_per_expert
        found = [
            WeightBytes(
                embedding_bytes=0.0,
                embedding_row_bytes=0.0,
                shared_bytes=one.shared_bytes * weights.stored.shared_bytes / shared,
                routed_bytes_per_expert=(
                    one.routed_bytes_per_expert * weights.stored.routed_bytes_per_expert / routed if routed else 0.0
                ),
                experts=weights.stored.experts,
                experts_per_token=weights.stored.experts_per_token,
            )
            for one in found
        ]
    return tuple(found[: model.layers]), found[model.layers]


class HostPart(NamedTuple):
    """What of a decode step the host has, and what it holds for it.

    Parameters
    ----------
    weights : WeightBytes
        Its weights.
    cache_bytes : float
        Bytes of KV cache and states that lie there.
    work : Work
        What of the step's work is done there, or is fetched from there.
    hand_overs : int
        How often the step goes over to the host and comes back: once for all
        whole layers, which follow each other, and once for each further layer
        whose experts lie there.
    """

    weights: WeightBytes
    cache_bytes: float
    work: Work
    hand_overs: int


def host_part(
    model: Model,
    weights: WeightFormat,
    kv_cache: WeightFormat,
    placement: Placement,
    work: Work,
    *,
    batch_size: int = 1,
    context_length: int = 0,
    keeps_cache: bool = True,
) -> HostPart:
    """Return what of a decode step falls to the host.

    Parameters
    ----------
    model, weights, kv_cache : Model, WeightFormat, WeightFormat
        What runs.
    placement : Placement
        Where its layers lie.
    work : Work
        All of the step's work.
    batch_size, context_length : int
        As for `hayasa.estimate`.
    keeps_cache : bool
        Whether the KV cache of a layer lies where its weights do.
    """
    stored = host_weight_bytes(model, weights, placement)
    cached_layers = placement.host_layers if keeps_cache else 0
    bytes_per_value = kv_cache.bytes_per_cached_value
    kv_bytes = kv_read_bytes(
        model,
        context_length,
        batch_size=batch_size,
        bytes_per_value=bytes_per_value,
        first_layers=cached_layers,
    )
    padding_bytes = kv_padding_bytes(
        model,
        context_length,
        batch_size=batch_size,
        bytes_per_value=bytes_per_value,
        first_layers=cached_layers,
    )
    cache_bytes = kv_cache_bytes(
        model,
        context_length,
        batch_size=batch_size,
        bytes_per_value=bytes_per_value,
        first_layers=cached_layers,
    )
    mlps = model.layer_mlps
    reach = max(placement.host_layers, placement.expert_layers)
    moe_layers = float(sum([1 for kind in mlps[:reach] if kind in ("E", "B")]))
    handed_over = sum([1 for kind in mlps[placement.host_layers : reach] if kind in ("E", "B")])
    state_layers = sum([1 for mixer in model.layer_mixers[: placement.host_layers] if mixer in STATE_MIXERS])
    read_bytes, routed_bytes = stored.read_bytes(batch_size), stored.routed_read_bytes(batch_size)
    further_bytes = routed_bytes - stored.routed_read_bytes(1)
    share = read_bytes / work.weight_bytes
    return HostPart(
        stored,
        cache_bytes,
        Work(
            weight_bytes=read_bytes,
            kv_bytes=kv_bytes,
            weight_flop=work.weight_flop * share,
            attention_flop=work.attention_flop * kv_bytes / work.kv_bytes if work.kv_bytes else 0.0,
            layers=work.layers * placement.host_layers / model.layers,
            moe_layers=moe_layers,
            state_layers=float(state_layers),
            # Of the step as a whole, wherever its layers are.
            sequences=0.0,
            padding_bytes=padding_bytes,
            first_bytes=read_bytes - further_bytes,
            further_bytes=further_bytes,
            vector_flop=work.vector_flop * share,
            tile_flop=work.tile_flop * share,
            tile_bytes=work.tile_bytes * share,
            routed_layers=moe_layers if batch_size > 1 else 0.0,
            routed_bytes=routed_bytes,
        ),
        handed_over + (1 if placement.host_layers else 0),
    )
