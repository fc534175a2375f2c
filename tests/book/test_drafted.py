"""Chapter 12's helpers: what they say is what the fit of the drafts says, and a draft never changes a text."""

import statistics

import pytest

from hayasa.book.drafted import drafted
from hayasa.book.letters import Letters, story
from hayasa.engine.drafting import draft_calibrations


def error(rows):
    """Return the mean miss of the gain, as the fit counts it: a pass that is too long is a gain too small."""
    misses = [row["measured"] / row["estimated"] for row in rows if row["method"] == "none"]
    misses += [row["estimated"] / row["measured"] for row in rows if row["method"] != "none"]
    return statistics.mean(abs(miss - 1) for miss in misses)


def test_the_errors_are_those_of_the_fit():
    rows = [row for row in drafted() if row["used"]]
    for fitted in draft_calibrations():
        mine = [row for row in rows if (row["backend"] == "metal") == (fitted.backend == "metal")]
        assert len(mine) == fitted.rows
        assert error(mine) == pytest.approx(fitted.error_in_sample, rel=1e-3)


def test_what_was_left_out_is_there_but_not_used():
    left_out = [row for row in drafted() if not row["used"]]
    assert left_out and any(row["measured"] < 1 for row in left_out)


def checked(large, small, text, length, draft_tokens):
    """Write with drafts, and return the text and how many passes of the large model it took."""
    before = large.passes
    while len(text) < length:
        draft = ""
        for _ in range(draft_tokens):
            draft += small.answer(text + draft)
        right = large.answers(text, draft)
        kept = next((n for n in range(draft_tokens) if draft[n] != right[n]), draft_tokens)
        text += draft[:kept] + right[kept]
    return text[:length], large.passes - before


@pytest.mark.parametrize("order", [1, 3, 8])
def test_drafts_change_the_number_of_passes_and_nothing_else(order):
    text = story()
    large, small = Letters(text, 8), Letters(text, order)
    plain, passes = checked(large, small, text[:10], 200, 0)
    assert passes == 190
    for draft_tokens in (1, 3, 7):
        assert checked(large, small, text[:10], 200, draft_tokens)[0] == plain
        assert checked(large, small, text[:10], 200, draft_tokens)[1] <= 190


def test_a_model_as_large_as_the_other_is_always_right():
    text = story()
    _, passes = checked(Letters(text, 8), Letters(text, 8), text[:10], 210, 4)
    assert passes == 200 / 5


def test_probabilities_sum_to_one_and_fall_back():
    model = Letters("abcabd", 2)
    assert sum(model.probabilities("ab").values()) == pytest.approx(1)
    assert model.probabilities("zb") == model.probabilities("b")
    assert model.probabilities("zz") == model.probabilities("")
