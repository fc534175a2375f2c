"""What every test run needs, also `pytest --nbval chapters` alone."""

import importlib

import pytest
from nbval.plugin import IPyNbCell

from tools import nbval_figures


@pytest.hookimpl(optionalhook=True, wrapper=True)
def pytest_xdist_auto_num_workers():
    """Run one process more than there are processors: browsers wait for frames, for the network to be idle, for clocks."""
    return (yield) + 1


def pytest_collection_finish(session: pytest.Session) -> None:
    """Have matplotlib list the machine's fonts before a chapter does, in whose output it would say that this takes long."""
    if any(isinstance(item, IPyNbCell) for item in session.items):
        importlib.import_module("matplotlib.font_manager")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let figures differ in their last digit where the platform is not the pinned one."""
    if isinstance(item, IPyNbCell) and not nbval_figures.is_pinned_platform():
        compare = item.compare_outputs

        def compare_snapped(test, ref, skip_compare=None):
            nbval_figures.snap(test, ref)
            return compare(test, ref, skip_compare)

        item.compare_outputs = compare_snapped
