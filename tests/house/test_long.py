"""What takes long and need not run on every change: CI runs it, `make test` says that it did not."""

import hashlib
import os
import shutil
import subprocess
import sys

import nbformat
import pytest

from tools import nbval_figures, notebooks
from tools.bench import copy_of_the_book

pytestmark = pytest.mark.skipif(os.environ.get("CI") != "true", reason="長い検査は CI=true のときだけ動かします")


def build(book, **environment):
    command = [sys.executable, "-m", "press", "build", str(book), "--quiet"]
    subprocess.run(command, check=True, cwd=notebooks.ROOT, env=os.environ | environment)
    site = book / "_book"
    return {
        path.relative_to(site).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(site.rglob("*"))
        if path.is_file()
    }


def test_the_same_sources_give_the_same_bytes_anywhere(tmp_path):
    """Build in another folder, time zone and language, with another hash seed and a broken Quarto; and over the old site."""
    one, two, bin = tmp_path / "one", tmp_path / "二つ目 と 空白 #1 100% 'q'", tmp_path / "bin"
    for folder in (one, two, bin):
        folder.mkdir()
    quarto = bin / "quarto"
    quarto.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    quarto.chmod(0o755)
    book = copy_of_the_book(str(one))
    first = build(book, TZ="UTC", PYTHONHASHSEED="1")
    assert first
    without_quarto = f"{bin}{os.pathsep}{os.environ['PATH']}"
    elsewhere = copy_of_the_book(str(two))
    assert build(elsewhere, TZ="Asia/Tokyo", PYTHONHASHSEED="2", LANG="C", PATH=without_quarto) == first
    assert build(book) == first, "前に作ったサイトの上に作り直すと、違うものになります"


@pytest.mark.skipif(not nbval_figures.is_pinned_platform(), reason="図まで同じになるのは Linux x86_64 だけです")
def test_executing_the_chapters_gives_the_stored_bytes(chapter_paths, tmp_path):
    # nbval runs every chapter; what it does not compare, the bytes of the file, is the work of one mechanism.
    for path in chapter_paths[2::6]:
        copy = tmp_path / path.name
        shutil.copy(path, copy)
        notebook, problems = notebooks.execute(copy)
        assert problems == []
        stored = nbformat.read(path, as_version=4)
        same = notebooks.to_text(without_live_outputs(notebook)) == notebooks.to_text(without_live_outputs(stored))
        assert same, f"{path.name} を実行すると、保存してある出力と違うものになります"


def without_live_outputs(notebook):
    """Empty the cells that measure the machine they run on; how many there are is counted elsewhere."""
    for cell in notebook.cells:
        if "nbval-ignore-output" in cell.metadata.get("tags", []):
            cell.outputs = []
    return notebook


def test_the_second_run_needs_no_network(root):
    offline = os.environ | {"PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_NO_INDEX": "1"}
    # The make that runs these tests would have this one announce its directory.
    offline = {name: value for name, value in offline.items() if not name.startswith("MAKE")}
    result = subprocess.run(["make", "ready"], cwd=root, env=offline, capture_output=True, text=True, encoding="utf-8")
    assert (result.returncode, result.stdout) == (0, ""), result.stderr
