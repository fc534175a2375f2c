"""The modules of the page can be joined into one script: every name at the top of one is its own."""

import re
from collections import defaultdict
from pathlib import Path

from tests.checks.report import expect_none

TOP = re.compile(r"^(?:export )?(?:async )?(?:const|let|function|class) (\w+)", re.MULTILINE)
RENAMED = re.compile(r"^import \{[^}]*\bas\b[^}]*\}", re.MULTILINE)
LANGUAGES = re.compile(r"\.toLocale\w+|\bIntl\.\w+")


def clashes(folder: Path) -> list[str]:
    """Return the names that more than one module has at its top, and imports under another name."""
    owners, found = defaultdict(list), []
    for path in sorted(folder.glob("*.mjs")):
        text = path.read_text(encoding="utf-8")
        for name in TOP.findall(text):
            owners[name].append(path.name)
        found += [f"{path.name}: {renamed[0]}: 別の名前での import は使えません" for renamed in RENAMED.finditer(text)]
    assert owners
    return found + [f"{name}: {'、'.join(modules)}" for name, modules in owners.items() if len(modules) > 1]


def test_no_name_stands_at_the_top_of_two_modules(root):
    expect_none(clashes(root / "web"))


def test_a_name_that_stands_twice_is_noticed(tmp_path):
    (tmp_path / "a.mjs").write_text('import { f as g } from "./b.mjs";\n\nconst one = 1;\n', encoding="utf-8")
    (tmp_path / "b.mjs").write_text("export function f() {}\n\nexport const one = 1;\n", encoding="utf-8")
    assert len(clashes(tmp_path)) == 2


def asked_of_languages(folder: Path) -> list[str]:
    """Return where a module asks for the ways of a language, which takes a browser longer than all else on a page."""
    texts = {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.mjs"))}
    return [
        f"{name}: {found}: commas.mjs の withCommas を使ってください"
        for name, text in texts.items()
        for found in LANGUAGES.findall(text)
    ]


def test_numbers_are_written_without_the_ways_of_all_languages(root, tmp_path):
    expect_none(asked_of_languages(root / "web"))
    (tmp_path / "a.mjs").write_text('const one = (1e3).toLocaleString("en-US");\nnew Intl.NumberFormat();\n', "utf-8")
    assert len(asked_of_languages(tmp_path)) == 2
