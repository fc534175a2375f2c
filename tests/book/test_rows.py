"""The rows that chapters read."""

import doctest

import pandas as pd
import pytest

import hayasa.book.rows
from hayasa import UnknownNameError
from hayasa.book.rows import published


def test_example_in_the_docstring():
    assert doctest.testmod(hayasa.book.rows) == doctest.TestResults(failed=0, attempted=2)


@pytest.mark.parametrize("kind", ["offload", "drafts", "power"])
def test_numbers_are_numbers_and_unknown_ones_are_missing(kind):
    rows = published(kind)
    assert rows["id"].is_unique if "id" in rows else len(rows)
    speeds = [name for name in rows if name.endswith("tokens_per_s")]
    assert all(pd.api.types.is_numeric_dtype(rows[name]) for name in speeds)
    assert not (rows == "").any(axis=None)


def test_an_unknown_kind_is_refused():
    with pytest.raises(UnknownNameError, match="offload"):
        published("nothing")
