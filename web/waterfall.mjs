// From the bound to what is measured, one wait after the other: the reader asks for the next.

import { h, s } from "./dom.mjs";
import { axes, linearTicks, picture, swatch } from "./marks.mjs";
import { stage } from "./stage.mjs";
import { waterfallData } from "./waterfall-data.mjs";

const HEAD = 30; // heights in pixels
const BAR = 30;
const FOOT = 54;

/**
 * Add up the first waits.
 * @param {number[]} waits_ms
 * @param {number} count
 * @returns {number} Milliseconds.
 */
export function pile(waits_ms, count) {
  return waits_ms.slice(0, count).reduce((sum, wait) => sum + wait, 0);
}

/** Build the figure; `data` holds the waits and, for each machine, how long each is. */
export function mountWaterfall(root, { waits, machines } = waterfallData) {
  const last = waits.length;
  stage(root, {
    title: "上限から実測まで、待ち時間を積む",
    intro:
      "次の待ち時間で、棒が割合として大きく伸びるのは、どちらでしょうか。予想しながら、一つずつ積んでください。枠は、実測までの待ち時間の全体です。",
    initial: { count: 1, same: false },
    controls(set) {
      let count = 1;
      const next = h("button.hy-button", { type: "button" });
      const again = h("button.hy-button", { type: "button", onclick: () => move(1) }, "はじめに戻す");
      const same = h("input", { type: "checkbox", onchange: () => set({ same: same.checked }) });
      const name = () => {
        next.disabled = count === last;
        next.textContent = count === last ? "実測まで積みました" : `次を積む：${waits[count]}`;
      };
      const move = (to) => {
        count = to;
        name();
        set({ count });
      };
      next.addEventListener("click", () => move(Math.min(last, count + 1)));
      name();
      return [h("p.hy-actions", {}, next, again), h("label.hy-check", {}, same, " 二つの機械を同じ目盛で見る")];
    },
    draw({ count, same }, width) {
      const ends = machines.map(
        ({ name, waits_ms }) =>
          `${name}は${pile(waits_ms, count).toFixed(2)}ミリ秒（毎秒${speedOf(waits_ms, count)}トークン）`,
      );
      const parts = waits.slice(0, count).map((wait, k) => ({
        mark: swatch(k),
        text: `${k + 1}. ${wait}：${machines.map(({ name, waits_ms }) => `${name} ${waits_ms[k].toFixed(2)}ミリ秒（${shareOfWait(waits_ms, k)}%）`).join("、")}`,
      }));
      const sum = `ここまで：${ends.join("、")}`;
      return { figure: chartOf(machines, { count, same, width }), lines: [{ text: sum }, ...parts], news: sum };
    },
  });
}

const shareOfWait = (waits_ms, k) => ((100 * waits_ms[k]) / pile(waits_ms, waits_ms.length)).toFixed(0);
const speedOf = (waits_ms, count) => (1000 / pile(waits_ms, count)).toFixed(0);

function chartOf(machines, { count, same, width }) {
  const wholes = machines.map(({ waits_ms }) => pile(waits_ms, waits_ms.length));
  const each = HEAD + BAR + FOOT;
  return picture(
    { width, height: machines.length * each, title: "待ち時間を積んだ図" },
    machines.map(({ name, waits_ms }, i) => {
      const whole = same ? Math.max(...wholes) : wholes[i];
      const ticks = linearTicks(whole, 4).filter((tick) => tick <= whole); // the whole reaches to the end
      const top = i * each + HEAD;
      const area = { left: 8, right: width - 40, top, bottom: top + BAR };
      const x = (value) => area.left + (value / whole) * (area.right - area.left);
      const axis = {
        xLabel: "ミリ秒",
        yTicks: [],
        xTicks: ticks.map((tick) => ({ at: x(tick), text: String(tick), lined: true })),
      };
      return [
        axes(area, axis),
        s("text.hy-label", { x: area.left, y: top - 10 }, `${name}　毎秒${speedOf(waits_ms, count)}トークン`),
        waits_ms.slice(0, count).map((wait, k) => {
          const from = x(pile(waits_ms, k));
          const wide = x(wait) - x(0);
          const number = { x: from + wide / 2, y: top + BAR / 2 + 5, "text-anchor": "middle" };
          return [
            s(`rect.hy-wait.hy-series-${k}`, { x: from, y: top + 3, width: wide, height: BAR - 6 }),
            wide > 8 && s("text.hy-inside", number, String(k + 1)),
          ];
        }),
        s("rect.hy-tank", { x: x(0), y: top + 3, width: x(wholes[i]) - x(0), height: BAR - 6 }),
      ];
    }),
  );
}
