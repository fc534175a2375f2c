// The entry of the bundle that the tests run: JavaScript's answers to the questions of hayasa.export.vectors.

import { data } from "./data.mjs";
import {
  activeParameters,
  estimate,
  kvCacheBytesPerToken,
  loadTables,
  makeDevice,
  makeModel,
  makeWeightFormat,
  maxBatchSize,
  maxContextLength,
  peakFlopPerS,
  ridgePoint,
  totalParameters,
} from "./estimator.mjs";
import { explain, explanationText } from "./explanation.mjs";
import { duration, gibibytes, scaled, significant } from "./units.mjs";

const tables = loadTables(data);
const MAKERS = { device: makeDevice, model: makeModel, weights: makeWeightFormat };
const WRITERS = { significant, scaled, gibibytes, duration };
const NAMED = ["model", "device", "weights", "engine", "kv_cache"];

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
    return { expected: plain(estimate(tables, question.choice)) };
  } catch (error) {
    return { error: { type: error.name, argument: error.argument, message: error.message } };
  }
}

function plain(result) {
  const { model, device, weights, chosen } = result;
  const values = { ...result };
  for (const name of NAMED) values[name] = result[name].id;
  values.calibration = result.calibration ? result.calibration.id : null;
  if (chosen) values.chosen = { ...chosen, calibration: chosen.calibration.id };
  values.peak_flop_per_s = peakFlopPerS(device, weights.compute_format);
  values.ridge_point_flop_per_byte = ridgePoint(device, weights.compute_format);
  values.total_parameters = totalParameters(model);
  values.active_parameters = activeParameters(model);
  values.explanation = explanationText(explain(result));
  if (model.layers) {
    values.kv_cache_bytes_per_token = kvCacheBytesPerToken(model, result.kv_cache.bits_per_weight / 8);
    values.max_context_length = maxContextLength(tables, result);
    if (result.context_length) values.max_batch_size = maxBatchSize(tables, result);
  }
  return values;
}
