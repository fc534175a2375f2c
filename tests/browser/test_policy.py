"""The policy each page carries: all that pages do goes on, and nothing from elsewhere is asked for."""

import http.server
import re
import threading

import pytest

from tests.browser.calculator import Calculator
from tests.browser.conftest import Visitor
from tests.browser.test_measurements import MEASURED
from tests.browser.test_pages import EAGER, UNFOLD, WATCH
from tests.checks.report import expect_none

pytestmark = pytest.mark.browser

BOTH = pytest.mark.parametrize("visitor", ["http", "file"], indirect=True)


@pytest.fixture
def visitor(browser, address, site, request):
    """Return a visitor of the served site, or of the same folder on the disk."""
    with browser.new_context(locale="ja-JP") as context:
        context.add_init_script(WATCH)
        yield Visitor(context.new_page(), address if request.param == "http" else f"{site.as_uri()}/")


@pytest.mark.parametrize("visitor", ["file"], indirect=True)
def test_no_page_of_the_disk_does_what_its_policy_forbids(visitor, page_names):
    """Of the served ones test_pages tells, which visits them anyway."""
    found = []
    for name in page_names:
        page = visitor.visit(name, until="load")
        page.evaluate(UNFOLD)
        page.evaluate(EAGER)
        page.wait_for_timeout(50)  # the browser tells of it a moment later
        found += [f"{name}: {violation}" for violation in page.evaluate("violations")]
    expect_none(found)


@BOTH
def test_the_search_is_allowed(visitor):
    page = visitor.visit("chapters/03-a100-vs-macmini.html", until="load")
    page.click(".md-search__button")
    page.keyboard.type("帯域幅")
    page.get_by_role("option").first.wait_for()
    expect_none(page.evaluate("violations") + visitor.problems)


@BOTH
def test_the_calculator_is_allowed(visitor):
    """It asks for a second script and draws."""
    calculator = Calculator(visitor).open(MEASURED)
    assert len(calculator.read()["measured"]) > 1
    assert calculator.page.locator("svg .hy-measured").count() > 0
    expect_none(calculator.page.evaluate("violations") + visitor.problems)


@pytest.fixture
def outside():
    """Serve another site; give its address and what it was asked for."""
    asked = set()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.add(self.path.strip("/"))
            self.send_response(204)
            self.end_headers()

        do_POST = do_GET  # noqa: N815

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/", asked
    server.shutdown()


# What might come with a notebook's output or a pasted piece of HTML.
TRIES = """
<link rel="stylesheet" href="OUTSIDE/link"><script src="OUTSIDE/script"></script><script>window.ran = true</script>
<img src="OUTSIDE/image" alt=""><video src="OUTSIDE/video"></video><object data="OUTSIDE/object"></object>
<iframe src="OUTSIDE/frame"></iframe><iframe name="target"></iframe>
<style>@font-face { font-family: x; src: url(OUTSIDE/font) } .x { font-family: x; background: url(OUTSIDE/background) }</style>
<p class="x">文</p><form method="post" action="OUTSIDE/form" target="target"></form></body>
"""
MORE_TRIES = """async (outside) => {
  navigator.sendBeacon(`${outside}beacon`);
  document.forms[document.forms.length - 1].submit();
  for (const start of [() => new WebSocket(`${outside}socket`.replace("http", "ws")), () => new EventSource(`${outside}events`)])
    try { start(); } catch { /* refused on the spot */ }
  await fetch(`${outside}fetch`, { mode: "no-cors" }).catch(() => {});
}"""
ALL = set("link script image video object frame font background form beacon socket events fetch".split())


FORBIDDEN = {f"{kind}-src" for kind in "connect font frame img media object script style".split()} | {"form-action"}


def tried(browser, site, address, outside, text) -> tuple[set[str], set[str], bool]:
    """Open a page of the site; tell what was forbidden, what the other site was asked for, whether a script ran."""
    other, asked = outside
    path = site / "tries.html"
    path.write_text(text.replace("</body>", TRIES.replace("OUTSIDE/", other)), encoding="utf-8")
    try:
        with browser.new_context() as context:
            context.add_init_script(WATCH)
            page = context.new_page()
            page.goto(f"{address}tries.html")
            page.evaluate(MORE_TRIES, other)
            page.wait_for_timeout(500)
            forbidden = {violation.partition(":")[0].removesuffix("-elem") for violation in page.evaluate("violations")}
            return forbidden, set(asked), page.evaluate("window.ran === true")
    finally:
        path.unlink()


@pytest.mark.parametrize("scheme", ["http", "file"])
def test_nothing_from_elsewhere_is_asked_for(browser, site, address, outside, scheme):
    address = address if scheme == "http" else f"{site.as_uri()}/"
    text = (site / "index.html").read_text(encoding="utf-8")
    assert tried(browser, site, address, outside, text) == (FORBIDDEN, set(), False)
    without, count = re.subn(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    assert count == 1
    assert tried(browser, site, address, outside, without) == (set(), ALL, True), "these were no tries"
