"""Draw the picture that a shared link shows: ``python -m tools.share_picture``.

It is the front page's race one second after the start, as `web/race.mjs` draws it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib.pyplot as plt

from hayasa.book.figures import BLUE, GREEN, GREY, INK, LIGHT, ORANGE, use_book_style
from tools.page.race import race_lanes, race_tokens

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "images" / "share.png"
WIDTH, HEIGHT = 1200, 630  # pixels, as the services that show links ask for
MOMENT_S = 1.0
COLORS = {"measured": BLUE, "bound": ORANGE, "reader": GREEN}
KINDS = {"measured": "実測", "bound": "上限", "reader": "およそ"}


def draw(path: Path) -> None:
    """Write the picture."""
    use_book_style()
    fig = plt.figure(figsize=(WIDTH / 100, HEIGHT / 100), dpi=100, layout="none")
    axes = fig.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, WIDTH), ylim=(HEIGHT, 0))
    axes.axis("off")
    axes.text(60, 92, "LLMの推論はなぜこの速さなのか", fontsize=34, va="center")
    axes.text(60, 150, f"同じ文章を書きはじめて、{MOMENT_S:.0f}秒後", fontsize=21, color=GREY, va="center")
    lanes, total = race_lanes(), len(race_tokens())
    for index, lane in enumerate(lanes):
        y = 205 + index * 70
        written = min(total, int(max(0.0, MOMENT_S - lane.first_token_s) * lane.tokens_per_s))
        axes.text(60, y, lane.name, fontsize=19, va="center")
        axes.text(
            1140, y, f"{KINDS[lane.kind]} {lane.shown} トークン/秒", fontsize=18, color=INK, ha="right", va="center"
        )
        axes.barh(y + 28, 1080, left=60, height=14, color=LIGHT)
        axes.barh(y + 28, 1080 * written / total, left=60, height=14, color=COLORS[lane.kind])
    # No program version: the same input has to give the same picture.
    fig.savefig(path, metadata={"Software": None})
    plt.close(fig)


if __name__ == "__main__":
    draw(Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURE)
