"""Names are found in the spellings people use; unknown ones get proposals."""

from __future__ import annotations

import pytest

import hayasa
from hayasa.catalog.objects import get_named_model


@pytest.mark.parametrize(
    ("spelling", "id_"),
    [
        ("RTX 4090", "rtx-4090"),
        ("NVIDIA GeForce RTX 4090", "rtx-4090"),
        ("rtx_3080_ti", "rtx-3080-ti"),
        ("Apple M4 Pro (20-core GPU)", "apple-m4-pro-20c"),
        ("m4-max-40c", "apple-m4-max-40c"),
        ("A100 PCIe 80GB", "a100-80gb-pcie"),
        ("DGX Spark", "dgx-spark"),
        ("Ryzen AI Max+ 395", "ryzen-ai-max-395"),
        ("RTX PRO 6000 Blackwell", "rtx-pro-6000-blackwell"),
    ],
)
def test_devices(spelling: str, id_: str) -> None:
    assert hayasa.get_device(spelling).id == id_


@pytest.mark.parametrize(
    ("spelling", "id_"),
    [
        ("Llama-2-7B", "llama-2-7b"),
        ("meta-llama/Llama-3.1-8B-Instruct", "llama-3.1-8b"),
        ("llama3.1:8b", "llama-3.1-8b"),
        ("Qwen/Qwen3-30B-A3B", "qwen3-30b-a3b"),
        ("qwen 2.5 7b", "qwen2.5-7b"),
        ("google/gemma-3-4b-it", "gemma-3-4b"),
        ("openai/gpt-oss-20b", "gpt-oss-20b"),
        ("DeepSeek-V3", "deepseek-v3"),
    ],
)
def test_models(spelling: str, id_: str) -> None:
    assert hayasa.get_model(spelling).id == id_


@pytest.mark.parametrize(
    ("spelling", "id_"),
    [
        ("Q4_K_M", "q4_k_m"),
        ("q4km", "q4_k_m"),
        ("FP16", "f16"),
        ("MXFP4", "mxfp4"),
        ("Q8-0", "q8_0"),
    ],
)
def test_weights(spelling: str, id_: str) -> None:
    assert hayasa.get_weight_format(spelling).id == id_


@pytest.mark.parametrize(
    ("spelling", "id_"),
    [
        ("llamacpp", "llama.cpp"),
        ("Ollama", "ollama"),
        ("LM Studio", "lm-studio"),
        ("llamafile (LocalScore)", "llamafile"),
        ("ik_llama.cpp", "ik_llama.cpp"),
        ("ExLlamaV3", "exllamav3"),
        ("SGLang", "sglang"),
        ("TensorRT-LLM", "tensorrt-llm"),
        ("MLX-LM", "mlx"),
        ("vLLM", "vllm"),
    ],
)
def test_engines(spelling: str, id_: str) -> None:
    assert hayasa.get_engine(spelling).id == id_


ISSUE_IDS = {
    hayasa.get_device: "a40 l40s a100-80gb-pcie h100-80gb-pcie rtx-3080-ti rtx-4090 rtx-a6000 "
    "rtx-6000-ada rtx-pro-6000-blackwell apple-m4-10c apple-m1-max-32c apple-m2-ultra-76c "
    "apple-m3-ultra-80c dgx-spark ryzen-ai-max-395",
    hayasa.get_model: "llama-2-7b llama-3-8b llama-3.1-8b llama-3-70b qwen2.5-7b qwen3-4b "
    "qwen3-30b-a3b gemma-3-4b gpt-oss-20b deepseek-v3",
    hayasa.get_weight_format: "f16 bf16 q8_0 q4_k_m q4_0 mxfp4 mlx-q8 mlx-q4",
    hayasa.get_engine: "ideal llama.cpp mlx gpt-fast vllm",
}


@pytest.mark.parametrize(("get", "id_"), [(get, id_) for get, ids in ISSUE_IDS.items() for id_ in ids.split()])
def test_promised_ids(get: object, id_: str) -> None:
    assert get(id_).id == id_  # type: ignore[operator]


@pytest.mark.parametrize("kind", ["device_rows", "model_rows", "weight_format_rows"])
def test_every_id_and_name_and_alias_finds_its_row(kind: str) -> None:
    get = {
        "device_rows": hayasa.get_device,
        "model_rows": hayasa.get_model,
        "weight_format_rows": hayasa.get_weight_format,
    }[kind]
    for id_, row in getattr(hayasa, kind)().items():
        assert get(id_).id == id_
        for alias in (row["name"], *filter(None, row.get("aliases", "").split("|"))):
            # What begins with "?" is another reading of what another row, or none, is usually called.
            assert alias.startswith("?") or get(alias).id == id_, alias


@pytest.mark.parametrize(
    ("get", "wrong", "right", "argument"),
    [
        (hayasa.get_device, "rtx-409", "rtx-4090", "device"),
        (hayasa.get_device, "m4", "apple-m4-10c", "device"),
        (hayasa.get_model, "lama-2-7b", "llama-2-7b", "model"),
        (hayasa.get_weight_format, "q4_k", "q4_k_m", "weights"),
        (hayasa.get_engine, "lama.cpp", "llama.cpp", "engine"),
    ],
)
def test_unknown_names_propose_near_ones(get: object, wrong: str, right: str, argument: str) -> None:
    try:
        assert get(wrong).id == right  # type: ignore[operator]  # an alias is as good
    except hayasa.UnknownNameError as error:
        assert right in error.suggestions
        assert right in str(error)
        assert argument in str(error)
        assert wrong in str(error)


def test_nonsense_proposes_nothing_but_says_so() -> None:
    with pytest.raises(hayasa.UnknownNameError, match="登録されていません") as caught:
        hayasa.get_device("@@@")
    assert caught.value.suggestions == ()


def test_names_in_other_letters_are_told_apart() -> None:
    assert hayasa.estimate("llama-2-7b", "m4", engine="理想").engine.id == "ideal"
    with pytest.raises(hayasa.UnknownNameError, match="日本語"):
        hayasa.estimate("llama-2-7b", "m4", engine="日本語")


@pytest.mark.parametrize(
    ("name", "model", "weights"),
    [
        ("llama3.1:8b", "llama-3.1-8b", ""),
        ("llama3.1:8b-instruct-q8_0", "llama-3.1-8b", "q8_0"),
        ("qwen3:30b-a3b", "qwen3-30b-a3b", ""),
        ("gpt-oss:120b", "gpt-oss-120b", ""),
        ("Qwen3-32B-Q4_K_M.gguf", "qwen3-32b", "q4_k_m"),
        ("Llama-2-7B-chat.Q4_K_M.gguf", "llama-2-7b", "q4_k_m"),
        ("/models/DeepSeek-V3-Q4_K_M-00001-of-00009.gguf", "deepseek-v3", "q4_k_m"),
        ("unsloth/Qwen3-30B-A3B-GGUF:Q4_K_M", "qwen3-30b-a3b", "q4_k_m"),
        ("hf.co/bartowski/Meta-Llama-3.1-8B-Instruct-GGUF:Q4_K_L", "llama-3.1-8b", "q4_k_l"),
        ("mlx-community/Llama-3.3-70B-Instruct-4bit", "llama-3.3-70b", "mlx-q4"),
        ("Qwen3-30B-A3B-MLX-4bit", "qwen3-30b-a3b", "mlx-q4"),
        ("Qwen2.5-7B-Instruct-GPTQ-Int4", "qwen2.5-7b", "gptq-int4-g128"),
        ("Qwen2.5-7B-Instruct-GPTQ-Int8", "qwen2.5-7b", "gptq-int8-g128"),
        ("Qwen/Qwen2.5-32B-Instruct-AWQ", "qwen2.5-32b", "awq-int4-g128"),
        ("Qwen/Qwen3-8B-FP8", "qwen3-8b", "fp8-block"),
        ("RedHatAI/Meta-Llama-3.1-8B-Instruct-FP8-dynamic", "llama-3.1-8b", "fp8-channel"),
        ("Meta-Llama-3.1-8B-Instruct-quantized.w8a8", "llama-3.1-8b", "int8-w8a8"),
        ("unsloth/llama-3-8b-bnb-4bit", "llama-3-8b", "bnb-nf4"),
        ("turboderp/Qwen3-14B-exl3:4.25bpw", "qwen3-14b", "exl3-4.25bpw"),
        ("LoneStriker/Mistral-7B-Instruct-v0.2-4.0bpw-h6-exl2", "mistral-7b-v0.2", "exl2-4.0bpw"),
        ("mlx-community/Qwen3-32B-mixed-3-6bit", "qwen3-32b", "mlx-mixed-3-6"),
        ("mlx-community/gemma-3-27b-it-qat-4bit", "gemma-3-27b", "mlx-q4"),
        ("Qwen_Qwen3-32B-IQ4_XS.gguf", "qwen3-32b", "iq4_xs"),
        ("meta-llama_Llama-3.3-70B-Instruct-Q4_K_M.gguf", "llama-3.3-70b", "q4_k_m"),
        ("Intel/Qwen3-30B-A3B-Instruct-2507-int4-AutoRound", "qwen3-30b-a3b-2507", "autoround-int4-g128"),
        ("nvidia/Qwen3-30B-A3B-NVFP4", "qwen3-30b-a3b", "nvfp4"),
        ("Llama-3.1-8B-Instruct-Q4_0_4_4.gguf", "llama-3.1-8b", "q4_0"),
        ("llama3:8b-text-q4_0", "llama-3-8b", "q4_0"),
        ("deepseek-r1:70b", "llama-3.3-70b", ""),
        ("moonshotai/Kimi-K2-Instruct-0905", "kimi-k2", ""),
        ("unsloth/Kimi-K2-Thinking-GGUF:Q4_K_M", "kimi-k2.5", "q4_k_m"),
        ("gpt-oss-20b-MXFP4", "gpt-oss-20b", "mxfp4"),
        ("gpt-oss 20B MXFP4 MoE", "gpt-oss-20b", "mxfp4"),
        ("Qwen3-30B-A3B-Instruct-2507-Q4_K_M", "qwen3-30b-a3b-2507", "q4_k_m"),
        ("Qwen3-30B-A3B-Thinking-2507", "qwen3-30b-a3b-2507", ""),
        ("DeepSeek-R1-0528", "deepseek-r1", ""),
        ("gemma3:27b-it-qat", "gemma-3-27b", "q4_0"),
        ("google/gemma-3-27b-it-qat-q4_0-gguf", "gemma-3-27b", "q4_0"),
        ("リャマ3.1 8B", "llama-3.1-8b", ""),
        ("llama3.3", "llama-3.3-70b", ""),
        ("Phi-3-medium-4k-instruct-Q4_K_M", "phi-3-medium", "q4_k_m"),
        ("Ｌｌａｍａ－３．１　８Ｂ", "llama-3.1-8b", ""),
        ("llama 3.1 80億", "llama-3.1-8b", ""),
    ],
)
def test_a_name_says_model_and_format(name: str, model: str, weights: str) -> None:
    found, named = get_named_model(name)
    assert found.id == model
    assert (hayasa.get_weight_format(named).id if named else "") == weights
    assert hayasa.get_model(name) == found


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("Nameless-3-Llama-3.1-8B-Q4_K_M", "llama-3.1-8b"),
        ("Llama-3.1-Nameless-3-8B", "llama-3.1-8b"),
        ("dolphin-2.9-llama3-8b", "llama-3-8b"),
        ("富士通のllama-3.1-8b", "llama-3.1-8b"),
        ("Qwen3 8B スーパー", "qwen3-8b"),
        ("gemma-2-9b-it-Q4_K_M-fp16", "gemma-2-9b"),
        ("llama-3.1-8b-q4_k_m-super", "llama-3.1-8b"),
        ("llama3.1:8c", "llama-3.1-8b"),
    ],
)
def test_no_word_of_a_model_is_dropped(name: str, near: str) -> None:
    with pytest.raises(hayasa.UnknownNameError) as caught:
        hayasa.get_model(name)
    assert near in caught.value.suggestions
    assert name in str(caught.value)


def test_another_size_is_not_said_to_have_the_same_shape() -> None:
    with pytest.raises(hayasa.UnknownNameError) as caught:
        hayasa.get_model("deepseek-r1:13b")
    assert "同じ" not in str(caught.value)
    with pytest.raises(hayasa.UnknownNameError, match="qwen3-8b から作られたものなら、形は同じ"):
        hayasa.get_model("Qwen3-8B-abliterated")


def test_another_release_is_no_other_shape_only_if_the_name_has_none() -> None:
    """Mistral Large of December 2025 is a mixture of experts: that of 2024 does not answer for it."""
    assert hayasa.get_model("Mistral-Large-Instruct-2407").id == "mistral-large-123b"
    with pytest.raises(hayasa.UnknownNameError):
        hayasa.get_model("Mistral-Large-Instruct-2512")


def test_the_format_in_a_name_is_taken_and_contradicted_by_none() -> None:
    result = hayasa.estimate("llama3.1:8b-instruct-q8_0", "rtx-4090")
    assert result.weights.id == "q8_0" and not result.notes
    assert hayasa.estimate("Qwen3-8B-Q4_K_M.gguf", "rtx-4090", weights="Q4_K_M").weights.id == "q4_k_m"
    # A name like this leaves the group open, and the argument says it.
    grouped = hayasa.estimate("Qwen2.5-7B-Instruct-GPTQ-Int4", "rtx-4090", engine="vllm", weights="gptq-int4-g32")
    assert grouped.weights.id == "gptq-int4-g32"
    for weights in ("q4_k_m", "mlx-q8", "f16"):
        with pytest.raises(hayasa.InvalidValueError, match=rf"{weights}.*q8_0"):
            hayasa.estimate("llama3.1:8b-instruct-q8_0", "rtx-4090", weights=weights)


@pytest.mark.parametrize(
    ("spelling", "id_", "bits"),
    [
        ("exl3-4.25bpw", "exl3-4.25bpw", 4.25),
        ("EXL3-6.0bpw-mcg", "exl3-6.0bpw", 6),
        ("exl3-6.0bpw-mul1", "exl3-6.0bpw", 6),
        ("exl2-4.65bpw-h6", "exl2-4.65bpw", 4.65),
        ("exl3 4bpw", "exl3-4.0bpw", 4),
        ("gptq-int8", "gptq-int8-g128", 8.1875),
        ("Q4_0_4_4", "q4_0", 4.6358),
        ("fp8-dynamic", "fp8-channel", 8),
        ("mlx-4bit-dwq", "mlx-q4", 4.5),
    ],
)
def test_formats_of_today(spelling: str, id_: str, bits: float) -> None:
    found = hayasa.get_weight_format(spelling)
    assert (found.id, found.bits_per_weight) == (id_, bits)


@pytest.mark.parametrize("spelling", ["exl3-0.5bpw", "exl3-9bpw", "exl3-4.0.0bpw", "exl4-4.0bpw", "exl3-bpw"])
def test_no_bits_out_of_range(spelling: str) -> None:
    with pytest.raises(hayasa.UnknownNameError):
        hayasa.get_weight_format(spelling)


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("qwen3.6", ("qwen3.6-27b", "qwen3.6-35b-a3b")),
        ("gpt-oss", ("gpt-oss-20b", "gpt-oss-120b")),
        ("gemma3n", ("gemma-3n-e4b", "gemma-3n-e2b")),
    ],
)
def test_a_name_without_a_size_asks_for_one(name: str, sizes: tuple[str, ...]) -> None:
    with pytest.raises(hayasa.UnknownNameError, match="いくつかの大きさ") as error:
        hayasa.get_model(name)
    assert error.value.suggestions == sizes


@pytest.mark.parametrize("name", ["Qwen3-4B-Instruct-2507", "qwen3-coder:30b", "Qwen3-235B-A22B-Thinking-2507"])
def test_a_later_version_takes_the_longer_context(name: str) -> None:
    assert hayasa.get_model(name).context_length_max == 262144
