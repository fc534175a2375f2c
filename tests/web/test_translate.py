"""A translated function does what the Python does, construct by construct, or the construct is refused."""

import importlib
import json
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from py_mini_racer import MiniRacer

from tests.checks.report import expect_none
from tools.page.bundle import ENTRY, bundle
from tools.page.script import RUNTIME
from tools.page.translate import TranslationError, translate

HERE = Path(__file__).resolve().parent
MODULES = {name: importlib.import_module(f"tests.web.constructs.{name}") for name in ("values", "flow")}
FUNCTIONS = {name: getattr(module, name) for module in MODULES.values() for name in module.CASES}
MAIN = """
import { formulas } from "./formulas.mjs";
import { $dict, $iterate, $tuple } from "./runtime.mjs";

const asked = formulas({});
const decoded = (value) => {
  if (Array.isArray(value)) return value.map(decoded);
  if (value === null || typeof value !== "object") return value;
  const [kind, parts] = Object.entries(value)[0];
  if (kind === "tuple") return $tuple(parts.map(decoded));
  if (kind === "dict") return $dict(parts.map((pair) => pair.map(decoded)));
  return kind === "number" ? Number(parts) : new asked.Point(...parts);
};
const encoded = (value) => {
  if (typeof value === "number" && !Number.isFinite(value)) return { number: String(value) };
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return Object.isFrozen(value) ? { tuple: value.map(encoded) } : value.map(encoded);
  if (value instanceof asked.Point) return { point: [value.x, value.y] };
  if (value.items) return { dict: value.items().map((pair) => pair.map(encoded)) };
  return { unknown: String(value) };
};
export const answer = (name, given) => {
  try {
    return JSON.stringify({ result: encoded(asked[name](...decoded(JSON.parse(given)))) });
  } catch (error) {
    return JSON.stringify({ error: error.name, message: error.message });
  }
};
"""


class Translated:
    """The functions of the constructs in V8; `changed` replaces a text of the runtime by another."""

    def __init__(self, changed: tuple[str, str] = ("", "")) -> None:
        wanted = [f"constructs.{module}.{name}" for module, its in MODULES.items() for name in its.CASES]
        runtime = RUNTIME.read_text(encoding="utf-8")
        assert changed[0] in runtime
        code = translate(HERE / "constructs", root=HERE, wanted=[*wanted, "constructs.kinds.Point"])
        made = {ENTRY: MAIN, "formulas.mjs": code, "runtime.mjs": runtime.replace(*changed, 1)}
        self.context = MiniRacer()
        self.context.eval(bundle(HERE, made))

    def answer(self, name: str, arguments: tuple) -> dict:
        # JavaScript has one kind of number.
        return json.loads(
            self.context.call("hayasa.answer", name, json.dumps(encoded(list(arguments)))), parse_int=float
        )


def encoded(value: object) -> object:
    """Write a value so that JSON keeps what it is; JavaScript has one kind of number."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value) if math.isfinite(value) else {"number": {"inf": "Infinity", "-inf": "-Infinity"}.get(str(value), "NaN")}
    if hasattr(value, "_fields"):
        return {"point": [float(one) for one in value]}
    if isinstance(value, tuple):
        return {"tuple": [encoded(one) for one in value]}
    if isinstance(value, dict):
        return {"dict": [[encoded(key), encoded(one)] for key, one in value.items()]}
    return [encoded(one) for one in value] if isinstance(value, list) else value


# JavaScript's own words for what no Python program should come to.
SAME_ERROR = {"AttributeError": "TypeError"}


def expected(name: str, arguments: tuple) -> dict:
    """Return what Python does, on a copy of its own of whatever can change."""
    copied = json.loads(json.dumps(encoded(list(arguments))))
    try:
        return {"result": encoded(FUNCTIONS[name](*decoded(copied)))}
    except Exception as error:
        kind = type(error).__name__
        return {"error": SAME_ERROR.get(kind, kind), "message": str(error) if type(error).__module__.startswith("tests") else ""}


def decoded(value):
    if isinstance(value, list):
        return [decoded(one) for one in value]
    if isinstance(value, dict):
        ((kind, parts),) = value.items()
        if kind == "tuple":
            return tuple(map(decoded, parts))
        if kind == "dict":
            return {decoded(key): decoded(one) for key, one in parts}
        return float(parts) if kind == "number" else MODULES["flow"].Point(*map(whole, parts))
    return whole(value)


def whole(value):
    """A whole number is an int, as in JavaScript."""
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) <= 2**53 else value


def different(translated: Translated, name: str, arguments: tuple) -> list[str]:
    python, javascript = expected(name, arguments), translated.answer(name, arguments)
    if not python.get("message"):
        python.pop("message", None)
        javascript.pop("message", None)
    return [] if same(python, javascript) else [f"{name}{arguments}: Python {python}, JavaScript {javascript}"]


def same(a, b) -> bool:
    """Compare what JSON gave; True is not 1 here."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    return isinstance(a, bool) == isinstance(b, bool) and a == b


@pytest.fixture(scope="module")
def translated():
    return Translated()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_translated_function_does_what_python_does(translated, name):
    cases = next(module.CASES[name] for module in MODULES.values() if name in module.CASES)
    expect_none(line for arguments in cases for line in different(translated, name, arguments))
