"""The calibrations of prompts are what the measurements say, and as good as they claim to be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import hayasa
from hayasa.catalog.reader import data_directory
from hayasa.engine.prompt import MULTIPLY_AT_PEAK, PromptCalibration, PromptFactor, prompt_calibrations, prompt_factors
from lab.calibrate import write_rows
from lab.prompts import EXCLUSIONS, FORMS, Fit, Prompt, calibrate, load_prompts, usable


@pytest.fixture(scope="module")
def prompts() -> list[Prompt]:
    return load_prompts()[0]


@pytest.fixture(scope="module")
def fitted(prompts: list[Prompt]) -> list[tuple[PromptCalibration, list[PromptFactor]]]:
    return [calibrate(form, usable(form, prompts)) for form in FORMS]


def test_the_files_are_what_the_code_writes(
    fitted: list[tuple[PromptCalibration, list[PromptFactor]]], tmp_path: Path
) -> None:
    write_rows(tmp_path / "prompt_calibrations.csv", [row for row, _ in fitted])
    write_rows(tmp_path / "prompt_factors.csv", [row for _, rows in fitted for row in rows])
    for name in ("prompt_calibrations.csv", "prompt_factors.csv"):
        assert (tmp_path / name).read_bytes() == (data_directory() / name).read_bytes(), name


def test_every_exclusion_leaves_something_out(prompts: list[Prompt]) -> None:
    for reason, excluded in EXCLUSIONS:
        assert any(map(excluded, prompts)), reason


def test_an_estimate_is_what_was_fitted(prompts: list[Prompt]) -> None:
    """The sum that `hayasa.estimate` writes is the one that the fit brought near to the measurements."""
    form = next(form for form in FORMS if form.key == ("mlx", "mlx"))
    mine = [m for m in usable(form, prompts) if m.row["measured_through"] == "engine"]
    ratios = np.exp(-Fit(form, usable(form, prompts)).log_ratios(mine))
    for m, ratio in zip(mine, ratios, strict=True):
        result = hayasa.estimate(
            m.model, m.device, weights=m.weights, engine="mlx", prompt_length=m.tokens[0], cached_tokens=m.cached_tokens
        )
        assert result.prefill_tokens_per_s is not None
        # The estimate never exceeds physics, of which reading every expert once is a part.
        assert result.prefill_tokens_per_s / m.tokens_per_s == pytest.approx(ratio, rel=5e-3), m.row["id"]


@pytest.mark.parametrize(
    ("id_", "device", "model"),
    [
        ("llama.cpp/cuda", 0.25, 0.22),
        ("llama.cpp/metal", 0.08, 0.11),
        ("mlx/mlx", 0.2, 0.12),
        ("llama.cpp/cpu", 0.4, 0.3),
    ],
)
def test_how_far_off_prompts_are_that_were_held_out(id_: str, device: float, model: float) -> None:
    row = next(row for row in prompt_calibrations() if row.id == id_)
    assert 0 < row.error_device_held_out < device and 0 < row.error_model_held_out < model
    assert 0.85 <= row.coverage_model_held_out <= 0.97
    assert row.low_factor <= row.known_low_factor < 1 < row.known_high_factor <= row.high_factor


def test_a_processor_beside_a_gpu_has_cores_of_its_own() -> None:
    """The compute units of a GPU say nothing of the processor that shares its memory."""
    gpu = hayasa.get_device("radeon-780m")
    narrow, wide = (
        hayasa.estimate("llama-3.1-8b", device, weights="q4_k_m", engine="llama.cpp", backend="cpu")
        for device in (gpu, replace(gpu, gpu_cores=2 * gpu.gpu_cores))
    )
    assert narrow.prefill_tokens_per_s and narrow.prefill_tokens_per_s == wide.prefill_tokens_per_s


def test_prompts_are_read_as_fast_as_the_cores_of_a_processor() -> None:
    speeds = [
        hayasa.estimate("llama-3.1-8b", name, weights="q4_k_m", engine="llama.cpp").prefill_tokens_per_s or 0.0
        for name in ("Ryzen 5 5600X", "Ryzen 9 5950X", "Ryzen 9 7950X")
    ]
    # 16 cores instead of 6, at nearly the same clock; then the next generation's.
    assert 2 < speeds[1] / speeds[0] < 3 and 1.3 < speeds[2] / speeds[1] < 2.5


def test_depth_is_no_trend(prompts: list[Prompt]) -> None:
    """Prompts behind 16,384 tokens and more are as far off as those at the start, by class within 25 %."""
    for form in FORMS:
        mine = usable(form, prompts)
        deep = [m for m in mine if m.cached_tokens >= 16384]
        if len(deep) < 8:
            continue
        fit = Fit(form, mine)
        behind, start = (float(np.median(fit.log_ratios(rows))) for rows in (deep, [m for m in mine if m not in deep]))
        assert abs(behind - start) < 0.25, form.key


def test_a_generation_that_was_not_measured_has_its_vendors_kernels() -> None:
    factors = prompt_factors()
    assert ("llama.cpp/vulkan", "nvidia") in factors and ("llama.cpp/vulkan", "nvidia-hopper") not in factors
    result = hayasa.estimate("llama-3.1-8b", "h100-80gb-sxm", backend="vulkan")
    assert result.prompt_time is not None and result.prompt_time.chosen is not None
    assert any("nvidia-hopper" in note for note in result.prompt_time.chosen.notes)
    listed = next(row for row in prompt_calibrations() if row.id == "llama.cpp/vulkan")
    assert result.prefill_waits[0].factor == pytest.approx(
        listed.cycles_per_flop * factors["llama.cpp/vulkan", "nvidia"].factor
    )


def test_eight_bit_floats_are_multiplied_twice_as_fast_where_there_are_units_for_them() -> None:
    def multiply_s(device: str, weights: str) -> float:
        estimate = hayasa.estimate("llama-3.1-8b", device, weights=weights, engine="vllm", prompt_length=2000)
        return next(wait.seconds for wait in estimate.prompt_time.waits if wait.kind is MULTIPLY_AT_PEAK)

    assert multiply_s("h100-80gb-sxm", "fp8") == pytest.approx(multiply_s("h100-80gb-sxm", "bf16") / 2)
    assert multiply_s("a100-80gb-sxm", "fp8") == pytest.approx(multiply_s("a100-80gb-sxm", "bf16"))
