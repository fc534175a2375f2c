"""The figures of the chapters that a slider moves, in a reader's notebook: an estimate at every point.

The page draws them by itself (``web/figures.mjs``).  Here the kernel does, and a slider of ipywidgets moves them
where that is installed; without it, or without a kernel, the figure stands still.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any, NamedTuple

from IPython.display import display
from matplotlib.figure import Figure

import hayasa
from hayasa.book.figures import BLUE, GREEN, GREY, ORANGE, SVG_METADATA, use_book_style

WIDGET = "application/vnd.jupyter.widget-view+json"
STYLES = ((BLUE, "-", "o"), (ORANGE, "--", "s"), (GREEN, ":", "^"))  # of the lines, in order


class Moving(NamedTuple):
    """Speeds in tokens/s over something that a slider moves.

    Attributes
    ----------
    label
        What the slider moves.
    values, start
        Where it can stand, and where it stands at first.
    text
        A value as it is shown.
    curves
        The speed at a value, by what stands beside the line.
    """

    label: str
    values: Sequence[float]
    start: float
    text: Callable[[float], str]
    curves: Mapping[str, Callable[[float], float]]


def slider_figure(kind: str, *, models: str, machines: str, weights: str = "f16") -> None:
    """Show a figure and, where ipywidgets is installed, the slider that moves it.

    Parameters
    ----------
    kind
        ``"bits"`` (speed over bits per weight, of one model) or ``"context"`` (speed over context, on one machine).
    models, machines
        Ids with spaces between, three at most; ``"7e9"`` is a model of that many parameters.
    weights
        Id of a weight format; of no use for ``"bits"``.

    Raises
    ------
    ValueError
        If there is no such figure, model, machine or format.
    """
    moving = moving_figure(kind, models=models, machines=machines, weights=weights)
    shown: Any = display(drawing(moving, moving.start), raw=True, display_id=True)  # type: ignore[no-untyped-call]
    if find_spec("ipywidgets") is None:
        return
    import ipywidgets  # type: ignore[import-not-found]

    slider = ipywidgets.SelectionSlider(
        options=[(moving.text(value), value) for value in moving.values],
        value=moving.start,
        description=moving.label,
        continuous_update=False,
        style={"description_width": "initial"},
        layout={"width": "34em"},
    )
    slider.observe(lambda change: shown.update(drawing(moving, change["new"]), raw=True), "value")
    # The view alone: nbval leaves it out, and so finds the stored outputs with a slider and without.
    display({WIDGET: slider._repr_mimebundle_()[WIDGET]}, raw=True)  # type: ignore[no-untyped-call]


def moving_figure(kind: str, *, models: str, machines: str, weights: str = "f16") -> Moving:
    """Return what `slider_figure` shows.

    Raises
    ------
    ValueError
        If there is no such figure, model, machine or format.
    """
    if kind not in KINDS:
        raise ValueError(f"{kind!r} という図はありません。あるもの: {'、'.join(KINDS)}")
    return KINDS[kind](
        [_model(name) for name in models.split()],
        [hayasa.get_device(name) for name in machines.split()],
        hayasa.get_weight_format(weights),
    )


def drawing(moving: Moving, chosen: float) -> dict[str, str]:
    """Draw a figure where its slider stands: as SVG, and as words for who does not see it."""
    use_book_style()
    fig = Figure(figsize=(6.4, 4.0))
    ax = fig.subplots()
    ax.axvline(chosen, color=GREY, linewidth=1, zorder=0)
    lines = [f"{moving.label} {moving.text(chosen)}"]
    for (name, speed), (color, style, marker) in zip(moving.curves.items(), STYLES, strict=False):
        now = speed(chosen)
        lines.append(f"{name}：{now:,.{1 if now < 100 else 0}f} トークン/秒")
        ax.plot(moving.values, [speed(value) for value in moving.values], style, color=color)
        ax.plot(chosen, now, marker, color=color, ms=9, label=lines[-1])
    ticks = moving.values[:: max(1, len(moving.values) // 4)]
    ax.set(xlabel=moving.label, xticks=ticks, xticklabels=map(moving.text, ticks), ylim=(0, None), ylabel="トークン/秒")
    ax.legend(frameon=True, edgecolor="none", framealpha=1)
    buffer = io.StringIO()
    fig.savefig(buffer, format="svg", metadata=SVG_METADATA)
    return {"image/svg+xml": buffer.getvalue(), "text/plain": "\n".join(lines)}


def _model(name: str) -> hayasa.Model:
    try:
        count = float(name)
    except ValueError:
        return hayasa.get_model(name)
    return hayasa.Model(id=name, name=f"{count / 1e9:g}B", stated_parameters=count)


def _bits(models: list[hayasa.Model], machines: list[hayasa.Device], _: hayasa.WeightFormat) -> Moving:
    """Speed that memory allows over bits per weight: half the bits, twice the speed."""
    (model,) = models

    def on(device: hayasa.Device) -> Callable[[float], float]:
        def speed(bits: float) -> float:
            plain = hayasa.WeightFormat(id=f"bits-{bits}", name="", kind="plain", bits_per_weight=bits,
                                        compute_format="fp16", rules=())  # fmt: skip
            return 1 / hayasa.estimate(model, device, weights=plain, engine="ideal").memory_latency_s

        return speed

    steps = [half / 2 for half in range(4, 33)]
    return Moving("重み1個のビット数", steps, 4, "{:g}".format, {device.name: on(device) for device in machines})


def _context(models: list[hayasa.Model], machines: list[hayasa.Device], weights: hayasa.WeightFormat) -> Moving:
    """Speed that memory allows over context: the cache is read with the weights at every token."""
    (device,) = machines

    def of(model: hayasa.Model) -> Callable[[float], float]:
        return lambda context: (
            hayasa.estimate(
                model, device, weights=weights, engine="ideal", context_length=int(context)
            ).decode_tokens_per_s
        )

    steps = [2048 * step for step in range(65)]
    return Moving("文脈長（トークン）", steps, 8192, "{:,}".format, {model.name: of(model) for model in models})


KINDS = {"bits": _bits, "context": _context}
