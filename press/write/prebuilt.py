"""A Python-Markdown extension: pages come as HTML, only their headings are told to the theme.

The site generator reads Markdown. press has HTML already, made by pandoc, and Markdown would
misread parts of it (blank lines in code, underscores, backslashes). So every piece between
headings goes through untouched, and the headings become elements, which is what the page's table
of contents, the search index and the anchors are made from.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as etree
from typing import Any

from markdown import Markdown
from markdown.extensions import Extension
from markdown.preprocessors import Preprocessor
from markdown.treeprocessors import Treeprocessor

from press.write import CUT

HEADING = re.compile(r"<(h[1-6])\s*([^>]*)>(.*)</\1>", flags=re.S)
ATTRIBUTE = re.compile(r'([\w-]+)="([^"]*)"')


class _TakeAll(Preprocessor):  # type: ignore[misc]
    """Before anything else reads the text: keep it, leave nothing."""

    def run(self, lines: list[str]) -> list[str]:
        self.md.press_html = "\n".join(lines)
        return []


class _PutBack(Treeprocessor):  # type: ignore[misc]
    def run(self, root: etree.Element) -> None:
        for index, piece in enumerate(self.md.press_html.split(CUT)):
            heading = HEADING.fullmatch(piece.strip()) if index % 2 else None
            if heading:
                element = etree.SubElement(root, heading[1], dict(ATTRIBUTE.findall(heading[2])))
                element.text = self.md.htmlStash.store(heading[3])
            elif piece.strip():
                etree.SubElement(root, "p").text = self.md.htmlStash.store(self._as_block(piece.strip()))

    def _as_block(self, html: str) -> str:
        """Python-Markdown drops the paragraph around what begins with a block element."""
        tag = re.match(r"<([a-z][a-z0-9]*)", html)
        is_block = tag is not None and self.md.is_block_level(tag[1])
        return html if is_block else f"<div>{html}</div>"


class Prebuilt(Extension):  # type: ignore[misc]
    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802 (the name is Python-Markdown's)
        md.preprocessors.register(_TakeAll(md), "press_take_all", 1000)
        md.treeprocessors.register(_PutBack(md), "press_put_back", 1000)


def makeExtension(**options: Any) -> Prebuilt:  # noqa: N802
    return Prebuilt(**options)
