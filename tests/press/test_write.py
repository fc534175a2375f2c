"""The writing layer and the whole: HTML, font, site, same bytes, preview."""

from __future__ import annotations

import base64
import hashlib
import io
import shutil
import threading
import time
import urllib.request
from pathlib import Path

import pytest
from books import CONFIG, PIXEL, code_cell, make_book, notebook, printed, shown, text_cell
from bs4 import BeautifulSoup
from fontTools.ttLib import TTFont
from watchfiles import Change

from press.build import build
from press.cache import Cache
from press.preview import _Sources, preview
from press.write.html import image_size
from press.write.mathfont import math_characters, math_font
from press.write.site import swap


def page_of(folder: Path, *cells: dict, **files: str) -> BeautifulSoup:
    site = build(make_book(folder, **{"a.ipynb": notebook(text_cell("# 題 $x$ {#sec-a}"), *cells), **files}))
    return BeautifulSoup((site / "a.html").read_text(encoding="utf-8"), "html.parser").select_one("article")


def test_code_and_output_reach_the_page_to_the_letter(tmp_path: Path) -> None:
    code = "def f(x):\n    # <b>&amp;_x_ *y* \\alpha\n\n\n    return '''\n## 見出しではない\n'''  # 終わり"
    output = "一行目\n\n\n   字下げ <script>alert(1)</script>\n| 表 | ではない |\n::: 囲みでもない"
    page = page_of(tmp_path, code_cell(code, printed(output)))
    shown_code, shown_output = page.select("pre")
    assert shown_code.get_text() == code
    assert shown_output.get_text() == output
    assert not page.select("script")


def test_a_folded_cell_is_a_details_element(tmp_path: Path) -> None:
    page = page_of(tmp_path, code_cell("#| code-fold: true\n#| code-summary: 開く\n1", shown(text="1")))
    (fold,) = page.select("details.code-fold")
    assert fold.find("summary").get_text() == "開く"
    assert not fold.has_attr("open")
    assert fold.find("pre").get_text() == "1"


def test_formulas_are_mathml_with_their_tex_as_alternative(tmp_path: Path) -> None:
    page = page_of(tmp_path, text_cell("$$\\frac{P}{B} < 1$$ {#eq-a}"))
    formula = page.select_one("#eq-a math")
    assert formula["alttext"] == "\\frac{P}{B} < 1"
    assert formula.find("annotation") is None
    assert page.select_one("#eq-a .equation-number").get_text() == "(1.1)"
    assert page.select_one("h1 math")["alttext"] == "x"


def test_code_is_scrolled_by_keyboard_and_holds_no_empty_links(tmp_path: Path) -> None:
    page = page_of(
        tmp_path,
        code_cell("x = 1\ny = 2", printed("3")),
        text_cell("```{.python .numberLines}\nz = 4\nw = 5\n```"),
    )
    for code in page.select("pre > code"):
        assert code["tabindex"] == "0"
    plain, _, numbered = page.select("pre")
    assert not plain.select("a")
    assert len(numbered.select("a")) == 2  # style sheets hang the numbers on them


def test_headings_have_anchors_and_boxes_do_not_enter_the_contents(tmp_path: Path) -> None:
    site = build(
        make_book(
            tmp_path,
            **{
                "a.ipynb": notebook(
                    text_cell("# 題\n\n## 節 *甲* {#sec-x}\n\n::: {.callout-note}\n## 題\n### 箱の中\n:::")
                )
            },
        )
    )
    page = BeautifulSoup((site / "a.html").read_text(encoding="utf-8"), "html.parser")
    assert page.select_one("h2#sec-x a.headerlink")["href"] == "#sec-x"
    contents = page.select_one("nav.md-nav--secondary").get_text()
    assert "節 甲" in contents
    assert "箱の中" not in contents


def test_images_know_their_size(tmp_path: Path) -> None:
    page = page_of(
        tmp_path,
        code_cell("#| fig-cap: 図\nx", shown(svg=PIXEL)),
        text_cell("![絵](b.svg){width=50%}"),
        **{"b.svg": PIXEL},
    )
    first, second = page.select("img")
    assert (first["width"], first["height"]) == ("8", "4")
    assert not second.has_attr("height")


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (PIXEL.encode(), (8, 4)),
        (b'<?xml version="1.0"?><svg width="72pt" height="36.0pt" viewBox="0 0 1 1">', (96, 48)),
        (b'<svg viewBox="0 0 20 10">', (20, 10)),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x05\x00\x00\x00\x03", (5, 3)),
        (b"\x89PNG\r\n\x1a\n", None),
        (b"GIF89a", None),
        (b"", None),
    ],
    ids=["svg", "svg in points", "svg by its box", "png", "png that breaks off", "gif", "empty"],
)
def test_image_size(data: bytes, size: tuple[int, int] | None) -> None:
    assert image_size(data) == size


def test_the_font_has_what_formulas_need(tmp_path: Path) -> None:
    formula = '<math><mi>x</mi><mo>≤</mo><mi>π</mi><mi mathvariant="normal">z</mi></math><p>外</p>'
    characters = math_characters([formula])
    assert {"≤", "𝑥", "𝜋", "z", "("} <= set(characters)
    assert not {"外", "x", "π"} & set(characters)
    font = TTFont(io.BytesIO(math_font(characters, Cache(tmp_path))))
    assert "MATH" in font
    assert "fpgm" not in font
    assert {ord(c) for c in "≤𝑥("} <= set(font.getBestCmap())
    forms = [table.alternates for lookup in font["GSUB"].table.LookupList.Lookup for table in lookup.SubTable]
    assert forms and {len(of) for table in forms for of in table.values()} == {1}, "one size for scripts"


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_the_same_sources_give_the_same_bytes(tmp_path: Path) -> None:
    cells = [
        text_cell("# 題 {#sec-a}\n\n$x^2$ [@dao2022]"),
        code_cell("#| label: fig-a\n#| fig-cap: 図\nx", shown(svg=PIXEL)),
    ]
    first = build(make_book(tmp_path / "one", **{"a.ipynb": notebook(*cells)}))
    second = build(make_book(tmp_path / "elsewhere/two", **{"a.ipynb": notebook(*cells)}))
    assert snapshot(first) == snapshot(second)
    cached = snapshot(build(tmp_path / "one"))
    shutil.rmtree(tmp_path / "one/.press")
    assert snapshot(build(tmp_path / "one")) == cached == snapshot(second)


def test_nothing_of_an_old_site_is_left(tmp_path: Path) -> None:
    site = build(make_book(tmp_path))
    (site / "old.html").write_text("古い", encoding="utf-8")
    assert not (build(tmp_path) / "old.html").exists()


def test_linked_files_come_along_and_secrets_do_not(tmp_path: Path) -> None:
    make_book(
        tmp_path,
        **{
            "data/rows.csv": "a\n1\n",
            "data/secret.csv": "x\n",
            "a.ipynb": notebook(text_cell("# 題\n\n[表](data/rows.csv)")),
        },
    )
    site = build(tmp_path)
    assert (site / "data/rows.csv").read_text(encoding="utf-8") == "a\n1\n"
    assert not (site / "data/secret.csv").exists()


def test_edit_links_only_with_a_repository(tmp_path: Path) -> None:
    assert not page_of(tmp_path / "without").select(".page-source")
    repository = "title: 見本\n  repo-url: https://example.com/book\n  repo-actions: [edit, issue]"
    page = page_of(tmp_path / "with", **{"_quarto.yml": CONFIG.replace("title: 見本", repository)})
    assert [a["href"] for a in page.select(".page-source a")] == [
        "https://example.com/book/edit/main/a.ipynb",
        "https://example.com/book/issues/new",
    ]


def test_no_page_asks_another_host_for_anything(tmp_path: Path) -> None:
    repository = "title: 見本\n  repo-url: https://github.com/example/book"
    site = build(make_book(tmp_path, **{"_quarto.yml": CONFIG.replace("title: 見本", repository)}))
    for path in site.rglob("*.html"):
        page = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        addresses = [
            e.get("src") or e.get("href") for e in page.select("script[src], link[href], img[src], iframe[src]")
        ]
        assert not [a for a in addresses if a.startswith(("http:", "https:", "//"))], path
        assert not page.select("[data-md-component=source]"), "the theme would ask the repository's host for its stars"


def test_the_policy_of_a_page_knows_its_scripts_and_comes_before_them(tmp_path: Path) -> None:
    script = "\ndocument.title = '題 < &amp;';\n"
    raw = f"```{{=html}}\n<script>{script}</script><SCRIPT type='module'>1</SCRIPT><script src='a.js'></script>\n```"
    site = build(make_book(tmp_path, **{"a.ipynb": notebook(text_cell(f"# 題\n\n{raw}")), "a.js": ""}))
    for name in ("index.html", "a.html", "404.html"):
        text = (site / name).read_text(encoding="utf-8")
        page = BeautifulSoup(text, "html.parser")
        (meta,) = page.select("meta[http-equiv=Content-Security-Policy]")
        assert meta.find_all_previous(["script", "link", "style", "base", "img"]) == []
        rules = dict(rule.strip().split(" ", 1) for rule in meta["content"].split(";"))
        assert "'unsafe-inline'" not in rules["script-src"] and "'unsafe-eval'" not in rules["script-src"]
        assert rules["default-src"] == "'self'"
        digests = {base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (script, "1")}
        assert all(f"'sha256-{digest}'" in rules["script-src"] for digest in digests) == (name == "a.html")
        inline = [el for el in page.select("script:not([src])") if el.get("type") != "application/json"]
        assert rules["script-src"].count("'sha256-") == len(inline) > 0


def test_a_page_waits_for_one_style_sheet_and_no_script(tmp_path: Path) -> None:
    site = build(make_book(tmp_path))
    for path in site.rglob("*.html"):
        page = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        (style,) = page.select("link[rel=stylesheet]")
        (script,) = page.select("script[src]")
        assert style["href"].endswith("assets/book.css")
        assert script.has_attr("defer")
    style_sheet = (site / "assets/book.css").read_text(encoding="utf-8")
    # the theme's rules come before ours, and nothing that was joined is left lying around
    assert 0 < style_sheet.index(".md-header") < style_sheet.index("STIX Two Math")
    assert not list((site / "assets").rglob("modern/*.css"))
    assert not (site / "assets/iframe-worker.js").exists()


def test_search_engines_are_told_what_each_page_is_about(tmp_path: Path) -> None:
    long = 'はじめの文に <b> と "引用" があります。' + "次の文です。" * 10 + "これはもう" + "長い" * 60 + "です。"
    given = "---\ndescription: 書いてある説明\n---\n\n# 乙\n\n本文。\n"
    config = CONFIG.replace("a.ipynb", "a.ipynb, b.qmd").replace(
        "title: 見本", "title: 見本\n  description: この本の説明"
    )
    make_book(tmp_path, **{"_quarto.yml": config, "a.ipynb": notebook(text_cell(f"# 甲\n\n{long}")), "b.qmd": given})
    site = build(tmp_path)
    told = {}
    for name in ("index", "a", "b"):
        page = BeautifulSoup((site / f"{name}.html").read_text(encoding="utf-8"), "html.parser")
        told[name] = page.select_one("meta[name=description]")["content"]
    assert told["index"] == "この本の説明"
    assert told["b"] == "書いてある説明"
    assert told["a"].startswith("はじめの文に ") and told["a"].endswith("次の文です。" * 10)


def test_two_folders_trade_places(tmp_path: Path) -> None:
    for name in ("new", "old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "index.html").write_text(name, encoding="utf-8")
    swap(tmp_path / "new", tmp_path / "old")
    assert (tmp_path / "old/index.html").read_text(encoding="utf-8") == "new"


def test_preview_serves_and_rebuilds(tmp_path: Path) -> None:
    make_book(tmp_path)
    said: list[str] = []
    threading.Thread(target=preview, args=(tmp_path, None, 0, said.append), daemon=True).start()
    address = _wait(lambda: next((line.split()[0] for line in said if line.startswith("http://")), ""))
    assert "本文" in _get(f"{address}a.html")
    time.sleep(0.5)  # the watcher takes a moment to look
    make_book(tmp_path, **{"a.ipynb": notebook(text_cell("# 新しい題"))})
    assert _wait(lambda: "新しい題" in _get(f"{address}a.html"))


def _get(address: str) -> str:
    with urllib.request.urlopen(address, timeout=5) as answer:
        return answer.read().decode()


def _wait(ask, seconds: float = 30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answer := ask():
            return answer
        time.sleep(0.1)
    return None


def test_preview_does_not_watch_what_it_writes(tmp_path: Path) -> None:
    make_book(tmp_path, **{"_book/a.html": "x", ".press/cache/x": "x"})
    watched = _Sources(tmp_path, tmp_path / "_book")
    assert watched(Change.modified, str(tmp_path / "a.ipynb"))
    assert not watched(Change.modified, str(tmp_path / "_book/a.html"))
    assert not watched(Change.modified, str(tmp_path / ".press/cache/x"))


def test_preview_asks_for_new_content(tmp_path: Path) -> None:
    make_book(tmp_path, **{"_book/web/a.js": "一", "web/a.js": "一"})
    watched, script = _Sources(tmp_path, tmp_path / "_book"), tmp_path / "web/a.js"
    assert not watched(Change.added, str(script)), "the site has it already"
    script.write_text("二", encoding="utf-8")
    assert watched(Change.modified, str(script))
    assert not watched(Change.modified, str(script)), "written again as it was"
    script.unlink()
    assert watched(Change.deleted, str(script))


def test_a_script_that_writes_in_every_build_does_not_keep_preview_busy(tmp_path: Path) -> None:
    log = tmp_path / "log"
    script = (
        "import pathlib\n"
        "text = pathlib.Path('web/a.mjs').read_text(encoding='utf-8')\n"
        "pathlib.Path('web/a.js').write_text(text, encoding='utf-8')\n"
        "pathlib.Path('made.txt').write_text(text, encoding='utf-8')\n"  # not sent along
        f"print(text, file=open({str(log)!r}, 'a', encoding='utf-8'))\n"
    )
    book = CONFIG.replace("type: book", "type: book, pre-render: make.py, resources: /web/a.js")
    make_book(tmp_path / "book", **{"_quarto.yml": book, "make.py": script, "web/a.mjs": "一"})
    said: list[str] = []
    threading.Thread(target=preview, args=(tmp_path / "book", None, 0, said.append), daemon=True).start()
    address = _wait(lambda: next((line.split()[0] for line in said if line.startswith("http://")), ""))
    time.sleep(0.5)  # the watcher takes a moment to look
    (tmp_path / "book/web/a.mjs").write_text("二", encoding="utf-8")
    assert _wait(lambda: _get(f"{address}web/a.js") == "二")
    time.sleep(4)  # long enough for three more builds
    assert log.read_text(encoding="utf-8").split() in (["一", "二"], ["一", "二", "二"])


def test_what_a_script_prints_is_shown_as_it_comes(tmp_path: Path) -> None:
    script = "import sys\nprint('一')\nprint('二', file=sys.stderr)\nprint(sys.argv[1:])\n"
    config = CONFIG.replace("type: book", "type: book, pre-render: 'make.py a \"b c\"'")
    said: list[str] = []
    build(make_book(tmp_path, **{"_quarto.yml": config, "make.py": script}), say=said.append)
    assert said[:4] == ["make.py を実行します", "一", "二", "['a', 'b c']"]


def test_a_script_may_change_the_book(tmp_path: Path) -> None:
    """As in Quarto: what it says and what it is made of is read after the scripts."""
    script = (
        "import pathlib\n"
        "config = pathlib.Path('_quarto.yml')\n"
        "config.write_text(config.read_text(encoding='utf-8').replace('題の前', '題の後'), encoding='utf-8')\n"
        "pathlib.Path('a.qmd').write_text('# 新しい章\\n', encoding='utf-8')\n"
    )
    config = CONFIG.replace("type: book", "type: book, pre-render: make.py").replace("見本", "題の前")
    site = build(
        make_book(tmp_path, **{"_quarto.yml": config.replace("a.ipynb", "a.qmd"), "make.py": script, "a.qmd": "# 章\n"})
    )
    assert "題の後" in (site / "index.html").read_text(encoding="utf-8")
    assert "新しい章" in (site / "a.html").read_text(encoding="utf-8")


def test_the_book_says_which_pages_have_contents(tmp_path: Path) -> None:
    config = CONFIG + "format: {html: {toc: false, page-layout: full}}\n"
    own = "---\ntoc: true\npage-layout: article\n---\n\n# はじめに {.unnumbered}\n\n## 節\n"
    site = build(
        make_book(
            tmp_path, **{"_quarto.yml": config, "index.qmd": own, "a.ipynb": notebook(text_cell("# 題\n\n## 節"))}
        )
    )
    index, chapter = (
        BeautifulSoup((site / name).read_text(encoding="utf-8"), "html.parser") for name in ("index.html", "a.html")
    )
    assert index.select(".md-sidebar--secondary:not([hidden])") and not index.select("[data-page-layout]")
    assert chapter.select(".md-sidebar--secondary[hidden]") and chapter.select("h1[data-page-layout=full]")


def test_resources_are_neither_of_the_site_nor_hidden(tmp_path: Path) -> None:
    config = CONFIG.replace("type: book", "type: book, resources: a.js")
    book = make_book(tmp_path, **{"_quarto.yml": config, "web/a.js": "x", ".old/a.js": "x", "_book/index.html": "x",
                                  "_book/old/a.js": "x", "node_modules/a.js": "x"})  # fmt: skip
    site = build(book, tmp_path / "elsewhere")
    build(book, tmp_path / "elsewhere")
    assert [path.relative_to(site).as_posix() for path in site.rglob("a.js")] == ["web/a.js"]


def test_signs_of_markup_in_titles_stay_text(tmp_path: Path) -> None:
    config = CONFIG.replace("title: 見本", "title: 'A & B <i>本</i> \"C\"'")
    make_book(tmp_path, **{"_quarto.yml": config, "a.ipynb": notebook(text_cell("# 速さ < 10 & `x`*y* {#sec-a}"))})
    page = BeautifulSoup((build(tmp_path) / "a.html").read_text(encoding="utf-8"), "html.parser")
    assert 'A & B <i>本</i> "C"' in page.title.get_text()
    assert page.select_one("h1").get_text().startswith("1 速さ < 10 & xy")
    assert "1 速さ < 10 & xy" in [" ".join(a.get_text().split()) for a in page.select("a.md-nav__link")]


def test_table_widths_are_those_given(tmp_path: Path) -> None:
    table = '| a | b |\n|---|---|\n| 1 | 2 |\n\n: 題 {#tbl-x tbl-colwidths="[30,70]"}'
    page = page_of(tmp_path, text_cell(table), text_cell("| c |\n|---|\n| " + "長い" * 60 + " |"))
    first, second = page.select("table")
    assert [col["style"] for col in first.select("col")] == ["width: 30%", "width: 70%"]
    assert not second.select("col")


def test_a_manuscript_from_windows_reads_the_same(tmp_path: Path) -> None:
    text = "# はじめに {.unnumbered}\n\n一行目、\n二行目。\n"
    unix = build(make_book(tmp_path / "unix", **{"index.qmd": text}))
    windows = build(
        make_book(tmp_path / "windows", **{"index.qmd": b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode()})
    )
    assert (unix / "index.html").read_bytes() == (windows / "index.html").read_bytes()


def test_the_date_is_written_as_the_language_does(tmp_path: Path) -> None:
    site = build(
        make_book(tmp_path, **{"_quarto.yml": CONFIG.replace("title: 見本", "title: 見本\n  date: 2026-11-22")})
    )
    assert "2026年11月22日" in (site / "index.html").read_text(encoding="utf-8")


def test_the_icon_of_the_book_is_used(tmp_path: Path) -> None:
    config = CONFIG.replace("title: 見本", "title: 見本\n  favicon: icon.svg")
    site = build(make_book(tmp_path, **{"_quarto.yml": config, "icon.svg": PIXEL}))
    page = BeautifulSoup((site / "a.html").read_text(encoding="utf-8"), "html.parser")
    assert page.select_one("link[rel=icon]")["href"].removeprefix("./") == "icon.svg"
    assert (site / "icon.svg").read_text(encoding="utf-8") == PIXEL


def test_a_shared_link_shows_title_beginning_and_picture(tmp_path: Path) -> None:
    config = CONFIG.replace("title: 見本", "title: 見本\n  open-graph: true\n  twitter-card: true")
    config += '\nimage: /icon.svg\nimage-alt: 図の"中身"\n'
    site = build(make_book(tmp_path, **{"_quarto.yml": config, "icon.svg": PIXEL}))
    page = BeautifulSoup((site / "a.html").read_text(encoding="utf-8"), "html.parser")
    said = {tag["property"]: tag["content"] for tag in page.select("meta[property^='og:']")}
    assert said["og:title"] == page.title.string
    assert said["og:description"] == page.select_one("meta[name=description]")["content"] != ""
    assert (said["og:image"], said["og:image:alt"], said["og:site_name"]) == ("icon.svg", '図の"中身"', "見本")
    assert page.select_one("meta[name='twitter:card']")["content"] == "summary_large_image"
    assert (site / "icon.svg").is_file()


def test_its_picture_is_found_from_everywhere_if_the_address_of_the_site_is_known(tmp_path: Path) -> None:
    lines = ["title: 見本", "open-graph: true", "site-url: https://example.org/book/"]
    config = CONFIG.replace("title: 見本", "\n  ".join(lines)) + "\nimage: /icon.svg\n"
    site = build(make_book(tmp_path, **{"_quarto.yml": config, "icon.svg": PIXEL}))
    text = (site / "a.html").read_text(encoding="utf-8")
    assert '<meta property="og:image" content="https://example.org/book/icon.svg">' in text
    assert "twitter:" not in text
