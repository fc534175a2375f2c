"""The site generator in a process of its own, which loads it once and then waits for work.

A build lets it load while the chapters are read; a preview keeps it. Run as a program, this module
is that process, so it must not load what makes the HTML.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import traceback
from pathlib import Path

from press.problems import BookError, Problem

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 300


class SiteError(BookError):
    """The site could not be made."""

    def __init__(self, reason: str):
        super().__init__([Problem("_quarto.yml", "", reason, "上の理由を取り除いてください")])


class Generator:
    """Makes sites, one after the other, until it is closed."""

    def __init__(self) -> None:
        self._process = self._start()

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _start(self) -> subprocess.Popen[str]:
        path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        return subprocess.Popen(
            [sys.executable, "-m", "press.write.generator"],
            env=os.environ | {"PYTHONPATH": path, "PYTHONUTF8": "1", "SOURCE_DATE_EPOCH": "0"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            # A Ctrl-C is meant for press, which ends this process too; without press it reads the end of its input.
            start_new_session=True,
        )

    def run(self, config: Path) -> None:
        """Make the site that a configuration describes.

        Raises
        ------
        SiteError
            If it cannot be made, or not in time.
        """
        if self._process.poll() is not None:
            self._process = self._start()
        watchdog = threading.Timer(TIMEOUT_S, self._process.kill)
        watchdog.start()
        try:
            failure = self._ask(str(config))
        finally:
            watchdog.cancel()
        if failure:
            raise SiteError(f"Zensical がサイトを作れませんでした:\n{failure}")

    def _ask(self, config: str) -> str:
        """What went wrong, or nothing."""
        questions, answers = self._process.stdin, self._process.stdout
        assert questions is not None and answers is not None
        try:
            print(json.dumps(config), file=questions, flush=True)
        except OSError:  # it has just died
            pass
        answer = answers.readline()
        if answer:
            return str(json.loads(answer))
        code = self._process.wait()
        return f"{TIMEOUT_S} 秒たっても終わらないか、途中で終わりました（終了コード {code}）"


def main() -> None:
    """Answer each line, the JSON of a configuration's path, with one: what went wrong, or an empty text."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    with tempfile.TemporaryFile() as log:
        # The generator prints past Python.
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        import zensical.config
        import zensical.markdown.render

        for question in sys.stdin:
            log.seek(0)
            log.truncate()
            failure = ""
            try:
                zensical.build(json.loads(question), {"clean": True, "strict": False})
            except Exception:
                log.seek(0)
                failure = log.read().decode(errors="replace") + traceback.format_exc()
            print(json.dumps(failure), file=answers, flush=True)


if __name__ == "__main__":
    main()
