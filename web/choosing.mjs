// The question the other way round: which machines run the chosen model at a speed that the reader asks for.

import { answersTo } from "./answers.mjs";
import { shortVerdict } from "./cards.mjs";
import { first_that_fits } from "./choosing-formulas.mjs";
import { h, replace } from "./dom.mjs";
import { GIB, significant, speedPerSequence } from "./estimator.mjs";
import { numberField } from "./fields.mjs";

const USUAL_SPEED = 20; // faster than most people read
const MACHINES_SHOWN = 30;
const FOUND_COLUMNS = ["機械", "メモリ", "速さ", "90%区間", "メモリに"];
const SPEED_RULE = { label: "1系列あたりの速さ", minimum: 0, maximum: 1e9 };

/**
 * Find the machines that are fast enough, each with the least memory that holds everything.
 * @param {object} tables - Those of `estimator.mjs`.
 * @param {object} state - What the reader has chosen; of its machines nothing counts.
 * @param {number} speed - Tokens per second that each sequence has to reach.
 * @returns {object[]} Estimates, the fastest first.
 */
export function machinesFor(tables, state, speed) {
  return [...tables.devices.values()]
    .map(({ id, memory_options_bytes }) => {
      const options = memory_options_bytes.length ? [...memory_options_bytes].sort((a, b) => a - b) : [null];
      const machines = options.map((memory_bytes) => ({ device: id, memory_bytes, devices: 1 }));
      const results = answersTo(tables, { ...state, machines }).map(({ result }) => result);
      return first_that_fits(results.filter((result) => result && speedPerSequence(result) >= speed));
    })
    .filter(Boolean)
    .sort((a, b) => speedPerSequence(b) - speedPerSequence(a));
}

/**
 * The room that lists them.
 * @param {object} tables - Those of `estimator.mjs`.
 * @returns {{element: HTMLElement, show: (view: object) => void}}
 */
export function choosingRoom(tables) {
  let state = null;
  let speed = USUAL_SPEED;
  const list = h("div");
  const fill = () => {
    replace(list, foundParts(machinesFor(tables, state, speed), speed));
  };
  const field = numberField({
    rule: SPEED_RULE,
    value: USUAL_SPEED,
    unit: "トークン/秒以上",
    onvalue: (value) => {
      speed = value;
      fill();
    },
  });
  return {
    element: h("div", {}, field.element, list),
    show(view) {
      state = view.state;
      fill();
    },
  };
}

function foundParts(found, speed) {
  if (!found.length) {
    return h("p", {}, `この条件で ${significant(speed)} トークン/秒以上になる機械は、登録されたものの中にありません。`);
  }
  const shown = found.slice(0, MACHINES_SHOWN);
  const more =
    found.length > shown.length ? `${found.length}機種のうち、速い順に${shown.length}機種を載せました。` : "";
  return [
    h(
      "div.hy-scroll",
      { tabindex: 0, role: "group", "aria-label": "このモデルが動く機械の表" },
      h(
        "table.hy-table",
        {},
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            FOUND_COLUMNS.map((title) => h("th", { scope: "col" }, title)),
          ),
        ),
        h("tbody", {}, shown.map(machineRow)),
      ),
    ),
    h("p.hy-caption", {}, `単位はトークン/秒、1台の値です。メモリは、入るいちばん小さい量です。${more}`),
  ];
}

function machineRow(result) {
  const { device, fit, batch_size, decode_tokens_per_s_low, decode_tokens_per_s_high } = result;
  const right = (text) => h("td.hy-num", {}, text);
  const each = (speed) => significant(speed / batch_size);
  const { memory_capacity_bytes: memory } = device;
  return h(
    "tr",
    {},
    h("td", {}, device.name),
    right(memory ? `${memory / GIB} GB` : "不明"),
    right(significant(speedPerSequence(result))),
    right(`${each(decode_tokens_per_s_low)} ～ ${each(decode_tokens_per_s_high)}`),
    h("td", {}, shortVerdict(fit)),
  );
}
