"""The server behind the benchmarks of pages."""

import asyncio
import gzip
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

from tools.static_server import serve


def test_pages_are_sent_as_a_host_sends_them(tmp_path):
    """What is timed is the page, not a server that no one would use."""
    text = "<!doctype html>" + "<p>文。</p>" * 1000
    (tmp_path / "a.html").write_text(text, encoding="utf-8")
    (tmp_path / "a.woff2").write_bytes(b"wOF2" + bytes(1000))
    secret = tmp_path.parent / "secret.html"
    secret.write_text("外", encoding="utf-8")
    with serve(tmp_path) as address:

        def ask(name, **headers):
            return urllib.request.urlopen(urllib.request.Request(address + name, headers=headers), timeout=5)

        packed = ask("a.html", **{"Accept-Encoding": "gzip"})
        assert packed.headers["Content-Type"] == "text/html; charset=utf-8"
        assert packed.headers["Content-Encoding"] == "gzip"
        body = packed.read()
        assert len(body) < len(text) / 10
        assert gzip.decompress(body).decode() == text
        assert ask("a.html").read().decode() == text
        assert "Content-Encoding" not in ask("a.woff2", **{"Accept-Encoding": "gzip"}).headers
        for name, headers, status in (
            ("a.html", {"If-None-Match": packed.headers["ETag"]}, 304),
            ("b.html", {}, 404),
            ("%2e%2e/secret.html", {}, 403),
        ):
            with pytest.raises(urllib.error.HTTPError) as error:
                ask(name, **headers)
            assert error.value.code == status


def test_it_serves_beside_a_loop_that_runs(tmp_path):
    """Playwright keeps one running in the thread of the tests."""
    (tmp_path / "index.html").write_text("文", encoding="utf-8")

    async def ask():
        with serve(tmp_path) as address:
            return await asyncio.to_thread(lambda: urllib.request.urlopen(address, timeout=5).read().decode())

    # In a thread, as the one of the tests may have a loop already.
    with ThreadPoolExecutor() as pool:
        assert pool.submit(asyncio.run, ask()).result() == "文"
