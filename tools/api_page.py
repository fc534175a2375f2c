"""Write `api.qmd`, the book's page of hayasa's functions, from their docstrings.

``python -m tools.api_page`` writes it, ``python -m tools.api_page --check`` only says whether it
is up to date. The page is a source like any other: Quarto and press both read it.
"""

import logging
import re
import sys
import textwrap
from itertools import groupby
from pathlib import Path

import griffe

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "api.qmd"
INTRODUCTION = """\
# hayasaの関数 {.unnumbered .dense}

`import hayasa`で使える名前の一覧です。
説明は、コードの中の説明文（docstring、英語）からそのまま作っています。
単位は名前の終わりに付いています。`_bytes`はバイト、`_s`は秒、`_per_s`は毎秒です。
章の中での使い方は[第3章](chapters/03-a100-vs-macmini.ipynb)から先を見てください。
"""


def page() -> str:
    """Return the whole page."""
    logging.getLogger("griffe").setLevel(logging.ERROR)  # it expects what is no dataclass to be one
    package = griffe.load("hayasa", search_paths=[str(ROOT / "src")], docstring_parser="numpy")
    parts = [INTRODUCTION]
    for module_name, names in public_names().items():
        module = package[module_name]
        parts.append(f"## {module_name} {{#module-{re.sub('[._]', '-', module_name)}}}\n")
        parts.append(english(markdown(first_paragraph(module.docstring))) + "\n")
        parts += [entry(module[name], name) for name in names]
    return "\n".join(parts)


def public_names() -> dict[str, list[str]]:
    """Return the public names by module, as the package's stub lists them."""
    stub = (ROOT / "src" / "hayasa" / "__init__.pyi").read_text(encoding="utf-8")
    found: dict[str, list[str]] = {}
    for module, name in re.findall(r"^from \.(\S+) import \w+ as (\w+)$", stub, re.MULTILINE):
        found.setdefault(module, []).append(name)
    return found


def entry(item: griffe.Object, name: str) -> str:
    """Return the part of the page on one function, class or constant."""
    lines = [f"### `{name}` {{#api-{name}}}\n"]
    if item.is_function or (item.is_class and len(item.parameters)):
        lines.append(f"```python\n{signature(item, name)}\n```\n")
    for section in item.docstring.parsed if item.docstring else []:
        lines.append(SECTIONS[section.kind.value](section.value) + "\n")
    return "\n".join(lines)


def signature(item: griffe.Object, name: str) -> str:
    """Return the call as one writes it; what kind each parameter is stands with its meaning."""
    parameters, starred = [], False
    for parameter in item.parameters:
        if parameter.name in ("self", "cls"):
            continue
        if parameter.kind is griffe.ParameterKind.keyword_only and not starred:
            parameters, starred = [*parameters, "*"], True
        stars = {"variadic positional": "*", "variadic keyword": "**"}.get(parameter.kind.value, "")
        default = "" if parameter.default is None or stars else f"={parameter.default}"
        parameters.append(f"{stars}{parameter.name}{default}")
    result = ""
    if item.is_function and item.returns is not None:
        result = f" -> {item.returns}"
    flat = f"{name}({', '.join(parameters)}){result}"
    return textwrap.fill(flat, 60, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)


# ---- sections of a docstring -----------------------------------------------------------------


def described(items: list, heading: str) -> str:
    """Return a titled list of parameters, attributes or results."""
    lines = []
    # Names that share a line of the docstring share one here.
    for (annotation, description), group in groupby(items, lambda i: (i.annotation, i.description)):
        names = "、".join(f"`{item.name}`" for item in group if getattr(item, "name", ""))
        kind = f"`{annotation}`" if annotation else ""
        head = f"{names}（{kind}）" if names and kind else names or kind
        text = markdown(description).replace("\n", " ").strip()
        lines.append(f"- {head}：{text}" if head else f"- {text}")
    return f"**{heading}**\n\n" + english("\n".join(lines))


def examples(items: list) -> str:
    """Return text and doctests, the latter as code."""
    parts = ["**例**"]
    for kind, text in items:
        is_code = kind is griffe.DocstringSectionKind.examples
        parts.append(f"```python\n{text}\n```" if is_code else english(markdown(text)))
    return "\n\n".join(parts)


SECTIONS = {
    "text": lambda text: english(markdown(text)),
    "parameters": lambda items: described(items, "引数"),
    "attributes": lambda items: described(items, "属性"),
    "returns": lambda items: described(items, "戻り値"),
    "yields": lambda items: described(items, "順に返すもの"),
    "raises": lambda items: described(items, "例外"),
    "examples": examples,
    "admonition": lambda note: english(markdown(note.contents)),
}


def english(text: str) -> str:
    """Return text of a docstring so that a Japanese page is read out in English there."""
    return f"::: {{lang=en}}\n{text.strip()}\n:::"


def first_paragraph(docstring: griffe.Docstring | None) -> str:
    """Return the beginning of a module's docstring."""
    return docstring.value.split("\n\n")[0] if docstring else ""


def markdown(text: str) -> str:
    """Return reStructuredText of the kind docstrings use as Markdown."""
    text = re.sub(r"\.\. math::[ ]*\n?((?:[ ]*\S.*(?:\n|$))+)", math_block, text)
    text = re.sub(r":math:`([^`]*)`", r"$\1$", text)
    text = re.sub(r"``([^`]+)``", r"`\1`", text)
    return re.sub(r"(?<=\w)::$", ":", text, flags=re.MULTILINE)


def math_block(found: re.Match) -> str:
    """Return a displayed formula."""
    return "$$\n" + "\n".join(line.strip() for line in found[1].strip().splitlines()) + "\n$$\n"


def main(arguments: list[str]) -> int:
    """Write the page, or with --check compare it."""
    fresh = page()
    if "--check" in arguments:
        same = PAGE.is_file() and PAGE.read_text(encoding="utf-8") == fresh
        if not same:
            print("api.qmd が古くなっています。make api で作り直してください。", file=sys.stderr)
        return 0 if same else 1
    PAGE.write_text(fresh, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
