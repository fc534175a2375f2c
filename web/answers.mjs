// What hayasa answers to a choice, and what is said of all answers together.

import { estimate, makeDevice, makeModel, significant } from "./estimator.mjs";
import { parts } from "./later.mjs";
import {
  AS_THE_FILE,
  asksForHost,
  isFromFile,
  isListed,
  listedDevice,
  OWN_DEVICE_NAME,
  OWN_MODEL_NAME,
} from "./state.mjs";

const NEEDS_SHAPE =
  "パラメータ数だけでは、KVキャッシュの大きさが分かりません。文脈長を0にするか、「層やヘッドの数も入れる」に印を付けてください。";

/**
 * Ask hayasa about every machine.
 * @param {object} tables - Those of `estimator.mjs`.
 * @param {object} state - What the reader has chosen.
 * @returns {Array<{index: number, name: string, result: ?object, problem: string}>} One answer per machine: an
 *   estimate, or what is wrong.
 */
export function answersTo(tables, state) {
  return state.machines.map((machine, index) => {
    const listed = listedDevice(tables, machine);
    const name = listed?.name ?? (machine.device.name || OWN_DEVICE_NAME);
    const splits = asksForHost(state) && !listed?.shares_memory;
    if (partsFor(state, splits).some((part) => !parts[part]))
      return { index, name, result: null, problem: "読み込んでいます…" };
    const split = splits && parts.offload.splitOf(tables, state);
    return { index, name, ...answerOf(tables, state, machine, { name, split }) };
  });
}

/** The scripts that a choice needs. */
export function partsFor(state, splits = asksForHost(state)) {
  return [splits && "offload", isFromFile(state.model) && "files"].filter(Boolean);
}

// With the name of several machines where there is a result.
function answerOf(tables, state, machine, { name, split }) {
  try {
    const result = resultFor(tables, state, machine, { name, split });
    return { name: machine.devices > 1 ? `${name} × ${machine.devices}` : name, result, problem: "" };
  } catch (error) {
    if (error.name !== "InvalidValueError") throw error;
    return { result: null, problem: needsShape(state) ? NEEDS_SHAPE : error.message };
  }
}

// What of a state estimates are asked with.
const ASKED = [
  "model",
  "weights",
  "engine",
  "backend",
  "batch_size",
  "context_length",
  "prompt_length",
  "kv_cache",
  "split",
];

function resultFor(tables, state, machine, { name, split }) {
  const choice = Object.fromEntries(ASKED.map((field) => [field, state[field]]));
  const { device, memory_bytes, devices } = machine;
  const listed = listedDevice(tables, machine);
  const memory_capacity_bytes = memory_bytes ?? listed?.memory_capacity_bytes;
  return estimate({
    ...choice,
    ...split,
    ...modelAndWeights(tables, state),
    devices,
    device: makeDevice(listed ? { ...listed, memory_capacity_bytes } : { ...device, id: "own", name }),
  });
}

function modelAndWeights({ models }, { model, weights }) {
  if (!isListed(model)) return { model: makeModel({ ...model, id: "own", name: OWN_MODEL_NAME }) };
  if (!isFromFile(model)) return { model: models.get(model) };
  const read = parts.files.modelOf(model);
  return weights === AS_THE_FILE ? read : { model: read.model };
}

// The commonest mistake with a model of one's own is explained in the words of the form.
function needsShape({ model, context_length }) {
  return !isListed(model) && !model.layers && context_length > 0;
}

/** Which machine is the fastest, and by how much; empty where there is nothing to compare. */
export function verdictOf(answers) {
  const answered = answers.filter(({ result }) => result);
  if (answered.length < 2) return "";
  // What does not fit does not run, however fast it would be.
  const running = answered.filter(({ result }) => result.fits !== false);
  const full = answered.filter(({ result }) => result.fits === false).map(({ name }) => name);
  const without = full.length ? `${full.join("、")} のメモリには入りません。` : "";
  if (running.length < 2) return without;
  const sorted = [...running].sort((a, b) => b.result.decode_tokens_per_s - a.result.decode_tokens_per_s);
  const [fast, slow] = [sorted[0], sorted.at(-1)];
  const ratio = fast.result.decode_tokens_per_s / slow.result.decode_tokens_per_s;
  const among = full.length ? "メモリに入るもののうち、" : "";
  return `${among}いちばん速いのは ${fast.name} で、${slow.name} の ${significant(ratio)} 倍です。${without}`;
}

/** All answers in one breath, for who cannot see them. */
export function announcementOf(answers) {
  return answers
    .map(({ name, result, problem }) => {
      if (!result) return `${name}：${problem}`;
      const full = result.fits === false ? "メモリに入りません。" : "";
      return `${name}：${significant(result.decode_tokens_per_s)} トークン毎秒。${full}`;
    })
    .join("");
}
