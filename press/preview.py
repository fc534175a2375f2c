"""The site on localhost, built again whenever a source changes."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from pathlib import Path

from watchfiles import Change, DefaultFilter, watch

from press.build import Workshop
from press.problems import BookError
from press.server import listen, serve


def preview(root: Path, output: Path | None, port: int, say: Callable[[str], None]) -> None:
    """Build, serve to this machine and rebuild on change until interrupted.

    Raises
    ------
    PortError
        If the port cannot be had; nothing was built then.
    BookError
        If the first build fails; later failures are shown and the last good site stays.
    """
    root = root.resolve()
    sockets = listen(port)
    with Workshop(root, output, say) as workshop:
        site = workshop.build()
        with serve(site, sockets) as address:
            say(f"{address} を開いてください（止めるには Ctrl-C）")
            for changes in watch(root, watch_filter=_Sources(root, site)):
                paths = {Path(path).relative_to(root).as_posix() for _, path in changes}
                if len(paths) == 1:  # its author waits for this page, not for the rest
                    with contextlib.suppress(BookError):  # the whole build knows more, and says it
                        workshop.build_page(*paths)
                try:
                    workshop.build()
                except BookError as error:
                    say(f"作り直せませんでした（前のサイトを見せています）:\n{error}")


class _Sources(DefaultFilter):
    """Files whose content is new, but for what the build itself writes.

    A script of the book may write its product in every build: what is as it was, or as the site
    has it already, is no reason for another.
    """

    def __init__(self, root: Path, site: Path):
        super().__init__()
        self._root, self._site = root, site
        self._seen: dict[str, bytes | None] = {}

    def __call__(self, change: Change, path: str) -> bool:
        inside = Path(path).relative_to(self._root)
        hidden = any(part.startswith(".") or part == "_book" for part in inside.parts)
        if hidden or Path(path).is_relative_to(self._site) or not super().__call__(change, path):
            return False
        content = _digest(Path(path))
        is_known = path in self._seen and self._seen[path] == content
        is_built = content is not None and content == _digest(self._site / inside)
        self._seen[path] = content
        return not (is_known or is_built)


def _digest(path: Path) -> bytes | None:
    try:
        return hashlib.sha256(path.read_bytes()).digest()
    except OSError:  # gone, or a folder
        return None
