"""Fit how prompts are read to the published measurements: ``python -m lab.prompts``.

Reads ``data/measurements/*.csv`` and rewrites ``data/prompt_calibrations.csv``
and ``data/prompt_factors.csv``.  The same measurements give the same bytes.

A coefficient is fitted as a logarithm with a weak prior, and so are the
factors of chip generations and of devices: where nothing is measured of one
it stays at 1, where little is measured, near it.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

import hayasa
from hayasa.catalog.measurements import Measurement as Row
from hayasa.catalog.measurements import prompt_context_length
from hayasa.catalog.objects import get_device, get_model, get_weight_format
from hayasa.catalog.reader import data_directory
from hayasa.engine.prompt import PROMPT_WAITS, PromptCalibration, PromptFactor, vendor
from hayasa.engine.waits import ATTENTION, core_cycles_per_s
from hayasa.errors import UnknownNameError
from hayasa.machine.device import Device
from hayasa.model.flops import prefill_flop
from hayasa.model.prompt import prompt_work
from hayasa.model.shape import Model
from hayasa.model.weights import WeightFormat, weight_bytes

from .calibrate import rounded, write_rows
from .fit import Floats, HeldOut

SHORTEST_PROMPT = 256
"""Tokens from which on a prompt keeps the cores busy."""

NOISE = 0.1
"""Relative error of a row that is nothing to wonder at; beyond it a row counts linearly instead of squared."""

FAMILY_SPREAD, DEVICE_SPREAD = 0.4, 0.25
"""Prior standard deviation of the logarithm of the factor of a generation and of a device."""

MATRIX_FLOP_PER_CYCLE = 512
"""What the matrix units of a core of most generations compute in a cycle, with 16 bits and sums in 32."""

LOCALSCORE_PROMPTS = (1024, 4096, 2048, 2048, 1024, 1280, 384, 64, 16)
"""Prompt lengths of the nine tests of LocalScore, of whose speeds it publishes the mean."""

HARNESS = "localscore"
"""File whose speeds hold a harness of their own: how much it costs is fitted, too, and left aside."""

LEAST_LEFT = 0.33
"""Share of the rows that has to be left to say anything of those that were held out."""

FEWEST_DEVICES = 4
"""Devices from which on one knows how much they differ."""

MAX_ROUNDS = 40
"""Rounds of a fit; it usually needs about ten."""

Places = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Prompt:
    """One published speed of reading a prompt and the loads that it consists of.

    Parameters
    ----------
    row : dict
        From `hayasa.measurements`.
    model, device, weights : Model, Device, WeightFormat
        What was measured.
    tokens : tuple of int
        Tokens of each of the prompts whose mean speed was published; usually one.
    loads_s : numpy.ndarray
        Seconds of `PROMPT_WAITS` for factors of 1, one line per prompt.
    bound_s : numpy.ndarray
        Seconds that physics asks for, one per prompt.
    cached_tokens : int
        Tokens in the cache before the prompt.
    """

    row: Row
    model: Model
    device: Device
    weights: WeightFormat
    tokens: tuple[int, ...]
    loads_s: Floats
    bound_s: Floats
    cached_tokens: int

    @property
    def tokens_per_s(self) -> float:
        """What was measured."""
        speed = self.row["prefill_tokens_per_s"]
        assert speed
        return speed

    @property
    def source(self) -> str:
        """Name of the file."""
        return self.row["file"]

    @cached_property
    def month(self) -> str:
        """When it was measured; of a year without a month the end counts."""
        return (self.row["measured_on"] + "-12")[:7]

    @cached_property
    def configuration(self) -> tuple[Hashable, ...]:
        """What counts once in a fit, however many rows it has."""
        deep, several = self.cached_tokens > 0, self.row["batch_size"] > 1
        return (self.device.id, self.model.id, self.weights.id, self.source, deep, several)


@dataclass(frozen=True)
class Form:
    """How one engine reads prompts on one backend, before anything is fitted.

    Parameters
    ----------
    engine, backend, family : str
        What is fitted; an empty family stands for all that have no form of their own.
    flop_per_cycle : float
        Where the fit starts: FLOP of a core in a cycle, or 0 for an engine that
        reaches a share of the peak.
    micro_batch : int
        Tokens computed together unless a row says otherwise.
    since : str
        Month from which on the kernels are today's: older rows have factors of
        their own for each generation, which no estimate uses.
    on_matrix_units : bool
        Whether kernels multiply 16-bit numbers on the matrix units, so that a
        generation is expected to be as fast as its units are.
    note : str
        What a reader should know, in Japanese.
    """

    engine: str
    backend: str
    flop_per_cycle: float
    note: str
    micro_batch: int = 512
    since: str = ""
    family: str = ""
    on_matrix_units: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """Engine and backend."""
        return self.engine, self.backend

    @property
    def id(self) -> str:
        """Name of what it fits."""
        return "/".join(filter(None, (*self.key, self.family)))

    def is_before(self, m: Prompt) -> bool:
        """Tell whether a row was measured with kernels that are no longer today's."""
        return m.month < self.since

    def expected_factor(self, device: Device) -> float:
        """Return the factor of a generation before anything was measured of it."""
        peak = device.peak_flop_per_s("bf16") if self.on_matrix_units else 0.0
        return MATRIX_FLOP_PER_CYCLE * core_cycles_per_s(device) / peak if peak else 1.0


_WALLS = "全体の時間から求めた、ピークに対する割合。"

FORMS = (
    Form("llama.cpp", "cuda", 500, "2025 年以降のビルド。16 ビットの重みは 2024 年の測定から。", since="2025-01"),
    Form("llama.cpp", "metal", 200, "2023 年以降のビルド。"),
    Form("mlx", "mlx", 200, "2025 年以降の mlx-lm。", micro_batch=2048),
    # Products on AMD's matrix units were tuned in January 2026 (llama.cpp's pull request 18749: 1.3 to 1.8 times
    # as fast), flash attention without them in February (19625: prompts after 8k to 16k tokens 2 to 3 times).
    Form(
        "llama.cpp",
        "vulkan",
        300,
        "2026 年 3 月以降のビルド。AMD と NVIDIA の GPU。多くは Ryzen AI Max+ 395 の測定。",
        since="2026-03",
        on_matrix_units=True,
    ),
    Form(
        "llama.cpp",
        "vulkan",
        150,
        "Intel の GPU 3 種の数件だけ。行列演算器を使えるかどうかがドライバーで違い、速さも 3 倍違う。",
        family="intel",
    ),
    # Quantized products on AMD's matrix units: pull requests 17156 (RDNA 4) and 17576 (RDNA 3) of November 2025.
    Form(
        "llama.cpp",
        "rocm",
        180,
        "2025 年 12 月以降のビルド。多くは Ryzen AI Max+ 395 と Radeon AI PRO R9700 の測定。",
        since="2025-12",
    ),
    Form("llama.cpp", "sycl", 150, "Arc Pro B70 の測定だけ。"),
    Form(
        "llama.cpp",
        "cpu",
        15,
        "多くは LocalScore（llamafile の命令）。CPU の世代ごとに、1 コア 1 サイクルの計算の量が違う。",
    ),
    Form("vllm", "cuda", 0, f"{_WALLS}RTX 3090 と 5090 のプロンプトだけの測定で確かめた。", micro_batch=8192),
)


def load_prompts() -> tuple[list[Prompt], list[str]]:
    """Return all published speeds of prompts that the tables can describe."""
    micro_batches = {form.key: form.micro_batch for form in FORMS}
    found: dict[tuple[Hashable, ...], Prompt] = {}
    skipped: list[str] = []
    for row in hayasa.measurements():
        tokens, speed = row["prefill_tokens"], row["prefill_tokens_per_s"]
        micro_batch = row["micro_batch"] or micro_batches.get((row["engine"], row["backend"]), 0)
        if not (tokens and speed and tokens >= SHORTEST_PROMPT and micro_batch):
            continue
        try:
            prompt = _prompt(row, tokens, micro_batch)
        except UnknownNameError as error:
            skipped.append(f"{row['id']}: {error}")
            continue
        # A source that gives decode speeds of several lengths repeats the prompt's beside each.
        key = (*prompt.configuration, row["backend"], tokens, speed, prompt.cached_tokens)
        found.setdefault((*key, row["batch_size"], row["flash_attention"]), prompt)
    return list(found.values()), skipped


def _prompt(row: Row, tokens: int, micro_batch: int) -> Prompt:
    model, device, weights = get_model(row["model"]), get_device(row["device"]), get_weight_format(row["weights"])
    lengths = LOCALSCORE_PROMPTS if row["file"] == HARNESS else (tokens,)
    cached = prompt_context_length(row)
    together = row["devices"] if row["split"] == "tensor" else 1
    paces = np.array([wait.pace_s(device, weights) for wait in PROMPT_WAITS])
    peak = device.peak_flop_per_s(weights.compute_format)
    loads, bounds = [], []
    for length in lengths:
        work = prompt_work(model, weights, length, cached, row["batch_size"], micro_batch)
        loads.append(paces * [getattr(work, wait.amount) for wait in PROMPT_WAITS] / together)
        bounds.append(prefill_flop(model, length, cached) * row["batch_size"] / peak / together if peak else 0.0)
    whole = tuple(length * row["batch_size"] for length in lengths)
    return Prompt(row, model, device, weights, whole, np.array(loads), np.array(bounds), cached)


def _is_hindered(m: Prompt) -> bool:
    """Tell whether the weights were read, while it generated, at less than a tenth of the memory's bandwidth."""
    read_bytes_per_s = weight_bytes(m.model, m.weights).read_bytes(1) * (m.row["decode_tokens_per_s"] or 0.0)
    return read_bytes_per_s < 0.1 * m.device.memory_bandwidth_bytes_per_s


EXCLUSIONS: tuple[tuple[str, Callable[[Prompt], bool]], ...] = (
    (
        "電力の上限を下げた測定",
        lambda m: m.row["power_limit_w"] is not None,
    ),
    (
        "複数台を層で分けた測定",
        lambda m: m.row["devices"] > 1 and m.row["split"] != "tensor",
    ),
    (
        "2023 年の CUDA ビルドと、2024 年はじめまでの Vulkan・ROCm のビルド（行列演算器を使わない）",
        lambda m: m.row["backend"] in ("cuda", "vulkan", "rocm") and m.month < "2024-03",
    ),
    (
        "2023 年の Mac の測定のうち、始まったばかりのビルドと、メモリの小さい機械",
        lambda m: (
            m.source == "xiongjiedai_llama2"
            and (m.month < "2023-11" or m.device.id == "apple-m3-10c" or m.model.id == "llama-2-70b")
        ),
    ),
    (
        "専門家をまとめて計算しない 2023 年のビルド",
        lambda m: m.model.experts > 0 and m.month < "2024-03",
    ),
    (
        "時間が 10 倍以上かかっている仮想マシンの測定",
        lambda m: m.source == "xiongjiedai_llama3" and m.device.id == "a100-80gb-sxm",
    ),
    (
        "メモリをほとんど使い切った測定（ページの入れ替えが起きる）",
        lambda m: (
            weight_bytes(m.model, m.weights).resident_bytes
            > 0.9 * m.row["devices"] * (m.device.memory_capacity_bytes or 1e18)
        ),
    ),
    (
        "Vulkan と ROCm の bf16（演算器がなく、別の経路で計算される）",
        lambda m: m.row["backend"] in ("vulkan", "rocm") and m.weights.id == "bf16",
    ),
    (
        "RDNA 3.5 の ROCm の、2026 年 2 月のビルド（行列の命令の選び方が合わず、2 倍から 4 倍遅い。"
        "llama.cpp の issue 17917）",
        lambda m: m.row["backend"] == "rocm" and m.device.family == "amd-rdna3.5" and m.month == "2026-02",
    ),
    (
        "Intel の Vulkan の、行列演算器も整数の内積の命令も使わないドライバー（2025 年 6 月。新しいものの 3 分の 1 の速さ）",
        lambda m: "int dot 0" in m.row["conditions"] or "Mesa 24" in m.row["conditions"],
    ),
    (
        "AMD の Vulkan ドライバー amdvlk（2025 年に開発終了）の、文脈の長い測定と、2026 年の測定",
        lambda m: "amdvlk" in m.row["conditions"] and (m.cached_tokens > 0 or m.month >= "2026"),
    ),
    (
        "llamafile の AMD（rocBLAS を使わず、自前の行列の積で計算する）",
        lambda m: m.source == HARNESS and m.row["backend"] == "rocm",
    ),
    (
        "MLX の Gemma 2（注意機構の値を抑える処理があり、まとめた命令が使えない）",
        lambda m: m.row["engine"] == "mlx" and m.model.id.startswith("gemma-2"),
    ),
    (
        "LocalScore の CPU のうち、生成がメモリの公称の帯域幅の 10 分の 1 も出ていないもの（ほかの負荷か、仮想マシン）",
        lambda m: m.source == HARNESS and m.row["backend"] == "cpu" and _is_hindered(m),
    ),
    (
        "CPU の i 量子化（まとめて掛ける命令がない）",
        lambda m: m.row["backend"] == "cpu" and m.weights.id.startswith("iq"),
    ),
    (
        "CPU の測定のうち、GPU の行で代用したものと、どの CPU か分からないもの",
        lambda m: m.row["backend"] == "cpu" and not (m.device.is_processor and m.device.gpu_cores),
    ),
)
"""What is left out of the fits, and why; nothing else is."""


def usable(form: Form, prompts: Sequence[Prompt]) -> list[Prompt]:
    """Return the rows of a form that no exclusion names; with flash attention where a source gives both."""
    apart = tuple(one.family for one in FORMS if one.family and not form.family and one.key == form.key)
    mine = [m for m in prompts if (m.row["engine"], m.row["backend"]) == form.key]
    mine = [m for m in mine if m.device.family.startswith(form.family) and not m.device.family.startswith(apart)]
    mine = [m for m in mine if not any(excluded(m) for _, excluded in EXCLUSIONS)]
    with_flash = {m.configuration for m in mine if m.row["flash_attention"] == 1}
    return [m for m in mine if m.row["flash_attention"] == 1 or m.configuration not in with_flash]


OLD_ATTENTION = "old_attention"
"""What attention without flash attention took longer in rows from before today's kernels."""

REQUEST = "request"
"""Seconds that a server adds to a prompt; rows measured through one hold them, no estimate does."""


def peak_share(form: Form) -> float:
    """Return the share of the peak at which an engine reads prompts, from the wall figures that hold them.

    `lab.calibrate` takes the prompt out of those, and so finds it.
    """
    share = next(row.prefill_share_float for row in hayasa.calibrations() if (row.engine, row.backend) == form.key)
    assert share
    return share


class Fit:
    """Coefficients and factors of one form, and how they predict.

    Parameters
    ----------
    form : Form
        What is fitted.
    prompts : sequence of Prompt
        Measurements that it is fitted to.
    """

    def __init__(self, form: Form, prompts: Sequence[Prompt]) -> None:
        self.form = form
        cycles = 1 / form.flop_per_cycle if form.flop_per_cycle else 0.0
        priors: dict[str, tuple[float, float]] = {
            "cycles_per_flop": (cycles, 1.5),
            "cycles_per_flop_float": (cycles / 1.2, 0.5),
            "cycles_per_expert_flop": (24 * cycles, 0.8),
            "attention_cycles_per_flop": (2 * cycles, 1.0),
            "weight_read_factor": (1.0, 0.4),
            "activation_factor": (1.0, 0.7),
            "cycles_per_layer": (4e4, 1.0),
        }
        if not cycles:
            priors = {"peak_factor": (1 / peak_share(form), 1.0)}
        if form.since:
            priors[OLD_ATTENTION] = (2.0, 0.7)
        priors[HARNESS] = (1.3, 0.5)
        priors[REQUEST] = (0.03, 1.0)
        for m in prompts:
            priors[vendor(m.device.family)] = (1.0, FAMILY_SPREAD)
            priors[self.family(m)] = (form.expected_factor(m.device), FAMILY_SPREAD)
            priors[m.device.id] = (1.0, DEVICE_SPREAD)
        self.places = {name: index for index, name in enumerate(priors)}
        self.prior = np.log([start for start, _ in priors.values()])
        self.spread = np.array([spread for _, spread in priors.values()])
        self.logs = self._solve(prompts) if cycles else self.prior

    def family(self, m: Prompt) -> str:
        """Return the generation whose kernels a row was measured with; those before today's are others."""
        return m.device.family + (" before" if self.form.is_before(m) else "")

    def factor(self, name: str) -> float:
        """Return a fitted number; 0 if it was not fitted."""
        return float(np.exp(self.logs[self.places[name]])) if name in self.places else 0.0

    def _indices(self, names: Sequence[str]) -> list[int]:
        """Return the places of numbers; of what is not fitted the place behind them all, where there is 0."""
        return [self.places.get(name, len(self.places)) for name in names]

    def _tables(self, prompts: Sequence[Prompt]) -> Tables:
        """Return what prediction needs of the rows, one line per prompt length."""
        lines = [(index, m, line) for index, m in enumerate(prompts) for line in range(len(m.tokens))]
        before = [self.form.is_before(m) and m.row["flash_attention"] == 0 for _, m, _ in lines]
        counts = np.array([len(m.tokens) for m in prompts])
        return Tables(
            np.cumsum(counts) - counts,
            counts,
            np.array([m.loads_s[line] for _, m, line in lines]),
            np.array([m.bound_s[line] for _, m, line in lines]),
            np.array([m.tokens[line] for _, m, line in lines], dtype=float),
            np.array(self._indices([vendor(m.device.family) for _, m, _ in lines])),
            np.array(self._indices([self.family(m) for _, m, _ in lines])),
            np.array(self._indices([m.device.id for _, m, _ in lines])),
            np.array(self._indices([HARNESS if m.source == HARNESS else "" for _, m, _ in lines])),
            np.array(self._indices([OLD_ATTENTION if one else "" for one in before])),
            np.array([m.row["measured_through"] == "server" and m.source != HARNESS for _, m, _ in lines], dtype=float),
        )

    def _log_s_per_token(self, tables: Tables, logs: Floats) -> Floats:
        """Return the logarithm of the seconds per token of each row, at its mean speed; of several sets of numbers at once."""
        ends = np.ones((*logs.shape[:-1], 1))
        numbers = np.concatenate([np.exp(logs), ends], axis=-1)
        fitted = np.concatenate([np.exp(logs), 0 * ends], axis=-1)
        kin = numbers[..., tables.vendor] * numbers[..., tables.family]
        seconds = np.zeros((*logs.shape[:-1], len(tables.tokens)))
        places = self._indices([wait.coefficient for wait in PROMPT_WAITS])
        for wait, load_s, place in zip(PROMPT_WAITS, tables.loads_s.T, places, strict=True):
            by_family = kin if wait.by_family else 1.0
            old = numbers[..., tables.old_attention] if wait.kind.name == ATTENTION.name else 1.0
            seconds += load_s * fitted[..., place, None] * by_family * old
        seconds = np.maximum(seconds * numbers[..., tables.device], tables.bound_s) * numbers[..., tables.harness]
        seconds += tables.is_served * numbers[..., self.places[REQUEST], None]
        speeds = np.add.reduceat(tables.tokens / seconds, tables.first, axis=-1) / tables.lines
        result: Floats = -np.log(speeds)
        return result

    def _solve(self, prompts: Sequence[Prompt]) -> Floats:
        """Find the logarithms that bring the sums nearest to the measurements and stay near their priors."""
        tables = self._tables(prompts)
        measured = -np.log([m.tokens_per_s for m in prompts])
        importance = configuration_weights(prompts)
        # No row depends on two vendors, generations or devices: what all of them do is learned from one change of all.
        size = len(self.places)
        alone = sorted(set(range(size)).difference(tables.vendor, tables.family, tables.device))
        mine = [column[tables.first] for column in (tables.vendor, tables.family, tables.device)]
        places = np.column_stack([*(np.full(len(prompts), place) for place in alone), *mine])
        changes = np.zeros((places.shape[1], size))
        for change, column in zip(changes, places.T, strict=True):
            change[column] = 1e-5
        pairs = (places[:, :, None] * size + places[:, None, :]).ravel()

        def cost(logs: Floats) -> tuple[float, Floats]:
            error = (self._log_s_per_token(tables, logs) - measured) / NOISE
            return (
                float(np.sum(importance * 2 * (np.sqrt(1 + error**2) - 1)))
                + float(np.sum(((logs - self.prior) / self.spread) ** 2)),
                error,
            )

        logs, damping = self.prior.copy(), 1e-3
        least, error = cost(logs)
        for _ in range(MAX_ROUNDS):
            base = self._log_s_per_token(tables, logs)
            slopes = (self._log_s_per_token(tables, logs + changes) - base).T / 1e-5
            weighted = slopes * (importance / np.sqrt(1 + error**2) / NOISE**2)[:, None]
            products = (weighted[:, :, None] * slopes[:, None, :]).ravel()
            curvature = np.bincount(pairs, products, size**2).reshape(size, size) + np.diag(1 / self.spread**2)
            gradient = np.bincount(places.ravel(), (weighted * (base - measured)[:, None]).ravel(), size)
            gradient += (logs - self.prior) / self.spread**2
            before = least
            while True:  # Levenberg and Marquardt: as long a step as makes it better
                step = np.linalg.solve(curvature + damping * np.diag(np.diag(curvature)), gradient)
                least, error = cost(logs - step)
                if least <= before or damping > 1e6:
                    break
                damping *= 5
            logs, damping = logs - step, max(damping / 5, 1e-6)
            if before - least < 1e-7 * before:
                break
        return logs

    def log_ratios(self, prompts: Sequence[Prompt]) -> Floats:
        """Return the logarithm of measured over estimated speed; nan where the fit cannot know a row's harness."""
        speeds = np.log([m.tokens_per_s for m in prompts])
        ratios: Floats = speeds + self._log_s_per_token(self._tables(prompts), self.logs)
        return ratios


class Tables(NamedTuple):
    """Columns of the rows of a fit, one line per prompt length; where the lines of each row begin, and how many it has."""

    first: Places
    lines: Places
    loads_s: Floats
    bound_s: Floats
    tokens: Floats
    vendor: Places
    family: Places
    device: Places
    harness: Places
    old_attention: Places
    is_served: Floats


def configuration_weights(prompts: Sequence[Prompt]) -> Floats:
    """Return the weight of each row: a configuration counts once, however many rows it has."""
    counts = Counter(m.configuration for m in prompts)
    return np.array([1 / counts[m.configuration] for m in prompts])


def hold_out(form: Form, prompts: Sequence[Prompt], key: Callable[[Prompt], Hashable]) -> HeldOut:
    """Fit without each group in turn, and see how far off it then is.

    Judged are rows of today's kernels; those of the harness only where the rest says what it costs.
    """
    groups = [key(m) for m in prompts]
    log_ratio = np.full(len(prompts), np.nan)
    for group in dict.fromkeys(groups):
        train = [m for m, other in zip(prompts, groups, strict=True) if other != group]
        knows_harness = any(m.source == HARNESS for m in train)
        judged = [
            index
            for index, m in enumerate(prompts)
            if groups[index] == group and not form.is_before(m) and (m.source != HARNESS or knows_harness)
        ]
        if len(train) >= LEAST_LEFT * len(prompts) and judged:
            log_ratio[judged] = Fit(form, train).log_ratios([prompts[index] for index in judged])
    return HeldOut(log_ratio, groups, configuration_weights(prompts))


def mean_error(held_out: HeldOut) -> float:
    """Return the mean absolute relative error of the estimated speed, each configuration counted once."""
    seen = ~np.isnan(held_out.log_ratio)
    if not seen.any():
        return 0.0
    errors = np.abs(np.exp(-held_out.log_ratio[seen]) - 1)
    return float(np.average(errors, weights=held_out.importance[seen]))


def _both(one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    """Return the interval from the lower low to the higher high end."""
    return min(one[0], other[0]), max(one[1], other[1])


HELD_OUT_BY: dict[str, Callable[[Prompt], Hashable]] = {
    "device": lambda m: m.device.id,
    "model": lambda m: m.model.id,
    "pair": lambda m: (m.device.id, m.model.id),
    "source": lambda m: m.source,
    "year": lambda m: m.month[:4],
}
"""What the fit is asked to predict without having seen it."""


def calibrate(form: Form, prompts: Sequence[Prompt]) -> tuple[PromptCalibration, list[PromptFactor]]:
    """Fit one engine on one backend."""
    fit = Fit(form, prompts)
    importance = configuration_weights(prompts)
    whole = HeldOut(fit.log_ratios(prompts), [m.configuration for m in prompts], importance)
    if form.flop_per_cycle:
        errors = {name: hold_out(form, prompts, key) for name, key in HELD_OUT_BY.items()}
    else:  # nothing was fitted to these rows
        errors = dict.fromkeys(HELD_OUT_BY, whole)
    if not form.flop_per_cycle or len({m.device.id for m in prompts}) >= FEWEST_DEVICES:
        known, unknown = errors["pair"].interval(), errors["device"].interval()
    else:  # too few to know how much devices differ: at least what the fit leaves of these, stretched
        low, high = whole.interval()
        known, unknown = (low**1.5, high**1.5), (low**2, high**2)
        if len({m.device.id for m in prompts}) > 1:
            known, unknown = _both(known, errors["pair"].interval()), _both(unknown, errors["device"].interval())
    coefficients: dict[str, Any] = {wait.coefficient: rounded(fit.factor(wait.coefficient)) for wait in PROMPT_WAITS}
    calibration = PromptCalibration(
        id=form.id,
        engine=form.engine,
        backend=form.backend,
        family=form.family,
        micro_batch=form.micro_batch,
        **coefficients,
        low_factor=rounded(min(unknown[0], known[0])),
        high_factor=rounded(max(unknown[1], known[1])),
        known_low_factor=rounded(known[0]),
        known_high_factor=rounded(known[1]),
        rows=len(prompts),
        devices=len({m.device.id for m in prompts}),
        models=len({m.model.id for m in prompts}),
        error_in_sample=rounded(mean_error(whole)),
        error_device_held_out=rounded(mean_error(errors["device"])),
        error_model_held_out=rounded(mean_error(errors["model"])),
        error_source_held_out=rounded(mean_error(errors["source"])),
        error_year_held_out=rounded(mean_error(errors["year"])),
        coverage_device_held_out=rounded(errors["device"].coverage),
        coverage_model_held_out=rounded(errors["pair"].coverage),
        sources="|".join(sorted({m.source for m in prompts})),
        note=form.note,
    )
    today = [m for m in prompts if not form.is_before(m)]
    counts = Counter(scope for m in today for scope in {vendor(m.device.family), m.device.family, m.device.id})
    families = {m.device.family for m in today}
    return calibration, [
        PromptFactor(
            calibration=form.id,
            scope=scope,
            factor=rounded(fit.factor(scope) * (fit.factor(vendor(scope)) if scope in families else 1.0)),
            rows=count,
        )
        for scope, count in sorted(counts.items())
    ]


def main() -> None:
    """Fit every form and rewrite both files, reporting errors in Japanese."""
    prompts, skipped = load_prompts()
    print(f"プロンプトの測定 {len(prompts)} 件を読みました（読めなかった行 {len(skipped)} 件）。")
    for reason in skipped:
        print(f"  {reason}", file=sys.stderr)
    for reason, excluded in EXCLUSIONS:
        print(f"除外 {sum(map(excluded, prompts)):4} 件: {reason}")
    calibrations: list[PromptCalibration] = []
    factors: list[PromptFactor] = []
    for form in FORMS:
        c, its_factors = calibrate(form, usable(form, prompts))
        calibrations.append(c)
        factors += its_factors
        print(
            f"{c.id}: {c.rows} 件、{c.devices} 機種、{c.models} モデル。当てはめ {c.error_in_sample:.1%}、"
            f"平均の外れ（未知の機種 / モデル / 出典 / 年）:"
            f" {c.error_device_held_out:.1%} / {c.error_model_held_out:.1%} /"
            f" {c.error_source_held_out:.1%} / {c.error_year_held_out:.1%}、"
            f"90 % 区間 {c.low_factor:.2f}～{c.high_factor:.2f}（既知の機種 {c.known_low_factor:.2f}～"
            f"{c.known_high_factor:.2f}）、的中 {c.coverage_device_held_out:.0%}"
            f"（既知の機種 {c.coverage_model_held_out:.0%}）"
        )
    write_rows(data_directory() / "prompt_calibrations.csv", calibrations)
    write_rows(data_directory() / "prompt_factors.csv", factors)


if __name__ == "__main__":
    main()
