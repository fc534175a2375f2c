// The chart of the rooflines, with a caption that says how to read it.

import { chartPanel, LEAST_WIDTH } from "./charts.mjs";
import { h, replace } from "./dom.mjs";
import { significant } from "./estimator.mjs";
import { rooflineChart } from "./plot.mjs";

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
      replace(panel.chart, rooflineChart(points, { width: Math.max(LEAST_WIDTH, width), title }).figure);
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

/** A link to a chapter by its number, with what follows it. */
export function chapterLink(chapter, rest = "") {
  return h("a", { href: `chapters/${chapter}.html` }, `第${Number(chapter.split("-")[0])}章${rest}`);
}
