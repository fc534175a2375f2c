"""The header of a GGUF file: what it says of the model, and every tensor with its type.

The header is read, never the weights, so that a file of any size answers at once.
Source: ggml-org/ggml, ``docs/gguf.md``.
"""

from __future__ import annotations

from typing import NamedTuple

from ..errors import InvalidValueError, shown

_UNSIGNED = {0: 1, 2: 2, 4: 4, 7: 1, 10: 8}
_SIGNED = {1: 1, 3: 2, 5: 4, 11: 8}
_FLOAT = {6: 4, 12: 8}
_TEXT = 8
_ARRAY = 9

LONGEST_ARRAY = 4096
"""Entries up to which an array is read; of a longer one, such as a vocabulary, the length counts."""

MOST_ENTRIES = 1_000_000
"""A file that claims more keys or tensors than this is none."""

MOST_WEIGHTS = 10**15
"""Nor is one with more weights than this in a tensor."""

LARGEST_HEADER_BYTES = 2**29
"""Nor one whose header is larger: vocabularies take a few tens of MB."""


class StoredTensor(NamedTuple):
    """One tensor as a GGUF file has it.

    Parameters
    ----------
    name : str
        As in the file: ``blk.0.attn_q.weight``.
    shape : tuple of int
        Sizes, that of a row first.
    type_number : int
        ggml's number of the block type.
    """

    name: str
    shape: tuple[int, ...]
    type_number: int

    @property
    def parameters(self) -> int:
        """Number of weights."""
        count = 1
        for size in self.shape:
            count *= size
        return count


class GgufHeader(NamedTuple):
    """What stands before the weights in a GGUF file.

    Parameters
    ----------
    metadata : dict
        Whole numbers, texts and lists of whole numbers by key.  None stands for a
        fraction, which nothing here needs.
    lengths : dict
        Entries of each array by key, of those too that are too long to be read.
    tensors : tuple of StoredTensor
        All tensors of the file.
    end : int
        Bytes that the header takes.
    """

    metadata: dict[str, object]
    lengths: dict[str, int]
    tensors: tuple[StoredTensor, ...]
    end: int


def whole_number_at(data: bytes, start: int, size: int, signed: bool) -> int:
    """Return the little-endian number of `size` bytes that begins at `start`."""
    return int.from_bytes(data[start : start + size], "little", signed=signed)


def text_at(data: bytes, start: int, size: int) -> str:
    """Return the text of `size` bytes that begins at `start`."""
    return bytes(data[start : start + size]).decode("utf-8", "replace")


def unsigned(data: bytes, start: int, size: int) -> int:
    """Return the number of `size` bytes that begins at `start`, if the header reaches as far."""
    _require_within(data, start + size)
    return whole_number_at(data, start, size, False)


def text_of(data: bytes, start: int, size: int) -> str:
    """Return the text of `size` bytes that begins at `start`, if the header reaches as far."""
    _require_within(data, start + size)
    return text_at(data, start, size)


def _require_within(data: bytes, end: int) -> None:
    if end > len(data):
        raise InvalidValueError("GGUF のファイルが途中で終わっています。")
    if end > LARGEST_HEADER_BYTES:
        raise InvalidValueError("GGUF のファイルが壊れています（重みより前の部分が大きすぎます）。")


def gguf_header(data: bytes) -> GgufHeader:
    """Read the header of a GGUF file.

    Parameters
    ----------
    data : bytes
        The file, or its beginning: anything that is indexed and cut like bytes.

    Returns
    -------
    GgufHeader
        Metadata and tensors.

    Raises
    ------
    InvalidValueError
        If it is no GGUF file of version 2 or 3, or ends within the header.
    """
    if len(data) < 24 or text_of(data, 0, 4) != "GGUF":
        raise InvalidValueError("GGUF のファイルではありません（先頭が GGUF ではありません）。")
    version = unsigned(data, 4, 4)
    if version not in (2, 3):
        raise InvalidValueError(f"GGUF の版は 2 か 3 のものを読めます（このファイルの版: {version}）。")
    tensor_count, key_count = unsigned(data, 8, 8), unsigned(data, 16, 8)
    if tensor_count > MOST_ENTRIES or key_count > MOST_ENTRIES:
        raise InvalidValueError("GGUF のファイルが壊れています（項目の数が多すぎます）。")
    at = 24
    metadata: dict[str, object] = {}
    lengths: dict[str, int] = {}
    for _ in range(key_count):
        key, at = _string(data, at)
        kind, at = unsigned(data, at, 4), at + 4
        if kind == _ARRAY:
            kind, count = unsigned(data, at, 4), unsigned(data, at + 4, 8)
            lengths[key] = count
            entries, at = _array(data, at + 12, kind, count)
            metadata[key] = entries
        else:
            value, at = _value(data, at, kind)
            metadata[key] = value
    tensors: list[StoredTensor] = []
    for _ in range(tensor_count):
        name, at = _string(data, at)
        dimensions, at = unsigned(data, at, 4), at + 4
        shape: list[int] = []
        for _ in range(min(dimensions, 8)):
            shape.append(unsigned(data, at, 8))
            at += 8
        tensor = StoredTensor(name, tuple(shape), unsigned(data, at, 4))
        parameters = tensor.parameters
        if not (shape and 0 < parameters <= MOST_WEIGHTS):
            raise InvalidValueError(f"GGUF のファイルが壊れています（テンソル {shown(name)} の大きさ）。")
        tensors.append(tensor)
        at += 12
    return GgufHeader(metadata, lengths, tuple(tensors), at)


def _string(data: bytes, at: int) -> tuple[str, int]:
    size = unsigned(data, at, 8)
    return text_of(data, at + 8, size), at + 8 + size


def _value(data: bytes, at: int, kind: int) -> tuple[object, int]:
    """Return a value and the place after it."""
    if kind == _TEXT:
        return _string(data, at)
    if kind in _UNSIGNED:
        size = _UNSIGNED[kind]
        return unsigned(data, at, size), at + size
    if kind in _SIGNED:
        size = _SIGNED[kind]
        _require_within(data, at + size)
        return whole_number_at(data, at, size, True), at + size
    if kind in _FLOAT:
        return None, at + _FLOAT[kind]
    raise InvalidValueError(f"GGUF のファイルが壊れています（値の型 {kind} はありません）。")


def _array(data: bytes, at: int, kind: int, count: int) -> tuple[object, int]:
    """Return a list of whole numbers, or None for what is too long or of another kind; and the place after it."""
    if kind == _TEXT:
        for _ in range(count):
            at += 8 + unsigned(data, at, 8)
        return None, at
    size = _UNSIGNED.get(kind) or _SIGNED.get(kind) or _FLOAT.get(kind)
    if not size:
        raise InvalidValueError(f"GGUF のファイルが壊れています（値の型 {kind} はありません）。")
    if count > LONGEST_ARRAY or kind in _FLOAT:
        return None, at + size * count
    entries: list[object] = []
    for _ in range(count):
        entry, at = _value(data, at, kind)
        entries.append(entry)
    return entries, at
