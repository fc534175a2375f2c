// Two pipes: one brings the weights, one computes with them; the step is over when both tanks are empty.

import { withCommas } from "./commas.mjs";
import { s } from "./dom.mjs";
import { axes, linearTicks, picture, swatch } from "./marks.mjs";
import { pipesData } from "./pipes-data.mjs";
import { choices, control, stage } from "./stage.mjs";

const FILM_S = 6; // in which the slower one runs empty
const TANK = 110; // heights in pixels
const PIPE = 64;
const BAR_ROW = 24;
const NARROWEST = 10;
const DECADE = 36;

/**
 * Tell how full the tanks are.
 * @param {number[]} ends_s - When each is empty.
 * @param {number} share - Of the time until the last one is.
 * @returns {number[]} From 1 to 0.
 */
export function levels(ends_s, share) {
  const now = share * Math.max(...ends_s);
  return ends_s.map((end) => Math.max(0, 1 - now / end));
}

/** Build the figure; `data` holds the times of both pipes for what can be chosen. */
export function mountPipes(root, { bits, batches, machines, gpu, ...amounts } = pipesData) {
  stage(root, {
    title: "二つの管、空になるのはどちらが後か",
    intro: "左の管は重みを運び、右の管は計算します。どちらのタンクが後まで残るでしょうか。",
    initial: { machine: 0, bits: 4, batch: 1 },
    controls: (set) => [
      choices(
        "機械",
        machines.map(({ name }) => name),
        (machine) => set({ machine }),
      ),
      control({
        label: "重み1個のビット数",
        values: bits,
        value: 4,
        text: (n) => `${n}ビット`,
        onvalue: (n) => set({ bits: n }),
      }),
      control({
        label: "バッチサイズ",
        values: batches,
        value: 1,
        text: withCommas,
        onvalue: (batch) => set({ batch }),
      }),
    ],
    duration: FILM_S,
    draw(state, width) {
      const [i, k] = [bits.indexOf(state.bits), batches.indexOf(state.batch)];
      const { pipes, memory_s, compute_s } = machines[state.machine];
      const given = { width, gpu, batch: state.batch };
      return drawnPipes(pipes, [amounts.bytes[i], amounts.flop[k]], [memory_s[i], compute_s[k]], given);
    },
  });
}

const NAMES = ["重みを運ぶ", "計算する"];
const inMs = (seconds) => `${Number((seconds * 1000).toPrecision(3))}ミリ秒`;

function drawnPipes(pipes, amounts, ends_s, { width, gpu, batch }) {
  const middle = width / 2;
  const tanks = NAMES.map((name, i) => tankOf(name, amounts[i], pipes[i], i, [i ? middle + 8 : 8, middle - 16]));
  const top = TANK + PIPE + 8;
  const area = { left: 8, right: width - 24, top, bottom: top + 2 * BAR_ROW };
  const ticks = linearTicks(Math.max(...ends_s) * 1000, 4);
  const x = (seconds) => area.left + ((seconds * 1000) / ticks.at(-1)) * (area.right - area.left);
  const bars = ends_s.map((_, i) =>
    s(`rect.hy-work.hy-series-${i}`, { x: area.left, y: top + i * BAR_ROW + 4, width: 0, height: BAR_ROW - 8 }),
  );
  const figure = picture(
    { width, height: area.bottom + 46, title: "二つのタンクと、空になるまでの時間" },
    tanks.map((tank) => tank.parts),
    axes(area, {
      xLabel: "時間（ミリ秒）",
      yTicks: [],
      xTicks: ticks.map((tick) => ({ at: x(tick / 1000), text: String(Number(tick.toPrecision(3))), lined: true })),
    }),
    bars,
  );
  return {
    figure,
    lines: wordsFor(ends_s, { gpu, batch }),
    at(t) {
      const now = (t / FILM_S) * Math.max(...ends_s);
      for (const [i, level] of levels(ends_s, t / FILM_S).entries()) {
        tanks[i].water.setAttribute("y", TANK - level * (TANK - 26));
        tanks[i].water.setAttribute("height", level * (TANK - 26));
        tanks[i].flow.setAttribute("visibility", t > 0 && level > 0 ? "visible" : "hidden");
        bars[i].setAttribute("width", x(Math.min(now, ends_s[i])) - area.left);
      }
    },
    said(t) {
      const left = levels(ends_s, t / FILM_S).map((level) => `${Math.round(100 * level)}%`);
      return `タンクの残りは、${NAMES[0]}ほうが${left[0]}、${NAMES[1]}ほうが${left[1]}です。`;
    },
  };
}

// A tank with its pipe; the pipes' widths are on a logarithmic scale, as the words beneath say.
function tankOf(name, amount, { text, decades }, i, [left, wide]) {
  const center = left + wide / 2;
  const pipe = NARROWEST + DECADE * decades;
  const water = s(`rect.hy-work.hy-series-${i}`, { x: left, width: wide });
  const flow = s(`rect.hy-work.hy-series-${i}`, {
    x: center - pipe / 2 + 2,
    y: TANK,
    width: pipe - 4,
    height: PIPE - 24,
  });
  return {
    water,
    flow,
    parts: [
      s("text.hy-label", { x: left, y: 16 }, `${name}（${amount}）`),
      water,
      s("rect.hy-tank", { x: left, y: 26, width: wide, height: TANK - 26 }),
      s("rect.hy-tank", { x: center - pipe / 2, y: TANK, width: pipe, height: PIPE - 24 }),
      flow,
      s("text.hy-tick", { x: center, y: TANK + PIPE - 8, "text-anchor": "middle" }, text),
    ],
  };
}

function wordsFor(ends_s, { gpu, batch }) {
  const [memory_s, compute_s] = ends_s;
  const slower = memory_s >= compute_s ? 0 : 1;
  const last = Math.max(memory_s, compute_s);
  const idle = 100 * (1 - Math.min(memory_s, compute_s) / last);
  const waits = ["計算する管は、時間の", "運ぶ管は、時間の"][slower];
  const slowed = withCommas(Number((FILM_S / last).toPrecision(1)));
  return [
    {
      answers: true,
      text: `後まで残るのは、${NAMES[slower]}ほうです（${["メモリバウンド", "計算バウンド"][slower]}）。${waits}${idle.toPrecision(2)}%を待って過ごします。`,
    },
    ...NAMES.map((name, i) => ({ mark: swatch(i), text: `${name}：${inMs(ends_s[i])}`, answers: true })),
    {
      answers: true,
      text: `速さの上限は、${["", "全体で"][Number(batch > 1)]}毎秒${withCommas(Number((batch / last).toPrecision(3)))}トークンです。`,
    },
    {
      text: `どちらのタンクも、満杯から始めます（量は上の数字）。管の太さは、Mac mini M4の何倍速いかを対数の目盛で表します。実際の${slowed}分の1の速さで見せます。`,
    },
    {
      text: `計算力は、元記事と同じく、A100が密なint4、Mac mini M4がNeural Engineの値です。第1章の${gpu}は、M4のGPUの値です。`,
    },
  ];
}
