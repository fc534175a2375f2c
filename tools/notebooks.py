"""Execute the chapters and keep their files clean.

``python -m tools.notebooks execute [FILE ...]``
    Run every cell from a fresh kernel and store the outputs in one normal form.
``python -m tools.notebooks check [FILE ...]``
    List everything in the stored files that is not in that form.

A chapter runs in its own directory, as it does in Jupyter, in nbval and in Quarto, so a
relative path means the same thing to all of them.
"""

import argparse
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parent.parent
KERNELSPEC = {"display_name": "Python 3", "language": "python", "name": "python3"}
CELL_TIMEOUT_S = 600
MOST_CODE_LINES = 15
TAGS = {"raises-exception", "nbval-ignore-output"}

# What a page can show without a script from elsewhere, and nbval compares as text.
MIME_TYPES = {"text/plain", "text/markdown", "text/latex", "image/svg+xml"}

LABEL = re.compile(r"^#\| *label: *['\"]?([\w-]+)", re.MULTILINE)
ANCHOR = re.compile(r"\{#([A-Za-z][\w-]*)")
MACHINE_PATH = re.compile(r"(?<![\w./])(?:/(?:home|Users|root|tmp|private|var)/|[A-Z]:\\)[\w.-]+")
MEMORY_ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]{6,}")
NBVAL_COMMENT = re.compile(r"^ *# *(NBVAL_\w+|PYTEST_VALIDATE_\w+)", re.MULTILINE)
NOT_EVALUATED = re.compile(r"^#\| *eval: *false", re.MULTILINE)
ANSI_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class ExecutionStoppedError(Exception):
    """A cell did not come to its end; the text says which and why."""


def chapter_paths(names: Sequence[str] = ()) -> list[Path]:
    """Return the named notebooks, or every chapter in the order of the book."""
    if names:
        return [Path(name) for name in names]
    return sorted((ROOT / "chapters").glob("*.ipynb"))


def slugs(notebook: NotebookNode) -> list[str]:
    """Return one readable id per cell, the same on every run.

    A cell is named after its own label (``fig-x``, ``sec-x``, ``exr-x``); one without a
    label after the section or exercise it stands in, with a counter and without the prefix:
    Quarto makes a code cell's id an anchor, and would number ``exr-x-2`` as an exercise.
    """
    section, count, taken, result = "cell", 0, set(), []
    for cell in notebook.cells:
        labels = (LABEL if cell.cell_type == "code" else ANCHOR).findall(cell.source)
        if sections := [label for label in labels if label.startswith(("sec-", "exr-"))]:
            section, count = sections[-1].partition("-")[2], 0
        slug = next((label[:64] for label in labels if label[:64] not in taken), None)
        while slug is None or slug in taken:
            count += 1
            slug = f"{section[:58]}-{count}"
        taken.add(slug)
        result.append(slug)
    return result


def normalize(notebook: NotebookNode) -> NotebookNode:
    """Return the notebook in its one stored form; the outputs themselves stay as they are."""
    result = nbformat.from_dict(
        {
            "nbformat": 4,
            "nbformat_minor": 5,
            "metadata": {"kernelspec": KERNELSPEC, "language_info": {"name": "python"}},
            "cells": [],
        }
    )
    executed = 0
    for cell, slug in zip(notebook.cells, slugs(notebook), strict=True):
        tags = cell.metadata.get("tags", [])
        clean = {
            "cell_type": cell.cell_type,
            "id": slug,
            "metadata": {"tags": tags} if tags else {},
            "source": cell.source.strip("\n"),
        }
        if cell.get("attachments"):
            clean["attachments"] = cell.attachments
        if cell.cell_type == "code":
            if cell.execution_count is not None:
                executed += 1
            clean["execution_count"] = None if cell.execution_count is None else executed
            clean["outputs"] = [renumbered(output, executed) for output in cell.outputs]
        result.cells.append(nbformat.from_dict(clean))
    return result


def renumbered(output: NotebookNode, execution_count: int) -> NotebookNode:
    """Return a copy of an output that carries the count of its cell."""
    result = nbformat.from_dict(output)
    if output.output_type == "execute_result":
        result.execution_count = execution_count
    return result


def to_text(notebook: NotebookNode) -> str:
    """Return the bytes of the stored file, as text."""
    return nbformat.writes(notebook).rstrip("\n") + "\n"


def cell_name(index: int, cell: NotebookNode) -> str:
    """Return how messages call a cell: its place among all cells, and its id."""
    return f"セル {index + 1} ({cell.get('id', '-')})"


def source_problems(cell: NotebookNode) -> Iterator[str]:
    """Yield what is wrong with the code of a cell and with its tags."""
    lines = [line for line in cell.source.splitlines() if line.strip() and not line.startswith("#|")]
    if not lines:
        yield "コードセルが空です。消してください"
    if len(lines) > MOST_CODE_LINES:
        yield f"コードが {len(lines)} 行あります。{MOST_CODE_LINES} 行以内に分けてください"
    for marker in NBVAL_COMMENT.findall(cell.source):
        yield f"コメント {marker} は本に写ります。セルのタグを使ってください"
    if NOT_EVALUATED.search(cell.source):
        yield (
            "`eval: false` のセルも Jupyter と nbval は実行します。"
            "実行しないコードは Markdown のコードブロックに書いてください"
        )
    for tag in cell.metadata.get("tags", []):
        if tag not in TAGS:
            yield f"タグ {tag} は使えません。使えるもの: {'、'.join(sorted(TAGS))}"


def output_problems(cell: NotebookNode) -> Iterator[str]:
    """Yield what is wrong with the outputs of a cell."""
    tags = cell.metadata.get("tags", [])
    errors = [output for output in cell.outputs if output.output_type == "error"]
    if errors and "raises-exception" not in tags:
        yield f"例外が保存されています: {errors[0].ename}: {errors[0].evalue}"
    if "raises-exception" in tags and not errors:
        yield "タグ raises-exception がありますが、例外が起きていません"
    for output in cell.outputs:
        if output.output_type == "stream" and output.name == "stderr":
            yield f"標準エラー出力が保存されています: {output.text.strip()[:200]}"
        for mime_type in sorted(set(output.get("data", {})) - MIME_TYPES):
            yield (
                f"{mime_type} の出力は使えません。図は SVG、表は Markdown にしてください "
                f"(使えるもの: {'、'.join(sorted(MIME_TYPES))})"
            )
        text = output_text(output)
        for pattern, what in ((MACHINE_PATH, "この計算機のパス"), (MEMORY_ADDRESS, "メモリ番地")):
            if found := pattern.search(text):
                yield f"出力に{what}が入っています: {found.group()}"


def output_text(output: NotebookNode) -> str:
    """Return everything textual in an output, without colours."""
    parts = [output.get("text", ""), output.get("evalue", ""), *output.get("traceback", [])]
    parts += [value for value in output.get("data", {}).values() if isinstance(value, str)]
    return ANSI_COLOUR.sub("", "\n".join(parts))


def notebook_problems(notebook: NotebookNode) -> Iterator[str]:
    """Yield what is wrong with an executed notebook, apart from its form."""
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type == "raw" and index > 0:
            yield f"{cell_name(index, cell)}: raw セルは先頭にだけ置けます"
        if cell.cell_type == "code":
            problems = [*source_problems(cell), *output_problems(cell)]
            yield from (f"{cell_name(index, cell)}: {problem}" for problem in problems)


def form_problems(notebook: NotebookNode) -> Iterator[str]:
    """Yield where a stored notebook differs from its normal form."""
    normal = normalize(notebook)
    if notebook.metadata != normal.metadata:
        extra = sorted(set(notebook.metadata) - set(normal.metadata))
        detail = f" (余分: {'、'.join(extra)})" if extra else ""
        yield f"metadata は kernelspec と language_info.name だけにします{detail}"
    executed = 0
    for index, (cell, clean) in enumerate(zip(notebook.cells, normal.cells, strict=True)):
        name = cell_name(index, cell)
        if cell.get("id") != clean.id:
            yield f"{name}: id は {clean.id} にします"
        if cell.metadata != clean.metadata:
            extra = "、".join(sorted(set(cell.metadata) - {"tags"})) or "tags: []"
            yield f"{name}: metadata に余分なものがあります: {extra}"
        if cell.cell_type == "code":
            executed += 1
            if cell.execution_count is None:
                yield f"{name}: 実行されていません"
            elif cell.execution_count != executed:
                yield f"{name}: 実行番号が {cell.execution_count} です ({executed} のはずです)"


def check(path: Path) -> list[str]:
    """Return every problem of one stored notebook, each naming file and cell."""
    try:
        text = path.read_text(encoding="utf-8")
        notebook = nbformat.reads(text, as_version=4)
        nbformat.validate(notebook)
    except FileNotFoundError:
        return [f"{shown(path)}: ファイルがありません"]
    except (nbformat.ValidationError, nbformat.reader.NotJSONError, ValueError) as error:
        reason = str(error).splitlines()[0]
        return [f"{shown(path)}: ノートブックとして読めません: {reason}"]
    problems = [*form_problems(notebook), *notebook_problems(notebook)]
    if not problems and text != to_text(normalize(notebook)):
        problems = ["JSON の書き方が整っていません"]
    return [f"{shown(path)}: {problem}" for problem in problems]


def execute(path: Path) -> tuple[NotebookNode, list[str]]:
    """Run a notebook from a fresh kernel; return it in normal form, and its problems."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells = [cell for cell in notebook.cells if cell.source.strip()]
    for cell, slug in zip(notebook.cells, slugs(notebook), strict=True):
        cell.id = slug
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    started = [0]
    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT_S,
        kernel_name=KERNELSPEC["name"],
        resources={"metadata": {"path": str(path.parent.resolve())}},
        extra_arguments=["--log-level=ERROR"],
        record_timing=False,
        coalesce_streams=True,
        on_cell_start=lambda cell, cell_index: started.append(cell_index),
    )
    with tempfile.TemporaryDirectory() as ipython_directory:
        # Neither the hash seed nor the reader's own IPython start-up files may show.
        environment = os.environ | {"PYTHONHASHSEED": "0", "IPYTHONDIR": ipython_directory}
        try:
            client.execute(env=environment)
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            index = started[-1]
            place = cell_name(index, notebook.cells[index])
            raise ExecutionStoppedError(f"{place}: {failure(error)}") from None
    result = normalize(notebook)
    return result, list(notebook_problems(result))


def failure(error: Exception) -> str:
    """Return why the execution stopped."""
    if isinstance(error, CellTimeoutError):
        return f"{CELL_TIMEOUT_S} 秒たっても終わりません"
    if isinstance(error, DeadKernelError):
        return "カーネルが途中で止まりました"
    return "実行が止まりました\n" + ANSI_COLOUR.sub("", str(error)).strip()


def write_if_changed(path: Path, text: str) -> bool:
    """Replace the file in one step; leave it alone where it already says the same."""
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return True


def shown(path: Path) -> str:
    """Return a path as messages show it: from where the reader stands."""
    return os.path.relpath(path)


def run_execute(paths: Sequence[Path]) -> list[str]:
    """Execute the notebooks, store what changed, and return all problems."""
    problems = []
    for path in paths:
        started = time.perf_counter()
        print(f"{shown(path)} … ", end="", flush=True)
        try:
            notebook, found = execute(path)
        except ExecutionStoppedError as error:
            result, found = "実行が止まりました", [str(error)]
        except (OSError, ValueError, nbformat.ValidationError) as error:
            result, found = "読めません", [str(error).splitlines()[0]]
        else:
            changed = write_if_changed(path, to_text(notebook))
            result = "保存しました" if changed else "変わりません"
        print(f"{result} ({time.perf_counter() - started:.1f} 秒)")
        problems += [f"{shown(path)}: {problem}" for problem in found]
    return problems


def run_check(paths: Sequence[Path]) -> list[str]:
    """Check the notebooks and return all problems."""
    problems = [problem for path in paths for problem in check(path)]
    if not problems:
        print(f"{len(paths)} 個のノートブックに問題はありません。")
    return problems


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.notebooks", description="章を実行し、保存した形を整えます。")
    parser.add_argument("action", choices=["execute", "check"], help="実行するか、確かめるか")
    parser.add_argument("files", nargs="*", help="ノートブック (省くとすべての章)")
    options = parser.parse_args(arguments)
    paths = chapter_paths(options.files)
    run = {"execute": run_execute, "check": run_check}[options.action]
    problems = run(paths)
    for problem in problems:
        print(f"エラー: {problem}", file=sys.stderr)
    if problems:
        print(f"\n{len(problems)} 件の問題があります。", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
