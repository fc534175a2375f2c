"""The page's JavaScript gives the numbers and words that Python gives."""

import random
from itertools import islice

import pytest

import hayasa
from tests.checks.report import expect_none
from tests.web import questions
from tests.web.javascript import Estimator, differences, same


@pytest.fixture(scope="module")
def vectors():
    return list(questions.vectors())


@pytest.fixture(scope="module")
def estimator():
    return Estimator()


def test_javascript_says_what_python_says(vectors, estimator):
    expect_none(islice(differences(vectors, estimator.answers(vectors)), 20))


def test_there_are_questions_of_every_sort(vectors):
    estimates = [vector for vector in vectors if "expected" in vector and vector["ask"] == "estimate"]
    choices = [vector["choice"] for vector in estimates]
    assert 300 <= len(estimates) <= 1000
    engines = {choice["engine"] for choice in choices if "engine" in choice}
    backends = {vector["expected"]["calibration"] for vector in estimates}
    assert engines == set(hayasa.ENGINES) and backends == {None, *(row.id for row in hayasa.calibrations())}
    for name, ids in (("model", hayasa.model_rows()), ("weights", hayasa.weight_format_rows())):
        assert {choice[name] for choice in choices if isinstance(choice.get(name), str)} == set(ids), name
    assert sum(isinstance(choice["device"], dict) for choice in choices) >= 50
    assert {vector["expected"]["bound_by"] for vector in estimates} == {"memory", "compute"}
    assert {vector["expected"]["fits"] for vector in estimates} == {True, False, None}
    assert {1, 4096} <= {choice["batch_size"] for choice in choices if "batch_size" in choice}
    assert {0, 1_000_000} <= {choice["context_length"] for choice in choices if "context_length" in choice}
    assert {choice.get("split") for choice in choices} >= {"pipeline", "tensor"}


def test_most_values_are_compared_to_the_last_bit(vectors):
    estimates = [vector for vector in vectors if "expected" in vector and vector["ask"] == "estimate"]
    numbers = sum(isinstance(value, float) for vector in estimates for value in vector["expected"].values())
    inexact = sum(len(vector["inexact"]) for vector in estimates)
    assert sum(not vector["inexact"] for vector in estimates) >= 80
    assert inexact < numbers / 2


def test_every_sort_of_refusal_is_asked_for(vectors):
    refused = [vector["error"] for vector in vectors if vector.get("error")]
    assert {error["type"] for error in refused} == {"InvalidValueError"}
    arguments = {error["message"].partition(" ")[0] for error in refused}
    assert arguments >= {"batch_size", "context_length", "devices", "prompt_length", "split", "model"}
    assert arguments >= {"memory_bandwidth_bytes_per_s", "gpu_cores", "dies", "layers", "experts", "v_head_dim"}


def test_the_questions_are_the_same_every_time(vectors):
    state = random.getstate()
    assert list(islice(questions.vectors(), 500)) == vectors[:500]
    assert random.getstate() == state


# What stands by hand beside the formulas, and one of them.
CHANGES = [
    ("estimator.mjs", "memory_capacity_gib * GIB", "memory_capacity_gib * 1e9"),
    ("estimator.mjs", "fallback < 0 ? null : made[fallback]", "null"),
    ("estimator.mjs", "numbers[index] * SYMBOLS", "numbers[index]"),
    ("estimator.mjs", "kv_cache.bits_per_weight / 8", "2"),
    ("estimator.mjs", "kv_cache: objectOf(kv_cache, makeWeightFormat),", ""),
    ("formulas.mjs", "の補正で代用しました。", "の補正で代用した。"),
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change[1])
def test_a_change_in_javascript_alone_is_found(change, vectors):
    some = [vector for vector in vectors if vector["ask"] == "estimate"]
    try:
        answers = Estimator(*change).answers(some)
    except Exception:
        return  # not even loaded
    assert list(islice(differences(some, answers), 1))


@pytest.mark.parametrize(
    ("expected", "given", "exact", "equal"),
    [
        (1.0, 1, True, True),
        (1.0, 1.0000000000000002, True, False),
        (1.0, 1.0000000000000002, False, True),
        (1.0, 1.00000000001, False, False),
        (True, 1, True, False),
        (0, None, True, False),
        (0.0, False, True, False),
        ("1", 1, True, False),
        ({"a": 1.0}, {"a": 1.0, "b": 2.0}, True, False),
        (["a"], ["a"], True, True),
    ],
)
def test_what_counts_as_the_same(expected, given, exact, equal):
    assert same(expected, given, exact=exact) is equal
