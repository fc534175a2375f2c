// A guess before the answer: the reader's own is taken at the question, and set beside the answer where that stands.

import { announcer } from "./announcer.mjs";
import { withCommas } from "./commas.mjs";
import { h, replace, s } from "./dom.mjs";
import { slider } from "./slider.mjs";

const STEPS = 60; // of the slider
const CLOSE = 1.1; // nobody reads a slider more closely
let guesses = 0;

/**
 * Take the guess that an element asks for.
 *
 * `data-answer` is a number, in `data-unit`, between `data-from` and `data-to`; or, where a list of choices stands in
 * the element, the place of the right one, from 1. `data-at` is the id of what says the answer. Without it, what is
 * folded gives a reason for every choice, and the reader is told at once whether it is right, and why not. Nothing is
 * kept.
 * @param {HTMLElement} root - The question; what is folded in it says the answer at once.
 */
export function mountGuess(root) {
  guesses += 1;
  const list = root.querySelector(":scope > ol, :scope > ul");
  const ask = list ? choiceOf(list, root.dataset) : numberOf(root.dataset);
  const { at } = root.dataset;
  const place = document.getElementById(at);
  if (at && !place) throw new Error(`data-at="${at}" という札は、このページにありません。`);
  const verdict = h("div.hy-guess-verdict", { id: `hy-verdict-${guesses}`, role: "note" });
  const { element: status, announce } = announcer();
  const said = h("p.hy-guess-said");
  const decide = () => {
    const guess = ask.read();
    if (guess === null) return;
    if (!at) {
      const words = `${guess + 1 === Number(root.dataset.answer) ? "合っています。" : "違います。"}${reasonOf(root, guess)}`;
      replace(said, words);
      announce(words);
      return;
    }
    const there = h("a", { href: `#${verdict.id}` }, "答えの出るところ");
    replace(said, h("strong", {}, `予想は${ask.text(guess)}。`), there, "に並べておきます。");
    replace(verdict, ask.compare(guess));
    blockOf(place).after(verdict);
    button.textContent = "予想を変える";
    announce(`予想を${ask.text(guess)}に決めました。`);
  };
  const button = h("button.hy-button", { type: "button", onclick: decide }, "決める");
  const form = h("div.hy-guess", {}, ask.element, h("p.hy-guess-row", {}, button, said), status);
  if (list) list.replaceWith(form);
  else root.querySelector(":scope > p:last-of-type").after(form);
  root.dataset.ready = "";
}

// What is folded says of each choice its letter, in bold, and then the reason.
function reasonOf(root, i) {
  const item = root.querySelectorAll(":scope > details li, :scope > .callout li")[i];
  const letter = item.querySelector("strong").textContent;
  return item.textContent.slice(item.textContent.indexOf(letter) + letter.length).trim();
}

// What the verdict stands behind: a whole figure, table or paragraph.
function blockOf(place) {
  return place.closest("figure, table, p") ?? place;
}

/** Numbers between two, each so many times the one before, as people say them. */
export function steps(from, to) {
  const all = Array.from({ length: STEPS + 1 }, (_, i) => Number((from * (to / from) ** (i / STEPS)).toPrecision(2)));
  return [...new Set(all)];
}

function numberOf({ answer, unit, from, to }) {
  const [low, high, truth] = [from, to, answer].map(Number);
  const values = steps(low, high);
  const gap = /^(?:[A-Za-z]|トークン\/)/.test(unit) ? " " : "";
  const text = (value) => `${withCommas(Number(value.toPrecision(4)))}${gap}${unit}`;
  let value = values[Math.floor(values.length / 2)];
  const output = h("output", {}, text(value));
  const { element } = slider({
    label: "予想",
    values,
    value,
    text,
    onvalue(moved) {
      value = moved;
      output.textContent = text(value);
    },
  });
  return {
    element: h("div.hy-control", {}, h("span", { "aria-hidden": "true" }, "予想：", output), element),
    text,
    read: () => value,
    compare: (guess) => [
      h("p", {}, h("strong", {}, `あなたの予想は${text(guess)}、答えは${text(truth)}です。`), miss(guess, truth)),
      beside(guess, truth, low, high),
    ],
  };
}

/** How far a guess was off. */
export function miss(guess, truth) {
  const ratio = Math.max(guess / truth, truth / guess);
  if (ratio <= CLOSE) return "ほぼ当たりです。";
  const times = withCommas(Number(ratio.toPrecision(2)));
  return `${times}倍、${guess > truth ? "多く" : "少なく"}見積もりました。`;
}

// Both on a line, hollow and filled; the words above say the same.
function beside(guess, truth, low, high) {
  const [first, last] = [Math.min(low, guess, truth), Math.max(high, guess, truth)];
  const x = (value) => 8 + 284 * (Math.log(value / first) / Math.log(last / first));
  return s(
    "svg.hy-guess-line",
    { viewBox: "0 0 300 20", "aria-hidden": "true" },
    s("line.hy-axis-line", { x1: 8, x2: 292, y1: 10, y2: 10 }),
    s("line.hy-guess-gap", { x1: x(guess), x2: x(truth), y1: 10, y2: 10 }),
    s("circle.hy-mark.hy-hollow.hy-series-1", { cx: x(guess), cy: 10, r: 6 }),
    s("circle.hy-mark.hy-filled.hy-series-0", { cx: x(truth), cy: 10, r: 6 }),
  );
}

function choiceOf(list, { answer }) {
  const name = `hy-guess-${guesses}`;
  const texts = [...list.children].map((item) => item.textContent.trim());
  const right = Number(answer) - 1;
  let chosen = null;
  const options = [...list.children].map((item, i) => {
    const radio = h("input", { type: "radio", name, onchange: () => (chosen = i) });
    return h("label.hy-guess-choice", {}, radio, h("span", {}, ...item.childNodes));
  });
  const question = list.previousElementSibling;
  question.id ||= `${name}-question`;
  return {
    element: h("div", { role: "radiogroup", "aria-labelledby": question.id }, options),
    text: (i) => `「${texts[i]}」`,
    read: () => chosen,
    compare: (guess) => {
      const [mine, truth] = [texts[guess], texts[right]];
      const words =
        guess === right ? `予想した「${mine}」のとおりです。` : `あなたの予想は「${mine}」、答えは「${truth}」です。`;
      return [h("p", {}, h("strong", {}, words))];
    },
  };
}
