"""Rows of tables: what llama-bench and llama-batched-bench print, as Markdown, CSV or JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from .run import BOTH, DECODE, PROMPT

BENCH, BATCHED = "llama-bench", "llama-batched-bench"

_COLUMNS = {
    # llama-bench's Markdown
    "model": "model_type",
    "size": "file_bytes",
    "params": "parameters",
    "backend": "backend",
    "ngl": "gpu_layers",
    "n_cpu_moe": "cpu_expert_layers",
    "ncmoe": "cpu_expert_layers",
    "type_k": "kv_cache",
    "nkvo": "cache_on_cpu",
    "no_kv_offload": "cache_on_cpu",
    "sm": "split",
    "test": "test",
    "t/s": "tokens_per_s",
    # its CSV and JSON
    "model_type": "model_type",
    "model_size": "file_bytes",
    "model_n_params": "parameters",
    "gpu_info": "device",
    "backends": "backend",
    "n_gpu_layers": "gpu_layers",
    "split_mode": "split",
    "n_prompt": "prompt_tokens",
    "n_gen": "decode_tokens",
    "n_depth": "depth",
    "avg_ts": "tokens_per_s",
    "build_number": "build",
    # llama-batched-bench
    "pp": "prompt_tokens",
    "tg": "decode_tokens",
    "b": "batch_size",
    "s_pp t/s": "prompt_speed",
    "s_tg t/s": "decode_speed",
    # tables that people make of them
    "gpu": "device",
    "device": "device",
    "chip": "device",
    "file": "model",
    "quant": "weights",
}
"""Fact by column title; what is not here (threads, ubatch, mmap, …) does not change what is asked."""

_TEST = re.compile(
    r"(?:pp\s*(?P<prompt_tokens>\d+))?\s*\+?\s*(?:tg\s*(?P<decode_tokens>\d+))?(?:\s*@\s*d\s*(?P<depth>\d+))?",
    re.ASCII,
)
_TEST_COLUMN = re.compile(r"((?:pp|tg)\s?\d+(?:\s*@\s*d\s*\d+)?)(?:\s*\(?t/s\)?)?", re.ASCII | re.IGNORECASE)
_LEADING_NUMBER = re.compile(r"[\s*_]*(\d[\d,]*(?:\.\d+)?)", re.ASCII)
_MODEL_TYPE = re.compile(
    r"(?P<model>.+?)\s+(?P<weights>(?:(?:mostly|all)\s+)?(?:I?Q|TQ|B?F|MXFP|NVFP)\d\S*(?:\s.*)?)",
    re.ASCII | re.IGNORECASE,
)


class Cells:
    """The columns of one table, which turn a row into what it says of one or more speeds.

    Parameters
    ----------
    titles : sequence of str
        What stands above the columns.
    """

    def __init__(self, titles: Sequence[str]) -> None:
        self.titles = [title.strip().strip("*` ").lower() for title in titles]

    @property
    def tells_speeds(self) -> bool:
        """Whether a column holds speeds that are understood."""
        return any(
            _COLUMNS.get(title) in ("tokens_per_s", "decode_speed") or _TEST_COLUMN.fullmatch(title)
            for title in self.titles
        )

    def speeds(self, row: dict[str, str] | Sequence[str]) -> Iterator[tuple[dict[str, str], str, float]]:
        """Yield facts, kind and speed of each speed in a row.

        Raises
        ------
        ValueError
            If a cell does not hold what its column should; the message is Japanese.
        """
        cells = row if isinstance(row, dict) else dict(zip(self.titles, row, strict=True))
        facts = {"tool": BENCH, "engine": "llama.cpp"}
        for title, cell in cells.items():
            if title in _COLUMNS and cell.strip():
                facts[_COLUMNS[title]] = cell.strip()
        _read_model_type(facts)
        for title in self.titles:
            column = _TEST_COLUMN.fullmatch(title)
            if column and cells[title].strip(" -*"):
                yield _test(facts, column[1], cells[title])
        if "decode_speed" in facts:
            reads = {**facts, "tool": BATCHED}
            writes = dict(reads)
            if "n_kv" in cells and "b" not in cells:
                # A sweep over contexts: both start behind so many tokens, not one behind the other.
                reads["depth"] = cells["n_kv"].strip()
                writes["depth"] = reads["depth"]
                writes.pop("prompt_tokens")
            yield reads, PROMPT, _number(facts["prompt_speed"])
            yield writes, DECODE, _number(facts["decode_speed"])
        elif "test" in facts:
            yield _test(facts, facts["test"], facts.get("tokens_per_s", ""))
        elif "tokens_per_s" in facts:
            yield facts, _kind(facts), _number(facts["tokens_per_s"])


def _test(facts: dict[str, str], test: str, cell: str) -> tuple[dict[str, str], str, float]:
    found = _TEST.fullmatch(test.strip().lower())
    if not found or not (found["prompt_tokens"] or found["decode_tokens"]):
        raise ValueError(f"試験の名 {test!r} が pp512 や tg128 の形ではありません")
    own = {name: digits for name, digits in found.groupdict().items() if digits}
    whole = {**facts, **own}
    return whole, _kind(whole), _number(cell)


def _kind(facts: Mapping[str, str]) -> str:
    reads, writes = [facts.get(name, "0") not in ("", "0") for name in ("prompt_tokens", "decode_tokens")]
    return BOTH if reads and writes else PROMPT if reads else DECODE


def _number(cell: str) -> float:
    """Return the number that a cell begins with: 123.45 of ``123.45 ± 0.67``."""
    found = _LEADING_NUMBER.match(cell)
    if not found:
        raise ValueError(f"速さの欄 {cell.strip()!r} が数ではありません")
    return float(found[1].replace(",", ""))


def _read_model_type(facts: dict[str, str]) -> None:
    """Split ``qwen3moe 30B.A3B Q4_K - Medium`` into the model and its format."""
    whole = facts.pop("model_type", "").strip("*` ")
    found = _MODEL_TYPE.fullmatch(whole)
    if found:
        facts["model"] = found["model"]
        facts["weights"] = found["weights"]
        facts["architecture"] = found["model"].split()[0].lower()
    elif whole:
        facts["model"] = whole


def cells_of(line: str) -> list[str] | None:
    """Return the cells of a line of a Markdown table; None if it is none.

    Examples
    --------
    >>> cells_of("| llama 7B Q4_0 | tg128 |"), cells_of("tg128")
    (['llama 7B Q4_0', 'tg128'], None)
    """
    text = line.strip()
    if not (text.startswith("|") and text.endswith("|") and len(text) > 2):
        return None
    return [cell.strip() for cell in text[1:-1].split("|")]


def is_rule(cells: Sequence[str]) -> bool:
    """Whether the cells are the line between titles and rows."""
    return all(cell and not cell.strip("-: ") for cell in cells)
