// What the reader has chosen, and the address that says the same.

import { readNumber } from "./input.mjs";

/** How the parts of a model of one's own are called in an address, and in hayasa. */
export const MODEL_PARTS = {
  parameters: "stated_parameters",
  layers: "layers",
  hidden: "hidden_size",
  heads: "attention_heads",
  kv_heads: "kv_heads",
  head_dim: "head_dim",
  ffn: "intermediate_size",
  vocab: "vocab_size",
};

/** How the parts of a device of one's own are called in an address, and in hayasa. */
export const DEVICE_PARTS = {
  name: "name",
  family: "family",
  bandwidth: "memory_bandwidth_bytes_per_s",
  memory: "memory_capacity_bytes",
  fp16: "peak_fp16_dense_flop_per_s",
  int8: "peak_int8_dense_op_per_s",
  int4: "peak_int4_dense_op_per_s",
};

/** Families that a device of one's own can be of; the family decides the calibration. */
export const OWN_FAMILIES = { apple: "Apple シリコン", nvidia: "NVIDIA の GPU", amd: "AMD の GPU", cpu: "CPU" };

/** What they are called where they have no name. */
export const OWN_MODEL_NAME = "自分のモデル";
export const OWN_DEVICE_NAME = "自分の機械";

export const MAX_MACHINES = 4;
const MAX_NAME = 60;
const SHOWN = 40; // characters of an address that a complaint about it repeats
const MAX_PROBLEMS = 10;
export const GIB = 2 ** 30;

const OWN = "own:";

/**
 * What each number in the address and in the form may be.
 * @param {object} constants - The limits that hayasa exported.
 * @returns {object} One rule per field, for `readNumber`.
 */
export function numberRules(constants) {
  const context = { minimum: 0, maximum: constants.MAX_CONTEXT_LENGTH, integer: true };
  const size = { minimum: 1, maximum: 1e6, integer: true };
  const peak = { minimum: 0, maximum: 1e21 };
  return {
    batch_size: { label: "バッチサイズ", minimum: 1, maximum: constants.MAX_BATCH_SIZE, integer: true },
    context_length: { label: "文脈長", ...context },
    prompt_length: { label: "プロンプトの長さ", ...context, minimum: 1, optional: true },
    devices: { label: "台数", minimum: 1, maximum: constants.MAX_DEVICES, integer: true },
    stated_parameters: { label: "パラメータ数", minimum: 1, maximum: 1e16 },
    layers: { label: "層の数", ...size, maximum: 1000 }, // more would take longer than a blink
    hidden_size: { label: "隠れ次元", ...size, maximum: 1e8 },
    attention_heads: { label: "ヘッド数", ...size },
    kv_heads: { label: "KVヘッド数", ...size },
    head_dim: { label: "ヘッドの次元", ...size },
    intermediate_size: { label: "FFNの幅", ...size, maximum: 1e8 },
    vocab_size: { label: "語彙の数", ...size, maximum: 1e8 },
    memory_bandwidth_bytes_per_s: { label: "メモリ帯域幅", minimum: 1, maximum: 1e17 },
    memory_capacity_bytes: { label: "メモリ", minimum: 0, maximum: 1e18 },
    peak_fp16_dense_flop_per_s: { label: "fp16の計算力", ...peak },
    peak_int8_dense_op_per_s: { label: "int8の計算力", ...peak },
    peak_int4_dense_op_per_s: { label: "int4の計算力", ...peak },
  };
}

/**
 * The state that a preset of hayasa stands for.
 * @param {object} preset - From `tables.presets`.
 * @returns {object} A state.
 */
export function stateOf(preset) {
  return {
    model: preset.model,
    weights: preset.weights,
    engine: preset.engine,
    batch_size: preset.batch_size ?? 1,
    context_length: preset.context_length ?? 0,
    prompt_length: preset.prompt_length ?? null,
    kv_cache: preset.kv_cache ?? "f16",
    split: preset.split ?? "pipeline",
    machines: preset.machines.map((machine) => ({ memory_bytes: null, devices: 1, ...machine })),
  };
}

/**
 * Read an address.
 * @param {string} search - The part from `?` on; empty for the opening state.
 * @param {object} tables - From `loadTables`.
 * @returns {{state: object, problems: string[]}} A whole state, and what of the address could not be used.
 */
export function readAddress(search, tables) {
  const state = stateOf(tables.presets.article);
  const query = new URLSearchParams(search);
  if (![...query.keys()].some((key) => KEYS.has(key))) return { state, problems: [] };
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
  state.weights = "q4_k_m";
  state.engine = "llama.cpp";
  if (query.get("model")?.startsWith(OWN)) {
    const own = readOwn(query.get("model"), MODEL_PARTS, rules, problems);
    if (own.stated_parameters || own.layers) state.model = own;
    else problems.push("アドレスの model: 使えるパラメータ数 parameters も、層の数 layers もありません。");
  } else {
    listed("model", "model", tables.models);
  }
  listed("weights", "weights", tables.weight_formats);
  listed("engine", "engine", tables.engines);
  listed("kv", "kv_cache", tables.weight_formats);
  listed("split", "split", new Set(["pipeline", "tensor"]));
  number("batch", "batch_size");
  number("context", "context_length");
  number("prompt", "prompt_length");
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

// What an address says can be of any length.
function shortened(text) {
  const characters = [...text];
  return characters.length > SHOWN ? `${characters.slice(0, SHOWN).join("")}…` : text;
}

const KEYS = new Set(["model", "weights", "engine", "batch", "context", "prompt", "kv", "split", "machine"]);

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
  if (memory_bytes !== null && !device.memory_options_bytes.includes(memory_bytes)) {
    problems.push(`${device.name} に、メモリ ${shortened(memory)} GB のものはありません。`);
    return { device: name, memory_bytes: null, devices };
  }
  return { device: name, memory_bytes, devices };
}

function readOwn(text, parts, rules, problems) {
  const own = {};
  for (const pair of text.slice(OWN.length).split(";").filter(Boolean)) {
    const [key, ...rest] = pair.split("=");
    const field = Object.hasOwn(parts, key) && parts[key];
    const value = rest.join("=");
    if (!field) {
      problems.push(`アドレスの ${shortened(key)} という項目は使えません。`);
    } else if (field === "name") {
      own.name = [...unguarded(value)].slice(0, MAX_NAME).join("");
    } else if (field === "family") {
      if (Object.hasOwn(OWN_FAMILIES, value)) own.family = value;
      else problems.push(`アドレスの family=${shortened(value)} は使えません。`);
    } else {
      const read = readNumber(shortened(value), rules[field]);
      if (read.problem) problems.push(`アドレスの ${key}: ${read.problem}`);
      else own[field] = read.value;
    }
  }
  return own;
}

/**
 * Write the address of a state.
 * @param {object} state - A state.
 * @returns {string} From `?` on; what `readAddress` turns into the same state.
 */
export function writeAddress(state) {
  const parts = [["model", typeof state.model === "string" ? state.model : writeOwn(state.model, MODEL_PARTS)]];
  parts.push(["weights", state.weights], ["engine", state.engine]);
  parts.push(["batch", state.batch_size], ["context", state.context_length]);
  if (state.prompt_length !== null) parts.push(["prompt", state.prompt_length]);
  if (state.kv_cache !== "f16") parts.push(["kv", state.kv_cache]);
  if (state.split !== "pipeline") parts.push(["split", state.split]);
  for (const machine of state.machines) parts.push(["machine", writeMachine(machine)]);
  return `?${parts.map(([key, value]) => `${key}=${escaped(String(value))}`).join("&")}`;
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
function guarded(text) {
  return text.replaceAll(/[%;]/g, (character) => `%${character.codePointAt(0).toString(16).toUpperCase()}`);
}

function unguarded(text) {
  return text.replaceAll(/%(25|3B)/g, (_, code) => String.fromCodePoint(Number.parseInt(code, 16)));
}

// An address stays readable: what may stand in a query is left as it is. Half a character cannot be written.
function escaped(text) {
  return encodeURIComponent(text.replaceAll(/\p{Cs}/gu, "\ufffd")).replaceAll(
    /%(3A|3D|3B|40|2A|2F)/g,
    decodeURIComponent,
  );
}
