"""Properties of the formulas, and published figures they must reproduce."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hayasa
from hayasa.catalog.reader import data_directory, read_rows

positive = st.floats(min_value=1e-3, max_value=1e15)
sizes = st.integers(min_value=1, max_value=4096)


@given(positive, positive, positive)
def test_doubling_the_bandwidth_halves_the_time(p: float, n: float, bandwidth: float) -> None:
    once = hayasa.memory_latency_s(p, n, bandwidth)
    assert math.isclose(hayasa.memory_latency_s(p, n, 2 * bandwidth), once / 2)
    assert math.isclose(hayasa.memory_latency_s(2 * p, n, bandwidth), once * 2)


@given(positive, positive, positive)
def test_units_scale(p: float, n: float, bandwidth: float) -> None:
    """In gigabytes and gigabytes per second the time is the same."""
    in_bytes = hayasa.memory_latency_s(p, n, bandwidth)
    assert math.isclose(hayasa.memory_latency_s(p, n / 1e9, bandwidth / 1e9), in_bytes)


@given(positive, positive)
def test_step_lies_between_maximum_and_sum(memory_s: float, compute_s: float) -> None:
    least, most = hayasa.step_latency_bounds_s(memory_s, compute_s)
    assert least <= most <= 2 * least * (1 + 1e-12)


@given(positive, positive, st.floats(min_value=1e-3, max_value=8))
def test_both_limits_meet_at_the_crossover(peak: float, bandwidth: float, n: float) -> None:
    batch = hayasa.crossover_batch_size(n, peak, bandwidth)
    memory = hayasa.memory_latency_s(7e9, n, bandwidth)
    assert math.isclose(hayasa.compute_latency_s(7e9, batch, peak), memory, rel_tol=1e-9)


@given(sizes, sizes, st.integers(min_value=1, max_value=512))
def test_experts_touched(experts: int, used: int, batch: int) -> None:
    used = min(used, experts)
    touched = hayasa.experts_touched(experts, used, batch)
    assert used - 1e-9 <= touched <= min(experts, used * batch) + 1e-9
    assert touched <= hayasa.experts_touched(experts, used, batch + 1) + 1e-9


@pytest.mark.parametrize("id_", sorted(hayasa.model_rows()))
def test_parameters_equal_the_published_total(id_: str) -> None:
    published = float(hayasa.model_rows()[id_]["published_parameters"])
    assert hayasa.total_parameters(hayasa.get_model(id_)) == pytest.approx(published, rel=0.005)


@pytest.mark.parametrize(
    ("id_", "billions"),
    [
        ("gpt-oss-120b", 5.13),
        ("deepseek-v3", 36.6),
        ("qwen3-30b-a3b", 3.04),
        ("llama-3.1-8b", 7.505),
        ("qwen3.5-35b-a3b", 2.95),
        ("qwen3-next-80b-a3b", 3.56),
    ],
)
def test_active_parameters(id_: str, billions: float) -> None:
    active = hayasa.active_parameters(hayasa.get_model(id_))
    assert active / 1e9 == pytest.approx(billions, rel=0.005)


@pytest.mark.parametrize(
    ("id_", "n_bytes"),
    [
        ("llama-3.1-8b", 131072),
        ("llama-3.1-70b", 327680),
        # As published, to the byte: Zhao et al. 2025, table 1.
        ("qwen2.5-72b", 327680),
        ("llama-3.1-405b", 516096),
        ("llama-2-7b", 524288),
        ("deepseek-v3", 70272),
        ("qwen3-30b-a3b", 98304),
        ("qwen3.6-27b", 65536),
        ("qwen3.5-35b-a3b", 20480),
        ("qwen3.5-122b-a10b", 24576),
        ("qwen3.5-397b-a17b", 30720),
    ],
)
def test_kv_cache_bytes_per_token(id_: str, n_bytes: int) -> None:
    assert hayasa.kv_cache_bytes_per_token(hayasa.get_model(id_)) == n_bytes


def test_sliding_window_keeps_no_more_than_the_window() -> None:
    gpt_oss = hayasa.get_model("gpt-oss-20b")
    per_layer = hayasa.kv_cache_bytes_per_token(gpt_oss) / gpt_oss.layers
    assert hayasa.kv_cache_bytes(gpt_oss, 10_000) == per_layer * 12 * (10_000 + 128)


MIB = 2**20


@pytest.mark.parametrize(
    ("id_", "mib"),
    [
        # Logged by llama.cpp: 2.81 MiB for the convolutions, 60.00 MiB for the states.
        ("qwen3.5-35b-a3b", 62.8125),
        ("qwen3.6-27b", 149.625),
        ("llama-3.1-8b", 0),
    ],
)
def test_recurrent_states_are_there_from_the_first_token(id_: str, mib: float) -> None:
    model = hayasa.get_model(id_)
    assert hayasa.state_bytes(model) == mib * MIB
    assert hayasa.kv_cache_bytes(model, 0, batch_size=3) == 3 * mib * MIB
    # A step reads the state and writes it.
    assert hayasa.kv_read_bytes(model, 0) == 2 * mib * MIB


def test_sparse_attention_stores_more_than_a_step_reads() -> None:
    sparse = hayasa.get_model("deepseek-v3.2")
    assert hayasa.kv_read_bytes(sparse, 2**17) == 61 * 2 * (2048 * 576 + 2**17 * 128)
    assert hayasa.kv_read_bytes(sparse, 2000) == hayasa.kv_cache_bytes(sparse, 2000)


@pytest.mark.parametrize(
    ("id_", "context_length", "gib"),
    [
        # Published; bf16.
        ("deepseek-v3.2", 2**17, 10.48),
        ("deepseek-v4-flash", 2**20, 6.72),
        ("deepseek-v4-pro", 2**20, 9.62),
    ],
)
def test_cache_sizes_that_were_published(id_: str, context_length: int, gib: float) -> None:
    model = hayasa.get_model(id_)
    assert hayasa.kv_cache_bytes(model, context_length) / 2**30 == pytest.approx(gib, abs=0.01)


@pytest.mark.parametrize(
    ("id_", "growing", "fixed_mib"),
    [
        ("gemma-4-31b", 81_920, 800),
        ("gemma-4-26b-a4b", 20_480, 200),
        ("gemma-4-12b", 16_384, 320),
        ("gemma-4-e4b", 16_384, 20),
        ("gemma-4-e2b", 6_144, 6),
        ("nemotron-3-nano-30b-a3b", 6_144, 46 + 1.6171875),
        ("nemotron-3-super-120b-a12b", 8_192, 160 + 4.6875),
        ("granite-4.0-h-small", 16_384, 144 + 3.48046875),
        ("glm-4.7-flash", 54_144, 0),
        ("kimi-k2.5", 70_272, 0),
        ("deepseek-v4-flash", 6_880, 5.375),
        ("minimax-m2", 253_952, 0),
        ("llama-4-scout", 12 * 4096, 36 * 8192 * 4096 / 2**20),
    ],
)
def test_a_cache_is_what_grows_and_what_does_not(id_: str, growing: int, fixed_mib: float) -> None:
    """Windows that are full and states stay; the rest grows by the same with every token."""
    model = hayasa.get_model(id_)
    assert hayasa.kv_cache_bytes(model, 2**16) == growing * 2**16 + fixed_mib * MIB


@pytest.mark.parametrize(
    ("id_", "mixers"),
    [
        ("nemotron-3-nano-30b-a3b", {"M": 23, "A": 6, "-": 23}),
        ("nemotron-3-super-120b-a12b", {"M": 40, "A": 8, "-": 40}),
        ("nemotron-3-ultra-550b-a55b", {"M": 48, "A": 12, "-": 48}),
        ("granite-4.0-h-small", {"M": 36, "A": 4}),
        ("lfm2-1.2b", {"C": 10, "A": 6}),
        ("qwen3.5-397b-a17b", {"L": 45, "A": 15}),
        ("kimi-linear-48b-a3b", {"K": 20, "A": 7}),
        ("kimi-k3", {"K": 69, "A": 24}),
        ("gemma-4-e2b", {"W": 12, "A": 3, "w": 16, "a": 4}),
        ("deepseek-v4-flash", {"W": 2, "Q": 21, "Z": 20}),
        ("mimo-v2-flash", {"W": 39, "A": 9}),
        ("gpt-oss-20b", {"W": 12, "A": 12}),
    ],
)
def test_layers_of_each_kind_are_as_many_as_published(id_: str, mixers: dict[str, int]) -> None:
    model = hayasa.get_model(id_)
    found = [*model.layer_mixers]
    assert {mixer: found.count(mixer) for mixer in mixers} == mixers
    assert len(found) == model.layers == sum(mixers.values())
    assert model.moe_layers == sum(kind in "EB" for kind in model.layer_mlps)


PLAIN = {
    "layers": 8,
    "hidden_size": 512,
    "attention_heads": 8,
    "kv_heads": 2,
    "head_dim": 64,
    "intermediate_size": 2048,
    "vocab_size": 32000,
}


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"mixer_pattern": "AX"}, "mixer_pattern"),
        ({"mixer_pattern": 7}, "mixer_pattern"),
        ({"mlp_pattern": ["D"]}, "mlp_pattern"),
        ({"attention_kind": "shared"}, "q_lora_rank"),
        ({"v_head_dim": -1}, "v_head_dim"),
        ({"window_kv_heads": 1.5}, "window_kv_heads"),
        ({"mtp_layers": float("nan")}, "mtp_layers"),
        ({"mlp_pattern": "DX"}, "mlp_pattern"),
        ({"mlp_pattern": "DDDDDDDDD"}, "mlp_pattern"),
        ({"mixer_pattern": "LA"}, "state_heads"),
        ({"mixer_pattern": "CA"}, "conv_kernel"),
        ({"mixer_pattern": "WA"}, "sliding_window"),
        ({"mixer_pattern": "IA"}, "index_heads"),
        ({"mlp_pattern": "DE"}, "experts"),
        ({"mixer_pattern": "WA", "sliding_window": 64, "sliding_window_layers": 4}, "sliding_window_layers"),
    ],
)
def test_layers_that_cannot_be_are_refused_by_name(wrong: dict[str, object], named: str) -> None:
    with pytest.raises(hayasa.InvalidValueError, match=named):
        hayasa.Model(id="wrong", **{**PLAIN, **wrong})


@given(st.integers(0, 200_000), st.sampled_from(["A", "WA", "WAwa", "LLLA", "IR", "WQZ", "MCA-"]))
def test_a_longer_context_never_needs_less(context_length: int, mixer_pattern: str) -> None:
    model = hayasa.Model(
        id="any",
        **PLAIN,
        mixer_pattern=mixer_pattern,
        sliding_window=1024,
        index_heads=4,
        index_head_dim=64,
        index_top_k=512,
        state_heads=8,
        state_head_dim=64,
        state_groups=4,
        state_dim=64,
        conv_kernel=4,
    )
    for amount in (hayasa.kv_cache_bytes, hayasa.kv_read_bytes, hayasa.attention_flop_per_token):
        assert amount(model, context_length) <= amount(model, context_length + 1)


def test_prompt_flop_is_the_sum_over_its_tokens() -> None:
    qwen, gemma = hayasa.get_model("qwen3.5-4b"), hayasa.get_model("gemma-3-4b")
    for model in (qwen, gemma):
        output = 2.0 * model.vocab_size * model.hidden_size
        tokens = sum(hayasa.flop_per_token(model, i) for i in range(1, 2001))
        assert hayasa.prefill_flop(model, 2000) == pytest.approx(tokens - 1999 * output, rel=1e-12)


def test_attention_is_four_s_d_per_layer() -> None:
    llama = hayasa.get_model("llama-3.1-8b")
    assert hayasa.attention_flop_per_token(llama, 1000) == 4 * 1000 * 4096 * 32


def file_sizes() -> list[dict[str, str]]:
    return read_rows(data_directory() / "gguf_file_sizes.csv", required=("model",))


@pytest.mark.parametrize("row", file_sizes(), ids=lambda row: f"{row['model']}-{row['weight_format']}")
def test_file_sizes_follow_from_the_shape(row: dict[str, str]) -> None:
    model = hayasa.get_model(row["model"])
    computed = hayasa.weight_bytes_resident(model, hayasa.get_weight_format(row["weight_format"]))
    if row["size_gib"]:
        published = float(row["size_gib"]) * 2**30
    else:
        inside = hayasa.total_parameters(model) - model.other_parameters
        published = float(row["bits_per_weight"]) * inside / 8
    assert computed == pytest.approx(published, rel=0.01)


@pytest.mark.parametrize("model", ["llama-3.1-8b", "gpt-oss-20b", "deepseek-v3", "gemma-3-4b"])
@pytest.mark.parametrize("weights", ["f16", "q8_0", "q4_k_m", "mlx-q4"])
def test_a_step_reads_no_more_than_is_resident(model: str, weights: str) -> None:
    shape, stored = hayasa.get_model(model), hayasa.get_weight_format(weights)
    resident = hayasa.weight_bytes_resident(shape, stored)
    reads = [hayasa.weight_bytes_per_step(shape, stored, batch) for batch in (1, 2, 8, 64)]
    assert reads == sorted(reads)
    assert 0 < reads[0] <= resident
    rows_looked_up = 64 * 8 * shape.hidden_size
    assert reads[-1] <= resident + rows_looked_up


def test_capacity_in_context_and_batch_agree() -> None:
    llama, q4 = hayasa.get_model("llama-3.1-8b"), hayasa.get_weight_format("q4_k_m")
    gpu = hayasa.get_device("rtx-4090")
    context = hayasa.max_context_length(llama, gpu, q4, engine="ideal")
    assert hayasa.memory_required_bytes(llama, q4, context_length=context) <= 24 * 2**30
    assert hayasa.memory_required_bytes(llama, q4, context_length=context + 1) > 24 * 2**30
    context = hayasa.max_context_length(llama, gpu, q4)
    assert hayasa.memory_fit(llama, gpu, q4, context_length=context).left_bytes >= 0
    assert hayasa.memory_fit(llama, gpu, q4, context_length=context + 1).left_bytes < 0
    assert hayasa.max_batch_size(llama, gpu, q4, context_length=context) == 1
    too_large = hayasa.get_model("llama-3.1-405b")
    assert hayasa.max_context_length(too_large, gpu, q4) == -1
    assert hayasa.max_batch_size(too_large, gpu, q4, context_length=1) == 0


@given(st.integers(2, 64), st.floats(1e-4, 1), st.floats(0, 1e-3))
def test_several_devices(devices: int, step_s: float, latency_s: float) -> None:
    in_a_row = hayasa.pipeline_step_s(step_s, devices, link_latency_s=latency_s)
    beside = hayasa.tensor_parallel_step_s(step_s, devices, all_reduces=64, link_latency_s=latency_s)
    assert in_a_row >= step_s
    assert beside >= step_s / devices


def test_utilization_of_the_bound_is_one() -> None:
    result = hayasa.estimate("llama-3.1-8b", "rtx-4090", engine="ideal")
    bandwidth = result.device.memory_bandwidth_bytes_per_s
    assert hayasa.mbu(result.decode_tokens_per_s, result.bytes_per_step, bandwidth) == pytest.approx(1)
