"""The one place that runs pandoc."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
from collections.abc import Mapping
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import panflute as pf

# As Quarto, pandoc's own Markdown (the attributes after a table's caption Quarto reads by itself).
# Japanese line breaks are what the book's filter does there: one sentence a line in the source must
# not become a space on the page.
DIALECT = "markdown+east_asian_line_breaks"
TIMEOUT_S = 60
# What begins or ends a fence; where it stands in a text, its other end is missing.
FENCE = re.compile(r":{3,}$|`{3,}|\$\$")


def _pinned_pandoc() -> Path:
    """The pandoc inside the package `pypandoc_binary`, whatever else the machine has on its PATH."""
    package = find_spec("pypandoc")
    if package is None or package.origin is None:
        raise FileNotFoundError("pypandoc_binary（pandoc）が入っていません")
    return Path(package.origin).with_name("files") / ("pandoc.exe" if os.name == "nt" else "pandoc")


PANDOC = _pinned_pandoc()


class PandocError(Exception):
    """pandoc refused its input; the text says why."""


def run(
    *args: str | Path, text: str, warned: list[str] | None = None, environment: dict[str, str] | None = None
) -> str:
    """Run pandoc on `text` and return what it prints; its warnings are added to `warned`."""
    # No data folder: a reader's own templates, abbreviations and scripts are none of the book's.
    command = [str(PANDOC), f"--data-dir={os.devnull}", *map(str, args)]
    # Under LC_ALL=C pandoc cannot name a file in a folder with a Japanese name.
    around = os.environ | {"LC_ALL": "C.UTF-8"} | (environment or {})
    try:
        done = subprocess.run(command, input=text, env=around, encoding="utf-8", capture_output=True, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        raise PandocError(f"{TIMEOUT_S} 秒たっても終わりません") from error
    if done.returncode != 0:
        raise PandocError(done.stderr.strip() or f"終了コード {done.returncode}")
    if warned is not None:
        reports = re.split(r"(?m)^\[WARNING\] ", done.stderr)
        warned += [" ".join(report.split()) for report in reports if report.strip()]
    return done.stdout


def parse(markdown: str, *options: str | Path, warned: list[str] | None = None) -> str:
    """Quarto Markdown to pandoc's JSON."""
    return run("-f", DIALECT, "-t", "json", *options, text=markdown, warned=warned)


@lru_cache(maxsize=4096)
def _inlines_json(markdown: str) -> str:
    return parse(markdown)


def inlines(markdown: str) -> list[pf.Element]:
    """Markdown of one line (a title, a caption) as inline elements."""
    if not any(character in markdown for character in "*_`$[]@<>\\^~:'\"-.{}!#"):
        return plain(markdown)
    blocks = load(_inlines_json(markdown)).content
    first = blocks[0] if len(blocks) else None
    return list(first.content) if isinstance(first, (pf.Para, pf.Plain)) else plain(markdown)


def plain(text: str) -> list[pf.Element]:
    """Text without any markup as inline elements."""
    words: list[pf.Element] = []
    for word in text.split():
        words += [pf.Space(), pf.Str(word)] if words else [pf.Str(word)]
    return words


def loose_fence(el: pf.Element) -> str:
    """The fence without its other end that a piece of text begins with; empty if there is none."""
    if isinstance(el, pf.Subscript) and not len(el.content):
        return "~~~"  # so pandoc reads it
    found = FENCE.match(el.text) if isinstance(el, pf.Str) else None
    return found[0] if found else ""


def blocks_of_html(html: str) -> list[pf.Element]:
    """HTML to blocks; used for the tables that notebooks store as HTML."""
    return list(load(run("-f", "html", "-t", "json", text=html)).content)


def load(ast: str) -> pf.Doc:
    return pf.load(io.StringIO(ast))


def dump(blocks: list[pf.Element], metadata: Mapping[str, str | list[pf.Element]] | None = None) -> str:
    """Blocks and metadata (plain strings, or blocks) as the JSON that pandoc reads."""
    ast = {
        "pandoc-api-version": _api_version(),
        "meta": {
            key: {"t": "MetaString", "c": value}
            if isinstance(value, str)
            else {"t": "MetaBlocks", "c": [block.to_json() for block in value]}
            for key, value in (metadata or {}).items()
        },
        "blocks": [block.to_json() for block in blocks],
    }
    return json.dumps(ast, ensure_ascii=False)


@lru_cache(maxsize=1)
def _api_version() -> list[int]:
    version: list[int] = json.loads(run("-f", "markdown", "-t", "json", text=""))["pandoc-api-version"]
    return version
