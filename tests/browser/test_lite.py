"""A chapter in the reader's own browser, on a phone: JupyterLite as the site carries it, and what it says without a network."""

import re
import time

import pytest

import hayasa
from press.read.config import LITE
from tests.browser.conftest import missing
from tools import lite

QUESTION = '"llama-2-7b", "apple-m4-10c", weights="q4_0"'
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
SELECTED = ".jp-Notebook .jp-CodeCell.jp-mod-selected"


@pytest.fixture(scope="module")
def chapter(site):
    if not (site / LITE).is_file():
        missing("JupyterLite がありません。make lite で作れます")
    return "chapters/03-a100-vs-macmini.html"


def run(page, code):
    """What a new cell shows; as a reader does it, with the keyboard."""
    for key in ("Escape", "b", "Enter"):
        page.keyboard.press(key)
    page.keyboard.insert_text(code)
    page.keyboard.press("Control+Enter")
    cell = page.locator(SELECTED)
    cell.locator(".jp-InputArea-prompt", has_text=re.compile(r"\[\d+\]")).wait_for(timeout=120_000)
    return cell.locator(".jp-OutputArea").inner_text()


@pytest.mark.parametrize("visitor", [PHONE], indirect=True, ids=["phone"])
def test_a_chapter_runs_in_the_browser_of_a_phone(visitor, chapter, record_property):
    outside = set()
    page = visitor.visit(chapter, until="load")
    page.context.on(
        "request", lambda asked: asked.url.startswith((visitor.address, "blob:", "data:")) or outside.add(asked.url)
    )
    started = time.perf_counter()
    page.get_by_text("ブラウザで開く").locator("..").get_by_role("link", name="学ぶ人用").click()
    # Jupyter drops what is run before it has a kernel.
    page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for(state="attached")
    page.locator(".jp-Notebook .jp-Cell").first.click()
    page.keyboard.press("Escape")
    page.keyboard.press("Shift+Enter")  # the title
    page.keyboard.press("Shift+Enter")  # what prepares the notebook

    # hayasa answers as it does here, the checker as in any Jupyter, and nothing comes from elsewhere.
    right = f"{hayasa.estimate('llama-2-7b', 'apple-m4-10c', weights='q4_0').decode_tokens_per_s!r}"
    assert run(page, f"import hayasa\nprint(hayasa.estimate({QUESTION}).decode_tokens_per_s)").strip() == right
    record_property("note", f"ブラウザの中の Jupyter: 最初の答えまで {time.perf_counter() - started:.0f} 秒")
    judged = run(page, 'check("exr-which-machine", card_8b=1, mac_70b=...)')
    assert "小さすぎます" in judged and "まだ書かれていません" in judged
    assert not outside and not visitor.problems

    # A link of the notebook leads into the book, wherever that is.
    link = page.locator(".jp-RenderedMarkdown a[href*='#ref-']").first
    assert link.get_attribute("href").startswith(f"{visitor.address}chapters/03-a100-vs-macmini.html#ref-")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    # What is compiled for Pyodide is asked for by the cell that needs it, by way of hayasa too, and missed in plain words.
    for code, name in (("import numpy", "numpy"), ("from hayasa.book.rows import published", "pandas")):
        outside.clear()
        said = run(page, code)
        assert (
            said.startswith(f"{name}を取ってこられませんでした。")
            and "ネットワーク" in said
            and "Traceback" not in said
        )
        published = lite.PUBLISHED.format(version=lite.pyodide_version())
        assert any(address.startswith(f"{published}{name}-") for address in outside)
        assert all(address.startswith(published) for address in outside)
    assert run(page, "import nothing_of_this_name").startswith(
        "nothing_of_this_nameは、ブラウザの中のPythonにはありません。"
    )


def test_opened_as_a_file_it_says_what_to_do(visitor, site, chapter):
    visitor.page.goto((site / LITE).as_uri(), wait_until="domcontentloaded")
    assert "ファイルとして開いたページでは動きません" in visitor.page.inner_text("body")
