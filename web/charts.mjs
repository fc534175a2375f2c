// The two charts of the calculator, each with a caption that says how to read it.

import { announcementOf } from "./answers.mjs";
import { h, replace } from "./dom.mjs";
import { significant } from "./estimator.mjs";
import { rooflineChart, speedChart } from "./plot.mjs";

const LEAST_WIDTH = 280;

/**
 * The speeds on one axis.
 * @param {object} tables - Those of `estimator.mjs`.
 * @returns {{element: HTMLElement, chart: HTMLElement, show: (view: object) => void}} `chart` is as wide as charts may be.
 */
export function speedPanel() {
  const panel = chartPanel("速さの図", "速さ");
  return {
    ...panel,
    show({ state, answers, width, measurements }) {
      if (!width) return;
      const answered = answers.filter(({ result }) => result);
      const rows = answered.map((answer) => speedRow(state, measurements, answer));
      if (!rows.length) {
        panel.clear();
        return;
      }
      const ideal = state.engine === "ideal";
      const marks = ideal ? "" : "印は見積り、太い線は90%区間、";
      const dots = rows.some((row) => row.measured.length) ? "×は公開された実測です（くわしくは下の表）。" : "";
      const title = `速さの図。${announcementOf(answers)}`;
      replace(panel.chart, speedChart(rows, { width: Math.max(LEAST_WIDTH, width), ideal, title }));
      replace(panel.caption, `${marks}縦の線は上限です。${dots}`);
    },
  };
}

function speedRow(state, measurements, { index, name, result }) {
  return {
    index,
    label: name,
    bound: result.decode_tokens_per_s_bound,
    estimate: result.decode_tokens_per_s,
    low: result.decode_tokens_per_s_low,
    high: result.engine.id === "ideal" ? 0 : result.decode_tokens_per_s_high,
    measured: measurements.comparable(state, state.machines[index]).map(({ decode_tokens_per_s, source }) => ({
      value: decode_tokens_per_s,
      title: `実測 ${decode_tokens_per_s} トークン/秒（${source.title}）`,
    })),
  };
}

/**
 * The roofline of every machine, and where the work of a step lies under it.
 * @returns {{element: HTMLElement, show: (view: object) => void}}
 */
export function rooflinePanel() {
  const panel = chartPanel("ルーフラインの図", "ルーフライン");
  return {
    ...panel,
    show({ answers, width }) {
      if (!width) return;
      const answered = answers.filter(({ result }) => result);
      if (!answered.length) {
        panel.clear();
        return;
      }
      const points = answered.map(({ index, result }) => rooflinePoint(index, result));
      const intensities = points.map(
        ({ intensity }, i) => `${answered[i].name}：算術強度 ${significant(intensity)} FLOP/B`,
      );
      const title = `ルーフラインの図。${intensities.join("、")}`;
      replace(panel.chart, rooflineChart(points, { width: Math.max(LEAST_WIDTH, width), title }));
      replace(panel.caption, rooflineCaption(answered.map(({ result }) => result)));
    },
  };
}

function rooflinePoint(index, result) {
  const together = result.split === "tensor" ? result.devices : 1;
  return {
    index,
    bandwidth: result.device.memory_bandwidth_bytes_per_s * together,
    peak: peakOf(result),
    intensity: result.flop_per_step / result.bytes_per_step,
    bound: result.flop_per_step / Math.max(result.memory_latency_s, result.compute_latency_s),
    estimate: result.engine.id === "ideal" ? null : result.flop_per_step / result.step_latency_s,
  };
}

function peakOf(result) {
  return result.compute_latency_s ? result.flop_per_step / result.compute_latency_s : 0;
}

function rooflineCaption(results) {
  const formats = [...new Set(results.map(({ weights }) => weights.compute_format))].join("、");
  const roof = results.some(peakOf) ? `計算力（${formats}）` : "計算力（分からないので描けません）";
  const marks = results[0].engine.id === "ideal" ? "" : "、塗った印が見積り";
  return [
    `斜めの屋根はメモリ帯域幅、平らな屋根は${roof}です。白抜きの印が上限${marks}です。`,
    chapterLink("05-batch-and-roofline", "で説明しています"),
    "。",
  ];
}

function chartPanel(label, title) {
  const chart = h("div.hy-chart");
  const caption = h("p.hy-caption");
  return {
    element: h("section.hy-panel", { "aria-label": label }, h("p.hy-title", {}, title), chart, caption),
    chart,
    caption,
    clear() {
      replace(chart);
      replace(caption);
    },
  };
}

/** A link to a chapter by its number, with what follows it. */
export function chapterLink(chapter, rest = "") {
  return h("a", { href: `chapters/${chapter}.html` }, `第${Number(chapter.split("-")[0])}章${rest}`);
}
