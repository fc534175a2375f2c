// Values found by words of their names: a list opens beneath a field, and keys and fingers go through it.

import { h, replace } from "./dom.mjs";

const NAMES_OFFERED = 40;

/**
 * Have a field offer what has the words that are typed there; once is enough.
 * @param {object} field
 * @param {HTMLInputElement} field.input - A combobox.
 * @param {HTMLElement} field.list - Its listbox.
 * @param {Array<[string, string]>} field.pairs - Values and names.
 * @param {(value: string) => void} field.take - Called with the value that the reader takes.
 */
export function findNames({ input, list, pairs, take }) {
  if (list.classList.contains("hy-found")) return;
  list.className = "hy-found";
  let at = -1; // which name Enter takes

  const offer = (typed) => {
    const found = namesWith(typed, pairs).slice(0, NAMES_OFFERED);
    replace(
      list,
      found.map(([value, text], i) => h("div", { id: `${list.id}-${i}`, role: "option", "data-value": value }, text)),
      !found.length && h("div", { role: "option", "aria-disabled": "true" }, "この名前のものはありません。"),
    );
    list.hidden = !typed.trim();
    input.setAttribute("aria-expanded", String(!list.hidden));
    go(-1);
  };
  const go = (to) => {
    list.children[at]?.removeAttribute("aria-selected");
    at = to;
    const chosen = list.children[at];
    chosen?.setAttribute("aria-selected", "true");
    chosen?.scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", chosen?.id ?? "");
  };
  const leave = () => {
    input.value = "";
    offer("");
  };
  const takeFrom = (option) => {
    if (!option?.dataset.value) return;
    leave();
    take(option.dataset.value);
  };
  const press = (event) => {
    const { key, isComposing } = event;
    if (isComposing || list.hidden) return; // Enter is the input method's while words are put together
    const count = list.children.length;
    if (key === "ArrowDown") go((at + 1) % count);
    else if (key === "ArrowUp") go((at < 1 ? count : at) - 1);
    else if (key === "Enter") takeFrom(list.children[Math.max(0, at)]);
    else if (key === "Escape") leave();
    else return;
    event.preventDefault();
  };
  input.addEventListener("input", () => offer(input.value));
  input.addEventListener("blur", () => offer(""));
  input.addEventListener("focus", () => offer(input.value));
  input.addEventListener("keydown", press);
  list.addEventListener("mousedown", (event) => event.preventDefault()); // whoever taps a name has not left the field
  list.addEventListener("click", (event) => takeFrom(event.target.closest("[role=option]")));
  offer(input.value);
}

// What people type for what is written otherwise here; the chips of a Mac have names of their own.
const SAID = [
  [
    /(?:i?mac(?:book)?|マック(?:ブック)?)\s*(?:air|pro|mini|studio|エアー?|プロ|ミニ)?(?:\s+1[3-6](?=\s|インチ))?/g,
    " apple ",
  ],
  [/ノート(?:pc|パソコン)?|ラップトップ/g, " laptop "],
  [/ラズパイ/g, " raspberry "],
  [/ジフォース/g, " geforce "],
  [/ラデオン/g, " radeon "],
  [/ライゼン/g, " ryzen "],
  [/\bcpu\b/g, " ddr "],
  [/ラマ|リャマ/g, " llama "],
  [/ジェマ/g, " gemma "],
  [/クウェン|クエン/g, " qwen "],
  [/ミストラル/g, " mistral "],
  [/ディープシーク/g, " deepseek "],
];
const alike = (text) => text.normalize("NFKC").toLowerCase();
const squeezed = (text) => alike(text).replaceAll(/[\s-]/g, "");

/**
 * Find names by words.
 * @param {string} typed - Full width or half, with blanks and hyphens or without.
 * @param {Array<[string, string]>} pairs - Values and names.
 * @returns {Array<[string, string]>} Those with all the words, the shortest name first; a word without a digit that no
 *   name has counts for nothing, and an amount of memory only where it leaves any.
 */
export function namesWith(typed, pairs) {
  const names = pairs.map((pair) => squeezed(pair.join(" ")));
  const text = SAID.reduce((said, [word, meant]) => said.replaceAll(word, meant), alike(typed));
  const words = text.split(/\s/).map(squeezed);
  const known = words.filter((word) => word && (/\d/.test(word) || names.some((name) => name.includes(word))));
  const having = (all) => pairs.filter((_, i) => all.length && all.every((word) => names[i].includes(word)));
  const found = having(known);
  const left = found.length ? found : having(known.filter((word) => !/^\d+gb?$/.test(word)));
  return left.sort((a, b) => a[1].length - b[1].length);
}
