// Charts as SVG. What a chart says in shapes stands in a table beside it in words.

import { s } from "./dom.mjs";
import { scaled } from "./estimator.mjs";

const MARKERS = ["circle", "square", "diamond", "triangle"];
const LABEL = 64; // pixels that a label and the blank beside it need

/**
 * The marker of a machine: its shape tells it apart where colours do not.
 * @param {number} index - Which machine, from 0.
 * @param {number} x
 * @param {number} y
 * @param {string} kind - `"filled"` for an estimate, `"hollow"` for a bound.
 * @returns {SVGElement}
 */
export function marker(index, x, y, kind = "filled") {
  const attributes = { class: `hy-mark hy-${kind} hy-series-${index}` };
  const r = 6;
  switch (MARKERS[index % MARKERS.length]) {
    case "square":
      return s("rect", { ...attributes, x: x - r + 0.5, y: y - r + 0.5, width: 2 * r - 1, height: 2 * r - 1 });
    case "diamond":
      return s("path", {
        ...attributes,
        d: `M${x} ${y - r - 1}L${x + r + 1} ${y}L${x} ${y + r + 1}L${x - r - 1} ${y}Z`,
      });
    case "triangle":
      return s("path", { ...attributes, d: `M${x} ${y - r - 1}L${x + r + 1} ${y + r - 1}H${x - r - 1}Z` });
    default:
      return s("circle", { ...attributes, cx: x, cy: y, r });
  }
}

/** The marker of a machine as a picture of its own, of the size of letters. */
export function smallMarker(index, attributes) {
  return s("svg", { width: 16, height: 16, viewBox: "0 0 16 16", ...attributes }, marker(index, 8, 8));
}

/**
 * Numbers for an axis from 0: 0, 20, 40, …
 * @param {number} end - The largest value to be shown.
 * @param {number} [count] - About how many steps.
 * @returns {number[]}
 */
export function linearTicks(end, count = 5) {
  const rough = end / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough * 0.999);
  return Array.from({ length: Math.ceil(end / step - 1e-9) + 1 }, (_, i) => i * step);
}

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

export function tickText(value) {
  return value === 0 ? "0" : Number(value.toPrecision(3)).toLocaleString("en-US", { maximumFractionDigits: 6 });
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

// ---------------------------------------------------------------- what charts are made of

export function picture({ width, height, title }, ...parts) {
  return s(
    "svg.hy-plot",
    { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": title },
    parts,
  );
}

// Lines and labels of ticks at places in pixels, and the names of the axes.
export function axes({ left, right, top, bottom }, { xLabel, yLabel, xTicks, yTicks }) {
  const last = xTicks.length - 1;
  // On a narrow screen every second label or fewer, the last one always.
  const every = Math.ceil(xTicks.length / Math.max(1, Math.floor((right - left) / LABEL)));
  const middle = { "text-anchor": "middle" };
  return [
    xTicks.map(({ at, text, lined }, i) => [
      lined && s("line.hy-grid", { x1: at, x2: at, y1: top, y2: bottom }),
      (last - i) % every === 0 &&
        s("text.hy-tick", { x: at, y: bottom + 17, "text-anchor": i === last ? "end" : "middle" }, text),
    ]),
    yTicks.map(({ at, text }) => [
      s("line.hy-grid", { x1: left, x2: right, y1: at, y2: at }),
      text !== null && s("text.hy-tick", { x: left - 6, y: at + 4, "text-anchor": "end" }, text),
    ]),
    s("text.hy-axis", { x: (left + right) / 2, y: bottom + 38, ...middle }, xLabel),
    s("text.hy-axis", { transform: `translate(14 ${(top + bottom) / 2}) rotate(-90)`, ...middle }, yLabel),
  ];
}

export function curve(index, points) {
  return s("polyline", {
    class: `hy-roof hy-series-${index}`,
    points: points.map(([x, y]) => `${x},${y}`).join(" "),
  });
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
