"""Write the table of common choices into `calculator.qmd`.

Readers without JavaScript, and readers on paper, get this table. ``python -m
tools.calculator_table`` writes it, ``--check`` only says whether it is up to date.
"""

import re
import sys
from dataclasses import replace
from pathlib import Path

import hayasa
from hayasa.answer.fit import DOES_NOT_FIT, TIGHT
from hayasa.units import GIB, significant

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "calculator.qmd"
# Device, what it is called in the table and, where it is sold with several sizes, GB of memory.
MACHINES = (
    ("apple-m2-8c", "M2（GPU 8コア）", 16),
    ("apple-m4-10c", "M4（GPU 10コア）", 16),
    ("apple-m4-pro-20c", "M4 Pro（GPU 20コア）", 24),
    ("apple-m4-max-40c", "M4 Max（GPU 40コア）", 64),
    ("apple-m3-ultra-80c", "M3 Ultra（GPU 80コア）", 256),
    ("ryzen-ai-max-395", "Ryzen AI Max+ 395", 128),
    ("dgx-spark", "DGX Spark", 128),
    ("rtx-3060", "RTX 3060", 12),
    ("rtx-4090", "RTX 4090", 24),
    ("rtx-5090", "RTX 5090", 32),
    ("a100-80gb-pcie", "A100 PCIe", 80),
    ("h100-80gb-sxm", "H100 SXM", 80),
)
MODELS = (
    ("llama-3.1-8b", "q4_k_m"),
    ("gpt-oss-20b", "mxfp4"),
    ("qwen3-32b", "q4_k_m"),
    ("llama-3.3-70b", "q4_k_m"),
)
CONTEXT_LENGTH = 2048
SIGNS = {TIGHT: "△", DOES_NOT_FIT: "―"}
CAPTION = ": よく使う組み合わせの見積り（llama.cpp、トークン/秒、かっこの中は90%区間） {#tbl-common-choices}"
PLACE = re.compile(
    r"(?<=<!-- 早見表：make calculator-table で作り直します -->\n\n).*?(?=\n\n<!-- 早見表の終わり -->)", re.DOTALL
)


def cell(model: str, weights: str, device: hayasa.Device) -> str:
    """Return the speed and its interval, or a sign where memory is short."""
    result = hayasa.estimate(model, device, weights=weights, context_length=CONTEXT_LENGTH)
    if result.fit.verdict in SIGNS:
        return SIGNS[result.fit.verdict]
    low, high = significant(result.decode_tokens_per_s_low, 2), significant(result.decode_tokens_per_s_high, 2)
    return f"{significant(result.decode_tokens_per_s, 2)}（{low}～{high}）"


def table() -> str:
    """Return the table in Markdown."""
    head = [f"{hayasa.get_model(model).name}、{weights.upper()}" for model, weights in MODELS]
    lines = ["| 機械とメモリ | " + " | ".join(head) + " |", "|:----------------" + "|-----------:" * len(MODELS) + "|"]
    for device_id, title, memory_gb in MACHINES:
        device = replace(hayasa.get_device(device_id), memory_capacity_bytes=memory_gb * GIB)
        lines.append(
            f"| {title}、{memory_gb} GB | "
            + " | ".join(cell(model, weights, device) for model, weights in MODELS)
            + " |"
        )
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
        print(
            "calculator.qmd の早見表が古くなっています。make calculator-table で作り直してください。", file=sys.stderr
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
