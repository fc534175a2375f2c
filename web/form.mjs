// The form: model and weights, and, folded, what else can be chosen for all machines alike.

import { withCommas } from "./commas.mjs";
import { h, replace } from "./dom.mjs";
import { menu } from "./fields.mjs";
import { parts } from "./later.mjs";
import { modelGroups, OWN_CHOICE, weightGroups } from "./menus.mjs";
import { isFromFile, isListed, withModel, withValues } from "./state.mjs";

/**
 * The conditions.
 * @param {object} tables - Those of `estimator.mjs`.
 * @param {(update: (state: object) => object, done?: boolean) => void} change - Called with what the reader does to the
 *   state; `done` is false while a slider moves or a field is typed in.
 * @returns {{element: HTMLElement, fill: (state: object) => void,
 *   complete: (state: object) => void, show: (view: object) => void}} `fill` makes the fields
 *   anew, for a state; `complete` those that come later; `show` marks in the menus what does not go together with the rest.
 */
export function conditionsForm(tables, change) {
  const element = h("div.hy-conditions");
  let marked = {}; // the menus that say what does not go together
  let reason = "";
  const own = h("div.hy-own");
  const inside = h("div.hy-grid-form");
  const inEffect = h("span.hy-in-effect");
  const further = h("details.hy-more", {}, h("summary", {}, "くわしい条件", inEffect), inside);
  const set = (values, done) => change((state) => withValues(state, values), done);
  const choose = (model, weights) => {
    let before;
    let after;
    change((state) => {
      before = state;
      after = withModel(state, model, weights ?? parts.below?.usualWeights(tables, state, model));
      return after;
    });
    marked.weights.set(after.weights);
    // What a file has stands in the menus only as long as its model does.
    if (isFromFile(model) || isFromFile(before.model)) {
      fill(after);
      element.querySelector("select").focus();
    } else {
      parts.below?.ownModel(own, { tables, state: after, change, choose });
    }
  };
  // What few look at is filled when what computes it has come.
  const complete = (state) => {
    if (!parts.below) return;
    const { fields, menus, chosen } = parts.below.furtherFields({ tables, state, set, choose });
    replace(inside, fields);
    parts.below.ownModel(own, { tables, state, change, choose });
    further.open ||= chosen;
    Object.assign(marked, menus);
    reason = "";
  };
  const fill = (state) => {
    const model = menu({
      label: "モデル",
      long: true,
      groups: modelGroups(tables, state),
      value: isListed(state.model) ? state.model : OWN_CHOICE,
      onvalue: (value) => choose(...chosenModel(tables, value)),
    });
    marked = { weights: choice("重みの形式", "weights", weightGroups(tables, state), state, set) };
    replace(element, h("div.hy-grid-form", {}, model.element, marked.weights.element), own, further);
    replace(own);
    complete(state);
  };
  return {
    element,
    complete,
    fill,
    show({ state }) {
      const { engine, context_length, batch_size } = state;
      inEffect.textContent = `：${tables.engines.get(engine).name}、文脈長 ${withCommas(context_length)}、${withCommas(batch_size)} 系列`;
      if (!parts.below) return;
      const now = JSON.stringify([engine, state.backend, state.machines.map(({ device }) => device)]);
      if (now === reason) return;
      reason = now;
      const marks = parts.below.marksFor(tables, state);
      for (const [name, { mark }] of Object.entries(marked)) mark(marks[name]);
    },
  };
}

/** A menu of the conditions. */
export function choice(label, name, groups, state, set) {
  return menu({ label, groups, value: state[name], onvalue: (value) => set({ [name]: value }) });
}

// With the format of a model that was read from a file, if it says one.
function chosenModel({ presets }, value) {
  if (value === OWN_CHOICE) return [{ ...presets.article.model }]; // the reader's own numbers begin as the article
  return [value, isFromFile(value) ? parts.files.formatOf(value) : undefined];
}
