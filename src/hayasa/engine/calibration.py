"""From the bound to the best estimate: what was measured for an engine.

A calibration is one row of ``data/calibrations.csv``, fitted by ``make
calibrate``: one coefficient for each of `hayasa.engine.waits.FITTED_WAITS`.

``data/calibration_factors.csv`` adds what was seen on single devices and chip
generations: how much longer, or shorter, a step took there than the sum says.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import NamedTuple, Protocol, TypeVar

from ..catalog.reader import read_objects
from ..errors import DataFileError
from ..machine.device import ESTIMATED_LABELS, Device
from ..model.weights import WeightFormat
from .engines import Engine
from .waits import (
    ALL_REDUCES,
    ASSUMED_CLOCK_HZ,
    FITTED_WAITS,
    ONLY_IN_BATCHES,
    SAMPLING,
    TILE_UNPACK,
    UNPACKING,
    WaitKind,
    clock_hz,
)

FALLBACK_WIDENING = 1.5
"""How much wider an interval gets when a calibration stands in for another.

The logarithm of both ends is multiplied by it, once for each thing that
differs: backend, engine, what of the device is unknown or estimated.
"""


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What one engine needs on one kind of device, beyond the bound.

    Parameters
    ----------
    id : str
        ``engine/backend``, and the family where it is for one.
    engine, backend : str
        What was measured.
    family : str
        Beginning of the device families that it is for; empty for all that have no row of their own.
    weight_read_factor : float
        Time to read the weights over the ideal, at least 1.
    unpack_cycles_per_byte, unpack_cycles_per_byte_before_turing : float
        Core cycles to unpack and multiply one byte of weights, and those of NVIDIA's older cores.
    unpacked_kinds : str
        Kinds of weights that this holds for, from `weight_kind`, joined by ``|``.
    multiply_factor : float
        Time to multiply with the weights over the ideal; 0 where no batch was fitted.
    attention_cycles_per_flop : float
        Core cycles per FLOP of attention.
    kv_read_factor : float
        Time to read the KV cache over the ideal, at least 1.
    padding_read_factor : float
        The same for what lies behind the windows.
    launch_clock_hz : float
        Clock that the cycles of the layers follow, where that is not the device's
        but the host's; 0 for the device's.
    cycles_per_layer, cycles_per_moe_layer, cycles_per_state_layer, \
cycles_per_layer_and_further_die, cycles_per_layer_to_2025, cycles_per_layer_of_2025 : float
        Clock cycles that each layer costs whatever its size, and in addition
        each layer with experts, each with a recurrent state, each on a server's
        each on every further die, and each
        layer in builds of the engine from before August 2025 and from before
        March 2026.
    further_experts_factor : float
        Time to read the experts that only the further sequences of a batch touch, over the
        ideal: below 1 where they touch fewer than if each chose at random; 0 where they are
        read like all other weights.
    vector_cycles_per_flop, tile_cycles_per_flop, tile_cycles_per_byte, expert_route_us : float
        What several sequences cost llama.cpp beside: core cycles per FLOP of the second to
        the `VECTOR_SEQUENCES`-th, and beyond of all, core cycles per byte that is unpacked
        for these, and microseconds per layer with experts.
    sequence_us : float
        Microseconds per sequence: scheduler and sampler.
    sampling_ns_per_entry : float
        Nanoseconds that a server takes per entry of the vocabulary to choose the next token.
    all_reduce_us, all_reduce_bytes_factor : float
        Microseconds per all-reduce, and time of its bytes over the ideal; 0 if
        not measured.
    row_sum_us : float
        Microseconds of what llama.cpp's old split by rows does instead; 0 if not measured.
    pipeline_message_s : float
        Seconds per hand-over between devices; 0 if not measured.
    prefill_share_float, prefill_share_packed : float
        Share of the dense peak that a dense model reaches when it reads a prompt,
        with 16-bit and with packed weights; 0 if not measured.
    low_factor, high_factor : float
        Ends of the 90 % interval over the estimate, on a device that was not
        measured.
    known_low_factor, known_high_factor : float
        The same on a device that was.
    batched_low_factor, batched_high_factor : float
        The same for several sequences, where these were fitted apart; 0 where they were not.
    rows, devices, models : int
        Measurements behind it, and how many devices and models they span.
    batched_rows, split_rows : int
        How many of them are of several sequences, and of several devices.
    first_year, last_year : int
        When they were made.
    error_in_sample, error_device_held_out, error_generation_held_out, \
error_model_held_out, error_source_held_out, error_year_held_out : float
        Mean absolute relative error on all rows, and on what the fit had not
        seen; 0 if it could not be held out.
    error_batches_device_held_out, error_batches_model_held_out, coverage_batches_held_out : float
        The same for several sequences, where these were fitted apart, and how many of
        the rows were inside the interval.
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
    weight_read_factor: float = 1.0
    unpack_cycles_per_byte: float = 0.0
    unpack_cycles_per_byte_before_turing: float = 0.0
    unpacked_kinds: str = "float|block|k"
    multiply_factor: float = 0.0
    attention_cycles_per_flop: float = 0.0
    kv_read_factor: float = 1.0
    padding_read_factor: float = 0.0
    launch_clock_hz: float = 0.0
    cycles_per_layer: float = 0.0
    cycles_per_moe_layer: float = 0.0
    cycles_per_state_layer: float = 0.0
    cycles_per_layer_and_further_die: float = 0.0
    cycles_per_layer_to_2025: float = 0.0
    cycles_per_layer_of_2025: float = 0.0
    further_experts_factor: float = 0.0
    vector_cycles_per_flop: float = 0.0
    tile_cycles_per_flop: float = 0.0
    tile_cycles_per_byte: float = 0.0
    expert_route_us: float = 0.0
    sequence_us: float = 0.0
    sampling_ns_per_entry: float = 0.0
    all_reduce_us: float = 0.0
    all_reduce_bytes_factor: float = 0.0
    row_sum_us: float = 0.0
    pipeline_message_s: float = 0.0
    prefill_share_float: float = 0.0
    prefill_share_packed: float = 0.0
    low_factor: float = 1.0
    high_factor: float = 1.0
    known_low_factor: float = 1.0
    known_high_factor: float = 1.0
    batched_low_factor: float = 0.0
    batched_high_factor: float = 0.0
    rows: int = 0
    devices: int = 0
    models: int = 0
    batched_rows: int = 0
    split_rows: int = 0
    first_year: int = 0
    last_year: int = 0
    error_in_sample: float = 0.0
    error_device_held_out: float = 0.0
    error_generation_held_out: float = 0.0
    error_model_held_out: float = 0.0
    error_source_held_out: float = 0.0
    error_year_held_out: float = 0.0
    error_batches_device_held_out: float = 0.0
    error_batches_model_held_out: float = 0.0
    coverage_batches_held_out: float = 0.0
    coverage_device_held_out: float = 0.0
    coverage_model_held_out: float = 0.0
    sources: str = ""
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class DeviceFactor:
    """How a device, or a chip generation, differs from the calibration's sum.

    Parameters
    ----------
    calibration : str
        Id of the `Calibration` it belongs to.
    scope : str
        A device id, or an Apple chip family.
    weight_kind : str
        Kind of weights it holds for, from `weight_kind`; empty for all.
    step_factor : float
        Measured step time over the sum, shrunk towards 1 where there are few
        measurements.
    prefill_factor : float
        Speed of reading a prompt over the calibration's; 0 if not measured.
    rows : int
        Measurements behind it.
    """

    calibration: str
    scope: str
    weight_kind: str = ""
    step_factor: float = 1.0
    prefill_factor: float = 0.0
    rows: int = 0


def weight_kind(weights: WeightFormat) -> str:
    """Tell which weights are unpacked alike.

    ``"float"`` from 16 bits on, ``"k"`` for llama.cpp's K-quants with their
    two levels of scales, else ``"block"``.

    Examples
    --------
    >>> weight_kind(WeightFormat(id="q4_k_m", bits_per_weight=4.9))
    'k'
    >>> weight_kind(WeightFormat(id="q8_0", bits_per_weight=8.5))
    'block'
    """
    if weights.bits_per_weight >= 16:
        return "float"
    return "k" if "_k" in weights.id else "block"


@cache
def calibrations() -> tuple[Calibration, ...]:
    """All rows of ``calibrations.csv``.

    Returns
    -------
    tuple of Calibration
        In the order of the file.

    Raises
    ------
    DataFileError
        If the file is missing or empty, or a cell holds no number.
    """
    found = read_objects(Calibration, "calibrations.csv")
    if not found:
        raise DataFileError("calibrations.csv に行がありません。make calibrate で作り直せます。")
    return found


@cache
def device_factors() -> dict[tuple[str, str, str], DeviceFactor]:
    """All rows of ``calibration_factors.csv`` by calibration, scope and weight kind."""
    rows = read_objects(DeviceFactor, "calibration_factors.csv")
    return {(row.calibration, row.scope, row.weight_kind): row for row in rows}


class Pace(NamedTuple):
    """A wait of an engine on one device, ready to be multiplied by the work of a step.

    Parameters
    ----------
    kind : WaitKind
        What is waited for.
    factor : float
        The calibration's coefficient.
    amount : str
        The field of `Work` that says how much of it a step has.
    pace_s : float
        Seconds per unit of that amount, for a factor of 1.
    beside : str
        Name of the wait before it that goes on at the same time; empty if there is none.
    """

    kind: WaitKind
    factor: float
    amount: str
    pace_s: float
    beside: str


class ChosenCalibration(NamedTuple):
    """A calibration as it applies to one device and one weight format.

    Parameters
    ----------
    calibration : Calibration
        The row that counts.
    paces : tuple of Pace
        The waits that a step has here.
    step_factor : float
        What the sum is multiplied by on this device.
    batch_share : float
        Share of the dense peak at which the further sequences of a batch are
        computed: that of a dense model's prompt, which measured batches of mixtures
        of experts are nearer to; 0 if not measured, or if batches were fitted.
    low_factor, high_factor : float
        Ends of the interval over the estimate, widened where the row stands
        in for another.
    notes : tuple of str
        What it stands in for, in Japanese; empty if it is the very one.
    """

    calibration: Calibration
    paces: tuple[Pace, ...]
    step_factor: float
    batch_share: float
    low_factor: float
    high_factor: float
    notes: tuple[str, ...]


LINKED = "機械のあいだの通信は、指定された待ちだけを数えました。"
"""What is said where devices are machines of their own."""


def chosen_together(several: Sequence[ChosenCalibration], *, linked: bool) -> ChosenCalibration:
    """Return what corrects devices in a row: that of the first, with the widest interval and everybody's notes."""
    first = several[0]
    widening = FALLBACK_WIDENING if linked else 1
    notes: dict[str, None] = dict.fromkeys([LINKED] if linked else [])
    for one in several:
        notes = {**notes, **dict.fromkeys(one.notes)}
    return ChosenCalibration(
        calibration=first.calibration,
        paces=first.paces,
        step_factor=first.step_factor,
        batch_share=first.batch_share,
        low_factor=min([one.low_factor for one in several]) ** widening,
        high_factor=max([one.high_factor for one in several]) ** widening,
        notes=tuple(notes),
    )


class Measured(Protocol):
    """What was fitted to the measurements of one engine on one backend."""

    @property
    def engine(self) -> str:
        """Id of the engine."""

    @property
    def backend(self) -> str:
        """What it computed with."""

    @property
    def family(self) -> str:
        """Beginning of the families of devices that it holds for; empty for all."""

    @property
    def rows(self) -> int:
        """Measurements behind it."""


FittedRow = TypeVar("FittedRow", bound=Measured)


def nearest_row(rows: Iterable[FittedRow], engine: Engine, device: Device, backend: str) -> FittedRow:
    """Return what stands in best for an engine on a backend of a device.

    The same engine (or one that it runs) on the same backend, else its kin
    there, else the same backend, else the same engine on another backend of
    the device, else whatever has the most measurements.
    """
    known = engine.backends_on(device)

    def distance(row: FittedRow) -> tuple[bool, bool, bool, bool, bool, bool, bool, int]:
        same_engine, same_backend = row.engine == engine.id or row.engine in engine.runs, row.backend == backend
        return (
            not device.family.startswith(row.family),
            not (same_engine and same_backend),
            not (row.engine in engine.kin and same_backend),
            not same_backend,
            not same_engine,
            row.backend not in known,
            not row.family,
            -row.rows,
        )

    return min(rows, key=distance)


@lru_cache(maxsize=4096)
def choose_calibration(
    engine: Engine,
    device: Device,
    weights: WeightFormat,
    backend: str,
    *,
    has_shape: bool = True,
    new_mixers: bool = False,
    batched: bool = False,
    split: str = "",
    build: str = "",
    server: bool = False,
    linked: bool = False,
) -> ChosenCalibration:
    """Return the nearest calibration for an engine on a backend of a device.

    Whatever differs is in the notes and widens the interval by `FALLBACK_WIDENING`.
    """
    nearest = nearest_row(calibrations(), engine, device, backend)
    factors, kind = device_factors(), weight_kind(weights)
    family = factors.get((nearest.id, device.family, kind))
    single = factors.get((nearest.id, device.id, ""))
    by_cores = nearest.unpack_cycles_per_byte > 0 or nearest.attention_cycles_per_flop > 0
    by_clock = nearest.cycles_per_layer > 0 and not nearest.launch_clock_hz
    notes = differences(nearest, engine, device, backend, by_clock=by_clock, by_cores=by_cores)
    notes += [caution for packing, caution in engine.cautions if packing == weights.packing]
    if not has_shape:
        notes.append("層の数が分からないため、この大きさのモデルに多い数と仮定しました。")
    if new_mixers:
        notes.append("疎な注意機構や、圧縮した KV を読む層は実測が少なく、これより遅くなりがちです。")
    if batched and not nearest.batched_rows:
        notes.append("バッチサイズ 1 の実測から延ばした見積りです。")
        if not device.peak_flop_per_s(weights.compute_format):
            notes.append("演算のピークが分からないため、2 系列目からの計算の時間を数えていません。")
    messages = {
        "pipeline": nearest.pipeline_message_s,
        "tensor": nearest.all_reduce_us,
        "expert": nearest.all_reduce_us,
        "row": nearest.row_sum_us,
    }
    if linked:
        notes.append(LINKED)
    elif split and not messages[split]:
        notes.append("デバイス間の通信の実測がないため、通信の時間を数えていません。")
    elif split == "expert":
        notes.append("専門家を分けた複数台の実測はなく、必要な専門家の偏りを確率で見積りました。")
    elif split in ("tensor", "row") and not nearest.split_rows:
        notes.append("行列を分けた複数台の速さは、1 台の見積りに通信の待ちを足したものです。")
    low, high = nearest.low_factor, nearest.high_factor
    if single:
        low, high = nearest.known_low_factor, nearest.known_high_factor
    if batched and nearest.batched_low_factor:
        low, high = min(low, nearest.batched_low_factor), max(high, nearest.batched_high_factor)
    widening = FALLBACK_WIDENING ** len(notes)
    if nearest.engine in engine.runs:
        notes = [f"{engine.id} は中で {nearest.engine} を動かすので、その実測で補正しました。", *notes]

    batch_share = 0.0
    # Where batches were fitted, multiplying is one of the paces.
    if not (nearest.multiply_factor or nearest.vector_cycles_per_flop):
        share = nearest.prefill_share_float if kind == "float" else nearest.prefill_share_packed
        batch_share = min(1.0, share * (single.prefill_factor if single else 0) or share)
    return ChosenCalibration(
        calibration=nearest,
        paces=_paces(nearest, device, weights, split, build, server, batched, linked),
        step_factor=(family.step_factor if family else 1) * (single.step_factor if single else 1),
        batch_share=batch_share,
        low_factor=low**widening / (1 + weights.spread),
        high_factor=high**widening * (1 + weights.spread),
        notes=tuple(notes),
    )


def _paces(
    row: Calibration,
    device: Device,
    weights: WeightFormat,
    split: str,
    build: str,
    server: bool,
    batched: bool,
    linked: bool,
) -> tuple[Pace, ...]:
    """Return the waits that are not 0 for these weights, this split and build, a server and several sequences or not."""
    kind = weight_kind(weights)
    # What a sum over devices takes was measured within one machine.
    left_out = {TILE_UNPACK.name: kind == "float", SAMPLING.name: not server, ALL_REDUCES.name: linked}
    if kind not in row.unpacked_kinds.split("|"):
        left_out = {**left_out, **dict.fromkeys(UNPACKING, True)}
    launch_hz = row.launch_clock_hz or clock_hz(device)
    paces = []
    for fitted in FITTED_WAITS:
        name, amount = fitted.kind.name, fitted.amount
        if amount in ONLY_IN_BATCHES and not batched:
            continue
        factor: float = getattr(row, fitted.coefficient)
        if split == "row" and name == ALL_REDUCES.name:
            factor = row.row_sum_us
        if amount == "weight_bytes" and row.further_experts_factor:
            amount = "first_bytes"
        pace_s = fitted.pace_s(device, weights, launch_hz)
        if factor and pace_s and fitted.is_in(build) and not left_out.get(name, False):
            paces.append(Pace(fitted.kind, factor, amount, pace_s, fitted.beside))
    return tuple(paces)


def differences(
    row: Measured, engine: Engine, device: Device, backend: str, *, by_clock: bool, by_cores: bool
) -> list[str]:
    """Say, in Japanese, what a row stands in for, and what it needs of the device that is not known."""
    notes = []
    if row.engine != engine.id and row.engine not in engine.runs:
        notes.append(f"{engine.id} の実測がないため、{row.engine} の補正で代用しました。")
    if row.backend != backend:
        usual = engine.backends_on(device)
        # What the reader asked for by name is told by name; the usual one goes without saying.
        wanted = device.family or device.id
        if backend and backend not in usual[:1]:
            wanted += f" の {backend}"
        notes.append(f"{wanted} での実測がないため、{row.backend} の補正で代用しました。")
    if backend == "cpu" and not (device.is_processor or device.family == ""):
        notes.append("CPU は、GPU と同じ速さでメモリを読むものとしました。")
    if device.estimated:
        fields_said = "、".join([ESTIMATED_LABELS[name] for name in device.estimated])
        notes.append(f"このデバイスの{fields_said}には確かな資料がなく、推定した値を使いました。")
    if not device.gpu_clock_hz and by_clock:
        clock = ASSUMED_CLOCK_HZ / 1e9
        notes.append(f"GPU のクロックが分からないため、{clock:g} GHz と仮定しました。")
    if not device.gpu_cores and by_cores:
        known = "fp32 のピーク" if device.peak_fp32_flop_per_s and not device.is_processor else "帯域幅"
        notes.append(f"コアの数が分からないため、{known}から推定しました。")
    return notes
