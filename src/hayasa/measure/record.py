"""What a run of the measurements found, and how it is stored."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from ..catalog.reader import data_directory, read_rows
from ..errors import DataFileError

SCHEMA = "hayasa-measurement/1"

PITFALLS = {
    "pitfall-untouched": "書き込んでいないnp.zerosを読む",
    "pitfall-sum": "np.sumで読む（fp32、64 KiB）",
    "pitfall-unaligned": "16バイトずれた場所から読む（64 KiB）",
}
"""Wrong ways to measure the bandwidth: predicted is what the right way gives."""


def working_sets(largest_bytes: int, smallest_bytes: int = 2**14) -> list[int]:
    """Sizes to read, each twice the one before.

    Examples
    --------
    >>> working_sets(2**17)
    [16384, 32768, 65536, 131072]
    """
    sizes = [smallest_bytes]
    while sizes[-1] * 2 <= largest_bytes:
        sizes.append(sizes[-1] * 2)
    return sizes


@dataclass(frozen=True)
class Row:
    """One measurement and its prediction.

    Parameters
    ----------
    id : str
        Unique within a record.
    kind : str
        ``bandwidth``, ``bandwidth-all-cores``, ``bandwidth-rows``, ``pitfall``,
        ``peak``, ``decode`` or ``batch``.
    measured : float
        The median, in `unit`.
    unit : str
        ``B/s``, ``FLOP/s`` or ``tokens/s``.
    weights : str
        Number format of the weights: ``fp32``, ``fp64``, or empty.
    read_bytes : int
        Bytes that are read: the working set, or the weights of one step.
    batch_size : int
        Sequences that advance in one step.
    predicted : float
        What the formula says, in `unit`; 0 where nothing is predicted.
    ratio, ratio_low, ratio_high : float
        Median and quartiles of measured over predicted, pair by pair.
    """

    id: str
    kind: str
    measured: float
    unit: str
    weights: str = ""
    read_bytes: int = 0
    batch_size: int = 1
    predicted: float = 0.0
    ratio: float = 0.0
    ratio_low: float = 0.0
    ratio_high: float = 0.0


@dataclass(frozen=True)
class Record:
    """One run of the measurements, as it is stored.

    Parameters
    ----------
    measured_on : str
        ISO date.
    machine : mapping
        Processor, cores, caches, memory and system; no name and no path.
    versions : mapping
        Versions of what took part.
    method : mapping
        Clock, threads, rounds, seconds and peak memory.
    rows : tuple of Row
        The measurements.
    time_ratios : mapping
        Ratios of times of pairs of rows, taken in the same rounds.
    """

    measured_on: str
    machine: Mapping[str, Any]
    versions: Mapping[str, str]
    method: Mapping[str, Any]
    rows: tuple[Row, ...]
    time_ratios: Mapping[str, float] = field(default_factory=dict)

    def row(self, id_: str) -> Row:
        """Return the row of an id; a KeyError if there is none."""
        return {row.id: row for row in self.rows}[id_]

    def of_kind(self, kind: str) -> list[Row]:
        """Return the rows of one kind, in the order of the record."""
        return [row for row in self.rows if row.kind == kind]


@dataclass(frozen=True)
class Check:
    """Something that holds on every machine it was tried on, idle or loaded.

    Parameters
    ----------
    name : str
        What is compared, in Japanese.
    value, low, high : float
        A ratio and the range it has to lie in (dimensionless).
    """

    name: str
    value: float
    low: float
    high: float

    @property
    def holds(self) -> bool:
        """Whether the ratio lies in the range."""
        return self.low <= self.value <= self.high


def checks(record: Record) -> list[Check]:
    """Compare what holds on every machine: ratios only, never absolute speeds."""
    names = {
        "decode-fp32-small": "fp32、小",
        "decode-fp32-large": "fp32、大",
        "decode-fp64-small": "fp64、小",
    }
    found = [
        Check(f"デコードの実測 ÷ 見積り（{name}）", record.row(id_).ratio, 0.5, 1.4) for id_, name in names.items()
    ]
    ratios = record.time_ratios
    found.append(Check("重みを4倍にしたときの時間の比", ratios["large_over_small"], 3.0, 5.2))
    found.append(Check("fp64 ÷ fp32 の時間の比", ratios["fp64_over_fp32"], 1.6, 2.5))
    near, far = record.row(f"bandwidth-{2**19}"), record.row(f"bandwidth-{2**28}")
    cache = near.measured / far.measured
    found.append(Check("帯域幅の比（512 KiB ÷ 256 MiB）", cache, 1.5, float("inf")))
    batch = record.row("batch-64").measured / record.row("batch-1").measured
    found.append(Check("スループットの比（B = 64 ÷ B = 1）", batch, 3.0, float("inf")))
    return found


def to_json(record: Record) -> str:
    """Write a record as JSON text."""
    return json.dumps({"schema": SCHEMA, **asdict(record)}, ensure_ascii=False, indent=1) + "\n"


def from_json(text: str, name: str = "記録") -> Record:
    """Read a record from JSON text."""
    try:
        values = json.loads(text)
        if values.pop("schema") != SCHEMA:
            raise KeyError("schema")
        values["rows"] = tuple(Row(**row) for row in values["rows"])
        return Record(**values)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DataFileError(f"{name} は hayasa measure の記録（{SCHEMA}）ではありません。") from None


def read_record(path: str | os.PathLike[str]) -> Record:
    """Read a record from a file."""
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise DataFileError(f"{file.name} を読めません。") from None
    return from_json(text, file.name)


def recorded(name: str) -> Record:
    """Return one of the records that come with the book."""
    return read_record(data_directory() / "measurements" / "own" / f"{name}.json")


def recorded_rows(name: str) -> list[dict[str, str | float]]:
    """Return the rows of one of the tables that come with the book: a number where a cell reads as one."""
    rows = read_rows(data_directory() / "measurements" / "own" / f"{name}.csv", ())
    return [{column: _number_or_text(text) for column, text in row.items()} for row in rows]


def _number_or_text(text: str) -> str | float:
    for number in (int, float):
        with suppress(ValueError):
            return number(text)
    return text


def csv_rows(record: Record) -> list[list[object]]:
    """Return the measurements as rows of a CSV file, the header first."""
    names = [field_.name for field_ in fields(Row)]
    return [list(names), *([getattr(row, name) for name in names] for row in record.rows)]


def require_writable(path: str | os.PathLike[str]) -> None:
    """Raise, before anything is measured, if no record can be written to `path`."""
    file = Path(path)
    folder = file.parent
    if (
        not os.fspath(path)
        or file.is_dir()
        or not folder.is_dir()
        or not os.access(file if file.exists() else folder, os.W_OK)
    ):
        raise DataFileError(f"記録を {os.fspath(path)!r} に書けません。書ける場所のファイルを指定してください。")


def write_record(record: Record, path: str | os.PathLike[str]) -> None:
    """Write a record to a file."""
    try:
        Path(path).write_text(to_json(record), encoding="utf-8")
    except OSError as error:
        raise DataFileError(f"{path} に書けません: {error.strerror}。") from None
