// Whether a measured speed is normal: one that is typed, or every one of a report that is pasted.

import { answersTo } from "./answers.mjs";
import { brought } from "./brought.mjs";
import { namesRead } from "./called.mjs";
import { checkData } from "./check-data.mjs";
import {
  cause_heading,
  causes_title,
  checked_runs,
  count_text,
  decode_expectation,
  held_against,
  prompt_expectation,
  rows_alike,
  run_text,
  Seen,
  sentence,
  shown_causes,
  VERDICTS,
} from "./check-formulas.mjs";
import { h, onceAfterPaint, replace } from "./dom.mjs";
import { rowsOf, significant } from "./estimator.mjs";
import { numberField } from "./fields.mjs";
import { factList } from "./permachine.mjs";
import { $dict } from "./runtime.mjs";
import { numberRules, withValues } from "./state.mjs";
import { verdictStrip } from "./strip.mjs";

const causeRows = Object.freeze(rowsOf(checkData.causes).map((row) => $dict(Object.entries(row))));

Object.assign(brought, namesRead, { cause_rows: () => causeRows, json_value: jsonValue });

function jsonValue(text) {
  try {
    return JSON.parse(text, (_, value) => (value?.constructor === Object ? $dict(Object.entries(value)) : value));
  } catch {
    return null;
  }
}

// What a report may leave open, and what of it a reader may know better.
const ASSUMED = [
  ...["model", "weights", "device", "devices", "split"],
  ...["engine", "backend", "kv_cache", "context_length", "prompt_length"],
];
const KNOWN = ["model", "weights", "device", "devices"];
const WITH_BOUNDS_ONLY = "ideal";
const USUAL_ENGINE = "llama.cpp";

/**
 * The answers that something measured can be held against: of an engine that runs.
 * @param {object} tables - Those of `estimator.mjs`.
 * @param {object} view - That of the calculator.
 * @returns {object[]} As `answersTo` returns them.
 */
export function comparableAnswers(tables, { state, answers }) {
  if (state.engine !== WITH_BOUNDS_ONLY) return answers;
  return answersTo(tables, { ...state, engine: USUAL_ENGINE, backend: null });
}

/**
 * Hold the speeds that were typed against a result.
 * @param {object} result - An estimate.
 * @param {object} state - What the reader has chosen and measured.
 * @returns {Array<{what: string, check: ?object}>} Python's `Check` of each, null where nothing is known of it.
 */
export function checksOf(result, { measured, measured_prompt }) {
  const held = (speed, expected, seen) => expected && held_against(result, speed, expected, seen);
  const checks = [
    measured !== null && ["書く速さ", held(measured, decode_expectation(result), new Seen())],
    measured_prompt !== null && [
      "プロンプトを処理する速さ",
      held(measured_prompt, prompt_expectation(result), new Seen("prompt")),
    ],
  ];
  return checks.filter(Boolean).map(([what, check]) => ({ what, check }));
}

/**
 * Hold every speed of a report against its estimate.
 * @param {string} text - What a tool printed.
 * @param {?object} result - The estimate whose model, machine and engine stand for what the report leaves open.
 * @param {boolean} instead - Whether its model and machine count even where the report names others.
 * @returns {object[]} Python's `CheckedRun` of each.
 * @throws {Error} An `InvalidValueError` if there is no speed in it.
 */
export function checksOfReport(text, result, instead) {
  const named = (names) => $dict(names.filter((name) => result?.[name]).map((name) => [name, result[name]]));
  return checked_runs(text, named(instead ? KNOWN : []), named(ASSUMED));
}

/**
 * The room of what the reader has measured.
 * @param {object} tables - Those of `estimator.mjs`.
 * @param {(update: (state: object) => object, done?: boolean) => void} change - As for `conditionsForm`.
 * @returns {{element: HTMLElement, show: (view: object) => void}}
 */
export function checkRoom(tables, change) {
  const rules = numberRules(tables.constants);
  const field = (name, hint) => {
    const onvalue = (value, done) => change((state) => withValues(state, { [name]: value }), done);
    return [name, numberField({ rule: rules[name], value: null, unit: "トークン/秒", hint, onvalue })];
  };
  const fields = [
    field("measured", "llama-bench の tg、ollama の eval rate など"),
    field("measured_prompt", "llama-bench の pp、ollama の prompt eval rate など"),
  ];
  const typed = h("div", { "aria-live": "polite" });
  const summary = h("p.hy-verdict", { role: "status" });
  const found = h("div");
  const legend = h("p.hy-caption", { hidden: true }, "帯の×は実測、点線は見積りです。横は対数の目盛です。");
  let view = null;
  let asked = "";
  const fill = () => {
    const answers = comparableAnswers(tables, view);
    // Nothing is computed anew while the page is only made wider.
    const question = JSON.stringify([view.state, answers.map(({ problem }) => problem), paste.value, instead.checked]);
    if (question === asked) return;
    asked = question;
    replace(typed, typedParts(answers, view));
    const [said, parts] = paste.value.trim() ? reportParts(paste.value, answers[0], instead.checked, view) : ["", []];
    summary.textContent = said;
    replace(found, parts);
    legend.hidden = ![typed, found].some((one) => one.querySelector("svg"));
  };
  const fillSoon = onceAfterPaint(fill);
  const paste = h("textarea", {
    id: PASTE,
    rows: 6,
    wrap: "off",
    spellcheck: "false",
    autocomplete: "off",
    placeholder: PLACEHOLDER,
    "aria-describedby": `${PASTE}-hint`,
    oninput: fillSoon,
  });
  const instead = h("input", { type: "checkbox", onchange: fillSoon });
  return {
    element: h(
      "div",
      {},
      h(
        "div.hy-grid-form",
        {},
        fields.map(([, { element }]) => element),
      ),
      h(
        "div.hy-field",
        {},
        h("label", { for: PASTE }, "道具の出力を貼り付ける"),
        paste,
        h("p.hy-hint", { id: `${PASTE}-hint` }, HINT),
      ),
      h("label.hy-check", {}, instead, " 出力に何と書いてあっても、上のモデル、形式、機械1と比べる"),
      typed,
      summary,
      found,
      legend,
    ),
    show(shown) {
      view = shown;
      for (const [name, { input, set }] of fields) if (document.activeElement !== input) set(view.state[name]);
      fill();
    },
  };
}

const PASTE = "hy-paste";
const PLACEHOLDER = "| model | size | params | backend | ngl | test | t/s |";
const HINT =
  "llama-bench の表、ollama run --verbose、LM Studio、mlx_lm、llama.cpp、vLLM の出力と、「この機械を測る」の記録（JSON）を読みます。" +
  "書かれていないモデルや機械は、上の条件で補います。読むのはこのブラウザーの中だけで、どこにも送らず、アドレスにも入りません。";

// ---------------------------------------------------------------- what is said of them

function typedParts(answers, { state, width }) {
  if (state.measured === null && state.measured_prompt === null) return [];
  const usual = state.engine === WITH_BOUNDS_ONLY;
  return [
    usual && h("p.hy-note", {}, `実測と比べるので、エンジンは ${USUAL_ENGINE} としました。`),
    answers.map(({ name, result, problem }) =>
      h(
        "section",
        {},
        result
          ? checksOf(result, state).map(({ what, check }) => [
              h("p.hy-sum-title", {}, `${name}：${what}`),
              check ? checkParts(check, width) : h("p.hy-problem", {}, UNKNOWN_PROMPT),
            ])
          : [h("p.hy-sum-title", {}, name), h("p.hy-problem", {}, problem)],
      ),
    ),
  ];
}

const UNKNOWN_PROMPT = "この機械とエンジンでは、プロンプトを処理する速さの見積りがありません。";

function checkParts(check, width) {
  const { best, low, high, bound } = check.expected;
  return [
    h("p.hy-verdict", {}, sentence(check)),
    verdictStrip(check, width),
    factList([
      ["実測", `${significant(check.measured_tokens_per_s)} トークン/秒`],
      ["見積り", `${significant(best)} トークン/秒（90%区間 ${significant(low)} ～ ${significant(high)}）`],
      ["上限", `${significant(bound)} トークン/秒`],
      ["実測 ÷ 見積り", `${significant(check.ratio)} 倍`],
    ]),
    causeParts(check),
  ];
}

function causeParts(check) {
  const causes = shown_causes(check);
  if (!causes.length) return null;
  const line = (term, text) => h("p", {}, `${term}：${text}`);
  return [
    h("p.hy-sum-title", {}, causes_title(check)),
    h(
      "ol",
      {},
      [...causes].map((cause) =>
        h(
          "li",
          {},
          h("strong", {}, cause_heading(cause)),
          line("見分け方", cause.how_to_see),
          line("直し方", cause.what_to_do),
        ),
      ),
    ),
  ];
}

// A sentence, and the parts beneath it.
function reportParts(text, { result }, instead, { state, width }) {
  let rows;
  try {
    rows = checksOfReport(text, result, instead);
  } catch (error) {
    if (error.name !== "InvalidValueError") throw error;
    return [error.message, []];
  }
  const checked = rows.filter(({ check }) => check);
  const open = rows.filter(({ check }) => !check);
  const usual = state.engine === WITH_BOUNDS_ONLY && `書かれていないエンジンは、${USUAL_ENGINE} としました。`;
  const notes = new Set([usual, ...rows.flatMap((row) => [...row.notes])].filter(Boolean));
  return [
    countText(checked, open),
    [
      checked.map((row) => runPart(row, width)),
      rows_alike(checked.filter(({ check }) => check.causes.length)).map(groupPart),
      [...notes].map((note) => h("p.hy-note", {}, note)),
      openParts(open),
    ],
  ];
}

function countText(checked, open) {
  const counts = VERDICTS.items().map(([verdict, word]) => [
    word,
    checked.filter(({ check }) => check.verdict === verdict).length,
  ]);
  const told = [...counts, ["答えられない", open.length]].filter(([, count]) => count);
  return `${checked.length + open.length} 件の速さ：${told.map(([word, count]) => `${word} ${count} 件`).join("、")}`;
}

function runPart({ line, run, check }, width) {
  const { estimate, expected, verdict, measured_tokens_per_s: measured, ratio } = check;
  const { model, weights, device, devices } = estimate;
  const machine = `${device.name || device.id}${count_text(devices)}`;
  return h(
    "section",
    {},
    h("p.hy-sum-title", {}, `行 ${line}：${model.name || model.id}（${weights.id}）、${machine}、${run_text(run)}`),
    h(
      "p",
      {},
      h("strong", {}, `${VERDICTS.get(verdict)}：`),
      `実測 ${significant(measured)}、見積り ${significant(expected.best)} トークン/秒（90%区間 ${significant(expected.low)} ～ ${significant(expected.high)}、上限 ${significant(expected.bound)}）。比は ${ratio.toFixed(2)} です。`,
    ),
    verdictStrip(check, width),
  );
}

// What several lines have in common stands once.
function groupPart(rows) {
  const lines = [...new Set(rows.map(({ line }) => line))].join("、");
  return h("section", {}, h("p.hy-verdict", {}, `行 ${lines}：${sentence(rows[0].check)}`), causeParts(rows[0].check));
}

function openParts(open) {
  if (!open.length) return [];
  return [
    h("p.hy-sum-title", {}, "答えられない行"),
    h(
      "ul",
      {},
      open.map(({ line, text, reason }) => h("li", {}, `行 ${line}：${text}`, h("p.hy-problem", {}, reason))),
    ),
  ];
}
