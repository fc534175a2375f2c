"""What the page gets holds everything, exactly, and in writing that JSON can hold."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hayasa
from hayasa.engine.calibration import Calibration, device_factors
from hayasa.engine.prompt import prompt_calibrations, prompt_factors, vendor
from hayasa.machine.device import Device
from hayasa.model.shape import Model
from hayasa.model.weights import BlockType, WeightFormat
from lab.rows import load_measurements
from tools.page import tables
from tools.page.tables import NOT_SHOWN


@pytest.fixture(scope="module")
def text() -> str:
    return tables.compact_json(tables.calculator_data())


@pytest.fixture(scope="module")
def data(text: str) -> dict[str, Any]:
    return json.loads(text)


def rows_of(table: dict[str, dict[str, str]]) -> list[dict[str, Any]]:
    """Read a table back."""
    columns: dict[str, list[Any]] = {name: column.split("~") for name, column in table["text"].items()}
    columns |= {name: [float(cell or 0) for cell in column.split(",")] for name, column in table["numbers"].items()}
    assert len({len(column) for column in columns.values()}) == 1
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def places_in(text: str, rows: int) -> list[int]:
    """Read packed numbers back, by the description rather than by the code that wrote them."""
    symbols = [chr(code) for code in range(ord("("), ord("{") + 1) if chr(code) != "\\"]
    found = [0] * rows
    for start in range(0, len(text), max(rows, 1)):
        found = [83 * n + symbols.index(symbol) for n, symbol in zip(found, text[start : start + rows], strict=True)]
    return found


def test_json_gives_back_what_was_written(text: str, data: dict[str, Any]) -> None:
    assert data == json.loads(json.dumps(tables.calculator_data()))
    assert "NaN" not in text and "Infinity" not in text


def test_every_device_is_there_with_every_number(data: dict[str, Any]) -> None:
    rows = rows_of(data["devices"])
    assert sorted(row["id"] for row in rows) == sorted(hayasa.device_rows())
    for row in rows:
        options = row.pop("memory_options_gb")
        assert options == hayasa.device_rows()[row["id"]]["memory_options_gb"]
        row["memory_options_bytes"] = tuple(float(size) * 2**30 for size in options.split("|") if size)
        row["memory_capacity_bytes"] = row.pop("memory_capacity_gib") * 2**30
        for several in ("estimated", "notes"):
            row[several] = tuple(filter(None, row[several].split("|")))
        assert Device(**row) == hayasa.get_device(row["id"])


def test_every_model_is_there_with_every_number(data: dict[str, Any]) -> None:
    rows = rows_of(data["models"])
    assert sorted(row["id"] for row in rows) == sorted(hayasa.model_rows())
    for row in rows:
        # Only the family, which no formula asks for, is left out.
        assert Model(**row) == replace(hayasa.get_model(row["id"]), family="")


def test_every_weight_format_is_there_with_its_mix(data: dict[str, Any]) -> None:
    mixes, rows = data["mixes"], rows_of(data["weight_formats"])
    blocks: list[BlockType] = []
    for row in rows_of(mixes["blocks"]):
        # A fallback stands before what falls back on it; names of blocks are not needed.
        fallback = blocks[int(row["fallback"])] if row["fallback"] >= 0 else None
        blocks.append(BlockType("", int(row["block_weights"]), row["bits_per_weight"], fallback))
    assert sorted(row["id"] for row in rows) == sorted(hayasa.weight_format_rows())
    for row in rows:
        packed = row.pop("rules")
        places = places_in(packed, len(packed))
        format_ = hayasa.get_weight_format(row["id"])
        assert WeightFormat(**row) == replace(format_, rules=())
        read = [
            (mixes["roles"][role], mixes["conditions"][when], mixes["layers"][layers], blocks[block])
            for role, when, layers, block in zip(*(places[part::4] for part in range(4)), strict=True)
        ]
        assert read == [(rule.role, rule.when, rule.layers, nameless(rule.block)) for rule in format_.rules]


def nameless(block: BlockType) -> BlockType:
    return block._replace(id="", fallback=nameless(block.fallback) if block.fallback else None)


def test_every_calibration_and_factor_is_there(data: dict[str, Any]) -> None:
    calibrations = rows_of(data["calibrations"])
    for row, calibration in zip(calibrations, hayasa.calibrations(), strict=True):
        left_out = {field.name for field in fields(Calibration)} - set(row)
        # Columns of defaults, and what is said of the fit, need not be there.
        defaults = {field.name: field.default for field in fields(Calibration)}
        said = {name for name in left_out if getattr(calibration, name) != defaults[name]}
        assert said <= set(NOT_SHOWN)
        assert {name: getattr(calibration, name) for name in row} == row
    devices = [row["id"] for row in rows_of(data["devices"])]
    families = dict.fromkeys(hayasa.get_device(id_).family for id_ in devices)
    scopes = [*families, *devices, *dict.fromkeys(map(vendor, families))]

    def factors_of(table: dict[str, Any], ids: list[str]) -> dict[tuple[str, str], list[dict[str, Any]]]:
        rows = rows_of(table)
        places = [places_in(table["places"][name], len(rows)) for name in ("calibration", "scope")]
        read: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
        for row, id_, name in zip(rows, *places, strict=True):
            read[ids[id_], scopes[name]].append(row)
        return read

    of_devices = factors_of(data["device_factors"], [row["id"] for row in calibrations])
    assert sum(map(len, of_devices.values())) == len(device_factors())
    for (id_, scope, weight_kind), factor in device_factors().items():
        wanted = {"weight_kind": weight_kind, "step_factor": factor.step_factor}
        assert any(wanted.items() <= row.items() for row in of_devices[id_, scope])
    further = json.loads(tables.compact_json(tables.prompt_data()))
    prompts = rows_of(further["prompt_calibrations"])
    assert [row["id"] for row in prompts] == [row.id for row in prompt_calibrations()]
    of_prompts = factors_of(further["prompt_factors"], [row["id"] for row in prompts])
    assert of_prompts == {key: [{"factor": factor.factor}] for key, factor in prompt_factors().items()}


def test_every_measurement_that_can_be_read_is_there() -> None:
    measurements, _ = load_measurements()
    rows = rows_of(json.loads(tables.compact_json(tables.measurement_data())))
    assert len(rows) == len(measurements) > 1000
    for row, m in zip(rows, measurements, strict=True):
        assert (row["device"], row["model"], row["weights"]) == (m.device.id, m.model.id, m.weights.id)
        assert row["engine"] == m.row["engine"]
        assert (row["devices"], row["batch_size"], row["context_length"]) == (m.devices, m.batch_size, m.context_length)
        assert (row["split"] == "") == (m.devices == 1) and row["split"] in ("", "pipeline", "tensor")
        assert m.row["measured_on"].startswith(row["measured_on"])
        assert row["source"].startswith("https://") and m.row["source"].startswith(row["source"])
        assert row["decode_tokens_per_s"] == pytest.approx(float(m.row["decode_tokens_per_s"]), rel=0.0051)


def test_the_opening_comparison_is_the_articles(data: dict[str, Any]) -> None:
    article = data["presets"]["article"]
    a100, mini = (machine["device"] for machine in article["machines"])
    model = Model(id="7b", **article["model"])
    asked = {"weights": article["weights"], "engine": article["engine"]}
    results = [hayasa.estimate(model, device, **asked) for device in (a100, Device(id="mini", **mini))]
    speeds = [(int(result.decode_tokens_per_s), int(1 / result.compute_latency_s)) for result in results]
    assert speeds == [(552, 89142), (34, 2714)]
    assert results[1].memory_available_bytes == 16 * 2**30


def test_the_menus_offer_everything_once_and_in_the_order_of_people(data: dict[str, Any]) -> None:
    titles: dict[str, str] = {}
    assert data["shelves"].keys() == {"devices", "models", "weight_formats"}
    for name, shelves in data["shelves"].items():
        # The rows stand in the order of the menu; each shelf has the next ones.
        in_order = [title for title, count in shelves for _ in range(count)]
        assert all(title and count for title, count in shelves)
        titles |= dict(zip((row["id"] for row in rows_of(data[name])), in_order, strict=True))
    assert [titles[id_] for id_ in ("rtx-4090-laptop", "rtx-4090", "a100-80gb-pcie", "apple-m4-10c", "ryzen-5000")] == [
        "NVIDIA ノートPC", "NVIDIA GeForce", "NVIDIA サーバー", "Apple（Mac、iPhone）", "CPU（AMD）",
    ]  # fmt: skip
    assert (titles["llama-3.1-8b"], titles["gpt-oss-20b"], titles["q5_k_m"]) == (
        "Llama",
        "gpt-oss",
        "GGUF（llama.cpp）",
    )
    geforce = [id_ for id_, title in titles.items() if title == "NVIDIA GeForce"]
    assert (
        geforce.index("gtx-970") < geforce.index("gtx-1060-6gb") < geforce.index("rtx-3060") < geforce.index("rtx-4090")
    )


def test_a_page_build_needs_no_numpy() -> None:
    code = "import sys; from tools.page.tables import calculator_data; calculator_data(); print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(JSON)
def test_compact_json_is_json(value: object) -> None:
    assert json.loads(tables.compact_json(value)) == value


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_compact_json_refuses_what_json_cannot_write(number: float) -> None:
    with pytest.raises(ValueError, match="JSON に書けない数"):
        tables.compact_json([1, {"a": number}])


def test_a_separator_in_a_word_is_refused() -> None:
    with pytest.raises(ValueError, match="列 name の文字列に ~ は使えません"):
        tables._table({"name": ["a", "a~b"]})


@given(st.lists(st.integers(0, 83**3 - 1), min_size=1))
def test_packed_numbers_are_read_back(numbers: list[int]) -> None:
    packed = tables._packed(numbers)
    assert places_in(packed, len(numbers)) == numbers
    assert not set(packed) & set("\\\"'~")
