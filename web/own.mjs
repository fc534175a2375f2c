// The fields for a model and a machine with the reader's own numbers.

import { h, replace } from "./dom.mjs";
import { GIB } from "./estimator.mjs";
import { menu, numberField, textField } from "./fields.mjs";
import { isListed, numberRules, OWN_FAMILIES, withMachine, withValues } from "./state.mjs";

const SHAPE = ["layers", "hidden_size", "attention_heads", "kv_heads", "head_dim", "intermediate_size", "vocab_size"];
const SHAPE_EXAMPLE = "llama-3.1-8b";

/**
 * Fill an element with the numbers of a model, if it is one of the reader's own.
 * @param {HTMLElement} element - What to fill.
 * @param {object} form - Tables, the state, what changes it, and what chooses another model.
 */
export function ownModel(element, { tables, state: { model }, change, choose }) {
  if (isListed(model)) {
    replace(element);
    return;
  }
  const rules = numberRules(tables.constants);
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
      choose(toggle.checked ? shapeExample(tables) : { ...tables.presets.article.model });
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

// Where the reader's own numbers begin: as a model that many know.
function shapeExample(tables) {
  const example = tables.models.get(SHAPE_EXAMPLE);
  return Object.fromEntries(SHAPE.map((name) => [name, example[name]]));
}

/** The numbers of a machine of the reader's own. */
export function ownDevice(tables, device, index, change) {
  const rules = numberRules(tables.constants);
  const set = (values, done) =>
    change((state) => withMachine(state, index, { device: { ...state.machines[index].device, ...values } }), done);
  const field = (name, unit, size) =>
    numberField({
      rule: { ...rules[name], optional: name !== "memory_bandwidth_bytes_per_s" },
      value: device[name] || null,
      unit,
      ...size,
      onvalue: (value, done) => set({ [name]: value ?? 0 }, done),
    }).element;
  return h(
    "div.hy-grid-form.hy-tight",
    {},
    textField({ label: "名前", value: device.name ?? "", onvalue: (name, done) => set({ name }, done) }),
    menu({
      label: "種類",
      value: device.family ?? "",
      groups: [["", [["", "分からない"], ...Object.entries(OWN_FAMILIES)]]],
      onvalue: (family) => set({ family }),
    }).element,
    field("memory_bandwidth_bytes_per_s", "GB/s", { exponent: 9 }),
    field("memory_capacity_bytes", "GB", { factor: GIB }),
    field("gpu_cores", "", { hint: "GPUのコア（NVIDIAはSM、AMDはCU）" }),
    field("gpu_clock_hz", "GHz", { exponent: 9 }),
    field("peak_fp16_dense_flop_per_s", "TFLOPS", { exponent: 12 }),
    field("peak_int8_dense_op_per_s", "TOPS", { exponent: 12 }),
    field("peak_int4_dense_op_per_s", "TOPS", { exponent: 12 }),
  );
}
