// Where a measured speed lies: among what is slow, normal, fast and impossible.

import { VERDICTS } from "./check-formulas.mjs";
import { s } from "./dom.mjs";
import { significant } from "./estimator.mjs";
import { cross, picture } from "./marks.mjs";

const LEAST_STRIP = 280;
const STRIP_HEIGHT = 62;
const LETTER = 13; // pixels
const MARGIN = 1.5; // times as fast

/**
 * A strip in the colours of the verdicts, with what was measured on it. As far to the right as another time, as many
 * times as fast: so all zones can be seen, however far the speed is from them.
 * @param {object} check - Python's `Check`.
 * @param {number} width - In pixels.
 * @returns {SVGElement}
 */
export function verdictStrip({ expected, measured_tokens_per_s: measured, verdict }, width) {
  const right = Math.max(LEAST_STRIP, width);
  const start = Math.min(measured, expected.low) / MARGIN;
  const end = Math.max(measured, expected.bound) * MARGIN;
  const x = (speed) => (right * Math.log(speed / start)) / Math.log(end / start);
  const word = (id) => VERDICTS.get(id).replace(/（.*/, "");
  const zones = [
    ["slow", start, expected.low],
    ["normal", expected.low, Math.min(expected.high, expected.bound)],
    ["fast", Math.min(expected.high, expected.bound), expected.bound],
    ["impossible", expected.bound, end],
  ];
  const label = `実測 ${significant(measured)}`;
  const half = (LETTER * label.length) / 2;
  return picture(
    { width: right, height: STRIP_HEIGHT, title: `${label} トークン/秒は、${word(verdict)}` },
    zones.map(([id, from, to]) => [
      s(`rect.hy-zone.hy-zone-${id}`, { x: x(from), y: 20, width: Math.max(0, x(to) - x(from)), height: 22 }),
      x(to) - x(from) > LETTER * (word(id).length + 1) &&
        s("text.hy-tick", { x: (x(from) + x(to)) / 2, y: 57, "text-anchor": "middle" }, word(id)),
    ]),
    s("line.hy-zone-best", { x1: x(expected.best), x2: x(expected.best), y1: 20, y2: 42 }),
    s("path.hy-measured.hy-near", { d: cross(x(measured), 31, 6) }),
    s("text", { x: Math.min(Math.max(x(measured), half), right - half), y: 13, "text-anchor": "middle" }, label),
  );
}
