"""What is done to the theme's own files: what is wrong is mended, what a page can do without comes later."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from fnmatch import fnmatch
from importlib.resources import files
from pathlib import Path

from press.write.generator import SiteError

STYLE = re.compile(r'<link rel="stylesheet" href="[^"]*?assets/([^"]+)">')
SCRIPT = re.compile(r'<script (?:defer )?src="[^"]*?assets/([^"]+)"></script>')


@dataclass(frozen=True)
class Repair:
    """One thing that the theme of the pinned version gets wrong."""

    files: str
    wrong: str  # regular expression
    right: str
    why: str
    always: bool = True  # found in every site; if not, the theme has changed: look again


REPAIRS = [
    Repair("*.html", r'(<input class="md-toggle"[^>]*?) autocomplete="off"', r"\1",
           "HTML: autocomplete is not for checkboxes"),
    Repair("*.html", r'(<label class="md-overlay"[^>]*?) aria-hidden="true"', r"\1",
           "HTML: a label of a control is not to be hidden"),
    Repair("*.html", r'(<label class="md-nav__link[^>]*?) tabindex=""', r"\1",
           "HTML: tabindex needs a number", always=False),
    Repair("bundle.*.js", r'\("nav",\{class:"md-code__nav"\}', '("div",{class:"md-code__nav"}',
           "accessibility: a copy button is no landmark"),
    Repair("bundle.*.js", r',Qc=Se\("\.md-search"\)\?Af\(\):Ze;',
           ',searchAsked=Se(".md-search")?R(b(xt("header"),"pointerenter"),b(xt("header"),"focusin"),'
           'b(xt("search"),"click"),b(Y("#__search"),"change"),b(window,"keydown").pipe(S(e=>e.ctrlKey||e.metaKey)))'
           '.pipe(de(1),ne(1)):Ze,'
           'Qc=R(fe().searchParams.has("h")?U(0):w,searchAsked).pipe(de(1),g(()=>Af()),ne(1));',
           "speed: the index of the search, most of what a page weighs, comes when a reader goes there"),
    Repair("bundle.*.js", r'me\(t\)\.subscribe\(i=>\{for\(let a of i\.items\)', r"au(N(Op,{}),o),\g<0>",
           "the dialog of the search takes letters also while the index is on its way"),
    Repair("bundle.*.js", r',document\.body\.setAttribute\("data-md-color-switching",""\);'
           r'for\(let\[f,p\]of Object\.entries\(a\.color\)\)document\.body\.setAttribute\(`data-md-color-\$\{f\}`,p\)',
           ';for(let[f,p]of Object.entries(a.color))document.body.getAttribute(`data-md-color-${f}`)!==p&&'
           '(f!=="media"&&document.body.setAttribute("data-md-color-switching",""),document.body.setAttribute(`data-md-color-${f}`,p))',
           "speed: every element's style was computed two times more on each load, though no color changed"),
    Repair("bundle.*.js", r'(let n=C\("meta",\{name:"color-scheme"\}\);)document\.head\.appendChild\(n\);', r"\1",
           "speed: once more for each time that this element changes; chrome.css says the same"),
    Repair("*.html", r'(?=document\.documentElement\.setAttribute\("data-platform")',
           'document.documentElement.classList.replace("no-js","js"),',
           "speed: and once more if this is found out only after the page was drawn"),
    Repair("*.html", r'(<script) (src="[^"]*/bundle\.[^"]*">)', r"\1 defer \2",
           "speed: the page is drawn before the script has come"),
    Repair("bundle.*.js", r'"use strict";\(\(\)=>\{(.*)\}\)\(\);',
           r'"use strict";((start)=>addEventListener("DOMContentLoaded",()=>requestAnimationFrame(()=>setTimeout(start))))'
           r"((()=>{\1}));",  # in brackets, it is compiled at once
           "speed: and before the script runs, which else computes the page's style and layout for itself"),
    Repair("bundle.*.js", r'b\(document,"DOMContentLoaded",\{once:!0\}\)\.subscribe\(\(\)=>e\.next\(document\)\)',
           "setTimeout(()=>e.next(document))",
           "speed: what it does to the page is a task of its own, between which and the script a reader is heard"),
    Repair("bundle.*.js", r"var ci=Bn\(.*?(?=var Wo=Bn\()", "var ci=()=>({});",
           "speed: a class for what is focused by keys, which browsers tell by themselves, and every style computed for it"),
    Repair("*.css", r"\.focus-visible\b(?!-)", ":focus-visible", "as above"),
    Repair("*.html", r' data-size="(\d+)x(\d+)"', r' width="\1" height="\2"',
           "pandoc would print them as a style", always=False),
]  # fmt: skip

# The dialog of the search and what draws it, a third of the theme's script, stand there in two pieces. They become a
# script of their own, which is handed what it uses of the rest; search-later.js takes their place.
DIALOG = re.compile(r"var zl=Object\.create,.*?(?=function Lp\()|var Tc=.*?(?=var Oc=Er\()", flags=re.S)

# The dialog speaks English in a book of any language.
SAID = {
    "ja": {
        '"Search"': '"検索"',
        '"Close search"': '"検索を閉じる"',
        '"Search results"': '"見つかったもの"',
        '`${new Intl.NumberFormat("en-US").format(i)} ${i===1?"result":"results"}`': '`${i.toLocaleString("ja")}件見つかりました`',
        '"No results"': '"何も見つかりませんでした"',
        r'"Loading search\u2026"': '"準備しています"',
        '"Search is unavailable. Reload the page to try again."': '"検索できません。ページを読み込み直してください。"',
        '"Filters"': '"絞り込み"',
        '"Tags"': '"タグ"',
        '"Use Up and Down arrow keys to move between tags. Press Space or Enter to toggle a tag."':
            '"上下の矢印キーでタグを移り、スペースキーかEnterキーで選びます。"',
    },
}  # fmt: skip


def mend(name: str, text: str, found: Counter[Repair]) -> str:
    """Make the repairs of a file, and count them."""
    for repair in REPAIRS:
        if fnmatch(name, repair.files):
            text, count = re.subn(repair.wrong, repair.right, text, flags=re.S)
            found[repair] += count
    return text


def check_repairs(found: Counter[Repair]) -> None:
    """Refuse a whole site in which a repair has found nothing to mend.

    Raises
    ------
    SiteError
        With what was to be mended.
    """
    for repair in REPAIRS:
        if repair.always and not found[repair]:
            raise theme_changed(repair.why)


def theme_changed(what: str) -> SiteError:
    return SiteError(f"Zensical の版が変わったようです。press/write/theme.py を見直してください（{what}）")


def finish_page(text: str, found: Counter[Repair]) -> str:
    """Mend a page, which then names one style sheet and one script; see `finish_assets`."""
    text = mend("page.html", text, found)
    for pattern in (STYLE, SCRIPT):
        *others, _ = pattern.finditer(text)
        for link in others:
            text = text.replace(link[0], "", 1)
    return text


def finish_assets(site: Path, found: Counter[Repair], lang: str) -> None:
    """Mend the theme's script and make of it, and of the style sheets, what pages in a language name."""
    _join(site, found)
    for path in site.rglob("bundle.*.js"):
        script, dialog = _split(path.read_text(encoding="utf-8"), SAID.get(lang[:2], {}))
        path.write_text(script, encoding="utf-8")
        path.with_name(path.name.replace("bundle", "search-dialog")).write_text(dialog, encoding="utf-8")


def _split(script: str, said: dict[str, str]) -> tuple[str, str]:
    """Return the theme's script without the dialog of the search, and the script that is the dialog, which says it so."""
    pieces = DIALOG.findall(script)
    if len(pieces) != 2:
        raise theme_changed("the dialog of the search in two pieces")
    later = files("press.write").joinpath("search-later.js").read_text(encoding="utf-8")
    handed = re.search(r"searchDialog\((.*?)\)", later)
    assert handed
    dialog = f"window.searchDialog=({handed[1]})=>{{{''.join(pieces)}return[Dr,Sc]}};\n"
    for english, own in said.items():
        if english not in dialog:
            raise theme_changed(f"the dialog of the search says {english}")
        dialog, later = dialog.replace(english, own), later.replace(english, own)
    return script.replace(pieces[0], later).replace(pieces[1], ""), dialog


def _join(site: Path, found: Counter[Repair]) -> None:
    """One style sheet instead of three and one script instead of two; the last of them has it all.

    A page is not drawn before the last of its style sheets has come, and each request costs a
    phone the time to the host and back.
    """
    page = (site / "index.html").read_text(encoding="utf-8")
    for pattern in (STYLE, SCRIPT):
        paths = [site / "assets" / link[1] for link in pattern.finditer(page)]
        joined = "\n".join(path.read_text(encoding="utf-8") for path in paths)
        joined = mend(paths[-1].name, joined, found)
        for path in paths[:-1]:
            path.unlink()
        paths[-1].write_text(joined, encoding="utf-8")
