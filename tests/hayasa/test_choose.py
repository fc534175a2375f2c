"""The questions the other way round, each answer held against what was published."""

from __future__ import annotations

import csv
import io
import json
from statistics import median

import pytest

import hayasa
from hayasa.answer.duration import _step_s
from hayasa.catalog.measurements import mean_context_length
from hayasa.cli.commands import main
from hayasa.model.tensors import total_parameters
from hayasa.units import GIB


def measured(engine: str = "llama.cpp", **filters: str) -> dict[tuple[str, str, str], float]:
    """Median published speed of one sequence on one device at up to 4096 tokens, by model, device and format."""
    speeds: dict[tuple[str, str, str], list[float]] = {}
    for row in hayasa.measurements(engine=engine, **filters):
        context_length, speed = mean_context_length(row), row["decode_tokens_per_s"]
        if row["devices"] == row["batch_size"] == 1 and speed and context_length is not None and context_length <= 4096:
            key = tuple(
                get(row[name]).id  # type: ignore[literal-required]
                for name, get in (
                    ("model", hayasa.get_model),
                    ("device", hayasa.get_device),
                    ("weights", hayasa.get_weight_format),
                )
            )
            speeds.setdefault(key, []).append(speed)
    return {key: median(several) for key, several in speeds.items()}


# ------------------------------------------------- which machines (questions 1 to 4)


@pytest.mark.parametrize(
    ("model", "weights", "tokens_per_s"),
    [("llama-3-70b", "q4_k_m", 12), ("llama-2-7b", "q4_0", 60), ("gpt-oss-20b", "mxfp4", 110), ("llama-3-8b", "q4_k_m", 40)],
)  # fmt: skip
def test_which_machines_run_a_model_at_a_speed(model: str, weights: str, tokens_per_s: float) -> None:
    published = {device: speed for (_, device, _), speed in measured(model=model, weights=weights).items()}
    assert len(published) >= 5
    found = {
        one.device.id
        for one in hayasa.choose_devices(
            model, published, weights=weights, context_length=512, at_least_tokens_per_s=tokens_per_s
        )
    }
    # What lies near the line may fall on either side of it.
    wrong = {
        device: speed
        for device, speed in published.items()
        if (device in found) != (speed >= tokens_per_s) and not 0.8 < speed / tokens_per_s < 1.25
    }
    assert not wrong
    assert 0 < len(found) < len(published)


def test_the_memory_that_a_machine_needs() -> None:
    """The 64 GB of an M3 Max and of an M1 Max run 70B in 4 bits (7.65 and 4.34 tokens/s); 48 GB do not."""
    found = hayasa.choose_devices(
        "llama-3-70b", ["apple-m3-max-40c", "apple-m1-max-32c"], weights="q4_k_m", context_length=1024
    )
    assert {one.device.id: one.device.memory_capacity_bytes / GIB for one in found} == {
        "apple-m3-max-40c": 64,
        "apple-m1-max-32c": 64,
    }


def test_one_machine_alone_is_no_row_of_letters() -> None:
    assert [one.device.id for one in hayasa.choose_devices("llama-3.1-8b", "RTX 4090")] == ["rtx-4090"]


def test_machines_that_are_too_small_are_no_answer() -> None:
    found = hayasa.choose_devices("gpt-oss-120b", context_length=4096, at_least_tokens_per_s=30)
    fast = {one.device.id for one in found}
    # Both were measured: about 57 and 50 tokens/s.
    assert {"dgx-spark", "ryzen-ai-max-395"} <= fast
    assert not fast & {"rtx-4090", "rtx-5090", "rtx-3090"}


# ------------------------------------------------- which formats (questions 5 to 7)


def test_which_formats_of_llama_2_7b_and_how_fast_on_an_m4() -> None:
    found = {one.weights.id: one for one in hayasa.choose_formats("llama-2-7b", "apple-m4-10c", context_length=64)}
    for weights, speed in (("f16", 7.43), ("q8_0", 13.54), ("q4_0", 24.11)):
        assert found[weights].decode_tokens_per_s == pytest.approx(speed, rel=0.15)
    assert list(found) == sorted(found, key=lambda id_: -found[id_].memory_required_bytes)


def test_formats_that_do_not_fit_are_no_answer() -> None:
    """f16 of 70B does not go into one A100 of 80 GB; q4_k_m does, at 22.3 tokens/s."""
    found = {one.weights.id: one for one in hayasa.choose_formats("llama-3-70b", "a100-80gb-pcie", context_length=512)}
    assert not {"f16", "bf16"} & set(found)
    assert found["q4_k_m"].fits
    assert found["q4_k_m"].decode_tokens_per_s == pytest.approx(22.3, rel=0.25)


def test_the_format_that_fits_an_8_gb_card() -> None:
    """gemma-2-9b in q4_k_m left 6 of 42 layers to the processor."""
    found = hayasa.choose_formats("gemma-2-9b", "rtx-2080", context_length=4096)
    sure = [one.weights.id for one in found if one.fits]
    assert "q4_k_m" not in sure
    assert "iq3_m" in sure


# ------------------------------------------------- which models (questions 8 to 10)


def test_which_models_an_8_gb_card_runs() -> None:
    """https://github.com/AlexsJones/llmfit/pull/778 and 773, 774: the same card, all in q4_k_m at 4096."""
    whole = {
        "llama-3.2-1b": 304.3,
        "gemma-2-2b": 140.3,
        "llama-3.2-3b": 140.3,
        "qwen2.5-3b": 136.5,
        "phi-3.5-mini": 121.5,
        "qwen3-4b": 110.6,
        "mistral-7b": 77.8,
        "qwen2.5-7b": 77.0,
        "falcon3-7b": 75.8,
        "llama-3.1-8b": 71.9,
        "qwen3-8b": 69.3,
        "granite-3.1-8b": 65.6,
    }
    found = hayasa.choose_models("rtx-2080", weights="q4_k_m", context_length=4096, at_least_tokens_per_s=50)
    ids = {one.model.id for one in found}
    assert set(whole) <= ids
    assert not ids & {"gemma-2-9b", "qwen2.5-14b", "qwen3-14b", "phi-4", "gemma-2-27b"}


def test_which_models_a_16_gb_mac_runs() -> None:
    mac = hayasa.get_device("apple-m4-10c", memory_bytes=16 * GIB)
    found = {one.model.id: one for one in hayasa.choose_models(mac, at_least_tokens_per_s=15, context_length=2048)}
    # Measured: 41.3 tokens/s in q4_k_m; a slower one that keeps more bits is answered.
    assert found["llama-3.2-3b"].weights.bits_per_weight >= 8
    # Measured: 20.9 tokens/s in q4_k_m.
    assert found["llama-3.1-8b"].weights.bits_per_weight >= 4.5
    assert all(one.fit.verdict in ("fits", "tight") for one in found.values())
    assert "qwen3-32b" not in found


def test_the_largest_model_of_the_largest_mac() -> None:
    """DeepSeek R1 in q4_k_m: 20.21 tokens/s, https://github.com/geerlingguy/beowulf-ai-cluster/issues/17."""
    found = hayasa.choose_models("apple-m3-ultra-80c", weights="q4_k_m", at_least_tokens_per_s=15)
    assert "deepseek-v3" in {one.model.id for one in found}


# ------------------------------------------------- how long a context (question 11)


def test_how_long_a_context_fits() -> None:
    """llama.cpp keeps 2720.00 MiB for 32,768 tokens of Mistral Small 24B in q8_0, beside 306.75 MiB of buffers."""
    result = hayasa.estimate("mistral-small-24b", "rtx-3090", weights="q4_k_m", context_length=32768, kv_cache="q8_0")
    assert result.fit.kv_cache_bytes / 2**20 == pytest.approx(2720)
    assert result.fits
    longest = result.longest_context_length
    assert longest is not None and longest >= 32768
    # Half as much fits with caches of 16 bits, nearly.
    wide = hayasa.estimate("qwen3-32b", "rtx-4090", weights="q4_k_m").longest_context_length
    narrow = hayasa.estimate("qwen3-32b", "rtx-4090", weights="q4_k_m", kv_cache="q8_0").longest_context_length
    assert wide is not None and narrow is not None
    assert narrow / wide == pytest.approx(2 / 1.0625, rel=0.05)


# ------------------------------------------------- how long an answer takes (question 12)


@pytest.mark.parametrize("device", ["apple-m4-10c", "apple-m2-ultra-76c", "rtx-4090", "rtx-3090", "rtx-5090"])
def test_how_long_an_answer_takes(device: str) -> None:
    """The speeds of llama-bench's pp512 and tg128, put together, are 512 tokens read and 128 written."""
    rows = [
        row
        for row in hayasa.measurements(model="llama-2-7b", device=device, engine="llama.cpp", weights="q4_0")
        if row["devices"] == 1 and row["prefill_tokens_per_s"] and row["decode_tokens_per_s"]
        if row["backend"] == "metal" or row["measured_on"] > "2024-03"
    ]
    assert rows
    for row in rows:
        build = row["measured_on"][:7] if len(row["measured_on"]) > 4 else None
        result = hayasa.estimate("llama-2-7b", device, weights="q4_0", prompt_length=512, build=build)
        time = hayasa.answer_time(result, 128)
        assert time.total_s is not None and time.total_low_s is not None and time.total_high_s is not None
        assert time.total_low_s < time.total_s < time.total_high_s
        seconds = 512 / row["prefill_tokens_per_s"] + 127 / row["decode_tokens_per_s"]  # type: ignore[operator]
        assert time.total_low_s / 1.1 < seconds < time.total_high_s * 1.1, row["id"]


@pytest.mark.parametrize(
    ("model", "device", "prompt", "thinking", "answer"),
    [
        ("llama-3.1-8b", "rtx-4090", 1000, 2000, 500),
        # Its windows fill up on the way.
        ("gemma-3-27b", "apple-m4-max-40c", 300, 0, 2000),
        ("gpt-oss-20b", "rtx-3090", 50, 3000, 700),
        ("llama-3.1-8b", "rtx-4090", 1, 0, 1),
        ("llama-3.1-8b", "rtx-4090", 7, 1, 2),
    ],
)
def test_a_few_steps_stand_for_all(model: str, device: str, prompt: int, thinking: int, answer: int) -> None:
    result = hayasa.estimate(model, device, prompt_length=prompt)
    time = hayasa.answer_time(result, answer, thinking)
    steps = [_step_s(result, context) for context in range(prompt + 1, prompt + thinking + answer)]
    assert time.thinking_s + time.answer_s == pytest.approx(sum(steps), rel=1e-3)
    assert time.thinking_s == pytest.approx(sum(steps[: max(0, thinking - 1)]), rel=1e-3)
    assert time.first_token_s == result.time_to_first_token_s


# ------------------------------------------------- refusals, and the commands


@pytest.mark.parametrize("tokens_per_s", [-1, float("nan"), "fast", None])
def test_a_speed_that_is_none_is_refused(tokens_per_s: object) -> None:
    with pytest.raises(hayasa.InvalidValueError, match="at_least_tokens_per_s"):
        hayasa.choose_devices("llama-3.1-8b", at_least_tokens_per_s=tokens_per_s)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((None, 5), "result は hayasa.Estimate"),
        (("llama", 5), "result は hayasa.Estimate"),
        ((hayasa.estimate("llama-2-7b", "rtx-4090"), 0), "answer_tokens"),
        ((hayasa.estimate("llama-2-7b", "rtx-4090"), 1.5), "answer_tokens"),
        ((hayasa.estimate("llama-2-7b", "rtx-4090"), 5, -1), "thinking_tokens"),
    ],
)
def test_an_answer_of_no_length_is_refused(arguments: tuple, said: str) -> None:
    with pytest.raises(hayasa.InvalidValueError, match=said):
        hayasa.answer_time(*arguments)


def test_what_every_machine_refuses_is_refused() -> None:
    with pytest.raises(hayasa.InvalidValueError, match="context_length"):
        hayasa.choose_devices("llama-3.1-8b", context_length=-1)
    with pytest.raises(hayasa.UnknownNameError, match="model"):
        hayasa.choose_devices("llama-99")
    with pytest.raises(hayasa.InvalidValueError, match="among"):
        hayasa.choose_devices("llama-3.1-8b", 5)  # type: ignore[arg-type]
    with pytest.raises(hayasa.InvalidValueError, match="weights"):
        hayasa.choose_formats("llama-3.1-8b", "rtx-4090", weights="q8_0")
    with pytest.raises(hayasa.InvalidValueError, match="devices"):
        hayasa.choose_models("rtx-4090", devices="two")
    with pytest.raises(hayasa.InvalidValueError, match="mlx"):
        hayasa.choose_formats("llama-3.1-8b", "rtx-4090", engine="mlx")


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(list(arguments)) == 0
    return capsys.readouterr().out


def test_the_commands_answer_as_the_functions_do(capsys: pytest.CaptureFixture[str]) -> None:
    answers = json.loads(
        run(capsys, "choose", "--model", "llama-3.3-70b", "--at-least", "8", "--context", "8k", "--json")
    )
    found = hayasa.choose_devices("llama-3.3-70b", context_length=8000, at_least_tokens_per_s=8)
    assert [answer["device"] for answer in answers] == [one.device.id for one in found]
    text = run(capsys, "formats", "--model", "gemma-3-27b", "--device", "rtx-3090", "--context", "8k", "--csv")
    formats = hayasa.choose_formats("gemma-3-27b", "rtx-3090", context_length=8000)
    assert [row["weights"] for row in csv.DictReader(io.StringIO(text))] == [one.weights.id for one in formats]
    text = run(capsys, "fit", "--device", "rtx-3060", "--at-least", "40", "--weights", "any", "--csv")
    models = hayasa.choose_models("rtx-3060", at_least_tokens_per_s=40)
    listed = [row["model"] for row in csv.DictReader(io.StringIO(text))]
    assert sorted(listed) == sorted([one.model.id for one in models])
    fastest = ("--weights", "any", "--sort", "speed", "--top", "9", "--csv")
    text = run(capsys, "fit", "--device", "rtx-3060", "--at-least", "40", *fastest)
    assert [row["model"] for row in csv.DictReader(io.StringIO(text))] == [one.model.id for one in models[:9]]


def test_the_largest_model_that_surely_fits_comes_first(capsys: pytest.CaptureFixture[str]) -> None:
    text = run(capsys, "fit", "--device", "rtx-3060", "--at-least", "40", "--weights", "any", "--csv")
    rows = list(csv.DictReader(io.StringIO(text)))
    sure = [total_parameters(hayasa.get_model(row["model"])) for row in rows if row["fits"] == "fits"]
    assert len(sure) > 20
    assert sure == sorted(sure, reverse=True)
    assert [row["fits"] for row in rows[: len(sure)]] == ["fits"] * len(sure)


def test_tables_name_what_differs(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, titles in (
        (("compare", "--model", "llama-3.1-8b", "--devices", "rtx-4090"), ["デバイス"]),
        (("formats", "--model", "llama-3.1-8b", "--device", "rtx-4090"), ["形式"]),
        (("fit", "--device", "rtx-4090"), ["モデル", "形式"]),
    ):
        assert run(capsys, *arguments).split("見積り")[0].split() == titles
    text = run(capsys, "choose", "--model", "llama-3.3-70b", "--devices", "m4 max,m4 pro", "--context", "1k")
    assert text.split("\n")[0].split() == ["デバイス", "メモリ", "見積り", "下端", "上端", "上限", "必要量", "入るか"]
    assert "apple-m4-max-40c" in text and "64.0 GiB" in text
    text = run(
        capsys, "estimate", "--model", "llama-3.1-8b", "--device", "rtx-4090", "--answer", "500", "--thinking", "2k"
    )
    assert all(words in text for words in ("2,000 トークン考える", "500 トークン答える", "合わせて", "入る文脈"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("choose", "--model", "llama-3.3-70b", "--at-least", "8000"),
            "8000 トークン/秒以上で入るデバイスがありません",
        ),
        (("choose", "--model", "llama-3.3-70b", "--at-least", "fast"), "--at-least は 20 のように"),
        (("formats", "--model", "deepseek-v3", "--device", "rtx-3060"), "入る形式がありません"),
        (("fit", "--device", "ddr5-5600-dual"), "メモリの量が分かりません"),
        (("estimate", "--model", "llama-3.1-8b", "--device", "m4", "--thinking", "9"), "--answer と一緒に"),
        (("estimate", "--model", "llama-3.1-8b", "--device", "m4", "--answer", "0"), "answer_tokens"),
    ],
)
def test_what_has_no_answer_is_one_clear_line(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(list(arguments))
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1


@pytest.mark.parametrize("engine", ["vllm", "llama.cpp", "mlx"])
def test_no_format_is_offered_twice(engine: str) -> None:
    device = "apple-m4-max-40c" if engine == "mlx" else "h100-80gb-sxm"
    found = [one.weights.id for one in hayasa.choose_formats("qwen3-32b", device, engine=engine)]
    assert len(found) == len(set(found)) > 5
