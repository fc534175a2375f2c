// The lottery of experts: everyone draws some of them, and what anyone has drawn must be read.

import { withCommas } from "./commas.mjs";
import { h, s } from "./dom.mjs";
import { lotteryData } from "./lottery-data.mjs";
import { axes, curve, picture, swatch, tickText } from "./marks.mjs";
import { control, stage } from "./stage.mjs";

const SIDE = 16; // cells in a row
const CELL = 13;
const MANY = 100;
const CHART = 200; // height in pixels

/** Chance that is the same at every visit: numbers from 0 to 1, from a seed (mulberry32). */
export function chance(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Let everyone draw.
 * @param {{experts: number, each: number}} router - How many there are, and how many everyone draws.
 * @param {number} people
 * @param {number} seed
 * @returns {number[]} How often each expert was drawn.
 */
export function draw({ experts, each }, people, seed) {
  const random = chance(seed);
  const drawn = Array(experts).fill(0);
  for (let person = 0; person < people; person += 1) {
    const own = new Set();
    while (own.size < each) own.add(Math.floor(random() * experts));
    for (const expert of own) drawn[expert] += 1;
  }
  return drawn;
}

const woken = (drawn) => drawn.filter(Boolean).length;

/** Build the figure; `data` holds the router, the formula's values and what is read. */
export function mountLottery(root, { router, people: choices, expected, read } = lotteryData) {
  stage(root, {
    title: "専門家のくじ引き",
    intro: `専門家は${router.experts}組あり、1人が${router.each}組を引きます。引かれた組の重みは、読み出さなければなりません。何組になるかを思い浮かべてから、人を増やしてください。`,
    initial: { people: 1, times: 1 },
    controls(set) {
      let times = 1;
      const again = (more) => {
        times = more ? times + more : 1;
        set({ times });
      };
      return [
        control({
          label: "まとめて処理する人",
          values: choices,
          value: 1,
          text: (n) => `${n}人`,
          onvalue(people) {
            times = 1;
            set({ people, times });
          },
        }),
        h(
          "p.hy-actions",
          {},
          h("button.hy-button", { type: "button", onclick: () => again(1) }, "引きなおす"),
          h("button.hy-button", { type: "button", onclick: () => again(MANY) }, `${MANY}回引く`),
        ),
      ];
    },
    draw({ people, times }, width) {
      const at = choices.indexOf(people);
      const last = draw(router, people, times);
      // All draws until now, of which the last one is shown; more than the newest do not change the mean much.
      const first = Math.max(1, times - MANY + 1);
      const counts = Array.from({ length: times - first + 1 }, (_, i) => woken(draw(router, people, first + i)));
      const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length;
      const count = woken(last);
      const average = counts.length > 1 ? `${counts.length}回の平均は${mean.toFixed(1)}組、` : "";
      return {
        figure: lotteryChart({ router, choices, expected, last, at, mean, width }),
        lines: [
          { text: `${people}人で、${router.experts}組のうち${count}組が起きました。` },
          { mark: swatch(0), text: `${average}式の平均は${expected[at].toFixed(1)}組です。` },
          {
            text: `引いたのはのべ${withCommas(people * router.each)}組です。重なった分は、一度しか読みません。`,
          },
          { text: `1回に読み出す重みは、共有の分も合わせて${read[at]}です。` },
          { text: "本物のルーターは、このくじのように均等には選びません。" },
        ],
        news: `${people}人で${count}組が起きました。式の平均は${expected[at].toFixed(1)}組です。`,
      };
    },
  });
}

function lotteryChart({ router, choices, expected, last, at, mean, width }) {
  const grid = SIDE * CELL;
  const beside = width > 520;
  const top = beside ? 12 : grid + 24;
  const area = { left: beside ? grid + 60 : 44, right: width - 12, top, bottom: top + CHART - 46 };
  const x = (i) => area.left + (i / (choices.length - 1)) * (area.right - area.left);
  const y = (value) => area.bottom - (value / router.experts) * (area.bottom - area.top);
  const ticks = [0, 64, 128, 192, 256].filter((tick) => tick <= router.experts);
  return picture(
    { width, height: beside ? Math.max(grid, CHART) + 8 : area.bottom + 46, title: "起きた専門家の数" },
    last.map((times, i) =>
      s(`rect.hy-cell${times ? ".hy-lit.hy-series-0" : ""}`, {
        x: (i % SIDE) * CELL + 1,
        y: Math.floor(i / SIDE) * CELL + 1,
        width: CELL - 2,
        height: CELL - 2,
      }),
    ),
    axes(area, {
      xLabel: "まとめて処理する人（目盛は倍々）",
      xTicks: choices.map((n, i) => ({ at: x(i), text: String(n) })),
      yTicks: ticks.map((tick) => ({ at: y(tick), text: tickText(tick) })),
    }),
    curve(
      0,
      expected.map((value, i) => [x(i), y(value)]),
    ),
    s("line.hy-chosen", { x1: x(at), x2: x(at), y1: area.top, y2: area.bottom }),
    s("circle.hy-mark.hy-filled.hy-series-1", { cx: x(at), cy: y(mean), r: 6 }),
  );
}
