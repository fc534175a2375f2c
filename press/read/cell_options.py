"""The `#|` lines at the top of a code cell."""

from __future__ import annotations

from typing import Any

import yaml

from press.read.config import yaml_reason

# name -> what its value may be. Options that steer execution are known and have no effect here:
# the outputs are stored.
TEXT, FLAG, NUMBER, LIST = str, bool, int, list
OPTIONS: dict[str, tuple[type, ...]] = {
    "label": (TEXT,),
    "echo": (FLAG,),
    "include": (FLAG,),
    "eval": (FLAG,),
    "output": (FLAG, TEXT),
    "warning": (FLAG,),
    "message": (FLAG,),
    "error": (FLAG,),
    "fig-cap": (TEXT,),
    "fig-subcap": (LIST, TEXT),
    "fig-alt": (TEXT, LIST),
    "fig-align": (TEXT,),
    "fig-width": (NUMBER, float),
    "fig-height": (NUMBER, float),
    "tbl-cap": (TEXT,),
    "tbl-subcap": (LIST, TEXT),
    "lst-label": (TEXT,),
    "lst-cap": (TEXT,),
    "code-fold": (FLAG, TEXT),
    "code-summary": (TEXT,),
    "code-line-numbers": (FLAG,),
    "code-overflow": (TEXT,),
    "layout-ncol": (NUMBER,),
    "layout-nrow": (NUMBER,),
    "layout": (TEXT, LIST),
    "tags": (LIST,),
}
ALLOWED_TEXT = {"code-fold": {"show", "hide"}, "output": {"asis"}, "code-overflow": {"scroll", "wrap"}}
# Jupyter tags that Quarto reads as options.
TAGS = {
    "hide-cell": {"include": False},
    "remove-cell": {"include": False},
    "hide-code": {"echo": False},
    "hide-output": {"output": False},
    "hide-warnings": {"warning": False},
    "show-code": {"echo": True},
    "show-output": {"output": True},
    "show-warnings": {"warning": True},
}


def split_options(source: str) -> tuple[str, str]:
    """A cell's source as (YAML of its options, code)."""
    lines = source.split("\n")
    count = 0
    while count < len(lines) and lines[count].startswith("#|"):
        count += 1
    option_yaml = "\n".join(line[2:].removeprefix(" ") for line in lines[:count])
    return option_yaml, "\n".join(lines[count:]).strip("\n")


def read_options(option_yaml: str, tags: list[str]) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Options of a cell, and (message, advice) for each that is wrong."""
    options: dict[str, Any] = {}
    for tag in tags:
        options |= TAGS.get(tag, {})
    try:
        given = yaml.safe_load(option_yaml) or {}
    except yaml.YAMLError as error:
        return options, [("#| の指定が YAML として読めません", yaml_reason(error))]
    if not isinstance(given, dict):
        return options, [
            (
                f"#| の指定 {option_yaml.strip()!r} が「鍵: 値」の形ではありません",
                "#| label: fig-x のように書いてください",
            )
        ]
    wrong = [complaint for key, value in given.items() if (complaint := _complaint(str(key), value))]
    return options | {str(key): value for key, value in given.items()}, wrong


def _complaint(key: str, value: Any) -> tuple[str, str] | None:
    if key not in OPTIONS:
        return (f"#| {key} には対応していません", f"使えるのは {'、'.join(OPTIONS)} です")
    kinds = OPTIONS[key]
    if type(value) not in kinds:
        names = {str: "文字列", bool: "true か false", int: "整数", float: "小数", list: "並び"}
        expected = "、".join(names[kind] for kind in kinds)
        return (f"#| {key}: {value!r} は使えない値です", f"{expected}で書いてください")
    if isinstance(value, str) and key in ALLOWED_TEXT and value not in ALLOWED_TEXT[key]:
        return (f"#| {key}: {value} は使えない値です", f"{'、'.join(sorted(ALLOWED_TEXT[key]))} のどれかにしてください")
    return None
