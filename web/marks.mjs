// What charts are made of: marks, ticks and axes.

import { withCommas } from "./commas.mjs";
import { s } from "./dom.mjs";

const MARKERS = ["circle", "square", "diamond", "triangle"];
const DIGIT = 7.2; // pixels of a digit in a label
const BLANK = 8; // between labels

/**
 * The marker of a machine: its shape tells it apart where colours do not.
 * @param {number} index - Which machine, from 0.
 * @param {number} x
 * @param {number} y
 * @param {string} kind - `"filled"` for an estimate, `"hollow"` for a bound.
 * @param {number} r - How far it reaches, in pixels.
 * @returns {SVGElement}
 */
export function marker(index, x, y, kind = "filled", r = 6) {
  const attributes = { class: `hy-mark hy-${kind} hy-series-${index}` };
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

/** The path of a cross, for what was measured, that reaches `r` pixels to every side. */
export function cross(x, y, r = 5) {
  return `M${x - r} ${y - r}L${x + r} ${y + r}M${x - r} ${y + r}L${x + r} ${y - r}`;
}

/** The marker of a machine as a picture of its own, of the size of letters. */
export function smallMarker(index, attributes) {
  return s("svg", { width: 16, height: 16, viewBox: "0 0 16 16", ...attributes }, marker(index, 8, 8));
}

/** A patch of a colour, of the size of letters, for what is drawn in bars. */
export function swatch(index) {
  const patch = s(`rect.hy-work.hy-series-${index}`, { x: 1, y: 1, width: 14, height: 14 });
  return s("svg", { width: 16, height: 16, viewBox: "0 0 16 16", "aria-hidden": "true" }, patch);
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

const PREFIXES = ["", " k", " M", " G", " T", " P", " E"];

/** A power of ten for an axis, from 1: 100 G, 1 T. */
export function powerText(value) {
  const thousands = Math.floor(Math.log10(value) / 3 + 1e-9);
  return `${Math.round(value / 1000 ** thousands)}${PREFIXES[thousands]}`;
}

export function tickText(value) {
  return value === 0 ? "0" : withCommas(Number(value.toPrecision(3)));
}

export function picture({ width, height, title }, ...parts) {
  return s(
    "svg.hy-plot",
    { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": title },
    parts,
  );
}

// Lines and labels of ticks at places in pixels, and the names of the axes.
export function axes({ left, right, top, bottom }, { xLabel, yLabel = "", xTicks, yTicks }) {
  const last = xTicks.length - 1;
  const middle = { "text-anchor": "middle" };
  const anchor = (at) => (at > right - 1 ? { "text-anchor": "end" } : middle);
  // On a narrow screen every second label or fewer, the last one always.
  let every = 1;
  const isNamed = (_, i) => (last - i) % every === 0;
  while (areCrowded(xTicks.filter(isNamed), right)) every += 1;
  return [
    xTicks.map(({ at, text, lined }, i) => [
      lined && s("line.hy-grid", { x1: at, x2: at, y1: top, y2: bottom }),
      isNamed(at, i) && s("text.hy-tick", { x: at, y: bottom + 17, ...anchor(at) }, text),
    ]),
    yTicks.map(({ at, text }) => [
      s("line.hy-grid", { x1: left, x2: right, y1: at, y2: at }),
      text !== null && s("text.hy-tick", { x: left - 6, y: at + 4, "text-anchor": "end" }, text),
    ]),
    s("text.hy-axis", { x: (left + right) / 2, y: bottom + 38, ...middle }, xLabel),
    yLabel && s("text.hy-axis", { transform: `translate(14 ${(top + bottom) / 2}) rotate(-90)`, ...middle }, yLabel),
  ];
}

// Whether labels touch each other; one at the right end stands left of its tick.
function areCrowded(ticks, right) {
  const places = ticks.map(({ at, text }) => {
    const wide = DIGIT * text.length;
    const from = at > right - 1 ? at - wide : at - wide / 2;
    return { from, to: from + wide };
  });
  return places.some(({ from }, i) => i && from < places[i - 1].to + BLANK);
}

export function curve(index, points) {
  return s("polyline", {
    class: `hy-roof hy-series-${index}`,
    points: points.map(([x, y]) => `${x},${y}`).join(" "),
  });
}
