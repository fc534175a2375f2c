"""``hayasa calibrations``: what each part of an estimate was fitted to, and how far off it was on what it had not seen."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from ..engine.calibration import calibrations
from ..engine.drafting import draft_calibrations
from ..engine.goals import Goal, goals
from ..engine.offload import offload_calibration
from ..engine.power import power_calibrations
from ..engine.prompt import prompt_calibrations
from ..listing import table_lines
from ..units import significant
from .answers import print_json

COUNTS = {"実測": "rows", "機種": "devices|machines", "モデル": "models"}
"""Columns that count, with the fields that hold the number, of which the first known one counts."""

SHARES = {
    "機種の外れ": "error_device_held_out|error_machine_held_out",
    "世代の外れ": "error_generation_held_out",
    "モデルの外れ": "error_model_held_out",
    "出典の外れ": "error_source_held_out",
    "年の外れ": "error_year_held_out",
    "区間の的中": "coverage_device_held_out|coverage_machine_held_out|coverage_model_held_out",
}
"""Columns of shares: mean errors on what was held out, and how much of that lay within its interval."""


NAMES = {
    "decode": "生成",
    "batches": "複数の系列",
    "prompt": "プロンプト",
    "offload": "主記憶に置く",
    "draft": "下書き",
    "power": "電力",
}
"""What of an estimate a row is about."""


def every_calibration() -> Iterator[tuple[str, object]]:
    """Yield what is fitted, each with what of an estimate it is about."""
    for row in calibrations():
        yield "decode", row
    for prompt in prompt_calibrations():
        yield "prompt", prompt
    yield "offload", offload_calibration()
    for draft in draft_calibrations():
        yield "draft", draft
    for power in power_calibrations().values():
        yield "power", power


def calibrations_command(arguments: argparse.Namespace) -> None:
    """Print a table of all calibrations, and how near their goals they are, or JSON."""
    found = [(part, vars(row)) for part, row in every_calibration()]
    if arguments.json:
        against = [{**vars(goal), "part": "goal", "of": goal.part} for goal in goals()]
        print_json([*({"part": part, **row} for part, row in found), *against])
        return
    rows = [
        [
            NAMES[part],
            str(row["id"]),
            *[str(_first(row, fields) or "-") for fields in COUNTS.values()],
            str(len(str(row["sources"]).split("|")) if row.get("sources") else "-"),
            f"{row['first_year']}-{row['last_year']}" if row.get("first_year") else "-",
            *[_percent(_first(row, fields)) for fields in SHARES.values()],
        ]
        for part, row in found
    ]
    header = ["何の", "id", *COUNTS, "出典", "年", *SHARES]
    print("\n".join(table_lines(rows, header=header, right="ll" + "r" * (len(COUNTS) + 1) + "l" + "r" * len(SHARES))))
    print()
    print("\n".join(_goal_lines(goals())))


def _goal_lines(found: tuple[Goal, ...]) -> list[str]:
    """Return a table of goals and what was reached, and why some of them were not."""
    header = ["何の", "id", "実測", "目標", "外れの最大", "測定どうし", "同じ問い"]
    rows = [
        [
            NAMES[goal.part],
            f"{goal.id}{f'（{goal.subset}）' if goal.subset else ''}",
            str(goal.rows),
            _percent(goal.goal),
            f"{_percent(goal.reached)}{'' if goal.reached <= goal.goal else ' *'}",
            _percent(goal.spread),
            str(goal.spread_rows or "-"),
        ]
        for goal in found
    ]
    lines = table_lines(rows, header=header, right="llrrrrr")
    lines.append(
        "測定どうし: 同じ問いを別の人や別のビルドが測った速さどうしの外れ。どんな見積りも、これより小さくはなりません。"
    )
    for goal, row in zip(found, rows, strict=True):
        if goal.reached > goal.goal:
            lines.append(f"* {row[0]} {row[1]}: {goal.reason}足りない測定: {goal.needed}")
    return lines


def _percent(share: float) -> str:
    return f"{significant(100 * share, 2)}%" if share else "-"


def _first(row: dict[str, object], fields: str) -> float:
    """Return the first of some numbers that is there and not 0, the word for unknown here; else 0."""
    for name in fields.split("|"):
        value = row.get(name)
        if isinstance(value, (int, float)) and value:
            return value
    return 0
