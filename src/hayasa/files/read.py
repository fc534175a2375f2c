"""A model from a file of the reader's own."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from ..errors import DataFileError, InvalidValueError, shown

if TYPE_CHECKING:
    from ..model.shape import Model
    from ..model.weights import WeightFormat
    from .gguf import GgufHeader

LARGEST_CONFIG_BYTES = 10_000_000
"""A file that is larger is no ``config.json``."""

LONGEST_PATH = 200
"""Letters of a path that a message shows."""

_PART = re.compile(r"-(\d{5})-of-(\d{5})\.gguf$", re.IGNORECASE)


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
            from .gguf_model import model_from_gguf

            header = _whole_header(path)
            return model_from_gguf(header, _name_of(path, header))
        return _from_config(path), None
    except InvalidValueError as error:
        raise InvalidValueError(f"{_written(path)}: {error}") from None


def _name_of(path: str, header: GgufHeader) -> str:
    """Return what to call the model in a file; Ollama's files are called by a hash."""
    name = _PART.sub(".gguf", os.path.basename(path))
    own = header.metadata.get("general.name")
    return own if isinstance(own, str) and own and not name.lower().endswith(".gguf") else name


def _written(path: str) -> str:
    """Return a path for a message: its end, if it is long."""
    return path if len(path) <= LONGEST_PATH else f"…{path[-LONGEST_PATH:]}"


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


def _whole_header(path: str) -> GgufHeader:
    """Return the header of a GGUF file, with the tensors of all its parts."""
    part = _PART.search(path)
    if not part:
        return _header(path)
    count = int(part[2])
    paths = [f"{path[: part.start()]}-{number:05}-of-{part[2]}.gguf" for number in range(1, count + 1)]
    missing = [os.path.basename(one) for one in paths if not os.path.isfile(one)]
    if missing:
        others = f"（ほかに {len(missing) - 1} 個）" if len(missing) > 1 else ""
        raise InvalidValueError(f"{count} 個に分かれたファイルのうち、{missing[0]} が見つかりません{others}。")
    headers = [_header(one) for one in paths]
    return headers[0]._replace(tensors=tuple(tensor for header in headers for tensor in header.tensors))


def _header(path: str) -> GgufHeader:
    from mmap import ACCESS_READ, mmap

    from .gguf import gguf_header

    try:
        with open(path, "rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as data:
            return gguf_header(data)  # type: ignore[arg-type]
    except OSError as error:
        raise DataFileError(f"{_written(path)} を読めません: {error.strerror}。") from None


def _from_config(path: str) -> Model:
    import json

    from .config import model_from_config

    content = _content(path, LARGEST_CONFIG_BYTES)
    if not content.strip():
        raise InvalidValueError("ファイルが空です。")
    try:
        config = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise InvalidValueError("GGUF のファイルでも、JSON のファイルでもありません。") from None
    if not isinstance(config, dict):
        raise InvalidValueError("モデルの config.json ではありません（{ で始まる対応表ではありません）。")
    return model_from_config(config, str(config.get("_name_or_path") or os.path.basename(path)))
