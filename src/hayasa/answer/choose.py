"""The question the other way round: which machine, which format, which model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from ..catalog.hosts import get_host
from ..catalog.objects import device_rows, get_device, get_model, model_rows
from ..engine.engines import DEFAULT_ENGINE, ENGINES, Engine, get_engine
from ..errors import MAX_DEVICES, InvalidValueError, require_integer, require_non_negative, shown
from ..machine.device import Device
from ..machine.host import Host
from ..machine.split import total
from ..model.shape import Model
from ..model.tensors import total_parameters
from ..model.weights import WeightFormat
from .estimate import NO_DEVICE, PUBLISHED_BITS, Estimate, estimate, formats_of, usual_engine
from .fit import split_that_fits

ANY = "any"
"""In place of a format: whichever suits."""

FEWEST_BITS = 3.0
"""Bits per weight below which a model loses so much that another one is the better choice: a judgement."""


def choose_devices(
    model: str | Model,
    among: Iterable[str | Device] = (),
    *,
    at_least_tokens_per_s: float = 0.0,
    **question: object,
) -> tuple[Estimate, ...]:
    """Tell which machines run a model, each with the least memory that does.

    Parameters
    ----------
    model : str or Model
        Name in any usual spelling, or an object of your own.
    among : iterable of str or Device
        Machines to choose from; by default all that are listed.
    at_least_tokens_per_s : float
        Speed that each sequence has to reach by the best estimate.
    **question
        Everything else that `estimate` takes by name.

    Returns
    -------
    tuple of Estimate
        Fastest first.  A machine whose memory nobody knows is among them, one
        that is too small is not.  Where `Estimate.decode_tokens_per_s_low` is
        below the speed, it is likely reached, but not sure.

    Raises
    ------
    UnknownNameError, InvalidValueError
        As for `estimate`, if it refuses every machine.

    Examples
    --------
    Llama 3.3 70B at 8 tokens per second, and the memory it takes:

    >>> found = choose_devices("llama-3.3-70b", ["m4 pro", "m4 max"], at_least_tokens_per_s=8)
    >>> [(one.device.id, one.device.memory_capacity_bytes / 2**30) for one in found]
    [('apple-m4-max-40c', 64.0)]
    """
    questions = (
        {**question, "model": model, "device": option}
        for device in _named(among) or device_rows()
        for option in _from_small_to_large(device)
    )
    by_device: dict[str, list[Estimate]] = {}
    for result in _fast_enough(questions, at_least_tokens_per_s):
        by_device.setdefault(result.device.id, []).append(result)
    best = [first_that_fits(options) for options in by_device.values()]
    return tuple(sorted((one for one in best if one), key=speed_per_sequence, reverse=True))


def choose_formats(
    model: str | Model,
    device: str | Device | None = None,
    *,
    at_least_tokens_per_s: float = 0.0,
    **question: object,
) -> tuple[Estimate, ...]:
    """Tell in which formats a model fits a machine, and how fast each is.

    Parameters
    ----------
    model : str or Model
        Name in any usual spelling, or an object of your own.
    device : str or Device
        Name in any usual spelling, or an object of your own; nothing where
        `devices` names unlike ones.
    at_least_tokens_per_s : float
        Speed that each sequence has to reach by the best estimate.
    **question
        Everything else that `estimate` takes by name.

    Returns
    -------
    tuple of Estimate
        Largest first, which is what keeps most of the model.

    Raises
    ------
    UnknownNameError, InvalidValueError
        As for `estimate`, if it refuses every format.

    Examples
    --------
    >>> found = choose_formats("gemma-3-27b", "rtx-3090", context_length=8192)
    >>> sure = [one.weights.id for one in found if one.fits]
    >>> "q5_k_m" in sure, "q8_0" in sure
    (True, False)
    """
    if "weights" in question:
        raise InvalidValueError("weights は choose_formats が選ぶものなので、指定できません。")
    questions = (
        {**question, "model": model, "device": device, "weights": weights} for weights in _stored(question, device)
    )
    # Two names may mean one format to an engine.
    found = {one.weights.id: one for one in _fast_enough(questions, at_least_tokens_per_s)}
    return tuple(sorted(found.values(), key=lambda one: one.memory_required_bytes, reverse=True))


def choose_models(
    device: str | Device | None = None,
    *,
    at_least_tokens_per_s: float = 0.0,
    weights: str | WeightFormat | None = ANY,
    **question: object,
) -> tuple[Estimate, ...]:
    """Tell which models a machine runs.

    Parameters
    ----------
    device : str or Device
        Name in any usual spelling, or an object of your own; nothing where
        `devices` names unlike ones.
    at_least_tokens_per_s : float
        Speed that each sequence has to reach by the best estimate.
    weights : str or WeightFormat, optional
        How they are stored; ``"any"`` takes, for each model, the format with
        the most bits, and no less than `FEWEST_BITS`, that fits and is fast
        enough.
    **question
        Everything else that `estimate` takes by name.

    Returns
    -------
    tuple of Estimate
        Fastest first.

    Raises
    ------
    UnknownNameError, InvalidValueError
        As for `estimate`, if it refuses every model.

    Examples
    --------
    >>> found = choose_models("rtx-3060", at_least_tokens_per_s=40, context_length=4096)
    >>> {one.model.id: one.weights.id for one in found}["llama-3.1-8b"]
    'q6_k_l'
    """
    if weights != ANY:
        questions = ({**question, "model": id_, "device": device, "weights": weights} for id_ in model_rows())
        return tuple(sorted(_fast_enough(questions, at_least_tokens_per_s), key=speed_per_sequence, reverse=True))
    formats = formats_to_try(_stored(question, device))
    best = [
        first_that_fits(_fast_enough(_in_formats(get_model(id_), device, formats, question), at_least_tokens_per_s))
        for id_ in model_rows()
    ]
    return tuple(sorted((one for one in best if one), key=speed_per_sequence, reverse=True))


def formats_to_try(stored: Iterable[WeightFormat]) -> list[WeightFormat]:
    """Return the formats in which a model keeps enough of itself, those with the most bits first."""
    enough = [one for one in stored if one.bits_per_weight >= FEWEST_BITS]
    return sorted(enough, key=lambda one: one.bits_per_weight, reverse=True)


def first_that_fits(results: Iterable[Estimate]) -> Estimate | None:
    """Return the first that is sure to fit, else the first that may fit; None if none does.

    Examples
    --------
    >>> found = [estimate("qwen3-32b", card) for card in ("rtx-3060", "rtx-4090", "rtx-5090")]
    >>> first_that_fits(found).device.id
    'rtx-4090'
    """
    may_fit = None
    for result in results:
        if result.fits:
            return result
        if may_fit is None and result.fits is not False:
            may_fit = result
    return may_fit


def speed_per_sequence(result: Estimate) -> float:
    """Tokens per second of each of the sequences that advance together."""
    return result.decode_tokens_per_s / result.batch_size


def _named(among: Iterable[str | Device]) -> list[str | Device]:
    """Return the machines to choose from; one alone is no row of letters."""
    if isinstance(among, (str, Device)):
        return [among]
    try:
        return list(among)
    except TypeError:
        raise InvalidValueError(f"among はデバイスの並びで指定してください（与えられた値: {shown(among)}）。") from None


def memory_of_machines(device: str | Device | None, question: dict[str, object]) -> float:
    """Return the memory of all devices of a question together, in bytes; 0 if it is unknown."""
    devices = question.get("devices", 1)
    if device is None:
        if not isinstance(devices, (list, tuple)):
            raise InvalidValueError(NO_DEVICE)
        members = [one if isinstance(one, Device) else get_device(one) for one in devices]
        sizes = [member.memory_capacity_bytes for member in members]
        return total(sizes) if all(sizes) else 0.0
    machine = device if isinstance(device, Device) else get_device(device)
    count: int = require_integer("devices", devices, 1, MAX_DEVICES)  # type: ignore[arg-type]
    return count * machine.memory_capacity_bytes


def _in_formats(
    model: Model, machine: str | Device | None, formats: Iterable[WeightFormat], question: dict[str, object]
) -> Iterator[dict[str, object]]:
    """Yield a question per format whose weights alone are not more than the whole memory."""
    capacity = memory_of_machines(machine, question)
    if question.get("host") is not None:
        host = question["host"]
        host = host if isinstance(host, Host) else get_host(host)  # type: ignore[arg-type]
        capacity = capacity + host.memory_capacity_bytes if host.memory_capacity_bytes else 0.0
    for weights in formats:
        if may_hold(capacity, model, weights):
            yield {**question, "model": model, "device": machine, "weights": weights}


def may_hold(capacity_bytes: float, model: Model, weights: WeightFormat) -> bool:
    """Tell whether the weights alone are not more than the whole memory; 0 bytes where nobody knows it."""
    least_bytes = total_parameters(model) * weights.bits_per_weight / 8
    # Some tensors may be stored in fewer bits than the format says of them all.
    return not capacity_bytes or least_bytes < 1.2 * capacity_bytes


def _stored(question: dict[str, object], machine: str | Device | None) -> list[WeightFormat]:
    """Return the formats that a question leaves open."""
    engine = question.get("engine")
    if engine is None:
        device = get_device(machine) if isinstance(machine, str) else machine
        engine = usual_engine(device, None) if isinstance(device, Device) else ENGINES[DEFAULT_ENGINE]
    elif not isinstance(engine, Engine):
        engine = get_engine(engine)  # type: ignore[arg-type]
    return stored_formats(engine, question.get("backend"))  # type: ignore[arg-type]


def stored_formats(engine: Engine, backend: str | None = None) -> list[WeightFormat]:
    """Return the formats of files that an engine reads, with the given backend or with any, in no particular order.

    Examples
    --------
    >>> from hayasa.engine.engines import ENGINES
    >>> "q4_k_m" in [one.id for one in stored_formats(ENGINES["mlx"])]
    False
    """
    backends = (backend or "", *(name for _, name in engine.backends))
    found = {
        one.id: one for name in backends for one in formats_of(engine, name) if one.bits_per_weight <= PUBLISHED_BITS
    }
    return list(found.values())


def _from_small_to_large(device: str | Device) -> tuple[str | Device, ...]:
    """Return a device with each amount of memory that it is sold with."""
    machine = device if isinstance(device, Device) else get_device(device)
    options = sorted(machine.memory_options_bytes)
    # A name may say how much memory it is: then there is nothing to choose.
    if not options or machine.memory_capacity_bytes != options[-1]:
        return (machine,)
    return tuple(replace(machine, memory_capacity_bytes=option) for option in options)


def _fast_enough(questions: Iterable[dict[str, object]], at_least_tokens_per_s: float) -> Iterator[Estimate]:
    """Yield the estimates that fit, or may fit, and are fast enough; raise if every question is refused."""
    require_non_negative("at_least_tokens_per_s", at_least_tokens_per_s)
    refusal: InvalidValueError | None = None
    is_answered = False
    for question in questions:
        try:
            result = estimate(**question)  # type: ignore[arg-type]
        except InvalidValueError as error:
            refusal = refusal or error
            continue
        is_answered = True
        if result.fits is not False and speed_per_sequence(result) >= at_least_tokens_per_s:
            yield result
    if refusal and not is_answered:
        raise refusal


def best_split(model: str | Model, device: str | Device, *, host: str | float | Host, **question: object) -> Estimate:
    """Tell which part of a model to leave to the host, so that it fits and runs fastest.

    Of a mixture of experts, experts or whole layers are left to it, whichever
    is faster; of a dense model, layers.

    Parameters
    ----------
    model : str or Model
        Name in any usual spelling, or an object of your own.
    device : str or Device
        Name in any usual spelling, or an object of your own, with a known amount of memory.
    host : str, float or Host
        As for `estimate`.
    **question
        Everything else that `estimate` takes by name.

    Returns
    -------
    Estimate
        Its `offload` has `gpu_layers` and `cpu_moe_layers`; None where the device has room for all.

    Raises
    ------
    UnknownNameError, InvalidValueError
        As for `estimate`.

    Examples
    --------
    >>> best = best_split("gpt-oss-120b", "rtx-3090", host="ddr5-6000 x2 64GB")
    >>> best.offload.gpu_layers, best.offload.cpu_moe_layers
    (37, 24)
    """
    for name in ("gpu_layers", "cpu_moe_layers"):
        if question.get(name) is not None:
            raise InvalidValueError(f"{name} は best_split が選ぶものなので、指定できません。")
    result = estimate(model, device, host=host, **question)  # type: ignore[arg-type]
    layers = layers_instead(result)
    if layers is None:
        return result
    other = estimate(model, device, host=host, gpu_layers=layers, **question)  # type: ignore[arg-type]
    return max(result, other, key=speed_per_sequence)


def layers_instead(result: Estimate) -> int | None:
    """Return how many layers fit on the device where whole layers are left to the host, and not experts.

    Parameters
    ----------
    result : Estimate
        An estimate whose experts are left to the host.

    Returns
    -------
    int or None
        `gpu_layers`; None where no experts are left to the host, or nothing fits.

    Examples
    --------
    >>> from hayasa import estimate
    >>> layers_instead(estimate("gpt-oss-120b", "rtx-3090", host="ddr5-6000 x2 64GB"))
    14
    """
    if not (result.offload and result.offload.cpu_moe_layers):
        return None
    layers = split_that_fits(
        result.model,
        result.device,
        result.weights,
        batch_size=result.batch_size,
        context_length=result.context_length,
        bytes_per_value=result.kv_cache.bytes_per_cached_value,
        engine=result.engine,
        backend=result.backend,
        devices=result.devices,
        experts_first=False,
    )
    return layers.gpu_layers if layers else None
