"""Serve a built site as static hosts do: compressed, with types, validators and a cache time.

Python's ``http.server`` sends everything uncompressed and closes each connection, which no host
of static pages does; timings taken with it say more about it than about the pages. Tornado, which
JupyterLab brings along, does what they do.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, StaticFileHandler

MAX_AGE_S = 600  # what GitHub Pages says


class Page(StaticFileHandler):
    """A file of the site; browsers may keep it for a while."""

    def get_cache_time(self, path: str, modified: datetime | None, mime_type: str) -> int:
        """Return the same time for every file."""
        return MAX_AGE_S

    def get_content_type(self) -> str:
        """Say that texts are UTF-8."""
        found = super().get_content_type()
        return f"{found}; charset=utf-8" if found.startswith("text/") else found


@contextlib.contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Serve a folder on a free port of this machine; give its address, which ends in a slash."""
    files = {"path": str(folder.resolve()), "default_filename": "index.html"}
    # No log of requests.
    application = Application([(r"/(.*)", Page, files)], compress_response=True, log_function=lambda handler: None)
    (socket,) = bind_sockets(0, "127.0.0.1")
    # A loop and a thread of its own: whoever calls may have a loop running, as Playwright does.
    loop = asyncio.new_event_loop()

    def run() -> None:
        asyncio.set_event_loop(loop)
        server = HTTPServer(application)
        loop.call_soon(server.add_socket, socket)
        loop.run_forever()
        server.stop()
        loop.run_until_complete(server.close_all_connections())
        loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{socket.getsockname()[1]}/"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
