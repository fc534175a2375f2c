"""The questions of ``teaching/quizzes.toml``."""

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hayasa.book.notebooks import Choice
from press.problems import Problems

FILE = "teaching/quizzes.toml"
LETTERS = "ABCD"
QUESTION = "quiz-"  # what the label of a question begins with
ANSWER = "answer"  # what the checker calls the choice


def read_quizzes(root: Path, problems: Problems) -> list[dict[str, Any]]:
    """Return the questions of a book, if it has some."""
    try:
        return list(tomllib.loads((root / FILE).read_text(encoding="utf-8")).get("quiz", []))
    except FileNotFoundError:
        return []
    except ValueError as error:
        problems.add(FILE, "", "TOML として読めません", str(error))
        return []


def lettered(quiz: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return the choices of a question with their letters."""
    return list(zip(LETTERS, quiz["choices"], strict=True))


def choices_of(quizzes: Iterable[dict[str, Any]], chapter: str) -> dict[str, dict[str, Choice]]:
    """Return the answers to a chapter's questions as the checker takes them, by question."""
    return {quiz["id"]: {ANSWER: _choice(quiz)} for quiz in quizzes if quiz["chapter"] == chapter}


def _choice(quiz: dict[str, Any]) -> Choice:
    said = {letter: choice["say"] for letter, choice in lettered(quiz)}
    right = next(letter for letter, choice in lettered(quiz) if "right" in choice)
    return Choice(right, why=said.pop(right), wrong=said)
