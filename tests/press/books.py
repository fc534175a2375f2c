"""Small books made on the spot, for tests that need one thing right or wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

CONFIG = """\
project: {type: book}
lang: ja
book:
  title: 見本
  chapters: [index.qmd, a.ipynb, references.qmd]
bibliography: references.bib
"""
INDEX = "# はじめに {.unnumbered}\n\n本文。\n"
REFERENCES = "# 参考文献 {.unnumbered}\n\n::: {#refs}\n:::\n"
BIBLIOGRAPHY = "@article{dao2022, title={FlashAttention}, author={Dao, Tri}, year={2022}}\n"
PIXEL = '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="4"/>'


def text_cell(source: str, **more: Any) -> dict[str, Any]:
    return {"cell_type": "markdown", "id": "x", "metadata": {}, "source": source} | more


def raw_cell(source: str) -> dict[str, Any]:
    return {"cell_type": "raw", "id": "x", "metadata": {}, "source": source}


def code_cell(
    source: str, *outputs: dict[str, Any], count: int | None = 1, tags: list[str] | None = None
) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "id": "x",
        "metadata": {"tags": tags} if tags else {},
        "source": source,
        "execution_count": count,
        "outputs": list(outputs),
    }


def printed(text: str, name: str = "stdout") -> dict[str, Any]:
    return {"output_type": "stream", "name": name, "text": text}


def shown(**data: Any) -> dict[str, Any]:
    """A displayed output; `svg=…` stands for image/svg+xml and so on."""
    types = {"svg": "image/svg+xml", "png": "image/png", "html": "text/html", "markdown": "text/markdown",
             "latex": "text/latex", "text": "text/plain", "js": "application/javascript"}  # fmt: skip
    return {"output_type": "display_data", "metadata": {}, "data": {types[k]: v for k, v in data.items()}}


def notebook(*cells: dict[str, Any]) -> str:
    numbered = [cell | {"id": f"cell-{i}"} for i, cell in enumerate(cells)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": kernel, "cells": numbered}, ensure_ascii=False)


def make_book(folder: Path, **files: str | bytes | None) -> Path:
    """A working book; `files` replaces, adds or (None) removes files. `__` in a name is `/`."""
    content: dict[str, str | bytes | None] = {
        "_quarto.yml": CONFIG,
        "index.qmd": INDEX,
        "a.ipynb": notebook(text_cell("# 題 {#sec-a}\n\n本文。")),
        "references.qmd": REFERENCES,
        "references.bib": BIBLIOGRAPHY,
    }
    content |= files
    for name, value in content.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(value, bytes):
            path.write_bytes(value)
        elif value is not None:
            path.write_text(value, encoding="utf-8")
    return folder


TITLE = "# 題 {#sec-a}\n\n"
# A book with a part and an appendix, and what it says of itself.
PARTED = CONFIG.replace("[index.qmd, a.ipynb, references.qmd]", """
    - index.qmd
    - part: 第I部 初め
      chapters: [a.ipynb]
    - references.qmd
  appendices: [b.qmd]""").replace("title: 見本", "title: 見本\n  author: 作る人\n  description: 何の本か")  # fmt: skip


def make_chapter(folder: Path, *cells: dict[str, Any], **files: str | bytes | None) -> Path:
    """A working book whose one chapter has these cells under its title."""
    return make_book(folder, **{"a.ipynb": notebook(text_cell(TITLE + "初め。"), *cells)} | files)


def section(source: str) -> dict[str, Any]:
    """A cell with one section."""
    return text_cell(f"## 節 {{#sec-x}}\n\n{source}\n")
