"""Answers laid out for a terminal, a table program, or another program."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Sequence

from ..answer.duration import AnswerTime
from ..answer.estimate import Estimate, available_text
from ..answer.explain import split_text
from ..answer.fit import DOES_NOT_FIT, FITS, TIGHT, MemoryFit
from ..listing import table_lines
from ..units import duration, gibibytes, scaled, significant


def print_json(value: object) -> None:
    """Print a value as JSON."""
    print(json.dumps(value, ensure_ascii=False, indent=2))


def _speed(value: float | None) -> str:
    return "不明" if value is None else f"{significant(value)} トークン/秒"


def estimate_lines(result: Estimate) -> list[str]:
    """Lay out one estimate as a small table."""
    count = f" × {result.devices} 台（{result.split}）" if result.devices > 1 else ""
    limits = {"memory": "メモリ帯域幅", "compute": "計算力"}
    interval = (
        f"{significant(result.decode_tokens_per_s_low)} ～ {significant(result.decode_tokens_per_s_high)} トークン/秒"
    )
    first = result.time_to_first_token_s
    rows = [
        ("モデル", f"{result.model.name or result.model.id}（{result.weights.id}）"),
        ("デバイス", f"{result.device.name or result.device.id}{count}"),
        (
            "条件",
            f"{result.engine.id}{f'（{result.backend}）' if result.backend else ''}、バッチ {result.batch_size}、文脈 {result.context_length:,} トークン",
        ),
        ("生成の上限", _speed(result.decode_tokens_per_s_bound)),
        ("生成の見積り", _speed(result.decode_tokens_per_s) + ("（メモリに入れば）" if result.fits is False else "")),
        ("90%区間", interval),
        ("何が決めるか", limits[result.bound_by]),
        ("1 ステップで読む量", scaled(result.bytes_per_step, "B")),
        (
            "必要なメモリ",
            _memory_text(result.fit),
        ),
        *_host_rows(result),
        *_context_rows(result),
        (
            f"プロンプト {result.prompt_length:,} トークン",
            f"{_speed(result.prefill_tokens_per_s)}、最初のトークンまで {'不明' if first is None else duration(first)}",
        ),
        ("補正", _calibration_text(result)),
    ]
    return table_lines(rows) + [f"注意: {note}" for note in result.notes]


_VERDICTS = {FITS: "入ります", TIGHT: "きわどい量です", DOES_NOT_FIT: "入りません"}


def _memory_text(fit: MemoryFit) -> str:
    needed = gibibytes(fit.required_bytes)
    if fit.verdict is None:
        return f"{needed}（容量が分かりません）"
    return (
        f"{needed}、使えるのは {gibibytes(fit.capacity_bytes)} のうち {available_text(fit)}（{_VERDICTS[fit.verdict]}）"
    )


def _host_rows(result: Estimate) -> list[tuple[str, str]]:
    if not result.offload:
        return []
    lies = split_text(result.offload, result.model)
    return [("分け方", lies), ("CPU の側のメモリ", _memory_text(result.offload.fit))]


def _context_rows(result: Estimate) -> list[tuple[str, str]]:
    longest = result.longest_context_length
    if longest is None or longest < 0:
        return []
    limit = "（モデルの上限）" if longest == result.model.context_length_max else ""
    return [("入る文脈", f"{longest:,} トークン{limit}")]


def answer_lines(result: Estimate, time: AnswerTime, answer_tokens: int, thinking_tokens: int) -> list[str]:
    """Lay out how long a whole answer takes, step by step."""
    rows = [(f"プロンプト {result.prompt_length:,} トークンを読む", _time(time.first_token_s))]
    if thinking_tokens:
        rows.append((f"{thinking_tokens:,} トークン考える", _time(time.thinking_s)))
    rows += [(f"{answer_tokens:,} トークン答える", _time(time.answer_s)), ("合わせて", _time(time.total_s))]
    return table_lines(rows, right="lr")


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "不明"
    return duration(seconds) if seconds < LONG_S else f"{significant(seconds / 60)} 分"


LONG_S = 120.0
"""Seconds from which minutes are easier to read."""


def _calibration_text(result: Estimate) -> str:
    calibration = result.calibration
    if calibration is None:
        return "なし（物理的な上限）"
    error = calibration.error_device_held_out
    if result.offload:
        host = result.offload.calibration
        missed = f"、未知の計算機での外れ {significant(100 * host.error_offloaded_machine_held_out, 2)}%"
        return f"{calibration.id}（実測 {calibration.rows} 件）と CPU の側（実測 {host.rows} 件{missed}）"
    missed = f"、未知の機種での外れ {significant(100 * error, 2)}%" if error else ""
    return f"{calibration.id}（実測 {calibration.rows} 件{missed}）"


_RANK_COLUMNS: tuple[tuple[str, str, Callable[[Estimate], object]], ...] = (
    ("model", "モデル", lambda result: result.model.id),
    ("device", "デバイス", lambda result: result.device.id),
    ("weights", "形式", lambda result: result.weights.id),
    ("memory_capacity_bytes", "メモリ", lambda result: result.device.memory_capacity_bytes or None),
    ("decode_tokens_per_s", "見積り", lambda result: result.decode_tokens_per_s),
    ("decode_tokens_per_s_low", "下端", lambda result: result.decode_tokens_per_s_low),
    ("decode_tokens_per_s_high", "上端", lambda result: result.decode_tokens_per_s_high),
    ("decode_tokens_per_s_bound", "上限", lambda result: result.decode_tokens_per_s_bound),
    ("memory_required_bytes", "必要量", lambda result: result.fit.required_bytes),
    ("fits", "入るか", lambda result: result.fit.verdict),
)


_SUBJECTS = ("model", "device", "weights", "memory_capacity_bytes")


def print_ranking(
    results: Sequence[Estimate], *subjects: str, as_csv: bool, as_json: bool, ranked: bool = True
) -> None:
    """Print estimates, as a table with those columns that tell what each is about: `subjects`.

    They come fastest first, what fits before what does not, unless they are in an order of their own.
    """
    if ranked:
        results = sorted(results, key=lambda result: (result.fits is False, -result.decode_tokens_per_s))
    if as_json:
        print_json([result.to_dict() for result in results])
        return
    if as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(name for name, _, _ in _RANK_COLUMNS)
        writer.writerows([_cell(read(result)) for *_, read in _RANK_COLUMNS] for result in results)
        return
    columns = [column for column in _RANK_COLUMNS if column[0] in subjects or column[0] not in _SUBJECTS]
    rows = [[_text(name, read(result)) for name, _, read in columns] for result in results]
    right = "".join("l" if name in ("model", "device", "weights", "fits") else "r" for name, _, _ in columns)
    print("\n".join(table_lines(rows, header=[title for _, title, _ in columns], right=right)))
    print("\n見積り・下端・上端・上限の単位はトークン/秒、区間は90%。")


_SHORT_VERDICTS = {FITS: "入る", TIGHT: "きわどい", DOES_NOT_FIT: "入らない"}


def _cell(value: object) -> object:
    return "" if value is None else value


def _text(name: str, value: object) -> str:
    if name == "fits":
        return _SHORT_VERDICTS[value] if isinstance(value, str) else "不明"
    if isinstance(value, float):
        return gibibytes(value) if name.endswith("bytes") else significant(value)
    return "不明" if value is None else str(value)
