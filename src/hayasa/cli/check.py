"""What ``hayasa check`` prints."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from ..answer.causes import Cause, Seen
from ..answer.check import FAST, IMPOSSIBLE, NORMAL, SLOW, Check, check
from ..answer.check_report import CheckedRun, check_report
from ..answer.estimate import estimate
from ..errors import DataFileError, InvalidValueError
from ..listing import table_lines
from ..machine.device import Device
from ..model.shape import Model
from ..reports.run import BOTH, DECODE, PROMPT, Run
from ..units import scaled, significant
from .amounts import SPEEDS, integer, quantity
from .answers import print_json

VERDICTS = {
    NORMAL: "普通",
    FAST: "速い（ありえる）",
    SLOW: "遅い",
    IMPOSSIBLE: "ありえない",
}
"""The verdicts in a word."""

MOST_CAUSES = 4
"""Causes that are printed."""

MOST_LINES = 5
"""Lines that are printed of those that cannot be answered for one reason."""

LEAST_LIKELIHOOD = 0.03
"""Likelihood below which a cause is not worth a reader's time."""


def print_checks(
    arguments: argparse.Namespace, model: str | Model | None, device: str | Device | None, question: dict[str, Any]
) -> None:
    """Print what a measured speed says, or every speed of a report."""
    name = arguments.report or arguments.file
    if name and arguments.measured:
        raise InvalidValueError("--measured とファイルは、どちらか一方を指定してください。")
    if name:
        rows = check_report(_read(name), model=model, device=device, **question)
        if arguments.json:
            print_json([row.to_dict() for row in rows])
        else:
            print("\n".join(report_lines(rows)))
        return
    if not (arguments.measured and model and device):
        raise InvalidValueError(
            "道具の出力のファイル（- は標準入力）か、--model、--device、--measured の三つを指定してください。"
        )
    answer = check(
        estimate(model, device, **question),
        quantity("--measured", arguments.measured, SPEEDS, "12.3 や 12.3t/s"),
        seen=Seen(),
    )
    if arguments.json:
        print_json(answer.to_dict())
    else:
        print("\n".join(check_lines(answer)))


def given(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the arguments of `hayasa.estimate` that were given."""
    numbers = {"batch_size": "batch", "context_length": "context", "devices": "count", "prompt_length": "prompt"}
    names = ("weights", "engine", "backend", "split", "kv_cache", "build")
    question: dict[str, Any] = {name: getattr(arguments, name) for name in names if getattr(arguments, name)}
    if arguments.server is not None:
        question["server"] = arguments.server
    for argument, option in numbers.items():
        text = getattr(arguments, option)
        if text is not None:
            question[argument] = integer(f"--{'devices' if option == 'count' else option}", text)
    return question


def _read(name: str) -> str:
    """Read a report in whatever encoding a shell wrote it: PowerShell writes UTF-16."""
    try:
        if name == "-":
            content = sys.stdin.buffer.read()
        else:
            with open(name, "rb") as file:
                content = file.read()
    except OSError as error:
        raise DataFileError(f"{name} を読めません: {error.strerror}。") from None
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    return content.decode(encoding, errors="replace")


def check_lines(answer: Check) -> list[str]:
    """Lay out what one measured speed says."""
    result, expected = answer.estimate, answer.expected
    rows = [
        ("モデル", f"{result.model.name or result.model.id}（{result.weights.id}）"),
        ("デバイス", f"{result.device.name or result.device.id}{_count(result.devices)}"),
        ("条件", f"{result.engine.id}、バッチ {result.batch_size}、文脈 {result.context_length:,} トークン"),
        ("実測", f"{significant(answer.measured_tokens_per_s)} トークン/秒"),
        (
            "見積り",
            f"{significant(expected.best)} トークン/秒（90%区間 {significant(expected.low)} ～ "
            f"{significant(expected.high)}、上限 {significant(expected.bound)}）",
        ),
        ("実測/見積り", f"{significant(answer.ratio)} 倍"),
        ("答え", _sentence(answer)),
    ]
    lines = table_lines(rows)
    if answer.causes:
        lines += ["", *_cause_lines(answer)]
    return lines + [""] * bool(answer.causes and result.notes) + [f"注意: {note}" for note in result.notes]


def _count(devices: int) -> str:
    return f" × {devices} 台" if devices > 1 else ""


def _sentence(answer: Check) -> str:
    """Say in a sentence what the verdict means."""
    if answer.verdict == IMPOSSIBLE:
        result = answer.estimate
        n_bytes = answer.bytes_per_step_at_most
        hundred_millions = 8 * n_bytes / result.weights.bits_per_weight / 1e8
        return (
            "ありえません。物理的な上限を超えています。"
            f"この帯域幅でこの速さなら、1 ステップに読めるのは {scaled(n_bytes, 'B')}"
            f"（{result.weights.id} の重みで {significant(hundred_millions, 2)} 億個）までです。"
        )
    return {
        NORMAL: "普通です。90%区間に入っています。",
        FAST: "普通より速いですが、物理的にはありえます。",
        SLOW: "遅いです。90%区間より下です。",
    }[answer.verdict]


def shown_causes(answer: Check) -> Sequence[Cause]:
    """Return the causes that are worth a reader's time."""
    worth = [cause for cause in answer.causes if cause.certain or cause.likelihood >= LEAST_LIKELIHOOD]
    return (worth or answer.causes)[:MOST_CAUSES]


def _cause_lines(answer: Check) -> list[str]:
    title = {IMPOSSIBLE: "どの前提が違うか（ありそうな順）", SLOW: "よくある原因（ありそうな順）"}
    lines = [title.get(answer.verdict, "速さを変えているもの")]
    for number, cause in enumerate(shown_causes(answer), 1):
        certain = "、報告や大きさからわかる" if cause.certain else ""
        span = _span(cause.low_ratio, cause.high_ratio)
        lines += [
            f"{number}. {cause.name}（速さは {span} 倍{certain}）",
            f"   見分け方: {cause.how_to_see}",
            f"   直し方: {cause.what_to_do}",
        ]
    return lines


def _span(low: float, high: float) -> str:
    first, last = significant(low, 2), significant(high, 2)
    return first if first == last else f"{first} ～ {last}"


_TESTS = {DECODE: "生成", PROMPT: "プロンプト", BOTH: "両方"}


def report_lines(rows: Sequence[CheckedRun]) -> list[str]:
    """Lay out what every speed of a report says: a table, then the reasons, then what was not understood."""
    checked = [row for row in rows if row.check is not None]
    lines: list[str] = []
    if checked:
        header = ["行", "モデル", "形式", "デバイス", "試験", "実測", "見積り", "90%区間", "比", "答え"]
        lines += table_lines([_cells(row) for row in checked], header=header, right="rlllrrrrrl")
        lines.append("\n速さの単位はトークン/秒。比は実測 ÷ 見積り。")
    for answers in _alike([row for row in checked if row.check and row.check.causes]):
        first = answers[0].check
        assert first is not None
        numbers = "、".join(dict.fromkeys(str(row.line) for row in answers))
        lines += ["", f"行 {numbers}: {_sentence(first)}", *_cause_lines(first)]
    notes = dict.fromkeys(note for row in rows for note in row.notes)
    lines += ["", *(f"注意: {note}" for note in notes)] if notes else []
    return lines + _open_lines([row for row in rows if row.check is None])


def _open_lines(rows: Sequence[CheckedRun]) -> list[str]:
    """Tell what could not be answered, and why: each line, but of many with one reason only their numbers."""
    reasons: dict[str, list[CheckedRun]] = {}
    for row in rows:
        reasons.setdefault(row.reason, []).append(row)
    lines = ["", "答えられない行"] if rows else []
    for reason, alike in reasons.items():
        lines += [f"  {row.line}: {row.text}" for row in alike[:MOST_LINES]]
        if len(alike) > MOST_LINES:
            lines.append("  ほか " + "、".join(str(row.line) for row in alike[MOST_LINES:]))
        lines.append(f"      {reason}")
    return lines


def _alike(rows: Sequence[CheckedRun]) -> list[list[CheckedRun]]:
    """Put rows together that have the same verdict, model, device and causes."""
    groups: dict[tuple[object, ...], list[CheckedRun]] = {}
    for row in rows:
        answer = row.check
        assert answer is not None
        result = answer.estimate
        causes = tuple(cause.id for cause in shown_causes(answer))
        groups.setdefault((answer.verdict, result.model.id, result.weights.id, result.device.id, causes), []).append(
            row
        )
    return list(groups.values())


def _cells(row: CheckedRun) -> list[str]:
    run, answer = row.run, row.check
    assert run is not None
    assert answer is not None
    result, expected = answer.estimate, answer.expected
    return [
        str(row.line),
        result.model.id,
        result.weights.id,
        f"{result.device.id}{_count(result.devices)}",
        _test(run),
        significant(answer.measured_tokens_per_s),
        significant(expected.best),
        f"{significant(expected.low)} ～ {significant(expected.high)}",
        f"{answer.ratio:.2f}",
        VERDICTS[answer.verdict],
    ]


def _test(run: Run) -> str:
    """Write what was run: how much was read and written, behind how much, by how many at once."""
    counts = [
        f"読む {run.prompt_tokens:,}" if run.prompt_tokens and run.kind != DECODE else "",
        f"書く {run.decode_tokens:,}" if run.decode_tokens else "",
        f"文脈 {run.depth:,}" if run.depth else "",
        f"× {run.batch_size}" if run.batch_size > 1 else "",
    ]
    return " ".join(filter(None, counts)) or _TESTS[run.kind]
