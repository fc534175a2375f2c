// Two numbers for all Macs: the reader moves them until the lines run through what was measured.

import { h, s } from "./dom.mjs";
import { fittingData } from "./fitting-data.mjs";
import { curve, smallMarker } from "./marks.mjs";
import { meanError, percent, speedBy, speedPaper, WIDEST } from "./speeds.mjs";
import { control, stage } from "./stage.mjs";

const FASTEST = 120; // tokens/s at the top: what is measured ends below
const SAMPLES = 164;
const SHARES = Array.from({ length: 121 }, (_, i) => (40 + i / 2) / 100);
const WAITS = Array.from({ length: 121 }, (_, i) => i / 1e4);

/** The mean error of two numbers for all rows of all formats. */
export function errorOfFit(formats, fit) {
  const count = formats.reduce((sum, { rows }) => sum + rows.length, 0);
  return formats.reduce((sum, one) => sum + one.rows.length * formatError(one, fit), 0) / count;
}

const formatError = ({ bytes, rows }, fit) => meanError(rows, (bandwidth) => speedBy(bytes, bandwidth, fit));

/** Build the figure; `data` holds the measured rows of each format, and the two numbers of least squares. */
export function mountFitting(root, { formats, fit } = fittingData) {
  const bound = { eta: 1, wait_s: 0 };
  const best = []; // what the reader has found: with η alone, with t₀, too
  stage(root, {
    title: "二つの数を、手で探す",
    intro: "はじめは上限の線です。ηだけを動かして、誤差をどこまで小さくできるでしょうか。次に、t₀も動かしてください。",
    initial: { ...bound, shown: false },
    controls: (set) => [
      control({
        label: "帯域幅の届く割合 η",
        values: SHARES,
        value: bound.eta,
        text: (eta) => `${(100 * eta).toFixed(1)}%`,
        onvalue: (eta) => set({ eta }),
      }),
      control({
        label: "決まってかかる時間 t₀",
        values: WAITS,
        value: bound.wait_s,
        text: (wait_s) => `${(1000 * wait_s).toFixed(1)}ミリ秒`,
        onvalue: (wait_s) => set({ wait_s }),
      }),
      h(
        "label.hy-check",
        {},
        h("input", { type: "checkbox", onchange: (event) => set({ shown: event.target.checked }) }),
        " 最小二乗法の線を重ねる",
      ),
    ],
    draw: (state, width) => fittingOf(state, best, { formats, fit, width }),
  });
}

const twoNumbers = ({ eta, wait_s }, digits) =>
  `η = ${(100 * eta).toFixed(1)}%${wait_s ? `、t₀ = ${(1000 * wait_s).toFixed(digits)}ミリ秒` : ""}`;

function fittingOf({ eta, wait_s, shown }, best, { formats, fit, width }) {
  const paper = speedPaper({ width, top: FASTEST, title: "帯域幅と速さ。線は二つの数の式" });
  const lineOf = ({ bytes }, numbers) =>
    Array.from({ length: SAMPLES + 1 }, (_, i) => (i / SAMPLES) * WIDEST)
      .map((bandwidth) => [bandwidth, speedBy(bytes, bandwidth, numbers)])
      .filter(([, speed]) => speed <= paper.end)
      .map(([bandwidth, speed]) => [paper.x(bandwidth), paper.y(speed)]);
  const mine = { eta, wait_s, error: errorOfFit(formats, { eta, wait_s }) };
  const way = wait_s ? 1 : 0;
  if (!(best[way]?.error <= mine.error)) best[way] = mine;
  const found = ["ηだけで", "t₀も動かして"].flatMap((how, i) =>
    best[i] ? `${how}${percent(best[i].error)}（${twoNumbers(best[i], 1)}）` : [],
  );
  const news = `${formats.reduce((sum, { rows }) => sum + rows.length, 0)}個の実測から、平均で${percent(mine.error)}外れています。`;
  return {
    figure: paper.pictureOf(
      formats.map((format, i) => [
        paper.points(format.rows, i),
        curve(i, lineOf(format, mine)),
        shown && s("polyline.hy-chosen", { points: lineOf(format, fit).join(" "), fill: "none" }),
      ]),
    ),
    lines: [
      { text: news },
      { text: `これまでの最小は、${found.join("、")}です。` },
      ...formats.map((format, i) => ({
        mark: smallMarker(i, { "aria-hidden": "true" }),
        text: `${format.name}（${format.read}）：平均${percent(formatError(format, mine))}`,
      })),
      shown && {
        text: `破線は、最小二乗法の二つの数（${twoNumbers(fit, 2)}）です。平均で${percent(errorOfFit(formats, fit))}外れます。`,
      },
    ].filter(Boolean),
    news,
  };
}
