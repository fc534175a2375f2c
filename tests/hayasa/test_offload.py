"""A part of the model on the host: what lies where, what it costs, and what was measured of it."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hayasa
from hayasa import best_split, estimate, explain, get_host
from hayasa.answer.check import decode_expectation
from hayasa.answer.estimate import ask_again
from hayasa.answer.fit import DOES_NOT_FIT, FITS
from hayasa.cli.commands import main
from hayasa.errors import InvalidValueError
from hayasa.model.placement import host_weight_bytes, placement_of
from hayasa.model.weights import weight_bytes
from lab.offload import FREE, fetch_factors, fit, hold_out, load, log_ratios

HOST = "ddr5-6000 x2 64GB"
MODELS = ("llama-3.1-8b", "gemma-3-12b", "qwen3-30b-a3b", "deepseek-v2-lite", "gpt-oss-120b", "qwen3.5-35b-a3b")


# ---- what lies where


@pytest.mark.parametrize("model", MODELS)
def test_the_parts_of_host_and_device_are_the_whole(model: str) -> None:
    shape, weights = hayasa.get_model(model), hayasa.get_weight_format("q4_k_m")
    whole = weight_bytes(shape, weights)
    everything = host_weight_bytes(shape, weights, placement_of(shape, 0, 0))
    assert everything.shared_bytes == pytest.approx(whole.shared_bytes)
    assert everything.routed_bytes_per_expert == pytest.approx(whole.routed_bytes_per_expert)
    assert host_weight_bytes(shape, weights, placement_of(shape, shape.layers + 1, 0)).resident_bytes == 0
    experts = host_weight_bytes(shape, weights, placement_of(shape, 999, shape.layers))
    assert experts.shared_bytes == 0
    assert experts.routed_bytes_per_expert == pytest.approx(whole.routed_bytes_per_expert)


def test_a_file_s_own_bytes_are_dealt_out_as_the_shape_says() -> None:
    shape = hayasa.get_model("qwen3-30b-a3b")
    q4 = hayasa.get_weight_format("q4_k_m")
    whole = weight_bytes(shape, q4)
    twice = replace(
        q4,
        stored=whole._replace(
            shared_bytes=2 * whole.shared_bytes, routed_bytes_per_expert=3 * whole.routed_bytes_per_expert
        ),
    )
    placement = placement_of(shape, 20, 40)
    usual, stored = host_weight_bytes(shape, q4, placement), host_weight_bytes(shape, twice, placement)
    assert stored.shared_bytes == pytest.approx(2 * usual.shared_bytes)
    assert stored.routed_bytes_per_expert == pytest.approx(3 * usual.routed_bytes_per_expert)


def test_the_output_matrix_is_the_first_that_a_device_gets() -> None:
    """A card used 1,586 MB more when -ngl went from 40 to 99: nine layers, not eight and the output matrix."""
    shape, weights = hayasa.get_model("qwen2.5-14b"), hayasa.get_weight_format("q4_k_m")
    left = host_weight_bytes(shape, weights, placement_of(shape, 40, 0)).resident_bytes
    assert placement_of(shape, 40, 0).host_layers == 9
    assert left / 1e6 == pytest.approx(1586, rel=0.05)


@pytest.mark.parametrize("model", MODELS)
@settings(max_examples=15, deadline=None)
@given(gpu_layers=st.integers(0, 60), experts=st.integers(0, 60), context_length=st.sampled_from([0, 4096]))
def test_nothing_is_lost_between_device_and_host(
    model: str, gpu_layers: int, experts: int, context_length: int
) -> None:
    experts = experts if hayasa.get_model(model).moe_layers else 0
    asked = {"weights": "q4_k_m", "context_length": context_length}
    plain = estimate(model, "rtx-4090", **asked)
    result = estimate(model, "rtx-4090", gpu_layers=gpu_layers, cpu_moe_layers=experts, host=HOST, **asked)
    if result.offload is None:
        assert result.fit == plain.fit and result.waits == plain.waits
        return
    part = result.offload.part
    assert result.fit.weights_bytes + part.weights.resident_bytes == pytest.approx(plain.fit.weights_bytes)
    kept = result.fit.kv_cache_bytes + result.fit.state_bytes + part.cache_bytes
    assert kept == pytest.approx(plain.fit.kv_cache_bytes + plain.fit.state_bytes)
    assert result.work == plain.work
    assert result.step_latency_s >= plain.bound_latency_s
    assert result.decode_tokens_per_s_low <= result.decode_tokens_per_s <= result.decode_tokens_per_s_high


def test_experts_on_the_host_leave_the_cache_on_the_device_and_layers_take_theirs_with_them() -> None:
    asked = {"weights": "q4_k_m", "context_length": 8192, "host": HOST}
    whole = estimate("qwen3-30b-a3b", "rtx-3060", weights="q4_k_m", context_length=8192).fit.kv_cache_bytes
    experts = estimate("qwen3-30b-a3b", "rtx-3060", cpu_moe_layers=48, **asked)
    layers = estimate("qwen3-30b-a3b", "rtx-3060", gpu_layers=25, **asked)
    assert experts.fit.kv_cache_bytes == whole
    assert layers.fit.kv_cache_bytes == pytest.approx(whole / 2)
    assert experts.offload and experts.offload.part.hand_overs == 48
    assert layers.offload and layers.offload.part.hand_overs == 1


# ---- what it costs


def test_more_on_the_device_is_faster_and_a_faster_host_too() -> None:
    speeds = [
        estimate("llama-3.3-70b", "rtx-4090", gpu_layers=n, host=HOST).decode_tokens_per_s for n in range(0, 82, 9)
    ]
    assert speeds == sorted(speeds)
    by_host = [
        estimate("gpt-oss-120b", "rtx-3090", cpu_moe_layers=30, host=host).decode_tokens_per_s
        for host in ("ddr4-2133 x1", "ddr4-3200 x2", "ddr5-6000 x2", "ddr5-4800 8ch", "ddr5-6400 12ch")
    ]
    assert by_host == sorted(by_host)


def test_the_host_s_own_speed_is_what_it_runs_at_alone() -> None:
    alone = estimate("qwen2.5-14b", "rtx-5060-ti", weights="q4_k_m", gpu_layers=0, host="2.89 tok/s")
    assert alone.decode_tokens_per_s == pytest.approx(2.89, rel=1e-3)


def test_what_the_memory_has_no_room_for_comes_from_the_disk() -> None:
    small, large = (
        estimate("deepseek-r1", "rtx-4090", cpu_moe_layers=61, host=f"ddr5-6000 x2 {gib}GB ssd 7GB/s")
        for gib in (64, 512)
    )
    assert small.host_fit and small.host_fit.verdict == DOES_NOT_FIT and small.fits is False
    assert large.host_fit and large.host_fit.verdict == FITS
    [disk] = [wait for wait in small.waits if wait.name == "read_disk"]
    assert small.offload
    missing = small.host_fit.required_bytes - small.host_fit.available_most_bytes
    share = missing / small.host_fit.required_bytes
    assert disk.seconds == pytest.approx(share * small.offload.bytes_per_step / 7e9)
    assert "SSD" in " ".join(small.notes)
    # What nobody checked has the wider interval.
    assert small.decode_tokens_per_s_low / small.decode_tokens_per_s < (
        large.decode_tokens_per_s_low / large.decode_tokens_per_s
    )


def test_vllm_sends_weights_and_keeps_the_cache() -> None:
    result = estimate(
        "llama-3.1-8b", "rtx-3060", engine="vllm", gpu_layers=20, context_length=4096, host="ddr5-6000 x2 pcie4 x16"
    )
    offload = result.offload
    assert offload and offload.part.cache_bytes == 0
    [fetched] = [wait for wait in result.waits if wait.name == "fetch_weights"]
    assert fetched.load_s == pytest.approx(offload.part.weights.resident_bytes / 31.508e9, rel=1e-3)


def test_a_prompt_carries_the_weights_once_per_micro_batch_but_not_for_a_few_tokens() -> None:
    def waits(prompt: int) -> tuple[hayasa.Wait, ...]:
        return estimate(
            "qwen2.5-14b", "rtx-3060", weights="q4_k_m", gpu_layers=20, host=HOST, prompt_length=prompt
        ).prefill_waits

    once, eight = waits(512)[-1], waits(4096)[-1]
    assert once.name == "fetch_weights"
    assert eight.seconds == pytest.approx(8 * once.seconds)
    assert {"read_host", "host_cores"} < {wait.name for wait in waits(31)}


def test_what_a_reader_sees_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    result = estimate("gpt-oss-120b", "rtx-3090", cpu_moe_layers=26, host=HOST)
    text = explain(result)
    for wait in result.waits:
        if wait.seconds and wait.kind.place in ("host", "links"):
            assert wait.kind.label in text
    assert "前から 26 層の専門家" in text
    assert main(["estimate", "--model", "gpt-oss-120b", "--device", "rtx-3090", "--host", HOST, "--json"]) == 0
    offload = json.loads(capsys.readouterr().out)["offload"]
    best = best_split("gpt-oss-120b", "rtx-3090", host=HOST).offload
    assert best and (offload["gpu_layers"], offload["cpu_moe_layers"]) == (best.gpu_layers, best.cpu_moe_layers)


@pytest.mark.parametrize("option", [["-ngl", "99", "--cpu-moe"], ["--n-cpu-moe", "99"], ["-ncmoe", "36"]])
def test_llama_cpps_own_options(option: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    main(["estimate", "--model", "gpt-oss-120b", "--device", "rtx-3090", "--host", HOST, *option])
    assert "前から 36 層の専門家" in capsys.readouterr().out


# ---- which split


def test_the_split_that_is_proposed_fits_and_one_more_would_not() -> None:
    best = best_split("qwen3-30b-a3b", "rtx-3060", host=HOST, weights="q4_k_m", context_length=8192)
    assert best.fits and best.offload and best.offload.cpu_moe_layers
    more = estimate(
        "qwen3-30b-a3b",
        "rtx-3060",
        host=HOST,
        weights="q4_k_m",
        context_length=8192,
        cpu_moe_layers=best.offload.cpu_moe_layers - 1,
    )
    assert not more.fits
    dense = best_split("llama-3.3-70b", "rtx-4090", host=HOST).offload
    assert dense and dense.cpu_moe_layers == 0 and 0 < dense.gpu_layers < 81


def test_no_split_of_any_kind_is_faster() -> None:
    """All that fit, layer by layer, and experts by experts."""
    best = best_split("qwen3-30b-a3b", "rtx-3060", host=HOST, weights="q4_k_m")
    asked = {"host": HOST, "weights": "q4_k_m"}
    others = [estimate("qwen3-30b-a3b", "rtx-3060", gpu_layers=n, **asked) for n in range(50)]
    others += [estimate("qwen3-30b-a3b", "rtx-3060", cpu_moe_layers=n, **asked) for n in range(1, 49)]
    assert best.decode_tokens_per_s == max(one.decode_tokens_per_s for one in others if one.fits)


def test_what_fits_needs_no_host() -> None:
    plain, asked = estimate("llama-3.1-8b", "rtx-4090"), best_split("llama-3.1-8b", "rtx-4090", host=HOST)
    assert asked.offload is None and asked.decode_tokens_per_s == plain.decode_tokens_per_s


def test_the_remedy_names_the_number() -> None:
    [remedy] = [text for text in estimate("gpt-oss-120b", "rtx-3090").remedies if "CPU の側" in text]
    best = best_split("gpt-oss-120b", "rtx-3090", host=HOST).offload
    assert best and f"--n-cpu-moe {best.cpu_moe_layers}" in remedy


# ---- what is refused


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"gpu_layers": 3}, "host"),
        ({"cpu_moe_layers": 3}, "cpu_moe_layers"),
        ({"gpu_layers": 3, "host": HOST, "device": "apple-m4-max-40c"}, "同じメモリ"),
        ({"gpu_layers": 3, "host": HOST, "engine": "exllamav3"}, "exllamav3"),
        ({"cpu_moe_layers": 3, "host": HOST, "engine": "vllm", "model": "gpt-oss-120b"}, "vllm"),
        ({"gpu_layers": 3, "host": "rtx-4090"}, "rtx-4090"),
        ({"gpu_layers": -1, "host": HOST}, "gpu_layers"),
        ({"gpu_layers": 2, "host": HOST, "model": hayasa.Model(id="7b", stated_parameters=7e9)}, "7b"),
    ],
)
def test_a_question_without_sense_is_refused_by_name(asked: dict[str, object], said: str) -> None:
    with pytest.raises(hayasa.InvalidValueError, match=said):
        estimate(**{"model": "llama-3.1-8b", "device": "rtx-3060", **asked})


@pytest.mark.parametrize(
    ("name", "gigabytes_per_s", "gib"),
    [
        ("DDR5-5600 x2", 89.6, 0),
        ("ddr4-3200 2ch", 51.2, 0),
        ("ddr5-4800 8ch 256GB", 307.2, 256),
        ("dual-channel DDR5-6000", 96.0, 0),
        ("2x32GB DDR5-6000", 96.0, 64),
        ("Ryzen 9 7950X 64GB", 83.2, 64),
        ("60 GB/s", 60.0, 0),
        ("60", 60.0, 0),
        ("ＤＤＲ５－５６００ ｘ２", 89.6, 0),
        ("ddr5-5600-dual", 89.6, 0),  # as the page calls it
    ],
)
def test_hosts_as_people_write_them(name: str, gigabytes_per_s: float, gib: int) -> None:
    host = get_host(name)
    assert host.memory_bandwidth_bytes_per_s / 1e9 == pytest.approx(gigabytes_per_s)
    assert host.memory_capacity_bytes / 2**30 == gib


@pytest.mark.parametrize("name", ["", "foo", "64GB", "ddr5-5600 x2 hello", "ddr5-5600 x99", "ddr4-3200 4枚"])
def test_what_is_no_host_is_no_host(name: str) -> None:
    with pytest.raises(hayasa.UnknownNameError, match="host"):
        get_host(name)


# ---- what was measured


def test_the_calibration_is_what_the_measurements_give() -> None:
    """And it misses machines that it has not seen by no more than 15 %."""
    rows = load()
    used = [row for row in rows if not row.cells["left_out"]]
    written, made = hayasa.offload_calibration(), fit(used)
    for name in FREE:
        assert getattr(written, name) == pytest.approx(getattr(made, name), rel=1e-3)
    assert written.fetch_factor == pytest.approx(fetch_factors(rows).prod() ** 0.5, rel=1e-3)
    assert written.rows == len(used)
    by_machine = hold_out(used, lambda row: row.cells["machine"])
    assert written.error_machine_held_out == pytest.approx(by_machine.error, rel=1e-3)
    assert by_machine.error < 0.15 and written.error_offloaded_machine_held_out < 0.15
    assert by_machine.coverage >= 0.85


def test_the_fit_finds_numbers_that_made_its_rows() -> None:
    rows = [row for row in load() if not row.cells["left_out"]]
    wanted = replace(hayasa.offload_calibration(), hand_over_s=2e-4, host_cores_bytes_per_s=4e10, host_read_factor=1.3)
    found = fit([replace(row, step_s=row.predicted_s(wanted)) for row in rows])
    assert found.hand_over_s == pytest.approx(2e-4, rel=0.05)
    assert found.host_cores_bytes_per_s == pytest.approx(4e10, rel=0.02)
    assert abs(log_ratios(rows, found)).max() > 0.01


@pytest.mark.parametrize(
    "question",
    [
        ["--model", "gpt-oss-120b", "--device", "rtx-3090"],
        ["--model", "llama-3.3-70b", "--device", "rtx-4090", "--context", "64000"],
        ["--model", "qwen3-32b", "--device", "apple-m4-pro-20c", "--memory", "24", "--weights", "q6_k"],
    ],
)
def test_each_way_out_can_be_copied_to_the_command_line(
    question: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["estimate", *question]) == 0
    told = capsys.readouterr().err
    options = [shlex.split(line) for line in told.splitlines() if line.strip().startswith("--")]
    assert options and "context_length" not in told and "batch_size" not in told
    for more in options:
        assert main(["estimate", *question, *more, "--require-fit"]) == 0, more
        assert "入りません" not in capsys.readouterr().err


def test_what_is_asked_again_stays_on_the_host() -> None:
    """Whole answers, batches of a mixture, drafts, and a lower clock."""
    result = estimate("gpt-oss-120b", "rtx-3090", cpu_moe_layers=26, host=HOST, batch_size=4)
    again = ask_again(result, batch_size=1, context_length=8192)
    assert again.offload and again.offload.cpu_moe_layers == 26
    assert again.step_latency_s == pytest.approx(
        estimate("gpt-oss-120b", "rtx-3090", cpu_moe_layers=26, host=HOST, context_length=8192).step_latency_s
    )
    whole = hayasa.answer_time(again, 500)
    assert whole.answer_s > 500 * 0.9 * again.step_latency_s
    alone = ask_again(result, batch_size=1)
    assert decode_expectation(result).bound == pytest.approx(4 / alone.memory_latency_s)
    at_limit = hayasa.energy(result, power_limit_w=200).decode
    assert at_limit.offload and at_limit.offload.host == result.offload.host  # type: ignore[union-attr]
    drafted = hayasa.draft_speedup(again, acceptance=0.7)
    assert {"read_host", "hand_overs"} & {wait.name for wait in drafted.waits}


def test_prompts_lie_within_their_intervals_and_never_beat_physics() -> None:
    times = [
        (row.result.prompt_time, row.result.prompt_length / float(row.cells["prefill_tokens_per_s"]))
        for row in load()
        if row.cells["prefill_tokens_per_s"] and row.result.backend == "cuda" and row.cells["device"]
        if row.result.offload and row.result.offload.host.link_bandwidth_bytes_per_s
    ]
    assert len(times) >= 10
    for time, measured_s in times:
        assert time and time.bound_s <= time.fast_s <= measured_s <= time.slow_s


def test_unlike_devices_share_nothing_with_the_host() -> None:
    with pytest.raises(InvalidValueError, match="同じデバイスを並べたとき"):
        estimate("qwen3-32b", devices=["rtx-3090", "rtx-3060"], host=HOST, gpu_layers=20)
    alike = estimate("gpt-oss-120b", devices=["rtx-3090", "rtx-3090"], host=HOST, cpu_moe_layers=10)
    assert alike.offload and alike.devices == 2


@pytest.mark.parametrize("batch_size", [1, 4, 32])
@pytest.mark.parametrize("name", ["gpt-oss-120b", "qwen3-next-80b-a3b", "gemma-3-27b"])
def test_the_parts_of_a_step_are_the_whole(name: str, batch_size: int) -> None:
    """All layers on the host leave the device what belongs to the step as a whole, and no layer."""
    question = {"batch_size": batch_size, "context_length": 4096}
    work = estimate(name, "rtx-5090", **question).work  # type: ignore[arg-type]
    offload = estimate(name, "rtx-5090", gpu_layers=0, host=HOST, **question).offload  # type: ignore[arg-type]
    assert offload
    left = work.without(offload.part.work)
    for field, value in left._asdict().items():
        if field in ("sequences", "vocabulary"):
            assert value == getattr(work, field) > 0
        else:
            # A row of the embedding is looked up for each sequence, wherever the layers are.
            assert value == pytest.approx(0.0, abs=1e-4 * max(1e-4, getattr(work, field))), field
