"""How a check tells what it found."""

from collections.abc import Iterable

import pytest


def expect_none(problems: Iterable[str]) -> None:
    """Fail with one problem per line."""
    if found := list(problems):
        pytest.fail(f"{len(found)} 件の問題があります\n" + "\n".join(found), pytrace=False)
