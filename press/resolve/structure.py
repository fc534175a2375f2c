"""Quarto's constructs in a chapter's tree become a few plain shapes that later layers act on.

After this pass a tree holds pandoc's own elements and Divs of these classes:

========== ============================================ ==========================
class      attributes                                   content
========== ============================================ ==========================
callout    kind, collapse, appearance                   title Div, body
tabset                                                  tab Divs, each with a title Div
fold       summary, open                                code
theorem    kind                                         title Div, body
proof      kind                                         title Div, body
layout     style                                        rows or figures
filename   name                                         code
cell       number (of the notebook's cell)              code, outputs
========== ============================================ ==========================

Floats (figures, tables, listings) are pandoc Figures or Tables with their label as identifier.
"""

from __future__ import annotations

import json
import re
from typing import Any

import panflute as pf

from press import pandoc
from press.cache import Cache
from press.problems import Problems
from press.read.config import CODE_DEFAULTS, Book
from press.read.manuscript import ANNOTATION, INLINE_CODE, Cell, Manuscript, Output
from press.resolve.kinds import CALLOUTS, FLOATS, PROOFS, THEOREMS, kind_of

DIV_ATTRIBUTES = {"layout-ncol", "layout-nrow", "layout", "title", "collapse", "appearance", "icon",
                  "name", "number", "style", "fig-cap", "tbl-cap", "fig-alt", "fig-align", "data",
                  "tbl-colwidths", "width", "role", "lang", "group", "summary", "open", "kind"}  # fmt: skip
# What a book is made into, and by which names of formats (`when-format`) that is meant.
FORMS = {"html": re.compile("html"), "pdf": re.compile("(pdf|typst)$"), "epub": re.compile("epub")}
Parts = dict[str, list[pf.Element]]  # parsed captions and outputs of a code cell, by name
ESCAPED = re.compile(r"\{(\{+[^<}\n]+\}+)\}")  # {{python}}: a block or piece of code that is shown, not run
UNSUPPORTED_CLASS = re.compile(
    rf"(column-(?!margin$).+|panel-(?!tabset$).+|callout-(?!({'|'.join(CALLOUTS)})$).+|grid|g-col-.+|listing|r-stack)$"
)


def build_structure(
    book: Book, manuscript: Manuscript, cache: Cache, problems: Problems, form: str = "html"
) -> list[pf.Element]:
    """The chapter's blocks with every construct of Quarto in one of the shapes above; `form` is one of `FORMS`."""
    structure = _Structure(book, manuscript, problems, form)
    known = len(problems)
    blocks: list[pf.Element] = []

    def build() -> str:
        blocks.extend(structure.build())
        if len(problems) > known:
            raise _FaultyError  # nothing is kept, so that the next build complains again
        return pandoc.dump(blocks)

    key = [manuscript.ast, repr(manuscript.cells), repr(structure.cell_defaults), repr(book.words), form]
    try:
        return list(pandoc.load(cache.text("structure", key, build)).content)
    except _FaultyError:
        return blocks


def cell_defaults(book: Book, manuscript: Manuscript) -> dict[str, Any]:
    """What holds for every code cell of a chapter that does not say otherwise."""
    chapter = manuscript.front_matter
    own = {key: room[key] for room in (chapter, manuscript.html) for key in CODE_DEFAULTS if key in room}
    defaults: dict[str, Any] = book.cell_defaults | chapter.get("execute", {}) | own
    return defaults


class _FaultyError(Exception):
    """The chapter has problems; they have been noted."""


class _Structure:
    def __init__(self, book: Book, manuscript: Manuscript, problems: Problems, form: str):
        self.book = book
        self.form = form
        self.manuscript = manuscript
        self.problems = problems
        self.cell_defaults = cell_defaults(book, manuscript)

    def complain(self, message: str, advice: str, *needles: str) -> None:
        self.problems.add(self.manuscript.entry.source, self.manuscript.place(*needles), message, advice)

    def build(self) -> list[pf.Element]:
        doc = pandoc.load(self.manuscript.ast)
        if "content-visible" in self.manuscript.ast or "content-hidden" in self.manuscript.ast:
            doc = doc.walk(self._visible)
        doc = doc.walk(self._element)
        return list(doc.content)

    # ---- what is for readers of this form ------------------------------------------------------------

    def _visible(self, el: pf.Element, doc: pf.Doc) -> Any:
        if not isinstance(el, pf.Div | pf.Span):
            return None
        hidden, visible = "content-hidden" in el.classes, "content-visible" in el.classes
        if not (hidden or visible):
            return None
        conditions = {key: value for key, value in el.attributes.items() if key.startswith(("when-", "unless-"))}
        for key in conditions:
            if key not in ("when-format", "unless-format"):
                self.complain(f"条件 {key} には対応していません", "when-format か unless-format を使ってください", key)
        matches = all(
            bool(FORMS[self.form].match(value)) == (key == "when-format") for key, value in conditions.items()
        )
        return list(el.content) if matches == visible else []

    # ---- one element -------------------------------------------------------------------------

    def _element(self, el: pf.Element, doc: pf.Doc) -> Any:
        if hasattr(el, "classes"):
            self._classes(el)
        if isinstance(el, pf.Div):
            return self._div(el)
        if isinstance(el, pf.CodeBlock):
            return self._code_block(el)
        if isinstance(el, pf.Code):
            return self._inline_code(el)
        if isinstance(el, pf.Para | pf.Plain):
            self._equations(el)
            return self._linked_figure(el)
        if isinstance(el, pf.Image) and not len(el.content):
            el.content = pandoc.plain(el.attributes.pop("fig-alt", ""))
        if isinstance(el, pf.Figure):
            return self._implicit_figure(el)
        if isinstance(el, pf.RawBlock | pf.RawInline) and el.format not in ("html", "html5", "html4"):
            self.complain(f"{el.format} の生の記述は HTML に出せません: {el.text.strip()[:40]!r}",
                          '::: {.content-visible when-format="pdf"} で囲むか、消してください', el.text.strip())  # fmt: skip
        return None

    def _classes(self, el: pf.Element) -> None:
        """Refuse what has no place on the page; what is for the margin goes there."""
        for name in el.classes:
            if UNSUPPORTED_CLASS.match(name):
                self.complain(f".{name} には対応していません", "本文か囲み（callout）で書いてください", f".{name}")
        el.classes = ["aside" if name == "column-margin" else name for name in el.classes]

    def _inline_code(self, el: pf.Code) -> None:
        if INLINE_CODE.match(el.text):
            self.complain(f"本文の計算 `{el.text}` には対応していません（そのまま表示されます）",
                          "値を書くか、セルの出力にしてください", el.text)  # fmt: skip
        el.text = re.sub(rf"^(`*){ESCAPED.pattern}", r"\1\2", el.text)

    def _div(self, el: pf.Div) -> Any:
        classes, label = list(el.classes), el.identifier
        if "press-part" in classes:
            return None
        if "press-cell" in classes:
            return self._cell(el)
        self._check_div(el)
        for name, prefix in CALLOUTS.items():
            if f"callout-{name}" in classes:
                return self._callout(el, name, prefix)
        if "panel-tabset" in classes:
            return self._tabset(el)
        kind = kind_of(label) if label else None
        if kind is not None and kind in THEOREMS:
            return self._titled(el, "theorem", kind)
        proof = next((k for name, k in PROOFS.items() if name in classes or kind == k), None)
        if proof is not None:
            return self._titled(el, "proof", proof)
        if kind is not None and kind in FLOATS:
            return self._float_div(el, kind)
        if "columns" in classes:
            return self._columns(el)
        if self._is_layout(el.attributes):
            return pf.Div(*self._layout(list(el.content), el.attributes), identifier=label, classes=classes)
        return None

    def _check_div(self, el: pf.Div) -> None:
        for name in el.attributes:
            if name not in DIV_ATTRIBUTES and not name.startswith(("data-", "aria-")):
                self.complain(f"囲みの属性 {name} には対応していません", "この属性を消してください", f"{name}=")

    # ---- code cells --------------------------------------------------------------------------

    def _cell(self, el: pf.Div) -> list[pf.Element]:
        cell = self.manuscript.cell_at(int(el.attributes["number"]))
        parts = {part.attributes["name"]: list(part.content) for part in el.content if isinstance(part, pf.Div)}
        options = self.cell_defaults | cell.options
        included = options.get("include", True) is not False
        blocks: list[pf.Element] = []
        if included and options.get("echo", True) is not False and cell.code:
            blocks.append(self._cell_code(cell, options, parts))
        if included and options.get("output", True) is not False:
            blocks += self._cell_outputs(cell, options, parts)
        label = str(options.get("label", ""))
        identifier = label if blocks and label and kind_of(label) is None else ""
        classes = ["cell", "aside"] if options.get("column") == "margin" else ["cell"]
        # Also where nothing is shown: a notebook runs every cell.
        return [pf.Div(*blocks, classes=classes, identifier=identifier, attributes={"number": str(cell.number)})]

    def _cell_code(self, cell: Cell, options: dict[str, Any], parts: Parts) -> pf.Element:
        code = pf.CodeBlock(cell.code, classes=["python", "cell-code"])
        if options.get("code-line-numbers"):
            code.classes.append("numberLines")
        block: pf.Element = code
        if options.get("lst-label"):
            caption = _caption(parts.get("lst-cap", []))
            block = pf.Figure(code, caption=caption, identifier=str(options["lst-label"]), classes=["lst"])
        fold = options.get("code-fold", False)
        if not fold:
            return block
        summary = str(options.get("code-summary", self.book.words["code-summary"]))
        return pf.Div(block, classes=["fold"], attributes={"summary": summary, "open": str(fold == "show").lower()})

    def _cell_outputs(self, cell: Cell, options: dict[str, Any], parts: Parts) -> list[pf.Element]:
        images = 0
        shown: list[list[pf.Element]] = []
        for index, output in enumerate(cell.outputs):
            if output.kind == "stderr" and options.get("warning", True) is False:
                continue
            if output.kind == "image":
                images += 1
                shown.append([self._output_image(output, options, images, parts)])
            else:
                shown.append(self._output_blocks(output, parts.get(f"output-{index}")))
        return self._floated(cell, options, shown, parts)

    def _output_image(self, output: Output, options: dict[str, Any], nth: int, parts: Parts) -> pf.Element:
        alts = options.get("fig-alt") or []
        alts = [alts] if isinstance(alts, str) else alts
        alt: list[pf.Element] = pandoc.plain(str(alts[nth - 1])) if nth <= len(alts) else []
        caption = parts.get(f"fig-subcap-{nth}") or parts.get("fig-cap") or []
        if not alt and caption:
            alt = [pf.Str(pf.stringify(pf.Div(*caption)).strip())]
        return pf.Plain(pf.Image(*alt, url=output.text))

    def _output_blocks(self, output: Output, parsed: list[pf.Element] | None) -> list[pf.Element]:
        if parsed is not None:
            blocks = parsed
        elif output.kind == "html":
            blocks = _html_blocks(output.text)
        elif output.kind == "text" and "\x1b[" not in output.text:
            blocks = [pf.CodeBlock(output.text)]
        elif "\x1b[" in output.text:
            from nbconvert.filters import ansi2html  # slow to import and seldom needed

            coloured = ansi2html(output.text.rstrip())  # type: ignore[no-untyped-call]
            blocks = [pf.RawBlock(f"<pre><code>{coloured}</code></pre>", "html")]
        else:
            blocks = [pf.CodeBlock(output.text.rstrip("\n"))]
        kind = output.kind if output.kind in ("stdout", "stderr", "error") else "display"
        return [pf.Div(*blocks, classes=["cell-output", f"cell-output-{kind}"])]

    def _floated(
        self, cell: Cell, options: dict[str, Any], shown: list[list[pf.Element]], parts: Parts
    ) -> list[pf.Element]:
        label = str(options.get("label", ""))
        kind = kind_of(label) if label else None
        if kind in ("fig", "tbl") and not any(shown):
            self.complain(f"#| label: {label} のセルに出力がありません", "出力を残すか、label を消してください", label)
        if kind == "fig" or (kind is None and "fig-cap" in parts):
            return self._figure_cell(label if kind else "", options, shown, parts)
        blocks = [block for output in shown for block in output]
        if kind == "tbl" or "tbl-cap" in parts:
            return self._table_cell(label if kind else "", blocks, parts)
        return self._layout(blocks, options) if self._is_layout(options) else blocks

    def _figure_cell(
        self, label: str, options: dict[str, Any], shown: list[list[pf.Element]], parts: Parts
    ) -> list[pf.Element]:
        """What was printed stands before the figure, what was displayed is in it."""
        printed = [block for output in shown for block in output if _is_printed(block)]
        subfigures = 0
        content: list[pf.Element] = []
        for output in (output for output in shown if not _is_printed(output[0])):
            is_image = isinstance(output[0], pf.Plain)
            if is_image and "fig-subcap-1" in parts:
                subfigures += 1
                caption = _caption(parts.get(f"fig-subcap-{subfigures}", []))
                content.append(pf.Figure(*output, caption=caption, identifier=f"{label}-{subfigures}"))
            else:
                content += output
        if self._is_layout(options):
            content = self._layout(content, options)
        return [*printed, pf.Figure(*content, caption=_caption(parts.get("fig-cap", [])), identifier=label)]

    def _table_cell(self, label: str, blocks: list[pf.Element], parts: Parts) -> list[pf.Element]:
        caption = parts.get("tbl-cap", [])
        done = False

        def name_first(el: pf.Element, doc: pf.Doc | None) -> None:
            nonlocal done
            if isinstance(el, pf.Table) and not done:
                done = True
                el.identifier = label
                if caption:
                    el.caption = _caption(caption)

        holder = pf.Div(*blocks)
        holder.walk(name_first)
        if done:
            return list(holder.content)
        return [pf.Figure(*blocks, caption=_caption(caption), identifier=label, classes=["tbl"])]

    # ---- callouts, tabsets, theorems, floats ---------------------------------------------------

    def _callout(self, el: pf.Div, name: str, kind: str) -> pf.Div:
        title = self._pop_title(el, "title")
        attributes = {"kind": name}
        for key, allowed in {"collapse": ("true", "false"), "appearance": ("default", "simple", "minimal"),
                             "icon": ("true", "false")}.items():  # fmt: skip
            value = el.attributes.get(key)
            if value is None:
                continue
            if value not in allowed:
                self.complain(
                    f"callout の {key}={value} は使えない値です",
                    f"{'、'.join(allowed)} のどれかにしてください",
                    f"{key}=",
                )
            attributes[key] = value
        label = el.identifier
        if label and kind_of(label) not in (kind, None):
            self.complain(f"callout-{name} の札 {label} の接頭辞が合いません", f"#{kind}-… としてください", label)
        return pf.Div(_title(title), *el.content, identifier=label, classes=["callout"], attributes=attributes)

    def _titled(self, el: pf.Div, shape: str, kind: str) -> pf.Div:
        title = self._pop_title(el, "name")
        return pf.Div(_title(title), *el.content, identifier=el.identifier, classes=[shape], attributes={"kind": kind})

    def _pop_title(self, el: pf.Div, attribute: str) -> list[pf.Element]:
        if el.attributes.get(attribute):
            return pandoc.inlines(el.attributes[attribute])
        if len(el.content) and isinstance(el.content[0], pf.Header):
            return list(el.content.pop(0).content)
        return []

    def _tabset(self, el: pf.Div) -> pf.Div:
        level = next((b.level for b in el.content if isinstance(b, pf.Header)), None)
        tabs: list[pf.Div] = []
        for block in el.content:
            if isinstance(block, pf.Header) and block.level == level:
                tabs.append(pf.Div(_title(list(block.content)), classes=["tab"]))
            elif tabs:
                tabs[-1].content.append(block)
            else:
                self.complain(
                    "panel-tabset の最初の見出しより前に本文があります", "見出しから始めてください", "panel-tabset"
                )
        if not tabs:
            self.complain("panel-tabset に見出しがありません", "タブごとに見出しを付けてください", "panel-tabset")
        return pf.Div(*tabs, classes=["tabset"])

    def _float_div(self, el: pf.Div, kind: str) -> pf.Element:
        content, attributes = list(el.content), el.attributes
        caption: list[pf.Element] = []
        if attributes.get(f"{kind}-cap"):
            caption = [pf.Plain(*pandoc.inlines(attributes[f"{kind}-cap"]))]
        elif content and isinstance(content[-1], pf.Para | pf.Plain) and not _only_image(content[-1]):
            caption = [content.pop()]
        if kind == "tbl" and len(content) == 1 and isinstance(content[0], pf.Table):
            table = content[0]
            table.identifier = el.identifier
            if caption:
                table.caption = _caption(caption)
            return table
        if self._is_layout(attributes):
            content = self._layout(content, attributes)
        classes = [] if kind == "fig" else [kind]
        return pf.Figure(*content, caption=_caption(caption), identifier=el.identifier, classes=classes)

    def _implicit_figure(self, el: pf.Figure) -> None:
        """![caption](image){#fig-x fig-alt="…"}: the label and the alt text move to where they act."""
        for image in _images(el):
            alt = image.attributes.pop("fig-alt", None)
            if alt:
                image.content = pandoc.plain(alt)
            image.attributes.pop("fig-align", None)
            if "aside" in image.classes:
                image.classes.remove("aside")
                el.classes.append("aside")
            if image.identifier and not el.identifier:
                el.identifier, image.identifier = image.identifier, ""

    def _linked_figure(self, el: pf.Para | pf.Plain) -> pf.Figure | None:
        """[![caption](image){#fig-x}](address), alone in its paragraph, is a figure, too."""
        link = el.content[0] if len(el.content) == 1 and isinstance(el, pf.Para) else None
        if not (isinstance(link, pf.Link) and len(link.content) == 1 and isinstance(link.content[0], pf.Image)):
            return None
        image = link.content[0]
        if not (image.identifier or len(image.content)):
            return None
        figure = pf.Figure(pf.Plain(link), caption=pf.Caption(pf.Plain(*image.content)))
        self._implicit_figure(figure)
        return figure

    # ---- layout ------------------------------------------------------------------------------

    @staticmethod
    def _is_layout(options: Any) -> bool:
        return any(key in options for key in ("layout-ncol", "layout-nrow", "layout"))

    def _layout(self, blocks: list[pf.Element], options: Any) -> list[pf.Element]:
        """Blocks in rows; on a narrow screen the page's style sheet puts them below each other."""
        cells = [cell for block in blocks for cell in _layout_cells(block)]
        rows = self._layout_rows(options, len(cells))
        grid: list[pf.Element] = []
        for widths in rows:
            row, cells = cells[: len(widths)], cells[len(widths) :]
            if row:
                grid.append(pf.Div(*row, classes=["layout"], attributes={"style": _grid(widths)}))
        return grid

    def _columns(self, el: pf.Div) -> pf.Div:
        """`.columns` of `.column width=40%` side by side; columns without a width share what is left."""
        widths: list[float | None] = []
        for column in el.content:
            given = column.attributes.pop("width", "") if isinstance(column, pf.Div) else ""
            widths.append(float(given[:-1]) if re.fullmatch(r"\d+(\.\d+)?%", given) else None)
            if given and widths[-1] is None:
                self.complain(
                    f".column の width={given} は使えない値です", '割合（width="40%"）で書いてください', given
                )
        rest = max(100 - sum(width for width in widths if width), 0) / max(widths.count(None), 1)
        return pf.Div(*el.content, identifier=el.identifier, classes=["layout", *el.classes],
                      attributes={"style": _grid([width or rest or 1 for width in widths])})  # fmt: skip

    def _layout_rows(self, options: Any, count: int) -> list[list[float]]:
        try:
            if options.get("layout") is not None:
                layout = options["layout"]
                layout = json.loads(layout) if isinstance(layout, str) else layout
                layout = layout if isinstance(layout[0], list) else [layout]
                rows = [[abs(float(width)) for width in row] for row in layout]
            elif options.get("layout-ncol") is not None:
                columns = int(options["layout-ncol"])
                rows = [[1.0] * columns] * -(-count // columns)
            else:
                columns = -(-count // int(options["layout-nrow"]))
                rows = [[1.0] * columns] * int(options["layout-nrow"])
        except (ValueError, TypeError, LookupError, ZeroDivisionError):
            self.complain(
                "段組（layout）の値を読めません", '"[[1,1],[1]]" か layout-ncol=2 のように書いてください', "layout"
            )
            return [[1.0] * max(count, 1)]
        missing = count - sum(map(len, rows))
        return rows + [[1.0]] * max(missing, 0)

    # ---- code blocks and equations -------------------------------------------------------------

    def _code_block(self, el: pf.CodeBlock) -> Any:
        block: pf.Element = el
        if note := ANNOTATION.search(el.text):
            self.complain("コード注釈（# <1>）には対応していません", "文章で説明してください", note[0])
        el.text = re.sub(rf"(?m)(`{{3,}}){ESCAPED.pattern}", r"\1\2", el.text)
        if (kind_of(el.identifier) if el.identifier else None) == "lst":
            label, el.identifier = el.identifier, ""
            caption = pandoc.inlines(el.attributes.pop("lst-cap", "") or "")
            block = pf.Figure(el, caption=pf.Caption(pf.Plain(*caption)), identifier=label, classes=["lst"])
        if el.attributes.pop("code-line-numbers", "false") == "true":
            el.classes.append("numberLines")
        name = el.attributes.pop("filename", None)
        if name:
            return pf.Div(block, classes=["filename"], attributes={"name": name})
        return None if block is el else block

    def _equations(self, el: pf.Para | pf.Plain) -> None:
        """$$…$$ {#eq-x} becomes one Span with the label."""
        inlines = list(el.content)
        done: list[pf.Element] = []
        for item in inlines:
            text = item.text if isinstance(item, pf.Str) else ""
            found = re.fullmatch(r"\{#(eq-[^\s{}]+)\}(.*)", text)
            if found:
                while done and isinstance(done[-1], pf.Space | pf.SoftBreak):
                    done.pop()
                if done and isinstance(done[-1], pf.Math) and done[-1].format == "DisplayMath":
                    done[-1] = pf.Span(done[-1], identifier=found[1], classes=["equation"])
                    if found[2]:
                        done.append(pf.Str(found[2]))
                    continue
                self.complain(
                    f"札 {{#{found[1]}}} の前に $$ の式がありません", "$$ … $$ {#eq-…} と書いてください", found[1]
                )
            elif fence := pandoc.loose_fence(item):
                self.complain(
                    f"囲み（{fence[:3]}）の開きと閉じが合いません", f"{fence[:3]} の組を確かめてください", fence
                )
            done.append(item)
        el.content = done


# ---- small helpers -------------------------------------------------------------------------------


def _caption(blocks: list[pf.Element]) -> pf.Caption:
    """A caption of one paragraph is a line, not a paragraph of its own."""
    return pf.Caption(*(pf.Plain(*block.content) if isinstance(block, pf.Para) else block for block in blocks))


def _grid(widths: list[float]) -> str:
    return "--columns: " + " ".join(f"minmax(0, {width:g}fr)" for width in widths)


def _title(inlines: list[pf.Element]) -> pf.Div:
    return pf.Div(pf.Plain(*inlines), classes=["title"])


def _html_blocks(html: str) -> list[pf.Element]:
    """Stored HTML: a table becomes a real table (captions, references, themes), the rest stays."""
    if "<table" in html:
        blocks = pandoc.blocks_of_html(re.sub(r"<style.*?</style>", "", html, flags=re.S))
        pf.Div(*blocks).walk(_number_if_captioned)
        return blocks
    return [pf.RawBlock(html, "html")]


def _number_if_captioned(el: pf.Element, doc: pf.Doc | None) -> None:
    """Quarto numbers a stored HTML table that has both an id and a caption, whatever its id."""
    if isinstance(el, pf.Table) and el.identifier and el.caption is not None and len(el.caption.content):
        el.classes.append("numbered")


def _is_printed(block: pf.Element) -> bool:
    return isinstance(block, pf.Div) and bool({"cell-output-stdout", "cell-output-stderr"} & set(block.classes))


def _images(el: pf.Element) -> list[pf.Image]:
    found: list[pf.Image] = []
    el.walk(lambda e, doc: found.append(e) if isinstance(e, pf.Image) else None)
    return found


def _only_image(el: pf.Para | pf.Plain) -> bool:
    items = [i for i in el.content if not isinstance(i, pf.Space | pf.SoftBreak)]
    return bool(items) and all(isinstance(i, pf.Image) for i in items)


def _layout_cells(block: pf.Element) -> list[pf.Element]:
    """A paragraph of several images is as many cells; anything else is one."""
    if isinstance(block, pf.Para | pf.Plain) and _only_image(block):
        return [pf.Plain(image) for image in block.content if isinstance(image, pf.Image)]
    return [block]
