// Measured speeds over the bandwidth of the machines, and how far a line through them is off.

import { s } from "./dom.mjs";
import { axes, linearTicks, marker, picture, tickText } from "./marks.mjs";

export const WIDEST = 820e9; // bytes/s at the end of the axis
const PAPER_HEIGHT = 330;
const SMALL = 4; // radius of a mark among many, in pixels

/**
 * Tell how fast tokens come by two numbers.
 * @param {number} bytes - Read for a token.
 * @param {number} bandwidth - In bytes/s.
 * @param {{eta: number, wait_s: number}} fit - The share of the bandwidth that is reached, and what every token takes.
 * @returns {number} Tokens/s.
 */
export function speedBy(bytes, bandwidth, { eta, wait_s }) {
  return 1 / (bytes / bandwidth / eta + wait_s);
}

/**
 * Tell how far a line is off on average.
 * @param {Array<[number, number]>} rows - Bandwidths and measured speeds.
 * @param {(bandwidth: number) => number} speedAt - The line.
 * @returns {number} Mean of what it is off, as a share of what was measured.
 */
export function meanError(rows, speedAt) {
  return (
    rows.reduce((sum, [bandwidth, measured]) => sum + Math.abs(speedAt(bandwidth) / measured - 1), 0) / rows.length
  );
}

/** A share as the chapter writes it. */
export function percent(share) {
  return `${(100 * share).toFixed(1)}%`;
}

/**
 * The paper that speeds are drawn on.
 * @param {{width: number, top: number, title: string}} options - In pixels; the speed at the top; for screen readers.
 * @returns {object} The places of bandwidths and speeds, and what makes a picture of what is drawn there.
 */
export function speedPaper({ width, top, title }) {
  const area = { left: 40, right: width - 16, top: 30, bottom: PAPER_HEIGHT - 46 };
  const ticks = linearTicks(top, 5);
  const x = (bandwidth) => area.left + (bandwidth / WIDEST) * (area.right - area.left);
  const y = (speed) => area.bottom - (speed / ticks.at(-1)) * (area.bottom - area.top);
  return {
    area,
    x,
    y,
    end: ticks.at(-1),
    points: (rows, index) => rows.map(([bandwidth, speed]) => marker(index, x(bandwidth), y(speed), "filled", SMALL)),
    pictureOf: (...parts) =>
      picture(
        { width, height: PAPER_HEIGHT, title },
        s("text.hy-tick", { x: 8, y: 14 }, "速さ（トークン/秒）"),
        axes(area, {
          xLabel: "メモリ帯域幅（GB/s）",
          xTicks: [0, 200, 400, 600, 800].map((gb) => ({ at: x(gb * 1e9), text: String(gb) })),
          yTicks: ticks.map((tick) => ({ at: y(tick), text: tickText(tick) })),
        }),
        parts,
      ),
  };
}
