"""Figures may differ in their last digit away from the pinned platform, and in nothing else."""

import platform
import sys

import nbformat
import pytest

from tools import nbval_figures
from tools.nbval_figures import SVG, is_same_drawing, snap

DRAWING = '<svg><path id="m0123456789" d="M 10.5 20.25 L 1e2 -3"/><use href="#m0123456789" x="7"/></svg>'


@pytest.mark.parametrize(
    ("fresh", "same"),
    [
        (DRAWING, True),
        (DRAWING.replace("20.25", "20.265"), True),
        (DRAWING.replace("20.25", "20.28"), False),
        (DRAWING.replace('x="7"', 'x="8"'), False),
        (DRAWING.replace("m0123456789", "mabcdef0123"), True),
        (DRAWING.replace('href="#m0123456789"', 'href="#mabcdef0123"'), False),
        (DRAWING.replace("L", "C"), False),
        (DRAWING.replace("<use", "<a/><use"), False),
        (DRAWING.replace("-3", "-3 4"), False),
    ],
)
def test_same_drawing(fresh, same):
    assert is_same_drawing(fresh, DRAWING) is same


def outputs(*drawings):
    return [nbformat.v4.new_output("display_data", {SVG: drawing, "text/plain": "<Figure>"}) for drawing in drawings]


def test_snap_replaces_only_what_is_the_same_drawing():
    near, far = DRAWING.replace("10.5", "10.51"), DRAWING.replace("10.5", "11.5")
    fresh = outputs(near, far)
    snap(fresh, outputs(DRAWING, DRAWING))
    assert [output.data[SVG] for output in fresh] == [DRAWING, far]


def test_snap_leaves_a_missing_figure_missing():
    fresh = outputs(DRAWING)
    snap(fresh, outputs(DRAWING, DRAWING))
    assert len(fresh) == 1


def test_other_processors_are_not_the_pinned_platform(monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    assert not nbval_figures.is_pinned_platform()


def test_other_versions_are_not_the_pinned_platform(monkeypatch):
    monkeypatch.setattr(nbval_figures.importlib.metadata, "version", lambda name: "0")
    assert not nbval_figures.is_pinned_platform()


@pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64", reason="記憶した図は Linux x86_64 のもの"
)
def test_here_figures_are_compared_exactly():
    assert nbval_figures.is_pinned_platform()
