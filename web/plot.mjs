// Charts as SVG. What a chart says in shapes stands in a table beside it in words.

import { s } from "./dom.mjs";
import { axes, cross, curve, marker, picture, powerText, tickText } from "./marks.mjs";

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
 * @param {Array<{index: number, bandwidth: number, peak: number, intensity: number, bound: number, estimate: ?number,
 *   name?: string, over?: boolean}>} rows - One per machine: bytes/s, FLOP/s (0 if unknown), FLOP per byte, FLOP/s
 *   that physics allows, FLOP/s estimated; a name to stand at its roof, with its ridge point; whether the work is more
 *   than it holds.
 * @param {{width: number, title: string, around?: object[], chosen?: number, measured?: Array<{index: number,
 *   intensity: number, flop_per_s: number, near: boolean}>}} options - Width in pixels; a title for screen readers;
 *   further rows that the axes shall reach, so that they stand still while the rows move; the intensity that the
 *   reader has chosen; what was measured, and whether it is spoken of.
 * @returns {{figure: SVGElement, intensityAt: (x: number) => number}}
 */
export function rooflineChart(rows, { width, title, around = [], chosen, measured = [] }) {
  const height = Math.min(380, Math.max(260, width * 0.62));
  const area = { left: 62, right: width - 14, top: 12, bottom: height - 46 };
  const reached = [...rows, ...around, ...measured.map((one) => ({ ...one, bound: one.flop_per_s }))];
  const ridges = rows.filter((row) => row.peak).map(ridgeOf);
  const intensities = reached.map((row) => row.intensity);
  const xLow = Math.min(0.5, ...intensities);
  const xAll = decades(xLow, Math.max(100, ...intensities, ...ridges.map((r) => r * 2)));
  const xHigh = xAll.at(-1);
  const yHigh = Math.max(...rows.map((row) => roofOf(row, xHigh))) * 1.5;
  const yAll = decades(Math.min(...reached.map((row) => Math.min(row.estimate ?? Infinity, row.bound) / 2)), yHigh);
  const xTicks = xAll.filter((tick) => tick >= xLow);
  const yTicks = yAll.filter((tick) => tick <= yHigh);
  const x = (value) => area.left + logShare(value, xLow, xHigh) * (area.right - area.left);
  const y = (value) => area.bottom - logShare(value, yTicks[0], yHigh) * (area.bottom - area.top);
  const every = Math.ceil(yTicks.length / 6);
  const clip = clipOf(area);
  const figure = picture(
    { width, height, title },
    clip.element,
    axes(area, {
      xLabel: "算術強度（FLOP/B）",
      yLabel: "計算の速さ（FLOP/秒）",
      xTicks: xTicks.map((tick) => ({ at: x(tick), text: tickText(tick), lined: true })),
      yTicks: yTicks.map((tick, i) => ({ at: y(tick), text: i % every === 0 ? powerText(tick) : null })),
    }),
    s(
      "g",
      { "clip-path": clip.reference },
      rows.map((row) => {
        const ridge = row.peak ? [ridgeOf(row)] : [];
        const corners = [xLow, ...ridge, xHigh].filter((v) => v >= xLow && v <= xHigh);
        return curve(
          row.index,
          corners.map((v) => [x(v), y(roofOf(row, v))]),
        );
      }),
    ),
    rows.map((row) => row.name && namedRoof(row, x(ridgeOf(row)), y(row.peak), area)),
    chosen && s("line.hy-chosen", { x1: x(chosen), x2: x(chosen), y1: area.top, y2: area.bottom }),
    measured.map(({ index, intensity, flop_per_s, near }) =>
      s(`path.hy-measured.hy-series-${index}${near ? ".hy-near" : ""}`, {
        d: cross(x(intensity), y(flop_per_s), near ? 7 : 4),
      }),
    ),
    rows.map((row) => workMarks(row, x(row.intensity), y)),
  );
  const intensityAt = (at) => xLow * (xHigh / xLow) ** ((at - area.left) / (area.right - area.left));
  return { figure, intensityAt };
}

const ridgeOf = ({ peak, bandwidth }) => peak / bandwidth;

/**
 * What a machine computes in a second at most.
 * @param {{bandwidth: number, peak: number}} machine - Bytes/s, and FLOP/s, 0 if unknown.
 * @param {number} intensity - FLOP per byte.
 * @returns {number} FLOP/s.
 */
export function roofOf({ peak, bandwidth }, intensity) {
  return Math.min(peak || Infinity, intensity * bandwidth);
}

// Its name above the roof, and where on the axis the slope ends.
function namedRoof({ index, name }, ridge, roof, { right, bottom }) {
  return [
    s(`line.hy-ridge.hy-series-${index}`, { x1: ridge, x2: ridge, y1: roof, y2: bottom }),
    s("text.hy-label.hy-over-lines", { x: right - 4, y: roof - 7, "text-anchor": "end" }, name),
  ];
}

// What physics allows, what is estimated, and how far it is from one to the other.
function workMarks({ index, bound, estimate, over }, x, y) {
  const hollow = marker(index, x, y(bound), over ? "hollow hy-beyond" : "hollow");
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
