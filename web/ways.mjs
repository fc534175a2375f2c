// What does not go together, and what may be chosen instead.

import { answersTo } from "./answers.mjs";
import { _usual_weights, host_weight_bytes, placement_of, remedies, split_that_fits } from "./below-formulas.mjs";
import { brought } from "./brought.mjs";
import { meantBy, significant } from "./estimator.mjs";
import { parts } from "./later.mjs";
import { AS_THE_FILE, asksForHost, listedDevice } from "./state.mjs";

const WAYS_SHOWN = 3;

Object.assign(brought, { host_weight_bytes, placement_of, remedies, split_that_fits });

/** What makes a model fit where it does not, in words. */
export const remediesFor = (result) => result.remedies;

/**
 * What may be chosen instead where hayasa refuses a choice for a machine.
 * @param {object} tables - Those of `estimator.mjs`.
 * @param {object} state - What the reader has chosen.
 * @param {object} answer - One of those to it.
 * @returns {Array<{text: string, state: object}>} Other states and what is different in them, the nearest first; where
 *   there is a result, those with which what does not fit would run.
 */
export function waysOut(tables, state, { index, result }) {
  if (result) return splitsFor(tables, state, index, result);
  const { engines, weight_formats } = tables;
  const machines = [state.machines[index]];
  const changes = [
    ["ほかのバックエンド", { backend: null }],
    ["16ビットのKVキャッシュ", { kv_cache: "f16" }],
    ...engines.get(state.engine).usual_formats.map((id) => [weight_formats.get(id).name, { weights: id }]),
    ...[...engines.values()]
      .filter(({ id }) => id !== "ideal" && id !== state.engine)
      .map(({ id, name }) => [name, { engine: id, backend: null }]),
  ];
  return changes
    .filter(([, values]) => Object.keys(values).some((key) => values[key] !== state[key]))
    .filter(([, values]) => answersTo(tables, { ...state, ...values, machines })[0].result)
    .slice(0, WAYS_SHOWN)
    .map(([text, values]) => ({ text, state: { ...state, ...values } }));
}

/**
 * The format to compute another model with: the one that it is usually run in, unless the reader has chosen one.
 * @param {object} tables - Those of `estimator.mjs`.
 * @param {object} state - What the reader has chosen, with the model before.
 * @param {string|object} model - The other one.
 * @returns {?string} Its id; null where the format stays as it is.
 */
export function usualWeights(tables, { engine, machines, model, weights }, other) {
  const [machine] = machines;
  const runs = tables.engines.get(engine);
  const [backend = ""] = runs.backends_on(listedDevice(tables, machine) ?? { family: "", ...machine.device });
  const usual = (one) => _usual_weights(tables.models.get(one) ?? { usual_format: "" }, runs, backend).id;
  return weights === usual(model) ? usual(other) : null;
}

const USUAL_HOST = "ddr5-5600-dual";

// What has no room may lie in the memory of the computer that the card is in, where the engine can do so; where it lies
// there, the rest may be divided otherwise.
function splitsFor(tables, state, index, result) {
  if (!mayBeSplit(result) || (result.fits !== false && !result.offload)) return [];
  const other = { ...state, host: state.host ?? USUAL_HOST };
  const where = asksForHost(state) ? "" : "入らない分を主記憶（DDR5-5600、2チャネル）に置く";
  if (!parts.offload) return [{ text: where, state: other }];
  const machines = [state.machines[index]];
  const best = parts.offload.bestSplit(other, (asked) => answersTo(tables, { ...asked, machines })[0].result);
  const gained =
    best && (result.fits === false || best.result.decode_tokens_per_s > 1.005 * result.decode_tokens_per_s);
  if (!gained) return where ? [{ text: where, state: other }] : [];
  const { gpu_layers, cpu_moe_layers } = best.result.offload;
  const how = cpu_moe_layers ? `${cpu_moe_layers} 層の専門家を主記憶に` : `GPUに ${gpu_layers} 層`;
  const speed = `${significant(best.result.decode_tokens_per_s)} トークン/秒`;
  return [
    { text: where ? `${where}（${how}、${speed}）` : `いちばん速い分け方（${how}、${speed}）`, state: best.state },
  ];
}

/** Whether an engine can leave a part of a model that does not fit to the host. */
export function mayBeSplit({ device, engine }) {
  return !device.shares_memory && (engine.id === "llama.cpp" || engine.runs.includes("llama.cpp"));
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
    // What a file is stored in is said in the card.
    weights: (id) => (id === AS_THE_FILE || !open.length || reads(id) ? "" : "（このエンジンでは読めません）"),
  };
}
