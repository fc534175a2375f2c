"""What ``hayasa check`` prints."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from ..answer.causes import Seen
from ..answer.check import Check, check
from ..answer.check_report import CheckedRun, check_report
from ..answer.check_words import (
    VERDICTS,
    cause_heading,
    causes_title,
    count_text,
    rows_alike,
    run_text,
    sentence,
    shown_causes,
)
from ..answer.estimate import estimate
from ..errors import DataFileError, InvalidValueError
from ..listing import table_lines
from ..machine.device import Device
from ..model.shape import Model
from ..units import significant
from .amounts import SPEEDS, integer, quantity
from .answers import print_json

MOST_LINES = 5
"""Lines that are printed of those that cannot be answered for one reason."""


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
        ("デバイス", f"{result.device.name or result.device.id}{count_text(result.devices)}"),
        ("条件", f"{result.engine.id}、バッチ {result.batch_size}、文脈 {result.context_length:,} トークン"),
        ("実測", f"{significant(answer.measured_tokens_per_s)} トークン/秒"),
        (
            "見積り",
            f"{significant(expected.best)} トークン/秒（90%区間 {significant(expected.low)} ～ "
            f"{significant(expected.high)}、上限 {significant(expected.bound)}）",
        ),
        ("実測/見積り", f"{significant(answer.ratio)} 倍"),
        ("答え", sentence(answer)),
    ]
    lines = table_lines(rows)
    if answer.causes:
        lines += ["", *_cause_lines(answer)]
    return lines + [""] * bool(answer.causes and result.notes) + [f"注意: {note}" for note in result.notes]


def _cause_lines(answer: Check) -> list[str]:
    lines = [causes_title(answer)]
    for number, cause in enumerate(shown_causes(answer), 1):
        lines += [
            f"{number}. {cause_heading(cause)}",
            f"   見分け方: {cause.how_to_see}",
            f"   直し方: {cause.what_to_do}",
        ]
    return lines


def report_lines(rows: Sequence[CheckedRun]) -> list[str]:
    """Lay out what every speed of a report says: a table, then the reasons, then what was not understood."""
    checked = [row for row in rows if row.check is not None]
    lines: list[str] = []
    if checked:
        header = ["行", "モデル", "形式", "デバイス", "試験", "実測", "見積り", "90%区間", "比", "答え"]
        lines += table_lines([_cells(row) for row in checked], header=header, right="rlllrrrrrl")
        lines.append("\n速さの単位はトークン/秒。比は実測 ÷ 見積り。")
    for answers in rows_alike([row for row in checked if row.check and row.check.causes]):
        first = answers[0].check
        assert first is not None
        numbers = "、".join(dict.fromkeys(str(row.line) for row in answers))
        lines += ["", f"行 {numbers}: {sentence(first)}", *_cause_lines(first)]
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


def _cells(row: CheckedRun) -> list[str]:
    run, answer = row.run, row.check
    assert run is not None
    assert answer is not None
    result, expected = answer.estimate, answer.expected
    return [
        str(row.line),
        result.model.id,
        result.weights.id,
        f"{result.device.id}{count_text(result.devices)}",
        run_text(run),
        significant(answer.measured_tokens_per_s),
        significant(expected.best),
        f"{significant(expected.low)} ～ {significant(expected.high)}",
        f"{answer.ratio:.2f}",
        VERDICTS[answer.verdict],
    ]
