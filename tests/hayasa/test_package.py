"""The package as a whole: names, documentation, typing, speed of import."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import hayasa

# Those that do something when they are imported hold nothing else: the command, and half a minute of measuring.
COMMANDS = ("hayasa.__main__", "hayasa.measure._run")
MODULES = sorted({module.name for module in pkgutil.walk_packages(hayasa.__path__, "hayasa.")} - {*COMMANDS})


@pytest.mark.parametrize("name", [*MODULES, "hayasa"])
def test_doctests(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_enough_doctests_run() -> None:
    found = (test for name in MODULES for test in doctest.DocTestFinder().find(importlib.import_module(name)))
    tests = sum(len(test.examples) for test in found)
    assert tests >= 100


@pytest.mark.parametrize("name", hayasa.__all__)
def test_public_names_exist_and_are_documented(name: str) -> None:
    thing = getattr(hayasa, name)
    if inspect.isfunction(thing) or inspect.isclass(thing):
        assert thing.__doc__
        assert name in dir(hayasa)


def test_unknown_attribute() -> None:
    with pytest.raises(AttributeError, match="no_such"):
        _ = hayasa.no_such  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", [name for name in hayasa.__all__ if inspect.isfunction(getattr(hayasa, name))])
def test_parameters_are_documented(name: str) -> None:
    """Every parameter of a public function appears in its docstring."""
    function = inspect.unwrap(getattr(hayasa, name))
    for parameter in inspect.signature(function).parameters:
        assert parameter in (function.__doc__ or ""), parameter


def test_typed_marker_is_there() -> None:
    assert (Path(hayasa.__path__[0]) / "py.typed").exists()


def test_import_is_light() -> None:
    """Nothing heavy is imported with the package; times are left to the benchmark."""
    code = "import sys, hayasa; print(sorted(m for m in sys.modules if m.startswith('hayasa')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['hayasa']"
    code = "import sys, hayasa.cli; print('numpy' in sys.modules, 'pathlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("False")
