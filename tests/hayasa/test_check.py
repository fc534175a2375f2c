"""Is a measured speed normal, and if not, why?"""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from pathlib import Path

import pytest

import hayasa
from hayasa import Seen, check, check_report, estimate, get_device, get_model
from hayasa.answer.causes import HOSTS, cause_rows, likely_causes
from hayasa.answer.check import BOUND_TOLERANCE, decode_expectation, prompt_expectation, whole_expectation
from hayasa.catalog.gguf_files import format_of_file, models_of_file
from hayasa.catalog.measurements import mean_context_length, prompt_context_length
from hayasa.cli import main
from hayasa.errors import HayasaError, InvalidValueError, UnknownNameError
from lab.prompts import FORMS, HARNESS, load_prompts, usable
from lab.rows import EXCLUSIONS, load_measurements

SLOW_REPORTS = list(csv.DictReader((Path(__file__).parent / "slow_reports.csv").open(encoding="utf-8", newline="")))


# ---------------------------------------------------------------- published speeds


def published() -> list[tuple[hayasa.Measurement, hayasa.Estimate]]:
    """Measurements of one device and one sequence, with what was to be expected."""
    found = []
    for row in hayasa.measurements():
        if row["devices"] != 1 or row["batch_size"] != 1:
            continue
        try:
            result = estimate(
                row["model"],
                row["device"],
                weights=row["weights"],
                engine=row["engine"],
                backend=row["backend"],
                context_length=mean_context_length(row) or 0,
                prompt_length=row["prefill_tokens"],
                micro_batch=row["micro_batch"],
                build=(row["measured_on"] + "-12")[:7],
                server=row["measured_through"] == "server",
            )
        except HayasaError:
            continue
        found.append((row, result))
    return found


PUBLISHED = published()


def test_published_speeds_are_normal() -> None:
    odd = {m.row["id"] for m in load_measurements()[0] if any(excluded(m) for _, excluded in EXCLUSIONS)}
    verdicts = [
        check(result, row["decode_tokens_per_s"]).verdict
        for row, result in PUBLISHED
        if row["decode_tokens_per_s"] and row["id"] not in odd
    ]
    assert len(verdicts) > 900
    assert verdicts.count("impossible") == 0
    assert verdicts.count("normal") + verdicts.count("fast") > 0.9 * len(verdicts)


def test_published_prompts_lie_within_their_intervals() -> None:
    """Those of today's kernels that the fit names no reason to leave out; LocalScore's hold a harness."""
    prompts, _ = load_prompts()
    kept = {
        m.row["id"] for form in FORMS for m in usable(form, prompts) if m.month >= form.since and m.source != HARNESS
    }
    inside: dict[str, list[bool]] = defaultdict(list)
    for row, result in PUBLISHED:
        expected = prompt_expectation(result, prompt_context_length(row))
        if row["id"] in kept and row["prefill_tokens_per_s"] and expected is not None:
            inside[row["backend"]].append(expected.low <= row["prefill_tokens_per_s"] <= expected.high)
    assert sum(map(len, inside.values())) > 500
    for backend, rows in inside.items():
        assert sum(rows) > 0.8 * len(rows), backend


@pytest.mark.parametrize("row", SLOW_REPORTS, ids=[row["id"] for row in SLOW_REPORTS])
def test_the_cause_of_published_slow_runs_comes_first(row: dict[str, str]) -> None:
    result = estimate(
        row["model"],
        row["device"],
        weights=row["weights"],
        engine=row["engine"],
        devices=int(row["devices"]),
        context_length=int(row["context_length"]),
    )
    seen = Seen(
        cpu_share=float(row["cpu_share"]) if row["cpu_share"] else None,
        backend=row["backend"],
        split=row["split"],
        cache_on_cpu=row["cache_on_cpu"] == "1",
        by_tool=True,
    )
    answer = check(result, float(row["measured_tokens_per_s"]), seen=seen)
    assert answer.ratio < 0.7
    assert answer.causes[0].id == row["cause"]
    assert sum(cause.likelihood for cause in answer.causes) <= 1 + 1e-9
    if row["normal_tokens_per_s"]:
        assert float(row["normal_tokens_per_s"]) > 1.5 * answer.measured_tokens_per_s


def test_enough_slow_runs_with_their_sources() -> None:
    assert len(SLOW_REPORTS) >= 15
    assert len({row["cause"] for row in SLOW_REPORTS}) >= 8
    assert all(row["source"].startswith("https://") and row["retrieved"] for row in SLOW_REPORTS)


# ------------------------------------------------------------------------ verdicts


@pytest.fixture(scope="module")
def result() -> hayasa.Estimate:
    return estimate("llama-3.1-8b", "rtx-4090", weights="q4_k_m", context_length=512)


def test_verdicts_are_cut_at_the_interval_and_the_bound(result: hayasa.Estimate) -> None:
    expected = decode_expectation(result)
    for speed, verdict in (
        (expected.low * 0.999, "slow"),
        (expected.low, "normal"),
        (expected.high, "normal"),
        (expected.high * 1.001, "fast"),
        (expected.bound * BOUND_TOLERANCE, "fast"),
        (expected.bound * BOUND_TOLERANCE * 1.001, "impossible"),
    ):
        answer = check(result, speed)
        assert answer.verdict == verdict
        assert bool(answer.causes) == (verdict in ("slow", "impossible"))


@pytest.mark.parametrize("speed", [0, -3, math.nan, math.inf, 1e12, "fast", None, True])
def test_a_speed_is_a_positive_number(result: hayasa.Estimate, speed: object) -> None:
    with pytest.raises(InvalidValueError, match="measured"):
        check(result, speed)  # type: ignore[arg-type]


def test_a_mixture_of_experts_may_take_the_same_ones() -> None:
    """A batch of equal sequences reads the experts of one: more than the usual bound is not impossible."""
    result = estimate("gpt-oss-120b", "dgx-spark", weights="mxfp4", batch_size=8, context_length=64)
    [measured] = [
        row["decode_tokens_per_s"]
        for row in hayasa.measurements(file="llamacpp_dgx_spark")
        if row["id"] == "llamacpp_dgx_spark-048"
    ]
    assert measured is not None
    assert measured > BOUND_TOLERANCE * result.decode_tokens_per_s_bound
    assert check(result, measured).verdict != "impossible"


def test_a_mix_may_be_smaller_than_usual() -> None:
    """GLM-4.5-Air in Unsloth's mix: 24.5 tokens per second are above the bound of its usual bits (kyuz0, Strix Halo)."""
    result = estimate("glm-4.5-air", "ryzen-ai-max-395", weights="ud-q4_k_xl", context_length=64)
    assert result.decode_tokens_per_s_bound * BOUND_TOLERANCE < 24.54
    assert check(result, 24.54).verdict == "fast"


def test_reading_and_writing_add_their_times(result: hayasa.Estimate) -> None:
    prompt, whole = prompt_expectation(result), whole_expectation(result, 100)
    assert prompt is not None
    assert whole is not None
    seconds = 512 / prompt.best + 100 / result.decode_tokens_per_s
    assert whole.best == pytest.approx(612 / seconds)
    assert whole.low < whole.best < whole.high <= whole.bound


def test_a_prompt_behind_others_takes_longer(result: hayasa.Estimate) -> None:
    first, later = prompt_expectation(result), prompt_expectation(result, 16384)
    assert first is not None
    assert later is not None
    assert later.best < first.best
    # Two halves take as long as the whole.
    half = prompt_expectation(result, 512)
    whole = prompt_expectation(result._replace(prompt_length=1024))
    assert half is not None
    assert whole is not None
    assert 512 / first.best + 512 / half.best == pytest.approx(1024 / whole.best, rel=1e-3)


# -------------------------------------------------------------------------- causes


def first_cause(result: hayasa.Estimate, ratio: float, **seen: object) -> str:
    speed = ratio * result.decode_tokens_per_s
    return check(result, speed, seen=Seen(by_tool=True, **seen)).causes[0].id  # type: ignore[arg-type]


def test_the_speed_of_the_cpu_points_at_the_cpu(result: hayasa.Estimate) -> None:
    for host in HOSTS:
        on_cpu = estimate("llama-3.1-8b", host, weights="q4_k_m", context_length=512)
        assert first_cause(result, on_cpu.decode_tokens_per_s / result.decode_tokens_per_s) == "on-cpu"


def test_a_prompt_read_by_the_cpu() -> None:
    card = estimate("llama-3.1-8b", "rtx-4090", weights="q4_k_m", prompt_length=512)
    expected = prompt_expectation(card)
    assert expected is not None
    # Prompt of a Ryzen 7 5700X3D beside the card: 53 tokens per second (LocalScore).
    answer = check(card, 53, seen=Seen(of="prompt", by_tool=True), expected=expected)
    assert answer.verdict == "slow"
    assert answer.causes[0].id == "on-cpu"
    half = check(card, 0.25 * expected.best, seen=Seen(of="prompt", by_tool=True), expected=expected)
    assert half.causes[0].id != "on-cpu"


def test_what_does_not_fit_is_spilled_first() -> None:
    large = estimate("qwen3-32b", "rtx-3060", weights="q4_k_m", context_length=512)
    assert [first_cause(large, ratio) for ratio in (0.05, 0.2, 0.6)] == ["spilled"] * 3


def test_a_memory_that_is_nearly_full_is_suspected_first() -> None:
    tight = estimate("gpt-oss-20b", "rtx-3060", weights="mxfp4", context_length=4096)
    assert first_cause(tight, 0.14) == "nearly-full"
    roomy = estimate("gpt-oss-20b", "rtx-4090", weights="mxfp4", context_length=4096)
    assert "nearly-full" not in {cause.id for cause in check(roomy, 20).causes}


def test_a_share_on_the_cpu_adds_its_time() -> None:
    """The published sweep over layers: each speed lies in the range that its share gives."""
    result = estimate("qwen2.5-14b", "rtx-5060-ti", weights="q4_k_m")
    for layers, speed in ((8, 3.58), (16, 4.24), (24, 5.61), (32, 7.26), (40, 12.5)):
        cause = check(result, speed, seen=Seen(cpu_share=1 - layers / 49)).causes[0]
        assert cause.certain
        assert cause.low_ratio < speed / result.decode_tokens_per_s < cause.high_ratio


def test_one_channel_is_half() -> None:
    apu = estimate("llama-3.1-8b", "radeon-780m", weights="q4_0", context_length=64)
    ids = [cause.id for cause in check(apu, 0.5 * apu.decode_tokens_per_s, seen=Seen(by_tool=True)).causes]
    assert "single-channel" in ids[:4]
    # Soldered memory has all of its channels.
    halo = estimate("llama-3.1-8b", "ryzen-ai-max-395", weights="q4_k_m")
    assert "single-channel" not in {cause.id for cause in check(halo, 10).causes}


def test_a_mac_that_swaps() -> None:
    mac = estimate("qwen2.5-72b", hayasa.get_device("apple-m4-max-40c"), weights="q8_0", context_length=512)
    assert first_cause(mac, 0.023) == "swapping"  # the ratio that was reported for models that fill the memory


def test_slow_kernels_of_a_server() -> None:
    served = estimate("llama-3.1-8b", "rtx-4090", weights="awq", engine="vllm", context_length=512)
    assert first_cause(served, 23 / 123) == "slow-kernel"
    plain = estimate("llama-3.1-8b", "a100-80gb-sxm", weights="bf16", engine="vllm", context_length=512)
    assert first_cause(plain, 11.2 / 45.9) == "eager"


def test_servers_have_no_laptop_namesakes() -> None:
    card = estimate("llama-3.1-8b", "a100-80gb-sxm", weights="q4_k_m")
    assert "laptop-variant" not in {cause.id for cause in check(card, 60).causes}
    game = estimate("llama-3.1-8b", "rtx-4090", weights="q4_k_m")
    assert "laptop-variant" in {cause.id for cause in check(game, 80).causes}


def test_a_new_build_is_not_old(result: hayasa.Estimate) -> None:
    for number, possible in ((0, True), (1786, True), (7474, False)):
        ids = {cause.id for cause in check(result, 100, seen=Seen(build_number=number)).causes}
        assert ("old-build" in ids) == possible


def test_what_a_stopwatch_adds_is_no_cause_for_an_engine(result: hayasa.Estimate) -> None:
    watch, engine = (check(result, 60, seen=Seen(by_tool=by_tool)) for by_tool in (False, True))
    assert "whole-time" in {cause.id for cause in watch.causes}
    assert "whole-time" not in {cause.id for cause in engine.causes}


def test_a_long_context_explains_what_nobody_said() -> None:
    unsaid = estimate("llama-3.1-8b", "apple-m4-pro-20c", weights="mlx-q4", engine="mlx")
    assert first_cause(unsaid, 23.146 / unsaid.decode_tokens_per_s) == "long-context"
    said = estimate("llama-3.1-8b", "apple-m4-pro-20c", weights="mlx-q4", engine="mlx", context_length=32659)
    assert check(said, 23.146).verdict == "normal"


def test_what_is_known_is_said_of_a_normal_speed_too() -> None:
    wide = estimate("llama-2-13b", "rx-6800-xt", weights="q6_k", context_length=64)
    answer = check(wide, 0.8 * wide.decode_tokens_per_s, seen=Seen(backend="opencl", by_tool=True))
    assert answer.verdict == "normal"
    assert [cause.id for cause in answer.causes] == ["wrong-backend"]


def test_impossible_speeds_and_what_must_be_wrong(result: hayasa.Estimate) -> None:
    assert first_cause(result, 1.7) == "drafts"
    prompt = result.prefill_tokens_per_s
    assert prompt is not None
    assert check(result, prompt).causes[0].id == "prompt-speed"
    many = estimate("llama-3.1-8b", "rtx-4090", weights="q4_k_m", batch_size=32, context_length=512)
    assert "several-sequences" in [cause.id for cause in check(result, many.decode_tokens_per_s).causes[:2]]
    short = check(result, 1.05 * result.decode_tokens_per_s_bound, seen=Seen(decode_tokens=4))
    assert "short-answer" in {cause.id for cause in short.causes}


def test_an_impossible_speed_says_how_little_can_have_been_read(result: hayasa.Estimate) -> None:
    answer = check(result, 300)
    assert answer.bytes_per_step_at_most == pytest.approx(1008e9 / 300)
    assert answer.bytes_per_step_at_most < result.bytes_per_step


def test_every_cause_can_be_first_or_is_ruled_out() -> None:
    """No rule of the table is unknown, and every row has its words."""
    ids = [row["id"] for row in cause_rows()]
    assert len(ids) == len(set(ids))
    for row in cause_rows():
        assert row["verdict"] in ("slow", "impossible")
        assert all(row[column] for column in ("name", "how_to_see", "what_to_do", "source"))
        assert set(row["of"].split("|")) <= {"decode", "prompt", "both"}
        if row["low_ratio"] and row["high_ratio"]:
            assert 0 < float(row["low_ratio"]) < float(row["high_ratio"])


def test_likelihoods_follow_the_range_and_the_number_of_reports(result: hayasa.Estimate) -> None:
    error = decode_expectation(result).log_error
    near = {cause.id: cause for cause in likely_causes(result, 0.7, "slow", Seen(by_tool=True), error)}
    far = {cause.id: cause for cause in likely_causes(result, 0.05, "slow", Seen(by_tool=True), error)}
    assert near["laptop-variant"].likelihood > 0.05 > far["laptop-variant"].likelihood
    assert far["on-cpu"].likelihood > 0.9 > near["on-cpu"].likelihood
    assert sum(cause.likelihood for cause in near.values()) == pytest.approx(1)


def test_whatever_is_asked_is_answered() -> None:
    """Every tenth device with an engine that runs there, speeds from tiny to huge."""
    models = ("llama-2-7b", "gpt-oss-20b", "deepseek-v2-lite", "gemma-3-1b")
    cases = 0
    for number, device in enumerate(list(hayasa.device_rows())[::10]):
        for engine in ("llama.cpp", "mlx", "vllm", "ideal"):
            try:
                result = estimate(models[number % 4], device, engine=engine, devices=1 + number % 2)
            except InvalidValueError:
                continue
            for factor in (1e-4, 0.3, 1, 3, 1e3):
                for seen in (Seen(), Seen(cpu_share=0.3, backend="vulkan"), Seen(of="both", cpu_share=1.0)):
                    answer = check(result, factor * result.decode_tokens_per_s, seen=seen)
                    cases += 1
                    assert answer.causes or answer.verdict in ("normal", "fast")
                    assert all(0 < cause.low_ratio <= cause.high_ratio for cause in answer.causes)
    assert cases > 200


# ----------------------------------------------------------------------- GGUF files


@pytest.mark.parametrize(
    ("architecture", "parameters", "id_"),
    [
        ("llama", 6.74e9, "llama-2-7b"),
        ("llama", 8.03e9, "llama-3.1-8b"),
        ("llama", 7.25e9, "mistral-7b"),
        ("qwen2", 14.77e9, "qwen2.5-14b"),
        ("qwen2", 7.62e9, "qwen2.5-7b"),  # and mimo-7b without its layers for drafts
        ("qwen2", 494.03e6, "qwen2.5-0.5b"),
        ("llama", 7.24e9, "mistral-7b-v0.1"),
        ("qwen3moe", 30.53e9, "qwen3-30b-a3b"),
        ("gemma3", 27.01e9, "gemma-3-27b"),  # without its image encoder
        ("gpt-oss", 20.91e9, "gpt-oss-20b"),
        ("phi3", 3.82e9, "phi-3.5-mini"),
        ("glm4moe", 110.47e9, "glm-4.5-air"),
        ("qwen35", 27.32e9, "qwen3.8-27b"),  # with its layers for drafts, without its image encoder
        ("qwen35moe", 35.51e9, "qwen3.6-35b-a3b"),
    ],
)
def test_structure_and_count_tell_the_model(architecture: str, parameters: float, id_: str) -> None:
    assert models_of_file(architecture, parameters)[0].id == id_


def test_every_model_is_found_by_the_count_that_llama_cpp_prints() -> None:
    for id_, row in hayasa.model_rows().items():
        model = hayasa.get_model(id_)
        total = hayasa.total_parameters(model)
        for count in (total, total - model.other_parameters):
            unit = 1e9 if count >= 1e9 else 1e6
            printed = round(round(count / unit, 2) * unit)
            assert model in models_of_file(row["gguf_architecture"], printed), id_


def test_another_count_is_another_model() -> None:
    assert models_of_file("llama", 9.5e9) == []


@pytest.mark.parametrize(
    ("name", "id_"),
    [
        ("Q4_K - Medium", "q4_k_m"), ("mostly Q4_K - Small", "q4_k_s"), ("Q2_K - Medium", "q2_k"),
        ("Q2_K - Small", "q2_k_s"), ("Q3_K - Large", "q3_k_l"), ("IQ3_S mix - 3.66 bpw", "iq3_m"),
        ("IQ1_S - 1.5625 bpw", "iq1_s"), ("all F32", "f32"), ("mostly F16", "f16"), ("BF16", "bf16"),
        ("MXFP4 MoE", "mxfp4"), ("IQ4_XS - 4.25 bpw", "iq4_xs"), ("Q6_K (guessed)", "q6_k"),
    ],
)  # fmt: skip
def test_names_of_file_types(name: str, id_: str) -> None:
    assert format_of_file(name, hayasa.get_model("llama-3.1-8b")).id == id_


def test_the_size_of_a_file_says_what_its_name_does_not() -> None:
    model = hayasa.get_model("qwen3-30b-a3b")
    plain = format_of_file("Q4_K - Medium", model, 17.28 * 2**30, 30.53e9)
    assert plain == hayasa.get_weight_format("q4_k_m")
    mixed = format_of_file("Q4_K - Medium", model, 16.45 * 2**30, 30.53e9)  # a mix of Unsloth's
    assert hayasa.weight_bytes_resident(model, mixed) == pytest.approx(16.45 * 2**30)
    dense = format_of_file("Q8_0", hayasa.get_model("llama-3.1-8b"), 9.0 * 2**30, 8.03e9)
    assert hayasa.weight_bytes_resident(hayasa.get_model("llama-3.1-8b"), dense) == pytest.approx(9.0 * 2**30)
    # Its experts are small whatever the name says of the rest: the format of the table says the same.
    gpt_oss, by_name = hayasa.get_model("gpt-oss-20b"), hayasa.get_weight_format("mxfp4-f16")
    by_size = format_of_file("F16", gpt_oss, hayasa.weight_bytes_resident(gpt_oss, by_name), 20.91e9)
    read = hayasa.weight_bytes_per_step(gpt_oss, by_name)
    assert hayasa.weight_bytes_per_step(gpt_oss, by_size) == pytest.approx(read, rel=0.01)
    with pytest.raises(UnknownNameError):
        format_of_file("Q9_Z", model)


# --------------------------------------------------------------------------- reports

TABLE = """\
ggml_cuda_init: found 1 CUDA devices:
  Device 0: NVIDIA GeForce RTX 4090, compute capability 8.9, VMM: yes
| model                  |     size |  params | backend | ngl |          test |            t/s |
| ---------------------- | -------: | ------: | ------- | --: | ------------: | -------------: |
| llama 8B Q4_K - Medium | 4.58 GiB |  8.03 B | CUDA    |  99 |         pp512 | 12070.0 ± 50.0 |
| llama 8B Q4_K - Medium | 4.58 GiB |  8.03 B | CUDA    |  99 |         tg128 |  148.20 ± 0.40 |
| llama 8B Q4_K - Medium | 4.58 GiB |  8.03 B | CUDA    |  10 |         tg128 |   14.10 ± 0.10 |
| llama 8B Q4_K - Medium | 4.58 GiB |  8.03 B | Vulkan  |  99 |         tg128 |   60.00 ± 0.10 |
| llama 8B Q4_K - Medium | 4.58 GiB |  8.03 B | CUDA    |  99 |         tg128 |  500.00 ± 9.00 |
| nosuch 8B Q4_K - Medium | 4.58 GiB |  9.99 B | CUDA   |  99 |         tg128 |  100.00 ± 9.00 |
| llama 8B Q4_K - Medium | 4.58 GiB |  8.03 B | CUDA    |  99 |         tg128 |          nope |

build: f9ec8858e (7474)
"""


def test_a_table_is_answered_row_by_row() -> None:
    rows = check_report(TABLE)
    assert [row.line for row in rows] == list(range(5, 12))
    verdicts = [row.check.verdict if row.check else None for row in rows]
    assert verdicts == ["normal", "normal", "slow", "slow", "impossible", None, None]
    firsts = [row.check.causes[0].id for row in rows if row.check and row.check.causes]
    assert firsts[:2] == ["spilled", "wrong-backend"]
    assert "nosuch" in rows[5].reason
    assert "99.90 億個" in rows[5].reason
    assert "nope" in rows[6].reason
    assert any("llama-3-8b" in note for note in rows[0].notes)


def test_a_name_that_the_count_contradicts_is_not_believed() -> None:
    """`llama 13B` is what llama.cpp calls every model of forty layers: this one has 14.66 billion parameters."""
    text = TABLE.replace("llama 8B", "llama 13B").replace("8.03 B", "14.66 B")
    assert {row.check for row in check_report(text)} == {None}
    answered = check_report(text, model="phi-4")[1].check
    assert answered is not None
    assert answered.estimate.model.id == "phi-4"


def test_what_is_known_better_counts() -> None:
    rows = check_report(TABLE, model="llama-3-8b", device="RTX 3090", weights="q4_k_m")
    first = rows[1].check
    assert first is not None
    assert (first.estimate.model.id, first.estimate.device.id) == ("llama-3-8b", "rtx-3090")


def test_what_a_report_lacks_is_asked_for() -> None:
    [no_device] = check_report("eval rate: 12.3 tokens/s", model="llama-3.1-8b")
    [no_model] = check_report("eval rate: 12.3 tokens/s", device="rtx-4090")
    assert "--device" in no_device.reason
    assert "--model" in no_model.reason
    with pytest.raises(InvalidValueError, match="速さの書かれた行"):
        check_report("こんにちは", device="rtx-4090", model="llama-3.1-8b")


def test_a_short_prompt_is_not_judged() -> None:
    prompt, answer = check_report(
        "prompt eval count:    16 token(s)\nprompt eval rate:     231.88 tokens/s\n"
        "eval count:           32 token(s)\neval rate:            95 tokens/s\n",
        model="llama-3.1-8b", device="RX 7800 XT", weights="q4_k_m",
    )  # fmt: skip
    assert prompt.check is None
    assert "16 トークン" in prompt.reason
    assert answer.check is not None
    assert answer.check.verdict == "normal"


def test_experts_on_the_cpu_are_a_share_of_a_step() -> None:
    header = "| model | size | params | backend | ngl | n_cpu_moe | test | t/s |\n| - | - | - | - | - | - | - | - |\n"
    shares = []
    for layers in (12, 36):
        row = f"| gpt-oss 120B MXFP4 MoE | 59.02 GiB | 116.83 B | CUDA | 99 | {layers} | tg128 | 21.3 ± 0.1 |\n"
        [answered] = check_report(header + row, device="RTX 4090")
        assert answered.check is not None
        cause = answered.check.causes[0]
        assert (cause.id, cause.certain) == ("spilled", True)
        shares.append(cause.high_ratio)
    assert shares[0] > shares[1]


def test_drafts_that_a_report_tells_of_are_said() -> None:
    text = "draft acceptance rate = 0.57000 (  171 accepted /   300 generated)\n"
    lines = "eval time =  1000.00 ms /   401 tokens (   2.50 ms per token,   400.00 tokens per second)\n"
    [row] = check_report(lines + text, model="llama-3.1-8b", device="RTX 4090", weights="q4_k_m")
    assert row.check is not None
    assert row.check.verdict == "impossible"
    assert (row.check.causes[0].id, row.check.causes[0].certain) == ("drafts", True)


def test_devices_of_two_kinds_need_a_word() -> None:
    text = (
        "ggml_cuda_init: found 2 CUDA devices:\n  Device 0: NVIDIA GeForce RTX 5090, compute capability 12.0\n"
        "  Device 1: NVIDIA GeForce RTX 3090, compute capability 8.6\n" + TABLE.split("yes\n", 1)[1]
    )
    row = check_report(text)[1]
    assert row.check is None
    assert "RTX 5090 + NVIDIA GeForce RTX 3090" in row.reason
    answer = check_report(text, device="rtx-4090")[1].check
    assert answer is not None
    assert answer.estimate.devices == 1


def test_what_a_line_leaves_open_may_be_assumed() -> None:
    assumed = {
        **{"model": get_model("qwen3-8b"), "weights": "q8_0", "context_length": 4096},
        **{"device": get_device("rtx-3090"), "devices": 2, "engine": "ollama"},
    }
    [bare] = check_report("12.3 t/s", assumed=assumed)
    assert bare.check is not None
    result = bare.check.estimate
    assert (result.model.id, result.weights.id, result.device.id) == ("qwen3-8b", "q8_0", "rtx-3090")
    assert (result.devices, result.engine.id, result.context_length) == (2, "ollama", 4096)
    assert bare.notes[:2] == (
        "モデルは書かれていないので、Qwen3 8B として答えました。",
        "機械は書かれていないので、NVIDIA GeForce RTX 3090 として答えました。",
    )
    # What the report says counts, and with a model its format, with a machine how many.
    text = "  Device 0: NVIDIA L4, compute capability 8.9\nollama run llama3.1:8b\neval rate: 12.3 tokens/s\n"
    [said] = check_report(text, assumed=assumed)
    assert said.check is not None
    result = said.check.estimate
    assert (result.model.id, result.weights.id, result.device.id, result.devices) == ("llama-3.1-8b", "q4_k_m", "l4", 1)
    assert not any("書かれていない" in note for note in said.notes)
    # What somebody knows better counts before either.
    [known] = check_report(text, device="rtx-4090", model="qwen3-8b", assumed=assumed)
    assert known.check is not None
    assert (known.check.estimate.model.id, known.check.estimate.device.id) == ("qwen3-8b", "rtx-4090")


def test_the_backend_that_ran_is_what_counts_where_none_is_best() -> None:
    text = (
        "| model | size | params | backend | ngl | test | t/s |\n| - | - | - | - | - | - | - |\n"
        "| llama 7B Q4_0 | 3.56 GiB | 6.74 B | ROCm | 99 | tg128 | 120.0 ± 0.1 |\n"
    )
    [row] = check_report(text, device="RX 7900 XTX")
    assert row.check is not None
    assert row.check.estimate.backend == "rocm"


# ---------------------------------------------------------------------- the command


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(arguments) == 0
    return capsys.readouterr().out


def test_the_command_answers_one_speed(capsys: pytest.CaptureFixture[str]) -> None:
    text = run(
        capsys, "check", "--model", "llama-3.1-8b", "--device", "RTX 4090", "--weights", "q4_k_m", "--measured", "7 t/s"
    )
    assert "遅い" in text
    assert text.index("CPU で動いている") < text.index("見分け方") < text.index("直し方")
    text = run(capsys, "check", "--model", "llama-3.1-8b", "--device", "RTX 4090", "--measured", "1,000")
    assert "ありえません" in text


def test_the_command_answers_a_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for encoding in ("utf-8", "utf-16"):  # PowerShell writes UTF-16
        file = tmp_path / f"{encoding}.txt"
        file.write_text(TABLE, encoding=encoding)
        for arguments in ([str(file)], ["--file", str(file)]):
            text = run(capsys, "check", *arguments)
            assert "llama-3.1-8b" in text
            assert "答えられない行" in text
            assert "行 7" in text


@pytest.mark.parametrize(
    ("backend", "device", "compared"),
    [("Metal", "RTX 4060", False), ("CUDA", "M2", False), ("ROCm", "RTX 4060", False), ("CUDA", "RX 7900 XTX", False),
     ("Vulkan", "RTX 4060", True), ("CPU", "M2", True), ("ROCm", "RX 7900 XTX", True), ("CUDA,Vulkan", "RTX 4060", True)],
)  # fmt: skip
def test_a_speed_of_another_makers_backend_is_not_compared(backend: str, device: str, compared: bool) -> None:
    text = f"""
| model         |     size | params | backend   | ngl |  test |          t/s |
| ------------- | -------: | -----: | --------- | --: | ----: | -----------: |
| llama 7B Q4_0 | 3.56 GiB | 6.74 B | {backend} |  99 | tg128 | 24.11 ± 0.05 |
"""
    [row] = check_report(text, device=device)
    assert (row.check is not None) == compared
    assert compared or f"{backend.lower()} はありません" in row.reason


def test_the_command_reads_its_input(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    import io
    import json
    import sys

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(TABLE.encode())))
    rows = json.loads(run(capsys, "check", "-", "--json"))
    assert [row["check"]["verdict"] for row in rows if row["check"]][:2] == ["normal", "normal"]
    assert rows[-1]["reason"]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--measured", "12"],
        ["--model", "llama-3.1-8b", "--device", "RTX 4090"],
        ["--model", "llama-3.1-8b", "--device", "RTX 4090", "--measured", "fast"],
        ["--model", "llama-3.1-8b", "--device", "RTX 4090", "--measured", "0"],
        ["no-such-file.txt"],
        ["-", "--measured", "12", "--model", "llama-3.1-8b", "--device", "RTX 4090"],
    ],
)
def test_the_command_refuses(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["check", *arguments])
    captured = capsys.readouterr()
    assert caught.value.code == 2
    assert captured.err.startswith("エラー: ")
    assert len(captured.err.splitlines()) == 1
