"""Citations against the bibliography, both ways."""

import json
import re
from collections.abc import Iterable
from pathlib import Path

from press import pandoc
from tests.checks.chapters import Manuscript, without_code
from tests.checks.prose import CITATION

BIB_KEY = re.compile(r"^\s*@(?!comment|string|preamble)\w+\s*\{\s*([^,\s]+)\s*,", re.MULTILINE | re.IGNORECASE)


def read_bibliography(path: Path) -> dict[str, dict]:
    """Return the entries of a .bib file as pandoc understands them, by key."""
    text = pandoc.run("-f", "biblatex", "-t", "csljson", text=path.read_text(encoding="utf-8"))
    return {entry["id"]: entry for entry in json.loads(text)}


def cited_keys(manuscript: Manuscript) -> set[str]:
    """Return every key that a manuscript cites."""
    return {match.group()[1:].rstrip(":") for match in CITATION.finditer(without_code(manuscript.markdown))}


def problems(manuscripts: Iterable[Manuscript], bibliography: Path) -> list[str]:
    """Return citations without an entry, entries without a citation, address or date of access."""
    entries, result, cited = read_bibliography(bibliography), [], set()
    keys = BIB_KEY.findall(bibliography.read_text(encoding="utf-8"))
    result += [
        f"{bibliography.name}: @{key} が二度あります" for key in sorted({key for key in keys if keys.count(key) > 1})
    ]
    for manuscript in manuscripts:
        found = cited_keys(manuscript)
        cited |= found
        result += [
            f"{manuscript.name}: 文献 @{key} は {bibliography.name} にありません"
            for key in sorted(found - set(entries))
        ]
    for key, entry in entries.items():
        if not entry.get("URL"):
            result.append(f"{bibliography.name}: @{key} に url がありません")
        if not entry.get("accessed"):
            result.append(f"{bibliography.name}: @{key} に urldate がありません")
        if not entry.get("title"):
            result.append(f"{bibliography.name}: @{key} に title がありません")
        if key not in cited:
            result.append(f"{bibliography.name}: @{key} はどこからも引かれていません")
    return result
