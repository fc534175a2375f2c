"""The site as `make book` builds it: no dead link, nothing fetched from elsewhere, sound pages."""

import shutil

import pytest

from tests.checks import site as checks
from tests.checks.report import expect_none


def test_there_is_a_page_for_every_manuscript(site, manuscripts):
    expected = {manuscript.name.rpartition(".")[0] + ".html" for manuscript in manuscripts}
    assert expected <= {page.name for page in checks.pages(site)}


def test_no_dead_links(site):
    expect_none(checks.dead_links(site))


def test_nothing_is_fetched_from_elsewhere(site):
    expect_none(checks.external_requests(site))


def test_every_page_is_sound(site):
    expect_none(problem for page in checks.pages(site) for problem in checks.page_problems(page))


def test_every_page_has_its_own_title(site):
    expect_none(checks.same_titles(site))


def test_the_book_links_out_only_with_https(site):
    links = {link for page in checks.pages(site) for link in page.tree.xpath("//a/@href")}
    assert [link for link in links if link.startswith("http:")] == []


PAGE = """<!doctype html>
<html lang="ja"><head><title>題</title><link rel="stylesheet" href="a.css"></head>
<body><main><h1 id="top">題</h1><h2 id="sec-a">節</h2><p>文。<a href="#sec-a">節</a> <a href="b.html#top">次</a></p>
<img src="a.svg" alt="図"></main></body></html>
"""


@pytest.fixture
def small_site(tmp_path):
    """A site of two sound pages, to be broken."""
    for name in ("a.html", "b.html"):
        (tmp_path / name).write_text(PAGE.replace("<title>題", f"<title>{name}"), encoding="utf-8")
    (tmp_path / "a.css").write_text("p { background: url(a.svg) }", encoding="utf-8")
    (tmp_path / "a.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>', encoding="utf-8")
    return tmp_path


def everything(site):
    return [
        *checks.dead_links(site),
        *checks.external_requests(site),
        *(problem for page in checks.pages(site) for problem in checks.page_problems(page)),
        *checks.same_titles(site),
    ]


def test_a_sound_site_passes(small_site):
    assert everything(small_site) == []


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("b.html#top", "c.html", "リンク先がありません: c.html"),
        ("b.html#top", "b.html#nowhere", "#nowhere がありません"),
        ('href="#sec-a"', 'href="#nowhere"', "#nowhere がありません"),
        ('src="a.svg"', 'src="missing.svg"', "リンク先がありません: missing.svg"),
        ('href="a.css"', 'href="missing.css"', "リンク先がありません: missing.css"),
        ('src="a.svg"', 'src="https://example.org/a.svg"', "外から読み込みます"),
        ('src="a.svg"', 'src="//example.org/a.svg"', "外から読み込みます"),
        ('href="a.css"', 'href="https://fonts.example.org/a.css"', "外から読み込みます"),
        ("</head>", '<script src="https://example.org/a.js"></script></head>', "外から読み込みます"),
        ("</head>", "<script>import('https://example.org/a.js')</script></head>", "スクリプトが外を読みます"),
        ("</head>", "<script>fetch('https://example.org/a')</script></head>", "スクリプトが外を読みます"),
        ("</head>", "<style>@import 'https://example.org/a.css';</style></head>", "外から読み込みます"),
        ("</head>", '<link rel="preconnect" href="https://example.org"></head>', "外から読み込みます"),
        ("<p>", '<p style="background: url(https://example.org/a.png)">', "外から読み込みます"),
        ("<p>", '<iframe src="https://example.org/"></iframe><p>', "外から読み込みます"),
        ("<p>", '<img srcset="https://example.org/a.png 2x" alt="図"><p>', "外から読み込みます"),
        ("<p>", '<svg><image href="https://example.org/a.png"/></svg><p>', "外から読み込みます"),
        ('lang="ja"', 'lang="en"', "lang"),
        (' alt="図"', "", "alt がありません"),
        ("<h2", "<h1>もう一つ</h1><h2", "h1 が 2 個"),
        ("<h2", "<h4>深い</h4><h2", "h1 から h4"),
        ('id="sec-a"', 'id="top"', "id top が 2 回"),
        ("文。", "この章は@sec-one", "@sec-one"),
        ("文。", "?fig-x", "?fig-x"),
        ("<title>a.html</title>", "<title></title>", "title がありません"),
        ("<title>a.html</title>", "<title>b.html</title>", "題 b.html のページが 2 つ"),
    ],
)
def test_what_is_broken_is_found(small_site, old, new, complaint):
    path = small_site / "a.html"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    found = everything(small_site)
    assert any(complaint in problem for problem in found), found


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("a.css", "@import url(https://example.org/a.css);", "外から読み込みます"),
        ("a.css", "p { background: url(missing.png) }", "ファイルがありません"),
        ("a.js", 'import x from "https://example.org/x.js"', "スクリプトが外を読みます"),
        ("a.js", 'request.open("GET", "https://example.org/x")', "スクリプトが外を読みます"),
        ("b.svg", '<svg><image href="https://example.org/a.png"/></svg>', "外から読み込みます"),
    ],
)
def test_what_is_broken_in_other_files_is_found(small_site, name, text, complaint):
    (small_site / name).write_text(text, encoding="utf-8")
    found = everything(small_site)
    assert any(complaint in problem for problem in found), found


def test_a_page_taken_away_from_the_real_site_is_missed(site, tmp_path):
    copy = shutil.copytree(site, tmp_path / "copy")
    chapter = next(page for page in checks.pages(copy) if page.name.startswith("chapters/"))
    chapter.path.unlink()
    assert any(chapter.path.name in problem for problem in checks.dead_links(copy))
