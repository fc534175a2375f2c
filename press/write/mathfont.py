"""A mathematical font for machines that have none: the part of STIX Two Math that the book uses.

Without an OpenType MATH table parentheses do not stretch and roots do not close. The font (SIL
Open Font License 1.1) comes with the package ziamath.
"""

from __future__ import annotations

import html as entities
import io
import re
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from press.cache import Cache

if TYPE_CHECKING:
    from fontTools.ttLib import TTFont

ITALIC_CAPITAL, ITALIC_SMALL, ITALIC_GREEK = 0x1D434, 0x1D44E, 0x1D6FC
ALWAYS = "0123456789()[]{}|‖/+−-=<>≤≥≈×÷·,.√∑∏∫∞\u2061\u2062\u2063"


def math_characters(pages: list[str]) -> str:
    """The characters of all formulas; single letters as the italics that browsers turn them into."""
    found = set(ALWAYS)
    for page in pages:
        for formula in re.findall(r"<math\b.*?</math>", page, flags=re.S):
            drawn = re.sub(r"<mi>(.)</mi>", lambda letter: _italic(letter[1]), formula)
            found |= set("".join(entities.unescape(re.sub(r"<[^>]*>", "", drawn)).split()))
    return "".join(sorted(found))


def _italic(character: str) -> str:
    if character == "h":
        return "ℎ"
    for first, last, base in (("A", "Z", ITALIC_CAPITAL), ("a", "z", ITALIC_SMALL), ("α", "ω", ITALIC_GREEK)):
        if first <= character <= last:
            return chr(base + ord(character) - ord(first))
    return character


def math_font(characters: str, cache: Cache) -> bytes:
    """STIX Two Math cut down to `characters` (with their stretched forms), as WOFF2."""
    return cache.bytes("font", ["unhinted, one size of scripts", characters], lambda: _subset(characters))


def _subset(characters: str) -> bytes:
    from fontTools import subset
    from fontTools.ttLib import TTFont

    package = find_spec("ziamath")  # only its font file is wanted, so it is not imported
    if package is None or package.origin is None:
        raise FileNotFoundError("ziamath（数式の字形）が入っていません")
    path = Path(package.origin).with_name("fonts") / "STIXTwoMath-Regular.ttf"
    font = TTFont(path, recalcTimestamp=False)
    _leave_the_smallest(font)
    options = subset.Options(layout_features=["math", "ssty", "dtls", "flac", "kern"], notdef_outline=True)
    options.hinting = False  # a quarter of the file, for screens that hardly exist any more
    subsetter = subset.Subsetter(options)
    subsetter.populate(text=characters)
    subsetter.subset(font)
    font.flavor = "woff2"
    buffer = io.BytesIO()
    font.save(buffer)
    return buffer.getvalue()


def _leave_the_smallest(font: TTFont) -> None:
    """Take out the forms for scripts of scripts, a quarter of the file: they are drawn from the usual ones."""
    gsub = font["GSUB"].table
    scripts = {
        at
        for record in gsub.FeatureList.FeatureRecord
        if record.FeatureTag == "ssty"
        for at in record.Feature.LookupListIndex
    }
    for at in scripts:
        for table in gsub.LookupList.Lookup[at].SubTable:
            table.alternates = {glyph: forms[:1] for glyph, forms in table.alternates.items()}
