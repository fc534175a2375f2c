// What the results say: beside what hayasa expects of the machine, on the figure of chapter 9, and for other models.

import { h, s } from "./dom.mjs";
import { estimate, makeDevice, scaled, significant } from "./estimator.mjs";
import { axes, marker, picture, smallMarker } from "./marks.mjs";
import { measureData } from "./measure-data.mjs";
import { LAYOUTS } from "./measure-formats.mjs";
import { bytesPerToken } from "./measure-session.mjs";

const LEAST_CHART = 280;
const OTHER_MODELS = ["llama-3.1-8b", "gpt-oss-20b", "qwen3-32b", "llama-3.3-70b", "deepseek-v3"];
const OTHERS_IN = "q4_k_m";
const PROMPT_MODEL = "llama-3.1-8b";

/**
 * Lay out a summary.
 * @param {object} given
 * @param {object} given.tables - Those of `estimator.mjs`.
 * @param {object} given.summary - As `summaryOf` makes it.
 * @param {?object} given.record - The whole record, if it is at hand.
 * @param {number} given.width - Of a chart, in pixels.
 * @returns {Array<HTMLElement|null>}
 */
export function resultParts({ tables, summary, record, width }) {
  const device = tables.devices.get(summary.device) ?? null;
  return [
    headOf(summary, record),
    summary.reading !== null && readingPart(summary, device, record),
    summary.decoding.length > 0 && decodingPart(tables, summary, device, record, width),
    summary.product !== null && productPart(tables, summary, device, record),
    summary.processor !== null && processorPanel(tables, summary, device, record),
    fastestRead(summary) && othersPart(tables, fastestRead(summary)),
  ];
}

/** The bandwidth to reckon with: the GPU's, unless it is none or a processor plays it. */
const fastestRead = ({ reading, processor }) => Math.max(reading, processor);

function panel(title, ...inside) {
  return h("section.hy-panel", { "aria-label": title }, h("p.hy-title", {}, title), inside);
}

function headOf({ on, machine }, record) {
  const whose = record ? "この機械の結果" : "アドレスに入っていた結果";
  const software = record?.gpu?.software
    ? "ブラウザが渡したのは、プロセッサがまねるGPUです。正しさを確かめるためのもので、GPUの速さではありません。"
    : "";
  return panel(
    whose,
    h(
      "p",
      {},
      machine ? `ブラウザが渡したGPU：${machine}。` : "GPUは使えませんでした。",
      on && `測った日：${on}。`,
      software,
    ),
  );
}

function shareOf(value, whole) {
  return `${significant((100 * value) / whole, 2)}%`;
}

function table(label, columns, rows) {
  const cell = (tag, text, index) => h(index ? `${tag}.hy-num` : tag, tag === "th" ? { scope: "col" } : {}, text);
  return h(
    "div.hy-scroll",
    { tabindex: 0, role: "group", "aria-label": label },
    h(
      "table.hy-table",
      {},
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          columns.map((text, index) => cell("th", text, index)),
        ),
      ),
      h(
        "tbody",
        {},
        rows.map((row) =>
          h(
            "tr",
            {},
            row.map((text, index) => cell("td", text, index)),
          ),
        ),
      ),
    ),
  );
}

const spread = ({ low, high, samples }, unit) =>
  samples > 1 && `${samples}回測った真ん中の半分は、${scaled(low, unit)} ～ ${scaled(high, unit)} でした。`;

// ---------------------------------------------------------------- the parts

function readingPart({ reading }, device, record) {
  const sizes = record?.reading ?? [];
  const catalog = device?.memory_bandwidth_bytes_per_s;
  return panel(
    "メモリを読む速さ（GPU）",
    h("p.hy-number", {}, scaled(reading, "B/s")),
    sizes.length > 0 && h("p", {}, spread(sizes.at(-1), "B/s")),
    catalog &&
      h(
        "p",
        {},
        `カタログの帯域幅 ${scaled(catalog, "B/s")} の${shareOf(reading, catalog)}です。`,
        catalog < reading && ABOVE,
      ),
    sizes.length > 1 &&
      table(
        "読んだ大きさと速さの表",
        ["読んだ大きさ", "速さ"],
        sizes.map(({ bytes, median }) => [scaled(bytes, "B"), scaled(median, "B/s")]),
      ),
    sizes.length > 1 &&
      sizes[0].median > 1.25 * sizes.at(-1).median &&
      h("p", {}, "小さいほど速いのは、キャッシュから読めたからです。いちばん大きいものの値を使います。"),
  );
}

const ABOVE = "カタログより速いので、選んだ機種が違うか、キャッシュから読んでいます。";

function decodingPart(tables, { decoding }, device, record, width) {
  const rows = decoding.map((one) => ({ ...one, ...expected(one, device) }));
  const measured = new Map((record?.decoding ?? []).map((one) => [`${one.model} ${one.weights}`, one]));
  return panel(
    "1トークンずつ書く速さ（GPU、乱数の重み）",
    table(
      "書く速さの表",
      [
        "モデルの形",
        "重み",
        "実測（トークン/秒）",
        ...(device ? ["上限", "llama.cppの見積り（90%区間）", "実測/上限"] : []),
      ],
      rows.map(({ model, weights, tokens_per_s, bound, best }, index) => [
        [device && smallMarker(index % SERIES, { "aria-hidden": "true" }), ` ${tables.models.get(model).name}`],
        LAYOUTS[weights].name,
        significant(tokens_per_s),
        ...(device ? [significant(bound), best, shareOf(tokens_per_s, bound)] : []),
      ]),
    ),
    [...measured.values()].map(
      ({ model, weights, whole, layers, bytes, samples, low_tokens_per_s, high_tokens_per_s }) =>
        h(
          "p.hy-caption",
          {},
          `${tables.models.get(model).name}（${weights}）：${whole ? "全部の層と出力" : `入った${layers}層`}、${scaled(bytes, "B")}を${samples}回読みました（真ん中の半分は ${significant(low_tokens_per_s)} ～ ${significant(high_tokens_per_s)}）。${whole ? "" : "速さは、読んだバイトから、全部の層に直しました。"}${bytes < CACHED ? "少ないので、キャッシュから読めたかもしれません。" : ""}`,
        ),
    ),
    h(
      "p",
      {},
      "重みを読み出して掛けるだけで、文脈を読み返す計算や、次の言葉を選ぶ計算はしていません。その分、本物のエンジンより速く出ることもあれば、エンジンほど磨いていないので、遅く出ることもあります。",
    ),
    device && h("div.hy-chart", {}, shareChart(rows, Math.max(LEAST_CHART, width - 40))),
    device &&
      h(
        "p.hy-caption",
        {},
        "灰色は、",
        h("a", { href: "chapters/09-measured.html" }, "第9章"),
        "のMacとNVIDIAの実測（Llama 2 7B、llama.cpp）です。色のついた印が、この結果です。",
      ),
  );
}

const CACHED = 128 * 2 ** 20;

// What hayasa says of a model on a device: physics, and llama.cpp.
function expected({ model, weights }, device) {
  if (!device) return {};
  const bound = estimate({ model, device, weights, engine: "ideal" }).decode_tokens_per_s_bound;
  try {
    const result = estimate({ model, device, weights, engine: "llama.cpp" });
    const span = `${significant(result.decode_tokens_per_s_low)} ～ ${significant(result.decode_tokens_per_s_high)}`;
    return { bound, best: `${significant(result.decode_tokens_per_s)}（${span}）` };
  } catch (error) {
    if (!error.name) throw error;
    return { bound, best: "なし" }; // not everything runs everywhere
  }
}

function productPart(tables, { product }, device, record) {
  const { name } = tables.models.get(PROMPT_MODEL);
  const step = estimate({
    model: PROMPT_MODEL,
    device: device ?? makeDevice({ memory_bandwidth_bytes_per_s: 1 }),
    weights: "q4_0",
    engine: "ideal",
  });
  const peak = device?.peak_fp32_flop_per_s;
  const matrix = device?.peak_fp16_dense_flop_per_s;
  return panel(
    "行列の積（プロンプトを処理するときの計算、GPU）",
    h("p.hy-number", {}, scaled(product, "FLOP/s")),
    record?.product &&
      h("p", {}, `32ビットの行列の積（${record.product.size.join(" × ")}）。`, spread(record.product, "FLOP/s")),
    peak > 0 && h("p", {}, `カタログの32ビットの計算力 ${scaled(peak, "FLOP/s")} の${shareOf(product, peak)}です。`),
    matrix > (peak ?? 0) &&
      h(
        "p",
        {},
        `16ビットの行列専用の回路まで使えば、カタログでは ${scaled(matrix, "FLOP/s")} です。WebGPUからは、そこに手が届きません。`,
      ),
    h(
      "p",
      {},
      `この速さで${name}のプロンプトを処理すると、1秒に${significant(product / step.flop_per_step)}トークンまでです。`,
    ),
  );
}

function processorPanel(tables, { processor }, device, record) {
  const found = record?.processor;
  const catalog = device?.memory_bandwidth_bytes_per_s;
  const names = { read: "読むだけ", q4_0: LAYOUTS.q4_0.name, bf16: LAYOUTS.bf16.name };
  const model = "llama-3.2-1b";
  const tokens = (task, rate) => (task === "read" ? "" : significant(rate / bytesPerToken(model, task)));
  return panel(
    "プロセッサで測ったもの",
    h("p.hy-number", {}, scaled(processor, "B/s")),
    catalog &&
      h(
        "p",
        {},
        `カタログの帯域幅 ${scaled(catalog, "B/s")} の${shareOf(processor, catalog)}です。`,
        catalog < processor && ABOVE,
      ),
    found &&
      table(
        "プロセッサの速さの表",
        ["すること", "1スレッド", `${found.threads}スレッド`, `${tables.models.get(model).name}なら（トークン/秒）`],
        Object.entries(found.tasks).map(([task, { one, all }]) => [
          names[task],
          scaled(one.median, "B/s"),
          scaled(all.median, "B/s"),
          tokens(task, all.median),
        ]),
      ),
    found &&
      h(
        "p.hy-caption",
        {},
        `${found.engine}で計算しました。${found.alone ? "このページは別のスレッドを始められないので、1スレッドで測りました。サイトの上で開けば、全部のスレッドを使います。" : ""}`,
      ),
  );
}

function othersPart(tables, bandwidth) {
  const device = makeDevice({ memory_bandwidth_bytes_per_s: bandwidth });
  return panel(
    `${scaled(bandwidth, "B/s")} を使いきれたら`,
    table(
      "測った帯域幅での上限の表",
      ["モデル", "1トークンで読み出す量", "上限（トークン/秒）"],
      OTHER_MODELS.map((model) => {
        const { bytes_per_step, decode_tokens_per_s_bound } = estimate({
          model,
          device,
          weights: OTHERS_IN,
          engine: "ideal",
        });
        return [tables.models.get(model).name, scaled(bytes_per_step, "B"), significant(decode_tokens_per_s_bound)];
      }),
    ),
    h(
      "p.hy-caption",
      {},
      `重みは${tables.weight_formats.get(OTHERS_IN).name}です。メモリに入るかどうかは、見ていません（`,
      h("a", { href: "calculator.html" }, "速度計算機"),
      "で確かめられます）。",
    ),
  );
}

// ---------------------------------------------------------------- the figure of chapter 9

const SERIES = 4;
const MS_TICKS = [1, 10, 100, 1000];

// The share of the bandwidth that is used, over the time that the bound takes.
function shareChart(rows, width) {
  const height = Math.min(360, Math.max(250, width * 0.6));
  const area = { left: 58, right: width - 14, top: 12, bottom: height - 46 };
  const own = rows.map(({ bound, tokens_per_s }) => [1e3 / bound, tokens_per_s / bound]);
  const low = Math.min(0.5, ...own.map(([ms]) => ms / 1.5));
  const high = Math.max(300, ...own.map(([ms]) => ms * 1.5));
  const top = Math.max(1, ...own.map(([, share]) => share)) * 1.04;
  const x = (ms) => area.left + (Math.log(ms / low) / Math.log(high / low)) * (area.right - area.left);
  const y = (share) => area.bottom - (share / top) * (area.bottom - area.top);
  const said = rows.map(({ model, weights }, i) => `${model} ${weights}は${shareOf(own[i][1], 1)}`).join("、");
  return picture(
    { width, height, title: `帯域幅の利用率の図。${said}` },
    axes(area, {
      xLabel: "下限の時間（ミリ秒）",
      yLabel: "使えた帯域幅の割合",
      xTicks: MS_TICKS.filter((ms) => ms >= low && ms <= high).map((ms) => ({
        at: x(ms),
        text: String(ms),
        lined: true,
      })),
      yTicks: [0, 0.25, 0.5, 0.75, 1].map((share) => ({ at: y(share), text: `${100 * share}%` })),
    }),
    measureData.shares.map(([ms, share]) => s("circle.hy-other", { cx: x(ms), cy: y(share), r: 3 })),
    own.map(([ms, share], index) => marker(index % SERIES, x(ms), y(share))),
  );
}
