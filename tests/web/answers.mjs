// The entry of the script that the tests run: the answers to the questions of questions.py.

import { answersTo } from "./answers.mjs";
import { remediesFor, timeFacts } from "./below.mjs";
import { answer_time, duration } from "./below-formulas.mjs";
import { checksOf, checksOfReport } from "./check.mjs";
import { cause_heading, causes_title, count_text, run_text, sentence, shown_causes } from "./check-formulas.mjs";
import { search } from "./choosing.mjs";
import { speedupOf } from "./drafts.mjs";
import { costOf } from "./energy.mjs";
import {
  estimate,
  gibibytes,
  makeDevice,
  makeModel,
  makeWeightFormat,
  scaled,
  significant,
  tables,
} from "./estimator.mjs";
import { modelOf, readFiles } from "./files.mjs";
import { parts } from "./later.mjs";
import { makeHost, splitOf } from "./offload.mjs";
import { explanation } from "./sums-formulas.mjs";

const MAKERS = { device: makeDevice, model: makeModel, weights: makeWeightFormat };
const WRITERS = { significant, scaled, gibibytes, duration };
const NAMED = ["model", "device", "weights", "engine", "kv_cache"];
const FIT = ["required_bytes", "available_least_bytes", "available_most_bytes", "left_bytes", "verdict"];

// Each as JavaScript writes it, or the error; JSON has no NaN and no infinity, so a number that is none becomes text.
export function answers(questions) {
  return JSON.stringify(JSON.parse(questions, revived).map(answer), (_, value) =>
    typeof value === "number" && !Number.isFinite(value) ? String(value) : value,
  );
}

function revived(_, value) {
  return value !== null && typeof value === "object" && "number" in value ? Number(value.number) : value;
}

function answer(question) {
  try {
    if (question.ask === "write") return { expected: WRITERS[question.function](...question.arguments) };
    if (question.ask === "make") {
      MAKERS[question.kind](question.fields);
      return { error: null };
    }
    const { host, ...choice } = question.choice;
    return {
      expected: plain(
        estimate({ ...choice, host: host?.constructor === Object ? makeHost(host) : host }),
        question.names,
      ),
    };
  } catch (error) {
    return { error: { type: error.name, message: error.message } };
  }
}

const plainWait = ({ kind, seconds, hidden }) => ({ ...kind, seconds, hidden });

function plain(result, names) {
  const values = Object.fromEntries(names.map((name) => [name, result[name]]));
  for (const name of NAMED) values[name] = result[name].id;
  const { chosen } = result;
  values.fit = plainFit(result.fit);
  values.waits = result.waits.map(plainWait);
  values.prefill_waits = result.prefill_waits.map(plainWait);
  if (result.offload) values.host_fit = plainFit(result.host_fit);
  values.calibration = chosen ? chosen.calibration.id : null;
  if (chosen) values.chosen = { ...chosen, calibration: chosen.calibration.id, paces: chosen.paces.map(Object.values) };
  values.explanation = explanation(result).map((part) => ({ ...part }));
  return values;
}

const plainFit = (fit) => ({ ...fit, ...Object.fromEntries(FIT.map((name) => [name, fit[name]])) });

/** What the page finds for a choice. */
export function found(choice) {
  const results = [...search(tables, choice)].at(-1).found;
  return JSON.stringify(
    results.map(({ model, weights, device }) => [model.id, weights.id, device.id, device.memory_capacity_bytes]),
  );
}

const ENERGY = [
  "decode_power",
  "prompt_power",
  "decode_joules_per_token",
  "decode_joules_per_token_low",
  "decode_joules_per_token_high",
  "prompt_joules_per_token",
  "notes",
];

/** What the page says of whole answers, of energy and money, and of drafts. */
export function further(choice, state) {
  const result = estimate(choice);
  const { spent, ...cost } = costOf(result, state);
  const { waits, ...drafts } = speedupOf(result, state);
  const answer = state.answer_length && answer_time(result, state.answer_length);
  return JSON.stringify({
    facts: timeFacts(result, state.answer_length),
    answer: answer && [answer.total_s, answer.total_low_s, answer.total_high_s],
    remedies: remediesFor(result),
    cost,
    energy: Object.fromEntries(ENERGY.map((name) => [name, spent[name]])),
    drafts: { ...drafts, waits: waits.map(plainWait) },
  });
}

/** What the page answers to a state, of which a part may lie in a host's memory. */
export function answered(state) {
  parts.offload = { splitOf };
  return JSON.stringify(
    answersTo(tables, state).map(({ result, problem }) => [
      problem,
      result?.decode_tokens_per_s,
      result?.fits,
      result?.memory_required_bytes,
      result?.host_fit?.required_bytes,
      result?.time_to_first_token_s,
    ]),
  );
}

// What a browser has and this one lacks; of damaged text it says no more than that it is.
globalThis.TextDecoder ??= class {
  constructor(_, options) {
    this.options = options;
  }
  decode(bytes) {
    try {
      const text = decodeURIComponent(Array.from(bytes, (one) => `%${one.toString(16).padStart(2, "0")}`).join(""));
      return this.options?.ignoreBOM ? text : text.replace(/^\ufeff/, "");
    } catch (error) {
      if (this.options?.fatal) throw error;
      return "\ufffd";
    }
  }
};

const results = new Map();

/** Read files, given by name and hexadecimal bytes; `fileRead` tells what came of it. */
export function readFile(key, given) {
  const files = JSON.parse(given).map(([name, hexadecimal]) => fileOf(name, hexadecimal));
  readFiles(files, () => {}).then(
    (text) => results.set(key, { text, ...modelOf(text) }),
    (error) => results.set(key, { error: { type: error.name, message: error.message } }),
  );
  return key;
}

const fileOf = (name, hexadecimal) => {
  const bytes = Uint8Array.from(hexadecimal.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
  return {
    name,
    size: bytes.length,
    slice: (start, end) => ({ arrayBuffer: async () => bytes.slice(start, end).buffer }),
  };
};

export function fileRead(key) {
  return JSON.stringify(results.get(key) ?? null);
}

/** What the page answers where the model is one of a file: the estimate, explained. */
export function explained(state) {
  parts.files = { modelOf };
  return JSON.stringify(
    answersTo(tables, state).map(({ result, problem }) => problem || explanation(result).map((part) => ({ ...part }))),
  );
}

const plainCheck = (check) => ({
  verdict: check.verdict,
  ratio: check.ratio,
  expected: { ...check.expected },
  causes: check.causes.map((cause) => ({ ...cause })),
  shown: Array.from(shown_causes(check), cause_heading),
  said: [sentence(check), causes_title(check), count_text(check.estimate.devices)],
  asked: NAMED.map((name) => check.estimate[name].id),
});

/** What the page says of speeds that were typed, of writing and of reading a prompt. */
export function checked(choice, measured, measured_prompt) {
  const checks = checksOf(estimate(choice), { measured, measured_prompt });
  return JSON.stringify(checks.map(({ check }) => check && plainCheck(check)));
}

/** What the page says of a report, of which a choice stands for what it leaves open, or for its model and machine. */
export function reported(text, choice, instead) {
  try {
    const rows = checksOfReport(text, choice && estimate(choice), instead);
    return JSON.stringify(
      rows.map(({ run, check, notes, ...row }) => ({
        ...row,
        notes,
        run: run && { ...run, said: run_text(run) },
        check: check && plainCheck(check),
      })),
    );
  } catch (error) {
    if (error.name !== "InvalidValueError") throw error;
    return JSON.stringify(error.message);
  }
}
