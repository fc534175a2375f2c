// What the reader has chosen, and how one choice becomes another. A state is never changed, only replaced.

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
  cores: "gpu_cores",
  clock: "gpu_clock_hz",
  fp16: "peak_fp16_dense_flop_per_s",
  int8: "peak_int8_dense_op_per_s",
  int4: "peak_int4_dense_op_per_s",
};

/** Families that a device of one's own can be of; the family decides the calibration. */
export const OWN_FAMILIES = {
  apple: "Apple シリコン",
  nvidia: "NVIDIA の GPU",
  amd: "AMD の GPU",
  intel: "Intel の GPU",
  cpu: "CPU",
};

/** What they are called where they have no name. */
export const OWN_MODEL_NAME = "自分のモデル";
export const OWN_DEVICE_NAME = "自分の機械";

/** What the text begins with that stands for a model from a file, and what stands for the format of that file. */
export const FROM_FILE = "file:";
export const AS_THE_FILE = "file";

export const MAX_MACHINES = 4;

/** What can be searched for, the other way round. */
export const SEARCHES = { machines: "このモデルが動く機械", formats: "機械1に入る形式", models: "機械1で動くモデル" };

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
    answer_length: { label: "答えの長さ", ...context, minimum: 1, optional: true },
    host_memory_bytes: { label: "主記憶の量", minimum: 0, maximum: 1e18, optional: true },
    gpu_layers: { label: "GPUに置く層", minimum: 0, maximum: 1000, integer: true, optional: true },
    cpu_moe_layers: { label: "専門家を主記憶に置く層", minimum: 0, maximum: 1000, integer: true, optional: true },
    find_speed: { label: "ほしい速さ", minimum: 0, maximum: 1e9 },
    measured: { label: "書く速さの実測", minimum: 1e-6, maximum: 1e9, optional: true },
    measured_prompt: { label: "プロンプトの速さの実測", minimum: 1e-6, maximum: 1e9, optional: true },
    yen_per_kwh: { label: "電気の値段", minimum: 0.01, maximum: 1e6, optional: true },
    hours_per_day: { label: "1日に使う時間", minimum: 0.01, maximum: 24, optional: true },
    rated_power_w: { label: "表にない機械の定格の電力", minimum: 0.01, maximum: 1e6, optional: true },
    memory_bytes: { label: "メモリ", minimum: 2 ** 28, maximum: 2 ** 60, optional: true },
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
    gpu_cores: { label: "コアの数", minimum: 0, maximum: 1e6, integer: true },
    gpu_clock_hz: { label: "クロック", minimum: 0, maximum: 1e12 },
    peak_fp16_dense_flop_per_s: { label: "fp16の計算力", ...peak },
    peak_int8_dense_op_per_s: { label: "int8の計算力", ...peak },
    peak_int4_dense_op_per_s: { label: "int4の計算力", ...peak },
  };
}

/** What most people load. */
export const USUAL_WEIGHTS = "q4_k_m";

// What holds where nobody has said anything; null leaves it to the engine, to the tables, or to what there is room for.
const USUAL = {
  backend: null,
  batch_size: 1,
  context_length: 0,
  prompt_length: null,
  answer_length: null,
  kv_cache: "f16",
  split: "pipeline",
  host: null, // a device whose memory takes what the machines have no room for
  host_memory_bytes: null,
  gpu_layers: null,
  cpu_moe_layers: null,
  find: null, // one of SEARCHES, once somebody has asked
  find_speed: 20, // faster than most people read
  yen_per_kwh: null,
  hours_per_day: null,
  rated_power_w: null,
  draft: null, // how drafts are made, a way or a model
  draft_text: null, // for what kind of text; null for all
  measured: null, // tokens per second that the reader has measured, of writing …
  measured_prompt: null, // … and of reading the prompt
};

/**
 * The state that a preset of hayasa stands for.
 * @param {object} preset - From `tables.presets`.
 * @returns {object} A state.
 */
export function stateOf({ machines, ...preset }) {
  const whole = machines.map((machine) => ({ memory_bytes: null, devices: 1, ...machine }));
  return { ...USUAL, ...preset, machines: whole };
}

/**
 * The same with other values.
 * @param {object} state - A state, or one of its machines.
 * @param {object} values - What is to stand in it.
 * @returns {object} The very same object if nothing is new: a slider that stops, and a field that is left, say once
 *   more what they have said while they moved.
 */
export function withValues(state, values) {
  const moved = Object.keys(values).some((name) => state[name] !== values[name]);
  return moved ? { ...state, ...values } : state;
}

/** The same state with other values in one of its machines. */
export function withMachine(state, index, values) {
  const machine = withValues(state.machines[index], values);
  if (machine === state.machines[index]) return state;
  return { ...state, machines: state.machines.map((one, place) => (place === index ? machine : one)) };
}

/** The same state with its last machine once more. */
export function withOneMoreMachine(state) {
  return { ...state, machines: [...state.machines, state.machines.at(-1)] };
}

/** The same state without one of its machines. */
export function withoutMachine(state, index) {
  return { ...state, machines: state.machines.filter((_, place) => place !== index) };
}

/** What hayasa knows of a machine; null for one of the reader's own. */
export function listedDevice(tables, machine) {
  return isListed(machine.device) ? tables.devices.get(machine.device) : null;
}

/** Whether a family of devices is one of processors, whose memory can take a part of a model. */
export function isProcessor(family) {
  return family.split("-")[0] === "cpu";
}

/** Whether a part of the model is to lie in the memory of the computer that the machines are in. */
export function asksForHost({ host, gpu_layers, cpu_moe_layers }) {
  return (host ?? gpu_layers ?? cpu_moe_layers) !== null;
}

/** Whether a model is one that was read from a file. */
export function isFromFile(model) {
  return isListed(model) && model.startsWith(FROM_FILE);
}

/** The same state with another model; what only the file of the one before has is no format of it. */
export function withModel(state, model, weights) {
  const other = state.weights === AS_THE_FILE ? USUAL_WEIGHTS : state.weights;
  return withValues(state, { model, weights: weights ?? other });
}

/** Whether a model or a device is one of the tables, which have ids, and not one of the reader's own. */
export function isListed(chosen) {
  return typeof chosen === "string";
}
