"""The sum behind an estimate, written out step by step in Japanese."""

from __future__ import annotations

from typing import NamedTuple

from ..engine.offload import COMPUTES, SENDS
from ..engine.prompt import MULTIPLY_BY_CORES
from ..engine.waits import (
    ATTENTION,
    DEVICE_DIFFERENCE,
    FURTHER_SEQUENCES,
    HAND_OVERS,
    HOST_CORES,
    MESSAGES,
    MULTIPLY,
    READ_CACHE,
    UNIT_S,
    UNPACK_WEIGHTS,
    Wait,
)
from ..machine.split import devices_at_a_time
from ..model.kv_cache import (
    STATE_VALUE_BYTES,
    cache_layers,
    kv_values_per_layer,
    state_bytes,
    state_values_per_layer,
)
from ..model.shape import MIXERS, Model
from ..model.tensors import active_parameters, total_parameters
from ..model.weights import weight_bytes_resident
from ..units import duration, gibibytes, scaled, significant
from .estimate import Estimate, available_text
from .fit import DOES_NOT_FIT, FITS, TIGHT
from .offload import Offload


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
    backend = f"（{result.backend}）" if result.backend else ""
    lines = [
        f"重み {result.weights.id}、エンジン {result.engine.id}{backend}、"
        f"バッチサイズ {result.batch_size}、文脈 {result.context_length:,} トークン"
    ]
    if result.devices > 1:
        lines.append(f"デバイス {result.devices} 台（{result.split}）")
    if result.offload:
        lines.append(split_text(result.offload, result.model))
    for part in result.parts:
        share = significant(100 * part.fraction, 2)
        name = part.device.name or part.device.id
        lines.append(f"{name}: 層の {share}%、1 ステップのうち {duration(part.step_latency_s)}")
    return lines


def split_text(offload: Offload, model: Model) -> str:
    """Write in Japanese what lies on the host.

    Examples
    --------
    >>> from hayasa import estimate
    >>> result = estimate("gpt-oss-120b", "rtx-3090", cpu_moe_layers=24, host="ddr5-6000 x2")
    >>> split_text(result.offload, result.model)
    'CPU の側（ddr5-6000 x2）に、前から 24 層の専門家（40.7 GB）'
    """
    whole = model.layers + 1 - offload.gpu_layers
    parts = []
    if offload.gpu_layers == 0:
        parts.append("すべての層と出力の行列")
    elif whole > 0:
        parts.append(f"前から {whole} 層")
    if offload.cpu_moe_layers > whole:
        parts.append(f"前から {offload.cpu_moe_layers} 層の専門家")
    amount = scaled(offload.part.weights.resident_bytes, "B")
    return f"CPU の側（{offload.host.name or offload.host.id}）に、{'と、'.join(parts) or 'なし'}（{amount}）"


def _weights(result: Estimate) -> list[str]:
    model = result.model
    lines = [
        f"パラメータ数 P = {_in_oku(total_parameters(model))}、"
        f"1 トークンの計算に使うもの P_active = {_in_oku(active_parameters(model))}"
    ]
    if model.experts:
        lines.append(f"専門家は 1 層あたり {model.experts} 個、1 トークンが使うのは {model.experts_per_token} 個")
    resident = weight_bytes_resident(model, result.weights)
    lines.append(
        f"メモリに置く重み = {scaled(resident, 'B')} = {gibibytes(resident)}"
        f"（{result.weights.id}、"
        f"1 重みあたり平均 {significant(8 * resident / total_parameters(model))} bit）"
    )
    lines.append(f"1 ステップで読み出す重み = {scaled(result.weight_bytes_per_step, 'B')}")
    return lines


def _in_oku(count: float) -> str:
    """Write a count in hundreds of millions, as Japanese does."""
    return f"{significant(count / 1e8, 4)} 億"


def _cache(result: Estimate) -> list[str]:
    model = result.model
    if not (result.context_length or state_bytes(model)):
        return ["文脈が 0 トークンなので、読むものはありません。"]
    lines = _layers_by_mixer(model) if model.mixer_pattern else _layers_alike(model)
    lines.append(
        f"全 {model.layers} 層、{result.context_length:,} トークン、{result.batch_size} 系列で"
        f" {scaled(result.kv_bytes_per_step, 'B')}"
    )
    return lines


def _layers_alike(model: Model) -> list[str]:
    """Write what each layer keeps of a token, where all keep the same."""
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
    return lines


def _layers_by_mixer(model: Model) -> list[str]:
    """Write what the layers of each kind keep."""
    lines = []
    for group in cache_layers(model):
        per = "1 トークン" if group.tokens_per_entry == 1 else f"{group.tokens_per_entry} トークン"
        line = f"{group.layers} 層（{MIXERS[group.mixer]}）: 1 層 {per}の値の数 = {group.values:,}"
        if group.index_values:
            line += f" + {group.index_values}（選ぶための値）"
        if group.window:
            line += f"、{group.window:,} トークンまで"
        if group.selected:
            line += f"、読むのは {group.selected:,} 個まで"
        lines.append(line)
    for mixer, label in MIXERS.items():
        layers = sum(1 for one in model.layer_mixers if one == mixer)
        n_bytes = layers * state_values_per_layer(model, mixer) * STATE_VALUE_BYTES
        if n_bytes:
            lines.append(f"{layers} 層（{label}）: 状態は文脈によらず {scaled(n_bytes, 'B')}、読んで書く")
    return lines


def _memory_and_host(result: Estimate, offload: Offload) -> list[str]:
    """Write the bound of a step that device and host share: they work one after the other."""
    here = result.bytes_per_step - offload.bytes_per_step
    bandwidth = result.device.memory_bandwidth_bytes_per_s
    share = f" ÷ {result.devices} 台" if _shared(result) else ""
    host_s = offload.bound_s
    rate = scaled(offload.bytes_per_step / host_s, "B/s") if host_s else ""
    way = {COMPUTES: "CPU の側", SENDS: "CPU の側から GPU へ"}[offload.way]
    lines = [
        "読み出すバイト数 ÷ メモリ帯域幅",
        f"GPU の側 = {scaled(here, 'B')} ÷ {scaled(bandwidth, 'B/s')}{share}"
        f" = {duration(result.memory_latency_s - host_s)}",
    ]
    if host_s:
        lines.append(f"{way} = {scaled(offload.bytes_per_step, 'B')} ÷ {rate} = {duration(host_s)}")
    return [*lines, f"順に進むので、合わせて {duration(result.memory_latency_s)}"]


def _memory(result: Estimate) -> list[str]:
    if result.offload:
        return _memory_and_host(result, result.offload)
    bandwidth = scaled(result.device.memory_bandwidth_bytes_per_s, "B/s")
    share = f" ÷ {result.devices} 台" if _shared(result) else ""
    return [
        "読み出すバイト数 ÷ メモリ帯域幅",
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
    return devices_at_a_time(result.split, result.devices) > 1


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
    calibration = result.chosen.calibration
    lines = [f"補正 {calibration.id}（実測 {calibration.rows} 件、{calibration.devices} 機種）"]
    attended = any(wait.kind.name == ATTENTION.name for wait in result.waits)
    for wait in result.waits:
        lines += _wait_lines(wait)
        if wait.kind.name == READ_CACHE.name and attended and wait.seconds:
            lines.append("KV キャッシュは、読むのと計算するのとが並んで進むので、遅いほうだけを数える")
    lines += [
        f"1 ステップ = {duration(result.step_latency_s)}、"
        f"最良の見積り = {significant(result.decode_tokens_per_s)} トークン/秒",
        f"90%区間 = {significant(result.decode_tokens_per_s_low)}"
        f" ～ {significant(result.decode_tokens_per_s_high)} トークン/秒",
    ]
    if result.offload:
        row = result.offload.calibration
        error = significant(100 * row.error_offloaded_machine_held_out, 2)
        lines.append(
            f"CPU の側の補正（実測 {row.rows} 件、{row.machines} 台）で、当てはめに使わなかった計算機での平均の外れ = {error}%"
        )
    elif calibration.error_device_held_out:
        error = significant(100 * calibration.error_device_held_out, 2)
        lines.append(f"当てはめに使わなかった機種での平均の外れ = {error}%")
    return [*lines, *(f"注意: {note}" for note in result.notes)]


def _wait_lines(wait: Wait) -> list[str]:
    """Write out a wait; those that the engine does not have here take no line."""
    label = wait.kind.label
    if wait.kind.name == DEVICE_DIFFERENCE.name:
        return [f"{label}: × {significant(1 + wait.factor)}"]
    if wait.kind.name == FURTHER_SEQUENCES.name:
        share = significant(100 / wait.factor, 2)
        return [f"{label}: ピークの {share}%（プロンプトを処理するときの実測）で進み、{duration(wait.seconds)}"]
    if not wait.seconds:
        return []
    if wait.kind.name == MULTIPLY_BY_CORES.name:
        label += f"（1 コアが 1 サイクルに {significant(1 / wait.factor)} FLOP）"
    counted = wait.kind.name in (MESSAGES.name, HAND_OVERS.name)
    factor = f"{wait.factor:,.0f}" if counted else significant(wait.factor)
    unit_s = UNIT_S.get(wait.kind.unit, 0.0)
    load = f"{wait.load_s / unit_s:,.0f}" if unit_s else _tiny(wait.load_s)
    lines = [f"{label}: {factor} {wait.kind.unit} × {load} = {duration(wait.seconds)}"]
    if wait.kind.name == UNPACK_WEIGHTS.name:
        lines.append("重みの読み出しと引き取りは並んで進むので、遅いほうだけを数える")
    elif wait.kind.name == MULTIPLY.name:
        lines.append("これも重みを読み出すのと並んで進む")
    elif wait.kind.name == HOST_CORES.name:
        lines.append("CPU の側でも、読むのと掛けるのとが並んで進むので、遅いほうだけを数える")
    return lines


def _tiny(seconds: float) -> str:
    """Write a wait per cycle in nanoseconds, which suit it better."""
    return f"{significant(seconds * 1e9)} ns" if seconds < 1e-6 else duration(seconds)


def _prefill(result: Estimate) -> list[str]:
    time = result.prompt_time
    if time is None:
        return ["このデバイスの演算の速さが分からないため、見積れません。"]
    each = f" × {result.batch_size} 系列" if result.batch_size > 1 else ""
    after = f"、キャッシュにある {result.cached_tokens:,} トークンの後" if result.cached_tokens else ""
    lines = [f"{result.prompt_length:,} トークン{each}{after}、{time.micro_batch:,} トークンずつ計算"]
    bound = result.prefill_tokens_per_s_bound
    if bound:
        lines.append(f"上限 = {significant(bound)} トークン/秒")
    tokens_per_s, low, high = (
        result.prefill_tokens_per_s or 0,
        result.prefill_tokens_per_s_low or 0,
        result.prefill_tokens_per_s_high or 0,
    )
    if time.chosen is not None:
        calibration = time.chosen.calibration
        lines.append(f"補正 {calibration.id}（実測 {calibration.rows} 件、{calibration.devices} 機種）")
        for wait in time.waits:
            lines += _wait_lines(wait)
    lines += [
        f"最良の見積り = {significant(tokens_per_s)} トークン/秒、最初のトークンまで = {duration(time.best_s)}",
        f"90%区間 = {significant(low)} ～ {significant(high)} トークン/秒、"
        f"{duration(time.fast_s)} ～ {duration(time.slow_s)}",
    ]
    if time.chosen is None:
        return lines
    missed = time.chosen.calibration.error_device_held_out
    if missed:
        lines.append(f"当てはめに使わなかった機種での平均の外れ = {significant(100 * missed, 2)}%")
    said = result.notes
    return [*lines, *(f"注意: {note}" for note in time.chosen.notes if note not in said)]


def _capacity(result: Estimate) -> list[str]:
    fit = result.fit
    parts = [f"重み {gibibytes(fit.weights_bytes)}"]
    if fit.kv_cache_bytes:
        parts.append(f"KV キャッシュ {gibibytes(fit.kv_cache_bytes)}")
    if fit.state_bytes:
        parts.append(f"状態 {gibibytes(fit.state_bytes)}")
    if fit.buffer_bytes:
        parts.append(f"エンジンの作業領域 {gibibytes(fit.buffer_bytes)}")
    lines = [f"必要な量 = {' + '.join(parts)} = {gibibytes(fit.required_bytes)}"]
    if fit.verdict is None:
        return [*lines, "デバイスの容量は分かりません。", *_host_capacity(result)]
    if fit.kept_most_bytes:
        lines.append(f"使える量 = {gibibytes(fit.capacity_bytes)} - {fit.kept_by}の分 = {available_text(fit)}")
    else:
        lines.append(f"使える量 = {gibibytes(fit.capacity_bytes)}")
    return [*lines, _VERDICTS[fit.verdict], *result.remedies, *_host_capacity(result)]


_VERDICTS = {FITS: "入ります。", TIGHT: "きわどい量です。", DOES_NOT_FIT: "入りません。"}


def _host_capacity(result: Estimate) -> list[str]:
    """Write what lies in the host's memory; nothing where nothing does."""
    fit = result.host_fit
    if fit is None:
        return []
    line = f"CPU の側に必要な量 = {gibibytes(fit.required_bytes)}"
    if fit.verdict is None:
        return [f"{line}（主記憶の量は分かりません）"]
    return [f"{line}、使えるのは {available_text(fit)}。{_VERDICTS[fit.verdict]}"]
