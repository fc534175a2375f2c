"""Serve a built site as static hosts do: compressed, with types, validators and a cache time.

Python's ``http.server`` sends everything uncompressed and closes each connection, which no host
of static pages does; timings taken with it say more about it than about the pages.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import http.server
import mimetypes
import threading
from collections.abc import Iterator
from functools import cache
from http import HTTPStatus
from pathlib import Path
from urllib.parse import unquote, urlsplit

MAX_AGE_S = 600  # what GitHub Pages says
# Not left to the machine's own table, which differs between systems.
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".csv": "text/csv; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ipynb": "application/json; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json; charset=utf-8",
    ".map": "application/json; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
    ".xml": "application/xml",
}
COMPRESSED = ("text/", "application/json", "application/xml", "image/svg+xml")


def content_type(path: Path) -> str:
    """Return the type a host would send for a file."""
    guessed, _ = mimetypes.guess_type(path.name)
    return TYPES.get(path.suffix.lower(), guessed or "application/octet-stream")


@cache
def _answer(path: Path, modified_ns: int) -> tuple[bytes, bytes | None, str]:
    """A file, the same compressed where that helps, and its tag; read again once it has changed."""
    data = path.read_bytes()
    packed = gzip.compress(data, mtime=0) if content_type(path).startswith(COMPRESSED) else None
    return data, packed, f'"{hashlib.sha256(data).hexdigest()[:16]}"'


class StaticHandler(http.server.BaseHTTPRequestHandler):
    """Answer GET and HEAD for the files below `folder`."""

    protocol_version = "HTTP/1.1"  # connections are kept
    # Head and body in one write; otherwise the second waits for the first's acknowledgement.
    wbufsize = -1
    disable_nagle_algorithm = True
    folder: Path

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""

    def find(self) -> Path | None:
        """Return the file asked for; None if there is none below the folder."""
        path = (self.folder / unquote(urlsplit(self.path).path).lstrip("/")).resolve()
        if path.is_dir():
            path /= "index.html"
        return path if path.is_file() and path.is_relative_to(self.folder) else None

    def do_GET(self) -> None:
        """Send a file, or 404.html where the site has one."""
        path, status = self.find(), HTTPStatus.OK
        if path is None:
            path, status = self.folder / "404.html", HTTPStatus.NOT_FOUND
            if not path.is_file():
                self.send_error(status)
                return
        data, packed, tag = _answer(path, path.stat().st_mtime_ns)
        if status is HTTPStatus.OK and self.headers.get("If-None-Match") == tag:
            self.send_response(HTTPStatus.NOT_MODIFIED)
            self.send_header("ETag", tag)
            self.end_headers()
            return
        body = data
        self.send_response(status)
        self.send_header("Content-Type", content_type(path))
        self.send_header("Cache-Control", f"max-age={MAX_AGE_S}")
        self.send_header("ETag", tag)
        self.send_header("Last-Modified", self.date_time_string(path.stat().st_mtime))
        self.send_header("Vary", "Accept-Encoding")
        if packed is not None and "gzip" in self.headers.get("Accept-Encoding", ""):
            body = packed
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815 (the name is http.server's)


@contextlib.contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Serve a folder on a free port of this machine; give its address, which ends in a slash."""
    handler = type("Handler", (StaticHandler,), {"folder": folder.resolve()})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
