"""What the calculator on the book's page gets from here.

The page holds the formulas once more, in JavaScript (``web/*.mjs``).
`calculator_data` gives it every table that an estimate needs, so that no
number is typed twice; `hayasa.vectors` proves that both sides count alike.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import MISSING, fields
from typing import Any

from .calibration import ASSUMED_CLOCK_HZ, FALLBACK_WIDENING, Calibration, calibrations, device_factors
from .datasets import (
    Row,
    data_directory,
    device_rows,
    get_device,
    get_model,
    get_weight_format,
    model_rows,
    parse_number,
    read_rows,
    weight_format_rows,
)
from .devices import Device
from .engines import ENGINES, get_engine
from .errors import MAX_BATCH_SIZE, MAX_CONTEXT_LENGTH, MAX_DEVICES, HayasaError
from .estimation import DEFAULT_PROMPT_LENGTH, NOTEWORTHY
from .models import Model
from .units import GIB
from .weights import BlockType, WeightFormat

Columns = dict[str, list[Any]]
"""A table as the page reads it: one list per column, all of one length."""


def calculator_data() -> dict[str, Any]:
    """Collect every table that the calculator needs, ready for JSON.

    Returns
    -------
    dict
        ``devices``, ``models``, ``weight_formats`` (with ``mixes``),
        ``engines``, ``calibrations``, ``device_factors`` and
        ``measurements`` as columns; ``constants`` and ``presets``.  A column
        in which every row has the field's default is left out.

    Raises
    ------
    DataFileError
        If a table cannot be read.

    Examples
    --------
    >>> data = calculator_data()
    >>> len(data["devices"]["id"]) == len(device_rows())
    True
    >>> data["constants"]["DEFAULT_PROMPT_LENGTH"]
    512
    """
    formats = [get_weight_format(id_) for id_ in weight_format_rows()]
    engines = list(ENGINES.values())
    return {
        "constants": {
            "ASSUMED_CLOCK_HZ": ASSUMED_CLOCK_HZ,
            "DEFAULT_PROMPT_LENGTH": DEFAULT_PROMPT_LENGTH,
            "FALLBACK_WIDENING": FALLBACK_WIDENING,
            "MAX_BATCH_SIZE": MAX_BATCH_SIZE,
            "MAX_CONTEXT_LENGTH": MAX_CONTEXT_LENGTH,
            "MAX_DEVICES": MAX_DEVICES,
            "NOTEWORTHY": NOTEWORTHY,
        },
        "devices": _devices(),
        "models": _columns(Model, [get_model(id_) for id_ in model_rows()]),
        **_weight_formats(formats),
        "engines": {
            "id": [engine.id for engine in engines],
            "name": [engine.name for engine in engines],
            "backends": [[list(pair) for pair in engine.backends] for engine in engines],
        },
        "calibrations": {
            field.name: [getattr(row, field.name) for row in calibrations()]
            for field in fields(Calibration)
            if field.name != "sources"
        },
        "device_factors": _device_factors(),
        "measurements": _measurements(),
        "presets": {"article": _article()},
    }


def compact_json(data: object) -> str:
    """Write data as JSON in few characters, every number exactly.

    Parameters
    ----------
    data : object
        Mappings, sequences, strings, finite numbers, truth values and None.

    Returns
    -------
    str
        One line.

    Raises
    ------
    ValueError
        If a number is not finite.

    Examples
    --------
    >>> compact_json({"a": [1935000000000.0, 0.25, 512.0], "b": None})
    '{"a":[1935e9,0.25,512],"b":null}'
    """
    if isinstance(data, dict):
        pairs = (f"{json.dumps(str(key), ensure_ascii=False)}:{compact_json(value)}" for key, value in data.items())
        return "{" + ",".join(pairs) + "}"
    if isinstance(data, (list, tuple)):
        return "[" + ",".join(map(compact_json, data)) + "]"
    if isinstance(data, (int, float)) and not isinstance(data, bool):
        return _shortest(data)
    return json.dumps(data, ensure_ascii=False)


def _shortest(number: float) -> str:
    if not math.isfinite(number):
        raise ValueError(f"JSON に書けない数です: {number}")
    if number != int(number):
        return repr(number)
    digits = str(int(number))
    stripped = digits.rstrip("0")
    zeros = len(digits) - len(stripped)
    return f"{stripped}e{zeros}" if zeros > 2 else digits


def _columns(kind: type, objects: Sequence[object], names: Iterable[str] = ()) -> Columns:
    """Turn dataclass objects into columns, leaving out those that hold nothing but defaults."""
    defaults = {field.name: field.default for field in fields(kind)}
    columns = {}
    for name in names or defaults:
        column = [_plain(getattr(object_, name)) for object_ in objects]
        if defaults[name] is MISSING or any(value != defaults[name] for value in column):
            columns[name] = column
    return columns


def _plain(value: object) -> object:
    """Write a truth value as 0 or 1, which is shorter and counts alike."""
    return int(value) if isinstance(value, bool) else value


def _devices() -> Columns:
    rows = list(device_rows().values())
    columns = _columns(Device, [get_device(row["id"]) for row in rows])
    # Dividing by a power of two is exact, and makes short numbers of long ones.
    capacities = [n_bytes / GIB for n_bytes in columns.pop("memory_capacity_bytes")]
    return {
        **columns,
        "memory_capacity_gib": capacities,
        "generation": [row["generation"] for row in rows],
        "released": [int(row["released"] or 0) for row in rows],
        "memory_options_gb": [row["memory_options_gb"] for row in rows],
    }


def _weight_formats(formats: Sequence[WeightFormat]) -> dict[str, Any]:
    """Return the formats, and what their rules are made of.

    A rule is four places: in the lists of roles, conditions and layers, and
    in the table of blocks.
    """
    roles: list[str] = []
    conditions: list[str] = []
    layers: list[str] = []
    blocks: list[BlockType] = []

    def place_of_block(block: BlockType) -> int:
        if block.fallback:
            place_of_block(block.fallback)
        return _place(blocks, block)

    rules = [
        [
            [
                _place(roles, rule.role),
                _place(conditions, rule.when),
                _place(layers, rule.layers),
                place_of_block(rule.block),
            ]
            for rule in format_.rules
        ]
        for format_ in formats
    ]
    names = [field.name for field in fields(WeightFormat) if field.name != "rules"]
    return {
        "weight_formats": {**_columns(WeightFormat, formats, names), "rules": rules},
        "mixes": {
            "roles": roles,
            "conditions": conditions,
            "layers": layers,
            "blocks": {
                "block_weights": [block.block_weights for block in blocks],
                "bits_per_weight": [block.bits_per_weight for block in blocks],
                # A block's fallback stands before it in the list.
                "fallback": [blocks.index(block.fallback) if block.fallback else -1 for block in blocks],
            },
        },
    }


def _place(known: list[Any], value: object) -> int:
    """Return where `value` stands in a list, after adding it if it is new."""
    if value not in known:
        known.append(value)
    return known.index(value)


def _device_factors() -> Columns:
    ids = [row.id for row in calibrations()]
    factors = list(device_factors().values())
    return {
        "calibration": [ids.index(factor.calibration) for factor in factors],
        "scope": [factor.scope for factor in factors],
        "weight_kind": [factor.weight_kind for factor in factors],
        "step_factor": [factor.step_factor for factor in factors],
        "old_build_share": [factor.old_build_share for factor in factors],
        "prefill_factor": [factor.prefill_factor for factor in factors],
    }


def _measurements() -> dict[str, Any]:
    """Return the published speeds of what the tables can describe, and how many they cannot.

    Words are given once and named by their place; devices, models and weight
    formats by their row.
    """
    words: dict[str, list[str]] = {
        "engine": [],
        "backend": [],
        "split": [],
        "measured_on": [],
        "source": [],
        "device": list(device_rows()),
        "model": list(model_rows()),
        "weights": list(weight_format_rows()),
    }
    rows: list[dict[str, Any]] = []
    skipped = 0
    for path in sorted((data_directory() / "measurements").glob("*.csv")):
        for row in read_rows(path):
            try:
                rows.append(_measurement(row))
            except (HayasaError, ValueError):
                skipped += 1
    columns: Columns = {
        name: [_place(words[name], row[name]) if name in words else row[name] for row in rows] for name in rows[0]
    }
    given = ("engine", "backend", "split", "measured_on", "source")
    return {"rows": columns, **{name: words[name] for name in given}, "skipped": skipped}


_SPLITS = {"layer": "pipeline", "row": "tensor"}
"""What llama.cpp calls the two ways of sharing a model."""


def _measurement(row: Row) -> dict[str, Any]:
    return {
        "engine": get_engine(row["engine"]).id,
        "backend": row["backend"],
        "device": get_device(row["device"]).id,
        "devices": int(row["devices"]),
        "split": _SPLITS.get(row["split"], row["split"]),
        "model": get_model(row["model"]).id,
        "weights": get_weight_format(row["weights"]).id,
        "batch_size": int(row["batch_size"]),
        # The speed is the mean while the context grows, so the middle counts.
        "context_length": int(row["context_length"]) + int(row["decode_tokens"] or 0) // 2,
        # These are only shown; no estimate uses them.
        "decode_tokens_per_s": float(f"{float(row['decode_tokens_per_s']):.4g}"),
        "decode_std": float(f"{parse_number(row, 'decode_std', row['id']):.2g}"),
        "measured_on": row["measured_on"][:7],
        "source": _home(row["source"]),
    }


def _home(source: str) -> str:
    """Return the address of what a source is part of: a repository instead of one of its many files."""
    return source.split(" ; ")[0].split("/blob/")[0]


def _article() -> dict[str, Any]:
    """Return the article's comparison: 7e9 weights of half a byte on an A100 and on a Mac mini.

    The article counts the Neural Engine of the Mac mini, which is no part of
    the GPU's row.
    """
    row = device_rows()["apple-m4-10c"]
    smallest = min(int(option) for option in row["memory_options_gb"].split("|"))
    return {
        "model": {"stated_parameters": 7e9},
        "weights": "int4",
        "engine": "ideal",
        "machines": [
            {"device": "a100-80gb-pcie"},
            {
                "device": {
                    "name": "Mac mini M4",
                    "family": "apple",
                    "memory_bandwidth_bytes_per_s": get_device(row["id"]).memory_bandwidth_bytes_per_s,
                    "memory_capacity_bytes": smallest * GIB,
                    "peak_int4_dense_op_per_s": parse_number(row, "neural_engine_op_per_s", "devices.csv"),
                }
            },
        ],
    }
