"""One look for every figure of the book.

A chapter calls :func:`use_book_style` once.  After that ``plt.show()`` stores an
SVG that is the same, byte for byte, on every run with the pinned versions.
"""

from typing import Any

import matplotlib as mpl
import matplotlib_fontja  # type: ignore[import-untyped]
from cycler import cycler
from IPython import get_ipython
from IPython.core.interactiveshell import InteractiveShell
from matplotlib import font_manager
from matplotlib_fontja.matplotlib_fontja import FONT_NAME  # type: ignore[import-untyped]

# Okabe and Ito's palette: the colours stay apart for colour-blind readers too.
# Shape, hatch or a label has to carry the meaning as well.
BLUE = "#0072B2"
ORANGE = "#D55E00"
GREEN = "#009E73"
SKY = "#56B4E9"
YELLOW = "#E69F00"
INK = "#222222"
GREY = "#767676"
LIGHT = "#D9D9D9"

_RC: dict[Any, Any] = {
    "figure.figsize": (6.4, 3.6),
    "figure.dpi": 100,
    # Opaque white, so that a figure stays readable on a dark page.
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.w_pad": 0.12,
    "figure.constrained_layout.h_pad": 0.12,
    # Large enough to be read on a phone, where a figure shrinks to about 60 %.
    "font.size": 14,
    "axes.titlesize": 14,
    "axes.titlelocation": "left",
    "axes.labelsize": 13,
    "xtick.labelsize": 13,
    "ytick.labelsize": 13,
    "legend.fontsize": 13,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.prop_cycle": cycler(color=[BLUE, ORANGE, GREEN, SKY, YELLOW]),
    "axes.axisbelow": True,
    "grid.color": LIGHT,
    "lines.linewidth": 2.2,
    "hatch.linewidth": 0.8,
    "axes.unicode_minus": False,
    # Text as paths: no page depends on a font of the reader.  A fixed salt: the
    # ids inside the SVG would otherwise be drawn at random on every run.
    "svg.fonttype": "path",
    "svg.hashsalt": "hayasa",
}

# No date and no program version: the same input has to give the same bytes.
SVG_METADATA: Any = {"Date": None, "Creator": None, "Format": None, "Type": None}


def use_book_style() -> None:
    """Give figures the looks of the book and store them as SVG in notebooks.

    Sets the Japanese font, sizes and colours.  In a notebook it also makes the
    inline backend write deterministic SVG; elsewhere that part is left out.
    Neither settings nor fonts of the machine show in a figure.
    """
    mpl.rcdefaults()
    # The machine's own copy of the font may be another version.
    fonts = font_manager.fontManager
    fonts.ttflist = [font for font in fonts.ttflist if font.name != FONT_NAME]
    matplotlib_fontja.japanize()
    mpl.rcParams.update(_RC)
    if (shell := get_ipython()) is not None:
        _store_svg(shell)


def _store_svg(shell: InteractiveShell) -> None:
    from matplotlib_inline.config import InlineBackend

    # The magic comes first: activating the backend would undo the settings below.
    shell.run_line_magic("matplotlib", "inline")
    backend = InlineBackend.instance(parent=shell)
    save: Any = {"bbox_inches": None, "metadata": SVG_METADATA}
    backend.print_figure_kwargs = save
    backend.figure_formats = {"svg"}
