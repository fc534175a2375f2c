"""One question, one answer: the speed of a model on a device.

`estimate` puts the pieces together.  The bound is physics, the best estimate
is the bound corrected by what was measured, and the interval says how sure
that is.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import NamedTuple

from .calibration import (
    ASSUMED_CLOCK_HZ,
    Calibration,
    ChosenCalibration,
    calibrated_step_s,
    choose_calibration,
    layer_count,
    step_waits_s,
)
from .datasets import get_device, get_model, get_weight_format
from .devices import Device
from .engines import Engine, get_engine
from .errors import (
    MAX_BATCH_SIZE,
    MAX_CONTEXT_LENGTH,
    MAX_DEVICES,
    DoesNotFitError,
    require_choice,
    require_integer,
)
from .flops import attention_flop_per_token, prefill_flop, weight_flop_per_token
from .kv_cache import kv_cache_bytes
from .models import Model
from .parallel import SPLITS, pipeline_step_s, tensor_parallel_step_s
from .units import gibibytes, significant
from .weights import WeightFormat, weight_bytes

DEFAULT_PROMPT_LENGTH = 512
"""Tokens of the prompt where neither a prompt nor a context is given."""

NOTEWORTHY = 1.05
"""How much faster new builds have to be for a note to say so."""

_FP16 = WeightFormat(id="f16", bits_per_weight=16)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Estimate:
    """Speed of a model on a device, with everything it was computed from.

    Parameters
    ----------
    model, device, weights, engine, kv_cache : Model, Device, WeightFormat, Engine, WeightFormat
        What was asked about.
    batch_size : int
        Sequences that advance together.
    context_length : int
        Tokens already in the cache of each sequence when the token is decoded.
    prompt_length : int
        Tokens of the prompt that the prefill figures are about.
    devices : int
        How many devices, all alike.
    split : str
        ``"pipeline"`` or ``"tensor"``.
    weight_bytes_per_step, kv_bytes_per_step : float
        Bytes of weights and of KV cache that a step reads.
    weight_flop_per_step, attention_flop_per_step : float
        FLOP of a step with the weights and in attention, all sequences together.
    memory_latency_s, compute_latency_s : float
        Seconds per step that reading and computing take at least.
    step_latency_s, step_latency_slow_s, step_latency_fast_s : float
        Seconds per step by the best estimate, and at the ends of the 90 %
        interval; for ``ideal``, with no overlap and full overlap of reading
        and computing.
    chosen : ChosenCalibration or None
        What corrected the bound, as it applies here; None for ``ideal``.
    """

    model: Model
    device: Device
    weights: WeightFormat
    engine: Engine
    kv_cache: WeightFormat
    batch_size: int
    context_length: int
    prompt_length: int
    devices: int
    split: str
    weight_bytes_per_step: float
    kv_bytes_per_step: float
    weight_flop_per_step: float
    attention_flop_per_step: float
    memory_latency_s: float
    compute_latency_s: float
    step_latency_s: float
    step_latency_slow_s: float
    step_latency_fast_s: float
    chosen: ChosenCalibration | None

    def __repr__(self) -> str:
        low, high = self.decode_tokens_per_s_low, self.decode_tokens_per_s_high
        return (
            f"Estimate({self.model.id} {self.weights.id} on {self.devices} x {self.device.id},"
            f" {self.engine.id}: {significant(self.decode_tokens_per_s)} tokens/s,"
            f" 90 % in {significant(low)} to {significant(high)},"
            f" bound {significant(self.decode_tokens_per_s_bound)})"
        )

    @property
    def decode_tokens_per_s_bound(self) -> float:
        """Tokens per second, all sequences together, that physics allows."""
        return self.batch_size / max(self.memory_latency_s, self.compute_latency_s)

    @property
    def decode_tokens_per_s(self) -> float:
        """Tokens per second, all sequences together: the best estimate."""
        return self.batch_size / self.step_latency_s

    @property
    def decode_tokens_per_s_low(self) -> float:
        """Lower end of the 90 % interval."""
        return self.batch_size / self.step_latency_slow_s

    @property
    def decode_tokens_per_s_high(self) -> float:
        """Upper end of the 90 % interval."""
        return self.batch_size / self.step_latency_fast_s

    @property
    def bytes_per_step(self) -> float:
        """Bytes that a step reads, weights and KV cache."""
        return self.weight_bytes_per_step + self.kv_bytes_per_step

    @property
    def flop_per_step(self) -> float:
        """FLOP of a step, all sequences together."""
        return self.weight_flop_per_step + self.attention_flop_per_step

    @property
    def bound_by(self) -> str:
        """``"memory"`` or ``"compute"``: which of the two takes longer at least."""
        return "memory" if self.memory_latency_s >= self.compute_latency_s else "compute"

    @property
    def memory_required_bytes(self) -> float:
        """Bytes of all weights and the KV cache of all sequences."""
        return weight_bytes(self.model, self.weights).resident_bytes + self.kv_bytes_per_step

    @property
    def memory_available_bytes(self) -> float:
        """Memory of all devices together; 0 if unknown."""
        return self.device.memory_capacity_bytes * self.devices

    @property
    def fits(self) -> bool | None:
        """Whether it fits in memory; None if the capacity is unknown."""
        if not self.memory_available_bytes:
            return None
        return self.memory_required_bytes <= self.memory_available_bytes

    @property
    def prefill_tokens_per_s_bound(self) -> float | None:
        """Tokens per second of reading the prompt that physics allows; None if unknown."""
        return self._prefill_tokens_per_s(1.0)

    @property
    def prefill_tokens_per_s(self) -> float | None:
        """Tokens per second of reading the prompt: the best estimate; None if unknown."""
        if self.chosen is None:
            return self.prefill_tokens_per_s_bound
        return self._prefill_tokens_per_s(self.chosen.prefill_share)

    def _prefill_tokens_per_s(self, share: float) -> float | None:
        """Speed of reading the prompt at a share of the peak."""
        flop = prefill_flop(self.model, self.prompt_length)
        compute_s = _compute_s(flop, self.device, self.weights)
        if not (compute_s and share):
            return None
        read = weight_bytes(self.model, self.weights).read_bytes(self.prompt_length)
        memory_s = read / self.device.memory_bandwidth_bytes_per_s
        together = self.devices if self.split == "tensor" else 1
        return self.prompt_length * together / max(memory_s, compute_s / share)

    @property
    def time_to_first_token_s(self) -> float | None:
        """Seconds until the first token of a prompt of `prompt_length`; None if unknown."""
        speed = self.prefill_tokens_per_s
        return self.prompt_length / speed if speed else None

    @property
    def calibration(self) -> Calibration | None:
        """What corrected the bound; None for ``ideal``."""
        return self.chosen.calibration if self.chosen else None

    @property
    def notes(self) -> tuple[str, ...]:
        """What to know about this estimate, in Japanese."""
        notes = self.chosen.notes if self.chosen else ()
        newer = self._decode_tokens_per_s_of_new_builds()
        if newer > NOTEWORTHY * self.decode_tokens_per_s:
            notes += (
                "この機種の実測には 2025 年 7 月までのビルドのものが多く、新しいビルドでは"
                f" {significant(newer, 2)} トークン/秒 ほどの見込みです。",
            )
        longest = self.model.context_length_max
        if longest and self.context_length > longest:
            notes += (f"文脈が、このモデルの上限 {longest:,} トークンを超えています。",)
        return notes

    def _decode_tokens_per_s_of_new_builds(self) -> float:
        """Best estimate without what old builds of the engine cost more."""
        if self.chosen is None or self.devices > 1:
            return self.decode_tokens_per_s
        clock = self.device.gpu_clock_hz or ASSUMED_CLOCK_HZ
        cycles = self.chosen.calibration.cycles_per_layer_in_old_builds
        saved_s = self.chosen.step_factor * self.chosen.old_build_share * cycles
        saved_s *= layer_count(self.model) / clock
        least_s = max(self.memory_latency_s, self.compute_latency_s)
        return self.batch_size / max(self.step_latency_s - saved_s, least_s)

    def to_dict(self) -> dict[str, object]:
        """Everything as plain values under stable keys, ready for JSON.

        Returns
        -------
        dict
            Model, device, weights and engine by id; the calibration as a
            mapping or None; all other values as they are.

        Examples
        --------
        >>> estimate("llama-2-7b", "rtx-4090", engine="ideal").to_dict()["device"]
        'rtx-4090'
        """
        plain: dict[str, object] = {name: getattr(self, name).id for name in _NAMED}
        plain.update({name: getattr(self, name) for name in _PLAIN})
        plain["calibration"] = asdict(self.calibration) if self.calibration else None
        plain["notes"] = list(self.notes)
        return plain

    def require_fit(self) -> Estimate:
        """Return itself if everything fits in memory, else raise.

        Returns
        -------
        Estimate
            The same object.

        Raises
        ------
        DoesNotFitError
            If weights and KV cache need more than there is; the message says
            how much of each.
        """
        if self.fits is False:
            raise DoesNotFitError(does_not_fit_message(self))
        return self


_NAMED = ("model", "device", "weights", "engine", "kv_cache")
_PLAIN = (
    "batch_size",
    "context_length",
    "prompt_length",
    "devices",
    "split",
    "decode_tokens_per_s_bound",
    "decode_tokens_per_s",
    "decode_tokens_per_s_low",
    "decode_tokens_per_s_high",
    "bound_by",
    "memory_latency_s",
    "compute_latency_s",
    "step_latency_s",
    "bytes_per_step",
    "weight_bytes_per_step",
    "kv_bytes_per_step",
    "flop_per_step",
    "memory_required_bytes",
    "memory_available_bytes",
    "fits",
    "prefill_tokens_per_s_bound",
    "prefill_tokens_per_s",
    "time_to_first_token_s",
)


def does_not_fit_message(result: Estimate) -> str:
    """Say in one line, in Japanese, what is needed and what there is.

    Parameters
    ----------
    result : Estimate
        An estimate that does not fit.

    Returns
    -------
    str
        One line.
    """
    count = f" {result.devices} 台" if result.devices > 1 else ""
    return (
        f"メモリに入りません: model {result.model.id}（weights {result.weights.id}、"
        f"batch_size {result.batch_size}、context_length {result.context_length}）には "
        f"{gibibytes(result.memory_required_bytes)} が必要ですが、"
        f"device {result.device.id}{count} のメモリは "
        f"{gibibytes(result.memory_available_bytes)} です。"
    )


def estimate(
    model: str | Model,
    device: str | Device,
    *,
    weights: str | WeightFormat = "q4_k_m",
    batch_size: int = 1,
    context_length: int = 0,
    engine: str | Engine = "llama.cpp",
    devices: int = 1,
    split: str = "pipeline",
    prompt_length: int | None = None,
    kv_cache: str | WeightFormat = _FP16,
) -> Estimate:
    """Estimate how fast a model runs on a device, and how sure that is.

    Parameters
    ----------
    model : str or Model
        Name in any usual spelling, or an object of your own.
    device : str or Device
        Name in any usual spelling, or an object of your own.
    weights : str or WeightFormat
        How the weights are stored.
    batch_size : int
        Sequences that advance together, from 1.
    context_length : int
        Tokens already in the cache of each sequence when the token is
        decoded, from 0.
    engine : str or Engine
        ``"ideal"``, ``"llama.cpp"``, ``"mlx"``, ``"gpt-fast"`` or ``"vllm"``.
    devices : int
        How many devices, all alike, from 1.
    split : {"pipeline", "tensor"}
        Layers dealt out over the devices, or every matrix cut over them.
    prompt_length : int, optional
        Tokens of the prompt for prefill and time to first token; by default
        `context_length`, or 512 if that is 0.
    kv_cache : str or WeightFormat
        How keys and values are stored, by default in 16 bits.

    Returns
    -------
    Estimate
        Bound, best estimate, interval, and what they were computed from.

    Raises
    ------
    UnknownNameError
        If a name is not listed; near ones are proposed.
    InvalidValueError
        If a number is out of range.
    DataFileError
        If a table cannot be read.

    Notes
    -----
    A model that does not fit is estimated as if it did, with ``fits=False``;
    `Estimate.require_fit` makes that an error.

    Examples
    --------
    The article's two machines, by memory:

    >>> seven_b = Model(id="7b", stated_parameters=7e9)
    >>> mini = Device(id="mini", memory_bandwidth_bytes_per_s=120e9,
    ...               peak_int4_dense_op_per_s=38e12)
    >>> result = estimate(seven_b, mini, weights="int4", engine="ideal")
    >>> int(result.decode_tokens_per_s_bound), int(1 / result.compute_latency_s)
    (34, 2714)
    """
    model, device, weights, engine, kv_cache = _objects(model, device, weights, engine, kv_cache)
    batch_size = require_integer("batch_size", batch_size, 1, MAX_BATCH_SIZE)
    context_length = require_integer("context_length", context_length, 0, MAX_CONTEXT_LENGTH)
    devices = require_integer("devices", devices, 1, MAX_DEVICES)
    require_choice("split", split, SPLITS)
    if prompt_length is None:
        prompt_length = context_length or DEFAULT_PROMPT_LENGTH
    else:
        prompt_length = require_integer("prompt_length", prompt_length, 1, MAX_CONTEXT_LENGTH)
    chosen = None
    if engine.id != "ideal":
        several = split if devices > 1 else ""
        chosen = choose_calibration(
            engine, device, weights, experts=model.experts > 0, batched=batch_size > 1, split=several
        )

    work = _work(model, weights, kv_cache, batch_size, context_length)
    flop = work.weight_flop + work.attention_flop
    together = devices if split == "tensor" else 1  # devices that work at the same time
    n_bytes = work.weight_bytes + work.kv_bytes
    memory_s = n_bytes / device.memory_bandwidth_bytes_per_s / together
    compute_s = _compute_s(flop, device, weights) / together
    bound_s = max(memory_s, compute_s)
    if chosen is None:
        step_s, slow_s, fast_s = bound_s, memory_s + compute_s, bound_s
    else:
        step_s = _one_device_step_s(chosen, work, model, device, weights, batch_size)
        if devices > 1:
            step_s = _shared_s(step_s, model, devices, split, chosen.calibration)
        step_s = max(step_s, bound_s)
        slow_s, fast_s = step_s / chosen.low_factor, max(step_s / chosen.high_factor, bound_s)
    return Estimate(
        model=model,
        device=device,
        weights=weights,
        engine=engine,
        kv_cache=kv_cache,
        batch_size=batch_size,
        context_length=context_length,
        prompt_length=prompt_length,
        devices=devices,
        split=split,
        weight_bytes_per_step=work.weight_bytes,
        kv_bytes_per_step=work.kv_bytes,
        weight_flop_per_step=work.weight_flop,
        attention_flop_per_step=work.attention_flop,
        memory_latency_s=memory_s,
        compute_latency_s=compute_s,
        step_latency_s=step_s,
        step_latency_slow_s=slow_s,
        step_latency_fast_s=fast_s,
        chosen=chosen,
    )


def _objects(
    model: str | Model,
    device: str | Device,
    weights: str | WeightFormat,
    engine: str | Engine,
    kv_cache: str | WeightFormat,
) -> tuple[Model, Device, WeightFormat, Engine, WeightFormat]:
    """Turn every name into its object, and refuse what is neither."""
    if not isinstance(model, Model):
        model = get_model(model)
    if not isinstance(device, Device):
        device = get_device(device)
    if not isinstance(weights, WeightFormat):
        weights = get_weight_format(weights)
    if not isinstance(engine, Engine):
        engine = get_engine(engine)
    if not isinstance(kv_cache, WeightFormat):
        kv_cache = get_weight_format(kv_cache, argument="kv_cache")
    return model, device, weights, engine, kv_cache


class _Work(NamedTuple):
    """What one decode step reads and computes, all sequences together."""

    weight_bytes: float
    kv_bytes: float
    weight_flop: float
    attention_flop: float


def _work(
    model: Model,
    weights: WeightFormat,
    kv_cache: WeightFormat,
    batch_size: int,
    context_length: int,
) -> _Work:
    """Bytes and FLOP of a step."""
    return _Work(
        weight_bytes(model, weights).read_bytes(batch_size),
        kv_cache_bytes(
            model,
            context_length,
            batch_size=batch_size,
            bytes_per_value=kv_cache.bits_per_weight / 8,
        ),
        weight_flop_per_token(model) * batch_size,
        attention_flop_per_token(model, context_length) * batch_size,
    )


def _one_device_step_s(
    chosen: ChosenCalibration,
    work: _Work,
    model: Model,
    device: Device,
    weights: WeightFormat,
    batch_size: int,
) -> float:
    """Best estimate of a step on one device."""
    waits_s = step_waits_s(
        model,
        device,
        weight_bytes=work.weight_bytes,
        kv_bytes=work.kv_bytes,
        attention_flop=work.attention_flop,
        old_build_share=chosen.old_build_share,
    )
    step_s = calibrated_step_s(chosen.calibration, waits_s, unpacks=chosen.unpacks)
    step_s *= chosen.step_factor
    if batch_size > 1 and chosen.batch_share:
        # One sequence computes while it reads; what the others add waits for the cores.
        busy_s = _compute_s(work.weight_flop + work.attention_flop, device, weights)
        step_s += busy_s * (batch_size - 1) / batch_size / chosen.batch_share
    return step_s


def _compute_s(flop: float, device: Device, weights: WeightFormat) -> float:
    """Least time for so much work; 0 where the device's peak is unknown."""
    peak = device.peak_flop_per_s(weights.compute_format)
    return flop / peak if peak else 0.0


def _shared_s(one_device_s: float, model: Model, devices: int, split: str, calibration: Calibration) -> float:
    """Step time on several devices, each message at its measured cost."""
    if split == "pipeline":
        return pipeline_step_s(one_device_s, devices, link_latency_s=calibration.pipeline_message_s)
    return tensor_parallel_step_s(
        one_device_s,
        devices,
        all_reduces=2 * model.layers,
        link_latency_s=calibration.tensor_message_s,
    )
