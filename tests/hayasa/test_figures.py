"""`hayasa.book.figures`: a figure is drawn by the book's settings, whatever the machine has."""

from dataclasses import replace

import matplotlib as mpl
import pytest
from matplotlib import font_manager

from hayasa.book import figures


@pytest.fixture(autouse=True)
def as_it_was(monkeypatch):
    monkeypatch.setattr(font_manager.fontManager, "ttflist", font_manager.fontManager.ttflist)
    with mpl.rc_context():
        yield


def test_settings_of_the_machine_do_not_show():
    figures.use_book_style()
    pure = dict(mpl.rcParams)
    mpl.rcParams.update(
        {"lines.linestyle": ":", "axes.facecolor": "red", "font.sans-serif": ["Comic Sans"], "font.size": 30}
    )
    figures.use_book_style()
    assert dict(mpl.rcParams) == pure


def test_a_font_of_the_machine_with_the_same_name_is_not_taken(monkeypatch):
    figures.use_book_style()
    own = font_manager.findfont("IPAexGothic")
    assert "matplotlib_fontja" in own
    entry = next(font for font in font_manager.fontManager.ttflist if font.fname == own)
    other = replace(entry, fname=font_manager.findfont("DejaVu Sans"))
    monkeypatch.setattr(font_manager.fontManager, "ttflist", [other])
    figures.use_book_style()
    assert font_manager.findfont("IPAexGothic") == own
