"""Models from files: GGUF headers and published configurations."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from gguf import GGMLQuantizationType as Type
from hypothesis import given, settings
from hypothesis import strategies as st

from hayasa import (
    HayasaError,
    InvalidValueError,
    Model,
    WeightFormat,
    active_parameters,
    estimate,
    kv_cache_bytes,
    read_model,
    state_bytes,
    total_parameters,
    weight_format_rows,
)
from hayasa.errors import DataFileError
from hayasa.files.config import KIN, model_from_config
from hayasa.files.gguf import gguf_header
from hayasa.files.gguf_model import model_from_gguf

HIDDEN, HEADS, VOCABULARY = 256, 4, 512
"""Sizes of the small models: rows are whole blocks of every type."""


def write_gguf(path: Path, architecture: str, keys: Mapping[str, Any], tensors: Mapping[str, Any]) -> int:
    """Write a GGUF file of zeros, and return the bytes of its tensors.

    Tensors have the shape as files have it, a row first, and a type.
    """
    writer = gguf.GGUFWriter(str(path), architecture)
    for key, value in keys.items():
        name = key if key.startswith("general.") else f"{architecture}.{key}"
        if isinstance(value, list):
            writer.add_array(name, value)
        elif isinstance(value, str):
            writer.add_string(name, value)
        else:
            writer.add_uint32(name, value)
    total = 0
    for name, (shape, kind) in tensors.items():
        block, size = gguf.GGML_QUANT_SIZES[kind]
        rows = int(np.prod(shape[1:], dtype=int))
        assert shape[0] % block == 0
        total += rows * shape[0] // block * size
        if kind in (Type.F32, Type.F16):
            data = np.zeros(shape[::-1], np.float32 if kind == Type.F32 else np.float16)
            writer.add_tensor(name, data)
        else:
            data = np.zeros((*shape[:0:-1], shape[0] // block * size), np.uint8)
            writer.add_tensor(name, data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return total


def bytes_of(shape: tuple[int, ...], kind: Type) -> float:
    """Bytes of a tensor of a type."""
    block, size = gguf.GGML_QUANT_SIZES[kind]
    return float(np.prod(shape, dtype=int)) / block * size


KEYS = {
    "block_count": 2,
    "embedding_length": HIDDEN,
    "attention.head_count": HEADS,
    "attention.head_count_kv": 2,
    "context_length": 4096,
}
ATTENTION = {
    "attn_q": ((HIDDEN, HIDDEN), Type.Q4_K),
    "attn_k": ((HIDDEN, HIDDEN // 2), Type.Q4_K),
    "attn_v": ((HIDDEN, HIDDEN // 2), Type.Q6_K),
    "attn_output": ((HIDDEN, HIDDEN), Type.Q4_K),
    "attn_norm": ((HIDDEN,), Type.F32),
}
DENSE = {
    "ffn_gate": ((HIDDEN, 768), Type.Q4_K),
    "ffn_up": ((HIDDEN, 768), Type.Q4_K),
    "ffn_down": ((768, HIDDEN), Type.Q6_K),
}
EXPERTS = {
    "ffn_gate_inp": ((HIDDEN, 8), Type.F32),
    "ffn_gate_exps": ((HIDDEN, 512, 8), Type.Q4_K),
    "ffn_up_exps": ((HIDDEN, 512, 8), Type.Q4_K),
    "ffn_down_exps": ((512, HIDDEN, 8), Type.Q6_K),
}
EMBEDDING = {"token_embd.weight": ((HIDDEN, VOCABULARY), Type.Q4_K)}
OUTPUT = {"output.weight": ((HIDDEN, VOCABULARY), Type.Q6_K), "output_norm.weight": ((HIDDEN,), Type.F32)}


def layer(number: int, *parts: Mapping[str, Any]) -> dict[str, Any]:
    """Name the tensors of one layer."""
    return {f"blk.{number}.{name}.weight": tensor for part in parts for name, tensor in part.items()}


LATENT = {
    "attn_q": ((HIDDEN, HEADS * 96), Type.Q4_K),
    "attn_kv_a_mqa": ((HIDDEN, 160), Type.Q4_K),
    "attn_k_b": ((64, 128, HEADS), Type.F16),
    "attn_v_b": ((128, 64, HEADS), Type.F16),
    "attn_output": ((HEADS * 64, HIDDEN), Type.Q4_K),
}
DELTA = {
    "attn_qkv": ((HIDDEN, 1024), Type.Q4_K),
    "attn_gate": ((HIDDEN, 512), Type.Q4_K),
    "ssm_ba": ((HIDDEN, 16), Type.F32),
    "ssm_out": ((512, HIDDEN), Type.Q4_K),
}
STATE_SPACE = {"ssm_in": ((HIDDEN, 1288), Type.Q4_K), "ssm_out": ((512, HIDDEN), Type.Q4_K)}
STATE_KEYS = {
    "ssm.conv_kernel": 4,
    "ssm.inner_size": 512,
    "ssm.state_size": 64,
    "ssm.time_step_rank": 8,
    "ssm.group_count": 4,
}
USED = {"expert_count": 8, "expert_used_count": 2}

FILES: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "llama": (
        KEYS,
        EMBEDDING | layer(0, ATTENTION, DENSE) | layer(1, ATTENTION, DENSE) | OUTPUT,
        {"layers": 2, "intermediate_size": 768, "kv_heads": 2, "head_dim": 64, "vocab_size": VOCABULARY},
    ),
    "qwen3moe": (
        KEYS | USED | {"attention.key_length": 64, "attention.value_length": 64},
        EMBEDDING | layer(0, ATTENTION, EXPERTS) | layer(1, ATTENTION, EXPERTS) | OUTPUT,
        {"experts": 8, "experts_per_token": 2, "moe_intermediate_size": 512, "qk_norm": True, "mlp_pattern": "EE"},
    ),
    "gemma3": (
        KEYS | {"block_count": 6, "attention.sliding_window": 512},
        {k: t for n in range(6) for k, t in layer(n, ATTENTION, DENSE).items()} | EMBEDDING,
        {"mixer_pattern": "WWWWWA", "sliding_window": 512, "tied_embeddings": True, "norms_per_layer": 4},
    ),
    "deepseek2": (
        KEYS
        | USED
        | {
            "attention.kv_lora_rank": 128,
            "attention.key_length_mla": 96,
            "attention.value_length_mla": 64,
            "rope.dimension_count": 32,
        },
        EMBEDDING | layer(0, LATENT, DENSE) | layer(1, LATENT, EXPERTS) | OUTPUT,
        {"attention_kind": "mla", "qk_nope_head_dim": 64, "qk_rope_head_dim": 32, "mlp_pattern": "DE"},
    ),
    "qwen3next": (
        KEYS | USED | STATE_KEYS,
        EMBEDDING | layer(0, DELTA, EXPERTS) | layer(1, ATTENTION, EXPERTS) | OUTPUT,
        {"mixer_pattern": "LA", "state_heads": 8, "state_head_dim": 64, "state_groups": 4, "attention_gate_dim": 64},
    ),
    "nemotron_h": (
        KEYS | STATE_KEYS | {"block_count": 3, "attention.head_count_kv": [0, 2, 0]},
        EMBEDDING
        | layer(0, STATE_SPACE)
        | layer(1, ATTENTION)
        | layer(2, {name: one for name, one in DENSE.items() if name != "ffn_gate"})
        | OUTPUT,
        {"mixer_pattern": "MA-", "mlp_pattern": "--D", "kv_heads": 2, "mlp_kind": "relu2"},
    ),
    "glm4moe": (
        KEYS | USED | {"block_count": 3, "nextn_predict_layers": 1},
        EMBEDDING
        | layer(0, ATTENTION, DENSE)
        | layer(1, ATTENTION, EXPERTS)
        | layer(2, ATTENTION, EXPERTS, {"nextn.eh_proj": ((2 * HIDDEN, HIDDEN), Type.Q8_0)})
        | OUTPUT,
        {"layers": 2, "mtp_layers": 1, "mlp_pattern": "DE"},
    ),
    "gemma4": (
        KEYS
        | {
            "attention.head_count_kv": [4, 1],
            "attention.sliding_window": 512,
            "attention.sliding_window_pattern": [True, False],
            "attention.key_length": 128,
            "attention.value_length": 128,
            "attention.key_length_swa": 64,
            "embedding_length_per_layer_input": 32,
        },
        EMBEDDING
        | {"per_layer_token_embd.weight": ((64, VOCABULARY), Type.Q8_0)}
        | layer(0, ATTENTION, DENSE)
        | layer(1, ATTENTION, DENSE),
        {"mixer_pattern": "WA", "kv_heads": 1, "window_kv_heads": 4, "head_dim": 128, "window_head_dim": 64},
    ),
    "a-new-one": (
        KEYS,
        EMBEDDING | layer(0, ATTENTION, DENSE) | layer(1, ATTENTION, DENSE) | OUTPUT,
        {"mlp_kind": "swiglu", "norms_per_layer": 2},
    ),
}


def read(path: Path) -> tuple[Model, WeightFormat]:
    """Read a file that says how its weights are stored."""
    model, weights = read_model(path)
    assert weights is not None
    return model, weights


@pytest.mark.parametrize("architecture", FILES)
def test_a_gguf_file_is_counted_to_the_byte(tmp_path: Path, architecture: str) -> None:
    keys, tensors, expected = FILES[architecture]
    path = tmp_path / "small.gguf"
    n_bytes = write_gguf(path, architecture, {"general.file_type": 15, **keys}, tensors)
    model, weights = read(path)
    assert {name: getattr(model, name) for name in expected} == expected
    assert weights.id == "q4_k_m"
    stored = weights.stored
    assert stored is not None
    assert stored.resident_bytes == n_bytes
    assert total_parameters(model) == sum(int(np.prod(shape)) for shape, _ in tensors.values())
    # What a step reads: everything but embeddings and layers for drafts, and of the experts two in eight.
    aside = [name for name in tensors if name.startswith("blk.2.") and model.layers == 2]
    aside += ["per_layer_token_embd.weight"] + ["token_embd.weight"] * ("output.weight" in tensors)
    read_bytes, used = 0.0, 0.0
    for name, (shape, kind) in tensors.items():
        share = 1 / shape[1] if "token_embd" in name else 0.0
        share = share if name in aside else 0.25 if "_exps" in name else 1.0
        read_bytes += share * bytes_of(shape, kind)
        used += (share if share >= 0.25 else 0) * float(np.prod(shape))
    assert stored.read_bytes(1) == pytest.approx(read_bytes, rel=1e-12)
    assert active_parameters(model) == used
    assert bool(model.notes) == (architecture == "a-new-one")
    result = estimate(model, "rtx-4090", weights=weights, context_length=1000)
    assert result.fits
    assert result.work.weight_bytes == stored.read_bytes(1)


def test_a_file_remembers_as_much_as_its_keys_say(tmp_path: Path) -> None:
    path = tmp_path / "next.gguf"
    keys, tensors, _ = FILES["qwen3next"]
    write_gguf(path, "qwen3next", keys, tensors)
    model, _weights = read(path)
    # One layer of attention with two heads of 64; one state of 8 heads, 64 by 64, and a convolution before it.
    assert state_bytes(model) == 4 * (8 * 64 * 64 + 3 * (512 + 2 * 4 * 64))
    assert kv_cache_bytes(model, 10) == state_bytes(model) + 10 * 2 * (2 * 64 * 2)


def test_the_kv_cache_of_windows_and_of_latent_vectors(tmp_path: Path) -> None:
    for architecture, context, values in (
        ("gemma4", 1000, 512 * 4 * 2 * 64 + 1000 * 1 * 2 * 128),
        ("deepseek2", 100, 100 * 2 * (128 + 32)),
        ("gemma3", 1000, (5 * 512 + 1000) * 2 * 2 * 64),
    ):
        keys, tensors, _ = FILES[architecture]
        write_gguf(tmp_path / "one.gguf", architecture, keys, tensors)
        model, _weights = read(tmp_path / "one.gguf")
        assert kv_cache_bytes(model, context) == 2 * values


@pytest.mark.parametrize(
    ("file_type", "kind", "id_"),
    [
        (15, Type.Q4_K, "q4_k_m"),
        (1024 + 18, Type.Q6_K, "q6_k"),
        (1, Type.F16, "f16"),
        (1, Type.MXFP4, "mxfp4"),  # "mostly F16" whose experts are not
        (None, Type.Q8_0, "q8_0"),
        (999, Type.Q4_0, "q4_0"),
    ],
)
def test_the_format_is_what_the_file_names(tmp_path: Path, file_type: int | None, kind: Type, id_: str) -> None:
    keys = KEYS if file_type is None else KEYS | {"general.file_type": file_type}
    tensors = {**EMBEDDING, **layer(0, ATTENTION, DENSE), **layer(1, ATTENTION, DENSE), **OUTPUT}
    bulk = {name: (shape, kind if len(shape) > 1 else one) for name, (shape, one) in tensors.items()}
    write_gguf(tmp_path / "one.gguf", "llama", keys, bulk)
    _model, weights = read(tmp_path / "one.gguf")
    assert (weights.id, weights.packing, weights.kind) == (id_, "gguf", "file")


def test_every_file_type_of_llama_cpp_is_listed() -> None:
    names = {row["file_type"]: row["id"] for row in weight_format_rows().values() if row["file_type"]}
    for one in gguf.LlamaFileType:
        written = one.name.removeprefix("ALL_").removeprefix("MOSTLY_").removesuffix("_MOE").lower()
        if written in weight_format_rows():
            assert names.pop(str(int(one))) == written
    assert not names


def test_a_split_file_is_read_whole(tmp_path: Path) -> None:
    keys, tensors, _ = FILES["llama"]
    names = list(tensors)
    parts = [tmp_path / f"big-Q4_K_M-0000{number}-of-00002.gguf" for number in (1, 2)]
    n_bytes = write_gguf(parts[0], "llama", keys, {name: tensors[name] for name in names[:3]})
    n_bytes += write_gguf(parts[1], "llama", {}, {name: tensors[name] for name in names[3:]})
    for part in parts:
        model, weights = read(part)
        assert weights.stored is not None
        assert weights.stored.resident_bytes == n_bytes
        assert model.id == "big-Q4_K_M.gguf"
    parts[0].unlink()
    with pytest.raises(InvalidValueError, match=r"2 個に分かれたファイルのうち、big-Q4_K_M-00001-of-00002\.gguf"):
        read_model(parts[1])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "空です"),
        (b"GGUF", "先頭が GGUF ではありません"),
        (b"GGUF" + bytes(20), "版は 2 か 3"),
        (b"GGUF\x03" + bytes(19), "general.architecture が書かれていません"),
        (b"\x80\x04weights", "GGUF のファイルでも、JSON のファイルでもありません"),
        (b"[1, 2]", "対応表ではありません"),
        (b'{"tokenizer_class": "GemmaTokenizer"}', "num_hidden_layers が書かれていません"),
        (b'{"num_hidden_layers": 2}', "hidden_size が書かれていません"),
        (b'{"num_hidden_layers": -1}', "num_hidden_layers は 1 以上 10000 以下"),
        (b"[" * 100_000, "JSON のファイルでもありません"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_is_no_model_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "some.file"
    path.write_bytes(content)
    with pytest.raises(HayasaError, match=said) as caught:
        read_model(path)
    assert str(path) in str(caught.value)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="フォルダー"):
        read_model(tmp_path)
    with pytest.raises(DataFileError, match="見つかりません"):
        read_model(os.path.join(tmp_path, "none.gguf"))


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"general.type": "mmproj"}, "言語モデルではなく"),
        ({"block_count": 0}, "block_count は 1 以上"),
        ({"attention.head_count": 0}, "attention_heads が書かれていません"),
    ],
)
def test_a_file_of_something_else_is_refused(tmp_path: Path, keys: dict[str, Any], said: str) -> None:
    write_gguf(tmp_path / "one.gguf", "llama", KEYS | keys, FILES["llama"][1])
    with pytest.raises(InvalidValueError, match=said):
        read_model(tmp_path / "one.gguf")


@pytest.fixture(scope="module")
def header_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return the header of a small file."""
    path = tmp_path_factory.mktemp("gguf") / "small.gguf"
    keys, tensors, _ = FILES["qwen3next"]
    write_gguf(path, "qwen3next", keys, tensors)
    content = path.read_bytes()
    return content[: gguf_header(content).end]


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_damaged_file_is_refused_or_read(header_bytes: bytes, data: st.DataObject) -> None:
    content = bytearray(header_bytes)
    for _ in range(data.draw(st.integers(0, 4))):
        content[data.draw(st.integers(4, len(content) - 1))] = data.draw(st.integers(0, 255))
    length = data.draw(st.one_of(st.just(len(content)), st.integers(0, len(content))))
    try:
        model_from_gguf(gguf_header(bytes(content[:length])))
    except HayasaError:
        pass


SMALL_CONFIG = {
    "model_type": "qwen3_moe",
    "num_hidden_layers": 4,
    "hidden_size": 64,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "num_experts": 8,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 32,
    "vocab_size": 100,
}
FURTHER_KEYS = """layer_types layers_block_type hybrid_override_pattern sliding_window sliding_window_pattern text_config
compress_ratios linear_attn_config full_attention_interval num_kv_shared_layers mlp_only_layers moe_layer_freq
first_k_dense_replace shared_expert_intermediate_size interleave_moe_layer_step kv_lora_rank index_n_heads
global_head_dim quantization quantization_config""".split()
CONFIG_KEYS = st.sampled_from([*SMALL_CONFIG, *FURTHER_KEYS])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 10**6) | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=5,
)


@settings(max_examples=400, deadline=None)
@given(changes=st.dictionaries(CONFIG_KEYS, JSON, max_size=4), model_type=st.sampled_from([*KIN, "new"]))
def test_a_damaged_config_is_refused_or_read(changes: dict[str, Any], model_type: str) -> None:
    try:
        model_from_config({**SMALL_CONFIG, "model_type": model_type, **changes})
    except HayasaError:
        pass
