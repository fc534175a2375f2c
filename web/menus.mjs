// What the menus of the form offer: titles and pairs of value and text, as `menu` takes them.

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

/** The formats in which some engine keeps its KV cache, and the one that is chosen. */
export function cacheGroups(tables, chosen) {
  const kept = [...tables.engines.values()].flatMap(({ caches }) => caches);
  return [["", [...new Set(["f16", ...kept, chosen])].map((id) => pairOf(tables.weight_formats.get(id)))]];
}

const BACKEND_NAMES = { cuda: "CUDA", rocm: "ROCm", sycl: "SYCL", metal: "Metal", mlx: "MLX", vulkan: "Vulkan" };

export function backendGroups(tables) {
  const pairs = tables.backends.map((id) => [id, BACKEND_NAMES[id] ?? id.toUpperCase()]);
  return [["", [["", "おまかせ（エンジンのいつものもの）"], ...pairs]]];
}

export function engineGroups(tables) {
  const engines = [...tables.engines.values()];
  return [["", engines.map(({ id, name }) => [id, id === "ideal" ? "ideal：上限だけ（補正なし）" : name])]];
}

function shelvesOf(tables, name) {
  const rows = tables[name].values(); // each shelf takes the next ones
  return tables.shelves[name].map(([title, count]) => [
    title,
    Array.from({ length: count }, () => pairOf(rows.next().value)),
  ]);
}

function pairOf({ id, name }) {
  return [id, name];
}
