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
    # A Quarto that fails when it is called: press must not need it.
    command = [sys.executable, "-m", "press", "build", str(book), "--quiet"]
    subprocess.run(command, check=True, cwd=notebooks.ROOT, env=os.environ | environment)
    site = book / "_book"
    return {
        path.relative_to(site).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(site.rglob("*"))
        if path.is_file()
    }


def test_the_same_sources_give_the_same_bytes_anywhere(tmp_path):
    """Build twice: other folder, other time zone, other language, other hash seed, no cache."""
    one, two = tmp_path / "one", tmp_path / "二つ目 と 空白 #1 100% 'q'"
    one.mkdir()
    two.mkdir()
    first = build(copy_of_the_book(str(one)), TZ="UTC", PYTHONHASHSEED="1")
    second = build(copy_of_the_book(str(two)), TZ="Asia/Tokyo", PYTHONHASHSEED="2", LANG="C")
    assert first == second and first


def test_building_again_over_the_old_site_changes_nothing(tmp_path):
    book = copy_of_the_book(str(tmp_path))
    assert build(book) == build(book)


def test_quarto_is_not_needed(tmp_path):
    (tmp_path / "bin").mkdir()
    quarto = tmp_path / "bin" / "quarto"
    quarto.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    quarto.chmod(0o755)
    path = f"{quarto.parent}{os.pathsep}{os.environ['PATH']}"
    assert build(copy_of_the_book(str(tmp_path)), PATH=path)


@pytest.mark.skipif(not nbval_figures.is_pinned_platform(), reason="図まで同じになるのは Linux x86_64 だけです")
def test_executing_the_chapters_gives_the_stored_bytes(chapter_paths, tmp_path):
    for path in chapter_paths:
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
