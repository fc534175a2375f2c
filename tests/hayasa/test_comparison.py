"""The other estimators on the same rows: the table is what its recipe makes, and what it shows."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from hayasa.catalog.objects import device_rows
from hayasa.catalog.reader import data_directory
from lab import compare

TABLE = data_directory() / "estimator_comparison.csv"


def table() -> dict[str, dict[str, str]]:
    with TABLE.open(encoding="utf-8", newline="") as file:
        return {row["estimator"]: row for row in csv.DictReader(file)}


def test_every_estimator_is_in_the_version_that_is_pinned() -> None:
    pinned = dict(re.findall(r"^([\w-]+)==(\S+)$", compare.REQUIREMENTS.read_text(encoding="utf-8"), re.M))
    others = {name: row["version"] for name, row in table().items() if not name.startswith("hayasa")}
    assert len(others) == 6
    assert others.items() <= pinned.items()


@pytest.mark.parametrize("name", [name for name in table() if not name.startswith("hayasa")])
def test_unseen_devices_are_nearer_than_what_others_say(name: str) -> None:
    row = table()[name]
    assert 0 < int(row["rows_answered"]) <= int(row["rows_asked"])
    assert float(row["hayasa_on_the_same"]) < float(row["mean_error"]) / 2


def test_a_question_is_plain_and_complete() -> None:
    rows = [m for _, mine in compare.rows_by_form() for m in mine if compare.is_asked(m)]
    assert all(m.devices == m.batch_size == 1 for m in rows)
    asked = compare.question(rows[0])
    assert asked["device"] in device_rows() and asked["device_name"] in asked["device_names"]
    assert all(isinstance(value, str | int | float | bool | list) for value in asked.values())


def test_errors_count_answers_only() -> None:
    rows = [m for _, mine in compare.rows_by_form() for m in mine][:3]
    exact = {m.row["id"]: 1 / m.step_s for m in rows}
    twice = {id_: 2 * speed for id_, speed in exact.items()}
    assert compare.errors(twice, rows) == pytest.approx([1, 1, 1])
    assert len(compare.errors(exact, rows, {rows[0].row["id"]: 1.0})) == 1
    assert not compare.errors(dict.fromkeys(exact), rows)


def test_the_recipe_says_how_each_is_asked() -> None:
    text = (Path(compare.__file__).parent / "estimators.py").read_text(encoding="utf-8")
    for name in table():
        assert name.startswith("hayasa") or f'"{name}": ask_' in text
