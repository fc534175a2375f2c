"""What the calculator on the book's page gets from here.

The page holds the formulas once more, in JavaScript (``web/*.mjs``).
`calculator_data` gives it every table that an estimate needs, so that no
number is typed twice.  `vectors` are questions with the answers that Python
gives; ``tests/web`` puts the same questions to the JavaScript.
"""

from __future__ import annotations

import contextlib
import json
import math
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import MISSING, fields
from itertools import chain, product
from typing import Any

from .calibration import (
    ASSUMED_CLOCK_HZ,
    FALLBACK_WIDENING,
    Calibration,
    DeviceFactor,
    calibrations,
    device_factors,
)
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
from .errors import (
    MAX_BATCH_SIZE,
    MAX_CONTEXT_LENGTH,
    MAX_DEVICES,
    HayasaError,
    InvalidValueError,
    UnknownNameError,
)
from .estimation import DEFAULT_PROMPT_LENGTH, NOTEWORTHY, Estimate, estimate
from .explanation import explain
from .kv_cache import kv_cache_bytes_per_token
from .latency import ridge_point_flop_per_byte
from .memory import MAC_GPU_MEMORY_SHARE, max_batch_size, max_context_length
from .models import Model, active_parameters, total_parameters
from .names import name_key
from .units import GIB, duration, gibibytes, scaled, significant
from .weights import BlockType, WeightFormat

Columns = dict[str, list[Any]]
"""A table by column, all of one length."""

Fields = dict[str, Any]
"""Arguments by name, as JSON can write them."""


def calculator_data() -> dict[str, Any]:
    """Collect every table that the calculator needs, ready for JSON.

    The page may weigh little, so tables are written in little: a table's
    ``text`` and ``numbers`` hold a string per column, in which ``~`` or ``,``
    stand between the rows and nothing stands for 0.  A column in which every
    row has the field's default is left out.  ``web/estimator.mjs`` reads it.

    Returns
    -------
    dict
        The tables ``devices``, ``models``, ``weight_formats`` (with
        ``mixes``), ``engines``, ``calibrations`` and ``device_factors``;
        ``constants`` and ``presets``.

    Raises
    ------
    DataFileError
        If a table cannot be read.

    Examples
    --------
    >>> data = calculator_data()
    >>> data["devices"]["text"]["id"].count("~") + 1 == len(device_rows())
    True
    >>> data["constants"]["DEFAULT_PROMPT_LENGTH"]
    512
    """
    return {
        "constants": {
            "ASSUMED_CLOCK_HZ": ASSUMED_CLOCK_HZ,
            "DEFAULT_PROMPT_LENGTH": DEFAULT_PROMPT_LENGTH,
            "FALLBACK_WIDENING": FALLBACK_WIDENING,
            "MAC_GPU_MEMORY_SHARE": MAC_GPU_MEMORY_SHARE,
            "MAX_BATCH_SIZE": MAX_BATCH_SIZE,
            "MAX_CONTEXT_LENGTH": MAX_CONTEXT_LENGTH,
            "MAX_DEVICES": MAX_DEVICES,
            "NOTEWORTHY": NOTEWORTHY,
        },
        "devices": _devices(),
        "models": _table(_columns(Model, [get_model(id_) for id_ in model_rows()], unused=("family",))),
        **_weight_formats([get_weight_format(id_) for id_ in weight_format_rows()]),
        "engines": _engines(),
        "calibrations": _table(_columns(Calibration, calibrations(), unused=_NOT_SHOWN)),
        "device_factors": _device_factors(),
        "presets": {"article": _article()},
    }


def measurement_data() -> dict[str, dict[str, str]]:
    """Collect the published speeds of what the tables can describe, ready for JSON.

    One table, written as those of `calculator_data` are.  It stands by itself,
    since the page asks for it only when a reader comes near.

    Returns
    -------
    dict
        The table; devices, models, weight formats and engines by their ids.

    Raises
    ------
    DataFileError
        If a table cannot be read.

    Examples
    --------
    >>> table = measurement_data()
    >>> {column.count("~") for column in table["text"].values()} == {table["numbers"]["batch_size"].count(",")}
    True
    """
    rows: list[Fields] = []
    for path in sorted((data_directory() / "measurements").glob("*.csv")):
        for row in read_rows(path):
            with contextlib.suppress(HayasaError, ValueError):
                rows.append(_measurement(row))
    return _table({name: [row[name] for row in rows] for name in rows[0]})


_NOT_SHOWN = (
    "models",
    "error_in_sample",
    "error_generation_held_out",
    "error_model_held_out",
    "error_source_held_out",
    "coverage_device_held_out",
    "coverage_model_held_out",
    "sources",
    "note",
)
"""What the page says nothing of."""


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
    """Write a number in few characters that are read back as the very same."""
    if not math.isfinite(number):
        raise ValueError(f"JSON に書けない数です: {number}")
    if number != int(number):
        return repr(number)
    digits = str(int(number))
    stripped = digits.rstrip("0")
    zeros = len(digits) - len(stripped)
    return f"{stripped}e{zeros}" if zeros > 2 else digits


def _columns(kind: type, objects: Sequence[object], unused: Iterable[str] = ()) -> Columns:
    """Turn dataclass objects into columns, without those that are unused or hold nothing but defaults."""
    columns: Columns = {}
    for field in fields(kind):
        column = [getattr(object_, field.name) for object_ in objects]
        same = field.default is not MISSING and all(value == field.default for value in column)
        if field.name not in unused and not same:
            columns[field.name] = column
    return columns


def _table(columns: Columns) -> dict[str, dict[str, str]]:
    """Write each column as one string, those with words apart from those with numbers."""
    table: dict[str, dict[str, str]] = {"text": {}, "numbers": {}}
    for name, column in columns.items():
        if isinstance(column[0], str):
            if any("~" in cell for cell in column):
                raise ValueError(f"列 {name} の文字列に ~ は使えません。")
            table["text"][name] = "~".join(column)
        else:
            # A truth value counts as 0 or 1 in JavaScript, too.
            table["numbers"][name] = ",".join(_shortest(cell) if cell else "" for cell in map(float, column))
    return table


def _devices() -> dict[str, dict[str, str]]:
    rows = list(device_rows().values())
    columns = _columns(Device, [get_device(row["id"]) for row in rows])
    # Dividing by a power of two is exact, and makes short numbers of long ones.
    columns["memory_capacity_gib"] = [n_bytes / GIB for n_bytes in columns.pop("memory_capacity_bytes")]
    columns["memory_options_gb"] = [row["memory_options_gb"] for row in rows]
    return _table(columns)


def _engines() -> dict[str, dict[str, str]]:
    engines = list(ENGINES.values())
    return _table(
        {
            "id": [engine.id for engine in engines],
            "name": [engine.name for engine in engines],
            "backends": [" ".join(map(":".join, engine.backends)) for engine in engines],
        }
    )


def _weight_formats(formats: Sequence[WeightFormat]) -> dict[str, Any]:
    """Return the formats, and what their rules are made of.

    A rule is four symbols: places in the lists of roles, conditions and
    layers, and in the table of blocks.
    """
    roles: list[str] = []
    conditions: list[str] = []
    layers: list[str] = []
    blocks: list[BlockType] = []

    def place_of_block(block: BlockType) -> int:
        if block.fallback:
            place_of_block(block.fallback)
        return _place(blocks, block)

    rules = []
    for format_ in formats:
        places: list[int] = []
        for rule in format_.rules:
            places += _place(roles, rule.role), _place(conditions, rule.when), _place(layers, rule.layers)
            places.append(place_of_block(rule.block))
        rules.append("".join(_SYMBOLS[place] for place in places))
    return {
        "weight_formats": _table({**_columns(WeightFormat, formats, unused=("rules",)), "rules": rules}),
        "mixes": {
            "roles": roles,
            "conditions": conditions,
            "layers": layers,
            "blocks": _table(
                {
                    "block_weights": [block.block_weights for block in blocks],
                    "bits_per_weight": [block.bits_per_weight for block in blocks],
                    "fallback": [blocks.index(block.fallback) if block.fallback else -1 for block in blocks],
                }
            ),
        },
    }


def _place(known: list[Any], value: object) -> int:
    """Return where `value` stands in a list, after adding it if it is new."""
    if value not in known:
        known.append(value)
    return known.index(value)


def _device_factors() -> dict[str, Any]:
    """Return the factors; a scope is a place among the families of devices, or behind them among the devices."""
    ids = [row.id for row in calibrations()]
    devices = [get_device(id_) for id_ in device_rows()]
    scopes = [*dict.fromkeys(device.family for device in devices), *device_rows()]
    columns = _columns(DeviceFactor, list(device_factors().values()), unused=("rows",))
    places = {name: columns.pop(name) for name in ("calibration", "scope")}
    return {
        **_table(columns),
        "places": {
            "calibration": _packed([ids.index(id_) for id_ in places["calibration"]]),
            "scope": _packed([scopes.index(scope) for scope in places["scope"]]),
        },
    }


_SYMBOLS = "".join(map(chr, (*range(ord("("), ord("\\")), *range(ord("]"), ord("|")))))
"""The digits that places are written with; a string needs no backslash before any of them."""


def _packed(places: Sequence[int]) -> str:
    """Write small whole numbers with one symbol each, or with as many as the largest needs.

    With several, the first symbols of all numbers come first, which are much
    alike, and then the second ones.
    """
    width = 1
    while len(_SYMBOLS) ** width <= max(places):
        width += 1
    powers = [len(_SYMBOLS) ** power for power in reversed(range(width))]
    return "".join(_SYMBOLS[place // power % len(_SYMBOLS)] for power in powers for place in places)


_SPLITS = {"layer": "pipeline", "row": "tensor"}
"""What llama.cpp calls the two ways of sharing a model."""


def _measurement(row: Row) -> Fields:
    return {
        "engine": get_engine(row["engine"]).id,
        "device": get_device(row["device"]).id,
        "devices": int(row["devices"]),
        "split": _SPLITS.get(row["split"], row["split"]),
        "model": get_model(row["model"]).id,
        "weights": get_weight_format(row["weights"]).id,
        "batch_size": int(row["batch_size"]),
        # The speed is the mean while the context grows, so the middle counts.
        "context_length": int(row["context_length"]) + int(row["decode_tokens"] or 0) // 2,
        # Three digits are as many as the page shows; no estimate uses them.
        "decode_tokens_per_s": float(f"{float(row['decode_tokens_per_s']):.2e}"),
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


# ---------------------------------------------------------------- the proof

SEED = 20261122
"""Seed of what is drawn by chance, so that the same questions come every time."""

_BATCH_SIZES = (1, 2, 3, 7, 8, 16, 33, 64, 100, 512, 1000, 4096)
_CONTEXT_LENGTHS = (0, 1, 127, 128, 512, 1000, 4095, 4096, 8192, 32768, 131072, 262144, 1_000_000)
_PROMPT_LENGTHS = (1, 2, 17, 512, 1023, 8192, 100_000, MAX_CONTEXT_LENGTH)
_COUNTS = (1, 2, 3, 4, 8, 16, 1000)
_KV_CACHES = ("f16", "q8_0", "q4_0", "f32", "bf16")
_SHARED = ("pipeline", "tensor")
_DRAWN = 800

_OWN_DEVICES: tuple[Fields, ...] = (
    {"memory_bandwidth_bytes_per_s": 120e9},
    {"name": "M4's mini", "family": "apple", "memory_bandwidth_bytes_per_s": 273e9, "memory_capacity_bytes": 64e9},
    {"family": "apple-m4", "memory_bandwidth_bytes_per_s": 546e9, "gpu_cores": 40, "dies": 2},
    {"family": "nvidia", "memory_bandwidth_bytes_per_s": 1.01e12, "peak_fp16_dense_flop_per_s": 165.2e12},
    {
        "family": "nvidia-ada",
        "memory_bandwidth_bytes_per_s": 1008e9,
        "memory_capacity_bytes": 24 * GIB,
        "peak_bf16_dense_flop_per_s": 82.6e12,
        "peak_fp16_accumulate_fp16_dense_flop_per_s": 165.2e12,
        "peak_int8_dense_op_per_s": 330.3e12,
        "gpu_cores": 128,
        "gpu_clock_hz": 2.52e9,
    },
    {"family": "amd", "memory_bandwidth_bytes_per_s": 256e9, "memory_capacity_bytes": 96e9, "gpu_clock_hz": 2.9e9},
    {"family": "amd-rdna", "memory_bandwidth_bytes_per_s": 960e9, "peak_fp32_flop_per_s": 61e12, "gpu_cores": 96},
    {"family": "cpu", "memory_bandwidth_bytes_per_s": 76.8e9, "memory_capacity_bytes": 1.5e9},
    {"family": "tpu", "memory_bandwidth_bytes_per_s": 0.1, "peak_int4_dense_op_per_s": 1e-3},
    {"memory_bandwidth_bytes_per_s": 1e17, "memory_capacity_bytes": 1e18, "peak_fp16_dense_flop_per_s": 1e21},
)

_DENSE: Fields = {
    "layers": 32,
    "hidden_size": 4096,
    "attention_heads": 32,
    "kv_heads": 8,
    "head_dim": 128,
    "intermediate_size": 14336,
    "vocab_size": 128256,
}
_EXPERTS: Fields = {
    "layers": 7,
    "hidden_size": 896,
    "attention_heads": 14,
    "kv_heads": 2,
    "head_dim": 64,
    "intermediate_size": 4864,
    "vocab_size": 151936,
    "experts": 8,
    "experts_per_token": 3,
    "moe_intermediate_size": 4865,
    "shared_experts": 2,
    "dense_layers": 1,
    "norms_per_layer": 4,
    "attention_kind": "mha",
    "sliding_window": 1000,
    "sliding_window_layers": 5,
    "attention_sinks": True,
    "qkv_bias": True,
    "o_bias": True,
    "qk_norm": True,
    "mlp_bias": True,
    "router_bias": True,
    "expert_bias": True,
}
_LATENT: Fields = {
    "layers": 5,
    "hidden_size": 2048,
    "attention_heads": 16,
    "intermediate_size": 10944,
    "vocab_size": 102400,
    "attention_kind": "mla",
    "kv_lora_rank": 512,
    "qk_nope_head_dim": 128,
    "qk_rope_head_dim": 64,
    "v_head_dim": 128,
}
_OWN_MODELS: tuple[Fields, ...] = (
    {"stated_parameters": 7e9},
    {"name": "自分のモデル", "stated_parameters": 123_456_789},
    {"stated_parameters": 1e16},
    {"stated_parameters": 0.5},
    _DENSE,
    {
        **_DENSE,
        "layers": 80,
        "hidden_size": 8190,
        "head_dim": 127,
        "gguf_architecture": "qwen2",
        "mlp_kind": "gelu2",
        "tied_embeddings": True,
        "context_length_max": 4096,
    },
    {**_DENSE, "fused_projections": True, "attention_kind": "mqa", "kv_heads": 1, "other_parameters": 5},
    # Not even one layer looks at the whole context, so that any context fits.
    {**_DENSE, "layers": 4, "sliding_window": 64, "sliding_window_layers": 4},
    _EXPERTS,
    # A share of 7 in 10 is no binary fraction, so that what is active has to be rounded.
    {**_EXPERTS, "experts": 10, "experts_per_token": 7},
    _LATENT,
)

# Written as JSON can, where it cannot: {"number": "NaN"}.
_BAD_NUMBERS: tuple[Any, ...] = (
    *(0, -1, 1, 1.5, -0.25, 0.1 + 0.2, 1e-7, 5e-324, 1e-5, 123456789.125, 65, 10**6 + 1, 10**9, 2.0**53, 1e16),
    *(1.7976931348623157e308, -1e30, 1e18 + 1e6, 3.3e17, 4.4e21),
    *("8", "", "it's", None, True, False),
    *({"number": name} for name in ("NaN", "Infinity", "-Infinity")),
)
_BAD_WORDS: tuple[Any, ...] = (
    *("", "row", "it's", 'say "it\'s"', "a\n\t\\b", "\u200b\x7f", "表\u3000😀", "\U000e0001"),
    *(3, None, True),
)


def vectors() -> Iterator[dict[str, Any]]:
    """Ask a few thousand questions and give the answers of Python.

    All pairs of model and weight format, all pairs of device and engine,
    devices and models of one's own, several devices, prompts and formats of
    the KV cache, whatever is refused, and how numbers are written.

    Yields
    ------
    dict
        ``ask`` says what: ``"estimate"``, ``"make"`` or ``"write"``.
        An estimate has a ``choice`` and its ``expected`` values, where
        ``inexact`` names those in which powers of numbers are taken, whose
        last digit may differ; or it has an ``error``.  The question whether
        something can be made has its ``kind``, ``fields`` and ``error``;
        writing a number has a ``function``, its ``arguments`` and the
        ``expected`` text.

    Examples
    --------
    >>> next(vectors())["expected"]["decode_tokens_per_s_bound"] > 0
    True
    """
    for choice in chain(_every_pair(), _every_own(), _drawn(), _refused_choices()):
        yield {"ask": "estimate", "choice": choice, **_answer(choice)}
    yield from _refused_objects()
    yield from _written_numbers()


def _every_pair() -> Iterator[Fields]:
    """Choices with all pairs of model and weights, and of device and engine; the rest goes round."""
    devices, models, weights = list(device_rows()), list(model_rows()), list(weight_format_rows())
    engines = list(ENGINES)
    for n, (model, format_) in enumerate(product(models, weights)):
        device, engine = devices[n * 37 % len(devices)], engines[n % len(engines)]
        yield _choice(n, model=model, weights=format_, device=device, engine=engine)
    for n, (device, engine) in enumerate(product(devices, engines)):
        model, format_ = models[n * 5 % len(models)], weights[n * 7 % len(weights)]
        yield {
            **_choice(n, model=model, weights=format_, device=device, engine=engine),
            "devices": _COUNTS[n % len(_COUNTS)],
            "split": _SHARED[n // 3 % 2],
        }


def _choice(n: int, **chosen: object) -> Fields:
    """Return a choice with a batch and a context that go round with `n`, not in step."""
    batch = _BATCH_SIZES[n // 2 % len(_BATCH_SIZES)] if n % 2 else 1
    return {**chosen, "batch_size": batch, "context_length": _CONTEXT_LENGTHS[n % len(_CONTEXT_LENGTHS)]}


def _every_own() -> Iterator[Fields]:
    """Choices with devices and models of one's own."""
    for n, (device, model, engine) in enumerate(product(_OWN_DEVICES, _OWN_MODELS, ENGINES)):
        weights = ("int4", "q4_k_m", "f16", "q8_0", "mxfp4", "mlx-q4", "bf16")[n % 7]
        yield _choice(n, device=device, model=model, engine=engine, weights=weights)
        if "layers" not in model:
            yield {**_choice(n, device=device, model=model, engine=engine, weights=weights), "context_length": 0}


def _drawn() -> Iterator[Fields]:
    """Choices in which everything is drawn."""
    draw = random.Random(SEED)
    devices, models, weights = list(device_rows()), list(model_rows()), list(weight_format_rows())
    for _ in range(_DRAWN):
        bits = round(draw.uniform(0.1, 64), draw.randrange(4))
        own = {"id": draw.choice(("bits", "q_k")), "bits_per_weight": bits or 1, "kind": draw.choice(("plain", "file"))}
        yield {
            "device": draw.choice((draw.choice(devices), draw.choice(_OWN_DEVICES))),
            "model": draw.choice((draw.choice(models), draw.choice(models), draw.choice(_OWN_MODELS[4:]))),
            "weights": draw.choice((draw.choice(weights), draw.choice(weights), own)),
            "engine": draw.choice(list(ENGINES)),
            "kv_cache": draw.choice((draw.choice(_KV_CACHES), own)),
            "batch_size": draw.choice((1, draw.choice(_BATCH_SIZES), draw.randrange(1, MAX_BATCH_SIZE))),
            "context_length": draw.choice((draw.choice(_CONTEXT_LENGTHS), draw.randrange(MAX_CONTEXT_LENGTH))),
            "devices": draw.choice((1, draw.choice(_COUNTS), draw.randrange(1, MAX_DEVICES))),
            "split": draw.choice(_SHARED),
            "prompt_length": draw.choice((None, draw.choice(_PROMPT_LENGTHS))),
        }


def _refused_choices() -> Iterator[Fields]:
    """Choices of which most are refused."""
    asked: Fields = {"model": "llama-3.1-8b", "device": "apple-m4-10c"}
    for name in ("batch_size", "context_length", "devices", "prompt_length"):
        yield from ({**asked, name: value} for value in _BAD_NUMBERS)
    for name in ("model", "device", "weights", "engine", "split"):
        # A name without a letter or digit has an empty key, which is that of an alias of the ideal engine.
        words = [value for value in _BAD_WORDS if name != "engine" or not isinstance(value, str) or name_key(value)]
        yield from ({**asked, name: value} for value in words)
    yield {**asked, "model": {"id": "it's", "stated_parameters": 7e9}, "context_length": 1}


def _refused_objects() -> Iterator[dict[str, Any]]:
    """Objects of which most are refused, and the word for it."""
    device: Fields = {"memory_bandwidth_bytes_per_s": 120e9}
    trials: list[tuple[str, Fields, Iterable[str], Iterable[Any]]] = [
        ("device", device, (f.name for f in fields(Device) if f.type != "str"), _BAD_NUMBERS),
        ("weights", {"bits_per_weight": 4}, ("bits_per_weight",), _BAD_NUMBERS),
    ]
    sizes = [name for name in dict.fromkeys((*_EXPERTS, *_LATENT)) if name != "attention_kind"]
    for shape in (_DENSE, _EXPERTS, _LATENT, {"stated_parameters": 7e9}):
        model = {"stated_parameters": 0, **shape}
        trials.append(("model", model, ("stated_parameters", *sizes), _BAD_NUMBERS))
        trials.append(("model", model, ("attention_kind", "mlp_kind"), _BAD_WORDS))
    for kind, whole, names, values in trials:
        for name, value in product(names, values):
            given = {**whole, name: value}
            error = None
            try:
                _object(kind, given)
            except InvalidValueError as refused:
                error = _refusal(refused)
            yield {"ask": "make", "kind": kind, "fields": given, "error": error}


def _written_numbers() -> Iterator[dict[str, Any]]:
    """Numbers as they are written, those exactly between two shorter ones among them."""
    draw = random.Random(SEED)
    ties = [n / 2**k for k in range(8) for n in (1, 3, 5, 7, 25, 99, 125, 375, 625, 999, 1001, 12345, 99995)]
    edges = [0, 5e-324, 1e-300, 9.995e-5, 9.9949e-5, 9.9951e-5, 1e-4, 0.00099951, 999.5, 999.49, 1e21, 1.2345e22, 1e300]
    values = [*edges, *ties, *(value * 10.0 ** draw.randrange(-25, 25) for value in ties)]
    values += [draw.uniform(1, 10) * 10.0 ** draw.randrange(-20, 30) for _ in range(600)]
    for n, value in enumerate(values):
        digits = 1 + n % 6
        asked: tuple[tuple[Callable[..., str], tuple[Any, ...]], ...] = (
            (significant, (value, digits)),
            (significant, (-value,)),
            (scaled, (value, "B/s", 3)),
            (gibibytes, (value, 3)),
            (duration, (value, 2)),
        )
        for function, arguments in asked:
            expected = function(*arguments)
            yield {"ask": "write", "function": function.__name__, "arguments": arguments, "expected": expected}


def _answer(choice: Fields) -> dict[str, Any]:
    """Return what Python says to a choice."""
    try:
        arguments = {name: _object(name, value) for name, value in choice.items()}
        result = estimate(**arguments)
    except (InvalidValueError, UnknownNameError) as refused:
        return {"error": _refusal(refused)}
    expected = {**result.to_dict(), **_beyond_the_dict(result)}
    calibration = result.calibration
    expected["calibration"] = calibration.id if calibration else None
    return {"expected": expected, "inexact": _inexact(result)}


def _beyond_the_dict(result: Estimate) -> dict[str, Any]:
    """Return what else the page shows of an estimate."""
    model, device, weights, chosen = result.model, result.device, result.weights, result.chosen
    peak = device.peak_flop_per_s(weights.compute_format)
    further: dict[str, Any] = {
        "weight_flop_per_step": result.weight_flop_per_step,
        "attention_flop_per_step": result.attention_flop_per_step,
        "step_latency_slow_s": result.step_latency_slow_s,
        "step_latency_fast_s": result.step_latency_fast_s,
        "peak_flop_per_s": peak,
        "ridge_point_flop_per_byte": (
            ridge_point_flop_per_byte(peak, device.memory_bandwidth_bytes_per_s) if peak else 0.0
        ),
        "total_parameters": total_parameters(model),
        "active_parameters": active_parameters(model),
        "explanation": explain(result),
    }
    if chosen:
        row = chosen._asdict()
        further["chosen"] = {**row, "calibration": chosen.calibration.id, "notes": list(chosen.notes)}
    if model.has_shape:
        bytes_per_value = result.kv_cache.bits_per_weight / 8
        shared: Fields = {"devices": result.devices, "bytes_per_value": bytes_per_value}
        further["kv_cache_bytes_per_token"] = kv_cache_bytes_per_token(model, bytes_per_value)
        further["max_context_length"] = max_context_length(
            model, device, weights, batch_size=result.batch_size, **shared
        )
        if result.context_length:
            further["max_batch_size"] = max_batch_size(
                model, device, weights, context_length=result.context_length, **shared
            )
    return further


_PREFILL = ("prefill_tokens_per_s_bound", "prefill_tokens_per_s", "time_to_first_token_s")
_INTERVAL = (
    "decode_tokens_per_s_low",
    "decode_tokens_per_s_high",
    "step_latency_slow_s",
    "step_latency_fast_s",
    "chosen",
)


def _inexact(result: Estimate) -> list[str]:
    """Name the values into which a power goes, whose last bit is left to each platform.

    Experts that a batch touches, and intervals that are widened.
    """
    names: list[str] = []
    if result.chosen and result.chosen.notes:
        names += _INTERVAL
    if result.model.experts and result.prompt_length > 1:
        names += _PREFILL
    if result.model.experts and result.batch_size > 1:
        names += [name for name, value in result.to_dict().items() if isinstance(value, float)]
        names += ["step_latency_slow_s", "step_latency_fast_s"]
    return list(dict.fromkeys(names))


def _object(name: str, value: Any) -> Any:
    """Turn the fields of a model, device or weight format into one, and a word for a number into it."""
    kinds: dict[str, Callable[..., object]] = {
        "device": Device,
        "model": Model,
        "weights": WeightFormat,
        "kv_cache": WeightFormat,
    }
    if isinstance(value, dict) and name in kinds:
        given = {field: _object(field, one) for field, one in value.items()}
        return kinds[name](**{"id": "own", **given})
    return float(value["number"]) if isinstance(value, dict) else value


def _refusal(error: InvalidValueError | UnknownNameError) -> dict[str, str]:
    """Return what is said of a value; proposals of other names are left out."""
    message = str(error).partition(" 使えるもの")[0]
    known, end, _ = message.partition("登録されていません。")
    return {
        "type": type(error).__name__,
        "argument": message.partition(" ")[0],
        "message": known + end,
    }
