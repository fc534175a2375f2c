"""A book as one PDF: set as it should be, read back with two other readers of PDFs, refused where it has no form."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import books
import pytest
from books import CONFIG, PARTED, code_cell, make_book, make_chapter, printed, shown

from press.__main__ import main
from press.build import build, build_pdf
from press.problems import BookError
from press.write import pdf as writer

ROOT = Path(__file__).resolve().parents[2]


def _missing() -> str:
    try:
        writer.needed_packages()
    except writer.MissingPackageError as error:
        return str(error)
    if find_spec("pikepdf") is None and sys.platform != "linux":
        pytest.skip("pikepdf が入っていません（Linux のほかでは入れません）", allow_module_level=True)
    return "" if find_spec("pikepdf") else "pikepdf がありません"


# In CI they are not skipped, and fail where something is missing.
pytestmark = pytest.mark.skipif(bool(os.environ.get("CI") != "true" and _missing()), reason=_missing())

SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 90 20"><text y="15" font-family="sans-serif">絵の字</text></svg>'
WIDE = "a" * 150


class Read:
    """A PDF as a reader has it."""

    def __init__(self, data: bytes):
        import pikepdf
        import pypdfium2

        self.data = data
        self.document = pypdfium2.PdfDocument(data)
        self.objects = pikepdf.open(__import__("io").BytesIO(data))

    @property
    def pages(self) -> list[str]:
        return [" ".join(page.get_textpage().get_text_range().replace("\xa0", " ").split()) for page in self.document]

    @property
    def text(self) -> str:
        return " ".join(self.pages)

    @property
    def outline(self) -> list[tuple[int, str]]:
        return [(mark.level, mark.get_title()) for mark in self.document.get_toc()]

    @property
    def addresses(self) -> set[str]:
        return {str(link.A.URI) for link in self._links() if "/A" in link and "/URI" in link.A}

    @property
    def inner_links(self) -> int:
        return sum("/Dest" in link or ("/A" in link and link.A.S == "/GoTo") for link in self._links())

    def spoken(self) -> set[str]:
        """The alternative texts."""
        found = {str(item.Alt) for item in self.objects.objects if _is_dictionary(item) and "/Alt" in item}
        return {" ".join(text.split()) for text in found}

    def marks(self) -> list[tuple[int, int]]:
        """The page and number of every mark by which something on a page is found from the tree of what is what."""
        found = [re.findall(rb"/MCID (\d+)", page.Contents.read_bytes()) for page in self.objects.pages]
        return [(number, int(mark)) for number, marks in enumerate(found) for mark in marks]

    def told(self) -> list[tuple[str, int]]:
        """What the tree of what is what says, in the order of reading, with how often it finds something on a page.

        A mark after another one of the same element is not counted; each has to be there, and to know its element.
        """
        import pikepdf

        root = self.objects.Root.StructTreeRoot
        owners = dict(zip(root.ParentTree.Nums[::2], root.ParentTree.Nums[1::2], strict=True))
        pages = {page.obj.objgen: (number, page.obj) for number, page in enumerate(self.objects.pages)}
        told, seen = [], set()

        def walk(element) -> None:
            told.append((str(element.S), 0))
            kids = element.get("/K", [])
            for kid in kids if isinstance(kids, pikepdf.Array) else [kids]:
                if isinstance(kid, int) or "/MCID" in kid:
                    mark = kid if isinstance(kid, int) else int(kid.MCID)
                    number, page = pages[
                        (element if isinstance(kid, int) else kid).get("/Pg", element.get("/Pg")).objgen
                    ]
                    assert owners[page.StructParents][mark].objgen == element.objgen
                    seen.add((number, mark))
                    told[-1] = (told[-1][0], 1)
                elif "/S" in kid:
                    walk(kid)
                    told.append((str(element.S), 0))

        walk(root.K if not isinstance(root.K, pikepdf.Array) else root.K[0])
        assert seen == set(self.marks()) and len(seen) == len(self.marks())
        return told

    def _links(self) -> Iterator:
        for page in self.objects.pages:
            yield from (note for note in page.get("/Annots", []) if note.Subtype == "/Link")


def _is_dictionary(item) -> bool:
    import pikepdf

    return isinstance(item, pikepdf.Dictionary)


def made(folder: Path, *cells: dict, **files) -> Read:
    make_chapter(folder, *cells, **files)
    return Read(build_pdf(folder, folder / "out.pdf").read_bytes())


def section(folder: Path, source: str, **files) -> Read:
    return made(folder, books.section(source), **files)


def test_cover_contents_chapters_and_how_a_reader_finds_them(tmp_path):
    read = section(tmp_path, "文。", **{"_quarto.yml": PARTED, "b.qmd": "# 後ろ\n\n## 節の名\n\n文。\n"})
    assert read.outline == [
        (0, "目次"), (0, "はじめに"), (0, "第I部 初め"), (1, "1\u3000題"), (2, "1.1\u2002節"), (0, "参考文献"),
        (0, "付録"), (1, "付録 A\u3000後ろ"), (2, "A.1\u2002節の名"),
    ]  # fmt: skip
    assert read.pages[0] == "見本 作る人"
    assert "第I部初め" in read.pages[1].replace(" ", "") and "1.1" in read.pages[1]
    root = read.objects.Root
    assert root.Lang == "ja" and root.MarkInfo.Marked and root.ViewerPreferences.DisplayDocTitle
    about = read.objects.open_metadata()
    assert about["dc:title"] == "見本" and about["pdfuaid:part"] == "1"


def test_the_day_of_the_book_is_the_day_of_the_file(tmp_path):
    dated = section(
        tmp_path, "文。", **{"_quarto.yml": CONFIG.replace("title: 見本", "title: 見本\n  date: 2026-11-22")}
    )
    assert "2026年11月22日" in dated.pages[0].replace(" ", "")
    assert dated.objects.open_metadata()["xmp:CreateDate"].startswith("2026-11-22")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("ここは @sec-x です。", "ここはセクション 1.1 です。"),
        ("$$a < b$$ {#eq-a}\n\n[@eq-a]", "(1.1)"),
        ("::: {.callout-note}\n## 名\n本文\n:::", "名 本文"),
        ("::: {#exr-a}\n## 名\n問い\n:::", "練習 1.1 (名) 問い"),
        ("| a | b |\n|:--|--:|\n| 1 | 2 |\n\n: 題 {#tbl-a}", "表 1.1: 題 a b 1 2"),
        ("![題](p.svg){#fig-a fig-alt='見たもの'}", "絵の字 図 1.1: 題"),
        ("::: {.panel-tabset}\n## 甲\nA\n\n## 乙\nB\n:::", "甲 A 乙 B"),
        ("文[^1]。\n\n[^1]: 注です。", "1 注です。"),
        ("``` {.python filename='a.py'}\nx = 1\n```", "a.py x = 1"),
        ("```{.python code-line-numbers='true'}\nx = 1\ny = 2\n```", "1 x = 1 2 y = 2"),
        ("::: {layout-ncol=2}\n左\n\n右\n:::", "左 右"),
        ("::: {.column-margin}\n欄外\n:::", "欄外"),
        ('<div class="live" data-x="1"></div>', "ここには、ウェブのページ（a.html）では、動かせる図があります。"),
        (
            ":::: {.live data-x=1}\n問い\n\n::: {.callout-tip collapse=true}\n## 答えを見る\n秘密\n:::\n::::\n\n次の文",
            "問い 次の文",
        ),
        (
            ":::: {.live #q data-x=1}\n問い\n\n::: {.callout-tip collapse=true}\n## 問いの答え\n秘密\n:::\n::::\n\n次の文",
            "問い 次の文 解答 問いの答え 秘密",
        ),
        ("::: {.content-visible when-format='html'}\n画面\n:::\n\n::: {.content-visible when-format='pdf'}\n紙\n:::", "1.1 節 紙"),
        ("論文[@dao2022]。", "論文(Dao 2022 年)。"),
        ("\\#[x] と \\$5、`a#b[c]`", "#[x] と $5、a#b[c]"),
    ],
)  # fmt: skip
def test_what_quarto_writes_is_set(tmp_path, source, expected):
    assert expected.replace(" ", "") in section(tmp_path, source, **{"p.svg": SVG}).text.replace(" ", "")


def test_code_stands_with_its_outputs(tmp_path):
    table = shown(markdown="| 列 |\n|:--|\n| 値 |", text="")
    read = made(
        tmp_path,
        code_cell("#| label: fig-a\n#| fig-cap: 題\n#| fig-alt: 見たもの\n#| code-fold: show\nshow()", shown(svg=SVG, text="<Figure>")),
        code_cell("#| label: tbl-a\n#| tbl-cap: 表の題\nprint(2)", printed("二\n"), table),
        code_cell("#| echo: false\nsecret", printed("出力\n")),
        code_cell("#| code-fold: true\nfolded", printed("折りたたみ\n")),
    )  # fmt: skip
    assert "show() 絵の字 図 1.1: 題 print(2) 二 表 1.1: 表の題 列 値 出力 折りたたみ" in read.text
    assert "secret" not in read.text and "folded" not in read.text


def test_links_lead_inside_and_out(tmp_path):
    source = "[前](index.qmd) @sec-x [節](a.ipynb#sec-x) [外](https://example.org/a?b) [書類](x.csv) [計算](a.html?x=1)"
    (tmp_path / "none").mkdir()
    read = section(tmp_path / "none", source, **{"x.csv": "1"})
    assert read.addresses == {"https://example.org/a?b"}
    site = CONFIG.replace("title: 見本", "title: 見本\n  site-url: https://book.example/b/")
    there = section(tmp_path / "site", source, **{"x.csv": "1", "_quarto.yml": site})
    assert there.addresses == {
        "https://example.org/a?b",
        "https://book.example/b/x.csv",
        "https://book.example/b/a.html?x=1",
    }
    assert read.inner_links == there.inner_links + 1  # without a site the question leads to the page itself


def test_a_page_to_look_things_up_in_stands_in_two_columns(tmp_path):
    page = "# 一覧 {.unnumbered .dense}\n\n" + "\n\n".join(f"## 名{at}\n\n" + "説明。" * 60 for at in range(16))
    read = section(tmp_path, "文。", **{"_quarto.yml": CONFIG.replace("a.ipynb,", "a.ipynb, b.qmd,"), "b.qmd": page})
    mark = next(item for item in read.document.get_toc() if item.get_title() == "一覧")
    sheet = read.document[mark.get_dest().get_index()]
    text = sheet.get_textpage()
    boxes = [text.get_rect(at) for at in range(text.count_rects())]
    middle = sheet.get_width() / 2
    assert not [left for left, _, right, _ in boxes if left < middle - 20 and right > middle + 20]
    assert [left for left, *_ in boxes if left > middle]
    # Found in the list of bookmarks, not in the contents.
    assert (1, "名3") in read.outline and "名3" not in read.pages[1]


def test_a_short_box_or_question_is_not_split(tmp_path):
    boxes = "\n\n".join(
        f"::: {{#exr-{at}}}\n## 名\n始め{at}\n\n問いの文。\n\n終わり{at}\n:::\n\n"
        f":::: {{.live #q-{at} data-x=1}}\n問う{at}\n\n1. 甲\n2. 乙\n3. 丙{at}\n::::" for at in range(10, 30)
    )  # fmt: skip
    read = section(tmp_path, boxes)
    pages = [page.replace(" ", "") for page in read.pages]
    for first, last in (("始め", "終わり"), ("問う", "丙")):
        assert all(any(f"{first}{at}" in page and f"{last}{at}" in page for page in pages) for at in range(10, 30))


def test_a_picture_stays_with_its_title_and_a_line_in_bold_with_what_follows(tmp_path):
    lines = "\n\n".join(f"**札{at}**\n\n![題{at}](p.svg){{#fig-a{at}}}" for at in range(10, 60))
    read = section(tmp_path, lines, **{"p.svg": SVG})
    pages = [page.replace(" ", "") for page in read.pages]
    assert all(any(f"札{at}絵の字" in page and f"題{at}" in page for page in pages) for at in range(10, 60))


def test_a_list_that_brings_its_own_marks_gets_no_others(tmp_path):
    marked, plain = (section(tmp_path / name, text) for name, text in (("a", "- A　甲\n- B　乙"), ("b", "- 甲\n- 乙")))
    assert "•" in plain.text and "•" not in marked.text and "A 甲 B 乙" in marked.text


def test_a_column_of_short_words_stays_in_one_line(tmp_path):
    rows = "\n".join(f"| {'長い説明。' * 12} | {'ほかの説明。' * 8} | 第{at}章 |" for at in (1, 15))
    read = section(tmp_path, f"| 甲 | 乙 | 丙 |\n|--|--|--|\n{rows}")
    sheet = next(sheet for sheet in read.document if "ほかの" in sheet.get_textpage().get_text_range())
    assert "第15章" in re.sub("[ \xa0]", "", sheet.get_textpage().get_text_range())


def test_pictures_and_formulas_can_be_read_aloud(tmp_path):
    read = section(tmp_path, "![題](p.svg){#fig-a fig-alt='見たもの'}\n\n$a < b$ と $$c > d$$", **{"p.svg": SVG})
    assert read.spoken() == {"見たもの", "a < b", "c > d"}


def test_what_is_in_another_language_is_read_out_in_it(tmp_path):
    read = section(tmp_path, "文。\n\n::: {lang=en}\nA text.\n\n- An item.\n:::\n\n後の文。")
    said = [str(item.Lang) for item in read.objects.objects if _is_dictionary(item) and "/Lang" in item]
    assert "en" in said and "A text." in read.text and "後の文。" in read.text


def test_solutions_stand_behind_the_chapter_and_exercises_say_where(tmp_path):
    read = section(
        tmp_path,
        '::: {#exr-a}\n## 名\n問い\n:::\n\n::: {.callout-tip collapse="true"}\n## 答え合わせ\n答え\n:::\n\n## 次\n\n後の文。\n\n'
        '::: {.callout-tip collapse="true"}\n## ただの囲み\n中\n:::',
    )
    text = read.text
    assert text.index("問い 解答 → p. 4") < text.index("後の文。") < text.index("ただの囲み")
    assert text.index("ただの囲み") < text.index("練習 1.1 — 答え合わせ 答え")
    assert (1, "解答") in read.outline


def test_what_is_bold_is_bold_and_every_font_is_inside(tmp_path):
    read = section(tmp_path, "細い、**太い**、`code`、$x$。")
    fonts = [item for item in read.objects.objects if _is_dictionary(item) and item.get("/Type") == "/FontDescriptor"]
    names = {str(font.FontName).partition("+")[2] for font in fonts}
    assert {"NotoSerifJP-Regular", "NotoSansCJKjp-Bold", "DejaVuSansMono"} <= names
    assert all("/FontFile2" in font or "/FontFile3" in font for font in fonts)


def test_the_same_book_gives_the_same_bytes(tmp_path):
    first, second = (section(tmp_path / name, "![題](p.svg)\n\n文[@dao2022]。", **{"p.svg": SVG}) for name in "ab")
    assert first.data == second.data


def test_fewer_bytes_show_and_say_the_same(tmp_path, monkeypatch):
    source = '漢字かな、`x = 1`と**太字**、$\\frac{a}{b}$。[外](https://example.org/)\n\n```python\nfor at in range(10):\n    print(at, [1, 2], "三")\n```\n\n- 一つ\n- 二つ\n\n| 甲 | 乙 |\n|--|--|\n| 1 | 2 |\n\n![題](p.svg)'
    path = "".join(f"L{at * 0.123456:.6f} {at % 7}.987654" for at in range(200))
    svg = SVG.replace("</svg>", f'<path d="M0 0{path}" fill="none" stroke="#123456"/></svg>')
    short = section(tmp_path / "a", source, **{"p.svg": svg})
    monkeypatch.setattr(writer, "packed", lambda pdf: pdf)
    long = section(tmp_path / "b", source, **{"p.svg": svg})
    assert len(short.data) < 0.75 * len(long.data)  # the fonts are the most of so short a book
    assert short.pages == long.pages and short.spoken() == long.spoken()
    for page, before in zip(short.document, long.document, strict=True):
        seen, was = (sheet.render(scale=2, grayscale=True).to_numpy().astype(int) for sheet in (page, before))
        assert (abs(seen - was) > 100).mean() < 0.001
    assert short.told() == long.told()
    assert len(short.marks()) < 0.6 * len(long.marks())


# ---- what is refused ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "place", "said"),
    [
        ("::: {.strange}\n中\n:::", "セル 2（3 行目）", "囲み .strange は、PDF に写せません"),
        ("<table><tr><td>1</td></tr></table>", "セル 2（3 行目）", "生の HTML '<table>"),
        ("甲\n:   乙", "セル 2（3 行目）", "DefinitionList は、PDF に写せません"),
        ("#### 深い\n\n文。", "セル 2（3 行目）", "段を飛ばした見出し"),
        ("$$\\strange{x}$$", "セル 2（3 行目）", "PDF に写せません"),
    ],
)
def test_what_has_no_form_is_refused_with_its_place(tmp_path, source, place, said):
    with pytest.raises(BookError) as caught:
        section(tmp_path, source)
    (problem,) = caught.value.problems
    assert (problem.file, problem.place) == ("a.ipynb", place) and said in problem.message


def test_what_typst_refuses_is_said_of_its_page(tmp_path):
    with pytest.raises(BookError) as caught:
        section(tmp_path, "![題](p.png)", **{"p.png": b"\x89PNG\r\n\x1a\n" + bytes(40)})
    (problem,) = caught.value.problems
    assert problem.file == "a.ipynb" and "Typst が組めません" in problem.message


def test_a_character_that_no_font_has_is_refused(tmp_path):
    with pytest.raises(BookError) as caught:
        section(tmp_path, "文字𓀀。")
    assert {problem.file for problem in caught.value.problems} == {"a.ipynb"}


@pytest.mark.parametrize("source", [f"$$\\text{{{WIDE}}}$$", f"| a |\n|--|\n| {WIDE} |"])
def test_what_runs_over_the_margin_is_refused(tmp_path, source):
    with pytest.raises(BookError) as caught:
        section(tmp_path, source)
    assert all("余白に" in problem.message and "「aaa" in problem.message for problem in caught.value.problems)
    places = {(problem.file, problem.place) for problem in caught.value.problems}
    assert places == {("a.ipynb", "「1.1\u2002節」のあと（PDF の 4 ページ）")}
    assert not (tmp_path / "out.pdf").exists()


def test_a_picture_that_hangs_out_is_measured(tmp_path):
    import typst

    (tmp_path / "a.png").write_bytes((ROOT / "images" / "share.png").read_bytes())
    (tmp_path / "a.typ").write_text(
        '#set page(width: 100mm, height: 80mm, margin: 20mm)\n#image("a.png", width: 63mm)', encoding="utf-8"
    )
    pdf = typst.compile(str(tmp_path / "a.typ"), format="pdf")
    (found,) = writer.misplaced(pdf, 20)
    assert (found.page, found.said, found.what) == (1, "", "、余白に 3.0 mm はみ出します")
    assert not writer.misplaced(pdf, 20, slack_mm=3.1)


def test_a_word_that_lies_on_the_next_column_is_refused(tmp_path):
    row = "| `abcdefghijklmnopqrstuvwxyz` | 隣の字 |"
    table = f'| 左 | 右 |\n|--|--|\n{row}\n\n: 題 {{#tbl-a tbl-colwidths="[10,90]"}}'
    with pytest.raises(BookError) as caught:
        section(tmp_path, table)
    (problem,) = caught.value.problems
    assert problem.place.endswith("（PDF の 4 ページ）")
    assert "「abcdefghijklmnopqrstuvwxyz" in problem.message and "隣の字に重なります" in problem.message


def test_a_long_name_goes_on_in_the_next_line(tmp_path):
    row = "| `abcdef_ghijkl_mnopqr_stuvwx` | 隣の字 |"
    read = section(tmp_path, f'| 左 | 右 |\n|--|--|\n{row}\n\n: 題 {{#tbl-a tbl-colwidths="[14,86]"}}')
    assert "abcdef_ ghijkl_ mnopqr_ stuvwx" in read.text and "\u200b" not in read.text


def test_without_the_packages_the_command_says_how_to_get_them(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(writer, "FONTS", ("no_such_font",))
    assert main(["pdf", str(make_book(tmp_path))]) == 1
    assert "no_such_font がありません。make pdf" in capsys.readouterr().err


# ---- where it is offered -----------------------------------------------------------------------------


def test_the_first_page_offers_a_pdf_that_is_there(tmp_path):
    link = (ROOT / "theme" / "whole-book.lua").read_text(encoding="utf-8")
    make_book(tmp_path, **{"_quarto.yml": CONFIG + "filters: [whole-book.lua]\n", "whole-book.lua": link})

    def offered() -> bool:
        site = build(tmp_path)
        assert "book.pdf" not in (site / "a.html").read_text(encoding="utf-8")
        return 'href="book.pdf"' in (site / "index.html").read_text(encoding="utf-8")

    assert not offered() and not (tmp_path / "_book" / "book.pdf").exists()
    assert main(["pdf", str(tmp_path), "--quiet"]) == 0
    assert offered()
    assert (tmp_path / "_book" / "book.pdf").read_bytes() == (tmp_path / "book.pdf").read_bytes()
    assert "この本をPDFで読む" not in Read((tmp_path / "book.pdf").read_bytes()).text


# ---- the book itself ---------------------------------------------------------------------------------


@cache
def whole(folder: Path) -> Read:
    return Read(build_pdf(ROOT, folder / "book.pdf").read_bytes())


def test_the_whole_book(tmp_path_factory):
    read = whole(tmp_path_factory.mktemp("pdf"))
    assert 150 < len(read.pages) < 450
    assert len(read.data) < 4e6
    marks = [title for _, title in read.outline]
    assert [title for title in marks if "部 " in title] == [
        "第I部 記事をたどる", "第II部 概算を鍛える", "第III部 実測と突き合わせる", "第IV部 速くする"
    ]  # fmt: skip
    chapters, appendices = (len([*ROOT.glob(f"chapters/{names}-*")]) for names in ("[0-9]*", "[a-z]"))
    assert sum("\u3000" in title for title in marks) == chapters + appendices and marks.count("解答") == chapters
    assert read.inner_links > 800
    # One list of what is cited, with the numbers of the text, and it says so.
    text = read.text.replace(" ", "")
    assert "ここの番号で振ってあります" in text and "章の終わりの「出典」にあります" not in text
    # Every character has a drawing: a missing one has no code in the text that is read back.
    assert "\ufffd" not in read.text and "\x00" not in read.text
    about = read.objects.open_metadata()
    assert about["pdfuaid:part"] == "1" and "xmp:CreateDate" not in about
