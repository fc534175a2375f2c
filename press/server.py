"""A folder shown to browsers of this machine, and to nobody else."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import mimetypes
import threading
from collections.abc import Iterator
from pathlib import Path
from socket import socket
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, HTTPError, RequestHandler

NAMES = ("localhost", "127.0.0.1", "[::1]")
HIGHEST_PORT = 65535


class PortError(Exception):
    """The port cannot be had; the text says why, in one line."""


class Page(RequestHandler):
    """A file as it is now, read once, since a build may replace it meanwhile; folders are not listed."""

    def prepare(self) -> None:
        """Answer by the machine's own names only: the pages of others may aim a name of theirs at it."""
        port = self.settings["port"]
        hosts = {f"{name}:{port}" for name in NAMES} | (set(NAMES) if port == 80 else set())
        if self.request.host.lower() not in hosts:
            raise HTTPError(403)

    def get(self, path: str) -> None:
        folder: Path = self.settings["folder"]
        name = f"{path}index.html" if not path or path.endswith("/") else path
        try:
            file = (folder / name).resolve()
            if not file.is_relative_to(folder):
                raise HTTPError(403)
            content = file.read_bytes()
        except (OSError, ValueError):
            raise HTTPError(404) from None
        kind = mimetypes.guess_type(file)[0] or "application/octet-stream"
        self.set_header("Content-Type", f"{kind}; charset=utf-8" if kind.startswith("text/") else kind)
        self.set_header("Cache-Control", self.settings["caching"])
        self.finish(content)

    head = get


def listen(port: int) -> list[socket]:
    """Take a port of this machine; 0 stands for any that is free.

    Raises
    ------
    PortError
        If there is no such port, or it is taken, or may not be had.
    """
    if not 0 <= port <= HIGHEST_PORT:
        raise PortError(
            f"ポート {port} はありません。1〜{HIGHEST_PORT} の番号にしてください（0 なら空いている番号を選びます）"
        )
    try:
        return bind_sockets(port, "localhost")
    except OSError as error:
        reasons = {
            errno.EADDRINUSE: "ほかのプログラムが使っています。それを止めるか、別の番号にしてください",
            errno.EACCES: "使う権限がありません。1024 以上の番号にしてください",
        }
        reason = reasons.get(error.errno or 0, f"使えません（{error.strerror}）。別の番号にしてください")
        raise PortError(f"ポート {port} は{reason}") from error


@contextlib.contextmanager
def serve(folder: Path, sockets: list[socket], caching: str = "no-cache", **settings: Any) -> Iterator[str]:
    """Serve a folder meanwhile, in a thread of its own; gives its address, which ends in a slash."""
    port = sockets[0].getsockname()[1]
    settings |= {"folder": folder.resolve(), "port": port, "caching": caching}
    # No log of requests.
    application = Application([(r"/(.*)", Page)], log_function=lambda handler: None, **settings)
    # A loop of its own: whoever calls may have one running, as Playwright does.
    loop = asyncio.new_event_loop()

    def run() -> None:
        asyncio.set_event_loop(loop)
        server = HTTPServer(application)
        loop.call_soon(server.add_sockets, sockets)
        loop.run_forever()
        server.stop()
        loop.run_until_complete(server.close_all_connections())
        loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield f"http://localhost:{port}/"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
