"""A Llama in NumPy whose arithmetic is counted while it runs.

Chapter 4 derives how many operations a token costs; this runs them.  Weights
are random, so it says nothing, but it multiplies what a trained model of the
same shape multiplies.  Written to be read: one function per part of a layer.
"""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import require_integer
from ..model.shape import Model

Weights = dict[str, Any]


class Count(NamedTuple):
    """Operations that were carried out.

    Parameters
    ----------
    products : int
        In matrix products, a multiplication and an addition counted as two.
    others : int
        In everything else, each function such as an exponential counted as one.
    """

    products: int
    others: int


class _Counted(np.ndarray):
    """An array that notes every operation: sums, products and functions all pass `__array_ufunc__`."""

    __array_priority__ = 1  # what is joined with one stays one, so that nothing is missed
    tally: ClassVar = {"products": 0, "others": 0}

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        arrays = [np.asarray(x) for x in inputs]
        result = np.asarray(getattr(ufunc, method)(*arrays, **kwargs))
        if ufunc is np.matmul:
            _Counted.tally["products"] += 2 * result.size * arrays[0].shape[-1]
        elif method == "reduce":  # a sum of n is n - 1 additions
            _Counted.tally["others"] += arrays[0].size - result.size
        else:
            _Counted.tally["others"] += result.size
        return result.view(_Counted)


def count_flop(model: Model, context_length: int, *, new_tokens: int = 1) -> Count:
    """Run the last tokens of a context through a model of this shape, and count.

    Parameters
    ----------
    model : Model
        A dense model with grouped-query or multi-head attention, small enough to be run.
    context_length : int
        Tokens that the last one looks back on, itself included.
    new_tokens : int
        How many of them are processed together now; the others are in the cache.
        All of them make a prefill, one is a step of decoding.

    Returns
    -------
    Count
        Operations of these tokens; the output matrix is applied to the last one only.

    Raises
    ------
    InvalidValueError
        If the shape is unknown or a number is out of range.

    Examples
    --------
    Two operations per weight of its matrices, and 4 L s n_h d_h in attention:

    >>> tiny = Model(id="tiny", layers=2, hidden_size=64, attention_heads=4, kv_heads=2, head_dim=16,
    ...              intermediate_size=172, vocab_size=320)
    >>> count_flop(tiny, 200).products == 222_208 + 4 * 2 * 200 * 4 * 16
    True
    """
    model.require_shape("計算の回数を数える")
    require_integer("context_length", context_length, 1, 10**6)
    require_integer("new_tokens", new_tokens, 1, context_length)
    weights, caches = random_weights(model), empty_caches(model)
    tokens = np.arange(context_length) % model.vocab_size
    if remembered := context_length - new_tokens:
        forward(tokens[:remembered], weights, caches, model)
    _Counted.tally = {"products": 0, "others": 0}
    forward(tokens[remembered:], weights, caches, model)
    return Count(**_Counted.tally)


def forward(tokens: NDArray[Any], weights: Weights, caches: list[Weights], model: Model) -> NDArray[np.float64]:
    """Return the scores of every next token, after these; their keys and values join the caches.

    Parameters
    ----------
    tokens : array of int
        Numbers of the tokens to process together.
    weights, caches
        From `random_weights` and `empty_caches`; the caches are added to.
    model : Model
        The shape they were made for.

    Returns
    -------
    array
        One row of `vocab_size` scores.
    """
    x = weights["embedding"][tokens]  # a row of a table: no arithmetic
    position = np.arange(len(tokens)) + caches[0]["k"].shape[1]
    for layer, cache in zip(weights["layers"], caches, strict=True):
        x = x + _attention(_rms_norm(x, layer["norm_1"]), layer, cache, position, model)
        normed = _rms_norm(x, layer["norm_2"])
        gate, up = normed @ layer["gate"].T, normed @ layer["up"].T
        x = x + (gate / (1 + np.exp(-gate)) * up) @ layer["down"].T  # SiLU(gate) times up
    return np.asarray(_rms_norm(x[-1:], weights["norm"]) @ weights["head"].T)


def random_weights(model: Model) -> Weights:
    """Return weights of the right shapes, the same on every call."""
    rng = np.random.default_rng(0)

    def draw(*shape: int) -> Any:
        values = rng.standard_normal(shape, np.float32) / shape[-1] ** 0.5
        return values.view(_Counted)

    vocabulary = (model.vocab_size, model.hidden_size)
    layers = [_random_layer(model, draw) for _ in range(model.layers)]
    return {
        "embedding": draw(*vocabulary),
        "layers": layers,
        "norm": draw(model.hidden_size),
        "head": draw(*vocabulary),
    }


def empty_caches(model: Model) -> list[Weights]:
    """Return a cache of keys and values per layer, with nothing in it."""
    nothing = np.zeros((model.kv_heads, 0, model.head_dim)).view(_Counted)
    return [{"k": nothing, "v": nothing} for _ in range(model.layers)]


def _random_layer(model: Model, draw: Callable[..., Any]) -> Weights:
    d, d_ff = model.hidden_size, model.intermediate_size
    q, kv = model.attention_heads * model.head_dim, model.kv_heads * model.head_dim
    shapes: dict[str, Sequence[int]] = {
        "norm_1": (d,),
        "q": (q, d),
        "k": (kv, d),
        "v": (kv, d),
        "o": (d, q),
        "norm_2": (d,),
        "gate": (d_ff, d),
        "up": (d_ff, d),
        "down": (d, d_ff),
    }
    return {name: draw(*shape) for name, shape in shapes.items()}


def _attention(x: Any, layer: Weights, cache: Weights, position: NDArray[Any], model: Model) -> Any:
    n, d_h = len(x), model.head_dim

    def heads(name: str) -> Any:  # apply the matrix, then lay out as (head, token, d_h)
        return (x @ layer[name].T).reshape(n, -1, d_h).swapaxes(0, 1)

    k = np.concatenate([cache["k"], _rope(heads("k"), position)], axis=1)
    v = np.concatenate([cache["v"], heads("v")], axis=1)
    cache.update(k=k, v=v)
    # Queries that share a key stand together: grouped-query attention.
    q = _rope(heads("q"), position).reshape(model.kv_heads, -1, n, d_h)
    scores = q @ k[:, None].swapaxes(-1, -2) / d_h**0.5
    future = np.arange(k.shape[1]) > position[:, None]
    mixed = _softmax(scores + np.where(future, -np.inf, 0)) @ v[:, None]
    return mixed.reshape(-1, n, d_h).swapaxes(0, 1).reshape(n, -1) @ layer["o"].T


def _rms_norm(x: Any, gain: Any) -> Any:
    mean_square = (x * x).sum(-1, keepdims=True) / x.shape[-1]
    return x / np.sqrt(mean_square + 1e-5) * gain


def _softmax(x: Any) -> Any:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def _rope(x: Any, position: NDArray[Any]) -> Any:
    half = x.shape[-1] // 2
    angle = np.outer(position, 10000.0 ** (-np.arange(half) / half))
    cos, sin = np.cos(angle), np.sin(angle)
    a, b = x[..., :half], x[..., half:]
    return np.concatenate([a * cos - b * sin, a * sin + b * cos], axis=-1)
