"""The stored chapters: clean, and compared strictly by nbval."""

import copy
import os
import re
import shutil
import subprocess
import sys
from types import SimpleNamespace

import nbformat
import pytest
from nbval.plugin import IPyNbCell, IPyNbFile, coalesce_streams, nocolors

from tests.checks.report import expect_none
from tools import notebooks

# Cells that show a live timing, whose output cannot be the same twice.
LIVE_CELLS = 5
CHAPTERS = notebooks.chapter_paths()
by_chapter = pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)


@by_chapter
def test_stored_notebook_is_clean(path):
    expect_none(notebooks.check(path))


def test_outputs_are_ignored_only_where_time_is_measured(chapter_paths):
    tags = [
        tag for path in chapter_paths for cell in nbformat.read(path, 4).cells for tag in cell.metadata.get("tags", [])
    ]
    assert tags.count("nbval-ignore-output") == LIVE_CELLS


def skipped_by_nbval(request) -> tuple[str, ...]:
    """Return what nbval really leaves out of its comparison in this run."""
    return IPyNbFile.from_parent(request.session, path=CHAPTERS[0]).skip_compare


def accepts(stored_outputs, fresh_outputs, skipped) -> bool:
    """Ask nbval itself whether a fresh run of a cell equals its stored outputs."""
    cell = SimpleNamespace(
        parent=SimpleNamespace(skip_compare=skipped, sanitize_patterns={}),
        colors=nocolors,
        comparison_traceback=[],
        format_output_compare=lambda *_: None,
    )
    cell.sanitize = lambda text: IPyNbCell.sanitize(cell, text)
    return IPyNbCell.compare_outputs(
        cell, copy.deepcopy(fresh_outputs), coalesce_streams(copy.deepcopy(stored_outputs))
    )


def changed(text: str) -> list[str]:
    """Return the text with one of its numbers changed, for each; a figure's only once."""
    numbers = list(re.finditer(r"\d+", text))
    if text.lstrip().startswith("<"):
        numbers = numbers[len(numbers) // 2 :][:1]
    variants = [f"{text[: n.start()]}{int(n.group()) + 1}{text[n.end() :]}" for n in numbers]
    return variants or [text + " "]


def mutations(outputs):
    """Yield the outputs of a cell with one thing changed at a time."""
    for index, output in enumerate(outputs):
        yield outputs[:index] + outputs[index + 1 :]
        if output.output_type == "stream":
            for text in changed(output.text):
                yield [*outputs[:index], nbformat.from_dict(output | {"text": text}), *outputs[index + 1 :]]
        for mime_type, value in output.get("data", {}).items():
            for text in changed(value):
                data = output.data | {mime_type: text}
                yield [*outputs[:index], nbformat.from_dict(output | {"data": data}), *outputs[index + 1 :]]


@by_chapter
def test_any_changed_output_makes_the_comparison_fail(path, request):
    skipped = skipped_by_nbval(request)
    tried = 0
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type != "code":
            continue
        assert accepts(cell.outputs, cell.outputs, skipped)
        for mutation in mutations(cell.outputs):
            tried += 1
            assert not accepts(mutation, cell.outputs, skipped), f"{path.name}: {cell.id}: {mutation}"
    assert tried > 0


def run_nbval(path):
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--nbval",
        "-q",
        "-p",
        "no:cacheprovider",
        "-c",
        os.devnull,
        "--rootdir",
        str(path.parent),
        str(path),
    ]
    return subprocess.run(command, cwd=path.parent, capture_output=True, text=True)


def test_nbval_itself_fails_on_one_changed_number(tmp_path):
    path = tmp_path / CHAPTERS[0].name
    shutil.copy(CHAPTERS[0], path)
    notebook = nbformat.read(path, as_version=4)
    output = next(
        o for cell in notebook.cells if cell.cell_type == "code" for o in cell.outputs if o.output_type == "stream"
    )
    output.text = changed(output.text)[-1]
    nbformat.write(notebook, path)
    result = run_nbval(path)
    assert result.returncode == 1 and "1 failed" in result.stdout, result.stdout
