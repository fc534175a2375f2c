"""The pandoc that press runs: the pinned one, whatever the machine has, and a cache that knows it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from books import CONFIG, PIXEL, code_cell, make_book, notebook, shown, text_cell

from press import cache, pandoc
from press.cache import Cache

ROOT = Path(__file__).resolve().parents[2]
# Says that it is newer than any, and reads every book as an empty one.
FAKE = """#!/bin/sh
case "$1" in
  --version) echo 'pandoc 99.0'; echo 'Features: +server +lua' ;;
  *) echo '{"pandoc-api-version":[1,23],"meta":{},"blocks":[]}' ;;
esac
"""
# Debian's, where it is installed, is kept out of the way of what it says: it fails on every chapter.
OLD = """#!/bin/sh
case "$1" in
  --version) echo 'pandoc 2.17.1.1' ;;
  *) echo 'JSON parse error: expected Null, but got Figure' >&2; exit 64 ;;
esac
"""


@pytest.fixture(scope="module", params=[FAKE, OLD], ids=["another", "an old one"])
def path_with_pandoc(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PATH on which a pandoc stands first that does press no good."""
    folder = tmp_path_factory.mktemp("bin")
    (folder / "pandoc").write_text(request.param, encoding="utf-8")
    (folder / "pandoc").chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


def test_a_cold_build_runs_no_pandoc_but_the_pinned_one(tmp_path: Path, path_with_pandoc: str) -> None:
    """Ten chapters, because the wrong pandoc used to come in where several threads asked at once."""
    chapters = {f"c{n}.qmd": f"# 章{n} {{#sec-c{n}}}\n\n![題](x.svg){{#fig-c{n}}}\n\n@fig-c{n}\n" for n in range(8)}
    config = CONFIG.replace("a.ipynb", "a.ipynb, " + ", ".join(chapters))
    cell = code_cell("#| label: fig-a\n#| fig-cap: 題\nx", shown(svg=PIXEL))
    book = make_book(
        tmp_path, **chapters, **{"_quarto.yml": config, "x.svg": PIXEL, "a.ipynb": notebook(text_cell("# 題"), cell)}
    )
    for _ in range(5):  # with each of the two: ten cold builds
        done = subprocess.run(
            [sys.executable, "-c", READ, str(book)],
            cwd=ROOT,
            env=os.environ | {"PATH": path_with_pandoc},
            text=True,
            capture_output=True,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.split() == ["1", "1.1", *(f"{n + 2}.1" for n in range(8))]


# The part of a build that runs pandoc, without the site's chrome, which takes the most time.
READ = """
import sys, tempfile
from pathlib import Path
import panflute as pf
from press.build import read, resolve
from press.cache import Cache
from press.problems import Problems
from press.read.config import read_book
with tempfile.TemporaryDirectory() as cold:
    problems, cache = Problems(), Cache(Path(cold))
    book = read_book(Path(sys.argv[1]), problems)
    pages = resolve(book, read(book, cache, problems), cache, problems)
    problems.stop_if_any()
print(pages[1].number)
for page in pages[1:-1]:
    pf.Doc(*page.blocks).walk(lambda el, doc: print(pf.stringify(el.caption).split(":")[0].split("\\u00a0")[1])
                              if isinstance(el, pf.Figure) else None)
"""


def test_the_pinned_pandoc_is_the_one_of_the_package() -> None:
    said = subprocess.run([str(pandoc.PANDOC), "--version"], text=True, capture_output=True, check=True).stdout
    assert said.startswith("pandoc 3.9")


def test_what_was_made_with_another_tool_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Cache(tmp_path)
    assert kept.text("ast", ["x"], lambda: "旧") == "旧"
    for tool in cache.TOOLS:
        versions = [line for line in cache.made_with() if not line.startswith(f"{tool} ")]
        assert len(versions) == len(cache.made_with()) - 1
        with monkeypatch.context() as patched:
            patched.setattr(cache, "made_with", lambda versions=versions, tool=tool: [*versions, f"{tool} 99"])
            assert kept.text("ast", ["x"], lambda tool=tool: tool) == tool
    assert kept.text("ast", ["x"], lambda: "新") == "旧"
