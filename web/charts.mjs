// The chart of the speeds, with a caption that says how to read it.

import { announcementOf } from "./answers.mjs";
import { h, replace } from "./dom.mjs";
import { speedChart } from "./speedplot.mjs";

export const LEAST_WIDTH = 280;

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
    measured: (measurements?.comparable(state, state.machines[index]) ?? []).map(({ decode_tokens_per_s, source }) => ({
      value: decode_tokens_per_s,
      title: `実測 ${decode_tokens_per_s} トークン/秒（${source.title}）`,
    })),
  };
}

/** A chart with its title, and a caption beneath. */
export function chartPanel(label, title) {
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
