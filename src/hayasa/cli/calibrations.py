"""``hayasa calibrations``: what each part of an estimate was fitted to, and how far off it was on what it had not seen."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from ..engine.calibration import calibrations
from ..engine.drafting import draft_calibrations
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
    """Print a table of all calibrations, or JSON."""
    found = [(part, vars(row)) for part, row in every_calibration()]
    if arguments.json:
        print_json([{"part": part, **row} for part, row in found])
        return
    names = {"decode": "生成", "prompt": "プロンプト", "offload": "主記憶に置く", "draft": "下書き", "power": "電力"}
    rows = [
        [
            names[part],
            str(row["id"]),
            *[str(_first(row, fields) or "-") for fields in COUNTS.values()],
            str(len(str(row["sources"]).split("|")) if row.get("sources") else "-"),
            f"{row['first_year']}-{row['last_year']}" if row.get("first_year") else "-",
            *[
                f"{significant(100 * share, 2)}%" if (share := _first(row, fields)) else "-"
                for fields in SHARES.values()
            ],
        ]
        for part, row in found
    ]
    header = ["何の", "id", *COUNTS, "出典", "年", *SHARES]
    print("\n".join(table_lines(rows, header=header, right="ll" + "r" * (len(COUNTS) + 1) + "l" + "r" * len(SHARES))))


def _first(row: dict[str, object], fields: str) -> float:
    """Return the first of some numbers that is there and not 0, the word for unknown here; else 0."""
    for name in fields.split("|"):
        value = row.get(name)
        if isinstance(value, (int, float)) and value:
            return value
    return 0
