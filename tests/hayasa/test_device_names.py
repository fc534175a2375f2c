"""Devices in the words people use: variants, memory, laptops, two readings, and what is not understood."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hayasa
from hayasa.catalog.objects import processors
from hayasa.catalog.device_names import read_name
from hayasa.units import GIB

WORDS = [
    *("RTX", "4090", "3060", "M4", "Max", "Pro", "Ultra", "A100", "SXM4", "PCIe", "Ryzen", "AI", "395", "Core", "i7"),
    *(
        "8GB",
        "16 GB",
        "0GB",
        "24ギガ",
        "メモリ",
        "ノート",
        "Laptop",
        "の",
        "GPU",
        "40コア",
        "10-core",
        "CPU",
        "2x",
        "220W",
    ),
    *(
        "DDR5-5600",
        "DDR4-0000",
        "2ch",
        "シングル",
        "NVIDIA",
        "Apple",
        "MacBook Pro",
        "Mac",
        "@ 3.0GHz",
        "(znver4)",
        "(",
        ",",
    ),
]


@pytest.mark.parametrize(
    ("spelling", "id_", "memory_gb"),
    [
        ("ＲＴＸ４０９０", "rtx-4090", 24),
        ("NVIDIA GeForce RTX 4090 (24GB)", "rtx-4090", 24),
        ("グラボ RTX 4070 12GB", "rtx-4070", 12),
        ("RTX4060Ti 16G", "rtx-4060-ti", 16),
        ("RTX 4060 Ti 8GB", "rtx-4060-ti-8gb", 8),
        ("RTX 3060 8 ギガ", "rtx-3060-8gb", 8),
        ("RTX 4070 Ti Super 16 ギガバイト", "rtx-4070-ti-super", 16),
        ("NVIDIA GeForce RTX 3060 Laptop GPU", "rtx-3060-laptop", 6),
        ("RTX 4090 ノート", "rtx-4090-laptop", 16),
        ("ジーフォース RTX 4090", "rtx-4090", 24),
        ("ラデオン RX 7900 XTX", "rx-7900-xtx", 24),
        ("M3 Ultra 60", "apple-m3-ultra-60c", 256),
        ("3090x2", "rtx-3090", 24),
        ("RTX 4090 ラップトップ", "rtx-4090-laptop", 16),
        ("RTX 4090 Laptop GPU", "rtx-4090-laptop", 16),
        ("RTX 4090 Mobile", "rtx-4090-laptop", 16),
        ("ノートPC RTX 4060 8GB", "rtx-4060-laptop", 8),
        ("RTX 4070 デスクトップ", "rtx-4070", 12),
        ("RTX PRO 6000 Blackwell Max-Q", "rtx-pro-6000-blackwell-max-q", 96),
        ("RTX PRO 6000 Blackwell Workstation Edition", "rtx-pro-6000-blackwell", 96),
        ("MacBook Pro M4 Max 64GB", "apple-m4-max-40c", 64),
        ("M4 Max 36GB", "apple-m4-max-32c", 36),
        ("Mac Studio M3 Ultra 512GB", "apple-m3-ultra-80c", 512),
        ("M2 Max Studio, 38 GPU, 96 GB", "apple-m2-max-38c", 96),
        ("M4 Pro Mac mini (20コアGPU、メモリ 48GB、512GB SSD)", "apple-m4-pro-20c", 48),
        ("マックブックプロ M4 Pro GPU 16コア 24GB", "apple-m4-pro-16c", 24),
        ("Apple M1 Max 8P+2E+24GPU", "apple-m1-max-24c", 64),
        ("M6 16GB", "apple-m6-16gb-12c", 16),
        ("M5 Ultra 96GB", "apple-m5-ultra-64c", 96),
        ("A100-SXM4-80GB", "a100-80gb-sxm", 80),
        ("NVIDIA A100 80GB PCIe", "a100-80gb-pcie", 80),
        ("NVIDIA H100 80GB HBM3", "h100-80gb-sxm", 80),
        ("NVIDIA H100 NVL", "h100-94gb-nvl", 94),
        ("8 x AMD Instinct MI300X", "mi300x", 192),
        ("RTX 3090 (220 W limit)", "rtx-3090", 24),
        ("AMD Radeon RX 7900 XTX (RADV NAVI31)", "rx-7900-xtx", 24),
        ("AMD Ryzen AI Max+ 395 128GB", "ryzen-ai-max-395", 128),
        ("Ryzen AI Max+ 395 ノート", "ryzen-ai-max-395", 128),
        ("AMD Ryzen 9 7940HS w/ Radeon 780M Graphics (znver4)", "radeon-780m", 0),
        ("Ryzen 7 8845HS 32GB", "radeon-780m", 32),
        ("11th Gen Intel Core i7-1185G7 @ 3.00GHz (tigerlake)", "core-11000g7", 0),
        ("第13世代 Core i7-13700H ノートPC 16GB", "core-13000h", 16),
        ("AMD Ryzen 7 7800X3D 8-Core Processor (znver4)", "ryzen-7000", 0),
        ("Intel Xeon CPU E5-2697 v2 @ 2.70GHz (ivybridge)", "xeon-e5-v2", 0),
        ("Raspberry Pi 5 Model B Rev 1.0", "raspberry-pi-5", 16),
        ("AMD Ryzen 5 5600G with Radeon Graphics", "ryzen-5000", 0),
        ("5800X3D 64GB", "ryzen-5000", 64),
        ("Ryzen 7 PRO 5850U", "ryzen-4000-laptop", 0),
        ("Intel(R) Core(TM) i7-9750H CPU @ 2.60GHz", "core-8000", 0),
        ("i7 8550U", "core-7000", 0),
        ("Intel(R) Xeon(R) Gold 6230 CPU @ 2.10GHz", "xeon-scalable-2", 0),
        ("Xeon E5-2680 v4 128GB", "xeon-e5-v4", 128),
        ("AMD EPYC 7763 64-Core Processor", "epyc-7002", 0),
        ("AMD EPYC 9654 96-Core Processor", "ddr5-4800-12ch", 0),
        ("A100 80GB HBM2e", "a100-80gb-sxm", 80),
        ("GeForce RTX™ 4070 Laptop GPU 8GB GDDR6", "rtx-4070-laptop", 8),
        ("MacBook Pro (14-inch, 2024) M4 Pro 10-core CPU 16-core GPU 24GB", "apple-m4-pro-16c", 24),
        ("MacBook Air 13インチ 2025年モデル M4 10コアGPU 16GB", "apple-m4-10c", 16),
        ("Mac mini (M4, 2024)", "apple-m4-10c", 32),
        ("NVIDIA Jetson Orin Nano Super Developer Kit", "jetson-orin-nano-super", 8),
        ("ラズパイ5 8GB", "raspberry-pi-5", 8),
        ("Steam Deck OLED", "steam-deck-oled", 16),
    ],
)
def test_a_name_is_the_right_device_with_the_right_memory(spelling: str, id_: str, memory_gb: float) -> None:
    device = hayasa.get_device(spelling)
    assert (device.id, device.memory_capacity_bytes / GIB) == (id_, memory_gb)


with (Path(__file__).parent / "reported_devices.csv").open(encoding="utf-8", newline="") as file:
    REPORTED = [(row["reported"], row["device"]) for row in csv.DictReader(file)]


@pytest.mark.parametrize(("reported", "id_"), [pair for pair in REPORTED if pair[1]])
def test_devices_as_those_who_measured_wrote_them(reported: str, id_: str) -> None:
    assert hayasa.get_device(reported).id == id_


def test_what_was_reported_of_no_known_device_is_refused() -> None:
    """A virtual machine says nothing of the memory that it shares with others."""
    unknown = [reported for reported, id_ in REPORTED if not id_]
    assert len(unknown) == 2 and all(name.startswith("DO-Premium") for name in unknown)
    for name in unknown:
        with pytest.raises(hayasa.UnknownNameError):
            hayasa.get_device(name)


def test_a_laptops_card_is_another_card() -> None:
    laptop, desktop = hayasa.get_device("RTX 4090 ノート"), hayasa.get_device("RTX 4090")
    assert (laptop.memory_bandwidth_bytes_per_s, desktop.memory_bandwidth_bytes_per_s) == (576e9, 1008e9)
    assert "電力" in laptop.notes[0] and laptop.estimated == ("gpu_clock_hz",)


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("富士通のM4", "apple-m4-10c"),
        ("Surface M4", "apple-m4-10c"),
        ("RTX 4090 SuperDuper", "rtx-4090"),
        ("RTX 4500 Ada ノート", "rtx-4500-ada"),
        ("M4 Max 64GB 日本語", "apple-m4-max-40c"),
        ("RTX 3060 Turbo", "rtx-3060"),
        ("RTX 3060 0GB", "rtx-3060"),
        ("M4 0コアGPU", "apple-m4-10c"),
    ],
)
def test_what_is_not_understood_is_not_dropped(name: str, near: str) -> None:
    with pytest.raises(hayasa.UnknownNameError, match="登録されていません") as caught:
        hayasa.get_device(name)
    assert near in caught.value.suggestions


@pytest.mark.parametrize(
    ("name", "memory_gb", "allowed"),
    [
        ("RTX 3060", 76, "8 GB か 12 GB"),
        ("RTX 3060", 24576, "8 GB か 12 GB"),
        ("rtx-3060", 24, "8 GB か 12 GB"),
        ("RTX 4090", 16, "24 GB"),
        ("apple-m4-10c", 64, "16 GB か 24 GB か 32 GB"),
        ("M4 Max 40コアGPU", 36, "48 GB か 64 GB か 128 GB"),
    ],
)
def test_memory_that_no_such_device_has_is_refused(name: str, memory_gb: float, allowed: str) -> None:
    with pytest.raises(hayasa.InvalidValueError, match=f"{allowed} です") as caught:
        hayasa.get_device(name, memory_bytes=memory_gb * GIB)
    assert f"{memory_gb} GB" in str(caught.value)
    with pytest.raises(hayasa.InvalidValueError, match=f"{allowed} です"):
        hayasa.get_device(f"{name} {memory_gb}GB")


def test_memory_is_checked_wherever_it_is_set() -> None:
    m4 = hayasa.get_device("apple-m4-10c")
    assert replace(m4, memory_capacity_bytes=16 * GIB).memory_capacity_bytes == 16 * GIB
    with pytest.raises(hayasa.InvalidValueError, match="16 GB か 24 GB か 32 GB"):
        replace(m4, memory_capacity_bytes=76 * GIB)
    own = hayasa.Device(id="own", memory_bandwidth_bytes_per_s=1e12, memory_capacity_bytes=24 * GIB)
    assert replace(own, memory_capacity_bytes=76 * GIB).memory_capacity_bytes == 76 * GIB
    # What memory is built into a computer with slots, nobody but its owner knows.
    assert hayasa.get_device("Ryzen 9 9950X", memory_bytes=192 * GIB).memory_capacity_bytes == 192 * GIB


def test_memory_chooses_the_variant() -> None:
    variant = hayasa.get_device("RTX 3060", memory_bytes=8 * GIB)
    assert (variant.id, variant.memory_bandwidth_bytes_per_s, variant.notes) == ("rtx-3060-8gb", 240e9, ())
    with pytest.raises(hayasa.InvalidValueError, match="合いません"):
        hayasa.get_device("RTX 3060 12GB", memory_bytes=8 * GIB)


@pytest.mark.parametrize(
    ("name", "id_", "other"),
    [
        ("M4 Max", "apple-m4-max-40c", "32 コア"),
        ("M4", "apple-m4-10c", "8 コア"),
        ("A100", "a100-80gb-sxm", "PCIe 80GB"),
        ("A100 80GB", "a100-80gb-sxm", "PCIe 80GB"),
        ("H100", "h100-80gb-sxm", "PCIe"),
        ("RTX 3060", "rtx-3060", "8GB"),
        ("4060 Ti", "rtx-4060-ti", "8GB"),
        ("A6000", "rtx-a6000", "6000 Ada"),
        ("RTX PRO 6000", "rtx-pro-6000-blackwell", "Max-Q"),
        ("M6", "apple-m6-12c", "16GB"),
        ("Apple M1 Ultra 16P+4E", "apple-m1-ultra-64c", "48 コア"),
    ],
)
def test_of_two_readings_the_common_one_answers_and_says_so(name: str, id_: str, other: str) -> None:
    result = hayasa.estimate("llama-3.1-8b", name)
    assert result.device.id == id_
    said = [note for note in result.notes if repr(name) in note]
    assert len(said) == 1 and other in said[0] and "」として答えました" in said[0]
    assert said[0] in hayasa.estimate("llama-3.1-8b", name, engine="ideal").notes


def test_where_no_reading_is_common_it_asks() -> None:
    with pytest.raises(hayasa.UnknownNameError, match="どれかを指定") as caught:
        hayasa.get_device("RTX 6000")
    assert {"quadro-rtx-6000", "rtx-6000-ada", "rtx-pro-6000-blackwell"} == set(caught.value.suggestions)


def test_every_name_that_fits_several_rows_says_so() -> None:
    """Whatever a table's name leaves open, the note names every other row that it may mean."""
    names = {
        name.removeprefix("?"): read_name(name.removeprefix("?"))
        for id_, row in hayasa.device_rows().items()
        for name in (id_, row["name"], *filter(None, row["aliases"].split("|")))
    }
    keys: dict[tuple[str, bool], set[str]] = {}
    for id_, row in hayasa.device_rows().items():
        for name in (id_, row["name"], *filter(None, row["aliases"].split("|"))):
            said = names[name.removeprefix("?")]
            keys.setdefault((said.key, said.laptop), set()).add(id_)
    bare = [
        name
        for name, said in names.items()
        if len(keys[said.key, said.laptop]) > 1
        and (said.form, said.memory_gb, said.gpu_cores, said.cores, said.channels) == ("", 0, 0, 0, 0)
        and not said.mega_transfers_per_s
        and name not in hayasa.device_rows()
    ]
    assert len(bare) > 60
    for name in bare:
        try:
            notes = hayasa.get_device(name).notes
        except hayasa.UnknownNameError as error:
            assert len(error.suggestions) > 1, name
        else:
            assert any(repr(name) in note and "もあります" in note for note in notes), name


def test_no_two_rows_share_a_name() -> None:
    owner: dict[object, str] = {}
    for id_, row in hayasa.device_rows().items():
        for name in (id_, row["name"], *filter(None, row["aliases"].split("|"))):
            if not name.startswith("?"):
                assert owner.setdefault(read_name(name), id_) == id_, name
            assert read_name(name.removeprefix("?")).key, name


@pytest.mark.parametrize("name", ["", "  ", "NVIDIA", "Apple GPU", "ノートPC", "MacBook Pro", "16GB", "40コア", "2x"])
def test_a_name_that_names_nothing_is_refused(name: str) -> None:
    with pytest.raises(hayasa.UnknownNameError, match="登録されていません"):
        hayasa.get_device(name)


def test_what_counts_for_nothing_is_said() -> None:
    assert "220 W" in hayasa.get_device("RTX 3090 (220 W limit)").notes[0]
    assert "devices" in hayasa.get_device("2x RTX 3090").notes[0]
    assert "devices" in hayasa.get_device("RTX 3090 2枚").notes[0]
    assert any("14 コア" in note for note in hayasa.get_device("M4 Max 14コア").notes)


def test_a_memory_that_was_assumed_is_said() -> None:
    assert "32 GB" in hayasa.get_device("MacBook Air M4").notes[-1]
    assert not any("メモリは" in note for note in hayasa.get_device("MacBook Air M4 16GB").notes)


@pytest.mark.parametrize(
    ("name", "gb_per_s", "id_"),
    [
        ("DDR5-5600", 89.6, "ddr5-5600-dual"),
        ("DDR5-5600 シングルチャンネル", 44.8, "ddr5-5600-1ch"),
        ("DDR5-6400 4ch", 204.8, "ddr5-6400-4ch"),
        ("DDR4-3600", 57.6, "ddr4-3600-2ch"),
        ("Ryzen 7 5800X3D, DDR4-3600", 57.6, "ryzen-5000"),
        ("Ryzen 9 9950X DDR5-6000", 96.0, "ryzen-9000"),
        ("Core i9-14900K シングルチャンネル", 44.8, "core-13000"),
        ("EPYC 9654", 460.8, "ddr5-4800-12ch"),
        ("EPYC 9654 DDR5-4000", 384.0, "ddr5-4800-12ch"),
    ],
)
def test_a_processor_reads_as_fast_as_its_memory(name: str, gb_per_s: float, id_: str) -> None:
    device = hayasa.get_device(name)
    assert device.memory_bandwidth_bytes_per_s == pytest.approx(gb_per_s * 1e9)
    assert device.id == id_
    assert device.is_processor


@pytest.mark.parametrize(
    ("name", "family", "cores", "clock_ghz", "estimated"),
    [
        ("AMD Ryzen 9 5950X 16-Core Processor", "cpu-zen3", 16, 4.9, ()),
        ("Ryzen 5 4600G", "cpu-zen2", 6, 4.2, ()),  # of the same row, but of an older generation
        ("ryzen-5000", "cpu-zen3", 6, 4.4, ("gpu_cores", "gpu_clock_hz")),
        ("Ryzen 7 5700X3D 8-Core Processor", "cpu-zen3", 8, 4.4, ("gpu_clock_hz",)),
        ("i5-1135G7 DDR4-3200 1ch", "cpu-icelake", 4, 4.2, ()),
        ("Core i9-14900K", "cpu-alderlake", 8, 6.0, ()),  # its efficient cores do not multiply
        ("Raspberry Pi 5 8GB", "cpu-cortex-a76", 4, 2.4, ()),
    ],
)
def test_the_name_of_a_processor_says_its_cores(
    name: str, family: str, cores: int, clock_ghz: float, estimated: tuple[str, ...]
) -> None:
    device = hayasa.get_device(name)
    assert (device.family, device.gpu_cores, device.gpu_clock_hz) == (family, cores, clock_ghz * 1e9)
    assert device.estimated == estimated


def test_every_processor_is_found_by_its_name() -> None:
    for id_, sold in processors().items():
        for one in sold[::10]:
            device = hayasa.get_device(one.name)
            assert (device.id, device.family, device.gpu_cores, device.gpu_clock_hz) == (
                id_,
                one.family,
                one.cores,
                one.clock_hz,
            )


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.text(max_size=40),
        st.lists(st.sampled_from(WORDS), max_size=7).map(" ".join),
        st.lists(st.sampled_from(WORDS), max_size=7).map("".join),
    )
)
def test_any_text_is_a_device_or_an_error_of_the_package(name: str) -> None:
    try:
        device = hayasa.get_device(name)
    except hayasa.HayasaError as error:
        assert repr(name) in str(error)
    else:
        assert device.id in hayasa.device_rows() or device.is_processor


def test_a_long_name_is_refused_soon() -> None:
    for name in ("RTX 4090 " * 2000, "1" * 20_000, "(" * 20_000, "16gb " * 5000, "メモリ" * 5000, "core " * 5000):
        with pytest.raises(hayasa.HayasaError):
            hayasa.get_device(name)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("estimated", "gpu_clock_hz"),
        ("estimated", ("gpu_speed",)),
        ("estimated", None),
        ("notes", "a note"),
        ("memory_options_bytes", [16 * GIB]),
        ("memory_options_bytes", (-1.0,)),
        ("memory_options_bytes", ("16 GB",)),
        ("memory_options_bytes", (16.0 * GIB,)),
    ],
)
def test_a_device_that_cannot_be_is_refused(field: str, value: object) -> None:
    with pytest.raises(hayasa.InvalidValueError):
        hayasa.Device(id="own", memory_bandwidth_bytes_per_s=1e12, **{field: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("memory", [float("nan"), -1, "16", None, True, 1e30])
def test_an_amount_of_memory_that_cannot_be_is_refused(memory: object) -> None:
    with pytest.raises(hayasa.InvalidValueError, match="memory_bytes"):
        hayasa.get_device("RTX 3060", memory_bytes=memory)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "id_"),
    [
        ("M2 Air 16GB", "apple-m2-10c"),
        ("MacBook Pro 14 M4 Pro", "apple-m4-pro-20c"),
        ("MacBook Pro 16 M3 Max 64GB", "apple-m3-max-40c"),
        ("ゲーミングノート RTX 4070", "rtx-4070-laptop"),
        ("Colab T4", "t4"),
    ],
)
def test_where_a_chip_is_sold_and_rented_says_nothing_of_it(name: str, id_: str) -> None:
    assert hayasa.get_device(name).id == id_
