"""How much energy an answer takes: watts times the seconds of the estimate."""

from __future__ import annotations

from typing import NamedTuple

from ..engine.power import (
    PowerCalibration,
    Watts,
    at_clock,
    clock_calibration,
    power_calibrations,
    power_share,
    rated_powers,
    rating_of,
    require_reachable,
)
from ..errors import InvalidValueError, require_non_negative, require_positive
from ..model.flops import prefill_flop
from ..model.weights import weight_bytes
from ..units import significant
from .duration import answer_time
from .estimate import Estimate, ask_again

JOULES_PER_WH = 3600.0

MAX_POWER_W = 1e6
"""No device draws more; a larger number is a slip of units."""


class Energy(NamedTuple):
    """Power while a model runs, and the energy of its tokens.

    Parameters
    ----------
    decode, prompt : Estimate
        The question as it runs under the limit, while decoding and while
        reading the prompt: a limit slows the two differently.
    rated_power_w : float
        What one device may draw, in watts.
    power_limit_w : float or None
        What it was limited to; None if it was not.
    decode_power, prompt_power : Watts
        What all devices and the rest of the machine draw together.
    host_power_w : float
        The rest of the machine's part of it.
    limit_factor : float
        How far off the speed under the limit may be beside the interval of
        its estimate, as a factor; 1 without a limit.
    idle_power_w : float or None
        What the whole machine draws when nothing runs; None if unknown.
    notes : tuple of str
        What the figures do not know, in Japanese.
    """

    decode: Estimate
    prompt: Estimate
    rated_power_w: float
    power_limit_w: float | None
    decode_power: Watts
    prompt_power: Watts
    host_power_w: float
    limit_factor: float
    idle_power_w: float | None
    notes: tuple[str, ...]

    @property
    def decode_joules_per_token(self) -> float:
        """Joules for a token written: the best estimate."""
        return self.decode_power.best_w / self.decode.decode_tokens_per_s

    @property
    def decode_joules_per_token_low(self) -> float:
        """Lower end of its 90 % interval: power and speed are off independently of each other."""
        speed = self.decode.decode_tokens_per_s_high / self.decode.decode_tokens_per_s
        power = self.decode_power.best_w / self.decode_power.low_w
        return self.decode_joules_per_token / _both(_both(speed, power), self.limit_factor)

    @property
    def decode_joules_per_token_high(self) -> float:
        """Upper end of its 90 % interval."""
        speed = self.decode.decode_tokens_per_s / self.decode.decode_tokens_per_s_low
        power = self.decode_power.high_w / self.decode_power.best_w
        return self.decode_joules_per_token * _both(_both(speed, power), self.limit_factor)

    @property
    def prompt_joules_per_token(self) -> float | None:
        """Joules for a token of the prompt that is read; None if that speed is not known."""
        speed = self.prompt.prefill_tokens_per_s
        return self.prompt_power.best_w / speed if speed else None

    def to_dict(self) -> dict[str, object]:
        """Return everything but the estimates as plain values under stable keys, ready for JSON."""
        return {
            "rated_power_w": self.rated_power_w,
            "power_limit_w": self.power_limit_w,
            "host_power_w": self.host_power_w,
            "limit_factor": self.limit_factor,
            "idle_power_w": self.idle_power_w,
            "decode_power": self.decode_power._asdict(),
            "prompt_power": self.prompt_power._asdict(),
            "decode_tokens_per_s": self.decode.decode_tokens_per_s,
            "prefill_tokens_per_s": self.prompt.prefill_tokens_per_s,
            "decode_joules_per_token": self.decode_joules_per_token,
            "decode_joules_per_token_low": self.decode_joules_per_token_low,
            "decode_joules_per_token_high": self.decode_joules_per_token_high,
            "prompt_joules_per_token": self.prompt_joules_per_token,
            "notes": list(self.notes),
        }


class AnswerEnergy(NamedTuple):
    """Watt-hours of a whole answer, of one of the sequences that advance together.

    Parameters
    ----------
    prompt_wh : float or None
        For reading the prompt; None if that speed is not known.
    writing_wh : float
        For the tokens of thought and answer.
    """

    prompt_wh: float | None
    writing_wh: float

    @property
    def total_wh(self) -> float | None:
        """All of it; None if the first part is not known."""
        return None if self.prompt_wh is None else self.prompt_wh + self.writing_wh


def energy(
    result: Estimate,
    *,
    power_limit_w: float | None = None,
    rated_power_w: float | None = None,
    host_power_w: float | None = None,
) -> Energy:
    r"""Return what a question draws, and the joules of its tokens.

    The power is a share of the rated one, fitted to measured watts; the rest
    of the machine comes on top where the rated power is that of a card.  With
    the time :math:`t` of a step of :math:`B` sequences at the power :math:`P`:

    .. math:: E_\mathrm{token} = P \, t / B

    Under a limit the clock falls until the power does.  Waits for the memory
    stay as they are, those for the cores grow: weights that cores unpack lose
    much, those that are only read little.

    Parameters
    ----------
    result : Estimate
        What `hayasa.estimate` returned.
    power_limit_w : float, optional
        Limit of each device in watts, as ``nvidia-smi -pl`` sets it.
    rated_power_w : float, optional
        What each device may draw in watts, instead of ``data/device_power.csv``.
    host_power_w : float, optional
        What the rest of the machine draws meanwhile in watts, instead of what
        was usual where a whole PC was measured.

    Returns
    -------
    Energy
        Power and joules per token, with 90 % intervals.

    Raises
    ------
    InvalidValueError
        If a number is out of range, the limit below what was measured, or the
        rated power of the device not known and not given.

    Examples
    --------
    >>> from hayasa import estimate
    >>> spent = energy(estimate("llama-3.1-8b", "rtx-4090", weights="q4_k_m"))
    >>> joules = spent.decode_joules_per_token
    >>> abs(joules * spent.decode.decode_tokens_per_s - spent.decode_power.best_w) < 1e-9
    True
    """
    device = result.device
    listed = rated_powers().get(device.id)
    rating = rating_of(device)
    if rated_power_w is not None:
        rated_w = require_positive("rated_power_w", rated_power_w, maximum=MAX_POWER_W)
    elif listed:
        rated_w = listed.rated_power_w
    else:
        raise InvalidValueError(
            f"{device.name or device.id} の定格の電力は表にありません。rated_power_w（コマンドでは --rated-power）をワットで指定してください。"
        )
    decoding, reading = power_calibrations()[f"{rating}/decode"], power_calibrations()[f"{rating}/prompt"]
    decode_w = rated_w * power_share(decoding, _decode_busy(result))
    prompt_w = rated_w * power_share(reading, _prompt_busy(result))
    decode = prompt = result
    limit_w = None
    limit_factor = 1.0
    if power_limit_w is not None:
        if result.parts:
            raise InvalidValueError("power_limit_w は、違う機種を合わせたときには使えません。")
        limit_w = require_positive("power_limit_w", power_limit_w, maximum=MAX_POWER_W)
        known = clock_calibration()
        clock = require_reachable(limit_w, decode_w, known)
        limit_factor = 1 + known.speed_spread_per_clock * (1 - clock)
        decode = _slowed(result, clock)
        prompt = _slowed(result, require_reachable(limit_w, prompt_w, known))
    if host_power_w is None:
        host = Watts(decoding.host_power_w, decoding.host_power_low_w, decoding.host_power_high_w)
    else:
        host_w = require_non_negative("host_power_w", host_power_w, maximum=MAX_POWER_W)
        host = Watts(host_w, host_w, host_w)
    return Energy(
        decode=decode,
        prompt=prompt,
        rated_power_w=rated_w,
        power_limit_w=limit_w,
        decode_power=_together(decode_w, decoding, limit_w, rated_w, result, host),
        prompt_power=_together(prompt_w, reading, limit_w, rated_w, result, host),
        host_power_w=host.best_w,
        limit_factor=limit_factor,
        idle_power_w=listed.idle_power_w * result.devices if listed and listed.idle_power_w else None,
        notes=_notes(rating, decoding, host_power_w is None, limit_w is not None and limit_w < max(decode_w, prompt_w)),
    )


def answer_energy(spent: Energy, answer_tokens: int, thinking_tokens: int = 0) -> AnswerEnergy:
    """Return the watt-hours of an answer to a prompt of `Estimate.prompt_length` tokens.

    Parameters
    ----------
    spent : Energy
        What `energy` returned.
    answer_tokens : int
        Tokens of the answer, at least 1.
    thinking_tokens : int
        Tokens that the model writes before, for itself.

    Returns
    -------
    AnswerEnergy
        Watt-hours of one sequence; those that advance together share a step.

    Raises
    ------
    InvalidValueError
        If a number is out of range.

    Examples
    --------
    >>> from hayasa import estimate
    >>> spent = energy(estimate("llama-3.1-8b", "apple-m4-10c", weights="q4_k_m", prompt_length=1000))
    >>> 0 < answer_energy(spent, 500).total_wh < answer_energy(spent, 500, thinking_tokens=500).total_wh < 10
    True
    """
    time = answer_time(spent.decode, answer_tokens, thinking_tokens)
    first_s = spent.prompt.time_to_first_token_s
    writing_j = spent.decode_power.best_w * (time.thinking_s + time.answer_s) / spent.decode.batch_size
    return AnswerEnergy(
        None if first_s is None else spent.prompt_power.best_w * first_s / JOULES_PER_WH, writing_j / JOULES_PER_WH
    )


def _both(one: float, other: float) -> float:
    """Return the factor of two that are independent of each other: what each is beyond 1 adds as squares."""
    beyond: float = ((one - 1) ** 2 + (other - 1) ** 2) ** 0.5
    return 1 + beyond


def _decode_busy(result: Estimate) -> tuple[float, float]:
    """Return how busy memory and cores are while decoding."""
    # Of devices in a pipeline one works at a time; while the host reads, none does.
    memory_s = result.memory_latency_s - (result.offload.bound_s if result.offload else 0.0)
    return memory_s / result.step_latency_s, result.compute_latency_s / result.step_latency_s


def _prompt_busy(result: Estimate) -> tuple[float, float]:
    """Return how busy memory and cores are while reading the prompt; 1 where the speed is not known."""
    seconds = result.time_to_first_token_s
    if not seconds:
        return 1.0, 1.0
    together = result.devices if result.split == "tensor" else 1
    read = weight_bytes(result.model, result.weights).read_bytes(result.prompt_length)
    peak = result.device.peak_flop_per_s(result.weights.compute_format)
    compute_s = prefill_flop(result.model, result.prompt_length) / peak if peak else seconds
    memory_s = read / result.device.memory_bandwidth_bytes_per_s
    return memory_s / seconds / together, compute_s / seconds / together


def _together(
    device_w: float, calibration: PowerCalibration, limit_w: float | None, rated_w: float, result: Estimate, host: Watts
) -> Watts:
    """Return the power of all devices and the rest of the machine."""
    # Cards are sold with higher limits than the reference: what was measured above the rated power may come again.
    most_w = rated_w * calibration.most_share if limit_w is None else limit_w
    # Of devices with a part of the layers each, one works, and the others wait at their full clock.
    working = 1 / result.devices if result.split == "pipeline" else 1.0
    several = result.devices * (working + (1 - working) * clock_calibration().static_share)

    return Watts(
        min(device_w, most_w) * several + host.best_w,
        min(device_w * calibration.low_factor, most_w) * several + host.low_w,
        min(device_w * calibration.high_factor, most_w) * several + host.high_w,
    )


def _slowed(result: Estimate, clock: float) -> Estimate:
    """Return the same question at a share of the device's clock."""
    return result if clock == 1 else ask_again(result, device=at_clock(result.device, clock))


def _notes(rating: str, calibration: PowerCalibration, usual_host: bool, limited: bool) -> tuple[str, ...]:
    notes: list[str] = []
    if rating == "machine":
        notes.append(
            "電力は機械全体で、壁のコンセントでの生成中の実測に合わせました。プロンプトを処理する間は測られていません。"
        )
    if rating == "card" and usual_host:
        notes.append(
            f"PC のほかの部分を {significant(calibration.host_power_w, 2)} W としました（測られた PC の中央の値）。"
        )
    if rating == "server" and usual_host:
        notes.append("サーバーのうち GPU だけの電力です。CPU、ファン、電源の損失と、部屋の冷房は入っていません。")
    if rating == "server":
        notes.append("電力は、H100 と B200 の vLLM で 8 系列以上を進めた実測に合わせました。")
    if limited:
        known = clock_calibration()
        notes.append(
            "電力の上限での速さは、RTX 3090 のクロックの実測から求めました。上限のないときとの比の外れは、"
            f"3090 の生成で {significant(100 * known.error_decode, 2)}%（低い上限ではもっと）、"
            f"ほかの機種の浅い上限で {significant(100 * known.error_decode_held_out, 2)}% です。"
        )
    return tuple(notes)
