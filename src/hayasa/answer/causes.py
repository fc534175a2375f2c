"""Why a measured speed is not the estimated one: the usual causes, and how likely each is.

Every row of ``data/speed_causes.csv`` says by which ratio a cause changes a
speed: two numbers from published reports, or the name of a rule that computes
them for the model, the format and the device at hand.  The likelihood of a
cause follows from that range and from what was measured.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

from ..catalog.objects import device_rows, get_device
from ..catalog.reader import Row, data_directory, parse_number, read_rows
from .estimate import Estimate, estimate
from .fit import DOES_NOT_FIT, TIGHT

HOSTS = ("ddr4-2666-dual", "ddr5-6000-dual")
"""Memory of the computers that cards are put in, from slow to fast: what is spilled lies there."""

PROMPT_OVER_DECODE_ON_CPU = (2.3, 16.0)
"""How many times as fast as writing CPUs read a prompt, from little to much.

Source: LocalScore's reports of 16 CPUs with Llama 3.1 8B (d893a/localscore-insights)
and of a Ryzen 7 5800X3D with Llama 2 7B; retrieved 2026-11-28.
"""

LONG_CONTEXT = 65536
"""Tokens of a long conversation, if the model takes as many."""

MANY_SEQUENCES = 64
"""Sequences whose speeds may have been added up."""

FEWEST_BITS = 2.0
"""Bits per weight of the smallest files that people run."""

WIDEST_TWO_CHANNELS_BYTES_PER_S = 150e9
"""Bandwidth above which a memory is soldered or has more than two channels."""

MAKERS_OWN_BACKENDS = ("cuda", "metal", "mlx")
"""Backends than which no other is usually faster where they run."""

NEW_BUILD = 6021
"""Number of llama.cpp's build of 2 August 2025 (``data/measurements``): the calibration counts builds from then as new."""

RANGE_LOG_ERROR = 0.15
"""Standard deviation of the logarithm of the ends of a range: a few reports do not tell them exactly."""


class Span(NamedTuple):
    """By which ratio a cause changes a speed.

    Parameters
    ----------
    low, high : float
        Ends of the range of the ratio.
    evident : bool
        Whether the row's condition holds in the case at hand.
    certain : bool
        Whether the report, or the sizes, say that it is at work.
    """

    low: float
    high: float
    evident: bool = True
    certain: bool = False


class Seen(NamedTuple):
    """What is known of a measurement beside the speed.

    Parameters
    ----------
    of : {"decode", "prompt", "both"}
        What was measured.
    cpu_share : float or None
        Share of the weights that the CPU is known to multiply; None if nobody said.
    backend : str
        The backend that is known to have run; empty if nobody said.
    split : str
        How the model is known to be cut over several devices, in llama.cpp's words; empty if nobody said.
    decode_tokens : int
        Tokens that were written; 0 if nobody said.
    drafts : bool
        Whether tokens are known to have been drafted.
    cache_on_cpu : bool
        Whether the KV cache is known to lie in the computer's memory.
    build_number : int
        Number of the build of llama.cpp; 0 if nobody said, or of another engine.
    by_tool : bool
        Whether the engine timed itself, rather than somebody with a watch.
    """

    of: str = "decode"
    cpu_share: float | None = None
    backend: str = ""
    split: str = ""
    decode_tokens: int = 0
    drafts: bool = False
    cache_on_cpu: bool = False
    build_number: int = 0
    by_tool: bool = False


class Cause(NamedTuple):
    """A reason why a speed may differ from the estimate.

    Parameters
    ----------
    id : str
        Short name, as in ``data/speed_causes.csv``.
    name, how_to_see, what_to_do : str
        In Japanese, a line each.
    low_ratio, high_ratio : float
        Measured over estimated speed that it would bring here.
    certain : bool
        Whether the report itself, or the sizes of model and memory, say so.
    likelihood : float
        Its share of the likelihood of all causes, 0 to 1.
    source : str
        Where it was reported.
    """

    id: str
    name: str
    how_to_see: str
    what_to_do: str
    low_ratio: float
    high_ratio: float
    certain: bool
    likelihood: float
    source: str


@cache
def cause_rows() -> tuple[Row, ...]:
    """Rows of ``speed_causes.csv``, as they stand."""
    columns = ("id", "verdict", "rule", "of", "engines", "families", "weights", "low_ratio", "high_ratio", "evidence")
    return tuple(read_rows(data_directory() / "speed_causes.csv", required=columns))


def likely_causes(result: Estimate, ratio: float, verdict: str, seen: Seen, log_error: float) -> tuple[Cause, ...]:
    """Return the causes that could explain a ratio, most likely first.

    Parameters
    ----------
    result : Estimate
        What was expected.
    ratio : float
        Measured over expected speed.
    verdict : str
        ``"slow"`` or ``"impossible"``.
    seen : Seen
        What else is known.
    log_error : float
        Standard deviation of the logarithm of the expected speed.

    Returns
    -------
    tuple of Cause
        First what the report itself says, then by likelihood.

    Notes
    -----
    A cause that changes the speed by a factor between two numbers, any of
    them as likely as another on a logarithmic scale, explains a ratio with
    the density of that range, blurred by the error of the estimate.  How
    usual it is counts as the number of reports that its row names, times its
    evidence: how much likelier it is where its condition (a full memory, a
    format the device cannot compute in) is seen to hold.
    """
    error = math.hypot(log_error, RANGE_LOG_ERROR)
    weighed = []
    for row in cause_rows():
        if row["verdict"] == verdict and _concerns(row, result, seen):
            span = _RULES[row["rule"]](row, result, seen)
            if span is not None:
                weighed.append((_weight(row, span) * _density(ratio, span, error), span, row))
    total = sum(one[0] for one in weighed) or 1.0
    causes = [
        Cause(
            id=row["id"],
            name=row["name"],
            how_to_see=row["how_to_see"],
            what_to_do=row["what_to_do"],
            low_ratio=span.low,
            high_ratio=span.high,
            certain=span.certain,
            likelihood=weight / total,
            source=row["source"],
        )
        for weight, span, row in weighed
    ]
    return tuple(sorted(causes, key=lambda cause: (not cause.certain, -cause.likelihood, _distance(ratio, cause))))


def _weight(row: Row, span: Span) -> float:
    """Return how usual a cause is: its reports, and how much its condition speaks for it where that holds."""
    evidence = parse_number(row, "evidence", f"speed_causes.csv の {row['id']}")
    return len(row["source"].split(" ; ")) * (evidence if span.evident else 1.0)


def _distance(ratio: float, cause: Cause) -> float:
    """How far a ratio lies outside the range of a cause, as a logarithm."""
    return max(math.log(cause.low_ratio / ratio), math.log(ratio / cause.high_ratio), 0.0)


def _concerns(row: Row, result: Estimate, seen: Seen) -> bool:
    """Whether a cause can be at work with this engine, device and format."""
    calibration = result.calibration
    engine = calibration.engine if calibration else ""
    family, format_ = result.device.family, result.weights.id
    return (
        seen.of in row["of"].split("|")
        and (not engine or not row["engines"] or engine in row["engines"].split("|"))
        and (not family or not row["families"] or family.startswith(tuple(row["families"].split("|"))))
        and (not row["weights"] or any(kind in format_ for kind in row["weights"].split("|")))
    )


def _density(ratio: float, span: Span, error: float) -> float:
    """Density of the logarithm of a ratio: even between two ends, blurred by a logistic error.

    Its tails are longer than those of a normal one: far from all ranges, too, the nearest is the likeliest.
    """
    scale = error * math.sqrt(3) / math.pi
    low, high = (math.log(ratio) - math.log(span.high)) / scale, (math.log(ratio) - math.log(span.low)) / scale
    # Either tail looks like the other; in the upper one no digits are lost.
    least, most = (low, high) if low + high > 0 else (-high, -low)
    near, far = math.exp(-least), math.exp(-most)
    if most - least < 1e-6:
        return near / (1 + near) ** 2 / scale
    return (near - far) / ((1 + near) * (1 + far)) / (most - least) / scale


# ---------------------------------------------------------------------- rules


def _spilled_share(result: Estimate) -> tuple[float, float]:
    """Least and greatest share of what is needed that a card cannot hold; 0 if its memory is unknown."""
    fit = result.fit
    if fit.verdict is None:
        return 0.0, 0.0
    least = max(0.0, 1 - fit.available_most_bytes / fit.required_bytes)
    return least, max(0.0, 1 - fit.available_least_bytes / fit.required_bytes)


def _host_steps_s(result: Estimate) -> tuple[float, float]:
    """Least and greatest seconds of a step on the CPU beside the device."""
    if result.device.shares_memory:
        processor = replace(result.device, family="cpu", gpu_cores=0, gpu_clock_hz=0.0)
        step = _changed(result, {"device": processor})
        return step.step_latency_s, step.step_latency_slow_s
    slow, fast = [_changed(result, {"device": get_device(name)}) for name in HOSTS]
    # Of the slow computer, one of the two channels may be empty.
    return fast.step_latency_s, 2 * slow.step_latency_s


def _with_cpu_share(result: Estimate, seen: Seen, least: float, most: float) -> tuple[float, float]:
    """Return the ratio of speeds where the CPU multiplies a share of the weights: the times add up."""
    fast_s, slow_s = _host_steps_s(result)
    if seen.of == "prompt" and result.prefill_tokens_per_s:
        # How much of a prompt the GPU reads nevertheless differs from engine to engine.
        low, high = (
            factor / host_s / result.prefill_tokens_per_s
            for factor, host_s in zip(PROMPT_OVER_DECODE_ON_CPU, (slow_s, fast_s), strict=True)
        )
        return min(low, 1.0), min(high, 1.0) if least == 1 else 1.0
    step_s = result.step_latency_s
    longest_s, shortest_s = (
        (1 - share) * step_s + share * host_s for share, host_s in ((most, slow_s), (least, fast_s))
    )
    return min(1.0, step_s / longest_s), min(1.0, step_s / shortest_s)


def _on_host(result: Estimate, seen: Seen, least: float, most: float) -> Span:
    low, high = _with_cpu_share(result, seen, least, most)
    return Span(low, high, certain=True)


def _spilled(row: Row, result: Estimate, seen: Seen) -> Span | None:
    if result.device.shares_memory or seen.cpu_share == 1:
        return None
    if seen.cpu_share:
        return _on_host(result, seen, seen.cpu_share, seen.cpu_share)
    least, most = _spilled_share(result)
    return _on_host(result, seen, least, most) if least > 0 else None


def _nearly_full(row: Row, result: Estimate, seen: Seen) -> Span | None:
    least, most = _spilled_share(result)
    if result.device.shares_memory or seen.cpu_share or least > 0 or not most:
        return None
    low, high = _with_cpu_share(result, seen, least, most)
    return Span(min(low, _ratio(row, result, seen).low), high)


def _on_cpu(row: Row, result: Estimate, seen: Seen) -> Span | None:
    if result.device.is_processor or seen.cpu_share not in (None, 1.0):
        return None
    return _on_host(result, seen, 1.0, 1.0)._replace(certain=seen.cpu_share == 1)


def _swapping(row: Row, result: Estimate, seen: Seen) -> Span | None:
    if not result.device.shares_memory:
        return None
    full = result.fit.verdict in (TIGHT, DOES_NOT_FIT)
    # Other programs may have taken the memory where nothing speaks for it.
    return _ratio(row, result, seen)._replace(evident=full, certain=result.fit.verdict == DOES_NOT_FIT)


def _backend(row: Row, result: Estimate, seen: Seen) -> Span | None:
    if seen.backend in MAKERS_OWN_BACKENDS:
        return None
    there = result.engine.backends_on(result.device)
    wrong = bool(seen.backend and there) and (seen.backend not in there or there[0] in MAKERS_OWN_BACKENDS)
    return _ratio(row, result, seen)._replace(certain=wrong)


def _laptop(row: Row, result: Estimate, seen: Seen) -> Span | None:
    has_namesake = f"{result.device.id}-laptop" in device_rows()
    return _ratio(row, result, seen) if has_namesake else None


def _old_build(row: Row, result: Estimate, seen: Seen) -> Span | None:
    return None if seen.build_number >= NEW_BUILD else _ratio(row, result, seen)


def _cache_on_cpu(row: Row, result: Estimate, seen: Seen) -> Span | None:
    # An engine that timed itself and says nothing of it has the cache where it usually is.
    possible = not result.device.shares_memory and (seen.cache_on_cpu or not seen.by_tool)
    return _ratio(row, result, seen)._replace(certain=seen.cache_on_cpu) if possible else None


def _long_context(row: Row, result: Estimate, seen: Seen) -> Span | None:
    if result.context_length or not result.model.has_shape:  # somebody said how long it was, or nobody can tell
        return None
    longest = min(result.model.context_length_max or LONG_CONTEXT, LONG_CONTEXT)
    low, high = [_speedup(result, {"context_length": tokens}) for tokens in (longest, longest // 16)]
    return Span(min(low, 1.0), min(high, 1.0))


def _single_channel(row: Row, result: Estimate, seen: Seen) -> Span | None:
    device = result.device
    narrow = device.memory_bandwidth_bytes_per_s <= WIDEST_TWO_CHANNELS_BYTES_PER_S
    possible = device.is_processor or (device.shares_memory and narrow)
    return _ratio(row, result, seen) if possible else None


def _stopwatch(row: Row, result: Estimate, seen: Seen) -> Span | None:
    return None if seen.by_tool else _ratio(row, result, seen)


def _row_split(row: Row, result: Estimate, seen: Seen) -> Span | None:
    if result.devices == 1 or seen.split not in ("", "row"):
        return None
    return _ratio(row, result, seen)._replace(certain=seen.split == "row")


def _several_devices(row: Row, result: Estimate, seen: Seen) -> Span | None:
    return _ratio(row, result, seen) if result.devices > 1 else None


def _drafts(row: Row, result: Estimate, seen: Seen) -> Span | None:
    return _ratio(row, result, seen)._replace(certain=seen.drafts)


def _several_sequences(row: Row, result: Estimate, seen: Seen) -> Span | None:
    if result.batch_size > 1:
        return None
    low, high = [_speedup(result, {"batch_size": size}) for size in (2, MANY_SEQUENCES)]
    return Span(max(low, 1.0), max(high, 1.0))


def _prompt_speed(row: Row, result: Estimate, seen: Seen) -> Span | None:
    low, high = result.prefill_tokens_per_s_low, result.prefill_tokens_per_s_high
    if not (low and high):
        return None
    return Span(low / result.decode_tokens_per_s, high / result.decode_tokens_per_s)


def _fewer_bits(row: Row, result: Estimate, seen: Seen) -> Span | None:
    if result.weights.bits_per_weight <= FEWEST_BITS:
        return None
    fewest = replace(result.weights, kind="plain", bits_per_weight=FEWEST_BITS, rules=(), stored=None)
    return Span(1.0, max(_speedup(result, {"weights": fewest}), 1.0))


def _short_answer(row: Row, result: Estimate, seen: Seen) -> Span | None:
    if seen.decode_tokens < 2:
        return None
    return Span(1.0, seen.decode_tokens / (seen.decode_tokens - 1))


def _ratio(row: Row, result: Estimate, seen: Seen) -> Span:
    where = f"speed_causes.csv の {row['id']}"
    return Span(parse_number(row, "low_ratio", where), parse_number(row, "high_ratio", where))


def _changed(result: Estimate, changes: dict[str, Any]) -> Estimate:
    """Estimate the same question with something changed."""
    question: dict[str, Any] = {
        "model": result.model,
        "device": result.device,
        "weights": result.weights,
        "engine": result.engine,
        "backend": None if "device" in changes else result.backend or None,
        "batch_size": result.batch_size,
        "context_length": result.context_length,
        "devices": 1 if "device" in changes else result.devices,
        "split": result.split,
        "kv_cache": result.kv_cache,
        "build": result.build or None,
        "server": result.server,
    }
    if result.offload and "device" not in changes:
        split = result.offload
        question |= {"gpu_layers": split.gpu_layers, "cpu_moe_layers": split.cpu_moe_layers, "host": split.host}
    return estimate(**(question | changes))


def _speedup(result: Estimate, changes: dict[str, Any]) -> float:
    """Return how many times as fast the same is with something changed."""
    return _changed(result, changes).decode_tokens_per_s / result.decode_tokens_per_s


_RULES: dict[str, Callable[[Row, Estimate, Seen], Span | None]] = {
    "ratio": _ratio,
    "spilled": _spilled,
    "nearly_full": _nearly_full,
    "on_cpu": _on_cpu,
    "swapping": _swapping,
    "backend": _backend,
    "laptop": _laptop,
    "old_build": _old_build,
    "cache_on_cpu": _cache_on_cpu,
    "long_context": _long_context,
    "single_channel": _single_channel,
    "stopwatch": _stopwatch,
    "row_split": _row_split,
    "several_devices": _several_devices,
    "drafts": _drafts,
    "several_sequences": _several_sequences,
    "prompt_speed": _prompt_speed,
    "fewer_bits": _fewer_bits,
    "short_answer": _short_answer,
}
"""How wide a range a cause has: from the row, or from the case at hand; None where it cannot be."""
