// What the menus of the form offer: titles and pairs of value and text, as `menu` takes them.

import { shelvesOf } from "./shelves.mjs";

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

export function engineGroups(tables) {
  const engines = [...tables.engines.values()];
  return [["", engines.map(({ id, name }) => [id, id === "ideal" ? "ideal：上限だけ（補正なし）" : name])]];
}
