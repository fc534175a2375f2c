"""What has a name: models, devices, weight formats.

Everything that has a name lives in a CSV file with its source beside it.
`get_model`, `get_device` and `get_weight_format` turn a name into an object;
the ``*_rows`` functions give the rows as they stand, sources included.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from functools import cache, lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from ..errors import DataFileError, HayasaError, require_non_negative
from ..machine.device import PEAK_FORMATS, Device
from ..model.shape import Model
from ..model.weights import CONDITIONS, LAYERS, BlockType, TensorRule, WeightFormat
from ..names import find_id, index_by_name, require_name
from ..units import GIB
from .model_names import ModelIndex, index_models, read_model_name, says_format
from .reader import Row, data_directory, parse_number, read_objects, read_rows

if TYPE_CHECKING:
    from .device_names import SpelledName

T = TypeVar("T")


def _build(kind: Callable[..., T], row: Row, file_name: str, **special: object) -> T:
    """Make a dataclass from the columns that share its fields' names."""
    where = f"{file_name} の {row['id']}"
    values: dict[str, object] = {}
    for field in fields(kind):  # type: ignore[arg-type]
        if field.name in special:
            values[field.name] = special[field.name]
        elif field.type == "str":
            if row.get(field.name):
                values[field.name] = row[field.name]
        elif row.get(field.name):
            number = parse_number(row, field.name, where)
            values[field.name] = _CONVERT[str(field.type)](number)
        if field.name not in values and field.default is MISSING:
            raise DataFileError(f"{where}: 列 {field.name} がないか、値が空です。")
    try:
        return kind(**values)
    except HayasaError as error:
        raise DataFileError(f"{where}: {error}") from None


_CONVERT: dict[str, Callable[[float], object]] = {"int": int, "float": float, "bool": bool}


def _table(file_name: str) -> Mapping[str, dict[str, str]]:
    rows: dict[str, dict[str, str]] = {}
    for row in read_rows(data_directory() / file_name):
        if row["id"] in rows:
            raise DataFileError(f"{file_name}: id {row['id']!r} が 2 回あります。")
        rows[row["id"]] = row
    return MappingProxyType(rows)


def _aliases(rows: Mapping[str, Row]) -> Callable[[str], Iterator[str]]:
    def names_of(id_: str) -> Iterator[str]:
        row = rows[id_]
        for name in (row.get("name", ""), *row.get("aliases", "").split("|")):
            if name.strip():
                yield name.strip()

    return names_of


@cache
def device_rows() -> Mapping[str, Row]:
    """Rows of ``devices.csv`` by id, as they stand.

    Returns
    -------
    mapping
        Text by column name, by id.
    """
    return _table("devices.csv")


@cache
def model_rows() -> Mapping[str, Row]:
    """Rows of ``models.csv`` by id, as they stand.

    Returns
    -------
    mapping
        Text by column name, by id.
    """
    return _table("models.csv")


@cache
def weight_format_rows() -> Mapping[str, Row]:
    """Rows of ``weight_formats.csv`` by id, as they stand.

    Returns
    -------
    mapping
        Text by column name, by id.
    """
    return _table("weight_formats.csv")


@cache
def _model_index() -> ModelIndex:
    rows = model_rows()
    return index_models(rows, _aliases(rows))


@cache
def _weight_format_index() -> dict[str, str]:
    rows = weight_format_rows()
    return index_by_name(rows, _aliases(rows), "重みの形式")


def get_device(name: str, *, memory_bytes: float = 0.0) -> Device:
    """Return the device of a name.

    Parameters
    ----------
    name : str
        Id, product name or alias, as people type it: ``"RTX 4090 ノート"``,
        ``"MacBook Pro M4 Max 64GB"``.
    memory_bytes : float
        Memory of the reader's own, in bytes; 0 for what the name says, else
        the most that it is sold with.

    Returns
    -------
    Device
        The row of ``devices.csv`` as an object.  Its notes say how the name
        was read where it fits several rows.

    Raises
    ------
    UnknownNameError
        If no row answers to the whole name, or several do; near ones are proposed.
    InvalidValueError
        If it is not sold with that memory, or with the cores that the name says.
    DataFileError
        If the table cannot be read.

    Examples
    --------
    >>> get_device("RTX 4090").memory_bandwidth_bytes_per_s / 1e9
    1008.0
    >>> get_device("RTX 3060", memory_bytes=76 * 2**30)
    Traceback (most recent call last):
        ...
    hayasa.errors.InvalidValueError: 'RTX 3060' のメモリは 8 GB か 12 GB です（与えられた値: 76 GB）。
    """
    # A look-up that is cached would answer what cannot be hashed with an error of Python's own.
    name = require_name(name, argument="device", what="デバイス")
    return _device(name, require_non_negative("memory_bytes", memory_bytes, maximum=1e18))


@lru_cache(maxsize=1024)
def _device(name: str, memory_bytes: float) -> Device:
    if name in device_rows() and not memory_bytes:
        return listed_device(name)
    from .device_names import device_of_name  # its patterns take a while to compile

    return device_of_name(name, _device_names(), device_rows(), listed_device, processors(), memory_bytes)


@dataclass(frozen=True, kw_only=True)
class Processor:
    """One of the processors that a row of ``devices.csv`` stands for, as its name says.

    Parameters
    ----------
    name : str
        How its name ends, such as ``"5950X"``.
    device : str
        Id of the row, which says what memory such processors usually have.
    family : str
        What its cores are, such as ``"cpu-zen3"``.
    cores : int
        Cores that multiply matrices; of fast and efficient ones, the fast.
    clock_hz : float
        Highest clock of these in cycles per second.
    """

    name: str
    device: str
    family: str
    cores: int
    clock_hz: float


@cache
def processors() -> Mapping[str, tuple[Processor, ...]]:
    """Rows of ``processors.csv`` by the device that they are sold as.

    Returns
    -------
    mapping
        Processors by id of their row in ``devices.csv``.

    Raises
    ------
    DataFileError
        If the file is missing, or a cell holds no number.
    """
    found: dict[str, tuple[Processor, ...]] = {}
    for one in read_objects(Processor, "processors.csv"):
        found[one.device] = (*found.get(one.device, ()), one)
    return MappingProxyType(found)


@cache
def _device_names() -> list[SpelledName]:
    from .device_names import spelled_names

    return spelled_names(device_rows())


@cache
def listed_device(id_: str) -> Device:
    """Return the device of an id, with nothing read into the name."""
    row, where = device_rows()[id_], f"devices.csv の {id_}"
    cores = parse_number(row, "gpu_cores", where) or parse_number(row, "sm_count", where)
    return _build(
        Device,
        row,
        "devices.csv",
        memory_capacity_bytes=parse_number(row, "memory_bytes", where),
        memory_options_bytes=tuple(float(size) * GIB for size in _listed(row["memory_options_gb"])),
        gpu_cores=int(cores),
        estimated=_listed(row["estimated"]),
        notes=_listed(row["caution"]),
    )


def _listed(cell: str) -> tuple[str, ...]:
    """Return the parts of a cell that holds several."""
    return tuple(cell.split("|")) if cell else ()


def get_model(name: str) -> Model:
    """Return the model of a name.

    Parameters
    ----------
    name : str
        Id, name or alias, in any spelling.

    Returns
    -------
    Model
        The row of ``models.csv`` as an object.

    Raises
    ------
    UnknownNameError
        If no row answers to the name; near ones are proposed.
    DataFileError
        If the table cannot be read.

    Examples
    --------
    >>> get_model("meta-llama/Llama-3.1-8B-Instruct").layers
    32
    """
    return get_named_model(name)[0]


def get_named_model(name: str) -> tuple[Model, str]:
    """Return the model of a name, and the weight format that the name says.

    Parameters
    ----------
    name : str
        As for `get_model`.

    Returns
    -------
    model : Model
        The row of ``models.csv`` as an object.
    weights : str
        Name of a weight format; empty if the name says nothing of it.

    Raises
    ------
    UnknownNameError
        If no row answers to the name; near ones are proposed.
    DataFileError
        If the table cannot be read.

    Examples
    --------
    >>> get_named_model("llama3.1:8b-instruct-q8_0")[1]
    'q8_0'
    """
    return _named_model(require_name(name, argument="model", what="モデル"))


@lru_cache(maxsize=1024)
def _named_model(name: str) -> tuple[Model, str]:
    named = read_model_name(name, _model_index(), _format_written)
    return _model(named.id), named.weights


@cache
def _model(id_: str) -> Model:
    return _build(Model, model_rows()[id_], "models.csv")


def _format_written(written: str) -> str | None:
    """Return the id of the format that is written so in the name of a model, if it is one."""
    if _BITS_OF_ITS_OWN.fullmatch(written):
        return written
    row = weight_format_rows().get(_weight_format_index().get(written, ""))
    return row["id"] if row is not None and says_format(written, row["packing"].split("|")) else None


def get_weight_format(name: str, *, argument: str = "weights") -> WeightFormat:
    """Return the weight format of a name.

    Parameters
    ----------
    name : str
        Id, name or alias, in any spelling.
    argument : str
        What the caller's argument is called, for the message.

    Returns
    -------
    WeightFormat
        The row of ``weight_formats.csv`` as an object, with its mix.

    Raises
    ------
    UnknownNameError
        If no row answers to the name; near ones are proposed.
    DataFileError
        If the table cannot be read.

    Examples
    --------
    >>> get_weight_format("Q8_0").rules[0].block.bits_per_weight
    8.5
    """
    return _weight_format(require_name(name, argument=argument, what="重みの形式"), argument)


def is_weight_format(id_: str) -> bool:
    """Tell whether the table lists a format of this id."""
    return id_ in weight_format_rows()


@cache
def weight_formats() -> tuple[WeightFormat, ...]:
    """All weight formats, in the order of the table."""
    return tuple(get_weight_format(id_) for id_ in weight_format_rows())


_BITS_OF_ITS_OWN = re.compile(
    r"(?P<packing>exl[23])-?(?P<bits>\d(?:\.\d+)?)-?bpw(?:-?h\d)?(?:-?(?:mcg|mul1))?"
    r"|(?P<bits_first>\d(?:\.\d+)?)-?bpw(?:-?h\d)?-?(?P<packing_last>exl[23])"
)
"""EXL2 and EXL3 take any average number of bits; the bits of the output layer and the codebook say nothing of it."""


@lru_cache(maxsize=1024)
def _weight_format(name: str, argument: str) -> WeightFormat:
    row = _row_of_own_bits(name)
    if row is None:
        row = weight_format_rows()[find_id(name, _weight_format_index(), argument=argument, what="重みの形式")]
    id_ = row["id"]
    rules = _mix_rules().get(id_) or _group_rules(row)
    return _build(WeightFormat, row, "weight_formats.csv", compute_format=_compute_format(row), rules=rules)


def _row_of_own_bits(name: str) -> Row | None:
    """Return the row of a format whose name has a number of bits of its own; None if it is no such name."""
    own = _BITS_OF_ITS_OWN.fullmatch(name.strip().lower().replace(" ", "-"))
    if own is None:
        return None
    packing, bits = own["packing"] or own["packing_last"], own["bits"] or own["bits_first"]
    if not 1 <= float(bits) <= 8:
        return None
    rows, id_ = weight_format_rows(), f"{packing}-{float(bits)}bpw"
    # One row stands for those that are not listed: only the bits differ.
    own_cells = {"id": id_, "name": f"{packing.upper()} {float(bits)} bpw", "bits_per_weight": bits}
    return rows.get(id_) or {**rows[f"{packing}-4.0bpw"], **own_cells}


def _compute_format(row: Row) -> str:
    """Return the fastest of the formats that engines multiply these weights in."""
    first = row["compute_format"].split("|")[0]
    name = {"f32": "fp32", "f16": "fp16"}.get(first, first)
    if name not in PEAK_FORMATS:
        raise DataFileError(
            f"weight_formats.csv の {row['id']}: 列 compute_format の値 {first!r} は"
            f" {', '.join(PEAK_FORMATS)} のどれでもありません。"
        )
    return name


@cache
def _block_types() -> dict[str, BlockType]:
    """Block types by id, each linked to what it falls back to."""
    rows = _table("gguf_blocks.csv")

    def block(id_: str) -> BlockType:
        if id_ not in rows:
            raise DataFileError(f"gguf_blocks.csv に {id_!r} がありません。")
        row, where = rows[id_], f"gguf_blocks.csv の {id_}"
        fallback = row["fallback_block"]
        return BlockType(
            id_,
            int(parse_number(row, "block_weights", where)),
            parse_number(row, "bits_per_weight", where),
            block(fallback) if fallback else None,
        )

    return {id_: block(id_) for id_ in rows}


@cache
def gguf_block_types() -> dict[int, BlockType]:
    """Block types by the number that GGUF files know them by."""
    rows, blocks = _table("gguf_blocks.csv"), _block_types()
    return {int(row["type_number"]): blocks[id_] for id_, row in rows.items() if row["type_number"]}


@cache
def _mix_rules() -> dict[str, tuple[TensorRule, ...]]:
    """Rules of ``gguf_mixes.csv`` by weight format, in the order of the file."""
    columns = ("weight_format", "tensor_role", "when", "layers", "block")
    blocks = _block_types()
    mixes: dict[str, list[TensorRule]] = {}
    for row in read_rows(data_directory() / "gguf_mixes.csv", required=columns):
        format_, role, when, layers, block = (row[column] for column in columns)
        if block not in blocks or when not in CONDITIONS or layers not in LAYERS:
            raise DataFileError(
                f"gguf_mixes.csv の {format_} / {role}: block、when、layers の値"
                f" {block!r}、{when!r}、{layers!r} のどれかが未知です。"
            )
        mixes.setdefault(format_, []).append(TensorRule(role, when, layers, blocks[block]))
    return {format_: tuple(rules) for format_, rules in mixes.items()}


def _group_rules(row: Row) -> tuple[TensorRule, ...]:
    """Rules of a group format: embedding and output may be stored otherwise."""
    rules = []
    for role, column in (("token_embd", "embedding_format"), ("output", "output_format")):
        other = row.get(column, "")
        if other and other != row["id"]:
            where = f"weight_formats.csv の {other}"
            bits = parse_number(weight_format_rows()[other], "bits_per_weight", where)
            rules.append(TensorRule(role, "always", "all", BlockType(other, 1, bits)))
    return tuple(rules)
