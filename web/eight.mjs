// Eight machines that pass a token on: one works, seven wait, until more people ask.

import { s } from "./dom.mjs";
import { eightData } from "./eight-data.mjs";
import { axes, linearTicks, picture, swatch } from "./marks.mjs";
import { control, stage } from "./stage.mjs";

const WINDOW_S = 0.2; // what is shown
const SLOWER = 50; // as many times as it really is
const LINKS_MS = [0, 0.05, 0.1, 0.3, 0.5, 1, 2, 3, 5, 8, 10, 12, 14, 15, 16, 18];
const BOXES = 64; // heights in pixels
const ROW = 17;
const TOKEN = 44;
const SHADES = [1, 0.7, 0.45, 0.25]; // of one person after the other

/**
 * Tell who works when.
 * @param {{machines: number, messages: number, part_s: number, people: number, link_s: number}} pipeline - How often a
 *   token is handed on, one machine's part of it, and how long handing it on takes.
 * @param {number} until_s - Later beginnings are left out.
 * @returns {Array<{machine: number, person: number, from: number, to: number}>} In the order of the beginnings.
 */
export function schedule({ machines, messages, part_s, people, link_s }, until_s) {
  const back_s = (messages - machines + 1) * link_s; // from the last one to the first
  const free = Array(machines).fill(0);
  const ready = Array(people).fill(0);
  const work = [];
  for (let turn = 0; ready[turn % people] < until_s; turn += 1) {
    const person = turn % people;
    let at = ready[person];
    for (let machine = 0; machine < machines; machine += 1) {
      const from = Math.max(at, free[machine]);
      const to = from + part_s;
      work.push({ machine, person, from, to });
      free[machine] = to;
      at = to + link_s;
    }
    ready[person] = at - link_s + back_s;
  }
  return work.filter(({ from }) => from < until_s).sort((a, b) => a.from - b.from);
}

/**
 * Tell how long a token takes, and how many come in a second.
 * @returns {{token_s: number, tokens_per_s: number}} One person's token; those of all.
 */
export function passing({ machines, messages, part_s, people, link_s }) {
  const token_s = machines * part_s + messages * link_s;
  return { token_s, tokens_per_s: people / Math.max(token_s, people * part_s) };
}

/** Build the figure; `data` says how long a part takes and what was measured. */
export function mountEight(root, { measured_tokens_per_s, ...pipeline } = eightData) {
  stage(root, {
    title: "8台が1トークンを渡していく",
    intro: `DeepSeek-V3を8台のMac mini（M4 Pro）に分けて置きました。いくつの台が、同時に働くでしょうか。思い浮かべてから、始めてください（${SLOWER}分の1の速さで見せます）。`,
    initial: { people: 1, link_s: 0 },
    controls: (set) => [
      control({
        label: "同時に使う人",
        values: Array.from({ length: pipeline.machines }, (_, i) => i + 1),
        value: 1,
        text: (n) => `${n}人`,
        onvalue: (people) => set({ people }),
      }),
      control({
        label: "隣へ渡すのにかかる時間",
        values: LINKS_MS,
        value: 0,
        text: (ms) => `${ms}ミリ秒`,
        onvalue: (ms) => set({ link_s: ms / 1000 }),
      }),
    ],
    duration: WINDOW_S * SLOWER,
    draw: (state, width) => drawn({ ...pipeline, ...state }, 1 / measured_tokens_per_s, width),
  });
}

function drawn(pipeline, measured_s, width) {
  const { machines } = pipeline;
  const work = schedule(pipeline, WINDOW_S);
  const area = { left: 44, right: width - 12, top: BOXES, bottom: BOXES + machines * ROW + TOKEN };
  const x = (seconds) => area.left + (Math.min(seconds, WINDOW_S) / WINDOW_S) * (area.right - area.left);
  const boxes = boxesOf(machines, area);
  const passed = s("rect", { x: area.left, y: 0, width: 0, height: area.bottom });
  const now = s("line.hy-chosen", { y1: BOXES, y2: area.bottom });
  const clip = s("clipPath", { id: "hy-passed" }, passed);
  const chart = work.map(({ machine, person, from, to }) =>
    s("rect.hy-work.hy-series-0", {
      "fill-opacity": SHADES[person % SHADES.length],
      x: x(from),
      y: BOXES + machine * ROW + 2,
      width: x(to) - x(from),
      height: ROW - 4,
    }),
  );
  const ticks = linearTicks(WINDOW_S * 1000, 4);
  const figure = picture(
    { width, height: area.bottom + 46, title: "8台の時間割" },
    clip,
    axes(area, {
      xLabel: "時間（ミリ秒）",
      xTicks: ticks.map((ms) => ({ at: x(ms / 1000), text: String(ms), lined: true })),
      yTicks: Array.from({ length: machines }, (_, i) => ({ at: BOXES + (i + 0.5) * ROW, text: `${i + 1}台目` })),
    }),
    boxes.map(({ box, label }) => [box, label]),
    s("g", { "clip-path": "url(#hy-passed)" }, chart),
    tokenBar(pipeline, measured_s, x, BOXES + machines * ROW),
    now,
  );
  return {
    figure,
    lines: wordsOf(pipeline, measured_s),
    at(t) {
      const seconds = t / SLOWER;
      const busy = t > 0 ? busyAt(work, seconds) : [];
      passed.setAttribute("width", x(seconds) - area.left);
      now.setAttribute("x1", x(seconds));
      now.setAttribute("x2", x(seconds));
      for (const [machine, { box }] of boxes.entries())
        box.setAttribute("class", busy.includes(machine) ? "hy-box hy-lit hy-series-0" : "hy-box");
    },
    said: (t) => saidOf(pipeline, work, t / SLOWER),
  };
}

const busyAt = (work, seconds) =>
  work.filter(({ from, to }) => from <= seconds && seconds < to).map(({ machine }) => machine);

function boxesOf(machines, { left, right }) {
  const each = (right - left) / machines;
  return Array.from({ length: machines }, (_, i) => {
    const at = left + i * each;
    return {
      box: s("rect.hy-box", { x: at + 2, y: 8, width: each - 4, height: 36, rx: 4 }),
      label: s("text.hy-box-name", { x: at + each / 2, y: 31, "text-anchor": "middle" }, String(i + 1)),
    };
  });
}

// One token from end to end on the same axis, and what of the measured time is left unexplained.
function tokenBar(pipeline, measured_s, x, y) {
  const { token_s } = passing(pipeline);
  const read_s = pipeline.machines * pipeline.part_s;
  const bar = (name, from, to) =>
    to > from && s(`rect.${name}`, { x: x(from), y: y + 20, width: x(to) - x(from), height: 18 });
  return [
    s("text.hy-tick", { x: x(0) + 2, y: y + 14 }, "1人の1トークンの時間"),
    bar("hy-work.hy-series-0", 0, read_s),
    bar("hy-work.hy-series-1", read_s, token_s),
    bar("hy-unknown", token_s, measured_s),
    s("text.hy-tick", { x: x(measured_s), y: y + 14, "text-anchor": "end" }, "実測"),
  ];
}

const ms = (seconds) => `${(seconds * 1000).toFixed(seconds > 0 && seconds < 0.02 ? 1 : 0)}ミリ秒`;
const speed = (tokens_per_s) => `毎秒${tokens_per_s.toPrecision(3)}トークン`;

function wordsOf(pipeline, measured_s) {
  const { machines, messages, people, part_s, link_s } = pipeline;
  const { token_s, tokens_per_s } = passing(pipeline);
  const working = (people * machines * part_s) / Math.max(token_s, people * part_s);
  const many = `${people}人なら、平均で${working.toFixed(1)}台が同時に働き、全員で${speed(tokens_per_s)}です。1人から見た速さは、1人で使うときと同じです。`;
  const rest_s = measured_s - token_s;
  const unknown = `1人で使った実測は${ms(measured_s)}（${speed(1 / measured_s)}）です。点線の${ms(rest_s)}は、この二つでは説明できません。`;
  return [
    people > 1
      ? { text: many }
      : { text: `同時に働くのは、1台だけです。残りの${machines - 1}台は待っています。`, answers: true },
    {
      mark: swatch(0),
      text: `${machines}台が順に重みを読み出す：${ms(machines * part_s)}${people > 1 ? "（濃さの違いは、人の違い）" : ""}`,
    },
    { mark: swatch(1), text: `隣へ${messages}回渡す：${ms(messages * link_s)}` },
    { text: `1人から見れば、1トークンは${ms(token_s)}、${speed(1 / token_s)}です。` },
    { text: rest_s > 0 ? unknown : `これでは、実測の${ms(measured_s)}より長くかかってしまいます。` },
  ];
}

function saidOf({ people, machines }, work, seconds) {
  const done = work.filter(({ machine, to }) => machine === machines - 1 && to <= seconds).length;
  return `${(seconds * 1000).toFixed(0)}ミリ秒の時点です。${people}人で${done}トークンを書き終え、${busyAt(work, seconds).length}台が働いています。`;
}
