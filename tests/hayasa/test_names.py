"""Names are found in the spellings people use; unknown ones get proposals."""

from __future__ import annotations

import pytest

import hayasa


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
            assert get(alias).id == id_, alias


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
