"""What a small Llama carries out is what the formulas of chapter 4 say, operation for operation."""

from dataclasses import replace

import numpy as np
import pytest

import hayasa
from hayasa.book.tiny_llama import count_flop, empty_caches, forward, random_weights
from hayasa.errors import InvalidValueError

TINY = hayasa.Model(
    id="tiny",
    layers=2,
    hidden_size=64,
    attention_heads=4,
    kv_heads=2,
    head_dim=16,
    intermediate_size=172,
    vocab_size=320,
)
SHAPES = {
    "mha": replace(TINY, kv_heads=4),
    "gqa": TINY,
    "mqa": replace(TINY, kv_heads=1),
    "heads wider than the model": replace(TINY, head_dim=48),
    "larger": replace(TINY, layers=5, hidden_size=160, intermediate_size=512),
}


def matrix_parameters(model):
    """Count them as chapter 4 does, by hand."""
    d, head = model.hidden_size, model.head_dim
    attention = 2 * d * model.attention_heads * head + 2 * d * model.kv_heads * head
    return model.layers * (attention + 3 * d * model.intermediate_size) + model.vocab_size * d


@pytest.mark.parametrize("context_length", [1, 2, 200])
@pytest.mark.parametrize("model", SHAPES.values(), ids=SHAPES)
def test_a_step_carries_out_what_the_formula_says(model, context_length):
    attention = hayasa.attention_flop_per_token(model, context_length)
    assert count_flop(model, context_length).products == 2 * matrix_parameters(model) + attention


@pytest.mark.parametrize("model", SHAPES.values(), ids=SHAPES)
def test_the_same_weights_are_listed(model):
    listed = [t.parameters for t in hayasa.weight_tensors(model) if t.is_matrix and t.role != "token_embd"]
    assert sum(listed) == matrix_parameters(model)


def test_the_usual_count_adds_the_norms_only():
    norms = (2 * TINY.layers + 1) * TINY.hidden_size
    assert hayasa.flop_per_token(TINY, 200) == count_flop(TINY, 200).products + 2 * norms


def test_tokens_together_say_what_they_say_one_by_one():
    tokens, weights = np.arange(20), random_weights(TINY)
    together = forward(tokens, weights, empty_caches(TINY), TINY)
    caches = empty_caches(TINY)
    for token in tokens:
        one_by_one = forward(np.array([token]), weights, caches, TINY)
    np.testing.assert_allclose(together, one_by_one, atol=1e-6)
    assert together.shape == (1, TINY.vocab_size)


def test_a_prompt_computes_scores_that_it_must_not_look_at():
    n = 100
    in_layers = matrix_parameters(TINY) - TINY.vocab_size * TINY.hidden_size
    expected = 2 * in_layers * n + 2 * TINY.vocab_size * TINY.hidden_size
    expected += n * hayasa.attention_flop_per_token(TINY, n)
    assert count_flop(TINY, n, new_tokens=n).products == expected


def test_what_is_not_a_product_is_little():
    widths = [replace(TINY, hidden_size=w, head_dim=64, attention_heads=w // 64, kv_heads=w // 256) for w in (256, 512)]
    shares = [count.others / count.products for count in (count_flop(model, 32) for model in widths)]
    assert shares[1] < shares[0] < 0.02


def test_counts_do_not_add_up_over_calls():
    assert count_flop(TINY, 10) == count_flop(TINY, 10)


@pytest.mark.parametrize(("context_length", "new_tokens"), [(0, 1), (5, 6), (5, 0), (2.5, 1)])
def test_impossible_numbers_are_refused(context_length, new_tokens):
    with pytest.raises(InvalidValueError):
        count_flop(TINY, context_length, new_tokens=new_tokens)
