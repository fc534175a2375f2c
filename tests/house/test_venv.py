"""`tools/venv.py`: one clear message whatever is missing, and nothing half made taken for good."""

import ast
import json
import os
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pip
import pytest

from tools import venv

SOURCE = Path(venv.__file__)
SH = "#!/bin/sh\n"


@pytest.fixture(autouse=True)
def _ways_of_the_machine_of_each_test():
    venv.machine_ways.cache_clear()
    yield
    venv.machine_ways.cache_clear()


def executable(path, text):
    path.write_text(text, encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project of its own, into which nothing is installed."""
    root = tmp_path / "project"
    root.mkdir()
    (root / "requirements.txt").write_text("numpy==2.0\n", encoding="utf-8")
    (root / "requirements-ci.txt").write_text("playwright==1.0\n", encoding="utf-8")
    (root / "pyproject.toml").write_text("[project]\n", encoding="utf-8")
    for name, path in {
        "ROOT": root,
        "VENV": root / ".venv",
        "PYTHON": root / ".venv" / "bin" / "python",
        "UV": root / ".venv" / "bin" / "uv",
        "STAMP": root / ".venv" / "hayasa-stamp.json",
        "UNFINISHED": root / ".venv" / "hayasa-unfinished",
    }.items():
        monkeypatch.setattr(venv, name, path)
    monkeypatch.delenv("PYTHON", raising=False)
    calls = []
    monkeypatch.setattr(venv, "pip", lambda arguments, total=0: None)
    monkeypatch.setattr(venv, "install", lambda arguments, total=0: calls.append(arguments))
    monkeypatch.setattr(venv, "create", lambda python, version: fake_environment(root))
    return root, calls


def fake_environment(root):
    """Make what `python -m venv` makes, in no time."""
    binary = root / ".venv" / "bin"
    binary.mkdir(parents=True, exist_ok=True)
    (root / ".venv" / "hayasa-unfinished").touch()
    if not (binary / "python").exists():
        (binary / "python").symlink_to(sys.executable)


def test_old_pythons_can_read_it():
    ast.parse(SOURCE.read_text(encoding="utf-8"), feature_version=(3, 6))


def test_it_uses_the_standard_library_only():
    tree = ast.parse(SOURCE.read_text(encoding="utf-8"))
    modules = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    modules |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {module.partition(".")[0] for module in modules} <= sys.stdlib_module_names


def test_the_first_run_installs_everything_and_the_second_nothing(project):
    _, calls = project
    assert venv.main(["requirements.txt"]) == 0
    assert calls == [
        ["--no-deps", "--require-hashes", "-r", "requirements.txt"],
        ["--no-deps", "--no-build-isolation", "--editable", "."],
    ]
    calls.clear()
    assert venv.main(["requirements.txt"]) == 0
    assert calls == []


def test_changed_requirements_are_installed_again(project):
    root, calls = project
    venv.main(["requirements.txt"])
    calls.clear()
    (root / "requirements.txt").write_text("numpy==2.1\n", encoding="utf-8")
    assert venv.main(["requirements.txt"]) == 0
    assert calls[0] == ["--no-deps", "--require-hashes", "-r", "requirements.txt"]


def test_a_second_list_is_added_and_does_not_make_the_first_stale(project):
    _, calls = project
    venv.main(["requirements.txt"])
    calls.clear()
    assert venv.main(["requirements.txt", "requirements-ci.txt"]) == 0
    assert calls[0] == ["--no-deps", "--require-hashes", "-r", "requirements-ci.txt"]
    calls.clear()
    assert venv.main(["requirements.txt"]) == 0
    assert calls == []


def test_an_interrupted_installation_starts_over(project, monkeypatch):
    _, calls = project

    def interrupted(arguments, total=0):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(venv, "install", interrupted)
        assert venv.main(["requirements.txt"]) == 130
    assert not venv.is_usable()
    assert venv.main(["requirements.txt"]) == 0
    assert venv.is_usable() and calls


def test_a_damaged_stamp_or_interpreter_is_mended(project):
    root, calls = project
    venv.main(["requirements.txt"])
    calls.clear()
    venv.STAMP.write_text("{", encoding="utf-8")
    assert venv.main(["requirements.txt"]) == 0 and calls
    venv.PYTHON.unlink()
    venv.PYTHON.symlink_to(root / "gone")
    assert not venv.is_usable()


def test_another_python_makes_another_environment(project, tmp_path, monkeypatch, capsys):
    _, calls = project
    venv.main(["requirements.txt"])
    calls.clear()
    monkeypatch.setenv("PYTHON", sys.executable)
    assert venv.main(["requirements.txt"]) == 0 and calls == []
    monkeypatch.setenv("PYTHON", str(fake_python(tmp_path / "other", "3.14.0")))
    assert venv.main(["requirements.txt"]) == 0 and calls
    monkeypatch.setenv("PYTHON", "nowhere")
    assert venv.main(["requirements.txt"]) == 1
    assert "PYTHON=nowhere" in capsys.readouterr().err


def fake_python(path, version, missing=""):
    return executable(path, f'{SH}echo "{version} {missing}"\n')


@pytest.mark.parametrize(
    ("version", "missing", "expected"),
    [
        ("3.8.10", "", ["古すぎます", "3.8.10", "Python 3.11 から 3.15"]),
        ("3.16.0", "", ["新しすぎます", "3.16.0", "Python 3.11 から 3.15"]),
        ("3.11.2", "ensurepip", ["venv モジュールがありません", "sudo apt install python3.11-venv"]),
    ],
)
def test_an_unfit_python_gives_one_clear_message(project, tmp_path, monkeypatch, capsys, version, missing, expected):
    bin_directory = tmp_path / "bin"
    bin_directory.mkdir()
    fake_python(bin_directory / "python3", version, missing)
    monkeypatch.setenv("PATH", str(bin_directory))
    assert venv.main(["requirements.txt"]) == 1
    message = capsys.readouterr().err
    assert all(part in message for part in expected), message
    assert "Traceback" not in message and not (project[0] / ".venv").exists()


def test_an_environment_of_a_python_that_is_not_known_is_made_anew(project, tmp_path):
    venv.main(["requirements.txt"])
    assert venv.is_usable()
    venv.PYTHON.unlink()
    venv.PYTHON.symlink_to(fake_python(tmp_path / "newer", "3.16.1"))
    assert not venv.is_usable()


def test_no_python_at_all(project, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert venv.main(["requirements.txt"]) == 1
    assert "Python が見つかりません" in capsys.readouterr().err


@pytest.mark.parametrize("first", ["3.9.6", "3.16.0"])
def test_a_known_python_on_the_path_is_found_behind_another(tmp_path, monkeypatch, first):
    fake_python(tmp_path / "python3", first)
    newer = fake_python(tmp_path / "python3.13", "3.13.1")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert venv.find_python() == (str(newer), (3, 13, 1))


def test_the_python_asked_for_is_taken_or_refused(tmp_path, monkeypatch):
    asked = fake_python(tmp_path / "mine", "3.12.0")
    assert venv.find_python(str(asked)) == (str(asked), (3, 12, 0))
    with pytest.raises(venv.SetupError, match="PYTHON=nowhere"):
        venv.find_python("nowhere")
    executable(tmp_path / "notpython", f"{SH}exit 3\n")
    with pytest.raises(venv.SetupError, match="実行できません"):
        venv.find_python(str(tmp_path / "notpython"))


def pip_that_says(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    return executable(path, f"{SH}cat <<'EOF'\n{text}\nEOF\nexit 1\n")


OFFLINE = """\
Collecting numpy==2.0
  WARNING: Retrying after connection broken: Temporary failure in name resolution
ERROR: Could not find a version that satisfies the requirement numpy==2.0 (from versions: none)
ERROR: No matching distribution found for numpy==2.0"""


@pytest.mark.parametrize(
    ("output", "expected"),
    [(OFFLINE, "ネットワークが必要です"), ("error: gcc failed\nERROR: could not build wheels", "gcc failed")],
)
def test_pip_that_fails_is_explained(tmp_path, monkeypatch, output, expected):
    monkeypatch.setattr(venv, "PYTHON", pip_that_says(tmp_path / "bin" / "python", output))
    monkeypatch.setattr(venv, "ROOT", tmp_path)
    with pytest.raises(venv.SetupError, match=expected):
        venv.pip(["-r", "requirements.txt"], total=1)


INSTALLERS = {"uv works": (0, []), "uv fails": (1, [["-r", "a.txt"]]), "no uv": (None, [["-r", "a.txt"]])}


@pytest.mark.parametrize(("code", "asked_of_pip"), INSTALLERS.values(), ids=INSTALLERS)
def test_pip_installs_where_uv_cannot(tmp_path, monkeypatch, code, asked_of_pip):
    if code is not None:
        executable(tmp_path / "uv", f"{SH}exit {code}\n")
    calls = []
    monkeypatch.setattr(venv, "UV", tmp_path / "uv")
    monkeypatch.setattr(venv, "pip", lambda arguments, total: calls.append(arguments))
    venv.install(["-r", "a.txt"], 1)
    assert calls == asked_of_pip


def wheel(folder):
    """Write a wheel that holds next to nothing; return a requirement file that pins it."""
    folder.mkdir()
    path = folder / "nothing-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("nothing.py", "")
        archive.writestr("nothing-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: nothing\nVersion: 1.0\n")
        archive.writestr(
            "nothing-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("nothing-1.0.dist-info/RECORD", "nothing.py,,\n")
    requirements = folder / "requirements.txt"
    requirements.write_text(f"nothing==1.0 --hash=sha256:{venv.digest(path)}\n", encoding="utf-8")
    return requirements


@pytest.fixture
def empty_environment(tmp_path):
    """An environment with nothing but this one's pip."""
    root = tmp_path / "環境 一"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(root)], check=True)
    (packages,) = root.glob("lib/python*/site-packages")
    (packages / "pip").symlink_to(Path(pip.__file__).parent)
    return root


def nothing_is_installed(environment):
    return bool(list(environment.glob("lib/python*/site-packages/nothing.py")))


def odd_machine(monkeypatch, folder):
    """Set whatever would put packages elsewhere or refuse them, and one way to get them."""
    settings = folder / "pip.conf"
    settings.write_text(
        f"[global]\nno-index = true\nfind-links =\n  {folder.parent}\n  {folder}\n[install]\nuser = true\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(settings))
    for name in [name for name in os.environ if name.startswith("PIP_") and name != "PIP_CONFIG_FILE"]:
        monkeypatch.delenv(name)
    for name in (
        "PIP_TARGET",
        "PIP_PREFIX",
        "PIP_CONSTRAINT",
        "UV_CONSTRAINT",
        "UV_CONFIG_FILE",
        "PYTHONPATH",
        "UV_TARGET",
    ):
        monkeypatch.setenv(name, str(folder / "elsewhere"))
    for name in ("PIP_NO_BINARY", "UV_NO_BINARY"):
        monkeypatch.setenv(name, ":all:")
    for name in ("PIP_USER", "PIP_DRY_RUN", "UV_OFFLINE", "UV_SYSTEM_PYTHON", "PIP_REQUIRE_VIRTUALENV"):
        monkeypatch.setenv(name, "1")


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_a_machines_settings_show_the_way_and_change_nothing_else(tmp_path, monkeypatch, empty_environment, installer):
    requirements = wheel(tmp_path / "wheels")
    monkeypatch.setattr(venv, "PYTHON", empty_environment / "bin" / "python")
    monkeypatch.setattr(venv, "ROOT", tmp_path)
    odd_machine(monkeypatch, tmp_path / "wheels")
    arguments = ["--require-hashes", "-r", str(requirements)]
    if installer == "uv":
        assert venv.uv("pip", "install", "--python", str(venv.PYTHON), *arguments)
    else:
        venv.pip(arguments)
    assert nothing_is_installed(empty_environment)
    subprocess.run(
        [venv.PYTHON, "-I", "-m", "pip", "uninstall", "--yes", "nothing"], check=True, env=venv.environment()
    )
    assert not (tmp_path / "wheels" / "elsewhere").exists()


def test_the_environment_asked_for_is_stronger_than_the_file(tmp_path, monkeypatch):
    settings = tmp_path / "pip.conf"
    settings.write_text(
        "[global]\nindex-url = https://a.example/\ncert = a.pem\n[install]\ncert = b.pem\n", encoding="utf-8"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(settings))
    monkeypatch.setenv("PIP_INDEX_URL", "https://b.example/")
    monkeypatch.setenv("PIP_CERT", "")
    ways = venv.environment()
    assert ways["PIP_INDEX_URL"] == ways["UV_DEFAULT_INDEX"] == "https://b.example/"
    assert ways["SSL_CERT_FILE"] == "b.pem"


def test_a_wrong_hash_installs_nothing(tmp_path, monkeypatch, empty_environment):
    requirements = wheel(tmp_path / "wheels")
    requirements.write_text(f"nothing==1.0 --hash=sha256:{'0' * 64}\n", encoding="utf-8")
    monkeypatch.setattr(venv, "PYTHON", empty_environment / "bin" / "python")
    monkeypatch.setattr(venv, "ROOT", tmp_path)
    odd_machine(monkeypatch, tmp_path / "wheels")
    with pytest.raises(venv.SetupError, match="HASH"):
        venv.install(["--require-hashes", "-r", str(requirements)])
    assert not nothing_is_installed(empty_environment)


def test_a_real_environment_without_a_network(tmp_path):
    """Run the real script where no package can be had: a message, exit code 1, and no taking it for good."""
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "venv.py").write_bytes(SOURCE.read_bytes())
    (tmp_path / "requirements.txt").write_text("numpy==2.0\n", encoding="utf-8")
    (tmp_path / venv.INSTALLER).write_bytes((venv.ROOT / venv.INSTALLER).read_bytes())
    (tmp_path / "pyproject.toml").write_text("", encoding="utf-8")
    command = [sys.executable, "tools/venv.py", "requirements.txt"]
    offline = os.environ | {
        "PIP_INDEX_URL": "http://127.0.0.1:9/",
        "PIP_CONFIG_FILE": os.devnull,
        "PYTHON": sys.executable,
    }
    offline = {name: value for name, value in offline.items() if name not in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL")}
    result = subprocess.run(command, cwd=tmp_path, env=offline, capture_output=True, text=True, encoding="utf-8")
    assert result.returncode == 1
    assert "ネットワークが必要です" in result.stderr and "Traceback" not in result.stderr
    assert (tmp_path / ".venv" / venv.UNFINISHED.name).exists()


@pytest.mark.usefixtures("project")
def test_the_stamp_holds_hashes():
    venv.main(["requirements.txt"])
    stamp = json.loads(venv.STAMP.read_text(encoding="utf-8"))
    assert set(stamp) == {"requirements.txt", "pyproject.toml"}
    assert all(len(value) == 64 for value in stamp.values())
