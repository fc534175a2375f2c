"""Every tensor that the shape of a model implies, and the counts of its parameters.

The counts are sums over that list; there is no second copy of any of them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from ..errors import require_integer
from .kv_cache import COMPRESSED_TOKENS, convolved_values
from .shape import Model, heads_of


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


def is_looked_up(tensor: WeightTensor, model: Model) -> bool:
    """Whether a token needs one row only: of an embedding that is not the output matrix, too.

    Examples
    --------
    >>> embedding = WeightTensor("token_embd", -1, 2048, 128256)
    >>> is_looked_up(embedding, Model(id="x", stated_parameters=1.2e9, tied_embeddings=True))
    False
    """
    return tensor.role == "per_layer_token_embd" or (tensor.role == "token_embd" and not model.tied_embeddings)


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
    if model.per_layer_embedding_size:
        width = model.layers * model.per_layer_embedding_size
        tensors.append(WeightTensor("per_layer_token_embd", -1, width, model.vocab_size))
        tensors.append(WeightTensor("per_layer_model_proj", -1, model.hidden_size, width))
        tensors.append(WeightTensor("norm", -1, model.per_layer_embedding_size, 1))
    if model.further_parameters:
        tensors.append(WeightTensor("further", -1, model.further_parameters, 1))
    mixers, mlps = model.layer_mixers, model.layer_mlps
    for layer in range(len(mixers)):
        tensors += _mixer_tensors(model, layer, mixers[layer])
        tensors += _mlp_tensors(model, layer, mlps[layer])
        if model.per_layer_embedding_size:
            tensors.append(WeightTensor("inp_gate", layer, model.hidden_size, model.per_layer_embedding_size))
            tensors.append(WeightTensor("proj", layer, model.per_layer_embedding_size, model.hidden_size))
        tensors.append(WeightTensor("norm", layer, model.hidden_size, model.norms_per_layer))
    tensors.append(WeightTensor("norm", -1, model.hidden_size, 1))
    if not model.tied_embeddings:
        tensors.append(WeightTensor("output", -1, model.hidden_size, model.vocab_size))
    return tuple(tensors)


def _mixer_tensors(model: Model, layer: int, mixer: str) -> list[WeightTensor]:
    if mixer in ("L", "K"):
        return _linear_attention_tensors(model, layer, mixer)
    if mixer == "M":
        return _state_space_tensors(model, layer)
    if mixer == "C":
        return [
            WeightTensor("shortconv_in_proj", layer, model.hidden_size, 3 * model.hidden_size),
            WeightTensor("conv", layer, model.conv_kernel, model.hidden_size),
            WeightTensor("shortconv_out_proj", layer, model.hidden_size, model.hidden_size),
        ]
    if mixer == "-":
        return []
    if model.attention_kind == "shared":
        tensors = _shared_attention_tensors(model, layer, mixer)
    elif model.attention_kind == "mla":
        tensors = _latent_attention_tensors(model, layer)
    else:
        tensors = _attention_tensors(model, layer, mixer)
    if mixer in ("I", "Q"):
        tensors += _indexer_tensors(model, layer)
    return tensors


def _attention_tensors(model: Model, layer: int, mixer: str) -> list[WeightTensor]:
    hidden, heads = model.hidden_size, heads_of(model, mixer)
    q_width, k_width, v_width = (
        heads.heads * heads.key_dim,
        heads.kv_heads * heads.key_dim,
        heads.kv_heads * heads.value_dim,
    )
    if mixer in ("a", "w"):
        k_width = v_width = 0
    elif model.keys_are_values and mixer == "A":
        v_width = 0
    output_width, gate_width = heads.heads * heads.value_dim, heads.heads * model.attention_gate_dim
    if model.fused_projections:
        tensors = [WeightTensor("attn_qkv", layer, hidden, q_width + k_width + v_width)]
    else:
        tensors = [WeightTensor("attn_q", layer, hidden, q_width + gate_width)]
        if k_width:
            tensors.append(WeightTensor("attn_k", layer, hidden, k_width))
        if v_width:
            tensors.append(WeightTensor("attn_v", layer, hidden, v_width))
    tensors.append(WeightTensor("attn_output", layer, output_width, hidden))
    biases = (q_width + k_width + v_width) * model.qkv_bias + hidden * model.o_bias
    biases += heads.heads * model.attention_sinks
    if biases:
        tensors.append(WeightTensor("bias", layer, biases, 1))
    if model.qk_norm:
        tensors.append(WeightTensor("norm", layer, heads.key_dim, 2 if k_width else 1))
    if model.qk_norm_over_heads:
        tensors.append(WeightTensor("norm", layer, q_width + k_width, 1))
    return tensors


def _shared_attention_tensors(model: Model, layer: int, mixer: str) -> list[WeightTensor]:
    """Return the tensors of DeepSeek V4's attention, and of what compresses its keys.

    Notes
    -----
    Source: ``inference/model.py`` of deepseek-ai/DeepSeek-V4-Flash.
    """
    hidden, head = model.hidden_size, model.head_dim
    q_width = model.attention_heads * head
    tensors = [
        WeightTensor("attn_q_a", layer, hidden, model.q_lora_rank),
        WeightTensor("norm", layer, model.q_lora_rank, 1),
        WeightTensor("attn_q_b", layer, model.q_lora_rank, q_width),
        WeightTensor("attn_kv", layer, hidden, head),
        WeightTensor("norm", layer, head, 1),
        WeightTensor("attn_output_a", layer, q_width // model.o_groups, model.o_lora_rank, model.o_groups),
        WeightTensor("attn_output_b", layer, model.o_groups * model.o_lora_rank, hidden),
    ]
    if model.attention_sinks:
        tensors.append(WeightTensor("bias", layer, model.attention_heads, 1))
    if mixer in COMPRESSED_TOKENS:
        tensors += _compressor_tensors(model, layer, mixer, head)
    return tensors


def _compressor_tensors(model: Model, layer: int, mixer: str, width: int) -> list[WeightTensor]:
    """Return what makes one vector of several: values, weights, and a weight per place.

    Groups that are chosen from overlap, and so each token counts in two.
    """
    columns = 2 * width if mixer == "Q" else width
    return [
        WeightTensor("attn_compressor", layer, model.hidden_size, columns, 2),
        WeightTensor("bias", layer, columns, COMPRESSED_TOKENS[mixer]),
        WeightTensor("norm", layer, width, 1),
    ]


def _indexer_tensors(model: Model, layer: int) -> list[WeightTensor]:
    """Return the tensors by which sparse attention chooses what to read.

    With compressed keys and values, DeepSeek's way, a weight per head sums
    up what its heads say.
    """
    hidden, width = model.hidden_size, model.index_head_dim
    tensors = [WeightTensor("indexer_q_b", layer, model.q_lora_rank or hidden, model.index_heads * width)]
    if model.attention_kind in ("mla", "shared"):
        tensors.append(WeightTensor("indexer_proj", layer, hidden, model.index_heads))
    if model.attention_kind == "shared":
        return [*tensors, *_compressor_tensors(model, layer, "Q", width)]
    # A scale and a bias of the norm of the key, or the norms of query and key.
    return [*tensors, WeightTensor("indexer_k", layer, hidden, width), WeightTensor("norm", layer, width, 2)]


def _linear_attention_tensors(model: Model, layer: int, mixer: str) -> list[WeightTensor]:
    """Return the tensors of a gated delta rule: Gated DeltaNet ("L"), or Kimi Delta Attention ("K").

    Of the latter, decay and gate are of rank `state_head_dim`, and the decay
    is one number per channel instead of one per head.
    """
    hidden, heads, head = model.hidden_size, model.state_heads, model.state_head_dim
    width = heads * head
    tensors = [WeightTensor("attn_qkv", layer, hidden, convolved_values(model))]
    if mixer == "L":
        tensors += [
            WeightTensor("attn_gate", layer, hidden, width),
            WeightTensor("ssm_beta", layer, hidden, heads),
            WeightTensor("ssm_alpha", layer, hidden, heads),
            WeightTensor("bias", layer, 2 * heads, 1),
        ]
    else:
        tensors += [
            WeightTensor("ssm_f_a", layer, hidden, head),
            WeightTensor("ssm_f_b", layer, head, width),
            WeightTensor("ssm_g_a", layer, hidden, head),
            WeightTensor("ssm_g_b", layer, head, width),
            WeightTensor("ssm_beta", layer, hidden, heads),
            WeightTensor("bias", layer, heads + width, 1),
        ]
    return [
        *tensors,
        WeightTensor("conv", layer, model.conv_kernel, convolved_values(model)),
        WeightTensor("norm", layer, head, 1),
        WeightTensor("ssm_out", layer, width, hidden),
    ]


def _state_space_tensors(model: Model, layer: int) -> list[WeightTensor]:
    """Return the tensors of Mamba-2: a decay, a skip and a bias of the time step per head."""
    hidden, convolved = model.hidden_size, convolved_values(model)
    width = model.state_heads * model.state_head_dim
    return [
        WeightTensor("ssm_in", layer, hidden, convolved + width + model.state_heads),
        WeightTensor("conv", layer, model.conv_kernel, convolved),
        WeightTensor("bias", layer, convolved + 3 * model.state_heads, 1),
        WeightTensor("norm", layer, width, 1),
        WeightTensor("ssm_out", layer, width, hidden),
    ]


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


def _mlp_tensors(model: Model, layer: int, kind: str) -> list[WeightTensor]:
    tensors: list[WeightTensor] = []
    if kind in ("D", "2", "B"):
        width = model.intermediate_size * (2 if kind == "2" else 1)
        tensors += _ffn_tensors(model, layer, model.hidden_size, width, "", bias=model.mlp_bias)
    if kind in ("E", "B"):
        tensors += _expert_tensors(model, layer)
    return tensors


def _ffn_tensors(
    model: Model, layer: int, hidden: int, width: int, suffix: str, *, bias: bool, copies: int = 1
) -> list[WeightTensor]:
    inner = 1 if model.mlp_kind in ("gelu2", "relu2") else 2
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
    hidden, width, experts = model.hidden_size, model.moe_intermediate_size, model.experts
    tensors = [WeightTensor("router", layer, hidden, experts)]
    if model.router_bias:
        tensors.append(WeightTensor("bias", layer, experts, 1))
    inner = model.moe_latent_size or hidden
    tensors += _ffn_tensors(model, layer, inner, width, "_exps", bias=model.expert_bias, copies=experts)
    if model.moe_latent_size:
        tensors.append(WeightTensor("ffn_latent_down", layer, hidden, inner))
        tensors.append(WeightTensor("ffn_latent_up", layer, inner, hidden))
    shared = model.shared_expert_intermediate_size or model.shared_experts * model.moe_intermediate_size
    if shared:
        tensors += _ffn_tensors(model, layer, hidden, shared, "_shexp", bias=model.mlp_bias)
    if model.shared_expert_gate:
        tensors.append(WeightTensor("router", layer, hidden, 1))
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
    if model.stated_parameters:
        return model.stated_parameters
    return model.other_parameters + sum(tensor.parameters for tensor in weight_tensors(model))


@lru_cache(maxsize=256)
def active_parameters(model: Model) -> float:
    """Count the parameters that one token is multiplied with.

    Everything but embeddings, of which one row is looked up, and but the
    experts that the router leaves out.  A tied embedding counts, as it is the
    output matrix.

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
    if model.stated_parameters:
        return model.stated_active_parameters or model.stated_parameters
    share = model.experts_per_token / model.experts if model.experts else 1.0
    active = 0
    for tensor in weight_tensors(model):
        if tensor.is_routed:
            active += round(tensor.parameters * share)
        elif not is_looked_up(tensor, model):
            active += tensor.parameters
    return active


@lru_cache(maxsize=256)
def routed_parameters(model: Model) -> int:
    """Count the parameters of all routed experts of all layers.

    Examples
    --------
    >>> routed_parameters(Model(id="m", layers=2, hidden_size=8, attention_heads=1, kv_heads=1, head_dim=8,
    ...     moe_intermediate_size=4, experts=16, experts_per_token=2, vocab_size=10))
    3072
    """
    return sum(tensor.parameters for tensor in weight_tensors(model) if tensor.is_routed)


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
