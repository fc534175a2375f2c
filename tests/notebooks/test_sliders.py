"""The figures that a slider moves in a reader's notebook: right where they stand, and right where they are moved."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

import hayasa
from hayasa.book.sliders import KINDS, WIDGET, drawing, moving_figure
from tools import readers
from tools.notebooks import chapter_paths

ASKED = {
    "bits": {"models": "7e9", "machines": "a100-80gb-pcie apple-m4-10c"},
    "context": {"models": "llama-2-7b gemma-3-12b", "machines": "apple-m3-ultra-80c", "weights": "q4_k_m"},
}


def speeds(kind, chosen):
    """The speeds that a figure tells, in order."""
    told = drawing(moving_figure(kind, **ASKED[kind]), chosen)["text/plain"]
    return [float(speed.replace(",", "")) for speed in re.findall(r"([\d,.]+) トークン/秒", told)]


def test_half_the_bits_are_twice_the_speed():
    for at_8, at_4 in zip(speeds("bits", 8), speeds("bits", 4), strict=True):
        assert at_4 == pytest.approx(2 * at_8, rel=0.005)


def test_speeds_are_those_that_hayasa_estimates():
    for context in (0, 8192, 131072):
        asked = {"weights": "q4_k_m", "engine": "ideal", "context_length": context}
        expected = [
            hayasa.estimate(model, "apple-m3-ultra-80c", **asked).decode_tokens_per_s
            for model in ASKED["context"]["models"].split()
        ]
        assert speeds("context", context) == pytest.approx(expected, rel=0.005)


@pytest.mark.parametrize("kind", KINDS)
def test_the_slider_moves_what_is_drawn(kind):
    moving = moving_figure(kind, **ASKED[kind])
    assert moving.start in moving.values
    first, last = (drawing(moving, moving.values[end]) for end in (0, -1))
    assert first["image/svg+xml"] != last["image/svg+xml"]
    assert first["text/plain"].startswith(f"{moving.label} {moving.text(moving.values[0])}\n")


def test_an_unknown_figure_is_refused():
    with pytest.raises(ValueError, match="'bit' という図はありません。あるもの: bits、context"):
        moving_figure("bit", models="7e9", machines="apple-m4-10c")


def test_what_the_page_moves_the_notebook_moves(site):
    """Every figure of a page has its cell, and what it stores is what nbval finds (test_readers)."""
    asked = 0
    for path in chapter_paths():
        page = (site / "chapters" / f"{path.stem}.html").read_text(encoding="utf-8")
        kinds = re.findall(r'class="hayasa-figure" data-figure="(\w+)"', page)
        made = nbformat.read(site / readers.FOLDER / path.name, as_version=4).cells
        cells = [cell for cell in made if cell.id.startswith("slider-")]
        assert [re.search(r'slider_figure\("(\w+)"', cell.source)[1] for cell in cells] == kinds
        assert all(readers.SVG in cell.outputs[0].data for cell in cells)
        assert not any(f"{readers.FIGURE}-" in cell.source for cell in made)
        asked += len(kinds)
    assert asked >= 2


# Stands in for ipywidgets, which is no package of the book's own tests.
WIDGETS = """
made = []

class SelectionSlider:
    def __init__(self, options, value, description, **looks):
        self.options, self.description = dict(options), description
        made.append(self)

    def observe(self, moved, name):
        assert name == "value"
        self.move = lambda text: moved({"new": self.options[text]})

    def _repr_mimebundle_(self):
        return {"text/plain": "a slider", "application/vnd.jupyter.widget-view+json": {"model_id": str(id(self))}}
"""


@pytest.mark.parametrize("has_widgets", [False, True])
def test_a_slider_moves_the_figure_where_it_stands(tmp_path: Path, has_widgets):
    if has_widgets:
        (tmp_path / "ipywidgets.py").write_text(WIDGETS, encoding="utf-8")
    arguments = ", ".join(f"{name}={value!r}" for name, value in ASKED["context"].items())
    sources = ["from hayasa.book.sliders import slider_figure", f"slider_figure('context', {arguments})"]
    if has_widgets:
        sources.append("import ipywidgets\nipywidgets.made[0].move('131,072')")
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    NotebookClient(
        nbformat.v4.new_notebook(cells=cells),
        timeout=120,
        kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path)}},
    ).execute()
    figure, *sliders = cells[1].outputs
    assert [list(slider.data) for slider in sliders] == [[WIDGET]] * has_widgets
    moving = moving_figure("context", **ASKED["context"])
    assert figure.data == drawing(moving, 131072 if has_widgets else 8192)
