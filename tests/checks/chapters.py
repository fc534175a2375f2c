"""What the checks need to know about a manuscript: its prose, its cells, its options."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
import yaml
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parents[2]
OPTION = re.compile(r"^#\| ?(.*)$")


@dataclass(frozen=True)
class Manuscript:
    """A chapter or page: its name in messages and its cells."""

    name: str
    cells: tuple[NotebookNode, ...]

    @property
    def code_cells(self) -> list[NotebookNode]:
        return [cell for cell in self.cells if cell.cell_type == "code"]

    @property
    def markdown(self) -> str:
        return "\n\n".join(cell.source for cell in self.cells if cell.cell_type == "markdown")


def read(path: Path) -> Manuscript:
    """Read a notebook, or a page that is all Markdown."""
    name = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name
    if path.suffix == ".ipynb":
        return Manuscript(name, tuple(nbformat.read(path, as_version=4).cells))
    text = path.read_text(encoding="utf-8")
    return Manuscript(name, (nbformat.v4.new_markdown_cell(text),))


def manuscript_paths(root: Path = ROOT) -> list[Path]:
    """Return every source of the book in the order of `_quarto.yml`."""
    config = yaml.safe_load((root / "_quarto.yml").read_text(encoding="utf-8"))
    return [root / name for name in _files([config["book"]["chapters"], config["book"].get("appendices", [])])]


def _files(entry: object) -> Iterator[str]:
    if isinstance(entry, str) and entry.endswith((".ipynb", ".qmd")):
        yield entry
    elif isinstance(entry, list):
        for item in entry:
            yield from _files(item)
    elif isinstance(entry, dict):
        for key in ("part", "file", "href", "chapters"):
            yield from _files(entry.get(key))


def options(cell: NotebookNode) -> dict[str, object]:
    """Return the `#|` options of a code cell."""
    lines = []
    for line in cell.source.splitlines():
        match = OPTION.match(line)
        if not match:
            break
        lines.append(match.group(1))
    return yaml.safe_load("\n".join(lines)) or {}


def output_texts(cell: NotebookNode) -> Iterator[str]:
    """Yield what a reader can read in the outputs of a cell; figures are left out."""
    for output in cell.outputs:
        if output.output_type == "stream":
            yield output.text
        elif output.output_type in ("execute_result", "display_data"):
            data = output.data
            yield data.get("text/markdown") or data.get("text/latex") or data.get("text/plain", "")


def without_code(markdown: str) -> str:
    """Blank out code blocks and code spans, keeping the lines where they are."""
    blank = re.compile(r"^(`{3,}|~{3,}).*?^\1[`~]*\s*$|(`+)[^`].*?\2", re.MULTILINE | re.DOTALL)
    return blank.sub(lambda match: "\n" * match.group().count("\n"), markdown)
