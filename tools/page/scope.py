"""Where names of a translated definition come from, and what annotations say of them."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from tools.page.package import (
    KINDS,
    NUMBER,
    TEXT,
    TRUTH,
    Module,
    Signature,
    TranslationError,
    fields_of,
    initializer_of,
    kind_of,
    option_of,
    signature_of,
)

if TYPE_CHECKING:
    from tools.page.translate import Program

# How many arguments each takes, and which keywords; those of LISTED, if there are several, come as one list.
BUILTINS: dict[str, tuple[int, int, tuple[str, ...]]] = {
    "abs": (1, 1, ()),
    "all": (1, 1, ()),
    "any": (1, 1, ()),
    "bool": (1, 1, ()),
    "dict": (0, 1, ()),
    "enumerate": (1, 2, ()),
    "float": (1, 1, ()),
    "frozenset": (0, 1, ()),
    "getattr": (2, 3, ()),
    "int": (1, 1, ()),
    "isinstance": (2, 2, ()),
    "len": (1, 1, ()),
    "list": (0, 1, ()),
    "max": (1, 99, ("key", "default")),
    "min": (1, 99, ("key", "default")),
    "next": (2, 2, ()),
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
MATHEMATICS = {"exp": 1, "hypot": 2, "isfinite": 1, "log": 1, "pi": 0, "sqrt": 1}
"""Names of `math`, and how many arguments each takes."""

REGULAR = {"compile": (1, 2), "escape": (1, 1)}
"""Functions of `re`, and how many arguments each takes."""

BOOLEAN_CALLS = ("all", "any", "bool", "isinstance", "startswith", "endswith", "isfinite")

# Methods of what Python brings along, and how many arguments each takes.
METHODS = {
    "append": (1, 1),
    "count": (1, 1),
    "endswith": (1, 1),
    "extend": (1, 1),
    "findall": (1, 1),
    "fullmatch": (1, 1),
    "get": (1, 2),
    "groupdict": (0, 0),
    "groups": (0, 0),
    "items": (0, 0),
    "join": (1, 1),
    "lower": (0, 0),
    "match": (1, 1),
    "pop": (1, 2),
    "removeprefix": (1, 1),
    "removesuffix": (1, 1),
    "replace": (2, 2),
    "search": (1, 1),
    "setdefault": (2, 2),
    "split": (0, 1),
    "splitlines": (0, 0),
    "startswith": (1, 1),
    "strip": (0, 1),
    "sub": (2, 3),
    "update": (1, 1),
    "upper": (0, 0),
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


def local_name(name: str) -> str:
    """Return a Python name as JavaScript can have it."""
    return f"{name}$" if name in RESERVED else name


class Scope:
    """A definition of a module: its names, their origins and kinds."""

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
        return type(self)(self.program, module).kind(node.value) if isinstance(node, ast.Assign) else None

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
        if module == "math" and name in MATHEMATICS:
            return self.runtime(name)[:-2]
        if origin == ("unicodedata", "normalize"):
            return self.runtime(name)[:-2]
        self.refuse_if(self.program.package.module(module) is None, node, f"{name} は翻訳できない名前です")
        return self.program.name_of(module, name)

    def kind_of_class(self, node: ast.ClassDef, module: str) -> str:
        """Tell what a class is: "dataclass", "tuple", "error" or "plain", which has its own ``__init__``."""
        writer = self if module == self.module.name else type(self)(self.program, self.program.package.modules[module])
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
        if not bases and not node.decorator_list and initializer_of(node):
            return "plain"
        raise writer.refusal(
            node,
            f"クラス {node.name} は、凍った dataclass、NamedTuple、エラー、__init__ のあるもののどれでもありません",
        )

    def is_left_out(self, node: ast.ClassDef, name: str) -> bool:
        """Tell whether nobody asks for a method or a field."""
        return name in UNTOUCHED or f"{node.name}.{name}" in self.program.left_out

    def constructor_of(self, node: ast.ClassDef, kind: str) -> Signature:
        """Return what a class is made of."""
        made = initializer_of(node)
        if made and kind in ("error", "plain"):
            return signature_of(made, skip=1)
        if kind == "error":
            return Signature(("message",))
        fields = fields_of(node)
        names = tuple(fields)
        required = frozenset(name for name, default in fields.items() if default is None)
        by_keyword = kind == "dataclass" and option_of(node, "kw_only", default=False)
        return Signature((), names, required) if by_keyword else Signature(names, (), required)
