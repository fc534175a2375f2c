"""Write each chapter's questions of ``teaching/quizzes.toml`` into its notebook (``make teaching``).

They stand in one cell before the exercises.  A question takes its answer as the chapters take a guess.
"""

import sys
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import nbformat

from press.problems import Problems
from tools.notebooks import ROOT, normalize, shown, to_text, write_if_changed
from tools.quizzes import FILE, QUESTION, lettered, read_quizzes

EXERCISES = "## 演習 {#"
HEAD = f"""\
<!-- make teaching が {FILE} から作ります。直すのはそちらです。 -->

思い違いがないかを確かめる、五つの問いです。
点数は付かず、選んだものはどこにも送られません。
"""


def label(chapter: str) -> str:
    """Return the label of a chapter's questions, which is the name of their cell, too."""
    return f"sec-{QUESTION}{int(chapter[:2])}"


def cell_text(quizzes: Iterable[dict[str, Any]], chapter: str) -> str:
    """Return the cell of a chapter's questions."""
    lines = [line for quiz in quizzes if quiz["chapter"] == chapter for line in question(quiz)]
    return "\n".join([f"## 確かめの問い {{#{label(chapter)}}}\n", HEAD, *lines]).rstrip("\n")


def question(quiz: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of a question."""
    choices = lettered(quiz)
    right = next(at for at, (_, choice) in enumerate(choices, start=1) if "right" in choice)
    yield f':::: {{#{QUESTION}{quiz["id"]} .hayasa-guess data-answer="{right}"}}'
    yield f"**{quiz['id']}**　{quiz['ask']}\n"
    yield from (f"- {letter}　{choice['text']}" for letter, choice in choices)
    yield f'\n::: {{.callout-tip collapse="true"}}\n## {quiz["id"]}の答え\n'
    yield from (f"- {'○' if 'right' in choice else '×'} **{letter}**　{choice['say']}" for letter, choice in choices)
    yield f"\nくわしくは、[-@{quiz['see']}]節にあります。\n:::\n::::\n"


def with_cell(notebook: nbformat.NotebookNode, name: str, text: str) -> nbformat.NotebookNode:
    """Return a notebook with the text in the cell of that name, which is made before the exercises if it is not there.

    Raises
    ------
    ValueError
        If there are no exercises either.
    """
    for cell in notebook.cells:
        if cell.id == name:
            cell.source = text
            return normalize(notebook)
    at = next((at for at, cell in enumerate(notebook.cells) if cell.source.startswith(EXERCISES)), None)
    if at is None:
        raise ValueError(f"「{EXERCISES}…」で始まるセルがありません")
    notebook.cells.insert(at, nbformat.v4.new_markdown_cell(text))
    return normalize(notebook)


def main(root: Path = ROOT) -> int:
    """Write the cells that have changed; return the exit code."""
    problems = Problems()
    quizzes = read_quizzes(root, problems)
    problems.stop_if_any()
    for chapter, _ in groupby(quizzes, key=lambda quiz: quiz["chapter"]):
        path = root / "chapters" / f"{chapter}.ipynb"
        notebook = with_cell(nbformat.read(path, as_version=4), label(chapter), cell_text(quizzes, chapter))
        if write_if_changed(path, to_text(notebook)):
            print(f"{shown(path)} の問いを作り直しました。")
    return 0


if __name__ == "__main__":
    sys.exit(main())
