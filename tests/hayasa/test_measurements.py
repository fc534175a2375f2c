"""The published measurements, as records."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pandas
import pytest

import hayasa
from hayasa.catalog.measurements import mean_context_length

DATA = Path(__file__).parents[2] / "data" / "measurements"


def test_every_cell_of_every_file_is_there() -> None:
    records = {record["id"]: record for record in hayasa.measurements()}
    count = 0
    for path in DATA.glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                record = records[row["id"]]
                assert record["file"] == path.stem
                for name, text in row.items():
                    value = record[name]
                    if value is None or isinstance(value, (int, float)):
                        assert (text == "") == (value is None)
                        assert value is None or float(text) == value
                    else:
                        assert text == value
                count += 1
    assert count == len(records) > 1500


def test_names_are_taken_in_any_spelling() -> None:
    rows = hayasa.measurements(model="meta-llama/Llama-2-7b", device="NVIDIA RTX 4090", engine="llamacpp")
    assert rows
    assert {(row["model"], row["device"], row["engine"]) for row in rows} == {("llama-2-7b", "rtx-4090", "llama.cpp")}


@pytest.mark.parametrize("asked", [{"model": "llama-9"}, {"device": "rtx-1"}, {"engine": "x"}, {"file": "nothing"}])
def test_what_is_not_listed_is_refused(asked: dict[str, str]) -> None:
    with pytest.raises(hayasa.UnknownNameError, match=next(iter(asked.values()))):
        hayasa.measurements(**asked)


def test_a_caller_may_change_what_it_gets() -> None:
    hayasa.measurements(file="exo_day2")[0]["model"] = "x"
    assert hayasa.measurements(file="exo_day2")[0]["model"] != "x"


def test_pandas_takes_them() -> None:
    frame = pandas.DataFrame(hayasa.measurements(file="llamacpp_apple_4167"))
    assert frame["decode_tokens_per_s"].dtype == float
    assert frame["batch_size"].eq(1).all()


def test_numpy_is_not_needed() -> None:
    code = "import sys; sys.modules['numpy'] = None; import hayasa; print(len(hayasa.measurements()) > 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"


def test_the_middle_of_what_was_generated_counts() -> None:
    row = hayasa.measurements(file="llamacpp_apple_4167")[0]
    assert mean_context_length(row) == row["context_length"] + row["decode_tokens"] // 2
    assert mean_context_length({**row, "context_length": None}) is None


@pytest.mark.parametrize("argument", ["model", "device", "weights", "engine"])
@pytest.mark.parametrize("value", ["", [], ["m4"], 3], ids=repr)
def test_what_is_no_name_is_refused(argument: str, value: object) -> None:
    with pytest.raises(hayasa.HayasaError):
        hayasa.measurements(**{argument: value})  # type: ignore[arg-type]


def test_an_engine_that_was_measured_can_be_asked_for() -> None:
    assert {row["engine"] for row in hayasa.measurements(engine="exo")} == {"exo"}


def test_every_row_says_what_was_measured() -> None:
    for row in hayasa.measurements():
        assert row["measured_through"] in ("engine", "server"), row["id"]
        assert row["includes_prompt"] in (0, 1), row["id"]
        # A speed over the whole time is taken apart by how much was read and written.
        if row["includes_prompt"] and row["engine"] == "vllm":
            assert row["context_length"] and row["decode_tokens"], row["id"]
