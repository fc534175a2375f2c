"""Run the page's modules without a browser, and compare what they say with Python."""

import json
import math
from collections.abc import Iterable
from itertools import zip_longest
from pathlib import Path

from py_mini_racer import MiniRacer

from tools.page import script
from tools.page.bundle import ENTRY, bundle, bundles

ROOT = Path(__file__).resolve().parents[2]
ANSWERS = Path(__file__).resolve().with_name("answers.mjs")


def page_script(root: Path = ROOT) -> str:
    """Return all scripts of the page one after another, as readers get them."""
    return one_after_another(script.tables_script(), *script.page_scripts(root, root).values())


def one_after_another(*scripts: str) -> str:
    """Return scripts as one; a short one has no semicolon at its end."""
    return ";\n".join(scripts)


def changed_scripts(*changed: str) -> dict[str, str]:
    """Return the page's scripts by file name; `changed` is a module, a text that stands in it once, and another."""
    texts = bundles(ROOT / "web", changed_modules(*changed), script.BESIDE)
    return dict(zip(script.script_names(), texts, strict=True))


def changed_modules(*changed: str) -> dict[str, str]:
    """Return the modules that are made, and the one that is changed."""
    modules = script.made_modules(ROOT)
    if changed:
        name, old, new = changed
        text = modules.get(name) or (ROOT / "web" / name).read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{old!r} はちょうど一度だけあるはずです"
        modules[name] = text.replace(old, new)
    return modules


class Estimator:
    """The formulas and tables as the page has them."""

    def __init__(self, *changed: str) -> None:
        self.context = MiniRacer()
        modules = changed_modules(*changed) | {ENTRY: ANSWERS.read_text(encoding="utf-8")}
        self.context.eval(bundle(ROOT / "web", modules))

    def answers(self, vectors: list[dict]) -> list[dict]:
        """Put all questions at once; nothing of what Python answered is passed on."""
        questions = [
            {name: value for name, value in vector.items() if name not in ("expected", "inexact", "error")}
            for vector in vectors
        ]
        # JavaScript has one kind of number.
        return json.loads(self.context.call("hayasa.answers", json.dumps(questions)), parse_int=float)


def differences(vectors: list[dict], answers: list[dict]) -> Iterable[str]:
    """Yield a line for everything that Python and JavaScript say differently."""
    for vector, answer in zip(vectors, answers, strict=True):
        question = {
            name: vector[name] for name in ("choice", "kind", "fields", "function", "arguments") if name in vector
        }
        for name in sorted({"expected", "error"} & {*vector, *answer}):
            expected, given = vector.get(name), answer.get(name)
            inexact = vector.get("inexact", ())
            if name == "expected" and isinstance(expected, dict) and isinstance(given, dict):
                found = [
                    f"{key}: {both(expected[key], given.get(key))}"
                    for key in expected
                    if not same(expected[key], given.get(key), exact=key not in inexact)
                ]
            else:
                found = [] if same(expected, given) else [f"{name}: {both(expected, given)}"]
            for difference in found:
                yield f"{json.dumps(question, ensure_ascii=False)}: {difference}"


def both(expected: object, given: object) -> str:
    """Write two values side by side, of two long texts the first lines that differ."""
    if isinstance(expected, str) and isinstance(given, str):
        lines = zip_longest(expected.split("\n"), given.split("\n"))
        expected, given = next((pair for pair in lines if pair[0] != pair[1]), (expected, given))
    return f"Python {expected!r}, JavaScript {given!r}"


def same(expected: object, given: object, *, exact: bool = True) -> bool:
    """Compare two values, numbers to the last bit or to 1e-12."""
    if isinstance(expected, dict) and isinstance(given, dict):
        return expected.keys() == given.keys() and all(same(expected[k], given[k], exact=exact) for k in expected)
    if isinstance(expected, bool) or isinstance(given, bool) or isinstance(expected, str):
        return type(expected) is type(given) and expected == given
    if isinstance(expected, (int, float)) and isinstance(given, (int, float)):
        return expected == given if exact else math.isclose(expected, given, rel_tol=1e-12, abs_tol=0)
    return expected == given
