// Curves over a linear axis, which the figures in the chapters draw.

import { s } from "./dom.mjs";
import { axes, curve, linearTicks, marker, picture, tickText } from "./marks.mjs";

/**
 * A curve over a linear axis, with the chosen point on it.
 * @param {Array<{index: number, label: string, points: Array<[number, number]>}>} lines - One per curve.
 * @param {{width: number, title: string, xLabel: string, yLabel: string, chosen: number,
 *   xTicks: Array<[number, string]>}} options - Axes; `chosen` is where the reader's slider stands.
 * @returns {SVGElement}
 */
export function curveChart(lines, { width, title, xLabel, yLabel, chosen, xTicks }) {
  const height = Math.min(340, Math.max(240, width * 0.55));
  const area = { left: 58, right: width - 14, top: 12, bottom: height - 46 };
  const all = lines.flatMap((line) => line.points);
  const [xLow, xHigh] = [Math.min(...all.map((p) => p[0])), Math.max(...all.map((p) => p[0]))];
  const yTicks = linearTicks(Math.max(...all.map((p) => p[1])), 5);
  const x = (v) => area.left + ((v - xLow) / (xHigh - xLow)) * (area.right - area.left);
  const y = (v) => area.bottom - (v / yTicks.at(-1)) * (area.bottom - area.top);
  return picture(
    { width, height, title },
    axes(area, {
      xLabel,
      yLabel,
      xTicks: xTicks.map(([tick, text]) => ({ at: x(tick), text })),
      yTicks: yTicks.map((tick) => ({ at: y(tick), text: tickText(tick) })),
    }),
    s("line.hy-chosen", { x1: x(chosen), x2: x(chosen), y1: area.top, y2: area.bottom }),
    lines.map(({ index, points }) => [
      curve(
        index,
        points.map(([a, b]) => [x(a), y(b)]),
      ),
      points.filter(([a]) => a === chosen).map(([a, b]) => marker(index, x(a), y(b))),
    ]),
  );
}
