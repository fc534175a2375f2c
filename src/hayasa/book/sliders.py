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
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import hayasa
from hayasa.book.figures import BLUE, GREEN, GREY, ORANGE, SVG_METADATA, use_book_style

WIDGET = "application/vnd.jupyter.widget-view+json"
STYLES = ((BLUE, "-", "o"), (ORANGE, "--", "s"), (GREEN, ":", "^"))


class Control(NamedTuple):
    """What a slider moves: through `values`, from `start`, shown as `text` of each."""

    name: str
    label: str
    values: Sequence[float]
    start: float
    text: Callable[[float], str]


class Moving(NamedTuple):
    """A figure that sliders move.

    Attributes
    ----------
    controls
        Its sliders.
    draw
        Draws on axes for the values of the sliders, by name, and says in a line each what is to be read there.
    """

    controls: tuple[Control, ...]
    draw: Callable[..., list[str]]


def slider_figure(kind: str, *, models: str, machines: str, weights: str = "f16") -> None:
    """Show a figure and, where ipywidgets is installed, the sliders that move it.

    Parameters
    ----------
    kind
        ``"bits"`` (speed over bits per weight), ``"batch"`` (roofline) or ``"context"`` (speed over context).
    models, machines
        Ids with spaces between; at most three are drawn, and ``"7e9"`` is a model of that many parameters.
    weights
        Id of a weight format; of no use for ``"bits"``.

    Raises
    ------
    ValueError
        If there is no such figure.
    """
    moving = moving_figure(kind, models=models, machines=machines, weights=weights)
    values = {control.name: control.start for control in moving.controls}
    shown: Any = display(drawing(moving, values), raw=True, display_id=True)  # type: ignore[no-untyped-call]
    if find_spec("ipywidgets") is None:
        return
    import ipywidgets  # type: ignore[import-not-found]

    def moved(name: str) -> Callable[[Mapping[str, Any]], None]:
        def redraw(change: Mapping[str, Any]) -> None:
            values[name] = change["new"]
            shown.update(drawing(moving, values), raw=True)

        return redraw

    for control in moving.controls:
        slider = ipywidgets.SelectionSlider(
            options=[(control.text(value), value) for value in control.values],
            value=control.start,
            description=control.label,
            continuous_update=False,
            style={"description_width": "initial"},
            layout={"width": "34em"},
        )
        slider.observe(moved(control.name), "value")
        # The view alone: nbval leaves it out, and so finds the stored outputs with sliders and without.
        display({WIDGET: slider._repr_mimebundle_()[WIDGET]}, raw=True)  # type: ignore[no-untyped-call]


def moving_figure(kind: str, *, models: str, machines: str, weights: str = "f16") -> Moving:
    """Return what `slider_figure` shows.

    Raises
    ------
    ValueError
        If there is no such figure.
    """
    if kind not in KINDS:
        raise ValueError(f"{kind!r} という図はありません。あるもの: {'、'.join(KINDS)}")
    return KINDS[kind](
        [_model(name) for name in models.split()],
        [hayasa.get_device(name) for name in machines.split()],
        hayasa.get_weight_format(weights),
    )


def drawing(moving: Moving, values: Mapping[str, float]) -> dict[str, str]:
    """Draw a figure for the values of its sliders: as SVG, and as words for who does not see it."""
    use_book_style()
    fig = Figure(figsize=(6.4, 4.0))
    lines = moving.draw(fig.subplots(), **values)
    buffer = io.StringIO()
    fig.savefig(buffer, format="svg", metadata=SVG_METADATA)
    now = "、".join(f"{control.label} {control.text(values[control.name])}" for control in moving.controls)
    return {"image/svg+xml": buffer.getvalue(), "text/plain": "\n".join([now, *lines])}


def _model(name: str) -> hayasa.Model:
    try:
        count = float(name)
    except ValueError:
        return hayasa.get_model(name)
    return hayasa.Model(id=name, name=f"{count / 1e9:g}B", stated_parameters=count)


def _speed(tokens_per_s: float) -> str:
    return f"{tokens_per_s:,.{1 if tokens_per_s < 100 else 0}f} トークン/秒"


def _tokens(count: float) -> str:
    return f"{count:,.0f}トークン"


def _curves(ax: Axes, curves: Mapping[str, Callable[[float], float]], xs: Sequence[float], chosen: float) -> list[str]:
    """Draw a line for each name, and where it stands now; return what it says there."""
    lines = []
    ax.axvline(chosen, color=GREY, linewidth=1, zorder=0)
    for (name, at), (color, style, marker) in zip(curves.items(), STYLES, strict=False):
        lines.append(f"{name}：{_speed(at(chosen))}")
        ax.plot(xs, [at(x) for x in xs], style, color=color)
        ax.plot(chosen, at(chosen), marker, color=color, ms=9, label=lines[-1])
    ax.set(ylim=(0, None), ylabel="トークン/秒")
    ax.legend(frameon=True, edgecolor="none", framealpha=1)
    return lines


def _bits(models: list[hayasa.Model], machines: list[hayasa.Device], _: hayasa.WeightFormat) -> Moving:
    """Speed that memory allows over bits per weight: half the bits, twice the speed."""
    (model,) = models

    def at(device: hayasa.Device) -> Callable[[float], float]:
        def speed(bits: float) -> float:
            plain = hayasa.WeightFormat(id=f"bits-{bits}", name="", kind="plain", bits_per_weight=bits,
                                        compute_format="fp16", rules=())  # fmt: skip
            return 1 / hayasa.estimate(model, device, weights=plain, engine="ideal").memory_latency_s

        return speed

    def draw(ax: Axes, bits: float) -> list[str]:
        ax.set(xlabel="重み1個のビット数", xticks=range(2, 17, 2))
        return _curves(ax, {device.name: at(device) for device in machines}, _BITS, bits)

    return Moving((Control("bits", "重み1個のビット数", _BITS, 4, lambda bits: f"{bits:g}ビット"),), draw)


def _context(models: list[hayasa.Model], machines: list[hayasa.Device], weights: hayasa.WeightFormat) -> Moving:
    """Speed over context: the cache is read with the weights at every token."""
    (device,) = machines

    def at(model: hayasa.Model) -> Callable[[float], float]:
        return lambda context: (
            hayasa.estimate(
                model, device, weights=weights, engine="ideal", context_length=int(context)
            ).decode_tokens_per_s
        )

    def draw(ax: Axes, context_length: float) -> list[str]:
        ax.set(xlabel="文脈長（トークン）", xticks=_CONTEXTS[::16])
        ax.xaxis.set_major_formatter("{x:,g}")
        return _curves(ax, {model.name: at(model) for model in models}, _CONTEXTS, context_length)

    return Moving((Control("context_length", "文脈長", _CONTEXTS, 8192, _tokens),), draw)


def _batch(models: list[hayasa.Model], machines: list[hayasa.Device], weights: hayasa.WeightFormat) -> Moving:
    """The rooflines of machines: the work moves to the right with every sequence that joins the batch."""
    (model,) = models

    def draw(ax: Axes, batch_size: float, context_length: float) -> list[str]:
        lines = []
        for device, (color, style, marker) in zip(machines, STYLES, strict=False):
            one = hayasa.estimate(model, device, weights=weights, engine="ideal", batch_size=int(batch_size),
                                  context_length=int(context_length))  # fmt: skip
            peak = one.flop_per_step / one.compute_latency_s / 1e12
            intensity, bandwidth = one.flop_per_step / one.bytes_per_step, device.memory_bandwidth_bytes_per_s / 1e12
            bound = "メモリ" if one.bound_by == "memory" else "計算"
            lines.append(f"{device.name}：{bound}バウンド、全体で{_speed(one.decode_tokens_per_s)}")
            ax.plot([0.5, peak / bandwidth, 8192], [0.5 * bandwidth, peak, peak], style, color=color)
            ax.plot(intensity, min(peak, intensity * bandwidth), marker, color=color, ms=9, label=lines[-1])
        ax.set(xscale="log", xlabel="算術強度（FLOP/B）", yscale="log", ylabel="TFLOP/s")
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_formatter("{x:,g}")
        ax.figure.legend(loc="outside upper left")
        return lines

    return Moving(
        (
            Control("batch_size", "バッチサイズ", [2**power for power in range(13)], 1, lambda n: f"{n:,.0f}"),
            Control("context_length", "文脈長", [0, *(2**power for power in range(9, 18))], 0, _tokens),
        ),
        draw,
    )


_BITS = [bits / 2 for bits in range(4, 33)]
_CONTEXTS = [2048 * step for step in range(65)]
KINDS = {"bits": _bits, "batch": _batch, "context": _context}
