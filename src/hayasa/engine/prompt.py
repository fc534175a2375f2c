"""Reading a prompt: its kinds of waits, and what was measured of them for an engine.

A prompt is a list of waits as a decode step is (`hayasa.engine.waits`), with
coefficients of its own: one row of ``data/prompt_calibrations.csv`` per engine
and backend, fitted by ``python -m lab.prompts``.  What differs between chip
generations (their kernels) and between single devices stands in
``data/prompt_factors.csv``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import NamedTuple

from ..catalog.reader import read_objects
from ..errors import DataFileError
from ..machine.device import Device
from ..model.weights import WeightFormat
from .calibration import FALLBACK_WIDENING, Pace, differences, nearest_row, weight_kind
from .engines import Engine
from .waits import ATTENTION, LAYERS, READ_WEIGHTS, WaitKind, clock_hz, core_cycles_per_s

MULTIPLY_BY_CORES = WaitKind("multiply_by_cores", "重みを掛ける", "cores", "サイクル")
MULTIPLY_AT_PEAK = WaitKind("multiply_at_peak", "重みを掛ける", "cores", "倍")
ATTENTION_AT_PEAK = WaitKind("attention_at_peak", "注意機構の計算", "cores", "倍")
EXPERT_ROWS = WaitKind("expert_rows", "専門家ごとに埋まらない行", "cores", "サイクル")
ACTIVATIONS = WaitKind("activations", "行列のあいだの値を読み書きする", "memory", "倍")

WIDEST_INTERVAL = 0.15, 7.0
"""No interval is wider: processors of which nothing but the memory is known differ by as much."""


class PromptWait(NamedTuple):
    """A kind of wait of a prompt: ``load_s = amount * pace_s``.

    Parameters
    ----------
    kind : WaitKind
        What is waited for.
    coefficient : str
        The field of `PromptCalibration` that is its factor.
    amount : str
        The field of `PromptWork` that says how much of it a prompt has.
    pace_s : callable
        Seconds per unit of that amount on a device with a weight format, for a factor of 1.
    by_family : bool
        Whether generations of chips differ in it: what their kernels compute.
    """

    kind: WaitKind
    coefficient: str
    amount: str
    pace_s: Callable[[Device, WeightFormat], float]
    by_family: bool = False


def _peak_s(device: Device, weights: WeightFormat) -> float:
    """Seconds of an operation at the dense 16-bit peak with sums in 32 bits; 0 where that is unknown."""
    peak = device.peak_flop_per_s("bf16")
    return 1 / peak if peak else 0.0


def _multiply_at_peak_s(device: Device, weights: WeightFormat) -> float:
    """The same; where 8-bit floats are multiplied as such, at the peak for these."""
    peak = device.peak_fp8_dense_flop_per_s if weights.compute_format == "fp8" else 0.0
    return 1 / peak if peak else _peak_s(device, weights)


def _core_cycle_s(device: Device, weights: WeightFormat) -> float:
    """Seconds of one cycle, shared by all cores."""
    return 1 / core_cycles_per_s(device)


def _packed_s(device: Device, weights: WeightFormat) -> float:
    return 0.0 if weight_kind(weights) == "float" else _core_cycle_s(device, weights)


def _float_s(device: Device, weights: WeightFormat) -> float:
    return _core_cycle_s(device, weights) if weight_kind(weights) == "float" else 0.0


def _byte_s(device: Device, weights: WeightFormat) -> float:
    return 1 / device.memory_bandwidth_bytes_per_s


def _cycle_s(device: Device, weights: WeightFormat) -> float:
    return 1 / clock_hz(device)


PROMPT_WAITS = (
    PromptWait(MULTIPLY_BY_CORES, "cycles_per_flop", "weight_flop", _packed_s, True),
    PromptWait(MULTIPLY_BY_CORES, "cycles_per_flop_float", "weight_flop", _float_s, True),
    PromptWait(MULTIPLY_AT_PEAK, "peak_factor", "weight_flop", _multiply_at_peak_s),
    PromptWait(ATTENTION_AT_PEAK, "peak_factor", "attention_flop", _peak_s),
    PromptWait(EXPERT_ROWS, "cycles_per_expert_flop", "expert_flop", _core_cycle_s, True),
    PromptWait(ATTENTION, "attention_cycles_per_flop", "attention_flop", _core_cycle_s, True),
    PromptWait(READ_WEIGHTS, "weight_read_factor", "weight_bytes", _byte_s),
    PromptWait(ACTIVATIONS, "activation_factor", "activation_bytes", _byte_s),
    PromptWait(LAYERS, "cycles_per_layer", "layers", _cycle_s),
)
"""The waits that are fitted, in the order in which they are summed.

Kernels multiply at so many operations per cycle and core, whatever the peak
that the maker states for another number format; some engines reach a share
of that peak instead.  A tile of an expert's rows is computed whole though few
tokens fill it.  Each micro-batch reads all weights that it touches, and what
passes between two matrices is written and read again.
"""


@dataclass(frozen=True, kw_only=True)
class PromptCalibration:
    """What one engine needs to read a prompt on one backend.

    Parameters
    ----------
    id : str
        ``engine/backend``.
    engine, backend, family : str
        What was measured; an empty family holds for all devices.
    micro_batch : int
        Tokens that it computes together unless told otherwise.
    cycles_per_flop, cycles_per_flop_float : float
        Core cycles per FLOP with packed and with 16-bit weights.
    peak_factor : float
        Time of all of it over that at the dense 16-bit peak (at the 8-bit one where
        8-bit floats are multiplied as such), for engines that were
        measured so; 0 where cycles are counted.
    cycles_per_expert_flop : float
        Core cycles per FLOP of a token with every expert that its micro-batch
        touches: so many rows of a tile stay empty.
    attention_cycles_per_flop : float
        Core cycles per FLOP of attention.
    weight_read_factor, activation_factor : float
        Time to read the weights of each micro-batch, and to write and read what
        passes between matrices, over the ideal.
    cycles_per_layer : float
        Clock cycles per layer and micro-batch, whatever their size.
    low_factor, high_factor : float
        Ends of the 90 % interval over the estimate of the speed, on a device that was
        not measured.
    known_low_factor, known_high_factor : float
        The same on a device that was.
    rows, devices, models : int
        Measurements behind it, and how many devices and models they span.
    error_in_sample, error_device_held_out, error_model_held_out, error_source_held_out, error_year_held_out : float
        Mean absolute relative error of the speed on all rows, and on what the fit
        had not seen; 0 if it could not be held out.
    coverage_device_held_out, coverage_model_held_out : float
        Share of the held-out rows inside an interval made without them.
    sources : str
        Files in ``data/measurements`` that the rows come from.
    note : str
        What to know about it, in Japanese.
    """

    id: str
    engine: str
    backend: str
    family: str = ""
    micro_batch: int = 512
    cycles_per_flop: float = 0.0
    cycles_per_flop_float: float = 0.0
    peak_factor: float = 0.0
    cycles_per_expert_flop: float = 0.0
    attention_cycles_per_flop: float = 0.0
    weight_read_factor: float = 0.0
    activation_factor: float = 0.0
    cycles_per_layer: float = 0.0
    low_factor: float = 1.0
    high_factor: float = 1.0
    known_low_factor: float = 1.0
    known_high_factor: float = 1.0
    rows: int = 0
    devices: int = 0
    models: int = 0
    error_in_sample: float = 0.0
    error_device_held_out: float = 0.0
    error_model_held_out: float = 0.0
    error_source_held_out: float = 0.0
    error_year_held_out: float = 0.0
    coverage_device_held_out: float = 0.0
    coverage_model_held_out: float = 0.0
    sources: str = ""
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class PromptFactor:
    """How a generation of chips, or a device, differs from the calibration's sum.

    Parameters
    ----------
    calibration : str
        Id of the `PromptCalibration` it belongs to.
    scope : str
        A family of devices, the vendor that its name begins with, or a device id.
    factor : float
        Time over the calibration's: of a family, or of a vendor's families that were
        not measured, of what their kernels compute; of a device, of the whole sum.
    rows : int
        Measurements behind it.
    """

    calibration: str
    scope: str
    factor: float = 1.0
    rows: int = 0


def vendor(family: str) -> str:
    """Return whose kernels a family of devices runs.

    Examples
    --------
    >>> vendor("nvidia-ampere"), vendor("cpu")
    ('nvidia', 'cpu')
    """
    return family.split("-")[0]


@cache
def prompt_calibrations() -> tuple[PromptCalibration, ...]:
    """All rows of ``prompt_calibrations.csv``.

    Returns
    -------
    tuple of PromptCalibration
        In the order of the file.

    Raises
    ------
    DataFileError
        If the file is missing or empty, or a cell holds no number.
    """
    found = read_objects(PromptCalibration, "prompt_calibrations.csv")
    if not found:
        raise DataFileError("prompt_calibrations.csv に行がありません。make calibrate で作り直せます。")
    return found


@cache
def prompt_factors() -> dict[tuple[str, str], PromptFactor]:
    """All rows of ``prompt_factors.csv`` by calibration and scope."""
    return {(row.calibration, row.scope): row for row in read_objects(PromptFactor, "prompt_factors.csv")}


class ChosenPrompt(NamedTuple):
    """A calibration of prompts as it applies to one device and one weight format.

    Parameters
    ----------
    calibration : PromptCalibration
        The row that counts.
    paces : tuple of Pace
        The waits that a prompt has here.
    device_factor : float
        What the sum is multiplied by on this device.
    low_factor, high_factor : float
        Ends of the interval over the estimate, widened where the row stands in for another.
    notes : tuple of str
        What it stands in for, in Japanese; empty if it is the very one.
    """

    calibration: PromptCalibration
    paces: tuple[Pace, ...]
    device_factor: float
    low_factor: float
    high_factor: float
    notes: tuple[str, ...]


@lru_cache(maxsize=4096)
def choose_prompt_calibration(
    engine: Engine, device: Device, weights: WeightFormat, backend: str
) -> ChosenPrompt | None:
    """Return the nearest calibration of prompts for an engine on a backend of a device.

    None if nothing is known of how fast the device computes: neither its cores nor a peak.
    """
    if not (device.gpu_cores or device.peak_flop_per_s("fp32") or _peak_s(device, weights) or backend == "cpu"):
        return None
    row = nearest_row(prompt_calibrations(), engine, device, backend)
    beside = backend == "cpu" and not device.is_processor
    by_cores = row.peak_factor == 0 and not beside
    notes = differences(row, engine, device, backend, by_clock=False, by_cores=by_cores)
    if beside:  # the processor's cores are not the GPU's
        device = replace(device, family="cpu", gpu_cores=0, gpu_clock_hz=0.0)
        notes.append("CPU のコアの数が分からないため、帯域幅から推定しました。")
    factors = prompt_factors()
    family, single = factors.get((row.id, device.family)), factors.get((row.id, device.id))
    kin = family or factors.get((row.id, vendor(device.family)))
    paces = []
    for wait in PROMPT_WAITS:
        factor: float = getattr(row, wait.coefficient)
        pace_s = wait.pace_s(device, weights)
        if factor and pace_s:
            by_family = kin.factor if kin and wait.by_family else 1.0
            paces.append(Pace(wait.kind, factor * by_family, wait.amount, pace_s, ""))
    if family is None:
        notes.append(f"{device.family or device.id} でプロンプトを処理する速さの実測がありません。")
    low, high = row.low_factor, row.high_factor
    if single:
        low, high = row.known_low_factor, row.known_high_factor
    widening = FALLBACK_WIDENING ** len(notes)
    return ChosenPrompt(
        calibration=row,
        paces=tuple(paces),
        device_factor=single.factor if single else 1.0,
        low_factor=max(low**widening, WIDEST_INTERVAL[0]),
        high_factor=min(high**widening, WIDEST_INTERVAL[1]),
        notes=tuple(notes),
    )
