"""press against Quarto: what a reader of the fixture book sees, fact by fact."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from facts import carried, facts

from press.build import build
from press.problems import BookError

HERE = Path(__file__).parent
# What press refuses and Quarto prints as it stands, or draws, by chapter of the oracle.
REFUSED = {
    "chapters/02-latency.ipynb": "{mermaid}",
    "chapters/03-roofline.ipynb": "存在しない参照 @fig-nothing。",
    "chapters/04-stress.ipynb": "`{python} 1+1`。",
}
CAPTION_AS_ALT = "without fig-alt Quarto leaves an image mute; press reads its caption aloud"

# Where press differs on purpose: (book, page, fact) -> (what press shows, why).
DELIBERATE: dict[tuple[str, str, str], tuple[Any, str]] = {
    ("oracle", "chapters/03-roofline.html", "unresolved"): (
        [],
        "Quarto prints ?fig-nothing and goes on; press refuses to build (tested below)",
    ),
    ("oracle", "chapters/01-memory.html", "images_alt"): (["帯域幅の比較"], CAPTION_AS_ALT),
    ("oracle", "chapters/03-roofline.html", "images_alt"): (["外部画像", "左", "右", "甲", "乙"], CAPTION_AS_ALT),
    ("oracle", "chapters/04-stress.html", "images_alt"): ([None, "甲", "乙", "代替文"], CAPTION_AS_ALT),
    ("second", "chapters/03-plain.html", "callouts"): (
        [["note", "注釈開いた囲み", True], ["caution", "注意属性の題 \\(y\\)", False], ["important", "重要", False]],
        "a minimal callout shows no title in either; press tells its kind to a screen reader",
    ),
    ("second", "references.html", "references"): (
        [
            "Dao, Tri, と Daniel Fu. 2022年a. 「FlashAttention」. NeurIPS.",
            "Dao, Tri, と Daniel Fu. 2022年b. 「Second」. NeurIPS.",
            "EXO Labs. 2024年. 「Running a cluster」. https://example.com/a.",
            "田中太郎. 2019年. 計算機の本. 出版社.",
        ],
        "Quarto sets this one list in English although the book's language is Japanese",
    ),
}  # fmt: skip


def expected(book: str) -> dict[str, dict[str, Any]]:
    return json.loads((HERE / f"quarto-{book}" / "expected.json").read_text(encoding="utf-8"))


def copy_of(book: str, folder: Path) -> Path:
    """A fixture book in a folder of its own, without what press refuses."""
    shutil.copytree(HERE / f"quarto-{book}" / "book", folder)
    for name, refused in REFUSED.items() if book == "oracle" else ():
        source = (folder / name).read_text(encoding="utf-8")
        assert refused in source
        (folder / name).write_text(source.replace(refused, ""), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("books")
    return {book: build(copy_of(book, folder / book)) for book in ("oracle", "second")}


CASES = [
    (book, page, fact)
    for book in ("oracle", "second")
    for page, facts_of_page in expected(book).items()
    for fact in facts_of_page
]


@pytest.mark.parametrize(("book", "page", "fact"), CASES, ids=[":".join(case) for case in CASES])
def test_the_reader_sees_what_quarto_prints(sites: dict[str, Path], book: str, page: str, fact: str) -> None:
    wanted = expected(book)[page][fact]
    seen = facts(sites[book], page)[fact]
    if (book, page, fact) in DELIBERATE:
        wanted, _ = DELIBERATE[book, page, fact]
    elif fact == "links":
        # Some of expected.json's links come from the trail above the title (every page links to
        # itself there), and some of its cross-references stand without their anchor.
        seen = {*seen, *(link.partition("#")[0] for link in seen)}
        assert {link for link in wanted if not link.endswith(f"/{page}")} <= seen
        return
    elif fact == "code":
        # expected.json lists the code of cells without figures; press marks the code of all.
        assert [code for code in seen if code in wanted] == wanted
        return
    elif fact == "stdout":
        # expected.json passes over coloured output.
        assert [output for output in seen if output in wanted] == wanted
        return
    elif fact in ("sidebar", "prev_next"):
        # A formula in a chapter's title is plain text in press's navigation.
        wanted = [[address, title.replace("\\(", "").replace("\\)", "")] for address, title in wanted]
    elif fact == "captions":
        seen = sorted(caption for caption in seen if caption[0])
        wanted = sorted(caption for caption in wanted if caption[0])
    assert seen == wanted


def test_what_is_handed_through_is_what_quarto_hands_through(tmp_path: Path) -> None:
    """Raw HTML, links with a query, resources, the scripts of the book, pages without contents."""
    seen, wanted = carried(build(copy_of("web", tmp_path / "book"))), expected("web")
    assert seen["files"] == wanted["files"]
    assert seen["written"] == wanted["written"]
    for page, facts_of_page in wanted["pages"].items():
        assert seen["pages"][page] == facts_of_page, page


def test_the_deliberate_differences_are_real() -> None:
    for (book, page, fact), (shown, reason) in DELIBERATE.items():
        assert shown != expected(book)[page][fact], f"{page}:{fact} does not differ: take it off the list"
        assert len(reason) > 20


def test_what_quarto_lets_pass_stops_the_build(tmp_path: Path) -> None:
    shutil.copytree(HERE / "quarto-oracle" / "book", tmp_path / "book")
    with pytest.raises(BookError) as caught:
        build(tmp_path / "book")
    diagram, reference, code = caught.value.problems
    assert [problem.file for problem in (diagram, reference, code)] == list(REFUSED)
    assert "セル 1（9 行目）" in diagram.place and "{mermaid}" in diagram.message
    assert "セル 12" in reference.place and "@fig-nothing" in reference.message
    assert "セル 10" in code.place and "{python} 1+1" in code.message
    assert not (tmp_path / "book/_book").exists()
