"""Whatever a machine may have of its own changes no page and breaks neither `make book` nor `make test`."""

import json
import os
import subprocess

import pytest

from press import pandoc

# What `make` starts is asked by what it starts.
ASK = """
import json, os, sys
import matplotlib, yaml
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_core.paths import jupyter_runtime_dir
from IPython.paths import get_ipython_dir
from tools import book
print(json.dumps({
    "environment": dict(os.environ),
    "python": [sys.path, sys.flags.utf8_mode, sys.stdout.encoding, sys.flags.optimize, sys.warnoptions],
    "matplotlib": [matplotlib.matplotlib_fname(), matplotlib.get_configdir(), matplotlib.rcParams["lines.linewidth"]],
    "jupyter": [KernelSpecManager().get_kernel_spec("python3").argv, jupyter_runtime_dir()],
    "ipython": get_ipython_dir(),
}))
"""
# They reach what make starts; that no page depends on them is for the builds to show (test_long.py).
HARMLESS = {"HOME", "LC_ALL", "TZ", "XDG_CONFIG_HOME", "CDPATH", "_"}


@pytest.fixture
def hostile(tmp_path) -> dict[str, str]:
    """Settings of a machine, each of which would change a page or break a command."""
    evil, jupyter, home = tmp_path / "evil", tmp_path / "jupyter", tmp_path / "home"
    for folder in (evil, jupyter / "kernels" / "python3", home / ".config" / "matplotlib", home / ".ipython"):
        folder.mkdir(parents=True)
    for name in ("yaml", "hayasa", "press", "tools", "sitecustomize"):
        (evil / f"{name}.py").write_text("raise SystemExit('別のモジュール')", encoding="utf-8")
    (home / ".config" / "matplotlib" / "matplotlibrc").write_text("lines.linewidth: 9", encoding="utf-8")
    kernel = {"argv": ["false"], "display_name": "x", "language": "python"}
    (jupyter / "kernels" / "python3" / "kernel.json").write_text(json.dumps(kernel), encoding="utf-8")
    return {
        "CDPATH": str(tmp_path),
        "ENGINE": "docker",
        "GIT_DIR": str(tmp_path / "git"),
        "GIT_INDEX_FILE": str(tmp_path / "index"),
        "HOME": str(home),
        "IPYTHONDIR": str(home / ".ipython"),
        "JUPYTER_PATH": str(jupyter),
        "JUPYTER_RUNTIME_DIR": "/dev/null/x",
        "LC_ALL": "C",
        "MATPLOTLIBRC": str(home / ".config" / "matplotlib" / "matplotlibrc"),
        "MPLBACKEND": "no_such_backend",
        "MPLCONFIGDIR": str(home / ".config" / "matplotlib"),
        "MYPYPATH": str(evil),
        "PYTEST_ADDOPTS": "--no-such-option",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHON": "/usr/bin/python2",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONHOME": str(tmp_path),
        "PYTHONINSPECT": "1",
        "PYTHONIOENCODING": "ascii",
        "PYTHONOPTIMIZE": "2",
        "PYTHONPATH": str(evil),
        "PYTHONSAFEPATH": "1",
        "PYTHONSTARTUP": str(evil / "yaml.py"),
        "PYTHONUTF8": "0",
        "PYTHONWARNINGS": "error",
        "QUARTO_PROFILE": "other",
        "RUFF_OUTPUT_FORMAT": "json",
        "TZ": "Pacific/Kiritimati",
        "XDG_CONFIG_HOME": str(home / ".config"),
    }


def answer(root, folder, settings, *arguments):
    """Return what a program that `make` starts in the project sees of a machine with these settings."""
    makefile = folder / "ask.mk"
    makefile.write_text("include Makefile\nask: ; @$(VENV_PYTHON) -\n", encoding="utf-8")
    # The make that runs this test hands its own settings down.
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MAKE") and name not in settings}
    command = ["make", "--no-print-directory", "-f", str(makefile), "ask", *arguments]
    done = subprocess.run(command, cwd=root, env=clean | settings, input=ASK.encode(), capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    seen = json.loads(done.stdout)
    seen["environment"] = {name: value for name, value in seen["environment"].items() if name not in HARMLESS}
    return seen


def test_what_make_starts_sees_nothing_of_the_machine(root, tmp_path, hostile):
    assert answer(root, tmp_path, hostile) == answer(root, tmp_path, {})


def test_what_is_asked_for_on_the_command_line_is_seen(root, tmp_path):
    seen = answer(root, tmp_path, {"ENGINE": "docker"}, "ENGINE=press", "PYTHON=/a b/python")["environment"]
    assert (seen["ENGINE"], seen["PYTHON"]) == ("press", "/a b/python")


def test_pandoc_reads_no_folder_of_the_machine(tmp_path, monkeypatch):
    (tmp_path / "pandoc").mkdir()
    (tmp_path / "pandoc" / "abbreviations").write_text("hayasa.\n", encoding="utf-8")
    pure = pandoc.parse("See hayasa. 5")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert pandoc.parse("See hayasa. 5") == pure


def test_pandoc_reads_a_file_with_a_japanese_name_in_any_locale(tmp_path, monkeypatch):
    books = tmp_path / "日本語 と 空白 #1 100% 'q'" / "文献.bib"
    books.parent.mkdir()
    books.write_text("@book{a, title={題}}", encoding="utf-8")
    monkeypatch.setenv("LC_ALL", "C")
    cited = pandoc.run("-f", "markdown", "-t", "plain", "--citeproc", f"--bibliography={books}", text="[@a]")
    assert "題" in cited
