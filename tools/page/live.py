"""What the chapters' live figures run with, so that their pages need no estimator."""

from __future__ import annotations

from math import log10

import hayasa
from hayasa.catalog.objects import device_rows
from hayasa.catalog.reader import parse_number
from hayasa.machine.split import messages_per_step
from hayasa.units import GIB, scaled

EIGHT = 8
"""Mac minis of the row `exo_day2-001`."""

ACHIEVED_BYTES_PER_S = {"A100": 1397.31e9}
"""Chapter 3's: gpt-fast without quantization on an A100 (https://github.com/meta-pytorch/gpt-fast)."""

FILE_BYTES, PARAMETERS = 3.56 * GIB, 6.738e9
"""Llama 2 7B: its Q4_0 file (https://github.com/ggml-org/llama.cpp/discussions/4167), its parameters."""


def measured_tokens_per_s(row_id: str) -> float:
    """Return the speed of a published row."""
    (found,) = (row["decode_tokens_per_s"] for row in hayasa.measurements() if row["id"] == row_id)
    assert found
    return float(found)


def eight_data() -> dict[str, object]:
    """Return how long one of eight Mac minis needs for its part of a token, and what was measured."""
    result = hayasa.estimate("deepseek-v3", "apple-m4-pro-20c", weights="mlx-4bit", engine="ideal", devices=EIGHT)
    return {
        "machines": EIGHT,
        "messages": messages_per_step("pipeline", EIGHT, hayasa.get_model("deepseek-v3").layers),
        "part_s": 1 / result.decode_tokens_per_s_bound / EIGHT,
        "measured_tokens_per_s": measured_tokens_per_s("exo_day2-001"),
    }


def waterfall_data() -> dict[str, object]:
    """Return the waits of chapter 3, from the bound to what is measured."""
    unquantized = measured_tokens_per_s("llamacpp_apple_4167-065")
    achieved = ACHIEVED_BYTES_PER_S | {"Mac mini M4": PARAMETERS * 2 * unquantized}
    machines = []
    for name, device, row_id in (
        ("A100", "a100-80gb-pcie", "llamacpp_scoreboards-008"),
        ("Mac mini M4", "apple-m4-10c", "llamacpp_apple_4167-067"),
    ):
        bandwidth = hayasa.get_device(device).memory_bandwidth_bytes_per_s
        ends_s = [
            3.5e9 / bandwidth,
            FILE_BYTES / bandwidth,
            FILE_BYTES / achieved[name],
            1 / measured_tokens_per_s(row_id),
        ]
        waits = [1000 * (end - start) for start, end in zip([0.0, *ends_s], ends_s, strict=False)]
        machines.append({"name": name, "waits_ms": waits})
    return {"waits": ["3.5 GBを運ぶ", "実物は3.8 GB", "帯域幅の目減り", "手間など"], "machines": machines}


SEVEN_B = 7e9
BITS, BATCHES = (2, 3, 4, 4.5, 5, 6, 8, 16, 32), tuple(2**power for power in range(11))


def pipes_data() -> dict[str, object]:
    """Return the times of chapter 2's two formulas, for 7B on the article's two machines."""
    a100, mini = hayasa.get_device("a100-80gb-pcie"), hayasa.get_device("apple-m4-10c")
    neural_engine = parse_number(device_rows()[mini.id], "neural_engine_op_per_s", "devices.csv")
    machines = []
    for name, device, peak in (("A100", a100, a100.peak_int4_dense_op_per_s), ("Mac mini M4", mini, neural_engine)):
        bandwidth = device.memory_bandwidth_bytes_per_s
        machines.append(
            {
                "name": name,
                "pipes": [
                    {
                        "text": f"{bandwidth / 1e9:.0f} GB/s",
                        "decades": log10(bandwidth / mini.memory_bandwidth_bytes_per_s),
                    },
                    {"text": f"{peak / 1e12:.0f} TOPS", "decades": log10(peak / neural_engine)},
                ],
                "memory_s": [hayasa.memory_latency_s(SEVEN_B, bits / 8, bandwidth) for bits in BITS],
                "compute_s": [hayasa.compute_latency_s(SEVEN_B, batch, peak) for batch in BATCHES],
            }
        )
    return {
        "bits": BITS,
        "batches": BATCHES,
        "bytes": [scaled(SEVEN_B * bits / 8, "B") for bits in BITS],
        "flop": [scaled(2 * SEVEN_B * batch, "FLOP") for batch in BATCHES],
        "machines": machines,
    }


BLOCK = "89 1e cb ee 80 c8 5b 5c 8a 9d 39 3a 99 55 c5 99 96 9c"
"""A Q4_0 block: the first one of the matrix that chapter 6 quantizes."""


def live_data() -> dict[str, object]:
    """Return what `web/live.mjs` imports, by the names of its figures."""
    return {
        "eight": eight_data(),
        "nibbles": {"block": [*bytes.fromhex(BLOCK)]},
        "pipes": pipes_data(),
        "waterfall": waterfall_data(),
    }
