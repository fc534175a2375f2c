// The questions the other way round: which machines, which formats, which models reach a speed that the reader asks for.

import { answersTo } from "./answers.mjs";
import { shortVerdict } from "./cards.mjs";
import {
  first_that_fits,
  formats_to_try,
  may_hold,
  speed_per_sequence,
  stored_formats,
  total_parameters,
} from "./choosing-formulas.mjs";
import { h, nextTask, replace } from "./dom.mjs";
import { GIB, gibibytes, makeDevice, significant } from "./estimator.mjs";
import { menu, numberField } from "./fields.mjs";
import { isListed, numberRules, SEARCHES, withValues } from "./state.mjs";

const FOUND_SHOWN = 30;
const WORK_MS = 12; // then the page has its turn

const bySpeed = (a, b) => speed_per_sequence(b) - speed_per_sequence(a);

/** What is asked: what could be an answer, the best result for each, null if none will do, and what is best. */
const SEARCHED = {
  machines: {
    columns: ["機械", "メモリ"],
    cells: ({ device }) => [
      device.name,
      device.memory_capacity_bytes ? `${device.memory_capacity_bytes / GIB} GB` : "不明",
    ],
    caption: "メモリは、入るいちばん小さい量です。1台の値です。",
    best: bySpeed,
    candidates: ({ devices }) => [...devices.values()],
    answer(ask, state, { id, memory_options_bytes }) {
      const options = memory_options_bytes.length ? [...memory_options_bytes].sort((a, b) => a - b) : [null];
      return first_that_fits(
        lazily(options, (memory_bytes) => ask({ ...state, machines: [{ device: id, memory_bytes, devices: 1 }] })),
      );
    },
  },
  formats: {
    columns: ["形式", "必要なメモリ"],
    cells: ({ weights, fit }) => [weights.name, gibibytes(fit.required_bytes)],
    caption: "大きい順です。大きいほど、元のモデルに近い答えになります。",
    best: (a, b) => b.memory_required_bytes - a.memory_required_bytes,
    candidates: ({ engines }, { engine, backend }) => stored_formats(engines.get(engine), backend),
    answer: (ask, state, { id }) => ask({ ...state, weights: id }),
  },
  models: {
    columns: ["モデル", "形式"],
    cells: ({ model, weights }) => [model.name, weights.name],
    caption: "大きいモデルから並べました。形式は、入って速さの足りるもののうち、いちばんビットの多いものです。",
    best: (a, b) => (b.fits === true) - (a.fits === true) || total_parameters(b.model) - total_parameters(a.model),
    candidates({ models, engines, devices }, { engine, backend, machines }) {
      const formats = formats_to_try(stored_formats(engines.get(engine), backend));
      const { device, memory_bytes, devices: count } = machines[0];
      const listed = isListed(device) ? devices.get(device) : makeDevice({ ...device, id: "own" });
      const capacity = count * (memory_bytes ?? listed.memory_capacity_bytes);
      return [...models.values()].map((model) => ({
        id: model.id,
        formats: formats.filter((weights) => may_hold(capacity, model, weights)),
      }));
    },
    answer: (ask, state, { id, formats }) =>
      first_that_fits(lazily(formats, (weights) => ask({ ...state, model: id, weights: weights.id }))),
  },
};

// One after another, as they are asked for: after the first that fits nothing more is computed.
function* lazily(values, ask) {
  for (const value of values) {
    const result = ask(value);
    if (result) yield result;
  }
}

/**
 * Search, step by step.
 * @param {object} tables - Those of `estimator.mjs`.
 * @param {object} state - What the reader has chosen: `find` is what is searched for, `find_speed` the tokens per second
 *   that each sequence has to reach. Formats and models are for the first machine.
 * @yields {{found: object[], fastest: ?object}} The estimates that will do, the best first, and the fastest of those that
 *   fit, as soon as all is tried; before that, after every candidate, nothing.
 */
export function* search(tables, state) {
  const { candidates, answer, best } = SEARCHED[state.find];
  const ask = (asked) => {
    const [{ result }] = answersTo(tables, { ...asked, machines: asked.machines.slice(0, 1) });
    if (!result || result.fits === false) return null;
    if (!fastest || bySpeed(result, fastest) < 0) fastest = result;
    return speed_per_sequence(result) >= state.find_speed ? result : null;
  };
  let fastest = null;
  const found = [];
  for (const candidate of candidates(tables, state)) {
    const result = answer(ask, state, candidate);
    if (result) found.push(result);
    yield null;
  }
  // Two names may mean one format to an engine.
  const one = new Map(found.map((result) => [`${result.model.id} ${result.device.id} ${result.weights.id}`, result]));
  yield { found: [...one.values()].sort(best), fastest };
}

/**
 * The room that lists them.
 * @param {object} tables - Those of `estimator.mjs`.
 * @param {(update: (state: object) => object, done?: boolean) => void} change - As for `conditionsForm`.
 * @returns {{element: HTMLElement, show: (view: object) => void}}
 */
export function choosingRoom(tables, change) {
  const list = h("div", { "aria-live": "polite" });
  let asked = null;
  const set = (values, done) =>
    change(({ find, ...state }) => withValues({ ...state, find: find ?? "machines" }, values), done);
  const what = menu({
    label: "探すもの",
    groups: [["", Object.entries(SEARCHES)]],
    value: "machines",
    onvalue: (find) => set({ find }),
  });
  const speed = numberField({
    rule: numberRules(tables.constants).find_speed,
    value: null,
    unit: "トークン/秒以上",
    hint: "いくつもの会話を一度に進めるときは、一つの会話の速さです",
    onvalue: (find_speed, done) => set({ find_speed }, done),
  });
  const fill = async (state) => {
    asked = state;
    replace(list, h("p", {}, "探しています…"));
    let pause = performance.now() + WORK_MS;
    for (const all of search(tables, state)) {
      if (all) replace(list, foundParts(all, state));
      else if (performance.now() > pause) {
        await nextTask();
        if (asked !== state) return; // another question has been asked
        pause = performance.now() + WORK_MS;
      }
    }
  };
  return {
    element: h("div", {}, h("div.hy-grid-form", {}, what.element, speed.element), list),
    show({ state }) {
      const question = { ...state, find: state.find ?? "machines" };
      if (JSON.stringify(question) === JSON.stringify(asked)) return;
      what.set(question.find);
      if (document.activeElement !== speed.input) speed.set(question.find_speed);
      fill(question);
    },
  };
}

function foundParts({ found, fastest }, { find, find_speed }) {
  const { columns, cells, caption } = SEARCHED[find];
  const [name, ...others] = [...columns, "速さ", "90%区間", "メモリに"];
  if (!found.length) {
    const none = `${SEARCHES[find]}に、${significant(find_speed)} トークン/秒以上になるものはありません。`;
    const speed = fastest && significant(speed_per_sequence(fastest));
    return h("p", {}, none, fastest && `いちばん速いのは ${cells(fastest)[0]} で、${speed} トークン/秒です。`);
  }
  const shown = found.slice(0, FOUND_SHOWN);
  const more = found.length > shown.length ? `全${found.length}件のうち、はじめの${shown.length}件を載せました。` : "";
  return [
    h(
      "div.hy-scroll",
      { tabindex: 0, role: "group", "aria-label": "見つかったものの表" },
      h(
        "table.hy-table",
        {},
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            [name, ...others].map((title) => h("th", { scope: "col" }, title)),
          ),
        ),
        h(
          "tbody",
          {},
          shown.map((result) => foundRow(result, cells(result), find === "models")),
        ),
      ),
    ),
    h("p.hy-caption", {}, `速さの単位はトークン/秒です。${caption}${more}`),
  ];
}

function foundRow(result, [name, second], secondIsText) {
  const { fit, batch_size, decode_tokens_per_s_low: low, decode_tokens_per_s_high: high } = result;
  const right = (text) => h("td.hy-num", {}, text);
  const each = (speed) => significant(speed / batch_size);
  return h(
    "tr",
    {},
    h("td", {}, name),
    secondIsText ? h("td", {}, second) : right(second),
    right(significant(speed_per_sequence(result))),
    right(`${each(low)} ～ ${each(high)}`),
    h("td", {}, shortVerdict(fit)),
  );
}
