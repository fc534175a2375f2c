"""Drafts of the next tokens: the formulas, what was published, and what a reader is told."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hayasa
from hayasa.answer.drafts import DraftSpeedup, round_waits
from hayasa.answer.step import step_s
from hayasa.catalog.reader import data_directory
from hayasa.cli.commands import main
from hayasa.engine.drafting import (
    TEXTS,
    choose_drafting,
    draft_acceptances,
    draft_calibrations,
    get_drafter,
)
from lab import drafts

FOLDER = data_directory() / "measurements" / "drafts"
ACCEPTANCES = st.floats(0, 1)
LENGTHS = st.integers(1, 16)


def plain(
    model: str = "qwen3.6-27b", device: str = "rtx-5090", weights: str = "q4_k_m", **more: object
) -> hayasa.Estimate:
    return hayasa.estimate(model, device, weights=weights, **more)  # type: ignore[arg-type]


# ---- expected tokens


@given(ACCEPTANCES, LENGTHS)
def test_expected_tokens_are_the_geometric_sum(acceptance: float, tokens: int) -> None:
    expected = hayasa.expected_tokens(acceptance, tokens)
    assert 1 <= expected <= tokens + 1
    if acceptance < 0.999:
        assert expected == pytest.approx((1 - acceptance ** (tokens + 1)) / (1 - acceptance))
    assert hayasa.expected_tokens(acceptance, tokens + 1) >= expected


@pytest.mark.parametrize("tokens", [1, 4, 16])
def test_all_or_nothing_accepted(tokens: int) -> None:
    assert hayasa.expected_tokens(1, tokens) == tokens + 1
    assert hayasa.expected_tokens(0, tokens) == 1


@given(ACCEPTANCES, LENGTHS)
def test_an_engine_s_share_leads_back_to_the_acceptance(acceptance: float, tokens: int) -> None:
    share = (hayasa.expected_tokens(acceptance, tokens) - 1) / tokens
    again = hayasa.acceptance_from_share(min(1.0, share), tokens)
    assert hayasa.expected_tokens(again, tokens) == pytest.approx(hayasa.expected_tokens(acceptance, tokens), abs=1e-6)


# ---- the gain


@given(ACCEPTANCES, ACCEPTANCES)
def test_more_accepted_is_faster(one: float, other: float) -> None:
    low, high = sorted([one, other])
    result = plain()
    slower, faster = (hayasa.draft_speedup(result, tokens=3, acceptance=a).speedup for a in (low, high))
    assert slower <= faster


def test_drafts_that_are_never_accepted_cost_time() -> None:
    wasted = hayasa.draft_speedup(plain(), acceptance=0)
    assert wasted.tokens_per_pass == 1 and wasted.speedup < 1 and not wasted.pays
    assert wasted.best_tokens == 0 and wasted.best_speedup == 1
    assert any("速くなりません" in note for note in wasted.notes)


@pytest.mark.parametrize(
    "result",
    [
        plain(),
        plain("qwen3.6-35b-a3b", "ryzen-ai-max-395", "ud-q4_k_xl", context_length=4000),
        plain(weights="nvfp4", engine="vllm", batch_size=8),
        plain(engine="ideal", weights="int4"),
    ],
    ids=["dense", "experts", "batch", "ideal"],
)
def test_the_waits_are_the_round(result: hayasa.Estimate) -> None:
    speedup = hayasa.draft_speedup(result, tokens=3)
    assert step_s(speedup.waits) == pytest.approx(speedup.draft_s + speedup.pass_s)
    assert speedup.speedup == pytest.approx(speedup.tokens_per_pass * result.step_latency_s / step_s(speedup.waits))
    assert speedup.decode_tokens_per_s == pytest.approx(speedup.speedup * result.decode_tokens_per_s)
    assert speedup.speedup_low <= speedup.speedup <= speedup.speedup_high
    assert speedup.decode_tokens_per_s_low <= speedup.decode_tokens_per_s <= speedup.decode_tokens_per_s_high


def test_the_best_length_is_the_best_of_all() -> None:
    result = plain()
    best = hayasa.draft_speedup(result)
    assert best.draft_tokens == best.best_tokens and best.speedup == best.best_speedup
    for tokens in range(1, 17):
        assert hayasa.draft_speedup(result, tokens=tokens).speedup <= best.speedup


def test_the_tokens_of_a_pass_share_one_cache() -> None:
    """Four tokens over 64,000 cost less than four sequences of 64,000 each."""
    result = plain("llama-3.1-8b", "rtx-4090", context_length=64_000)
    four = hayasa.estimate("llama-3.1-8b", "rtx-4090", weights="q4_k_m", context_length=64_000, batch_size=4)
    assert hayasa.draft_speedup(result, "ngram", tokens=3).pass_s < 0.6 * four.step_latency_s


def test_experts_gain_less_than_dense_models() -> None:
    dense, experts = (
        hayasa.draft_speedup(plain(model, "rtx-4090"), tokens=3, acceptance=0.8).speedup
        for model in ("qwen3.6-27b", "qwen3.6-35b-a3b")
    )
    assert experts < dense


def test_many_sequences_gain_less() -> None:
    gains = [hayasa.draft_speedup(plain(batch_size=size), tokens=3, acceptance=0.8).speedup for size in (1, 4, 16, 64)]
    assert gains == sorted(gains, reverse=True) and gains[-1] < 1 < gains[0]


def test_shares_by_position_count_as_they_are() -> None:
    given = hayasa.draft_speedup(plain(), acceptance=[0.87, 0.75, 0.60], tokens=3)
    assert given.tokens_per_pass == pytest.approx(3.22)
    assert hayasa.draft_speedup(plain(), acceptance=[0.87, 0.75, 0.60], tokens=2).tokens_per_pass == pytest.approx(2.62)


def test_a_given_acceptance_narrows_the_interval() -> None:
    published = hayasa.draft_speedup(plain(), tokens=3)
    given = hayasa.draft_speedup(plain(), tokens=3, acceptance=published.acceptance)
    assert given.speedup_high / given.speedup_low < published.speedup_high / published.speedup_low


def test_a_small_model_costs_its_own_steps() -> None:
    result = plain("llama-3.3-70b", "h100", "fp8", engine="vllm")
    small = hayasa.draft_speedup(result, "llama-3.2-1b", tokens=4, acceptance=0.8)
    alone = hayasa.estimate("llama-3.2-1b", "h100", engine="vllm")
    assert small.draft_s == pytest.approx(4 * alone.step_latency_s)
    assert small.draft_model == "llama-3.2-1b" and small.draft_bytes > 2e9
    assert hayasa.draft_speedup(result, "ngram", tokens=4, acceptance=0.8).draft_s == 0


def test_a_drafter_that_does_not_fit_is_told() -> None:
    result = plain("qwen2.5-32b", "rtx-3090", "q4_k_m", context_length=8000)
    assert any("メモリ" in note for note in hayasa.draft_speedup(result, "qwen2.5-7b", acceptance=0.8).notes)


# ---- what was published


def test_the_files_are_what_the_code_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calibrations, acceptance = drafts.calibrate(drafts.load_measurements()), drafts.gather_acceptance()
    before = {
        name: (data_directory() / name).read_bytes() for name in ("draft_calibrations.csv", "draft_acceptance.csv")
    }
    monkeypatch.setattr(drafts, "data_directory", lambda: tmp_path)
    drafts.write("draft_calibrations.csv", calibrations)
    drafts.write("draft_acceptance.csv", acceptance)
    for name, content in before.items():
        assert (tmp_path / name).read_bytes() == content, name


def test_unseen_machines() -> None:
    [others] = [row for row in draft_calibrations() if not row.engine]
    assert others.rows >= 60 and others.machines >= 12
    assert others.error_machine_held_out <= 0.16
    assert others.error_model_held_out <= 0.16 and others.error_source_held_out <= 0.16
    assert 0.85 <= others.coverage_machine_held_out <= 0.95


def swept() -> dict[tuple[str, ...], dict[int, float]]:
    """Return the speeds by length of the series that were measured in one place."""
    found: dict[tuple[str, ...], dict[int, float]] = {}
    with (FOLDER / "speeds.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["tokens_per_s"] and not row["left_out"] and row["devices"] == "1":
                names = ("model", "device", "weights", "engine", "backend", "method", "base_tokens_per_s")
                found.setdefault(tuple(row[name] for name in names), {})[int(row["draft_tokens"])] = float(
                    row["tokens_per_s"]
                )
    return {place: speeds for place, speeds in found.items() if len(speeds) >= 3}


@pytest.mark.parametrize("place", swept())
def test_the_length_that_pays_best_costs_little(place: tuple[str, ...]) -> None:
    """What was measured at the nearest length, or without drafts, is near the best that was measured."""
    model, device, weights, engine, backend, method, base = place
    speeds = swept()[place]
    result = plain(model, device, weights, engine=engine, backend=backend)
    best = hayasa.draft_speedup(result, method).best_tokens
    there = speeds[min(speeds, key=lambda tokens: abs(tokens - best))] if best else float(base)
    assert there >= 0.85 * max(float(base), *speeds.values())


def test_rows_say_what_they_measured() -> None:
    with (FOLDER / "speeds.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({row["id"] for row in rows}) == len(rows) > 70
    for row in rows:
        assert (
            row["source"].startswith("https://") and row["retrieved"] and row["source_kind"] in ("primary", "secondary")
        )
        direct = bool(row["pass_over_step"])
        assert direct == (row["method"] == "none")
        assert direct or (bool(row["acceptance"]) != bool(row["tokens_per_pass"]))
        assert not row["acceptance"] or 0 < float(row["acceptance"]) <= 1
        assert not row["tokens_per_pass"] or 1 <= float(row["tokens_per_pass"]) <= int(row["draft_tokens"]) + 1
    with (FOLDER / "acceptance.csv").open(encoding="utf-8", newline="") as file:
        accepted = list(csv.DictReader(file))
    assert {row["text"] for row in accepted} == set(TEXTS)
    assert all(row["source"].startswith("https://") and row["retrieved"] for row in accepted)


def test_every_way_of_drafting_has_an_acceptance_for_all_texts() -> None:
    for method in ("model", "mtp", "eagle", "ngram"):
        row = draft_acceptances()[method, ""]
        assert 0 < row.low < row.acceptance < row.high <= 1


def test_the_calibration_is_the_engine_s_own_or_that_of_all_others() -> None:
    metal = choose_drafting(hayasa.get_engine("ollama"), "metal")
    assert metal.calibration.id == "llama.cpp/metal" and not metal.notes
    cuda = choose_drafting(hayasa.get_engine("sglang"), "cuda")
    assert cuda.calibration.id == "others" and not cuda.notes
    tpu = choose_drafting(hayasa.get_engine("vllm"), "tpu")
    assert tpu.notes and tpu.low_factor < cuda.low_factor and tpu.high_factor > cuda.high_factor


def test_one_drafted_token_of_a_known_pass() -> None:
    """A row can be taken apart by hand: 1.889 tokens per pass, 1.547 times as fast."""
    result = plain("qwen3.8-27b", "rtx-5090", "ud-q4_k_xl", context_length=200)
    waits = round_waits(result, get_drafter("mtp"), None, choose_drafting(result.engine, result.backend), 1)
    assert 1.889 * result.step_latency_s / step_s(waits) == pytest.approx(115.7 / 74.8, rel=0.15)


# ---- what a reader is told


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"draft": "mtp"}, "MTP の層がありません"),
        ({"draft": "ngram", "draft_weights": "q4_k_m"}, "draft_weights"),
        ({"draft": 3}, "eagle3"),
        ({"acceptance": "poetry"}, "prose"),
        ({"acceptance": ""}, "prose"),
        ({"acceptance": 1.2}, "0 以上 1 以下"),
        ({"acceptance": [0.5, 0.9]}, "小さくなる"),
        ({"acceptance": []}, "1 個から"),
        ({"acceptance": [0.9, 0.5], "tokens": 3}, "2 以下"),
        ({"tokens": 0}, "1 以上"),
    ],
)
def test_refusals(asked: dict, said: str) -> None:
    with pytest.raises(hayasa.HayasaError, match=said):
        hayasa.draft_speedup(plain("llama-3.1-8b", "rtx-4090"), **asked)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["draft", "--model", "qwen3.6-27b", "--device", "rtx-5090", "--weights", "q4_k_m", *arguments]) == 0
    return capsys.readouterr().out


def test_the_command_answers_by_kind_of_text(capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys)
    assert "MTP の層" in out and "いちばん速い長さ" in out
    assert "プログラム" in out and "創作" in out and "文を直す" not in out


def test_the_command_reads_what_engines_print(capsys: pytest.CaptureFixture[str]) -> None:
    printed = json.loads(run(capsys, "--draft-tokens", "3", "--accepted", "74.4%", "--json"))
    assert printed["tokens_per_pass"] == pytest.approx(1 + 3 * 0.744, abs=1e-4)
    assert printed["draft"] == "mtp" and printed["waits"][0]["name"] == "drafting"
    shares = json.loads(run(capsys, "--acceptance", "0.87,0.75,0.6", "--json"))
    assert shares["draft_tokens"] <= 3


def test_the_command_takes_a_round_apart(capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, "--explain", "--acceptance", "code")
    assert "下書きを作る" in out and "1 トークン専用の経路を離れる" in out and "合わせて" in out


def test_the_command_refuses_a_share_without_a_length(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["draft", "--model", "qwen3.6-27b", "--device", "rtx-5090", "--accepted", "0.7"])
    assert "--draft-tokens" in capsys.readouterr().err


def test_everything_is_ready_for_json() -> None:
    speedup = hayasa.draft_speedup(plain())
    assert isinstance(speedup, DraftSpeedup)
    assert json.loads(json.dumps(speedup.to_dict()))["best_tokens"] == speedup.best_tokens
