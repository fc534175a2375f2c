"""The table of common choices says what the calculator's own script says for the same choice."""

import json

import pytest
from py_mini_racer import MiniRacer

from hayasa.units import GIB
from tests.checks.report import expect_none
from tests.web.javascript import page_script
from tools import calculator_table

CELL = """
globalThis.cell = (model, weights, device, memory_capacity_bytes, context_length) => {
  const { tables, estimate, makeDevice } = globalThis.hayasa;
  const own = makeDevice({ ...tables.devices.get(device), memory_capacity_bytes });
  const result = estimate({ model, weights, device: own, engine: "llama.cpp", batch_size: 1, context_length });
  const { decode_tokens_per_s, decode_tokens_per_s_low, decode_tokens_per_s_high } = result;
  return JSON.stringify([result.fit.verdict, decode_tokens_per_s, decode_tokens_per_s_low, decode_tokens_per_s_high]);
};
"""


@pytest.fixture(scope="module")
def script():
    context = MiniRacer()
    context.eval(page_script() + CELL)
    return context


def number(text: str) -> float:
    return float(text.replace(",", ""))


def different(script, table: str) -> list[str]:
    """Return the cells that the script would write otherwise."""
    lines = table.partition("\n\n")[0].splitlines()[2:]
    found = []
    for line, (device, title, memory_gb) in zip(lines, calculator_table.MACHINES, strict=True):
        heading, *cells = [cell.strip() for cell in line.strip("|").split("|")]
        assert heading == f"{title}、{memory_gb} GB"
        for cell, (model, weights) in zip(cells, calculator_table.MODELS, strict=True):
            asked = (model, weights, device, memory_gb * GIB, calculator_table.CONTEXT_LENGTH)
            verdict, *speeds = json.loads(script.call("cell", *asked))
            # The page says of a machine whose memory is short what the table shows by a sign.
            expected: list[float] | str = {"tight": "△", "does_not_fit": "―"}.get(verdict, [])
            expected = expected or [float(f"{speed:.1e}") for speed in speeds]
            shown = (
                cell if cell in "△―" else [number(part) for part in cell.rstrip("）").replace("～", "（").split("（")]
            )
            if shown != expected:
                found.append(f"{heading}、{model}: 表は {cell}、計算機は {verdict}、{speeds}")
    return found


def test_the_table_says_what_the_calculator_says(script):
    page = calculator_table.PAGE.read_text(encoding="utf-8")
    (table,) = calculator_table.PLACE.findall(page)
    expect_none(different(script, table))


def test_a_changed_table_is_noticed(script):
    table = calculator_table.table()
    assert different(script, table) == []
    assert len(different(script, table.replace("― | ― |", "― | 3.0（2.0～4.0） |", 1))) == 1
    assert len(different(script, table.replace("～", "～1", 1))) == 1
