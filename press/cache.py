"""Results kept between builds under `.press/`, found by what they were made from."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

VERSION = "1"  # raise it when what is stored changes its meaning


class Cache:
    """Files named by the hash of their inputs; a file is whole or absent."""

    def __init__(self, folder: Path):
        self._folder = folder

    def bytes(self, room: str, key: Iterable[str], make: Callable[[], bytes]) -> bytes:
        """What `make` returns, from the last time it was made from the same `key`."""
        digest = hashlib.sha256(json.dumps([VERSION, room, *key]).encode()).hexdigest()
        path = self._folder / room / digest
        try:
            return path.read_bytes()
        except OSError:
            pass
        made = make()
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(made)
        os.replace(name, path)
        return made

    def text(self, room: str, key: Iterable[str], make: Callable[[], str]) -> str:
        return self.bytes(room, key, lambda: make().encode()).decode()
