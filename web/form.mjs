// The form: model, weights, engine, batch, context, and what else can be chosen for all machines alike.

import { h, replace } from "./dom.mjs";
import { menu, numberField } from "./fields.mjs";
import { parts } from "./later.mjs";
import { engineGroups, modelGroups, OWN_CHOICE, weightGroups } from "./menus.mjs";
import { slider } from "./slider.mjs";
import { isListed, numberRules, withValues } from "./state.mjs";

// The numbers that have a slider, too: where it can stand, and what is said of it.
const QUICK = {
  batch_size: {
    values: Array.from({ length: 11 }, (_, i) => 2 ** i),
    text: (n) => `${n} 系列`,
    hint: "同時に進める系列（会話）の数",
  },
  context_length: {
    values: [0, ...Array.from({ length: 12 }, (_, i) => 2 ** (i + 8))],
    text: (n) => `${n.toLocaleString("en-US")} トークン`,
    hint: "すでに読み書きしたトークンの数",
  },
};
const SHAPE = ["layers", "hidden_size", "attention_heads", "kv_heads", "head_dim", "intermediate_size", "vocab_size"];
const SHAPE_EXAMPLE = "llama-3.1-8b";

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
  const element = h("div.hy-choices");
  const rules = numberRules(tables.constants);
  const set = (values, done) => change((state) => withValues(state, values), done);
  let marked = {}; // the menus that say what does not go together
  let reason = "";
  const inside = h("div.hy-grid-form");
  const further = h("details.hy-more", {}, h("summary", {}, "くわしい条件"), inside);
  // Few look there: it is filled when what computes it has come.
  const complete = (state) => {
    if (!parts.below) return;
    const { fields, backend, chosen } = parts.below.furtherFields({ tables, rules, state, set });
    replace(inside, fields);
    further.open = chosen;
    marked.backend = backend;
    reason = "";
  };
  return {
    element,
    complete,
    show({ state }) {
      if (!parts.below) return;
      const now = JSON.stringify([state.engine, state.backend, state.machines.map(({ device }) => device)]);
      if (now === reason) return;
      reason = now;
      const marks = parts.below.marksFor(tables, state);
      for (const [name, { mark }] of Object.entries(marked)) mark(marks[name]);
    },
    fill(state) {
      reason = "";
      marked = {
        weights: choice("重みの形式", "weights", weightGroups(tables), state, set),
        engine: choice("エンジン", "engine", engineGroups(tables), state, set),
      };
      const { model, own } = modelFields({ tables, rules, state, change, set });
      replace(
        element,
        h(
          "div.hy-grid-form",
          {},
          model,
          marked.weights.element,
          marked.engine.element,
          quickNumber(rules, "batch_size", state, set),
          quickNumber(rules, "context_length", state, set),
          own,
        ),
        further,
      );
      complete(state);
    },
  };
}

/** A menu of the conditions. */
export function choice(label, name, groups, state, set) {
  return menu({ label, groups, value: state[name], onvalue: (value) => set({ [name]: value }) });
}

// A number field and a slider that follow each other.
function quickNumber(rules, name, state, set) {
  const { values, text, hint } = QUICK[name];
  const rule = rules[name];
  const exact = numberField({
    rule,
    hint,
    value: state[name],
    onvalue: (value, done) => {
      quick.set(value);
      set({ [name]: value }, done);
    },
  });
  const quick = slider({
    label: `${rule.label}（スライダー）`,
    values,
    text,
    value: state[name],
    onvalue: (value, done) => {
      exact.set(value);
      set({ [name]: value }, done);
    },
  });
  exact.input.after(quick.element);
  return exact.element;
}

// ---------------------------------------------------------------- a model of one's own

function modelFields(form) {
  const { tables, state, set } = form;
  const own = h("div.hy-own");
  const choose = (model) => {
    set({ model });
    fillOwnModel(own, model, choose, form);
  };
  const model = menu({
    label: "モデル",
    long: true,
    groups: modelGroups(tables),
    value: isListed(state.model) ? state.model : OWN_CHOICE,
    onvalue: (value) => choose(value === OWN_CHOICE ? sizeExample(tables) : value),
  });
  fillOwnModel(own, state.model, choose, form);
  return { model: model.element, own };
}

function fillOwnModel(element, model, choose, { tables, rules, change }) {
  if (isListed(model)) {
    replace(element);
    return;
  }
  const shaped = Boolean(model.layers);
  const field = (name, hint) =>
    numberField({
      rule: rules[name],
      value: model[name],
      hint,
      onvalue: (value, done) =>
        change((state) => withValues(state, { model: { ...state.model, [name]: value } }), done),
    }).element;
  const toggle = h("input", {
    type: "checkbox",
    checked: shaped,
    onchange: () => {
      choose(toggle.checked ? shapeExample(tables) : sizeExample(tables));
      element.querySelector("input[type=checkbox]").focus();
    },
  });
  replace(
    element,
    shaped
      ? h(
          "div.hy-grid-form.hy-tight",
          {},
          SHAPE.map((name) => field(name)),
        )
      : field("stated_parameters", "70億、7B、7e9 のように書けます"),
    h("label.hy-check", {}, toggle, " 層やヘッドの数も入れる（文脈長を計算に入れるときに要ります）"),
  );
}

// Where the reader's own numbers begin: as the article, or as a model that many know.
function sizeExample(tables) {
  return { ...tables.presets.article.model };
}

function shapeExample(tables) {
  const example = tables.models.get(SHAPE_EXAMPLE);
  return Object.fromEntries(SHAPE.map((name) => [name, example[name]]));
}
