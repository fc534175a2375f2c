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

ASSUMED_CLOCK_HZ = 1.5e9
"""Clock that counts where a device's is unknown: typical for a GPU."""

ASSUMED_FLOP_PER_CORE_CYCLE = 256
"""fp32 operations of a core in a cycle, where their number is unknown: 128 multiply-adds, the most usual figure."""

ASSUMED_CORE_CYCLES_PER_BYTE = 0.15
"""Core cycles in the time of reading a byte, where nothing but the bandwidth is known: the median of `devices.csv`."""

ASSUMED_CORE_CYCLES_PER_S_AT_MOST = 2.6e11
"""Cycles per second of all cores, where only a bandwidth beyond 1.5 TB/s is known: the median of those devices."""


class WaitKind(NamedTuple):
    """A reason why a step takes time.

    Parameters
    ----------
    name : str
        Short name, the same in Python, in JSON and on the page.
    label : str
        What it is, in Japanese.
    place : str
        Where it happens: ``"memory"``, ``"cores"``, ``"launches"``, ``"links"``,
        ``"host"`` or, for what is known of the whole step only, ``"device"``.
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
        Seconds per unit of that amount on a device, for a factor of 1.
    beside : str
        Name of the wait before it that goes on at the same time, of which the longer counts;
        empty if there is none.
    """

    kind: WaitKind
    coefficient: str
    amount: str
    pace_s: Callable[[Device], float]
    beside: str = ""


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
    if device.peak_fp32_flop_per_s:
        return device.peak_fp32_flop_per_s / ASSUMED_FLOP_PER_CORE_CYCLE
    cycles_per_s = device.memory_bandwidth_bytes_per_s * ASSUMED_CORE_CYCLES_PER_BYTE
    return min(cycles_per_s, ASSUMED_CORE_CYCLES_PER_S_AT_MOST)


def _byte_s(device: Device) -> float:
    return 1 / device.memory_bandwidth_bytes_per_s


def _core_cycle_s(device: Device) -> float:
    """Seconds of one cycle, shared by all cores."""
    return 1 / core_cycles_per_s(device)


def _cycle_s(device: Device) -> float:
    return 1 / clock_hz(device)


def _further_dies_cycle_s(device: Device) -> float:
    return (device.dies - 1) / clock_hz(device)


READ_WEIGHTS = WaitKind("read_weights", "重みを読む", "memory", "倍")
UNPACK_WEIGHTS = WaitKind("unpack_weights", "重みをほどいて掛ける", "cores", "サイクル")
ATTENTION = WaitKind("attention", "注意機構の計算", "cores", "サイクル")
READ_CACHE = WaitKind("read_cache", "KV キャッシュを読む", "memory", "倍")
LAYERS = WaitKind("layers", "層ごとの固定の待ち", "launches", "サイクル")
MOE_LAYERS = WaitKind("moe_layers", "エキスパートのある層の待ち", "launches", "サイクル")
DIES = WaitKind("dies", "ダイをまたぐ層の待ち", "launches", "サイクル")
OLD_BUILDS = WaitKind("old_builds", "2025 年 7 月までのビルドの、層ごとの余分な待ち", "launches", "サイクル")
COMPUTE = WaitKind("compute", "計算する", "cores", "倍")
DEVICE_DIFFERENCE = WaitKind("device_difference", "この機種で実測された違い", "device", "倍")
FURTHER_SEQUENCES = WaitKind("further_sequences", "2 系列目からの計算", "cores", "倍")
MESSAGES = WaitKind("messages", "デバイス間の通信", "links", "回")
READ_HOST = WaitKind("read_host", "CPU の側で読む", "host", "倍")
HOST_CORES = WaitKind("host_cores", "CPU のコアで掛ける", "host", "倍")
READ_DISK = WaitKind("read_disk", "主記憶に入らない分を SSD から読む", "host", "倍")
FETCH_WEIGHTS = WaitKind("fetch_weights", "CPU の側の重みを GPU へ運ぶ", "links", "倍")
HAND_OVERS = WaitKind("hand_overs", "CPU と GPU のあいだの受け渡し", "links", "回")
BOUND = WaitKind("bound", "物理的な上限に届くまで", "device", "倍")

FITTED_WAITS = (
    FittedWait(READ_WEIGHTS, "weight_read_factor", "weight_bytes", _byte_s),
    FittedWait(UNPACK_WEIGHTS, "unpack_cycles_per_byte", "weight_bytes", _core_cycle_s, READ_WEIGHTS.name),
    FittedWait(ATTENTION, "attention_cycles_per_flop", "attention_flop", _core_cycle_s),
    FittedWait(READ_CACHE, "kv_read_factor", "kv_bytes", _byte_s, ATTENTION.name),
    FittedWait(LAYERS, "cycles_per_layer", "layers", _cycle_s),
    FittedWait(MOE_LAYERS, "cycles_per_moe_layer", "moe_layers", _cycle_s),
    FittedWait(DIES, "cycles_per_layer_and_further_die", "layers", _further_dies_cycle_s),
    FittedWait(OLD_BUILDS, "cycles_per_layer_in_old_builds", "layers", _cycle_s),
)
"""The waits that are fitted, in the order in which they are summed.

Memory and cores work side by side: of reading the weights and unpacking them,
and of reading the cache and computing attention, the longer counts.  The fixed
waits of the layers are kernels that wait for each other; layers with experts
and chips of two dies have more of them.
"""
