// What the menus of the form offer: titles and pairs of value and text, as `menu` takes them.

import { meantBy } from "./estimator.mjs";
import { listedDevice } from "./state.mjs";

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

/**
 * What of the menus does not go together with the rest of the choice, on any of its machines.
 * @param {object} tables - Those of `estimator.mjs`.
 * @param {object} state - What the reader has chosen.
 * @returns {object} By field, a function that says of a value what stands behind it; empty if it can be chosen.
 */
export function marksFor(tables, { engine, backend, machines }) {
  const families = machines.map((machine) => listedDevice(tables, machine) ?? { family: "", ...machine.device });
  const on = (one) => families.map((device) => (one.backends.length && device.family ? one.backends_on(device) : [""]));
  const here = on(tables.engines.get(engine));
  // Of what the engine cannot do anywhere here, its own mark says enough.
  const open = here.filter((backends) => backends.length).map((backends) => (backend ? [backend] : backends));
  const reads = (id) =>
    open.some((backends) =>
      meantBy(tables.weight_formats.get(id), tables.engines.get(engine), Object.freeze([...backends])),
    );
  return {
    engine: (id) =>
      on(tables.engines.get(id)).some((backends) => backends.length) ? "" : "（この機械では動きません）",
    backend: (id) =>
      !id || here.some((backends) => backends[0] === "" || backends.includes(id)) ? "" : "（ここにはありません）",
    weights: (id) => (!open.length || reads(id) ? "" : "（このエンジンでは読めません）"),
  };
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
