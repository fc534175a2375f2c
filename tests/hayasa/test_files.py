"""Models from files: GGUF headers and published configurations."""

from __future__ import annotations

import json
import os
from argparse import Namespace
from collections import Counter
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
    attention_flop_per_token,
    estimate,
    get_model,
    get_weight_format,
    kv_cache_bytes,
    model_rows,
    read_model,
    state_bytes,
    total_parameters,
    weight_bytes_resident,
    weight_format_rows,
    weight_tensors,
)
from hayasa.cli.commands import main
from hayasa.cli.own import model_of
from hayasa.errors import DataFileError
from hayasa.files.config import KIN, model_from_config
from hayasa.files.gguf import GgufHeader, StoredTensor, gguf_header
from hayasa.files.gguf_model import model_from_gguf
from hayasa.model.shape import ATTENTION_MIXERS, heads_of
from hayasa.model.weights import use_more_bits

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


def test_a_real_file_is_as_large_as_llama_cpp_says() -> None:
    """Qwen3 30B-A3B in Q4_K_M, as a user's log has it: 241, 289 and 49 tensors, 17.28 GiB (4.86 BPW).

    Source: https://github.com/ggml-org/llama.cpp/issues/14235
    """
    better = [use_more_bits(number, 48) for number in range(48)]
    tensors = [StoredTensor("token_embd.weight", (2048, 151936), Type.Q4_K)]
    for number in range(48):
        kind = Type.Q6_K if better[number] else Type.Q4_K
        shapes = {
            "attn_q": ((2048, 4096), Type.Q4_K),
            "attn_k": ((2048, 512), Type.Q4_K),
            "attn_v": ((2048, 512), kind),
            "attn_output": ((4096, 2048), Type.Q4_K),
            "ffn_gate_exps": ((2048, 768, 128), Type.Q4_K),
            "ffn_up_exps": ((2048, 768, 128), Type.Q4_K),
            "ffn_down_exps": ((768, 2048, 128), kind),
            "ffn_gate_inp": ((2048, 128), Type.F32),
            **dict.fromkeys(("attn_norm", "ffn_norm"), ((2048,), Type.F32)),
            **dict.fromkeys(("attn_q_norm", "attn_k_norm"), ((128,), Type.F32)),
        }
        tensors += [StoredTensor(f"blk.{number}.{name}.weight", *one) for name, one in shapes.items()]
    tensors.append(StoredTensor("output_norm.weight", (2048,), Type.F32))
    tensors.append(StoredTensor("output.weight", (2048, 151936), Type.Q6_K))
    counts = Counter(tensor.type_number for tensor in tensors)
    assert counts == {Type.F32: 241, Type.Q4_K: 289, Type.Q6_K: 49}
    keys = {
        "general.architecture": "qwen3moe",
        "general.file_type": 15,
        "qwen3moe.block_count": 48,
        "qwen3moe.context_length": 40960,
        "qwen3moe.embedding_length": 2048,
        "qwen3moe.feed_forward_length": 6144,
        "qwen3moe.attention.head_count": 32,
        "qwen3moe.attention.head_count_kv": 4,
        "qwen3moe.attention.key_length": 128,
        "qwen3moe.attention.value_length": 128,
        "qwen3moe.expert_count": 128,
        "qwen3moe.expert_used_count": 8,
    }
    model, weights = model_from_gguf(GgufHeader(keys, {}, tuple(tensors), 0))
    assert weights.stored is not None
    assert round(weights.stored.resident_bytes / 2**30, 2) == 17.28
    assert round(weights.bits_per_weight, 2) == 4.86
    listed = get_model("qwen3-30b-a3b")
    assert total_parameters(model) == total_parameters(listed)
    assert active_parameters(model) == active_parameters(listed)
    # Counted from the shape, too, it is the listed model.
    assert weight_bytes_resident(model, get_weight_format("q8_0")) == weight_bytes_resident(
        listed, get_weight_format("q8_0")
    )
    assert kv_cache_bytes(model, 8192) == kv_cache_bytes(listed, 8192)


def test_a_file_named_by_a_hash_is_called_as_it_calls_itself(tmp_path: Path) -> None:
    path = tmp_path / "sha256-0123"
    keys, tensors, _ = FILES["llama"]
    write_gguf(path, "llama", keys | {"general.name": "My Llama"}, tensors)
    arguments = Namespace(model=str(path), parameters=None, active=None)
    model, weights = model_of(arguments)
    assert isinstance(model, Model)
    assert (model.name, weights is None) == ("My Llama", False)


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


def dense(
    layers: int, hidden: int, heads: int, kv_heads: int, width: int, vocabulary: int, **more: Any
) -> dict[str, Any]:
    """Return the keys that every config has."""
    return {
        "num_hidden_layers": layers,
        "hidden_size": hidden,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "intermediate_size": width,
        "vocab_size": vocabulary,
        **more,
    }


DELTA_KEYS = {
    "full_attention_interval": 4,
    "linear_num_value_heads": 32,
    "linear_num_key_heads": 16,
    "linear_key_head_dim": 128,
    "linear_value_head_dim": 128,
    "linear_conv_kernel_dim": 4,
}
MAMBA_KEYS = {"mamba_n_heads": 48, "mamba_d_head": 64, "mamba_n_groups": 1, "mamba_d_state": 128, "mamba_d_conv": 4}
LATENT_KEYS = {"qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128, "kv_lora_rank": 512}

CONFIGS: dict[str, dict[str, Any]] = {
    "llama-3.2-1b": dense(16, 2048, 32, 8, 8192, 128256, model_type="llama", head_dim=64, tie_word_embeddings=True),
    "mistral-7b-v0.1": dense(
        32, 4096, 32, 8, 14336, 32000, model_type="mistral", sliding_window=4096, max_position_embeddings=32768
    ),
    "mixtral-8x7b": dense(
        32, 4096, 32, 8, 14336, 32000, model_type="mixtral", num_local_experts=8, num_experts_per_tok=2
    ),
    "qwen2.5-7b": dense(
        28, 3584, 28, 4, 18944, 152064, model_type="qwen2", use_sliding_window=False, sliding_window=131072
    ),
    "qwen3-30b-a3b": dense(
        48,
        2048,
        32,
        4,
        6144,
        151936,
        model_type="qwen3_moe",
        head_dim=128,
        moe_intermediate_size=768,
        num_experts=128,
        num_experts_per_tok=8,
        decoder_sparse_step=1,
        mlp_only_layers=[],
        attention_bias=False,
    ),
    "qwen3-next-80b-a3b": dense(
        48,
        2048,
        16,
        2,
        5120,
        151936,
        model_type="qwen3_next",
        head_dim=256,
        moe_intermediate_size=512,
        shared_expert_intermediate_size=512,
        num_experts=512,
        num_experts_per_tok=10,
        **DELTA_KEYS,
    ),
    "qwen3.5-35b-a3b": {
        "model_type": "qwen3_5_moe",
        "tie_word_embeddings": False,
        "vision_config": {"hidden_size": 1152},
        "text_config": {
            "model_type": "qwen3_5_moe_text",
            "num_hidden_layers": 40,
            "hidden_size": 2048,
            "num_attention_heads": 16,
            "num_key_value_heads": 2,
            "head_dim": 256,
            "moe_intermediate_size": 512,
            "shared_expert_intermediate_size": 512,
            "num_experts": 256,
            "num_experts_per_tok": 8,
            "vocab_size": 248320,
            "layer_types": ["linear_attention"] * 3 + ["full_attention"],
            **DELTA_KEYS,
        },
    },
    "gemma-2-9b": dense(42, 3584, 16, 8, 14336, 256000, model_type="gemma2", head_dim=256, sliding_window=4096),
    "gemma-3-1b": dense(
        26,
        1152,
        4,
        1,
        6912,
        262144,
        model_type="gemma3_text",
        head_dim=256,
        sliding_window=512,
        sliding_window_pattern=6,
    ),
    "gemma-4-31b": {
        "model_type": "gemma4",
        "text_config": dense(
            60,
            5376,
            32,
            16,
            21504,
            262144,
            model_type="gemma4_text",
            head_dim=256,
            global_head_dim=512,
            num_global_key_value_heads=4,
            sliding_window=1024,
            layer_types=(["sliding_attention"] * 5 + ["full_attention"]) * 10,
            attention_k_eq_v=True,
            hidden_size_per_layer_input=0,
        ),
    },
    "gemma-4-e2b": {
        "model_type": "gemma4",
        "text_config": dense(
            35,
            1536,
            8,
            1,
            6144,
            262144,
            model_type="gemma4_text",
            head_dim=256,
            global_head_dim=512,
            num_global_key_value_heads=None,
            sliding_window=512,
            layer_types=(["sliding_attention"] * 4 + ["full_attention"]) * 7,
            num_kv_shared_layers=20,
            use_double_wide_mlp=True,
            hidden_size_per_layer_input=256,
        ),
    },
    "gemma-3n-e4b": {
        "model_type": "gemma3n",
        "text_config": dense(
            35,
            2048,
            8,
            2,
            [16384] * 35,  # type: ignore[arg-type]
            262144,
            model_type="gemma3n_text",
            head_dim=256,
            sliding_window=512,
            layer_types=(["sliding_attention"] * 4 + ["full_attention"]) * 7,
            num_kv_shared_layers=15,
            hidden_size_per_layer_input=256,
        ),
    },
    "phi-4": dense(40, 5120, 40, 10, 17920, 100352, model_type="phi3", sliding_window=None),
    "gpt-oss-20b": dense(
        24,
        2880,
        64,
        8,
        2880,
        201088,
        model_type="gpt_oss",
        head_dim=64,
        num_local_experts=32,
        num_experts_per_tok=4,
        attention_bias=True,
        sliding_window=128,
        layer_types=["sliding_attention", "full_attention"] * 12,
        quantization_config={"quant_method": "mxfp4"},
    ),
    "deepseek-v3.2": dense(
        61,
        7168,
        128,
        128,
        18432,
        129280,
        model_type="deepseek_v32",
        moe_intermediate_size=2048,
        n_routed_experts=256,
        n_shared_experts=1,
        num_experts_per_tok=8,
        first_k_dense_replace=3,
        q_lora_rank=1536,
        index_n_heads=64,
        index_head_dim=128,
        index_topk=2048,
        attention_bias=False,
        moe_layer_freq=1,
        quantization_config={"quant_method": "fp8", "weight_block_size": [128, 128]},
        **LATENT_KEYS,
    ),
    "deepseek-v2-lite": dense(
        27,
        2048,
        16,
        16,
        10944,
        102400,
        model_type="deepseek_v2",
        moe_intermediate_size=1408,
        n_routed_experts=64,
        n_shared_experts=2,
        num_experts_per_tok=6,
        first_k_dense_replace=1,
        q_lora_rank=None,
        **LATENT_KEYS,
    ),
    "kimi-linear-48b-a3b": dense(
        27,
        2304,
        32,
        32,
        9216,
        163840,
        model_type="kimi_linear",
        head_dim=72,
        moe_intermediate_size=1024,
        num_experts=256,
        num_shared_experts=1,
        num_experts_per_token=8,
        first_k_dense_replace=1,
        moe_layer_freq=1,
        q_lora_rank=None,
        linear_attn_config={
            "full_attn_layers": [4, 8, 12, 16, 20, 24, 27],
            "kda_layers": [one for one in range(1, 27) if one % 4],
            "head_dim": 128,
            "num_heads": 32,
            "short_conv_kernel_size": 4,
        },
        **LATENT_KEYS,
    ),
    "glm-4.5": dense(
        92,
        5120,
        96,
        8,
        12288,
        151552,
        model_type="glm4_moe",
        head_dim=128,
        moe_intermediate_size=1536,
        n_routed_experts=160,
        n_shared_experts=1,
        num_experts_per_tok=8,
        first_k_dense_replace=3,
        attention_bias=True,
        use_qk_norm=True,
    ),
    "granite-4.0-h-micro": dense(
        40,
        2048,
        32,
        8,
        8192,
        100352,
        model_type="granitemoehybrid",
        layer_types=(["mamba"] * 5 + ["attention"] + ["mamba"] * 9 + ["attention"] + ["mamba"] * 9 + ["attention"])
        + ["mamba"] * 9
        + ["attention"]
        + ["mamba"] * 4,
        num_local_experts=0,
        num_experts_per_tok=0,
        shared_intermediate_size=8192,
        **{**MAMBA_KEYS, "mamba_n_heads": 64},
    ),
    "granite-4.0-h-tiny": dense(
        40,
        1536,
        12,
        4,
        512,
        100352,
        model_type="granitemoehybrid",
        layer_types=(["mamba"] * 5 + ["attention"] + ["mamba"] * 9 + ["attention"] + ["mamba"] * 9 + ["attention"])
        + ["mamba"] * 9
        + ["attention"]
        + ["mamba"] * 4,
        num_local_experts=64,
        num_experts_per_tok=6,
        shared_intermediate_size=1024,
        **MAMBA_KEYS,
    ),
    "nemotron-3-nano-30b-a3b": dense(
        52,
        2688,
        32,
        2,
        1856,
        131072,
        model_type="nemotron_h",
        head_dim=128,
        hybrid_override_pattern="MEMEM*EMEMEM*EMEMEM*EMEMEM*EMEMEM*EMEMEMEM*EMEMEMEME",
        moe_intermediate_size=1856,
        moe_shared_expert_intermediate_size=3712,
        n_routed_experts=128,
        n_shared_experts=1,
        num_experts_per_tok=6,
        mamba_num_heads=64,
        mamba_head_dim=64,
        n_groups=8,
        ssm_state_size=128,
        conv_kernel=4,
    ),
    "lfm2-1.2b": {
        **dense(16, 2048, 32, 8, 12288, 65536, model_type="lfm2", conv_L_cache=3),
        "full_attn_idxs": [2, 5, 8, 10, 12, 14],
        "block_ff_dim": 12288,
        "block_auto_adjust_ff_dim": True,
        "block_ffn_dim_multiplier": 1.0,
        "block_multiple_of": 256,
    },
    "llama-4-maverick": {
        "model_type": "llama4",
        "text_config": dense(
            48,
            5120,
            40,
            8,
            8192,
            202048,
            model_type="llama4_text",
            head_dim=128,
            intermediate_size_mlp=16384,
            num_local_experts=128,
            num_experts_per_tok=1,
            interleave_moe_layer_step=2,
            attention_chunk_size=8192,
            max_position_embeddings=1048576,
            use_qk_norm=False,
            attention_bias=False,
        ),
    },
    "mimo-v2-flash": dense(
        48,
        4096,
        64,
        4,
        16384,
        152576,
        model_type="mimo_v2_flash",
        head_dim=192,
        v_head_dim=128,
        swa_num_attention_heads=64,
        swa_num_key_value_heads=8,
        swa_head_dim=192,
        sliding_window=128,
        hybrid_layer_pattern=[0, 1, 1, 1, 1, *[0, 1, 1, 1, 1, 1] * 7, 0],
        moe_layer_freq=[0] + [1] * 47,
        moe_intermediate_size=2048,
        n_routed_experts=256,
        n_shared_experts=None,
        num_experts_per_tok=8,
    ),
    "minimax-m2": dense(
        62,
        3072,
        48,
        8,
        1536,
        200064,
        model_type="minimax_m2",
        head_dim=128,
        num_local_experts=256,
        num_experts_per_tok=8,
        use_qk_norm=True,
    ),
    "exaone-4.0-32b": dense(
        64,
        5120,
        40,
        8,
        27392,
        102400,
        model_type="exaone4",
        sliding_window=4096,
        layer_types=(["sliding_attention"] * 3 + ["full_attention"]) * 16,
        tie_word_embeddings=False,
    ),
    "olmo-3-7b": dense(
        32,
        4096,
        32,
        32,
        11008,
        100278,
        model_type="olmo3",
        sliding_window=4096,
        layer_types=(["sliding_attention"] * 3 + ["full_attention"]) * 8,
    ),
    "apertus-70b": dense(80, 8192, 64, 8, 43008, 131072, model_type="apertus"),
}
"""What matters of published configurations, with the keys as each family has them."""


@pytest.mark.parametrize("id_", CONFIGS)
def test_a_config_gives_the_listed_model(id_: str) -> None:
    model, listed = model_from_config(CONFIGS[id_]), get_model(id_)
    assert total_parameters(model) == total_parameters(listed) - listed.other_parameters
    assert active_parameters(model) == active_parameters(listed)
    for context in (100, 10_000, 100_000):
        assert kv_cache_bytes(model, context) == kv_cache_bytes(listed, context)
        assert attention_flop_per_token(model, context) == attention_flop_per_token(listed, context)
    assert model.notes == ()
    if "quantization_config" in CONFIGS[id_]:
        assert model.usual_format == listed.usual_format


@pytest.mark.parametrize(
    ("said", "id_"),
    [
        ({}, ""),
        ({"torch_dtype": "bfloat16"}, ""),
        ({"quantization": {"group_size": 64, "bits": 4}}, "mlx-q4"),
        ({"quantization": {"group_size": 32, "bits": 8, "mode": "affine"}}, "mlx-q8-g32"),
        ({"quantization": {"group_size": 32, "bits": 4, "mode": "mxfp4"}}, "mlx-mxfp4"),
        ({"quantization_config": {"quant_method": "gptq", "bits": 4, "group_size": 128}}, "gptq-int4-g128"),
        ({"quantization_config": {"quant_method": "awq", "bits": 4, "group_size": 32}}, "awq-int4-g32"),
        ({"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}}, "bnb-nf4"),
        ({"quantization_config": {"quant_method": "modelopt", "quant_algo": "NVFP4"}}, "nvfp4"),
        (
            {
                "quantization_config": {
                    "quant_method": "compressed-tensors",
                    "config_groups": {"group_0": {"weights": {"num_bits": 8, "type": "float", "strategy": "channel"}}},
                }
            },
            "fp8-channel",
        ),
    ],
    ids=lambda value: str(value)[-30:],
)
def test_a_config_says_what_it_is_published_in(said: dict[str, Any], id_: str) -> None:
    model = model_from_config({**SMALL_CONFIG, **said})
    assert model.usual_format == id_
    assert model.notes == ()


def test_what_a_config_leaves_open_is_said() -> None:
    model = model_from_config(
        {**SMALL_CONFIG, "model_type": "brand_new", "quantization_config": {"quant_method": "x9"}}
    )
    assert "'brand_new' は登録がない" in model.notes[0]
    assert "'x9' は登録がない" in model.notes[1]
    assert model.usual_format == ""
    assert set(model.notes) <= set(estimate(model, "rtx-4090").notes)
    with pytest.raises(InvalidValueError, match="'swirl' は登録がありません（登録のあるもの: full_attention"):
        model_from_config({**SMALL_CONFIG, "layer_types": ["swirl"]})


def test_every_family_has_listed_kin() -> None:
    for ids in KIN.values():
        for id_ in ids:
            get_model(id_)


def test_the_command_takes_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.gguf"
    n_bytes = write_gguf(path, "llama", FILES["llama"][0] | {"general.file_type": 15}, FILES["llama"][1])
    assert main(["estimate", "--model", str(path), "--device", "rtx-4090", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["model"] == "mine.gguf"
    assert answer["weights"] == "q4_k_m"
    on_host = bytes_of(*EMBEDDING["token_embd.weight"])  # llama.cpp looks rows up there
    assert answer["fit"]["weights_bytes"] == n_bytes - on_host
    with pytest.raises(SystemExit):
        main(["estimate", "--model", str(path), "--weights", "q8_0", "--device", "rtx-4090"])
    assert "--weights は .gguf のファイルと一緒には" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["estimate", "--model", "none.gguf", "--device", "rtx-4090"])
    assert "none.gguf というファイルはありません" in capsys.readouterr().err


WRITES_PATTERN = ("gemma3n", "gemma4", "step35", "mimo2", "exaone-moe", "laguna", "afmoe")
"""Architectures whose files say which layers have a window; of the others llama.cpp knows."""


def header_of(model: Model) -> GgufHeader:
    """Return the header of a GGUF file of a listed model, in 16 bits."""
    mixers = model.layer_mixers
    heads = [heads_of(model, mixer) if mixer in ATTENTION_MIXERS else None for mixer in mixers]
    latent = model.attention_kind == "mla"
    window = bool(model.sliding_window)
    # The keys that a model has no use for are not there; None stands for such a one.
    keys: dict[str, object] = {
        "block_count": model.layers,
        "embedding_length": model.hidden_size,
        "context_length": model.context_length_max or None,
        "expert_count": model.experts or None,
        "expert_used_count": model.experts_per_token or None,
        "embedding_length_per_layer_input": model.per_layer_embedding_size or None,
        "attention.head_count": model.attention_heads if latent else [one.heads if one else 0 for one in heads],
        "attention.head_count_kv": 1 if latent else [one.kv_heads if one else 0 for one in heads],
        "attention.key_length": model.kv_lora_rank + model.qk_rope_head_dim if latent else model.head_dim,
        "attention.value_length": model.kv_lora_rank if latent else model.v_head_dim or model.head_dim,
        "attention.key_length_swa": model.window_head_dim or None,
        "attention.sliding_window": model.sliding_window or None,
        "attention.sliding_window_pattern": [int(one in ("W", "w")) for one in mixers]
        if window and model.gguf_architecture in WRITES_PATTERN
        else None,
        "attention.shared_kv_layers": sum(one in ("a", "w") for one in mixers) or None,
        "attention.q_lora_rank": model.q_lora_rank or None,
        "attention.kv_lora_rank": model.kv_lora_rank or None,
        "attention.key_length_mla": model.qk_nope_head_dim + model.qk_rope_head_dim if latent else None,
        "attention.value_length_mla": model.v_head_dim if latent else None,
        "rope.dimension_count": model.qk_rope_head_dim or None,
        "attention.output_lora_rank": model.o_lora_rank or None,
        "attention.output_group_count": model.o_groups or None,
        "attention.compress_ratios": [{"W": 0, "Q": 4, "Z": 128}[one] for one in mixers] if model.o_groups else None,
        "attention.indexer.head_count": model.index_heads or None,
        "attention.indexer.key_length": model.index_head_dim or None,
        "attention.indexer.top_k": model.index_top_k or None,
        "shortconv.l_cache": model.conv_kernel if "C" in mixers else None,
        "ssm.conv_kernel": model.conv_kernel if "C" not in mixers and model.conv_kernel else None,
    }
    if "K" in mixers:
        keys["kda.head_dim"] = model.state_dim
    elif model.state_heads:
        keys["ssm.inner_size"] = model.state_heads * model.state_head_dim
        keys["ssm.time_step_rank"], keys["ssm.group_count"] = model.state_heads, model.state_groups
        keys["ssm.state_size"] = model.state_dim
    tensors = []
    for number, tensor in enumerate(weight_tensors(model)):
        role = tensor.role
        if role in ("norm", "router", "further") or role.startswith("bias"):
            role = f"small_{number}{'_exps' if tensor.is_routed else ''}"
        name = f"{role}.weight" if tensor.layer < 0 else f"blk.{tensor.layer}.{role}.weight"
        copies = (tensor.copies,) if tensor.copies > 1 else ()
        tensors.append(StoredTensor(name, (tensor.columns, tensor.rows, *copies), Type.F16))
    written: dict[str, object] = {"general.architecture": model.gguf_architecture, "general.file_type": 1}
    written |= {f"{model.gguf_architecture}.{key}": value for key, value in keys.items() if value is not None}
    return GgufHeader(written, {}, tuple(tensors), 0)


@pytest.mark.parametrize("id_", model_rows())
def test_every_listed_model_comes_back_from_a_file_of_it(id_: str) -> None:
    listed, q8_0 = get_model(id_), get_weight_format("q8_0")
    model, weights = model_from_gguf(header_of(listed))
    assert total_parameters(model) == total_parameters(listed) - listed.other_parameters
    assert active_parameters(model) == active_parameters(listed)
    assert weights.stored is not None
    assert weights.stored.resident_bytes == 2 * total_parameters(model)
    assert weight_bytes_resident(model, q8_0) == weight_bytes_resident(listed, q8_0)
    assert state_bytes(model) == state_bytes(listed)
    for context in (100, 5_000, 100_000):
        assert kv_cache_bytes(model, context) == kv_cache_bytes(listed, context)
        assert attention_flop_per_token(model, context) == attention_flop_per_token(listed, context)
    assert model.notes == ()
