"""The published measurements come when a reader comes near or asks, not before; and a reader is told if they do not."""

import pytest

from tests.browser.calculator import Calculator, View, changes, differences
from tests.browser.conftest import Visitor
from tests.browser.test_pages import violations
from tests.browser.waiting import wait_until
from tests.checks.report import expect_none

pytestmark = pytest.mark.browser

SCRIPT = "**/hayasa-measurements.js"
MEASURED = "?model=llama-2-7b&weights=q4_0&engine=llama.cpp&batch=1&context=0&machine=apple-m4-10c&machine=rtx-4090"
NOTHING = "このモデルと機種の組み合わせの実測は、この本のデータにありません。"
SMALL = pytest.mark.parametrize(
    "visitor", [{"viewport": {"width": 390, "height": 400}}], ids=["低い画面"], indirect=True
)


class Reader(Calculator):
    """A calculator whose requests for the measurements are counted."""

    def __init__(self, visitor):
        super().__init__(visitor)
        self.asked = 0
        self.page.on("request", lambda request: self.count(request.url))
        self.list = self.root.locator(".hy-measured-list")
        self.button = self.list.get_by_role("button")
        self.rows = self.list.locator("tbody tr")

    def count(self, address: str) -> None:
        self.asked += address.endswith("hayasa-measurements.js")

    def rest(self) -> None:
        """Leave the page alone for as long as it could need to ask for something."""
        self.page.wait_for_timeout(300)


@pytest.fixture
def reader(visitor):
    return Reader(visitor)


@pytest.fixture
def careful(reader):
    """Return a reader on whose page nothing may go wrong."""
    yield reader
    expect_none(reader.visitor.problems)


@SMALL
def test_they_come_when_the_reader_comes_near(careful):
    careful.open(MEASURED).rest()
    assert careful.asked == 0
    assert careful.rows.count() == 0 and careful.button.count() == 1
    careful.root.locator(".hy-chart").first.scroll_into_view_if_needed()
    careful.rows.first.wait_for()
    assert careful.asked == 1
    assert careful.page.locator("svg .hy-measured").count() > 0
    careful.choose("モデル", "llama-3.1-8b")
    careful.rest()
    assert careful.asked == 1


def test_they_are_not_asked_for_where_there_are_none(careful):
    careful.open()
    careful.list.scroll_into_view_if_needed()
    careful.rest()
    assert (careful.asked, careful.list.inner_text()) == (0, NOTHING)
    # The reader is near already when there is something to see.
    careful.choose("モデル", "llama-2-7b")
    careful.choose("機種", "rtx-4090", 2)
    careful.rows.first.wait_for()
    assert careful.asked == 1


@SMALL
def test_by_keyboard_the_reader_goes_on_where_the_table_begins(careful):
    waiting = []
    careful.page.route(SCRIPT, lambda route: waiting.append(route))
    careful.open(MEASURED)
    careful.button.focus()
    careful.page.keyboard.press("Enter")
    # While they are on their way, the reader stays where they are, and pressing again asks for nothing more.
    careful.page.keyboard.press("Enter")
    careful.page.wait_for_timeout(50)
    assert careful.button.evaluate("button => document.activeElement === button")
    assert "読み込んでいます" in careful.list.inner_text()
    assert len(waiting) == 1
    waiting[0].continue_()
    careful.rows.first.wait_for()
    assert careful.page.evaluate("document.activeElement.getAttribute('aria-label')") == "公開された実測の表"


@SMALL
def test_by_keyboard_the_reader_is_told_that_nobody_measured_it(careful):
    careful.open("?model=deepseek-v3&weights=q4_0&engine=vllm&machine=apple-m2-8c&machine=apple-m2-10c")
    careful.button.focus()  # which brings the reader near
    careful.page.keyboard.press("Enter")
    careful.list.get_by_text(NOTHING).wait_for()
    assert careful.list.evaluate("list => document.activeElement === list")


# ---------------------------------------------------------------- what does not come


def fail(route) -> None:
    route.abort()


def broken(route) -> None:
    route.fulfill(body="globalThis.somethingElse = 1;", content_type="text/javascript")


@pytest.mark.parametrize("answer", [fail, broken])
def test_a_reader_is_told_when_they_do_not_come_and_can_ask_again(reader, axe, answer):
    page = reader.page
    page.route(SCRIPT, answer)
    reader.open(MEASURED)
    reader.list.scroll_into_view_if_needed()
    reader.list.get_by_text("読み込めませんでした").wait_for()
    # Whoever has not asked is not disturbed by it; the rest of the page says what it has to.
    announced = reader.root.locator("> [role=status]")
    page.wait_for_timeout(1000)
    assert announced.inner_text() == ""
    assert violations(page, axe, "'.hayasa-calculator'") == []
    assert reader.button.inner_text() == "もう一度読み込む"
    reader.button.press("Enter")
    wait_until(page, "document.querySelector('.hayasa-calculator > [role=status]').textContent !== ''")
    assert "読み込めませんでした" in announced.inner_text()
    assert reader.button.evaluate("button => document.activeElement === button")
    page.unroute(SCRIPT)
    reader.button.press("Enter")
    reader.rows.first.wait_for()
    assert differences(reader.read(), View.read(MEASURED)) == []


def test_a_row_of_another_edition_is_left_out(reader):
    """The two scripts may be of different days while a new edition is put in the place of an old one."""
    page = reader.page
    whole = reader.open(MEASURED).read()

    def other_edition(route):
        text = route.fetch().text()
        assert text.count("~q4_0~") > 10
        route.fulfill(body=text.replace("~q4_0~", "~no-such-format~"), content_type="text/javascript")

    page.route(SCRIPT, other_edition)
    shown = reader.open(MEASURED).read()
    assert 1 < len(shown["measured"]) and shown["measured"] != whole["measured"]
    assert not any("no-such-format" in row for row in shown["measured"])
    expect_none(reader.visitor.problems)


def test_they_come_on_a_page_opened_straight_from_the_disk(browser, site, visitor):
    served = Calculator(visitor).open(MEASURED).read()
    with browser.new_context(locale="ja-JP") as context:
        other = Visitor(context.new_page(), "file://")
        shown = Calculator(other).open_address((site / "calculator.html").as_uri() + MEASURED).read()
        assert len(shown["measured"]) > 1
        assert changes(served, shown) == []
        expect_none(other.problems)


# ---------------------------------------------------------------- a strict policy

POLICY = "script-src 'self' 'unsafe-inline'; script-src-attr 'none'; style-src-attr 'none'"
WATCH = """
window.violated = [];
addEventListener("securitypolicyviolation", (event) => {
  if (event.effectiveDirective === "script-src" || event.target.closest?.(".hayasa-calculator")) violated.push(event.effectiveDirective);
});
"""


def violated(reader) -> list[str]:
    """Open the calculator with no evaluated text, no handler and no style in an attribute; return what it tried."""
    page = reader.page

    def with_policy(route):
        answer = route.fetch()
        route.fulfill(response=answer, headers=answer.headers | {"content-security-policy": POLICY})

    page.route("**/calculator.html*", with_policy)
    page.add_init_script(WATCH)
    reader.open(MEASURED).read()
    reader.add()
    assert reader.rows.count() > 0
    return page.evaluate("violated")


def test_the_calculator_does_what_a_strict_policy_allows(reader):
    assert violated(reader) == []


def test_a_style_in_an_attribute_is_noticed(reader, change_script):
    change_script("cards.mjs", "filled.style.width = `", "filled.setAttribute('style', `width:`); filled.title = `")
    assert set(violated(reader)) == {"style-src-attr"}
