// The chart of speeds as SVG.

import { s } from "./dom.mjs";
import { cross, linearTicks, marker, picture, tickText } from "./marks.mjs";

const FONT = 13;
const LINE = 58;

/**
 * Speeds as dots on one axis: bound, estimate with its interval, measurements.
 * @param {Array<{index: number, label: string, bound: number, estimate: number, low: number, high: number,
 *   measured: Array<{value: number, title: string}>}>} rows - One per machine.
 * @param {{width: number, title: string, ideal: boolean}} options - Width in pixels; a title for screen readers.
 * @returns {SVGElement}
 */
export function speedChart(rows, { width, title, ideal }) {
  const left = 8;
  const right = width - 16;
  const end = Math.max(...rows.flatMap((row) => [row.bound, row.high, ...row.measured.map((m) => m.value)]));
  const ticks = linearTicks(end, width < 480 ? 3 : 6);
  const x = (value) => left + ((right - left) * value) / ticks.at(-1);
  const axis = rows.length * LINE + 6;
  const anchor = (i) => (i === 0 ? "start" : i === ticks.length - 1 ? "end" : "middle");
  return picture(
    { width, height: rows.length * LINE + 44, title },
    ticks.map((tick, i) => [
      s("line.hy-grid", { x1: x(tick), x2: x(tick), y1: 4, y2: axis }),
      s("text.hy-tick", { x: x(tick), y: axis + 16, "text-anchor": anchor(i) }, tickText(tick)),
    ]),
    s("text.hy-axis", { x: (left + right) / 2, y: axis + 34, "text-anchor": "middle" }, "トークン/秒"),
    rows.map((row, i) => [
      s("text.hy-label", { x: left, y: i * LINE + 20, "font-size": FONT }, row.label),
      speedMarks(row, x, i * LINE + 38, ideal),
    ]),
  );
}

function speedMarks({ index, bound, low, high, estimate, measured }, x, y, ideal) {
  const series = `hy-series-${index}`;
  return [
    s("line", { class: `hy-bound-line ${series}`, x1: x(0), x2: x(bound), y1: y, y2: y }),
    s("line", { class: `hy-bound-end ${series}`, x1: x(bound), x2: x(bound), y1: y - 9, y2: y + 9 }),
    !ideal && s("line", { class: `hy-interval ${series}`, x1: x(low), x2: x(high), y1: y, y2: y }),
    measured.map(({ value, title }) => s("path.hy-measured", { d: cross(x(value), y) }, s("title", {}, title))),
    !ideal && marker(index, x(estimate), y),
  ];
}
