"""Weight formats, and the bytes that a model's weights take and are read.

A GGUF file mixes block types: the format says which tensor gets which, so
that the bytes of a file follow from the model's shape instead of from an
average.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from ..errors import require_integer, require_positive
from ..names import hash_of_id
from .shape import Model
from .tensors import WeightTensor, active_parameters, experts_touched, is_looked_up, weight_tensors


class BlockType(NamedTuple):
    """How a block of weights is packed.

    Parameters
    ----------
    id : str
        Short name, such as ``"q4_k"``.
    block_weights : int
        Weights in a block; the rows of a tensor are whole blocks.
    bits_per_weight : float
        Bits per weight, the block's scales included.
    fallback : BlockType or None
        What is used where a row is no whole number of blocks.

    Examples
    --------
    >>> q5_0 = BlockType("q5_0", 32, 5.5)
    >>> BlockType("q4_k", 256, 4.5, q5_0).for_rows_of(896).id
    'q5_0'
    """

    id: str
    block_weights: int
    bits_per_weight: float
    fallback: BlockType | None = None

    def for_rows_of(self, columns: int) -> BlockType:
        """Return itself, or the fallback if rows of `columns` are not whole blocks."""
        if columns % self.block_weights and self.fallback:
            return self.fallback.for_rows_of(columns)
        return self


class TensorRule(NamedTuple):
    """Which block type a tensor of some role is stored in.

    Parameters
    ----------
    role : str
        Tensor role, as in `hayasa.models.WeightTensor`; ``"default"`` for
        every matrix that no other rule names.
    when : str
        Which models it holds for, one of `CONDITIONS`.
    layers : str
        Which layers it holds for, one of `LAYERS`.
    block : BlockType
        The type.
    """

    role: str
    when: str
    layers: str
    block: BlockType


class WeightBytes(NamedTuple):
    """Bytes of a model's weights, sorted by when they are read.

    Parameters
    ----------
    embedding_bytes : float
        What lies in memory and is not read: embeddings, of which a token looks
        up one row (an input embedding that is also the output matrix is none),
        and layers that plain decoding leaves alone.
    embedding_row_bytes : float
        One row of each.
    shared_bytes : float
        Read once in every step, whatever the batch.
    routed_bytes_per_expert : float
        One routed expert, summed over all layers.
    experts, experts_per_token : int
        Routed experts per layer, and how many a token uses.
    """

    embedding_bytes: float
    embedding_row_bytes: float
    shared_bytes: float
    routed_bytes_per_expert: float
    experts: int
    experts_per_token: int

    @property
    def resident_bytes(self) -> float:
        """All of them: what has to lie in memory."""
        return self.embedding_bytes + self.shared_bytes + self.routed_bytes_per_expert * self.experts

    def read_bytes(self, batch_size: int) -> float:
        """Return what one decode step reads for so many sequences."""
        return self.shared_bytes + self.routed_read_bytes(batch_size) + self.embedding_row_bytes * batch_size

    def routed_read_bytes(self, batch_size: int) -> float:
        """Return what of that are experts that a token has of its own."""
        if not self.experts:
            return 0.0
        return self.routed_bytes_per_expert * experts_touched(self.experts, self.experts_per_token, batch_size)


@dataclass(frozen=True, kw_only=True)
class WeightFormat:
    """How weights are stored, and what they are multiplied in.

    Parameters
    ----------
    id : str
        Short name, such as ``"q4_k_m"``.
    name : str
        Name as it is usually written.
    kind : str
        ``"plain"`` (every weight the same bits, as the article counts),
        ``"file"`` (a GGUF file, which mixes block types) or ``"group"``
        (a scale per group of weights).
    bits_per_weight : float
        Bits per weight, scales included, of the bulk of the tensors.
    compute_format : str
        Number format of the multiplication, one of `hayasa.devices.PEAK_FORMATS`.
    rules : tuple of TensorRule
        Roles that are stored otherwise.
    packing : str
        How a file packs them, which decides the engines that read it, such as
        ``"gguf"`` or ``"awq"``; several are joined by ``|``; empty for plain
        numbers, which every engine takes.
    elsewhere : str
        Id of the format that the same word means to engines that do not read
        this packing; empty if it means nothing there.
    spread : float
        How far files of this name differ from `bits_per_weight`, as a share of
        it: mixes that are made for each model anew.
    stored : WeightBytes or None
        The bytes of one file, where it was looked into: then they count for
        whatever model is stored so.

    Raises
    ------
    InvalidValueError
        If `bits_per_weight` is not positive, or above 64.

    Examples
    --------
    >>> WeightFormat(id="q4_0", bits_per_weight=4.5).bytes_per_weight
    0.5625
    """

    id: str
    name: str = ""
    kind: str = "plain"
    bits_per_weight: float
    compute_format: str = "fp16"
    rules: tuple[TensorRule, ...] = ()
    packing: str = ""
    elsewhere: str = ""
    spread: float = 0.0
    stored: WeightBytes | None = None

    def __post_init__(self) -> None:
        require_positive("bits_per_weight", self.bits_per_weight, maximum=64)

    __hash__ = hash_of_id

    @property
    def bytes_per_weight(self) -> float:
        """Bytes per weight of the bulk of the tensors."""
        return self.bits_per_weight / 8

    @property
    def bytes_per_cached_value(self) -> float:
        """Bytes of a key or a value that is kept so: a file's average also counts what is kept better.

        Examples
        --------
        >>> q4_0 = BlockType("q4_0", 32, 4.5)
        >>> cache = WeightFormat(id="q4_0", kind="file", bits_per_weight=4.6358,
        ...                      rules=(TensorRule("default", "always", "all", q4_0),))
        >>> cache.bytes_per_cached_value
        0.5625
        """
        for rule in self.rules:
            if rule.role == "default":
                return rule.block.bits_per_weight / 8
        return self.bytes_per_weight


def use_more_bits(layer: int, layers: int) -> bool:
    """Whether llama.cpp's mixes give this layer the better block type.

    Notes
    -----
    Source: ggml-org/llama.cpp, ``use_more_bits`` of the quantizer.

    Examples
    --------
    >>> [layer for layer in range(32) if use_more_bits(layer, 32)]
    [0, 1, 2, 3, 6, 9, 12, 15, 18, 21, 24, 27, 28, 29, 30, 31]
    """
    first = layers // 8
    return layer < first or layer >= 7 * layers // 8 or (layer - first) % 3 == 2


LAYERS: dict[str, Callable[[int, int], bool]] = {
    "all": lambda layer, layers: True,
    "more_bits": use_more_bits,
    "first_2": lambda layer, layers: layer < 2,
    "first_4": lambda layer, layers: layer < 4,
    "first_eighth": lambda layer, layers: layer < layers // 8,
    "first_sixteenth": lambda layer, layers: layer < layers // 16,
    "middle_three_quarters": lambda layer, layers: layers // 8 <= layer < 7 * layers // 8,
}
"""Whether a rule holds for a layer, by the rule's word."""

CONDITIONS: dict[str, Callable[[Model], bool]] = {
    "always": lambda model: True,
    "tied": lambda model: model.tied_embeddings,
    "experts_eq_8": lambda model: model.experts == 8,
    "experts_ge_4": lambda model: model.experts >= 4,
    "gqa_ge_4": lambda model: model.attention_heads >= 4 * (model.kv_heads or 1),
    "llama_70b": lambda model: (
        model.layers == 80 and model.gguf_architecture in ("llama", "qwen2") and model.kv_heads < model.attention_heads
    ),
}
"""Whether a rule holds for a model, by the rule's word."""


KEPT_BITS = {"router": 32.0, "conv": 32.0, "per_layer_model_proj": 16.0, "further": 16.0}
"""Bits per weight that GGUF files keep for matrices too small to quantize, by their role."""


def tensor_bytes(tensor: WeightTensor, model: Model, weights: WeightFormat) -> float:
    """Bytes of one tensor, all copies together.

    The first rule counts that names the tensor's role (or the role that it
    is a kind of: an expert's without the suffix, for instance) and holds for
    model and layer; then the ``default`` rule; else
    `WeightFormat.bits_per_weight`.  Norms, biases and what `KEPT_BITS` names
    are too small to quantize.

    Examples
    --------
    >>> llama = Model(id="l2", layers=32, hidden_size=4096, attention_heads=32, kv_heads=32,
    ...               head_dim=128, intermediate_size=11008, vocab_size=32000)
    >>> q4_0 = WeightFormat(id="q4_0", bits_per_weight=4.5)
    >>> tensor_bytes(WeightTensor("attn_q", 0, 4096, 4096), llama, q4_0) / 2**20
    9.0
    """
    bits = weights.bits_per_weight
    if not tensor.is_matrix or tensor.role in KEPT_BITS:
        kept = KEPT_BITS.get(tensor.role, 32.0) if weights.kind == "file" else 16.0
        bits = max(bits, kept)
    else:
        rule = _rule_for(tensor, model, weights)
        if rule:
            bits = rule.block.for_rows_of(tensor.columns).bits_per_weight
    return tensor.parameters * bits / 8


def _rule_for(tensor: WeightTensor, model: Model, weights: WeightFormat) -> TensorRule | None:
    per_layer = tensor.role == "per_layer_token_embd"
    base = "token_embd" if per_layer else tensor.role.removesuffix("_exps").removesuffix("_shexp")
    for role in (tensor.role, base, "default"):
        for rule in weights.rules:
            if (
                rule.role == role
                and CONDITIONS[rule.when](model)
                and (rule.layers == "all" or LAYERS[rule.layers](tensor.layer, model.layers))
            ):
                return rule
    return None


@lru_cache(maxsize=4096)
def weight_bytes(model: Model, weights: WeightFormat) -> WeightBytes:
    """Bytes of a model's weights in a format.

    Examples
    --------
    The article's model: 7e9 weights of half a byte.

    >>> int4 = WeightFormat(id="int4", bits_per_weight=4)
    >>> weight_bytes(Model(id="7b", stated_parameters=7e9), int4).read_bytes(1)
    3500000000.0
    """
    if weights.stored:
        return weights.stored
    if not model.has_shape:
        read = active_parameters(model) * weights.bytes_per_weight
        everything = model.stated_parameters * weights.bytes_per_weight
        return WeightBytes(everything - read, 0.0, read, 0.0, 0, 0)
    return bytes_of_tensors(model, weights, weight_tensors(model))


def bytes_of_tensors(model: Model, weights: WeightFormat, tensors: Iterable[WeightTensor]) -> WeightBytes:
    """Bytes of some of a model's tensors in a format.

    Examples
    --------
    >>> llama = Model(id="l2", layers=32, hidden_size=4096, attention_heads=32, kv_heads=32,
    ...               head_dim=128, intermediate_size=11008, vocab_size=32000)
    >>> q4_0 = WeightFormat(id="q4_0", bits_per_weight=4.5)
    >>> bytes_of_tensors(llama, q4_0, [WeightTensor("attn_q", 0, 4096, 4096)]).shared_bytes / 2**20
    9.0
    """
    embedding = embedding_row = shared = routed = 0.0
    for tensor in tensors:
        n_bytes = tensor_bytes(tensor, model, weights)
        if is_looked_up(tensor, model):
            embedding += n_bytes
            embedding_row += n_bytes / tensor.rows
        elif tensor.is_routed:
            routed += n_bytes
        else:
            shared += n_bytes
    return WeightBytes(
        embedding_bytes=embedding,
        embedding_row_bytes=embedding_row,
        shared_bytes=shared,
        routed_bytes_per_expert=routed / model.experts if model.experts else 0.0,
        experts=model.experts,
        experts_per_token=model.experts_per_token,
    )


def weight_bytes_resident(model: Model, weights: WeightFormat) -> float:
    """Bytes that all weights of a model take in memory.

    Parameters
    ----------
    model : Model
        Any model.
    weights : WeightFormat
        How it is stored.

    Returns
    -------
    float
        Bytes.

    Examples
    --------
    >>> int4 = WeightFormat(id="int4", bits_per_weight=4)
    >>> weight_bytes_resident(Model(id="7b", stated_parameters=7e9), int4)
    3500000000.0
    """
    return weight_bytes(model, weights).resident_bytes


def weight_bytes_per_step(model: Model, weights: WeightFormat, batch_size: int = 1) -> float:
    """Bytes of weights that one decode step reads.

    All matrices once, the experts that the batch touches, and one row of the
    input embedding per sequence.

    Parameters
    ----------
    model : Model
        Any model.
    weights : WeightFormat
        How it is stored.
    batch_size : int
        Sequences that advance by one token in the step.

    Returns
    -------
    float
        Bytes.

    Raises
    ------
    InvalidValueError
        If `batch_size` is no positive whole number.

    Examples
    --------
    >>> int4 = WeightFormat(id="int4", bits_per_weight=4)
    >>> weight_bytes_per_step(Model(id="7b", stated_parameters=7e9), int4, batch_size=8)
    3500000000.0
    """
    require_integer("batch_size", batch_size, 1, 10**9)
    return weight_bytes(model, weights).read_bytes(batch_size)
