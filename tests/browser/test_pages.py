"""Every page in a real browser, light and dark, wide and narrow."""

import pytest

from tests.checks.report import expect_none

pytestmark = pytest.mark.browser

LIGHT, DARK = {"color_scheme": "light"}, {"color_scheme": "dark"}
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
PAPER = 665  # an A4 sheet between its margins
both_schemes = pytest.mark.parametrize("visitor", [LIGHT, DARK], ids=["light", "dark"], indirect=True)


# What depends on the colors of a page, by axe's names: all that differs between its light and its dark.
COLORS = ["color-contrast", "link-in-text-block"]


def violations(page, axe, part: str = "document", rules: list[str] | None = None) -> list[str]:
    """Return what axe finds on the page, or in a part of it; by all its rules, or by some."""
    page.evaluate(axe)
    # Only what is wrong leaves the browser; to tell all that is right would take several times as long.
    options = {"resultTypes": ["violations"]} | ({"runOnly": rules} if rules else {})
    found = page.evaluate(
        f"options => axe.run({part}, options).then(({{ violations }}) => violations)",
        options,
    )
    return [
        f"{violation['id']} ({violation['impact']}): {node['html'][:160]} … {' '.join(node['failureSummary'].split())[:300]}"
        for violation in found
        for node in violation["nodes"]
    ]


# Only Chromium lets a formula scroll itself: what must scroll in every browser stands in a box.
ELSEWHERE = "math { overflow: visible !important }"
UNFOLD = "document.querySelectorAll('main details').forEach(part => part.open = true)"
EAGER = "document.querySelectorAll('img').forEach(image => image.loading = 'eager')"
# The sections that no link leads to.
UNLINKED = """() => [...document.querySelectorAll("main :is(h2, h3)[id]")]
    .filter(heading => heading.checkVisibility())
    .filter(heading => !heading.querySelector(`a[href="#${CSS.escape(heading.id)}"]`))
    .map(heading => heading.id)"""
# Notes what a page does that its policy forbids.
WATCH = """
window.violations = [];
addEventListener("securitypolicyviolation", (event) =>
  violations.push(`${event.effectiveDirective}: ${event.blockedURI} (${event.sourceFile}:${event.lineNumber})`));
"""


@both_schemes
def test_nothing_goes_wrong_or_leaves_the_site_or_is_forbidden_and_axe_finds_no_violation(
    visitor, page_names, axe, request
):
    """And every section can be linked to."""
    found = []
    visitor.page.add_init_script(WATCH)
    dark = "dark" in request.node.callspec.id
    # The page that says that there is none needs a host; a page of the disk is found or not.
    for name in page_names if dark else [*page_names, "404.html"]:
        page = visitor.visit(name, until="load")
        found += [f"{name}: #{section} へのリンクがありません" for section in page.evaluate(UNLINKED)]
        page.evaluate(UNFOLD)
        page.evaluate(EAGER)
        found += [f"{name}: {problem}" for problem in violations(page, axe, rules=COLORS if dark else None)]
        # Whatever a page loads late, it has loaded while axe looked, or loads while being read to the end.
        page.wait_for_load_state("networkidle")
        page.mouse.wheel(0, 100_000)
        page.wait_for_timeout(100)
        found += [f"{name}: {violation}" for violation in page.evaluate("violations")]
    expect_none(found + visitor.problems)


@pytest.mark.parametrize("visitor", [LIGHT | PHONE], ids=["phone"], indirect=True)
def test_a_phone_never_scrolls_sideways_and_paper_cuts_nothing_off(visitor, page_names):
    found = []
    for name in page_names:
        page = visitor.visit(name, until="load")
        page.evaluate(UNFOLD)
        page.add_style_tag(content=ELSEWHERE)
        page.evaluate("window.scrollTo(10_000, 0)")
        width, scrolled = page.evaluate("[document.documentElement.scrollWidth, window.scrollX]")
        if width > PHONE["viewport"]["width"] or scrolled:
            found.append(f"{name}: 幅が {width} px あります")
        page.emulate_media(media="print")
        page.set_viewport_size({"width": PAPER, "height": 1000})
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > PAPER + 8:  # the padding of code may hang out at the end of a line
            found.append(f"{name}: 紙では幅が {width} px あります")
        page.emulate_media(media="screen")
        page.set_viewport_size(PHONE["viewport"])
    expect_none(found)


@pytest.mark.parametrize("visitor", [DARK], ids=["dark"], indirect=True)
def test_on_paper_is_what_is_read(visitor):
    page = visitor.visit("chapters/01-memory-hierarchy.html", until="load")
    gone = page.locator(
        ".md-header, .md-sidebar--secondary, .md-footer, .notebook-links, details.code-fold, .hayasa-guess button"
    )
    choices = page.locator(".hayasa-guess [type=radio]")
    choices.first.wait_for()
    # Whoever reads in the dark prints in the light.
    background = "getComputedStyle(document.body).getPropertyValue('--md-default-bg-color')"
    dark = page.evaluate(background)
    assert sum(part.is_visible() for part in gone.all()) > 5
    page.emulate_media(media="print", color_scheme="dark")
    assert [part.inner_html()[:80] for part in gone.all() if part.is_visible()] == []
    assert all(choice.is_visible() for choice in choices.all())
    assert page.evaluate(background) != dark
    assert page.locator(".hayasa-guess").first.evaluate("guess => getComputedStyle(guess).color") == "rgb(34, 34, 34)"
    assert page.locator("figure").first.evaluate("figure => getComputedStyle(figure).breakInside") == "avoid"


BROKEN = """<!doctype html><html lang="ja"><meta charset="utf-8"><title>題</title><body style="width: 900px">
<img src="https://example.org/a.png"><script>throw new Error('だめ')</script>
<p style="color: #aaa; background: #fff">薄い文字</p><main><h2 id="節">節</h2></main></body></html>"""


def test_a_broken_page_is_noticed(visitor, site, axe):
    """Show that the visitor and axe complain of what is wrong."""
    path = site / "broken.html"
    path.write_text(BROKEN, encoding="utf-8")
    try:
        page = visitor.visit("broken.html")
        found, colors = violations(page, axe), violations(page, axe, rules=COLORS)
        assert page.evaluate(UNLINKED) == ["節"]
    finally:
        path.unlink()
    assert any("外への要求: https://example.org/a.png" in problem for problem in visitor.problems)
    assert any("だめ" in problem for problem in visitor.problems)
    assert any("color-contrast" in problem for problem in found)
    assert [problem.partition(" ")[0] for problem in colors] == ["color-contrast"]
    assert any("image-alt" in problem for problem in found)
