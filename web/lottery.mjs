// The lottery of experts: everyone draws some of them, and what anyone has drawn must be read.

import { withCommas } from "./commas.mjs";
import { h, s } from "./dom.mjs";
import { lotteryData } from "./lottery-data.mjs";
import { axes, curve, marker, picture, smallMarker, swatch, tickText } from "./marks.mjs";
import { control, stage } from "./stage.mjs";

const SIDE = 16; // cells in a row
const CELL = 13;
const MANY = 100;
const CHART = 200; // height in pixels
const FORMULA = 0; // colours
const DRAWN = 1;

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

const drawnOnce = (drawn) => drawn.filter(Boolean).length;

/** Build the figure; `data` holds the router, the formula's values and what is read. */
export function mountLottery(root, { router, people: choices, expected, read } = lotteryData) {
  stage(root, {
    title: "専門家のくじ引き",
    intro: `専門家は${router.experts}組あり、1人が${router.each}組ずつ、くじで引きます。誰かが引いた組は、重みを読み出さなければなりません。何組を読み出すことになるか、思い浮かべてから人を増やしてください。`,
    initial: { people: 1, times: 1, farthest: 0 },
    controls(set) {
      let [times, farthest] = [1, 0];
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
            [times, farthest] = [1, Math.max(farthest, choices.indexOf(people))];
            set({ people, times, farthest });
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
    draw({ people, times, farthest }, width) {
      const at = choices.indexOf(people);
      const last = draw(router, people, times);
      // All draws until now, of which the last one is shown; more than the newest do not change the mean much.
      const first = Math.max(1, times - MANY + 1);
      const counts = Array.from({ length: times - first + 1 }, (_, i) => drawnOnce(draw(router, people, first + i)));
      const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length;
      const count = drawnOnce(last);
      const asked = people * router.each;
      const formula = `式の平均は${expected[at].toFixed(1)}組です。`;
      const told = `${people}人で、${router.experts}組のうち${count}組を読み出します。`;
      return {
        figure: lotteryChart({ router, choices, expected: expected.slice(0, farthest + 1), last, at, mean, width }),
        lines: [
          {
            mark: smallMarker(DRAWN, { "aria-hidden": "true" }),
            text: `${told}${counts.length > 1 ? `${counts.length}回の平均は${mean.toFixed(1)}組です。` : ""}`,
          },
          { mark: swatch(FORMULA), text: formula },
          {
            text: `引いたのはのべ${withCommas(asked)}組、重なりは${withCommas(asked - count)}組です。重なった分は、一度読み出せば足ります。`,
          },
          { text: `1回に読み出す重みは、共有の分も合わせて${read[at]}です。` },
          { text: "本物のルーターは、このくじのように均等には選びません。" },
        ],
        news: told + formula,
      };
    },
  });
}

function lotteryChart({ router, choices, expected, last, at, mean, width }) {
  const grid = SIDE * CELL;
  const beside = width > 520;
  const top = beside ? 26 : grid + 46;
  const area = { left: beside ? grid + 60 : 40, right: width - 12, top, bottom: top + CHART - 46 };
  const x = (i) => area.left + 10 + (i / (choices.length - 1)) * (area.right - area.left - 20);
  const y = (value) => area.bottom - (value / router.experts) * (area.bottom - area.top);
  const ticks = [0, 64, 128, 192, 256].filter((tick) => tick <= router.experts);
  return picture(
    { width, height: Math.max(grid, area.bottom + 46), title: "読み出す専門家の数" },
    last.map((times, i) =>
      s(`rect.hy-cell${times ? ".hy-lit.hy-series-0" : ""}`, {
        x: (i % SIDE) * CELL + 1,
        y: Math.floor(i / SIDE) * CELL + 1,
        width: CELL - 2,
        height: CELL - 2,
      }),
    ),
    s("text.hy-tick", { x: area.left - 32, y: area.top - 12 }, "読み出す組の数"),
    axes(area, {
      xLabel: "まとめて処理する人（目盛は倍々）",
      xTicks: choices.map((n, i) => ({ at: x(i), text: String(n) })),
      yTicks: ticks.map((tick) => ({ at: y(tick), text: tickText(tick) })),
    }),
    curve(
      FORMULA,
      expected.map((value, i) => [x(i), y(value)]),
    ),
    s("line.hy-chosen", { x1: x(at), x2: x(at), y1: area.top, y2: area.bottom }),
    marker(DRAWN, x(at), y(mean)),
  );
}
