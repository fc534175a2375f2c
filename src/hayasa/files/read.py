"""A model from a file of the reader's own."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..errors import DataFileError, InvalidValueError, shown
from .config import model_from_config
from .gguf import GgufHeader, gguf_header
from .gguf_model import model_from_gguf

if TYPE_CHECKING:
    from ..model.shape import Model
    from ..model.weights import WeightFormat

LARGEST_CONFIG_BYTES = 10_000_000
"""A file that is larger is no ``config.json``."""

LONGEST_SHOWN = 200
"""Letters of a path that a message shows."""


LONGEST_PATH = 4096
"""Characters that systems take as a path, at most."""


def read_model(path: str | os.PathLike[str]) -> tuple[Model, WeightFormat | None]:
    """Read a model from a GGUF file or a ``config.json``.

    Parameters
    ----------
    path : str or path
        A GGUF file, or any of the parts of one that is split, whose others lie
        beside it; or a published ``config.json``.  Of a GGUF file only the
        header is read.

    Returns
    -------
    model : Model
        The model; its notes say what was assumed.
    weights : WeightFormat or None
        How a GGUF file stores it, with the bytes of its tensors.  None for a
        ``config.json``: that says what the model is published in
        (`Model.usual_format`), not what an engine loads.

    Raises
    ------
    DataFileError
        If there is no such file, or it cannot be read.
    InvalidValueError
        If it holds no model: the message says why.

    Examples
    --------
    >>> import json, tempfile
    >>> config = {"model_type": "llama", "num_hidden_layers": 2, "hidden_size": 64, "num_attention_heads": 2,
    ...           "intermediate_size": 128, "vocab_size": 100}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = f"{folder}/config.json"
    ...     with open(path, "w") as file:
    ...         json.dump(config, file)
    ...     model, weights = read_model(path)
    >>> model.layers, weights is None
    (2, True)
    """
    is_path = isinstance(path, (str, os.PathLike)) and isinstance(os.fspath(path), str)
    if not is_path or len(os.fspath(path)) > LONGEST_PATH:
        raise InvalidValueError(f"path はファイルの場所で指定してください（与えられた値: {shown(path)}）。")
    path = os.fspath(path)
    beginning = _content(path, 4)
    try:
        if beginning == b"GGUF":
            names = parts_of(path)
            require_parts([os.path.basename(one) for one in names if not os.path.isfile(one)], len(names))
            return model_of_headers(os.path.basename(path), [_header(one) for one in names])
        return model_of_config(os.path.basename(path), _content(path, LARGEST_CONFIG_BYTES)), None
    except InvalidValueError as error:
        raise InvalidValueError(f"{_written(path)}: {error}") from None


def parts_of(name: str) -> list[str]:
    """Return the names of all files that a GGUF file is split into; its own, if it is whole.

    Examples
    --------
    >>> parts_of("big-00002-of-00002.gguf"), parts_of("small.gguf")
    (['big-00001-of-00002.gguf', 'big-00002-of-00002.gguf'], ['small.gguf'])
    """
    count = _parts(name)
    if not count:
        return [name]
    return [f"{name[:-20]}-{_five_digits(part)}-of-{_five_digits(count)}.gguf" for part in range(1, count + 1)]


def _five_digits(number: int) -> str:
    return f"{100_000 + number}"[1:]


def _parts(name: str) -> int:
    """Return into how many files one of a name like ``…-00001-of-00003.gguf`` is split; 0 if into none."""
    end = name[-20:].lower()
    digits = end[1:6] + end[10:15]
    is_part = len(end) == 20 and end[0] == "-" and end[6:10] == "-of-" and end[15:] == ".gguf"
    return int(end[10:15]) if is_part and all(digit in "0123456789" for digit in digits) else 0


def require_parts(missing: list[str], count: int) -> None:
    """Raise if any of the files is missing that a GGUF file is split into.

    Raises
    ------
    InvalidValueError
        If there is any.
    """
    if missing:
        others = f"（ほかに {len(missing) - 1} 個）" if len(missing) > 1 else ""
        raise InvalidValueError(f"{count} 個に分かれたファイルのうち、{missing[0]} が見つかりません{others}。")


def model_of_headers(name: str, headers: list[GgufHeader]) -> tuple[Model, WeightFormat]:
    """Return the model of a GGUF file, and how it is stored.

    Parameters
    ----------
    name : str
        What the file, or a part of it, is called.
    headers : list of GgufHeader
        Those of all its parts.

    Raises
    ------
    InvalidValueError
        If it holds no model.
    """
    first = headers[0]
    tensors = tuple(tensor for header in headers for tensor in header.tensors)
    own, whole = first.metadata.get("general.name"), f"{name[:-20]}.gguf" if _parts(name) else name
    # Ollama's files are called by a hash.
    called = own if isinstance(own, str) and own and not whole.lower().endswith(".gguf") else whole
    return model_from_gguf(GgufHeader(first.metadata, first.lengths, tensors, first.end), called)


def model_of_config(name: str, content: bytes) -> Model:
    """Return the model of a ``config.json``.

    Parameters
    ----------
    name : str
        What the file is called.
    content : bytes
        What is in it.

    Raises
    ------
    InvalidValueError
        If it holds no model.
    """
    if len(content) == 0:
        raise InvalidValueError("ファイルが空です。")
    config = parsed_json(content)
    if config is None:
        raise InvalidValueError("GGUF のファイルでも、JSON のファイルでもありません。")
    if not isinstance(config, dict):
        raise InvalidValueError("モデルの config.json ではありません（{ で始まる対応表ではありません）。")
    return model_from_config(config, str(config.get("_name_or_path") or name))


def parsed_json(content: bytes) -> object:
    """Return what the JSON in a file says; None if it is none."""
    import json

    try:
        return json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None


def _written(path: str) -> str:
    """Return a path for a message: its end, if it is long."""
    return path if len(path) <= LONGEST_SHOWN else f"…{path[-LONGEST_SHOWN:]}"


def _content(path: str, size: int) -> bytes:
    """Return the beginning of a file."""
    if os.path.isdir(path):
        raise DataFileError(f"{_written(path)} はフォルダーです。中の .gguf か config.json を指定してください。")
    try:
        with open(path, "rb") as file:
            return file.read(size)
    except FileNotFoundError:
        raise DataFileError(f"{_written(path)} が見つかりません。") from None
    except (OSError, ValueError) as error:
        raise DataFileError(f"{_written(path)} を読めません: {getattr(error, 'strerror', None) or error}。") from None


def _header(path: str) -> GgufHeader:
    from mmap import ACCESS_READ, mmap

    try:
        with open(path, "rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as data:
            return gguf_header(data)  # type: ignore[arg-type]
    except OSError as error:
        raise DataFileError(f"{_written(path)} を読めません: {error.strerror}。") from None
