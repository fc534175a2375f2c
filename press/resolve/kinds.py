"""The kinds of things that can be numbered, as Quarto names them by the prefix of their labels."""

from __future__ import annotations

import re

# prefix -> key of the word that stands in captions, titles and references
TITLE_WORD = {
    "fig": "crossref-fig-title",
    "tbl": "crossref-tbl-title",
    "lst": "crossref-lst-title",
    "thm": "crossref-thm-title",
    "lem": "crossref-lem-title",
    "cor": "crossref-cor-title",
    "prp": "crossref-prp-title",
    "cnj": "crossref-cnj-title",
    "def": "crossref-def-title",
    "exm": "crossref-exm-title",
    "exr": "crossref-exr-title",
    "alg": "crossref-alg-title",
    "prf": "environment-proof-title",
    "rem": "environment-remark-title",
    "sol": "environment-solution-title",
    "nte": "callout-note-title",
    "tip": "callout-tip-title",
    "wrn": "callout-warning-title",
    "imp": "callout-important-title",
    "cau": "callout-caution-title",
}
CALLOUTS = {"note": "nte", "tip": "tip", "warning": "wrn", "important": "imp", "caution": "cau"}
THEOREMS = {"thm", "lem", "cor", "prp", "cnj", "def", "exm", "exr", "alg"}
PROOFS = {"proof": "prf", "remark": "rem", "solution": "sol"}
FLOATS = {"fig", "tbl", "lst"}
KINDS = {"sec", "eq", *TITLE_WORD}

LABEL = re.compile(rf"^(?P<kind>{'|'.join(sorted(KINDS))})-[^\s{{}}]+$", flags=re.I)


def kind_of(label: str) -> str | None:
    """The kind that a label's prefix names, e.g. "fig" for "fig-roofline"."""
    found = LABEL.match(label)
    return found["kind"].lower() if found else None


def reference_word(kind: str, words: dict[str, str]) -> str:
    """The word before the number in a reference: the prefix if the book sets one, else the title."""
    prefix = words.get(f"crossref-{kind}-prefix")
    return prefix if prefix is not None else words[TITLE_WORD[kind]]
