"""What an engine needs in memory beside the weights and the KV cache."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from ..catalog.reader import read_objects
from ..model.shape import Model
from .engines import Engine

FLOAT_BYTES = 4
"""Bytes of a number in the buffers: engines compute between the matrices in 32 bits."""


@dataclass(frozen=True, kw_only=True)
class EngineMemory:
    """What one engine needs, and what it may use: a row of ``engine_memory.csv``.

    Parameters
    ----------
    id : str
        The engine's id; ``"other"`` for those of which nothing is published.
    micro_batch : int
        Tokens of a prompt that are computed together.
    mask_bytes : float
        Bytes of the mask that says of each of them which token of the context it sees.
    fixed_bytes : float
        Bytes whatever is asked.
    share_least, share_most : float
        Share of the memory that it takes for itself by default, in old and in new versions.
    embedding_on_host : bool
        Whether an input embedding of its own stays in the computer's memory,
        where the device has another.
    """

    id: str
    micro_batch: int = 0
    mask_bytes: float = 0.0
    fixed_bytes: float = 0.0
    share_least: float = 1.0
    share_most: float = 1.0
    embedding_on_host: bool = False

    def buffers(self, model: Model, context_length: int) -> float:
        """Return the bytes of its buffers on one device.

        One buffer serves what comes one after the other: the mask and the
        feed-forward part of each layer, then the scores of the vocabulary.

        Examples
        --------
        llama.cpp writes 258.50 MiB for Llama 3 8B:

        >>> llama_cpp = EngineMemory(id="llama.cpp", micro_batch=512)
        >>> llama_cpp.buffers(Model(id="l", layers=32, hidden_size=4096, attention_heads=32,
        ...     kv_heads=8, head_dim=128, intermediate_size=14336, vocab_size=128256), 0) / 2**20
        258.5
        """
        inner = max(model.intermediate_size, model.experts_per_token * model.moe_intermediate_size)
        # Where gate and up are one matrix, its result is there before it is cut in two.
        widths = (5 if model.fused_projections else 3) * inner + 2 * model.hidden_size
        layer = self.mask_bytes * context_length + FLOAT_BYTES * widths
        scores = FLOAT_BYTES * (model.vocab_size + model.hidden_size)
        return self.fixed_bytes + self.micro_batch * max(layer, scores)


IDEAL_MEMORY = EngineMemory(id="ideal")
"""Physics alone: neither buffers nor anything held back."""


@cache
def engine_memories() -> dict[str, EngineMemory]:
    """All rows of ``engine_memory.csv`` by engine."""
    return {row.id: row for row in read_objects(EngineMemory, "engine_memory.csv")}


def memory_of(engine: Engine, backend: str = "") -> EngineMemory:
    """Return what an engine needs and may use: its own row, or that of who does its work.

    Examples
    --------
    >>> from .engines import ENGINES
    >>> [memory_of(ENGINES[id_]).id for id_ in ("vllm", "ollama", "sglang", "exllamav3")]
    ['vllm', 'llama.cpp', 'vllm', 'other']
    """
    if engine.id == "ideal":
        return IDEAL_MEMORY
    rows = engine_memories()
    for id_ in (engine.id, backend, *engine.runs, *engine.kin):
        if id_ in rows:
            return rows[id_]
    return rows["other"]
