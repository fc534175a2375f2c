"""From the bound to the best estimate: what was measured for an engine.

A calibration is one row of ``data/calibrations.csv``, fitted by
`hayasa.calibrate`.  It describes a decode step as a sum of five waits, each
with a physical meaning:

1. reading the weights at a share of the bandwidth,
2. unpacking them in the cores, so many cycles per byte,
3. a fixed number of clock cycles per layer (kernels that wait for each other),
4. reading the KV cache,
5. cycles per cached token and layer (attention that runs too narrow).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache, lru_cache

from .datasets import data_directory, parse_number, read_rows
from .devices import Device
from .engines import Engine
from .errors import DataFileError
from .kv_cache import cached_token_layers
from .models import Model

ASSUMED_CLOCK_HZ = 1.5e9
"""Clock that counts where a device's is unknown: typical for a GPU."""

FALLBACK_WIDENING = 1.5
"""How much wider an interval gets when a calibration stands in for another.

The logarithm of both ends is multiplied by it, once for each thing that
differs: backend, engine, number format, unknown clock.
"""


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What one engine needs on one kind of device, beyond the bound.

    Parameters
    ----------
    id : str
        ``engine/backend/weight group``.
    engine, backend, weight_group : str
        What was measured; the group is ``float``, ``block`` or ``any``.
    weight_read_factor : float
        Time to read the weights over the ideal, at least 1.
    unpack_cycles_per_byte : float
        Core cycles to unpack and multiply one byte of weights.
    cycles_per_layer, cycles_per_moe_layer : float
        Clock cycles that each layer, and in addition each layer with experts,
        costs whatever its size.
    kv_read_factor : float
        Time to read the KV cache over the ideal, at least 1.
    cycles_per_cached_token_and_layer : float
        Clock cycles that attention costs per cached token and layer.
    message_s : float
        Seconds per message between devices.
    prefill_share : float
        Share of the dense 16-bit peak reached when reading a prompt; 0 if not
        measured.
    low_factor, high_factor : float
        Ends of the 90 % interval over the estimate.
    rows, devices, models : int
        Measurements behind it, and how many devices and models they span.
    error_device_held_out, error_generation_held_out, error_model_held_out : float
        Mean absolute relative error on what the fit had not seen; 0 if it
        could not be held out.
    coverage : float
        Share of the rows of held-out devices inside the interval.
    sources : str
        Files in ``data/measurements`` that the rows come from.
    note : str
        What to know about it, in Japanese.
    """

    id: str
    engine: str
    backend: str
    weight_group: str = "any"
    weight_read_factor: float = 1.0
    unpack_cycles_per_byte: float = 0.0
    cycles_per_layer: float = 0.0
    cycles_per_moe_layer: float = 0.0
    kv_read_factor: float = 1.0
    cycles_per_cached_token_and_layer: float = 0.0
    message_s: float = 0.0
    prefill_share: float = 0.0
    low_factor: float = 1.0
    high_factor: float = 1.0
    rows: int = 0
    devices: int = 0
    models: int = 0
    error_device_held_out: float = 0.0
    error_generation_held_out: float = 0.0
    error_model_held_out: float = 0.0
    coverage: float = 0.0
    sources: str = ""
    note: str = ""

    def __hash__(self) -> int:
        # Equality still compares every field; this only keeps look-ups fast.
        return hash(self.id)

    @property
    def coefficients(self) -> tuple[float, ...]:
        """The fitted numbers, in the order of `COEFFICIENTS`."""
        return (
            self.weight_read_factor,
            self.unpack_cycles_per_byte,
            self.cycles_per_layer,
            self.cycles_per_moe_layer,
            self.kv_read_factor,
            self.cycles_per_cached_token_and_layer,
        )


COEFFICIENTS = (
    "weight_read_factor",
    "unpack_cycles_per_byte",
    "cycles_per_layer",
    "cycles_per_moe_layer",
    "kv_read_factor",
    "cycles_per_cached_token_and_layer",
)
"""The fields of `Calibration` that a fit determines, one for each wait."""


def step_waits_s(
    model: Model,
    device: Device,
    *,
    weight_bytes: float,
    kv_bytes: float,
    batch_size: int = 1,
    context_length: int = 0,
) -> tuple[float, ...]:
    """Seconds of each wait of a decode step, per unit of its coefficient.

    Parameters
    ----------
    model : Model
        What runs.
    device : Device
        Where it runs.
    weight_bytes, kv_bytes : float
        Bytes of weights and of KV cache that the step reads.
    batch_size, context_length : int
        Sequences, and tokens in the cache of each.

    Returns
    -------
    tuple of float
        In the order of `COEFFICIENTS`; the dot product with a calibration's
        coefficients is the step time.

    Notes
    -----
    Without a known core count the cores are left out; without a known clock
    `ASSUMED_CLOCK_HZ` counts.

    Examples
    --------
    >>> m4 = Device(id="m4", memory_bandwidth_bytes_per_s=120e9)
    >>> waits = step_waits_s(Model(id="7b", stated_parameters=7e9), m4, weight_bytes=3.6e9,
    ...                      kv_bytes=0)
    >>> [round(wait, 9) for wait in waits]
    [0.03, 0.0, 0.0, 0.0, 0.0, 0.0]
    """
    bandwidth = device.memory_bandwidth_bytes_per_s
    clock = device.core_clock_hz or ASSUMED_CLOCK_HZ
    cached = batch_size * cached_token_layers(model, context_length) if context_length else 0
    return (
        weight_bytes / bandwidth,
        weight_bytes / (device.gpu_cores * clock) if device.gpu_cores else 0.0,
        model.layers / clock,
        model.moe_layers / clock,
        kv_bytes / bandwidth,
        cached / clock,
    )


def calibrated_step_s(calibration: Calibration, waits_s: tuple[float, ...]) -> float:
    """Return the time of a decode step: the sum of its waits.

    Parameters
    ----------
    calibration : Calibration
        What was measured for the engine.
    waits_s : tuple of float
        From `step_waits_s`.

    Returns
    -------
    float
        Seconds.

    Examples
    --------
    30 ms of reading at 80 % of the bandwidth:

    >>> example = Calibration(id="x", engine="x", backend="x", weight_read_factor=1.25)
    >>> round(calibrated_step_s(example, (0.03, 0, 0, 0, 0, 0)), 6)
    0.0375
    """
    c, w = calibration.coefficients, waits_s
    # Written out: this runs once per estimate, and a loop would double its time.
    return c[0] * w[0] + c[1] * w[1] + c[2] * w[2] + c[3] * w[3] + c[4] * w[4] + c[5] * w[5]


def weight_group(bits_per_weight: float) -> str:
    """Which weights are unpacked alike: ``float`` as stored, ``block`` by block.

    Parameters
    ----------
    bits_per_weight : float
        Bits per weight, scales included.

    Returns
    -------
    str
        ``"float"`` from 16 bits on, else ``"block"``.

    Examples
    --------
    >>> weight_group(16), weight_group(8.5), weight_group(4.5)
    ('float', 'block', 'block')
    """
    return "float" if bits_per_weight >= 16 else "block"


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
        If the file is missing or a cell holds no number.
    """
    path = data_directory() / "calibrations.csv"
    names = [field.name for field in fields(Calibration)]
    kinds = {field.name: field.type for field in fields(Calibration)}
    found = []
    for row in read_rows(path, required=names):
        values: dict[str, object] = {}
        for name in names:
            if kinds[name] == "str":
                values[name] = row[name]
            else:
                number = parse_number(row, name, f"calibrations.csv の {row['id']}")
                values[name] = int(number) if kinds[name] == "int" else number
        found.append(Calibration(**values))  # type: ignore[arg-type]
    if not found:
        raise DataFileError("calibrations.csv に行がありません。make calibrate で作り直せます。")
    return tuple(found)


@dataclass(frozen=True, slots=True)
class ChosenCalibration:
    """A calibration, and how far it stands from what was asked for.

    Parameters
    ----------
    calibration : Calibration
        The row that counts.
    low_factor, high_factor : float
        Ends of the interval, widened where the row stands in for another.
    notes : tuple of str
        What it stands in for, in Japanese; empty if it is the very one.
    """

    calibration: Calibration
    low_factor: float
    high_factor: float
    notes: tuple[str, ...]


@lru_cache(maxsize=4096)
def choose_calibration(engine: Engine, device: Device, bits_per_weight: float) -> ChosenCalibration:
    """Return the nearest calibration for an engine on a device.

    The engine counts most, then the backend, then the weight group.

    Parameters
    ----------
    engine : Engine
        The engine asked for.
    device : Device
        Where it runs.
    bits_per_weight : float
        Of the weights.

    Returns
    -------
    ChosenCalibration
        The nearest row; whatever differs is in its notes and widens its
        interval by `FALLBACK_WIDENING`.

    Raises
    ------
    DataFileError
        If ``calibrations.csv`` cannot be read.
    """
    backend, group = engine.backend_on(device), weight_group(bits_per_weight)

    def distance(row: Calibration) -> tuple[bool, bool, bool, int]:
        return (
            row.backend != backend if backend else row.engine != engine.id,
            row.engine != engine.id,
            row.weight_group not in (group, "any"),
            -row.rows,
        )

    nearest = min(calibrations(), key=distance)
    notes = _differences(nearest, engine, device, backend, group)
    widening = FALLBACK_WIDENING ** len(notes)
    return ChosenCalibration(
        nearest, nearest.low_factor**widening, nearest.high_factor**widening, tuple(notes)
    )


def _differences(
    row: Calibration, engine: Engine, device: Device, backend: str, group: str
) -> list[str]:
    notes = []
    if row.engine != engine.id:
        notes.append(f"{engine.id} の実測がないため、{row.engine} の補正で代用しました。")
    if row.backend != backend:
        wanted = device.family or device.id
        notes.append(f"{wanted} での実測がないため、{row.backend} の補正で代用しました。")
    if row.weight_group not in (group, "any"):
        notes.append("この形式の重みの実測がないため、別の形式の補正で代用しました。")
    if not device.core_clock_hz and row.cycles_per_layer:
        clock = ASSUMED_CLOCK_HZ / 1e9
        notes.append(f"コアのクロックが分からないため、{clock:g} GHz と仮定しました。")
    return notes
