"""Write the page's scripts: ``python tools/web.py [--root DIR]``.

``web/hayasa.js`` holds the page's modules with hayasa's formulas, ``web/hayasa-tables.js`` the models,
devices, formats and calibrations that they read.  What is not seen at once comes in further scripts,
``web/hayasa-….js``, which the page asks for when a reader comes near or unfolds what they show.

The book's `pre-render` names this file, so Quarto runs it too, with whatever Python it finds: it
needs the standard library only.  With a minifier at hand the script becomes shorter by a third.
"""

import sys

# Stands before everything that an older Python could not even read.
if sys.version_info < (3, 11):  # noqa: UP036
    sys.exit(
        "エラー: tools/web.py には Python 3.11 以降が必要です（使われた Python: {}.{}）。".format(*sys.version_info)
    )

import argparse
import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def scripts(root: Path) -> dict[str, str]:
    """Return the scripts for a book, by file name."""
    # A copy of the book may come without the code.
    source = root if (root / "src" / "hayasa").is_dir() else ROOT
    sys.path[:0] = [str(source / "src"), str(ROOT)]
    try:
        from tools.page import script
    finally:
        del sys.path[:2]
    return {
        "hayasa-tables.js": script.tables_script(),
        **script.scripts_alone(root),
        **script.page_scripts(root, source),
    }


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


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(description="web/*.mjs と hayasa から、ページのスクリプト web/hayasa*.js を作る")
    parser.add_argument("--root", type=Path, default=ROOT, help="本のフォルダー")
    root = parser.parse_args(arguments).root.resolve()
    try:
        for name, script in scripts(root).items():
            write_if_changed(root / "web" / name, script)
    except (ValueError, OSError) as error:
        print(f"エラー: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
