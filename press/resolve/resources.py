"""The files that `_quarto.yml` sends along: `project: resources`, read as Quarto reads it, and the icon."""

from __future__ import annotations

import os
import re
from pathlib import Path

from press.problems import Problems
from press.read.config import CONFIG, Book

WILD = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}


def resource_files(book: Book, output: Path, problems: Problems) -> set[str]:
    """The files, relative to the book's root, that the site carries by wish of its author.

    `/web/a.js` is one file, `web/a.js` that name in whatever folder, a folder stands for all that
    is in it, and `!` takes away.
    """
    present = _all_files(book.root, {output, book.root / book.output_dir}) if book.resources else []
    wanted: set[str] = set()
    unwanted: set[str] = set()
    for pattern in book.resources:
        regex = _regex(book.root, pattern.removeprefix("!"))
        matched = {path for path in present if regex.fullmatch(path)}
        if not matched:
            problems.add(CONFIG, "", f"resources: {pattern} に当たるファイルがありません", "書き方を確かめてください")
        (unwanted if pattern.startswith("!") else wanted).update(matched)
    return (wanted - unwanted) | {path for path in (book.favicon, book.image) if path}


def _all_files(root: Path, built: set[Path]) -> list[str]:
    """All files but those that were built, of hidden folders and of node's packages."""
    files: list[str] = []
    for folder, folders, names in os.walk(root):
        here = Path(folder)
        folders[:] = [
            name for name in folders if name[0] != "." and name != "node_modules" and here / name not in built
        ]
        files += [(here / name).relative_to(root).as_posix() for name in names]
    return files


def _regex(root: Path, pattern: str) -> re.Pattern[str]:
    pattern = re.sub(r"^\./+", "/", pattern)
    if pattern.endswith("/") or (root / pattern.removeprefix("/")).is_dir():
        pattern = f"{pattern.rstrip('/')}/**"
    pattern = pattern[1:] if pattern.startswith("/") else f"**/{pattern}"
    return re.compile("".join(WILD.get(part) or re.escape(part) for part in re.split(r"(\*\*/?|\*|\?)", pattern)))
