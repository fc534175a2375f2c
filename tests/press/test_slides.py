"""Decks: what a slide becomes on the wall and on paper, and what is refused."""

from __future__ import annotations

import os
import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from press.__main__ import main
from press.build import build_slides
from press.problems import BookError
from press.write import pdf, slides

ROOT = Path(__file__).resolve().parents[2]


def _missing() -> str:
    try:
        pdf.needed_packages()
        slides.reveal_folder()
    except pdf.MissingPackageError as error:
        return str(error)
    return ""


# In CI they are not skipped, and fail where something is missing.
pytestmark = pytest.mark.skipif(bool(os.environ.get("CI") != "true" and _missing()), reason=_missing())

CONFIG = """\
project: {type: default, output-dir: made}
lang: ja
author: 先生
format: {revealjs: {theme: white, width: 1280, height: 720, slide-number: true, center: false, html-math-method: mathml}}
"""
HEAD = "---\ntitle: 題\nsubtitle: 副題\n---\n\n"
SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 90 20"><text y="15" font-family="sans-serif">絵の字</text></svg>'


def make(folder: Path, deck: str = HEAD + "## 一枚目\n\n本文。\n", config: str = CONFIG, **files: str) -> Path:
    (folder / "_quarto.yml").write_text(config, encoding="utf-8")
    (folder / "a.qmd").write_text(deck, encoding="utf-8")
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text, encoding="utf-8")
    return folder


def html(folder: Path, *given: str, **files: str) -> str:
    return (build_slides(make(folder, *given, **files)) / "a.html").read_text(encoding="utf-8")


def pages(folder: Path) -> list[str]:
    import pypdfium2

    document = pypdfium2.PdfDocument((folder / "made" / "a.pdf").read_bytes())
    return [" ".join(page.get_textpage().get_text_range().split()) for page in document]


def refusal(folder: Path, *given: str, **files: str) -> str:
    with pytest.raises(BookError) as caught:
        build_slides(make(folder, *given, **files))
    assert not (folder / "made").exists()
    return str(caught.value)


def test_a_deck_on_the_wall(tmp_path):
    made = html(
        tmp_path,
        HEAD + "## 一枚目\n\n文。\n\n. . .\n\n続き。\n\n::: {.notes}\n3分で話す。\n:::\n\n## 二枚目\n\n$x^2$\n",
    )
    assert made.count('class="slide level2"') == 2
    assert '<aside class="notes">' in made
    assert 'class="fragment"' in made
    assert "<math" in made
    assert "題" in made and "副題" in made and "先生" in made
    for setting in ("width: 1280", "height: 720", "slideNumber: true", "center: false"):
        assert setting in made
    for asked in ("dist/reveal.js", "dist/theme/white.css", "plugin/notes/notes.js"):
        assert f"reveal/{asked}" in made
        assert (tmp_path / "made" / "reveal" / asked).is_file()
    assert not re.findall(r"(?:src|href)=\"(?:https?:)?//", made)


def test_the_same_deck_on_paper(tmp_path):
    html(
        tmp_path,
        HEAD
        + "## 一枚目\n\n文。\n\n. . .\n\n続き。\n\n::: {.notes}\n3分で話す。\n:::\n\n## 二枚目\n\n$x^2$ と `code`\n",
    )
    first, second, third = pages(tmp_path)
    assert "題 副題" in first
    assert "一枚目" in second and "続き。" in second
    assert "二枚目" in third and "code" in third
    assert "3分" not in second and ". . ." not in second


def test_what_is_for_one_of_the_two(tmp_path):
    deck = HEAD + (
        '## 一枚\n\n::: {.content-visible when-format="revealjs"}\n<div>動く</div>\n壁\n:::\n\n'
        '::: {.content-hidden when-format="revealjs"}\n紙\n:::\n\n'
        '::: {.content-visible unless-format="revealjs"}\nこれも紙\n:::\n'
    )
    made = html(tmp_path, deck)
    assert "動く" in made and "壁" in made and "紙" not in made
    paper = pages(tmp_path)[1].replace(" ", "")
    assert "紙これも紙" in paper and "壁" not in paper and "動く" not in paper


def test_a_picture_is_told_and_carried(tmp_path):
    made = html(tmp_path, HEAD + '## 絵\n\n![](p.svg){fig-alt="右上がりの線" height=300}\n', p_svg=SVG)
    assert 'alt="右上がりの線"' in made and "fig-alt" not in made
    assert (tmp_path / "made" / "p.svg").read_text(encoding="utf-8") == SVG
    assert "絵の字" in pages(tmp_path)[1]


def test_columns_and_tables_on_paper(tmp_path):
    deck = HEAD + (
        "## 段\n\n::: {.columns}\n::: {.column width=50%}\n左\n:::\n::: {.column width=50%}\n右\n:::\n:::\n\n"
        "| 名 | 数 |\n|:--|--:|\n| A | 1 |\n"
    )
    html(tmp_path, deck)
    assert "左" in pages(tmp_path)[1] and "右" in pages(tmp_path)[1] and "A" in pages(tmp_path)[1]


def test_the_same_bytes_each_time(tmp_path):
    html(tmp_path)
    before = (tmp_path / "made" / "a.pdf").read_bytes()
    html(tmp_path)
    assert (tmp_path / "made" / "a.pdf").read_bytes() == before


@pytest.mark.parametrize(
    ("deck", "complaint"),
    [
        ("## 題がない\n", "先頭に題がありません"),
        ("---\nsubtitle: 副\n---\n\n## 一枚\n", "title がありません"),
        ("---\ntitle: [題\n---\n\n## 一枚\n", "YAML として読めません"),
        ("---\ntitle: 題\nformat: html\n---\n\n## 一枚\n", "format には対応していません"),
        (HEAD + "題のない文。\n", "はじめの枚に題がありません"),
        (HEAD + "## 一枚\n\n### 深い\n", "段の深い見出し"),
        (HEAD + '## 一枚\n\n![](none.svg){fig-alt="絵"}\n', "a.qmd 8 行目: 画像 none.svg がありません"),
        (HEAD + "## 一枚\n\n![](p.svg)\n", "fig-alt がありません"),
        (HEAD + '## 一枚\n\n![](https://example.com/p.svg){fig-alt="絵"}\n', "外から読み込む画像"),
        (HEAD + "## 一枚\n\n::: {.callout-note}\n注\n:::\n", ".callout-note"),
        (HEAD + "## 一枚\n\n[@dao2022]\n", "引けません"),
        (HEAD + "## 一枚\n\n@fig-x を見る。\n", "a.qmd 8 行目: @fig-x は、スライドでは引けません"),
        (HEAD + "## 一枚\n\n::: {.notes}\n話す。\n\n## 次\n", "a.qmd 8 行目: 囲み（:::）が閉じていません"),
        (HEAD + "## 一枚\n\n```python\nx\n\n文。\n", "a.qmd 8 行目: 囲み（```）の開きと閉じが合いません"),
        (HEAD + "## 一枚\n\n| a | b |\n|---|---|\n| 1 | 2 | 3 |\n", "a.qmd 10 行目: 表の行のセルが 3 個で、表の 2 個"),
        (HEAD + "## 一枚\n\n文[^1]。\n\n[^1]: 一。\n\n[^2]: 二。\n", "a.qmd 12 行目: 脚注 [^2] が"),
        (HEAD + "## 長い\n\n" + "- 行\n" * 40, "「長い」は、紙の一枚に入りません"),
        (HEAD + "## 式\n\n$\\frac{1$\n", "a.qmd 8 行目: スライドにできません"),
    ],
)
def test_a_bad_deck_is_refused_with_its_place(tmp_path, deck, complaint):
    assert complaint in refusal(tmp_path, deck, p_svg=SVG)


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ("project: {type: book}\nformat: {revealjs: {}}\n", "type が default ではありません"),
        ("project: {type: default}\nformat: html\n", "format: revealjs がありません"),
        ("- 並び\n", "「鍵: 値」の形ではありません"),
        (CONFIG.replace("slide-number: true", "slide-number: 3"), "slide-number: 3 は使えない値です"),
        (CONFIG.replace("theme: white", "unknown: 1"), "unknown には対応していません"),
        (CONFIG + "project2: 1\n", "project2 には対応していません"),
        (CONFIG.replace("output-dir: made", "output-dir: made, pre-render: none.py"), "none.py がありません"),
        (CONFIG.replace("output-dir: made", "output-dir: made, resources: none/"), "resources: none/"),
        (CONFIG.replace("theme: white", "theme: 虹"), "theme: 虹"),
        (CONFIG.replace("theme: white", "theme: white, css: none.css"), "none.css"),
    ],
)
def test_a_bad_description_is_refused(tmp_path, config, complaint):
    assert complaint in refusal(tmp_path, HEAD + "## 一枚\n", config)


def test_a_folder_without_decks_is_refused(tmp_path):
    (tmp_path / "_quarto.yml").write_text(CONFIG, encoding="utf-8")
    with pytest.raises(BookError, match="原稿"):
        build_slides(tmp_path)
    with pytest.raises(BookError, match=r"_quarto.yml がありません"):
        build_slides(tmp_path / "nowhere")


def test_the_command(tmp_path, capsys):
    assert main(["slides", str(make(tmp_path))]) == 0
    assert "made" in capsys.readouterr().out
    assert main(["slides", str(make(tmp_path, "壊れた\n"))]) == 1
    assert "先頭に題がありません" in capsys.readouterr().err


def test_without_the_package(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(slides, "find_spec", lambda name: None if name == slides.REVEAL_PACKAGE else find_spec(name))
    assert main(["slides", str(make(tmp_path))]) == 1
    assert "requirements-slides.txt" in capsys.readouterr().err
