"""What is fitted: the published measurements, each with the waits that its step consists of."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import hayasa
from hayasa.catalog.measurements import Measurement as Row
from hayasa.catalog.measurements import mean_context_length
from hayasa.catalog.objects import get_device, get_model, get_weight_format
from hayasa.engine.waits import FITTED_WAITS, OLD_BUILDS, UNPACK_WEIGHTS
from hayasa.errors import UnknownNameError
from hayasa.machine.device import Device
from hayasa.model.shape import Model
from hayasa.model.weights import WeightFormat, weight_bytes
from hayasa.model.work import step_work

NEW_BUILDS_SINCE = "2025-08"
"""Month from which llama.cpp merges kernels and uses flash attention by default."""

LONG_CONTEXT = 1024
"""Tokens beyond which attention without flash attention is another matter."""


@dataclass(frozen=True, eq=False)
class Measurement:
    """One published decode speed and the waits that its step consists of.

    Parameters
    ----------
    row : dict
        From `hayasa.measurements`.
    model, device, weights : Model, Device, WeightFormat
        What was measured.
    context_length : int
        Mean number of cached tokens while it was measured.
    step_s : float
        Measured seconds per step.
    loads_s : dict
        Seconds of each of `FITTED_WAITS` for a factor of 1, by the name of its kind.
    """

    row: Row
    model: Model
    device: Device
    weights: WeightFormat
    context_length: int
    step_s: float
    loads_s: dict[str, float]

    @property
    def source(self) -> str:
        """Name of the file."""
        return self.row["file"]

    @property
    def devices(self) -> int:
        """How many devices shared the model."""
        return self.row["devices"]

    @property
    def batch_size(self) -> int:
        """Sequences that advanced together."""
        return self.row["batch_size"]

    @property
    def is_old_build(self) -> bool:
        """Whether it was measured before `NEW_BUILDS_SINCE`; of a year without a month the end counts."""
        return (self.row["measured_on"] + "-12")[:7] < NEW_BUILDS_SINCE

    @property
    def configuration(self) -> tuple[str, ...]:
        """What counts once in a fit, however many rows it has."""
        return (self.device.id, self.model.id, self.weights.id, self.source)


def load_measurements() -> tuple[list[Measurement], list[str]]:
    """Return all published measurements that the tables can describe."""
    found: list[Measurement] = []
    skipped: list[str] = []
    for row in hayasa.measurements():
        context, speed = mean_context_length(row), row["decode_tokens_per_s"]
        if context is None or speed is None:
            skipped.append(f"{row['id']}: 文脈の長さか速さが書かれていません。")
            continue
        try:
            found.append(_measurement(row, context, speed))
        except UnknownNameError as error:
            skipped.append(f"{row['id']}: {error}")
    return found, skipped


def _measurement(row: Row, context_length: int, tokens_per_s: float) -> Measurement:
    model, device = get_model(row["model"]), get_device(row["device"])
    weights = get_weight_format(row["weights"])
    work = step_work(model, weights, get_weight_format("f16"), row["batch_size"], context_length)
    loads_s = {fitted.kind.name: getattr(work, fitted.amount) * fitted.pace_s(device) for fitted in FITTED_WAITS}
    found = Measurement(row, model, device, weights, context_length, row["batch_size"] / tokens_per_s, loads_s)
    if not found.is_old_build:
        loads_s[OLD_BUILDS.name] = 0.0
    return found


def without_unpacking(measurement: Measurement) -> Measurement:
    """Return a measurement whose step does not wait for the weights to be unpacked."""
    return replace(measurement, loads_s={**measurement.loads_s, UNPACK_WEIGHTS.name: 0.0})


EXCLUSIONS: tuple[tuple[str, Callable[[Measurement], bool]], ...] = (
    (
        "2023 年の CUDA ビルド（CUDA graph も flash attention もない）",
        lambda m: m.source == "xiongjiedai_llama2" and m.row["backend"] == "cuda",
    ),
    (
        "メモリをほとんど使い切った測定（ページの入れ替えが起きる）",
        lambda m: (
            "ほぼ埋まる" in m.row["note"]
            or weight_bytes(m.model, m.weights).resident_bytes > 0.9 * m.device.memory_capacity_bytes
        ),
    ),
    (
        "flash attention を使わない、文脈の長い llama.cpp の測定（今の既定とは違う）",
        lambda m: m.row["engine"] == "llama.cpp" and m.row["flash_attention"] == 0 and m.context_length > LONG_CONTEXT,
    ),
    (
        "Vulkan と ROCm の bf16（演算器がなく、別の経路で計算される）",
        lambda m: m.row["backend"] in ("vulkan", "rocm") and m.weights.id == "bf16",
    ),
    (
        "MLX の Gemma 2（注意機構の値を抑える処理があり、まとめた命令が使えない）",
        lambda m: m.row["engine"] == "mlx" and m.model.id.startswith("gemma-2"),
    ),
    (
        "MLX の DeepSeek-V3（潜在ベクトルの注意機構が、まとめた命令になっていない）",
        lambda m: m.row["engine"] == "mlx" and m.model.attention_kind == "mla",
    ),
)
"""What is left out of the fits, and why; nothing else is."""


def usable(measurements: Iterable[Measurement]) -> list[Measurement]:
    """Return the rows of one device and one sequence that no exclusion names.

    Where a source gives a speed with and without flash attention, only the
    one with it counts: it is what engines do today.
    """
    rows = [m for m in measurements if m.devices == 1 and m.batch_size == 1]
    rows = [m for m in rows if not any(excluded(m) for _, excluded in EXCLUSIONS)]
    with_flash = {(m.row["backend"], m.configuration) for m in rows if m.row["flash_attention"] == 1}
    return [m for m in rows if m.row["flash_attention"] == 1 or (m.row["backend"], m.configuration) not in with_flash]
