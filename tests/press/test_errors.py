"""Whatever is wrong with a book is said, with its place and what to do, and nothing is overwritten."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from books import CONFIG, PIXEL, code_cell, make_book, notebook, printed, raw_cell, shown, text_cell

from press.build import Workshop, build, build_epub, build_pdf
from press.problems import BookError, Problem
from press.write import site
from press.write.site import STAGE, _opened, put

TITLE = "# 題 {#sec-a}\n\n"


def chapter(*cells: dict) -> str:
    return notebook(text_cell(TITLE), *cells)


def problems_of(folder: Path) -> list[Problem]:
    with pytest.raises(BookError) as caught:
        build(folder)
    return caught.value.problems


def config(old: str, new: str) -> str:
    assert old in CONFIG
    return CONFIG.replace(old, new)


# name: (files of the book, file named, place named, words in the message)
BROKEN = {
    "no _quarto.yml": ({"_quarto.yml": None}, "_quarto.yml", "", "ありません"),
    "broken _quarto.yml": ({"_quarto.yml": "book: [a\nb: {"}, "_quarto.yml", "行目", "YAML"),
    "empty _quarto.yml": ({"_quarto.yml": ""}, "_quarto.yml", "", "空"),
    "_quarto.yml is a list": ({"_quarto.yml": "- a\n"}, "_quarto.yml", "", "形"),
    "not a book": ({"_quarto.yml": config("type: book", "type: website")}, "_quarto.yml", "", "book ではありません"),
    "no title": ({"_quarto.yml": config("title: 見本", "subtitle: 見本")}, "_quarto.yml", "", "title"),
    "unknown setting": ({"_quarto.yml": CONFIG + "speed: fast\n"}, "_quarto.yml", "", "speed"),
    "unknown html setting": ({"_quarto.yml": CONFIG + "format: {html: {sparkle: true}}\n"}, "_quarto.yml", "", "sparkle"),
    "setting of a project": ({"_quarto.yml": config("type: book", "type: book, post-render: x.py")}, "_quarto.yml", "", "post-render"),
    "script that is no text": ({"_quarto.yml": config("type: book", "type: book, pre-render: [1]")}, "_quarto.yml", "", "pre-render"),
    "script of another kind": ({"_quarto.yml": config("type: book", "type: book, pre-render: make.sh"), "make.sh": ""}, "_quarto.yml", "", "make.sh の種類"),
    "missing script": ({"_quarto.yml": config("type: book", "type: book, pre-render: make.py")}, "_quarto.yml", "", "make.py がありません"),
    "failing script": ({"_quarto.yml": config("type: book", "type: book, pre-render: make.py"), "make.py": "print('始め')\nraise SystemExit('困った')"}, "_quarto.yml", "", "終了コード 1 で失敗しました\n始め\n困った"),
    "resource that is not there": ({"_quarto.yml": config("type: book", "type: book, resources: [/web/*.js]")}, "_quarto.yml", "", "/web/*.js"),
    "exception that excepts nothing": ({"_quarto.yml": config("type: book", "type: book, resources: [a.ipynb, '!b.*']")}, "_quarto.yml", "", "!b.*"),
    "script in an attribute": ({"a.ipynb": chapter(text_cell('<button onclick="go()">押す</button>\n'))}, "a.ipynb", "セル 2", "onclick=… は動きません"),
    "script in the address of raw HTML": ({"a.ipynb": chapter(text_cell('<a href="javascript:go()">押す</a>\n'))}, "a.ipynb", "セル 2", "動きません"),
    "script in the address of a link": ({"a.ipynb": chapter(text_cell("[押す](javascript:go())\n"))}, "a.ipynb", "セル 2", "動きません"),
    "missing chapter": ({"_quarto.yml": config("a.ipynb", "a.ipynb, b.ipynb")}, "_quarto.yml", "", "b.ipynb がありません"),
    "chapter twice": ({"_quarto.yml": config("a.ipynb", "a.ipynb, a.ipynb")}, "_quarto.yml", "", "同じページ"),
    "chapter of another kind": ({"_quarto.yml": config("a.ipynb", "a.rst")}, "_quarto.yml", "", "a.rst"),
    "index is not first": ({"_quarto.yml": config("index.qmd, a.ipynb", "a.ipynb, index.qmd")}, "_quarto.yml", "", "index.qmd"),
    "missing bibliography": ({"references.bib": None}, "_quarto.yml", "", "references.bib がありません"),
    "missing cover": ({"_quarto.yml": CONFIG + "epub-cover-image: none.png\n"}, "_quarto.yml", "", "epub-cover-image: none.png がありません"),
    "cover that is no picture": ({"_quarto.yml": CONFIG + "epub-cover-image: a.png\n", "a.png": PIXEL}, "_quarto.yml", "", "epub-cover-image: a.png の中身が"),
    "missing style sheet": ({"_quarto.yml": CONFIG + "format: {html: {css: x.css}}\n"}, "_quarto.yml", "", "x.css"),
    "notebook is not JSON": ({"a.ipynb": "{"}, "a.ipynb", "", "ノートブック"),
    "notebook is empty": ({"a.ipynb": ""}, "a.ipynb", "", "ノートブック"),
    "notebook is no notebook": ({"a.ipynb": "{}"}, "a.ipynb", "", "ノートブック"),
    "notebook without cell types": ({"a.ipynb": '{"nbformat":4,"nbformat_minor":5,"metadata":{},"cells":[{}]}'}, "a.ipynb", "", "ノートブック"),
    "notebook is not UTF-8": ({"a.ipynb": b"\xff\xfe{"}, "a.ipynb", "", "UTF-8"),
    "notebook is a list": ({"a.ipynb": "[]"}, "a.ipynb", "", "ノートブックの形をしていません"),
    "notebook whose metadata is a list": ({"a.ipynb": '{"nbformat":4,"nbformat_minor":5,"metadata":[],"cells":[]}'}, "a.ipynb", "", "ノートブックの形をしていません"),
    "notebook whose cell is a number": ({"a.ipynb": '{"nbformat":4,"nbformat_minor":5,"metadata":{},"cells":[3]}'}, "a.ipynb", "", "ノートブックの形をしていません"),
    "_quarto.yml is not UTF-8": ({"_quarto.yml": CONFIG.encode("cp932")}, "_quarto.yml", "", "UTF-8 として読めません"),
    "words are not UTF-8": ({"_quarto.yml": CONFIG + "language: ja.yml\n", "ja.yml": "crossref-fig-title: 絵".encode("cp932")}, "ja.yml", "", "UTF-8 として読めません"),
    "words are no YAML": ({"_quarto.yml": CONFIG + "language: ja.yml\n", "ja.yml": "a: [b"}, "ja.yml", "1 行目", "YAML として読めません"),
    "style sheet is not UTF-8": ({"_quarto.yml": CONFIG + "format: {html: {css: a.css}}\n", "a.css": "/* 色 */".encode("cp932")}, "a.css", "", "UTF-8 として読めません"),
    "filter is not UTF-8": ({"_quarto.yml": CONFIG + "filters: [a.lua]\n", "a.lua": "-- 色".encode("cp932")}, "a.lua", "", "UTF-8 として読めません"),
    "cell was not run": ({"a.ipynb": chapter(code_cell("1+1", count=None))}, "a.ipynb", "セル 2", "実行されていません"),
    "unknown option": ({"a.ipynb": chapter(code_cell("#| fig-capt: x\n1"))}, "a.ipynb", "セル 2", "fig-capt"),
    "option of wrong type": ({"a.ipynb": chapter(code_cell("#| echo: maybe\n1"))}, "a.ipynb", "セル 2", "echo"),
    "option not in list": ({"a.ipynb": chapter(code_cell("#| code-fold: always\n1"))}, "a.ipynb", "セル 2", "always"),
    "options are broken YAML": ({"a.ipynb": chapter(code_cell("#| label: [x\n1"))}, "a.ipynb", "セル 2", "YAML"),
    "options are no mapping": ({"a.ipynb": chapter(code_cell("#| label fig-x\n1"))}, "a.ipynb", "セル 2", "形"),
    "code annotation": ({"a.ipynb": chapter(code_cell("x = 1 # <1>"))}, "a.ipynb", "セル 2", "注釈"),
    "widget output": ({"a.ipynb": chapter(code_cell("w", shown(js="x", text="w")))}, "a.ipynb", "セル 2", "javascript"),
    "float without output": ({"a.ipynb": chapter(code_cell("#| label: fig-x\n1"))}, "a.ipynb", "セル 2", "fig-x"),
    "attachment": ({"a.ipynb": chapter(text_cell("![](attachment:a.png)", attachments={"a.png": {"image/png": "AAAA"}}))}, "a.ipynb", "セル 2", "attachment"),
    "raw cell": ({"a.ipynb": chapter(raw_cell("<b>x</b>"))}, "a.ipynb", "セル 2", "raw"),
    "front matter is broken": ({"index.qmd": "---\ntitle: [x\n---\n\n本文\n"}, "index.qmd", "行目", "YAML"),
    "front matter key": ({"index.qmd": "---\ntitle: 題\nlisting: x\n---\n\n本文\n"}, "index.qmd", "", "listing"),
    "no chapter title": ({"a.ipynb": notebook(text_cell("本文だけ。"))}, "a.ipynb", "", "題"),
    "second chapter title": ({"a.ipynb": chapter(text_cell("# もう一つ"))}, "a.ipynb", "セル 2", "もう一つ"),
    "code to run in .qmd": ({"index.qmd": "# はじめに\n\n```{python}\n1\n```\n"}, "index.qmd", "3 行目", "python"),
    "diagram in .qmd": ({"index.qmd": "# はじめに\n\n```{mermaid}\nA --> B\n```\n"}, "index.qmd", "3 行目", "{mermaid} には対応していません"),
    "diagram of another language": ({"index.qmd": "# はじめに\n\n``` {dot}\ndigraph {}\n```\n"}, "index.qmd", "3 行目", "{dot} には対応していません"),
    "diagram in a notebook": ({"a.ipynb": chapter(text_cell("```{mermaid .x}\nA --> B\n```"))}, "a.ipynb", "セル 2（1 行目）", "{mermaid}"),
    "unresolved reference": ({"a.ipynb": chapter(text_cell("一行目。\n\n@fig-none を見る。"))}, "a.ipynb", "セル 2（3 行目）", "@fig-none"),
    "unresolved reference in a caption": ({"a.ipynb": chapter(code_cell("#| label: fig-a\n#| fig-cap: '@tbl-none'\n1", shown(svg=PIXEL)))}, "a.ipynb", "セル 2", "@tbl-none"),
    "reference glued to a word": ({"a.ipynb": chapter(text_cell("この章は@sec-aです。"))}, "a.ipynb", "セル 2", "@sec-a"),
    "duplicate label": ({"a.ipynb": chapter(text_cell("$$a$$ {#eq-a}"), text_cell("$$b$$ {#eq-a}"))}, "a.ipynb", "", "eq-a"),
    "duplicate label over chapters": ({"index.qmd": "# はじめに\n\n$$a$$ {#eq-a}\n", "a.ipynb": chapter(text_cell("$$b$$ {#eq-a}"))}, "a.ipynb", "セル 2", "eq-a"),
    "duplicate heading label": ({"a.ipynb": chapter(text_cell("## 甲 {#x}\n\n## 乙 {#x}"))}, "a.ipynb", "セル 2", "x"),
    "label of raw HTML twice": ({"a.ipynb": chapter(text_cell('文 <b id="x">甲</b>'), text_cell('文 <b id="x">乙</b>'))}, "a.ipynb", "セル", "札 x が"),
    "label of raw HTML and of a heading": ({"a.ipynb": chapter(text_cell('<section id="x"></section>\n\n## 節 {#x}'))}, "a.ipynb", "セル 2", "札 x が"),
    "label of raw HTML and of the chapter": ({"a.ipynb": chapter(text_cell('文 <b id="sec-a">甲</b>'))}, "a.ipynb", "セル", "札 sec-a が"),
    "label of raw HTML and of a formula after it": ({"a.ipynb": chapter(text_cell('文 <b id="eq-x">甲</b>'), text_cell("$$a$$ {#eq-x}"))}, "a.ipynb", "セル", "札 eq-x が"),
    "label of raw HTML in a figure": ({"a.ipynb": chapter(text_cell('## 節 {#x}\n\n::: {#fig-x}\n<section id="x"></section>\n\n題\n:::'))}, "a.ipynb", "セル 2", "札 x が"),
    "unresolved citation": ({"a.ipynb": chapter(text_cell("文献 [@nobody2020]。"))}, "a.ipynb", "セル 2", "nobody2020"),
    "missing image": ({"a.ipynb": chapter(text_cell("![x](images/none.png)"))}, "a.ipynb", "セル 2", "images/none.png"),
    "image elsewhere": ({"a.ipynb": chapter(text_cell("![x](https://example.com/a.png)"))}, "a.ipynb", "セル 2", "外"),
    "dead link": ({"a.ipynb": chapter(text_cell("[次](b.ipynb)"))}, "a.ipynb", "セル 2", "b.ipynb"),
    "dead anchor": ({"a.ipynb": chapter(text_cell("[上](index.qmd#nothing)"))}, "a.ipynb", "セル 2", "nothing"),
    "dead anchor here": ({"a.ipynb": chapter(text_cell("[上](#nothing)"))}, "a.ipynb", "セル 2", "nothing"),
    "dead link with a query": ({"a.ipynb": chapter(text_cell("文。\n\n[次](b.html?x=1)"))}, "a.ipynb", "セル 2（3 行目）", "b.html?x=1"),
    "dead anchor after a query": ({"a.ipynb": chapter(text_cell("[上](index.html?x=1#nothing)"))}, "a.ipynb", "セル 2", "#nothing"),
    "dead anchor after a query here": ({"a.ipynb": chapter(text_cell("[上](?x=1#nothing)"))}, "a.ipynb", "セル 2", "#nothing"),
    "query on a manuscript": ({"a.ipynb": chapter(text_cell("[上](index.qmd?x=1)"))}, "a.ipynb", "セル 2", "index.qmd?x=1"),
    "raw script that is not there": ({"index.qmd": "# 序\n\n文。\n\n<script src=\"web/none.js\"></script>\n"}, "index.qmd", "5 行目", "web/none.js"),
    "raw style sheet that is not there": ({"a.ipynb": chapter(text_cell("<link rel=\"stylesheet\" href=\"web/none.css\">"))}, "a.ipynb", "セル 2", "web/none.css"),
    "fenced image that is not there": ({"a.ipynb": chapter(text_cell("```{=html}\n<img src=\"a.svg\" srcset=\"b.svg 1x, c.svg 2x\" alt=\"\">\n```"))}, "a.ipynb", "セル 2（2 行目）", "c.svg"),
    "raw link to nothing": ({"a.ipynb": chapter(text_cell("文 <a href=\"b.html?x=1&amp;y=2\">次</a>"))}, "a.ipynb", "セル 2（1 行目）", "b.html"),
    "raw link to a manuscript": ({"a.ipynb": chapter(text_cell("文 <a href=\"index.qmd\">上</a>"))}, "a.ipynb", "セル 2", "index.qmd"),
    "raw link from the root": ({"a.ipynb": chapter(text_cell("<script src=\"/a.ipynb\"></script>"))}, "a.ipynb", "セル 2", "/a.ipynb"),
    "raw link to a dead anchor": ({"a.ipynb": chapter(text_cell("文 <a href=\"index.html#nothing\">上</a>"))}, "a.ipynb", "セル 2", "#nothing"),
    "raw script from elsewhere": ({"a.ipynb": chapter(text_cell("<script src=\"https://example.com/a.js\"></script>"))}, "a.ipynb", "セル 2", "外"),
    "raw frame from elsewhere": ({"a.ipynb": chapter(text_cell("<iframe src=\"//example.com/\"></iframe>"))}, "a.ipynb", "セル 2", "外"),
    "image from elsewhere in an output": ({"a.ipynb": chapter(code_cell("x", shown(html="<img src='https://example.com/a.png'>", text="x")))}, "a.ipynb", "", "外"),
    "contents neither on nor off": ({"index.qmd": "---\ntoc: left\n---\n\n# 序\n"}, "index.qmd", "", "toc: left"),
    "page layout": ({"index.qmd": "---\nformat: {html: {page-layout: custom}}\n---\n\n# 序\n"}, "index.qmd", "", "page-layout: custom"),
    "shortcode": ({"a.ipynb": chapter(text_cell("{{< video x.mp4 >}}"))}, "a.ipynb", "セル 2", "video"),
    "unknown box": ({"a.ipynb": chapter(text_cell("::: {.column-page}\n全幅\n:::"))}, "a.ipynb", "セル 2", "column-page"),
    "image over the whole page": ({"a.ipynb": chapter(text_cell("![図](a.svg){.column-screen}")), "a.svg": PIXEL}, "a.ipynb", "セル 2", "column-screen"),
    "column of an absolute width": ({"a.ipynb": chapter(text_cell('::: {.columns}\n::: {.column width="4em"}\n左\n:::\n:::'))}, "a.ipynb", "セル 2", "width=4em"),
    "annotated code": ({"index.qmd": "# 序\n\n```python\nx = 1  # <1>\n```\n\n1. 代入\n"}, "index.qmd", "4 行目", "コード注釈"),
    "annotated code of another language": ({"index.qmd": "# 序\n\n```js\nf() // <12>\n```\n"}, "index.qmd", "4 行目", "コード注釈"),
    "annotated markup": ({"index.qmd": "# 序\n\n```html\n<b> <!-- <1> -->\n```\n"}, "index.qmd", "4 行目", "コード注釈"),
    "annotated cell": ({"a.ipynb": chapter(code_cell("x # <1>", shown(text="1")))}, "a.ipynb", "セル 2", "コード注釈"),
    "inline computation": ({"a.ipynb": chapter(text_cell("値は `{python} 1+1` です。"), code_cell("x", shown(text="1")))}, "a.ipynb", "セル 2（1 行目）", "{python} 1+1"),
    "inline computation in a caption": ({"a.ipynb": chapter(code_cell("#| label: fig-x\n#| fig-cap: '`{r} x` 個'\nx", shown(svg=PIXEL)))}, "a.ipynb", "セル 2", "{r} x"),
    "YAML and text in one cell": ({"a.ipynb": notebook(text_cell("---\ntitle: 題\n---\n\n本文"))}, "a.ipynb", "セル 1", "同じセル"),
    "image that is not base64": ({"a.ipynb": chapter(code_cell("x", shown(png="!!!notbase64")))}, "a.ipynb", "セル 2", "base64"),
    "image of another alphabet": ({"a.ipynb": chapter(code_cell("x", shown(png="あ")))}, "a.ipynb", "セル 2", "base64"),
    "output that is no SVG": ({"a.ipynb": chapter(code_cell("x", shown(svg="<p>図</p>")))}, "a.ipynb", "セル 2", "image/svg+xml）が壊れています"),
    "output of SVG that breaks off": ({"a.ipynb": chapter(code_cell("x", shown(svg=PIXEL.replace("/>", "><g>"))))}, "a.ipynb", "セル 2", "image/svg+xml）が壊れています"),
    "output that is no PNG": ({"a.ipynb": chapter(code_cell("x", shown(png="AAAA")))}, "a.ipynb", "セル 2", "image/png）が壊れています"),
    "file that is no SVG": ({"a.ipynb": chapter(text_cell("文。\n\n![図](f.svg)")), "f.svg": "<html/>"}, "a.ipynb", "セル 2（3 行目）", "画像 f.svg の中身が"),
    "file that is no PNG": ({"a.ipynb": chapter(text_cell("![図](f.png)")), "f.png": b"GIF"}, "a.ipynb", "セル 2", "画像 f.png の中身が"),
    "SVG called PNG": ({"a.ipynb": chapter(text_cell("![図](f.png)")), "f.png": PIXEL}, "a.ipynb", "セル 2", "画像 f.png の中身が"),
    "raw image that is none": ({"a.ipynb": chapter(text_cell('<img src="f.svg" alt="">')), "f.svg": ""}, "a.ipynb", "セル 2", 'src="f.svg" の中身が'),
    "missing file to include": ({"index.qmd": "# 序\n\n{{< include _none.qmd >}}\n"}, "index.qmd", "3 行目", "_none.qmd"),
    "file that includes itself": ({"index.qmd": "# 序\n\n{{< include _a.qmd >}}\n", "_a.qmd": "{{< include _b.qmd >}}\n", "_b.qmd": "{{< include _a.qmd >}}\n"}, "index.qmd", "_b.qmd 1 行目", "_a.qmd → _b.qmd → _a.qmd"),
    "included file outside the book": ({"index.qmd": "# 序\n\n{{< include ../a.qmd >}}\n"}, "index.qmd", "3 行目", "../a.qmd"),
    "include without a file": ({"index.qmd": "# 序\n\n{{< include >}}\n"}, "index.qmd", "3 行目", "include"),
    "include inside a line": ({"index.qmd": "# 序\n\n前 {{< include _a.qmd >}} 後\n", "_a.qmd": "中"}, "index.qmd", "3 行目", "include"),
    "label that leads out of the folder": ({"a.ipynb": chapter(code_cell("#| label: ../../../x\nx", shown(svg=PIXEL)))}, "a.ipynb", "セル 2", "label: ../../../x"),
    "label in words": ({"a.ipynb": chapter(code_cell("#| label: fig x\nx", shown(svg=PIXEL)))}, "a.ipynb", "セル 2", "label: fig x"),
    "layout that is a mapping": ({"a.ipynb": chapter(code_cell("#| layout: {a: 1}\nx", shown(svg=PIXEL)))}, "a.ipynb", "セル 2", "layout"),
    "day that does not exist": ({"index.qmd": "---\ndate: 2026-99-99\n---\n\n# 序\n"}, "index.qmd", "", "YAML が読めません"),
    "day that does not exist in a cell": ({"a.ipynb": chapter(code_cell("#| fig-cap: 2026-02-30\nx", shown(svg=PIXEL)))}, "a.ipynb", "セル 2", "YAML として読めません"),
    "day that does not exist in the settings": ({"_quarto.yml": config("title: 見本", "title: 見本\n  date: 2026-02-30")}, "_quarto.yml", "", "YAML として読めません"),
    "bibliography that breaks off": ({"references.bib": "@article{dao2022, title={x}", "a.ipynb": chapter(text_cell("[@dao2022]"))}, "references.bib", "", "文献表として"),
    "bibliography that is not UTF-8": ({"references.bib": b"\xff\xfe"}, "references.bib", "", "UTF-8"),
    "style that is no CSL": ({"_quarto.yml": CONFIG + "csl: a.csl\n", "a.csl": "x", "a.ipynb": chapter(text_cell("[@dao2022]"))}, "a.csl", "", "文献を書き出せません"),
    "part without a title": ({"_quarto.yml": config("a.ipynb", "{part: , chapters: [a.ipynb]}")}, "_quarto.yml", "", "part"),
    "missing file to include in a notebook": ({"a.ipynb": chapter(text_cell("文\n\n{{< include _a.qmd >}}"))}, "a.ipynb", "セル 2（3 行目）", "_a.qmd"),
    "mistake after an included file": ({"index.qmd": "# 序\n\n{{< include _a.qmd >}}\n\n@fig-none\n", "_a.qmd": "一\n\n二\n"}, "index.qmd", "5 行目", "@fig-none"),
    "mistake in a file included in a notebook": ({"a.ipynb": chapter(text_cell("{{< include _a.qmd >}}")), "_a.qmd": "中\n\n@fig-none\n"}, "a.ipynb", "_a.qmd 3 行目", "@fig-none"),
    "cell to run in an included file": ({"a.ipynb": chapter(text_cell("{{< include _a.qmd >}}")), "_a.qmd": "```{python}\n1\n```\n"}, "a.ipynb", "_a.qmd 1 行目", "python"),
    "included file that is not UTF-8": ({"index.qmd": "# 序\n\n{{< include _a.qmd >}}\n", "_a.qmd": b"\xff\xfe"}, "index.qmd", "3 行目", "UTF-8"),
    "included folder": ({"index.qmd": "# 序\n\n{{< include images >}}\n", "images/a.svg": PIXEL}, "index.qmd", "3 行目", "images"),
    "YAML in an included file": ({"index.qmd": "# 序\n\n{{< include _a.qmd >}}\n", "_a.qmd": "---\ntitle: 題\n---\n"}, "index.qmd", "3 行目", "YAML"),
    "shortcode that acts in code": ({"index.qmd": "# 序\n\n`{{< meta title >}}`\n"}, "index.qmd", "3 行目", "meta title"),
    "shortcode that acts in a fence": ({"index.qmd": "# 序\n\n```\nx\n{{< pagebreak >}}\n```\n"}, "index.qmd", "5 行目", "pagebreak"),
    "mistake in an included file": ({"index.qmd": "# 序\n\n{{< include _a.qmd >}}\n", "_a.qmd": "中\n\n@fig-none\n"}, "index.qmd", "_a.qmd 3 行目", "@fig-none"),
    "unknown box attribute": ({"a.ipynb": chapter(text_cell('::: {.callout-note colour="red"}\n中\n:::'))}, "a.ipynb", "セル 2", "colour"),
    "callout with a foreign label": ({"a.ipynb": chapter(text_cell("::: {#fig-x .callout-note}\n中\n:::"))}, "a.ipynb", "セル 2", "fig-x"),
    "tabs without headings": ({"a.ipynb": chapter(text_cell("::: {.panel-tabset}\n中\n:::"))}, "a.ipynb", "セル 2", "panel-tabset"),
    "box without end": ({"a.ipynb": chapter(text_cell("中\n\n:::"))}, "a.ipynb", "セル 2", ":::"),
    "code without end": ({"a.ipynb": chapter(text_cell("文。\n\n```python\nx = 1\n\n続き。"))}, "a.ipynb", "セル 2（3 行目）", "囲み（```）"),
    "code without end before other code": ({"a.ipynb": chapter(text_cell("文。\n\n```python\nx = 1\n\n```python\ny\n```"))}, "a.ipynb", "セル 2（3 行目）", "囲み（```）が閉じていません"),
    "code of tildes without end": ({"index.qmd": "# 序\n\n~~~\nx = 1\n"}, "index.qmd", "3 行目", "囲み（~~~）"),
    "formula without end": ({"a.ipynb": chapter(text_cell("文。\n\n$$\nx = 1\n\n続き。"))}, "a.ipynb", "セル 2（3 行目）", "囲み（$$）"),
    "row with more cells than its table": ({"a.ipynb": chapter(text_cell("| `a|b` | $|x|$ |\n|:--|--:|\n| 1 | 2 |\n| 1 | 2 | 3 |\n"))}, "a.ipynb", "セル 2（4 行目）", "セルが 3 個で、表の 2 個"),
    "row with fewer cells than its table": ({"index.qmd": "# 序\n\na | b\n--|--\n1\\|2 |\n"}, "index.qmd", "5 行目", "セルが 1 個で、表の 2 個"),
    "head with other cells than its table": ({"index.qmd": "# 序\n\n| a | b |\n|---|\n| 1 |\n"}, "index.qmd", "3 行目", "セルが 2 個で、表の 1 個"),
    "uneven table in an output": ({"a.ipynb": chapter(code_cell("x", shown(markdown="| a |\n|---|\n| 1 | 2 |", text="x")))}, "a.ipynb", "セル 2", "出力の表の行のセルが 2 個"),
    "footnote without use": ({"a.ipynb": chapter(text_cell("文。\n\n[^n]: 使われない。"))}, "a.ipynb", "セル 2", "[^n]"),
    "footnote twice": ({"a.ipynb": chapter(text_cell("文[^n]。\n\n[^n]: 一。"), text_cell("[^n]: 二。"))}, "a.ipynb", "セル 2", "二度"),
    "box never closed": ({"a.ipynb": chapter(text_cell("::: {.callout-note}\n中"))}, "a.ipynb", "セル 2", "閉じていません"),
    "two files for one page": ({"_quarto.yml": config("a.ipynb", "a.ipynb, a.qmd"), "a.qmd": "# 題\n"}, "_quarto.yml", "", "同じページ"),
    "chapter outside the book": ({"_quarto.yml": config("a.ipynb", "../a.ipynb")}, "_quarto.yml", "", "外にあります"),
    "date that changes": ({"_quarto.yml": config("title: 見本", "title: 見本\n  date: today")}, "_quarto.yml", "", "today"),
    "unreadable layout": ({"a.ipynb": chapter(text_cell('::: {layout="[[1,"}\n![](a.svg)\n:::')), "a.svg": PIXEL}, "a.ipynb", "セル 2", "layout"),
    "raw TeX": ({"a.ipynb": chapter(text_cell("\\newpage"))}, "a.ipynb", "セル 2", "newpage"),
    "formula that is no TeX": ({"a.ipynb": chapter(text_cell("$\\frac{1}$"))}, "a.ipynb", "セル 2", "frac"),
    "equation label without equation": ({"a.ipynb": chapter(text_cell("文 {#eq-x}"))}, "a.ipynb", "セル 2", "eq-x"),
}  # fmt: skip


# Wrong types, wherever they stand: (room, setting, words in the message).
MISTYPED = [
    ("book", "format: {html: {toc-depth: abc}}", "html: toc-depth: abc"),
    ("book", "format: {html: {toc-depth: true}}", "html: toc-depth: true"),
    ("book", "format: {html: {toc-depth: 0}}", "html: toc-depth: 0"),
    ("book", "format: {html: {number-depth: }}", "html: number-depth: （空）"),
    ("book", "format: {html: {number-sections: [1]}}", "html: number-sections"),
    ("book", "format: {html: {css: {a: b}}}", "html: css"),
    ("book", "execute: 5", "execute"),
    ("book", "execute: {echo: 何か}", "execute: echo: 何か"),
    ("book", "crossref: [1]", "crossref"),
    ("book", "lang: [ja]", "lang"),
    ("book", "lang: true", "lang: true"),
    ("book", "lang: 日本語", "lang: 日本語"),
    ("book", "language: [1]", "language"),
    ("book", "language: {crossref-fig-title: [絵]}", "language"),
    ("book", "project: {type: book, resources: {a: b}}", "resources"),
    ("book", "bibliography: {a: b}", "bibliography"),
    ("book", "bibliography: [[a]]", "bibliography"),
    ("book", "link-citations: はい", "link-citations: はい"),
    ("book", "book: [1]", "book"),
    ("book", "project: book", "project"),
    ("chapter", "title: [1]", "title"),
    ("chapter", "author: {name: {given: 甲}}", "author"),
    ("chapter", "author: [甲, {名: 乙}]", "author"),
    ("chapter", "execute: false", "execute"),
    ("chapter", "format: {html: {code-fold: 何か}}", "html: code-fold: 何か"),
    ("chapter", "toc: 3", "toc: 3"),
    ("chapter", "- a", "形"),
    ("book", "project: {type: book, pre-render: [1], resources: 5}", "resources: 5"),
    ("book", "format: {html: {fig-width: wide}}", "html: fig-width: wide"),
    ("book", "format: {html: {smooth-scroll: 少し}}", "html: smooth-scroll: 少し"),
    ("book", "format: [html]", "format"),
    ("book", "bibliography: 5", "bibliography: 5"),
    ("chapter", "lang: 3", "lang: 3"),
    ("chapter", "author: [1, {name: 5}]", "author: [1, {'name': 5}]"),
    ("chapter", "format: pdf", "format: pdf"),
    ("chapter", "format: {html: 3}", "format: {'html': 3}"),
    ("chapter", "jupyter: [1]", "jupyter: [1]"),
    ("chapter", "kernelspec: 3", "kernelspec: 3"),
    ("chapter", "aliases: 5", "aliases: 5"),
    ("chapter", "image: 5", "image: 5"),
    ("chapter", "keywords: {a: b}", "keywords"),
    ("chapter", "date: xx", "date: xx"),
    ("cell", "label: [a]", "label: ['a']"),
    ("cell", "echo: 1", "echo: 1"),
    ("cell", "layout-ncol: 二", "layout-ncol: 二"),
    ("cell", "layout-ncol: 0", "layout-ncol: 0"),
    ("cell", "fig-alt: {a: b}", "fig-alt"),
    ("cell", "fig-cap: [a]", "fig-cap"),
    ("cell", "tags: a", "tags"),
    ("cell", "column: page", "column: page"),
    ("cell", "[1]", "形"),
]


@pytest.mark.parametrize(
    ("room", "setting", "words"), MISTYPED, ids=[f"{room}: {setting}" for room, setting, _ in MISTYPED]
)
def test_a_value_of_another_type_is_refused(tmp_path: Path, room: str, setting: str, words: str) -> None:
    key = setting.split(":")[0]
    lines = [line for line in CONFIG.splitlines(keepends=True) if not line.startswith(f"{key}:")]
    files = {
        "book": {"_quarto.yml": "".join(lines) + setting + "\n"},
        "chapter": {"a.ipynb": notebook(raw_cell(f"---\n{setting}\n---"), text_cell("# 題"))},
        "cell": {"a.ipynb": chapter(code_cell(f"#| {setting}\nx", shown(text="1")))},
    }[room]
    if key == "book":
        files["_quarto.yml"] = "project: {type: book}\nbook: [1]\n"
    found = problems_of(make_book(tmp_path, **files))
    assert [problem for problem in found if words in problem.message and len(problem.advice) > 5], found
    assert not any("Error" in problem.message for problem in found), found


def test_what_books_commonly_say_is_taken(tmp_path: Path) -> None:
    said = """\
author: [甲, {name: 乙, orcid: 0000-0000}]
format: {html: default, pdf: {documentclass: book}, epub: }
jupyter: {kernelspec: {name: python3, display_name: Python 3, language: python}}
aliases: [/old.html]
image: images/a.png
keywords: [速さ, メモリ]
date: 11/22/2026
lang: ja
"""
    plain = "format: html\njupyter: python3\nkeywords: 速さ\nimage: false\ndate: 2026-11-22\nauthor: 甲\n"
    config = CONFIG.replace("a.ipynb", "a.ipynb, b.qmd") + "format: {html: {fig-width: 6.5, css: [], theme: cosmo}}\n"
    cell, chapter = raw_cell(f"---\n{said}---"), f"---\n{plain}---\n\n# 題\n"
    build(
        make_book(tmp_path, **{"_quarto.yml": config, "a.ipynb": notebook(cell, text_cell("# 題")), "b.qmd": chapter})
    )


def test_what_nobody_foresaw_is_a_problem_of_its_file_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*given: object) -> None:
        raise ZeroDivisionError("意外")

    for step in ("press.build.read_manuscript", "press.build.build_structure", "press.build.number_page",
                 "press.build.page_html", "press.build.write_site"):  # fmt: skip
        with monkeypatch.context() as patched:
            patched.setattr(step, broken)
            found = problems_of(make_book(tmp_path))
        files = {problem.file for problem in found if "ZeroDivisionError: 意外" in problem.message}
        assert files == ({"本の全体"} if step.endswith("site") else {"index.qmd", "a.ipynb", "references.qmd"})
        log = (tmp_path / ".press/error.log").read_text(encoding="utf-8")
        assert "Traceback" in log and "in broken" in log
    build(tmp_path)
    assert not (tmp_path / ".press/error.log").exists()


@pytest.mark.parametrize(("files", "file", "place", "words"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_book_is_refused_and_the_place_is_named(
    tmp_path: Path, files: dict, file: str, place: str, words: str
) -> None:
    found = problems_of(make_book(tmp_path, **files))
    fitting = [p for p in found if p.file == file and place in p.place and words in p.message]
    assert fitting, f"none of these says it: {found}"
    assert all(len(problem.advice) > 5 for problem in found)
    assert not (tmp_path / "_book").exists()


# What is found out while the book is read, when it is resolved, and when it is written.
EVERYWHERE = [
    ["notebook is not JSON", "notebook is not UTF-8", "front matter is broken", "box never closed", "cell was not run",
     "row with more cells than its table"],
    ["code without end", "unresolved reference", "unresolved citation", "missing image", "dead link", "output that is no SVG"],
    ["formula that is no TeX"],
]  # fmt: skip


@pytest.mark.parametrize("make", [build_epub, build_pdf])
def test_the_book_in_one_file_is_refused_as_the_site_is(tmp_path: Path, make: Callable[..., Path]) -> None:
    """One book with all that is found out together: a chapter for each mistake."""
    for names in EVERYWHERE:
        chapters, expected = {}, []
        for number, name in enumerate(names):
            files, _, place, words = BROKEN[name]
            ((file, content),) = files.items()
            source = f"c{number}{Path(file).suffix}"
            chapters[source] = content.replace("sec-a", f"sec-{number}") if isinstance(content, str) else content
            expected.append((source, place, words))
        config = CONFIG.replace("a.ipynb", ", ".join(chapters))
        book = make_book(tmp_path / names[0], **{"_quarto.yml": config, "a.ipynb": None}, **chapters)
        with pytest.raises(BookError) as caught:
            make(book, book / "made")
        found = caught.value.problems
        for source, place, words in expected:
            assert [p for p in found if p.file == source and place in p.place and words in p.message], (source, found)
        assert {path.name for path in book.iterdir()} - {".press"} == {
            "_quarto.yml", "index.qmd", "references.qmd", "references.bib", *chapters}  # fmt: skip


def test_a_file_is_put_in_its_place_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book = tmp_path / "book.pdf"
    put(b"old", book)
    put(b"newer", book)
    assert book.read_bytes() == b"newer"
    (tmp_path / "folder").mkdir()
    for output in (tmp_path / "folder", book / "x", Path("/proc/x"), tmp_path / ("a" * 300)):
        with pytest.raises(BookError, match=f"出力先 {output} に書けません"):
            put(b"data", output)

    def half(path: Path, data: bytes) -> None:
        with path.open("wb") as file:
            file.write(data[:1])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(BookError, match="No space left"):
        put(b"newest", book)
    assert book.read_bytes() == b"newer" and sorted(os.listdir(tmp_path)) == ["book.pdf", "folder"]


def test_the_small_book_itself_is_right(tmp_path: Path) -> None:
    assert (build(make_book(tmp_path)) / "a.html").is_file()


def test_all_problems_of_all_chapters_are_shown_together(tmp_path: Path) -> None:
    make_book(
        tmp_path,
        **{
            "index.qmd": "# はじめに\n\n@fig-one と [@nobody]\n\n![x](none.png)\n",
            "a.ipynb": chapter(code_cell("#| wrong: 1\n1", count=None), text_cell("@fig-two")),
        },
    )
    found = problems_of(tmp_path)
    assert {word for word in ("@fig-one", "@nobody", "none.png", "wrong", "実行", "@fig-two") if any(word in p.message for p in found)} == {
        "@fig-one", "@nobody", "none.png", "wrong", "実行", "@fig-two"}  # fmt: skip


def run_press(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-m", "press", "build", str(folder), *arguments]
    return subprocess.run(command, cwd=root, text=True, capture_output=True, timeout=120)


def test_the_command_ends_with_1_and_no_traceback(tmp_path: Path) -> None:
    make_book(tmp_path, **{"a.ipynb": chapter(text_cell("@fig-none"))})
    done = run_press(tmp_path)
    assert done.returncode == 1
    assert "a.ipynb セル 2（1 行目）: 参照 @fig-none" in done.stderr
    assert "Traceback" not in done.stderr + done.stdout


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_failed_build_leaves_the_old_site(tmp_path: Path) -> None:
    build(make_book(tmp_path))
    before = snapshot(tmp_path / "_book")
    make_book(tmp_path, **{"a.ipynb": chapter(text_cell("@fig-none"))})
    problems_of(tmp_path)
    assert snapshot(tmp_path / "_book") == before


def test_a_failed_script_leaves_the_old_site(tmp_path: Path) -> None:
    build(make_book(tmp_path))
    before = snapshot(tmp_path / "_book")
    with_scripts = config("type: book", "type: book, pre-render: [first.py, second.py]")
    first = "import os, pathlib\npathlib.Path(os.environ['QUARTO_PROJECT_DIR'], 'made').touch()\nraise SystemExit(7)"
    make_book(tmp_path, **{"_quarto.yml": with_scripts, "first.py": first, "second.py": "raise SystemExit(8)"})
    (problem,) = problems_of(tmp_path)
    assert "first.py が終了コード 7" in problem.message
    assert (tmp_path / "made").exists()
    assert snapshot(tmp_path / "_book") == before


@pytest.mark.parametrize("delay_s", [0.2, 0.5, 0.8, 1.1])
def test_a_killed_build_leaves_the_old_site_or_a_whole_new_one(tmp_path: Path, delay_s: float) -> None:
    build(make_book(tmp_path))
    before = snapshot(tmp_path / "_book")
    make_book(tmp_path, **{"a.ipynb": notebook(text_cell("# 新しい題 {#sec-a}"))})
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-m", "press", "build", str(tmp_path)]
    process = subprocess.Popen(
        command, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    time.sleep(delay_s)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    after = snapshot(tmp_path / "_book")
    build(tmp_path)
    assert after in (before, snapshot(tmp_path / "_book"))


def test_a_folder_that_is_no_site_is_not_replaced(tmp_path: Path) -> None:
    make_book(tmp_path / "book")
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers/thesis.txt").write_text("大事", encoding="utf-8")
    for output in (tmp_path / "papers", tmp_path / "book", tmp_path):
        with pytest.raises(BookError):
            build(tmp_path / "book", output)
    assert (tmp_path / "papers/thesis.txt").read_text(encoding="utf-8") == "大事"


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """A folder on another file system than the book's."""
    if not Path("/dev/shm").is_dir():
        pytest.skip("no second file system here")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        assert os.stat(folder).st_dev != tmp_path.stat().st_dev
        yield Path(folder)


def test_a_site_goes_to_another_file_system_too(tmp_path: Path, elsewhere: Path) -> None:
    make_book(tmp_path)
    here = snapshot(build(tmp_path))
    for output in (elsewhere / "site", elsewhere / "site", elsewhere / "deeper/site"):  # new, and in place of the old
        assert snapshot(build(tmp_path, output)) == here
    make_book(tmp_path, **{"a.ipynb": notebook(text_cell("# 新しい題 {#sec-a}"))})
    with Workshop(tmp_path, elsewhere / "site", lambda line: None) as workshop:
        workshop.build()
        make_book(tmp_path, **{"a.ipynb": notebook(text_cell("# もっと新しい題 {#sec-a}"))})
        workshop.build_page("a.ipynb")
    assert "もっと新しい題" in (elsewhere / "site/a.html").read_text(encoding="utf-8")
    assert sorted(os.listdir(elsewhere)) == ["deeper", "site"]


def test_what_a_killed_build_left_beside_the_site_goes_with_the_next(tmp_path: Path) -> None:
    left, living = tmp_path / f"{STAGE}left", tmp_path / f"{STAGE}living"
    for folder in (left, living):
        (folder / "site").mkdir(parents=True)
    with _opened(living) as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)  # as a build that runs beside this one does
        build(make_book(tmp_path))
    assert [path for path in tmp_path.iterdir() if path.name.startswith(STAGE)] == [living]


@pytest.mark.parametrize("output", ["/proc/x", "/proc/x/y", "references.bib/x", "a" * 300])
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, output: str) -> None:
    make_book(tmp_path)
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(BookError) as caught:
        build(tmp_path, tmp_path / output)
    (problem,) = caught.value.problems
    assert f"出力先 {tmp_path / output} に書けません" in problem.message
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != ".press") == before


def test_a_place_without_rights_is_named_and_the_old_site_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who runs the tests may be allowed what readers are not."""
    before = snapshot(build(make_book(tmp_path)))

    def refuse(*given: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(site, "_exchange", refuse)
    (problem,) = problems_of(tmp_path)
    assert f"出力先 {tmp_path / '_book'} に書けません" in problem.message
    assert snapshot(tmp_path / "_book") == before
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(STAGE)]


def test_nothing_is_dropped_in_silence(tmp_path: Path) -> None:
    """Every kind of output and of block that press accepts reaches the page."""
    cells = [
        code_cell("a", printed("出力一\n"), printed("出力二\n", "stderr")),
        code_cell("b", shown(text="文字三")),
        code_cell("c", shown(html="<p>HTML四</p>", text="x")),
        code_cell("d", shown(markdown="**Markdown五**", text="x")),
        code_cell("e", shown(latex="$x + 6$", text="x")),
        code_cell("f", {"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["\x1b[31m誤り七\x1b[0m"]}),
        text_cell(
            "> 引用八\n\n- 箇条九\n\n1. 番号十\n\n語十一\n: 定義十二\n\n| 表十三 |\n|---|\n| 中十四 |\n\n脚注^[十五]\n\n`符号十六`\n\n***\n\n<b>生十七</b>"
        ),
    ]
    page = (build(make_book(tmp_path, **{"a.ipynb": chapter(*cells)})) / "a.html").read_text(encoding="utf-8")
    for word in "出力一 出力二 文字三 HTML四 Markdown五 誤り七 引用八 箇条九 番号十 語十一 定義十二 表十三 中十四 十五 符号十六 生十七".split():
        assert word in page, word
    assert 'alttext="x + 6"' in page
