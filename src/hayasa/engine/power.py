"""How many watts a device draws, and what a limit on them does to its clock.

The power is a share of the rated one; the share grows with how busy memory and
cores are.  The shares are fitted to measured watts by ``lab/power.py``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import NamedTuple

from ..catalog.reader import read_objects
from ..errors import InvalidValueError
from ..machine.device import Device
from .waits import clock_hz

LEAST_CLOCK = 0.25
"""Share of the clock below which nothing was measured."""

_HALVINGS = 40


@dataclass(frozen=True)
class RatedPower:
    """What a device may draw, and what counts as it: see ``data/device_power.csv``."""

    id: str
    rated_power_w: float
    rating: str
    idle_power_w: float


@dataclass(frozen=True)
class PowerCalibration:
    """Share of the rated power that a kind of device draws: see ``data/power_calibrations.csv``."""

    id: str
    base_share: float
    memory_share: float
    compute_share: float
    low_factor: float
    high_factor: float
    most_share: float
    host_power_w: float
    host_power_low_w: float
    host_power_high_w: float
    rows: int
    devices: int
    error_device_held_out: float
    coverage_device_held_out: float


@dataclass(frozen=True)
class ClockCalibration:
    """How power follows the clock: see ``data/power_clocks.csv``."""

    id: str
    static_share: float
    least_voltage_share: float
    voltage_slope: float
    rows: int
    speed_spread_per_clock: float
    error_clock: float
    error_decode: float
    error_prompt: float
    error_decode_held_out: float
    error_prompt_held_out: float


class Watts(NamedTuple):
    """Power with its 90 % interval."""

    best_w: float
    low_w: float
    high_w: float


@cache
def rated_powers() -> dict[str, RatedPower]:
    """Return what is known of the rated power of each device."""
    return {row.id: row for row in read_objects(RatedPower, "device_power.csv")}


@cache
def power_calibrations() -> dict[str, PowerCalibration]:
    """Return the fitted shares, by rating and phase, such as ``"card/decode"``."""
    return {row.id: row for row in read_objects(PowerCalibration, "power_calibrations.csv")}


@cache
def clock_calibration() -> ClockCalibration:
    """Return how power follows the clock."""
    return read_objects(ClockCalibration, "power_clocks.csv")[0]


def rating_of(device: Device) -> str:
    """Return what the rated power of a device is about: ``"card"``, ``"server"`` or ``"machine"``."""
    known = rated_powers().get(device.id)
    if known:
        return known.rating
    return "machine" if device.shares_memory else "card"


def power_share(calibration: PowerCalibration, busy: tuple[float, float]) -> float:
    """Return the share of the rated power that is drawn, at most 1.

    Parameters
    ----------
    calibration : PowerCalibration
        For the kind of device.
    busy : tuple of float
        Share of the time in which the memory, and in which the cores, would be
        done at their peaks.

    Returns
    -------
    float
        Share of the rated power.
    """
    memory, compute = busy
    share = (
        calibration.base_share
        + calibration.memory_share * min(memory, 1.0)
        + calibration.compute_share * min(compute, 1.0)
    )
    return min(share, 1.0)


def power_at_clock(clock: float, known: ClockCalibration) -> float:
    r"""Return the power at a share of the clock, as a share of that at the full one.

    A part does not depend on the clock :math:`r`; the rest follows
    :math:`r V^2`, and the squared voltage falls with the clock until it can
    fall no further:

    .. math:: s + (1 - s) \, r \, \max(v, 1 - k (1 - r))

    Parameters
    ----------
    clock : float
        Share of the full clock, from 0 to 1.
    known : ClockCalibration
        :math:`s`, :math:`v` and :math:`k`.

    Returns
    -------
    float
        Share of the power at the full clock, 1 at 1.
    """
    voltage = max(known.least_voltage_share, 1 - known.voltage_slope * (1 - clock))
    return known.static_share + (1 - known.static_share) * clock * voltage


def clock_at_power(share: float, known: ClockCalibration) -> float:
    """Return the share of the clock that a share of the power allows; 0 if less than `LEAST_CLOCK`."""
    if share >= 1:
        return 1.0
    if share < power_at_clock(LEAST_CLOCK, known):
        return 0.0
    low, high = LEAST_CLOCK, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if power_at_clock(middle, known) <= share:
            low = middle
        else:
            high = middle
    return low


def at_clock(device: Device, clock: float) -> Device:
    """Return a device whose cores run at a share of their clock; its memory is as fast as ever.

    Examples
    --------
    >>> gpu = Device(id="x", memory_bandwidth_bytes_per_s=1e12, gpu_clock_hz=2e9, peak_fp16_dense_flop_per_s=1e14)
    >>> slow = at_clock(gpu, 0.5)
    >>> slow.gpu_clock_hz, slow.peak_fp16_dense_flop_per_s, slow.memory_bandwidth_bytes_per_s
    (1000000000.0, 50000000000000.0, 1000000000000.0)
    """
    return replace(
        device,
        gpu_clock_hz=clock_hz(device) * clock,
        peak_fp32_flop_per_s=device.peak_fp32_flop_per_s * clock,
        peak_fp16_dense_flop_per_s=device.peak_fp16_dense_flop_per_s * clock,
        peak_bf16_dense_flop_per_s=device.peak_bf16_dense_flop_per_s * clock,
        peak_fp8_dense_flop_per_s=device.peak_fp8_dense_flop_per_s * clock,
        peak_int8_dense_op_per_s=device.peak_int8_dense_op_per_s * clock,
        peak_int4_dense_op_per_s=device.peak_int4_dense_op_per_s * clock,
        peak_fp4_dense_flop_per_s=device.peak_fp4_dense_flop_per_s * clock,
        peak_fp16_accumulate_fp16_dense_flop_per_s=device.peak_fp16_accumulate_fp16_dense_flop_per_s * clock,
    )


def require_reachable(power_limit_w: float, full_w: float, known: ClockCalibration) -> float:
    """Return the share of the clock under a limit, or say that none so low was measured."""
    clock = clock_at_power(power_limit_w / full_w, known)
    if not clock:
        least = full_w * power_at_clock(LEAST_CLOCK, known)
        raise InvalidValueError(
            f"power_limit_w は {least:.0f} W 以上で指定してください（与えられた値: {power_limit_w:g}）。"
            "これより低い上限での速さは測られていません。"
        )
    return clock
