"""Draw the picture that a shared link shows, and the cover of the EPUB: ``python -m tools.share_picture``.

Both are the front page's race one second after the start, as `web/race.mjs` draws it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from hayasa.book.figures import BLUE, GREEN, GREY, INK, LIGHT, ORANGE, use_book_style
from tools.page.race import race_lanes, race_tokens

ROOT = Path(__file__).resolve().parent.parent
PICTURE, COVER = (ROOT / "images" / name for name in ("share.png", "cover.png"))
WIDTH, HEIGHT = 1200, 630  # pixels, as the services that show links ask for
COVER_HEIGHT = 1800  # of the same width, as the shops for books ask for
MOMENT_S = 1.0
MOMENT = f"同じ文章を書きはじめて、{MOMENT_S:.0f}秒後"
COLORS = {"measured": BLUE, "bound": ORANGE, "reader": GREEN}
KINDS = {"measured": "実測", "bound": "上限", "reader": "およそ"}


def draw(path: Path) -> None:
    """Write the picture of a link."""
    with _sheet(path, HEIGHT) as axes:
        axes.text(60, 92, "LLMの推論はなぜこの速さなのか", fontsize=34, va="center")
        axes.text(60, 150, MOMENT, fontsize=21, color=GREY, va="center")
        _lanes(axes, top=205, step=70, size=19)


def draw_cover(path: Path) -> None:
    """Write the cover: the title of the book and the same race, on a sheet of a book's shape."""
    with _sheet(path, COVER_HEIGHT) as axes:
        axes.barh(20, WIDTH, height=40, color=BLUE)
        axes.text(60, 240, "LLMの推論は", fontsize=66, va="center")
        axes.text(60, 380, "なぜこの速さなのか", fontsize=66, va="center")
        axes.text(60, 520, "メモリ帯域幅から考える、実行できる本", fontsize=32, color=GREY, va="center")
        axes.text(60, 760, MOMENT, fontsize=26, color=GREY, va="center")
        _lanes(axes, top=850, step=130, size=27)
        axes.text(60, 1730, "hayasa contributors", fontsize=26, color=GREY, va="center")


@contextmanager
def _sheet(path: Path, height: int) -> Iterator[Axes]:
    """Axes in pixels, from the upper left corner, that are saved as a picture."""
    use_book_style()
    fig = plt.figure(figsize=(WIDTH / 100, height / 100), dpi=100, layout="none")
    axes = fig.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, WIDTH), ylim=(height, 0))
    axes.axis("off")
    yield axes
    # No program version: the same input has to give the same picture.
    fig.savefig(path, metadata={"Software": None})
    plt.close(fig)


def _lanes(axes: Axes, top: int, step: int, size: int) -> None:
    """Draw each lane of the race: its name, its speed, what it has written."""
    total, tall = len(race_tokens()), step // 5
    for index, lane in enumerate(race_lanes()):
        y = top + index * step
        written = min(total, int(max(0.0, MOMENT_S - lane.first_token_s) * lane.tokens_per_s))
        axes.text(60, y, lane.name, fontsize=size, va="center")
        axes.text(
            1140,
            y,
            f"{KINDS[lane.kind]} {lane.shown} トークン/秒",
            fontsize=size - 1,
            color=INK,
            ha="right",
            va="center",
        )
        axes.barh(y + 2 * tall, 1080, left=60, height=tall, color=LIGHT)
        axes.barh(y + 2 * tall, 1080 * written / total, left=60, height=tall, color=COLORS[lane.kind])


if __name__ == "__main__":
    draw(PICTURE)
    draw_cover(COVER)
