"""What is left of a style sheet: all that a site may have use for, and no more."""

from __future__ import annotations

import re

import pytest
import tinycss2

from press.write.style import used_style

USED = ["a", "b", "on", "made-", "--set-by-script"]


def packed(style: str) -> str:
    return re.sub(r"\s+", "", style)


@pytest.mark.parametrize(
    "kept",
    [
        "p{color:red}",
        ".a{color:red}",
        ".a#b>p{color:red}",
        "[x=on]{color:red}",
        '[x="on"]{color:red}',
        "[x^=off]{color:red}",
        ".made-by-script{color:red}",
        "p:not(.c){color:red}",
        ":is(.a,:not(.c)).b{color:red}",
        "@media print{.a{color:red}}",
        "@font-face{src:url(a.woff2)}",
        "@keyframes c{from{color:red}}",
        ".a{--x:red;color:var(--x)}",
        ".a{--set-by-script:red}",
        '.a{background:url("data:,;}.c{")}',
        ".a{color:red!important}",
        ".a{.c{color:red}}",
    ],
)
def test_what_may_be_used_stays(kept: str) -> None:
    assert packed(used_style(kept, USED)) == packed(kept)


@pytest.mark.parametrize(
    ("style", "left"),
    [
        (".c{color:red}", ""),
        (".a .c{color:red}", ""),
        ("#c{color:red}", ""),
        ("[x=off]{color:red}", ""),
        (".a,.c{color:red}", ".a{color:red}"),
        (".c:is(.a){color:red}", ""),
        (".mad{color:red}", ""),
        ("@media print{.c{color:red}}", ""),
        ("@media print{@supports(x:y){.c{color:red}.a{color:red}}}", "@mediaprint{@supports(x:y){.a{color:red}}}"),
        (".a{--x:red;color:red}", ".a{color:red}"),
        (".a{--x:red}.c{color:var(--x)}", ""),
        ("/* c */.a{/* c */color:red}", ".a{color:red}"),
    ],
)
def test_what_nothing_uses_goes(style: str, left: str) -> None:
    assert packed(used_style(style, USED)) == left


def test_a_second_time_changes_nothing() -> None:
    style = ".a,.c{--x:1;--y:2;width:var(--y)} @media print { .a:hover > .b { color: red !important } }"
    once = used_style(style, USED)
    assert used_style(once, USED) == once
    assert not [node for node in tinycss2.parse_stylesheet(once) if node.type == "error"]
