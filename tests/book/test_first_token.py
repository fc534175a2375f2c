"""What chapter 11 says in formulas and shows in code, against `hayasa` and against plain attention."""

import nbformat
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hayasa


@pytest.fixture(scope="module")
def tiled_attention(root):
    chapter = nbformat.read(root / "chapters/11-first-token.ipynb", as_version=4)
    cell = next(cell for cell in chapter.cells if "def tiled_attention" in cell.source)
    names = {}
    exec(cell.source, names)
    return names["tiled_attention"]


@given(keys=st.integers(1, 50), tile=st.integers(1, 60), seed=st.integers(0, 2**32 - 1), spread=st.floats(0, 300))
def test_tiles_of_any_size_give_the_same_attention(tiled_attention, keys, tile, seed, spread):
    random = np.random.default_rng(seed)
    query, key, value = spread * random.normal(size=8), random.normal(size=(keys, 8)), random.normal(size=(keys, 8))
    scores = key @ query
    weights = np.exp(scores - scores.max())
    plain = weights @ value / weights.sum()
    np.testing.assert_allclose(tiled_attention(query, key, value, tile), plain, atol=1e-9)


@pytest.mark.parametrize("n", [512, 8192, 65536])
@pytest.mark.parametrize("s", [0, 32768])
def test_the_formula_of_a_prompt_counts_what_hayasa_counts(n, s):
    model = hayasa.get_model("Llama 3.1 8B")
    attention = 4 * model.layers * model.attention_heads * model.head_dim * (s * n + n**2 / 2)
    counted = hayasa.prefill_flop(model, n, s) - hayasa.prefill_flop(model, 1) * n
    # What a token does with the weights, less the output matrix, which only the last one needs.
    output = 2 * model.vocab_size * model.hidden_size * (n - 1)
    assert counted + output == pytest.approx(attention, rel=5e-3)
