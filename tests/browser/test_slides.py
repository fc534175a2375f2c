"""The slides on the wall of a classroom: nothing is cut, nothing is missing, figures move, and all of it from disk."""

import shutil

import pytest
from pypdfium2 import PdfDocument

from press.build import build_slides
from tests.browser.conftest import missing
from tests.checks.report import expect_none

DECKS = 8
# What reaches furthest on the slide that is shown, where all that waits for a click is shown too.
REACH = """() => {
  const slide = document.querySelector("section.present");
  for (const later of slide.querySelectorAll(".fragment")) later.classList.add("visible");
  const boxes = [...slide.querySelectorAll("*")].filter((el) => !el.closest("aside, :is(.hayasa-figure, .hayasa-live) *"))
    .map((el) => el.getBoundingClientRect()).filter((box) => box.width);
  return [slide.querySelector("h1, h2").innerText, Math.max(...boxes.map((box) => box.bottom)),
    Math.max(...boxes.map((box) => box.right)), Math.min(...boxes.map((box) => box.left))];
}"""


@pytest.fixture(scope="module")
def wall(root, tmp_path_factory):
    """Return the folder of the slides beside what they ask of the site."""
    site = tmp_path_factory.mktemp("wall")
    try:
        build_slides(root / "slides", site / "slides")
    except Exception as error:
        if type(error).__name__ != "MissingPackageError":
            raise
        missing(str(error))
    (site / "web").mkdir()
    for path in (root / "web").glob("hayasa*"):
        shutil.copy(path, site / "web")
    return site / "slides"


@pytest.fixture(scope="module")
def decks(wall):
    found = sorted(wall.glob("*.html"))
    assert len(found) == DECKS
    return found


@pytest.fixture
def screen(browser):
    with browser.new_context(locale="ja-JP", viewport={"width": 1280, "height": 720}) as context:
        page = context.new_page()
        page.problems = []
        page.on("console", lambda message: message.type == "error" and page.problems.append(message.text))
        page.on("pageerror", lambda error: page.problems.append(str(error)))
        page.on("requestfailed", lambda request: page.problems.append(request.url))
        page.on(
            "request",
            lambda request: request.url.startswith(("file:", "data:", "blob:")) or page.problems.append(request.url),
        )
        yield page


def opened(screen, deck):
    screen.goto(deck.as_uri())
    screen.wait_for_function("window.Reveal && Reveal.isReady()")
    return screen


def reach_problems(page):
    for number in range(page.evaluate("Reveal.getTotalSlides()")):
        page.evaluate(f"Reveal.slide({number})")
        page.wait_for_function("!document.querySelector('section.present :is(.hayasa-figure, .hayasa-live):empty')")
        title, bottom, right, left = page.evaluate(REACH)
        if bottom > 716 or right > 1280 or left < 0:
            yield f"「{title}」がはみ出します（下端 {bottom:.0f}、左右 {left:.0f}〜{right:.0f}）"


@pytest.mark.parametrize("number", range(DECKS))
def test_every_slide_is_seen_whole_and_asks_for_nothing_else(screen, decks, number):
    page = opened(screen, decks[number])
    assert page.evaluate("Reveal.getTotalSlides()") >= 8
    expect_none(reach_problems(page))
    assert page.problems == []


def test_what_does_not_fit_is_noticed(screen, decks):
    page = opened(screen, decks[0])
    page.evaluate("document.querySelectorAll('section')[2].insertAdjacentHTML('beforeend', '<p>長い</p>'.repeat(9))")
    assert len(list(reach_problems(page))) == 1


@pytest.mark.parametrize("number", [1, 2, 4])
def test_a_figure_moves_and_the_slide_stays_and_prints(screen, decks, number):
    page = opened(screen, decks[number])
    total = page.evaluate("Reveal.getTotalSlides()")
    at = next(
        at
        for at in range(total)
        if page.evaluate(
            f"Reveal.slide({at}); !!document.querySelector('section.present :is(.hayasa-figure, .hayasa-live)')"
        )
    )
    slider = page.locator("section.present input[type=range]").first
    slider.focus()
    before = page.locator("section.present").inner_text()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("before => document.querySelector('section.present').innerText !== before", arg=before)
    assert page.evaluate("Reveal.getIndices().h") == at

    # In print the still figure stands in its place, and each slide is one sheet.
    page.goto(f"{decks[number].as_uri()}?print-pdf")
    page.wait_for_selector(".pdf-page >> nth=1")
    sheets = PdfDocument(page.pdf(prefer_css_page_size=True))
    assert len(sheets) == page.locator(".pdf-page").count() >= total
    slide = page.locator("section:has(.hayasa-figure, .hayasa-live)")
    assert slide.locator(".still img").is_visible()
    assert not slide.locator(".hayasa-figure, .hayasa-live").is_visible()


def test_a_screen_reader_finds_its_way(screen, decks, axe):
    page = opened(screen, decks[0])
    page.evaluate(axe)
    for number in (1, 3, 5, 8):
        page.evaluate(f"Reveal.slide({number})")
        found = page.evaluate("axe.run('section.present', {runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa']})")
        assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found["violations"]] == []


def test_the_speaker_s_view_has_the_notes(screen, decks):
    page = opened(screen, decks[0])
    page.evaluate("Reveal.slide(4)")
    assert "7–9分" in page.locator("section.present aside.notes").text_content()
    assert page.evaluate("Reveal.hasPlugin('notes')")
