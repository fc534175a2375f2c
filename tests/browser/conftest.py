"""A browser, the site on localhost, and a page that notes whatever goes wrong on it."""

import functools
import http.server
import os
import threading
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.checks import site as site_checks
from tests.web.javascript import changed_scripts
from tools.browser import ARGUMENTS, find_browser

HERE = Path(__file__).parent
GIVEN_UP = "net::ERR_ABORTED"
AXE = HERE / "node_modules" / "axe-core" / "axe.min.js"


def missing(what: str) -> None:
    """Skip with a plain reason; where everything has to be there, fail instead."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI では飛ばせません: {what}", pytrace=False)
    pytest.skip(f"ブラウザのテスト: {what}")


@pytest.fixture(scope="session")
def browser():
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("Playwright が入っていません。make test BROWSER=1 で入れて実行できます")
    executable = find_browser()
    if executable is None:
        missing("Chromium も Chrome も見つかりません。入れるか、CHROMIUM= で場所を指定してください")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def axe() -> str:
    if not AXE.is_file():
        missing("axe-core が入っていません。npm ci --prefix tests/browser で入ります")
    return AXE.read_text(encoding="utf-8")


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="session")
def address(site):
    """Serve the site on localhost, on a free port."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(QuietHandler, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


@pytest.fixture(scope="session")
def page_names(site) -> list[str]:
    return [page.name for page in site_checks.pages(site) if page.name != "404.html"]


@dataclass
class Visitor:
    """A page of the browser together with everything that went wrong on it."""

    page: object
    address: str
    problems: list[str] = field(default_factory=list)

    def __post_init__(self):
        own = urlsplit(self.address).netloc
        self.page.on("console", lambda message: message.type == "error" and self.note("コンソール", message.text))
        self.page.on("pageerror", lambda error: self.note("スクリプトの誤り", str(error)))
        # What the browser itself gives up, because the page is left, is not missing.
        self.page.on(
            "requestfailed", lambda request: request.failure == GIVEN_UP or self.note("届かないもの", request.url)
        )
        self.page.on("response", lambda answer: answer.status >= 400 and self.note(str(answer.status), answer.url))
        # Only noted, not stopped by a route, with which no page keeps what the last has fetched and compiled:
        # the browser itself finds nobody outside.
        self.page.on("request", lambda request: self.note_outside(request.url, own))
        self.page.on("websocket", lambda socket: self.note_outside(socket.url, own))

    def note_outside(self, url: str, own: str) -> None:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.netloc != own:
            self.note("外への要求", url)

    def note(self, kind: str, text: str) -> None:
        self.problems.append(f"{self.page.url.removeprefix(self.address)}: {kind}: {text}")

    def visit(self, name: str, until: str = "networkidle"):
        """Go to a page; with `until="load"` do not wait for what it may ask for later, which takes half a second."""
        self.page.goto(self.address + name, wait_until=until)
        if until == "load" and self.page.locator("script[src$='hayasa.js']").count():
            self.page.wait_for_selector("html[data-hayasa-ready]", state="attached")
        return self.page


@pytest.fixture
def change_script(visitor):
    """Give the visitor's pages scripts in which one thing is changed in one module."""

    def change(module: str, old: str, new: str) -> None:
        scripts = changed_scripts(module, old, new)

        def fulfill(route):
            name = Path(urlsplit(route.request.url).path).name
            route.fulfill(body=scripts[name], content_type="text/javascript")

        for name in scripts:
            visitor.page.route(f"**/{name}", fulfill)

    return change


@pytest.fixture
def visitor(browser, address, request):
    """Return a fresh visitor; parametrize indirectly with the options of a browser context."""
    with browser.new_context(locale="ja-JP", **getattr(request, "param", {})) as context:
        yield Visitor(context.new_page(), address)
