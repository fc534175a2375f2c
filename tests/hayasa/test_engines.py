"""Engines: where they run, what they read, what stands in, and what is said when they do not."""

from __future__ import annotations

import pytest

import hayasa
from hayasa.engine.engines import BACKENDS


def ask(device: str, **question: object) -> hayasa.Estimate:
    return hayasa.estimate("llama-3.1-8b", device, **question)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("device", "engine", "backend", "calibration"),
    [
        ("rtx-4090", "llama.cpp", None, "llama.cpp/cuda"),
        ("rtx-4090", "llama.cpp", "vulkan", "llama.cpp/vulkan"),
        ("rx-7900-xtx", "llama.cpp", None, "llama.cpp/vulkan"),
        ("rx-7900-xtx", "llama.cpp", "rocm", "llama.cpp/rocm"),
        ("rx-7900-xtx", "ollama", None, "llama.cpp/rocm"),
        ("rx-7900-xtx", "ollama", "vulkan", "llama.cpp/vulkan"),
        ("mi300x", "llama.cpp", "vulkan", "llama.cpp/vulkan"),
        ("arc-b580", "llama.cpp", "sycl", "llama.cpp/sycl"),
        ("arc-b580", "llama.cpp", "vulkan", "llama.cpp/vulkan/intel"),
        ("apple-m4-max-40c", "lm-studio", None, "llama.cpp/metal"),
        ("apple-m4-max-40c", "lm-studio", "mlx", "mlx/mlx"),
        ("apple-m4-max-40c", "vllm-mlx", None, "mlx/mlx"),
        ("ddr5-5600-dual", "llamafile", None, "llama.cpp/cpu"),
        ("radeon-780m", "llamafile", "cpu", "llama.cpp/cpu"),
        ("ryzen-ai-max-395", "ik_llama.cpp", None, "llama.cpp/cpu"),
        ("ddr5-5600-dual", "ik_llama.cpp", None, "llama.cpp/cpu"),
        ("h20-96gb", "sglang", None, "sglang/cuda"),
        ("b200-180gb-sxm", "vllm", None, "vllm/cuda/nvidia-blackwell"),
        ("h100-80gb-sxm", "tensorrt-llm", None, "vllm/cuda"),
        ("mi300x", "sglang", None, "vllm/rocm"),
        ("mi300x", "gpt-fast", None, "vllm/rocm"),
        ("rtx-3090", "exllamav3", None, "gpt-fast/cuda"),
    ],
)
def test_the_calibration_is_that_of_engine_and_backend(
    device: str, engine: str, backend: str | None, calibration: str
) -> None:
    result = ask(device, engine=engine, backend=backend)
    assert result.engine.id == engine  # the name that was asked for
    assert result.calibration is not None and result.calibration.id == calibration
    assert backend in (None, result.backend)


@pytest.mark.parametrize("name", ["ollama", "lm-studio", "llamafile"])
def test_what_runs_underneath_is_said_and_counts_as_measured(name: str) -> None:
    own, inside = (ask("rtx-4090", weights="q4_k_m", engine=engine, server=False) for engine in (name, "llama.cpp"))
    assert own.decode_tokens_per_s_low == inside.decode_tokens_per_s_low
    assert any(name in note and "llama.cpp" in note for note in own.notes)


@pytest.mark.parametrize(
    ("device", "engine", "weights"),
    [("h20-96gb", "sglang", "fp8"), ("ddr5-5600-dual", "ik_llama.cpp", "q4_0"), ("rtx-4090", "vllm", "q4_k_m")],
)
def test_what_stands_in_is_said_and_is_less_sure(device: str, engine: str, weights: str) -> None:
    result = ask(device, engine=engine, weights=weights)
    assert result.calibration is not None and result.notes
    sure = result.calibration.known_low_factor
    assert result.decode_tokens_per_s_low / result.decode_tokens_per_s < sure


@pytest.mark.parametrize(
    ("device", "question", "said"),
    [
        ("apple-m4-10c", {"engine": "vllm"}, ["vllm", "NVIDIA", "vllm-mlx", "llama.cpp"]),
        ("raspberry-pi-5", {"engine": "mlx"}, ["mlx", "Apple", "llama.cpp"]),
        ("rtx-4090", {"engine": "mlx"}, ["mlx", "Apple", "vllm"]),
        ("rtx-4090", {"engine": "vllm-mlx"}, ["vllm-mlx", "Apple"]),
        ("apple-m4-10c", {"engine": "gpt-fast"}, ["gpt-fast", "AMD"]),
        ("rx-7900-xtx", {"engine": "exllamav3"}, ["exllamav3", "Ampere", "exllamav2"]),
        ("gtx-1080-ti", {"engine": "vllm"}, ["vllm", "Volta"]),
        ("rx-6800-xt", {"engine": "vllm"}, ["vllm", "RDNA 3", "llama.cpp"]),
        ("rx-7900-xtx", {"engine": "sglang"}, ["sglang", "MI300", "vllm"]),
        ("rtx-4090", {"backend": "metal"}, ["metal", "cuda", "vulkan"]),
        ("apple-m4-10c", {"backend": "cuda"}, ["cuda", "metal"]),
        ("rtx-4090", {"backend": "cpu"}, ["cpu", "cuda"]),
        ("apple-m1-ultra-64c", {"backend": "cpu"}, ["cpu", "metal"]),
        ("rtx-4090", {"engine": "llama.cpp", "weights": "awq"}, ["awq-int4-g128", "q4_k_m", "vllm"]),
        ("rtx-4090", {"engine": "llama.cpp", "weights": "exl3-4.0bpw"}, ["exl3-4.0bpw", "exllamav3"]),
        ("rtx-4090", {"weights": "mlx-q4"}, ["mlx-q4", "q4_k_m"]),
        ("apple-m4-10c", {"engine": "mlx", "weights": "q4_k_m"}, ["q4_k_m", "mlx-q4", "llama.cpp"]),
        ("apple-m4-10c", {"engine": "lm-studio", "backend": "mlx", "weights": "q4_k_m"}, ["q4_k_m"]),
        ("rtx-4090", {"kv_cache": "mxfp4"}, ["mxfp4", "q8_0", "f16"]),
        ("rtx-4090", {"engine": "vllm", "kv_cache": "q8_0"}, ["q8_0", "fp8"]),
    ],
)
def test_what_does_not_run_is_refused_with_what_does(device: str, question: dict[str, str], said: list[str]) -> None:
    with pytest.raises(hayasa.InvalidValueError) as caught:
        ask(device, **question)
    assert all(word in str(caught.value) for word in said), str(caught.value)


@pytest.mark.parametrize("device", ["apple-m4-10c", "rtx-4090", "raspberry-pi-5", "mi300x"])
@pytest.mark.parametrize("weights", ["awq", "exl3-4.0bpw", "mlx-q4", "q4_k_m", "nvfp4", "hqq-int4-g64"])
def test_physics_refuses_nothing(device: str, weights: str) -> None:
    assert ask(device, weights=weights, engine="ideal", backend="cuda", kv_cache="mxfp4").decode_tokens_per_s > 0


def test_a_device_of_unknown_kind_runs_anything_and_says_so() -> None:
    own = hayasa.Device(id="own", memory_bandwidth_bytes_per_s=1e12)
    for engine in hayasa.ENGINES:
        result = hayasa.estimate("llama-3.1-8b", own, engine=engine)
        assert engine == "ideal" or "own" in " ".join(result.notes)
    result = hayasa.estimate("llama-3.1-8b", own, backend="vulkan")
    assert result.calibration is not None and result.calibration.id == "llama.cpp/vulkan"


@pytest.mark.parametrize(
    ("model", "device", "engine", "backend", "weights"),
    [
        ("llama-3.1-8b", "rtx-4090", "llama.cpp", None, "q4_k_m"),
        ("gpt-oss-20b", "rtx-4090", "llama.cpp", None, "mxfp4"),
        ("gpt-oss-120b", "dgx-spark", "ollama", None, "mxfp4"),
        ("gpt-oss-120b", "h100-80gb-sxm", "vllm", None, "mxfp4-f16"),
        ("gpt-oss-20b", "apple-m4-max-40c", "mlx", None, "mlx-mxfp4-q8"),
        ("gpt-oss-20b", "rtx-4090", "ideal", None, "mxfp4"),
        ("gpt-oss-20b", "rtx-4090", "exllamav3", None, "exl3-4.0bpw"),
        ("llama-3.1-8b", "apple-m4-max-40c", "mlx", None, "mlx-q4"),
        ("llama-3.1-8b", "apple-m4-max-40c", "lm-studio", "mlx", "mlx-q4"),
        ("llama-3.1-8b", "rtx-4090", "vllm", None, "bf16"),
        ("llama-3.1-8b", "rtx-4090", "ideal", None, "q4_k_m"),
        ("deepseek-v3", "h200-141gb-sxm", "sglang", None, "fp8-block"),
        ("kimi-k2.5", "h200-141gb-sxm", "vllm", None, "int4-experts"),
        ("deepseek-v4-flash", "h200-141gb-sxm", "vllm", None, "mxfp4-fp8"),
        ("minimax-m2", "h200-141gb-sxm", "vllm", None, "fp8-block"),
        ("kimi-k2.5", "apple-m3-ultra-80c", "llama.cpp", None, "q4_k_m"),
        ("deepseek-r1", "apple-m3-ultra-80c", "llama.cpp", None, "q4_k_m"),
    ],
)
def test_the_usual_format_is_taken_and_said(
    model: str, device: str, engine: str, backend: str | None, weights: str
) -> None:
    result = hayasa.estimate(model, device, engine=engine, backend=backend)
    assert result.weights.id == weights
    assert any("形式の指定がない" in note and weights in note for note in result.notes)
    assert not hayasa.estimate(model, device, engine=engine, backend=backend, weights=weights).remarks


def test_the_word_of_a_format_means_what_the_engine_means() -> None:
    for engine, device, meant in (("vllm", "rtx-4090", "mxfp4-f16"), ("mlx", "apple-m4-10c", "mlx-mxfp4-q8")):
        result = hayasa.estimate("gpt-oss-20b", device, weights="MXFP4", engine=engine)
        assert result.weights.id == meant
        assert any("mxfp4" in note and meant in note for note in result.notes)


def test_the_table_of_engines_is_sound() -> None:
    packings = {one for row in hayasa.weight_format_rows().values() for one in row["packing"].split("|")}
    for engine in hayasa.ENGINES.values():
        assert {backend for _, backend in engine.backends} <= {*BACKENDS, ""}
        assert set(engine.reads) <= packings
        assert {*engine.runs, *engine.kin} <= set(hayasa.ENGINES)
        assert bool(engine.where) == bool(engine.backends) == bool(engine.reads)
        for id_ in (*engine.usual_formats, *engine.caches):
            assert hayasa.get_weight_format(id_).id == id_
        for id_ in engine.usual_formats:
            assert any(engine.reads_with(backend, hayasa.get_weight_format(id_)) for _, backend in engine.backends)


# Sizes that Unsloth's pages list, none of which the bits were taken from.
UNSLOTH_FILES = [
    ("qwen3.6-27b", "UD-Q4_K_XL", 17.6e9),
    ("qwen3.6-27b", "UD-Q5_K_XL", 18.83 * 2**30),
    ("qwen3.6-27b", "UD-Q8_K_XL", 29.30 * 2**30),
    ("qwen3.6-35b-a3b", "UD-IQ3_XXS", 13.2e9),
    ("qwen3.6-35b-a3b", "UD-Q6_K_XL", 31.8e9),
    ("qwen3.6-35b-a3b", "UD-Q8_K_XL", 38.5e9),
    ("qwen3.5-35b-a3b", "UD-IQ4_XS", 17.5e9),
    ("qwen3.5-122b-a10b", "UD-Q5_K_XL", 86e9),
    ("qwen3-4b", "UD-Q4_K_XL", 2_546_339_456),
    ("qwen3-30b-a3b", "UD-Q4_K_XL", 17_709_692_928),
    ("qwen3-235b-a22b", "UD-Q3_K_XL", 104_146_921_472),
    ("glm-4.5-air", "UD-Q4_K_XL", 73_028_549_632),
    ("qwen3-0.6b", "UD-Q4_K_XL", 405_372_608),
]


@pytest.mark.parametrize(("model", "weights", "n_bytes"), UNSLOTH_FILES)
def test_files_of_unsloth_lie_within_the_spread(model: str, weights: str, n_bytes: float) -> None:
    stored = hayasa.get_weight_format(weights)
    computed = hayasa.weight_bytes_resident(hayasa.get_model(model), stored)
    assert abs(computed / n_bytes - 1) <= stored.spread


def test_a_mix_of_its_own_is_said_and_is_less_sure() -> None:
    own, plain = (ask("rtx-4090", weights=weights) for weights in ("UD-Q4_K_XL", "Q4_K_M"))
    assert any("ud-q4_k_xl" in note and "9.0%" in note for note in own.notes)

    def width(result: hayasa.Estimate) -> float:
        return result.decode_tokens_per_s / result.decode_tokens_per_s_low

    assert width(own) == pytest.approx(1.09 * width(plain))


# Strix Halo, llama-bench, best backend of each, builds of May 2026.
# https://github.com/kyuz0/amd-strix-halo-toolboxes/blob/d1a34be/docs/results.json
DYNAMIC_SPEEDS = [
    ("qwen3.6-35b-a3b", "UD-Q4_K_XL", 60.4),
    ("qwen3.6-35b-a3b", "UD-Q8_K_XL", 46.5),
    ("qwen3.6-27b", "UD-Q8_K_XL", 6.5),
    ("qwen3.5-122b-a10b", "UD-Q5_K_XL", 22.3),
]


@pytest.mark.parametrize(("model", "weights", "measured"), DYNAMIC_SPEEDS)
def test_dynamic_mixes_come_out_as_measured(model: str, weights: str, measured: float) -> None:
    result = hayasa.estimate(model, "ryzen-ai-max-395", weights=weights, context_length=64)
    assert result.decode_tokens_per_s == pytest.approx(measured, rel=0.1)


def test_something_runs_on_every_device() -> None:
    for id_ in hayasa.device_rows():
        device = hayasa.get_device(id_)
        assert any(engine.backends_on(device) for engine in hayasa.ENGINES.values()), (id_, device.family)


def test_every_usual_format_is_known_and_read_by_someone() -> None:
    for id_ in hayasa.model_rows():
        usual = hayasa.get_model(id_).usual_format
        if usual:
            stored = hayasa.get_weight_format(usual)
            assert any(engine.reads_with("", stored) for engine in hayasa.ENGINES.values() if engine.reads), id_


def test_kimi_takes_as_much_as_published() -> None:
    stored = hayasa.get_weight_format("int4-experts")
    assert hayasa.weight_bytes_resident(hayasa.get_model("kimi-k2.5"), stored) == pytest.approx(595e9, rel=0.002)


@pytest.mark.parametrize(
    ("model", "device", "weights", "engine"),
    [
        ("qwen3-8b", "m4-max", None, "llama.cpp"),
        ("mlx-community/Qwen3-8B-4bit", "m4-max", None, "mlx"),
        ("qwen3-8b", "m4-max", "mlx-q8", "mlx"),
        ("qwen3-8b", "rtx-4090", "awq", "vllm"),
        ("qwen3-8b", "rtx-4090", "exl3-4.0bpw", "exllamav3"),
        ("qwen3-8b", "rtx-4090", "q4_k_m", "llama.cpp"),
    ],
)
def test_the_format_decides_where_no_engine_is_named(model: str, device: str, weights: str | None, engine: str) -> None:
    result = hayasa.estimate(model, device, weights=weights)
    assert result.engine.id == engine
    named = hayasa.estimate(model, device, weights=weights, engine=engine)
    assert result.step_latency_s == named.step_latency_s
    # It is said where it is not the usual one.
    said = [note for note in result.notes if "エンジンの指定がない" in note]
    assert bool(said) == (engine != "llama.cpp") and not any("エンジンの指定がない" in note for note in named.notes)


def test_unlike_devices_share_the_engine_that_the_format_decides() -> None:
    both = hayasa.estimate("qwen3-8b", devices=["rtx-4090", "rtx-3090"], weights="awq")
    assert both.engine.id == "vllm" and {part.alone.engine.id for part in both.parts} == {"vllm"}
    assert sum("エンジンの指定がない" in note for note in both.notes) == 1
