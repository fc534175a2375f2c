"""Fixtures that more than one folder of tests uses."""

import fcntl
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.checks import chapters
from tools import notebooks

# Notebooks under tests/ are material for tests, not chapters for nbval to run.
collect_ignore_glob = ["*.ipynb"]

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def chapter_paths() -> list[Path]:
    paths = notebooks.chapter_paths()
    assert paths, "chapters/ に章がありません"
    return paths


@pytest.fixture(scope="session")
def manuscripts() -> list[chapters.Manuscript]:
    """Every chapter and page of the book, in its order."""
    return [chapters.read(path) for path in chapters.manuscript_paths()]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the book anew, with press, somewhere else: once, whichever of pytest's processes comes first."""
    own = tmp_path_factory.mktemp("site") / "_book"
    common = own.parents[2 if "PYTEST_XDIST_WORKER" in os.environ else 1] / "built"
    with common.with_suffix(".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)  # until it is closed
        if not common.exists():
            command = [sys.executable, "-m", "press", "build", str(ROOT), "--output", str(common), "--quiet"]
            built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8")
            assert built.returncode == 0, built.stderr
    # Names of its own for the same files: what a test adds, or leaves out, no other process sees.
    shutil.copytree(common, own, copy_function=os.link)
    return own


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say plainly what was skipped, and why, and what tests had to tell with `record_property("note", …)`."""
    reasons = Counter(
        report.longrepr[2].removeprefix("Skipped: ")
        for report in terminalreporter.stats.get("skipped", [])
        if isinstance(report.longrepr, tuple)
    )
    if reasons:
        terminalreporter.section("飛ばしたもの")
        for reason, count in reasons.items():
            terminalreporter.line(f"{count} 件: {reason}")
    reports = [report for group in terminalreporter.stats.values() for report in group]
    notes = [
        value
        for report in reports
        if getattr(report, "when", None) == "call"
        for name, value in report.user_properties
        if name == "note"
    ]
    if notes:
        terminalreporter.section("測ったもの")
        for note in notes:
            terminalreporter.line(note)
