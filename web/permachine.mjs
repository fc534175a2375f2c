// A room with fields, and beneath them a part for every machine.

import { h, replace } from "./dom.mjs";

/**
 * Make such a room; a machine without an estimate has no part in it.
 * @param {HTMLElement[]} fields - What can be chosen there.
 * @param {(state: object) => void} set - Puts into them what is chosen.
 * @param {(result: object, state: object) => Array} make - Makes the nodes of a part; what hayasa refuses stands there
 *   as a problem.
 * @returns {{element: HTMLElement, show: (view: object) => void}}
 */
export function roomPerMachine(fields, set, make) {
  const list = h("div", { "aria-live": "polite" });
  return {
    element: h("div", {}, h("div.hy-grid-form", {}, fields), list),
    show({ state, answers }) {
      set(state);
      const answered = answers.filter(({ result }) => result);
      replace(
        list,
        answered.map(({ name, result }) =>
          h("section", {}, h("p.hy-sum-title", {}, name), partOf(make, result, state)),
        ),
      );
    },
  };
}

function partOf(make, result, state) {
  try {
    return make(result, state);
  } catch (error) {
    if (error.name !== "InvalidValueError") throw error;
    return h("p.hy-problem", {}, error.message);
  }
}

/** Terms and what belongs to them; what is null or without is left out. */
export function factList(pairs) {
  const shown = pairs.filter((pair) => pair?.[1]);
  return h(
    "dl.hy-facts",
    {},
    shown.map(([term, value]) => h("div", {}, h("dt", {}, term), h("dd", {}, value))),
  );
}
