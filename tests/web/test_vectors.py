"""The page's JavaScript gives the numbers and words that Python gives."""

from collections import Counter
from itertools import islice

import pytest

import hayasa
from hayasa import estimation, export
from tests.checks.report import expect_none
from tests.web.javascript import Estimator, differences, modules_in, same


@pytest.fixture(scope="module")
def vectors():
    return list(export.vectors())


@pytest.fixture(scope="module")
def estimator(root, tmp_path_factory):
    return Estimator(modules_in(tmp_path_factory.mktemp("web") / "same", root))


def test_javascript_says_what_python_says(vectors, estimator):
    expect_none(islice(differences(vectors, estimator.answers(vectors)), 20))


def test_there_are_questions_of_every_sort(vectors):
    estimates = [vector for vector in vectors if "expected" in vector and vector["ask"] == "estimate"]
    choices = [vector["choice"] for vector in estimates]
    assert len(estimates) >= 2000
    for name, ids in (
        ("device", hayasa.device_rows()),
        ("model", hayasa.model_rows()),
        ("weights", hayasa.weight_format_rows()),
        ("engine", hayasa.ENGINES),
    ):
        asked = [choice[name] for choice in choices if name in choice]
        assert {word for word in asked if isinstance(word, str)} == set(ids), name
        assert sum(isinstance(own, dict) for own in asked) >= 50 or name == "engine"
    assert {vector["expected"]["bound_by"] for vector in estimates} == {"memory", "compute"}
    assert {vector["expected"]["fits"] for vector in estimates} == {True, False, None}
    assert {1, 4096} <= {choice["batch_size"] for choice in choices if "batch_size" in choice}
    assert {0, 1_000_000} <= {choice["context_length"] for choice in choices if "context_length" in choice}
    assert {choice.get("split") for choice in choices} >= {"pipeline", "tensor"}


def test_most_values_are_compared_to_the_last_bit(vectors):
    estimates = [vector for vector in vectors if "expected" in vector and vector["ask"] == "estimate"]
    numbers = sum(isinstance(value, float) for vector in estimates for value in vector["expected"].values())
    inexact = sum(len(vector["inexact"]) for vector in estimates)
    assert sum(not vector["inexact"] for vector in estimates) >= 1000
    assert inexact < numbers / 3


def test_every_sort_of_refusal_is_asked_for(vectors):
    refused = [vector["error"] for vector in vectors if vector.get("error")]
    assert Counter(error["type"] for error in refused).keys() == {"InvalidValueError", "UnknownNameError"}
    arguments = {error["argument"] for error in refused}
    assert arguments >= {"batch_size", "context_length", "devices", "prompt_length", "split", "model", "device"}
    assert arguments >= {"memory_bandwidth_bytes_per_s", "gpu_cores", "dies", "layers", "experts", "v_head_dim"}


# One operator or one word of each part of the estimate.
CHANGES = [
    ("estimator.mjs", "return 2 * activeParameters(model);", "return 3 * activeParameters(model);"),
    ("estimator.mjs", "return 2 * model.kv_heads * model.head_dim;", "return model.kv_heads * model.head_dim;"),
    ("estimator.mjs", "return rest < 0.5 ? floor : floor + 1;", "return floor;"),
    ("estimator.mjs", 'const together = split === "tensor" ? devices : 1; //', "const together = 1; //"),
    ("estimator.mjs", "(n * (n + 1)) / 2;\n", "(n * n) / 2;\n"),
    ("estimator.mjs", "layer < first ||", "layer <= first ||"),
    ("estimator.mjs", "low ** widening", "low * widening"),
    ("estimator.mjs", "(busy_s * (batch_size - 1)) / batch_size", "busy_s"),
    ("estimator.mjs", "quotient - floor > 0.5", "quotient - floor > 5"),
    ("estimator.mjs", 'int8: ["int8", "fp16", "bf16"]', 'int8: ["int8", "bf16"]'),
    ("estimator.mjs", "memory_latency_s >= compute_latency_s", "memory_latency_s <= compute_latency_s"),
    ("estimator.mjs", "の補正で代用しました。`);\n  }", "の補正で代用した。`);\n  }"),
    ("explanation.mjs", "5. 上限", "5.上限"),
    ("units.mjs", "/[02468]e/", "/[13579]e/"),
]


@pytest.fixture(scope="module")
def some(vectors):
    """Every choice in which all is drawn, and a few of the other questions."""
    return vectors[::40] + [vector for vector in vectors if "kv_cache" in vector.get("choice", ())]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change[1].strip())
def test_a_change_in_javascript_alone_is_found(change, root, tmp_path, some):
    changed = Estimator(modules_in(tmp_path / "changed", root, replacing=change))
    found = list(islice(differences(some, changed.answers(some)), 1))
    assert found


@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("weight_flop_per_token", lambda model: 2.0 * hayasa.total_parameters(model)),
        ("kv_cache_bytes", lambda model, context, *, batch_size, bytes_per_value: 1e9 * context * batch_size),
        ("calibrated_step_s", lambda calibration, waits, *, unpacks: sum(waits)),
        ("NOTEWORTHY", 1.2),
    ],
)
def test_a_change_in_python_alone_is_found(name, formula, monkeypatch, estimator):
    monkeypatch.setattr(estimation, name, formula)
    # A few hundred are enough; that they differ is not left to one of them.
    asked = list(islice(export.vectors(), 400))
    found = list(islice(differences(asked, estimator.answers(asked)), 1))
    assert found


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
