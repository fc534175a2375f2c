// A slider over given values, with its value in words.

import { h } from "./dom.mjs";

/**
 * A slider over the given values, for quick moves; the exact value stands in a number field beside it.
 * @param {object} options
 * @param {string} options.label - For screen readers.
 * @param {number[]} options.values - In rising order.
 * @param {number} options.value - Where it stands.
 * @param {(value: number) => string} options.text - What a screen reader says.
 * @param {(value: number, done: boolean) => void} options.onvalue - Called while it moves and, `done`, when it stops.
 * @returns {{element: HTMLInputElement, set: (value: number) => void}}
 */
export function slider({ label, values, value, text, onvalue }) {
  const at = () => values[Number(element.value)];
  const say = () => element.setAttribute("aria-valuetext", text(at()));
  const take = (done) => {
    say();
    onvalue(at(), done);
  };
  const element = h("input.hy-slider", {
    type: "range",
    min: 0,
    max: values.length - 1,
    step: 1,
    "aria-label": label,
    oninput: () => take(false),
    onchange: () => take(true),
  });
  const set = (wanted) => {
    const above = values.findIndex((candidate) => candidate >= wanted);
    element.value = String(above < 0 ? values.length - 1 : above);
    say();
  };
  set(value);
  return { element, set };
}
