"""Waiting for something on a page that runs nothing but its own scripts."""

import time
from typing import Any


def wait_until(page: Any, expression: str, argument: object = None, timeout_ms: float = 30_000) -> None:
    """Wait until JavaScript is true on a page; the page's policy forbids what `wait_for_function` does."""
    deadline = time.monotonic() + timeout_ms / 1000
    while not page.evaluate(expression, argument):
        assert time.monotonic() < deadline, f"{timeout_ms:.0f} ms のうちに成り立ちません: {expression}"
        page.wait_for_timeout(10)
