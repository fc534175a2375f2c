"""One question, one answer: the speed of a model on a device.

`estimate` puts the pieces together.  The bound is physics, the best estimate
is the bound corrected by what was measured, and the interval says how sure
that is.
"""

from __future__ import annotations

from dataclasses import asdict
from functools import lru_cache
from typing import NamedTuple

from ..catalog.hosts import get_host
from ..catalog.objects import get_device, get_named_model, get_weight_format, weight_formats
from ..engine.buffers import memory_of
from ..engine.calibration import Calibration, ChosenCalibration, choose_calibration
from ..engine.engines import BACKENDS, ENGINES, Engine, backend_that_reads, backends_to_choose, get_engine
from ..engine.waits import OLD_BUILDS, Wait
from ..errors import (
    MAX_BATCH_SIZE,
    MAX_CONTEXT_LENGTH,
    MAX_DEVICES,
    DoesNotFitError,
    InvalidValueError,
    require_choice,
    require_integer,
)
from ..machine.device import Device
from ..machine.host import Host
from ..machine.memory import memory_required_bytes
from ..machine.split import SPLITS
from ..model.flops import prefill_flop
from ..model.placement import Placement, placement_of
from ..model.shape import Model
from ..model.weights import WeightFormat, weight_bytes
from ..model.work import Work, layer_count, step_work
from ..units import gibibytes, significant
from .fit import DOES_NOT_FIT, FITS, MemoryFit, max_context_length, memory_fit, remedies, split_that_fits
from .offload import Offload, offload_of, require_split, with_host
from .step import calibrated_waits, ideal_waits, step_s

DEFAULT_PROMPT_LENGTH = 512
"""Tokens of the prompt where neither a prompt nor a context is given."""

NOTEWORTHY = 1.05
"""How much faster new builds have to be for a note to say so."""

PUBLISHED_BITS = 16
"""Bits of a number as models are published: fewer are packed in some way."""

TERNARY_FORMATS = ("tq1_0", "tq2_0")
"""Formats for models that were trained in three values: of any other they keep nothing."""

_FP16 = WeightFormat(id="f16", bits_per_weight=16)


class Estimate(NamedTuple):
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
    work : Work
        What a step reads and computes.
    waits : tuple of Wait
        Why a step takes its time; their sum, but for the hidden ones, is the
        best estimate of it.
    memory_latency_s, compute_latency_s : float
        Seconds per step that reading and computing take at least.
    step_latency_s : float
        Seconds per step: the best estimate.
    chosen : ChosenCalibration or None
        What corrected the bound, as it applies here; None for ``ideal``.
    backend : str
        What the engine computes with, such as ``"cuda"``; empty for ``ideal``,
        and where nothing is known of the device.
    remarks : tuple of str
        How what the question left open was settled, in Japanese.
    offload : Offload or None
        What of the model lies in the host's memory; None if nothing does.
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
    work: Work
    waits: tuple[Wait, ...]
    memory_latency_s: float
    compute_latency_s: float
    step_latency_s: float
    chosen: ChosenCalibration | None
    backend: str
    remarks: tuple[str, ...]
    offload: Offload | None = None

    def __repr__(self) -> str:
        low, high = self.decode_tokens_per_s_low, self.decode_tokens_per_s_high
        return (
            f"Estimate({self.model.id} {self.weights.id} on {self.devices} x {self.device.id},"
            f" {self.engine.id}: {significant(self.decode_tokens_per_s)} tokens/s,"
            f" 90 % in {significant(low)} to {significant(high)},"
            f" bound {significant(self.decode_tokens_per_s_bound)})"
        )

    @property
    def bound_latency_s(self) -> float:
        """Seconds per step that physics allows: the longer of reading and computing."""
        return max(self.memory_latency_s, self.compute_latency_s)

    @property
    def step_latency_slow_s(self) -> float:
        """Upper end of its 90 % interval; for ``ideal``, reading and computing one after the other."""
        if self.chosen is None:
            return self.memory_latency_s + self.compute_latency_s
        return self.step_latency_s / self.chosen.low_factor

    @property
    def step_latency_fast_s(self) -> float:
        """Lower end of its 90 % interval, never less than physics allows.

        Where a device was measured with old builds of the engine, today's are faster.
        """
        if self.chosen is None:
            return self.bound_latency_s
        fast_s = self._step_s_of_new_builds() / self.chosen.high_factor
        # What was measured of a host is no bound of what it can do.
        is_bound = self.offload is None or self.offload.is_bound
        return max(fast_s, self.bound_latency_s) if is_bound else fast_s

    @property
    def decode_tokens_per_s_bound(self) -> float:
        """Tokens per second, all sequences together, that physics allows."""
        return self.batch_size / self.bound_latency_s

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
    def weight_bytes_per_step(self) -> float:
        """Bytes of weights that a step reads."""
        return self.work.weight_bytes

    @property
    def kv_bytes_per_step(self) -> float:
        """Bytes of KV cache that a step reads, and of states that it reads and writes."""
        return self.work.kv_bytes

    @property
    def bytes_per_step(self) -> float:
        """Bytes that a step reads, weights and KV cache."""
        return self.work.weight_bytes + self.work.kv_bytes

    @property
    def weight_flop_per_step(self) -> float:
        """FLOP of a step with the weights, all sequences together."""
        return self.work.weight_flop

    @property
    def attention_flop_per_step(self) -> float:
        """FLOP of a step in attention, all sequences together."""
        return self.work.attention_flop

    @property
    def flop_per_step(self) -> float:
        """FLOP of a step, all sequences together."""
        return self.work.weight_flop + self.work.attention_flop

    @property
    def bound_by(self) -> str:
        """``"memory"`` or ``"compute"``: which of the two takes longer at least."""
        return "memory" if self.memory_latency_s >= self.compute_latency_s else "compute"

    @property
    def memory_required_bytes(self) -> float:
        """Bytes of all weights and the KV cache and states of all sequences."""
        return memory_required_bytes(
            self.model,
            self.weights,
            batch_size=self.batch_size,
            context_length=self.context_length,
            bytes_per_value=self.kv_cache.bytes_per_cached_value,
        )

    @property
    def memory_available_bytes(self) -> float:
        """Memory of all devices together; 0 if unknown."""
        return self.device.memory_capacity_bytes * self.devices

    @property
    def fit(self) -> MemoryFit:
        """What has to lie in memory and what there is, with the engine's buffers and what the system keeps."""
        return memory_fit(
            self.model,
            self.device,
            self.weights,
            batch_size=self.batch_size,
            context_length=self.context_length,
            bytes_per_value=self.kv_cache.bytes_per_cached_value,
            engine=self.engine,
            backend=self.backend,
            devices=self.devices,
            placement=self._placement(),
        )

    def _placement(self) -> Placement | None:
        offload = self.offload
        return placement_of(self.model, offload.gpu_layers, offload.cpu_moe_layers) if offload else None

    @property
    def host_fit(self) -> MemoryFit | None:
        """The same of the host's memory; None if nothing lies there."""
        return self.offload.fit if self.offload else None

    @property
    def fits(self) -> bool | None:
        """Whether it fits in memory, the host's too; None if that is tight, or the device's capacity unknown."""
        verdict, host_verdict = self.fit.verdict, FITS
        if self.host_fit and self.host_fit.verdict:
            host_verdict = self.host_fit.verdict
        if DOES_NOT_FIT in (verdict, host_verdict):
            return False
        return True if verdict == host_verdict == FITS else None

    @property
    def longest_context_length(self) -> int | None:
        """Longest context that fits for sure, and that the model takes.

        -1 if not even the weights fit; None if memory or shape are unknown.
        """
        if self.fit.verdict is None or not self.model.has_shape:
            return None
        longest = max_context_length(
            self.model,
            self.device,
            self.weights,
            batch_size=self.batch_size,
            bytes_per_value=self.kv_cache.bytes_per_cached_value,
            engine=self.engine,
            backend=self.backend,
            devices=self.devices,
            placement=self._placement(),
        )
        return min(longest, self.model.context_length_max or longest)

    @property
    def remedies(self) -> tuple[str, ...]:
        """What makes it fit where it does not, or may not, in Japanese."""
        return tuple(
            remedies(
                self.fit,
                self.model,
                self.device,
                self.weights,
                formats_of(self.engine, self.backend),
                batch_size=self.batch_size,
                context_length=self.context_length,
                bytes_per_value=self.kv_cache.bytes_per_cached_value,
                engine=self.engine,
                backend=self.backend,
                devices=self.devices,
                placement=self._placement(),
            )
        )

    @property
    def prefill_tokens_per_s_bound(self) -> float | None:
        """Tokens per second of reading the prompt that physics allows; None if unknown."""
        return self._prefill_tokens_per_s(1.0, is_bound=True)

    @property
    def prefill_tokens_per_s(self) -> float | None:
        """Tokens per second of reading the prompt: the best estimate; None if unknown."""
        if self.chosen is None:
            return self.prefill_tokens_per_s_bound
        return self._prefill_tokens_per_s(self.chosen.prefill_share)

    def _prefill_tokens_per_s(self, share: float, *, is_bound: bool = False) -> float | None:
        """Speed of reading the prompt at a share of the peak, and with the host as it was measured, or at best."""
        flop = prefill_flop(self.model, self.prompt_length)
        compute_s = _compute_s(flop, self.device, self.weights)
        if not (compute_s and share):
            return None
        read = weight_bytes(self.model, self.weights).read_bytes(self.prompt_length)
        memory_s = read / self.device.memory_bandwidth_bytes_per_s
        together = self.devices if self.split == "tensor" else 1
        device_s = max(memory_s, compute_s / share) / together
        waits = self.offloaded_prompt_waits
        host_s = step_s([Wait(wait.kind, 1.0, wait.load_s) for wait in waits[:1]] if is_bound else waits)
        return self.prompt_length / (device_s + host_s)

    @property
    def offloaded_prompt_waits(self) -> tuple[Wait, ...]:
        """What reading the prompt waits for because a part of the model is on the host: none if nothing is."""
        if self.offload is None:
            return ()
        micro_batch = memory_of(self.engine, self.backend).micro_batch
        return tuple(self.offload.prompt_waits(self.prompt_length, micro_batch))

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
        notes = self.model.notes + self.device.notes + self.remarks + (self.chosen.notes if self.chosen else ())
        newer = self.batch_size / self._step_s_of_new_builds()
        if newer > NOTEWORTHY * self.decode_tokens_per_s:
            notes += (
                "この機種の実測には 2025 年 7 月までのビルドのものが多く、新しいビルドでは"
                f" {significant(newer, 2)} トークン/秒 ほどの見込みです。",
            )
        longest = self.model.context_length_max
        if longest and self.context_length > longest:
            notes += (f"文脈が、このモデルの上限 {longest:,} トークンを超えています。",)
        return notes

    def _step_s_of_new_builds(self) -> float:
        """Best estimate without what old builds of the engine cost more."""
        if self.chosen is None or self.devices > 1:
            return self.step_latency_s
        old_builds_s = sum(wait.seconds for wait in self.waits if wait.kind.name == OLD_BUILDS.name)
        return max(self.step_latency_s - self.chosen.step_factor * old_builds_s, self.bound_latency_s)

    def to_dict(self) -> dict[str, object]:
        """Everything as plain values under stable keys, ready for JSON.

        Returns
        -------
        dict
            Every parameter and property of `Estimate`: model, device, weights,
            engine and KV cache by their ids, the waits and the calibration as
            mappings.

        Examples
        --------
        >>> estimate("llama-2-7b", "rtx-4090", engine="ideal").to_dict()["device"]
        'rtx-4090'
        """
        properties = [name for name, value in vars(Estimate).items() if isinstance(value, property)]
        names = [*self._fields, *properties]
        return {name: _plain(getattr(self, name)) for name in names if name not in ("work", "chosen")}

    def require_fit(self) -> Estimate:
        """Return itself if everything fits in memory, else raise.

        Returns
        -------
        Estimate
            The same object.

        Raises
        ------
        DoesNotFitError
            If more is needed than there is; the message says how much of
            each, and what to do.  A tight fit is none of that.
        """
        if self.fits is False:
            raise DoesNotFitError(does_not_fit_message(self))
        return self


def _plain(value: object) -> object:
    """Return what JSON can write of a value."""
    if isinstance(value, (Model, Device, WeightFormat, Engine)):
        return value.id
    if isinstance(value, Calibration):
        return asdict(value)
    if isinstance(value, Offload):
        return {
            "host": asdict(value.host),
            "gpu_layers": value.gpu_layers,
            "cpu_moe_layers": value.cpu_moe_layers,
            "way": value.way,
            "weight_bytes": value.part.weights.resident_bytes,
            "cache_bytes": value.part.cache_bytes,
            "bytes_per_step": value.bytes_per_step,
            "hand_overs": value.part.hand_overs,
            "calibration": asdict(value.calibration),
        }
    if isinstance(value, MemoryFit):
        parts = [name for name, one in vars(MemoryFit).items() if isinstance(one, property)]
        return {**value._asdict(), **{name: getattr(value, name) for name in parts}}
    if isinstance(value, Wait):
        return {**value.kind._asdict(), "seconds": value.seconds, "hidden": value.hidden}
    return [_plain(one) for one in value] if isinstance(value, tuple) else value


def does_not_fit_message(result: Estimate) -> str:
    """Say in one line, in Japanese, what is needed, what there is, and what to do.

    Examples
    --------
    >>> print(does_not_fit_message(estimate("gemma-3-27b", "rtx-3060")))  # doctest: +ELLIPSIS
    メモリに入りません: model gemma-3-27b（weights q4_k_m、batch_size 1、context_length 0）には ...
    """
    host = result.host_fit
    if host and host.verdict == DOES_NOT_FIT and result.fit.verdict != DOES_NOT_FIT:
        return (
            f"主記憶に入りません: model {result.model.id} のうち CPU の側に置く {gibibytes(host.required_bytes)} に対し、"
            f"主記憶 {gibibytes(host.capacity_bytes)} のうち使えるのは {available_text(host)} です。"
        )
    heading = "メモリに入りません" if result.fits is False else "メモリに入るかどうか、きわどい量です"
    count = f" {result.devices} 台" if result.devices > 1 else ""
    fit = result.fit
    return (
        f"{heading}: model {result.model.id}（weights {result.weights.id}、"
        f"batch_size {result.batch_size}、context_length {result.context_length}）には "
        f"{gibibytes(fit.required_bytes)} が必要ですが、"
        f"device {result.device.id}{count} のメモリ {gibibytes(fit.capacity_bytes)} のうち"
        f"使えるのは {available_text(fit)} です。{''.join(result.remedies)}"
    )


def available_text(fit: MemoryFit) -> str:
    """Write how much is left for a model, in Japanese: one amount, or a range."""
    least, most = gibibytes(fit.available_least_bytes), gibibytes(fit.available_most_bytes)
    return least if least == most else f"{least} から {most}"


def formats_of(engine: Engine, backend: str) -> list[WeightFormat]:
    """Return the formats of files that an engine reads with a backend, in the order of the table.

    Those that are mixed anew for each model are not among them: nobody knows whether there is such a file.
    """
    return [
        one
        for one in weight_formats()
        if engine.reads_with(backend, one)
        and (one.packing or one.bits_per_weight >= PUBLISHED_BITS)
        and not one.spread
        and one.id not in TERNARY_FORMATS
    ]


def estimate(
    model: str | Model,
    device: str | Device,
    *,
    weights: str | WeightFormat | None = None,
    batch_size: int = 1,
    context_length: int = 0,
    engine: str | Engine = "llama.cpp",
    backend: str | None = None,
    devices: int = 1,
    split: str = "pipeline",
    prompt_length: int | None = None,
    kv_cache: str | WeightFormat = _FP16,
    gpu_layers: int | None = None,
    cpu_moe_layers: int | None = None,
    host: str | float | Host | None = None,
) -> Estimate:
    """Estimate how fast a model runs on a device, and how sure that is.

    Parameters
    ----------
    model : str or Model
        Name in any usual spelling, or an object of your own; a name may say
        the weight format, too: ``"Qwen3-8B-Q4_K_M.gguf"``.
    device : str or Device
        Name in any usual spelling, or an object of your own.
    weights : str or WeightFormat, optional
        How the weights are stored; by default what the model's name says, else
        as the model is usually run with that engine, which the notes then say.
    batch_size : int
        Sequences that advance together, from 1.
    context_length : int
        Tokens already in the cache of each sequence when the token is
        decoded, from 0.
    engine : str or Engine
        One of `hayasa.ENGINES`, such as ``"llama.cpp"``, ``"ollama"``, ``"mlx"``
        or ``"vllm"``; ``"ideal"`` for physics alone.
    backend : str, optional
        What it computes with, among what it has on that device: ``"cuda"``,
        ``"vulkan"``, ``"rocm"``, ``"sycl"``, ``"metal"``, ``"mlx"``, ``"cpu"``,
        ``"tpu"``, ``"neuron"`` or ``"hpu"``; by default the usual one there.
    devices : int
        How many devices, all alike, from 1.
    split : {"pipeline", "tensor"}
        Layers dealt out over the devices, or every matrix cut over them.
    prompt_length : int, optional
        Tokens of the prompt for prefill and time to first token; by default
        `context_length`, or 512 if that is 0.
    kv_cache : str or WeightFormat
        How keys and values are stored, by default in 16 bits.
    gpu_layers : int, optional
        How many layers the device gets, as llama.cpp's ``--n-gpu-layers``
        counts them: the output matrix is the first of them, so all is there
        from one more than the model's layers on, which is the default.
    cpu_moe_layers : int, optional
        In how many of the first layers the experts stay in the host's memory
        (``--n-cpu-moe``); 0 by default.
    host : str, float or Host, optional
        The computer's own memory, for the part that is left to it:
        ``"ddr5-5600 x2"``, ``"Ryzen 9 7950X 64GB"``, a measured bandwidth in
        bytes per second, or the speed of this very model on the processor
        alone, ``"2.9 tok/s"``.  Without `gpu_layers` and `cpu_moe_layers` the
        device gets as much as fits, experts last.

    Returns
    -------
    Estimate
        Bound, best estimate, interval, and what they were computed from.

    Raises
    ------
    UnknownNameError
        If a name is not listed; near ones are proposed.
    InvalidValueError
        If a number is out of range, or the engine does not run on the device,
        has no such backend there, or reads no such weights or cache; what can
        be taken instead is in the message.
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
    model, named, device, engine, kv_cache = _objects(model, device, engine, kv_cache)
    if backend is not None:
        require_choice("backend", backend, BACKENDS)
    backends = ("",) if engine.id == "ideal" else backends_to_choose(engine, device, backend)
    remarks: list[str] = []
    weights = _weights(weights, model, named, engine, backends, remarks)
    if weights.spread:
        percent = significant(100 * weights.spread, 2)
        remarks.append(f"{weights.id} の混ぜ方はモデルごとに違うので、大きさが ±{percent}% ほど違うことがあります。")
    backend = "" if engine.id == "ideal" else backend_that_reads(engine, backends, weights, kv_cache, device)
    batch_size = require_integer("batch_size", batch_size, 1, MAX_BATCH_SIZE)
    context_length = require_integer("context_length", context_length, 0, MAX_CONTEXT_LENGTH)
    devices = require_integer("devices", devices, 1, MAX_DEVICES)
    placement = None
    if gpu_layers is not None or cpu_moe_layers is not None or host is not None:
        placement = require_split(model, device, engine, backend, gpu_layers, cpu_moe_layers)
        host = _host(host)
        if gpu_layers is None and cpu_moe_layers is None:
            least = split_that_fits(
                model,
                device,
                weights,
                batch_size=batch_size,
                context_length=context_length,
                bytes_per_value=kv_cache.bytes_per_cached_value,
                engine=engine,
                backend=backend,
                devices=devices,
            )
            if least is not None:
                placement = placement_of(model, least.gpu_layers, least.cpu_moe_layers)
                if placement.leaves_something:
                    remarks.append(f"分け方の指定がないので、GPU に入るだけ入れました（{least.options}）。")
    require_choice("split", split, SPLITS)
    if prompt_length is None:
        prompt_length = context_length or DEFAULT_PROMPT_LENGTH
    else:
        prompt_length = require_integer("prompt_length", prompt_length, 1, MAX_CONTEXT_LENGTH)
    chosen = None
    if engine.id != "ideal":
        several = split if devices > 1 else ""
        chosen = choose_calibration(
            engine,
            device,
            weights,
            backend,
            has_shape=model.has_shape,
            new_mixers=model.has_new_mixers,
            experts=model.has_experts,
            batched=batch_size > 1,
            split=several,
        )

    work = step_work(model, weights, kv_cache, batch_size, context_length)
    offload, here = None, work
    if placement is not None and placement.leaves_something and isinstance(host, Host):
        offload = offload_of(
            model, weights, kv_cache, engine, backend, host, placement, work, batch_size, context_length
        )
        here = work.without(offload.part.work)
        if chosen is not None:
            chosen = with_host(chosen, offload, batch_size)
    together = devices if split == "tensor" else 1  # devices that work at the same time
    memory_s = (here.weight_bytes + here.kv_bytes) / device.memory_bandwidth_bytes_per_s / together
    compute_s = _compute_s(here.weight_flop + here.attention_flop, device, weights) / together
    bound_s = max(memory_s, compute_s)
    if chosen is None:
        waits = ideal_waits(here, memory_s, compute_s)
    else:
        waits = calibrated_waits(chosen, here, compute_s, bound_s, batch_size, devices, split, layer_count(model))
    if offload is not None:
        # The host works while the device waits for it, and the other way round.
        memory_s += offload.bound_s()
        bound_s += offload.bound_s()
        waits += offload.step_waits()
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
        work=work,
        waits=tuple(waits),
        memory_latency_s=memory_s,
        compute_latency_s=compute_s,
        # The waits add up to the bound where there is nothing else, but for the last digit.
        step_latency_s=bound_s if chosen is None else max(step_s(waits), bound_s),
        chosen=chosen,
        backend=backend,
        remarks=tuple(remarks),
        offload=offload,
    )


def _host(host: str | float | Host | None) -> Host:
    """Return the host that was asked for; without one nothing can be said of what lies there."""
    if host is None:
        raise InvalidValueError(
            "gpu_layers と cpu_moe_layers は、host（主記憶）と一緒に指定してください。"
            "例: ddr5-5600 x2、Ryzen 9 7950X 64GB、実測した帯域幅。"
        )
    return host if isinstance(host, Host) else get_host(host)


def _objects(
    model: str | Model,
    device: str | Device,
    engine: str | Engine,
    kv_cache: str | WeightFormat,
) -> tuple[Model, str, Device, Engine, WeightFormat]:
    """Turn every name into its object, and refuse what is neither; a model's may say its weight format, too."""
    named = ""
    if not isinstance(model, Model):
        model, named = get_named_model(model)
    if not isinstance(device, Device):
        device = get_device(device)
    if not isinstance(engine, Engine):
        engine = get_engine(engine)
    if not isinstance(kv_cache, WeightFormat):
        kv_cache = get_weight_format(kv_cache, argument="kv_cache")
    return model, named, device, engine, kv_cache


def _weights(
    weights: str | WeightFormat | None,
    model: Model,
    named: str,
    engine: Engine,
    backends: tuple[str, ...],
    remarks: list[str],
) -> WeightFormat:
    """Settle how the weights are stored, and remark on what was not asked for."""
    if weights is None and named:
        weights = get_weight_format(named)
    elif weights is None:
        usual = _usual_weights(model, engine, backends[0])
        remarks.append(f"形式の指定がないので、{usual.id} で答えました。")
        return usual
    if not isinstance(weights, WeightFormat):
        weights = get_weight_format(weights)
    if named and not _agree(get_weight_format(named), weights):
        raise InvalidValueError(
            f"weights {weights.id} は、model の名前が言う形式 {get_weight_format(named).id} と違います。"
            "どちらか一方で指定してください。"
        )
    meant = _meant(weights, engine, backends)
    if meant is None:
        return weights
    if meant.id != weights.id:
        remarks.append(f"{engine.id} で {weights.id} と呼ばれるのは {meant.id} です。")
    return meant


def _agree(named: WeightFormat, weights: WeightFormat) -> bool:
    """Tell whether two formats may be one: only names of GGUF files say all of it, others leave out the groups."""
    if named.packing != weights.packing or named.packing == "gguf":
        return named.id == weights.id
    return int(named.bits_per_weight) == int(weights.bits_per_weight)


def _usual_weights(model: Model, engine: Engine, backend: str) -> WeightFormat:
    """Return the format that a model is usually run in with an engine."""
    # Who reads anything is asked beside llama.cpp.
    reader = engine if engine.usual_formats else ENGINES["llama.cpp"]
    for id_ in (model.usual_format, *reader.usual_formats):
        meant = _meant(get_weight_format(id_), reader, (backend,)) if id_ else None
        if meant is not None:
            return meant
    return get_weight_format("bf16")


@lru_cache(maxsize=4096)
def _meant(weights: WeightFormat, engine: Engine, backends: tuple[str, ...]) -> WeightFormat | None:
    """Return what the name of a format means to an engine; None if it reads nothing of that name."""
    cautious = [packing for packing, _ in engine.cautions]
    found: WeightFormat | None = None
    while True:
        if any(engine.reads_with(backend, weights) for backend in backends):
            # What it was made for comes before what it reads as well.
            if weights.packing not in cautious:
                return weights
            found = found or weights
        if not weights.elsewhere:
            return found
        weights = get_weight_format(weights.elsewhere)


def _compute_s(flop: float, device: Device, weights: WeightFormat) -> float:
    """Least time for so much work; 0 where the device's peak is unknown."""
    peak = device.peak_flop_per_s(weights.compute_format)
    return flop / peak if peak else 0.0
