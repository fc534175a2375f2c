"""Whether a file is what a browser draws as an image, by its content."""

from __future__ import annotations

import re
from pathlib import PurePath
from xml.etree import ElementTree

SUFFIXES = {".svg", ".png", ".jpg", ".jpeg", ".gif", ".webp", ".avif"}
PIXELS = re.compile(rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|GIF8[79]a|RIFF.{4}WEBP|.{4}ftypavi[fs]", flags=re.S)
SVG_ROOT = "{http://www.w3.org/2000/svg}svg"  # without its name space a browser shows nothing


def is_image(name: str, content: bytes) -> bool:
    """A file called .svg has to be SVG to its end; which kind of pixels the others hold, a browser finds out itself."""
    if PurePath(name).suffix.lower() != ".svg":
        return bool(PIXELS.match(content))
    try:
        return ElementTree.fromstring(content).tag == SVG_ROOT
    except (ElementTree.ParseError, ValueError, LookupError):  # the last for an encoding that nobody knows
        return False
