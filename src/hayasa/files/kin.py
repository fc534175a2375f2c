"""What a file leaves to the code of its family: taken from a listed model of that family."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from ..catalog.objects import get_model
from ..errors import InvalidValueError, require_integer
from ..model.shape import ATTENTION_MIXERS, Model

TRAITS = (
    "family",
    "gguf_architecture",
    "tied_embeddings",
    "qkv_bias",
    "o_bias",
    "qk_norm",
    "mlp_kind",
    "fused_projections",
    "norms_per_layer",
    "mlp_bias",
    "router_bias",
    "expert_bias",
    "attention_sinks",
    "keys_are_values",
    "qk_norm_over_heads",
    "shared_expert_gate",
    "index_pool",
)
"""Fields of `Model` that are alike in a family, whatever its sizes."""

MOST_LAYERS = 10_000
"""A file that claims more layers than this is wrong."""

WINDOW_PATTERNS = {"gemma2": "WA", "gemma3": "WWWWWA", "gpt-oss": "WA"}
"""Which layers have a window, of the families whose listed models only say how many."""


COMPRESSED = {0: "W", 4: "Q", 128: "Z"}
"""The letter of `MIXERS` for each entry of DeepSeek's compression ratios."""


def kin_among(ids: Iterable[str], fields: Mapping[str, Any]) -> Model | None:
    """Return the listed model that is made like one with these fields: the first, if none is alike.

    Examples
    --------
    >>> kin = kin_among(("granite-4.0-h-micro", "granite-4.0-h-tiny"), {"experts": 64})
    >>> kin.id if kin else None
    'granite-4.0-h-tiny'
    """
    found = [get_model(id_) for id_ in ids]
    for name in ("experts", "per_layer_embedding_size", "sliding_window"):
        alike = [kin for kin in found if bool(getattr(kin, name)) == bool(fields.get(name))]
        found = alike or found
    return found[0] if found else None


def mixers_of_kin(kin: Model | None, layers: int) -> str:
    """Return the pattern of mixers that holds for a family; empty if it is another for every model.

    Examples
    --------
    >>> from hayasa import get_model
    >>> mixers_of_kin(get_model("gemma-2-2b"), 42), mixers_of_kin(get_model("granite-4.0-h-micro"), 30)
    ('WA', '')
    """
    if kin is None:
        return ""
    if kin.gguf_architecture in WINDOW_PATTERNS:
        return WINDOW_PATTERNS[kin.gguf_architecture]
    if kin.sliding_window_layers == kin.layers:
        return "W"
    return kin.mixer_pattern if len(kin.mixer_pattern) < kin.layers or layers == kin.layers else ""


def with_traits(kin: Model | None, fields: Mapping[str, Any]) -> Model:
    """Return the model of some fields; what they do not say is as in its kin, or as in Llama.

    Parameters
    ----------
    kin : Model or None
        A listed model of its family.
    fields : mapping
        Fields of `Model` by name: all sizes, and what else is known.

    Raises
    ------
    InvalidValueError
        If a size is missing or impossible.
    """
    own = dict(fields)
    for name in ("layers", "hidden_size", "attention_heads", "vocab_size"):
        if not own.get(name):
            raise InvalidValueError(f"{name} が書かれていません。")
    own.setdefault("kv_heads", own["attention_heads"])
    own.setdefault("head_dim", own["hidden_size"] // own["attention_heads"])
    if kin is not None:
        for name in TRAITS:
            own.setdefault(name, getattr(kin, name))
        gate = kin.attention_gate_dim  # one number per head, or one for each that the head puts out
        own.setdefault("attention_gate_dim", own["head_dim"] if gate == kin.head_dim else gate)
        own.setdefault("further_parameters", kin.further_parameters * own["layers"] // kin.layers)
    if kin is not None and kin.attention_kind == "shared":
        own["attention_kind"] = "shared"
    elif own.get("kv_lora_rank"):
        own["attention_kind"] = "mla"
    elif own["kv_heads"] == own["attention_heads"]:
        own["attention_kind"] = "mha"
    else:
        own["attention_kind"] = "mqa" if own["kv_heads"] == 1 else "gqa"
    model = Model(**own)
    mixers = model.layer_mixers
    if not any(one in ATTENTION_MIXERS for one in mixers):
        raise InvalidValueError("注意機構のある層がありません。")
    # A window is said only where a layer has one.
    windowed = any(one in ("W", "w", "Q", "Z") for one in mixers)
    return model if windowed else replace(model, sliding_window=0)


def shared_kv(pattern: str, layers: int, shared: int) -> str:
    """Return a pattern whose last layers use the keys and values of earlier ones.

    Examples
    --------
    >>> shared_kv("WA", 6, 2)
    'WAWAwa'
    """
    require_integer("num_kv_shared_layers", shared, 0, layers)
    whole = "".join(pattern[layer % len(pattern)] for layer in range(layers))
    return whole[: layers - shared] + whole[layers - shared :].lower() if shared else pattern
