"""Lighthouse: what does not depend on the machine has to be 100 on every kind of page; the rest is a benchmark."""

import os

import pytest

from tests.browser.conftest import missing
from tests.checks.report import expect_none
from tools import lighthouse

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(os.environ.get("CI") != "true", reason="Lighthouse は CI=true のときだけ動かします"),
]


def judge(site, page):
    """Visit a page once; the test is skipped, in CI failed, where something is missing."""
    if lack := lighthouse.missing():
        missing(lack)
    ((verdict,),) = lighthouse.judge([site], [page], runs=1, categories=lighthouse.DETERMINISTIC)
    return verdict


@pytest.mark.parametrize("page", lighthouse.PAGES)
def test_accessibility_best_practices_and_seo_are_100(site, page):
    verdict = judge(site, page)
    expect_none(f"{page}: {shortcoming}" for shortcoming in verdict.shortcomings())
    assert {verdict.score(category) for category in lighthouse.DETERMINISTIC} == {100}


BROKEN = """<html><head></head><body style="color: #aaa; background: #fff"><p>薄い文字と<img src="none.png"></p>
<script>throw new Error("だめ")</script></body></html>"""


def test_a_broken_page_is_noticed(tmp_path):
    (tmp_path / "index.html").write_text(BROKEN, encoding="utf-8")
    verdict = judge(tmp_path, "index.html")
    assert max(verdict.score(category) for category in lighthouse.DETERMINISTIC) < 100
    shortcomings = "\n".join(verdict.shortcomings())
    for audit in ("image-alt", "document-title", "html-has-lang", "meta-description", "errors-in-console"):
        assert f": {audit}: " in shortcomings
