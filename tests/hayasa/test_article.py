"""The article's numbers, from the formulas and from the ideal engine."""

from __future__ import annotations

from dataclasses import replace

import pytest

import hayasa

PARAMETERS, INT4_BYTES = 7e9, 0.5
A100 = {"memory_bandwidth_bytes_per_s": 1935e9, "peak_int4_dense_op_per_s": 1248e12}
MAC_MINI = {"memory_bandwidth_bytes_per_s": 120e9, "peak_int4_dense_op_per_s": 38e12}


@pytest.mark.parametrize(
    ("bandwidth", "peak", "by_memory", "by_compute"),
    [(1935e9, 1248e12, 552, 89142), (120e9, 38e12, 34, 2714)],
)
def test_formulas(bandwidth: float, peak: float, by_memory: int, by_compute: int) -> None:
    assert int(1 / hayasa.memory_latency_s(PARAMETERS, INT4_BYTES, bandwidth)) == by_memory
    assert int(1 / hayasa.compute_latency_s(PARAMETERS, 1, peak)) == by_compute


def test_ratios() -> None:
    memory = [hayasa.memory_latency_s(PARAMETERS, INT4_BYTES, b) for b in (120e9, 1935e9)]
    compute = [hayasa.compute_latency_s(PARAMETERS, 1, p) for p in (38e12, 1248e12)]
    assert int(memory[0] / memory[1]) == 16
    assert int(compute[0] / compute[1]) == 32


def test_ideal_engine_gives_the_same() -> None:
    model = hayasa.Model(id="7b", stated_parameters=PARAMETERS)
    a100 = hayasa.get_device("a100-80gb-pcie")
    # The article counts the Neural Engine, which is no part of the GPU's row.
    mini = replace(hayasa.get_device("apple-m4-10c"), peak_int4_dense_op_per_s=38e12)
    speeds = [
        (int(result.decode_tokens_per_s), int(1 / result.compute_latency_s))
        for result in (hayasa.estimate(model, device, weights="int4", engine="ideal") for device in (a100, mini))
    ]
    assert speeds == [(552, 89142), (34, 2714)]
    assert (a100.memory_bandwidth_bytes_per_s, mini.memory_bandwidth_bytes_per_s) == (
        A100["memory_bandwidth_bytes_per_s"],
        MAC_MINI["memory_bandwidth_bytes_per_s"],
    )
    assert a100.peak_int4_dense_op_per_s == A100["peak_int4_dense_op_per_s"]


def test_corrected_ceiling_of_the_m4() -> None:
    """The whole Q4_0 file over the bandwidth is 31.4 tokens/s, not 34."""
    llama, q4_0 = hayasa.get_model("llama-2-7b"), hayasa.get_weight_format("q4_0")
    file_bytes = hayasa.weight_bytes_resident(llama, q4_0)
    assert round(file_bytes / 2**30, 2) == 3.56
    assert round(120e9 / file_bytes, 1) == 31.4


def test_measured_m4_lies_in_the_interval() -> None:
    result = hayasa.estimate("llama-2-7b", "apple-m4-10c", weights="q4_0")
    assert result.decode_tokens_per_s_low < 24.11 < result.decode_tokens_per_s_high
