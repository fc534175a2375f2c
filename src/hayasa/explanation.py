"""The sum behind an estimate, written out step by step in Japanese."""

from __future__ import annotations

from typing import NamedTuple

from .calibration import COEFFICIENTS, step_waits_s
from .estimation import Estimate, does_not_fit_message
from .kv_cache import kv_values_per_layer
from .models import active_parameters, total_parameters
from .units import duration, gibibytes, scaled, significant
from .weights import weight_bytes_resident

_WAIT_NAMES = {
    "weight_read_factor": "重みを読む",
    "unpack_cycles_per_byte": "重みをほどいて掛ける",
    "attention_cycles_per_flop": "注意機構の計算",
    "kv_read_factor": "KV キャッシュを読む",
    "cycles_per_layer": "層ごとの固定の待ち",
    "cycles_per_moe_layer": "エキスパートのある層の待ち",
    "cycles_per_layer_and_further_die": "ダイをまたぐ層の待ち",
    "cycles_per_layer_in_old_builds": "2025 年 7 月までのビルドの、層ごとの余分な待ち",
}


def explain(result: Estimate) -> str:
    """Write out how an estimate was computed, each number with its formula.

    Parameters
    ----------
    result : Estimate
        What `hayasa.estimate` returned.

    Returns
    -------
    str
        Several lines of Japanese, without a newline at the end.

    Examples
    --------
    >>> from hayasa import Device, Model, WeightFormat, estimate
    >>> result = estimate(Model(id="7b", stated_parameters=7e9),
    ...                   Device(id="mini", memory_bandwidth_bytes_per_s=120e9),
    ...                   weights=WeightFormat(id="int4", bits_per_weight=4), engine="ideal")
    >>> "3.50 GB ÷ 120 GB/s = 29.2 ms" in explain(result)
    True
    """
    sections = explanation(result)
    return "\n\n".join("\n   ".join([section.title, *section.lines]) for section in sections)


class Section(NamedTuple):
    """A part of an explanation."""

    id: str
    title: str
    lines: list[str]


def explanation(result: Estimate) -> list[Section]:
    """Return the parts that `explain` writes one below the other.

    Parameters
    ----------
    result : Estimate
        What `hayasa.estimate` returned.

    Returns
    -------
    list of Section
        From the heading to the memory.
    """
    return [
        Section("heading", _title(result), _heading(result)),
        Section("weights", "1. 重み", _weights(result)),
        Section("cache", "2. KV キャッシュ", _cache(result)),
        Section("memory", "3. メモリの限界", _memory(result)),
        Section("compute", "4. 計算の限界", _compute(result)),
        Section("bound", "5. 上限", _bound(result)),
        Section("correction", "6. 実測による補正", _correction(result)),
        Section("prefill", "7. プロンプトの読み込み", _prefill(result)),
        Section("capacity", "8. メモリの量", _capacity(result)),
    ]


def _title(result: Estimate) -> str:
    return f"{result.model.name or result.model.id} を {result.device.name or result.device.id} で"


def _heading(result: Estimate) -> list[str]:
    lines = [
        f"重み {result.weights.id}、エンジン {result.engine.id}、"
        f"バッチサイズ {result.batch_size}、文脈 {result.context_length:,} トークン"
    ]
    if result.devices > 1:
        lines.append(f"デバイス {result.devices} 台（{result.split}）")
    return lines


def _weights(result: Estimate) -> list[str]:
    model = result.model
    lines = [
        f"パラメータ数 P = {_in_oku(total_parameters(model))}、"
        f"1 トークンの計算に使うもの P_active = {_in_oku(active_parameters(model))}"
    ]
    if model.experts:
        lines.append(f"エキスパートは 1 層あたり {model.experts} 個、1 トークンが使うのは {model.experts_per_token} 個")
    resident = weight_bytes_resident(model, result.weights)
    lines.append(
        f"メモリに置く重み = {scaled(resident, 'B')} = {gibibytes(resident)}"
        f"（{result.weights.id}、"
        f"1 重みあたり平均 {significant(8 * resident / total_parameters(model))} bit）"
    )
    lines.append(f"1 ステップで読む重み = {scaled(result.weight_bytes_per_step, 'B')}")
    return lines


def _in_oku(count: float) -> str:
    """Write a count in hundreds of millions, as Japanese does."""
    return f"{significant(count / 1e8, 4)} 億"


def _cache(result: Estimate) -> list[str]:
    if not result.context_length:
        return ["文脈が 0 トークンなので、読むものはありません。"]
    model = result.model
    values = kv_values_per_layer(model)
    if model.attention_kind == "mla":
        how = f"{model.kv_lora_rank} + {model.qk_rope_head_dim}（潜在ベクトルと回転の部分）"
    else:
        how = f"2 × {model.kv_heads} ヘッド × {model.head_dim} 次元"
    lines = [f"1 層 1 トークンの値の数 = {how} = {values:,}"]
    if model.sliding_window_layers:
        lines.append(
            f"{model.layers} 層のうち {model.sliding_window_layers} 層は"
            f" {model.sliding_window:,} トークンまでしか見ない"
        )
    lines.append(
        f"全 {model.layers} 層、{result.context_length:,} トークン、{result.batch_size} 系列で"
        f" {scaled(result.kv_bytes_per_step, 'B')}"
    )
    return lines


def _memory(result: Estimate) -> list[str]:
    bandwidth = scaled(result.device.memory_bandwidth_bytes_per_s, "B/s")
    share = f" ÷ {result.devices} 台" if _shared(result) else ""
    return [
        "読むバイト数 ÷ メモリ帯域幅",
        f"= {scaled(result.bytes_per_step, 'B')} ÷ {bandwidth}{share} = {duration(result.memory_latency_s)}",
    ]


def _compute(result: Estimate) -> list[str]:
    attention = result.attention_flop_per_step / result.batch_size
    weights = scaled(2 * active_parameters(result.model), "FLOP")
    lines = [
        "演算の数 ÷ 演算の速さ",
        f"演算の数 = (2 × P_active + 注意機構) × B = ({weights} + {scaled(attention, 'FLOP')})"
        f" × {result.batch_size} = {scaled(result.flop_per_step, 'FLOP')}",
    ]
    peak = result.device.peak_flop_per_s(result.weights.compute_format)
    if not peak:
        return [*lines, "このデバイスの演算の速さは公表されていないので、計算の限界は数えません。"]
    share = f" ÷ {result.devices} 台" if _shared(result) else ""
    return [
        *lines,
        f"= {scaled(result.flop_per_step, 'FLOP')} ÷ {scaled(peak, 'FLOP/s')}{share}"
        f" = {duration(result.compute_latency_s)}",
    ]


def _shared(result: Estimate) -> bool:
    return result.devices > 1 and result.split == "tensor"


def _bound(result: Estimate) -> list[str]:
    slower = "メモリ" if result.bound_by == "memory" else "計算"
    step_s = max(result.memory_latency_s, result.compute_latency_s)
    return [
        f"遅いほう = {slower}の {duration(step_s)}",
        f"上限 = {result.batch_size} ÷ {duration(step_s)} = {significant(result.decode_tokens_per_s_bound)} トークン/秒",
    ]


def _correction(result: Estimate) -> list[str]:
    if result.chosen is None:
        return ["エンジン ideal なので、補正しません。"]
    chosen, calibration = result.chosen, result.chosen.calibration
    waits = step_waits_s(
        result.model,
        result.device,
        weight_bytes=result.weight_bytes_per_step,
        kv_bytes=result.kv_bytes_per_step,
        attention_flop=result.attention_flop_per_step,
        old_build_share=chosen.old_build_share,
    )
    lines = [f"補正 {calibration.id}（実測 {calibration.rows} 件、{calibration.devices} 機種）"]
    if not chosen.unpacks:
        waits = (waits[0], 0.0, *waits[2:])
    times = [getattr(calibration, name) * wait for name, wait in zip(COEFFICIENTS, waits, strict=True)]
    for name, wait_s, time_s in zip(COEFFICIENTS, waits, times, strict=True):
        if time_s > 0:
            unit = "倍" if name.endswith("factor") else "サイクル"
            factor = significant(getattr(calibration, name))
            lines.append(f"{_WAIT_NAMES[name]}: {factor} {unit} × {_tiny(wait_s)} = {duration(time_s)}")
    if times[0] and times[1]:
        lines.append("重みは、読むのとほどくのとが並んで進むので、遅いほうだけを数える")
    if chosen.step_factor != 1:
        lines.append(f"この機種で実測された違い: × {significant(chosen.step_factor)}")
    if result.batch_size > 1 and chosen.batch_share and result.compute_latency_s:
        lines.append(
            f"2 系列目からの計算: ピークの {significant(100 * chosen.batch_share, 2)}%"
            "（プロンプトを読むときの実測）で進む"
        )
    message_s = calibration.pipeline_message_s
    if result.split == "tensor":
        message_s = calibration.tensor_message_s
    if result.devices > 1 and message_s:
        lines.append(f"デバイス間の通信: 1 回 {duration(message_s)}")
    lines += [
        f"1 ステップ = {duration(result.step_latency_s)}、"
        f"最良の見積り = {significant(result.decode_tokens_per_s)} トークン/秒",
        f"90%区間 = {significant(result.decode_tokens_per_s_low)}"
        f" ～ {significant(result.decode_tokens_per_s_high)} トークン/秒",
    ]
    if calibration.error_device_held_out:
        error = significant(100 * calibration.error_device_held_out, 2)
        lines.append(f"当てはめに使わなかった機種での平均の外れ = {error}%")
    return [*lines, *(f"注意: {note}" for note in result.notes)]


def _tiny(seconds: float) -> str:
    """Write a wait per cycle in nanoseconds, which suit it better."""
    return f"{significant(seconds * 1e9)} ns" if seconds < 1e-6 else duration(seconds)


def _prefill(result: Estimate) -> list[str]:
    if result.prefill_tokens_per_s_bound is None:
        return ["このデバイスの演算の速さが分からないため、見積れません。"]
    lines = [f"{result.prompt_length:,} トークンの上限 = {significant(result.prefill_tokens_per_s_bound)} トークン/秒"]
    if result.prefill_tokens_per_s is None or result.time_to_first_token_s is None:
        return [*lines, "このエンジンの実測がないため、最良の見積りはありません。"]
    return [
        *lines,
        f"最良の見積り = {significant(result.prefill_tokens_per_s)} トークン/秒、"
        f"最初のトークンまで = {duration(result.time_to_first_token_s)}",
    ]


def _capacity(result: Estimate) -> list[str]:
    required = gibibytes(result.memory_required_bytes)
    if result.fits is None:
        return [f"必要な量 = {required}。デバイスの容量は分かりません。"]
    if not result.fits:
        return [does_not_fit_message(result)]
    available = gibibytes(result.memory_available_bytes)
    return [f"必要な量 = {required}、デバイスの容量 = {available}: 入ります。"]
