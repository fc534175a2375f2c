// How long a prompt takes: the formulas of it, which come after the first answer, and the tables that they read.

import { answer_time, PromptCalibration, PromptFactor, prompt_time } from "./below-formulas.mjs";
import { bring, duration, factorsOf, rowsOf, tables } from "./estimator.mjs";
import { promptData } from "./prompt-data.mjs";

const calibrations = Object.freeze(rowsOf(promptData.prompt_calibrations).map((row) => new PromptCalibration(row)));
const factors = factorsOf(promptData.prompt_factors, [...tables.devices.values()], calibrations, PromptFactor);

bring({ prompt_time, prompt_calibrations: () => calibrations, prompt_factors: () => factors });

/**
 * What a card says of the time before the first token.
 * @param {object} result - An estimate.
 * @returns {string}
 */
export function firstToken({ time_to_first_token_s, prompt_length }) {
  if (!time_to_first_token_s) return "見積もれません";
  return `${duration(time_to_first_token_s)}（プロンプト ${prompt_length.toLocaleString("en-US")} トークン）`;
}

export { answer_time };
