"""Compute the snippets of ``teaching/`` anew and write what they print: ``python -m tools.teaching``.

A block of ``python`` with a block of ``text`` right behind it is a snippet and what it prints.  The
snippets of a file share their names, from its top to its end.  What has to hold for the prose stands
in the snippet as an ``assert``; so numbers may move with a new calibration, and conclusions may not.
"""

import contextlib
import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "teaching"
SNIPPET = re.compile(
    r"^```python\n(?P<code>(?:(?!```).*\n)*)```\n\n```text\n(?P<printed>(?:(?!```).*\n)*)```$", re.MULTILINE
)


def texts() -> Iterator[Path]:
    """Yield what is written for teachers and students, in order."""
    yield from sorted(FOLDER.rglob("*.md"))


def computed(text: str, name: str) -> str:
    """Return a text with everything that its snippets print now.

    Raises
    ------
    AssertionError
        If a conclusion does not hold any more.
    """
    names: dict[str, Any] = {}

    def rerun(match: re.Match[str]) -> str:
        printed = io.StringIO()
        # Blank lines in front, so that an error names the line of the file.
        lines = "\n" * (text.count("\n", 0, match.start()) + 1)
        with contextlib.redirect_stdout(printed):
            exec(compile(lines + match["code"], name, "exec"), names)
        return f"```python\n{match['code']}```\n\n```text\n{printed.getvalue()}```"

    return SNIPPET.sub(rerun, text)


def main() -> int:
    """Write every text that has changed."""
    for path in texts():
        old = path.read_text(encoding="utf-8")
        new = computed(old, path.relative_to(ROOT).as_posix())
        if new != old:
            path.write_text(new, encoding="utf-8")
            print(f"{path.relative_to(ROOT)} を計算し直しました。")
    return 0


if __name__ == "__main__":
    sys.exit(main())
