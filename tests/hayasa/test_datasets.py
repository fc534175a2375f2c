"""Corrupt tables are refused with file and line, never half read."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import hayasa
from hayasa.answer import estimate as questions
from hayasa.catalog import measurements, objects, reader
from hayasa.engine import buffers, calibration
from hayasa.machine import reserve

LLAMA = "llama-2-7b,Llama 2 7B,llama,llama,2023,32"
MIX = "q4_k_m,default,always,all,q4_k"
READERS = objects, measurements, reader
CACHES = objects, measurements, calibration, reserve, buffers, questions
CUDA = "llama.cpp/cuda,llama.cpp,cuda,,"


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the tables that the package reads instead of its own."""
    copy = tmp_path / "data"
    shutil.copytree(reader.data_directory(), copy)
    for module in READERS:
        monkeypatch.setattr(module, "data_directory", lambda: copy)
    forget()
    yield copy
    forget()


def forget() -> None:
    for module in CACHES:
        for thing in vars(module).values():
            if hasattr(thing, "cache_clear"):
                thing.cache_clear()


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_the_copy_itself_is_sound(tables: Path) -> None:
    assert hayasa.estimate("llama-2-7b", "rtx-4090").decode_tokens_per_s > 0


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("devices.csv", "\nrtx-4090,", "\nrtx-4090,x,", "列の数"),
        ("devices.csv", "\nrtx-4080,", "\nrtx-4090,", "rtx-4090"),
        ("devices.csv", "memory_bandwidth_bytes_per_s", "speed", "memory_bandwidth_bytes_per_s"),
        ("models.csv", LLAMA, "llama-2-7b,a,a,a,1,many", "many"),
        ("models.csv", LLAMA, "llama-2-7b,a,a,a,1,-3", "-3"),
        ("gguf_mixes.csv", MIX, MIX[:-1] + "z", "q4_z"),
        ("gguf_mixes.csv", "tensor_role", "role", "tensor_role"),
        ("calibrations.csv", CUDA, CUDA + "x", "x"),
        ("calibrations.csv", "weight_read_factor", "factor", "weight_read_factor"),
    ],
)  # fmt: skip
def test_a_corrupt_table_is_refused(tables: Path, file: str, old: str, new: str, said: str) -> None:
    change(tables / file, old, new)
    forget()
    with pytest.raises(hayasa.DataFileError, match=said) as caught:
        hayasa.estimate("llama-2-7b", "rtx-4090")
    assert file in str(caught.value) or said in str(caught.value)


@pytest.mark.parametrize("file", ["devices.csv", "models.csv", "calibrations.csv"])
def test_a_missing_or_unreadable_table_is_refused(tables: Path, file: str) -> None:
    (tables / file).write_bytes(b"\xff\xfe\x00id")
    forget()
    with pytest.raises(hayasa.DataFileError, match=file):
        hayasa.estimate("llama-2-7b", "rtx-4090")
    (tables / file).unlink()
    forget()
    with pytest.raises(hayasa.DataFileError, match=file):
        hayasa.estimate("llama-2-7b", "rtx-4090")
