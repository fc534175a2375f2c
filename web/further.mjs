// The conditions that few look at.

import { withCommas } from "./commas.mjs";
import { GIB } from "./estimator.mjs";
import { menu, numberField } from "./fields.mjs";
import { fileField } from "./filefield.mjs";
import { choice } from "./form.mjs";
import { engineGroups } from "./menus.mjs";
import { pairOf, shelvesOf } from "./shelves.mjs";
import { slider } from "./slider.mjs";
import { asksForHost, isProcessor, numberRules } from "./state.mjs";

// The numbers that have a slider, too: where it can stand, and what is said of it.
const QUICK = {
  batch_size: {
    values: Array.from({ length: 11 }, (_, i) => 2 ** i),
    text: (n) => `${n} 系列`,
    hint: "同時に進める系列（会話）の数",
  },
  context_length: {
    values: [0, ...Array.from({ length: 12 }, (_, i) => 2 ** (i + 8))],
    text: (n) => `${withCommas(n)} トークン`,
    hint: "すでに読み書きしたトークンの数",
  },
};

const BACKEND_NAMES = { cuda: "CUDA", rocm: "ROCm", sycl: "SYCL", metal: "Metal", mlx: "MLX", vulkan: "Vulkan" };
const WAYS_TO_SPLIT = [
  ["pipeline", "層を順に分ける（パイプライン並列）"],
  ["tensor", "行列を切り分ける（テンソル並列）"],
];

/**
 * The further conditions.
 * @param {object} form - Tables, the state, what sets values in it, and what chooses another model.
 * @returns {{fields: HTMLElement[], menus: object, chosen: boolean}} `menus` are those that say what does not go together;
 *   `chosen` is whether any of what hardly anybody changes is another than usual.
 */
export function furtherFields({ tables, state, set, choose }) {
  const rules = numberRules(tables.constants);
  const chosen =
    state.backend !== null ||
    state.prompt_length !== null ||
    state.answer_length !== null ||
    asksForHost(state) ||
    state.kv_cache !== "f16" ||
    state.split !== "pipeline";
  const prompt = numberField({
    rule: rules.prompt_length,
    value: state.prompt_length,
    hint: "空なら、文脈長と同じ（文脈長が0なら512）",
    onvalue: (value, done) => set({ prompt_length: value }, done),
  });
  const answer = numberField({
    rule: rules.answer_length,
    value: state.answer_length,
    hint: "入れると、答えを書き終えるまでの時間も見積もります（例：500）",
    onvalue: (value, done) => set({ answer_length: value }, done),
  });
  const backend = menu({
    label: "バックエンド",
    groups: backendGroups(tables),
    value: state.backend ?? "",
    onvalue: (value) => set({ backend: value || null }),
  });
  const engine = choice("エンジン", "engine", engineGroups(tables), state, set);
  const fields = [
    engine.element,
    quickNumber(rules, "batch_size", state, set),
    quickNumber(rules, "context_length", state, set),
    prompt.element,
    answer.element,
    choice("KVキャッシュの形式", "kv_cache", cacheGroups(tables, state.kv_cache), state, set).element,
    choice("複数台での分け方", "split", [["", WAYS_TO_SPLIT]], state, set).element,
    backend.element,
    hostFields(tables, rules, state, set),
    fileField(choose),
  ];
  return { fields: fields.flat(Infinity), menus: { backend, engine }, chosen };
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

// Where what a machine has no room for may lie.
function hostFields(tables, rules, state, set) {
  const field = (name, size) =>
    numberField({
      rule: rules[name],
      value: state[name],
      ...size,
      onvalue: (value, done) => set({ [name]: value }, done),
    });
  const host = menu({
    label: "主記憶に一部を置く",
    groups: hostGroups(tables),
    value: state.host ?? "",
    onvalue: (value) => set({ host: value || null }),
  });
  const fields = [
    field("host_memory_bytes", { factor: GIB, unit: "GB", hint: "空なら、足りるかどうかを見ません" }),
    field("gpu_layers", { hint: "空なら、GPUに入るだけ" }),
    field("cpu_moe_layers", { hint: "MoEのモデルで。空なら、GPUに入るだけ" }),
  ];
  return [host.element, fields.map(({ element }) => element)];
}

function hostGroups(tables) {
  const processors = shelvesOf(tables, "devices", ({ family }) => isProcessor(family));
  return [["", [["", "使わない"]]], ...processors.filter(([, pairs]) => pairs.length)];
}

/** The formats in which some engine keeps its KV cache, and the one that is chosen. */
function cacheGroups(tables, chosen) {
  const kept = [...tables.engines.values()].flatMap(({ caches }) => caches);
  return [["", [...new Set(["f16", ...kept, chosen])].map((id) => pairOf(tables.weight_formats.get(id)))]];
}

function backendGroups(tables) {
  const pairs = tables.backends.map((id) => [id, BACKEND_NAMES[id] ?? id.toUpperCase()]);
  return [["", [["", "おまかせ（エンジンのいつものもの）"], ...pairs]]];
}
