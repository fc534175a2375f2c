"""The shape of a language model: all that the estimate knows of it."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import InvalidValueError, require_choice, require_integer, require_positive
from ..names import hash_of_id

ATTENTION_KINDS = ("mha", "gqa", "mqa", "mla")
MLP_KINDS = ("swiglu", "geglu", "gelu2")


@dataclass(frozen=True, kw_only=True)
class Model:
    """The shape of a decoder-only transformer.

    Parameters
    ----------
    id : str
        Short name.
    name : str
        Name as its makers write it.
    family, gguf_architecture : str
        Architecture family, and how GGUF files call it, such as ``"llama"``.
    layers : int
        Transformer blocks; 0 means that only the number of parameters is known.
    hidden_size : int
        Width of the residual stream.
    attention_heads, kv_heads : int
        Query heads, and key/value heads, per layer.
    head_dim : int
        Width of one head.
    intermediate_size : int
        Width of the feed-forward part in dense layers.
    moe_intermediate_size : int
        Width of one expert; 0 in dense models.
    experts, experts_per_token : int
        Routed experts per layer, and how many of them each token uses.
    shared_experts : int
        Experts that every token uses.
    shared_expert_intermediate_size : int
        Total width of the shared experts; 0 means
        ``shared_experts * moe_intermediate_size``.
    dense_layers : int
        How many first layers of a mixture of experts are dense.
    vocab_size : int
        Rows of the embedding.
    tied_embeddings : bool
        Whether input and output embedding are one matrix.
    qkv_bias, o_bias : bool
        Whether the attention projections have biases.
    qk_norm : bool
        Whether queries and keys are normalized per head.
    attention_kind : {"mha", "gqa", "mqa", "mla"}
        How keys and values are stored.
    q_lora_rank, kv_lora_rank, qk_nope_head_dim, qk_rope_head_dim, v_head_dim : int
        Dimensions of multi-head latent attention (MLA).
    sliding_window : int
        Tokens that a sliding-window layer looks back; 0 without such layers.
    sliding_window_layers : int
        How many layers use the window.
    mlp_kind : {"swiglu", "geglu", "gelu2"}
        Gated (three matrices) or plain (two matrices) feed-forward part.
    fused_projections : bool
        Whether query, key and value, and gate and up, are stored as one matrix each.
    norms_per_layer : int
        Normalizations over the hidden size per layer.
    mlp_bias, router_bias, expert_bias : bool
        Whether the feed-forward part, the router, the experts have biases.
    attention_sinks : bool
        Whether each head has a learned sink.
    other_parameters : int
        Parameters of the published total that decoding never reads, such as a
        vision tower or layers for multi-token prediction.
    context_length_max : int
        Longest context the makers state; 0 if unknown.
    stated_parameters : float
        Number of parameters, for a model whose shape is not given.
    usual_format : str
        Id of the weight format that the model is published in, where that is
        not 16 bits.

    Raises
    ------
    InvalidValueError
        If a size is impossible.

    Examples
    --------
    The article's model is a bare number of parameters:

    >>> Model(id="7b", stated_parameters=7e9).has_shape
    False
    """

    id: str
    name: str = ""
    family: str = ""
    gguf_architecture: str = ""
    layers: int = 0
    hidden_size: int = 0
    attention_heads: int = 0
    kv_heads: int = 0
    head_dim: int = 0
    intermediate_size: int = 0
    moe_intermediate_size: int = 0
    experts: int = 0
    experts_per_token: int = 0
    shared_experts: int = 0
    shared_expert_intermediate_size: int = 0
    dense_layers: int = 0
    vocab_size: int = 0
    tied_embeddings: bool = False
    qkv_bias: bool = False
    o_bias: bool = False
    qk_norm: bool = False
    attention_kind: str = "gqa"
    q_lora_rank: int = 0
    kv_lora_rank: int = 0
    qk_nope_head_dim: int = 0
    qk_rope_head_dim: int = 0
    v_head_dim: int = 0
    sliding_window: int = 0
    sliding_window_layers: int = 0
    mlp_kind: str = "swiglu"
    fused_projections: bool = False
    norms_per_layer: int = 2
    mlp_bias: bool = False
    router_bias: bool = False
    expert_bias: bool = False
    attention_sinks: bool = False
    other_parameters: int = 0
    context_length_max: int = 0
    stated_parameters: float = 0.0
    usual_format: str = ""

    def __post_init__(self) -> None:
        if not self.layers:
            require_positive("stated_parameters", self.stated_parameters, maximum=1e16)
            return
        require_choice("attention_kind", self.attention_kind, ATTENTION_KINDS)
        require_choice("mlp_kind", self.mlp_kind, MLP_KINDS)
        for name in ("layers", "hidden_size", "attention_heads", "vocab_size"):
            require_integer(name, getattr(self, name), 1, 10**8)
        if self.attention_kind == "mla":
            for name in ("kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim"):
                require_integer(name, getattr(self, name), 1, 10**6)
        else:
            for name in ("kv_heads", "head_dim"):
                require_integer(name, getattr(self, name), 1, 10**6)
        self._check_feed_forward()
        require_integer("sliding_window_layers", self.sliding_window_layers, 0, self.layers)

    def _check_feed_forward(self) -> None:
        require_integer("experts", self.experts, 0, 10**5)
        if self.experts:
            require_integer("experts_per_token", self.experts_per_token, 1, self.experts)
            require_integer("moe_intermediate_size", self.moe_intermediate_size, 1, 10**8)
            require_integer("dense_layers", self.dense_layers, 0, self.layers)
        if not self.experts or self.dense_layers:
            require_integer("intermediate_size", self.intermediate_size, 1, 10**8)

    __hash__ = hash_of_id

    @property
    def has_shape(self) -> bool:
        """Whether the layers are known, not only the number of parameters."""
        return self.layers > 0

    @property
    def moe_layers(self) -> int:
        """Layers whose feed-forward part is a mixture of experts."""
        return self.layers - self.dense_layers if self.experts else 0

    @property
    def full_attention_layers(self) -> int:
        """Layers that look at the whole context."""
        return self.layers - self.sliding_window_layers

    def require_shape(self, purpose: str) -> None:
        """Raise unless the layers are known.

        Parameters
        ----------
        purpose : str
            What they are needed for, in Japanese.

        Raises
        ------
        InvalidValueError
            If only the number of parameters is known.
        """
        if not self.has_shape:
            raise InvalidValueError(
                f"model {self.id!r} はパラメータ数しか分からないため、{purpose}を計算できません。"
                "layers などの形を指定した Model を渡してください。"
            )
