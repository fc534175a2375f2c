"""A record as a text for people."""

from __future__ import annotations

from ..catalog.objects import get_device
from ..listing import table_lines
from ..units import scaled, significant
from .record import PITFALLS, Check, Record, Row, checks


def record_lines(record: Record, device: str = "") -> list[str]:
    """Lay out a record: each measurement, its prediction and their ratio."""
    machine = record.machine
    caches = "、".join(f"{level} {size // 1024:,} KiB" for level, size in machine["caches_bytes"].items())
    lines = table_lines(
        [
            ["測った日", record.measured_on],
            [
                "機械",
                f"{machine['processor']}（{machine['logical_cores']} コア、"
                f"メモリ {scaled(machine['memory_bytes'], 'B')}、{machine['system']}）",
            ],
            ["キャッシュ", caches or "不明"],
            ["かかった時間", f"{significant(record.method['seconds'])} s"],
            ["使ったメモリ", scaled(record.method["peak_memory_bytes"], "B")],
        ]
    )
    lines.append("")
    table = [
        [_what(row), _value(row, row.measured), _value(row, row.predicted), _ratio(row.ratio)] for row in record.rows
    ]
    if device:
        catalog = get_device(device)
        cores = record.row("bandwidth-all-cores").measured
        share = cores / catalog.memory_bandwidth_bytes_per_s
        published = scaled(catalog.memory_bandwidth_bytes_per_s, "B/s")
        table.append(
            [f"帯域幅（全コア、見積りは {catalog.id} の公称値）", scaled(cores, "B/s"), published,
             _ratio(share)]
        )  # fmt: skip
    lines += table_lines(table, header=["測ったもの", "実測", "見積り", "実測/見積り"], right="lrrr")
    lines.append("")
    table = [
        [check.name, _ratio(check.value), _range(check), "はい" if check.holds else "いいえ"]
        for check in checks(record)
    ]
    return lines + table_lines(table, header=["どの機械でも成り立つはずの比", "値", "範囲", "範囲内"], right="lrrl")


def _what(row: Row) -> str:
    if row.kind == "bandwidth":
        return f"帯域幅（作業量 {_binary(row.read_bytes)}）"
    if row.kind == "bandwidth-all-cores":
        return "帯域幅（全コア）"
    if row.kind == "pitfall":
        return f"落とし穴：{PITFALLS[row.id]}"
    if row.kind == "bandwidth-rows":
        return f"帯域幅（{row.weights}、行ごと、作業量 {_binary(row.read_bytes)}）"
    if row.kind == "peak":
        return f"計算力（{row.weights} の行列積）"
    size = scaled(row.read_bytes, "B")
    if row.kind == "decode":
        return f"デコード（{row.weights}、重み {size}）"
    return f"バッチ {row.batch_size}（{row.weights}、重み {size}）"


def _binary(n_bytes: int) -> str:
    for factor, unit in ((2**20, "MiB"), (2**10, "KiB")):
        if n_bytes >= factor:
            return f"{n_bytes // factor} {unit}"
    return f"{n_bytes} B"


def _value(row: Row, value: float) -> str:
    if not value:
        return "-"
    return f"{significant(value)} トークン/秒" if row.unit == "tokens/s" else scaled(value, row.unit)


def _ratio(value: float) -> str:
    return f"{value:.2f}" if value else "-"


def _range(check: Check) -> str:
    high = "" if check.high == float("inf") else f"{check.high:g}"
    return f"{check.low:g} ～ {high}".rstrip()
