"""A package of Python modules, as far as a translation has to know it: what each defines, and where names come from."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

NUMBER, TEXT, TRUTH = "number", "text", "truth"
KINDS = {"bool": TRUTH, "float": NUMBER, "int": NUMBER, "str": TEXT}


class TranslationError(ValueError):
    """What cannot be translated; the message says where and why, in Japanese."""


@dataclass(frozen=True)
class Signature:
    """What a function, a method or a class takes, and what comes back, if it is a number or a text."""

    positional: tuple[str, ...]
    keyword_only: tuple[str, ...] = ()
    required: frozenset[str] = frozenset()
    variadic: bool = False
    returns: str | None = None


@dataclass
class Module:
    """A module of the package: what it defines, and where its other names come from."""

    name: str
    shown: str
    tree: ast.Module
    definitions: dict[str, list[ast.stmt]] = field(default_factory=dict)
    origins: dict[str, tuple[str, str]] = field(default_factory=dict)

    def refusal(self, node: ast.AST, reason: str) -> TranslationError:
        """Return the error for a place in the module."""
        return TranslationError(f"{self.shown}:{getattr(node, 'lineno', 1)}: {reason}。")


class Package:
    """The modules of a package, read when they are asked for."""

    def __init__(self, folder: Path, root: Path) -> None:
        self.folder, self.root = folder, root
        self.modules: dict[str, Module] = {}
        self.order: list[str] = []
        self.members: dict[str, list[tuple[str, Signature]]] = {}

    def module(self, name: str) -> Module | None:
        """Return a module and read what it imports; None if it is not of the package."""
        if name not in self.modules:
            path = self.folder.parent.joinpath(*name.split("."))
            candidates = [path.with_suffix(".py"), path / "__init__.py"]
            found = next((one for one in candidates if one.is_file()), None)
            if name.split(".")[0] != self.folder.name or found is None:
                return None
            shown = found.relative_to(self.root).as_posix()
            self.modules[name] = module = Module(name, shown, ast.parse(found.read_text(encoding="utf-8"), shown))
            inside = name if found.name == "__init__.py" else name.rpartition(".")[0]
            self._read(module, inside)
            self.order.append(name)  # behind what it imports, as when Python runs it
        return self.modules[name]

    def _read(self, module: Module, inside: str) -> None:
        for node in module.tree.body:
            for name in bound_names(node):
                module.definitions.setdefault(name, []).append(node)
            if isinstance(node, ast.ClassDef):
                for name, kind, signature in members_of(node):
                    self.members.setdefault(name, []).append((kind, signature))
        for node in [*module.tree.body, *for_annotations_only(module.tree)]:
            if isinstance(node, ast.Import):
                module.origins.update({one.asname or one.name: (one.name, "") for one in node.names})
            elif isinstance(node, ast.ImportFrom):
                parts = inside.split(".")
                base = (
                    ".".join([*parts[: len(parts) - node.level + 1], node.module or ""]) if node.level else node.module
                )
                source = (base or "").strip(".")
                module.origins.update({one.asname or one.name: (source, one.name) for one in node.names})
                if node in module.tree.body:
                    self.module(source)

    def origin(self, module: str, name: str) -> tuple[str, str]:
        """Follow a name to where it is defined; builtins are those of "builtins"."""
        seen = set()
        while (found := self.module(module)) and (module, name) not in seen:
            seen.add((module, name))
            if name in found.definitions:
                break
            module, name = found.origins.get(name, ("builtins", name))
        return module, name


def bound_names(node: ast.AST) -> Iterator[str]:
    """Yield the names that a statement binds in its own scope."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield node.name
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    elif not isinstance(node, (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
        if isinstance(node, ast.ExceptHandler) and node.name:
            yield node.name
        for child in ast.iter_child_nodes(node):
            yield from bound_names(child)


def for_annotations_only(tree: ast.Module) -> list[ast.stmt]:
    """Return what stands below ``if TYPE_CHECKING:``."""
    tests = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    return [one for node in tests for one in node.body]


def kind_of(annotation: ast.expr | None) -> str | None:
    """Tell whether an annotation promises a number or a text."""
    return KINDS.get(annotation.id) if isinstance(annotation, ast.Name) else None


def signature_of(function: ast.FunctionDef | ast.Lambda, *, skip: int = 0) -> Signature:
    """Return what a function takes, but for the first few of its parameters."""
    arguments = function.args
    positional = [one.arg for one in arguments.args]
    with_default = positional[len(positional) - len(arguments.defaults) :] if arguments.defaults else []
    keyword_only = [one.arg for one in arguments.kwonlyargs]
    with_default += [name for name, one in zip(keyword_only, arguments.kw_defaults, strict=True) if one is not None]
    required = frozenset(positional[skip:] + keyword_only) - frozenset(with_default)
    returns = kind_of(function.returns) if isinstance(function, ast.FunctionDef) else None
    return Signature(tuple(positional[skip:]), tuple(keyword_only), required, arguments.vararg is not None, returns)


def members_of(node: ast.ClassDef) -> Iterator[tuple[str, str, Signature]]:
    """Yield name, sort and signature of what objects of a class have."""
    for one in node.body:
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name):
            yield one.target.id, "field", Signature((), returns=kind_of(one.annotation))
        elif isinstance(one, ast.FunctionDef):
            if one.name == "__init__":
                yield from ((name, "field", Signature(())) for name in attributes_set_by(one))
            is_property = any(ast.unparse(decorator) == "property" for decorator in one.decorator_list)
            yield one.name, "property" if is_property else "method", signature_of(one, skip=1)


def fields_of(node: ast.ClassDef) -> dict[str, ast.expr | None]:
    """Return the fields of a class with their defaults."""
    return {
        one.target.id: one.value
        for one in node.body
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)
    }


def initializer_of(node: ast.ClassDef) -> ast.FunctionDef | None:
    """Return what a class makes its objects with; None if it leaves that to another."""
    return next((one for one in node.body if isinstance(one, ast.FunctionDef) and one.name == "__init__"), None)


def attributes_set_by(function: ast.FunctionDef) -> Iterator[str]:
    """Yield the attributes of its object that a method sets."""
    for one in ast.walk(function):
        if isinstance(one, ast.Attribute) and isinstance(one.ctx, ast.Store) and ast.unparse(one.value) == "self":
            yield one.attr


def option_of(node: ast.ClassDef, name: str, *, default: bool) -> bool:
    """Return what a dataclass says of itself."""
    keywords = [key for one in node.decorator_list if isinstance(one, ast.Call) for key in one.keywords]
    return next((bool(getattr(key.value, "value", default)) for key in keywords if key.arg == name), default)


def is_generator(node: ast.FunctionDef) -> bool:
    """Tell whether a function is a generator; what stands in functions inside it does not count."""
    pending: list[ast.AST] = [*node.body]
    while pending:
        one = pending.pop()
        if isinstance(one, (ast.Yield, ast.YieldFrom)):
            return True
        if not isinstance(one, (ast.FunctionDef, ast.Lambda)):
            pending += ast.iter_child_nodes(one)
    return False
