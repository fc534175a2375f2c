// Labelled fields that say beside themselves what is wrong with what was typed.

import { h, replace } from "./dom.mjs";
import { plainNumber, readNumber } from "./input.mjs";
import { later, lost } from "./later.mjs";

let ids = 0;

/** A fresh id for a label and its control. */
function freshId() {
  ids += 1;
  return `hy-${ids}`;
}

/**
 * A field for a number.
 * @param {object} options
 * @param {object} options.rule - What it may be, in base units; see `readNumber`.
 * @param {?number} options.value - What it is, in base units.
 * @param {number} [options.exponent] - The field shows and takes units of 10 to this power …
 * @param {number} [options.factor] - … or of this size.
 * @param {string} [options.unit] - The unit that is shown.
 * @param {string} [options.hint] - A short explanation under the field.
 * @param {(value: ?number, done: boolean) => void} options.onvalue - Called with every possible value, in base units;
 *   `done` when the reader leaves the field or presses Enter.
 * @returns {{element: HTMLElement, input: HTMLInputElement, set: (value: ?number) => void}}
 */
export function numberField({ rule, value, exponent = 0, factor = 1, unit = "", hint = "", onvalue }) {
  const id = freshId();
  const scale = 10 ** exponent * factor;
  const shownRule = { ...rule, unit, minimum: Math.max(rule.minimum / scale, 0), maximum: rule.maximum / scale };
  const problem = h("p.hy-problem", { id: `${id}-problem`, hidden: true });
  const described = [hint && `${id}-hint`, `${id}-problem`].filter(Boolean).join(" ");
  const input = h("input", {
    id,
    type: "text",
    inputmode: "decimal",
    autocomplete: "off",
    spellcheck: "false",
    "aria-describedby": described,
    oninput: () => take(false),
    onchange: () => take(true),
  });
  const set = (base) => {
    input.value = base === null || base === undefined ? "" : plainNumber(base / scale);
    show("");
  };
  const show = (text) => {
    problem.textContent = text;
    problem.hidden = !text;
    if (text) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
  };
  const take = (done) => {
    const read = readNumber(input.value, shownRule);
    show(read.problem);
    if (!read.problem) onvalue(read.value === null ? null : inBaseUnits(read.value, exponent) * factor, done);
  };
  set(value);
  const element = h(
    "div.hy-field",
    {},
    h("label", { for: id }, rule.label, unit && h("span.hy-unit", {}, `（${unit}）`)),
    input,
    hint && h("p.hy-hint", { id: `${id}-hint` }, hint),
    problem,
  );
  return { element, input, set };
}

// 34.1 with exponent 12 is to become the number that 34.1e12 is written for, without a rounding of its own.
function inBaseUnits(value, exponent) {
  const text = String(value);
  return text.includes("e") ? value * 10 ** exponent : Number(`${text}e${exponent}`);
}

/**
 * A field for a short text.
 * @param {{label: string, value: string, onvalue: (value: string, done: boolean) => void}} options
 * @returns {HTMLElement}
 */
export function textField({ label, value, onvalue }) {
  const id = freshId();
  const input = h("input", {
    id,
    type: "text",
    maxlength: 60,
    autocomplete: "off",
    value,
    oninput: () => onvalue(input.value, false),
    onchange: () => onvalue(input.value, true),
  });
  return h("div.hy-field", {}, h("label", { for: id }, label), input);
}

/**
 * A menu. Until a reader goes there it holds only what is chosen: of a model and a machine there are hundreds.
 * @param {object} options
 * @param {string} options.label
 * @param {Array<[string, Array<[string, string]>]>} options.groups - Titles and pairs of value and text; an untitled
 *   group stands on its own.
 * @param {string} options.value
 * @param {boolean} [options.long] - Whether a value may also be found by words of its name, in a field before it.
 * @param {(value: string, amounts?: object) => void} options.onvalue - With a value that was found come the amounts
 *   that were typed with its name, as `readTyped` in `names.mjs` returns them.
 * @returns {{element: HTMLElement, select: HTMLSelectElement, mark: (say: (value: string) => string) => void,
 *   set: (value: string) => void}} `mark` writes behind every text what there is to say of its value.
 */
export function menu({ label, groups, value, long = false, onvalue }) {
  const id = freshId();
  const pairs = groups.flatMap((group) => group[1]);
  const texts = new Map(pairs);
  let whole = false;
  let said = () => "";
  const textOf = (name) => texts.get(name) + said(name);
  const options = (names) => names.map(([name]) => h("option", { value: name }, textOf(name)));
  const fill = () => {
    if (whole) return;
    whole = true;
    const chosen = select.value;
    replace(
      select,
      groups.map(([title, names]) => (title ? h("optgroup", { label: title }, options(names)) : options(names))),
    );
    select.value = chosen;
  };
  // A finger or a mouse is there before it opens, and keys go where the focus is.
  const select = h("select", { id, onpointerdown: fill, onfocus: fill, onchange: () => onvalue(select.value) });
  const set = (wanted) => {
    if (!whole) replace(select, options(pairs.filter(([name]) => name === wanted)));
    select.value = wanted;
  };
  set(value);
  const take = (found, amounts) => {
    set(found);
    select.focus(); // which says what was taken; a phone puts its keys away
    onvalue(found, amounts);
  };
  const mark = (say) => {
    said = say;
    for (const option of select.options) option.textContent = textOf(option.value);
  };
  const found = long && finder(label, `${id}-found`, (input, list) => ({ input, list, pairs, take }));
  return { element: h("div.hy-field", {}, h("label", { for: id }, label), found, select), select, mark, set };
}

// A field for words of a name; what finds with them comes when the reader comes to it.
function finder(label, id, given) {
  const list = h("div", { id, role: "listbox", "aria-label": `${label}の候補`, hidden: true });
  const have = () =>
    later("names").then(
      ({ findNames }) => findNames(given(input, list)),
      () => {
        list.textContent = lost("names");
        list.hidden = false;
      },
    );
  const input = h("input", {
    type: "text",
    role: "combobox",
    autocomplete: "off",
    spellcheck: "false",
    placeholder: "名前で探す",
    "aria-label": `${label}を名前で探す`,
    "aria-autocomplete": "list",
    "aria-controls": id,
    "aria-expanded": "false",
    onfocus: have,
    oninput: have,
  });
  return [input, list];
}
