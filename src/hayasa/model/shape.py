"""The shape of a language model: all that the estimate knows of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from ..errors import InvalidValueError, require_choice, require_integer, require_non_negative, require_positive, shown
from ..names import hash_of_id

ATTENTION_KINDS = ("mha", "gqa", "mqa", "mla", "shared")
MLP_KINDS = ("swiglu", "geglu", "gelu2", "relu2")

MIXERS: dict[str, str] = {
    "A": "文脈の全体を見る注意機構",
    "W": "窓の中だけを見る注意機構",
    "a": "前の層の KV を使い、文脈の全体を見る注意機構",
    "w": "前の層の KV を使い、窓の中だけを見る注意機構",
    "I": "見るトークンを選ぶ注意機構",
    "R": "前の層が選んだトークンだけを見る注意機構",
    "Q": "4 トークンずつに圧縮し、見るものを選ぶ注意機構",
    "Z": "128 トークンずつに圧縮する注意機構",
    "L": "線形の注意機構 (Gated DeltaNet)",
    "K": "線形の注意機構 (Kimi Delta Attention)",
    "M": "状態空間モデル (Mamba-2)",
    "C": "短い畳み込み",
    "-": "なし",
}
"""How a layer brings in other tokens, by the letter of `Model.mixer_pattern`."""

ATTENTION_MIXERS = ("A", "W", "a", "w", "I", "R", "Q", "Z")
"""The mixers that keep something of every token they look back on."""

STATE_MIXERS = ("L", "K", "M")
"""The mixers whose memory is a state of fixed size."""

MLPS = ("D", "2", "E", "B", "-")
"""Feed-forward parts, by the letter of `Model.mlp_pattern`.

Dense; dense of twice the width; a mixture of experts; both, side by side; none.
"""

_MAY_BE_ABSENT = (
    "q_lora_rank",
    "qk_rope_head_dim",
    "v_head_dim",
    "sliding_window",
    "shared_experts",
    "shared_expert_intermediate_size",
    "window_attention_heads",
    "window_kv_heads",
    "window_head_dim",
    "attention_gate_dim",
    "index_pool",
    "moe_latent_size",
    "per_layer_embedding_size",
    "further_parameters",
    "other_parameters",
    "mtp_layers",
)
"""Counts and widths that are 0 where a model has no such thing."""


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
    attention_kind : {"mha", "gqa", "mqa", "mla", "shared"}
        How keys and values are stored; ``"shared"`` is one vector that is key
        and value of every head.
    q_lora_rank, kv_lora_rank, qk_nope_head_dim, qk_rope_head_dim : int
        Dimensions of multi-head latent attention (MLA).
    sliding_window : int
        Tokens that a sliding-window layer looks back; 0 without such layers.
    sliding_window_layers : int
        How many layers use the window, if `mixer_pattern` does not say which.
    mlp_kind : {"swiglu", "geglu", "gelu2", "relu2"}
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
    stated_parameters, stated_active_parameters : float
        Number of parameters, and of those that one token uses, where they are
        known better than from the shape: of a model whose shape is not given, or
        of a file that lists its tensors.  0 active ones means all.
    notes : tuple of str
        What to know about it, in Japanese; every estimate repeats it.
    usual_format : str
        Id of the weight format that the model is published in, where that is
        not 16 bits.
    mixer_pattern, mlp_pattern : str
        What each layer is made of, one letter of `MIXERS` and one of `MLPS`
        per layer, repeated over the layers: ``"LLLA"`` is three layers of
        linear attention before each one of full attention.  Empty where the
        numbers of windowed and of dense layers say it all.
    window_attention_heads, window_kv_heads, window_head_dim : int
        Heads of layers with a window; 0 means as in the others.
    v_head_dim : int
        Width of a value; 0 means `head_dim`.
    keys_are_values : bool
        Whether layers that see the whole context project keys only, and make
        the values from them too.
    attention_gate_dim : int
        Numbers per head that gate its output; 0 without a gate.
    qk_norm_over_heads : bool
        Whether queries and keys are normalized over all heads together.
    o_lora_rank : int
        Rank of each group's output projection, with ``"shared"`` keys and values.
    o_groups : int
        Groups of heads that are projected apart there.
    index_heads, index_head_dim, index_top_k : int
        Heads of the indexer that chooses what sparse attention reads, their
        width, and how many cached entries it chooses.
    index_pool : int
        Tokens that one entry of the index stands for; 0 means each its own.
    state_heads, state_head_dim, state_groups, state_dim : int
        Recurrent state: per head a matrix of `state_head_dim` (of a value) by
        `state_dim` (of a key); keys and queries come in `state_groups`.
    conv_kernel : int
        Tokens that the convolution before a state spans.
    moe_latent_size : int
        Width that routed experts work in, if it is not `hidden_size`.
    shared_expert_gate : bool
        Whether a gate weighs the shared experts.
    per_layer_embedding_size : int
        Width of the embedding that each layer looks up for itself; 0 without.
    further_parameters : int
        Parameters that every token is multiplied with and that no field here describes.
    mtp_layers : int
        Layers for multi-token prediction that come with the model and propose
        tokens; plain decoding does not read them.

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
    stated_active_parameters: float = 0.0
    notes: tuple[str, ...] = ()
    usual_format: str = ""
    mixer_pattern: str = ""
    mlp_pattern: str = ""
    window_attention_heads: int = 0
    window_kv_heads: int = 0
    window_head_dim: int = 0
    keys_are_values: bool = False
    attention_gate_dim: int = 0
    qk_norm_over_heads: bool = False
    o_lora_rank: int = 0
    o_groups: int = 0
    index_heads: int = 0
    index_head_dim: int = 0
    index_top_k: int = 0
    index_pool: int = 0
    state_heads: int = 0
    state_head_dim: int = 0
    state_groups: int = 0
    state_dim: int = 0
    conv_kernel: int = 0
    moe_latent_size: int = 0
    shared_expert_gate: bool = False
    per_layer_embedding_size: int = 0
    further_parameters: int = 0
    mtp_layers: int = 0

    def __post_init__(self) -> None:
        if self.layers:
            require_non_negative("stated_parameters", self.stated_parameters, maximum=1e16)
        else:
            require_positive("stated_parameters", self.stated_parameters, maximum=1e16)
        require_non_negative("stated_active_parameters", self.stated_active_parameters, maximum=1e16)
        if self.stated_active_parameters > self.stated_parameters:
            raise InvalidValueError(
                f"stated_active_parameters は stated_parameters の {self.stated_parameters:g} 以下で"
                f"指定してください（与えられた値: {shown(self.stated_active_parameters)}）。"
            )
        if not self.layers:
            return
        require_choice("attention_kind", self.attention_kind, ATTENTION_KINDS)
        require_choice("mlp_kind", self.mlp_kind, MLP_KINDS)
        for name in ("layers", "hidden_size", "attention_heads", "vocab_size"):
            require_integer(name, getattr(self, name), 1, 10**8)
        for name in _MAY_BE_ABSENT:
            require_integer(name, getattr(self, name), 0, 10**15)
        if self.attention_kind == "mla":
            for name in ("kv_lora_rank", "qk_nope_head_dim", "v_head_dim"):
                require_integer(name, getattr(self, name), 1, 10**6)
        else:
            for name in ("kv_heads", "head_dim"):
                require_integer(name, getattr(self, name), 1, 10**6)
        if self.attention_kind == "shared":
            for name in ("q_lora_rank", "o_lora_rank", "o_groups"):
                require_integer(name, getattr(self, name), 1, 10**6)
        self._check_patterns()
        self._check_feed_forward()
        self._check_mixers()

    def _check_patterns(self) -> None:
        for name, known in (("mixer_pattern", tuple(MIXERS)), ("mlp_pattern", MLPS)):
            pattern: str = getattr(self, name)
            if not isinstance(pattern, str):
                raise InvalidValueError(f"{name} は文字列で指定してください（与えられた値: {shown(pattern)}）。")
            if len(pattern) > self.layers:
                raise InvalidValueError(
                    f"{name} は {self.layers} 文字まで（layers と同じ）です。{len(pattern)} 文字あります。"
                )
            for letter in pattern:
                require_choice(name, letter, known)
        windowed = 0 if self.mixer_pattern else self.layers
        require_integer("sliding_window_layers", self.sliding_window_layers, 0, windowed)

    def _check_feed_forward(self) -> None:
        require_integer("experts", self.experts, 0, 10**5)
        if self.experts:
            require_integer("experts_per_token", self.experts_per_token, 1, self.experts)
            require_integer("moe_intermediate_size", self.moe_intermediate_size, 1, 10**8)
            require_integer("dense_layers", self.dense_layers, 0, self.layers)
        kinds = self.layer_mlps
        if "D" in kinds or "2" in kinds or "B" in kinds:
            require_integer("intermediate_size", self.intermediate_size, 1, 10**8)
        if "E" in kinds or "B" in kinds:
            require_integer("experts", self.experts, 1, 10**5)

    def _check_mixers(self) -> None:
        kinds = self.layer_mixers
        needed = {
            "sliding_window": ("W", "w", "Q", "Z"),
            "index_heads": ("I", "Q"),
            "index_head_dim": ("I", "Q"),
            "index_top_k": ("I", "R", "Q"),
            "state_heads": STATE_MIXERS,
            "state_head_dim": STATE_MIXERS,
            "state_groups": STATE_MIXERS,
            "state_dim": STATE_MIXERS,
            "conv_kernel": (*STATE_MIXERS, "C"),
        }
        for name, mixers in needed.items():
            if any(kind in mixers for kind in kinds):
                require_integer(name, getattr(self, name), 1, 10**8)

    __hash__ = hash_of_id

    @property
    def has_shape(self) -> bool:
        """Whether the layers are known, not only the number of parameters."""
        return self.layers > 0

    @property
    def layer_mixers(self) -> tuple[str, ...]:
        """Letter of `MIXERS` of each layer."""
        windowed = self.sliding_window_layers
        return _repeated(self.mixer_pattern, self.layers, "W", windowed, "A")

    @property
    def layer_mlps(self) -> tuple[str, ...]:
        """Letter of `MLPS` of each layer."""
        dense = self.dense_layers if self.experts else self.layers
        return _repeated(self.mlp_pattern, self.layers, "D", dense, "E")

    @property
    def has_new_mixers(self) -> bool:
        """Whether layers choose or compress what they look back on: few such models were measured."""
        return any(letter in "IRQZ" for letter in self.mixer_pattern)

    @property
    def has_experts(self) -> bool:
        """Whether a token uses a part of the parameters only."""
        active = self.stated_active_parameters
        return self.experts > 0 or 0 < active < self.stated_parameters

    @property
    def moe_layers(self) -> int:
        """Layers whose feed-forward part is a mixture of experts."""
        return sum(1 for kind in self.layer_mlps if kind in ("E", "B"))

    @property
    def full_attention_layers(self) -> int:
        """Layers that look at the whole context."""
        return sum(1 for kind in self.layer_mixers if kind in ("A", "a"))

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


def _repeated(pattern: str, layers: int, first: str, firsts: int, other: str) -> tuple[str, ...]:
    """Return the letter of each layer; without a pattern, so many of the first and then the other."""
    letters = pattern or first * int(firsts) + other * int(layers - firsts)
    return tuple(letters[layer % len(letters)] for layer in range(int(layers)))


class Heads(NamedTuple):
    """The heads of one layer's attention.

    Parameters
    ----------
    heads, kv_heads : int
        Of queries, and of keys and values.
    key_dim, value_dim : int
        Width of a query or key, and of a value.
    """

    heads: int
    kv_heads: int
    key_dim: int
    value_dim: int


def heads_of(model: Model, mixer: str) -> Heads:
    """Return the heads of the layers with a mixer, one of `ATTENTION_MIXERS`.

    Examples
    --------
    >>> gemma = Model(id="g", layers=6, hidden_size=3840, attention_heads=16, kv_heads=1, head_dim=512,
    ...               intermediate_size=15360, vocab_size=262144, mixer_pattern="WWWWWA",
    ...               sliding_window=1024, window_kv_heads=8, window_head_dim=256)
    >>> heads_of(gemma, "A")
    Heads(heads=16, kv_heads=1, key_dim=512, value_dim=512)
    >>> heads_of(gemma, "W")
    Heads(heads=16, kv_heads=8, key_dim=256, value_dim=256)
    """
    heads, kv_heads, head_dim = model.attention_heads, model.kv_heads, model.head_dim
    if mixer in ("W", "w"):
        heads = model.window_attention_heads or heads
        kv_heads = model.window_kv_heads or kv_heads
        head_dim = model.window_head_dim or head_dim
    return Heads(heads, kv_heads, head_dim, model.v_head_dim or head_dim)
