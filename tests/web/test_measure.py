"""What stands beside a reader's results, and the example on that page, are the book's own numbers."""

import json
import re

import pytest
from py_mini_racer import MiniRacer

import hayasa
from hayasa.units import significant
from lab.rows import load_measurements
from tests.web.javascript import ROOT
from tools.page import script
from tools.page.bundle import bundle
from tools.page.measure import measure_data

RECORD = ROOT / "data" / "measurements" / "own" / "2026-11-28-xeon-2core-browser.json"


def test_the_points_are_those_of_the_chapter() -> None:
    rows, _ = load_measurements()
    apple = [m for m in rows if m.source == "llamacpp_apple_4167" and m.device.family != "apple-m5"]
    nvidia = [m for m in rows if m.source == "llamacpp_scoreboards" and m.row["backend"] == "cuda"]
    expected = sorted((1e3 * m.loads_s["read_weights"], m.loads_s["read_weights"] / m.step_s) for m in apple + nvidia)
    given = sorted(map(tuple, measure_data()["shares"]))  # type: ignore[call-overload]
    assert len(given) == len(expected) > 80
    for one, other in zip(given, expected, strict=True):
        assert one == pytest.approx(other, rel=5e-3)


def test_the_example_is_the_record() -> None:
    text = (ROOT / "measure.qmd").read_text(encoding="utf-8")
    names = {"読むだけ": "read", "4ビット（Q4_0）": "q4_0", "16ビット（BF16）": "bf16"}
    tasks = json.loads(RECORD.read_text(encoding="utf-8"))["processor"]["tasks"]
    rows = re.findall(r"^\| (読むだけ|\d+ビット（\w+）) \| (\S+) \| (\S+) \| (\S+) \|$", text, re.MULTILINE)
    assert [row[0] for row in rows] == list(names)
    for name, one, all_, tokens in rows:
        task = names[name]
        rates = [tasks[task][threads]["median"] for threads in ("one", "all")]
        assert [one, all_] == [significant(rate / 1e9) for rate in rates]
        if task == "read":
            assert tokens == "―"
        else:
            step = hayasa.estimate("llama-3.2-1b", "apple-m4-10c", weights=task, engine="ideal")
            assert tokens == significant(rates[1] / step.bytes_per_step)


def test_the_record_is_read_by_check() -> None:
    """A machine without a GPU has decoded nothing: that is said, and nothing breaks."""
    [row] = hayasa.check_report(RECORD.read_text(encoding="utf-8"), device="apple-m4-10c")
    assert row.check is None and row.reason


def test_machines_are_found_by_what_browsers_call_them() -> None:
    context = MiniRacer()
    entry = 'import { devicesCalled } from "./measure-record.mjs";\nimport { tables } from "./estimator.mjs";\n'
    entry += "export const called = (text) => devicesCalled(text, tables.devices.values());\n"
    context.eval(bundle(ROOT / "web", script.made_modules(ROOT) | {"main.mjs": entry}))
    called = {
        "ANGLE (Apple, ANGLE Metal Renderer: Apple M4 Pro, Unspecified Version)": [
            "apple-m4-pro-16c",
            "apple-m4-pro-20c",
        ],
        "ANGLE (Apple, ANGLE Metal Renderer: Apple M1, Unspecified Version)": ["apple-m1-7c", "apple-m1-8c"],
        "ANGLE (NVIDIA, NVIDIA GeForce RTX 4090 (0x00002684) Direct3D11 vs_5_0 ps_5_0, D3D11)": ["rtx-4090"],
        "ANGLE (NVIDIA, NVIDIA GeForce RTX 4090 Laptop GPU (0x00002757) Direct3D11 vs_5_0)": ["rtx-4090-laptop"],
        "AMD Radeon RX 7900 XTX (radeonsi, navi31, LLVM 15.0.7)": ["rx-7900-xtx"],
        "ANGLE (Google, Vulkan 1.3.0 (SwiftShader Device (Subzero) (0x0000C0DE)), SwiftShader driver)": [],
        "Apple GPU": [],
        "": [],
    }
    for text, ids in called.items():
        assert sorted(json.loads(context.eval(f"JSON.stringify(hayasa.called({json.dumps(text)}))"))) == ids, text


COARSE = """
  const step = 0.1, shown = %s;
  let looks = 0;
  globalThis.performance = { now: () => { looks += 1; return Math.floor((looks * step) / shown) * shown; } };
  const part = hayasa.processorPart();
  part({ prepare: 2 ** 20 }).then(() => { looks = 130; return part({ run: "read", ms: 40 }); })
    .then(({ bytes, ms }) => { globalThis.rate = bytes / ms; });
"""


@pytest.mark.parametrize("shown_ms", [0.1, 1, 16.7, 20])
def test_a_coarse_clock_makes_no_machine_slower(shown_ms: float) -> None:
    """Between two looks at the clock, which are 0.1 ms apart, 256 KiB are read, however seldom the clock moves on."""
    context = MiniRacer()
    entry = 'import { processorPart } from "./measure-cpu.mjs";\nexport { processorPart };\n'
    context.eval(bundle(ROOT / "web", {"main.mjs": entry}))
    context.eval(COARSE % shown_ms)
    assert context.eval("rate") == pytest.approx(2**18 / 0.1, rel=0.01)
