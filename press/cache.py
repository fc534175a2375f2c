"""Results kept between builds under `.press/`, found by what they were made from, and with what."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

# The packages whose work is kept. Another version of one of them, or a change in press itself, may
# make something else of the same book.
TOOLS = ("fonttools", "panflute", "pypandoc_binary", "tinycss2", "ziamath")


@lru_cache(maxsize=1)
def made_with() -> list[str]:
    """The versions of all that takes part in making what is kept."""
    sources = sorted(Path(__file__).parent.rglob("*.py"))
    own = hashlib.sha256(b"\0".join(path.read_bytes() for path in sources)).hexdigest()
    return [*(f"{tool} {version(tool)}" for tool in TOOLS), own]


class Cache:
    """Files named by the hash of their inputs; a file is whole or absent."""

    def __init__(self, folder: Path):
        self._folder = folder

    def bytes(self, room: str, key: Iterable[str], make: Callable[[], bytes]) -> bytes:
        """What `make` returns, from the last time it was made from the same `key` with the same tools."""
        digest = hashlib.sha256(json.dumps([made_with(), room, *key]).encode()).hexdigest()
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
