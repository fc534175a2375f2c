"""Whether a model fits: one function decides, and whoever asks hears the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from ..engine.buffers import memory_of
from ..engine.engines import Engine, get_engine
from ..engine.offload import COMPUTES, way_of
from ..errors import (
    MAX_BATCH_SIZE,
    MAX_CONTEXT_LENGTH,
    MAX_LAYERS,
    InvalidValueError,
    require_integer,
    require_positive,
    require_tuple,
    shown,
)
from ..machine.device import Device
from ..machine.memory import memory_available_bytes
from ..machine.reserve import reserve_of
from ..machine.split import total
from ..model.kv_cache import FP16_BYTES, kv_cache_bytes, state_bytes
from ..model.placement import Placement, host_weight_bytes, placement_of
from ..model.shape import Model
from ..model.weights import WeightFormat, weight_bytes
from ..units import GIB, gibibytes

FITS = "fits"
TIGHT = "tight"
DOES_NOT_FIT = "does_not_fit"


class MemoryFit(NamedTuple):
    """What has to lie in memory and what there is, all devices together, in bytes.

    Parameters
    ----------
    weights_bytes : float
        Weights that lie in the devices' memory.
    kv_cache_bytes, state_bytes : float
        KV cache of all sequences, and the state of layers that keep one instead.
    buffer_bytes : float
        What the engine needs beside.
    capacity_bytes : float
        Memory of the devices; 0 if unknown.
    kept_least_bytes, kept_most_bytes : float
        What the system, and what else runs, keep of it: at least, and as
        things usually are.
    kept_by : str
        Who keeps it, in Japanese.
    remedy : str
        How a reader makes it less, in Japanese.
    """

    weights_bytes: float
    kv_cache_bytes: float
    state_bytes: float
    buffer_bytes: float
    capacity_bytes: float
    kept_least_bytes: float
    kept_most_bytes: float
    kept_by: str
    remedy: str

    @property
    def required_bytes(self) -> float:
        """Bytes that are needed."""
        return self.weights_bytes + self.kv_cache_bytes + self.state_bytes + self.buffer_bytes

    @property
    def available_least_bytes(self) -> float:
        """Bytes that are left for it as things usually are."""
        return max(0.0, self.capacity_bytes - self.kept_most_bytes)

    @property
    def available_most_bytes(self) -> float:
        """Bytes that are left for it at best."""
        return max(0.0, self.capacity_bytes - self.kept_least_bytes)

    @property
    def left_bytes(self) -> float:
        """Bytes that remain free as things usually are; below 0 if so much is missing."""
        return self.available_least_bytes - self.required_bytes

    @property
    def verdict(self) -> str | None:
        """``"fits"``, ``"tight"`` or ``"does_not_fit"``; None if the capacity is unknown.

        It is tight where it depends on what else the memory is used for.
        """
        if not self.capacity_bytes:
            return None
        if self.required_bytes <= self.available_least_bytes:
            return FITS
        return TIGHT if self.required_bytes <= self.available_most_bytes else DOES_NOT_FIT


def memory_fit(
    model: Model,
    device: Device,
    weights: WeightFormat,
    *,
    batch_size: int = 1,
    context_length: int = 0,
    bytes_per_value: float = FP16_BYTES,
    engine: str | Engine = "llama.cpp",
    backend: str = "",
    devices: int = 1,
    screen: bool | None = None,
    placement: Placement | None = None,
    dealt: tuple[tuple[Device, float], ...] = (),
) -> MemoryFit:
    """Weigh what a model needs against what its devices have.

    Parameters
    ----------
    model : Model
        Any model; its shape must be known if `context_length` is not 0.
    device : Device
        One of the devices, all alike.
    weights : WeightFormat
        How the model is stored.
    batch_size : int
        Sequences, each with a cache of its own.
    context_length : int
        Tokens in the cache of each sequence.
    bytes_per_value : float
        Bytes per cached value.
    engine : str or Engine
        What runs it; ``"ideal"`` needs no buffers and has all memory to itself.
    backend : str
        What the engine computes with, if that is known.
    devices : int
        How many devices share model and cache evenly.
    screen : bool, optional
        Whether a screen, and whatever else is usual, takes its part of the
        memory; by default that is left open.
    placement : Placement, optional
        What lies in the host's memory instead, from `placement_of`; by
        default nothing.
    dealt : tuple of (Device, float)
        Unlike devices, each with its share of the layers, in the place of
        `device` and `devices`.

    Returns
    -------
    MemoryFit
        Each part, and the verdict.

    Raises
    ------
    InvalidValueError
        If a number is out of range.

    Examples
    --------
    Whether 12 GB hold the 20 billion parameters of gpt-oss is a question of the screen:

    >>> from hayasa import get_device, get_model, get_weight_format
    >>> gpt_oss, card = get_model("gpt-oss-20b"), get_device("rtx-3060")
    >>> mxfp4 = get_weight_format("mxfp4")
    >>> for screen in (None, True, False):
    ...     print(memory_fit(gpt_oss, card, mxfp4, context_length=4096, screen=screen).verdict)
    tight
    does_not_fit
    fits
    """
    if not isinstance(engine, Engine):
        engine = get_engine(engine)
    if dealt != ():
        _require_dealt(dealt)
        alone = [
            memory_fit(
                model,
                one,
                weights,
                batch_size=batch_size,
                context_length=context_length,
                bytes_per_value=bytes_per_value,
                engine=engine,
                backend=backend,
                screen=screen,
            )
            for one, _ in dealt
        ]
        return _dealt_fit(alone, [share for _, share in dealt])
    capacity = memory_available_bytes(device, devices)
    needs, stored = memory_of(engine, backend), weight_bytes(model, weights)
    # Of a bare number of parameters nobody knows which are an embedding.
    is_split = needs.embedding_on_host and not device.shares_memory and model.has_shape
    on_host = stored.embedding_bytes if is_split else 0.0
    cache = kv_cache_bytes(model, context_length, batch_size=batch_size, bytes_per_value=bytes_per_value)
    state = state_bytes(model) * batch_size
    if placement is not None and placement.leaves_something:
        on_host += host_weight_bytes(model, weights, placement).resident_bytes
        if way_of(engine, needs.embedding_on_host) == COMPUTES:
            cache -= kv_cache_bytes(
                model,
                context_length,
                batch_size=batch_size,
                bytes_per_value=bytes_per_value,
                first_layers=placement.host_layers,
            )
            state -= state_bytes(model, placement.host_layers) * batch_size
    reserve = reserve_of(device)
    kept = [
        max(reserve.least_bytes(device) * devices, (1 - needs.share_most) * capacity),
        max(reserve.most_bytes(device) * devices, (1 - needs.share_least) * capacity),
    ]
    if engine.id == "ideal":
        kept = [0.0, 0.0]
    return MemoryFit(
        weights_bytes=stored.resident_bytes - on_host,
        kv_cache_bytes=cache - state,
        state_bytes=state,
        buffer_bytes=needs.buffers(model, context_length) * devices,
        capacity_bytes=capacity,
        kept_least_bytes=kept[1] if screen is True else kept[0],
        kept_most_bytes=kept[0] if screen is False else kept[1],
        kept_by=reserve.name,
        remedy=reserve.remedy,
    )


def _require_dealt(dealt: tuple[tuple[Device, float], ...]) -> None:
    """Refuse what is no row of devices with their shares."""
    require_tuple("dealt", dealt)
    for pair in dealt:
        if not isinstance(pair, tuple) or len(pair) != 2 or not isinstance(pair[0], Device):
            raise InvalidValueError(
                f"dealt は、デバイスと、その受け持ちとの組の並びで指定してください（与えられた値: {shown(pair)}）。"
            )
        require_positive("dealt", pair[1], maximum=1.0)


def _dealt_fit(alone: Sequence[MemoryFit], shares: Sequence[float]) -> MemoryFit:
    """Return what devices hold together, from what each would hold of the whole model.

    Where the first of them is full, the layers fit no more: what the others
    have left over is of no use, and is counted as kept.
    """
    parts = list(zip(alone, shares, strict=True))
    capacity, buffers = total([fit.capacity_bytes for fit in alone]), total([fit.buffer_bytes for fit in alone])
    least = [(fit.available_least_bytes - fit.buffer_bytes) / share for fit, share in parts]
    most = [(fit.available_most_bytes - fit.buffer_bytes) / share for fit, share in parts]
    fullest, _ = min(zip(alone, least, strict=True), key=lambda pair: pair[1])
    is_known = all(fit.capacity_bytes for fit in alone)
    return MemoryFit(
        weights_bytes=total([share * fit.weights_bytes for fit, share in parts]),
        kv_cache_bytes=fullest.kv_cache_bytes,
        state_bytes=fullest.state_bytes,
        buffer_bytes=buffers,
        capacity_bytes=capacity if is_known else 0.0,
        kept_least_bytes=capacity - buffers - min(most),
        kept_most_bytes=capacity - buffers - min(least),
        kept_by=f"{fullest.kept_by}と分け方",
        remedy=fullest.remedy,
    )


def max_context_length(
    model: Model,
    device: Device,
    weights: WeightFormat,
    *,
    batch_size: int = 1,
    devices: int = 1,
    bytes_per_value: float = FP16_BYTES,
    engine: str | Engine = "llama.cpp",
    backend: str = "",
    screen: bool | None = None,
    tight: bool = False,
    placement: Placement | None = None,
    dealt: tuple[tuple[Device, float], ...] = (),
) -> int:
    """Longest context per sequence for which everything fits.

    Parameters
    ----------
    model : Model
        A model whose shape is known.
    device : Device
        One of the devices, with a known capacity.
    weights : WeightFormat
        How the model is stored.
    batch_size : int
        Sequences, each with a cache of its own.
    devices : int
        How many devices share model and cache evenly.
    bytes_per_value : float
        Bytes per cached value.
    engine : str or Engine
        What runs it, as for `memory_fit`.
    backend : str
        What the engine computes with, as for `memory_fit`.
    screen : bool, optional
        Whether a screen takes its part, as for `memory_fit`.
    tight : bool
        Whether a tight fit counts too.
    placement : Placement, optional
        What lies in the host's memory instead, as for `memory_fit`.
    dealt : tuple of (Device, float)
        Unlike devices, as for `memory_fit`.

    Returns
    -------
    int
        Tokens; -1 if not even the weights fit.

    Raises
    ------
    InvalidValueError
        If a number is out of range.

    Examples
    --------
    >>> llama = Model(id="l", layers=32, hidden_size=4096, attention_heads=32, kv_heads=8,
    ...               head_dim=128, intermediate_size=14336, vocab_size=128256)
    >>> f16 = WeightFormat(id="f16", bits_per_weight=16)
    >>> gpu = Device(id="g", memory_bandwidth_bytes_per_s=1e12, memory_capacity_bytes=24e9)
    >>> (24e9 - weight_bytes(llama, f16).resident_bytes) // 131072
    60573.0
    >>> max_context_length(llama, gpu, f16, engine="ideal")
    60573
    """

    def fits(tokens: int) -> bool:
        fit = memory_fit(
            model,
            device,
            weights,
            batch_size=batch_size,
            context_length=tokens,
            bytes_per_value=bytes_per_value,
            engine=engine,
            backend=backend,
            devices=devices,
            screen=screen,
            placement=placement,
            dealt=dealt,
        )
        return fit.required_bytes <= (fit.available_most_bytes if tight else fit.available_least_bytes)

    return _largest(fits, MAX_CONTEXT_LENGTH)


def max_batch_size(
    model: Model,
    device: Device,
    weights: WeightFormat,
    *,
    context_length: int,
    devices: int = 1,
    bytes_per_value: float = FP16_BYTES,
    engine: str | Engine = "llama.cpp",
    backend: str = "",
    screen: bool | None = None,
) -> int:
    """Most sequences of a context for which everything fits.

    Parameters
    ----------
    model : Model
        A model whose shape is known.
    device : Device
        One of the devices, with a known capacity.
    weights : WeightFormat
        How the model is stored.
    context_length : int
        Tokens in the cache of each sequence, at least 1.
    devices : int
        How many devices share model and cache evenly.
    bytes_per_value : float
        Bytes per cached value.
    engine : str or Engine
        What runs it, as for `memory_fit`.
    backend : str
        What the engine computes with, as for `memory_fit`.
    screen : bool, optional
        Whether a screen takes its part, as for `memory_fit`.

    Returns
    -------
    int
        Sequences; 0 if not even one fits.

    Raises
    ------
    InvalidValueError
        If a number is out of range.

    Examples
    --------
    One GiB per sequence beside 16.06 GB of weights, in 24 GB:

    >>> llama = Model(id="l", layers=32, hidden_size=4096, attention_heads=32, kv_heads=8,
    ...               head_dim=128, intermediate_size=14336, vocab_size=128256)
    >>> f16 = WeightFormat(id="f16", bits_per_weight=16)
    >>> gpu = Device(id="g", memory_bandwidth_bytes_per_s=1e12, memory_capacity_bytes=24e9)
    >>> max_batch_size(llama, gpu, f16, context_length=8192, engine="ideal")
    7
    """
    require_integer("context_length", context_length, 1, MAX_CONTEXT_LENGTH)

    def fits(sequences: int) -> bool:
        return (
            memory_fit(
                model,
                device,
                weights,
                batch_size=max(1, sequences),
                context_length=context_length if sequences else 0,
                bytes_per_value=bytes_per_value,
                engine=engine,
                backend=backend,
                devices=devices,
                screen=screen,
            ).left_bytes
            >= 0
        )

    return max(0, _largest(fits, MAX_BATCH_SIZE))


ENOUGH_CONTEXT = 1024
"""Tokens below which a context is of no use: no remedy proposes less."""

MOST_DEVICES = 16
"""Devices beyond which nobody builds: no remedy proposes more."""

GOOD_BITS = 4
"""Bits per weight below which answers are seen to be worse: llama.cpp's table has 11 % more perplexity at Q3_K_M."""

_Q8_0_BYTES = 34 / 32


class Remedy(NamedTuple):
    """One way to make a model fit.

    Parameters
    ----------
    text : str
        What it is, in Japanese.
    options : str
        The same as options of ``hayasa estimate``; empty if none says it.
    """

    text: str
    options: str


def remedies(
    fit: MemoryFit,
    model: Model,
    device: Device,
    weights: WeightFormat,
    formats: Iterable[WeightFormat],
    *,
    batch_size: int,
    context_length: int,
    bytes_per_value: float,
    engine: Engine,
    backend: str,
    devices: int,
    placement: Placement | None = None,
    dealt: tuple[tuple[Device, float], ...] = (),
) -> list[Remedy]:
    """Say what makes it fit: the least that has to be given up first.

    Parameters
    ----------
    fit : MemoryFit
        What `memory_fit` answered to all the rest.
    model, device, weights : Model, Device, WeightFormat
        What was asked about.
    formats : iterable of WeightFormat
        Formats that could be taken instead.
    batch_size, context_length, bytes_per_value, engine, backend, devices, placement, dealt
        As for `memory_fit`.

    Returns
    -------
    list of Remedy
        None where it fits, or where the capacity is unknown.
    """
    if fit.verdict in (FITS, None):
        return []

    def spare_bytes(device: Device, weights: WeightFormat, context_length: int, bytes_per_value: float) -> float:
        return memory_fit(
            model,
            device,
            weights,
            batch_size=batch_size,
            context_length=context_length,
            bytes_per_value=bytes_per_value,
            engine=engine,
            backend=backend,
            devices=devices,
            placement=placement,
            dealt=dealt,
        ).left_bytes

    found = [Remedy(fit.remedy, "")] if fit.verdict == TIGHT and fit.remedy else []
    smaller_cache = "q8_0" in engine.caches and bytes_per_value > _Q8_0_BYTES
    if context_length and smaller_cache and spare_bytes(device, weights, context_length, _Q8_0_BYTES) >= 0:
        found.append(Remedy("KV キャッシュを q8_0 にすると入ります。", "--kv-cache q8_0"))
    if context_length > ENOUGH_CONTEXT and spare_bytes(device, weights, ENOUGH_CONTEXT, bytes_per_value) >= 0:
        most = min(context_length, model.context_length_max or context_length)
        longest = _largest(lambda tokens: spare_bytes(device, weights, tokens, bytes_per_value) >= 0, most)
        found.append(Remedy(f"文脈を {longest:,} トークンまでにすると入ります。", f"--context {longest}"))
    smaller = [
        other
        for other in formats
        if weight_bytes(model, other).resident_bytes < weight_bytes(model, weights).resident_bytes
        and spare_bytes(device, other, context_length, bytes_per_value) >= 0
    ]
    if smaller:
        largest = max(smaller, key=lambda other: weight_bytes(model, other).resident_bytes)
        size = gibibytes(weight_bytes(model, largest).resident_bytes)
        price = "" if largest.bits_per_weight >= GOOD_BITS else "が、答えの質は落ちます"
        found.append(Remedy(f"重みを {largest.id}（{size}）にすると入ります{price}。", f"--weights {largest.id}"))
    larger = [
        option
        for option in (() if dealt else device.memory_options_bytes)
        if option > device.memory_capacity_bytes
        and spare_bytes(replace(device, memory_capacity_bytes=option), weights, context_length, bytes_per_value) >= 0
    ]
    if larger:
        size = f"{min(larger) / GIB:g}"
        found.append(Remedy(f"メモリが {size} GB のものなら入ります。", f"--memory {size}"))
    # Each further device brings its memory, less what is kept there and its own buffers.
    gain = (fit.available_least_bytes - fit.buffer_bytes) / devices
    if gain > 0 and not dealt:
        needed = int(-(-(fit.required_bytes - fit.buffer_bytes) // gain))
        if devices < needed <= MOST_DEVICES:
            found.append(Remedy(f"同じものが {needed} 台あれば、分けて入れられます。", f"--devices {needed}"))
    can_offload = memory_of(engine, backend).embedding_on_host and not (device.shares_memory or dealt)
    if fit.verdict == DOES_NOT_FIT and can_offload:
        split = split_that_fits(
            model,
            device,
            weights,
            batch_size=batch_size,
            context_length=context_length,
            bytes_per_value=bytes_per_value,
            engine=engine,
            backend=backend,
            devices=devices,
        )
        if split:
            what = "専門家" if split.cpu_moe_layers else "層"
            text = f"{what}の一部を CPU の側に置けば動きますが、そのぶん遅くなります（llama.cpp の {split.options}）。"
            found.append(Remedy(text, f'{split.options} --host "ddr5-5600 x2"'))
    return found


class Split(NamedTuple):
    """How many layers a device gets, in llama.cpp's words.

    Parameters
    ----------
    gpu_layers : int
        ``--n-gpu-layers``: layers on the device, the output matrix counted as the first.
    cpu_moe_layers : int
        ``--n-cpu-moe``: of how many of the first layers the experts stay on the host.
    """

    gpu_layers: int
    cpu_moe_layers: int

    @property
    def options(self) -> str:
        """The options of llama.cpp that say so."""
        if self.cpu_moe_layers:
            layers = "" if self.gpu_layers >= MAX_LAYERS else f"-ngl {self.gpu_layers} "
            return f"{layers}--n-cpu-moe {self.cpu_moe_layers}"
        return f"-ngl {self.gpu_layers}"


def split_that_fits(
    model: Model,
    device: Device,
    weights: WeightFormat,
    *,
    batch_size: int,
    context_length: int,
    bytes_per_value: float,
    engine: Engine,
    backend: str,
    devices: int,
    experts_first: bool = True,
) -> Split | None:
    """Return the split that leaves the least to the host and fits the devices for sure; None if there is none.

    Parameters
    ----------
    model, device, weights, batch_size, context_length, bytes_per_value, engine, backend, devices
        As for `memory_fit`.
    experts_first : bool
        Whether experts are left to the host before whole layers are.
    """
    if not (model.has_shape and device.memory_capacity_bytes):
        return None

    def fits(gpu_layers: int, cpu_moe_layers: int) -> bool:
        return (
            memory_fit(
                model,
                device,
                weights,
                batch_size=batch_size,
                context_length=context_length,
                bytes_per_value=bytes_per_value,
                engine=engine,
                backend=backend,
                devices=devices,
                placement=placement_of(model, gpu_layers, cpu_moe_layers),
            ).left_bytes
            >= 0
        )

    experts = 0
    if fits(MAX_LAYERS, 0):
        return Split(MAX_LAYERS, 0)
    if experts_first and model.moe_layers and way_of(engine, memory_of(engine, backend).embedding_on_host) == COMPUTES:
        experts = model.layers
        if fits(MAX_LAYERS, experts):
            on_device = _largest(lambda kept: fits(MAX_LAYERS, experts - kept), experts)
            return Split(MAX_LAYERS, experts - on_device)
    layers = _largest(lambda kept: fits(kept, experts), model.layers + 1)
    if layers < 0:
        return None
    return Split(layers, experts)


def _largest(fits: Callable[[int], bool], limit: int) -> int:
    """Return the largest number up to `limit` that fits, by bisection; -1 if none."""
    if not fits(0):
        return -1
    low, high = 0, limit + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low
