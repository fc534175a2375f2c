// Values found by words of their names: a list opens beneath a field, and keys and fingers go through it.

import { afterPaint, h, replace } from "./dom.mjs";
import { namesData } from "./names-data.mjs";
import { OWN_CHOICE } from "./shelves.mjs";

const NAMES_OFFERED = 40;

/**
 * Have a field offer what has the words that are typed there; once is enough.
 * @param {object} field
 * @param {HTMLInputElement} field.input - A combobox.
 * @param {HTMLElement} field.list - Its listbox.
 * @param {Array<[string, string]>} field.pairs - Values and names.
 * @param {(value: string, amounts: object) => void} field.take - Called with the value that the reader takes, and the
 *   amounts that were typed with its name, as `readTyped` returns them.
 */
export function findNames({ input, list, pairs, take }) {
  if (list.classList.contains("hy-found")) return;
  list.className = "hy-found";
  const own = pairs.filter(([value]) => value === OWN_CHOICE);
  let options = [];
  let at = -1; // which of them Enter takes

  const offer = (typed) => {
    const { found, unknown } = namesWith(typed, pairs);
    const shown = found.length ? found.slice(0, NAMES_OFFERED) : own;
    options = shown.map(([value, text, alias], i) =>
      h("div", { id: `${list.id}-${i}`, role: "option", "data-value": value }, text, alias && `：${alias}`),
    );
    const lacking = found.length ? unknown.map((word) => `「${word}」の付く名前はありません。`).join("") : NOTHING;
    replace(list, lacking && h("div", { role: "option", "aria-disabled": "true" }, lacking), options);
    list.hidden = !typed.trim();
    input.setAttribute("aria-expanded", String(!list.hidden));
    go(-1);
  };
  const go = (to) => {
    options[at]?.removeAttribute("aria-selected");
    at = to;
    const chosen = options[at];
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
    const { amounts } = readTyped(input.value);
    leave();
    take(option.dataset.value, amounts);
  };
  const press = (event) => {
    const { key, isComposing } = event;
    if (isComposing || list.hidden) return; // Enter is the input method's while words are put together
    const count = options.length;
    if (key === "ArrowDown") go((at + 1) % count);
    else if (key === "ArrowUp") go((at < 1 ? count : at) - 1);
    else if (key === "Enter") takeFrom(options[Math.max(0, at)]);
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
  afterPaint(() => pairs.forEach(spellingsOf)); // before the first key is pressed
}

const NOTHING = "この名前のものはありません。";

// What people type for what is written otherwise here, or tells nothing; the chips of a Mac have names of their own.
const SAID = [
  [/\S+\/(?=\S)/g, ""], // whose it is
  [
    /[\s.:_-](?:i?q[1-8](?:_\w+)?|[48][\s-]?bit|4ビット|8ビット|[bf]*p?16|fp8|mxfp4|nvfp4|gguf|mlx|awq|gptq|qat|mtp)(?![a-z\d])/g,
    " ",
  ], // formats
  [
    /(?:i?mac(?:book)?|マック(?:ブック)?)\s*(?:air|pro|mini|studio|エアー?|プロ|ミニ|スタジオ)?(?:\s+1[3-6](?=\s|インチ|型))?/g,
    " apple ",
  ],
  [/(?:\d+(?:\.\d)?)?(?:inch|インチ)/g, " "],
  [/(m\d)\s*(?:air|mini)/g, "$1"],
  [/ノート(?:pc|パソコン)?|ラップトップ/g, " laptop "],
  [/ラズパイ/g, " raspberry "],
  [/ジ[ェー]?フォース/g, " geforce "],
  [/ラデオン/g, " radeon "],
  [/ライゼン/g, " ryzen "],
  [/(ryzen|core)\s+i?[3579](?=\s)/g, " $1 "], // a tier, which the number says, too
  [/\bcpu\b|(?:gpu|グラボ)の?(?:なし|無し|ない)/g, " ddr "],
  [/ラマ|リャマ/g, " llama "],
  [/ジェマ/g, " gemma "],
  [/クウェン|クエン/g, " qwen "],
  [/ミストラル/g, " mistral "],
  [/ディープシーク/g, " deepseek "],
  [/搭載|モデル|メモリー?|ゲーミング|デスクトップ|パソコン|グラボ|の(?=[\sa-z\d]|$)/g, " "],
];
const COUNT = /^\s*(\d{1,2})\s*[x×]\s*(?=\S)|\s?×\s*(\d{1,2})\s*$|(\d{1,2})\s*[枚台](?:の|挿し|\s|$)/;
const COUNT_LAST = /^(.*\d.*)\sx\s*(\d{1,2})\s*$/; // "A6000 x2", but no Snapdragon X2
const AMOUNT = /^(\d+)gb?$|^(16|18|24|32|36|48|64|96|128|192|256|512)$/;
const BETWEEN = /[\s\-_/+・、,:：()[\]「」]+/;
const alike = (text) => text.normalize("NFKC").toLowerCase();

/**
 * Read what was typed into a field for names.
 * @param {string} typed - Full width or half.
 * @returns {{words: string[], amounts: {memoryGb: ?number, devices: ?number}}} The words of a name, amounts of memory
 *   among them; what memory was typed, and how many devices.
 */
export function readTyped(typed) {
  const text = alike(typed).replace(COUNT_LAST, "$2x $1");
  const count = COUNT.exec(text);
  const words = SAID.reduce((said, [word, meant]) => said.replaceAll(word, meant), text.replace(COUNT, " "))
    .split(BETWEEN)
    .filter(Boolean);
  const memory = words.map((word) => AMOUNT.exec(word)).find(Boolean);
  return {
    words,
    amounts: {
      memoryGb: memory && Number(memory[1] ?? memory[2]),
      devices: count && Number(count[1] ?? count[2] ?? count[3]),
    },
  };
}

// A text as its letters in one piece, so that a blank more or less is the same, and where its words begin and end: a
// word may also begin where letters and digits meet.
function spelled(text) {
  let letters = "";
  const starts = new Set();
  const ends = new Set();
  for (const word of alike(text).split(BETWEEN)) {
    for (const { index } of word.matchAll(/[\d.]+|[^\d.]+/g)) starts.add(letters.length + index);
    letters += word;
    ends.add(letters.length);
  }
  return { letters, starts, ends };
}

/** How well a text has a word: 0 if not, 1 if a word of it begins so, 2 if it is one, or several together. */
function grade(word, { letters, starts, ends }) {
  let best = 0;
  for (let at = letters.indexOf(word); at >= 0 && best < 2; at = letters.indexOf(word, at + 1)) {
    if (starts.has(at)) best = ends.has(at + word.length) ? 2 : 1;
  }
  return best;
}

const spellings = new Map(); // of each name that was ever looked at
function spellingsOf([value, text]) {
  const name = `${value} ${text}`;
  if (!spellings.has(name)) {
    const aliases = (namesData[value]?.split("|") ?? []).map((alias) => [alias, spelled(alias)]);
    spellings.set(name, { name: spelled(name), aliases });
  }
  return spellings.get(name);
}

// With all the words in its name, or what its name lacks in one of its aliases: the grade of the worst word, the alias,
// and in how far the words are the alias's (1: all, 2: some) and not the name's.
function graded(words, pair) {
  const { name, aliases } = spellingsOf(pair);
  const grades = words.map((word) => grade(word, name));
  const lacking = words.filter((_, i) => !grades[i]);
  if (!lacking.length) return { pair, grade: Math.min(...grades), far: 0, length: pair[1].length };
  const having = aliases.map(([alias, letters]) => ({
    pair,
    alias,
    grade: Math.min(...lacking.map((word) => grade(word, letters))),
    far: words.every((word) => grade(word, letters)) ? 1 : 2,
    length: pair[1].length + alias.length,
  }));
  return having.filter((one) => one.grade).sort(nearness)[0];
}

const nearness = (a, b) => b.grade - a.grade || a.far - b.far || a.length - b.length;

/**
 * Find names by words.
 * @param {string} typed - Full width or half, with blanks and hyphens or without.
 * @param {Array<[string, string]>} pairs - Values and names.
 * @returns {{found: Array<[string, string, string?]>, unknown: string[]}} Those with all the words, with the alias that
 *   has them if the name has not: those first that have them as they were typed, by their names, and the shortest.  A
 *   word without a digit that no name has is left out, and told; so is an amount of memory where it leaves nothing.
 */
export function namesWith(typed, pairs) {
  const { words } = readTyped(typed);
  const has = (word) => pairs.some((pair) => graded([word], pair));
  const unknown = words.filter((word) => !/\d/.test(word) && !has(word));
  const known = words.filter((word) => !unknown.includes(word));
  const having = (all) => all.some((word) => /[^\d.]/.test(word) || all.length === words.length);
  const found = (all) => (having(all) ? pairs.map((pair) => graded(all, pair)).filter(Boolean) : []);
  const all = found(known);
  const left = all.length ? all : found(known.filter((word) => !AMOUNT.test(word)));
  return { found: left.sort(nearness).map(({ pair, alias }) => (alias ? [...pair, alias] : pair)), unknown };
}
