"""The question the other way round: which machine, which format, which model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from ..catalog.objects import device_rows, get_device, get_model, model_rows
from ..engine.engines import Engine, get_engine
from ..errors import InvalidValueError, require_non_negative
from ..machine.device import Device
from ..model.shape import Model
from ..model.tensors import total_parameters
from ..model.weights import WeightFormat
from .estimate import PUBLISHED_BITS, Estimate, estimate, formats_of
from .fit import DOES_NOT_FIT

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
        for device in among or device_rows()
        for option in _from_small_to_large(device)
    )
    found: dict[str, Estimate] = {}
    for result in _fast_enough(questions, at_least_tokens_per_s):
        # The smallest comes first, but one that is sure is better than a smaller one that is tight.
        kept = found.get(result.device.id)
        if kept is None or (kept.fits is None and result.fits):
            found[result.device.id] = result
    return tuple(sorted(found.values(), key=_speed, reverse=True))


def choose_formats(
    model: str | Model,
    device: str | Device,
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
        Name in any usual spelling, or an object of your own.
    at_least_tokens_per_s : float
        Speed that each sequence has to reach by the best estimate.
    **question
        Everything else that `estimate` takes by name.

    Returns
    -------
    tuple of Estimate
        Most bits first, which is what keeps most of the model.

    Raises
    ------
    UnknownNameError, InvalidValueError
        As for `estimate`, if it refuses every format.

    Examples
    --------
    >>> found = choose_formats("gemma-3-27b", "rtx-3090", context_length=8192)
    >>> [one.weights.id for one in found if one.fits][0]
    'q5_1'
    """
    questions = ({**question, "model": model, "device": device, "weights": weights} for weights in _stored(question))
    found = _fast_enough(questions, at_least_tokens_per_s)
    return tuple(sorted(found, key=lambda one: one.memory_required_bytes, reverse=True))


def choose_models(
    device: str | Device,
    *,
    at_least_tokens_per_s: float = 0.0,
    weights: str | WeightFormat | None = ANY,
    **question: object,
) -> tuple[Estimate, ...]:
    """Tell which models a machine runs.

    Parameters
    ----------
    device : str or Device
        Name in any usual spelling, or an object of your own.
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
    'q6_k'
    """
    if weights != ANY:
        questions = ({**question, "model": id_, "device": device, "weights": weights} for id_ in model_rows())
        return tuple(sorted(_fast_enough(questions, at_least_tokens_per_s), key=_speed, reverse=True))
    machine = device if isinstance(device, Device) else get_device(device)
    formats = [one for one in _stored(question) if one.bits_per_weight >= FEWEST_BITS]
    formats.sort(key=lambda one: one.bits_per_weight, reverse=True)
    best = []
    for id_ in model_rows():
        kept: Estimate | None = None
        for result in _fast_enough(_in_formats(get_model(id_), machine, formats, question), at_least_tokens_per_s):
            kept = kept or result
            # One that is sure to fit is better than one with more bits.
            if result.fits:
                kept = result
                break
        if kept:
            best.append(kept)
    return tuple(sorted(best, key=_speed, reverse=True))


def _in_formats(
    model: Model, machine: Device, formats: Iterable[WeightFormat], question: dict[str, object]
) -> Iterator[dict[str, object]]:
    """Yield a question per format whose weights alone are not more than the whole memory."""
    devices = question.get("devices", 1)
    for weights in formats:
        least_bytes = total_parameters(model) * weights.bits_per_weight / 8
        # Some tensors may be stored in fewer bits than the format says of them all.
        if not machine.memory_capacity_bytes or least_bytes < 1.2 * machine.memory_capacity_bytes * devices:  # type: ignore[operator]
            yield {**question, "model": model, "device": machine, "weights": weights}


def _stored(question: dict[str, object]) -> list[WeightFormat]:
    """Return the formats that a question leaves open."""
    engine = question.get("engine", "llama.cpp")
    if not isinstance(engine, Engine):
        engine = get_engine(engine)  # type: ignore[arg-type]
    found = {
        one.id: one
        for backend in (question.get("backend") or "", *(name for _, name in engine.backends))
        for one in formats_of(engine, str(backend))
        if one.bits_per_weight <= PUBLISHED_BITS
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
        if result.fit.verdict != DOES_NOT_FIT and _speed(result) >= at_least_tokens_per_s:
            yield result
    if refusal and not is_answered:
        raise refusal


def _speed(result: Estimate) -> float:
    """Tokens per second of each sequence."""
    return result.decode_tokens_per_s / result.batch_size
