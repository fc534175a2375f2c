"""Build the book with Quarto where it is installed, otherwise with press.

``ENGINE=quarto`` or ``ENGINE=press`` decides; without it Quarto is taken if it is found.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tools import venv

ROOT = Path(__file__).resolve().parent.parent
SITE = "_book"
ENGINES = ("quarto", "press")
# Neither sources nor worth copying for Quarto: anywhere, and beside the book's description.
NOT_COPIED = (".*", "node_modules", "__pycache__")
NOT_COPIED_AT_ROOT = (*NOT_COPIED, SITE, "tests", "my-notebooks", "dist", "build")
WARNING = re.compile(r"^(?:\x1b\[[0-9;]*m)*\s*\[?(?:WARN|WARNING)\b", re.IGNORECASE)

QUARTO_MISSING = """\
ENGINE=quarto と指定されていますが、動く quarto が見つからず、quarto-cli も入れられませんでした。
https://quarto.org/docs/get-started/ から Quarto を入れて、もう一度実行してください。
Quarto がなくても make book ENGINE=press で同じ本を作れます。"""


class BookFailedError(Exception):
    """The book could not be built; the text, if any, says why."""


def version_of(command: str) -> tuple[int, ...] | None:
    """Return the version of a Quarto, or None if the command is something else or does not work."""
    ask: Any = {"stdin": subprocess.DEVNULL, "capture_output": True, "timeout": 60}
    try:
        said = subprocess.run([command, "--version"], check=True, **ask).stdout.decode(errors="replace")
    except (OSError, subprocess.SubprocessError):
        return None
    version = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)\S*\s*", said)
    return tuple(map(int, version.groups())) if version else None


def quartos() -> dict[str, tuple[int, ...] | None]:
    """Return the version of each command called quarto: one beside this Python, then the machine's own."""
    beside = str(Path(sys.executable).parent)
    found = shutil.which("quarto", path=beside), shutil.which("quarto")
    return {command: version_of(command) for command in found if command}


def find_quarto() -> str | None:
    """Return the command of the first Quarto that works."""
    return next((command for command, version in quartos().items() if version), None)


def tried_version() -> tuple[int, ...]:
    """Return the first two numbers of the Quarto that the book was tried with."""
    pins = (ROOT / "requirements-quarto.txt").read_text(encoding="utf-8")
    return tuple(map(int, re.findall(r"^quarto-cli==(\d+)\.(\d+)", pins, re.MULTILINE)[0]))


def install_quarto() -> None:
    """Put Quarto beside this Python; its package fetches it from where Quarto is published."""
    print("quarto-cli を入れています (約 100 MB を取ってきます)…", flush=True)
    try:
        venv.pip(["--no-deps", "--require-hashes", "-r", "requirements-quarto.txt"])
    except venv.SetupError as error:
        raise BookFailedError(QUARTO_MISSING) from error
    if not find_quarto():
        raise BookFailedError(QUARTO_MISSING)


def choose_engine(environment: Mapping[str, str]) -> str:
    """Return the engine to use; raise where the one asked for cannot be had.

    What nobody asked for must not spoil the book: a quarto that does not work, or is older than
    the one that the book was tried with, is named and left alone.
    """
    wanted = environment.get("ENGINE", "").strip().lower()
    if wanted and wanted not in ENGINES:
        raise BookFailedError(f"ENGINE={wanted} というエンジンはありません。使えるもの: {'、'.join(ENGINES)}")
    if wanted == "quarto" and not find_quarto():
        install_quarto()
    if wanted:
        return wanted
    command, version = next(iter(quartos().items()), (None, None))
    if command is None:
        return "press"
    if version is None:
        print(f"{command} は Quarto として動かないので、使いません。")
        return "press"
    if version < tried_version():
        print(
            f"{command} は Quarto {dotted(version)} で、この本を確かめた {dotted(tried_version())} より古いので、"
            "使いません (ENGINE=quarto を付けると使います)。"
        )
        return "press"
    return "quarto"


def dotted(version: tuple[int, ...]) -> str:
    """Return a version as it is written."""
    return ".".join(map(str, version))


def build_with_press(root: Path) -> None:
    """Run press, which shows its own progress and problems."""
    if subprocess.run([sys.executable, "-m", "press", "build", str(root)], cwd=ROOT).returncode:
        raise BookFailedError


def build_with_quarto(root: Path) -> None:
    """Run Quarto on a copy of the sources, and take its site over only if nothing is amiss.

    Quarto only warns of an unresolved reference and then exits with 0.
    """
    quarto = find_quarto()
    assert quarto is not None
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory) / "book"
        ignored = {str(root): shutil.ignore_patterns(*NOT_COPIED_AT_ROOT)}
        anywhere = shutil.ignore_patterns(*NOT_COPIED)
        shutil.copytree(root, copy, ignore=lambda folder, names: ignored.get(folder, anywhere)(folder, names))
        process = subprocess.Popen(
            [quarto, "render", "--no-execute"],
            cwd=copy,
            # The book's own scripts (project: pre-render) run with this Python.
            env=os.environ | {"QUARTO_PYTHON": sys.executable},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        assert process.stdout is not None
        warnings = []
        for line in process.stdout:
            print(line, end="", flush=True)
            if WARNING.match(line):
                warnings.append(line.strip())
        if process.wait():
            raise BookFailedError(f"quarto render が終了コード {process.returncode} で失敗しました。")
        if warnings:
            raise BookFailedError(
                "Quarto の警告は、本の誤りとして扱います。次を直してください:\n"
                + "\n".join(f"  {line}" for line in warnings)
            )
        if not (copy / SITE / "index.html").is_file():
            raise BookFailedError(f"quarto render は終わりましたが、{SITE}/index.html がありません。")
        replace_site(copy / SITE, root / SITE)


def replace_site(new: Path, site: Path) -> None:
    """Put a finished site in the place of the old one; an interruption leaves one of them whole."""
    staged, old = site.with_name(f"{site.name}.new"), site.with_name(f"{site.name}.old")
    for leftover in (staged, old):
        shutil.rmtree(leftover, ignore_errors=True)
    shutil.copytree(new, staged)
    if site.exists():
        site.rename(old)
    staged.rename(site)
    shutil.rmtree(old, ignore_errors=True)


def main(root: Path = ROOT) -> int:
    """Build the book; return the exit code."""
    started = time.perf_counter()
    try:
        engine = choose_engine(os.environ)
        print(f"エンジン: {engine}", flush=True)
        {"quarto": build_with_quarto, "press": build_with_press}[engine](root)
    except BookFailedError as error:
        if str(error):
            print(f"\nエラー: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    seconds = time.perf_counter() - started
    print(f"本ができました ({seconds:.1f} 秒)。ブラウザで開いてください: {SITE}/index.html")
    return 0


if __name__ == "__main__":
    sys.exit(main())
