"""What may be written in `_quarto.yml`, at the head of a chapter and in the `#|` lines of a cell.

One table for the three: every key that press acts on, or may leave aside because it does not change
what a reader of the web site is told, and what its value may be. Whatever passes has its type, so
nothing behind this module has to look again.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Any

Complain = Callable[[str, str], None]  # message, advice


def _is_text(value: Any) -> bool:
    return isinstance(value, str | int | float | date) and not isinstance(value, bool)


def _is_author(value: Any) -> bool:
    return isinstance(value.get("name") if isinstance(value, dict) else value, str)


def _is_day(value: Any) -> bool:
    """Quarto reads days in many ways; each has a year in it, or is a word that stands for a day."""
    return _is_text(value) and bool(re.search(r"\d{4}|^(today|now|last-modified)$", str(value)))


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_format(value: Any) -> bool:
    return value is None or value == "default" or isinstance(value, dict)


# kind -> what to write, and whether a value is of it
KINDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "text": ("文字列で書いてください", _is_text),
    "texts": (
        "文字列か、その並びを書いてください",
        lambda value: all(isinstance(v, str) and v.strip() for v in value) if isinstance(value, list) else _is_text(value),
    ),
    "strings": (
        "文字列か、その並びを書いてください（数などは引用符で囲みます）",
        lambda value: all(isinstance(v, str) and v.strip() for v in (value if isinstance(value, list) else [value])),
    ),
    "day": ("2026-11-22 のように書いてください", _is_day),
    "picture": ("画像のファイル名か、true か false を書いてください", lambda value: isinstance(value, str | bool)),
    "kernel": (
        "python3 のようにカーネルの名前を書くか、true か false、または kernelspec: の組を書いてください",
        lambda value: isinstance(value, str | bool | dict),
    ),
    "mapping": ("「鍵: 値」の組を書いてください", lambda value: isinstance(value, dict)),
    "format": (
        "html か、html: とその設定の組を書いてください（形式ごとの設定は、default か「鍵: 値」の組です）",
        lambda value: value == "html" or (isinstance(value, dict) and all(map(_is_format, value.values()))),
    ),
    # It names a file, too.
    "label": ("fig-x のように、空白と / \\ { } を使わずに書いてください", lambda value: _is_text(value) and bool(re.fullmatch(r"[^\s/\\{}]+", str(value)))),
    "language": ("ja や en-US のように書いてください", lambda value: bool(re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]+)*", str(value)))),
    "authors": (
        "名前か、name: 名前、またはその並びを書いてください",
        lambda value: all(map(_is_author, value if isinstance(value, list) else [value])),
    ),
    "words": (
        "「鍵: 言葉」の組か、その組を書いた YAML ファイルの名前を書いてください",
        lambda value: isinstance(value, str) or (isinstance(value, dict) and all(map(_is_text, value.values()))),
    ),
    "flag": ("true か false を書いてください", lambda value: isinstance(value, bool)),
    "count": ("1 以上の整数で書いてください", _is_count),
    "number": ("数で書いてください", lambda value: isinstance(value, int | float) and not isinstance(value, bool)),
    "list": ("並びを書いてください", lambda value: isinstance(value, list)),
    "room": ("字下げを確かめて、「鍵: 値」の形で書いてください", lambda value: value is None or isinstance(value, dict)),
    "any": ("", lambda value: True),
}  # fmt: skip


def _keys(**kinds: str) -> dict[str, str]:
    return {key: kind for kind, keys in kinds.items() for key in keys.split()}


TABLE: dict[str, dict[str, str]] = {
    "": _keys(
        room="project book execute crossref",
        language="lang",
        words="language",
        text="csl nocite image image-alt epub-cover-image",
        strings="bibliography filters",
        flag="link-citations citeproc number-sections toc",
        format="format",
        kernel="jupyter",
        any="editor theme highlight-style lightbox",
    ),
    "project": _keys(
        text="type output-dir execute-dir title", strings="resources pre-render", any="render preview",
    ),
    "book": _keys(
        text="title subtitle date-format description abstract repo-url repo-branch repo-subdir issue-url "
        "site-url favicon doi",
        day="date",
        strings="repo-actions",
        flag="page-navigation reader-mode",
        authors="author",
        words="language",
        any="chapters appendices search sidebar open-graph twitter-card google-scholar",
    ),
    "crossref": _keys(any="chapters"),
    "execute": _keys(
        flag="eval echo warning error include", any="enabled output freeze cache daemon",
    ),
    "html": _keys(
        flag="toc number-sections code-line-numbers code-link link-external-newwindow link-external-icon smooth-scroll "
        "anchor-sections fig-responsive minimal respect-user-color-scheme citations-hover footnotes-hover crossrefs-hover callout-icon",
        count="toc-depth number-depth",
        number="fig-width fig-height fig-dpi",
        text="toc-title code-summary code-overflow page-layout lang html-math-method fig-align date-format",
        strings="css",
        any="theme toc-location code-fold code-tools code-copy highlight-style "
        "mainfont monofont fontsize linestretch linkcolor grid callout-appearance reference-location "
        "citation-location lightbox df-print wrap execute",
    ),
    "chapter": _keys(
        room="execute",
        language="lang",
        text="title subtitle description abstract code-summary page-layout nocite",
        strings="bibliography aliases keywords",
        day="date",
        picture="image",
        flag="toc",
        authors="author",
        format="format",
        kernel="jupyter",
        mapping="kernelspec",
        any="code-fold",
    ),
    # A folder of slides: its `_quarto.yml`, what stands there under `revealjs`, the head of a deck.
    "decks": _keys(room="project", language="lang", text="author", format="format"),
    "revealjs": _keys(
        text="theme html-math-method footer", strings="css", count="width height", flag="slide-number hash controls center",
        number="margin",
    ),
    "deck": _keys(text="title subtitle", day="date", authors="author"),
    "cell": _keys(
        label="label lst-label",
        text="fig-cap fig-align tbl-cap lst-cap code-summary code-overflow column",
        texts="fig-subcap fig-alt tbl-subcap",
        flag="echo include eval warning message error code-line-numbers",
        number="fig-width fig-height",
        count="layout-ncol layout-nrow",
        any="output code-fold layout",
        list="tags",
    ),
}  # fmt: skip
# Keys that take only some values, wherever they stand.
CHOICES: dict[str, tuple[Any, ...]] = {
    "citeproc": (True,),  # press knows no other way
    "code-fold": (True, False, "show", "hide"),
    "code-overflow": ("scroll", "wrap"),
    "column": ("margin", "body"),
    "output": (True, False, "asis"),
    "page-layout": ("article", "full"),
    "repo-actions": ("edit", "source", "issue", "none"),
}


def checked(room: str, given: Any, shown: str, complain: Complain) -> dict[str, Any]:
    """Return what of `given` is fit for use.

    Parameters
    ----------
    room
        A key of `TABLE`.
    given
        What YAML made of the settings.
    shown
        What stands before a key in a complaint, "設定 book: " or "#| ".
    complain
        Called for each key that is not known and each value that is of another kind.
    """
    if not isinstance(given, dict):
        if given is not None:
            complain(f"{shown.rstrip(': ')}の中身が「鍵: 値」の形ではありません", KINDS["room"][0])
        return {}
    fit: dict[str, Any] = {}
    for key, value in given.items():
        kind = TABLE[room].get(str(key))
        if kind is None:
            complain(
                f"{shown}{key} には対応していません",
                f"この鍵を消すか、Quarto で作ってください。使えるのは {'、'.join(TABLE[room])} です",
            )
        elif not KINDS[kind][1](value):
            complain(f"{shown}{key}: {_as_written(value)} は使えない値です", KINDS[kind][0])
        elif key in CHOICES and any(
            v not in CHOICES[key] for v in (value if kind == "strings" and isinstance(value, list) else [value])
        ):
            allowed = "、".join(map(_as_written, CHOICES[key]))
            complain(f"{shown}{key}: {_as_written(value)} は使えない値です", f"{allowed} のどれかにしてください")
        elif kind == "format":
            fit[key] = _formats(value, shown, complain)
        else:
            fit[key] = checked(key, value, f"{shown}{key}: ", complain) if kind == "room" else _as_text(kind, value)
    return fit


def _as_text(kind: str, value: Any) -> Any:
    """A number or a date where text stands is what was written."""
    return str(value) if kind in ("text", "texts", "label") and not isinstance(value, list) else value


def _formats(value: Any, shown: str, complain: Complain) -> dict[str, Any]:
    """The formats that press makes pages of; `format: html` and `html: default` say nothing of theirs."""
    said = value if isinstance(value, dict) else {}
    return {
        name: checked(name, said.get(name), f"{shown}{name}: ", complain) if isinstance(said.get(name), dict) else {}
        for name in ("html", "revealjs")
        if name == "html" or name in said
    }


def _as_written(value: Any) -> str:
    return (
        {True: "true", False: "false"}[value] if isinstance(value, bool) else "（空）" if value is None else str(value)
    )
