"""What chapter 13's figure of the split runs with: a model's layers, or their experts, from the GPU to the host."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import hayasa
from hayasa.engine.waits import HAND_OVERS, READ_DISK
from hayasa.model.weights import weight_bytes

DEVICE, HOST, RAMS = "rtx-4090", "ddr5-6000 x2", (96, 32)
CONTEXT = 8192
"""Machine and context of the chapter's table of the fastest splits, and a host with less memory."""


class Split(NamedTuple):
    """A model of which something lies in the host's memory."""

    name: str
    model: str
    weights: str
    ways: dict[str, str]
    """By name: what `hayasa.estimate` calls it."""


LAYERS, EXPERTS = "gpu_layers", "cpu_moe_layers"
SPLITS = (
    Split("密な70B（Llama 3.1、Q4_K_M）", "llama-3.1-70b", "q4_k_m", {"層ごと": LAYERS}),
    Split("MoEの120B（gpt-oss、MXFP4）", "gpt-oss-120b", "mxfp4", {"層ごと": LAYERS, "専門家だけ": EXPERTS}),
)


def split_estimate(split: Split, way: str, outside: int, ram: int) -> hayasa.Estimate:
    """Return the estimate for so many layers, whole or their experts, in the host's memory of so many GB."""
    layers = hayasa.get_model(split.model).layers
    return hayasa.estimate(
        split.model,
        DEVICE,
        weights=split.weights,
        engine="llama.cpp",
        context_length=CONTEXT,
        host=f"{HOST} {ram}GB",
        **{way: layers + 1 - outside if way == LAYERS else outside},
    )


def split_data() -> dict[str, object]:
    """Return, for every number of layers outside, what lies where in bytes, and what a token waits for."""
    models = []
    for split in SPLITS:
        model, weights = hayasa.get_model(split.model), hayasa.get_weight_format(split.weights)
        stored = weight_bytes(model, weights)
        experts = stored.routed_bytes_per_expert * stored.experts
        models.append(
            {
                "name": split.name,
                "layers": model.layers,
                "experts": round(experts / (experts + stored.shared_bytes), 3),
                "ways": [{"name": name, **_positions(split, way, model.layers)} for name, way in split.ways.items()],
            }
        )
    fits = [split_estimate(SPLITS[0], LAYERS, 1, ram).offload.fit for ram in RAMS]
    return {
        "usable": split_estimate(SPLITS[0], LAYERS, 1, RAMS[0]).fit.available_least_bytes,
        "rams": [
            {"name": f"{ram}\N{NO-BREAK SPACE}GB", "usable": fit.available_most_bytes}
            for ram, fit in zip(RAMS, fits, strict=True)
        ],
        "models": models,
    }


def _positions(split: Split, way: str, layers: int) -> dict[str, object]:
    """Return lists by the number of layers outside: bytes on the GPU and on the host, and seconds by their place.

    What does not fit does not run: it has no seconds.
    """
    found = [[*_waits(split, way, outside)] for outside in range(layers + 1)]
    columns = [[float(f"{value:.4g}") for value in column] for column in zip(*found, strict=True)]
    on_gpu, on_host, gpu, host, hand_over, *disks = columns
    return {"on_gpu": on_gpu, "on_host": on_host, "gpu": gpu, "host": host, "hand_over": hand_over, "disk": disks}


def _waits(split: Split, way: str, outside: int) -> Iterator[float]:
    one, *others = (split_estimate(split, way, outside, ram) for ram in RAMS)
    waits = [wait for wait in one.offload.step_waits() if not wait.hidden] if one.offload else []
    hand_over = sum(wait.seconds for wait in waits if wait.kind == HAND_OVERS)
    host = sum(wait.seconds for wait in waits) - hand_over
    yield one.fit.required_bytes
    yield one.offload.fit.required_bytes if one.offload else 0.0
    if one.fit.left_bytes < 0:
        yield from [0.0] * (3 + len(RAMS))
        return
    yield one.step_latency_s - host - hand_over
    yield host
    yield hand_over
    for each in (one, *others):
        seconds = each.offload.step_waits() if each.offload else []
        yield sum(wait.seconds for wait in seconds if wait.kind == READ_DISK)
