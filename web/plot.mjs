// Charts as SVG. What a chart says in shapes stands in a table beside it in words.

import { s } from "./dom.mjs";
import { scaled } from "./estimator.mjs";
import { axes, curve, marker, picture, tickText } from "./marks.mjs";

/**
 * Powers of ten from below `low` to above `high`.
 * @param {number} low
 * @param {number} high
 * @returns {number[]}
 */
function decades(low, high) {
  const first = Math.floor(Math.log10(low) + 1e-9);
  const last = Math.max(first + 1, Math.ceil(Math.log10(high) - 1e-9));
  return Array.from({ length: last - first + 1 }, (_, i) => 10 ** (first + i));
}

/**
 * The roofline of each machine and where the work of a step lies under it.
 * @param {Array<{index: number, bandwidth: number, peak: number, intensity: number, bound: number, estimate: ?number}>} rows
 *   One per machine: bytes/s, FLOP/s (0 if unknown), FLOP per byte, FLOP/s that physics allows, FLOP/s estimated.
 * @param {{width: number, title: string, around?: object[]}} options - Width in pixels; a title for screen readers;
 *   further rows that the axes shall reach, so that they stand still while the rows move.
 * @returns {SVGElement}
 */
export function rooflineChart(rows, { width, title, around = [] }) {
  const height = Math.min(380, Math.max(260, width * 0.62));
  const area = { left: 62, right: width - 14, top: 12, bottom: height - 46 };
  const reached = [...rows, ...around];
  const ridges = rows.filter((row) => row.peak).map((row) => row.peak / row.bandwidth);
  const intensities = reached.map((row) => row.intensity);
  const xTicks = decades(Math.min(0.5, ...intensities), Math.max(100, ...intensities, ...ridges.map((r) => r * 2)));
  const [xLow, xHigh] = [xTicks[0], xTicks.at(-1)];
  const yTicks = decades(
    Math.min(...reached.map((row) => Math.min(row.estimate ?? Infinity, row.bound) / 2)),
    Math.max(...rows.map((row) => roofOf(row, xHigh))) * 1.2,
  );
  const x = (value) => area.left + logShare(value, xLow, xHigh) * (area.right - area.left);
  const y = (value) => area.bottom - logShare(value, yTicks[0], yTicks.at(-1)) * (area.bottom - area.top);
  const every = Math.ceil(yTicks.length / 6);
  const clip = clipOf(area);
  return picture(
    { width, height, title },
    clip.element,
    axes(area, {
      xLabel: "算術強度（FLOP/B）",
      yLabel: "計算の速さ（FLOP/秒）",
      xTicks: xTicks.map((tick) => ({ at: x(tick), text: tickText(tick), lined: true })),
      yTicks: yTicks.map((tick, i) => ({ at: y(tick), text: i % every === 0 ? scaled(tick, "", 1).trim() : null })),
    }),
    s(
      "g",
      { "clip-path": clip.reference },
      rows.map((row) => {
        const ridge = row.peak ? [row.peak / row.bandwidth] : [];
        const corners = [xLow, ...ridge, xHigh].filter((v) => v >= xLow && v <= xHigh);
        return curve(
          row.index,
          corners.map((v) => [x(v), y(roofOf(row, v))]),
        );
      }),
    ),
    rows.map((row) => workMarks(row, x(row.intensity), y)),
  );
}

function roofOf({ peak, bandwidth }, intensity) {
  return Math.min(peak || Infinity, intensity * bandwidth);
}

// What physics allows, what is estimated, and how far it is from one to the other.
function workMarks({ index, bound, estimate }, x, y) {
  const hollow = marker(index, x, y(bound), "hollow");
  if (!estimate) return hollow;
  const drop = s("line", { class: `hy-drop hy-series-${index}`, x1: x, x2: x, y1: y(bound), y2: y(estimate) });
  return [drop, hollow, marker(index, x, y(estimate))];
}

let clips = 0;

// What goes beyond an area is cut off where this is referred to.
function clipOf({ left, right, top, bottom }) {
  clips += 1;
  const id = `hy-clip-${clips}`;
  const inside = s("rect", { x: left, y: top, width: right - left, height: bottom - top });
  return { element: s("clipPath", { id }, inside), reference: `url(#${id})` };
}

function logShare(value, low, high) {
  return Math.log(value / low) / Math.log(high / low);
}
