"""Whether a model fits: the parts against what engines and systems write down, the verdicts against what people saw."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hayasa
from hayasa.answer.fit import DOES_NOT_FIT, FITS, TIGHT
from hayasa.catalog.measurements import mean_context_length
from hayasa.engine.buffers import memory_of
from hayasa.machine.reserve import memory_reserves, reserve_of
from hayasa.units import GIB
from lab.rows import EXCLUSIONS, load_measurements

MIB = 2**20


def with_memory(device: str, gib: float) -> hayasa.Device:
    return replace(hayasa.get_device(device), memory_capacity_bytes=gib * GIB, memory_options_bytes=())


def asked(model: str, device: str, gib: float, weights: str, context_length: int, engine: str = "llama.cpp"):
    return hayasa.estimate(
        model, with_memory(device, gib), weights=weights, context_length=context_length, engine=engine
    )


# What llama.cpp writes when it starts ("compute buffer size"), in MiB, at a context.
@pytest.mark.parametrize(
    ("model", "context_length", "written_mib"),
    [
        ("llama-3-8b", 512, 258.50),
        ("qwen2.5-1.5b", 4096, 299.75),
        ("gpt-oss-20b", 4096, 398.38),
        ("gemma-2-9b", 8192, 507.00),
        ("mistral-small-24b", 32768, 306.75),
    ],
)
def test_llama_cpps_buffer_is_what_it_writes(model: str, context_length: int, written_mib: float) -> None:
    shape = hayasa.get_model(model)
    computed = memory_of(hayasa.get_engine("llama.cpp")).buffers(shape, context_length) / MIB
    assert computed == pytest.approx(written_mib, rel=0.03 if context_length > 10_000 else 1e-4)


def test_the_input_embedding_of_its_own_stays_in_the_computers_memory() -> None:
    """llama.cpp writes 10949.33 MiB for the weights of gpt-oss-20b that lie in the GPU's memory."""
    fit = asked("gpt-oss-20b", "rtx-3060", 12, "mxfp4", 4096).fit
    assert fit.weights_bytes / MIB == pytest.approx(10949.33, rel=1e-4)
    on_a_mac = asked("gpt-oss-20b", "apple-m4-10c", 16, "mxfp4", 4096).fit
    assert on_a_mac.weights_bytes > fit.weights_bytes


def test_all_of_it_together_is_what_a_card_was_seen_to_use() -> None:
    """9.2 GB: https://inventivehq.com/blog/vram-offload-cliff-gpu-layers-benchmark."""
    fit = asked("qwen2.5-14b", "rtx-5060-ti", 16, "q4_k_m", 2048).fit
    assert fit.required_bytes / 1e9 == pytest.approx(9.2, rel=0.05)


def test_a_cache_of_blocks_takes_their_bits_and_no_more() -> None:
    """8.5 and 4.5 bits a value, not the average of a file that keeps its output in more."""
    sizes = {
        cache: hayasa.estimate("llama-3.1-8b", "rtx-4090", context_length=8192, kv_cache=cache).fit.kv_cache_bytes
        for cache in ("f16", "q8_0", "q4_0")
    }
    assert sizes["q8_0"] / sizes["f16"] == pytest.approx(8.5 / 16)
    assert sizes["q4_0"] / sizes["f16"] == pytest.approx(4.5 / 16)


def test_all_of_a_bare_number_of_parameters_lies_in_the_gpus_memory() -> None:
    mixture = hayasa.Model(id="own", stated_parameters=30e9, stated_active_parameters=3e9)
    q8 = hayasa.WeightFormat(id="q8", bits_per_weight=8)
    assert hayasa.memory_fit(mixture, hayasa.get_device("rtx-3090"), q8).weights_bytes == 30e9


# What macOS lets the GPU have by default (recommendedMaxWorkingSetSize), in MiB, before macOS 26.
@pytest.mark.parametrize(
    ("gib", "mib"),
    [
        (8, 5461.34),
        (16, 10922.67),
        (18, 12288),
        (24, 16384),
        (32, 21845.34),
        (36, 27648),
        (48, 36864),
        (64, 49152),
        (96, 73728),
        (128, 98304),
    ],
)
def test_a_mac_leaves_its_gpu_what_macos_says(gib: float, mib: float) -> None:
    mac = with_memory("apple-m3-max-40c", gib)
    left = (mac.memory_capacity_bytes - reserve_of(mac).most_bytes(mac)) / MIB
    assert left == pytest.approx(mib, rel=2e-4)


def test_every_device_answers_to_a_reserve_of_its_kind() -> None:
    kinds = {id_: reserve_of(hayasa.get_device(id_)).id for id_ in hayasa.device_rows()}
    assert set(kinds.values()) <= {row.id for row in memory_reserves()}
    expected = {
        "apple-m4-10c": "mac-16gb",
        "rtx-4090": "card",
        "rtx-a6000": "card",
        "a100-80gb-pcie": "server",
        "l4": "server",
        "mi300x": "server",
        "dgx-spark": "dgx-spark",
        "jetson-orin-nano-super": "jetson",
        "raspberry-pi-5": "cpu",
        "ryzen-ai-max-395": "shared",
        "arc-b580": "card",
        "rx-7900-xtx": "card",
    }
    assert {id_: kinds[id_] for id_ in expected} == expected
    cards = [id_ for id_ in kinds if id_.startswith(("rtx", "rx", "gtx", "arc"))]
    unified = {id_ for id_ in cards if hayasa.get_device(id_).unified_memory}
    assert {id_ for id_ in cards if kinds[id_] != "card"} == unified | {"rtx-pro-6000-blackwell-server"}
    assert not [id_ for id_, kind in kinds.items() if id_.startswith("apple") and not kind.startswith("mac")]


# What people saw: it ran whole on the device, or part of it was left to the processor, or it depended on the screen.
RAN, SPILLED, DEPENDS = (FITS, TIGHT), (TIGHT, DOES_NOT_FIT), (TIGHT,)
RTX_2080 = "https://github.com/AlexsJones/llmfit/pull/778"
RTX_2080_8B = "https://github.com/AlexsJones/llmfit/pull/773"
RTX_2080_14B = "https://github.com/AlexsJones/llmfit/pull/774"
LOCALSCORE = "https://github.com/d893a/localscore-insights/blob/a4f81747b3e6f0841f48c7bea6496d4f0e4a464c/assets/localscore_results.tsv"
RX_7900_XT = "https://github.com/AlexsJones/llmfit/blob/3f44fd30a43d2619146f7bc0aa66c90aa54d78e6/llmfit-core/data/community/amd-radeon-rx-7900-xt/1785258762-ee642f2d.json"
CASES = [
    # gemma-3-27b needs 15.4 GiB for its weights alone; macOS leaves the GPU 10.7 GiB of 16.
    ("gemma-3-27b", "apple-m4-10c", 16, "q4_k_m", 0, (DOES_NOT_FIT,), "https://github.com/ise-uiuc/magicoder/issues/19"),
    # 12.6 to 14.3 tokens/s on three desktops with a screen, 84 on a headless one.
    ("gpt-oss-20b", "rtx-3060", 12, "mxfp4", 4096, DEPENDS, "https://github.com/AlexsJones/llmfit"),
    # 23.7 tokens/s with 36 of 42 layers on the GPU.
    ("gemma-2-9b", "rtx-2080", 8, "q4_k_m", 4096, SPILLED, RTX_2080),
    ("qwen2.5-14b", "rtx-2080", 8, "q4_k_m", 4096, SPILLED, RTX_2080),
    ("gemma-3-12b", "rtx-2080", 8, "q4_k_m", 4096, SPILLED, RTX_2080_14B),
    ("qwen3-14b", "rtx-2080", 8, "q4_k_m", 4096, (DOES_NOT_FIT,), RTX_2080_14B),
    ("phi-4", "rtx-2080", 8, "q4_k_m", 4096, (DOES_NOT_FIT,), RTX_2080_14B),
    ("qwen3-30b-a3b", "rtx-2080", 8, "q4_k_m", 4096, (DOES_NOT_FIT,), "https://github.com/AlexsJones/llmfit/pull/755"),
    ("llama-3.1-8b", "rtx-2080", 8, "q4_k_m", 4096, RAN, RTX_2080_8B),
    ("qwen3-8b", "rtx-2080", 8, "q4_k_m", 4096, RAN, RTX_2080_8B),
    ("qwen2.5-7b", "rtx-2080", 8, "q4_k_m", 4096, (FITS,), RTX_2080),
    ("mistral-7b", "rtx-2080", 8, "q4_k_m", 4096, (FITS,), RTX_2080),
    # 4.3, 2.8 and 30.0 tokens/s, where the memory would allow 25 to 51.
    ("llama-3.1-8b", "rtx-3050-ti-laptop", 4, "q4_k_m", 1837, (DOES_NOT_FIT,), LOCALSCORE),
    ("llama-3.1-8b", "gtx-1650-ti-laptop", 4, "q4_k_m", 1837, (DOES_NOT_FIT,), LOCALSCORE),
    ("llama-3.1-8b", "rtx-3060-laptop", 6, "q4_k_m", 1837, DEPENDS, LOCALSCORE),
    # 31.6 and 32.7 tokens/s.
    ("qwen3-32b", "rx-7900-xt", 20, "q4_k_m", 173, RAN, RX_7900_XT),
    ("gemma-3-27b", "rx-7900-xt", 20, "q4_k_m", 141, (FITS,), RX_7900_XT),
    # LM Studio runs it, the makers' own app keeps a margin and refuses.
    ("gpt-oss-20b", "apple-m4-10c", 16, "mxfp4", 4096, DEPENDS, "https://github.com/ggml-org/Llama-macOS/issues/58"),
    # 43.18 tokens/s with all 48 layers on the GPU.
    (
        *("qwen2.5-14b", "rtx-5060-ti", 16, "q4_k_m", 2048, (FITS,)),
        "https://inventivehq.com/blog/vram-offload-cliff-gpu-layers-benchmark",
    ),
    # "cannot fulfill margin": 48 layers, of which 34 overflow.
    (
        *("qwen3-30b-a3b", "rtx-4090", 24, "f16", 4096, (DOES_NOT_FIT,)),
        "https://raw.githubusercontent.com/ggml-org/llama.cpp/master/tools/fit-params/README.md",
    ),
    # 376.65 GiB of weights, 20.21 tokens/s.
    ("deepseek-r1", "apple-m3-ultra-80c", 512, "q4_k_m", 512, RAN, "https://github.com/geerlingguy/ai-benchmarks"),
    ("gpt-oss-120b", "dgx-spark", 128, "mxfp4", 4096, (FITS,), "https://github.com/ggml-org/llama.cpp/discussions/16578"),
    ("gpt-oss-120b", "rtx-3090", 24, "mxfp4", 4096, (DOES_NOT_FIT,), "https://www.hardware-corner.net/gpt-oss-offloading-moe-layers/"),
]  # fmt: skip


@pytest.mark.parametrize(("model", "device", "gib", "weights", "context_length", "seen", "source"), CASES)
def test_the_verdict_is_what_people_saw(
    model: str, device: str, gib: float, weights: str, context_length: int, seen: tuple[str, ...], source: str
) -> None:
    assert asked(model, device, gib, weights, context_length).fit.verdict in seen, source


def test_nothing_that_was_measured_is_said_not_to_fit() -> None:
    verdicts: Counter[str | None] = Counter()
    # What was measured with a memory that was full, or of more sequences than ran, is named.
    odd = {m.row["id"] for m in load_measurements()[0] if any(excluded(m) for _, excluded in EXCLUSIONS)}
    for row in hayasa.measurements():
        context_length = mean_context_length(row)
        if context_length is None or row["id"] in odd:
            continue
        try:
            result = hayasa.estimate(
                row["model"],
                row["device"],
                weights=row["weights"],
                engine=row["engine"],
                devices=row["devices"],
                batch_size=row["batch_size"],
                context_length=int(context_length),
            )
        except hayasa.HayasaError:
            continue
        # Who measures a Strix Halo has given its GPU more than the half that it gets by default.
        is_set_by_hand = result.fit.verdict == TIGHT and reserve_of(result.device).id == "shared"
        verdicts["set by hand" if is_set_by_hand else result.fit.verdict] += 1
    assert verdicts[DOES_NOT_FIT] == 0
    assert verdicts[FITS] > 1300
    assert verdicts[TIGHT] < 0.02 * verdicts[FITS]
    assert verdicts["set by hand"] < 0.05 * verdicts[FITS]


def test_a_screen_decides_where_it_is_tight() -> None:
    card, mxfp4 = hayasa.get_device("rtx-3060"), hayasa.get_weight_format("mxfp4")
    verdicts = [
        hayasa.memory_fit(hayasa.get_model("gpt-oss-20b"), card, mxfp4, context_length=4096, screen=screen).verdict
        for screen in (None, True, False)
    ]
    assert verdicts == [TIGHT, DOES_NOT_FIT, FITS]


def test_vllm_takes_nine_tenths_and_no_more() -> None:
    result = hayasa.estimate("llama-3.1-8b", "a100-80gb-pcie", weights="bf16", engine="vllm")
    assert result.fit.available_least_bytes == pytest.approx(0.9 * 80 * GIB)
    assert result.fit.available_most_bytes == pytest.approx(0.92 * 80 * GIB)


# What vLLM says when it starts: tokens for which it has room beside the weights.
@pytest.mark.parametrize(
    ("model", "device", "gib", "devices", "tokens", "source"),
    [
        ("llama-3-8b", "h100-80gb-sxm", 80, 1, 53.29 * GIB / 131072, "https://github.com/vllm-project/vllm/pull/10511"),
        ("qwen3-1.7b", "rtx-4090", 24, 1, 175_856, "https://github.com/vllm-project/vllm/issues/33263"),
        # Told to take 98 %.
        ("qwen2.5-14b", "rtx-4090", 24, 2, 81_536, "https://github.com/vllm-project/vllm/issues/13061"),
    ],
)
def test_vllm_has_room_for_as_many_tokens_as_it_says(
    model: str, device: str, gib: float, devices: int, tokens: float, source: str
) -> None:
    bf16 = hayasa.get_weight_format("bf16")
    room = [
        hayasa.max_context_length(
            hayasa.get_model(model), with_memory(device, gib), bf16, engine="vllm", devices=devices, tight=tight
        )
        for tight in (False, True)
    ]
    assert room[0] * 0.93 < tokens < room[1] * 1.07, source


def test_physics_alone_holds_nothing_back() -> None:
    fit = hayasa.estimate("llama-3.1-8b", "apple-m4-10c", engine="ideal").fit
    assert fit.available_least_bytes == fit.available_most_bytes == fit.capacity_bytes
    assert fit.buffer_bytes == 0


def test_without_a_capacity_nothing_is_said() -> None:
    result = hayasa.estimate("llama-3.1-8b", "ddr5-5600-dual")
    assert (result.fit.verdict, result.fits, result.remedies) == (None, None, ())
    assert result.require_fit() is result


def test_every_door_says_the_same() -> None:
    tight = asked("gpt-oss-20b", "rtx-3060", 12, "mxfp4", 4096)
    assert tight.fits is None
    assert tight.require_fit() is tight
    assert "きわどい量です" in hayasa.explain(tight)
    full = asked("gemma-3-27b", "apple-m4-10c", 16, "q4_k_m", 0)
    assert full.fits is False
    with pytest.raises(hayasa.DoesNotFitError, match=r"重みを \S+（\S+ GiB）にすると入りますが、答えの質は落ちます。"):
        full.require_fit()
    eight_bits = asked("llama-3.1-8b", "rtx-4060", 8, "q8_0", 0)
    assert any("重みを q6_k（" in remedy and remedy.endswith("にすると入ります。") for remedy in eight_bits.remedies)
    assert "入りません" in hayasa.explain(full)
    assert full.to_dict()["fit"]["verdict"] == DOES_NOT_FIT


def test_the_remedies_are_true() -> None:
    """Each thing that is said to help does: it is asked again with it."""
    result = asked("qwen3-14b", "rtx-3060", 12, "q4_k_m", 12288)
    assert result.fit.verdict == TIGHT
    said = " ".join(result.remedies)
    assert "KV キャッシュを q8_0" in said
    assert hayasa.estimate("qwen3-14b", "rtx-3060", weights="q4_k_m", context_length=12288, kv_cache="q8_0").fits
    longest = int(said.split("文脈を ")[1].split(" ")[0].replace(",", ""))
    assert asked("qwen3-14b", "rtx-3060", 12, "q4_k_m", longest).fits
    assert not asked("qwen3-14b", "rtx-3060", 12, "q4_k_m", longest + 1).fits
    smaller = said.split("重みを ")[1].split("（")[0]
    assert asked("qwen3-14b", "rtx-3060", 12, smaller, 12288).fits
    assert "同じものが 2 台あれば、分けて入れられます" in said
    assert hayasa.estimate("qwen3-14b", "rtx-3060", weights="q4_k_m", context_length=12288, devices=2).fits


def test_the_16_gb_mac_of_chapter_7_holds_about_50_thousand_tokens() -> None:
    llama, mac = hayasa.get_model("llama-3.1-8b"), with_memory("apple-m4-10c", 16)
    q4 = hayasa.get_weight_format("q4_k_m")
    assert 40_000 < hayasa.max_context_length(llama, mac, q4) < 52_000
    assert hayasa.max_context_length(llama, mac, q4, tight=True) > 60_000


@given(st.sampled_from(list(hayasa.device_rows())), st.integers(1, 8), st.sampled_from(("llama.cpp", "ideal", "mlx")))
def test_more_context_never_fits_better(device: str, devices: int, engine: str) -> None:
    llama, q4 = hayasa.get_model("llama-3.1-8b"), hayasa.get_weight_format("q4_k_m")
    left = [
        hayasa.memory_fit(
            llama, hayasa.get_device(device), q4, context_length=tokens, devices=devices, engine=engine
        ).left_bytes
        for tokens in (0, 1, 4096, 131072)
    ]
    assert left == sorted(left, reverse=True)
