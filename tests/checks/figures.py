"""Descriptions of figures and tables: what a reader has who does not see them."""

import re

from tests.checks.chapters import Manuscript, options, without_code

SHORTEST_ALT = 20
IMAGE = re.compile(r"!\[(?P<caption>[^\]]*)\]\((?P<target>[^)\s]+)[^)]*\)(?:\{(?P<attributes>[^}]*)\})?")
ALT = re.compile(r'(?:fig-alt|alt)="([^"]*)"')
PIPE_TABLE = re.compile(r"^\|[-: |]+\|$", re.MULTILINE)


def alt_problem(alt: str, caption: str) -> str | None:
    """Return what is wrong with an alt text, or None."""
    if not alt.strip():
        return "fig-alt がありません。何が描かれ、何が読み取れるかを書いてください"
    if alt.strip() == caption.strip():
        return "fig-alt が図の題と同じです。題にないことを書いてください"
    if len(alt) < SHORTEST_ALT:
        return f"fig-alt が短すぎます ({len(alt)} 字)。何が読み取れるかまで書いてください"
    return None


def problems(chapter: Manuscript) -> list[str]:
    """Return every figure and table of a manuscript that lacks a label, caption or alt text."""
    result = []
    for index, cell in enumerate(chapter.cells):
        where = f"{chapter.name}: セル {index + 1} ({cell.get('id', '-')})"
        if cell.cell_type == "code":
            result += [f"{where}: {problem}" for problem in cell_problems(cell)]
            continue
        for image in IMAGE.finditer(without_code(cell.source)):
            alt = ALT.search(image["attributes"] or "")
            problem = alt_problem(alt.group(1) if alt else "", image["caption"])
            if problem:
                result.append(f"{where}: {image['target']}: {problem}")
    return result


def cell_problems(cell) -> list[str]:
    """Return what the outputs of a code cell lack."""
    given = options(cell)
    label, result = str(given.get("label", "")), []
    mime_types = {mime_type for output in cell.outputs for mime_type in output.get("data", {})}
    if any(mime_type.startswith("image/") for mime_type in mime_types):
        if not label.startswith("fig-"):
            result.append("図に `#| label: fig-…` がありません")
        if not str(given.get("fig-cap", "")).strip():
            result.append("図に `#| fig-cap:` がありません")
        alts, captions = given.get("fig-alt", ""), given.get("fig-cap", "")
        alts = alts if isinstance(alts, list) else [alts]
        result += filter(None, (alt_problem(str(alt), str(captions)) for alt in alts))
    tables = [output for output in cell.outputs if PIPE_TABLE.search(output.get("data", {}).get("text/markdown", ""))]
    if tables and not (label.startswith("tbl-") and str(given.get("tbl-cap", "")).strip()):
        result.append("表に `#| label: tbl-…` と `#| tbl-cap:` がありません")
    return result
