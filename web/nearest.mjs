// Which of the published measurements belong to what the reader has chosen.

import { estimate } from "./estimator.mjs";

const TOLERANCE = 0.1; // by how much another context may change the speed for a measurement to count as alike
const FAR = 8192; // tokens of context that count as much as another batch size

/**
 * All measurements of the chosen model on one machine, those under the nearest conditions first.
 * @param {object[]} measurements - From `publishedMeasurements`.
 * @param {object} state - What the reader has chosen.
 * @param {object} machine - One of its machines.
 * @returns {object[]} Some of the measurements.
 */
export function nearestFirst(measurements, state, machine) {
  const distance = (row) =>
    (row.devices !== machine.devices) * 16 +
    (row.weights !== state.weights) * 8 +
    (state.engine !== "ideal" && row.engine !== state.engine) * 4 +
    (row.batch_size !== state.batch_size) * 2 +
    Math.min(1.9, Math.abs(row.context_length - state.context_length) / FAR);
  return measurements
    .filter((row) => row.model === state.model && row.device === machine.device)
    .map((row, order) => [distance(row), order, row])
    .sort(([a, i], [b, j]) => a - b || i - j)
    .map(([, , row]) => row);
}

/**
 * The speed that the estimate gives under the conditions of a measurement.
 * @param {object} row - A measurement.
 * @param {object} [changed] - Conditions to put in the place of the row's.
 * @returns {number} Tokens per second.
 */
export function speedLike(row, changed = {}) {
  const { model, device, weights, engine, batch_size, context_length, devices, split } = row;
  const conditions = { model, device, weights, engine, batch_size, context_length, devices };
  return estimate({ ...conditions, split: split || "pipeline", ...changed }).decode_tokens_per_s;
}

/**
 * Those of them that can stand beside the estimate: the same weights, batch, number of devices and engine (any, for
 * `ideal`), and a context that changes the estimated speed by no more than a tenth.
 * @returns {object[]} Some of the measurements.
 */
export function comparable(measurements, state, machine) {
  return nearestFirst(measurements, state, machine).filter((row) => {
    const alike =
      row.weights === state.weights &&
      row.batch_size === state.batch_size &&
      row.devices === machine.devices &&
      (state.engine === "ideal" || row.engine === state.engine);
    if (!alike) return false;
    const ratio = speedLike(row, { context_length: state.context_length }) / speedLike(row);
    return Math.abs(ratio - 1) <= TOLERANCE;
  });
}
