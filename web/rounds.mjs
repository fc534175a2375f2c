// Drafts kept and thrown away: chapter 12's two models of letters write, beside the large one alone.

import { withCommas } from "./commas.mjs";
import { s } from "./dom.mjs";
import { axes, curve, linearTicks, picture, swatch, tickText } from "./marks.mjs";
import { roundsData } from "./rounds-data.mjs";
import { choices, control, stage } from "./stage.mjs";

const PASSES_A_SECOND = 4; // of the large model, one letter each
const ROUNDS_SHOWN = 60; // such passes
const FIRST_LENGTH = 4; // of the drafts
const SIDEWAYS = 17; // pixels
const ROUNDS_LINE = 24;
const GAP = 5; // between rounds
const MOST_GAIN = 4; // no round gains more
const MOST_LETTERS = 150; // nor does any drafter write more while it is watched
const THICK = 16;
const CURVE = 170;
const ROUNDS_OWN = 0; // colours: what the large model wrote itself, and what it let stand
const KEPT = 2;

/**
 * Let the small model draft as many letters as it is told.
 * @param {{order: number, answers: object}} drafter - How many letters it looks back, and what it answers to them, where
 *   that is not what first follows them in the text.
 * @param {string} text - The whole one.
 * @param {number} from - Where the draft begins.
 * @param {number} length
 * @returns {string}
 */
export function draftOf({ order, answers }, text, from, length) {
  let written = text.slice(from - order, from);
  while (written.length < order + length) {
    const last = written.slice(-order);
    written += answers[last] ?? text[text.indexOf(last) + order];
  }
  return written.slice(order);
}

/**
 * Write a text with drafts.
 * @param {{text: string, start: number}} story - What the large model writes alone, and where it begins.
 * @param {object} drafter
 * @param {number} length - Of each draft.
 * @returns {Array<{from: number, draft: string, kept: number}>} Each pass of the large model, until the text has ended:
 *   it goes on by the letters that are kept and one of its own.
 */
export function roundsOf({ text, start }, drafter, length) {
  const rounds = [];
  for (let from = start; from < text.length; from += rounds.at(-1).kept + 1) {
    const draft = draftOf(drafter, text, from, length);
    const wrong = [...draft].findIndex((letter, i) => letter !== text[from + i]);
    rounds.push({ from, draft, kept: wrong < 0 ? length : wrong });
  }
  return rounds;
}

/** How long a round takes, where one letter alone takes 1. */
export const roundTime = (cost, length) => 1 + cost * length;

/**
 * Tell what has been written at a moment.
 * @param {Array} rounds
 * @param {number} each - How long one takes.
 * @param {number} passed - Time since the beginning.
 * @returns {{done: number, letters: number}} Rounds that are over, and what they wrote.
 */
export function writtenAt(rounds, each, passed) {
  const done = Math.min(rounds.length, Math.floor(passed / each + 1e-9));
  return { done, letters: rounds.slice(0, done).reduce((letters, { kept }) => letters + kept + 1, 0) };
}

/** Build the figure; `data` holds the text, the small models, machines, and what the formula expects. */
export function mountRounds(root, { drafters, machines, ...story } = roundsData) {
  const lengths = drafters[0].expected.slice(1).map((_, i) => i + 1);
  stage(root, {
    title: "採られた下書きと、捨てられた下書き",
    intro:
      "大きなモデルだけで書くのと、小さなモデルに下書きさせて書くのを、同じ時計で比べます。下書きは、何文字ずつがいちばん速いでしょうか。見当をつけてから、始めてください。",
    initial: { drafter: 0, machine: 0, length: FIRST_LENGTH },
    controls: (set) => [
      choices(
        "下書きするモデル",
        drafters.map(({ name }) => name),
        (drafter) => set({ drafter }),
      ),
      choices(
        "一回の時間",
        machines.map(({ name }) => `時間は${name}`),
        (machine) => set({ machine }),
      ),
      control({
        label: "下書きの長さγ",
        values: lengths,
        value: FIRST_LENGTH,
        text: (n) => `${n}文字`,
        onvalue: (length) => set({ length }),
      }),
    ],
    duration: ROUNDS_SHOWN / PASSES_A_SECOND,
    draw: ({ drafter, machine, length }, width) =>
      roundsIn({ story, drafter: drafters[drafter], machine: machines[machine], length, width }),
  });
}

function roundsIn({ story, drafter, machine, length, width }) {
  const rounds = roundsOf(story, drafter, length);
  const each = roundTime(machine.cost, length);
  const cells = cellsOf(story, rounds.slice(0, writtenAt(rounds, each, ROUNDS_SHOWN).done), width);
  const bars = barsOf(cells.bottom + 34, width);
  const gain = gainOf({ drafter, machine, length, top: bars.bottom + 62, width });
  const at = (t) => {
    const passed = t * PASSES_A_SECOND;
    const { done, letters } = writtenAt(rounds, each, passed);
    cells.show(done);
    bars.show([Math.floor(passed + 1e-9), letters], done);
    gain.show(done ? letters / done / each : null);
  };
  return {
    figure: picture(
      { width, height: gain.bottom + 46, title: "下書きの当たり外れと速さ" },
      cells.parts,
      bars.parts,
      gain.parts,
    ),
    ...roundWords({ rounds, written: story.text.length - story.start, drafter, machine, length }),
    at,
    said(t) {
      const { done, letters } = writtenAt(rounds, each, t * PASSES_A_SECOND);
      const mean = done ? `（平均${(letters / done).toFixed(2)}文字ずつ）` : "";
      const alone = Math.floor(t * PASSES_A_SECOND + 1e-9);
      return `下書きありは${done}回で${letters}文字${mean}、下書きなしは${alone}文字です。`;
    },
  };
}

// Behind the opening, each round: the letters that were kept, the large model's own one, those that were thrown away.
function cellsOf({ text, start }, rounds, width) {
  let [x, y] = [0, 0];
  const row = (letters, cell) => {
    const cells = letters.map((letter, i) => {
      if (x + SIDEWAYS > width) [x, y] = [0, y + ROUNDS_LINE];
      x += SIDEWAYS;
      return cell(letter, x - SIDEWAYS, y, i);
    });
    x += GAP;
    return s("g", {}, cells);
  };
  const opening = row([...text.slice(0, start)], (letter, left, top) => letterIn("", letter, left, top));
  const groups = rounds.map(({ from, draft, kept }) => {
    const letters = [...draft.slice(0, kept), text[from + kept] ?? "", ...draft.slice(kept)];
    return row(letters, (letter, left, top, i) => cellOf(letter, i - kept, left, top));
  });
  return {
    parts: [opening, groups],
    bottom: y + ROUNDS_LINE,
    show(done) {
      for (const [i, group] of groups.entries()) group.setAttribute("visibility", i < done ? "visible" : "hidden");
    },
  };
}

// A letter of a round, by its place behind the last one that was kept: 0 is the large model's own.
function cellOf(letter, place, x, y) {
  const kind = place > 0 ? "" : `.hy-lit.hy-series-${place ? KEPT : ROUNDS_OWN}`;
  return [
    s(`rect.hy-cell${kind}`, { x: x + 1, y: y + 1, width: SIDEWAYS - 2, height: ROUNDS_LINE - 4 }),
    letterIn(kind ? ".hy-inside" : ".hy-thrown", letter, x, y),
  ];
}

const letterIn = (kind, letter, x, y) =>
  s(`text${kind}`, { x: x + SIDEWAYS / 2, y: y + 16, "text-anchor": "middle" }, letter);

// How far both are at the same time.
function barsOf(top, width) {
  const lanes = ["下書きなし", "下書きあり"].map((name, i) => {
    const y = top + i * (THICK + 26);
    return {
      name,
      label: s("text.hy-label", { x: 0, y: y - 6 }),
      bar: s(`rect.hy-wait.hy-series-${i ? KEPT : ROUNDS_OWN}`, { x: 0, y, height: THICK }),
    };
  });
  return {
    parts: lanes.map(({ label, bar }) => [label, bar]),
    bottom: top + 2 * THICK + 26,
    show(letters, done) {
      for (const [i, { name, label, bar }] of lanes.entries()) {
        label.textContent = `${name}：${letters[i]}文字${i && done ? `（${done}回、平均${(letters[i] / done).toFixed(2)}文字）` : ""}`;
        bar.setAttribute("width", (letters[i] / MOST_LETTERS) * width);
      }
    },
  };
}

// The gain by the length of the drafts: what the formula expects, and the mean of the rounds until now.
function gainOf({ drafter, machine, length, top, width }) {
  const gains = drafter.expected.map((tokens, n) => tokens / roundTime(machine.cost, n));
  const area = { left: 40, right: width - 12, top, bottom: top + CURVE };
  const ticks = linearTicks(MOST_GAIN, MOST_GAIN);
  const x = (n) => area.left + (n / (gains.length - 1)) * (area.right - area.left);
  const y = (gain) => area.bottom - (gain / MOST_GAIN) * (area.bottom - area.top);
  const best = gains.indexOf(Math.max(...gains));
  const mean = s(`circle.hy-mark.hy-filled.hy-series-${KEPT}`, { cx: x(length), r: 6 });
  return {
    parts: [
      s("text.hy-tick", { x: 0, y: top - 14 }, "下書きなしの何倍か（点：ここまで、線：式）"),
      axes(area, {
        xLabel: "下書きの長さγ",
        xTicks: gains.map((_, n) => ({ at: x(n), text: String(n) })),
        yTicks: ticks.map((tick) => ({ at: y(tick), text: tickText(tick) })),
      }),
      s("line.hy-chosen", { x1: x(length), x2: x(length), y1: area.top, y2: area.bottom }),
      s(
        "g.hy-answers",
        {},
        curve(
          1,
          gains.map((gain, n) => [x(n), y(gain)]),
        ),
        s(
          "text.hy-label.hy-over-lines",
          { x: x(best), y: y(gains[best]) + 22, "text-anchor": best ? "middle" : "start" },
          "最良",
        ),
        s("circle.hy-mark.hy-hollow.hy-series-1", { cx: x(best), cy: y(gains[best]), r: 5 }),
      ),
      mean,
    ],
    bottom: area.bottom,
    show(gain) {
      mean.setAttribute("visibility", gain === null ? "hidden" : "visible");
      mean.setAttribute("cy", y(gain ?? 0));
    },
  };
}

function roundWords({ rounds, written, drafter, machine, length }) {
  const { acceptance, expected } = drafter;
  const each = roundTime(machine.cost, length);
  const gains = expected.map((tokens, n) => tokens / roundTime(machine.cost, n));
  const best = gains.indexOf(Math.max(...gains));
  const thrown = rounds.reduce((sum, { kept }) => sum + length - kept, 0);
  const verdict = best
    ? `この機械では、${best}文字ずつの下書きがいちばん速く、${gains[best].toFixed(2)}倍です。`
    : "この機械では、下書きしないのがいちばん速くなります。";
  const now = `γ = ${length}なら、一回に${expected[length].toFixed(2)}文字、時間は${each.toFixed(2)}倍かかるので、速さは${gains[length].toFixed(2)}倍です。`;
  return {
    lines: [
      { mark: swatch(KEPT), text: "採られた下書き" },
      { mark: swatch(ROUNDS_OWN), text: "大きなモデルが書いた文字。色のない四角は、捨てられた下書きです。" },
      { mark: swatch(1), text: `式（合格率${acceptance.toFixed(2)}）：${now}`, answers: true },
      { text: verdict, answers: true },
      {
        answers: true,
        text: `最後まで書くと、${written}文字に${rounds.length}回で、平均は一回に${(written / rounds.length).toFixed(2)}文字です。下書きは、${withCommas(thrown)}文字が捨てられます。`,
      },
      {
        text: `${machine.name}では、まとめて通す文字が一つ増えるごとに、一回の時間が1文字の時間の約${Math.round(100 * machine.cost)}%ずつ延びます（公開された実測から。当たり外れは、この章の模型のものです）。`,
      },
    ],
    news: `${now}${verdict}`,
  };
}
