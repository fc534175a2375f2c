// The front page's race: one text, written at the speeds of the book, beside a human reader.

import { announcer } from "./announcer.mjs";
import { h, replace } from "./dom.mjs";
import { film } from "./film.mjs";
import { race } from "./race-data.mjs";

const REST_S = 1; // the last lane is seen finished
const TITLE = "hy-race-title";

/**
 * Tell how many tokens a lane has written.
 * @param {{tokens_per_s: number, first_token_s: number}} lane - The first token comes after `first_token_s`.
 * @param {number} t - Seconds since the start.
 * @param {number} total - Tokens of the text.
 * @returns {number}
 */
export function written({ tokens_per_s, first_token_s }, t, total) {
  if (t < first_token_s) return 0;
  return Math.min(total, Math.floor((t - first_token_s) * tokens_per_s + 1e-9));
}

/**
 * Tell when a lane is done.
 * @returns {number} Seconds.
 */
export function finish({ tokens_per_s, first_token_s }, total) {
  return first_token_s + total / tokens_per_s;
}

/**
 * Build the race in an element.
 * @param {HTMLElement} root - Its text is what stands there without a script.
 */
export function mountRace(root) {
  const { tokens, lanes } = race;
  const total = tokens.length;
  const last = Math.max(...lanes.map((lane) => finish(lane, total)));
  const chosen = { guess: null };
  const rows = lanes.map((lane, index) => laneRow(lane, () => (chosen.guess = index)));
  const draw = laneDrawer(tokens);
  const said = () => conclusion(lanes, total, chosen.guess);
  const verdict = h("div.hy-readout");
  const { element: status, announce } = announcer();
  const { element, show, watch } = film({
    duration: Math.ceil(last + REST_S),
    draw(t) {
      for (const row of rows) draw(row, t);
      verdict.hidden = t < last;
      if (t >= last) {
        replace(
          verdict,
          said().map((one) => h("p", {}, one)),
        );
      }
    },
    said(moment, t) {
      const counts = lanes.map((lane) => `${lane.name}は${written(lane, t, total)}トークン`).join("、");
      announce(moment === "end" ? said().join("") : `${t.toFixed(1)}秒の時点です。${counts}。`);
    },
  });
  root.setAttribute("role", "group");
  root.setAttribute("aria-labelledby", TITLE);
  const lanesElement = h(
    "div.hy-lanes",
    {},
    rows.map((row) => row.element),
  );
  replace(
    root,
    h("p.hy-title", { id: TITLE }, "同じ文章を、この速さで書くと"),
    h(
      "p",
      {},
      "あなたが黙って読む速さに、いちばん近いのはどれでしょうか。選んでから、始めてください。終わりに、答え合わせをします。",
    ),
    element,
    lanesElement,
    verdict,
    status,
  );
  show(0);
  watch(lanesElement);
}

// A lane as it stands on the page; the reader's own cannot be guessed.
function laneRow(lane, onchange) {
  const guess = lane.kind !== "reader" && h("input", { type: "radio", name: TITLE, onchange });
  const [text, done, bar] = [h("p.hy-lane-text"), h("span.hy-lane-done"), h("div.hy-lane-bar")];
  const element = h(
    `div.hy-lane.hy-lane-${lane.kind}`,
    {},
    h(
      "div.hy-lane-head",
      {},
      h(guess ? "label.hy-lane-name" : "span.hy-lane-name", {}, guess, guess && " ", lane.name),
      h("span.hy-lane-speed", {}, laneSpeed(lane)),
    ),
    // Who cannot see it has the table below, and what is said in rest.
    h("div.hy-lane-window", { "aria-hidden": "true" }, text),
    h("div.hy-lane-foot", { "aria-hidden": "true" }, h("div.hy-lane-track", {}, bar), done),
  );
  return { lane, element, text, done, bar, count: -1 };
}

// What draws a row at a moment.
function laneDrawer(tokens) {
  const text = tokens.join("");
  const ends = [0];
  for (const token of tokens) ends.push(ends.at(-1) + token.length);
  return (row, t) => {
    const count = written(row.lane, t, tokens.length);
    if (count === row.count) return;
    row.count = count;
    const isDone = count === tokens.length;
    row.text.textContent = text.slice(0, ends[count]);
    row.bar.style.width = `${(100 * count) / tokens.length}%`;
    row.element.classList.toggle("hy-finished", isDone);
    const finished = `${seconds(finish(row.lane, tokens.length))}で書き終わり`;
    row.done.textContent = isDone ? finished : count ? `${count} トークン` : "まだ一文字も出ません";
  };
}

const KINDS = { measured: "実測", bound: "上限", reader: "およそ" };

function laneSpeed({ kind, shown, first_token_s }) {
  const speed = h("span", {}, `${KINDS[kind]} ${shown} トークン/秒`);
  return first_token_s ? [speed, "、", h("span", {}, `最初の一文字まで${seconds(first_token_s)}`)] : speed;
}

/**
 * Say what the race showed.
 * @returns {string[]} Sentences.
 */
export function conclusion(lanes, total, guess) {
  const reader = lanes.find((lane) => lane.kind === "reader");
  const machines = lanes.filter((lane) => lane !== reader);
  const measured = machines.filter((lane) => lane.kind === "measured");
  const nearest = machines.reduce((best, lane) => (distance(lane, reader) < distance(best, reader) ? lane : best));
  const [slow, fast] = [measured[0], measured.at(-1)];
  const sentences = [
    `読む速さにいちばん近いのは、${nearest.name}（${nearest.shown} トークン/秒）でした。`,
    `書き終わるまで、${slow.name}は${seconds(finish(slow, total))}、${fast.name}は${seconds(finish(fast, total))}です。`,
  ];
  if (guess !== null) {
    const chosen = lanes[guess];
    const ratio = chosen.tokens_per_s / reader.tokens_per_s;
    sentences.unshift(
      chosen === nearest
        ? "予想のとおりでした。"
        : `予想した${chosen.name}は、読む速さの${ratio < 10 ? ratio.toFixed(1) : Math.round(ratio)}倍でした。`,
    );
  }
  return sentences;
}

function distance(lane, reader) {
  return Math.abs(Math.log(lane.tokens_per_s / reader.tokens_per_s));
}

function seconds(value) {
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} 秒`;
}

if (globalThis.document) for (const root of document.querySelectorAll(".hayasa-race")) mountRace(root);
