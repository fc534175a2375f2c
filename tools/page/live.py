"""What the chapters' live figures run with, so that their pages need no estimator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import log10

import hayasa
from hayasa.book.drafted import Drafted, drafted
from hayasa.book.letters import Letters, story
from hayasa.catalog.objects import device_rows
from hayasa.catalog.reader import parse_number
from hayasa.machine.split import pipeline_step_s
from hayasa.model.flops import attention_flop_per_token_and_layer
from hayasa.model.tensors import weight_tensors
from hayasa.units import GIB, scaled
from tools.page.climb import climb_data
from tools.page.serving import queue_data
from tools.page.splitting import split_data

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
        "messages": round(pipeline_step_s(1.0, EIGHT, link_latency_s=1.0) - 1.0),
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
                        "text": f"{bandwidth / 1e9:,.0f}\N{NO-BREAK SPACE}GB/s",
                        "decades": log10(bandwidth / mini.memory_bandwidth_bytes_per_s),
                    },
                    {"text": f"{peak / 1e12:,.0f}\N{NO-BREAK SPACE}TOPS", "decades": log10(peak / neural_engine)},
                ],
                "memory_s": [hayasa.memory_latency_s(SEVEN_B, bits / 8, bandwidth) for bits in BITS],
                "compute_s": [hayasa.compute_latency_s(SEVEN_B, batch, peak) for batch in BATCHES],
            }
        )
    return {
        "bits": BITS,
        "batches": BATCHES,
        "bytes": [unbroken(SEVEN_B * bits / 8, "B") for bits in BITS],
        "flop": [unbroken(2 * SEVEN_B * batch, "FLOP") for batch in BATCHES],
        "gpu": flops_text(SLOW_MACHINES["Mac mini M4"][-1]),
        "machines": machines,
    }


SLOW_MACHINES = {
    "A100": ("HBM", 40e9, 1.5e12, 312e12),
    "Mac mini M4": ("メモリ", 16e9, 120e9, 4.04e12),
}
"""Chapter 1's: kind and bytes of the memory, bandwidth, and FLOP/s, which of the M4 is that of chapter 5."""


def flops_text(peak_flop_per_s: float) -> str:
    """Write how fast a machine computes as catalogues do."""
    return f"{peak_flop_per_s / 1e12:.3g}\N{NO-BREAK SPACE}TFLOPS"


LOAD_BYTES, INT4_BYTES = 20e6, 0.5
"""What the A100's SRAM holds, and a weight."""


def slow_data() -> dict[str, object]:
    """Return how long chapter 1's machines bring the weights of a token, and a load of them, and compute with it."""
    weights, load = SEVEN_B, LOAD_BYTES / INT4_BYTES
    machines = []
    for name, (kind, capacity, bandwidth, peak) in SLOW_MACHINES.items():
        machines.append(
            {
                "name": name,
                "memory": f"{kind} {capacity / 1e9:.0f}\N{NO-BREAK SPACE}GB",
                "pipe": f"{bandwidth / 1e9:,.0f}\N{NO-BREAK SPACE}GB/s",
                "compute": flops_text(peak),
                "capacity": capacity,
                "bandwidth": bandwidth,
                "peak": peak,
                "token_s": hayasa.memory_latency_s(weights, INT4_BYTES, bandwidth),
                "transfer_s": hayasa.memory_latency_s(load, INT4_BYTES, bandwidth),
                "compute_s": hayasa.compute_latency_s(load, 1, peak),
            }
        )
    return {
        "bytes": weights * INT4_BYTES,
        "weights": f"{weights * INT4_BYTES / 1e9:.1f}\N{NO-BREAK SPACE}GB",
        "load": LOAD_BYTES,
        "parcel": "100万個（0.5\N{NO-BREAK SPACE}MB）",
        "parcel_bytes": 1e6 * INT4_BYTES,
        "machines": machines,
    }


BLOCK = "89 1e cb ee 80 c8 5b 5c 8a 9d 39 3a 99 55 c5 99 96 9c"
"""A Q4_0 block: the first one of the matrix that chapter 6 quantizes."""


def nibbles_data() -> dict[str, object]:
    """Return the bytes of a block."""
    return {"block": [*bytes.fromhex(BLOCK)]}


LOTTERY_PEOPLE = tuple(2**power for power in range(8))


def lottery_data() -> dict[str, object]:
    """Return DeepSeek-V3's router, how many experts its formula expects, and what is read for all layers."""
    model = hayasa.get_model("deepseek-v3")
    experts, each = model.experts, model.experts_per_token
    steps = [
        hayasa.estimate(model, "apple-m4-pro-20c", weights="mlx-4bit", engine="ideal", devices=EIGHT, batch_size=people)
        for people in LOTTERY_PEOPLE
    ]
    return {
        "router": {"experts": experts, "each": each},
        "people": LOTTERY_PEOPLE,
        "expected": [hayasa.experts_touched(experts, each, people) for people in LOTTERY_PEOPLE],
        "read": [unbroken(step.weight_bytes_per_step, "B") for step in steps],
    }


FILLING_MODELS = {
    "llama-2-7b": "どのヘッドも覚える",
    "llama-3.1-8b": "四つのヘッドで一組を使い回す",
    "gemma-3-12b": "ほとんどの層は、近くだけを覚える",
}
LONGEST_TALK = 2**17


def filling_data() -> dict[str, object]:
    """Return what fills the memory of a Mac mini M4 with 16 GB, as a talk goes on."""
    device = replace(hayasa.get_device("apple-m4-10c"), memory_capacity_bytes=16 * GIB)
    weights = hayasa.get_weight_format("q4_k_m")
    models = []
    for name, kind in FILLING_MODELS.items():
        model = hayasa.get_model(name)
        longest = hayasa.max_context_length(model, device, weights)
        fit = hayasa.memory_fit(model, device, weights, context_length=longest)
        full = _cache_bytes(model, LONGEST_TALK) - _cache_bytes(model, LONGEST_TALK - 1)
        at_once = _cache_bytes(model, 1)
        models.append(
            {
                "name": model.name,
                "kept": f"1トークンで{unbroken(full, 'B')}（{kind}）",
                "resident": hayasa.weight_bytes_resident(model, weights),
                "read": hayasa.estimate(model, device, weights=weights, engine="ideal").weight_bytes_per_step,
                "usable": fit.capacity_bytes - fit.kept_most_bytes - fit.buffer_bytes,
                "full": full,
                "windowed": at_once - full,
                "window": model.sliding_window or LONGEST_TALK,
            }
        )
    return {
        "machine": "M4のMac、16 GB",
        "capacity": device.memory_capacity_bytes,
        "bandwidth": device.memory_bandwidth_bytes_per_s,
        "longest": LONGEST_TALK,
        "models": models,
    }


def _cache_bytes(model: hayasa.Model, tokens: int) -> float:
    return hayasa.estimate(model, "apple-m4-10c", engine="ideal", context_length=tokens).kv_bytes_per_step


FORMATS = ("f16", "q8_0", "q4_0")


def macs_data() -> list[dict[str, object]]:
    """Return what chapter 9 fits: the speeds of Llama 2 7B on Macs up to M4, by the format of the weights."""
    measured = [row for row in hayasa.measurements() if row["file"] == "llamacpp_apple_4167"]
    formats = []
    for name in FORMATS:
        read = hayasa.weight_bytes_per_step(hayasa.get_model("llama-2-7b"), hayasa.get_weight_format(name))
        rows = [
            (hayasa.get_device(row["device"]), row["decode_tokens_per_s"]) for row in measured if row["weights"] == name
        ]
        points = [[device.memory_bandwidth_bytes_per_s, speed] for device, speed in rows if device.family != "apple-m5"]
        formats.append({"name": name.upper(), "bytes": read, "read": unbroken(read, "B"), "rows": points})
    return formats


def least_squares() -> dict[str, float]:
    """Return the share and the wait for which t = x / share + wait is the least off, relative to t.

    With u = x/t and v = 1/t, (u/share + v wait - 1)² is to be small over all rows: two linear equations.
    """
    uu = uv = vv = u_sum = v_sum = 0.0
    for one in macs_data():
        for bandwidth, v in one["rows"]:
            u = one["bytes"] / bandwidth * v
            uu, uv, vv, u_sum, v_sum = uu + u * u, uv + u * v, vv + v * v, u_sum + u, v_sum + v
    determinant = uu * vv - uv * uv
    return {"eta": determinant / (u_sum * vv - v_sum * uv), "wait_s": (v_sum * uu - u_sum * uv) / determinant}


def fitting_data() -> dict[str, object]:
    """Return the measured rows of each format, and what least squares finds."""
    return {"formats": macs_data(), "fit": least_squares()}


def drawing_data() -> dict[str, object]:
    """Return the speeds that the reader guesses by drawing: those of the smallest format."""
    (drawn,) = (one for one in macs_data() if one["name"] == "Q4_0")
    return {"bytes": drawn["bytes"], "rows": drawn["rows"], "fit": least_squares()}


def unbroken(value: float, unit: str) -> str:
    """Write a number so that its unit stays on its line."""
    return scaled(value, unit).replace(" ", "\N{NO-BREAK SPACE}")


WALK_MODELS = ("llama-2-7b", "llama-3.1-8b")
WALK_CONTEXTS = (1, 256, 1024, 4096, 8192, 16384, 28672, 65536, 131072)
WALK_STEPS = {
    "attn_q": ("Q", 0),
    "attn_k": ("K", 0),
    "attn_v": ("V", 0),
    "": ("内積と平均", 1),
    "attn_output": ("O", 0),
    "ffn_gate": ("gate", 2),
    "ffn_up": ("up", 2),
    "ffn_down": ("down", 2),
}
"""What a token does in a layer, in turn, by the role of the matrix: how chapter 4 calls it, and its kind."""


def walk_data() -> dict[str, object]:
    """Return the matrices that a token is multiplied with on its way through chapter 4's models."""
    models = []
    for name in WALK_MODELS:
        model = hayasa.get_model(name)
        (head,) = (one for one in weight_tensors(model) if one.role == "output")
        layer = {one.role: one for one in weight_tensors(model) if one.layer == 0}
        steps = [
            {
                "name": step,
                "kind": kind,
                "weights": matrix.parameters,
                "size": f"（{matrix.columns:,}×{matrix.rows:,}）",
            }
            if (matrix := layer.get(role))
            else {"name": step, "kind": kind, "weights": 0, "size": ""}
            for role, (step, kind) in WALK_STEPS.items()
        ]
        models.append(
            {
                "name": model.name,
                "layers": model.layers,
                "longest": model.context_length_max,
                "steps": steps,
                "each": attention_flop_per_token_and_layer(model),
                "head": head.parameters,
                "two_p": 2 * hayasa.total_parameters(model),
            }
        )
    return {"contexts": WALK_CONTEXTS, "models": models}


ROUND_LENGTHS = range(9)
OPENING, WRITTEN = 10, 400
LOOKED_BACK = (2, 3)
ROUND_MACHINES = {"RTX 5090": range(1, 7), "M3 Ultra": range(41, 44)}
"""Machines of chapter 12, and their rows ``qwen38_mtp-…``: drafts of several lengths."""


def rounds_data() -> dict[str, object]:
    """Return chapter 12's models of letters, and how long a round takes on two machines."""
    large = Letters(story(), order=8)
    text = story()[:OPENING]
    while len(text) < OPENING + WRITTEN:
        text += large.answer(text)
    speeds = {row["id"]: row for row in drafted()}
    return {
        "text": text,
        "start": OPENING,
        "drafters": [_drafter(large, text, order) for order in LOOKED_BACK],
        "machines": [
            {"name": name, "cost": _cost_of_a_letter([speeds[f"qwen38_mtp-{number}"] for number in numbers])}
            for name, numbers in ROUND_MACHINES.items()
        ],
    }


def _drafter(large: Letters, text: str, order: int) -> dict[str, object]:
    """Return what a small model answers on its way, unless the text first goes on so, and the acceptance that chapter 12 counts with drafts of one."""
    small = Letters(story(), order=order)
    follows = {text[at - order : at]: text[at] for at in range(len(text) - 1, order - 1, -1)}
    answers = {}
    for at in range(OPENING, len(text)):
        written = text[:at]
        for _ in ROUND_LENGTHS[1:]:
            answers[written[-order:]] = small.answer(written)
            written += answers[written[-order:]]
    acceptance = 1000 / _passes_of_one(large, small, OPENING + 1000) - 1
    return {
        "name": f"{order}文字を見る下書き",
        "order": order,
        "answers": {last: answer for last, answer in answers.items() if follows.get(last) != answer},
        "acceptance": acceptance,
        "expected": [hayasa.expected_tokens(acceptance, length) for length in ROUND_LENGTHS],
    }


def _passes_of_one(large: Letters, small: Letters, length: int) -> int:
    """Return how often the large model is asked until a text is so long, with drafts of one letter."""
    text, passes = story()[:OPENING], 0
    while len(text) < length:
        draft = small.answer(text)
        first, second = large.answers(text, draft)
        text += draft + second if draft == first else first
        passes += 1
    return passes


def _cost_of_a_letter(rows: list[Drafted]) -> float:
    """Return what each drafted token adds to a round, in steps: the slope with the least squares through 1 without any."""
    lengths = [row["draft_tokens"] for row in rows]
    more = [row["tokens_per_pass"] / row["measured"] - 1 for row in rows]
    return sum(length * one for length, one in zip(lengths, more, strict=True)) / sum(length**2 for length in lengths)


LIVE: dict[str, Callable[[], object]] = {
    "climb": climb_data,
    "drawing": drawing_data,
    "eight": eight_data,
    "filling": filling_data,
    "fitting": fitting_data,
    "lottery": lottery_data,
    "nibbles": nibbles_data,
    "pipes": pipes_data,
    "queue": queue_data,
    "rounds": rounds_data,
    "slow": slow_data,
    "split": split_data,
    "walk": walk_data,
    "waterfall": waterfall_data,
}
"""By the module of each live figure, what it runs with."""
