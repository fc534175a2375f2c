"""The exact pins: compile requirements*.txt, and try whether every known machine finds wheels for them.

``python -m tools.pins`` compiles them from the dependency groups of pyproject.toml (`make pin`).
``python -m tools.pins try`` installs them dry, from wheels alone, for machines that are not here.
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import product

from tools import venv

GROUPS = {
    "requirements.txt": ["cells", "kernel", "press", "web", "test", "api", "build"],
    "requirements-uv.txt": ["installer"],
    "requirements-lab.txt": ["lab"],
    "requirements-pdf.txt": ["pdf"],
    "requirements-slides.txt": ["slides"],
    "requirements-lite.txt": ["lite"],
    "requirements-pyodide.txt": ["pyodide"],
    "requirements-ci.txt": ["ci"],
    "requirements-quarto.txt": ["quarto"],
    ".binder/requirements.txt": ["cells"],
}
# Quarto's package asks for Jupyter, which the book's Quarto never runs; the slides take files of theirs, and
# nothing that runs; Python in the browser has its own list of what needs what.
ALONE = ["requirements-quarto.txt", "requirements-slides.txt", "requirements-pyodide.txt"]
# What no machine installs from wheels: Quarto's package, and what runs in the browser.
WHEELS = [name for name in GROUPS if name not in ("requirements-quarto.txt", "requirements-pyodide.txt")]
# For the Python that runs there, and in the versions that it names.
ELSEWHERE = {"requirements-pyodide.txt": "3.14"}

HASH = re.compile(r" \\\n +--hash=\S+")

# As uv names them: what wheels must fit.
PLATFORMS = [
    "x86_64-manylinux_2_28",
    "aarch64-manylinux_2_31",
    "x86_64-apple-darwin",
    "aarch64-apple-darwin",
    "x86_64-pc-windows-msvc",
]
PYTHONS = [f"3.{minor}" for minor in range(venv.OLDEST[1], venv.NEWEST[1] + 1)]


def uv(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run uv on the main index alone: a machine's own store of wheels would hide those for other machines."""
    environment = {
        name: value for name, value in venv.environment().items() if name not in ("UV_INDEX", "UV_FIND_LINKS")
    }
    return subprocess.run(
        [venv.UV, *arguments], cwd=venv.ROOT, env=environment, capture_output=True, text=True, encoding="utf-8"
    )


def compile_pins() -> list[str]:
    """Write every requirement file; pins that still fit stay. Return what went wrong."""
    complaints = []
    for name, groups in GROUPS.items():
        arguments = ["--universal", "--python-version", ELSEWHERE.get(name, PYTHONS[0])]
        arguments += ["--fork-strategy", "fewest", "--generate-hashes"]
        arguments += ["--custom-compile-command", "make pin", "--no-emit-index-url", "--output-file", name]
        arguments += [part for group in groups for part in ("--group", group)]
        arguments += ["--no-deps"] if name in ALONE else []
        arguments += ["--constraint", "requirements.txt"] if name not in ("requirements.txt", *ELSEWHERE) else []
        file = venv.ROOT / name
        before = file.read_text(encoding="utf-8") if file.exists() else ""
        # uv would keep the hashes of a pin that stays, also where files were added to its release.
        file.write_text(HASH.sub("", before), encoding="utf-8")
        compiled = uv("pip", "compile", *arguments)
        if compiled.returncode:
            file.write_text(before, encoding="utf-8")
            complaints.append(f"{name}:\n{compiled.stderr.rstrip()}")
    return complaints


def try_pins(platform: str, python: str, files: Sequence[str] = WHEELS) -> str:
    """Return why the pins cannot be installed from wheels on such a machine, or nothing."""
    with tempfile.TemporaryDirectory() as target:
        arguments = [
            "pip",
            "install",
            "--dry-run",
            "--no-deps",
            "--require-hashes",
            "--only-binary",
            ":all:",
            "--target",
            target,
        ]
        arguments += ["--python-platform", platform, "--python-version", python]
        tried = uv(*arguments, *[part for name in files for part in ("-r", name)])
    return f"{platform}, Python {python}:\n{tried.stderr.rstrip()}" if tried.returncode else ""


def main(arguments: list[str]) -> int:
    """Compile or try the pins; return the exit code."""
    if arguments == ["try"]:
        machines = list(product(PLATFORMS, PYTHONS))
        with ThreadPoolExecutor() as pool:
            complaints = [complaint for complaint in pool.map(try_pins, *zip(*machines, strict=True)) if complaint]
        print(f"{len(machines)} 種類の計算機のうち {len(machines) - len(complaints)} 種類で、wheel だけで入ります。")
    else:
        complaints = compile_pins()
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
