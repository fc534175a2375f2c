"""Whether a measured speed is normal, and what is usually the reason if it is not."""

from __future__ import annotations

import math
from typing import NamedTuple

from ..errors import InvalidValueError, require_kind, require_positive
from ..machine.split import devices_at_a_time
from .causes import Cause, Seen, likely_causes
from .estimate import Estimate, ask_again

NORMAL, FAST, SLOW, IMPOSSIBLE = "normal", "fast", "slow", "impossible"

BOUND_TOLERANCE = 1.03
"""How far above the bound a speed may lie: memory clocks and file sizes are not known more exactly."""

SLOWEST_TOKENS_PER_S = 1e-6
"""Tokens per second below which a speed is no speed: twelve days for a token."""

FASTEST_TOKENS_PER_S = 1e9
"""Tokens per second above which it is none, either."""

_Z_90 = 1.645
"""Standard deviations from the middle of a normal distribution to the ends of its 90 % interval."""


class Expectation(NamedTuple):
    """What a speed should be.

    Parameters
    ----------
    best, low, high, bound : float
        Tokens per second: the best estimate, the ends of its 90 % interval, and what physics allows.
    """

    best: float
    low: float
    high: float
    bound: float

    @property
    def log_error(self) -> float:
        """Standard deviation of the logarithm of the best estimate."""
        return max(math.log(self.high / self.low) / (2 * _Z_90), 0.02)


class Check(NamedTuple):
    """What a measured speed says.

    Parameters
    ----------
    estimate : Estimate
        What was expected of the model on the device.
    measured_tokens_per_s : float
        What was measured.
    expected : Expectation
        What it is held against.
    verdict : {"normal", "fast", "slow", "impossible"}
        Inside the interval; above it but possible; below it; above what physics allows.
    causes : tuple of Cause
        What usually brings it about where it is slow or impossible, most likely
        first; where it is not, only what is known to be at work.
    """

    estimate: Estimate
    measured_tokens_per_s: float
    expected: Expectation
    verdict: str
    causes: tuple[Cause, ...]

    @property
    def ratio(self) -> float:
        """Measured over estimated speed."""
        return self.measured_tokens_per_s / self.expected.best

    @property
    def bytes_per_step_at_most(self) -> float:
        """Bytes that the device can read in the time that a step was measured to take.

        Where a speed is impossible, this is how little the model can have read.
        """
        result = self.estimate
        together = devices_at_a_time(result.split, result.devices)
        step_s = result.batch_size / self.measured_tokens_per_s
        return result.device.memory_bandwidth_bytes_per_s * together * step_s

    def to_dict(self) -> dict[str, object]:
        """Everything as plain values under stable keys, ready for JSON."""
        return {
            "verdict": self.verdict,
            "measured_tokens_per_s": self.measured_tokens_per_s,
            "ratio": self.ratio,
            "expected": self.expected._asdict(),
            "causes": [cause._asdict() for cause in self.causes],
            "estimate": self.estimate.to_dict(),
        }


def decode_expectation(result: Estimate) -> Expectation:
    """Return what the speed of writing tokens should be.

    Files of a format that is mixed for each model anew may be smaller by its
    `spread`, so that the bound is higher by as much.
    """
    return Expectation(
        result.decode_tokens_per_s,
        result.decode_tokens_per_s_low,
        result.decode_tokens_per_s_high,
        _decode_bound(result) / (1 - result.weights.spread),
    )


def _decode_bound(result: Estimate) -> float:
    """Return what no speed exceeds, however alike the sequences of a batch are."""
    if result.batch_size == 1 or not result.model.experts:
        return result.decode_tokens_per_s_bound
    # All sequences might take the same experts: then a step reads what that of one sequence reads.
    one = ask_again(result, batch_size=1)
    return min(result.batch_size / one.memory_latency_s, result.batch_size / max(result.compute_latency_s, 1e-12))


def prompt_expectation(result: Estimate, depth: int = 0) -> Expectation | None:
    """Return what the speed of reading the prompt behind `depth` tokens should be; None if that is not known."""
    behind = result._replace(cached_tokens=depth)
    time, tokens = behind.prompt_time, result.prompt_length * result.batch_size
    if time is None:
        return None
    return Expectation(tokens / time.best_s, tokens / time.slow_s, tokens / time.fast_s, tokens / time.bound_s)


def whole_expectation(result: Estimate, decode_tokens: int, depth: int = 0) -> Expectation | None:
    """Return what the speed of a prompt and its answer together should be; None if that is not known."""
    prompt, decode = prompt_expectation(result, depth), decode_expectation(result)
    if prompt is None:
        return None
    best, low, high, bound = [
        (result.prompt_length + decode_tokens) / (result.prompt_length / reading + decode_tokens / writing)
        for reading, writing in zip(prompt, decode, strict=True)
    ]
    return Expectation(best, low, high, bound)


def check(
    result: Estimate,
    measured_tokens_per_s: float,
    *,
    seen: Seen | None = None,
    expected: Expectation | None = None,
) -> Check:
    """Tell whether a measured speed is normal, and what is usually the reason if it is not.

    Parameters
    ----------
    result : Estimate
        What `hayasa.estimate` says of the model on the device.
    measured_tokens_per_s : float
        What was measured, all sequences together.
    seen : Seen, optional
        What else is known of the measurement.
    expected : Expectation, optional
        What to hold it against; by default the speed of writing tokens.

    Returns
    -------
    Check
        The verdict, and the causes in the order of their likelihood.

    Raises
    ------
    InvalidValueError
        If the measured speed is no positive number.

    Examples
    --------
    >>> from hayasa import estimate
    >>> result = estimate("llama-3.1-8b", "rtx-4090")
    >>> check(result, 140).verdict, check(result, 30).verdict, check(result, 300).verdict
    ('normal', 'slow', 'impossible')
    >>> check(result, 7).causes[0].id
    'on-cpu'
    """
    expected = decode_expectation(result) if expected is None else expected
    seen = Seen() if seen is None else seen
    require_kind("expected", expected, Expectation)
    require_kind("seen", seen, Seen)
    return held_against(result, measured_tokens_per_s, expected, seen)


def held_against(result: Estimate, measured_tokens_per_s: float, expected: Expectation, seen: Seen) -> Check:
    """Do what `check` does, when everything is said."""
    measured = require_positive("measured", measured_tokens_per_s, maximum=FASTEST_TOKENS_PER_S)
    if measured < SLOWEST_TOKENS_PER_S:
        raise InvalidValueError(
            f"measured は {SLOWEST_TOKENS_PER_S:g} 以上で指定してください（与えられた値: {measured:g}）。"
        )
    if measured > BOUND_TOLERANCE * expected.bound:
        verdict = IMPOSSIBLE
    elif measured > expected.high:
        verdict = FAST
    else:
        verdict = NORMAL if measured >= expected.low else SLOW
    ratio = measured / expected.best
    causes: tuple[Cause, ...] = ()
    if verdict in (SLOW, IMPOSSIBLE):
        causes = likely_causes(result, ratio, verdict, seen, expected.log_error)
    else:
        # What is known to be at work is worth saying although the interval is wide enough for it.
        possible = likely_causes(result, ratio, SLOW if ratio < 1 else IMPOSSIBLE, seen, expected.log_error)
        causes = tuple(cause for cause in possible if cause.certain and cause.low_ratio <= ratio <= cause.high_ratio)
    return Check(result, measured, expected, verdict, causes)
