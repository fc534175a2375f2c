// Published measurements that belong to what the reader has chosen.

const NEAR = 1024; // tokens of context by which a measurement may differ and still be drawn as a dot

/**
 * All measurements of the chosen model on one machine, those under the nearest conditions first.
 * @param {object} tables - From `loadTables`.
 * @param {object} state - What the reader has chosen.
 * @param {object} machine - One of its machines.
 * @returns {object[]} Rows of `tables.measurements`.
 */
export function nearestFirst(tables, state, machine) {
  if (typeof state.model !== "string" || typeof machine.device !== "string") return [];
  const distance = (row) =>
    (row.devices !== machine.devices) * 16 + (row.weights !== state.weights) * 8 +
    (state.engine !== "ideal" && row.engine !== state.engine) * 4 + (row.batch_size !== state.batch_size) * 2 +
    Math.min(1.9, Math.abs(row.context_length - state.context_length) / (NEAR * 8));
  return tables.measurements
    .filter((row) => row.model === state.model && row.device === machine.device)
    .map((row, order) => [distance(row), order, row])
    .sort(([a, i], [b, j]) => a - b || i - j)
    .map(([, , row]) => row);
}

/**
 * Those of them that were taken under the chosen conditions, so that they can stand beside the estimate.
 * @returns {object[]} Rows with the same weights, batch, number of devices and engine (any, for `ideal`), and a
 *   context within 1,024 tokens or a tenth.
 */
export function comparable(tables, state, machine) {
  const near = Math.max(NEAR, state.context_length / 10);
  return nearestFirst(tables, state, machine).filter(
    (row) =>
      row.weights === state.weights && row.batch_size === state.batch_size && row.devices === machine.devices &&
      (state.engine === "ideal" || row.engine === state.engine) && Math.abs(row.context_length - state.context_length) <= near,
  );
}
