"""The CSV files in ``data/``: found, read, checked while read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import DataFileError

if TYPE_CHECKING:
    from pathlib import Path

Row = Mapping[str, str]
"""Text by column name."""

T = TypeVar("T")


def data_directory() -> Path:
    """Folder with the tables: beside the package when installed, else the repository's."""
    from pathlib import Path  # importing the package shall stay fast

    package = Path(__file__).resolve().parents[1]
    for candidate in (package / "data", package.parents[1] / "data"):
        if candidate.is_dir():
            return candidate
    raise DataFileError("data フォルダーが見つかりません。hayasa をインストールし直してください。")


def read_rows(path: Path, required: Iterable[str] = ("id",)) -> list[dict[str, str]]:
    """Read a CSV file with a header into one mapping per row."""
    import csv  # importing the package shall stay fast

    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, [])
            missing = [name for name in required if name not in header]
            if missing:
                raise DataFileError(f"{path.name}: 列 {', '.join(missing)} がありません。")
            return [_whole_row(path, reader.line_num, header, cells) for cells in reader if cells]
    except FileNotFoundError:
        raise DataFileError(f"{path.name} が見つかりません（場所: {path.parent}）。") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataFileError(f"{path.name} を CSV として読めません: {error}。") from None


def _whole_row(path: Path, line: int, header: list[str], cells: list[str]) -> dict[str, str]:
    if len(cells) != len(header):
        raise DataFileError(f"{path.name} の {line} 行目: 列の数が見出しと合いません。")
    return dict(zip(header, cells, strict=True))


def parse_number(row: Row, column: str, where: str) -> float:
    """Return a cell as a number; an empty or absent cell is 0, meaning unknown.

    Examples
    --------
    >>> parse_number({"layers": "32"}, "layers", "models.csv: llama")
    32.0
    """
    text = row.get(column, "")
    try:
        return float(text or 0)
    except ValueError:
        raise DataFileError(f"{where}: 列 {column} の値 {text!r} は数ではありません。") from None


def read_objects(kind: type[T], file_name: str) -> tuple[T, ...]:
    """Read a file whose columns are the fields of a dataclass into one object per row."""
    columns = {field.name: str(field.type) for field in fields(kind)}  # type: ignore[arg-type]
    found = []
    for row in read_rows(data_directory() / file_name, required=columns):
        where = f"{file_name} の {row.get('id') or row.get('scope')}"
        values: dict[str, object] = {}
        for name, type_ in columns.items():
            value = row[name] if type_ == "str" else parse_number(row, name, where)
            values[name] = _CONVERT.get(type_, type(value))(value)
        found.append(kind(**values))
    return tuple(found)


_CONVERT: dict[str, Any] = {"int": int, "bool": bool}
