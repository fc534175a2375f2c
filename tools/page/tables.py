"""The tables that the page's script holds, each number typed once: in `data/`."""

from __future__ import annotations

import contextlib
import json
import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, fields
from typing import Any

from hayasa.answer.causes import cause_rows
from hayasa.answer.cost import Price, prices
from hayasa.catalog.gguf_files import format_of_block
from hayasa.catalog.measurements import Measurement, mean_context_length, measurements
from hayasa.catalog.objects import (
    Processor,
    device_rows,
    get_device,
    get_model,
    get_weight_format,
    gguf_block_types,
    listed_device,
    model_rows,
    processors,
    weight_format_rows,
)
from hayasa.catalog.reader import parse_number
from hayasa.engine.buffers import EngineMemory, engine_memories
from hayasa.engine.calibration import Calibration, DeviceFactor, calibrations, device_factors
from hayasa.engine.drafting import (
    DRAFTERS,
    MODEL,
    TEXTS,
    DraftAcceptance,
    DraftCalibration,
    draft_acceptances,
    draft_calibrations,
)
from hayasa.engine.engines import ENGINES, Engine, get_engine
from hayasa.engine.offload import OffloadCalibration, offload_calibration
from hayasa.engine.power import (
    ClockCalibration,
    PowerCalibration,
    RatedPower,
    clock_calibration,
    power_calibrations,
    rated_powers,
)
from hayasa.engine.prompt import PromptCalibration, PromptFactor, prompt_calibrations, prompt_factors, vendor
from hayasa.errors import UnknownNameError
from hayasa.machine.device import Device
from hayasa.machine.reserve import MemoryReserve, memory_reserves
from hayasa.model.shape import Model
from hayasa.model.weights import BlockType, WeightFormat
from hayasa.units import GIB

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
        ``mixes``), ``calibrations``, ``device_factors``, ``memory_reserves``, ``engine_memories``,
        ``engines``, ``presets``, ``drafting`` (what ways to draft and kinds of text
        are called), and ``shelves``: titles of the groups in which the menus offer devices, models and weight
        formats, and how many stand in each; they are listed in the order of the menus.

    Raises
    ------
    DataFileError
        If a table cannot be read.

    Examples
    --------
    >>> data = calculator_data()
    >>> data["devices"]["text"]["id"].count("~") + 1 == len(device_rows())
    True
    """
    return {
        "devices": _devices(),
        "models": _table(
            _columns(Model, [get_model(id_) for id_ in _on_shelves(_model_shelves())], unused=("family",))
        ),
        **_weight_formats([get_weight_format(id_) for id_ in _on_shelves(_weight_shelves())]),
        "calibrations": _table(_columns(Calibration, calibrations(), unused=NOT_SHOWN)),
        "device_factors": _factors(DeviceFactor, device_factors().values(), calibrations()),
        "memory_reserves": _table(_columns(MemoryReserve, memory_reserves())),
        "engine_memories": _table(_columns(EngineMemory, list(engine_memories().values()))),
        "engines": [_said(engine) for engine in ENGINES.values()],
        "presets": {"article": _article()},
        "drafting": {"ways": {one.id: one.label for one in DRAFTERS if one.id != MODEL}, "texts": TEXTS},
        "shelves": {
            "devices": [(title, len(ids)) for title, ids in _device_shelves()],
            "models": [(title, len(ids)) for title, ids in _model_shelves()],
            "weight_formats": [(title, len(ids)) for title, ids in _weight_shelves()],
        },
    }


def prompt_data() -> dict[str, Any]:
    """Collect what prompts are estimated with, which the first answer does without, ready for JSON.

    Returns
    -------
    dict
        The tables ``prompt_calibrations`` and ``prompt_factors``, written as those of `calculator_data`.

    Raises
    ------
    DataFileError
        If a table cannot be read.
    """
    return {
        "prompt_calibrations": _table(_columns(PromptCalibration, prompt_calibrations(), unused=NOT_SHOWN)),
        "prompt_factors": _factors(PromptFactor, prompt_factors().values(), prompt_calibrations()),
    }


def energy_data() -> dict[str, Any]:
    """Collect what power and its price are estimated with, ready for JSON.

    Returns
    -------
    dict
        The tables ``power_calibrations``, ``clock_calibration`` and ``prices``, written as those of
        `calculator_data`, and ``rated_powers``, with a row for every device, of 0 where nothing is known.

    Raises
    ------
    DataFileError
        If a table cannot be read.
    """
    unknown = RatedPower("", 0.0, "", 0.0)
    rated = [rated_powers().get(id_, unknown) for id_ in _on_shelves(_device_shelves())]
    return {
        "rated_powers": _table(_columns(RatedPower, rated, unused=("id",))),
        "power_calibrations": _table(_columns(PowerCalibration, list(power_calibrations().values()))),
        "clock_calibration": _table(_columns(ClockCalibration, [clock_calibration()])),
        "prices": _table(_columns(Price, prices())),
    }


def file_data() -> dict[str, Any]:
    """Collect what tells which model and format a file holds, ready for JSON.

    Returns
    -------
    dict
        The tables ``models``, with a row for every model in the order of the menu (when it was released,
        and its place in the table of models) and ``blocks`` (block types by the number that files know them
        by); ``file_types`` and ``bulk``: ids of formats by the number of a file type, and by the block type
        that most of a file is stored in.

    Raises
    ------
    DataFileError
        If a table cannot be read.
    """
    blocks = gguf_block_types()
    bulk = {block.id: format_of_block(block.id) for block in blocks.values()}
    return {
        "models": _table(_listed_models()),
        "blocks": _table(
            {
                "id": [block.id for block in blocks.values()],
                "number": list(blocks),
                "block_weights": [block.block_weights for block in blocks.values()],
                "bits_per_weight": [block.bits_per_weight for block in blocks.values()],
            }
        ),
        "file_types": {
            row["file_type"]: id_ for id_, row in reversed(weight_format_rows().items()) if row["file_type"]
        },
        "bulk": {block: known.id for block, known in bulk.items() if known},
    }


def _listed_models() -> Columns:
    """Return when each model was released, and where it stands in the table, in the order of the menu."""
    rows, models = model_rows(), _on_shelves(_model_shelves())
    return {"released": [int(rows[id_]["released"]) for id_ in models], "place": _places(rows, models)}


def _places(rows: Iterable[str], ids: Iterable[str]) -> list[int]:
    """Return where ids stand in a table."""
    places = {id_: place for place, id_ in enumerate(rows)}
    return [places[id_] for id_ in ids]


def _names(rows: Mapping[str, Mapping[str, str]], shelves: list[Shelf], further: Iterable[str] = ()) -> Columns:
    """Return by which names things are known, and where they stand in the table, in the order of the menu."""
    ids = _on_shelves(shelves)
    columns: Columns = {name: [rows[id_][name] for id_ in ids] for name in ("aliases", *further)}
    return columns | {"place": _places(rows, ids)}


def check_data() -> dict[str, Any]:
    """Collect what measured speeds are held against beside the estimates, ready for JSON.

    Returns
    -------
    dict
        The tables ``causes`` (why speeds are not as estimated), and ``devices``, ``models``, ``weight_formats``
        and ``processors``, which say by which other names these are known, in the order of the menus.

    Raises
    ------
    DataFileError
        If a table cannot be read.
    """
    causes = cause_rows()
    sold = [one for several in processors().values() for one in several]
    return {
        "causes": _table({name: [row[name] for row in causes] for name in causes[0] if name not in _ABOUT_A_CAUSE}),
        "devices": _table(
            _names(device_rows(), _device_shelves(), ("memory_kind", "memory_channels", "unified_memory"))
        ),
        "models": _table({**_names(model_rows(), _model_shelves()), **_listed_models()}),
        "weight_formats": _table(_names(weight_format_rows(), _weight_shelves())),
        "processors": _table(_columns(Processor, sold)),
    }


_ABOUT_A_CAUSE = ("source_kind", "retrieved", "note")
"""Columns that say where the others are from."""


def offload_data() -> dict[str, Any]:
    """Collect what is measured of hosts, ready for JSON.

    Returns
    -------
    dict
        The table ``calibration``, of one row, written as those of `calculator_data`.

    Raises
    ------
    DataFileError
        If a table cannot be read.
    """
    return {"calibration": _table(_columns(OffloadCalibration, [offload_calibration()], unused=NOT_SHOWN))}


def draft_data() -> dict[str, Any]:
    """Collect what the gain of drafts is estimated with, ready for JSON.

    Returns
    -------
    dict
        The tables ``calibrations`` and ``acceptances``, written as those of `calculator_data`.

    Raises
    ------
    DataFileError
        If a table cannot be read.
    """
    return {
        "calibrations": _table(_columns(DraftCalibration, draft_calibrations(), unused=NOT_SHOWN)),
        "acceptances": _table(_columns(DraftAcceptance, list(draft_acceptances().values()), unused=("sources",))),
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
    rows = []
    for row in measurements():
        context_length, speed = mean_context_length(row), row["decode_tokens_per_s"]
        if context_length is not None and speed is not None:
            with contextlib.suppress(UnknownNameError):
                rows.append(_measurement(row, context_length, speed))
    return _table({name: [row[name] for row in rows] for name in rows[0]})


def names_data() -> dict[str, str]:
    """Collect what else people call the devices and models, ready for JSON.

    Returns
    -------
    dict
        By id, its aliases and the processors that it stands for, with ``|`` between them; without those that its id,
        its name or another of them has.

    Raises
    ------
    DataFileError
        If a table cannot be read.

    Examples
    --------
    >>> "Strix Halo" in names_data()["ryzen-ai-max-395"].split("|")
    True
    """
    further: dict[str, str] = {}
    for id_, row in {**device_rows(), **model_rows()}.items():
        called = [name.lstrip("?").rpartition("/")[2] for name in row["aliases"].split("|")]
        called += [processor.name for processor in processors().get(id_, ())]
        # The longer first: it says what the shorter says.
        known = [f"{id_} {row['name']}"]
        for name in sorted(called, key=len, reverse=True):
            if not any(_words_of(name) in _words_of(other) for other in known):
                known.append(name)
        kept = [name for name in called if name in known]
        if kept:
            further[id_] = "|".join(dict.fromkeys(kept))
    return further


def _words_of(name: str) -> str:
    """Return the words of a name, each between blanks, as ``web/names.mjs`` cuts them."""
    words = re.split(r"[\s\-_/+・、,:：()\[\]「」]+", unicodedata.normalize("NFKC", name).lower())
    return f" {' '.join(filter(None, words))} "


NOT_SHOWN = (
    "models",
    "error_in_sample",
    "error_generation_held_out",
    "error_model_held_out",
    "error_source_held_out",
    "error_batches_device_held_out",
    "error_batches_model_held_out",
    "coverage_batches_held_out",
    "error_year_held_out",
    "first_year",
    "last_year",
    "coverage_device_held_out",
    "coverage_model_held_out",
    "sources",
    "note",
)
"""What of a calibration the page says nothing of."""


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


def _said(engine: Engine) -> Fields:
    """Return what an engine's row says, without its other spellings, which nobody types there."""
    return {
        field.name: getattr(engine, field.name)
        for field in fields(Engine)
        if field.name != "aliases" and getattr(engine, field.name) != field.default
    }


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
    rows = [device_rows()[id_] for id_ in _on_shelves(_device_shelves())]
    columns = _columns(
        Device,
        [listed_device(row["id"]) for row in rows],
        unused=("memory_options_bytes", "estimated", "notes"),
    )
    # Dividing by a power of two is exact, and makes short numbers of long ones.
    columns["memory_capacity_gib"] = [n_bytes / GIB for n_bytes in columns.pop("memory_capacity_bytes")]
    columns["memory_options_gb"] = [row["memory_options_gb"] for row in rows]
    columns["estimated"] = [row["estimated"] for row in rows]
    columns["notes"] = [row["caution"] for row in rows]
    return _table(columns)


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


def _factors(
    kind: type, factors: Iterable[object], calibrated: Sequence[Calibration] | Sequence[PromptCalibration]
) -> dict[str, Any]:
    """Return the factors; a scope is a place among the families of devices, the devices, and the vendors."""
    ids = [row.id for row in calibrated]
    devices = _on_shelves(_device_shelves())
    families = dict.fromkeys(listed_device(id_).family for id_ in devices)
    scopes = [*families, *devices, *dict.fromkeys(map(vendor, families))]
    columns = _columns(kind, list(factors), unused=("rows",))
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


def _measurement(row: Measurement, context_length: int, tokens_per_s: float) -> Fields:
    return {
        "engine": get_engine(row["engine"]).id,
        "device": get_device(row["device"]).id,
        "devices": row["devices"],
        "split": _SPLITS.get(row["split"], row["split"]),
        "model": get_model(row["model"]).id,
        "weights": get_weight_format(row["weights"]).id,
        "batch_size": row["batch_size"],
        "context_length": context_length,
        # Three digits are as many as the page shows; no estimate uses them.
        "decode_tokens_per_s": float(f"{tokens_per_s:.2e}"),
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


_DEVICE_SHELVES = (
    ("Apple（Mac、iPhone）", "apple"),
    ("NVIDIA ノートPC", "nvidia.*Laptop"),
    ("NVIDIA GeForce", "nvidia.*(GeForce|TITAN)"),
    ("NVIDIA Jetson、Spark", "nvidia.*(Jetson|Spark)"),
    ("NVIDIA ワークステーション", "nvidia.*(RTX|Quadro)"),
    ("NVIDIA サーバー", "nvidia"),
    ("AMD サーバー", "amd.*Instinct"),
    ("AMD ノートPC", r"amd.* RX \d+[MS]"),
    ("AMD Radeon", "amd.*AMD Radeon"),
    ("AMD 内蔵GPU", "amd"),
    ("Intel GPU", "intel"),
    ("CPU（AMD）", "cpu.* AMD"),
    ("CPU（Intel）", "cpu.* Intel"),
    ("CPU（そのほか）", "cpu"),
    ("そのほか", ""),
)
"""Titles, and how the family and name of what stands there begin; the first that matches counts."""

Shelf = tuple[str, list[str]]
"""A title and ids, in the order of a menu."""


def _device_shelves() -> list[Shelf]:
    shelves: dict[str, list[str]] = {title: [] for title, _ in _DEVICE_SHELVES}
    for row in sorted(device_rows().values(), key=_by_name):
        described = f"{row['family']} {row['name']}"
        shelves[next(title for title, pattern in _DEVICE_SHELVES if re.match(pattern, described))].append(row["id"])
    return [(title, ids) for title, ids in shelves.items() if ids]


def _model_shelves() -> list[Shelf]:
    """Return the models by their series: llm-jp of llm-jp-3 1.8B, Llama of Llama 3.1 8B."""
    shelves: dict[str, list[str]] = {}
    for row in sorted(model_rows().values(), key=_by_name):
        series = re.match("([a-z]+-[a-z]+|[A-Z]-)?[A-Za-z]*", row["name"])
        shelves.setdefault(series[0] if series else "", []).append(row["id"])
    return list(shelves.items())


_COMMON_WEIGHTS = ("q4_k_m", "q8_0", "f16", "bf16", "mlx-q4", "mlx-q8", "awq-int4-g128", "int4", "int8")


def _weight_shelves() -> list[Shelf]:
    shelves: dict[str, list[str]] = {
        "よく使うもの": [*_COMMON_WEIGHTS],
        "GGUF（llama.cpp）": [],
        "MLX": [],
        "そのほか": [],
    }
    for row in weight_format_rows().values():
        if row["id"] not in _COMMON_WEIGHTS:
            title = next((title for title in shelves if row["name"].startswith(title.split("（")[0])), "そのほか")
            shelves[title].append(row["id"])
    return list(shelves.items())


def _on_shelves(shelves: list[Shelf]) -> list[str]:
    """Return the ids in the order of the menu."""
    return [id_ for _, ids in shelves for id_ in ids]


def _by_name(row: Mapping[str, str]) -> list[tuple[float, str]]:
    """Order names as people do: RTX 5090 after RTX 590."""
    return [
        (float(part), "") if index % 2 else (0, part.lower())
        for index, part in enumerate(re.split(r"(\d+(?:\.\d+)?)", row["name"]))
    ]
