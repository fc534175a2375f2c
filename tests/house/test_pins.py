"""`tools/pins.py`: what cannot be installed is named, with the machine; the pins of a failed compilation stay."""

import subprocess

import pytest

from tools import pins


@pytest.fixture
def uv(monkeypatch):
    """A uv that finds no wheel for Python 3.15 on Windows, and compiles nothing."""
    calls = []

    def run(*arguments):
        calls.append(arguments)
        fails = "compile" in arguments or {"3.15", "x86_64-pc-windows-msvc"} <= set(arguments)
        return subprocess.CompletedProcess(arguments, int(fails), "", "no wheel for numpy\n")

    monkeypatch.setattr(pins, "uv", run)
    return calls


def test_every_machine_is_tried_with_every_file_and_failures_are_named(uv, capsys):
    assert pins.main(["try"]) == 1
    answer = capsys.readouterr()
    assert answer.err == "x86_64-pc-windows-msvc, Python 3.15:\nno wheel for numpy\n"
    assert f"{len(uv)} 種類の計算機のうち {len(uv) - 1} 種類" in answer.out
    assert len(uv) == len(pins.PLATFORMS) * len(pins.PYTHONS)
    assert all(name in arguments for arguments in uv for name in pins.WHEELS)


def test_a_failed_compilation_leaves_the_pins(uv, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(pins.venv, "ROOT", tmp_path)
    before = "numpy==2.4.6 \\\n    --hash=sha256:0\n"
    for name in pins.GROUPS:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(before, encoding="utf-8")
    assert pins.main([]) == 1
    assert {(tmp_path / name).read_text(encoding="utf-8") for name in pins.GROUPS} == {before}
    assert "requirements-lab.txt:\nno wheel for numpy" in capsys.readouterr().err
