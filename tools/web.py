"""Bundle `web/*.mjs` and hayasa's tables into one classic script, `web/hayasa.js`.

What is not seen at once, the published measurements, becomes a script of its own, which the page
asks for when a reader comes near.

``python tools/web.py [--root DIR]``.  Pages opened straight from the disk may load neither module
scripts nor data, so there is one plain script that holds both.  The book's `pre-render` names this
file, so Quarto runs it too, with whatever Python it finds: it needs the standard library only.
With a minifier at hand the script becomes shorter by a third.

The rewriting is small and strict.  Modules say ``import { a, b } from "./x.mjs";``,
``export const``, ``export function``, ``export class`` and ``export { a, b };``, each at the start
of a line; anything else is an error that names file and line.
"""

import sys

# Stands before everything that an older Python could not even read.
if sys.version_info < (3, 11):  # noqa: UP036
    sys.exit(
        "エラー: tools/web.py には Python 3.11 以降が必要です（使われた Python: {}.{}）。".format(*sys.version_info)
    )

import argparse
import os
import re
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parent.parent
ENTRY = "main.mjs"
DATA = "data.mjs"
BUNDLE = "hayasa.js"
MEASUREMENTS = "hayasa-measurements.js"

HEADER = "/*! hayasa (速さ)。web/*.mjs と data/*.csv から tools/web.py が作ります。コードは MIT ライセンスです。 */\n"

NAME = r"[A-Za-z_$][\w$]*"
NAMES = rf"\{{\s*({NAME}(?:,\s*{NAME})*),?\s*\}}"
IMPORT = re.compile(rf'^import {NAMES} from "\./([\w-]+\.mjs)";$', re.MULTILINE)
EXPORT = re.compile(rf"^export (?=(?:const|(?:async )?function|class) ({NAME})\b)", re.MULTILINE)
EXPORT_LIST = re.compile(rf"^export {NAMES};$", re.MULTILINE)

# What is left of these words once the forms above are gone cannot be bundled.
REFUSED = (
    (re.compile(r"^[^\S\n]*import\b", re.MULTILINE), 'import は import { a, b } from "./x.mjs"; の形だけが使えます'),
    (
        re.compile(r"^[^\S\n]*export\b", re.MULTILINE),
        "export は行の初めの export const / function / class / { a, b }; の形だけが使えます",
    ),
    (re.compile(r"\bimport\s*[(.]"), "import(…) と import.meta は使えません"),
    (re.compile(r"[;}][^\S\n]*(?:import|export)\b"), "import と export は行の初めに書いてください"),
    (re.compile(r"</script|<!--", re.IGNORECASE), "</script と <!-- は、ページに埋め込めなくなるので書けません"),
)


class BundleError(Exception):
    """A module that cannot be bundled; the message says where and why, in Japanese."""


def problem(name: str, text: str, position: int, reason: str) -> BundleError:
    """Return the error for a place in a module."""
    line = text.count("\n", 0, position) + 1
    return BundleError(f"web/{name}:{line}: {reason}。")


def bundle(web: Path, data: str) -> str:
    """Return the script that does what `main.mjs` does.

    Parameters
    ----------
    web : pathlib.Path
        Folder with the modules.
    data : str
        JSON text that modules get with ``import { data } from "./data.mjs";``.

    Returns
    -------
    str
        A classic script that sets ``globalThis.hayasa`` to what `main.mjs` exports.

    Raises
    ------
    BundleError
        If a module is missing, imports what is not exported, imports itself by a detour, or is
        written in a form that is not supported.
    """
    exports = {DATA: ["data"]}
    parts = [f"const {variable(DATA)} = {{ data: JSON.parse({quoted(data)}) }};"]
    add_module(web, ENTRY, exports, parts, ())
    body = "\n".join(parts)
    return f'{HEADER}(() => {{\n"use strict";\n{body}\nglobalThis.hayasa = {variable(ENTRY)};\n}})();\n'


def add_module(
    web: Path, name: str, exports: dict[str, list[str]], parts: list[str], importers: tuple[str, ...]
) -> None:
    """Add a module behind all those that it imports; `importers` are those on the way to it."""
    text = read_module(web, name)
    for found in IMPORT.finditer(text):
        imported = found[2]
        if imported in (*importers, name):
            raise problem(name, text, found.start(), f"{imported} との間で互いに import しています")
        if imported not in exports:
            if not (web / imported).is_file():
                raise problem(name, text, found.start(), f"web/{imported} がありません")
            add_module(web, imported, exports, parts, (*importers, name))
        for wanted in names_in(found[1]):
            if wanted not in exports[imported]:
                raise problem(name, text, found.start(), f"{imported} は {wanted} を export していません")
    refuse_the_rest(name, text)
    exported = exported_names(name, text)
    code = IMPORT.sub(lambda found: f"const {{ {', '.join(names_in(found[1]))} }} = {variable(found[2])};", text)
    code = EXPORT.sub("", EXPORT_LIST.sub("", code))
    parts.append(f"const {variable(name)} = (() => {{\n{code}\nreturn {{ {', '.join(exported)} }};\n}})();")
    exports[name] = exported


def refuse_the_rest(name: str, text: str) -> None:
    """Raise for what is none of the forms that can be rewritten."""
    rest = text
    for form in (IMPORT, EXPORT, EXPORT_LIST):
        # Blanks in their place leave every position as it was.
        rest = form.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), rest)
    for pattern, reason in REFUSED:
        found = pattern.search(rest)
        if found:
            raise problem(name, text, found.start(), reason)


def shortened(script: str) -> str:
    """Return the script in fewer characters where the minifier is installed, else as it is.

    ``make book`` installs it where it has wheels; the script does the same with and without.
    """
    try:
        from minify import string as minify
    except ImportError:
        return script
    return str(minify("application/javascript", script))


def read_module(web: Path, name: str) -> str:
    """Return the text of a module."""
    try:
        return (web / name).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise BundleError(f"web/{name} がありません。") from None


def names_in(listed: str) -> list[str]:
    """Return the names of ``a, b, c``."""
    return re.findall(NAME, listed)


def exported_names(name: str, text: str) -> list[str]:
    """Return what a module exports; twice the same name is an error."""
    names: list[str] = []
    found = [(match, [match[1]]) for match in EXPORT.finditer(text)]
    found += [(match, names_in(match[1])) for match in EXPORT_LIST.finditer(text)]
    for match, exported in found:
        for one in exported:
            if one in names:
                raise problem(name, text, match.start(), f"{one} を二度 export しています")
            names.append(one)
    return names


def variable(name: str) -> str:
    """Return the variable that holds what a module exports."""
    return "module_" + re.sub(r"\W", "_", name.removesuffix(".mjs"))


def quoted(text: str) -> str:
    r"""Return JavaScript for a text, safe in a script that stands inside a page.

    >>> print(quoted("it's </script>"))
    'it\'s <\/script>'
    """
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\r", "\\r")
    escaped = escaped.replace("</", "<\\/").replace("<!--", "<\\!--")
    return "'" + escaped.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029") + "'"


def write_if_changed(path: Path, text: str) -> bool:
    """Write a file at once, unless it says so already; a preview that watches it must not loop."""
    content = text.encode()
    if path.is_file() and path.read_bytes() == content:
        return False
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.write_bytes(content)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return True


def build(root: Path) -> str:
    """Return the script for the modules and tables of `root`."""
    export = hayasa_export(root)
    return shortened(bundle(root / "web", export.compact_json(export.calculator_data())))


def build_measurements(root: Path) -> str:
    """Return the script that brings the published measurements to the one that asks for them."""
    export = hayasa_export(root)
    return f"{HEADER}globalThis.hayasaMeasurements = JSON.parse({quoted(export.compact_json(export.measurement_data()))});\n"


def hayasa_export(root: Path) -> ModuleType:
    """Return `hayasa.export`."""
    # A copy of the book may come without the code.
    sys.path[:0] = [str(folder / "src") for folder in (root, ROOT)]
    try:
        from hayasa import export
    finally:
        del sys.path[:2]
    return export


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(
        description="web/*.mjs と hayasa の表から web/hayasa.js と web/hayasa-measurements.js を作る"
    )
    parser.add_argument("--root", type=Path, default=ROOT, help="本のフォルダー")
    root = parser.parse_args(arguments).root.resolve()
    try:
        for name, script in {BUNDLE: build(root), MEASUREMENTS: build_measurements(root)}.items():
            write_if_changed(root / "web" / name, script)
    except (BundleError, ValueError, OSError) as error:
        print(f"エラー: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
