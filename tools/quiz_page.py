"""Write `quizzes.qmd`, the book's page of questions, from ``teaching/quizzes.toml`` (``make teaching``).

Each question takes its answer as the chapters take a guess, and folds the reason of every choice.
"""

import sys
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from press.problems import Problems
from tools.quizzes import FILE, read_quizzes

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "quizzes.qmd"
HEAD = f"""\
# 確かめの問い {{#sec-quizzes .unnumbered}}

<!-- make teaching が {FILE} から作ります。直すのはそちらです。 -->

章ごとに五つ、思い違いを見つけるための問いがあります。
点数は付けません。選んだものは、どこにも送らず、ページを閉じれば消えます。
一つ選んで「決める」を押すと、合っているか、なぜ違うのかが出ます。何度でも選び直せます。「答えを見る」には、すべての選択肢のわけがあります。
"""


def page(quizzes: Iterable[dict[str, Any]]) -> str:
    """Return the page's text."""
    lines = [HEAD]
    for chapter, asked in groupby(quizzes, key=lambda quiz: quiz["chapter"]):
        number = int(chapter[:2])
        lines.append(f"## 第{number}章 {{#sec-quiz-{number} .unnumbered}}\n")
        lines += [line for quiz in asked for line in question(quiz)]
    return "\n".join(lines)


def question(quiz: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of a question."""
    place, choices = f"quiz-{quiz['id']}", quiz["choices"]
    right = next(at for at, choice in enumerate(choices, start=1) if "right" in choice)
    yield f':::: {{.hayasa-guess data-answer="{right}" data-at="{place}"}}'
    yield f"**{quiz['id']}**　{quiz['ask']}\n"
    yield from (f"{at}. {choice['text']}" for at, choice in enumerate(choices, start=1))
    yield '\n::: {.callout-tip collapse="true"}\n## 答えを見る\n'
    yield from (
        f"- {'○' if at == right else '×'} **{choice['text']}**　{choice['say']}"
        for at, choice in enumerate(choices, start=1)
    )
    yield ":::\n::::\n"
    yield f"[もとになった節：[-@{quiz['see']}]]{{#{place}}}\n"


def main() -> int:
    """Write the page where it has changed; return the exit code."""
    problems = Problems()
    text = page(read_quizzes(ROOT, problems))
    problems.stop_if_any()
    if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
        PAGE.write_text(text, encoding="utf-8")
        print(f"{PAGE.name} を作り直しました。")
    return 0


if __name__ == "__main__":
    sys.exit(main())
