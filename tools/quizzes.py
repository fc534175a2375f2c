"""The questions of ``teaching/quizzes.toml`` as cells of a notebook, which need no script.

Each choice is a box that opens: by the keyboard, with a screen reader and on paper as well.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator
from html import escape
from pathlib import Path
from typing import Any

from press.problems import Problems
from press.write.notebook import SITE, Cell

FILE = "teaching/quizzes.toml"
LETTERS = "ABCD"
CODE = re.compile(r"`([^`]+)`")
INTRODUCTION = """\
## 確かめの問い

一つ選んで開くと、合っているかどうかと、そのわけが出ます。選ぶ前に、答えを決めてください。"""


def read_quizzes(root: Path, problems: Problems) -> list[dict[str, Any]]:
    """Return the questions of a book, if it has some."""
    try:
        return list(tomllib.loads((root / FILE).read_text(encoding="utf-8")).get("quiz", []))
    except FileNotFoundError:
        return []
    except ValueError as error:
        problems.add(FILE, "", "TOML として読めません", str(error))
        return []


def quiz_cells(quizzes: Iterable[dict[str, Any]], chapter: str) -> Iterator[Cell]:
    """Yield the quiz of a chapter, if there is one for it."""
    asked = [quiz for quiz in quizzes if quiz["chapter"] == chapter]
    if asked:
        yield Cell("quiz", INTRODUCTION)
    for quiz in asked:
        yield Cell(f"quiz-{quiz['id']}", question(quiz))


def question(quiz: dict[str, Any]) -> str:
    """Return a question with its choices as Markdown."""
    see = f"[この問いのもとになった節]({SITE}chapters/{quiz['chapter']}.html#{quiz['see']})"
    choices = [
        f"<details>\n<summary>{letter}　{_html(choice['text'])}</summary>\n\n"
        f"{'○' if 'right' in choice else '×'} {choice['say']}\n\n</details>"
        for letter, choice in zip(LETTERS, quiz["choices"], strict=True)
    ]
    return "\n\n".join([f"**{quiz['id']}**　{quiz['ask']}", *choices, see])


def _html(text: str) -> str:
    """Return a choice as HTML: within a tag, Markdown is not read."""
    return CODE.sub(r"<code>\1</code>", escape(text, quote=False))
