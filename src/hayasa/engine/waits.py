"""What a decode step waits for: the kinds of waits that a calibration has a number for.

A kind says how long the step would wait if its coefficient were 1; the
calibration says what the coefficient is.  This table is the only place that
matches the two: `hayasa.estimate` sums such waits, `hayasa.explain` writes
them down, the page draws them, and the coefficients are fitted to them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ..machine.device import Device
from ..model.weights import WeightFormat

ASSUMED_CLOCK_HZ = 1.5e9
"""Clock that counts where a device's is unknown: typical for a GPU."""

ASSUMED_FLOP_PER_CORE_CYCLE = 256
"""fp32 operations of a core in a cycle, where their number is unknown: 128 multiply-adds, the most usual figure."""

ASSUMED_CORE_CYCLES_PER_BYTE = 0.15
"""Core cycles in the time of reading a byte, where nothing but the bandwidth is known: the median of `devices.csv`."""

ASSUMED_PROCESSOR_CYCLES_PER_BYTE = 0.5
"""The same for processors, whose memory is slow beside their cores: the median of those in `devices.csv`."""

ASSUMED_CORE_CYCLES_PER_S_AT_MOST = 2.6e11
"""Cycles per second of all cores, where only a bandwidth beyond 1.5 TB/s is known: the median of those devices."""


ASSUMED_LINK_BYTES_PER_S = 25e9
"""Bandwidth between devices where no link is known: PCIe 4.0 as it is reached."""


BEFORE_TURING = ("nvidia-maxwell", "nvidia-pascal", "nvidia-volta")
"""Families whose cores unpack weights more slowly."""


class WaitKind(NamedTuple):
    """A reason why a step takes time.

    Parameters
    ----------
    name : str
        Short name, the same in Python, in JSON and on the page.
    label : str
        What it is, in Japanese.
    place : str
        Where it happens: ``"memory"``, ``"cores"``, ``"launches"``, ``"host"``, ``"links"``
        or, for what is known of the whole step only, ``"device"``.
    unit : str
        What its factor counts, in Japanese.
    """

    name: str
    label: str
    place: str
    unit: str


class Wait(NamedTuple):
    """A wait of one step: ``seconds = factor * load_s``.

    The step takes the sum of its waits, but for the hidden ones.

    Parameters
    ----------
    kind : WaitKind
        Why, and where.
    factor : float
        What the load is multiplied by, in the unit of the kind.
    load_s : float
        Seconds for a factor of 1.
    hidden : bool
        Whether it passes beside a longer wait, so that the step takes no longer for it.
    """

    kind: WaitKind
    factor: float
    load_s: float
    hidden: bool = False

    @property
    def name(self) -> str:
        """Short name of its kind."""
        return self.kind.name

    @property
    def seconds(self) -> float:
        """How long it takes."""
        return self.factor * self.load_s

    def hide(self) -> Wait:
        """Return the same wait, hidden."""
        return Wait(self.kind, self.factor, self.load_s, True)


class FittedWait(NamedTuple):
    """A kind of wait whose factor is fitted to measurements: ``load_s = amount * pace_s``.

    Parameters
    ----------
    kind : WaitKind
        What is waited for.
    coefficient : str
        The field of `Calibration` that is its factor.
    amount : str
        The field of `Work` that says how much of it a step has.
    pace_s : callable
        Seconds per unit of that amount, for a factor of 1, from the device, the
        weights and the clock that launches follow, in cycles per second.
    beside : str
        Name of the wait before it that goes on at the same time, of which the longer counts;
        empty if there is none.
    before : str
        Month from which on the engine's builds do not have it any more; empty if all have it.
    """

    kind: WaitKind
    coefficient: str
    amount: str
    pace_s: Callable[[Device, WeightFormat, float], float]
    beside: str = ""
    before: str = ""

    def is_in(self, build: str) -> bool:
        """Tell whether a build of a month, such as ``"2024-05"``, has this wait; an empty one is the newest.

        Examples
        --------
        >>> [fitted.kind.name for fitted in FITTED_WAITS if fitted.before and fitted.is_in("2025-12")]
        ['builds_of_2025', 'expert_routes']
        """
        return not self.before or "" < build < self.before


def clock_hz(device: Device) -> float:
    """Return the clock of a device; `ASSUMED_CLOCK_HZ` where it is unknown."""
    return device.gpu_clock_hz or ASSUMED_CLOCK_HZ


def core_cycles_per_s(device: Device) -> float:
    """Return the cycles of all cores together.

    Where the number of cores is unknown, they follow from the fp32 peak, and
    without one from the bandwidth: the fastest memories have no more cores to
    feed than the next fastest.
    """
    if device.gpu_cores:
        return device.gpu_cores * clock_hz(device)
    if device.is_processor:
        return device.memory_bandwidth_bytes_per_s * ASSUMED_PROCESSOR_CYCLES_PER_BYTE
    if device.peak_fp32_flop_per_s:
        return device.peak_fp32_flop_per_s / ASSUMED_FLOP_PER_CORE_CYCLE
    cycles_per_s = device.memory_bandwidth_bytes_per_s * ASSUMED_CORE_CYCLES_PER_BYTE
    return min(cycles_per_s, ASSUMED_CORE_CYCLES_PER_S_AT_MOST)


def _byte_s(device: Device, weights: WeightFormat, launch_hz: float) -> float:
    return 1 / device.memory_bandwidth_bytes_per_s


def _core_cycle_s(device: Device, weights: WeightFormat, launch_hz: float) -> float:
    """Seconds of one cycle, shared by all cores."""
    return 1 / core_cycles_per_s(device)


def _old_core_cycle_s(device: Device, weights: WeightFormat, launch_hz: float) -> float:
    """Seconds of one cycle, shared by all cores, where they are older than Turing's; 0 elsewhere.

    Those without an instruction for products of 8-bit numbers, such as the P100's, take two cycles for one.
    """
    if not device.family.startswith(BEFORE_TURING):
        return 0.0
    multiplies = device.peak_int8_dense_op_per_s or device.family.startswith("nvidia-volta")
    return (1 if multiplies else 2) / core_cycles_per_s(device)


def _flop_s(device: Device, weights: WeightFormat, launch_hz: float) -> float:
    peak = device.peak_flop_per_s(weights.compute_format)
    return 1 / peak if peak else 0.0


def _cycle_s(device: Device, weights: WeightFormat, launch_hz: float) -> float:
    return 1 / launch_hz


def _further_dies_cycle_s(device: Device, weights: WeightFormat, launch_hz: float) -> float:
    return (device.dies - 1) / launch_hz


def _link_byte_s(device: Device, weights: WeightFormat, launch_hz: float) -> float:
    return 1 / (device.link_bandwidth_bytes_per_s or ASSUMED_LINK_BYTES_PER_S)


def _microsecond(device: Device, weights: WeightFormat, launch_hz: float) -> float:
    return 1e-6


def _nanosecond(device: Device, weights: WeightFormat, launch_hz: float) -> float:
    return 1e-9


READ_WEIGHTS = WaitKind("read_weights", "重みを読み出す", "memory", "倍")
UNPACK_WEIGHTS = WaitKind("unpack_weights", "重みを引き取って掛ける", "cores", "サイクル")
UNPACK_BEFORE_TURING = WaitKind(
    "unpack_before_turing", "Turing より前のコアで、重みを引き取って掛ける", "cores", "サイクル"
)
ATTENTION = WaitKind("attention", "注意機構の計算", "cores", "サイクル")
READ_CACHE = WaitKind("read_cache", "KV キャッシュを読み出す", "memory", "倍")
LAYERS = WaitKind("layers", "層ごとの固定の待ち", "launches", "サイクル")
MOE_LAYERS = WaitKind("moe_layers", "専門家のある層の待ち", "launches", "サイクル")
STATE_LAYERS = WaitKind("state_layers", "状態を持つ層の余分な待ち", "launches", "サイクル")
DIES = WaitKind("dies", "ダイをまたぐ層の待ち", "launches", "サイクル")
BUILDS_TO_2025 = WaitKind("builds_to_2025", "2025 年 7 月までのビルドの、層ごとの余分な待ち", "launches", "サイクル")
BUILDS_OF_2025 = WaitKind("builds_of_2025", "2026 年 2 月までのビルドの、層ごとの余分な待ち", "launches", "サイクル")
MULTIPLY = WaitKind("multiply", "重みと掛ける計算", "cores", "倍")
READ_PADDING = WaitKind("read_padding", "窓の後ろに残る KV キャッシュを読み出す", "memory", "倍")
FURTHER_EXPERTS = WaitKind("further_experts", "2 系列目からの専門家を読み出す", "memory", "倍")
VECTORS = WaitKind("vectors", "2 系列目からの計算（ベクトル演算器）", "cores", "サイクル")
TILES = WaitKind("tiles", "全系列の計算（行列演算器）", "cores", "サイクル")
TILE_UNPACK = WaitKind("tile_unpack", "行列演算器のために重みを逆量子化する", "cores", "サイクル")
EXPERT_ROUTES = WaitKind("expert_routes", "専門家の層で、1 系列だけの速い道を離れる", "launches", "µs")
SEQUENCES = WaitKind("sequences", "系列ごとの待ち", "host", "µs")
SAMPLING = WaitKind("sampling", "サーバーが語彙から次のトークンを選ぶ", "host", "ns")
ALL_REDUCES = WaitKind("all_reduces", "全デバイスで足し合わせる", "links", "µs")
ALL_REDUCE_BYTES = WaitKind("all_reduce_bytes", "足し合わせる値を送る", "links", "倍")
COMPUTE = WaitKind("compute", "計算する", "cores", "倍")
DEVICE_DIFFERENCE = WaitKind("device_difference", "この機種で実測された違い", "device", "倍")
FURTHER_SEQUENCES = WaitKind("further_sequences", "2 系列目からの計算", "cores", "倍")
MESSAGES = WaitKind("messages", "デバイス間の通信", "links", "回")
READ_HOST = WaitKind("read_host", "CPU の側で読み出す", "host", "倍")
HOST_CORES = WaitKind("host_cores", "CPU のコアで掛ける", "host", "倍")
READ_DISK = WaitKind("read_disk", "主記憶に入らない分を SSD から読み出す", "host", "倍")
FETCH_WEIGHTS = WaitKind("fetch_weights", "CPU の側の重みを GPU へ運ぶ", "links", "倍")
HAND_OVERS = WaitKind("hand_overs", "CPU と GPU のあいだの受け渡し", "links", "回")
BOUND = WaitKind("bound", "物理的な上限に届くまで", "device", "倍")

UNPACKING = (UNPACK_WEIGHTS.name, UNPACK_BEFORE_TURING.name)
"""Names of the waits that only weights of some kinds have."""

UNIT_S = {"µs": 1e-6, "ns": 1e-9}
"""Seconds of the units of factors that are times themselves."""

ONLY_IN_BATCHES = ("further_bytes", "vector_flop", "tile_flop", "tile_bytes", "routed_layers")
"""Fields of `Work` that one sequence has nothing of."""

FITTED_WAITS = (
    FittedWait(READ_WEIGHTS, "weight_read_factor", "weight_bytes", _byte_s),
    FittedWait(UNPACK_WEIGHTS, "unpack_cycles_per_byte", "weight_bytes", _core_cycle_s, READ_WEIGHTS.name),
    FittedWait(
        UNPACK_BEFORE_TURING,
        "unpack_cycles_per_byte_before_turing",
        "weight_bytes",
        _old_core_cycle_s,
        READ_WEIGHTS.name,
    ),
    FittedWait(MULTIPLY, "multiply_factor", "weight_flop", _flop_s, READ_WEIGHTS.name),
    FittedWait(ATTENTION, "attention_cycles_per_flop", "attention_flop", _core_cycle_s),
    FittedWait(READ_CACHE, "kv_read_factor", "kv_bytes", _byte_s, ATTENTION.name),
    FittedWait(READ_PADDING, "padding_read_factor", "padding_bytes", _byte_s),
    FittedWait(LAYERS, "cycles_per_layer", "layers", _cycle_s),
    FittedWait(MOE_LAYERS, "cycles_per_moe_layer", "moe_layers", _cycle_s),
    FittedWait(STATE_LAYERS, "cycles_per_state_layer", "state_layers", _cycle_s),
    FittedWait(DIES, "cycles_per_layer_and_further_die", "layers", _further_dies_cycle_s),
    FittedWait(BUILDS_TO_2025, "cycles_per_layer_to_2025", "layers", _cycle_s, before="2025-08"),
    FittedWait(BUILDS_OF_2025, "cycles_per_layer_of_2025", "layers", _cycle_s, before="2026-03"),
    FittedWait(FURTHER_EXPERTS, "further_experts_factor", "further_bytes", _byte_s),
    FittedWait(VECTORS, "vector_cycles_per_flop", "vector_flop", _core_cycle_s),
    FittedWait(TILES, "tile_cycles_per_flop", "tile_flop", _core_cycle_s),
    FittedWait(TILE_UNPACK, "tile_cycles_per_byte", "tile_bytes", _core_cycle_s),
    FittedWait(EXPERT_ROUTES, "expert_route_us", "routed_layers", _microsecond, before="2026-03"),
    FittedWait(SEQUENCES, "sequence_us", "sequences", _microsecond),
    FittedWait(SAMPLING, "sampling_ns_per_entry", "vocabulary", _nanosecond),
    FittedWait(ALL_REDUCES, "all_reduce_us", "all_reduces", _microsecond),
    FittedWait(ALL_REDUCE_BYTES, "all_reduce_bytes_factor", "all_reduce_bytes", _link_byte_s),
)
"""The waits that are fitted, in the order in which they are summed.

Memory and cores work side by side: of reading the weights, unpacking them and
multiplying with them, and of reading the cache and computing attention, the
longest counts.  The fixed waits of the layers are kernels that wait for each
other; layers with experts and chips of two dies have more of them.
"""
