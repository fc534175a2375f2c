"""The model in a GGUF file: its shape from the metadata, its bytes from the tensors."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

from ..catalog.gguf_files import format_of_block, format_of_file_type, models_of_architecture, models_of_file
from ..catalog.objects import get_weight_format, gguf_block_types
from ..errors import InvalidValueError, require_integer
from ..model.shape import Model
from ..model.weights import BlockType, WeightBytes, WeightFormat
from .gguf import GgufHeader, StoredTensor
from .kin import COMPRESSED, MOST_LAYERS, kin_among, mixers_of_kin, shared_kv, with_traits

MIXER_TENSORS: tuple[tuple[str, str], ...] = (
    ("indexer", "I"),
    ("ssm_f_a", "K"),
    ("ssm_beta", "L"),
    ("ssm_ba", "L"),
    ("ssm_in", "M"),
    ("shortconv", "C"),
    ("attn_output", "A"),
    ("attn_q", "A"),
)
"""The letter of `MIXERS` by the beginning of a tensor's name; the first that a layer has counts."""


def model_from_gguf(header: GgufHeader, name: str = "model.gguf") -> tuple[Model, WeightFormat]:
    """Return the model that a GGUF file holds, and how it is stored.

    Parameters
    ----------
    header : GgufHeader
        What stands before the weights, of all parts of the file.
    name : str
        What to call the model.

    Returns
    -------
    model : Model
        Its shape, and its parameters as the tensors count.  What the metadata
        does not say is taken from a listed model of the same architecture.
    weights : WeightFormat
        The format that the file names, with the bytes of its tensors.

    Raises
    ------
    InvalidValueError
        If the file holds no language model, or a size is missing or impossible.

    Examples
    --------
    >>> from hayasa.files.gguf import GgufHeader, StoredTensor
    >>> keys = {"general.architecture": "llama", "general.file_type": 1, "llama.block_count": 1,
    ...         "llama.embedding_length": 64, "llama.attention.head_count": 2}
    >>> shapes = {"token_embd": (64, 100), "blk.0.attn_q": (64, 64), "blk.0.ffn_down": (128, 64)}
    >>> tensors = tuple(StoredTensor(f"{name}.weight", shape, 1) for name, shape in shapes.items())
    >>> model, weights = model_from_gguf(GgufHeader(keys, {}, tensors, 0))
    >>> model.head_dim, weights.id, weights.stored.resident_bytes
    (32, 'f16', 37376.0)
    """
    architecture = header.metadata.get("general.architecture")
    if not isinstance(architecture, str):
        raise InvalidValueError("general.architecture が書かれていません。")
    if header.metadata.get("general.type", "model") != "model" or architecture == "clip":
        raise InvalidValueError("言語モデルではなく、画像の読み取りや追加学習の部品の GGUF ファイルです。")
    if not header.tensors:
        raise InvalidValueError("重みがありません（語彙だけのファイルです）。")
    keys = _keys(header, architecture)
    fields = _fields(keys)
    require_integer("block_count", fields["layers"], 1, MOST_LAYERS)
    layers, mtp = fields["layers"], fields["mtp_layers"]
    experts, used = fields["experts"], fields["experts_per_token"]
    stored, active = _stored(header.tensors, layers, experts, used)
    total = sum(tensor.parameters for tensor in header.tensors)
    alike = [model.id for model in models_of_file(architecture, total)]
    listed = [model.id for model, _ in models_of_architecture(architecture)]
    kin = kin_among(alike or listed, fields)
    notes: tuple[str, ...] = ()
    if kin is None:
        notes = (
            f"構造 {architecture!r} は登録がないため、ファイルに書かれていないことは Llama と同じとみなしました。",
        )
    fields |= _attention(keys, kin, layers)
    model = with_traits(
        kin,
        {
            **fields,
            "id": name,
            "name": name,
            "gguf_architecture": architecture,
            "mtp_layers": mtp,
            "stated_parameters": float(total),
            "stated_active_parameters": float(active),
            "notes": notes,
        },
    )
    return model, _format(header, stored, total)


class _Keys(NamedTuple):
    """The metadata of one architecture, whole numbers only, and the tensors."""

    metadata: dict[str, object]
    architecture: str
    tensors: dict[str, StoredTensor]
    shapes: dict[str, list[tuple[int, ...]]]

    def number(self, key: str, other: int = 0) -> int:
        """Return a number; the largest of a list of one per layer."""
        return max(self.numbers(key), default=other)

    def numbers(self, key: str) -> list[int]:
        """Return the numbers of a list, or one that is none."""
        value = self.metadata.get(f"{self.architecture}.{key}")
        entries = value if isinstance(value, list) else [value]
        return [int(entry) for entry in entries if isinstance(entry, int)]

    def size(self, name: str, axis: int) -> int:
        """Return a size of a tensor: the largest over the layers; 0 if there is none."""
        return max((shape[axis] for shape in self.shapes.get(name, ()) if len(shape) > axis), default=0)


def _keys(header: GgufHeader, architecture: str) -> _Keys:
    tensors = {tensor.name.removesuffix(".weight"): tensor for tensor in header.tensors}
    shapes: dict[str, list[tuple[int, ...]]] = {}
    for name, tensor in tensors.items():
        shapes.setdefault(_role(name) if _layer(tensor) >= 0 else name, []).append(tensor.shape)
    return _Keys(header.metadata, architecture, tensors, shapes)


def _role(name: str) -> str:
    """Return what a tensor of a layer is called in every layer."""
    return ".".join(name.split(".")[2:])


def _layer(tensor: StoredTensor) -> int:
    """Return the layer that a tensor is of; -1 outside the layers."""
    parts = tensor.name.split(".")
    if parts[0] != "blk" or len(parts) < 3:
        return -1
    length = len(parts[1])
    is_number = 0 < length <= len(str(MOST_LAYERS)) and all(digit in "0123456789" for digit in parts[1])
    return int(parts[1]) if is_number else -1


def _fields(keys: _Keys) -> dict[str, Any]:
    """Return the sizes that the metadata and the tensors say."""
    mtp = keys.number("nextn_predict_layers")
    hidden, inner = keys.number("embedding_length"), keys.number("ssm.inner_size")
    heads = keys.number("ssm.time_step_rank")
    fields: dict[str, Any] = {
        "layers": keys.number("block_count") - mtp,
        "mtp_layers": mtp,
        "hidden_size": hidden,
        "vocab_size": keys.size("token_embd", 1),
        "tied_embeddings": "output" not in keys.tensors,
        "moe_intermediate_size": keys.size("ffn_down_exps", 0),
        "experts": keys.size("ffn_down_exps", 2),
        "experts_per_token": keys.number("expert_used_count"),
        "shared_expert_intermediate_size": keys.size("ffn_down_shexp", 0),
        "per_layer_embedding_size": keys.number("embedding_length_per_layer_input"),
        "q_lora_rank": keys.number("attention.q_lora_rank"),
        "kv_lora_rank": keys.number("attention.kv_lora_rank"),
        "o_lora_rank": keys.number("attention.output_lora_rank"),
        "o_groups": keys.number("attention.output_group_count"),
        "sliding_window": _window(keys),
        "index_heads": keys.number("attention.indexer.head_count"),
        "index_head_dim": keys.number("attention.indexer.key_length"),
        "index_top_k": keys.number("attention.indexer.top_k"),
        "state_heads": heads,
        "state_head_dim": inner // heads if heads else 0,
        "state_groups": keys.number("ssm.group_count"),
        "state_dim": keys.number("ssm.state_size"),
        "conv_kernel": keys.number("ssm.conv_kernel") or keys.number("shortconv.l_cache"),
        "context_length_max": keys.number("context_length"),
    }
    if fields["experts"]:
        fields["experts_per_token"] = min(fields["experts_per_token"], fields["experts"])
        latent = keys.size("ffn_down_exps", 1)
        fields["moe_latent_size"] = latent if latent != hidden else 0
        fields["shared_experts"] = min(1, fields["shared_expert_intermediate_size"])
    if keys.number("kda.head_dim"):
        kimi = keys.number("kda.head_dim")
        heads = keys.number("attention.head_count")
        fields |= {"state_heads": heads, "state_head_dim": kimi, "state_groups": heads, "state_dim": kimi}
    if fields["kv_lora_rank"]:
        rope = keys.number("rope.dimension_count")
        key = keys.number("attention.key_length_mla") or keys.number("attention.key_length")
        value = keys.number("attention.value_length_mla") or keys.number("attention.value_length")
        fields |= {"qk_rope_head_dim": rope, "qk_nope_head_dim": key - rope, "v_head_dim": value}
    return fields


def _window(keys: _Keys) -> int:
    """Return the window; 0 if the longest context fits into it."""
    window, longest = keys.number("attention.sliding_window"), keys.number("context_length")
    return 0 if 0 < longest <= window else window


def _attention(keys: _Keys, kin: Model | None, layers: int) -> dict[str, Any]:
    """Return what each layer is made of, and the heads of those with a window and without."""
    made: list[dict[str, StoredTensor]] = [{} for _ in range(layers)]
    for name, tensor in keys.tensors.items():
        layer = _layer(tensor)
        if 0 <= layer < layers:
            made[layer][_role(name)] = tensor
    widths = {tensors["ffn_down"].shape[0] for tensors in made if "ffn_down" in tensors}
    width = min(widths, default=0)
    width = width if max(widths, default=0) == 2 * width else max(widths, default=0)
    windowed = _windowed(keys, kin, layers) if _window(keys) else [False] * layers
    mixers, mlps = "", ""
    for tensors, is_windowed in zip(made, windowed, strict=True):
        letter = next((one for start, one in MIXER_TENSORS if any(name.startswith(start) for name in tensors)), "-")
        mixers += "W" if letter == "A" and is_windowed else letter
        dense = ("D" if tensors["ffn_down"].shape[0] <= width else "2") if "ffn_down" in tensors else ""
        mlps += ("B" if dense else "E") if "ffn_down_exps" in tensors else dense or "-"
    if kin is not None and "R" in kin.mixer_pattern and "I" in mixers:
        mixers = mixers.replace("A", "R")  # without an indexer of its own, it uses an earlier one's
    ratios = keys.numbers("attention.compress_ratios")
    if len(ratios) >= layers:
        mixers = "".join(COMPRESSED.get(ratio, "A") for ratio in ratios[:layers])
    fields: dict[str, Any] = {
        "mixer_pattern": shared_kv(mixers, layers, keys.number("attention.shared_kv_layers")),
        "mlp_pattern": mlps,
        "intermediate_size": width,
    }
    for field, key in (("attention_heads", "attention.head_count"), ("kv_heads", "attention.head_count_kv")):
        counts = keys.numbers(key)
        if not counts:
            continue
        each = counts if len(counts) >= layers else [max(counts)] * layers
        full = [count for count, mixer in zip(each, mixers, strict=False) if mixer not in ("W", "-", *"KLMC") and count]
        inside = [count for count, mixer in zip(each, mixers, strict=False) if mixer == "W" and count]
        fields[field] = max(full or inside or each)
        if inside and max(inside) != fields[field]:
            fields[f"window_{field}"] = max(inside)
    if not keys.number("attention.kv_lora_rank"):
        width, value_width = keys.number("attention.key_length"), keys.number("attention.value_length")
        if width:
            fields["head_dim"] = width
        if value_width and value_width != width:
            fields["v_head_dim"] = value_width
        in_window = keys.number("attention.key_length_swa")
        fields["window_head_dim"] = in_window if in_window != width else 0
    return fields


def _windowed(keys: _Keys, kin: Model | None, layers: int) -> list[bool]:
    """Tell of each layer whether it has a window: as the file says, else as its kin has."""
    pattern = keys.numbers("attention.sliding_window_pattern")
    if len(pattern) >= layers > 1:
        return [bool(one) for one in pattern[:layers]]
    if pattern and pattern[0]:
        return [(layer + 1) % pattern[0] != 0 for layer in range(layers)]
    letters = mixers_of_kin(kin, layers) or "A"
    return [letters[layer % len(letters)] in ("W", "w") for layer in range(layers)]


def _stored(tensors: tuple[StoredTensor, ...], layers: int, experts: int, used: int) -> tuple[WeightBytes, int]:
    """Sort the bytes of the tensors by when they are read, and count the parameters that a token uses."""
    names = {tensor.name for tensor in tensors}
    aside = row = shared = routed = 0.0
    active = routed_parameters = 0
    for tensor in tensors:
        n_bytes = tensor_bytes(tensor)
        is_embedding = tensor.name == "token_embd.weight" and "output.weight" in names
        if is_embedding or tensor.name == "per_layer_token_embd.weight":
            aside += n_bytes
            row += n_bytes * tensor.shape[0] / tensor.parameters
        elif _layer(tensor) >= layers or "nextn" in tensor.name:
            aside += n_bytes
        elif "_exps." in tensor.name:
            routed += n_bytes
            routed_parameters += tensor.parameters
        else:
            shared += n_bytes
            active += tensor.parameters
    if routed and not 0 < used <= experts:
        raise InvalidValueError("専門家の数が書かれていません。")
    active += round(routed_parameters * used / experts) if routed else 0
    parts = WeightBytes(aside, row, shared, routed / experts if routed else 0.0, experts, used if experts else 0)
    return parts, active


def tensor_bytes(tensor: StoredTensor) -> float:
    """Bytes of one tensor of a file, which are whole blocks.

    Raises
    ------
    InvalidValueError
        If its block type is unknown.

    Examples
    --------
    >>> tensor_bytes(StoredTensor("blk.0.attn_q.weight", (4096, 4096), 2)) / 2**20
    9.0
    """
    return tensor.parameters * _block(tensor).bits_per_weight / 8


def _block(tensor: StoredTensor) -> BlockType:
    known = gguf_block_types()
    if tensor.type_number not in known:
        raise InvalidValueError(f"テンソル {tensor.name} のブロックの型 {tensor.type_number} は登録がありません。")
    return known[tensor.type_number]


def _format(header: GgufHeader, stored: WeightBytes, total: int) -> WeightFormat:
    """Return the listed format that a file names, with its own bytes."""
    sizes: dict[str, float] = {}
    for tensor in header.tensors:
        block = _block(tensor).id
        sizes[block] = sizes.get(block, 0.0) + tensor_bytes(tensor)
    most = max(sizes, key=lambda block: sizes[block])
    number = header.metadata.get("general.file_type")
    number = number % 1024 if isinstance(number, int) else -1  # 1024 and more are guesses of the same
    known = format_of_file_type(number)
    if known is None or (known.kind == "plain" and known.id != most):
        # A file of 16 bits "mostly" whose experts are not: what most of it is counts.
        known = format_of_block(most) or known
    return format_of_stored(known.id if known else "", most, stored, total)


def format_of_stored(known: str, block: str, stored: WeightBytes, parameters: float) -> WeightFormat:
    """Return a format with the bytes of one file.

    Parameters
    ----------
    known : str
        Id of the listed format that the file names; empty if it names none.
    block : str
        The block type that most of it is stored in.
    stored : WeightBytes
        Its bytes.
    parameters : float
        Its parameters.

    Examples
    --------
    >>> format_of_stored("q8_0", "q8_0", WeightBytes(0, 0, 9e9, 0, 0, 0), 8e9).bits_per_weight
    9.0
    """
    bits = 8 * stored.resident_bytes / parameters
    if not known:
        return WeightFormat(
            id=block, name=block.upper(), kind="file", bits_per_weight=bits, packing="gguf", stored=stored
        )
    listed = get_weight_format(known)
    return replace(listed, kind="file", bits_per_weight=bits, packing="gguf", elsewhere="", spread=0.0, stored=stored)
