"""What may be written in `_quarto.yml`, at the head of a chapter and in the `#|` lines of a cell.

One table for the three: every key that press acts on, or may leave aside because it does not change
what a reader of the web site is told, and what its value may be. Whatever passes has its type, so
nothing behind this module has to look again.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

Complain = Callable[[str, str], None]  # message, advice


def _is_text(value: Any) -> bool:
    return isinstance(value, str | int | float | date) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


# kind -> what to write, and whether a value is of it
KINDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "text": ("文字列で書いてください", _is_text),
    "texts": (
        "文字列か、その並びを書いてください",
        lambda value: all(isinstance(v, str) and v.strip() for v in value) if isinstance(value, list) else _is_text(value),
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
        text="lang csl nocite",
        texts="bibliography filters",
        flag="link-citations number-sections toc",
        any="format language jupyter editor theme highlight-style lightbox",
    ),
    "project": _keys(
        text="type output-dir execute-dir title", texts="resources pre-render", any="render preview",
    ),
    "book": _keys(
        text="title subtitle date date-format description abstract repo-url repo-branch repo-subdir issue-url "
        "site-url favicon doi",
        texts="repo-actions",
        flag="page-navigation reader-mode",
        any="author chapters appendices search language sidebar open-graph twitter-card google-scholar",
    ),
    "crossref": _keys(any="chapters"),
    "execute": _keys(
        flag="eval echo warning error include", any="enabled output freeze cache daemon",
    ),
    "html": _keys(
        flag="toc number-sections code-line-numbers",
        count="toc-depth number-depth",
        text="toc-title code-summary code-overflow page-layout lang html-math-method fig-align",
        texts="css",
        any="theme toc-location code-fold code-tools code-copy code-link highlight-style link-external-newwindow "
        "link-external-icon smooth-scroll anchor-sections fig-width fig-height fig-dpi fig-responsive minimal "
        "respect-user-color-scheme mainfont monofont fontsize linestretch linkcolor grid date-format "
        "citations-hover footnotes-hover crossrefs-hover callout-icon callout-appearance reference-location "
        "citation-location lightbox df-print wrap execute",
    ),
    "chapter": _keys(
        room="execute",
        text="title subtitle date description abstract lang code-summary page-layout image",
        texts="bibliography",
        flag="toc",
        any="author format code-fold jupyter kernelspec aliases keywords",
    ),
    "cell": _keys(
        text="label fig-cap fig-align tbl-cap lst-label lst-cap code-summary code-overflow column",
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
    "code-fold": (True, False, "show", "hide"),
    "code-overflow": ("scroll", "wrap"),
    "column": ("margin", "body"),
    "output": (True, False, "asis"),
    "page-layout": ("article", "full"),
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
            complain(f"{shown}{key} には対応していません", f"この鍵を消すか、Quarto で作ってください。使えるのは {'、'.join(TABLE[room])} です")
        elif key == "format":
            fit[key] = _formats(value, shown, complain)
        elif not KINDS[kind][1](value):
            complain(f"{shown}{key}: {_as_written(value)} は使えない値です", KINDS[kind][0])
        elif key in CHOICES and value not in CHOICES[key]:
            allowed = "、".join(map(_as_written, CHOICES[key]))
            complain(f"{shown}{key}: {_as_written(value)} は使えない値です", f"{allowed} のどれかにしてください")
        else:
            fit[key] = checked(key, value, f"{shown}{key}: ", complain) if kind == "room" else value
    return fit


def _formats(value: Any, shown: str, complain: Complain) -> dict[str, Any]:
    """Of all formats only HTML matters here; `format: html` and `html: default` say nothing of it."""
    html = value.get("html") if isinstance(value, dict) else None
    return {"html": checked("html", html, f"{shown}html: ", complain) if isinstance(html, dict) else {}}


def _as_written(value: Any) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else "（空）" if value is None else str(value)
