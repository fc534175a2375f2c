// What the menus of the form offer: titles and pairs of value and text, as `menu` takes them.

const COMMON_WEIGHTS = ["q4_k_m", "q8_0", "f16", "bf16", "mlx-q4", "mlx-q8", "awq-int4-g128", "int4", "int8"];
const WEIGHT_KINDS = [
  ["GGUF（llama.cpp）", /^GGUF/],
  ["MLX", /^MLX/],
  ["そのほか", /^(?!GGUF|MLX)/],
];
const COMMON_CACHES = ["f16", "q8_0", "q4_0"];
const FIRST_VENDORS = ["Apple（Mac）", "NVIDIA"];

/** The value that stands for a model or a device with the reader's own numbers. */
export const OWN_CHOICE = "own";

export function modelGroups(tables) {
  return [["", [[OWN_CHOICE, "自分のモデル（数字を入れる）"]]], ...groupsBy(tables.models, (model) => model.family)];
}

export function deviceGroups(tables) {
  const vendors = groupsBy(tables.devices, ({ vendor }) =>
    vendor === "Apple" ? "Apple（Mac）" : vendor || "CPUのメモリ",
  );
  const isFirst = ([name]) => FIRST_VENDORS.includes(name);
  return [
    ["", [[OWN_CHOICE, "自分の機械（数字を入れる）"]]],
    ...FIRST_VENDORS.map((name) => vendors.find(([vendor]) => vendor === name)),
    ...vendors.filter((group) => !isFirst(group)),
  ];
}

export function weightGroups(tables) {
  const rest = [...tables.weight_formats.values()].filter(({ id }) => !COMMON_WEIGHTS.includes(id)).map(pairOf);
  return [
    ["よく使うもの", COMMON_WEIGHTS.map((id) => pairOf(tables.weight_formats.get(id)))],
    ...WEIGHT_KINDS.map(([title, pattern]) => [title, rest.filter(([, name]) => pattern.test(name))]),
  ];
}

/** The usual formats of the KV cache, and the one that is chosen. */
export function cacheGroups(tables, chosen) {
  return [["", [...new Set([...COMMON_CACHES, chosen])].map((id) => pairOf(tables.weight_formats.get(id)))]];
}

export function engineGroups(tables) {
  const engines = [...tables.engines.values()];
  return [["", engines.map(({ id, name }) => [id, id === "ideal" ? "ideal：上限だけ（補正なし）" : name])]];
}

function groupsBy(table, titleOf) {
  const groups = new Map();
  for (const row of table.values()) {
    const title = titleOf(row);
    if (!groups.has(title)) groups.set(title, []);
    groups.get(title).push(pairOf(row));
  }
  return [...groups];
}

function pairOf({ id, name }) {
  return [id, name];
}
