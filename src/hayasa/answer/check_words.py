"""What a verdict is called, and what is said of it: the same words in a terminal and on a page."""

from __future__ import annotations

from collections.abc import Sequence

from ..reports.run import BOTH, DECODE, PROMPT, Run
from ..units import scaled, significant
from .causes import Cause
from .check import FAST, IMPOSSIBLE, NORMAL, SLOW, Check
from .check_report import CheckedRun

VERDICTS = {
    NORMAL: "普通",
    FAST: "速い（ありえる）",
    SLOW: "遅い",
    IMPOSSIBLE: "ありえない",
}
"""The verdicts in a word."""

MOST_CAUSES = 4
"""Causes that are shown."""

LEAST_LIKELIHOOD = 0.03
"""Likelihood below which a cause is not worth a reader's time."""

_TESTS = {DECODE: "生成", PROMPT: "プロンプト", BOTH: "両方"}

_TITLES = {IMPOSSIBLE: "どの前提が違うか（ありそうな順）", SLOW: "よくある原因（ありそうな順）"}


def sentence(answer: Check) -> str:
    """Say in a sentence what the verdict means.

    Examples
    --------
    >>> from hayasa import check, estimate
    >>> print(sentence(check(estimate("llama-3.1-8b", "rtx-4090"), 30)))
    遅いです。90%区間より下です。
    """
    if answer.verdict == IMPOSSIBLE:
        result = answer.estimate
        n_bytes = answer.bytes_per_step_at_most
        hundred_millions = 8 * n_bytes / result.weights.bits_per_weight / 1e8
        return (
            "ありえません。物理的な上限を超えています。"
            f"この帯域幅でこの速さなら、1 ステップに読み出せるのは {scaled(n_bytes, 'B')}"
            f"（{result.weights.id} の重みで {significant(hundred_millions, 2)} 億個）までです。"
        )
    return {
        NORMAL: "普通です。90%区間に入っています。",
        FAST: "普通より速いですが、物理的にはありえます。",
        SLOW: "遅いです。90%区間より下です。",
    }[answer.verdict]


def shown_causes(answer: Check) -> Sequence[Cause]:
    """Return the causes that are worth a reader's time."""
    worth = tuple([cause for cause in answer.causes if cause.certain or cause.likelihood >= LEAST_LIKELIHOOD])
    return (worth or answer.causes)[:MOST_CAUSES]


def causes_title(answer: Check) -> str:
    """Return what stands above the causes."""
    return _TITLES.get(answer.verdict, "速さを変えているもの")


def cause_heading(cause: Cause) -> str:
    """Name a cause, with what it makes of the speed."""
    first, last = significant(cause.low_ratio, 2), significant(cause.high_ratio, 2)
    span = first if first == last else f"{first} ～ {last}"
    certain = "、報告や大きさからわかる" if cause.certain else ""
    return f"{cause.name}（速さは {span} 倍{certain}）"


def count_text(devices: int) -> str:
    """Write behind a device how many there are."""
    return f" × {devices} 台" if devices > 1 else ""


def run_text(run: Run) -> str:
    """Write what was run: how much was read and written, behind how much, by how many at once."""
    counts = [
        f"プロンプト {run.prompt_tokens:,}" if run.prompt_tokens and run.kind != DECODE else "",
        f"書く {run.decode_tokens:,}" if run.decode_tokens else "",
        f"文脈 {run.depth:,}" if run.depth else "",
        f"× {run.batch_size}" if run.batch_size > 1 else "",
    ]
    return " ".join([one for one in counts if one]) or _TESTS[run.kind]


def rows_alike(rows: Sequence[CheckedRun]) -> list[list[CheckedRun]]:
    """Put rows together that have the same verdict, model, device and causes."""
    groups: dict[tuple[object, ...], list[CheckedRun]] = {}
    for row in rows:
        answer = row.check
        if answer is not None:
            result = answer.estimate
            causes = tuple([cause.id for cause in shown_causes(answer)])
            key = (answer.verdict, result.model.id, result.weights.id, result.device.id, causes)
            groups.setdefault(key, []).append(row)
    return list(groups.values())
