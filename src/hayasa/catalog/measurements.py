"""The published measurements in ``data/measurements/``."""

from __future__ import annotations

from functools import cache
from typing import TypedDict

from ..engine.engines import get_engine
from ..errors import DataFileError, UnknownNameError, shown
from .objects import get_device, get_model, get_weight_format
from .reader import Row, data_directory, read_rows


class Measurement(TypedDict):
    """One published speed, as it stands in its file, with numbers as numbers.

    None where the source does not say; ``file`` is the name of the file
    without ``.csv``, and ``data/measurements/README.md`` explains each column.
    """

    id: str
    file: str
    engine: str
    engine_build: str
    backend: str
    measured_on: str
    device: str
    devices: int
    split: str
    model: str
    weights: str
    file_bytes: int | None
    batch_size: int
    context_length: int | None
    decode_tokens: int | None
    decode_tokens_per_s: float | None
    decode_std: float | None
    prefill_tokens: int | None
    prefill_tokens_per_s: float | None
    flash_attention: int | None
    measured_through: str
    includes_prompt: int
    micro_batch: int | None
    power_limit_w: int | None
    conditions: str
    source: str
    source_kind: str
    licence: str
    retrieved: str
    note: str


_NUMBERS = {
    "devices": int,
    "file_bytes": int,
    "batch_size": int,
    "context_length": int,
    "decode_tokens": int,
    "decode_tokens_per_s": float,
    "decode_std": float,
    "prefill_tokens": int,
    "prefill_tokens_per_s": float,
    "flash_attention": int,
    "includes_prompt": int,
    "micro_batch": int,
    "power_limit_w": int,
}
_COLUMNS = tuple(name for name in Measurement.__annotations__ if name != "file")


@cache
def _all() -> tuple[Measurement, ...]:
    return tuple(
        _typed(row, path.stem)
        for path in sorted((data_directory() / "measurements").glob("*.csv"))
        for row in read_rows(path, required=_COLUMNS)
    )


def _typed(row: Row, file: str) -> Measurement:
    """Return a row with its numbers as numbers."""
    values: dict[str, object] = {"id": row["id"], "file": file}
    for name in _COLUMNS:
        text = row[name]
        if name not in _NUMBERS:
            values[name] = text
            continue
        try:
            values[name] = _NUMBERS[name](text) if text else None
        except ValueError:
            raise DataFileError(f"{file}.csv の {row['id']}: 列 {name} の値 {text!r} は数ではありません。") from None
    return values  # type: ignore[return-value]


def measurements(
    *,
    model: str | None = None,
    device: str | None = None,
    weights: str | None = None,
    engine: str | None = None,
    file: str | None = None,
) -> list[Measurement]:
    """Return published speeds, one record each, ready for ``pandas.DataFrame``.

    Parameters
    ----------
    model, device, weights, engine : str, optional
        Names in any usual spelling; only rows about these are returned.
    file : str, optional
        Name of a file in ``data/measurements`` without ``.csv``.

    Returns
    -------
    list of dict
        In the order of the files; columns and units are those of
        ``data/measurements/README.md``, None where the source does not say.

    Raises
    ------
    UnknownNameError
        If a name is not listed; near ones are proposed.
    DataFileError
        If a file cannot be read.

    Examples
    --------
    >>> rows = measurements(model="Llama 2 7B", device="RTX 4090", weights="Q4_0", engine="llama.cpp")
    >>> max(row["decode_tokens_per_s"] for row in rows if row["devices"] == 1) > 150
    True
    """
    rows = _all()
    wanted = {
        "model": None if model is None else get_model(model).id,
        "device": None if device is None else get_device(device).id,
        "weights": None if weights is None else get_weight_format(weights).id,
        # Engines were measured that hayasa has no calibration for.
        "engine": engine if engine is None or engine in [row["engine"] for row in rows] else get_engine(engine).id,
        "file": file,
    }
    files = sorted({row["file"] for row in rows})
    if file is not None and file not in files:
        raise UnknownNameError(
            f"file に指定された測定のファイル {shown(file)} はありません。あるもの: {', '.join(files)}。"
        )
    asked = [(name, value) for name, value in wanted.items() if value is not None]
    # A copy each: a caller may change what it gets.
    return [row.copy() for row in rows if all(row[name] == value for name, value in asked)]  # type: ignore[literal-required]


def mean_context_length(row: Measurement) -> int | None:
    """Return how many tokens were in the cache on average while a speed was measured.

    The cache grows while tokens are generated, so the middle counts.

    Examples
    --------
    >>> mean_context_length({"context_length": 0, "decode_tokens": 128})
    64
    """
    if row["context_length"] is None:
        return None
    return row["context_length"] + (row["decode_tokens"] or 0) // 2


def prompt_context_length(row: Measurement) -> int:
    """Return how many tokens were in the cache before the prompt whose speed was measured.

    Usually none: `context_length` is where the generation started.  Behind a
    context a prompt was read where the conditions say so as llama-bench does:
    ``pp2048 @ d``, or ``@ d32768`` of prompt and generation alike.

    Examples
    --------
    >>> prompt_context_length({"context_length": 32768, "conditions": "llama-bench、pp2048 @ d"})
    32768
    >>> prompt_context_length({"context_length": 2048, "conditions": "mlx_lm.benchmark"})
    0
    """
    behind = any(words in row["conditions"] for words in ("pp2048 @ d", "、@ d"))
    return (row["context_length"] or 0) if behind else 0
