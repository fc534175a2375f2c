// The published measurements: how they come, and which belong to what the reader has chosen.

import { runScript } from "./dom.mjs";
import { estimate, rowsOf } from "./estimator.mjs";
import { isListed } from "./state.mjs";

const TOLERANCE = 0.1; // by how much another context may change the speed for a measurement to count as alike
const FAR = 8192; // tokens of context that count as much as another batch size

/** The measurements before anybody asked for them; then they are `coming`, and `here` or `lost`. */
export const UNASKED = { status: "unasked", rows: [] };

/**
 * Fetch the measurements, which come in a script of their own.
 * @param {string} address - Of that script.
 * @param {object} tables - Those of `estimator.mjs`.
 * @returns {Promise<object[]>} One row per measurement; rejected if they do not come.
 */
export async function fetchMeasurements(address, tables) {
  await runScript(address);
  const { devices, models, weight_formats, engines } = tables;
  return (
    rowsOf(globalThis.hayasaMeasurements)
      // The two scripts may be of different days while a new edition is put in the place of an old one.
      .filter(
        (row) =>
          devices.has(row.device) &&
          models.has(row.model) &&
          weight_formats.has(row.weights) &&
          engines.has(row.engine),
      )
      .map((row) => Object.freeze({ ...row, source: sourceOf(row.source) }))
  );
}

function sourceOf(url) {
  return { url, title: url.replace(/^https:\/\/(?:github\.com\/)?/, "") };
}

/** Whether a measurement of the choice could have been published: nobody measured the reader's own numbers. */
export function canBeMeasured({ model, machines }) {
  return isListed(model) && machines.some(({ device }) => isListed(device));
}

/**
 * All measurements of the chosen model on one machine, those under the nearest conditions first.
 * @param {object[]} measurements - From `fetchMeasurements`.
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
