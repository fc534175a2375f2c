// What the menus of the form offer: titles and pairs of value and text, as `menu` takes them.

import { parts } from "./later.mjs";
import { OWN_CHOICE, shelvesOf } from "./shelves.mjs";
import { AS_THE_FILE, isFromFile } from "./state.mjs";

export { OWN_CHOICE };

export function modelGroups(tables, { model }) {
  const files = parts.files?.modelsRead() ?? (isFromFile(model) ? [[model, "…"]] : []);
  return [...fromFiles(files), ["", [[OWN_CHOICE, "自分のモデル（数字を入れる）"]]], ...shelvesOf(tables, "models")];
}

export function deviceGroups(tables) {
  return [["", [[OWN_CHOICE, "自分の機械（数字を入れる）"]]], ...shelvesOf(tables, "devices")];
}

export function weightGroups(tables, { model, weights }) {
  const its = isFromFile(model) && parts.files?.weightsRead(model);
  const file = its ? [[AS_THE_FILE, its]] : weights === AS_THE_FILE ? [[AS_THE_FILE, "…"]] : [];
  return [...fromFiles(file), ...shelvesOf(tables, "weight_formats")];
}

const fromFiles = (pairs) => (pairs.length ? [["ファイルから", pairs]] : []);

export function engineGroups(tables) {
  const engines = [...tables.engines.values()];
  return [["", engines.map(({ id, name }) => [id, id === "ideal" ? "ideal：上限だけ（補正なし）" : name])]];
}
