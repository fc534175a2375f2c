"""What is fitted: the published measurements, each with the waits that its step consists of."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import hayasa
from hayasa.catalog.measurements import Measurement as Row
from hayasa.catalog.measurements import mean_context_length
from hayasa.catalog.objects import get_device, get_model, get_weight_format
from hayasa.engine.waits import FITTED_WAITS, READ_WEIGHTS, SAMPLING, UNPACKING, clock_hz
from hayasa.errors import UnknownNameError
from hayasa.machine.device import Device
from hayasa.machine.memory import memory_required_bytes
from hayasa.model.flops import prefill_flop
from hayasa.model.kv_cache import DEFAULT_MICRO_BATCH
from hayasa.model.shape import Model
from hayasa.model.weights import WeightFormat, weight_bytes
from hayasa.model.work import Work, step_work

LONG_CONTEXT = 1024
"""Tokens beyond which attention without flash attention is another matter."""


PROMPT = "prompt"
"""Name of the wait for the prompt in a speed that was computed from the whole time.

Its factor is the time over that at the peak of 16 bits; it is fitted with the
others, so that the step is what is left.
"""

SIDE_BY_SIDE = ("tensor", "row")
"""Splits whose devices work at the same time."""


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
        Measured seconds per step, with its share of the prompt where the source counts that, too.
    loads_s : dict
        Seconds of each of `FITTED_WAITS`, and of `PROMPT`, for a factor of 1, by the name of its kind.
    work : Work
        What one device does of a step.
    """

    row: Row
    model: Model
    device: Device
    weights: WeightFormat
    context_length: int
    step_s: float
    loads_s: dict[str, float]
    work: Work

    @property
    def source(self) -> str:
        """Who measured it: the name of the file, or the address where a file has many sources."""
        return self.row["source"] if self.row["file"] == "single_posts" else self.row["file"]

    @property
    def year(self) -> str:
        """When it was measured."""
        return self.row["measured_on"][:4]

    @property
    def devices(self) -> int:
        """How many devices shared the model."""
        return self.row["devices"]

    @property
    def batch_size(self) -> int:
        """Sequences that advanced together."""
        return self.row["batch_size"]

    @property
    def month(self) -> str:
        """When it was measured; of a year without a month the end counts."""
        return (self.row["measured_on"] + "-12")[:7]

    @cached_property
    def configuration(self) -> tuple[object, ...]:
        """What counts once in a fit, however many rows it has."""
        return (self.device.id, self.model.id, self.weights.id, self.source, self.devices, self.batch_size > 1)


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
    batch_size, devices = row["batch_size"], row["devices"]
    together = devices if row["split"] in SIDE_BY_SIDE else 1
    micro_batch = row["micro_batch"] or DEFAULT_MICRO_BATCH
    work = step_work(model, weights, get_weight_format("f16"), batch_size, context_length, micro_batch)
    share = work.share(model, together, row["split"])
    loads_s = {
        fitted.kind.name: getattr(share, fitted.amount) * fitted.pace_s(device, weights, clock_hz(device))
        for fitted in FITTED_WAITS
    }
    loads_s[PROMPT] = _prompt_s(row, model, device) / together if row["includes_prompt"] else 0.0
    if row["measured_through"] != "server":
        loads_s[SAMPLING.name] = 0.0
    found = Measurement(row, model, device, weights, context_length, batch_size / tokens_per_s, loads_s, share)
    for fitted in FITTED_WAITS:
        if not fitted.is_in(found.month):
            loads_s[fitted.kind.name] = 0.0
    return found


def _prompt_s(row: Row, model: Model, device: Device) -> float:
    """Return the seconds of reading the prompts at the peak, shared by the steps that follow."""
    tokens, steps, peak = row["context_length"], row["decode_tokens"], device.peak_flop_per_s("fp16")
    if not (tokens and steps and peak):
        return 0.0
    return prefill_flop(model, tokens) * row["batch_size"] / peak / steps


def without_cores(measurement: Measurement) -> Measurement:
    """Return a measurement whose step does not wait for the weights to be unpacked."""
    return replace(measurement, loads_s={**measurement.loads_s, **dict.fromkeys(UNPACKING, 0.0)})


def at_launch_clock(measurement: Measurement, launch_hz: float) -> Measurement:
    """Return a measurement whose launches follow a clock other than the device's."""
    ratio = clock_hz(measurement.device) / launch_hz
    launches = [fitted.kind.name for fitted in FITTED_WAITS if fitted.kind.place == "launches"]
    loads_s = measurement.loads_s
    return replace(measurement, loads_s={**loads_s, **{name: ratio * loads_s[name] for name in launches}})


def is_mobile(processor: str) -> bool:
    """Tell a laptop's processor by how its maker ends its name.

    Examples
    --------
    >>> is_mobile("Core i7-8550U"), is_mobile("Ryzen 9 7945HX"), is_mobile("Ryzen 9 5950X"), is_mobile("N100")
    (True, True, False, False)
    """
    return re.search(r"\d(?:U|P|M|Y|H[KQSX]?|G\d)$", processor) is not None


EXCLUSIONS: tuple[tuple[str, Callable[[Measurement], bool]], ...] = (
    (
        "2024 年 3 月までの、Metal ではない llama.cpp のビルド（CUDA graph も flash attention もなく、別の命令で計算していた）",
        lambda m: m.row["engine"] == "llama.cpp" and m.row["backend"] != "metal" and m.month < "2024-04",
    ),
    (
        "メモリをほとんど使い切った測定（ページの入れ替えが起きる）",
        lambda m: (
            "ほぼ埋まる" in m.row["note"]
            or 0 < 0.9 * m.device.memory_capacity_bytes < weight_bytes(m.model, m.weights).resident_bytes / m.devices
        ),
    ),
    (
        "重みと KV キャッシュがメモリに入らないはずの測定（待たされた系列も数えたか、文脈の平均が違う）",
        lambda m: (
            m.batch_size > 1
            and memory_required_bytes(m.model, m.weights, batch_size=m.batch_size, context_length=m.context_length)
            > 0.92 * m.device.memory_capacity_bytes * m.devices
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
    (
        "Intel の Vulkan の Mesa 24（同じカードで、Windows のドライバーの 3 分の 1 の速さ）",
        lambda m: "Mesa 24" in m.row["conditions"],
    ),
    (
        "AMDVLK（Linux の Vulkan の、普通ではないドライバー）",
        lambda m: "amdvlk" in m.row["conditions"],
    ),
    (
        "モデルごとに混ぜた形式で、表の混ぜ方から計算した上限の 95 % を超えた測定（ファイルの混ぜ方が表と違う）",
        lambda m: m.weights.spread > 0 and m.loads_s[READ_WEIGHTS.name] > 0.95 * m.step_s,
    ),
    (
        "LocalScore の GPU の生成の速さ（速い GPU ではどれも同じくらいで、測る道具の待ちが見えている）",
        lambda m: m.source == "localscore" and m.row["backend"] != "cpu",
    ),
    (
        "LocalScore の CPU のうち、メモリの公称の帯域幅の 10 分の 1 も出ていないもの（ほかの負荷か、仮想マシン）",
        lambda m: (
            m.source == "localscore" and m.row["backend"] == "cpu" and m.loads_s[READ_WEIGHTS.name] < 0.1 * m.step_s
        ),
    ),
    (
        "LocalScore のノート PC の CPU の生成の速さ（メモリが 1 枚のことが多いが、書かれていない）",
        lambda m: m.source == "localscore" and m.row["backend"] == "cpu" and is_mobile(m.row["device"]),
    ),
    (
        "GPU のある機械の CPU（メモリのうち CPU が使える速さが分からない）",
        lambda m: m.row["backend"] == "cpu" and not m.device.is_processor,
    ),
    (
        "SYCL の MXFP4（専用の命令がない）",
        lambda m: m.row["backend"] == "sycl" and "mxfp4" in m.weights.id,
    ),
    (
        "B200 の GPQA の 16 ビット（同じ機械と件数の chat の数倍遅い。原因は書かれていない）",
        lambda m: (
            m.source == "ml_energy"
            and m.device.id == "b200-180gb-sxm"
            and m.weights.id == "bf16"
            and "GPQA" in m.row["conditions"]
        ),
    ),
    (
        "電力の上限を 220 W に下げた RTX 3090（計算も読み出しも遅くなる）",
        lambda m: m.row["power_limit_w"] == 220,
    ),
    (
        "50 件を同時に送り、終わりには少ししか残らない測定（平均のバッチサイズが分からない）",
        lambda m: m.source == "databasemart_a40",
    ),
    (
        "vllm-mlx の短い依頼のまとめ処理（約 60 トークンの依頼の全体の時間）",
        lambda m: m.source == "vllm_mlx_docs" and m.batch_size > 1,
    ),
    (
        "vLLM 0.6 の 12 万トークンを超える文脈と、1 枚に入れた 72B（CUDA graph を使わない設定のページ）",
        lambda m: (
            m.source == "qwen25_speed"
            and (m.context_length > 120_000 or (m.model.id == "qwen2.5-72b" and m.devices == 1))
        ),
    ),
    (
        "SGLang 0.4.6 の GPTQ の専門家（まとめた命令がなかった）",
        lambda m: m.source == "qwen3_speed" and m.model.experts > 0 and "gptq" in m.weights.id,
    ),
)
"""What is left out of the fits, and why; nothing else is."""


def usable(measurements: Iterable[Measurement], *, several: bool = False) -> list[Measurement]:
    """Return the rows that no exclusion names, of one device and one sequence or of several side by side.

    Where a source gives a speed with and without flash attention, only the
    one with it counts: it is what engines do today.
    """
    rows = [m for m in measurements if (m.devices == 1 and m.batch_size == 1) or (several and is_side_by_side(m))]
    rows = [m for m in rows if not any(excluded(m) for _, excluded in EXCLUSIONS)]
    with_flash = {(m.row["backend"], m.configuration) for m in rows if m.row["flash_attention"] == 1}
    return [m for m in rows if m.row["flash_attention"] == 1 or (m.row["backend"], m.configuration) not in with_flash]


def of_form(
    measurements: Iterable[Measurement], engine: str, backend: str, family: str = "", others: tuple[str, ...] = ()
) -> list[Measurement]:
    """Return the rows of an engine on a backend, of one beginning of families or of all but some."""
    mine = [m for m in measurements if (m.row["engine"], m.row["backend"]) == (engine, backend)]
    return [m for m in mine if m.device.family.startswith(family) and not m.device.family.startswith(others)]


def is_side_by_side(m: Measurement) -> bool:
    """Tell whether all devices of a measurement worked at the same time."""
    return m.devices == 1 or m.row["split"] in SIDE_BY_SIDE
