"""What a reader does: search, turn the light off, unfold code, link to a section."""

import re

import pytest

from tests.browser.waiting import wait_until

pytestmark = pytest.mark.browser

CHAPTER = "chapters/03-a100-vs-macmini.html"
SCHEME = "document.body.dataset.mdColorScheme"


def test_searching_a_word_leads_to_its_place(visitor):
    page = visitor.visit("index.html")
    page.click(".md-search__button")
    page.keyboard.type("帯域幅")
    results = page.get_by_role("option")
    results.first.wait_for()
    address = next(a for result in results.all() if "#" in (a := result.get_attribute("href")))
    page.locator(f'[role=option][href="{address}"]').click()
    page.wait_for_url(address)
    anchor = address.partition("#")[2]
    wait_until(page, "id => document.getElementById(id) !== null", anchor)
    page.wait_for_timeout(500)
    assert page.locator("main").get_by_text("帯域幅").filter(visible=True).count() > 0
    top = page.evaluate("id => document.getElementById(id).getBoundingClientRect().top", anchor)
    assert 0 <= top < page.viewport_size["height"]


@pytest.mark.parametrize("word", ["メモリバウンド", "トークン", "HBM"])
def test_search_finds_other_words(visitor, word):
    page = visitor.visit("index.html")
    page.click(".md-search__button")
    page.keyboard.type(word)
    # Results of the first letters come before those of the whole word.
    first = page.get_by_role("option").first.filter(has_text=re.compile(word, re.IGNORECASE))
    first.wait_for()


def test_search_works_on_pages_opened_straight_from_the_disk(browser, site):
    with browser.new_context(locale="ja-JP") as context:
        page = context.new_page()
        lost = []
        page.on("requestfailed", lambda request: lost.append(request.url))
        page.goto((site / "index.html").as_uri())
        page.click(".md-search__button")
        page.keyboard.type("帯域幅")
        page.get_by_role("option").first.wait_for()
        assert page.get_by_role("option").first.get_attribute("href").startswith("file:")
        assert lost == []


def test_a_word_of_no_page_is_not_found(visitor):
    page = visitor.visit("index.html")
    page.click(".md-search__button")
    page.keyboard.type("縄文土器")
    page.wait_for_timeout(1000)
    wait_until(page, "!document.querySelector('[role=option]')")  # it still finds for what was typed before


@pytest.mark.parametrize("visitor", [{"color_scheme": "light"}], ids=["light"], indirect=True)
def test_the_dark_page_stays_dark_on_the_next_page(visitor):
    page = visitor.visit("index.html")
    assert page.evaluate(SCHEME) == "default"
    page.locator("label[for^=__palette]").filter(visible=True).click()
    wait_until(page, f"{SCHEME} === 'slate'")
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    red, green, blue = (int(part) for part in background.partition("(")[2].rstrip(")").split(",")[:3])
    assert max(red, green, blue) < 80
    assert visitor.visit(CHAPTER).evaluate(SCHEME) == "slate"


@pytest.mark.parametrize("visitor", [{"color_scheme": "dark"}], ids=["dark"], indirect=True)
def test_a_reader_who_prefers_dark_gets_it(visitor):
    assert visitor.visit("index.html").evaluate(SCHEME) == "slate"


def test_folded_code_opens(visitor):
    page = visitor.visit(CHAPTER)
    folded = page.locator("main details").filter(has=page.locator("pre")).first
    code = folded.locator("pre").first
    assert not code.is_visible()
    folded.locator("summary").first.click()
    assert code.is_visible()


FEATURES = """() => [...document.querySelectorAll("body, body *")]
    .filter(one => getComputedStyle(one).fontFeatureSettings !== "normal").map(one => one.tagName)"""


def test_no_part_of_a_page_asks_for_features_of_its_font(visitor):
    """Where a page asks for "kern" by name, Gecko squeezes 、 and 。 of Japanese fonts to half their width."""
    assert visitor.visit(CHAPTER).evaluate(FEATURES) == []


def test_pages_lead_to_each_other(visitor):
    page = visitor.visit("index.html")
    page.get_by_role("link", name="次").last.click()
    page.wait_for_url("**/chapters/01-*.html")
    page.get_by_role("link", name="前").last.click()
    page.wait_for_url("**/index.html")


def test_the_keyboard_reaches_the_text(visitor):
    page = visitor.visit(CHAPTER)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')").startswith("#")
