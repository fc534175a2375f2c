"""Questions that strangers asked and that were answered wrongly once: each with what is right."""

from __future__ import annotations

import pytest

import hayasa
from hayasa import InvalidValueError, UnknownNameError, estimate
from hayasa.cli.commands import main


def test_two_cards_that_share_every_matrix_in_llama_cpp_are_slow() -> None:
    result = estimate("llama-2-7b", "rtx-4090", weights="q4_0", devices=2, split="row", context_length=494)
    assert result.decode_tokens_per_s_low < 66.2 < result.decode_tokens_per_s_high


@pytest.mark.parametrize(("device", "speed"), [("B200", 38), ("H20", 22.5)])
def test_a_server_whose_cores_are_published_in_no_table_unpacks_weights_too(device: str, speed: float) -> None:
    result = estimate("llama-3.1-70b", device, weights="q4_k_m")
    assert result.decode_tokens_per_s == pytest.approx(speed, rel=0.03)


def test_macos_keeps_a_third_of_a_small_mac(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["estimate", "--model", "gemma-3-27b", "--weights", "q4_k_m", "--device", "M4", "--memory", "16"]
    with pytest.raises(SystemExit) as left:
        main([*asked, "--require-fit"])
    assert left.value.code == 2
    assert "メモリに入りません" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("model", "device", "weights"), [("gpt-oss-20b", "RTX 3060 12GB", None), ("gemma-2-9b", "rtx-2080", "q4_k_m")]
)
def test_buffers_and_a_screen_need_room(model: str, device: str, weights: str | None) -> None:
    result = estimate(model, device, weights=weights, context_length=4096)
    assert result.fits is not True
    assert result.fit.verdict == "tight"


@pytest.mark.parametrize("memory", ["76", "24576"])
def test_a_memory_that_the_card_is_not_sold_with_is_refused(memory: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["estimate", "--model", "llama-3.1-8b", "--device", "rtx-3060", "--memory", memory])
    assert "12 GB" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["RTX 4090 ノート", "RTX 4090 ラップトップ", "rtx4090 laptop"])
def test_a_laptop_s_card_is_not_the_desktop_s(name: str) -> None:
    device = hayasa.get_device(name)
    assert device.memory_bandwidth_bytes_per_s == 576e9
    assert device.memory_capacity_bytes == 16 * 2**30


def test_a_word_that_is_not_understood_is_not_dropped() -> None:
    with pytest.raises(UnknownNameError, match="富士通"):
        hayasa.get_device("富士通のM4")


def test_full_width_is_read() -> None:
    assert hayasa.get_device("ＲＴＸ４０９０").id == "rtx-4090"


@pytest.mark.parametrize(
    ("device", "question", "instead"),
    [
        ("raspberry-pi-5", {"engine": "mlx"}, "llama.cpp"),
        ("apple-m4-10c", {"engine": "vllm"}, "mlx"),
        ("rtx-4090", {"kv_cache": "mxfp4"}, "q8_0"),
        ("rtx-4090", {"engine": "mlx"}, "vllm"),
        ("rtx-4090", {"backend": "metal"}, "cuda"),
        ("rtx-4090", {"weights": "exl3-4.0bpw", "engine": "llama.cpp"}, "exllamav3"),
    ],
)
def test_what_cannot_run_is_refused_with_what_can(device: str, question: dict[str, str], instead: str) -> None:
    with pytest.raises(InvalidValueError, match=instead):
        estimate("llama-3.1-8b", device, **question)  # type: ignore[arg-type]


def test_a_deep_context_is_slower_than_the_bound() -> None:
    result = estimate("llama-3.1-8b", "rtx-4090", context_length=131_072)
    assert result.decode_tokens_per_s < 0.95 * result.decode_tokens_per_s_bound


@pytest.mark.parametrize("value", [["m4"], None, 4, b"m4", {"m4": 1}], ids=repr)
def test_a_device_that_is_no_name_is_refused_in_the_package_s_words(value: object) -> None:
    with pytest.raises(hayasa.HayasaError, match="device"):
        estimate("llama-3.1-8b", value)  # type: ignore[arg-type]


@pytest.mark.parametrize(("option", "typed"), [("--context", "8k"), ("--memory", "24GB"), ("--memory", "24")])
def test_numbers_are_taken_as_people_type_them(option: str, typed: str) -> None:
    assert main(["estimate", "--model", "llama-3.1-8b", "--device", "rtx-4090", option, typed]) == 0


def test_a_model_is_answered_in_the_format_it_is_published_in() -> None:
    result = estimate("gpt-oss-120b", "rtx-pro-6000-blackwell")
    assert result.weights.id == "mxfp4"
    assert any("mxfp4" in note for note in result.notes)
