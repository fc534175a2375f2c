"""What reading a prompt has to compute and read, whatever it runs on."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from .flops import prompt_attention_flop, prompt_weight_flop
from .shape import Model
from .tensors import experts_touched, routed_parameters, weight_tensors
from .weights import WeightFormat, weight_bytes
from .work import layer_count

ACTIVATION_BYTES = 4.0
"""Bytes of a number between two matrices, which engines keep in fp32."""


class PromptWork(NamedTuple):
    """The work of reading the prompts of all sequences.

    The tokens are computed in pieces, the micro-batches, and each piece reads
    the weights anew.

    Parameters
    ----------
    weight_flop, attention_flop : float
        FLOP with the weights, and in attention and with recurrent states.
    expert_flop : float
        FLOP of one token with every expert that its micro-batch touches, over
        all micro-batches: what a further row in each of them would cost.
    weight_bytes, activation_bytes : float
        Bytes of weights that are read, over all micro-batches, and bytes of what
        goes into the matrices and comes out of them.
    layers : float
        Layers times micro-batches.
    """

    weight_flop: float
    attention_flop: float
    expert_flop: float
    weight_bytes: float
    activation_bytes: float
    layers: float


@lru_cache(maxsize=256)
def activation_values_per_token(model: Model) -> float:
    """Count the numbers that go into, and come out of, the matrices of all layers; 0 without a shape.

    Examples
    --------
    A feed-forward part of 4 by 8, twice up and once down, and four projections of 4 by 4:

    >>> activation_values_per_token(Model(id="m", layers=1, hidden_size=4, attention_heads=1, kv_heads=1,
    ...     head_dim=4, intermediate_size=8, vocab_size=10))
    68.0
    """
    values = 0.0
    for tensor in weight_tensors(model) if model.has_shape else ():
        if tensor.is_matrix and tensor.layer >= 0:
            copies = model.experts_per_token if tensor.is_routed else tensor.copies
            values += copies * (tensor.rows + tensor.columns)
    return values


@lru_cache(maxsize=4096)
def prompt_work(
    model: Model,
    weights: WeightFormat,
    prompt_length: int,
    cached_tokens: int = 0,
    batch_size: int = 1,
    micro_batch: int = 512,
) -> PromptWork:
    """Return the work of reading a prompt.

    Parameters
    ----------
    model : Model
        Any model; without a shape, attention is left out.
    weights : WeightFormat
        How its weights are stored.
    prompt_length : int
        Tokens of the prompt of each sequence.
    cached_tokens : int
        Tokens before it that each sequence has in its cache already.
    batch_size : int
        Sequences whose prompts are read together.
    micro_batch : int
        Tokens that are computed together at most.

    Returns
    -------
    PromptWork
        Of all sequences together.

    Examples
    --------
    1,024 tokens in two pieces read the weights twice:

    >>> int4 = WeightFormat(id="int4", bits_per_weight=4)
    >>> work = prompt_work(Model(id="7b", stated_parameters=7e9), int4, 1024)
    >>> work.weight_bytes, work.weight_flop == 1024 * 14e9
    (7000000000.0, True)
    """
    tokens = prompt_length * batch_size
    pieces = (tokens + micro_batch - 1) // micro_batch
    rows = tokens / pieces
    stored = weight_bytes(model, weights)
    # Of a mixture whose experts are not known, a prompt of any length takes all.
    read = stored.read_bytes(round(rows)) if model.has_shape else stored.resident_bytes
    touched = 0.0
    if model.has_shape and model.experts:
        touched = experts_touched(model.experts, model.experts_per_token, round(rows)) / model.experts
    return PromptWork(
        prompt_weight_flop(model, prompt_length) * batch_size,
        prompt_attention_flop(model, prompt_length, cached_tokens) * batch_size,
        2.0 * routed_parameters(model) * touched * pieces if touched else 0.0,
        read * pieces,
        ACTIVATION_BYTES * activation_values_per_token(model) * tokens,
        layer_count(model) * pieces,
    )
