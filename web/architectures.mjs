// The listed models of a structure, as llama.cpp's files name it.

import { tables } from "./estimator.mjs";

/**
 * Python's `models_of_architecture`.
 * @param {Array<{released: number, place: number}>} rows - Of each model, in the order of the menus, when it was
 *   released, and where it stands in hayasa's table.
 * @returns {(architecture: string) => Array<[object, number]>} Models in the order of the table, each with when it was
 *   released.
 */
export function modelsByArchitecture(rows) {
  return (architecture) =>
    [...tables.models.values()]
      .map((model, index) => ({ model, ...rows[index] }))
      .filter(({ model }) => model.gguf_architecture === architecture)
      .sort((a, b) => a.place - b.place)
      .map(({ model, released }) => Object.freeze([model, released]));
}
