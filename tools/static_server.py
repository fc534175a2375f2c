"""Serve a built site as static hosts do: compressed, with types, validators and a cache time.

Python's ``http.server`` sends everything uncompressed and closes each connection, which no host
of static pages does; timings taken with it say more about it than about the pages.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from press import server

MAX_AGE_S = 600  # what GitHub Pages says


def serve(folder: Path) -> AbstractContextManager[str]:
    """Serve a folder on a free port of this machine; give its address, which ends in a slash."""
    return server.serve(folder, server.listen(0), f"max-age={MAX_AGE_S}", compress_response=True)
