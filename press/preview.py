"""The site on localhost, built again whenever a source changes."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

from watchfiles import DefaultFilter, watch

from press.build import build
from press.problems import BookError


def preview(root: Path, output: Path | None, port: int, say: Callable[[str], None]) -> None:
    """Build, serve on 127.0.0.1 and rebuild on change until interrupted.

    Raises
    ------
    BookError
        If the first build fails; later failures are shown and the last good site stays.
    """
    root = root.resolve()
    site = build(root, output, say)
    handler = partial(_Quiet, directory=str(site))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    say(f"http://127.0.0.1:{server.server_port}/ を開いてください（止めるには Ctrl-C）")
    try:
        for _ in watch(root, watch_filter=_Sources(site)):
            try:
                build(root, output, say)
            except BookError as error:
                say(f"作り直せませんでした（前のサイトを見せています）:\n{error}")
    finally:
        server.shutdown()


class _Sources(DefaultFilter):
    """Everything but what the build itself writes."""

    def __init__(self, site: Path):
        super().__init__()
        self._built = (str(site), f"{site.parent}/.press", f"{site.parent}/_book")

    def __call__(self, change: object, path: str) -> bool:
        parts = Path(path).parts
        hidden = any(part.startswith(".") or part == "_book" for part in parts[1:])
        return not hidden and not path.startswith(self._built) and super().__call__(change, path)  # type: ignore[arg-type]


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass
