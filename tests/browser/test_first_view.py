"""What a page does without on its way to the first view, and what works all the same."""

import re

import pytest

from tests.browser.waiting import wait_until

pytestmark = pytest.mark.browser

CHAPTER = "chapters/03-a100-vs-macmini.html"
SCHEME = "getComputedStyle(document.documentElement).colorScheme"


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
