"""Every tensor that the shape of a model implies, and the counts of its parameters.

The counts are sums over that list; there is no second copy of any of them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from ..errors import require_integer
from .shape import Model


class WeightTensor(NamedTuple):
    """One stored tensor of a model.

    Parameters
    ----------
    role : str
        What it does: ``token_embd``, ``output``, ``attn_q``, ``ffn_down``,
        ``ffn_down_exps``, ``router``, ``norm`` and so on, as GGUF files say.
    layer : int
        Layer index from 0; -1 outside the layers.
    columns : int
        Length of the vector it multiplies, which is the length of a stored row.
    rows : int
        Number of rows of one matrix.
    copies : int
        How many such matrices the layer has: one per expert, or per head.
    """

    role: str
    layer: int
    columns: int
    rows: int
    copies: int = 1

    @property
    def parameters(self) -> int:
        """Number of weights, all copies together."""
        return self.columns * self.rows * self.copies

    @property
    def is_routed(self) -> bool:
        """Whether only some of the copies are used for a token."""
        return self.role.endswith("_exps")

    @property
    def is_matrix(self) -> bool:
        """Whether it is multiplied with, not a bias or a normalization."""
        return not self.role.startswith(("norm", "bias"))


@lru_cache(maxsize=256)
def weight_tensors(model: Model) -> tuple[WeightTensor, ...]:
    """List every tensor that the shape of a model implies.

    Parameters
    ----------
    model : Model
        A model whose layers are known.

    Returns
    -------
    tuple of WeightTensor
        Embedding, layers in order, final norm, output.

    Raises
    ------
    InvalidValueError
        If only the number of parameters is known.

    Examples
    --------
    >>> llama = Model(id="l2", layers=32, hidden_size=4096, attention_heads=32, kv_heads=32,
    ...               head_dim=128, intermediate_size=11008, vocab_size=32000)
    >>> sum(tensor.parameters for tensor in weight_tensors(llama))
    6738415616
    """
    model.require_shape("重みの内訳")
    tensors = [WeightTensor("token_embd", -1, model.hidden_size, model.vocab_size)]
    for layer in range(model.layers):
        tensors += _attention_tensors(model, layer)
        if model.experts and layer >= model.dense_layers:
            tensors += _expert_tensors(model, layer)
        else:
            width = model.intermediate_size
            tensors += _ffn_tensors(model, layer, width, "", bias=model.mlp_bias)
        tensors.append(WeightTensor("norm", layer, model.hidden_size, model.norms_per_layer))
    tensors.append(WeightTensor("norm", -1, model.hidden_size, 1))
    if not model.tied_embeddings:
        tensors.append(WeightTensor("output", -1, model.hidden_size, model.vocab_size))
    return tuple(tensors)


def _attention_tensors(model: Model, layer: int) -> list[WeightTensor]:
    if model.attention_kind == "mla":
        return _latent_attention_tensors(model, layer)
    hidden, head = model.hidden_size, model.head_dim
    q_width, kv_width = model.attention_heads * head, model.kv_heads * head
    if model.fused_projections:
        tensors = [WeightTensor("attn_qkv", layer, hidden, q_width + 2 * kv_width)]
    else:
        tensors = [
            WeightTensor("attn_q", layer, hidden, q_width),
            WeightTensor("attn_k", layer, hidden, kv_width),
            WeightTensor("attn_v", layer, hidden, kv_width),
        ]
    tensors.append(WeightTensor("attn_output", layer, q_width, hidden))
    biases = (q_width + 2 * kv_width) * model.qkv_bias + hidden * model.o_bias
    biases += model.attention_heads * model.attention_sinks
    if biases:
        tensors.append(WeightTensor("bias", layer, biases, 1))
    if model.qk_norm:
        tensors.append(WeightTensor("norm", layer, head, 2))
    return tensors


def _latent_attention_tensors(model: Model, layer: int) -> list[WeightTensor]:
    """Return the tensors of DeepSeek's multi-head latent attention."""
    hidden, heads = model.hidden_size, model.attention_heads
    q_width = heads * (model.qk_nope_head_dim + model.qk_rope_head_dim)
    latent = model.kv_lora_rank + model.qk_rope_head_dim
    if model.q_lora_rank:
        query = [
            WeightTensor("attn_q_a", layer, hidden, model.q_lora_rank),
            WeightTensor("norm", layer, model.q_lora_rank, 1),
            WeightTensor("attn_q_b", layer, model.q_lora_rank, q_width),
        ]
    else:
        query = [WeightTensor("attn_q", layer, hidden, q_width)]
    return [
        *query,
        WeightTensor("attn_kv_a", layer, hidden, latent),
        WeightTensor("norm", layer, model.kv_lora_rank, 1),
        WeightTensor("attn_k_b", layer, model.qk_nope_head_dim, model.kv_lora_rank, heads),
        WeightTensor("attn_v_b", layer, model.kv_lora_rank, model.v_head_dim, heads),
        WeightTensor("attn_output", layer, heads * model.v_head_dim, hidden),
    ]


def _ffn_tensors(
    model: Model, layer: int, width: int, suffix: str, *, bias: bool, copies: int = 1
) -> list[WeightTensor]:
    hidden = model.hidden_size
    inner = 1 if model.mlp_kind == "gelu2" else 2
    if inner == 1 or model.fused_projections:
        tensors = [WeightTensor("ffn_up" + suffix, layer, hidden, inner * width, copies)]
    else:
        tensors = [
            WeightTensor("ffn_gate" + suffix, layer, hidden, width, copies),
            WeightTensor("ffn_up" + suffix, layer, hidden, width, copies),
        ]
    tensors.append(WeightTensor("ffn_down" + suffix, layer, width, hidden, copies))
    if bias:
        tensors.append(WeightTensor("bias" + suffix, layer, inner * width + hidden, 1, copies))
    return tensors


def _expert_tensors(model: Model, layer: int) -> list[WeightTensor]:
    width, experts = model.moe_intermediate_size, model.experts
    tensors = [WeightTensor("router", layer, model.hidden_size, experts)]
    if model.router_bias:
        tensors.append(WeightTensor("bias", layer, experts, 1))
    tensors += _ffn_tensors(model, layer, width, "_exps", bias=model.expert_bias, copies=experts)
    shared = model.shared_expert_intermediate_size or model.shared_experts * model.moe_intermediate_size
    if shared:
        tensors += _ffn_tensors(model, layer, shared, "_shexp", bias=model.mlp_bias)
    return tensors


@lru_cache(maxsize=256)
def total_parameters(model: Model) -> float:
    """Count the parameters as published, a tied embedding counted once.

    The sum over `weight_tensors`, plus `Model.other_parameters`.

    Parameters
    ----------
    model : Model
        Any model.

    Returns
    -------
    float
        Parameters (dimensionless).

    Examples
    --------
    >>> llama = Model(id="l3.1", layers=32, hidden_size=4096, attention_heads=32, kv_heads=8,
    ...               head_dim=128, intermediate_size=14336, vocab_size=128256)
    >>> total_parameters(llama)
    8030261248
    """
    if not model.has_shape:
        return model.stated_parameters
    return model.other_parameters + sum(tensor.parameters for tensor in weight_tensors(model))


@lru_cache(maxsize=256)
def active_parameters(model: Model) -> float:
    """Count the parameters that one token is multiplied with.

    Everything but the input embedding, of which one row is looked up, and
    but the experts that the router leaves out.  A tied embedding counts, as
    it is the output matrix.

    Parameters
    ----------
    model : Model
        Any model.

    Returns
    -------
    float
        Parameters (dimensionless); all of them if the shape is unknown.

    Examples
    --------
    >>> llama = Model(id="l3.1", layers=32, hidden_size=4096, attention_heads=32, kv_heads=8,
    ...               head_dim=128, intermediate_size=14336, vocab_size=128256)
    >>> total_parameters(llama) - active_parameters(llama) == embedding_parameters(llama)
    True
    """
    if not model.has_shape:
        return model.stated_parameters
    share = model.experts_per_token / model.experts if model.experts else 1.0
    active = sum(
        round(tensor.parameters * share) if tensor.is_routed else tensor.parameters for tensor in weight_tensors(model)
    )
    return active if model.tied_embeddings else active - embedding_parameters(model)


def embedding_parameters(model: Model) -> int:
    """Count the parameters of the input embedding: ``vocab_size * hidden_size``.

    Parameters
    ----------
    model : Model
        A model whose shape is known.

    Returns
    -------
    int
        Parameters (dimensionless).

    Examples
    --------
    >>> embedding_parameters(Model(id="l2", layers=32, hidden_size=4096, attention_heads=32,
    ...     kv_heads=32, head_dim=128, intermediate_size=11008, vocab_size=32000))
    131072000
    """
    return model.vocab_size * model.hidden_size


def experts_touched(experts: int, experts_per_token: int, batch_size: int) -> float:
    r"""Return the expected number of experts that a batch uses in one layer.

    .. math:: E \left( 1 - \left( 1 - \frac{k}{E} \right)^B \right)

    Parameters
    ----------
    experts : int
        Routed experts :math:`E` of the layer.
    experts_per_token : int
        Experts :math:`k` that each token uses.
    batch_size : int
        Tokens :math:`B` in the step.

    Returns
    -------
    float
        Experts (dimensionless), from `experts_per_token` up to `experts`.

    Raises
    ------
    InvalidValueError
        If a number is below 1 or more experts are used than there are.

    Notes
    -----
    Assumes that tokens choose independently and evenly; real routing is
    uneven, which makes the true number smaller.

    Examples
    --------
    gpt-oss-120b: 4 of 128 for one token, nearly 8 for two.

    >>> experts_touched(128, 4, 1), experts_touched(128, 4, 2)
    (4.0, 7.875)
    """
    require_integer("experts", experts, 1, 10**5)
    require_integer("experts_per_token", experts_per_token, 1, experts)
    require_integer("batch_size", batch_size, 1, 10**9)
    if batch_size == 1:
        return float(experts_per_token)
    return experts * (1 - (1 - experts_per_token / experts) ** batch_size)
