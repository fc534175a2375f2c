// The house of a live figure: its controls, its picture, its words, and the time in which it moves.

import { announcer } from "./announcer.mjs";
import { h, replace } from "./dom.mjs";
import { film } from "./film.mjs";
import { slider } from "./slider.mjs";

const LEAST_CHART_WIDTH = 280;
let stages = 0;

/**
 * Build a live figure in an element.
 *
 * A kind of figure is a few pure functions; frames, observers and announcements are the stage's alone.
 * @param {HTMLElement} root - What is in it is replaced.
 * @param {object} kind
 * @param {string} kind.title
 * @param {string} [kind.intro] - What to do with it.
 * @param {object} [kind.initial] - Its first state, which is never changed: each change makes another.
 * @param {(set: (change: object) => void) => Array} [kind.controls] - Makes what changes the state.
 * @param {(state: object, width: number) => {figure: SVGElement, lines: Lines|((t: number) => Lines), news?: string,
 *   at?: (t: number) => void, said?: (t: number) => string, drag?: (x: number) => void}} kind.draw - The picture of a
 *   state and the same in words, which may be those of a moment; `Lines` is `Array<{mark?: Node, text: string|Array,
 *   answers?: boolean}>`: what answers the question of the figure is not told before something was moved or, where it moves
 *   by itself, before it was started; nor is what is drawn in the class `hy-answers` shown.
 *   `news` is what a screen reader hears of the change, `at` moves the picture to a moment, `said` says what has
 *   happened until then, `drag` takes where a finger or a mouse is on the picture, in its pixels: it moves a slider,
 *   which keys move as well.
 * @param {number} [kind.duration] - Seconds that it moves.
 */
export function stage(root, { title, intro, initial = {}, controls = () => [], draw, duration = 0 }) {
  stages += 1;
  const [name, words] = [`hy-stage-${stages}`, `hy-words-${stages}`];
  const chart = h("div.hy-chart");
  const readout = h("div.hy-readout", { id: words });
  const { element: status, announce } = announcer();
  let state = Object.freeze(initial);
  let [drawn, width, moment, tried] = [null, 0, 0, false];

  const moving = () => typeof drawn.lines === "function";
  const tell = () => {
    const lines = moving() ? drawn.lines(moment) : drawn.lines;
    chart.classList.toggle("hy-untried", !tried);
    refill(readout, lines.filter(({ answers }) => tried || !answers).map(lineOf));
  };
  const show = () => {
    width = chart.clientWidth;
    drawn = draw(state, Math.max(LEAST_CHART_WIDTH, width || 640));
    drawn.figure.setAttribute("aria-describedby", words);
    replace(chart, drawn.figure);
    tell();
    drawn.at?.(moment);
    chart.classList.toggle("hy-draggable", Boolean(drawn.drag));
  };
  followPointer(chart, () => drawn.drag);
  const to = (t) => {
    const first = t > 0 && !tried;
    tried ||= first;
    moment = t;
    drawn.at(t);
    if (first || moving()) tell();
  };
  const set = (change) => {
    state = Object.freeze({ ...state, ...change });
    tried ||= !movie;
    show();
    if (!tried) return;
    announce(
      drawn.news ??
        (moving()
          ? drawn.said(moment)
          : drawn.lines
              .map((line) => line.text)
              .join("。")
              .replaceAll("。。", "。")),
    );
  };
  const movie = duration ? film({ duration, draw: to, said: (_, t) => announce(drawn.said(t)) }) : null;
  root.setAttribute("role", "group");
  root.setAttribute("aria-labelledby", name);
  replace(
    root,
    h("p.hy-title", { id: name }, title),
    intro && h("p", {}, intro),
    controls(set),
    movie?.element,
    chart,
    readout,
    status,
  );
  show();
  movie?.show(0);
  movie?.watch(chart);
  new ResizeObserver(() => Math.abs(chart.clientWidth - width) > 1 && show()).observe(chart);
}

// The figure is drawn anew while it is dragged, what it stands in is not.
function followPointer(chart, drag) {
  const follow = ({ clientX }) => {
    const [figure] = chart.children;
    const { left, width } = figure.getBoundingClientRect();
    drag()(((clientX - left) / width) * figure.viewBox.baseVal.width);
  };
  chart.addEventListener("pointerdown", (event) => {
    if (event.button || !drag()) return;
    chart.setPointerCapture(event.pointerId);
    follow(event);
  });
  chart.addEventListener("pointermove", (event) => chart.hasPointerCapture(event.pointerId) && follow(event));
}

// Lines that say the same stay, so that the browser need not set them anew.
function refill(place, lines) {
  const before = [...place.children];
  if (before.length !== lines.length) replace(place, lines);
  else for (const [i, line] of lines.entries()) if (!before[i].isEqualNode(line)) before[i].replaceWith(line);
}

const lineOf = ({ mark, text }) => h("p", {}, mark && [mark, " "], text);

/**
 * A few things of which one is chosen.
 * @param {string} label
 * @param {string[]} names
 * @param {(place: number) => void} onchoice
 * @param {number} [first] - The one to begin with.
 * @returns {HTMLElement}
 */
export function choices(label, names, onchoice, first = 0) {
  stages += 1;
  const name = `hy-choice-${stages}`;
  const option = (text, i) => {
    const radio = h("input", { type: "radio", name, checked: i === first, onchange: () => onchoice(i) });
    return h("label.hy-check", {}, radio, ` ${text}`);
  };
  return h("div.hy-choices", { role: "radiogroup", "aria-label": label }, names.map(option));
}

/**
 * A slider with its name and its value in sight.
 * @param {object} options - Those of `slider`.
 * @returns {HTMLElement}
 */
export function control(options) {
  return settable(options).element;
}

/**
 * The same, for a value that changes elsewhere, too.
 * @param {object} options - Those of `slider`.
 * @returns {{element: HTMLElement, set: (value: number) => void}}
 */
export function settable(options) {
  const value = h("output", {}, options.text(options.value));
  const { element, set } = slider({
    ...options,
    onvalue(moved, done) {
      if (done) return; // it was said while it moved
      value.textContent = options.text(moved);
      options.onvalue(moved);
    },
  });
  return {
    element: h("div.hy-control", {}, h("span", { "aria-hidden": "true" }, options.label, "：", value), element),
    set(given) {
      set(given);
      value.textContent = options.text(given);
    },
  };
}
