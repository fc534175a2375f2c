"""The linter and the type checker are content."""

import subprocess
import sys


def run(root, *command):
    return subprocess.run([sys.executable, "-m", *command], cwd=root, capture_output=True, text=True, encoding="utf-8")


def test_ruff_finds_nothing(root):
    result = run(root, "ruff", "check", "--quiet", "--no-cache", ".")
    assert result.returncode == 0, result.stdout + result.stderr


def test_mypy_finds_nothing_in_the_package(root):
    result = run(root, "mypy")
    assert result.returncode == 0, result.stdout + result.stderr
