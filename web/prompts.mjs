// How long a prompt takes: the formulas of it, which come after the first answer, and the tables that they read.

import { answer_time, duration, PromptCalibration, PromptFactor, prompt_time } from "./below-formulas.mjs";
import { brought } from "./brought.mjs";
import { withCommas } from "./commas.mjs";
import { factorsOf, rowsOf, tables } from "./estimator.mjs";
import { promptData } from "./prompt-data.mjs";

const promptCalibrations = Object.freeze(
  rowsOf(promptData.prompt_calibrations).map((row) => new PromptCalibration(row)),
);
const promptFactors = factorsOf(promptData.prompt_factors, tables.devices.rows, promptCalibrations, PromptFactor);

Object.assign(brought, {
  prompt_time,
  prompt_calibrations: () => promptCalibrations,
  prompt_factors: () => promptFactors,
});

/**
 * What a card says of the time that a prompt, and a whole answer to it, takes.
 * @param {object} result - An estimate.
 * @param {?number} answerLength - Tokens of the answer; null where nobody has asked for its time.
 * @returns {Array<[string, string]>} Terms and what belongs to them.
 */
export function timeFacts(result, answerLength) {
  const { prompt_time: prompt, prompt_length } = result;
  const of = `プロンプト ${tokensText(prompt_length)}`;
  const first = ["最初のトークンまで", prompt ? `${duration(prompt.best_s)}（${of}）` : "見積もれません"];
  const facts = [first];
  if (prompt?.chosen) facts.push(["最初のトークンの90%区間", durations(prompt.fast_s, prompt.slow_s)]);
  if (answerLength === null) return facts;
  const term = `答え ${tokensText(answerLength)}を書き終えるまで`;
  const { total_s, total_low_s, total_high_s } = answer_time(result, answerLength);
  if (total_s === null) return [...facts, [term, "見積もれません"]];
  facts.push([term, duration(total_s)]);
  if (prompt.chosen) facts.push(["答えの90%区間", durations(total_low_s, total_high_s)]);
  return facts;
}

const tokensText = (count) => `${withCommas(count)} トークン`;
const durations = (low, high) => `${duration(low)} ～ ${duration(high)}`;
