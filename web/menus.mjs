// What the menus of the form offer: titles and pairs of value and text, as `menu` takes them.

const COMMON_CACHES = ["f16", "q8_0", "q4_0"];

/** The value that stands for a model or a device with the reader's own numbers. */
export const OWN_CHOICE = "own";

export function modelGroups(tables) {
  return [["", [[OWN_CHOICE, "自分のモデル（数字を入れる）"]]], ...shelvesOf(tables, "models")];
}

export function deviceGroups(tables) {
  return [["", [[OWN_CHOICE, "自分の機械（数字を入れる）"]]], ...shelvesOf(tables, "devices")];
}

export function weightGroups(tables) {
  return shelvesOf(tables, "weight_formats");
}

/** The usual formats of the KV cache, and the one that is chosen. */
export function cacheGroups(tables, chosen) {
  return [["", [...new Set([...COMMON_CACHES, chosen])].map((id) => pairOf(tables.weight_formats.get(id)))]];
}

export function engineGroups(tables) {
  const engines = [...tables.engines.values()];
  return [["", engines.map(({ id, name }) => [id, id === "ideal" ? "ideal：上限だけ（補正なし）" : name])]];
}

function shelvesOf(tables, name) {
  return tables.shelves[name].map(([title, ids]) => [title, ids.map((id) => pairOf(tables[name].get(id)))]);
}

function pairOf({ id, name }) {
  return [id, name];
}
