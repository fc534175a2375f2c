// A part of the model in the host's memory: the formulas of it, and the table that they read.

import { brought } from "./brought.mjs";
import { rowsOf } from "./estimator.mjs";
import { offloadData } from "./offload-data.mjs";
import {
  Host,
  layers_instead,
  OffloadCalibration,
  offload_of,
  offloaded_prompt,
  require_split,
  with_host,
} from "./offload-formulas.mjs";

const measuredOfHosts = new OffloadCalibration(rowsOf(offloadData.calibration)[0]);

Object.assign(brought, {
  offload_calibration: () => measuredOfHosts,
  offload_of,
  offloaded_prompt,
  require_split,
  with_host,
});

/**
 * What an estimate is asked with where a part of the model lies in the host's memory.
 * @param {object} tables - Those of `estimator.mjs`.
 * @param {object} state - What the reader has chosen.
 * @returns {object} Arguments of Python's `hayasa.estimate`.
 */
export function splitOf({ devices }, { host, host_memory_bytes, gpu_layers, cpu_moe_layers }) {
  if (host === null) return { gpu_layers, cpu_moe_layers };
  const { id, name, memory_bandwidth_bytes_per_s } = devices.get(host);
  const memory_capacity_bytes = host_memory_bytes ?? 0;
  return {
    host: makeHost({ id, name, memory_bandwidth_bytes_per_s, memory_capacity_bytes }),
    gpu_layers,
    cpu_moe_layers,
  };
}

/**
 * Where what has no room lies in a host's memory: how the rest is divided so that it runs fastest.
 * @param {object} state - What the reader has chosen, with a host.
 * @param {(state: object) => ?object} ask - Estimates for another choice.
 * @returns {?{state: object, result: object}} The fastest; null where nothing fits.
 */
export function bestSplit(state, ask) {
  const usual = { ...state, gpu_layers: null, cpu_moe_layers: null };
  const result = ask(usual);
  const layers = result && layers_instead(result);
  const ways = [[usual, result]];
  if (layers !== null) ways.push([{ ...usual, gpu_layers: layers }, ask({ ...usual, gpu_layers: layers })]);
  const [best] = ways
    .filter(([, one]) => one && one.fits !== false)
    .sort(([, a], [, b]) => b.decode_tokens_per_s - a.decode_tokens_per_s);
  return best ? { state: best[0], result: best[1] } : null;
}

/** A computer that devices are plugged into, by its fields in Python. */
export const makeHost = (fields) => new Host({ id: "own", ...fields });
