"""The filter for Quarto's own `typst`, as Quarto tells it of the book; elsewhere it does nothing."""

import pytest

from press import pandoc

BOOK = """\
# はじめに {.unnumbered}

# 一 {#sec-one}

| 名 | 式 |
|:--|:--|
| 量 | `weight_bytes` |

`outside_tables`

# 用語集 {.unnumbered}

# 二 {#sec-two}

::: {.hidden}
# 付録 {.unnumbered}
:::

# 後ろ {#sec-end}
"""


def typst(root, folder, is_typst):
    """What the filter makes of a book; `quarto` stands for what Quarto gives to filters."""
    told = f"""quarto = {{doc = {{
      is_format = function(name) return {str(is_typst).lower()} and name == 'typst' end,
      language = {{['section-title-appendices'] = '付録'}}}}}}
    return dofile('{root / "theme" / "typst-book.lua"}')"""
    (folder / "told.lua").write_text(told, encoding="utf-8")
    return pandoc.run("-f", pandoc.DIALECT, "-t", "typst", "--lua-filter", folder / "told.lua", text=BOOK)


def test_pages_without_a_number_leave_the_chapters_theirs(root, tmp_path):
    made = typst(root, tmp_path, True)
    steps = [line for line in made.splitlines() if line.startswith(("#counter(heading)", "= ", "#heading(level: 1"))]
    assert [step for step in steps if step.startswith("#counter")] == [
        f"#counter(heading).update({number})" for number in (0, 0, 0, 1)
    ]
    assert steps[-2:] == ["#heading(level: 1, numbering: none)[付録]", "= 後ろ"]  # after these Quarto counts letters
    assert "weight_\u200bbytes" in made and "outside_tables" in made


@pytest.mark.parametrize("is_typst", [True, False])
def test_it_acts_in_that_format_alone(root, tmp_path, is_typst):
    assert ("set heading(supplement: none)" in typst(root, tmp_path, is_typst)) == is_typst
