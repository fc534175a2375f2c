// The address that says what the reader has chosen, and that brings it back.

import { GIB } from "./estimator.mjs";
import { readNumber } from "./input.mjs";
import {
  AS_THE_FILE,
  DEVICE_PARTS,
  isFromFile,
  isProcessor,
  MAX_MACHINES,
  MODEL_PARTS,
  numberRules,
  OWN_FAMILIES,
  SEARCHES,
  stateOf,
  USUAL_WEIGHTS,
} from "./state.mjs";

const OWN = "own:";
// How the fields of a state are called there, in the order in which they are written.
const FIELDS = {
  weights: "weights",
  engine: "engine",
  batch: "batch_size",
  context: "context_length",
  backend: "backend",
  prompt: "prompt_length",
  answer: "answer_length",
  kv: "kv_cache",
  split: "split",
  host: "host",
  host_memory: "host_memory_bytes",
  gpu_layers: "gpu_layers",
  cpu_moe_layers: "cpu_moe_layers",
  find: "find",
  speed: "find_speed",
  yen: "yen_per_kwh",
  hours: "hours_per_day",
  watts: "rated_power_w",
  draft: "draft",
  text: "draft_text",
  measured: "measured",
  measured_prompt: "measured_prompt",
};
const UNSAID = { kv: "f16", split: "pipeline" };
const MAX_NAME = 60;
const MAX_PROBLEMS = 10;
const SHOWN = 40; // characters of an address that a complaint about it repeats

/** Whether an address says anything of what is to be shown. */
export function asksForView(search) {
  const keys = [...new URLSearchParams(search).keys()];
  return keys.some((key) => key === "model" || key === "machine" || Object.hasOwn(FIELDS, key));
}

/**
 * Read an address.
 * @param {string} search - The part from `?` on; empty for the opening state.
 * @param {object} tables - Those of `estimator.mjs`.
 * @returns {{state: object, problems: string[]}} A whole state, and what of the address could not be used.
 */
export function readAddress(search, tables) {
  const state = stateOf(tables.presets.article);
  const query = new URLSearchParams(search);
  if (!asksForView(search)) return { state, problems: [] };
  const problems = [];
  const rules = numberRules(tables.constants);
  const listed = (key, field, known) => {
    const value = query.get(key);
    if (value === null) return;
    if (known.has(value)) state[field] = value;
    else problems.push(`アドレスの ${key}=${shortened(value)} に当たるものがありません。`);
  };
  const number = (key, field) => {
    if (!query.has(key)) return;
    const { value, problem } = readNumber(shortened(query.get(key)), rules[field]);
    if (problem) problems.push(`アドレスの ${key}: ${problem}`);
    else state[field] = value;
  };
  state.weights = USUAL_WEIGHTS;
  state.engine = "llama.cpp";
  const model = query.get("model");
  if (model?.startsWith(OWN)) {
    const own = readOwn(model, MODEL_PARTS, rules, problems);
    if (own.stated_parameters || own.layers) state.model = own;
    else problems.push("アドレスの model: 使えるパラメータ数 parameters も、層の数 layers もありません。");
  } else if (isFromFile(model)) {
    state.model = model; // what it says is looked into by files.mjs
  } else {
    listed("model", "model", tables.models);
  }
  const known = knownNames(tables, state);
  for (const [key, field] of Object.entries(FIELDS)) {
    if (known[key]) listed(key, field, known[key]);
    else number(key, field);
  }
  const machines = query.getAll("machine").map((text) => readMachine(text, tables, rules, problems));
  const usable = machines.filter(Boolean);
  if (usable.length > MAX_MACHINES) problems.push(`比べられるのは ${MAX_MACHINES} 台までです。`);
  if (usable.length) state.machines = usable.slice(0, MAX_MACHINES);
  if (problems.length > MAX_PROBLEMS) {
    const further = problems.splice(MAX_PROBLEMS);
    problems.push(`ほかに ${further.length} か所が使えません。`);
  }
  return { state, problems };
}

// Those of the fields that are no numbers.
function knownNames({ devices, weight_formats, engines, backends, models, drafting }, { model }) {
  return {
    weights: isFromFile(model) ? new Set([...weight_formats.keys(), AS_THE_FILE]) : weight_formats,
    engine: engines,
    backend: new Set(backends),
    kv: weight_formats,
    split: new Set(["pipeline", "tensor"]),
    host: new Set(devices.rows.filter(({ family }) => isProcessor(family)).map(({ id }) => id)),
    find: new Set(Object.keys(SEARCHES)),
    draft: new Set([...Object.keys(drafting.ways), ...models.keys()]),
    text: new Set(Object.keys(drafting.texts)),
  };
}

// What an address says can be of any length.
function shortened(text) {
  const characters = [...text];
  return characters.length > SHOWN ? `${characters.slice(0, SHOWN).join("")}…` : text;
}

function readMachine(text, tables, rules, problems) {
  const found = /^(.*?)(?:@([\d.]+))?(?:\*(\d+))?$/su.exec(text);
  const [, name, memory, count] = found;
  const devices = count === undefined ? 1 : Number(count);
  if (readNumber(String(devices), rules.devices).problem) {
    problems.push(`アドレスの machine=${shortened(text)}: 台数を読み取れません。`);
    return null;
  }
  if (name.startsWith(OWN)) {
    const device = readOwn(name, DEVICE_PARTS, rules, problems);
    if (device.memory_bandwidth_bytes_per_s) return { device, memory_bytes: null, devices };
    problems.push(`アドレスの machine=${shortened(text)}: 使えるメモリ帯域幅 bandwidth がありません。`);
    return null;
  }
  const device = tables.devices.get(name);
  if (!device) {
    problems.push(`アドレスの machine=${shortened(name)} に当たるものがありません。`);
    return null;
  }
  const memory_bytes = memory === undefined ? null : Number(memory) * GIB;
  if (memory_bytes !== null && !isSold(device, memory_bytes, rules.memory_bytes)) {
    problems.push(`${device.name} に、メモリ ${shortened(memory)} GB のものはありません。`);
    return { device: name, memory_bytes: null, devices };
  }
  return { device: name, memory_bytes, devices };
}

// Where the reader has put the memory together, any amount will do.
function isSold({ memory_options_bytes: options }, bytes, { minimum, maximum }) {
  return options.length ? options.includes(bytes) : bytes >= minimum && bytes <= maximum;
}

function readOwn(text, parts, rules, problems) {
  const own = {};
  for (const pair of text.slice(OWN.length).split(";").filter(Boolean)) {
    const [key, ...rest] = pair.split("=");
    const field = Object.hasOwn(parts, key) && parts[key];
    if (!field) {
      problems.push(`アドレスの ${shortened(key)} という項目は使えません。`);
      continue;
    }
    const { value, problem } = readPart(key, field, rest.join("="), rules);
    if (problem) problems.push(`アドレスの ${problem}`);
    else own[field] = value;
  }
  return own;
}

function readPart(key, field, text, rules) {
  if (field === "name") return { value: [...unguarded(text)].slice(0, MAX_NAME).join("") };
  if (field === "family") {
    return Object.hasOwn(OWN_FAMILIES, text)
      ? { value: text }
      : { problem: `${key}=${shortened(text)} は使えません。` };
  }
  const { value, problem } = readNumber(shortened(text), rules[field]);
  return { value, problem: problem && `${key}: ${problem}` };
}

/**
 * Write the address of a state.
 * @param {object} state - A state.
 * @returns {string} From `?` on; what `readAddress` turns into the same state.
 */
export function writeAddress(state) {
  const parts = [["model", typeof state.model === "string" ? state.model : writeOwn(state.model, MODEL_PARTS)]];
  for (const [key, field] of Object.entries(FIELDS)) {
    const unsaid = state[field] === null || state[field] === UNSAID[key] || (key === "speed" && state.find === null);
    if (!unsaid) parts.push([key, state[field]]);
  }
  for (const machine of state.machines) parts.push(["machine", writeMachine(machine)]);
  return `?${parts.map(([key, value]) => `${key}=${asQuery(String(value))}`).join("&")}`;
}

function writeMachine({ device, memory_bytes, devices }) {
  const name = typeof device === "string" ? device : writeOwn(device, DEVICE_PARTS);
  return name + (memory_bytes === null ? "" : `@${memory_bytes / GIB}`) + (devices === 1 ? "" : `*${devices}`);
}

function writeOwn(own, parts) {
  const written = Object.entries(parts)
    .filter(([, field]) => own[field] !== undefined && own[field] !== "" && own[field] !== 0)
    .map(([key, field]) => `${key}=${typeof own[field] === "string" ? guarded(own[field]) : shortest(own[field])}`);
  return OWN + written.join(";");
}

// 7e9 and 128, each with all its digits.
function shortest(number) {
  const [plain, powers] = [String(number), number.toExponential()].map((text) => text.replace("e+", "e"));
  return powers.length < plain.length ? powers : plain;
}

// In a name, what separates the parts of an address is written once more in the way of addresses.
export function guarded(text) {
  return text.replaceAll(/[%;]/g, (character) => `%${character.codePointAt(0).toString(16).toUpperCase()}`);
}

export function unguarded(text) {
  return text.replaceAll(/%(25|3B)/g, (_, code) => String.fromCodePoint(Number.parseInt(code, 16)));
}

// An address stays readable: what may stand in a query is left as it is. Half a character cannot be written.
function asQuery(text) {
  return encodeURIComponent(text.replaceAll(/\p{Cs}/gu, "\ufffd")).replaceAll(
    /%(3A|3D|3B|40|2A|2F)/g,
    decodeURIComponent,
  );
}
