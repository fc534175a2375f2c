"""Write the table of common choices into `calculator.qmd`.

Readers without JavaScript, and readers on paper, get this table. ``python -m
tools.calculator_table`` writes it, ``--check`` only says whether it is up to date.
"""

import re
import sys
from dataclasses import replace
from pathlib import Path

import hayasa
from hayasa.units import GIB, significant

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "calculator.qmd"
# Device and, where it is sold with several, GB of memory.
MACHINES = (
    ("apple-m2-8c", 16),
    ("apple-m4-10c", 16),
    ("apple-m4-pro-20c", 24),
    ("apple-m4-max-40c", 64),
    ("apple-m3-ultra-80c", 256),
    ("ryzen-ai-max-395", None),
    ("dgx-spark", None),
    ("rtx-3060", None),
    ("rtx-4090", None),
    ("rtx-5090", None),
    ("a100-80gb-pcie", None),
    ("h100-80gb-sxm", None),
)
MODELS = (
    ("llama-3.2-3b", "q4_k_m"),
    ("llama-3.1-8b", "q4_k_m"),
    ("gpt-oss-20b", "mxfp4"),
    ("qwen3-30b-a3b", "q4_k_m"),
    ("qwen3-32b", "q4_k_m"),
    ("llama-3.3-70b", "q4_k_m"),
)
CONTEXT_LENGTH = 2048
CAPTION = ": よく使う組み合わせの見積り（llama.cpp、トークン/秒、かっこの中は90%区間） {#tbl-common-choices}"
PLACE = re.compile(r"(?<=<!-- 早見表：make calculator-table で作り直します -->\n\n).*?(?=\n\n<!-- 早見表の終わり -->)", re.DOTALL)


def cell(model: str, weights: str, device: hayasa.Device) -> str:
    """Return the speed and its interval, or a dash where it does not fit."""
    result = hayasa.estimate(model, device, weights=weights, context_length=CONTEXT_LENGTH)
    if not result.fits:
        return "―"
    low, high = significant(result.decode_tokens_per_s_low, 2), significant(result.decode_tokens_per_s_high, 2)
    return f"{significant(result.decode_tokens_per_s, 2)}（{low}～{high}）"


def table() -> str:
    """Return the table in Markdown."""
    head = [f"{hayasa.get_model(model).name} {weights.upper()}" for model, weights in MODELS]
    lines = ["| 機械 | " + " | ".join(head) + " |", "|:------------------|" + "----------:|" * len(MODELS)]
    for name, memory_gb in MACHINES:
        device = hayasa.get_device(name)
        if memory_gb:
            device = replace(device, memory_capacity_bytes=memory_gb * GIB)
        title = device.name.replace(" コア", "コア")
        shown = f"{title}、{memory_gb} GB" if memory_gb else title
        lines.append(f"| {shown} | " + " | ".join(cell(model, weights, device) for model, weights in MODELS) + " |")
    return "\n".join([*lines, "", CAPTION])


def main(arguments: list[str]) -> int:
    """Write the table into the page, or with --check compare it."""
    old = PAGE.read_text(encoding="utf-8")
    fresh, places = PLACE.subn(lambda _: table(), old)
    if places != 1:
        print("calculator.qmd に、早見表の場所を示す注釈が見つかりません。", file=sys.stderr)
        return 1
    if "--check" not in arguments:
        PAGE.write_text(fresh, encoding="utf-8")
    elif fresh != old:
        print("calculator.qmd の早見表が古くなっています。make calculator-table で作り直してください。", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
