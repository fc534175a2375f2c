"""A style sheet without what a site has no use for: most of a theme's rules are for what a site has not got."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import tinycss2
from tinycss2 import ast

WORD = re.compile(r"[\w-]+", flags=re.A)
# What a selector asks for by name: a class, an id, the value of an attribute.
NAME = re.compile(r'[.#]((?:[\w-]|\\.)+)|\[[\w-]+~?="?([\w-]+)"?\]')
ARGUMENTS = re.compile(r"\([^()]*\)")
GROUPS = {"media", "supports", "layer", "container"}


def used_style(style: str, used: Iterable[str]) -> str:
    """Leave out rules for names, and variables, that nothing uses.

    Parameters
    ----------
    style
        The style sheet.
    used
        Every word of the site's pages, scripts and other style sheets. One that ends with a hyphen or an
        underscore stands for all that a script makes of it (``"md-status--" + name``).

    Returns
    -------
    str
        The style sheet, in the same order and without comments. What stands in parentheses (``:not(.a)``) asks for
        nothing, so that such a rule stays.
    """
    words = set(used)
    begun = tuple(word for word in words if word[-1] in "-_" and word.strip("-_"))

    def is_used(name: str) -> bool:
        return name in words or name.startswith(begun)

    def may_match(selector: str) -> bool:
        bare, found = selector, 1
        while found:
            bare, found = ARGUMENTS.subn("", bare)
        return all(is_used((name or value).replace("\\", "")) for name, value in NAME.findall(bare))

    matching = _filtered(style, may_match, lambda name: True)
    asked = set(re.findall(r"var\(\s*(--[\w-]+)", matching))
    return _filtered(
        matching, lambda selector: True, lambda name: not name.startswith("--") or name in asked or is_used(name)
    )


def _filtered(style: str, selects: Callable[[str], bool], declares: Callable[[str], bool]) -> str:
    nodes = tinycss2.parse_stylesheet(style, skip_comments=True, skip_whitespace=True)
    return "".join(_rules(nodes, selects, declares))


def _rules(nodes: list[Any], selects: Callable[[str], bool], declares: Callable[[str], bool]) -> Iterable[str]:
    for node in nodes:
        if isinstance(node, ast.QualifiedRule):
            selectors = [one for one in _selectors(node.prelude) if selects(one)]
            content = _content(node.content, declares) if selectors else ""
            if content:
                yield f"{','.join(selectors)}{{{content}}}\n"
        elif isinstance(node, ast.AtRule) and node.content is not None and node.lower_at_keyword in GROUPS:
            inner = tinycss2.parse_rule_list(node.content, skip_comments=True, skip_whitespace=True)
            if content := "".join(_rules(inner, selects, declares)):
                yield f"@{node.at_keyword}{tinycss2.serialize(node.prelude)}{{{content}}}\n"
        else:
            yield node.serialize() + "\n"


def _selectors(prelude: list[Any]) -> list[str]:
    parts: list[list[Any]] = [[]]
    for node in prelude:
        if node == ",":
            parts.append([])
        elif not isinstance(node, ast.Comment):
            parts[-1].append(node)
    return [tinycss2.serialize(part).strip() for part in parts]


def _content(nodes: list[Any], declares: Callable[[str], bool]) -> str:
    parts = tinycss2.parse_blocks_contents(nodes, skip_comments=True, skip_whitespace=True)
    if not all(isinstance(part, ast.Declaration) for part in parts):
        return str(tinycss2.serialize(nodes))
    return ";".join(
        f"{part.name}:{tinycss2.serialize(part.value).strip()}{'!important' * part.important}"
        for part in parts
        if declares(part.name)
    )
