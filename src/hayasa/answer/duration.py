"""How long a whole answer takes: the prompt is read, then thought and answer are written."""

from __future__ import annotations

from typing import NamedTuple

from ..errors import MAX_CONTEXT_LENGTH, require_integer
from .estimate import Estimate, ask_again

PIECES = 8
"""Pieces in which the time of a step is taken for linear in the context.

It is linear but where a window fills up or another limit takes over: one of
these pieces then is off by a little.  `tests/hayasa/test_choose.py` compares
with the sum over all tokens.
"""


class AnswerTime(NamedTuple):
    """Seconds from the question to the last token of the answer.

    Parameters
    ----------
    first_token_s : float or None
        Until the first token: the prompt is read; None if that speed is not known.
    thinking_s, answer_s : float
        For the tokens of thought, and for those of the answer that a reader sees.
    total_low_s, total_high_s : float or None
        Ends of the 90 % interval of all of it; None if the first part is not known.
    """

    first_token_s: float | None
    thinking_s: float
    answer_s: float
    total_low_s: float | None = None
    total_high_s: float | None = None

    @property
    def total_s(self) -> float | None:
        """All of it; None if the first part is not known."""
        return None if self.first_token_s is None else self.first_token_s + self.thinking_s + self.answer_s

    @property
    def first_answer_token_s(self) -> float | None:
        """Until a reader sees the answer begin; None if the first part is not known."""
        return None if self.first_token_s is None else self.first_token_s + self.thinking_s


def answer_time(result: Estimate, answer_tokens: int, thinking_tokens: int = 0) -> AnswerTime:
    r"""Return how long an answer takes to a prompt of `Estimate.prompt_length` tokens.

    Every token is added to the cache, so that the steps grow longer.  With
    :math:`t(c)` for a step at context :math:`c`, a prompt of :math:`n` and
    :math:`m` tokens to write:

    .. math:: t_\mathrm{prompt}(n) + \sum_{i=1}^{m-1} t(n + i)

    The first of them comes with the prompt.

    Parameters
    ----------
    result : Estimate
        What `hayasa.estimate` returned; its context length does not count here.
    answer_tokens : int
        Tokens of the answer, at least 1.
    thinking_tokens : int
        Tokens that the model writes before, for itself.

    Returns
    -------
    AnswerTime
        The parts, of each of the sequences that advance together.

    Raises
    ------
    InvalidValueError
        If a number is out of range.

    Examples
    --------
    >>> from hayasa import estimate
    >>> result = estimate("llama-3.1-8b", "rtx-4090", prompt_length=1000)
    >>> time = answer_time(result, 500, thinking_tokens=2000)
    >>> round(time.answer_s / time.thinking_s, 2)
    0.26
    """
    answer_tokens = require_integer("answer_tokens", answer_tokens, 1, MAX_CONTEXT_LENGTH)
    thinking_tokens = require_integer("thinking_tokens", thinking_tokens, 0, MAX_CONTEXT_LENGTH)
    read = result.cached_tokens + result.prompt_length
    start = read + 1
    between = read + thinking_tokens
    # What is written first costs no step of its own.
    thinking_s = _steps_s(result, start, between)
    answer_s = _steps_s(result, max(start, between), between + answer_tokens)
    prompt = result.prompt_time
    if prompt is None:
        return AnswerTime(None, thinking_s, answer_s)
    steps_s = thinking_s + answer_s
    faster_s = steps_s * (1 - result.step_latency_fast_s / result.step_latency_s)
    slower_s = steps_s * (result.step_latency_slow_s / result.step_latency_s - 1)
    # Prompts and steps were fitted apart: how far the one is off says nothing of the other.
    total_s = prompt.best_s + steps_s
    low_s = total_s - _beside(prompt.best_s - prompt.fast_s, faster_s)
    high_s = total_s + _beside(prompt.slow_s - prompt.best_s, slower_s)
    return AnswerTime(prompt.best_s, thinking_s, answer_s, low_s, high_s)


def _beside(one_s: float, other_s: float) -> float:
    """Return how far two together are off that are off independently of each other."""
    distance: float = (one_s * one_s + other_s * other_s) ** 0.5
    return distance


def _steps_s(result: Estimate, start: int, end: int) -> float:
    """Return the time of the steps at contexts from `start` to before `end`."""
    steps = max(0, end - start)
    pieces = min(PIECES, steps)
    total_s = 0.0
    for piece in range(pieces):
        first, behind = start + steps * piece // pieces, start + steps * (piece + 1) // pieces
        total_s += (behind - first) * (_step_s(result, first) + _step_s(result, behind - 1)) / 2
    return total_s


def _step_s(result: Estimate, context_length: int) -> float:
    """Return the time of a step of the same question at another context."""
    return ask_again(result, batch_size=result.batch_size, context_length=context_length).step_latency_s
