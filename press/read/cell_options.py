"""The `#|` lines at the top of a code cell."""

from __future__ import annotations

import re
from itertools import takewhile
from typing import Any

import yaml

from press.read.config import yaml_reason
from press.read.settings import Complain, checked

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
    """A cell's source as (YAML of its options, code); like Quarto, `# | echo: false` is an option too."""
    lines = source.split("\n")
    marks = list(takewhile(bool, (re.match(r"#\s*\| ?", line) for line in lines)))
    options = [line[mark.end() :] for line, mark in zip(lines, marks, strict=False) if mark]
    return "\n".join(options), "\n".join(lines[len(marks) :]).strip("\n")


def read_options(option_yaml: str, tags: list[str], complain: Complain) -> dict[str, Any]:
    """Options of a cell; whatever is wrong with them is complained of."""
    options: dict[str, Any] = {}
    for tag in tags:
        options |= TAGS.get(tag, {})
    try:
        given = yaml.safe_load(option_yaml)
    except yaml.YAMLError as error:
        complain("#| の指定が YAML として読めません", yaml_reason(error))
        return options
    if given is not None and not isinstance(given, dict):
        complain(
            f"#| の指定 {option_yaml.strip()!r} が「鍵: 値」の形ではありません", "#| label: fig-x のように書いてください"
        )
        return options
    return options | checked("cell", given, "#| ", complain)
