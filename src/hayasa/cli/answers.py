"""Answers laid out for a terminal, a table program, or another program."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Sequence

from ..answer.cost import Cost
from ..answer.duration import AnswerTime
from ..answer.energy import AnswerEnergy
from ..answer.estimate import Estimate, available_text
from ..answer.explain import split_text
from ..answer.fit import DOES_NOT_FIT, FITS, TIGHT, MemoryFit
from ..engine.power import Watts
from ..listing import table_lines
from ..units import duration, gibibytes, scaled, significant


def print_json(value: object) -> None:
    """Print a value as JSON."""
    print(json.dumps(value, ensure_ascii=False, indent=2))


def _speed(value: float | None) -> str:
    return "不明" if value is None else f"{significant(value)} トークン/秒"


def estimate_lines(result: Estimate) -> list[str]:
    """Lay out one estimate as a small table."""
    count = f" × {result.devices} 台（{result.split}）" if result.devices > 1 and not result.parts else ""
    limits = {"memory": "メモリ帯域幅", "compute": "計算力"}
    interval = (
        f"{significant(result.decode_tokens_per_s_low)} ～ {significant(result.decode_tokens_per_s_high)} トークン/秒"
    )
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
        ("1 ステップで読み出す量", scaled(result.bytes_per_step, "B")),
        (
            "必要なメモリ",
            _memory_text(result.fit),
        ),
        *_host_rows(result),
        *_context_rows(result),
        *_prompt_rows(result),
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


def memory_lines(result: Estimate) -> list[str]:
    """Say that a model has no room, or may have none, and with what options it has; nothing where it has."""
    places = [("メモリ", result.fit), ("主記憶", result.host_fit)]
    lines = [
        f"{place}{_NO_ROOM[fit.verdict]}（必要な量 {gibibytes(fit.required_bytes)}、使える量 {available_text(fit)}）。"
        for place, fit in places
        if fit and fit.verdict in _NO_ROOM
    ]
    ways = result.ways_to_fit()
    if ways:
        lines.append("入れるには、次のどれかを試してください。")
    for way in ways:
        lines += [f"  - {way.text}", *([f"      {way.options}"] if way.options else [])]
    return lines


_NO_ROOM = {TIGHT: "に入るかどうか、きわどい量です", DOES_NOT_FIT: "に入りません"}


def _host_rows(result: Estimate) -> list[tuple[str, str]]:
    if not result.offload:
        return []
    lies = split_text(result.offload, result.model)
    return [("分け方", lies), ("CPU の側のメモリ", _memory_text(result.offload.fit))]


def _prompt_rows(result: Estimate) -> list[tuple[str, str]]:
    after = f"（{result.cached_tokens:,} トークンの後）" if result.cached_tokens else ""
    title = f"プロンプト {result.prompt_length:,} トークン{after}"
    time = result.prompt_time
    if time is None:
        return [(title, "不明、最初のトークンまで 不明")]
    interval = f"（90%区間 {duration(time.fast_s)} ～ {duration(time.slow_s)}）"
    return [
        (title, _speed(result.prefill_tokens_per_s)),
        ("最初のトークンまで", f"{duration(time.best_s)}{interval}"),
    ]


def _context_rows(result: Estimate) -> list[tuple[str, str]]:
    longest = result.longest_context_length
    if longest is None or longest < 0:
        return []
    limit = "（モデルの上限）" if longest == result.model.context_length_max else ""
    return [("入る文脈", f"{longest:,} トークン{limit}")]


def answer_lines(result: Estimate, time: AnswerTime, answer_tokens: int, thinking_tokens: int) -> list[str]:
    """Lay out how long a whole answer takes, step by step."""
    rows = [(f"プロンプト {result.prompt_length:,} トークンを処理する", _time(time.first_token_s))]
    if thinking_tokens:
        rows.append((f"{thinking_tokens:,} トークン考える", _time(time.thinking_s)))
    rows += [(f"{answer_tokens:,} トークン答える", _time(time.answer_s)), ("合わせて", _time(time.total_s))]
    if time.total_low_s is not None and time.total_high_s is not None:
        rows.append(("90%区間", f"{_time(time.total_low_s)} ～ {_time(time.total_high_s)}"))
    return table_lines(rows, right="lr")


def cost_lines(price: Cost, answer: AnswerEnergy | None, answer_tokens: int, thinking_tokens: int) -> list[str]:
    """Lay out what a million tokens take and cost, then what was assumed."""
    spent = price.spent
    result, limit_w = spent.decode, spent.power_limit_w
    count = f" × {result.devices} 台" if result.devices > 1 else ""
    limit = "" if limit_w is None else f"、上限 {significant(limit_w)} W"
    rows = [
        ("モデル", f"{result.model.name or result.model.id}（{result.weights.id}）"),
        (
            "デバイス",
            f"{result.device.name or result.device.id}{count}（定格 {significant(spent.rated_power_w)} W{limit}）",
        ),
        ("同時に進める系列", f"{result.batch_size}"),
        ("生成の速さ", _speed(result.decode_tokens_per_s)),
        ("生成中の電力", _watts(spent.decode_power)),
        ("プロンプトを処理する間の電力", _watts(spent.prompt_power)),
        (
            "生成のエネルギー",
            _range(
                spent.decode_joules_per_token,
                spent.decode_joules_per_token_low,
                spent.decode_joules_per_token_high,
                "ジュール/トークン",
            ),
        ),
        ("プロンプトのエネルギー", _amount(spent.prompt_joules_per_token, "ジュール/トークン")),
    ]
    if answer is not None:
        thought = f"考える {thinking_tokens:,}、" if thinking_tokens else ""
        rows.append(
            (
                f"一つの回答（プロンプト {result.prompt_length:,}、{thought}答える {answer_tokens:,} トークン）",
                _amount(answer.total_wh, "Wh"),
            )
        )
    unit = "円/100万トークン"
    rows += [
        ("生成の電気代", _range(price.electricity_yen, price.electricity_low_yen, price.electricity_high_yen, unit)),
        ("プロンプトの電気代", _amount(price.prompt_electricity_yen, unit)),
    ]
    if price.idle_yen is not None:
        rows.append(("使わない間の電気代", _amount(price.idle_yen, unit)))
    if price.machine_yen is not None:
        rows.append(("機械の代金", _amount(price.machine_yen, unit)))
        rows.append(("電気代と機械の代金", _amount(price.owned_yen, unit)))
    if price.rent_yen is not None:
        rows.append(("借りたとき", _amount(price.rent_yen, unit)))
    return (
        table_lines(rows)
        + [f"仮定: {text}" for text in price.assumptions]
        + [f"注意: {note}" for note in (*result.notes, *spent.notes)]
    )


def cost_json(price: Cost, answer: AnswerEnergy | None) -> dict[str, object]:
    """Return the same as plain values."""
    more = {"answer": {**answer._asdict(), "total_wh": answer.total_wh}} if answer else {}
    return {**price.to_dict(), "energy": price.spent.to_dict(), **more}


def _watts(power: Watts) -> str:
    return _range(power.best_w, power.low_w, power.high_w, "W")


def _range(best: float, low: float, high: float, unit: str) -> str:
    return f"{significant(best)} {unit}（90%区間 {significant(low)} ～ {significant(high)}）"


def _amount(value: float | None, unit: str) -> str:
    return "不明" if value is None else f"{significant(value)} {unit}"


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "不明"
    return duration(seconds)


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
