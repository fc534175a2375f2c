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
- a dataclass takes one object, a named tuple its fields in their order, a class with an ``__init__`` what that takes;
- patterns are those of `re` with ``re.ASCII``: JavaScript's letters, digits and blanks are the same then;
- a tuple is a frozen array, a list another one, and ``None`` is ``null``;
- what is cached is remembered for the very objects that were given;
- where annotations, which mypy checks, say that both sides are numbers or both strings, JavaScript's
  own operators do the same as Python's.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import singledispatchmethod
from pathlib import Path
from textwrap import indent
from typing import NamedTuple

from tools.page.expressions import BINARY, IN_PLACE, Expressions
from tools.page.package import (
    Package,
    TranslationError,
    bound_names,
    fields_of,
    initializer_of,
    is_generator,
    kind_of,
    option_of,
    signature_of,
)
from tools.page.scope import UNTOUCHED, local_name


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
    (formulas,) = translate_in_turn(Package(folder, root), {"": wanted}, {}, given=given, left_out=left_out).values()
    return formulas_module(formulas)


def formulas_module(formulas: Formulas, brought: Collection[str] = ()) -> str:
    """Write the module of the first script's formulas, as `translate` returns it.

    Of what is given, that which is `brought` comes later than the formulas do; it is asked for by its
    name in ``brought.mjs``.
    """
    given, asked = split_given(formulas, brought)
    return (
        f"{import_of(formulas.runtime)}{IMPORT_OF_BROUGHT if asked else ''}\n"
        f"export function formulas({{ {', '.join(sorted(given))} }}) {{\n{indent(asked + formulas.body, '  ')}\n"
        f"  return {{ {', '.join(formulas.results)} }};\n}}\n"
    )


IMPORT_OF_BROUGHT = 'import { brought } from "./brought.mjs";\n'


def split_given(formulas: Formulas, brought: Collection[str]) -> tuple[set[str], str]:
    """Return what is given when formulas come, and the functions that ask for the rest."""
    late = sorted(formulas.given & {*brought})
    asked = "".join(f"const {name} = (...values) => brought.{name}(...values);\n" for name in late)
    return formulas.given - {*late}, asked


class Formulas(NamedTuple):
    """Definitions in JavaScript, and what they need and are needed for."""

    body: str
    runtime: set[str]
    given: set[str]
    """What they mention that the caller writes."""

    taken: dict[str, set[str]]
    """What they mention that another script holds, by its name."""

    results: list[str]


def translate_in_turn(
    package: Package,
    wanted: Mapping[str, Iterable[str]],
    beside: Mapping[str, str],
    *,
    given: Iterable[str],
    left_out: Iterable[str],
) -> dict[str, Formulas]:
    """Translate what is wanted first, and then what further scripts want and those before them do not have.

    Parameters
    ----------
    package : Package
        The Python package.
    wanted : mapping of str to iterable of str
        As for `translate`, by script; the first is ``""``.
    beside : mapping of str to str
        For each of the others the one that has come before it, which stands before it in `wanted`.
    given, left_out : iterable of str
        As for `translate`.  What is given and wanted, too, is translated for the script that wants
        it; for all others, the caller hands it on once it has come.

    Returns
    -------
    dict of str to Formulas
        By script.  The results are what is wanted there and, behind that, what others mention.

    Raises
    ------
    TranslationError
        If anything that is needed cannot be translated.
    """
    by_hand = {origin: origin[1] for origin in (package.origin(*name.rsplit(".", 1)) for name in given)}
    programs: dict[str, Program] = {}
    translated: dict[str, Formulas] = {}
    for script, names in wanted.items():
        own = {package.origin(*name.rsplit(".", 1)) for name in names}
        known = {origin: name for origin, name in by_hand.items() if origin not in own}
        held: dict[str, str] = {}
        before = script
        while before:
            before = beside[before]
            held |= dict.fromkeys(programs[before].names.values(), before)
            known |= {origin: name for origin, name in programs[before].names.items() if origin not in by_hand}
        program = programs[script] = Program(package, known, frozenset(left_out))
        results = [program.name_of(*name.rsplit(".", 1)) for name in names]
        body = program.translated()
        taken: dict[str, set[str]] = {}
        for name in program.mentioned - {*by_hand.values()}:
            taken.setdefault(held[name], set()).add(name)
        for before, some in taken.items():
            theirs = translated[before].results
            theirs.extend(sorted(some - {*theirs}))
        mentioned = program.mentioned & {*by_hand.values()}
        translated[script] = Formulas(body, program.runtime, mentioned, taken, results)
    return translated


def import_of(runtime: Iterable[str]) -> str:
    """Write the import of what formulas use of the runtime."""
    return "import {\n" + "".join(f"  {name},\n" for name in sorted(runtime)) + '} from "./runtime.mjs";\n'


class Program:
    """All that is translated, from what is wanted to the last thing that it mentions."""

    def __init__(self, package: Package, given: Mapping[tuple[str, str], str], left_out: frozenset[str]) -> None:
        self.package, self.given = package, given
        self.left_out = left_out
        self.names: dict[tuple[str, str], str] = {}
        self.waiting: list[tuple[str, str]] = []
        self.runtime: set[str] = set()
        self.mentioned: set[str] = set()

    def name_of(self, module: str, name: str) -> str:
        """Return what a definition is called in JavaScript, and see to it that it will be there."""
        key = self.package.origin(module, name)
        if key in self.given:
            self.mentioned.add(self.given[key])
            return self.given[key]
        found = self.package.module(key[0])
        if found is None:
            raise TranslationError(f"{module} に {name} がありません。")
        if key not in self.names:
            taken = {*self.names.values(), *self.given.values()}
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
            code = Writer(self, module).definition(nodes[0], key[1], self.names[key])
            parts[key] = (self.package.order.index(key[0]), nodes[0].lineno, code)
        return "\n".join(code for *_, code in sorted(parts.values()))


class Writer(Expressions):
    """Writes statements and definitions."""

    handling = 0
    """How many errors are being handled where it stands."""

    makes_own = False
    """Whether what is written belongs to a class that sets its own attributes."""

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
        if ast.unparse(node.value).startswith("super().__init__("):
            assert isinstance(node.value, ast.Call)
            return f"super({self.in_order(node.value)});"
        if isinstance(node.value, ast.YieldFrom):
            return f"yield* {self.runtime('iterate', self.expression(node.value.value))};"
        self.refuse_if(not isinstance(node.value, ast.Call), node, "値を使わない式は翻訳できません")
        return f"{self.expression(node.value)};"

    @statement.register
    def _(self, node: ast.Return) -> str:
        return f"return {self.expression(node.value)};" if node.value else "return null;"

    @statement.register
    def _(self, node: ast.Raise) -> str:
        if node.exc is None and self.handling:
            return "throw $error;"
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
        if isinstance(target, ast.Attribute):
            own = self.makes_own and isinstance(target.value, ast.Name) and target.value.id == "self"
            self.refuse_if(not own, target, "属性への代入は、__init__ のあるクラスの self へだけが翻訳できます")
            return f"this.{target.attr} = {value};"
        return f"{self.target(target)} = {value};"

    @statement.register
    def _(self, node: ast.AugAssign) -> str:
        self.refuse_if(not isinstance(node.target, ast.Name), node, "計算して代入する先は、名前だけが翻訳できます")
        name = (BINARY | IN_PLACE).get(type(node.op))
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
            self.handling += 1
            body = f"{{\n{indent(kept, '  ')}{self.block(handler.body)[2:]}"
            self.handling -= 1
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

    def definition(self, node: ast.stmt, called: str, name: str) -> str:
        """Write a function, a class or a constant of a module, which is called so there, under a name."""
        if isinstance(node, ast.FunctionDef):
            return self.top_function(node, name)
        if isinstance(node, ast.ClassDef):
            return self.top_class(node, name)
        target = node.target if isinstance(node, ast.AnnAssign) else getattr(node, "targets", [None])[0]
        value = node.value if isinstance(node, (ast.Assign, ast.AnnAssign)) else None
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
            target, value = next(
                pair for pair in zip(target.elts, value.elts, strict=True) if called in bound_names(pair[0])
            )
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
        ends = is_generator(node) or node.returns or isinstance(node.body[-1], ast.Return) or node.name == "__init__"
        end = "" if ends else "  return null;\n"
        return parameters, f"{{\n{first}{declared}{body[:-1]}{end}}}"

    # ------------------------------------------------------------ classes

    def top_class(self, node: ast.ClassDef, name: str) -> str:
        """Write a class of a module."""
        kind = self.kind_of_class(node, self.module.name)
        made = initializer_of(node)
        self.makes_own = made is not None and kind in ("error", "plain")
        if kind == "error":
            base = self.named(node, self.origin_of(node.bases[0]) or ("", ""))
            docstring = [one for one in node.body if isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant)]
            others = [one for one in node.body if one not in docstring and one is not made]
            self.refuse_if(others, node.body[-1], "エラーの中のこの文は翻訳できません")
            body = [f"name = {json.dumps(node.name)};", *([self.initializer(made)] if made else [])]
        elif kind == "plain":
            assert made
            body = "\n".join([self.initializer(made), *self.members(node)])
            return f"class {name} {{\n{indent(body, '  ')}\n}}"
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

    def initializer(self, node: ast.FunctionDef) -> str:
        """Write how an object is made that sets its own attributes."""
        parameters, body = self.function(node, skip=1)
        return f"constructor({parameters}) {body}"

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
            if self.makes_own and one.name == "__init__":
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
