"""Speculative decoding: what a draft of the next tokens gains, and where it does not pay.

A small drafter proposes tokens; the model reads its weights once for all of
them and keeps those that it would have written itself.  A pass over the drafts
is a batch whose sequences share one cache.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from ..engine.drafting import (
    ANY_TEXT,
    DRAFTERS,
    DRAFTING,
    EAGLE,
    EAGLE3,
    FEW_TOKENS,
    FURTHER_TOKENS,
    LEAVE_ONE_TOKEN_PATH,
    MODEL,
    MTP,
    NGRAM,
    TEXTS,
    ChosenDrafting,
    DraftAcceptance,
    Drafter,
    choose_drafting,
    draft_acceptances,
    drafter_bytes,
    get_drafter,
)
from ..engine.waits import Wait, core_cycles_per_s
from ..errors import InvalidValueError, require_integer, require_non_negative, require_positive, shown
from ..model.flops import weight_flop_per_token
from ..model.shape import Model
from ..model.weights import WeightFormat, weight_bytes_resident
from .estimate import Estimate, ask_again, estimate
from .fit import FITS
from .step import step_s

MOST_DRAFT_TOKENS = 64
"""Tokens of the longest draft that can be asked for."""

LONGEST_TRIED = 16
"""Tokens up to which the best length is looked for."""

SAME_EVERYWHERE = 1.0
"""Acceptance of a position over that of the one before it, in the textbook's formula."""


PER_SEQUENCE = ("sequences",)
"""Waits for each sequence, by name: further tokens of the same one do not add to them."""


class DraftSpeedup(NamedTuple):
    """What drafts gain on one question.

    Parameters
    ----------
    draft : str
        How they are made: ``"model"``, ``"mtp"``, ``"eagle"``, ``"eagle3"`` or ``"ngram"``.
    draft_model : str
        Id of the small model; empty for the others.
    draft_tokens : int
        Tokens of a draft.
    acceptance : float
        Probability that a drafted token is accepted, those before it being
        accepted; the mean one where shares by position were given.
    tokens_per_pass : float
        Expected tokens per pass, each sequence.
    draft_s, pass_s : float
        Seconds for making a draft, and for the model's pass over it.
    speedup, speedup_low, speedup_high : float
        Gain over decoding token by token, and the ends of its 90 % interval.
    decode_tokens_per_s, decode_tokens_per_s_low, decode_tokens_per_s_high : float
        Tokens per second with drafts, all sequences together.
    best_tokens : int
        Length of a draft that pays best, up to 16; 0 if none pays.
    best_speedup : float
        Gain with that length; 1 if none pays.
    draft_bytes : float
        Memory that the drafter's weights take beside the model.
    waits : tuple of Wait
        Why a round of drafting and passing takes its time.
    notes : tuple of str
        What to know about it, in Japanese.
    """

    draft: str
    draft_model: str
    draft_tokens: int
    acceptance: float
    tokens_per_pass: float
    draft_s: float
    pass_s: float
    speedup: float
    speedup_low: float
    speedup_high: float
    decode_tokens_per_s: float
    decode_tokens_per_s_low: float
    decode_tokens_per_s_high: float
    best_tokens: int
    best_speedup: float
    draft_bytes: float
    waits: tuple[Wait, ...]
    notes: tuple[str, ...]

    @property
    def pays(self) -> bool:
        """Whether these drafts are faster than none."""
        return self.speedup > 1

    def to_dict(self) -> dict[str, object]:
        """Everything as plain values, ready for JSON.

        Returns
        -------
        dict
            The fields, with the waits as mappings.

        Examples
        --------
        >>> from hayasa import estimate
        >>> draft_speedup(estimate("qwen3.6-27b", "rtx-3090"), tokens=2).to_dict()["draft"]
        'mtp'
        """
        waits = [{**wait.kind._asdict(), "seconds": wait.seconds, "hidden": wait.hidden} for wait in self.waits]
        return {**self._asdict(), "waits": waits, "pays": self.pays}


def expected_tokens(acceptance: float, draft_tokens: int) -> float:
    r"""Return how many tokens a pass over a draft gives on average, the model's own one included.

    .. math:: 1 + a + a^2 + \dots + a^k = \frac{1 - a^{k+1}}{1 - a}

    Parameters
    ----------
    acceptance : float
        Probability :math:`a` that a token is accepted, those before it being
        accepted; from 0 to 1.
    draft_tokens : int
        Length :math:`k` of the draft.

    Returns
    -------
    float
        From 1 to ``draft_tokens + 1``.

    Raises
    ------
    InvalidValueError
        If a number is out of range.

    Notes
    -----
    Source: Leviathan, Kalman, Matias, "Fast Inference from Transformers via
    Speculative Decoding", arXiv:2211.17192, equation 1.

    Examples
    --------
    >>> expected_tokens(0.5, 3)
    1.875
    >>> expected_tokens(1, 3), expected_tokens(0, 3)
    (4.0, 1.0)
    """
    acceptance = _probability("acceptance", acceptance)
    draft_tokens = require_integer("draft_tokens", draft_tokens, 0, MOST_DRAFT_TOKENS)
    return _expected(acceptance, SAME_EVERYWHERE, draft_tokens)


def _expected(acceptance: float, decay: float, draft_tokens: int) -> float:
    """Return the expected tokens per pass where each position is accepted `decay` times as often as the one before."""
    tokens, accepted = 1.0, 1.0
    for _ in range(draft_tokens):
        accepted *= acceptance
        tokens += accepted
        acceptance *= decay
    return tokens


def acceptance_from_share(share: float, draft_tokens: int, *, decay: float = SAME_EVERYWHERE) -> float:
    r"""Return the acceptance behind the share of drafted tokens that an engine says it accepted.

    llama.cpp's ``draft acceptance`` and vLLM's ``Avg Draft acceptance rate``
    are :math:`(E - 1) / k`: what comes behind a refused token is lost, so the
    share falls with the length of the draft.

    Parameters
    ----------
    share : float
        Accepted tokens over drafted ones, from 0 to 1.
    draft_tokens : int
        Length of the drafts, from 1.
    decay : float
        Acceptance of a position over that of the one before it, above 0 and up to 1.

    Returns
    -------
    float
        What `expected_tokens` takes: the acceptance of the first position.

    Raises
    ------
    InvalidValueError
        If a number is out of range.

    Examples
    --------
    >>> round(acceptance_from_share(0.744, 3), 2)
    0.86
    """
    share = _probability("share", share)
    draft_tokens = require_integer("draft_tokens", draft_tokens, 1, MOST_DRAFT_TOKENS)
    decay = require_positive("decay", decay, maximum=1)
    low, high = 0.0, 1.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        if _expected(middle, decay, draft_tokens) - 1 < share * draft_tokens:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _probability(name: str, value: float) -> float:
    number = require_non_negative(name, value)
    if number > 1:
        raise InvalidValueError(f"{name} は 0 以上 1 以下の数で指定してください（与えられた値: {shown(value)}）。")
    return number


class _Accepted(NamedTuple):
    """Expected tokens per pass by length of the draft: what was asked, and both ends.

    Parameters
    ----------
    mean, low, high : float
        Acceptance of the first position; equal where it was given.
    decay : float
        Acceptance of a position over that of the one before it.
    shares : tuple of float
        Shares by position where those were given, else empty.
    """

    mean: float
    low: float
    high: float
    decay: float
    shares: tuple[float, ...] = ()

    def tokens(self, acceptance: float, draft_tokens: int) -> float:
        """Return the expected tokens per pass for one of its acceptances."""
        if not self.shares:
            return _expected(acceptance, self.decay, draft_tokens)
        tokens = 1.0
        for share in self.shares[:draft_tokens]:
            tokens += share
        return tokens


def draft_speedup(
    result: Estimate,
    draft: str | Model | None = None,
    *,
    draft_weights: str | WeightFormat | None = None,
    tokens: int | None = None,
    acceptance: float | str | Sequence[float] | None = None,
) -> DraftSpeedup:
    r"""Estimate how much faster a model writes with drafts of the next tokens.

    With :math:`E` expected tokens per pass, :math:`k` drafted ones at
    :math:`t_d` each, and :math:`t_p` for the model's pass over
    :math:`k + 1`, the gain over steps of :math:`t_1` is

    .. math:: \frac{E \, t_1}{k \, t_d + t_p(k + 1)}

    A pass is a batch of :math:`k + 1` tokens that share one cache: it reads
    the weights once (of experts all that the tokens touch) and the cache once,
    and computes for each.

    Parameters
    ----------
    result : Estimate
        What `hayasa.estimate` returned, for one sequence or several.
    draft : str or Model, optional
        ``"mtp"`` for the model's own layer for further tokens, ``"eagle"`` or
        ``"eagle3"`` for such a head, ``"ngram"`` for copying from the text so far, or
        a small model of the same vocabulary; by default ``"mtp"`` where the model has
        such a layer, else ``"ngram"``.
    draft_weights : str or WeightFormat, optional
        How the small model is stored.
    tokens : int, optional
        Length of a draft, from 1; by default what pays best.
    acceptance : float, str or sequence of float, optional
        Probability that a drafted token is accepted, those before it being
        accepted; or a kind of text, such as ``"code"`` or ``"prose"``; or the
        share of passes in which the first, the first two, ... tokens were
        accepted, as vLLM prints them.  By default what was published for all
        kinds of text.

    Returns
    -------
    DraftSpeedup
        Gain, speed, their intervals, and the length that pays best.

    Raises
    ------
    UnknownNameError
        If a name is not listed.
    InvalidValueError
        If a number is out of range, or the model has no layer of its own for drafts.

    Examples
    --------
    >>> from hayasa import estimate
    >>> plain = estimate("qwen3.6-27b", "rtx-5090", weights="q4_k_m")
    >>> code, prose = (draft_speedup(plain, acceptance=text) for text in ("code", "prose"))
    >>> code.speedup > prose.speedup > 1
    True
    >>> code.best_tokens > prose.best_tokens
    True
    """
    drafter, small = _drafter(result, draft, draft_weights)
    accepted = _accepted(drafter.id, acceptance)
    if tokens is not None:
        tokens = require_integer("tokens", tokens, 1, MOST_DRAFT_TOKENS)
    if accepted.shares and (tokens or 1) > len(accepted.shares):
        raise InvalidValueError(
            f"tokens は acceptance の数 {len(accepted.shares)} 以下で指定してください（与えられた値: {tokens}）。"
        )
    chosen = choose_drafting(result.engine, result.backend)
    longest = min(LONGEST_TRIED, len(accepted.shares) or LONGEST_TRIED)
    best_tokens, best_speedup = 0, 1.0
    most, most_speedup = 1, 0.0
    for length in range(1, longest + 1):
        waits = round_waits(result, drafter, small, chosen, length)
        speedup = accepted.tokens(accepted.mean, length) * result.step_latency_s / step_s(waits)
        if speedup > most_speedup:
            most, most_speedup = length, speedup
    if most_speedup > 1:
        best_tokens, best_speedup = most, most_speedup
    length = tokens or most
    waits = round_waits(result, drafter, small, chosen, length)
    round_s = step_s(waits)
    draft_s = length * waits[0].load_s
    expected = accepted.tokens(accepted.mean, length)
    speedup = expected * result.step_latency_s / round_s
    # Acceptance, cost and the plain speed miss independently of each other.
    low = _together(accepted.tokens(accepted.low, length) / expected, chosen.low_factor)
    high = _together(accepted.tokens(accepted.high, length) / expected, chosen.high_factor)
    speed = speedup * result.decode_tokens_per_s
    return DraftSpeedup(
        draft=drafter.id,
        draft_model=small.model.id if small else "",
        draft_tokens=length,
        acceptance=accepted.mean,
        tokens_per_pass=expected,
        draft_s=draft_s,
        pass_s=round_s - draft_s,
        speedup=speedup,
        speedup_low=speedup * low,
        speedup_high=speedup * high,
        decode_tokens_per_s=speed,
        decode_tokens_per_s_low=speed * _together(low, result.decode_tokens_per_s_low / result.decode_tokens_per_s),
        decode_tokens_per_s_high=speed * _together(high, result.decode_tokens_per_s_high / result.decode_tokens_per_s),
        best_tokens=best_tokens,
        best_speedup=best_speedup,
        draft_bytes=_memory_bytes(drafter, small, result),
        waits=tuple(waits),
        notes=_notes(result, drafter, small, chosen, acceptance, best_tokens, speedup),
    )


def _together(factor: float, other: float) -> float:
    """Combine two ends of intervals that miss independently of each other."""
    distance = (math.log(factor) ** 2 + math.log(other) ** 2) ** 0.5
    return math.exp(-distance if factor * other < 1 else distance)


def _drafter(
    result: Estimate, draft: str | Model | None, draft_weights: str | WeightFormat | None
) -> tuple[Drafter, Estimate | None]:
    """Return how drafts are made, and the estimate of the small model where it is one."""
    known = [one.id for one in DRAFTERS if one.id != MODEL]
    if draft is None:
        draft = MTP if result.model.mtp_layers else NGRAM
    if isinstance(draft, str) and draft in known:
        if draft == MTP and not result.model.mtp_layers:
            others = "、".join([one for one in known if one != MTP])
            raise InvalidValueError(
                f"model {result.model.id} には MTP の層がありません。"
                f"draft には {others} か、小さいモデルの名前を指定してください。"
            )
        if draft_weights is not None:
            raise InvalidValueError("draft_weights は、draft が小さいモデルのときに指定できます。")
        return get_drafter(draft), None
    if not isinstance(draft, (str, Model)):
        raise InvalidValueError(
            f"draft は {'、'.join(known)} か、小さいモデルで指定してください（与えられた値: {shown(draft)}）。"
        )
    small = estimate(
        draft,
        result.device,
        weights=draft_weights,
        batch_size=result.batch_size,
        context_length=result.context_length,
        engine=result.engine,
        backend=result.backend or None,
        kv_cache=result.kv_cache,
    )
    return get_drafter(MODEL), small


def _accepted(method: str, acceptance: float | str | Sequence[float] | None) -> _Accepted:
    """Return what is accepted: as given, or as published for a kind of text."""
    if acceptance is None or isinstance(acceptance, str):
        text = ANY_TEXT if acceptance is None else acceptance
        if acceptance is not None and text not in TEXTS:
            raise InvalidValueError(
                f"acceptance は 0 以上 1 以下の数か、{' / '.join(TEXTS)} のどれかにしてください"
                f"（与えられた値: {shown(acceptance)}）。"
            )
        row = published_acceptance(method, text)
        return _Accepted(row.acceptance, row.low, row.high, row.decay)
    if isinstance(acceptance, (list, tuple)):
        shares: list[float] = []
        for one in acceptance:
            share = _probability("acceptance", one)
            if shares and share > shares[-1]:
                raise InvalidValueError(
                    "acceptance に位置ごとの割合を並べるときは、前から順に、小さくなるように指定してください"
                    f"（与えられた値: {shown(acceptance)}）。"
                )
            shares.append(share)
        if not shares or len(shares) > MOST_DRAFT_TOKENS:
            raise InvalidValueError(
                f"acceptance には、位置ごとの割合を 1 個から {MOST_DRAFT_TOKENS} 個まで並べてください"
                f"（与えられた値: {shown(acceptance)}）。"
            )
        total = 0.0
        for share in shares:
            total += share
        mean = acceptance_from_share(total / len(shares), len(shares))
        return _Accepted(mean, mean, mean, SAME_EVERYWHERE, tuple(shares))
    given = _probability("acceptance", acceptance)  # type: ignore[arg-type]
    return _Accepted(given, given, given, SAME_EVERYWHERE)


def published_acceptance(method: str, text: str) -> DraftAcceptance:
    """Return what was published for a way of drafting and a kind of text.

    Where a kind of text was not measured with this way of drafting, what was
    measured with it for all kinds counts; EAGLE and EAGLE-3 count as one.
    """
    rows = draft_acceptances()
    if method == EAGLE3:
        method = EAGLE
    return rows[(method, text)] if (method, text) in rows else rows[(method, ANY_TEXT)]


def round_waits(
    result: Estimate, drafter: Drafter, small: Estimate | None, chosen: ChosenDrafting, draft_tokens: int
) -> list[Wait]:
    """Return what a round of one draft waits for: the draft first, then the model's pass over it."""
    step = result.step_latency_s
    if small is not None:
        one_draft_s = small.step_latency_s
    else:
        # A layer and the output are read at the pace of the model's own.
        one_draft_s = step * drafter_bytes(drafter, result.model, result.weights).read / result.weight_bytes_per_step
    row = chosen.calibration
    tokens = draft_tokens + 1
    sequences = result.batch_size
    # The tokens of a sequence share one cache: together they read as much as many short ones.
    together = ask_again(result, batch_size=sequences * tokens, context_length=result.context_length // tokens)
    waits = [Wait(DRAFTING, float(draft_tokens), one_draft_s)]
    waits += [wait for wait in together.waits if wait.kind.name not in PER_SEQUENCE]
    waits += [wait for wait in result.waits if wait.kind.name in PER_SEQUENCE]
    waits.append(Wait(LEAVE_ONE_TOKEN_PATH, row.leaving_share, step))
    few = max(0, min(sequences * tokens, FEW_TOKENS) - sequences)
    if few and row.cycles_per_flop:
        at_once = result.devices if result.split == "tensor" else 1
        cycle_s = 1 / core_cycles_per_s(result.device) / at_once
        waits.append(Wait(FURTHER_TOKENS, row.cycles_per_flop, few * weight_flop_per_token(result.model) * cycle_s))
    return waits


def _memory_bytes(drafter: Drafter, small: Estimate | None, result: Estimate) -> float:
    if small is not None:
        return weight_bytes_resident(small.model, small.weights)
    return drafter_bytes(drafter, result.model, result.weights).resident


def _notes(
    result: Estimate,
    drafter: Drafter,
    small: Estimate | None,
    chosen: ChosenDrafting,
    acceptance: float | str | Sequence[float] | None,
    best_tokens: int,
    speedup: float,
) -> tuple[str, ...]:
    notes = [*chosen.notes]
    if isinstance(acceptance, str) and not published_acceptance(drafter.id, acceptance).text:
        notes.append(
            f"{drafter.label}で作る下書きが「{TEXTS[acceptance]}」でどれだけ受け入れられるかは公開されていないので、"
            "すべての種類を合わせた値で答えました。"
        )
    if not best_tokens:
        notes.append("下書きの長さをいくつにしても、下書きなしより速くなりません。")
    elif speedup <= 1:
        notes.append(f"この長さでは下書きなしより遅くなります。いちばん速いのは {best_tokens} トークンです。")
    if small is not None and small.model.vocab_size != result.model.vocab_size:
        notes.append("下書きのモデルの語彙の大きさが違います。多くのエンジンは、同じ語彙のモデルだけを使えます。")
    if drafter.id == NGRAM:
        notes.append("写せる文があるときだけ速くなります。文を直す、要約する、引用する作業に向きます。")
    fit = result.fit
    room = fit.available_least_bytes - fit.required_bytes
    if fit.verdict == FITS and _memory_bytes(drafter, small, result) > room:
        notes.append("下書きの重みまではメモリに入らないか、きわどい量です。")
    if result.batch_size > 1:
        notes.append("同時に進める系列が多いほど、まとめて通すトークンが増え、下書きの効果は小さくなります。")
    return tuple(notes)
