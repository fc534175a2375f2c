"""The dimensions of the formulas of chapters 1 and 2, with the units that a reader cancels by hand there."""

import pint
import pytest


@pytest.fixture(scope="module")
def unit():
    registry = pint.UnitRegistry(None)
    for definition in (
        "second = [time] = s",
        "byte = [data] = B",
        "parameter = [parameter]",
        "FLOP = [operation]",
        "token = [token]",
    ):
        registry.define(definition)
    return registry


@pytest.fixture(scope="module")
def symbols(unit):
    return {
        "P": 7e9 * unit.parameter,
        "n_bytes": 0.5 * unit.byte / unit.parameter,
        "BW": 1935e9 * unit.byte / unit.second,
        "two": 2 * unit.FLOP / (unit.parameter * unit.token),
        "B": 1 * unit.token,
        "F": 1248e12 * unit.FLOP / unit.second,
    }


@pytest.mark.parametrize(
    ("formula", "value", "expected"),
    [
        ("P * n_bytes / BW", 3.5 / 1935, "second"),
        ("two * P * B / F", 14e9 / 1248e12, "second"),
        ("n_bytes * F / (two * BW)", 1248e12 / 4 / 1935e9, "token"),
        ("B / (P * n_bytes / BW)", 1935 / 3.5, "token / second"),
    ],
)
def test_the_formulas_have_the_units_they_claim(symbols, formula, value, expected):
    assert eval(formula, {}, symbols).to(expected).magnitude == pytest.approx(value)


@pytest.mark.parametrize("formula", ["P * n_bytes * BW", "two * P * B * F", "P / BW"])
def test_a_slip_leaves_something_else_than_seconds(symbols, formula):
    with pytest.raises(pint.DimensionalityError):
        eval(formula, {}, symbols).to("second")
