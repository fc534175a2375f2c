"""What the front page's race runs with: one text in real tokens, and the speeds of the book."""

from __future__ import annotations

from typing import NamedTuple

import hayasa
from hayasa.catalog.reader import data_directory
from hayasa.units import significant

READER_CHARACTERS_PER_MINUTE = 500
"""Japanese, read in silence: the middle of the 400 to 600 that are widely quoted.

IReST has 357 for 36 adults who read aloud (doi:10.1167/iovs.11-8284), which is slower.
"""

EXO_FIRST_TOKEN_S = 2.91
"""Time to the first token of the row that lane 1 comes from, in its conditions: ``exo_day2-001``."""


class Lane(NamedTuple):
    """One line of the race.

    Parameters
    ----------
    name : str
        Machine and model.
    kind : str
        ``"measured"``, ``"bound"`` or ``"reader"``.
    tokens_per_s : float
        Speed.
    shown : str
        The same as it is written.
    first_token_s : float
        Seconds before the first token; 0 where that was not measured.
    """

    name: str
    kind: str
    tokens_per_s: float
    shown: str
    first_token_s: float = 0.0


def race_tokens() -> list[str]:
    """Return the tokens of the text, as DeepSeek-V3's tokenizer cuts it."""
    return (data_directory() / "race_tokens.txt").read_text(encoding="utf-8").splitlines()


def race_lanes() -> list[Lane]:
    """Return the lanes, slowest first."""
    measured = {row["id"]: row["decode_tokens_per_s"] for row in hayasa.measurements()}
    tokens = race_tokens()
    reader = READER_CHARACTERS_PER_MINUTE / 60 / (len("".join(tokens)) / len(tokens))
    # The article's 7B in 4 bits, whose speeds it writes without what stands behind the point.
    seven_b = hayasa.Model(id="7b", stated_parameters=7e9)
    mini, a100 = (
        hayasa.estimate(seven_b, id_, weights="int4", engine="ideal").decode_tokens_per_s_bound
        for id_ in ("apple-m4-10c", "a100-80gb-pcie")
    )
    lanes = [
        Lane("Mac mini 8台（DeepSeek-V3）", "measured", *_shown(measured["exo_day2-001"]), EXO_FIRST_TOKEN_S),
        Lane("人が黙って読む", "reader", *_shown(reader, 2)),
        Lane("Mac mini M4（Llama 2 7B）", "measured", *_shown(measured["llamacpp_apple_4167-067"])),
        Lane("Mac mini M4（7B、4ビット）", "bound", mini, str(int(mini))),
        Lane("A100（Llama 2 7B）", "measured", *_shown(measured["llamacpp_scoreboards-008"])),
        Lane("A100（7B、4ビット）", "bound", a100, str(int(a100))),
    ]
    return sorted(lanes, key=lambda lane: lane.tokens_per_s)


def _shown(tokens_per_s: float | None, digits: int = 3) -> tuple[float, str]:
    assert tokens_per_s
    return tokens_per_s, significant(tokens_per_s, digits)


def race_data() -> dict[str, object]:
    """Return what `web/race.mjs` imports, ready for JSON."""
    return {"tokens": race_tokens(), "lanes": [lane._asdict() for lane in race_lanes()]}
