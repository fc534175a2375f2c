"""Join the page's modules to one script.

Pages opened straight from the disk may load neither module scripts nor data, so there is one plain
script.  The modules stand in it one after another, each behind those that it imports, and without
their ``import`` and ``export``: whatever stands at the top of a module has a name of its own.

What a page need not have at once comes in further scripts.  Each module stands in one script: one
that several scripts need, in that which all of them stand on.

The forms are few, and any other is an error that names file and line.  Modules say
``import { a, b } from "./x.mjs";``, ``export const``, ``export function``, ``export class`` and
``export { a, b };``, and declare one name at a time, each at the start of a line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path

ENTRY = "main.mjs"
HEADER = "/*! hayasa (速さ)。tools/web.py が作ります。MIT License. */\n"

NAME = r"[A-Za-z_$][\w$]*"
NAMES = rf"\{{\s*({NAME}(?:,\s*{NAME})*),?\s*\}}"
IMPORT = re.compile(rf'^import {NAMES} from "\./([\w-]+\.mjs)";$', re.MULTILINE)
EXPORT_LIST = re.compile(rf"^export {NAMES};$", re.MULTILINE)
EXPORT = re.compile(rf"^export (?=(?:const|(?:async )?function\*?|class) ({NAME})\b)", re.MULTILINE)
DECLARED = re.compile(rf"^(?:(?:const|let) ({NAME})(?= =|;)|(?:class|(?:async )?function\*?) ({NAME}))", re.MULTILINE)

# What is left of these words once the forms above are gone cannot be joined.
REFUSED = (
    (re.compile(r"^[^\S\n]*import\b", re.MULTILINE), 'import は import { a, b } from "./x.mjs"; の形だけが使えます'),
    (
        re.compile(r"^[^\S\n]*export\b", re.MULTILINE),
        "export は行の初めの export const / function / class / { a, b }; の形だけが使えます",
    ),
    (re.compile(r"\bimport\s*[(.]"), "import(…) と import.meta は使えません"),
    (re.compile(r"[;}][^\S\n]*(?:import|export)\b"), "import と export は行の初めに書いてください"),
    # WGSL, which stands in templates, says var<…>.
    (
        re.compile(r"^(?:const|let|var)\b(?!<)", re.MULTILINE),
        "モジュールの変数は、const か let で一つずつ書いてください",
    ),
    (re.compile(r"</script|<!--", re.IGNORECASE), "</script と <!-- は、ページに埋め込めなくなるので書けません"),
)


class BundleError(ValueError):
    """A module that cannot be joined to the others; the message says where and why, in Japanese."""


class Modules:
    """The modules that some entries need, each behind those that it imports."""

    def __init__(self, folder: Path, made: Mapping[str, str], entries: Iterable[str]) -> None:
        self.folder, self.made = folder, made
        self.exports: dict[str, list[str]] = {}
        self.imports: dict[str, dict[str, list[str]]] = {}
        self.owners: dict[str, str] = {}
        self.bodies: dict[str, str] = {}
        for entry in entries:
            text = self.text(entry)
            if text is None:
                raise BundleError(f"web/{entry} がありません。")
            if entry not in self.bodies:
                self.add(entry, text)

    def text(self, name: str) -> str | None:
        """Return the text of a module, of a file or made; None if there is no such module."""
        path = self.folder / name
        return self.made.get(name) or (path.read_text(encoding="utf-8") if path.is_file() else None)

    def add(self, name: str, text: str, importers: tuple[str, ...] = ()) -> None:
        """Add a module behind all those that it imports; `importers` are those on the way to it."""
        imports = self.imports[name] = {}
        for found in IMPORT.finditer(text):
            imported, its = found[2], self.text(found[2])
            if imported in (*importers, name):
                raise self.problem(name, text, found.start(), f"{imported} との間で互いに import しています")
            if its is None:
                raise self.problem(name, text, found.start(), f"web/{imported} がありません")
            if imported not in self.bodies:
                self.add(imported, its, (*importers, name))
            for wanted in names_in(found[1]):
                if wanted not in self.exports[imported]:
                    raise self.problem(name, text, found.start(), f"{imported} は {wanted} を export していません")
            imports.setdefault(imported, []).extend(names_in(found[1]))
        self.exports[name] = self.exported(name, text)
        # Blanks in the place of the words leave every line as it was.
        plain = blanked(EXPORT, blanked(EXPORT_LIST, blanked(IMPORT, text)))
        self.declare(name, text, EXPORT.sub("", text))
        for pattern, reason in REFUSED:
            found_there = pattern.search(blanked(DECLARED, plain))
            if found_there:
                raise self.problem(name, text, found_there.start(), reason)
        body = EXPORT.sub("", EXPORT_LIST.sub("", IMPORT.sub("", text)))
        self.bodies[name] = re.sub(r"\n{2,}", "\n", body).strip()

    def needed_by(self, name: str) -> set[str]:
        """Return a module with all that it imports, and that these import."""
        return {name}.union(*map(self.needed_by, self.imports[name]))

    def declare(self, name: str, text: str, plain: str) -> None:
        """Keep the names at the top of a module; one that another has is an error."""
        for found in DECLARED.finditer(plain):
            declared = found[1] or found[2]
            owner = self.owners.setdefault(declared, name)
            if owner != name:
                line = re.search(rf"^(?:export )?{re.escape(found[0])}", text, re.MULTILINE)
                assert line
                raise self.problem(name, text, line.start(), f"{declared} という名前は {owner} にもあります")

    def exported(self, name: str, text: str) -> list[str]:
        """Return what a module exports; twice the same name is an error."""
        names: list[str] = []
        found = [(match, [match[1]]) for match in EXPORT.finditer(text)]
        found += [(match, names_in(match[1])) for match in EXPORT_LIST.finditer(text)]
        for match, exported in found:
            for one in exported:
                if one in names:
                    raise self.problem(name, text, match.start(), f"{one} を二度 export しています")
                names.append(one)
        return names

    @staticmethod
    def problem(name: str, text: str, position: int, reason: str) -> BundleError:
        """Return the error for a place in a module."""
        line = text.count("\n", 0, position) + 1
        return BundleError(f"web/{name}:{line}: {reason}。")


def bundle(folder: Path, made: Mapping[str, str], entry: str = ENTRY, result: str = "hayasa") -> str:
    """Return one script that does what a module does, and sets a global object to what it exports.

    Parameters and errors are those of `bundles`.
    """
    modules = Modules(folder, made, [entry])
    return _script("\n".join(modules.bodies.values()), result, ", ".join(modules.exports[entry]))


def _script(body: str, result: str, exported: str) -> str:
    return f'{HEADER}(() => {{\n"use strict";\n{body}\nglobalThis.{result} = {{ {exported} }};\n}})();\n'


def bundles(
    folder: Path, made: Mapping[str, str], later: Mapping[str, str], entry: str = ENTRY, result: str = "hayasa"
) -> list[str]:
    """Return the script that does what a module does, and those that may come later.

    Parameters
    ----------
    folder : pathlib.Path
        Folder with the modules.
    made : mapping of str to str
        Texts of modules that are no files in it, by name.
    later : mapping of str to str
        The modules whose exports come in scripts of their own, without ``.mjs``, each with the one
        that has come before; ``""`` where that is the first script alone.
    entry : str
        The module.
    result : str
        The global object that it sets.

    Returns
    -------
    list of str
        Classic scripts.  The first sets the global object to what `entry` exports.  Each of the
        others puts what its module exports into the object's ``parts``, which `entry` has to
        export, under the module's name.  It does nothing among scripts that it was not made with,
        as while a new edition is put in the place of an old one.

    Raises
    ------
    BundleError
        If a module is missing, imports what is not exported, imports itself by a detour, has a
        name that another has, or is written in a form that is not supported.
    """
    entries = {"": entry, **{name: f"{name}.mjs" for name in later}}
    modules = Modules(folder, made, entries.values())
    ways = {name: [name] for name in entries}  # to the first script
    for way in ways.values():
        while way[-1]:
            way.append(later[way[-1]])
    needed = {name: modules.needed_by(its) for name, its in entries.items()}
    owner = {module: common([way for name, way in ways.items() if module in needed[name]]) for module in modules.bodies}
    taken: dict[str, set[str]] = {name: set() for name in entries}
    shared: dict[str, set[str]] = {name: set() for name in entries}
    for module, imports in modules.imports.items():
        for imported, names in imports.items():
            if owner[imported] != owner[module]:
                taken[owner[module]].update(names)
                shared[owner[imported]].update(names)
    bodies = {
        name: "\n".join(body for module, body in modules.bodies.items() if owner[module] == name) for name in entries
    }
    edition = quoted(sha256("\n".join(bodies[name] for name in entries if shared[name]).encode()).hexdigest()[:12])
    exported = ", ".join(modules.exports[entry])
    if later:
        exported += f", edition: {edition}, shared: {{ {', '.join(sorted(shared['']))} }}"
    scripts = [_script(bodies[""], result, exported)]
    for name in later:
        given = f"Object.assign(shared, {{ {', '.join(sorted(shared[name]))} }});\n" if shared[name] else ""
        scripts.append(
            f'{HEADER}(() => {{\n"use strict";\nconst {{ edition, shared }} = globalThis.{result};\n'
            f"if (edition !== {edition}) return;\n"
            f"const {{ {', '.join(sorted(taken[name]))} }} = shared;\n{bodies[name]}\n{given}"
            f"globalThis.{result}.parts[{quoted(name)}] = {{ {', '.join(modules.exports[entries[name]])} }};\n}})();\n"
        )
    return scripts


def common(ways: list[list[str]]) -> str:
    """Return the first stop that several ways have in common."""
    return next(stop for stop in ways[0] if all(stop in way for way in ways))


def blanked(pattern: re.Pattern[str], text: str) -> str:
    """Return a text with blanks in the place of what a pattern finds."""
    return pattern.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)


def names_in(listed: str) -> list[str]:
    """Return the names of ``a, b, c``."""
    return re.findall(NAME, listed)


def quoted(text: str) -> str:
    r"""Return JavaScript for a text, safe in a script that stands inside a page.

    >>> print(quoted("it's </script>"))
    'it\'s <\/script>'
    """
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\r", "\\r")
    escaped = escaped.replace("</", "<\\/").replace("<!--", "<\\!--")
    return "'" + escaped.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029") + "'"


def shortened(script: str) -> str:
    """Return the script in fewer characters where the minifier is installed, else as it is.

    ``make book`` installs it where it has wheels; the script does the same with and without.
    """
    try:
        from minify import string as minify
    except ImportError:
        return script
    return str(minify("application/javascript", script))
