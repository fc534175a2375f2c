"""Speeds that people published, as they wrote engine, backend, device, model and format: all are understood.

What remains unanswered is printed by ``python -m tests.hayasa.test_reported``.
"""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

import hayasa

with (Path(__file__).parent / "reported.csv").open(encoding="utf-8", newline="") as file:
    REPORTED = list(csv.DictReader(file, strict=True))

REFUSED = {
    "gemma-2-9b-it-Q4_K_M-fp16": "gemma-2-9b",  # two formats in one name
    "Apple M1 Ultra 16P+4E": "metal",  # its row is that of the GPU, which reads faster than the processor
}
"""What is refused for good, by the word that was written, and what the reason has to name."""

WAITING = {row[column] for row in REPORTED for column in ("device", "model") if not row[f"{column}_id"]} - set(REFUSED)
"""Devices and models that had no row when the table was written; each is free to get one."""


def answer(row: dict[str, str]) -> hayasa.Estimate:
    return hayasa.estimate(
        row["model"], row["device"], weights=row["weights"], engine=row["engine"], backend=row["backend"]
    )


def unanswered() -> dict[str, int]:
    """Count the reasons for which rows are refused."""
    reasons: Counter[str] = Counter()
    for row in REPORTED:
        try:
            answer(row)
        except hayasa.HayasaError as error:
            reasons[str(error)] += 1
    return dict(reasons)


@pytest.mark.parametrize("row", REPORTED, ids=lambda row: " / ".join(list(row.values())[:5]))
def test_what_was_reported_is_understood(row: dict[str, str]) -> None:
    for word, reason in REFUSED.items():
        if word in (row["model"], row["device"]):
            with pytest.raises(hayasa.HayasaError, match=reason):
                answer(row)
            return
    if WAITING & {row["model"], row["device"]}:
        return
    result = answer(row)
    assert (result.device.id, result.model.id) == (row["device_id"], row["model_id"])
    assert result.engine.id == hayasa.get_engine(row["engine"]).id
    assert result.backend == row["backend"]
    assert result.decode_tokens_per_s > 0


def test_nearly_all_are_answered() -> None:
    """283 of 330 when this was written; the rest waits for rows of the tables, or is refused for a reason."""
    assert len(REPORTED) == 330
    assert sum(unanswered().values()) <= 47


if __name__ == "__main__":
    for reason, count in sorted(unanswered().items(), key=lambda one: -one[1]):
        print(count, reason)
