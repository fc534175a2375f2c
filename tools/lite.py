"""Build JupyterLite with the readers' notebooks into ``notebooks/lite/``: ``python -m tools.lite`` (`make lite`).

The reader's own browser then is the Jupyter.  JupyterLite, Pyodide (from npm, `lite/package.json`), the wheels of
requirements-pyodide.txt and hayasa come from the site itself; what is compiled for Pyodide (numpy, pandas, matplotlib)
is fetched by a cell that imports it, from the address at which Pyodide publishes it.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from email import message_from_string
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import nbformat
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

from press.problems import BookError
from tools import readers, venv

ROOT = venv.ROOT
FOLDER = f"{readers.FOLDER}/lite"  # the site carries all of notebooks/
SETTINGS = ROOT / "lite"
SETTINGS_FILES, OURS = ("jupyter-lite.json", "overrides.json"), ("page.js", "page.css")
PYODIDE = SETTINGS / "node_modules" / "pyodide"
WHEELS = venv.VENV / "pyodide"
PINS = "requirements-pyodide.txt"
CORE = ("pyodide.mjs", "pyodide.js", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip", "package.json")
PUBLISHED = "https://cdn.jsdelivr.net/pyodide/v{version}/full/"
KERNEL = "jupyterlite_pyodide_kernel"
APPS = ("notebooks", "tree", "edit", "lab")
FIGURES = "hayasa-figures"  # stands for what hayasa.book needs besides Python

CHARSET = '<meta charset="utf-8">'  # stands in the head of each app of JupyterLite
HEAD = """\
<script src="../page.js"></script><link rel="stylesheet" href="../page.css"><link rel="icon" href="../lab/favicon.ico">"""


class LiteError(Exception):
    """JupyterLite cannot be built; the text says what to do."""


# ---- what has to be fetched once -------------------------------------------------------------------


def fetch() -> None:
    """Fetch Pyodide and the wheels that the site serves, unless they are there as pinned.

    Raises
    ------
    LiteError
        If npm is missing, or there is no network.
    """
    pinned = json.loads((SETTINGS / "package.json").read_text(encoding="utf-8"))["dependencies"]["pyodide"]
    if pyodide_version() != pinned:
        npm("ci", "--ignore-scripts", "--no-audit", "--no-fund")
    stamp = WHEELS / PINS
    pins = (ROOT / PINS).read_bytes()
    if not stamp.is_file() or stamp.read_bytes() != pins:
        shutil.rmtree(WHEELS, ignore_errors=True)
        download()
        stamp.write_bytes(pins)


def pyodide_version() -> str:
    """Return the version of Pyodide that is there, or nothing."""
    try:
        return str(json.loads((PYODIDE / "package.json").read_text(encoding="utf-8"))["version"])
    except (OSError, ValueError):
        return ""


def npm(*arguments: str) -> None:
    """Run npm in the folder that names what it has to fetch."""
    command = shutil.which("npm")
    if command is None:
        raise LiteError("npm が見つかりません。Node.js を入れてから、もう一度 make lite を実行してください")
    done = subprocess.run([command, *arguments], cwd=SETTINGS, capture_output=True, text=True, encoding="utf-8")
    if done.returncode:
        raise LiteError(
            "Pyodide を npm から取得できませんでした。最初の一回だけはネットワークが必要です。npm の最後の行:\n"
            + "\n".join(done.stderr.strip().splitlines()[-3:])
        )


def download() -> None:
    """Download the wheels that the pins name, for the Python of the browser whatever this one is."""
    python = re.match(r"\d+\.\d+", lock()["info"]["python"])
    assert python
    wanted = ["--no-deps", "--require-hashes", "--only-binary", ":all:", "--platform", "any"]
    wanted += ["--python-version", python[0], "--dest", str(WHEELS), "-r", PINS]
    command = [str(venv.PYTHON), "-I", "-m", "pip", "download", "--disable-pip-version-check", "--no-input", "--quiet"]
    code, lines = venv.run([*command, *wanted], venv.PIP_LINE)
    if code:
        raise LiteError("ブラウザの Python のパッケージを取得できませんでした。pip の最後の行:\n" + "".join(lines[-3:]))


def lock() -> dict[str, Any]:
    """Return Pyodide's list of its packages."""
    return dict(json.loads((PYODIDE / "pyodide-lock.json").read_text(encoding="utf-8")))


# ---- Python in the browser -------------------------------------------------------------------------


def write_pyodide(folder: Path, hayasa: tuple[str, bytes]) -> None:
    """Write Pyodide, the wheels beside it and its list of both into a folder of the site.

    Parameters
    ----------
    folder
        A new one.
    hayasa
        The name and the bytes of hayasa's wheel.

    Raises
    ------
    LiteError
        If a pin is not the version that Pyodide asks for, or a wheel needs what is nowhere.
    """
    folder.mkdir(parents=True)
    for name in CORE:
        shutil.copy(PYODIDE / name, folder)
    wheels = [shutil.copy(path, folder) for path in sorted(WHEELS.glob("*.whl"))]
    name, content = hayasa
    (folder / name).write_bytes(content)
    needs = [need.name for need in requirements(folder / name, "figures")]
    version = str(parse_wheel_filename(name)[1])
    empty = write_empty_wheel(folder, FIGURES, version)
    made = lock_with(lock(), [*map(Path, wheels), folder / name], PUBLISHED.format(version=pyodide_version()))
    made["packages"][FIGURES] = entry(empty, modules_that_need_more(), ["hayasa", *needs])
    require_all(made["packages"])
    (folder / "pyodide-lock.json").write_text(json.dumps(made), encoding="utf-8")


def lock_with(listed: dict[str, Any], wheels: Iterable[Path], published: str) -> dict[str, Any]:
    """Return Pyodide's list with some wheels from the site, and all else from where Pyodide publishes it."""
    packages = {
        name: package | {"file_name": published + package["file_name"]} for name, package in listed["packages"].items()
    }
    for wheel in wheels:
        name, version, *_ = parse_wheel_filename(wheel.name)
        known = listed["packages"].get(name)
        if known and known["version"] != str(version):
            raise LiteError(f"{PINS} の {name} は {version} ですが、Pyodide は {known['version']} を使います")
        given = (known["imports"], known["depends"]) if known else (
            top_level(wheel), [need.name for need in requirements(wheel)])  # fmt: skip
        packages[name] = entry(wheel, *given)
    return listed | {"packages": packages}


def entry(wheel: Path, imports: list[str], depends: list[str]) -> dict[str, Any]:
    """Return a line of Pyodide's list for a wheel that lies beside it."""
    name, version, *_ = parse_wheel_filename(wheel.name)
    return {
        "name": name,
        "version": str(version),
        "file_name": wheel.name,
        "sha256": hashlib.sha256(wheel.read_bytes()).hexdigest(),
        "imports": imports,
        "depends": [canonicalize_name(need) for need in depends],
        "install_dir": "site",
        "package_type": "package",
        "unvendored_tests": False,
    }


def require_all(packages: dict[str, Any]) -> None:
    """Raise an error that names what a package of the site needs and nobody has."""
    for package in packages.values():
        for need in package["depends"]:
            if canonicalize_name(need) not in map(canonicalize_name, packages):
                raise LiteError(f"{package['name']} に要る {need} が、Pyodide にも {PINS} にもありません")


def requirements(wheel: Path, extra: str = "") -> list[Requirement]:
    """Return what a wheel needs in a browser."""
    with zipfile.ZipFile(wheel) as files:
        (metadata,) = (name for name in files.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", name))
        told = message_from_string(files.read(metadata).decode()).get_all("Requires-Dist", [])
    there = {"sys_platform": "emscripten", "platform_system": "Emscripten", "os_name": "posix", "extra": extra}
    there["python_version"] = there["python_full_version"] = lock()["info"]["python"]
    needs = map(Requirement, told)
    return [need for need in needs if need.marker is None or need.marker.evaluate(there)]


def top_level(wheel: Path) -> list[str]:
    """Return the names that a wheel lets one import."""
    with zipfile.ZipFile(wheel) as files:
        first = {name.partition("/")[0].removesuffix(".py") for name in files.namelist()}
    return sorted(name for name in first if name.isidentifier())


def modules_that_need_more() -> list[str]:
    """Return the modules of hayasa.book that import more than Python has.

    Pyodide fetches what stands in a cell; what hayasa imports in turn does not stand there.
    """
    folder = ROOT / "src" / "hayasa" / "book"
    return [
        f"hayasa.book.{path.stem}"
        for path in sorted(folder.glob("*.py"))
        if readers.packages(path.read_text(encoding="utf-8"))
    ]


def write_empty_wheel(folder: Path, name: str, version: str) -> Path:
    """Write a wheel that has nothing in it and only stands for others; the same name gives the same bytes."""
    stem = f"{name.replace('-', '_')}-{version}"
    path = folder / f"{stem}-py3-none-any.whl"
    told = {
        "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "RECORD": "",
    }
    with zipfile.ZipFile(path, "w") as files:
        for file, text in told.items():
            files.writestr(zipfile.ZipInfo(f"{stem}.dist-info/{file}"), text)
    return path


# ---- JupyterLite -----------------------------------------------------------------------------------


def build(output: Path, root: Path = ROOT) -> None:
    """Build JupyterLite with the notebooks of a book.

    Parameters
    ----------
    output
        The folder to write; what was there is replaced when all is well.
    root
        The book's folder.

    Raises
    ------
    LiteError
        If a package is missing, or JupyterLite refuses.
    BookError
        With every problem of the book.
    """
    if find_spec(KERNEL) is None:
        raise LiteError(
            "JupyterLite のパッケージがありません。make lite で作るか、requirements-lite.txt にあるものを入れてください"
        )
    fetch()
    with tempfile.TemporaryDirectory() as directory:
        work = Path(directory) / "lite"
        write_pyodide(work / "static" / "pyodide", readers.build_wheel())
        for path, text in readers.browser_notebooks(root).items():
            file = work / "content" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            # A Jupyter with a server joins the lines of a text when it reads the file; this one has none.
            file.write_text(json.dumps(nbformat.reads(text, as_version=4), ensure_ascii=False), encoding="utf-8")
        for name in SETTINGS_FILES:
            shutil.copy(SETTINGS / name, work)
        site = jupyter_lite(work)
        for name in OURS:
            shutil.copy(SETTINGS / name, site)
        for app in APPS:
            add_to_head(site / app / "index.html")
        shutil.rmtree(output, ignore_errors=True)
        output.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(site, output)


def add_to_head(page: Path) -> None:
    """Have an app of JupyterLite load what is ours before all else."""
    before, charset, after = page.read_text(encoding="utf-8").partition(CHARSET)
    if not charset:
        raise LiteError(
            f"JupyterLite の {page.parent.name}/{page.name} に {CHARSET} がありません。tools/lite.py を今の版に合わせてください"
        )
    page.write_text(f"{before}{charset}{HEAD}{after}", encoding="utf-8")


def jupyter_lite(work: Path) -> Path:
    """Have JupyterLite build what lies in a folder; return the folder of the result."""
    extension = Path(sys.prefix) / "share" / "jupyter" / "labextensions" / "@jupyterlite" / "pyodide-kernel-extension"
    config = {
        "LiteBuildConfig": {
            "apps": APPS,
            "contents": ["content"],
            "output_dir": "../site",
            "cache_dir": "../cache",
            "no_sourcemaps": True,
            # What else is in this environment, such as JupyterLab's extensions, is not for the site.
            "ignore_sys_prefix": ["federated_extensions"],
            "federated_extensions": [str(extension)],
        }
    }
    (work / "jupyter_lite_config.json").write_text(json.dumps(config), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "jupyterlite_core", "build"],
        cwd=work,
        # The day that zip files begin with: the same sources give the same bytes.
        env=os.environ | {"SOURCE_DATE_EPOCH": "315532800"},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    if done.returncode:
        raise LiteError("JupyterLite を作れませんでした。最後の行:\n" + "\n".join(done.stderr.splitlines()[-8:]))
    return work.parent / "site"


def main() -> int:
    """Build JupyterLite for the site; return the exit code."""
    try:
        build(ROOT / FOLDER)
    except (LiteError, BookError) as error:
        print(f"エラー: {error}", file=sys.stderr)
        return 1
    size = sum(path.stat().st_size for path in (ROOT / FOLDER).rglob("*") if path.is_file())
    print(
        f"{FOLDER} に JupyterLite を作りました ({size / 1e6:.0f} MB)。次の make book から、サイトの各章から開けます。"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
