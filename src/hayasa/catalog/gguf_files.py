"""Which model and format a GGUF file holds, from what llama.cpp says of it."""

from __future__ import annotations

import re
from dataclasses import replace

from ..errors import UnknownNameError
from ..model.shape import Model
from ..model.tensors import total_parameters
from ..model.weights import WeightBytes, WeightFormat, weight_bytes
from .objects import get_model, get_weight_format, model_rows, weight_format_rows, weight_formats

PARAMETER_TOLERANCE = 0.01
"""How far a file's parameter count may lie from a model's: it is printed in three digits."""

PARTS_DISTANCE = 0.001
"""What a count between a model with and without its further parts counts as: worse than a hit, better than a miss."""

SIZE_TOLERANCE = 0.03
"""How far a file's size may lie from that of a format before it counts as a mix of its own."""

_AROUND_A_TYPE = re.compile(r"^(?:mostly|all)\s+|\s*\(guessed\)|\s+-\s+[\d.]+ bpw.*| MoE$", re.ASCII | re.IGNORECASE)
_SIZE_OF_A_TYPE = re.compile(r"(\S+) - (Small|Medium|Large)", re.ASCII | re.IGNORECASE)


def models_of_file(architecture: str, parameters: float) -> list[Model]:
    """Return the models that a file could hold: those whose parameter count is nearest.

    Parameters
    ----------
    architecture : str
        llama.cpp's name of the structure (``general.architecture``).
    parameters : float
        How many parameters the file has.

    Returns
    -------
    list of Model
        Those of that structure whose count agrees best: whole models before
        those that lack parts, the newest first; empty if none agrees.

    Examples
    --------
    >>> [model.id for model in models_of_file("llama", 8.03e9)]
    ['llama-3.1-8b', 'llama-3-8b']
    """
    found = []
    for place, listed in enumerate(models_of_architecture(architecture)):
        model, released = listed
        total = total_parameters(model)
        # A file of the language model alone has no image encoder and no layers for drafts, or only one of both.
        least = total - model.other_parameters
        off = min(_distance(parameters, total), _distance(parameters, least))
        if least < parameters < total:
            off = min(off, PARTS_DISTANCE)
        if off <= PARAMETER_TOLERANCE:
            # Others build on a structure, too; the one it is named after is what most files hold.
            borrowed = not model.id.startswith(architecture)
            found.append(((round(off, 4), model.other_parameters > 0, borrowed, -released, -place), model))
    nearest = min((rank[0] for rank, _ in found), default=0.0)
    return [model for rank, model in sorted(found, key=lambda one: one[0]) if rank[0] == nearest]


def models_of_architecture(architecture: str) -> list[tuple[Model, int]]:
    """Return the listed models of a structure with when each was released, in the order of the table.

    Examples
    --------
    >>> [(model.id, released) for model, released in models_of_architecture("smollm3")]
    [('smollm3-3b', 2025)]
    """
    rows = [row for row in model_rows().values() if row["gguf_architecture"] == architecture]
    return [(get_model(row["id"]), int(row["released"])) for row in rows]


def format_of_file_type(number: int) -> WeightFormat | None:
    """Return the format that GGUF files call by a number (``general.file_type``); None if none is listed.

    Examples
    --------
    >>> known = format_of_file_type(15)
    >>> known.id if known else None
    'q4_k_m'
    """
    named = [id_ for id_, row in weight_format_rows().items() if row["file_type"] == str(number)]
    return get_weight_format(named[0]) if named else None


def format_of_block(block: str) -> WeightFormat | None:
    """Return the first listed format most of whose tensors are stored in blocks of a type; None if there is none.

    Examples
    --------
    >>> known = format_of_block("q6_k")
    >>> known.id if known else None
    'q6_k'
    """
    return next((one for one in weight_formats() if block in (one.id, _bulk(one))), None)


def _bulk(weights: WeightFormat) -> str:
    """Return the block type that most tensors of a listed format have."""
    if weights.kind == "plain":
        return weights.id
    blocks = [rule.block.id for rule in weights.rules if rule.role == "default" and "gguf" in weights.packing]
    return blocks[0] if blocks else ""


def _distance(printed: float, count: float) -> float:
    """Return how far a printed number lies from a count beyond its own rounding, relative to the count."""
    half_a_digit = next((step / 2 for step in (1e7, 1e4) if printed % step == 0), 0.0)
    return max(0.0, abs(printed - count) - half_a_digit) / count


def format_of_file(name: str, model: Model, file_bytes: float = 0.0, parameters: float = 0.0) -> WeightFormat:
    """Return the weight format of a file of a model.

    Parameters
    ----------
    name : str
        llama.cpp's name of the file type, such as ``Q4_K - Medium``.
    model : Model
        What the file holds.
    file_bytes, parameters : float
        Size of the file and parameters in it; 0 if unknown.

    Returns
    -------
    WeightFormat
        The format of that name.  A file of another size is a mix of its own
        (Unsloth's, gpt-oss with its small experts): then one with the bytes of
        that file, which differs in its experts if the model has any, else
        everywhere.

    Raises
    ------
    UnknownNameError
        If neither the name nor the size tells it.

    Examples
    --------
    >>> format_of_file("mostly Q4_0", get_model("llama-2-7b")).id
    'q4_0'
    >>> model = get_model("gpt-oss-20b")
    >>> mixed = format_of_file("F16", model, 12.83 * 2**30, 20.91e9)
    >>> mixed.id, weight_bytes(model, mixed).resident_bytes / 2**30
    ('f16-mix', 12.83)
    """
    try:
        known = get_weight_format(_plain_name(name))
    except UnknownNameError:
        if not (file_bytes and parameters):
            raise
        known = WeightFormat(id=_plain_name(name).lower(), bits_per_weight=8 * file_bytes / parameters)
    parts = weight_bytes(model, known)
    if not (file_bytes and parameters) or abs(parts.resident_bytes / file_bytes - 1) <= SIZE_TOLERANCE:
        return known
    bits = 8 * file_bytes / parameters
    return replace(
        known,
        id=f"{known.id}-mix",
        name=f"{name}（{bits:.2f} ビット）",
        bits_per_weight=bits,
        spread=0.0,
        stored=_of_size(parts, file_bytes),
    )


def _of_size(parts: WeightBytes, file_bytes: float) -> WeightBytes:
    """Return the parts of a file of another size than its name says."""
    others = parts.embedding_bytes + parts.shared_bytes
    if parts.experts and file_bytes > others:
        return parts._replace(routed_bytes_per_expert=(file_bytes - others) / parts.experts)
    scale = file_bytes / parts.resident_bytes
    return WeightBytes(
        parts.embedding_bytes * scale,
        parts.embedding_row_bytes * scale,
        parts.shared_bytes * scale,
        parts.routed_bytes_per_expert * scale,
        parts.experts,
        parts.experts_per_token,
    )


def _plain_name(name: str) -> str:
    """Return the name of a file type without what old and new versions put around it."""
    without = _AROUND_A_TYPE.sub("", name.strip())
    size = _SIZE_OF_A_TYPE.fullmatch(without)
    if not size:
        return without
    name, letter = size[1].upper(), size[2][0].upper()
    return name if (name, letter) == ("Q2_K", "M") else f"{name}_{letter}"  # llama.cpp's Q2_K is the medium one
