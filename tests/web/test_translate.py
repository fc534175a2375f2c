"""A translated function does what the Python does, construct by construct, or the construct is refused."""

import importlib
import json
import math
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from py_mini_racer import MiniRacer

from tests.checks.report import expect_none
from tools.page.bundle import ENTRY, bundle
from tools.page.package import TranslationError
from tools.page.script import RUNTIME
from tools.page.translate import translate

HERE = Path(__file__).resolve().parent
MODULES = {name: importlib.import_module(f"tests.web.constructs.{name}") for name in ("values", "flow", "reading")}
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
        return (
            float(value)
            if math.isfinite(value)
            else {"number": {"inf": "Infinity", "-inf": "-Infinity"}.get(str(value), "NaN")}
        )
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
        return {
            "error": SAME_ERROR.get(kind, kind),
            "message": str(error) if type(error).__module__.startswith("tests") else "",
        }


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
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value


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


# ---------------------------------------------------------------- numbers and texts of any kind

numbers = st.floats(width=64) | st.integers(-(2**53) + 1, 2**53 - 1) | st.decimals(-1000, 1000, places=3).map(float)
texts = st.text(max_size=12) | st.text("ab_, \t'\"\\", max_size=12)
PROPERTIES = [
    *((name, st.tuples(numbers, numbers)) for name in ("floor_divide", "modulo", "compare", "divide", "add")),
    *((name, st.tuples(numbers)) for name in ("rounded", "written", "formatted", "mathematics", "grouped")),
    *((name, st.tuples(numbers, st.integers(0, 8))) for name in ("formatted_to", "rounded_to")),
    *((name, st.tuples(texts)) for name in ("texts", "floating", "whole", "length")),
    ("compare", st.tuples(texts, texts)),
    ("reductions", st.tuples(st.lists(st.integers(-50, 50), min_size=1))),
]


@pytest.mark.parametrize(("name", "arguments"), PROPERTIES, ids=[name for name, _ in PROPERTIES])
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_whatever_it_is_given(translated, name, arguments, data):
    given_now = data.draw(arguments)
    # Of two shortest ways to write a large fraction the languages choose differently.
    assume(not any(isinstance(one, float) and 1e14 < abs(one) < 1e16 and one % 1 for one in given_now))
    # A number is never minus zero when it is written, and characters of a later Unicode are written as they are.
    assert different(translated, name, tuple(abs(one) if one == 0 else one for one in given_now)) == []


# ---------------------------------------------------------------- what is refused, with file and line

REFUSED = [
    ("return a & b", "演算子 BitAnd"),
    ("return +a", "演算子 UAdd"),
    ("return a @ b", "演算子 MatMult"),
    ("return 9007199254740992", "2**53 から"),
    ("return 2**60", "2**53 から"),
    ("return 2j", "翻訳できません"),
    ("return b'a'", "翻訳できません"),
    ("return ...", "翻訳できません"),
    ("return a is b", "is は"),
    ("return a is 1", "is は"),
    ("return 0 < a + 1 < 2", "間の値は"),
    ("return a[::2]", "刻みのある"),
    ("return a.nothing", ".nothing は翻訳できません"),
    ("return a.__class__", ".__class__"),
    ("return a.title()", "メソッド .title"),
    ("return a.split(',', 1)", "split の引数が 2 個"),
    ("return re.compile('a')", "re.ASCII"),
    ("return re.compile('a', re.MULTILINE)", "re.ASCII"),
    ("return re.compile('a', re.ASCII | re.DOTALL)", "re.ASCII"),
    ("return re.sub('a', 'b', a)", "sub は翻訳できない名前です"),
    ("return a.finditer(b)", "メソッド .finditer"),
    ("return a._replace(b)", "_replace の引数が 1 個"),
    ("return g(**a)", "** は、*引数のある"),
    ("return a.split(',', maxsplit=1)", "名前付きの引数"),
    ("return a.method", "呼び出すときだけ"),
    ("return a.method(1, 2, 3)", "引数が多すぎます"),
    ("return a.method()", "引数 x が渡されていません"),
    ("return a.method(1, z=2)", "引数 z は"),
    ("return hash(a)", "hash は翻訳できない名前です"),
    ("return unknown", "unknown は翻訳できない名前です"),
    ("return print(a)", "print は翻訳できない名前です"),
    ("return map(str, a)", "map は翻訳できない名前です"),
    ("return max", "max は翻訳できない名前です"),
    ("return sum(a, start=1)", "sum の引数 ['start']"),
    ("return len(*a)", "len に * は"),
    ("return len()", "len の引数が 0 個"),
    ("return int(a, 2)", "int の引数が 2 個"),
    ("return f(*a)", "* は"),
    ("return f(1, **a)", "** で渡す引数"),
    ("return K(**a)", "** は、クラスなら dataclass にだけ"),
    ("return next(a)", "next の引数が 1 個"),
    ("return f(1)", "引数 b が渡されていません"),
    ("return f(1, 2, 3)", "引数が多すぎます"),
    ("return f(1, b=2, a=3)", "引数 a は"),
    ("return a(*b)", "変数に入った関数は"),
    ("return a(x=1)", "変数に入った関数は"),
    ("return math.sin(a)", "sin は翻訳できない名前です"),
    ("return a.rstrip()", "メソッド .rstrip"),
    ("return random.random()", "random は翻訳できない名前です"),
    ("return f'{a:>8}'", "書式"),
    ("return f'{a:.0%}'", "書式"),
    ("return f'{a:+.2f}'", "書式"),
    ("return f'{a:{b}}'", "書式"),
    ("return f'{a!a}'", "翻訳できません"),
    ("return f'{a!r:.3f}'", "! と書式の両方"),
    ("return (b := a)", "NamedExpr"),
    ("return [lambda: x for x in a]", "内包表記の変数を使う lambda"),
    ("return [x async for x in a]", "async for"),
    ("return lambda *x: x", "lambda の *"),
    ("a.x = 1", "属性への代入"),
    ("a[1:2] = b", "スライスへの代入"),
    ("a.x += 1", "計算して代入する先"),
    ("a[0] += 1", "計算して代入する先"),
    ("(a, (b, c)) = a", "代入する形"),
    ("*a, b = a", "* は最後の変数"),
    ("a = b[0] = 1", "一度に代入する先"),
    ("a @= b", "演算子 MatMult"),
    ("a", "値を使わない式"),
    ("del a", "Delete"),
    ("global g", "Global"),
    ("assert a", "Assert"),
    ("import math", "Import"),
    ("with a: pass", "With"),
    ("match a:\n  case 1: pass", "Match"),
    ("class C: pass", "ClassDef"),
    ("raise", "raise は"),
    ("raise ValueError", "raise は"),
    ("raise ValueError('a', 'b')", "ValueError の引数は一つ"),
    ("for x in a: pass\nelse: pass", "for の else"),
    ("while a: pass\nelse: pass", "while の else"),
    ("try: pass\nexcept: pass", "except には"),
    ("try: pass\nfinally: pass", "finally"),
    ("try: pass\nexcept ValueError: pass\nelse: pass", "else"),
    ("def g(): yield 1", "中の関数の yield"),
    ("@cache\ndef g(): pass", "中の関数の飾り"),
    ("def g(*, x, **y): pass", "引数のこの形"),
    ("def g(x, /): pass", "引数のこの形"),
    ("def g(*x, y): pass", "引数のこの形"),
    ("def g(x=[]): pass", "既定の値"),
    ("def g(x=a): pass", "既定の値"),
    ("def g(self): pass", "self は"),
    ("x = yield a", "Yield"),
    ("return await_(a)", "await_ は"),
]
WRAPPED = """import math
import random
import re
from functools import cache

class K(NamedTuple):
    x: int
    def method(self, x, y=1): return x

def g(*values): return values


def f(a, b):
{body}


from typing import NamedTuple
"""


def refusal(tmp_path: Path, text: str, name: str = "f") -> str:
    folder = tmp_path / "small"
    folder.mkdir()
    (folder / "module.py").write_text(text, encoding="utf-8")
    with pytest.raises(TranslationError) as error:
        translate(folder, root=tmp_path, wanted=[f"small.module.{name}"])
    return str(error.value)


@pytest.mark.parametrize(("line", "reason"), REFUSED, ids=[line for line, _ in REFUSED])
def test_what_cannot_be_translated_is_refused_by_line(tmp_path, line, reason):
    body = "\n".join(f"    {one}" for one in ["pass", *line.split("\n"), "return a"])
    message = refusal(tmp_path, WRAPPED.format(body=body))
    assert message.startswith("small/module.py:") and reason in message
    # The line is one of those of the construct.
    first = WRAPPED.split("{body}")[0].count("\n") + 2
    assert int(message.split(":")[1]) in range(first, first + 1 + line.count("\n"))


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("async def f(): pass", 1, "一つの定数でもありません"),
        ("if True:\n    def f(): pass", 1, "一つの定数でもありません"),
        ("f = g = 1", 1, "一つの定数でもありません"),
        ("f = 1\nf = 2", 2, "二度定義"),
        ("@print\ndef f(): pass", 2, "飾り @ は、cache"),
        ("from functools import cache\n@cache\ndef f(*a): pass", 3, "* のある関数の cache"),
        ("from functools import cache\n@cache\ndef f():\n    yield 1", 3, "飾り @ は、cache"),
        ("class f: pass", 1, "のどれでもありません"),
        ("class f(dict): pass", 1, "のどれでもありません"),
        ("from dataclasses import dataclass\n@dataclass\nclass f: pass", 3, "のどれでもありません"),
        ("from dataclasses import dataclass\n@dataclass(frozen=False)\nclass f: pass", 3, "凍っていない"),
        ("from dataclasses import dataclass\n@dataclass(frozen=True)\nclass f:\n    x: list = []", 4, "既定の値"),
        ("from typing import NamedTuple\nclass f(NamedTuple):\n    x: int\n    y = 1", 4, "クラスの中のこの文"),
        ("from typing import NamedTuple\nclass f(NamedTuple):\n    x: int\n    def __len__(self): return 1", 4, "__len__"),
        ("from typing import NamedTuple\nclass f(NamedTuple):\n    x: int\n    @staticmethod\n    def g(): return 1", 5, "property だけ"),
        ("from typing import NamedTuple\nclass f(NamedTuple):\n    x: int\n    def g(this): return 1", 4, "self だけ"),
        ("class f(ValueError):\n    code = 1", 2, "エラーの中のこの文"),
    ],
)  # fmt: skip
def test_a_definition_that_cannot_be_translated_is_refused_by_line(tmp_path, text, line, reason):
    message = refusal(tmp_path, text)
    assert message.startswith(f"small/module.py:{line}: ") and reason in message


def test_a_name_that_is_missing_is_refused(tmp_path):
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "module.py").write_text("", encoding="utf-8")
    with pytest.raises(TranslationError, match="nothing"):
        translate(tmp_path / "small", root=tmp_path, wanted=["small.module.nothing"])


def test_two_modules_may_use_one_name(tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    (folder / "a.py").write_text(
        "from .b import two\n\ndef _one():\n    return 1\n\ndef three():\n    return _one() + two()\n"
    )
    (folder / "b.py").write_text("def _one():\n    return 10\n\ndef two():\n    return 2 * _one()\n")
    code = translate(folder, root=tmp_path, wanted=["small.a.three"])
    (tmp_path / ENTRY).write_text(
        'import { formulas } from "./formulas.mjs";\nexport const three = formulas({}).three;\n'
    )
    context = MiniRacer()
    context.eval(bundle(tmp_path, {"formulas.mjs": code, "runtime.mjs": RUNTIME.read_text(encoding="utf-8")}))
    assert context.eval("hayasa.three()") == 21


# ---------------------------------------------------------------- the check can fail

BROKEN = [
    ('if (part === "$") return "(?=\\\\n?$)";', ""),
    ('if (part === "\\\\S") return `[^${BLANKS}]`;', ""),
    ("`^(?:${written})$`", "`^${written}$`"),
    ("`${flags}y`", "flags"),
    ("most && done > most", "false"),
    ("part ?? \"\"", "part"),
    ("if (!isBlank(letter)) words", "if (letter !== \" \") words"),
    ("return lines.at(-1) ? lines : lines.slice(0, -1);", "return lines;"),
    ("if (object instanceof $NamedTuple) return new object.constructor(...Object.values({ ...object, ...changes }));", ""),
    ("values.delete(key);", ""),
    ("rest !== 0.5) return rest < 0.5", "rest !== 0.5) return rest <= 0.4"),
    ("return floor % 2 === 0 ? floor : floor + 1;", "return floor + 1;"),
    ("shorter.at(-1) % 2 === 0 && isTie", "shorter.at(-1) % 2 === 1 && isTie"),
    ("quotient - floor > 0.5 ? floor + 1 : floor", "floor"),
    ("rest !== 0 && rest < 0 !== b < 0 ? rest + Number(b) : rest", "rest"),
    ("return value !== 0;", "return Boolean(value);"),
    ("value.length > 0", "true"),
    ("throw new $ZeroDivisionError(\"division by zero\");", "return 0;"),
    ("a.push(...$iterate(b));", "a = [...a, ...b];"),
    ("place = place.at(keyOf(part));", "place = place.at(part);"),
    ("? Number(a) === Number(b)", "? a === b"),
    ("isTuple(a) ? isTuple(b) : isList(a) && isList(b)) return sameParts", "Array.isArray(a) && Array.isArray(b)) return sameParts"),
    ("comesBefore(its, least)", "!comesBefore(least, its)"),
    ("asWhole(index) < 0 ? index + parts.length : Number(index)", "index"),
    ("[...value] : value", "value : value"),
    ("if (strict && new Set", "if (false && new Set"),
    ("$truth(reverse) ? ", "false ? "),
    ("exponent < -4 || exponent >= 16", "exponent < -7 || exponent >= 21"),
    ("value[write](all)", "value[write](decimals + 1)"),
]  # fmt: skip


@pytest.mark.parametrize("change", BROKEN, ids=lambda change: change[0][:50])
def test_a_broken_runtime_is_noticed(change):
    broken = Translated(changed=change)
    cases = (
        (name, arguments) for module in MODULES.values() for name, its in module.CASES.items() for arguments in its
    )
    assert any(different(broken, name, arguments) for name, arguments in cases)
