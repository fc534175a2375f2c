"""One question, one answer: the speed of a model on a device.

`estimate` puts the pieces together.  The bound is physics, the best estimate
is the bound corrected by what was measured, and the interval says how sure
that is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import lru_cache
from typing import NamedTuple

from ..catalog.hosts import get_host
from ..catalog.objects import get_device, get_named_model, get_weight_format, weight_formats
from ..engine.buffers import memory_of
from ..engine.builds import build_month
from ..engine.calibration import Calibration, ChosenCalibration, choose_calibration, chosen_together
from ..engine.engines import (
    BACKENDS,
    DEFAULT_ENGINE,
    ENGINES,
    Engine,
    backend_that_reads,
    backends_to_choose,
    get_engine,
)
from ..engine.waits import Wait
from ..errors import (
    MAX_BATCH_SIZE,
    MAX_CONTEXT_LENGTH,
    MAX_DEVICES,
    DoesNotFitError,
    InvalidValueError,
    require_choice,
    require_integer,
    require_non_negative,
    shown,
)
from ..machine.device import Device
from ..machine.host import Host
from ..machine.memory import memory_required_bytes
from ..machine.split import SPLITS, devices_at_a_time, joined_device, layer_shares, total
from ..model.kv_cache import CacheLayers, cache_layers
from ..model.placement import Placement, placement_of
from ..model.shape import Model
from ..model.weights import WeightFormat
from ..model.work import Work, work_at, work_without_context
from ..units import gibibytes, significant
from .fit import (
    DOES_NOT_FIT,
    FITS,
    MemoryFit,
    Remedy,
    max_batch_size,
    max_context_length,
    memory_fit,
    remedies,
    split_that_fits,
)
from .offload import Offload, offload_of, offloaded_prompt, require_split, with_host
from .prompt import PromptTime, dealt_prompt, prompt_time
from .step import ReadyWaits, calibrated_waits, dealt_waits, ideal_waits, message_waits, ready_waits, step_s

DEFAULT_PROMPT_LENGTH = 512
"""Tokens of the prompt where neither a prompt nor a context is given."""

PUBLISHED_BITS = 16
"""Bits of a number as models are published: fewer are packed in some way."""

TERNARY_FORMATS = ("tq1_0", "tq2_0")
"""Formats for models that were trained in three values: of any other they keep nothing."""

_FP16 = WeightFormat(id="f16", bits_per_weight=16)


class DealtPart(NamedTuple):
    """What one of several unlike devices does of a step.

    Parameters
    ----------
    alone : Estimate
        What the device would do on its own with the whole model.
    fraction : float
        Share of the layers that it has.
    """

    alone: Estimate
    fraction: float

    @property
    def device(self) -> Device:
        """The device."""
        return self.alone.device

    @property
    def step_latency_s(self) -> float:
        """Seconds of a step that pass on it."""
        return self.fraction * self.alone.step_latency_s


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
        Tokens of the prompt, of each sequence, that the prefill figures are about.
    cached_tokens : int
        Tokens before the prompt that are in the cache already.
    micro_batch : int
        Tokens of prompts that are computed together; 0 for the engine's own number.
    devices : int
        How many devices.
    split : str
        One of `hayasa.machine.split.SPLITS`.
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
    build : str
        Month of the engine's build; empty for the newest that was measured.
    server : bool
        Whether the speed is what a client of a server sees.
    remarks : tuple of str
        How what the question left open was settled, in Japanese.
    parts : tuple of DealtPart
        Unlike devices, each with its share; `device` then is all of them as
        one.  Empty where all are alike.
    link_latency_s : float or None
        Seconds of a message between machines; None within one.
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
    cached_tokens: int
    micro_batch: int
    devices: int
    split: str
    work: Work
    waits: tuple[Wait, ...]
    memory_latency_s: float
    compute_latency_s: float
    step_latency_s: float
    chosen: ChosenCalibration | None
    backend: str
    build: str
    server: bool
    remarks: tuple[str, ...]
    parts: tuple[DealtPart, ...] = ()
    link_latency_s: float | None = None
    offload: Offload | None = None

    def __repr__(self) -> str:
        low, high = self.decode_tokens_per_s_low, self.decode_tokens_per_s_high
        return (
            f"Estimate({self.model.id} {self.weights.id} on {'' if self.parts else f'{self.devices} x '}{self.device.id},"
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
        """Lower end of its 90 % interval, never less than physics allows."""
        if self.chosen is None:
            return self.bound_latency_s
        fast_s = self.step_latency_s / self.chosen.high_factor
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
        return self.device.memory_capacity_bytes * (1 if self.parts else self.devices)

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
            dealt=self._dealt,
        )

    def _placement(self) -> Placement | None:
        offload = self.offload
        return placement_of(self.model, offload.gpu_layers, offload.cpu_moe_layers) if offload else None

    @property
    def host_fit(self) -> MemoryFit | None:
        """The same of the host's memory; None if nothing lies there."""
        return self.offload.fit if self.offload else None

    @property
    def _dealt(self) -> tuple[tuple[Device, float], ...]:
        return tuple([(part.device, part.fraction) for part in self.parts])

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
            dealt=self._dealt,
        )
        return min(longest, self.model.context_length_max or longest)

    @property
    def remedies(self) -> tuple[str, ...]:
        """What makes it fit where it does not, or may not, in Japanese."""
        return tuple([one.text for one in self.ways_to_fit()])

    def ways_to_fit(self) -> tuple[Remedy, ...]:
        """Return the same with the options of ``hayasa estimate`` that say it."""
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
                dealt=self._dealt,
            )
        )

    @property
    def prompt_time(self) -> PromptTime | None:
        """How long it takes to read the prompts of all sequences, and why; None if unknown."""
        tokens = self.prompt_length * self.batch_size
        if not self.parts:
            time = self._prompt_time_on(self.device, self.backend, self.devices)
            return offloaded_prompt(time, self.offload, tokens) if time and self.offload else time
        return dealt_prompt(
            [(self._prompt_time_on(part.device, part.alone.backend, 1), part.fraction) for part in self.parts], tokens
        )

    def _prompt_time_on(self, device: Device, backend: str, devices: int) -> PromptTime | None:
        """Return the same of devices that are alike."""
        return prompt_time(
            self.model,
            device,
            self.weights,
            self.engine,
            backend,
            prompt_length=self.prompt_length,
            cached_tokens=self.cached_tokens,
            batch_size=self.batch_size,
            micro_batch=self.micro_batch,
            devices=devices,
            split=self.split,
        )

    def _prompt_speed(self, seconds: float | None) -> float | None:
        """Return the tokens per second of all prompts in so many seconds."""
        return self.prompt_length * self.batch_size / seconds if seconds else None

    @property
    def prefill_waits(self) -> tuple[Wait, ...]:
        """Why reading the prompt takes its time; empty if that is unknown."""
        time = self.prompt_time
        return time.waits if time else ()

    @property
    def prefill_tokens_per_s_bound(self) -> float | None:
        """Tokens per second of reading the prompts, all sequences together, that physics allows; None if unknown."""
        time = self.prompt_time
        return self._prompt_speed(time.bound_s) if time else None

    @property
    def prefill_tokens_per_s(self) -> float | None:
        """Tokens per second of reading the prompts, all sequences together: the best estimate; None if unknown."""
        time = self.prompt_time
        return self._prompt_speed(time.best_s) if time else None

    @property
    def prefill_tokens_per_s_low(self) -> float | None:
        """Lower end of its 90 % interval; None if unknown."""
        time = self.prompt_time
        return self._prompt_speed(time.slow_s) if time else None

    @property
    def prefill_tokens_per_s_high(self) -> float | None:
        """Upper end of its 90 % interval; None if unknown."""
        time = self.prompt_time
        return self._prompt_speed(time.fast_s) if time else None

    @property
    def time_to_first_token_s(self) -> float | None:
        """Seconds until each sequence has its first token, if all prompts come at once; None if unknown."""
        time = self.prompt_time
        return time.best_s if time else None

    @property
    def time_to_first_token_s_low(self) -> float | None:
        """Shortest such time within the 90 % interval; None if unknown."""
        time = self.prompt_time
        return time.fast_s if time else None

    @property
    def time_to_first_token_s_high(self) -> float | None:
        """Longest such time within the 90 % interval; None if unknown."""
        time = self.prompt_time
        return time.slow_s if time else None

    @property
    def calibration(self) -> Calibration | None:
        """What corrected the bound; None for ``ideal``."""
        return self.chosen.calibration if self.chosen else None

    @property
    def notes(self) -> tuple[str, ...]:
        """What to know about this estimate, in Japanese."""
        notes = self.model.notes + self.device.notes + self.remarks + (self.chosen.notes if self.chosen else ())
        longest = self.model.context_length_max
        if longest and self.context_length > longest:
            notes += (f"文脈が、このモデルの上限 {longest:,} トークンを超えています。",)
        return notes + self._queue_notes

    @property
    def _queue_notes(self) -> tuple[str, ...]:
        """Say that sequences wait for each other, where a server has no room for the caches of all."""
        needs = memory_of(self.engine, self.backend)
        if self.batch_size == 1 or self.parts or needs.share_most == 1 or self.fits is not False:
            return ()
        room = max_batch_size(
            self.model,
            self.device,
            self.weights,
            context_length=max(1, self.context_length),
            devices=self.devices,
            bytes_per_value=self.kv_cache.bytes_per_cached_value,
            engine=self.engine,
            backend=self.backend,
        )
        if not room:
            return ()
        return (
            f"KV キャッシュが入るのは {min(room, self.batch_size)} 系列ほどまでです。残りの系列は順番を待つか、"
            "途中で止められて計算し直されるので、合計の速さはこの見積りより遅くなります。",
        )

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
        return {name: _plain(getattr(self, name)) for name in names if name not in ("work", "chosen", "prompt_time")}

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
    if isinstance(value, DealtPart):
        return {"device": value.device.id, "share": value.fraction, "step_latency_s": value.step_latency_s}
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
    count = f" {result.devices} 台" if result.devices > 1 and not result.parts else ""
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


def ask_again(
    result: Estimate,
    *,
    device: Device | None = None,
    batch_size: int | None = None,
    context_length: int | None = None,
) -> Estimate:
    """Ask the same question for another device, other sequences or another context; what lies where stays.

    Examples
    --------
    >>> once = estimate("llama-3.1-8b", "rtx-4090", weights="q4_k_m")
    >>> ask_again(once, batch_size=1, context_length=8192).step_latency_s > once.step_latency_s
    True
    """
    if result.parts:
        alone = [ask_again(part.alone, batch_size=batch_size, context_length=context_length) for part in result.parts]
        return _joined(alone, [part.fraction for part in result.parts], result.link_latency_s)
    offload = result.offload
    return estimate(
        result.model,
        device or result.device,
        weights=result.weights,
        batch_size=result.batch_size if batch_size is None else batch_size,
        context_length=result.context_length if context_length is None else context_length,
        engine=result.engine,
        backend=result.backend or None,
        devices=result.devices,
        split=result.split,
        prompt_length=result.prompt_length,
        cached_tokens=result.cached_tokens,
        micro_batch=result.micro_batch or None,
        kv_cache=result.kv_cache,
        build=result.build or None,
        server=result.server,
        link_latency_s=result.link_latency_s,
        gpu_layers=offload.gpu_layers if offload else None,
        cpu_moe_layers=offload.cpu_moe_layers if offload else None,
        host=offload.host if offload else None,
    )


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
    device: str | Device | None = None,
    *,
    weights: str | WeightFormat | None = None,
    batch_size: int = 1,
    context_length: int = 0,
    engine: str | Engine | None = None,
    backend: str | None = None,
    devices: int | Sequence[str | Device] = 1,
    device_shares: Sequence[float] | None = None,
    split: str = "pipeline",
    prompt_length: int | None = None,
    cached_tokens: int = 0,
    micro_batch: int | None = None,
    kv_cache: str | WeightFormat = _FP16,
    build: str | None = None,
    server: bool | None = None,
    link_latency_s: float | None = None,
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
        Name in any usual spelling, or an object of your own; nothing where
        `devices` names them.
    weights : str or WeightFormat, optional
        How the weights are stored; by default what the model's name says, else
        as the model is usually run with that engine, which the notes then say.
    batch_size : int
        Sequences that advance together, from 1.
    context_length : int
        Tokens already in the cache of each sequence when the token is
        decoded, from 0.
    engine : str or Engine, optional
        One of `hayasa.ENGINES`, such as ``"llama.cpp"``, ``"ollama"``, ``"mlx"``
        or ``"vllm"``; ``"ideal"`` for physics alone.  By default llama.cpp; where
        that does not run on the device, or reads no such weights, the first of
        them that does, which the notes then say: MLX for files of MLX on a Mac.
    backend : str, optional
        What it computes with, among what it has on that device: ``"cuda"``,
        ``"vulkan"``, ``"rocm"``, ``"sycl"``, ``"metal"``, ``"mlx"``, ``"cpu"``,
        ``"tpu"``, ``"neuron"`` or ``"hpu"``; by default the usual one there.
    devices : int or sequence of (str or Device)
        How many devices, all alike, from 1; or the devices themselves, in the
        order of the layers: ``["rtx-3090", "rtx-3060"]``.
    device_shares : sequence of float, optional
        What each of unlike devices takes of the layers, in any unit, like
        llama.cpp's ``--tensor-split``; by default in proportion to memory.
    split : {"pipeline", "tensor", "expert", "row"}
        Layers dealt out over the devices; every matrix cut over them; the same,
        but for experts, which are dealt out whole, as vLLM's
        ``--enable-expert-parallel`` does; or llama.cpp's old and slow way of
        cutting, its ``-sm row``.
    prompt_length : int, optional
        Tokens of the prompt for prefill and time to first token; by default
        what of `context_length` is not cached, or 512 if that is nothing.
    cached_tokens : int
        Tokens before the prompt that are in the cache already, such as an earlier
        conversation or a prefix that requests share: they are not read again,
        but attended to.
    micro_batch : int, optional
        Tokens of prompts that are computed together (llama.cpp's ``--ubatch-size``);
        by default the engine's own number.
    kv_cache : str or WeightFormat
        How keys and values are stored, by default in 16 bits.
    build : str, optional
        The engine's build: a month such as ``"2025-06"``, or a build of llama.cpp
        such as ``"b6100"``; by default the newest that was measured.
    server : bool, optional
        Whether the speed is what a client of a server sees, which also waits
        for the next token to be chosen from the vocabulary; by default what
        the engine usually is (`Engine.serves`).  ``llama-bench`` and
        ``mlx_lm.benchmark`` measure without.
    link_latency_s : float, optional
        Seconds until a message arrives where the devices are machines of their
        own, with what their programs take for it: about 1.7 ms as exo reached
        over Thunderbolt with TCP in 2026, and 40 µs as MLX reached with RDMA.  By
        default they are in one machine, and what was measured there counts.
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

    Two unlike cards: each has as many layers as its memory holds, one works after the other.

    >>> both = estimate("qwen3-32b", devices=["rtx-3090", "rtx-3060"])
    >>> [(part.device.id, round(part.fraction, 2)) for part in both.parts]
    [('rtx-3090', 0.67), ('rtx-3060', 0.33)]
    """
    if isinstance(devices, (list, tuple)):
        return _estimate_dealt(
            model,
            device,
            devices,
            device_shares,
            weights=weights,
            batch_size=batch_size,
            context_length=context_length,
            engine=engine,
            backend=backend,
            split=split,
            prompt_length=prompt_length,
            cached_tokens=cached_tokens,
            micro_batch=micro_batch,
            kv_cache=kv_cache,
            build=build,
            server=server,
            link_latency_s=link_latency_s,
            gpu_layers=gpu_layers,
            cpu_moe_layers=cpu_moe_layers,
            host=host,
        )
    if device_shares is not None:
        raise InvalidValueError("device_shares は、devices にデバイスを並べたときに指定できます。")
    if device is None:
        raise InvalidValueError(NO_DEVICE)
    is_open = engine is None
    model, named, device, weights, engine, kv_cache = _objects(model, device, weights, engine, kv_cache)
    if backend is not None:
        require_choice("backend", backend, BACKENDS)
    batch_size = require_integer("batch_size", batch_size, 1, MAX_BATCH_SIZE)
    context_length = require_integer("context_length", context_length, 0, MAX_CONTEXT_LENGTH)
    devices = require_integer("devices", devices, 1, MAX_DEVICES)  # type: ignore[arg-type]
    require_choice("split", split, SPLITS)
    if link_latency_s is not None:
        link_latency_s = require_non_negative("link_latency_s", link_latency_s, maximum=10.0)
        if devices == 1:
            raise InvalidValueError("link_latency_s は、devices が 2 台以上のときに指定できます。")
    cached_tokens = require_integer("cached_tokens", cached_tokens, 0, MAX_CONTEXT_LENGTH - 1)
    if prompt_length is None:
        prompt_length = max(0, context_length - cached_tokens) or DEFAULT_PROMPT_LENGTH
    prompt_length = require_integer("prompt_length", prompt_length, 1, MAX_CONTEXT_LENGTH - cached_tokens)
    micro_batch = 0 if micro_batch is None else require_integer("micro_batch", micro_batch, 1, MAX_CONTEXT_LENGTH)
    month = build_month(build)
    if server is None:
        server = engine.serves
    if server is not True and server is not False:
        raise InvalidValueError(f"server は True か False です（与えられた値: {shown(server)}）。")
    settled = _settle(
        model,
        named,
        device,
        weights,
        engine,
        backend,
        kv_cache,
        batch_size,
        devices,
        split,
        month,
        server,
        link_latency_s is not None,
        context_length > 0,
    )
    weights, chosen, together = settled.weights, settled.chosen, settled.together
    remarks = settled.remarks
    placement = None
    if gpu_layers is not None or cpu_moe_layers is not None or host is not None:
        placement = require_split(model, device, engine, settled.backend, gpu_layers, cpu_moe_layers)
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
                backend=settled.backend,
                devices=devices,
            )
            if least is not None:
                placement = placement_of(model, least.gpu_layers, least.cpu_moe_layers)
                if placement.leaves_something:
                    filled = f"分け方の指定がないので、GPU に入るだけ入れました（llama.cpp の {least.options}）。"
                    remarks = (*remarks, filled)

    work = work_at(settled.work, model, settled.groups, batch_size, context_length, settled.value_bytes)
    ready, offload, here = settled.ready, None, work
    if placement is not None and placement.leaves_something and isinstance(host, Host):
        offload = offload_of(
            model, weights, kv_cache, engine, settled.backend, host, placement, work, batch_size, context_length
        )
        here = work.without(offload.part.work)
        if chosen is not None:
            chosen = with_host(chosen, offload, batch_size)
            ready = ready_waits(chosen.paces, here.share(model, together, split))
    memory_s = (here.weight_bytes + here.kv_bytes) / device.memory_bandwidth_bytes_per_s / together
    # Nothing is known of the time that computing takes where the device's peak is unknown.
    flop_per_s = settled.flop_per_s
    compute_s = (here.weight_flop + here.attention_flop) / flop_per_s / together if flop_per_s else 0.0
    bound_s = max(memory_s, compute_s)
    if chosen is None:
        waits, best_s = ideal_waits(here, memory_s, compute_s), bound_s
    else:
        share = here.share(model, together, split)
        waits, best_s = calibrated_waits(
            chosen, ready, share, compute_s, bound_s, batch_size, devices, split, link_latency_s
        )
    if offload is not None:
        # The host works while the device waits for it, and the other way round.
        on_host = offload.step_waits()
        waits += on_host
        memory_s += offload.bound_s
        best_s = max(best_s + step_s(on_host), bound_s + offload.bound_s)
    # In the order of the fields: giving so many by name would take a tenth longer.
    return Estimate(
        model,
        device,
        weights,
        engine,
        kv_cache,
        batch_size,
        context_length,
        prompt_length,
        cached_tokens,
        micro_batch,
        devices,
        split,
        work,
        tuple(waits),
        memory_s,
        compute_s,
        best_s,
        chosen,
        settled.backend,
        month,
        server,
        (*remarks, _engine_text(engine)) if is_open and engine.id != DEFAULT_ENGINE else remarks,
        (),
        link_latency_s,
        offload,
    )


def _host(host: str | float | Host | None) -> Host:
    """Return the host that was asked for; without one nothing can be said of what lies there."""
    if host is None:
        raise InvalidValueError(
            "gpu_layers と cpu_moe_layers は、host（主記憶）と一緒に指定してください。"
            "例: ddr5-5600 x2、Ryzen 9 7950X 64GB、実測した帯域幅。"
        )
    return host if isinstance(host, Host) else get_host(host)


class Settled(NamedTuple):
    """What a question comes to, whatever the context: that of another length is only multiplied.

    Parameters
    ----------
    weights : WeightFormat
        How the weights are stored.
    backend : str
        What the engine computes with.
    remarks : tuple of str
        How what the question left open was settled, in Japanese.
    work : Work
        What a step reads and computes where the context is empty.
    groups : tuple of CacheLayers
        The layers that look back on the context.
    value_bytes : float
        Bytes of a cached value.
    chosen : ChosenCalibration or None
        What corrects the bound; None for ``ideal``.
    ready : ReadyWaits
        The waits that the context does not change.
    together : int
        How many of the devices work at the same time.
    flop_per_s : float
        Peak of a device; 0 if unknown.
    """

    weights: WeightFormat
    backend: str
    remarks: tuple[str, ...]
    work: Work
    groups: tuple[CacheLayers, ...]
    value_bytes: float
    chosen: ChosenCalibration | None
    ready: ReadyWaits
    together: int
    flop_per_s: float


@lru_cache(maxsize=4096)
def _settle(
    model: Model,
    named: str,
    device: Device,
    weights: WeightFormat | None,
    engine: Engine,
    backend: str | None,
    kv_cache: WeightFormat,
    batch_size: int,
    devices: int,
    split: str,
    month: str,
    server: bool,
    linked: bool,
    has_context: bool,
) -> Settled:
    """Settle what a question leaves open, and do what does not depend on the length of a context."""
    backends = ("",) if engine.id == "ideal" else backends_to_choose(engine, device, backend)
    remarks: list[str] = []
    weights = _weights(weights, model, named, engine, backends, remarks)
    if weights.spread:
        percent = significant(100 * weights.spread, 2)
        remarks.append(f"{weights.id} の混ぜ方はモデルごとに違うので、大きさが ±{percent}% ほど違うことがあります。")
    backend = "" if engine.id == "ideal" else backend_that_reads(engine, backends, weights, kv_cache, device)
    if split == "expert" and not model.experts:
        raise InvalidValueError(
            f"split expert は、専門家のあるモデルに使えます（model {model.id} にはありません）。"
        )
    chosen = None
    if engine.id != "ideal":
        chosen = choose_calibration(
            engine,
            device,
            weights,
            backend,
            has_shape=model.has_shape,
            new_mixers=model.has_new_mixers,
            batched=batch_size > 1,
            split=split if devices > 1 else "",
            build=month,
            server=server,
            linked=linked,
        )
    together = devices_at_a_time(split, devices)
    work = work_without_context(model, weights, batch_size)
    return Settled(
        weights,
        backend,
        tuple(remarks),
        work,
        cache_layers(model) if has_context else (),
        kv_cache.bytes_per_cached_value,
        chosen,
        ready_waits(chosen.paces if chosen else (), work.share(model, together, split)),
        together,
        device.peak_flop_per_s(weights.compute_format),
    )


NO_DEVICE = "device か、devices にデバイスの並びを指定してください。"
"""What is said where no device is given."""

MOST_UNLIKE_DEVICES = 64
"""Devices that can be named one by one."""


def _estimate_dealt(
    model: str | Model,
    device: str | Device | None,
    devices: Sequence[str | Device],
    shares: Sequence[float] | None,
    *,
    weights: str | WeightFormat | None,
    batch_size: int,
    context_length: int,
    engine: str | Engine | None,
    backend: str | None,
    split: str,
    prompt_length: int | None,
    cached_tokens: int,
    micro_batch: int | None,
    kv_cache: str | WeightFormat,
    build: str | None,
    server: bool | None,
    link_latency_s: float | None,
    gpu_layers: int | None,
    cpu_moe_layers: int | None,
    host: str | float | Host | None,
) -> Estimate:
    """Estimate for devices that are named one by one: alike ones as ever, unlike ones in a row."""
    if device is not None:
        raise InvalidValueError("device と、devices の並びとは、どちらか一方を指定してください。")
    count = len(devices)
    if not 1 <= count <= MOST_UNLIKE_DEVICES:
        raise InvalidValueError(
            f"devices には、デバイスを 1 個から {MOST_UNLIKE_DEVICES} 個まで並べてください（与えられた数: {count}）。"
        )
    members = [one if isinstance(one, Device) else get_device(one) for one in devices]
    alike = shares is None and all(one == members[0] for one in members)
    if not alike:
        if gpu_layers is not None or cpu_moe_layers is not None or host is not None:
            raise InvalidValueError(
                "gpu_layers、cpu_moe_layers、host は、同じデバイスを並べたときだけ使えます（与えられたデバイス: "
                f"{'、'.join([member.id for member in members])}）。"
            )
        require_choice("split", split, SPLITS)
        if split != "pipeline":
            raise InvalidValueError(f"split {split} は、同じデバイスを並べたときだけ使えます。")
        if backend is None:
            given = DEFAULT_ENGINE if engine is None else engine
            backend = _common_backend(given if isinstance(given, Engine) else get_engine(given), members)
    parts: list[Estimate] = []
    for member in members[:1] if alike else members:
        parts.append(
            estimate(
                model,
                member,
                # The others read the same file.
                weights=parts[0].weights if parts else weights,
                batch_size=batch_size,
                context_length=context_length,
                engine=parts[0].engine if parts else engine,
                backend=backend,
                devices=len(members) if alike else 1,
                split=split,
                prompt_length=prompt_length,
                cached_tokens=cached_tokens,
                micro_batch=micro_batch,
                kv_cache=kv_cache,
                build=build,
                server=server,
                link_latency_s=link_latency_s if alike else None,
                gpu_layers=gpu_layers,
                cpu_moe_layers=cpu_moe_layers,
                host=host,
            )
        )
    return parts[0] if alike else _joined(parts, layer_shares(members, shares), link_latency_s)


def _common_backend(engine: Engine, devices: Sequence[Device]) -> str | None:
    """Return what an engine computes with on all of unlike devices, if their usual backends differ."""
    backends = [engine.backends_on(device) for device in devices]
    if all(one[:1] == backends[0][:1] for one in backends):
        return None
    for backend in backends[0]:
        if all(backend in one for one in backends):
            return backend
    return None


def _joined(alone: Sequence[Estimate], shares: Sequence[float], link_latency_s: float | None) -> Estimate:
    """Return the estimate of unlike devices in a row, from what each would do on its own."""
    first = alone[0]
    dealt = [DealtPart(one, share) for one, share in zip(alone, shares, strict=True)]
    waits = dealt_waits([(part.alone.waits, part.fraction) for part in dealt])
    chosen = [one.chosen for one in alone if one.chosen is not None]
    messages = message_waits(chosen, len(alone), "pipeline", link_latency_s=link_latency_s)
    backends = dict.fromkeys([one.backend for one in alone])
    remarks = [*first.remarks, _shares_text(dealt, first.model)]
    if len(backends) > 1:
        remarks.append("デバイスごとに違うもので計算するので、RPC か、両方を組み込んだビルドが要ります。")
    return Estimate(
        model=first.model,
        device=joined_device([one.device for one in alone], shares),
        weights=first.weights,
        engine=first.engine,
        kv_cache=first.kv_cache,
        batch_size=first.batch_size,
        context_length=first.context_length,
        prompt_length=first.prompt_length,
        cached_tokens=first.cached_tokens,
        micro_batch=first.micro_batch,
        devices=len(alone),
        split=first.split,
        work=first.work,
        waits=(*waits, *messages),
        memory_latency_s=total([part.fraction * part.alone.memory_latency_s for part in dealt]),
        compute_latency_s=total([part.fraction * part.alone.compute_latency_s for part in dealt]),
        step_latency_s=total([*[part.step_latency_s for part in dealt], *[wait.seconds for wait in messages]]),
        chosen=chosen_together(chosen, linked=link_latency_s is not None) if chosen else None,
        backend="+".join([one for one in backends if one]),
        build=first.build,
        server=first.server,
        remarks=tuple(remarks),
        parts=tuple(dealt),
        link_latency_s=link_latency_s,
    )


def _shares_text(parts: Sequence[DealtPart], model: Model) -> str:
    """Say how the layers are dealt out, in Japanese."""
    said = [
        f"{part.device.name or part.device.id} に {significant(100 * part.fraction, 2)}%"
        + (f"（約 {round(part.fraction * model.layers)} 層）" if model.layers else "")
        for part in parts
    ]
    return f"層は、{'、'.join(said)}と分けて、順に計算するものとしました。"


def _objects(
    model: str | Model,
    device: str | Device,
    weights: str | WeightFormat | None,
    engine: str | Engine | None,
    kv_cache: str | WeightFormat,
) -> tuple[Model, str, Device, WeightFormat | None, Engine, WeightFormat]:
    """Turn every name into its object, and refuse what is neither; a model's may say its weight format, too."""
    named = ""
    if not isinstance(model, Model):
        model, named = get_named_model(model)
    if not isinstance(device, Device):
        device = get_device(device)
    if weights is not None and not isinstance(weights, WeightFormat):
        weights = get_weight_format(weights)
    if engine is None:
        engine = usual_engine(device, get_weight_format(named) if named and weights is None else weights)
    elif not isinstance(engine, Engine):
        engine = get_engine(engine)
    if not isinstance(kv_cache, WeightFormat):
        kv_cache = get_weight_format(kv_cache, argument="kv_cache")
    return model, named, device, weights, engine, kv_cache


def _weights(
    weights: WeightFormat | None,
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


@lru_cache(maxsize=4096)
def usual_engine(device: Device, weights: WeightFormat | None) -> Engine:
    """Return the first engine that runs on a device and reads such weights; the usual one if none does.

    Examples
    --------
    >>> mac, card = get_device("m4-max"), get_device("rtx-4090")
    >>> [usual_engine(mac, get_weight_format(id_)).id for id_ in ("q4_k_m", "mlx-q4")]
    ['llama.cpp', 'mlx']
    >>> [usual_engine(card, get_weight_format(id_)).id for id_ in ("awq-int4-g128", "exl3-4.0bpw")]
    ['vllm', 'exllamav3']
    """
    for engine in ENGINES.values():
        backends = engine.backends_on(device)
        if backends and (weights is None or _meant(weights, engine, backends) is not None):
            return engine
    return ENGINES[DEFAULT_ENGINE]


def _engine_text(engine: Engine) -> str:
    """Say what runs it where nobody said, in Japanese."""
    return f"エンジンの指定がないので、このデバイスでこの形式を動かせる {engine.id} で答えました。"


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
