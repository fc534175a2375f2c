"""Python's formulas as JavaScript, so that each of them stands once.

`translate` writes what is wanted as JavaScript, and whatever that mentions.  It knows the part of
Python that hayasa's formulas are written in, and refuses everything else with file and line: what
comes out means what the Python means.  What JavaScript lacks (Python's division, its truth, its way
of writing numbers) is called in `runtime.mjs`, by names with a ``$``, which no Python name has.

Three things differ, because JavaScript has one kind of number.  A whole number counts, and is
written, as an ``int``: 2.0 is written 2.  From 2**53 on all are floats.  And a number is
never minus zero when it is written.

How the rest is written:

- a function takes what is given by position by position, and what is given by keyword only as one
  object, which comes last;
- a dataclass takes one object, a named tuple its fields in their order;
- a tuple is a frozen array, a list another one, and ``None`` is ``null``;
- what is cached is remembered for the very objects that were given;
- where annotations, which mypy checks, say that both sides are numbers or both strings, JavaScript's
  own operators do the same as Python's.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Iterator
from functools import singledispatchmethod
from pathlib import Path
from textwrap import indent

from tools.page.package import (
    KINDS,
    NUMBER,
    TEXT,
    TRUTH,
    Module,
    Package,
    Signature,
    TranslationError,
    bound_names,
    fields_of,
    is_generator,
    kind_of,
    option_of,
    signature_of,
)

BINARY = {
    ast.Add: "add",
    ast.Sub: "subtract",
    ast.Mult: "multiply",
    ast.Div: "divide",
    ast.FloorDiv: "floor_divide",
    ast.Mod: "modulo",
    ast.Pow: "power",
}
ORDERED = {
    ast.Lt: ("less", "<"),
    ast.LtE: ("less_equal", "<="),
    ast.Gt: ("greater", ">"),
    ast.GtE: ("greater_equal", ">="),
}

# How many arguments each takes, and which keywords; those of LISTED, if there are several, come as one list.
BUILTINS: dict[str, tuple[int, int, tuple[str, ...]]] = {
    "abs": (1, 1, ()),
    "all": (1, 1, ()),
    "any": (1, 1, ()),
    "bool": (1, 1, ()),
    "dict": (0, 1, ()),
    "enumerate": (1, 2, ()),
    "float": (1, 1, ()),
    "getattr": (2, 3, ()),
    "int": (1, 1, ()),
    "isinstance": (2, 2, ()),
    "len": (1, 1, ()),
    "list": (0, 1, ()),
    "max": (1, 99, ("key", "default")),
    "min": (1, 99, ("key", "default")),
    "range": (1, 3, ()),
    "repr": (1, 1, ()),
    "round": (1, 2, ()),
    "set": (0, 1, ()),
    "sorted": (1, 1, ("key", "reverse")),
    "str": (1, 1, ()),
    "sum": (1, 2, ()),
    "tuple": (0, 1, ()),
    "zip": (1, 99, ("strict",)),
}
LISTED = ("max", "min", "zip")
TYPES = ("bool", "bytes", "dict", "float", "int", "list", "set", "str", "tuple")
ERRORS = ("IndexError", "KeyError", "OverflowError", "TypeError", "ValueError", "ZeroDivisionError")
KINDS_OF_CALLS = dict.fromkeys(("abs", "float", "int", "len", "round"), NUMBER) | dict.fromkeys(
    ("repr", "str", "join", "removesuffix", "strip"), TEXT
)
BOOLEAN_CALLS = ("all", "any", "bool", "isinstance", "startswith", "endswith", "isfinite")

# Methods of what Python brings along, and how many arguments each takes.
METHODS = {
    "append": (1, 1),
    "endswith": (1, 1),
    "get": (1, 2),
    "items": (0, 0),
    "join": (1, 1),
    "removesuffix": (1, 1),
    "split": (1, 1),
    "startswith": (1, 1),
    "strip": (0, 1),
    "values": (0, 0),
}

# Python names that mean something else in JavaScript; they get a "$" behind.
RESERVED = frozenset(
    "arguments await break case catch class const continue debugger default delete do else enum eval export extends "
    "false finally for function if implements import in instanceof interface let new null package private protected "
    "public return static super switch this throw true try typeof undefined var void while with yield "
    "Array BigInt Error JSON Map Math Number Object Set String Symbol WeakMap globalThis".split()
)
UNTOUCHED = ("__hash__", "__repr__")  # nothing translated asks for them
LARGEST = 2**53 - 1
FORMAT = re.compile(r",|(?:,?(?:\.\d+)?[efg]|,?d)")


def translate(
    folder: Path, *, root: Path, wanted: Iterable[str], given: Iterable[str] = (), left_out: Iterable[str] = ()
) -> str:
    """Write a module of JavaScript that exports one function, ``formulas``.

    It takes an object with what is given, and returns one with what is wanted.

    Parameters
    ----------
    folder : pathlib.Path
        Folder of the Python package.
    root : pathlib.Path
        Folder that paths in messages start from.
    wanted : iterable of str
        Functions, classes and constants with their module: ``"hayasa.units.significant"``.
    given : iterable of str
        Functions that the caller writes in JavaScript.
    left_out : iterable of str
        Methods and fields that nobody asks for there: ``"Estimate.to_dict"``.

    Returns
    -------
    str
        JavaScript.

    Raises
    ------
    TranslationError
        If anything that is needed cannot be translated.
    """
    program = Program(Package(folder, root), [tuple(name.rsplit(".", 1)) for name in given], frozenset(left_out))
    results = [program.name_of(*name.rsplit(".", 1)) for name in wanted]
    body = program.translated()
    imports = "".join(f"  {name},\n" for name in sorted(program.runtime))
    parameters = ", ".join(sorted(name for _, name in program.given))
    return (
        f'import {{\n{imports}}} from "./runtime.mjs";\n\n'
        f"export function formulas({{ {parameters} }}) {{\n{indent(body, '  ')}\n"
        f"  return {{ {', '.join(results)} }};\n}}\n"
    )


class Program:
    """All that is translated, from what is wanted to the last thing that it mentions."""

    def __init__(self, package: Package, given: list[tuple[str, ...]], left_out: frozenset[str]) -> None:
        self.package, self.given = package, {package.origin(*name) for name in given}
        self.left_out = left_out
        self.names: dict[tuple[str, str], str] = {}
        self.waiting: list[tuple[str, str]] = []
        self.runtime: set[str] = set()

    def name_of(self, module: str, name: str) -> str:
        """Return what a definition is called in JavaScript, and see to it that it will be there."""
        key = self.package.origin(module, name)
        if key in self.given:
            return key[1]
        found = self.package.module(key[0])
        if found is None:
            raise TranslationError(f"{module} に {name} がありません。")
        if key not in self.names:
            taken = {*self.names.values(), *(name for _, name in self.given)}
            plain = local_name(key[1])
            self.names[key] = plain if plain not in taken else f"{plain}${key[0].rpartition('.')[2]}"
            self.waiting.append(key)
        return self.names[key]

    def translated(self) -> str:
        """Translate what waits, and what that mentions, in the order in which Python would run it."""
        parts: dict[tuple[str, str], tuple[int, int, str]] = {}
        while self.waiting:
            key = self.waiting.pop()
            module = self.package.modules[key[0]]
            nodes = module.definitions[key[1]]
            if len(nodes) > 1:
                raise module.refusal(nodes[1], f"{key[1]} を二度定義しているものは翻訳できません")
            code = Writer(self, module).definition(nodes[0], self.names[key])
            parts[key] = (self.package.order.index(key[0]), nodes[0].lineno, code)
        return "\n".join(code for *_, code in sorted(parts.values()))


def local_name(name: str) -> str:
    """Return a Python name as JavaScript can have it."""
    return f"{name}$" if name in RESERVED else name


class Writer:
    """Writes one definition of a module as JavaScript, each construct in one place."""

    def __init__(self, program: Program, module: Module) -> None:
        self.program, self.module = program, module
        self.scopes: list[dict[str, str | None]] = []  # names with their kinds; "" before the first value

    def refusal(self, node: ast.AST, reason: str) -> TranslationError:
        """Return the error for a place that cannot be translated."""
        return self.module.refusal(node, reason)

    def refuse_if(self, found: object, node: ast.AST, reason: str) -> None:
        """Raise the error for a place if something is found there."""
        if found:
            raise self.refusal(node, reason)

    def runtime(self, name: str, *arguments: str) -> str:
        """Write a call of the runtime."""
        self.program.runtime.add(f"${name}")
        return f"${name}({', '.join(arguments)})"

    # ------------------------------------------------------------ names

    def origin(self, name: str) -> tuple[str, str] | None:
        """Tell where a name comes from; None if it is local."""
        if any(name in scope for scope in self.scopes):
            return None
        return self.program.package.origin(self.module.name, name)

    def kind(self, node: ast.expr | None) -> str | None:
        """Tell whether an expression is a number or a text, as far as annotations and operators say so."""
        if isinstance(node, ast.Constant):
            return KINDS.get(type(node.value).__name__)
        if isinstance(node, ast.JoinedStr):
            return TEXT
        if isinstance(node, ast.Name):
            scope = next((scope for scope in reversed(self.scopes) if node.id in scope), None)
            return scope[node.id] if scope is not None else self.kind_of_definition(self.origin_of(node))
        if isinstance(node, ast.Attribute) and not self.origin_of(node):
            kinds = {signature.returns for _, signature in self.program.package.members.get(node.attr, ())}
            return kinds.pop() if len(kinds) == 1 else None
        if isinstance(node, ast.Call):
            return self.kind_of_call(node)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return NUMBER if self.kind(node.operand) == NUMBER else None
        sides: list[ast.expr] = []
        if isinstance(node, ast.BinOp):
            sides = [node.left, node.right]
        elif isinstance(node, ast.IfExp):
            sides = [node.body, node.orelse]
        elif isinstance(node, ast.BoolOp):
            sides = node.values
        kinds = set(map(self.kind, sides))
        kind = kinds.pop() if len(kinds) == 1 else None
        computed = isinstance(node, ast.BinOp)
        odd = computed and (kind == TRUTH or (kind == TEXT and not isinstance(node.op, ast.Add)))
        return None if odd else kind

    def kind_of_call(self, node: ast.Call) -> str | None:
        """Tell whether a call gives a number or a text."""
        origin = self.origin_of(node.func)
        if origin is None and isinstance(node.func, ast.Attribute):
            name = node.func.attr
            returned = {signature.returns for _, signature in self.program.package.members.get(name, ())}
            return KINDS_OF_CALLS.get(name) if name in METHODS else returned.pop() if len(returned) == 1 else None
        if origin and origin[0] == "builtins":
            if origin[1] in ("max", "min") and not node.keywords and len(node.args) > 1:
                return NUMBER if all(self.kind(one) == NUMBER for one in node.args) else None
            added = origin[1] == "sum" and len(node.args) == 1
            return NUMBER if added else KINDS_OF_CALLS.get(origin[1])
        return self.kind_of_definition(origin)

    def kind_of_definition(self, origin: tuple[str, str] | None) -> str | None:
        """Tell whether a constant is, or a function gives, a number or a text."""
        module = self.program.package.module(origin[0]) if origin else None
        nodes = module.definitions.get(origin[1], []) if module and origin else []
        if len(nodes) != 1 or module is None:
            return None
        (node,) = nodes
        if isinstance(node, ast.FunctionDef):
            return kind_of(node.returns)
        if isinstance(node, ast.AnnAssign):
            return kind_of(node.annotation)
        return Writer(self.program, module).kind(node.value) if isinstance(node, ast.Assign) else None

    def both(self, kind: str, *nodes: ast.expr) -> bool:
        """Tell whether several expressions are all of a kind."""
        return all(self.kind(node) == kind for node in nodes)

    def origin_of(self, node: ast.expr) -> tuple[str, str] | None:
        """Tell where a name, or a name in an imported module, comes from; None for anything else."""
        if isinstance(node, ast.Name):
            return self.origin(node.id)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module = self.origin(node.value.id)
            return (module[0], node.attr) if module and not module[1] else None
        return None

    def named(self, node: ast.expr, origin: tuple[str, str]) -> str:
        """Write a name that is not local."""
        module, name = origin
        if module == "builtins" and name in (*TYPES, *ERRORS, *BUILTINS) and name not in LISTED:
            return self.runtime(name)[:-2]
        if (module, name) == ("math", "isfinite"):
            return self.runtime(name)[:-2]
        self.refuse_if(self.program.package.module(module) is None, node, f"{name} は翻訳できない名前です")
        return self.program.name_of(module, name)

    # ------------------------------------------------------------ expressions

    @singledispatchmethod
    def expression(self, node: ast.expr) -> str:
        """Write an expression."""
        raise self.refusal(node, f"{type(node).__name__} は翻訳できません")

    def expressions(self, nodes: Iterable[ast.expr]) -> str:
        """Write several, some of which may be starred."""
        return ", ".join(map(self.expression, nodes))

    @expression.register
    def _(self, node: ast.Constant) -> str:
        value = node.value
        if value is None:
            return "null"
        if isinstance(value, (bool, str)):
            return json.dumps(value, ensure_ascii=False)
        if isinstance(value, int):
            self.refuse_if(abs(value) > LARGEST, node, "2**53 からの整数は翻訳できません（小数で書いてください）")
            return str(value)
        if isinstance(value, float) and abs(value) < float("inf"):
            return repr(value)
        raise self.refusal(node, f"{value!r} は翻訳できません")

    @expression.register
    def _(self, node: ast.Name) -> str:
        origin = self.origin(node.id)
        if origin is None:
            return "this" if node.id == "self" else local_name(node.id)
        return self.named(node, origin)

    @expression.register
    def _(self, node: ast.Attribute) -> str:
        origin = self.origin_of(node)
        if origin:
            return self.named(node, origin)
        kinds = {kind for kind, _ in self.program.package.members.get(node.attr, ())}
        self.refuse_if(not kinds, node, f".{node.attr} は翻訳できません")
        self.refuse_if("method" in kinds, node, f"メソッド .{node.attr} は、呼び出すときだけ翻訳できます")
        return f"{self.expression(node.value)}.{node.attr}"

    @expression.register
    def _(self, node: ast.Starred) -> str:
        return f"...{self.runtime('iterate', self.expression(node.value))}"

    @expression.register
    def _(self, node: ast.Tuple) -> str:
        return self.runtime("fixed", f"[{self.expressions(node.elts)}]")

    @expression.register
    def _(self, node: ast.List) -> str:
        return f"[{self.expressions(node.elts)}]"

    @expression.register
    def _(self, node: ast.Set) -> str:
        return self.runtime("set", f"[{self.expressions(node.elts)}]")

    @expression.register
    def _(self, node: ast.Dict) -> str:
        pairs = [
            f"[{self.expression(key)}, {self.expression(value)}]"
            if key
            else f"...{self.runtime('items', self.expression(value))}"
            for key, value in zip(node.keys, node.values, strict=True)
        ]
        return self.runtime("dict", f"[{', '.join(pairs)}]")

    @expression.register
    def _(self, node: ast.BinOp) -> str:
        name = BINARY.get(type(node.op))
        self.refuse_if(name is None, node, f"演算子 {type(node.op).__name__} は翻訳できません")
        if name == "power" and isinstance(node.left, ast.Constant) and isinstance(node.right, ast.Constant):
            value = ast.Constant(node.left.value**node.right.value, lineno=node.lineno)
            return self.expression(value)
        left, right = self.expression(node.left), self.expression(node.right)
        sign = self.sign(node.op, node.left, node.right)
        return f"({left} {sign} {right})" if sign else self.runtime(str(name), left, right)

    def sign(self, op: ast.operator, left: ast.expr, right: ast.expr) -> str:
        """Return JavaScript's operator if it does to both sides what Python's does."""
        if isinstance(op, ast.Add) and self.both(TEXT, left, right):
            return "+"
        divided = isinstance(op, ast.Div) and isinstance(right, ast.Constant) and right.value
        signs = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", **({ast.Div: "/"} if divided else {})}
        return signs.get(type(op), "") if self.both(NUMBER, left, right) else ""

    @expression.register
    def _(self, node: ast.UnaryOp) -> str:
        if isinstance(node.op, ast.Not):
            return f"!{self.test(node.operand)}"
        self.refuse_if(not isinstance(node.op, ast.USub), node, f"演算子 {type(node.op).__name__} は翻訳できません")
        if self.kind(node.operand) == NUMBER:
            return f"-{self.expression(node.operand)}"
        return self.runtime("negative", self.expression(node.operand))

    @expression.register
    def _(self, node: ast.BoolOp) -> str:
        if all(map(self.is_boolean, node.values)) or self.both(TEXT, *node.values):
            return f"({(' && ' if isinstance(node.op, ast.And) else ' || ').join(map(self.expression, node.values))})"
        name = "and" if isinstance(node.op, ast.And) else "or"
        *first, written = [self.expression(value) for value in node.values]
        for one in reversed(first):
            written = self.runtime(name, one, f"() => {written}")
        return written

    @expression.register
    def _(self, node: ast.Compare) -> str:
        between = node.comparators[:-1]
        simple = all(isinstance(one, (ast.Name, ast.Constant)) for one in between)
        self.refuse_if(not simple, node, "続けて比べるときの間の値は、名前か定数だけが翻訳できます")
        sides = [node.left, *node.comparators]
        parts = [self.compared(op, sides[i], sides[i + 1]) for i, op in enumerate(node.ops)]
        return parts[0] if len(parts) == 1 else f"({' && '.join(parts)})"

    def compared(self, op: ast.cmpop, left: ast.expr, right: ast.expr) -> str:
        """Write one comparison."""
        if isinstance(op, (ast.Is, ast.IsNot)):
            return f"{'!' if isinstance(op, ast.IsNot) else ''}{self.identical(left, right)}"
        first = self.expression(left)
        second = self.listed(right) if isinstance(op, (ast.In, ast.NotIn)) else self.expression(right)
        if type(op) in ORDERED:
            name, sign = ORDERED[type(op)]
            return f"({first} {sign} {second})" if self.both(NUMBER, left, right) else self.runtime(name, first, second)
        if isinstance(op, (ast.In, ast.NotIn)):
            return f"{'!' if isinstance(op, ast.NotIn) else ''}{self.runtime('contains', second, first)}"
        if TEXT in (self.kind(left), self.kind(right)) or self.both(NUMBER, left, right):
            return f"({first} {'!==' if isinstance(op, ast.NotEq) else '==='} {second})"
        return f"{'!' if isinstance(op, ast.NotEq) else ''}{self.runtime('equal', first, second)}"

    def listed(self, node: ast.expr) -> str:
        """Write a tuple that is only looked into as a list, which needs no freezing."""
        return f"[{self.expressions(node.elts)}]" if isinstance(node, ast.Tuple) else self.expression(node)

    def identical(self, left: ast.expr, right: ast.expr) -> str:
        """Write ``is``, which is asked of None, True, False, types and things that a module has once."""
        if isinstance(right, ast.Constant) and (right.value is None or isinstance(right.value, bool)):
            return f"({self.expression(left)} === {self.expression(right)})"
        if isinstance(left, ast.Call) and self.origin_of(left.func) == ("builtins", "type") and len(left.args) == 1:
            value = self.expression(left.args[0])
            # So common that it is written out.
            if self.origin_of(right) == ("builtins", "float"):
                return f'(typeof {value} === "number")'
            return self.runtime("type_is", value, self.expression(right))
        origin = self.origin_of(right) if isinstance(right, ast.Name) else None
        if self.program.package.module(origin[0] if origin else "") and self.kind(right) is None:
            return f"({self.expression(left)} === {self.expression(right)})"
        raise self.refusal(left, "is は、None、True、False か、type(…) か、一つしかないものとだけ翻訳できます")

    @expression.register
    def _(self, node: ast.IfExp) -> str:
        return f"({self.test(node.test)} ? {self.expression(node.body)} : {self.expression(node.orelse)})"

    @expression.register
    def _(self, node: ast.Subscript) -> str:
        value = self.expression(node.value)
        if not isinstance(node.slice, ast.Slice):
            return self.runtime("item", value, self.expression(node.slice))
        self.refuse_if(node.slice.step, node, "刻みのあるスライスは翻訳できません")
        ends = [self.expression(end) if end else "null" for end in (node.slice.lower, node.slice.upper)]
        return self.runtime("slice", value, *ends)

    @expression.register
    def _(self, node: ast.Lambda) -> str:
        scope, parameters, first = self.parameters(node)
        self.refuse_if(first, node, "lambda の * は翻訳できません")
        self.scopes.append(scope)
        body = self.expression(node.body)
        self.scopes.pop()
        return f"({parameters}) => {body}"

    @expression.register
    def _(self, node: ast.JoinedStr) -> str:
        return f"`{''.join(map(self.joined, node.values))}`"

    def joined(self, node: ast.expr) -> str:
        """Write a part of an f-string."""
        if isinstance(node, ast.Constant):
            return json.dumps(node.value, ensure_ascii=False)[1:-1].replace("`", "\\`").replace("${", "\\${")
        assert isinstance(node, ast.FormattedValue)
        value = self.expression(node.value)
        self.refuse_if(node.conversion == ord("a"), node, "!a は翻訳できません")
        if node.format_spec is None:
            plain = node.conversion != ord("r") and self.kind(node.value) == TEXT
            return f"${{{value if plain else self.runtime('repr' if node.conversion == ord('r') else 'str', value)}}}"
        self.refuse_if(node.conversion > 0, node, "! と書式の両方は翻訳できません")
        assert isinstance(node.format_spec, ast.JoinedStr)
        example = "".join(str(one.value) if isinstance(one, ast.Constant) else "1" for one in node.format_spec.values)
        self.refuse_if(not FORMAT.fullmatch(example), node, f"書式 {ast.unparse(node.format_spec)} は翻訳できません")
        return f"${{{self.runtime('format', value, self.expression(node.format_spec))}}}"

    # ------------------------------------------------------------ truth

    def test(self, node: ast.expr) -> str:
        """Write a condition."""
        if isinstance(node, ast.BoolOp):
            return f"({(' && ' if isinstance(node.op, ast.And) else ' || ').join(map(self.test, node.values))})"
        written, kind = self.expression(node), self.kind(node)
        if kind == NUMBER:
            return f"({written} !== 0)"
        return written if kind in (TEXT, TRUTH) or self.is_boolean(node) else self.runtime("truth", written)

    def is_boolean(self, node: ast.expr) -> bool:
        """Tell whether an expression is True or False, and nothing else."""
        if isinstance(node, ast.BoolOp):
            return all(map(self.is_boolean, node.values))
        if isinstance(node, ast.Call):
            origin = self.origin_of(node.func) or ("", getattr(node.func, "attr", ""))
            return origin[0] in ("builtins", "math", "") and origin[1] in BOOLEAN_CALLS
        negated = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)
        return (
            negated
            or isinstance(node, ast.Compare)
            or (isinstance(node, ast.Constant) and isinstance(node.value, bool))
        )

    # ------------------------------------------------------------ comprehensions

    @expression.register
    def _(self, node: ast.GeneratorExp) -> str:
        return self.each(node.generators, [node.elt])

    @expression.register
    def _(self, node: ast.ListComp) -> str:
        return f"[...{self.each(node.generators, [node.elt])}]"

    @expression.register
    def _(self, node: ast.SetComp) -> str:
        return self.runtime("set", self.each(node.generators, [node.elt]))

    @expression.register
    def _(self, node: ast.DictComp) -> str:
        return self.runtime("dict", self.each(node.generators, [node.key, node.value]))

    def each(self, generators: list[ast.comprehension], elements: list[ast.expr]) -> str:
        """Write ``element for … in … if …``, of which nothing is computed before it is asked for."""
        generator, *further = generators
        self.refuse_if(generator.is_async, generator.target, "async for は翻訳できません")
        names = set(bound_names(generator.target))
        for one in (inner for element in elements for inner in ast.walk(element) if isinstance(inner, ast.Lambda)):
            late = names & {name.id for name in ast.walk(one) if isinstance(name, ast.Name)}
            self.refuse_if(late, one, "内包表記の変数を使う lambda は翻訳できません")
        source = self.iterated(generator.iter)
        if isinstance(generator.target, ast.Tuple):
            source = self.runtime("each", source, f"($parts) => {self.unpacked('$parts', generator.target)}")
        self.scopes.append(dict.fromkeys(names, ""))
        self.learn(generator.target, self.kind_of_parts(generator.iter))
        target = self.target(generator.target)
        keep = [f"({target}) => {' && '.join(map(self.test, generator.ifs))}"] if generator.ifs else []
        if further:
            written = self.runtime("each_of", source, f"({target}) => {self.each(further, elements)}", *keep)
        else:
            pair = self.expressions(elements) if len(elements) == 1 else f"[{self.expressions(elements)}]"
            written = self.runtime("each", source, f"({target}) => {pair}", *keep)
        self.scopes.pop()
        return written

    def learn(self, target: ast.expr, kind: str | None) -> None:
        """Keep the kind of a variable, which it has from its first value on."""
        scope = self.scopes[-1] if self.scopes else {}
        if isinstance(target, ast.Name) and scope.get(target.id) == "":
            scope[target.id] = kind

    def kind_of_parts(self, iterable: ast.expr) -> str | None:
        """Tell the kind of what is iterated over: numbers of a range."""
        is_range = isinstance(iterable, ast.Call) and self.origin_of(iterable.func) == ("builtins", "range")
        return NUMBER if is_range else None

    def target(self, node: ast.expr) -> str:
        """Write what a value is bound to."""
        if isinstance(node, ast.Name):
            return local_name(node.id)
        if isinstance(node, ast.Starred) and isinstance(node.value, ast.Name):
            return f"...{local_name(node.value.id)}"
        flat = isinstance(node, ast.Tuple) and all(isinstance(one, (ast.Name, ast.Starred)) for one in node.elts)
        self.refuse_if(not flat, node, "ここに代入する形は翻訳できません")
        starred = [isinstance(one, ast.Starred) for one in node.elts]
        self.refuse_if(any(starred[:-1]), node, "* は最後の変数にだけ付けられます")
        return f"[{', '.join(map(self.target, node.elts))}]"

    def iterated(self, iterable: ast.expr) -> str:
        """Write what is iterated over, which has to be something that can be."""
        listed = isinstance(iterable, (ast.Tuple, ast.List, ast.ListComp))
        return self.listed(iterable) if listed else self.runtime("iterate", self.expression(iterable))

    def unpacked(self, value: str, target: ast.Tuple) -> str:
        """Write a value that has as many parts as a target."""
        starred = isinstance(target.elts[-1], ast.Starred)
        return self.runtime("unpack", value, str(len(target.elts) - starred), *["true"][: int(starred)])

    # ------------------------------------------------------------ calls

    @expression.register
    def _(self, node: ast.Call) -> str:
        self.refuse_if(any(one.arg is None for one in node.keywords), node, "** で渡す引数は翻訳できません")
        origin = self.origin_of(node.func)
        if origin is None:
            return self.call_of_value(node)
        module, name = origin
        if module == "builtins" and name in BUILTINS:
            return self.call_of_builtin(node, name)
        if module == "builtins" and name in ERRORS:
            self.refuse_if(node.keywords or len(node.args) > 1, node, f"{name} の引数は一つだけです")
            return f"new {self.named(node, origin)}({self.expressions(node.args)})"
        if (module, name) == ("math", "isfinite"):
            self.count(node, name, 1, 1)
            return f"{self.named(node, origin)}({self.expressions(node.args)})"
        if origin == ("dataclasses", "replace"):
            self.count(node, name, 1, 1)
            return self.runtime("replaced", self.expression(node.args[0]), self.options(node) or "{}")
        return self.call_of_definition(node, origin)

    def call_of_value(self, node: ast.Call) -> str:
        """Call a method, or a function that a variable holds."""
        if not isinstance(node.func, ast.Attribute):
            return f"{self.expression(node.func)}({self.in_order(node)})"
        name, value = node.func.attr, node.func.value
        if name == "fromkeys" and self.origin_of(value) == ("builtins", "dict"):
            self.count(node, "fromkeys", 1, 2)
            return self.runtime("fromkeys", self.expressions(node.args))
        members = self.program.package.members.get(name, [])
        if name in METHODS:
            ambiguous = any(kind == "method" for kind, _ in members)
            self.refuse_if(
                ambiguous or node.keywords, node, f".{name} は、クラスにも同じ名前があるか、名前付きの引数があります"
            )
            self.count(node, name, *METHODS[name])
            return self.runtime(name, self.expression(value), *map(self.expression, node.args))
        self.refuse_if(not members, node, f"メソッド .{name} は翻訳できません")
        if {kind for kind, _ in members} == {"field"}:
            return f"{self.expression(value)}.{name}({self.in_order(node)})"
        kind, signature = members[0]
        differs = any(one != members[0] for one in members)
        self.refuse_if(differs, node, f"メソッド .{name} の引数が、クラスによって違います")
        self.refuse_if(kind == "property", node, f".{name} は関数ではありません")
        return f"{self.expression(value)}.{name}({self.bound(node, signature)})"

    def call_of_builtin(self, node: ast.Call, name: str) -> str:
        """Call a builtin function."""
        least, most, keywords = BUILTINS[name]
        self.count(node, name, least, most)
        unknown = [one.arg for one in node.keywords if one.arg not in keywords]
        self.refuse_if(unknown, node, f"{name} の引数 {unknown} は翻訳できません")
        arguments = self.expressions(node.args)
        if name == "isinstance":
            arguments = f"{self.expression(node.args[0])}, {self.listed(node.args[1])}"
        if name in LISTED and (len(node.args) > 1 or name == "zip"):
            arguments = f"[{arguments}]"
        return self.runtime(name, *filter(None, [arguments, self.options(node)]))

    def options(self, node: ast.Call) -> str:
        """Write what is given by keyword as an object; nothing if nothing is."""
        parts = [f"{one.arg}: {self.expression(one.value)}" for one in node.keywords]
        return f"{{ {', '.join(parts)} }}" if parts else ""

    def count(self, node: ast.Call, name: str, least: int, most: int) -> None:
        """Refuse another number of arguments, and starred ones."""
        self.refuse_if(any(isinstance(one, ast.Starred) for one in node.args), node, f"{name} に * は翻訳できません")
        self.refuse_if(
            not least <= len(node.args) <= most, node, f"{name} の引数が {len(node.args)} 個では翻訳できません"
        )

    def call_of_definition(self, node: ast.Call, origin: tuple[str, str]) -> str:
        """Call a function of the package, or make an object of one of its classes."""
        name = self.named(node, origin)
        (definition, *_) = self.program.package.modules[origin[0]].definitions[origin[1]]
        if isinstance(definition, ast.FunctionDef):
            return f"{name}({self.bound(node, signature_of(definition))})"
        if isinstance(definition, ast.ClassDef):
            kind = self.kind_of_class(definition, origin[0])
            signature = self.constructor_of(definition, kind)
            if kind == "dataclass":
                node.keywords = [one for one in node.keywords if not self.is_left_out(definition, str(one.arg))]
            given = self.bound(node, signature, by_name=kind == "dataclass")
            return f"new {name}({given})"
        return f"{name}({self.in_order(node)})"

    def in_order(self, node: ast.Call) -> str:
        """Write the arguments of a function of which nothing is known."""
        named = node.keywords or any(isinstance(one, ast.Starred) for one in node.args)
        self.refuse_if(named, node, "変数に入った関数は、* や名前付きの引数では呼べません")
        return self.expressions(node.args)

    def bound(self, node: ast.Call, signature: Signature, *, by_name: bool = False) -> str:
        """Write arguments as a function takes them: by position, or by name in an object."""
        starred = any(isinstance(one, ast.Starred) for one in node.args)
        self.refuse_if(
            starred and not (signature.variadic and not node.keywords), node, "* は、*引数のある関数にだけ渡せます"
        )
        if signature.variadic and not node.keywords:
            return self.expressions(node.args)
        self.refuse_if(len(node.args) > len(signature.positional), node, "引数が多すぎます")
        given = dict(zip(signature.positional, map(self.expression, node.args), strict=False))
        for one in node.keywords:
            known = one.arg in (*signature.positional, *signature.keyword_only)
            self.refuse_if(not known or one.arg in given, node, f"引数 {one.arg} は、ないか、二度渡されています")
            given[str(one.arg)] = self.expression(one.value)
        missing = sorted(signature.required - given.keys())
        self.refuse_if(missing, node, f"引数 {'、'.join(missing)} が渡されていません")
        in_object = {name: one for name, one in given.items() if by_name or name in signature.keyword_only}
        in_order = [] if by_name else [given.get(name, "undefined") for name in signature.positional]
        if in_object:
            return ", ".join([*in_order, f"{{ {', '.join(f'{name}: {one}' for name, one in in_object.items())} }}"])
        while in_order and in_order[-1] == "undefined":
            in_order.pop()
        return ", ".join(in_order)

    # ------------------------------------------------------------ statements

    @singledispatchmethod
    def statement(self, node: ast.stmt) -> str:
        """Write a statement."""
        raise self.refusal(node, f"{type(node).__name__} は翻訳できません")

    def block(self, body: list[ast.stmt]) -> str:
        """Write statements between braces."""
        lines = "\n".join(filter(None, map(self.statement, body)))
        return f"{{\n{indent(lines, '  ')}\n}}"

    @statement.register
    def _(self, node: ast.Pass) -> str:
        return ""

    @statement.register
    def _(self, node: ast.Break) -> str:
        return "break;"

    @statement.register
    def _(self, node: ast.Continue) -> str:
        return "continue;"

    @statement.register
    def _(self, node: ast.Expr) -> str:
        if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            return ""  # a docstring
        if isinstance(node.value, ast.Yield) and node.value.value:
            return f"yield {self.expression(node.value.value)};"
        if isinstance(node.value, ast.YieldFrom):
            return f"yield* {self.runtime('iterate', self.expression(node.value.value))};"
        self.refuse_if(not isinstance(node.value, ast.Call), node, "値を使わない式は翻訳できません")
        return f"{self.expression(node.value)};"

    @statement.register
    def _(self, node: ast.Return) -> str:
        return f"return {self.expression(node.value)};" if node.value else "return null;"

    @statement.register
    def _(self, node: ast.Raise) -> str:
        made = isinstance(node.exc, ast.Call)
        self.refuse_if(not made, node, "raise は、raise 名前(…) の形だけが翻訳できます")
        return f"throw {self.expression(node.exc)};"

    @statement.register
    def _(self, node: ast.Assign) -> str:
        target, *further = node.targets
        if further:
            names = all(isinstance(one, ast.Name) for one in node.targets)
            self.refuse_if(not names, node, "一度に代入する先は、名前だけが翻訳できます")
            for one in node.targets:
                self.learn(one, self.kind(node.value))
            return f"{' = '.join(map(self.target, node.targets))} = {self.expression(node.value)};"
        if (
            isinstance(target, ast.Tuple)
            and isinstance(node.value, ast.Tuple)
            and len(target.elts) == len(node.value.elts)
        ):
            if not any(isinstance(one, ast.Starred) for one in (*target.elts, *node.value.elts)):
                written = f"{self.target(target)} = [{self.expressions(node.value.elts)}];"
                for one, value in zip(target.elts, node.value.elts, strict=True):
                    self.learn(one, self.kind(value))
                return written
        written = self.assigned(target, self.expression(node.value))
        self.learn(target, self.kind(node.value))
        return written

    @statement.register
    def _(self, node: ast.AnnAssign) -> str:
        self.learn(node.target, kind_of(node.annotation))
        return self.assigned(node.target, self.expression(node.value)) if node.value else ""

    def assigned(self, target: ast.expr, value: str) -> str:
        """Write that a target gets a value."""
        if isinstance(target, ast.Subscript):
            self.refuse_if(isinstance(target.slice, ast.Slice), target, "スライスへの代入は翻訳できません")
            return f"{self.runtime('set_item', self.expression(target.value), self.expression(target.slice), value)};"
        if isinstance(target, ast.Tuple):
            return f"{self.target(target)} = {self.unpacked(value, target)};"
        self.refuse_if(isinstance(target, ast.Attribute), target, "属性への代入は翻訳できません")
        return f"{self.target(target)} = {value};"

    @statement.register
    def _(self, node: ast.AugAssign) -> str:
        self.refuse_if(not isinstance(node.target, ast.Name), node, "計算して代入する先は、名前だけが翻訳できます")
        name = "add_in_place" if isinstance(node.op, ast.Add) else BINARY.get(type(node.op))
        self.refuse_if(name is None, node, f"演算子 {type(node.op).__name__} は翻訳できません")
        target, value = self.target(node.target), self.expression(node.value)
        sign = self.sign(node.op, node.target, node.value)
        return f"{target} {sign}= {value};" if sign else f"{target} = {self.runtime(str(name), target, value)};"

    @statement.register
    def _(self, node: ast.If) -> str:
        otherwise = f" else {self.block(node.orelse)}" if node.orelse else ""
        return f"if ({self.test(node.test)}) {self.block(node.body)}{otherwise}"

    @statement.register
    def _(self, node: ast.While) -> str:
        self.refuse_if(node.orelse, node, "while の else は翻訳できません")
        return f"while ({self.test(node.test)}) {self.block(node.body)}"

    @statement.register
    def _(self, node: ast.For) -> str:
        self.refuse_if(node.orelse, node, "for の else は翻訳できません")
        source = self.iterated(node.iter)
        self.learn(node.target, self.kind_of_parts(node.iter))
        target = self.target(node.target)
        if not isinstance(node.target, ast.Tuple):
            return f"for ({target} of {source}) {self.block(node.body)}"
        bound = indent(f"{target} = {self.unpacked('$parts', node.target)};\n", "  ")
        return f"for (const $parts of {source}) {{\n{bound}{self.block(node.body)[2:]}"

    @statement.register
    def _(self, node: ast.Try) -> str:
        self.refuse_if(node.orelse or node.finalbody, node, "try の else と finally は翻訳できません")
        otherwise = "{\n  throw $error;\n}"
        for handler in reversed(node.handlers):
            self.refuse_if(handler.type is None, handler, "except には、エラーの名前が要ります")
            kept = f"{local_name(handler.name)} = $error;\n" if handler.name else ""
            body = f"{{\n{indent(kept, '  ')}{self.block(handler.body)[2:]}"
            otherwise = (
                f"if ({self.runtime('isinstance', '$error', self.listed(handler.type))}) {body} else {otherwise}"
            )
        caught = indent(otherwise, "  ")
        return f"try {self.block(node.body)} catch ($error) {{\n{caught}\n}}"

    @statement.register
    def _(self, node: ast.FunctionDef) -> str:
        self.refuse_if(node.decorator_list, node, "中の関数の飾り @ は翻訳できません")
        self.refuse_if(is_generator(node), node, "中の関数の yield は翻訳できません")
        parameters, body = self.function(node)
        return f"{local_name(node.name)} = ({parameters}) => {body};"

    # ------------------------------------------------------------ definitions

    def definition(self, node: ast.stmt, name: str) -> str:
        """Write a function, a class or a constant of a module."""
        if isinstance(node, ast.FunctionDef):
            return self.top_function(node, name)
        if isinstance(node, ast.ClassDef):
            return self.top_class(node, name)
        target = node.target if isinstance(node, ast.AnnAssign) else getattr(node, "targets", [None])[0]
        value = node.value if isinstance(node, (ast.Assign, ast.AnnAssign)) else None
        constant = isinstance(target, ast.Name) and value and len(getattr(node, "targets", [target])) == 1
        self.refuse_if(not constant, node, f"{name} は、関数でも、クラスでも、一つの定数でもありません")
        assert value
        return f"const {name} = {self.expression(value)};"

    def top_function(self, node: ast.FunctionDef, name: str) -> str:
        """Write a function of a module, with what it was before remembered if it is cached."""
        parameters, body = self.function(node)
        origins = [self.origin_of(one.func if isinstance(one, ast.Call) else one) for one in node.decorator_list]
        if not origins:
            return f"function{'*' if is_generator(node) else ''} {name}({parameters}) {body}"
        cached = origins in ([("functools", "cache")], [("functools", "lru_cache")])
        self.refuse_if(not cached or is_generator(node), node, "関数の飾り @ は、cache と lru_cache だけが翻訳できます")
        signature = signature_of(node)
        self.refuse_if(signature.variadic, node, "* のある関数の cache は翻訳できません")
        order = [str(len(signature.positional)), json.dumps(signature.keyword_only)]
        return f"const {name} = {self.runtime('cached', f'({parameters}) => {body}', *order)};"

    def function(self, node: ast.FunctionDef, *, skip: int = 0) -> tuple[str, str]:
        """Write parameters and body of a function."""
        scope, parameters, first = self.parameters(node, skip=skip)
        self.refuse_if(not skip and "self" in scope, node, "self は、メソッドの最初の引数だけが翻訳できます")
        local = {name for one in node.body for name in bound_names(one)} - scope.keys()
        self.scopes.append(scope | dict.fromkeys(local, ""))
        body = self.block(node.body)[2:]
        self.scopes.pop()
        declared = f"  let {', '.join(map(local_name, sorted(local)))};\n" if local else ""
        # Where an annotation says what comes back, mypy sees to it that it does.
        end = "" if is_generator(node) or node.returns or isinstance(node.body[-1], ast.Return) else "  return null;\n"
        return parameters, f"{{\n{first}{declared}{body[:-1]}{end}}}"

    def parameters(
        self, node: ast.FunctionDef | ast.Lambda, *, skip: int = 0
    ) -> tuple[dict[str, str | None], str, str]:
        """Write parameters; return their names with their kinds, the text and what the body starts with."""
        arguments = node.args
        strange = arguments.posonlyargs or arguments.kwarg or (arguments.vararg and arguments.kwonlyargs)
        self.refuse_if(strange, node, "引数のこの形（/、**、* の後の引数）は翻訳できません")
        signature = signature_of(node)
        defaults = dict(zip(signature.positional[::-1], arguments.defaults[::-1], strict=False))
        defaults |= {
            name: one
            for name, one in zip(signature.keyword_only, arguments.kw_defaults, strict=True)
            if one is not None
        }
        positional = [self.parameter(name, defaults.get(name)) for name in signature.positional[skip:]]
        by_name = [self.parameter(name, defaults.get(name), in_object=True) for name in signature.keyword_only]
        if by_name:
            optional = not set(signature.keyword_only) & signature.required
            positional.append(f"{{ {', '.join(by_name)} }}{' = {}' if optional else ''}")
        first, names = "", {one.arg: kind_of(one.annotation) for one in (*arguments.args, *arguments.kwonlyargs)}
        if arguments.vararg:
            rest = local_name(arguments.vararg.arg)
            positional.append(f"...{rest}")
            names[arguments.vararg.arg] = None
            first = f"  {self.runtime('fixed', rest)};\n"
        return names, ", ".join(positional), first

    def parameter(self, name: str, default: ast.expr | None, *, in_object: bool = False) -> str:
        """Write a parameter or a field with its default."""
        written = f"{name}: {local_name(name)}" if in_object and name in RESERVED else local_name(name)
        return written if default is None else f"{written} = {self.default(default)}"

    def default(self, node: ast.expr) -> str:
        """Write a default, which JavaScript computes anew in every call: nothing that could differ then."""
        inner = node.operand if isinstance(node, ast.UnaryOp) else node
        empty = isinstance(inner, ast.Tuple) and not inner.elts
        constant = isinstance(inner, ast.Constant) or (isinstance(inner, ast.Name) and self.origin(inner.id))
        self.refuse_if(not (empty or constant), node, "引数の既定の値は、定数と、モジュールの名前だけが翻訳できます")
        return self.expression(node)

    # ------------------------------------------------------------ classes

    def kind_of_class(self, node: ast.ClassDef, module: str) -> str:
        """Tell what a class is: "dataclass", "tuple" or "error"."""
        writer = self if module == self.module.name else Writer(self.program, self.program.package.modules[module])
        bases = [writer.origin_of(base) for base in node.bases]
        if bases == [("typing", "NamedTuple")]:
            return "tuple"
        if len(bases) == 1 and bases[0]:
            found = self.program.package.module(bases[0][0])
            if bases[0][0] == "builtins" and bases[0][1] in ERRORS:
                return "error"
            inherited = found and found.definitions[bases[0][1]][0]
            if isinstance(inherited, ast.ClassDef) and self.kind_of_class(inherited, bases[0][0]) == "error":
                return "error"
        decorators = [one for one in node.decorator_list if isinstance(one, ast.Call)]
        if not bases and [writer.origin_of(one.func) for one in decorators] == [("dataclasses", "dataclass")]:
            return "dataclass"
        raise writer.refusal(node, f"クラス {node.name} は、凍った dataclass、NamedTuple、エラーのどれでもありません")

    def is_left_out(self, node: ast.ClassDef, name: str) -> bool:
        """Tell whether nobody asks for a method or a field."""
        return name in UNTOUCHED or f"{node.name}.{name}" in self.program.left_out

    def constructor_of(self, node: ast.ClassDef, kind: str) -> Signature:
        """Return what a class is made of."""
        if kind == "error":
            return Signature(("message",))
        fields = fields_of(node)
        names = tuple(fields)
        required = frozenset(name for name, default in fields.items() if default is None)
        by_keyword = kind == "dataclass" and option_of(node, "kw_only", default=False)
        return Signature((), names, required) if by_keyword else Signature(names, (), required)

    def top_class(self, node: ast.ClassDef, name: str) -> str:
        """Write a class of a module."""
        kind = self.kind_of_class(node, self.module.name)
        if kind == "error":
            base = self.named(node, self.origin_of(node.bases[0]) or ("", ""))
            docstring = [one for one in node.body if isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant)]
            self.refuse_if(node.body != docstring, node.body[-1], "エラーの中のこの文は翻訳できません")
            body = [f"name = {json.dumps(node.name)};"]
        else:
            if kind == "dataclass":
                self.refuse_if(
                    not option_of(node, "frozen", default=False), node, "凍っていない dataclass は翻訳できません"
                )
                base = "Record" if option_of(node, "eq", default=True) else "Unique"
            else:
                base = "NamedTuple"
            base = self.runtime(base)[:-2]
            body = [self.constructor(node, kind), *self.members(node)]
        return f"class {name} extends {base} {{\n{indent(chr(10).join(body), '  ')}\n}}"

    def constructor(self, node: ast.ClassDef, kind: str) -> str:
        """Write how an object gets its fields."""
        fields = fields_of(node)
        if kind == "dataclass":
            parameters = "given"
            shown = {name: one for name, one in fields.items() if one and not self.is_left_out(node, name)}
            defaults = ", ".join(f"{name}: {self.default(one)}" for name, one in shown.items())
            lines = [f"super({{ {defaults} }}, given);"]
        else:
            parameters = ", ".join(self.parameter(name, default) for name, default in fields.items())
            lines = ["super();", *(f"this.{name} = {local_name(name)};" for name in fields)]
        if any(isinstance(one, ast.FunctionDef) and one.name == "__post_init__" for one in node.body):
            lines.append("this.__post_init__();")
        if kind == "dataclass":
            lines.append(f"{self.runtime('fixed', 'this')};")
        return f"constructor({parameters}) {{\n{indent(chr(10).join(lines), '  ')}\n}}"

    def members(self, node: ast.ClassDef) -> Iterator[str]:
        """Write methods and properties."""
        for one in node.body:
            if isinstance(one, ast.AnnAssign) or (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant)):
                continue  # a field, a docstring
            if isinstance(one, ast.Assign) and ast.unparse(one.targets[0]) in UNTOUCHED:
                continue
            self.refuse_if(not isinstance(one, ast.FunctionDef), one, "クラスの中のこの文は翻訳できません")
            assert isinstance(one, ast.FunctionDef)
            if self.is_left_out(node, one.name):
                continue
            strange = (one.name.startswith("__") and one.name != "__post_init__") or one.name == "constructor"
            self.refuse_if(strange, one, f"メソッド {one.name} は翻訳できません")
            decorators = [self.origin_of(decorator) for decorator in one.decorator_list]
            self.refuse_if(
                decorators not in ([], [("builtins", "property")]), one, "飾り @ は、property だけが翻訳できます"
            )
            self.refuse_if(
                one.args.args[:1] and one.args.args[0].arg != "self", one, "最初の引数は self だけが翻訳できます"
            )
            parameters, body = self.function(one, skip=1)
            yield f"{'get ' if decorators else ''}{'*' if is_generator(one) else ''}{one.name}({parameters}) {body}"
