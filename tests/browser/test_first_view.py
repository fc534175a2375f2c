"""What a page does without on its way to the first view, and what works all the same."""

import gzip
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.browser.waiting import wait_until
from tests.checks.report import expect_none

pytestmark = pytest.mark.browser

CHAPTER = "chapters/03-a100-vs-macmini.html"
SCHEME = "getComputedStyle(document.documentElement).colorScheme"
HEAVIEST = 150_000  # bytes, compressed
UNLINKED = """() => [...document.querySelectorAll("main :is(h2, h3)[id]")]
    .filter(heading => heading.checkVisibility())
    .filter(heading => !heading.querySelector(`a[href="#${CSS.escape(heading.id)}"]`))
    .map(heading => heading.id)"""
# Two frames and a task: whatever comes into view has been seen to do so, and asks for what it needs.
SOON = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))"
# How much of what was in view has jumped while the page was built, as browsers reckon it; above 0.1 it is called bad.
JUMPED = """new Promise((done) => {
  let sum = 0;
  const add = (list) => { for (const { value } of list.getEntries()) sum += value; };
  new PerformanceObserver(add).observe({ type: "layout-shift", buffered: true });
  setTimeout(() => done(sum), 20);
})"""
MOST_JUMPED = 0.05


def weight(site: Path, asked: set[str]) -> int:
    """Return how many bytes a host sends for what a page asked for; what is compressed already stays as it is."""
    files = [(site / unquote(urlsplit(name).path)).read_bytes() for name in asked]
    return sum(min(len(file), len(gzip.compress(file))) for file in files)


class Asked:
    """What a page asks for until nothing more comes of itself."""

    def __init__(self, visitor):
        self.visitor, self.names, self.coming = visitor, set(), 0
        # A first visit: nothing is kept from another page, which would ask for its fonts once more.
        session = visitor.page.context.new_cdp_session(visitor.page)
        session.send("Network.enable")
        session.send("Network.setCacheDisabled", {"cacheDisabled": True})
        visitor.page.on("request", lambda request: self.note(request, 1))
        for ended in ("requestfinished", "requestfailed"):
            visitor.page.on(ended, lambda request: self.note(request, -1))

    def note(self, request, change: int) -> None:
        if request.url.startswith(self.visitor.address):
            self.names.add(request.url.removeprefix(self.visitor.address))
            self.coming += change

    def by(self, name: str) -> set[str]:
        self.names.clear()
        page, before = self.visitor.visit(name, until="load"), -1
        while self.coming or len(self.names) > before:
            before = len(self.names)
            page.evaluate(SOON)
        return set(self.names)


def test_a_first_visit_is_light_and_steady_and_every_section_can_be_linked_to(
    visitor, page_names, site, record_property
):
    asked = Asked(visitor)
    weights = {}
    found = []
    for name in page_names:
        weights[name] = weight(site, asked.by(name))
        found += [f"{name}: {heading} へのリンクがありません" for heading in visitor.page.evaluate(UNLINKED)]
        jumped = visitor.page.evaluate(JUMPED)
        found += [f"{name}: 組み立てる間に {jumped:.3f} ずれました"] * (jumped > MOST_JUMPED)
    heaviest = sorted(weights, key=weights.get, reverse=True)
    listed = "、".join(f"{name} {weights[name]:,} バイト" for name in heaviest[:5])
    record_property("note", f"初めて開くときに届く量（gzip、上限 {HEAVIEST:,} バイト）: {listed}")
    expect_none(found + [f"{name}: {weights[name]:,} バイト" for name in heaviest if weights[name] > HEAVIEST])


def test_what_comes_a_moment_later_weighs_as_well(visitor, site):
    """The calculator's page names few of the scripts that it asks for."""
    asked = Asked(visitor).by("calculator.html")
    assert {"web/hayasa-calculator.js", "web/hayasa-below.js"} <= asked
    assert not {name for name in asked if "measurements" in name}  # a reader of the first screen has no use for them
    assert weight(site, asked) > weight(site, {"calculator.html", "web/hayasa-tables.js"})


def test_the_search_comes_when_a_reader_goes_there(visitor):
    asked = []
    visitor.page.on("request", lambda request: asked.append(request.url.removeprefix(visitor.address)))
    page = visitor.visit(CHAPTER)
    assert asked and not [name for name in asked if "search" in name]
    with page.expect_request("**/search.json"), page.expect_request("**/search-dialog.*.js"):
        page.keyboard.press("Tab")  # the link that skips the header; it stands in the page before it
        page.locator(".md-search__button").focus()
    assert visitor.problems == []


def test_what_is_typed_before_the_dialog_of_the_search_is_there_is_typed_into_it(visitor):
    page = visitor.page
    waiting = []
    page.route("**/search-dialog.*.js", lambda route: waiting.append(route))
    page = visitor.visit(CHAPTER)
    with page.expect_request("**/search-dialog.*.js"):
        page.locator(".md-search__button").press("Enter")
    page.keyboard.type("帯域")
    assert page.get_by_role("combobox").count() == 0
    for route in waiting:
        route.continue_()
    page.get_by_role("combobox").wait_for()
    page.keyboard.type("幅")
    assert page.get_by_role("combobox").input_value() == "帯域幅"
    page.get_by_role("option").first.wait_for()
    dialog = page.locator("dialog[aria-label=検索]")
    assert re.fullmatch(r"[\d,]+件見つかりました", dialog.get_by_role("status").text_content())
    names = dialog.get_by_role("button").evaluate_all("all => all.map((one) => one.getAttribute('aria-label'))")
    assert names == ["検索を閉じる", "絞り込み"]
    page.keyboard.press("Escape")
    wait_until(page, "document.activeElement.matches('.md-search__button')")
    assert visitor.problems == []


@pytest.mark.parametrize("key", ["/", "Control+k"])
def test_letters_typed_before_the_index_is_there_are_searched(visitor, key):
    page = visitor.page
    waiting = []
    page.route("**/search.json", lambda route: waiting.append(route))
    page = visitor.visit(CHAPTER)
    page.keyboard.press(key)
    page.get_by_role("combobox").wait_for()
    page.keyboard.type("帯域幅")
    assert page.get_by_role("combobox").input_value() == "帯域幅"
    assert page.get_by_role("option").count() == 0
    for route in waiting:
        route.continue_()
    page.get_by_role("option").first.wait_for()


def test_a_result_that_was_followed_is_marked(visitor):
    page = visitor.visit(f"{CHAPTER}?h=帯域幅")
    page.locator("article mark").first.wait_for()


@pytest.mark.parametrize(
    "visitor", [{"color_scheme": "light"}, {"color_scheme": "dark"}], ids=["light", "dark"], indirect=True
)
def test_scroll_bars_follow_the_page(visitor, request):
    first, second = ("light", "dark") if "light" in request.node.name else ("dark", "light")
    page = visitor.visit(CHAPTER)
    assert page.evaluate(SCHEME) == first
    page.locator("label[for^=__palette]").filter(visible=True).click()
    wait_until(page, f"{SCHEME} === '{second}'")
    wait_until(page, "!document.body.hasAttribute('data-md-color-switching')")


def test_copy_buttons_come_with_the_code_they_belong_to(visitor):
    page = visitor.visit(CHAPTER)
    assert page.locator(".md-code__button").count() < page.locator("pre > code").count()
    folded = page.locator("article details pre").last
    assert folded.locator(".md-code__button").count() == 0
    page.evaluate("document.querySelectorAll('article details').forEach(part => part.open = true)")
    folded.scroll_into_view_if_needed()
    folded.locator(".md-code__button").wait_for(state="attached")


OPTIONS = "[...document.querySelectorAll('.hayasa-calculator select')].map(({ options }) => options.length)"


def test_a_menu_offers_everything_to_whoever_goes_there(visitor):
    page = visitor.visit("calculator.html", until="load")
    assert set(page.evaluate(OPTIONS)) == {1}
    model, device = (page.get_by_label(label, exact=True) for label in ("モデル", "機種"))
    before = device.bounding_box()
    assert device.evaluate("menu => menu.selectedOptions[0].label") == "NVIDIA GeForce RTX 4060"
    # By keys: what is typed goes through the whole menu at once.
    page.get_by_label("モデルを名前で探す").focus()
    page.keyboard.press("Tab")
    page.keyboard.type("Llama 3.3 70B")
    assert model.input_value() == "llama-3.3-70b"
    # By hand: it is whole before it opens, and takes no more room than it did.
    device.dispatch_event("pointerdown")
    assert device.evaluate("menu => menu.options.length") > 300
    assert device.bounding_box() == before
    # Where nobody has gone, there is what is chosen.
    weights = page.get_by_label("重みの形式", exact=True)
    assert weights.evaluate("menu => [menu.options.length, menu.value]") == [1, "q4_k_m"]
    assert visitor.problems == []
