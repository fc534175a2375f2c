"""What chapter 15 says in formulas and shows in code, against `hayasa` and against what must hold of any queue."""

import nbformat
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hayasa


@pytest.fixture(scope="module")
def chapter(root):
    """Return the names that the chapter defines: its formulas and its scheduler, without running what they draw."""
    cells = nbformat.read(root / "chapters/15-serving.ipynb", as_version=4).cells
    names = {"hayasa": hayasa, "np": np, "h100": hayasa.get_device("h100-80gb-sxm"), "n": 1000, "n_answer": 250}
    for name in ("busy_seats", "four_numbers", "requests", "advance", "serve"):
        source = next(cell.source for cell in cells if f"def {name}(" in cell.source)
        exec(source.split("\n\n\n")[0], names)
    return names


@pytest.mark.parametrize(
    ("model", "weights", "devices"),
    [("llama-3.1-8b", "bf16", 1), ("llama-3.1-8b", "bf16", 4), ("llama-3.3-70b", "fp8", 2)],
)
def test_four_numbers_say_what_hayasa_says(chapter, model, weights, devices):
    fixed, per_sequence, per_cached, _ = chapter["four_numbers"](model, weights, devices)
    for batch_size in (1, 64, 256):
        for context_length in (500, 4000):
            whole = hayasa.estimate(
                model,
                "h100-80gb-sxm",
                weights=weights,
                engine="vllm",
                devices=devices,
                split="tensor" if devices > 1 else "pipeline",
                batch_size=batch_size,
                context_length=context_length,
            )
            said = fixed + batch_size * (per_sequence + per_cached * context_length)
            assert said == pytest.approx(whole.step_latency_s, rel=1e-9)


def test_static_batches_keep_as_many_seats_busy_as_the_formula_says(chapter):
    lengths = np.random.default_rng(0).exponential(size=(20_000, 32))
    assert lengths.mean() / lengths.max(axis=1).mean() == pytest.approx(chapter["busy_seats"](32), rel=0.01)


times = st.tuples(*[st.floats(1e-6, 1e-2)] * 4)


@settings(max_examples=20)
@given(
    times=times, seats=st.integers(1, 6), seed=st.integers(0, 99), continuous=st.booleans(), chunk=st.integers(64, 3000)
)
def test_everybody_is_served_in_order(chapter, times, seats, seed, continuous, chunk):
    asked = [request | {"answer": min(request["answer"], 20)} for request in chapter["requests"]([(5, 3)], seed)]
    if not asked:
        return
    log = chapter["serve"](asked, seats, times, continuous, chunk)
    # Each token of each answer is written once, one after another, and never before its request came.
    for request in asked:
        written = request["tokens"]
        assert len(written) == request["answer"] and request["left"] == 0
        assert request["at"] < written[0] and written == sorted(written)
    first = [request["tokens"][0] for request in asked]
    assert first == sorted(first)
    assert log[:, 2].max() <= seats


@settings(max_examples=20)
@given(times=times, seats=st.integers(1, 6), seed=st.integers(0, 99), continuous=st.booleans())
def test_the_log_obeys_littles_law(chapter, times, seats, seed, continuous):
    # All come at once: nobody is ever missed between two steps, so that the law holds to the last digit.
    asked = [
        request | {"at": 0.0, "answer": min(request["answer"], 20)} for request in chapter["requests"]([(5, 3)], seed)
    ]
    if not asked:
        return
    log = chapter["serve"](asked, seats, times, continuous)
    end = max(request["tokens"][-1] for request in asked)
    inside_s = (np.diff([*log[:, 0], end]) * log[:, 1:].sum(axis=1)).sum()
    assert inside_s == pytest.approx(sum(request["tokens"][-1] for request in asked))


def test_a_queue_of_one_seat_is_what_one_counts_by_hand(chapter):
    asked = [{"at": at, "prompt": 0, "left": 0, "answer": 2, "tokens": []} for at in (0.0, 0.5)]
    chapter["serve"](asked, 1, (1.0, 0.0, 0.0, 0.0))
    assert [request["tokens"] for request in asked] == [[1.0, 2.0], [3.0, 4.0]]


def test_one_sequence_slows_down_along_the_line(chapter):
    numbers = chapter["four_numbers"]("llama-3.1-8b", "bf16")
    fixed, per_sequence, per_cached, per_prompt_token = numbers
    ceiling = 1 / (per_sequence + per_cached * 1250 + per_prompt_token * 4)
    asked = chapter["requests"]([(12, 60)])
    chapter["serve"](asked, 256, numbers)
    steady = [r for r in asked if r["at"] > 15 and r["answer"] > 20]
    speed = np.median([(r["answer"] - 1) / (r["tokens"][-1] - r["tokens"][0]) for r in steady])
    assert speed == pytest.approx((1 - 12 * 250 / ceiling) / fixed, rel=0.1)
