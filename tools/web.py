"""Bundle `web/*.mjs` and hayasa's tables into one classic script, `web/hayasa.js`.

``python tools/web.py [--root DIR]``.  Pages opened straight from the disk may load neither module
scripts nor data, so there is one plain script that holds both.  The book's `pre-render` names this
file, so Quarto runs it too, with whatever Python it finds: it needs the standard library only.

The rewriting is small and strict (`tools/javascript.py` shortens what is left).  Modules say ``import { a, b } from "./x.mjs";``,
``export const``, ``export function``, ``export class`` and ``export { a, b };``, each at the start
of a line; anything else is an error that names file and line.
"""

import sys

# An older Python has to be able to read this file, or it could not say this.
if sys.version_info < (3, 11):  # noqa: UP036
    sys.exit(
        "エラー: tools/web.py には Python 3.11 以降が必要です（使われた Python: {}.{}）。".format(*sys.version_info)
    )

import argparse
import os
import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
# Run as a script, it finds its own folder first, not the book's.
sys.path.insert(0, str(ROOT))

from tools import javascript  # noqa: E402

ENTRY = "main.mjs"
DATA = "data.mjs"
BUNDLE = "hayasa.js"

HEADER = "// hayasa (速さ)。web/*.mjs と data/*.csv から tools/web.py が作ります。コードは MIT ライセンスです。\n"

NAME = r"[A-Za-z_$][\w$]*"
NAMES = rf"\{{\s*({NAME}(?:,\s*{NAME})*),?\s*\}}"
IMPORT = re.compile(rf'^import {NAMES} from "\./([\w-]+\.mjs)";$', re.MULTILINE)
EXPORT = re.compile(rf"^export (?=(?:const|(?:async )?function\*?|class) ({NAME})\b)", re.MULTILINE)
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
    sources: dict[str, Source] = {}
    add_source(web, ENTRY, sources, ())
    modules = {name: read_tokens(name, source) for name, source in sources.items()}
    short = javascript.short_names(modules)
    outer = {DATA: {"data": "$"}}
    code = []
    for name, source in sources.items():
        # A module stands behind those that it imports, so these are known.
        imported = {word: outer[origin][word] for word, origin in source.imports.items()}
        outer[name] = {**short[name], **imported}
        code.append(javascript.written(modules[name], outer[name]))
    exported = ",".join(f"{word}:{outer[ENTRY][word]}" for word in sources[ENTRY].exports)
    body = "\n".join(code)
    # The data come last, as an argument: code compresses better beside code.
    return f'{HEADER}($=>{{"use strict";\n{body}\nglobalThis.hayasa={{{exported}}}}})(JSON.parse({quoted(data)}));\n'


class Source(NamedTuple):
    """A module as it is written.

    Parameters
    ----------
    text : str
        All of it; in the place of imports and of the word `export` there are blanks.
    imports : dict
        The module that each imported name comes from.
    exports : list of str
        The names it exports.
    """

    text: str
    imports: dict[str, str]
    exports: list[str]


def add_source(web: Path, name: str, sources: dict[str, Source], importers: tuple[str, ...]) -> None:
    """Add a module behind all those that it imports; `importers` are those on the way to it."""
    try:
        text = (web / name).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise BundleError(f"web/{name} がありません。") from None
    imports: dict[str, str] = {}
    for found in IMPORT.finditer(text):
        origin = found[2]
        if origin in (*importers, name):
            raise problem(name, text, found.start(), f"{origin} との間で互いに import しています")
        if origin not in (*sources, DATA):
            if not (web / origin).is_file():
                raise problem(name, text, found.start(), f"web/{origin} がありません")
            add_source(web, origin, sources, (*importers, name))
        offered = ["data"] if origin == DATA else sources[origin].exports
        for word in re.findall(NAME, found[1]):
            if word not in offered:
                raise problem(name, text, found.start(), f"{origin} は {word} を export していません")
            imports[word] = origin
    exports = exported_names(name, text)
    rest = text
    for form in (IMPORT, EXPORT, EXPORT_LIST):
        # Blanks in their place leave every position as it was.
        rest = form.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), rest)
    for pattern, reason in REFUSED:
        refused = pattern.search(rest)
        if refused:
            raise problem(name, text, refused.start(), reason)
    sources[name] = Source(rest, imports, exports)


def exported_names(name: str, text: str) -> list[str]:
    """Return what a module exports; twice the same name is an error."""
    names: list[str] = []
    found = [(match, [match[1]]) for match in EXPORT.finditer(text)]
    found += [(match, re.findall(NAME, match[1])) for match in EXPORT_LIST.finditer(text)]
    for match, exported in found:
        for word in exported:
            if word in names:
                raise problem(name, text, match.start(), f"{word} を二度 export しています")
            names.append(word)
    return names


def read_tokens(name: str, source: Source) -> javascript.Module:
    """Return a module as tokens, every name of which is known."""
    try:
        module = javascript.read(source.text)
        javascript.refuse_unknown(module, source.imports)
    except javascript.UnknownCodeError as unknown:
        raise problem(name, source.text, unknown.position, str(unknown)) from None
    for word in source.exports:
        if word not in module.top and word not in source.imports:
            raise BundleError(f"web/{name}: export している {word} がありません。")
    both = sorted(module.top & source.imports.keys())
    if both:
        raise BundleError(f"web/{name}: {', '.join(both)} は import したものと同じ名前です。")
    return module


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
    # A copy of the book may come without the code.
    sys.path[:0] = [str(folder / "src") for folder in (root, ROOT)]
    try:
        from hayasa.export import calculator_data, compact_json
    finally:
        del sys.path[:2]
    return bundle(root / "web", compact_json(calculator_data()))


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(description="web/*.mjs と hayasa の表から web/hayasa.js を作る")
    parser.add_argument("--root", type=Path, default=ROOT, help="本のフォルダー")
    root = parser.parse_args(arguments).root.resolve()
    try:
        write_if_changed(root / "web" / BUNDLE, build(root))
    except (BundleError, ValueError, OSError) as error:
        print(f"エラー: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
