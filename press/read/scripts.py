"""The book's own scripts (`project: pre-render`), run before anything else is read."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from press.problems import Problems
from press.read.config import CONFIG, Book


def run_scripts(book: Book, output: Path, say: Callable[[str], None], problems: Problems) -> None:
    """Run every script in the book's folder, in order; the first that fails is the last.

    What it prints is handed to `say` as it comes. As in Quarto, paths are relative to the book's
    folder and the environment says where the book is, what is rendered and where it goes.
    """
    environment = os.environ | {
        "QUARTO_PROJECT_DIR": str(book.root),
        "QUARTO_PROJECT_OUTPUT_DIR": str(output),
        "QUARTO_PROJECT_RENDER_ALL": "1",
        "QUARTO_PROJECT_INPUT_FILES": "\n".join(entry.source for entry in book.entries),
        "PYTHONUNBUFFERED": "1",
        "PYTHONUTF8": "1",
    }
    for command in book.pre_render:
        script, *arguments = split(command)
        if not script.endswith(".py"):
            problems.add(CONFIG, "", f"pre-render: {script} の種類には対応していません",
                         "Python のスクリプト（.py）にするか、Quarto で作ってください（ENGINE=quarto）")  # fmt: skip
            return
        if not (book.root / script).is_file():
            problems.add(CONFIG, "", f"pre-render: {script} がありません", "ファイル名を確かめてください")
            return
        say(f"{script} を実行します")
        code, printed = _run([sys.executable, script, *arguments], book.root, environment, say)
        if code != 0:
            problems.add(CONFIG, "", f"pre-render: {script} が終了コード {code} で失敗しました\n{printed}".rstrip(),
                         "スクリプトの誤りを直してください")  # fmt: skip
            return


def _run(command: list[str], folder: Path, environment: dict[str, str], say: Callable[[str], None]) -> tuple[int, str]:
    printed: list[str] = []
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as process:
        for line in process.stdout or ():
            printed.append(line)
            say(line.rstrip("\n"))
    return process.returncode, "".join(printed)


def split(command: str) -> list[str]:
    """A command's words; Quarto parts them at spaces outside double quotes and knows nothing else."""
    shielded = re.sub(r'"([^"]*)"?', lambda quoted: quoted[1].replace(" ", "\0"), command)
    return [word.replace("\0", " ") for word in re.split(" +", shielded)]
