// The sum behind an estimate, written out step by step in Japanese: a port of src/hayasa/explanation.py.

import {
  COEFFICIENTS,
  activeParameters,
  doesNotFitMessage,
  kvValuesPerLayer,
  peakFlopPerS,
  totalParameters,
  weightBytes,
} from "./estimator.mjs";
import { duration, gibibytes, scaled, significant, thousands } from "./units.mjs";

const WAIT_NAMES = {
  weight_read_factor: "重みを読む",
  unpack_cycles_per_byte: "重みをほどいて掛ける",
  attention_cycles_per_flop: "注意機構の計算",
  kv_read_factor: "KV キャッシュを読む",
  cycles_per_layer: "層ごとの固定の待ち",
  cycles_per_moe_layer: "エキスパートのある層の待ち",
  cycles_per_layer_and_further_die: "ダイをまたぐ層の待ち",
  cycles_per_layer_in_old_builds: "2025 年 7 月までのビルドの、層ごとの余分な待ち",
};

/**
 * Write out how an estimate was computed, each number with its formula.
 * @param {object} result - What `estimate` returned.
 * @returns {{id: string, title: string, lines: string[]}[]} The parts, in order.
 */
export function explain(result) {
  return [
    { id: "heading", ...heading(result) },
    { id: "weights", title: "1. 重み", lines: weights(result) },
    { id: "cache", title: "2. KV キャッシュ", lines: cache(result) },
    { id: "memory", title: "3. メモリの限界", lines: memory(result) },
    { id: "compute", title: "4. 計算の限界", lines: compute(result) },
    { id: "bound", title: "5. 上限", lines: bound(result) },
    { id: "correction", title: "6. 実測による補正", lines: correction(result) },
    { id: "prefill", title: "7. プロンプトの読み込み", lines: prefill(result) },
    { id: "capacity", title: "8. メモリの量", lines: capacity(result) },
  ];
}

/**
 * Join the parts of an explanation to the text that Python's `explain` gives.
 * @param {{title: string, lines: string[]}[]} parts - From `explain`.
 * @returns {string} Several lines, without a newline at the end.
 */
export function explanationText(parts) {
  return parts.map(({ title, lines }) => [title, ...lines.map((line) => `   ${line}`)].join("\n")).join("\n\n");
}

function heading(result) {
  const title = `${result.model.name || result.model.id} を ${result.device.name || result.device.id} で`;
  const lines = [
    `重み ${result.weights.id}、エンジン ${result.engine.id}、` +
      `バッチサイズ ${result.batch_size}、文脈 ${thousands(result.context_length)} トークン`,
  ];
  if (result.devices > 1) lines.push(`デバイス ${result.devices} 台（${result.split}）`);
  return { title, lines };
}

function weights(result) {
  const { model } = result;
  const lines = [
    `パラメータ数 P = ${inOku(totalParameters(model))}、` +
      `1 トークンの計算に使うもの P_active = ${inOku(activeParameters(model))}`,
  ];
  if (model.experts) {
    lines.push(`エキスパートは 1 層あたり ${model.experts} 個、1 トークンが使うのは ${model.experts_per_token} 個`);
  }
  const resident = weightBytes(model, result.weights).resident_bytes;
  lines.push(
    `メモリに置く重み = ${scaled(resident, "B")} = ${gibibytes(resident)}（${result.weights.id}、` +
      `1 重みあたり平均 ${significant((8 * resident) / totalParameters(model))} bit）`,
    `1 ステップで読む重み = ${scaled(result.weight_bytes_per_step, "B")}`,
  );
  return lines;
}

/** Write a count in hundreds of millions, as Japanese does. */
function inOku(count) {
  return `${significant(count / 1e8, 4)} 億`;
}

function cache(result) {
  if (!result.context_length) return ["文脈が 0 トークンなので、読むものはありません。"];
  const { model } = result;
  const how =
    model.attention_kind === "mla"
      ? `${model.kv_lora_rank} + ${model.qk_rope_head_dim}（潜在ベクトルと回転の部分）`
      : `2 × ${model.kv_heads} ヘッド × ${model.head_dim} 次元`;
  const lines = [`1 層 1 トークンの値の数 = ${how} = ${thousands(kvValuesPerLayer(model))}`];
  if (model.sliding_window_layers) {
    lines.push(
      `${model.layers} 層のうち ${model.sliding_window_layers} 層は` +
        ` ${thousands(model.sliding_window)} トークンまでしか見ない`,
    );
  }
  lines.push(
    `全 ${model.layers} 層、${thousands(result.context_length)} トークン、${result.batch_size} 系列で` +
      ` ${scaled(result.kv_bytes_per_step, "B")}`,
  );
  return lines;
}

function share(result) {
  return result.devices > 1 && result.split === "tensor" ? ` ÷ ${result.devices} 台` : "";
}

function memory(result) {
  const bandwidth = scaled(result.device.memory_bandwidth_bytes_per_s, "B/s");
  return [
    "読むバイト数 ÷ メモリ帯域幅",
    `= ${scaled(result.bytes_per_step, "B")} ÷ ${bandwidth}${share(result)} = ${duration(result.memory_latency_s)}`,
  ];
}

function compute(result) {
  const attention = scaled(result.attention_flop_per_step / result.batch_size, "FLOP");
  const matrices = scaled(2 * activeParameters(result.model), "FLOP");
  const lines = [
    "演算の数 ÷ 演算の速さ",
    `演算の数 = (2 × P_active + 注意機構) × B = (${matrices} + ${attention})` +
      ` × ${result.batch_size} = ${scaled(result.flop_per_step, "FLOP")}`,
  ];
  const peak = peakFlopPerS(result.device, result.weights.compute_format);
  if (!peak) return [...lines, "このデバイスの演算の速さは公表されていないので、計算の限界は数えません。"];
  return [
    ...lines,
    `= ${scaled(result.flop_per_step, "FLOP")} ÷ ${scaled(peak, "FLOP/s")}${share(result)}` +
      ` = ${duration(result.compute_latency_s)}`,
  ];
}

function bound(result) {
  const slower = result.bound_by === "memory" ? "メモリ" : "計算";
  const step = duration(Math.max(result.memory_latency_s, result.compute_latency_s));
  return [
    `遅いほう = ${slower}の ${step}`,
    `上限 = ${result.batch_size} ÷ ${step} = ${significant(result.decode_tokens_per_s_bound)} トークン/秒`,
  ];
}

function correction(result) {
  if (!result.chosen) return ["エンジン ideal なので、補正しません。"];
  const { chosen, calibration } = result;
  const lines = [`補正 ${calibration.id}（実測 ${calibration.rows} 件、${calibration.devices} 機種）`];
  lines.push(...waitLines(result));
  if (chosen.step_factor !== 1) lines.push(`この機種で実測された違い: × ${significant(chosen.step_factor)}`);
  if (result.batch_size > 1 && chosen.batch_share && result.compute_latency_s) {
    lines.push(
      `2 系列目からの計算: ピークの ${significant(100 * chosen.batch_share, 2)}%` +
        "（プロンプトを読むときの実測）で進む",
    );
  }
  const message_s = result.split === "tensor" ? calibration.tensor_message_s : calibration.pipeline_message_s;
  if (result.devices > 1 && message_s) lines.push(`デバイス間の通信: 1 回 ${duration(message_s)}`);
  lines.push(
    `1 ステップ = ${duration(result.step_latency_s)}、` +
      `最良の見積り = ${significant(result.decode_tokens_per_s)} トークン/秒`,
    `90%区間 = ${significant(result.decode_tokens_per_s_low)}` +
      ` ～ ${significant(result.decode_tokens_per_s_high)} トークン/秒`,
  );
  if (calibration.error_device_held_out) {
    const error = significant(100 * calibration.error_device_held_out, 2);
    lines.push(`当てはめに使わなかった機種での平均の外れ = ${error}%`);
  }
  return [...lines, ...result.notes.map((note) => `注意: ${note}`)];
}

function waitLines(result) {
  const { chosen, calibration } = result;
  const waits = result.waits_s.map((wait, index) => (index === 1 && !chosen.unpacks ? 0 : wait));
  const times = COEFFICIENTS.map((name, index) => calibration[name] * waits[index]);
  const lines = COEFFICIENTS.flatMap((name, index) => {
    if (!(times[index] > 0)) return [];
    const unit = name.endsWith("factor") ? "倍" : "サイクル";
    const factor = significant(calibration[name]);
    return [`${WAIT_NAMES[name]}: ${factor} ${unit} × ${tiny(waits[index])} = ${duration(times[index])}`];
  });
  if (times[0] && times[1]) lines.push("重みは、読むのとほどくのとが並んで進むので、遅いほうだけを数える");
  return lines;
}

/** Write a wait per cycle in nanoseconds, which suit it better. */
function tiny(seconds) {
  return seconds < 1e-6 ? `${significant(seconds * 1e9)} ns` : duration(seconds);
}

function prefill(result) {
  if (result.prefill_tokens_per_s_bound === null) {
    return ["このデバイスの演算の速さが分からないため、見積れません。"];
  }
  const lines = [
    `${thousands(result.prompt_length)} トークンの上限 = ${significant(result.prefill_tokens_per_s_bound)} トークン/秒`,
  ];
  if (result.prefill_tokens_per_s === null || result.time_to_first_token_s === null) {
    return [...lines, "このエンジンの実測がないため、最良の見積りはありません。"];
  }
  return [
    ...lines,
    `最良の見積り = ${significant(result.prefill_tokens_per_s)} トークン/秒、` +
      `最初のトークンまで = ${duration(result.time_to_first_token_s)}`,
  ];
}

function capacity(result) {
  const required = gibibytes(result.memory_required_bytes);
  if (result.fits === null) return [`必要な量 = ${required}。デバイスの容量は分かりません。`];
  if (!result.fits) return [doesNotFitMessage(result)];
  return [`必要な量 = ${required}、デバイスの容量 = ${gibibytes(result.memory_available_bytes)}: 入ります。`];
}
