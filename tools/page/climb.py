"""What chapter 5's figure of the roofline runs with: a step's work by hayasa, and what was measured of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import hayasa
from hayasa.engine.engines import get_engine
from hayasa.model.weights import weight_bytes
from hayasa.units import GIB


class Shown(NamedTuple):
    """A model with the machines that it is shown on."""

    name: str
    model: str
    weights: str
    roofs: str
    """Which peaks are drawn."""

    machines: dict[str, tuple[str, list[str]]]
    """By name: ids of the machine, and of the published rows that are shown of it."""


SIZES = (1, *sorted(part * 2**power for part in (2, 3) for power in range(8)), 512)
CONTEXTS = (0, 512, 2048, 4096, 8192)

MODELS = (
    Shown(
        "Llama 2 7B、fp16",
        "llama-2-7b",
        "f16",
        "屋根は、密なfp16の計算力です（M4は、fp32の値）。",
        {
            "H100": ("h100-80gb-sxm", [f"argonne_vllm-{number:03}" for number in range(45, 49)]),
            "A100": ("a100-80gb-pcie", ["xiongjiedai_llama2-060"]),
            "M4": ("apple-m4-10c", ["llamacpp_apple_4167-065"]),
        },
    ),
    Shown(
        "Qwen2.5 7B、Q8_0",
        "qwen2.5-7b",
        "q8_0",
        "屋根は、DGX Sparkがint8、M2 Ultraがfp32の計算力です。",
        {
            "DGX Spark": ("dgx-spark", [f"llamacpp_dgx_spark-{number:03}" for number in range(80, 98)]),
            "M2 Ultra": ("apple-m2-ultra-76c", [f"llamacpp_batched_mac-{number:03}" for number in range(5, 11)]),
        },
    ),
)


def climb_data() -> dict[str, object]:
    """Return the work of a step and of a prompt by how many tokens are computed at once, and what was measured of it.

    The works stand in lists: writing, by context and size, and reading a prompt, whose only context is none.
    """
    models = []
    for shown in MODELS:
        model, weights = hayasa.get_model(shown.model), hayasa.get_weight_format(shown.weights)
        writing = [[_step(model, weights, size, context) for size in SIZES] for context in CONTEXTS]
        reading = [[_prompt(model, weights, size) for size in SIZES]]
        machines = []
        for name, (device_id, rows) in shown.machines.items():
            device = hayasa.get_device(device_id)
            machines.append(
                {
                    "name": name,
                    "bandwidth": device.memory_bandwidth_bytes_per_s,
                    "peak": device.peak_flop_per_s(weights.compute_format),
                    "memory": f"{device.memory_capacity_bytes / GIB:.0f}\N{NO-BREAK SPACE}GB",
                    "room": [
                        hayasa.max_batch_size(model, device, weights, context_length=max(1, context), engine="ideal")
                        for context in CONTEXTS
                    ],
                    "measured": [*_measured_work(model, weights, device, rows)],
                }
            )
        models.append(
            {
                "name": shown.name,
                "roofs": shown.roofs,
                "longest": model.context_length_max,
                "works": [
                    {
                        "intensity": [
                            [_rounded(flop * size / read) for size, (flop, read) in zip(SIZES, row, strict=True)]
                            for row in work
                        ],
                        "flop": [[_rounded(flop) for flop, _ in row] for row in work],
                    }
                    for work in (writing, reading)
                ],
                "machines": machines,
            }
        )
    return {"sizes": SIZES, "contexts": CONTEXTS, "models": models}


def _rounded(value: float) -> float:
    return float(f"{value:.7g}")


def _step(model: hayasa.Model, weights: hayasa.WeightFormat, size: int, context: int) -> tuple[float, float]:
    """Return FLOP a token, and bytes read for all."""
    step = hayasa.estimate(
        model, "h100-80gb-sxm", weights=weights, engine="ideal", batch_size=size, context_length=context
    )
    return step.flop_per_step / size, step.bytes_per_step


def _prompt(model: hayasa.Model, weights: hayasa.WeightFormat, size: int) -> tuple[float, float]:
    return hayasa.prefill_flop(model, size) / size, weight_bytes(model, weights).read_bytes(size)


def _measured_work(
    model: hayasa.Model, weights: hayasa.WeightFormat, device: hayasa.Device, ids: list[str]
) -> Iterator[dict[str, object]]:
    """Yield published rows as points under the roof: steps of writing, and a prompt that is no longer than `SIZES`."""
    rows = {row["id"]: row for row in hayasa.measurements(model=model.id)}
    for row in (rows[one] for one in ids):
        size, before, written, speed = (
            row["batch_size"],
            row["context_length"],
            row["decode_tokens"],
            row["decode_tokens_per_s"],
        )
        assert before is not None and written and speed
        context = round(before + written / 2)  # on average
        found = [(0, size, context, speed, _step(model, weights, size, context))]
        prompt, pace = row["prefill_tokens"], row["prefill_tokens_per_s"]
        if prompt and pace and size == 1 and prompt <= SIZES[-1]:
            found.append((1, prompt, 0, pace, _prompt(model, weights, prompt)))
        for work, at_once, behind, tokens_per_s, (flop, read) in found:
            intensity = flop * at_once / read
            peak = device.peak_flop_per_s(weights.compute_format)
            roof = min(peak, intensity * device.memory_bandwidth_bytes_per_s)
            yield {
                "work": work,
                "size": at_once,
                "context": behind,
                "tokens_per_s": tokens_per_s,
                "intensity": _rounded(intensity),
                "flop_per_s": _rounded(tokens_per_s * flop),
                "share": _rounded(tokens_per_s * flop / roof),
                "engine": get_engine(row["engine"]).name + ("、入力の処理を含む" if row["includes_prompt"] else ""),
                "source": row["source"],
            }
