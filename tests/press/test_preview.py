"""What `press preview` shows, to whom, and what it says where it cannot."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from books import make_book

from press import server
from press.__main__ import main


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    site = tmp_path / "site"
    (site / "empty").mkdir(parents=True)
    (site / "index.html").write_text("表紙", encoding="utf-8")
    (tmp_path / "secret.html").write_text("外", encoding="utf-8")
    with server.serve(site, server.listen(0)) as address:
        yield address


def ask(address: str, **headers: str) -> str:
    with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=5) as answer:
        return answer.read().decode()


def status(address: str, **headers: str) -> int:
    try:
        ask(address, **headers)
    except urllib.error.HTTPError as error:
        return error.code
    return 200


def port_of(address: str) -> str:
    return address.rsplit(":", 1)[1].strip("/")


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost:{}", 200),
        ("LOCALHOST:{}", 200),
        ("127.0.0.1:{}", 200),
        ("[::1]:{}", 200),
        ("evil.example:{}", 403),
        ("localhost.evil.example:{}", 403),
        ("localhost:1{}", 403),
        ("localhost", 403),
        ("192.168.0.2:{}", 403),
    ],
)
def test_only_the_names_of_this_machine_are_answered(address: str, host: str, expected: int) -> None:
    """A page from elsewhere may let its own name stand for this machine and read what it is sent."""
    assert status(address, Host=host.format(port_of(address))) == expected


def test_folders_are_not_listed_and_nothing_outside_is_shown(address: str) -> None:
    assert ask(address) == "表紙"
    assert status(f"{address}empty/") == 404
    assert status(f"{address}%2e%2e/secret.html") == 403
    assert status(f"{address}/etc/hosts") == 403
    for name in ("none.html", "empty", "%00", "a" * 300):
        assert status(address + name) == 404


def test_a_page_is_shown_as_it_is_now(address: str, tmp_path: Path) -> None:
    """Not as it was when it was first asked for, even to one who names what was shown last."""
    with urllib.request.urlopen(address, timeout=5) as answer:
        tag, caching = answer.headers["ETag"], answer.headers["Cache-Control"]
    assert caching == "no-cache"
    assert status(address, **{"If-None-Match": tag}) == 304
    times = (tmp_path / "site/index.html").stat()
    (tmp_path / "site/index.html").write_text("裏面", encoding="utf-8")
    os.utime(tmp_path / "site/index.html", ns=(times.st_atime_ns, times.st_mtime_ns))
    assert ask(address, **{"If-None-Match": tag}) == "裏面"


def test_a_page_that_is_replaced_all_the_time_always_comes_whole(address: str, tmp_path: Path) -> None:
    """Its length was told before it was read: 4 bytes too many, and a traceback in the author's terminal."""
    page, new = tmp_path / "site/index.html", tmp_path / "site/new"
    done = threading.Event()

    def replace() -> None:
        for turn in itertools.count():
            new.write_bytes(b"x" * (turn % 7 * 100_000))
            new.replace(page)
            if done.is_set():
                return

    thread = threading.Thread(target=replace)
    thread.start()
    try:
        assert all(len(ask(address)) % 100_000 in (0, 2) for _ in range(100))
    finally:
        done.set()
        thread.join()


def refusal(capsys: pytest.CaptureFixture[str], book: Path, port: str) -> str:
    assert main(["preview", str(book), "--port", port]) == 1
    said = capsys.readouterr()
    assert said.out == "", "nothing was built"
    (line,) = said.err.splitlines()
    return line


@pytest.mark.parametrize("port", ["99999", "-1", "八千"])
def test_an_impossible_port_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], port: str
) -> None:
    assert refusal(capsys, make_book(tmp_path), port).startswith(f"ポート {port} はありません。")


def test_a_port_in_use_is_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert refusal(capsys, make_book(tmp_path), str(port)).startswith(
            f"ポート {port} はほかのプログラムが使っています"
        )


@pytest.mark.parametrize(
    ("error", "reason"),
    [(PermissionError(13, "Permission denied"), "使う権限がありません"), (OSError(99, "?"), "使えません")],
)
def test_a_port_that_may_not_be_had_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, error: OSError, reason: str
) -> None:
    """Who runs the tests may be allowed what readers are not."""

    def refuse(*arguments: object) -> None:
        raise error

    monkeypatch.setattr(server, "bind_sockets", refuse)
    assert refusal(capsys, make_book(tmp_path), "80").startswith(f"ポート 80 は{reason}")


@pytest.mark.parametrize("moment", ["a.ipynb", "http://"], ids=["while it builds", "while it shows"])
def test_an_interruption_says_nothing(tmp_path: Path, moment: str) -> None:
    """Ctrl-C goes to whatever runs in the terminal, the helpers of press among them."""
    config = (make_book(tmp_path) / "_quarto.yml").read_text(encoding="utf-8")
    (tmp_path / "_quarto.yml").write_text(
        config.replace("type: book", "type: book, pre-render: slow.py"), encoding="utf-8"
    )
    (tmp_path / "slow.py").write_text("import time\nprint('a.ipynb')\ntime.sleep(1)\n", encoding="utf-8")
    command = [sys.executable, "-m", "press", "preview", str(tmp_path), "--port", "0"]
    with subprocess.Popen(
        command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", start_new_session=True,
        cwd=Path(__file__).parents[2],
        # Whoever runs the tests in the background ignores Ctrl-C, and what they start inherits that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:  # fmt: skip
        assert process.stdout is not None and process.stderr is not None
        while moment not in process.stdout.readline():
            pass
        os.killpg(process.pid, signal.SIGINT)
        assert process.stderr.read() == ""
    assert process.returncode == 130
