"""Python's expressions as JavaScript, each in one place."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable
from functools import singledispatchmethod

from tools.page.package import NUMBER, TEXT, TRUTH, Signature, bound_names, kind_of, signature_of
from tools.page.scope import (
    BOOLEAN_CALLS,
    BUILTINS,
    ERRORS,
    LISTED,
    MATHEMATICS,
    METHODS,
    REGULAR,
    RESERVED,
    Scope,
    local_name,
)

BINARY = {
    ast.Add: "add",
    ast.Sub: "subtract",
    ast.Mult: "multiply",
    ast.Div: "divide",
    ast.FloorDiv: "floor_divide",
    ast.Mod: "modulo",
    ast.Pow: "power",
    ast.BitOr: "merge",
}
IN_PLACE = {ast.Add: "add_in_place", ast.BitOr: "merge_in_place"}
ORDERED = {
    ast.Lt: ("less", "<"),
    ast.LtE: ("less_equal", "<="),
    ast.Gt: ("greater", ">"),
    ast.GtE: ("greater_equal", ">="),
}

LARGEST = 2**53 - 1
FORMAT = re.compile(r",|(?:,?(?:\.\d+)?[efg]|,?d)")


class Expressions(Scope):
    """Writes expressions."""

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
        origin = self.origin_of(node.func)
        if any(one.arg is None for one in node.keywords):
            return self.call_with_fields(node, origin)
        if origin is None:
            return self.call_of_value(node)
        module, name = origin
        if module == "builtins" and name in BUILTINS:
            return self.call_of_builtin(node, name)
        if module == "builtins" and name in ERRORS:
            self.refuse_if(node.keywords or len(node.args) > 1, node, f"{name} の引数は一つだけです")
            return f"new {self.named(node, origin)}({self.expressions(node.args)})"
        if module == "math" and name in MATHEMATICS:
            self.count(node, name, MATHEMATICS[name], MATHEMATICS[name])
            return f"{self.named(node, origin)}({self.expressions(node.args)})"
        if module == "re" and name in REGULAR:
            self.count(node, name, *REGULAR[name])
            further = [f'"{self.flags(node, *node.args[1:])}"'] if name == "compile" else []
            return self.runtime(name, self.expression(node.args[0]), *further)
        if origin == ("unicodedata", "normalize"):
            self.count(node, name, 2, 2)
            return self.runtime(name, *map(self.expression, node.args))
        if origin == ("dataclasses", "replace"):
            self.count(node, name, 1, 1)
            return self.runtime("replaced", self.expression(node.args[0]), self.options(node) or "{}")
        return self.call_of_definition(node, origin)

    def flags(self, node: ast.expr, *flags: ast.expr) -> str:
        """Write the flags of a pattern: letters are ASCII, where both languages mean the same by them."""
        names = set(ast.unparse(flags[0]).split(" | ")) if flags else set()
        known = "re.ASCII" in names and names <= {"re.ASCII", "re.IGNORECASE"}
        self.refuse_if(not known, node, "正規表現は、re.ASCII か re.ASCII | re.IGNORECASE のものだけが翻訳できます")
        return "i" if "re.IGNORECASE" in names else ""

    def call_of_value(self, node: ast.Call) -> str:
        """Call a method, or a function that a variable holds."""
        if not isinstance(node.func, ast.Attribute):
            return f"{self.expression(node.func)}({self.in_order(node)})"
        name, value = node.func.attr, node.func.value
        if name == "fromkeys" and self.origin_of(value) == ("builtins", "dict"):
            self.count(node, "fromkeys", 1, 2)
            return self.runtime("fromkeys", self.expressions(node.args))
        if name == "_replace":
            self.count(node, name, 0, 0)
            return self.runtime("replaced", self.expression(value), self.options(node) or "{}")
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

    def call_with_fields(self, node: ast.Call, origin: tuple[str, str] | None) -> str:
        """Call a function with a dict of all its arguments, or make an object of a dataclass so."""
        module = self.program.package.module(origin[0]) if origin else None
        (definition, *_) = module.definitions.get(origin[1], [None]) if module and origin else [None]
        alone = not node.args and len(node.keywords) == 1 and isinstance(definition, (ast.ClassDef, ast.FunctionDef))
        self.refuse_if(not alone, node, "** で渡す引数は、クラス(**値) と 関数(**値) の形だけが翻訳できます")
        assert isinstance(definition, (ast.ClassDef, ast.FunctionDef)) and origin
        if isinstance(definition, ast.ClassDef):
            made = self.kind_of_class(definition, origin[0]) == "dataclass"
            self.refuse_if(not made, node, "** は、クラスなら dataclass にだけ渡せます")
            signature = self.constructor_of(definition, "dataclass")
        else:
            signature = signature_of(definition)
            self.refuse_if(signature.variadic, node, "** は、*引数のある関数には渡せません")
        known = {name: name in signature.required for name in (*signature.positional, *signature.keyword_only)}
        fields = self.runtime("fields_from", self.expression(node.keywords[0].value), json.dumps(known))
        if isinstance(definition, ast.ClassDef):
            return f"new {self.named(node, origin)}({fields})"
        # What it takes by position is taken out of the same object, too.
        in_order = [f"$given.{name}" for name in signature.positional]
        by_name = ["$given"] if signature.keyword_only else []
        return f"(($given) => {self.named(node, origin)}({', '.join([*in_order, *by_name])}))({fields})"

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

    # ------------------------------------------------------------ parameters

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
