"""The page of a chapter that was saved comes before the rest, and is the page that the whole build makes."""

from __future__ import annotations

from pathlib import Path

import pytest
from books import CONFIG, PIXEL, code_cell, make_book, notebook, printed, shown, text_cell

from press import build as press_build
from press.build import Workshop
from press.problems import BookError

BOOK = {
    "_quarto.yml": CONFIG.replace("a.ipynb", "a.ipynb, x/b.qmd").replace("title: 見本", "title: 見本\n  appendices: [c.qmd]"),
    "a.ipynb": notebook(text_cell("# 甲 {#sec-a}\n\n## 節 {#sec-a-one}\n\n[@dao2022] と @fig-b と[乙](x/b.qmd#sec-b)。")),
    "x/b.qmd": "---\ntoc: false\n---\n\n# 乙 {#sec-b}\n\n@sec-a と @dao2023 と @sec-a-one。\n\n![図](../b.svg){#fig-b fig-alt='絵'}\n",
    "c.qmd": "# 丙 {#sec-c}\n\n@sec-b を見ます。\n",
    "b.svg": PIXEL,
    "new.csv": "a\n1\n",
    "references.bib": "".join(
        f"@article{{dao{year}, title={{題}}, author={{Dao, Tri}}, year={{{year}}}}}\n" for year in (2022, 2023, 2024)
    ),
}  # fmt: skip
CHANGES = {
    "a word": BOOK["a.ipynb"].replace("と[乙]", "と、<b>&amp; `x`</b>[乙]"),
    "a heading": BOOK["a.ipynb"].replace("## 節", "## 新しい節\\n\\n### 小さな節\\n\\n## 節"),
    "a citation": BOOK["a.ipynb"].replace("[@dao2022]", "[@dao2023; @dao2024]"),
    "a description": BOOK["a.ipynb"].replace("[@dao2022]", "はじめの文。\\n\\n[@dao2022]"),
    "a formula, a figure and a file": notebook(
        text_cell("# 甲 {#sec-a}\n\n## 節 {#sec-a-one}\n\n$x^2$ と @fig-new と @fig-b と[表](new.csv)。"),
        code_cell("#| label: fig-new\n#| fig-cap: 図\nx", shown(svg=PIXEL)),
        code_cell("1", printed("1")),
    ),
    "the title": BOOK["a.ipynb"].replace("# 甲", "# 新しい題"),
}


def files(site: Path) -> dict[str, bytes]:
    return {path.relative_to(site).as_posix(): path.read_bytes() for path in sorted(site.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("change", CHANGES)
def test_the_page_shown_first_is_the_page_of_the_whole_build(tmp_path: Path, change: str) -> None:
    make_book(tmp_path, **BOOK)
    with Workshop(tmp_path, None, lambda line: None) as workshop:
        site = workshop.build()
        before = files(site)
        (tmp_path / "a.ipynb").write_text(CHANGES[change], encoding="utf-8")
        workshop.build_page("a.ipynb")
        first = files(site)
        workshop.build()
        after = files(site)
    assert first["a.html"] == after["a.html"] != before["a.html"]
    new = {name: first[name] for name in first if first[name] != before.get(name)}
    assert new == {name: after[name] for name in new}, "what came with it is right too"
    assert {name for name in new if name.endswith(".html")} == {"a.html"}


def test_other_pages_learn_their_numbers_from_the_whole_build(tmp_path: Path) -> None:
    make_book(tmp_path, **BOOK)
    with Workshop(tmp_path, None, lambda line: None) as workshop:
        site = workshop.build()
        (tmp_path / "a.ipynb").write_text(CHANGES["a heading"], encoding="utf-8")
        workshop.build_page("a.ipynb")
        assert "1.1</a>" in (site / "x/b.html").read_text(encoding="utf-8")
        workshop.build()
        assert "1.2</a>" in (site / "x/b.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("source", ["x/b.qmd", "c.qmd", "index.qmd", "references.qmd"])
def test_every_kind_of_page_can_come_first(tmp_path: Path, source: str) -> None:
    make_book(tmp_path, **BOOK)
    page = Path(source).with_suffix(".html").as_posix()
    with Workshop(tmp_path, None, lambda line: None) as workshop:
        site = workshop.build()
        with (tmp_path / source).open("a", encoding="utf-8") as file:
            file.write("\n新しい文。\n")
        workshop.build_page(source)
        first = (site / page).read_bytes()
        workshop.build()
        assert first == (site / page).read_bytes()
        assert "新しい文".encode() in first


def test_a_page_that_is_wrong_leaves_the_site_as_it_is(tmp_path: Path) -> None:
    make_book(tmp_path, **BOOK)
    with Workshop(tmp_path, None, lambda line: None) as workshop:
        before = files(workshop.build())
        (tmp_path / "a.ipynb").write_text(BOOK["a.ipynb"].replace("@fig-b", "@fig-none"), encoding="utf-8")
        with pytest.raises(BookError, match="fig-none"):
            workshop.build_page("a.ipynb")
        with pytest.raises(BookError, match="fig-none"):
            workshop.build()
        assert files(tmp_path / "_book") == before
        (tmp_path / "a.ipynb").write_text(CHANGES["a word"], encoding="utf-8")
        workshop.build_page("a.ipynb")
        assert files(tmp_path / "_book").keys() == before.keys()


def test_what_is_no_chapter_waits_for_the_whole_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_book(tmp_path, **BOOK)
    with Workshop(tmp_path, None, lambda line: None) as workshop:
        monkeypatch.setattr(press_build, "write_page", lambda *arguments: pytest.fail("a page was written"))
        workshop.build_page("a.ipynb")  # nothing was built yet
        workshop.build()
        workshop.build_page("_quarto.yml")
        workshop.build_page("b.svg")
