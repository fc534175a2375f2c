// The estimate: a port of src/hayasa, formula by formula and operation by operation, so that both
// give the same numbers to the last bit.  tests/web compares them over all that hayasa can be asked.
// Quantities keep the names that they have in Python.  No DOM here.

import { GIB, general, gibibytes, pythonNumber, pythonRepr, significant, thousands } from "./units.mjs";

// ---------------------------------------------------------------- errors (errors.py)

/** A number outside what its argument allows; `argument` names it. */
export class InvalidValueError extends Error {
  /**
   * @param {string} argument - Name of the argument or field.
   * @param {string} message - What is wrong, in Japanese, as Python says it.
   */
  constructor(argument, message) {
    super(message);
    this.name = "InvalidValueError";
    this.argument = argument;
  }
}

/** An id that no table lists; `argument` and `value` say which. */
export class UnknownNameError extends Error {
  /**
   * @param {string} argument - Name of the argument.
   * @param {*} value - What was given.
   * @param {string} what - What is looked for, in Japanese.
   */
  constructor(argument, value, what) {
    super(
      typeof value === "string"
        ? `${argument} に指定された${what} ${pythonRepr(value)} は登録されていません。`
        : `${argument} は${what}の名前で指定してください（与えられた値: ${pythonRepr(value)}）。`,
    );
    this.name = "UnknownNameError";
    this.argument = argument;
    this.value = value;
  }
}

function checkNumber(name, value, allowed) {
  if (typeof value !== "number") {
    throw new InvalidValueError(name, `${name} は${allowed}で指定してください（与えられた値: ${pythonRepr(value)}）。`);
  }
  if (!Number.isFinite(value)) {
    throw new InvalidValueError(name, `${name} は有限の${allowed}で指定してください（与えられた値: ${pythonNumber(value)}）。`);
  }
}

function checkMaximum(name, value, maximum) {
  if (value > maximum) {
    throw new InvalidValueError(
      name,
      `${name} は ${general(maximum)} 以下で指定してください（与えられた値: ${pythonNumber(value)}）。`,
    );
  }
}

function requirePositive(name, value, maximum) {
  checkNumber(name, value, "正の数");
  if (value <= 0) {
    throw new InvalidValueError(name, `${name} は正の数で指定してください（与えられた値: ${pythonNumber(value)}）。`);
  }
  checkMaximum(name, value, maximum);
}

function requireNonNegative(name, value, maximum) {
  checkNumber(name, value, "0 以上の数");
  if (value < 0) {
    throw new InvalidValueError(name, `${name} は 0 以上の数で指定してください（与えられた値: ${pythonNumber(value)}）。`);
  }
  checkMaximum(name, value, maximum);
}

function requireInteger(name, value, minimum, maximum) {
  if (Number.isInteger(value) && value >= minimum && value <= maximum) return;
  const allowed = `${pythonNumber(minimum)} 以上 ${pythonNumber(maximum)} 以下の整数`;
  checkNumber(name, value, allowed);
  throw new InvalidValueError(name, `${name} は ${allowed}で指定してください（与えられた値: ${pythonNumber(value)}）。`);
}

function requireChoice(name, value, allowed) {
  if (!allowed.includes(value)) {
    const words = allowed.join(" / ");
    throw new InvalidValueError(
      name,
      `${name} は ${words} のどれかにしてください（与えられた値: ${pythonRepr(value)}）。`,
    );
  }
}

// ---------------------------------------------------------------- objects

// What has been checked already; anything else that is given as an object is checked when it is used.
const checked = new WeakSet();

/** Fill in what is not given; a field that is undefined is not given. */
function filled(defaults, fields) {
  const whole = { ...defaults };
  for (const [name, value] of Object.entries(fields)) if (value !== undefined) whole[name] = value;
  return whole;
}

function remember(fields) {
  const made = Object.freeze(fields);
  checked.add(made);
  return made;
}

/** What a field is where it is not given: that of Python's `Model`. */
export const MODEL_DEFAULTS = Object.freeze({
  id: "own",
  name: "",
  family: "",
  gguf_architecture: "",
  layers: 0,
  hidden_size: 0,
  attention_heads: 0,
  kv_heads: 0,
  head_dim: 0,
  intermediate_size: 0,
  moe_intermediate_size: 0,
  experts: 0,
  experts_per_token: 0,
  shared_experts: 0,
  shared_expert_intermediate_size: 0,
  dense_layers: 0,
  vocab_size: 0,
  tied_embeddings: false,
  qkv_bias: false,
  o_bias: false,
  qk_norm: false,
  attention_kind: "gqa",
  q_lora_rank: 0,
  kv_lora_rank: 0,
  qk_nope_head_dim: 0,
  qk_rope_head_dim: 0,
  v_head_dim: 0,
  sliding_window: 0,
  sliding_window_layers: 0,
  mlp_kind: "swiglu",
  fused_projections: false,
  norms_per_layer: 2,
  mlp_bias: false,
  router_bias: false,
  expert_bias: false,
  attention_sinks: false,
  other_parameters: 0,
  context_length_max: 0,
  stated_parameters: 0,
});

/** What a field is where it is not given: that of Python's `Device`. */
export const DEVICE_DEFAULTS = Object.freeze({
  id: "own",
  name: "",
  vendor: "",
  family: "",
  memory_bandwidth_bytes_per_s: null,
  memory_capacity_bytes: 0,
  peak_fp32_flop_per_s: 0,
  peak_fp16_dense_flop_per_s: 0,
  peak_bf16_dense_flop_per_s: 0,
  peak_fp8_dense_flop_per_s: 0,
  peak_int8_dense_op_per_s: 0,
  peak_int4_dense_op_per_s: 0,
  peak_fp4_dense_flop_per_s: 0,
  peak_fp16_accumulate_fp16_dense_flop_per_s: 0,
  link_bandwidth_bytes_per_s: 0,
  gpu_cores: 0,
  gpu_clock_hz: 0,
  dies: 1,
});

const WEIGHT_FORMAT_DEFAULTS = { id: "own", name: "", kind: "plain", bits_per_weight: null, compute_format: "fp16", rules: [] };

const ATTENTION_KINDS = ["mha", "gqa", "mqa", "mla"];
const MLP_KINDS = ["swiglu", "geglu", "gelu2"];

/**
 * Make a model, as Python's `Model(...)` does.
 * @param {object} fields - Those of `MODEL_DEFAULTS` that differ; more are kept as they are.
 * @returns {object} A frozen model.
 * @throws {InvalidValueError} If a size is impossible.
 */
export function makeModel(fields) {
  const model = filled(MODEL_DEFAULTS, fields);
  // Not `!model.layers`: NaN is no number of layers, but it is not the absence of them either.
  if (model.layers === 0 || model.layers === null || model.layers === "" || model.layers === false) {
    model.layers = 0;
    requirePositive("stated_parameters", model.stated_parameters, 1e16);
    return remember(model);
  }
  requireChoice("attention_kind", model.attention_kind, ATTENTION_KINDS);
  requireChoice("mlp_kind", model.mlp_kind, MLP_KINDS);
  const sizes = (names, maximum) => names.forEach((name) => requireInteger(name, model[name], 1, maximum));
  sizes(["layers", "hidden_size", "attention_heads", "vocab_size"], 1e8);
  if (model.attention_kind === "mla") {
    sizes(["kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim"], 1e6);
  } else {
    sizes(["kv_heads", "head_dim"], 1e6);
  }
  requireInteger("experts", model.experts, 0, 1e5);
  if (model.experts) {
    requireInteger("experts_per_token", model.experts_per_token, 1, model.experts);
    requireInteger("moe_intermediate_size", model.moe_intermediate_size, 1, 1e8);
    requireInteger("dense_layers", model.dense_layers, 0, model.layers);
  }
  if (!model.experts || model.dense_layers) sizes(["intermediate_size"], 1e8);
  requireInteger("sliding_window_layers", model.sliding_window_layers, 0, model.layers);
  return remember(model);
}

const PEAK_FIELDS = {
  fp32: "peak_fp32_flop_per_s",
  fp16: "peak_fp16_dense_flop_per_s",
  bf16: "peak_bf16_dense_flop_per_s",
  fp8: "peak_fp8_dense_flop_per_s",
  int8: "peak_int8_dense_op_per_s",
  int4: "peak_int4_dense_op_per_s",
  fp4: "peak_fp4_dense_flop_per_s",
};

const WIDER = {
  fp32: ["fp32"],
  fp16: ["fp16", "bf16"],
  bf16: ["bf16", "fp16"],
  fp8: ["fp8", "fp16", "bf16"],
  int8: ["int8", "fp16", "bf16"],
  int4: ["int4", "int8", "fp16", "bf16"],
  fp4: ["fp4", "fp8", "fp16", "bf16"],
};

/**
 * Make a device, as Python's `Device(...)` does.
 * @param {object} fields - Those of `DEVICE_DEFAULTS` that differ; more are kept as they are.
 * @returns {object} A frozen device.
 * @throws {InvalidValueError} If the bandwidth is not positive or another number is negative.
 */
export function makeDevice(fields) {
  const device = filled(DEVICE_DEFAULTS, fields);
  requirePositive("memory_bandwidth_bytes_per_s", device.memory_bandwidth_bytes_per_s, 1e17);
  requireNonNegative("memory_capacity_bytes", device.memory_capacity_bytes, 1e18);
  for (const name of [...Object.values(PEAK_FIELDS), "peak_fp16_accumulate_fp16_dense_flop_per_s"]) {
    requireNonNegative(name, device[name], 1e21);
  }
  requireNonNegative("link_bandwidth_bytes_per_s", device.link_bandwidth_bytes_per_s, 1e17);
  requireInteger("gpu_cores", device.gpu_cores, 0, 1e6);
  requireInteger("dies", device.dies, 1, 1e4);
  requireNonNegative("gpu_clock_hz", device.gpu_clock_hz, 1e12);
  return remember(device);
}

/**
 * Make a weight format, as Python's `WeightFormat(...)` does.
 * @param {object} fields - `id`, `name`, `kind`, `bits_per_weight`, `compute_format`, `rules`.
 * @returns {object} A frozen weight format.
 * @throws {InvalidValueError} If the bits per weight are not positive, or above 64.
 */
export function makeWeightFormat(fields) {
  const weights = filled(WEIGHT_FORMAT_DEFAULTS, fields);
  requirePositive("bits_per_weight", weights.bits_per_weight, 64);
  return remember(weights);
}

/**
 * Dense peak of a device for numbers of a format; the next wider one where it has none.
 * @param {object} device - A device.
 * @param {string} compute_format - "fp32", "fp16", "bf16", "fp8", "int8", "int4" or "fp4".
 * @returns {number} FLOP per second; 0 if no such peak is published.
 */
export function peakFlopPerS(device, compute_format) {
  for (const wider of WIDER[compute_format]) {
    let peak = device[PEAK_FIELDS[wider]];
    if (wider === "fp16") peak = Math.max(peak, device.peak_fp16_accumulate_fp16_dense_flop_per_s);
    if (peak) return peak;
  }
  return 0;
}

/**
 * Work per byte from which on a device computes longer than it reads.
 * @param {object} device - A device.
 * @param {string} compute_format - As for `peakFlopPerS`.
 * @returns {number} FLOP per byte; 0 if no peak is published.
 */
export function ridgePoint(device, compute_format) {
  return peakFlopPerS(device, compute_format) / device.memory_bandwidth_bytes_per_s;
}

/**
 * The backend that an engine takes on a device.
 * @param {object} engine - An engine.
 * @param {object} device - A device.
 * @returns {string} The backend; empty if none is known.
 */
export function backendOn(engine, device) {
  const found = engine.backends.find(([prefix]) => device.family.startsWith(prefix));
  return found ? found[1] : "";
}

// ---------------------------------------------------------------- parameters (models.py)

function requireShape(model, purpose) {
  if (!hasShape(model)) {
    throw new InvalidValueError(
      "model",
      `model ${pythonRepr(model.id)} はパラメータ数しか分からないため、${purpose}を計算できません。` +
        "layers などの形を指定した Model を渡してください。",
    );
  }
}

/**
 * Whether the layers of a model are known, not only the number of its parameters.
 * @param {object} model - A model.
 * @returns {boolean}
 */
export function hasShape(model) {
  return model.layers > 0;
}

function moeLayers(model) {
  return model.experts ? model.layers - model.dense_layers : 0;
}

function tensor(role, layer, columns, rows, copies = 1) {
  return { role, layer, columns, rows, copies, parameters: columns * rows * copies };
}

function isRouted({ role }) {
  return role.endsWith("_exps");
}

/** Every tensor that the shape of a model implies, one after another: a model of one's own may have many. */
function* weightTensors(model) {
  requireShape(model, "重みの内訳");
  yield tensor("token_embd", -1, model.hidden_size, model.vocab_size);
  for (let layer = 0; layer < model.layers; layer += 1) {
    yield* attentionTensors(model, layer);
    if (model.experts && layer >= model.dense_layers) yield* expertTensors(model, layer);
    else yield* ffnTensors(model, layer, model.intermediate_size, "", model.mlp_bias);
    yield tensor("norm", layer, model.hidden_size, model.norms_per_layer);
  }
  yield tensor("norm", -1, model.hidden_size, 1);
  if (!model.tied_embeddings) yield tensor("output", -1, model.hidden_size, model.vocab_size);
}

function attentionTensors(model, layer) {
  if (model.attention_kind === "mla") return latentAttentionTensors(model, layer);
  const { hidden_size: hidden, head_dim: head } = model;
  const qWidth = model.attention_heads * head;
  const kvWidth = model.kv_heads * head;
  const tensors = model.fused_projections
    ? [tensor("attn_qkv", layer, hidden, qWidth + 2 * kvWidth)]
    : [
        tensor("attn_q", layer, hidden, qWidth),
        tensor("attn_k", layer, hidden, kvWidth),
        tensor("attn_v", layer, hidden, kvWidth),
      ];
  tensors.push(tensor("attn_output", layer, qWidth, hidden));
  let biases = (model.qkv_bias ? qWidth + 2 * kvWidth : 0) + (model.o_bias ? hidden : 0);
  biases += model.attention_sinks ? model.attention_heads : 0;
  if (biases) tensors.push(tensor("bias", layer, biases, 1));
  if (model.qk_norm) tensors.push(tensor("norm", layer, head, 2));
  return tensors;
}

function latentAttentionTensors(model, layer) {
  const { hidden_size: hidden, attention_heads: heads, kv_lora_rank: rank } = model;
  const qWidth = heads * (model.qk_nope_head_dim + model.qk_rope_head_dim);
  const query = model.q_lora_rank
    ? [
        tensor("attn_q_a", layer, hidden, model.q_lora_rank),
        tensor("norm", layer, model.q_lora_rank, 1),
        tensor("attn_q_b", layer, model.q_lora_rank, qWidth),
      ]
    : [tensor("attn_q", layer, hidden, qWidth)];
  return [
    ...query,
    tensor("attn_kv_a", layer, hidden, rank + model.qk_rope_head_dim),
    tensor("norm", layer, rank, 1),
    tensor("attn_k_b", layer, model.qk_nope_head_dim, rank, heads),
    tensor("attn_v_b", layer, rank, model.v_head_dim, heads),
    tensor("attn_output", layer, heads * model.v_head_dim, hidden),
  ];
}

function ffnTensors(model, layer, width, suffix, bias, copies = 1) {
  const hidden = model.hidden_size;
  const inner = model.mlp_kind === "gelu2" ? 1 : 2;
  const tensors =
    inner === 1 || model.fused_projections
      ? [tensor(`ffn_up${suffix}`, layer, hidden, inner * width, copies)]
      : [
          tensor(`ffn_gate${suffix}`, layer, hidden, width, copies),
          tensor(`ffn_up${suffix}`, layer, hidden, width, copies),
        ];
  tensors.push(tensor(`ffn_down${suffix}`, layer, width, hidden, copies));
  if (bias) tensors.push(tensor(`bias${suffix}`, layer, inner * width + hidden, 1, copies));
  return tensors;
}

function expertTensors(model, layer) {
  const tensors = [tensor("router", layer, model.hidden_size, model.experts)];
  if (model.router_bias) tensors.push(tensor("bias", layer, model.experts, 1));
  tensors.push(...ffnTensors(model, layer, model.moe_intermediate_size, "_exps", model.expert_bias, model.experts));
  const shared = model.shared_expert_intermediate_size || model.shared_experts * model.moe_intermediate_size;
  if (shared) tensors.push(...ffnTensors(model, layer, shared, "_shexp", model.mlp_bias));
  return tensors;
}

/** Keep the result of a function of one object for as long as the object lives. */
function rememberedFor(compute) {
  const known = new WeakMap();
  return (object) => {
    if (!known.has(object)) known.set(object, compute(object));
    return known.get(object);
  };
}

/**
 * Count the parameters of a model as published, a tied embedding counted once.
 * @param {object} model - A model.
 * @returns {number} Parameters.
 */
export const totalParameters = rememberedFor((model) => {
  if (!hasShape(model)) return model.stated_parameters;
  let sum = 0;
  for (const { parameters } of weightTensors(model)) sum += parameters;
  return model.other_parameters + sum;
});

/**
 * Count the parameters that one token is multiplied with.
 * @param {object} model - A model.
 * @returns {number} Parameters; all of them if the shape is unknown.
 */
export const activeParameters = rememberedFor((model) => {
  if (!hasShape(model)) return model.stated_parameters;
  const share = model.experts ? model.experts_per_token / model.experts : 1;
  let active = 0;
  for (const item of weightTensors(model)) {
    active += isRouted(item) ? roundHalfEven(item.parameters * share) : item.parameters;
  }
  return model.tied_embeddings ? active : active - model.vocab_size * model.hidden_size;
});

function roundHalfEven(value) {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

function expertsTouched(experts, experts_per_token, batch_size) {
  if (batch_size === 1) return experts_per_token;
  return experts * (1 - (1 - experts_per_token / experts) ** batch_size);
}

// ---------------------------------------------------------------- bytes (weights.py, kv_cache.py, memory.py)

function useMoreBits(layer, layers) {
  const first = Math.floor(layers / 8);
  return layer < first || layer >= Math.floor((7 * layers) / 8) || modulo(layer - first, 3) === 2;
}

/** Python's `%`, which is never negative for a positive divisor. */
function modulo(value, divisor) {
  return ((value % divisor) + divisor) % divisor;
}

const LAYERS = {
  all: () => true,
  more_bits: useMoreBits,
  first_2: (layer) => layer < 2,
  first_4: (layer) => layer < 4,
  first_eighth: (layer, layers) => layer < Math.floor(layers / 8),
  first_sixteenth: (layer, layers) => layer < Math.floor(layers / 16),
  middle_three_quarters: (layer, layers) => Math.floor(layers / 8) <= layer && layer < Math.floor((7 * layers) / 8),
};

const CONDITIONS = {
  always: () => true,
  tied: (model) => model.tied_embeddings,
  experts_eq_8: (model) => model.experts === 8,
  experts_ge_4: (model) => model.experts >= 4,
  gqa_ge_4: (model) => model.attention_heads >= 4 * (model.kv_heads || 1),
  llama_70b: (model) =>
    model.layers === 80 && ["llama", "qwen2"].includes(model.gguf_architecture) && model.kv_heads < model.attention_heads,
};

function blockForRowsOf(block, columns) {
  return columns % block.block_weights && block.fallback ? blockForRowsOf(block.fallback, columns) : block;
}

function tensorBytes(item, model, weights) {
  let bits = weights.bits_per_weight;
  if (/^(?:norm|bias)/.test(item.role) || item.role === "router") {
    bits = weights.kind === "file" ? 32 : Math.max(bits, 16);
  } else {
    const rule = ruleFor(item, model, weights);
    if (rule) bits = blockForRowsOf(rule.block, item.columns).bits_per_weight;
  }
  return (item.parameters * bits) / 8;
}

function ruleFor(item, model, weights) {
  if (!weights.rules.length) return null;
  const base = item.role.replace(/_exps$/, "").replace(/_shexp$/, "");
  for (const role of [item.role, base, "default"]) {
    for (const rule of weights.rules) {
      if (rule.role === role && CONDITIONS[rule.when](model) && LAYERS[rule.layers](item.layer, model.layers)) {
        return rule;
      }
    }
  }
  return null;
}

const weightBytesByModel = rememberedFor((model) =>
  rememberedFor((weights) => {
    if (!hasShape(model)) {
      const everything = (model.stated_parameters * weights.bits_per_weight) / 8;
      return weightBytesOf(0, 0, everything, 0, 0, 0);
    }
    let [embedding, shared, routed] = [0, 0, 0];
    for (const item of weightTensors(model)) {
      const bytes = tensorBytes(item, model, weights);
      if (item.role === "token_embd" && !model.tied_embeddings) embedding += bytes;
      else if (isRouted(item)) routed += bytes;
      else shared += bytes;
    }
    const perExpert = model.experts ? routed / model.experts : 0;
    const row = embedding / model.vocab_size;
    return weightBytesOf(embedding, row, shared, perExpert, model.experts, model.experts_per_token);
  }),
);

function weightBytesOf(embedding, row, shared, routed_per_expert, experts, experts_per_token) {
  return Object.freeze({
    embedding_bytes: embedding,
    embedding_row_bytes: row,
    shared_bytes: shared,
    routed_bytes_per_expert: routed_per_expert,
    experts,
    experts_per_token,
    resident_bytes: embedding + shared + routed_per_expert * experts,
  });
}

/**
 * Bytes of a model's weights in a format, sorted by when they are read.
 * @param {object} model - A model.
 * @param {object} weights - A weight format.
 * @returns {object} `resident_bytes`, and the parts of which a step reads; see `weightBytesPerStep`.
 */
export function weightBytes(model, weights) {
  return weightBytesByModel(model)(weights);
}

/**
 * Bytes of weights that one decode step reads.
 * @param {object} model - A model.
 * @param {object} weights - A weight format.
 * @param {number} [batch_size] - Sequences that advance by one token in the step.
 * @returns {number} Bytes.
 */
export function weightBytesPerStep(model, weights, batch_size = 1) {
  const bytes = weightBytes(model, weights);
  let routed = 0;
  if (bytes.experts) {
    routed = bytes.routed_bytes_per_expert * expertsTouched(bytes.experts, bytes.experts_per_token, batch_size);
  }
  return bytes.shared_bytes + routed + bytes.embedding_row_bytes * batch_size;
}

/**
 * Values that one layer caches per token.
 * @param {object} model - A model whose shape is known.
 * @returns {number} Values.
 */
export function kvValuesPerLayer(model) {
  requireShape(model, "KV キャッシュ");
  if (model.attention_kind === "mla") return model.kv_lora_rank + model.qk_rope_head_dim;
  return 2 * model.kv_heads * model.head_dim;
}

/**
 * Bytes that each further token adds to the cache, over all layers.
 * @param {object} model - A model whose shape is known.
 * @param {number} [bytes_per_value] - Bytes per cached value: 2 for fp16.
 * @returns {number} Bytes per token, as long as no sliding window is full.
 */
export function kvCacheBytesPerToken(model, bytes_per_value = 2) {
  requirePositive("bytes_per_value", bytes_per_value, 8);
  return kvValuesPerLayer(model) * model.layers * bytes_per_value;
}

function cachedTokenLayers(model, context_length) {
  const windowed = model.sliding_window_layers ? Math.min(context_length, model.sliding_window) : 0;
  return fullAttentionLayers(model) * context_length + model.sliding_window_layers * windowed;
}

function fullAttentionLayers(model) {
  return model.layers - model.sliding_window_layers;
}

/**
 * Bytes of the KV cache, which is also what a decode step reads of it.
 * @param {object} model - A model; its shape must be known if `context_length` is not 0.
 * @param {number} context_length - Tokens already in the cache, per sequence.
 * @param {number} [batch_size] - Sequences, each with a cache of its own.
 * @param {number} [bytes_per_value] - Bytes per cached value.
 * @returns {number} Bytes.
 */
export function kvCacheBytes(model, context_length, batch_size = 1, bytes_per_value = 2) {
  if (context_length === 0) return 0;
  const perLayer = kvValuesPerLayer(model) * bytes_per_value;
  return perLayer * cachedTokenLayers(model, context_length) * batch_size;
}

// ---------------------------------------------------------------- work (flops.py)

/**
 * Work of one token with the weights: 2 × active parameters.
 * @param {object} model - A model.
 * @returns {number} FLOP per token.
 */
export function weightFlopPerToken(model) {
  return 2 * activeParameters(model);
}

function attentionFlopPerTokenAndLayer(model) {
  requireShape(model, "注意機構の計算量");
  if (model.attention_kind === "mla") {
    return 2 * model.attention_heads * (2 * model.kv_lora_rank + model.qk_rope_head_dim);
  }
  return 4 * model.attention_heads * model.head_dim;
}

/**
 * Work of attention for one token at a context.
 * @param {object} model - A model; its shape must be known if `context_length` is not 0.
 * @param {number} context_length - Tokens already in the cache.
 * @returns {number} FLOP per token.
 */
export function attentionFlopPerToken(model, context_length) {
  if (context_length === 0) return 0;
  return attentionFlopPerTokenAndLayer(model) * cachedTokenLayers(model, context_length);
}

function prefillFlop(model, n) {
  if (!hasShape(model)) return weightFlopPerToken(model) * n;
  const output = 2 * model.vocab_size * model.hidden_size;
  const weights = (weightFlopPerToken(model) - output) * n + output;
  return weights + attentionFlopPerTokenAndLayer(model) * attended(model, n);
}

function attended(model, n) {
  const whole = (n * (n + 1)) / 2;
  const window = model.sliding_window_layers ? Math.min(n, model.sliding_window) : 0;
  const windowed = (window * (window + 1)) / 2 + (n - window) * window;
  return fullAttentionLayers(model) * whole + model.sliding_window_layers * windowed;
}

// ---------------------------------------------------------------- calibration (calibration.py)

/** The fields of a calibration that a fit determines, one for each of an estimate's `waits_s`. */
export const COEFFICIENTS = Object.freeze([
  "weight_read_factor",
  "unpack_cycles_per_byte",
  "attention_cycles_per_flop",
  "kv_read_factor",
  "cycles_per_layer",
  "cycles_per_moe_layer",
  "cycles_per_layer_and_further_die",
  "cycles_per_layer_in_old_builds",
]);

/**
 * Which weights are unpacked alike.
 * @param {object} weights - A weight format.
 * @returns {string} "float", "k" or "block".
 */
export function weightKind(weights) {
  if (weights.bits_per_weight >= 16) return "float";
  return weights.id.includes("_k") ? "k" : "block";
}

function layerCount(model) {
  return (model.layers * (2 + model.norms_per_layer)) / 4;
}

/** Seconds of each wait of a decode step, per unit of its coefficient, in the order of `COEFFICIENTS`. */
function stepWaitsS(model, device, clock, work) {
  const bandwidth = device.memory_bandwidth_bytes_per_s;
  const coresHz = device.gpu_cores * clock;
  const layerCyclesS = layerCount(model) / clock;
  return Object.freeze([
    work.weight_bytes_per_step / bandwidth,
    coresHz ? work.weight_bytes_per_step / coresHz : 0,
    coresHz ? work.attention_flop_per_step / coresHz : 0,
    work.kv_bytes_per_step / bandwidth,
    layerCyclesS,
    moeLayers(model) / clock,
    layerCyclesS * (device.dies - 1),
    layerCyclesS * work.old_build_share,
  ]);
}

function calibratedStepS(c, [read, unpack, attention, cache, layers, moe, dies, old], unpacks) {
  let weights = c.weight_read_factor * read;
  if (unpacks) weights = Math.max(weights, c.unpack_cycles_per_byte * unpack);
  return (
    weights +
    c.attention_cycles_per_flop * attention +
    c.kv_read_factor * cache +
    c.cycles_per_layer * layers +
    c.cycles_per_moe_layer * moe +
    c.cycles_per_layer_and_further_die * dies +
    c.cycles_per_layer_in_old_builds * old
  );
}

/**
 * The nearest calibration for an engine on a device: the same engine on the same backend, else the same
 * backend, else the same engine, else whatever has the most measurements.
 * @param {object} tables - From `loadTables`.
 * @param {object} engine - The engine asked for.
 * @param {object} device - Where it runs.
 * @param {object} weights - How the weights are stored.
 * @param {{experts: boolean, batched: boolean, split: string}} how - Whether the model is a mixture of experts, whether
 *   several sequences advance together, and how several devices share the model (empty for one device).
 * @returns {object} The calibration as it applies, with what it stands in for in its notes.
 */
export function chooseCalibration(tables, engine, device, weights, { experts, batched, split }) {
  const backend = backendOn(engine, device);
  const nearest = nearestCalibration(tables.calibrations, engine, backend);
  const kind = weightKind(weights);
  const family = tables.device_factors.get(factorKey(nearest.id, device.family, kind));
  const single = tables.device_factors.get(factorKey(nearest.id, device.id, ""));
  const notes = differences(tables, nearest, engine, device, backend);
  if (batched) notes.push("バッチサイズ 1 の実測から延ばした見積りです。");
  const message_s = { pipeline: nearest.pipeline_message_s, tensor: nearest.tensor_message_s }[split];
  if (split && !message_s) notes.push("デバイス間の通信の実測がないため、通信の時間を数えていません。");
  const low = single ? nearest.known_low_factor : nearest.low_factor;
  const high = single ? nearest.known_high_factor : nearest.high_factor;
  const widening = tables.constants.FALLBACK_WIDENING ** notes.length;
  const shareOfPeak = (share) => Math.min(1, share * (single ? single.prefill_factor : 0) || share);
  const dense_share = kind === "float" ? nearest.prefill_share_float : nearest.prefill_share_packed;
  return Object.freeze({
    calibration: nearest,
    unpacks: nearest.unpacked_kinds.split("|").includes(kind),
    step_factor: (family ? family.step_factor : 1) * (single ? single.step_factor : 1),
    old_build_share: single ? single.old_build_share : 0,
    prefill_share: shareOfPeak(experts ? nearest.prefill_share_experts : dense_share),
    batch_share: shareOfPeak(dense_share),
    low_factor: low ** widening,
    high_factor: high ** widening,
    notes: Object.freeze(notes),
  });
}

function nearestCalibration(calibrations, engine, backend) {
  const distance = (row) => {
    const [sameEngine, sameBackend] = [row.engine === engine.id, row.backend === backend];
    return [Number(!(sameEngine && sameBackend)), Number(!sameBackend), Number(!sameEngine), -row.rows];
  };
  let [best, least] = [null, null];
  for (const row of calibrations) {
    const far = distance(row);
    const differs = least ? far.findIndex((part, index) => part !== least[index]) : 0;
    if (!least || (differs >= 0 && far[differs] < least[differs])) [best, least] = [row, far];
  }
  return best;
}

function factorKey(calibration, scope, weight_kind) {
  return `${calibration} ${scope} ${weight_kind}`;
}

function differences(tables, row, engine, device, backend) {
  const notes = [];
  if (row.engine !== engine.id) notes.push(`${engine.id} の実測がないため、${row.engine} の補正で代用しました。`);
  if (row.backend !== backend) {
    notes.push(`${device.family || device.id} での実測がないため、${row.backend} の補正で代用しました。`);
  }
  if (!device.gpu_clock_hz && row.cycles_per_layer) {
    const clock = general(tables.constants.ASSUMED_CLOCK_HZ / 1e9);
    notes.push(`GPU のクロックが分からないため、${clock} GHz と仮定しました。`);
  }
  return notes;
}

// ---------------------------------------------------------------- several devices (parallel.py)

const SPLITS = ["pipeline", "tensor"];

function sharedS(one_device_s, model, devices, split, calibration) {
  if (split === "pipeline") return one_device_s + (devices - 1) * calibration.pipeline_message_s;
  const all_reduces = 2 * model.layers;
  requireInteger("all_reduces", all_reduces, 0, 1e7);
  return one_device_s / devices + all_reduces * calibration.tensor_message_s;
}

// ---------------------------------------------------------------- the estimate (estimation.py)

const KINDS = {
  model: { table: "models", make: makeModel, what: "モデル" },
  device: { table: "devices", make: makeDevice, what: "デバイス" },
  weights: { table: "weight_formats", make: makeWeightFormat, what: "重みの形式" },
  engine: { table: "engines", make: (engine) => remember({ backends: [], ...engine }), what: "エンジン" },
  kv_cache: { table: "weight_formats", make: makeWeightFormat, what: "重みの形式" },
};

function objectOf(tables, argument, value) {
  const { table, make, what } = KINDS[argument];
  if (typeof value === "object" && value !== null) return checked.has(value) ? value : make(value);
  const found = tables[table].get(value);
  if (!found) throw new UnknownNameError(argument, value, what);
  return found;
}

/** What a choice leaves out, as in Python's `estimate`. */
export const CHOICE_DEFAULTS = Object.freeze({
  weights: "q4_k_m",
  batch_size: 1,
  context_length: 0,
  engine: "llama.cpp",
  devices: 1,
  split: "pipeline",
  prompt_length: null,
  kv_cache: "f16",
});

/** Fill in what a choice leaves out, turn ids into objects and refuse what is out of range. */
function wholeChoice(tables, choice) {
  const whole = filled(CHOICE_DEFAULTS, choice);
  for (const argument of Object.keys(KINDS)) whole[argument] = objectOf(tables, argument, whole[argument]);
  const { MAX_BATCH_SIZE, MAX_CONTEXT_LENGTH, MAX_DEVICES, DEFAULT_PROMPT_LENGTH } = tables.constants;
  requireInteger("batch_size", whole.batch_size, 1, MAX_BATCH_SIZE);
  requireInteger("context_length", whole.context_length, 0, MAX_CONTEXT_LENGTH);
  requireInteger("devices", whole.devices, 1, MAX_DEVICES);
  requireChoice("split", whole.split, SPLITS);
  if (whole.prompt_length === null) {
    whole.prompt_length = whole.context_length || DEFAULT_PROMPT_LENGTH;
  } else {
    requireInteger("prompt_length", whole.prompt_length, 1, MAX_CONTEXT_LENGTH);
  }
  return whole;
}

/**
 * Estimate how fast a model runs on a device, and how sure that is.
 * @param {object} tables - From `loadTables`.
 * @param {object} choice - `model` and `device`, and whatever differs from `CHOICE_DEFAULTS`; model,
 *   device, weights, engine and kv_cache are ids or objects.
 * @returns {object} Frozen: every key of Python's `Estimate.to_dict()`, with objects instead of ids, and
 *   `chosen`, `waits_s` (per unit of `COEFFICIENTS`; null for ideal), `weight_flop_per_step`,
 *   `attention_flop_per_step`, `step_latency_slow_s`, `step_latency_fast_s`.
 * @throws {InvalidValueError} If a number is out of range.
 * @throws {UnknownNameError} If an id is not listed.
 */
export function estimate(tables, choice) {
  const whole = wholeChoice(tables, choice);
  const { model, device, weights, engine, kv_cache, batch_size, context_length, prompt_length, devices, split } = whole;
  const how = { experts: model.experts > 0, batched: batch_size > 1, split: devices > 1 ? split : "" };
  const chosen = engine.id === "ideal" ? null : chooseCalibration(tables, engine, device, weights, how);

  const weight_bytes_per_step = weightBytesPerStep(model, weights, batch_size);
  const kv_bytes_per_step = kvCacheBytes(model, context_length, batch_size, kv_cache.bits_per_weight / 8);
  const weight_flop_per_step = weightFlopPerToken(model) * batch_size;
  const attention_flop_per_step = attentionFlopPerToken(model, context_length) * batch_size;
  const flop_per_step = weight_flop_per_step + attention_flop_per_step;
  const bytes_per_step = weight_bytes_per_step + kv_bytes_per_step;
  const together = split === "tensor" ? devices : 1; // devices that work at the same time
  const memory_latency_s = bytes_per_step / device.memory_bandwidth_bytes_per_s / together;
  const compute_latency_s = computeS(flop_per_step, device, weights) / together;
  const bound_s = Math.max(memory_latency_s, compute_latency_s);
  const work = { weight_bytes_per_step, kv_bytes_per_step, attention_flop_per_step, flop_per_step };
  const waits_s = chosen ? waitsOf(tables, whole, chosen, work) : null;
  const steps = stepLatencies(whole, chosen, work, waits_s, { bound_s, no_overlap_s: memory_latency_s + compute_latency_s });
  const decode_tokens_per_s = batch_size / steps.step_latency_s;
  const memory_required_bytes = weightBytes(model, weights).resident_bytes + kv_bytes_per_step;
  const memory_available_bytes = device.memory_capacity_bytes * devices;
  const prefill_tokens_per_s_bound = prefillTokensPerS(whole, 1);
  const prefill_tokens_per_s = chosen
    ? prefillTokensPerS(whole, chosen.prefill_share)
    : prefill_tokens_per_s_bound;
  const newer = tokensPerSOfNewBuilds(tables, whole, chosen, steps.step_latency_s, bound_s);
  return Object.freeze({
    model,
    device,
    weights,
    engine,
    kv_cache,
    batch_size,
    context_length,
    prompt_length,
    devices,
    split,
    decode_tokens_per_s_bound: batch_size / bound_s,
    decode_tokens_per_s,
    decode_tokens_per_s_low: batch_size / steps.step_latency_slow_s,
    decode_tokens_per_s_high: batch_size / steps.step_latency_fast_s,
    bound_by: memory_latency_s >= compute_latency_s ? "memory" : "compute",
    memory_latency_s,
    compute_latency_s,
    ...steps,
    bytes_per_step,
    weight_bytes_per_step,
    kv_bytes_per_step,
    flop_per_step,
    weight_flop_per_step,
    attention_flop_per_step,
    memory_required_bytes,
    memory_available_bytes,
    fits: memory_available_bytes ? memory_required_bytes <= memory_available_bytes : null,
    prefill_tokens_per_s_bound,
    prefill_tokens_per_s,
    time_to_first_token_s: prefill_tokens_per_s ? prompt_length / prefill_tokens_per_s : null,
    calibration: chosen ? chosen.calibration : null,
    chosen,
    waits_s,
    notes: Object.freeze(notesOf(tables, whole, chosen, newer, decode_tokens_per_s)),
  });
}

function computeS(flop, device, weights) {
  const peak = peakFlopPerS(device, weights.compute_format);
  return peak ? flop / peak : 0;
}

/** Best estimate of a step, and the ends of its interval. */
function stepLatencies(whole, chosen, work, waits_s, { bound_s, no_overlap_s }) {
  if (!chosen) return { step_latency_s: bound_s, step_latency_slow_s: no_overlap_s, step_latency_fast_s: bound_s };
  let step_s = oneDeviceStepS(whole, chosen, work, waits_s);
  if (whole.devices > 1) step_s = sharedS(step_s, whole.model, whole.devices, whole.split, chosen.calibration);
  step_s = Math.max(step_s, bound_s);
  return {
    step_latency_s: step_s,
    step_latency_slow_s: step_s / chosen.low_factor,
    step_latency_fast_s: Math.max(step_s / chosen.high_factor, bound_s),
  };
}

function waitsOf(tables, { model, device }, chosen, work) {
  const clock = device.gpu_clock_hz || tables.constants.ASSUMED_CLOCK_HZ;
  return stepWaitsS(model, device, clock, { ...work, old_build_share: chosen.old_build_share });
}

function oneDeviceStepS({ device, weights, batch_size }, chosen, work, waits_s) {
  const step_s = calibratedStepS(chosen.calibration, waits_s, chosen.unpacks) * chosen.step_factor;
  if (batch_size === 1 || !chosen.batch_share) return step_s;
  // One sequence computes while it reads; what the others add waits for the cores.
  const busy_s = computeS(work.flop_per_step, device, weights);
  return step_s + (busy_s * (batch_size - 1)) / batch_size / chosen.batch_share;
}

function prefillTokensPerS({ model, device, weights, prompt_length, devices, split }, share) {
  const compute_s = computeS(prefillFlop(model, prompt_length), device, weights);
  if (!(compute_s && share)) return null;
  const memory_s = weightBytesPerStep(model, weights, prompt_length) / device.memory_bandwidth_bytes_per_s;
  const together = split === "tensor" ? devices : 1;
  return (prompt_length * together) / Math.max(memory_s, compute_s / share);
}

/** Best estimate without what old builds of the engine cost more. */
function tokensPerSOfNewBuilds(tables, { model, device, batch_size, devices }, chosen, step_latency_s, least_s) {
  if (!chosen || devices > 1) return batch_size / step_latency_s;
  const clock = device.gpu_clock_hz || tables.constants.ASSUMED_CLOCK_HZ;
  const cycles = chosen.calibration.cycles_per_layer_in_old_builds;
  const saved_s = chosen.step_factor * chosen.old_build_share * cycles * (layerCount(model) / clock);
  return batch_size / Math.max(step_latency_s - saved_s, least_s);
}

function notesOf(tables, { model, context_length }, chosen, newer, decode_tokens_per_s) {
  const notes = chosen ? [...chosen.notes] : [];
  if (newer > tables.constants.NOTEWORTHY * decode_tokens_per_s) {
    notes.push(
      "この機種の実測には 2025 年 7 月までのビルドのものが多く、新しいビルドでは" +
        ` ${significant(newer, 2)} トークン/秒 ほどの見込みです。`,
    );
  }
  const longest = model.context_length_max;
  if (longest && context_length > longest) {
    notes.push(`文脈が、このモデルの上限 ${thousands(longest)} トークンを超えています。`);
  }
  return notes;
}

/**
 * Say in one line, in Japanese, what is needed and what there is.
 * @param {object} result - An estimate that does not fit.
 * @returns {string} One line.
 */
export function doesNotFitMessage(result) {
  const count = result.devices > 1 ? ` ${result.devices} 台` : "";
  return (
    `メモリに入りません: model ${result.model.id}（weights ${result.weights.id}、` +
    `batch_size ${result.batch_size}、context_length ${result.context_length}）には ` +
    `${gibibytes(result.memory_required_bytes)} が必要ですが、` +
    `device ${result.device.id}${count} のメモリは ${gibibytes(result.memory_available_bytes)} です。`
  );
}

// ---------------------------------------------------------------- what would fit (memory.py)

/**
 * Longest context per sequence for which everything fits.
 * @param {object} tables - From `loadTables`.
 * @param {object} choice - As for `estimate`; its context does not count.
 * @returns {number} Tokens; -1 if not even the weights fit.
 * @throws {InvalidValueError} If only the number of the model's parameters is known.
 */
export function maxContextLength(tables, choice) {
  const { model, device, weights, kv_cache, batch_size, devices } = wholeChoice(tables, { ...choice, context_length: 0 });
  const available = device.memory_capacity_bytes * devices;
  const resident = weightBytes(model, weights).resident_bytes;
  const bytes_per_value = kv_cache.bits_per_weight / 8;
  const fits = (tokens) => resident + kvCacheBytes(model, tokens, batch_size, bytes_per_value) <= available;
  return largest(fits, tables.constants.MAX_CONTEXT_LENGTH);
}

/** The largest number up to `limit` that fits, by bisection; -1 if none. */
function largest(fits, limit) {
  if (!fits(0)) return -1;
  let [low, high] = [0, limit + 1];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (fits(middle)) low = middle;
    else high = middle;
  }
  return low;
}

/**
 * Most sequences of a context for which everything fits.
 * @param {object} tables - From `loadTables`.
 * @param {object} choice - As for `estimate`, with a context of 1 at least; its batch does not count.
 * @returns {number} Sequences; 0 if not even one fits.
 * @throws {InvalidValueError} If the context is 0, or only the number of the model's parameters is known.
 */
export function maxBatchSize(tables, choice) {
  const { model, device, weights, kv_cache, context_length, devices } = wholeChoice(tables, { ...choice, batch_size: 1 });
  const { MAX_BATCH_SIZE, MAX_CONTEXT_LENGTH } = tables.constants;
  requireInteger("context_length", context_length, 1, MAX_CONTEXT_LENGTH);
  const one = kvCacheBytes(model, context_length, 1, kv_cache.bits_per_weight / 8);
  const free = device.memory_capacity_bytes * devices - weightBytes(model, weights).resident_bytes;
  return Math.max(0, Math.min(MAX_BATCH_SIZE, floorDivision(free, one)));
}

/** Python's `//` of two numbers, of which the second is positive. */
function floorDivision(dividend, divisor) {
  let rest = dividend % divisor;
  let quotient = (dividend - rest) / divisor;
  if (rest < 0) {
    rest += divisor;
    quotient -= 1;
  }
  const floor = Math.floor(quotient);
  return quotient - floor > 0.5 ? floor + 1 : floor;
}

// ---------------------------------------------------------------- tables

/**
 * Turn what hayasa exported into tables.
 * @param {object} data - From `hayasa.export.calculator_data`.
 * @returns {object} Maps by id: `devices`, `models`, `weight_formats`, `engines`; `calibrations`,
 *   `device_factors`, `presets`, `constants`.
 */
export function loadTables(data) {
  const weight_formats = weightFormatsOf(data.weight_formats, data.mixes);
  const devices = byId(rowsOf(data.devices).map(deviceOf));
  const models = byId(rowsOf(data.models).map(makeModel));
  const engines = byId(rowsOf(data.engines).map(engineOf));
  const calibrations = rowsOf(data.calibrations).map(Object.freeze);
  return Object.freeze({
    constants: data.constants,
    devices,
    models,
    weight_formats,
    engines,
    calibrations,
    device_factors: deviceFactorsOf(data.device_factors, devices, calibrations),
    presets: data.presets,
  });
}

/**
 * Turn a table into objects, one per row.
 * @param {object} table - As `hayasa.export` writes it.
 * @returns {object[]}
 */
export function rowsOf({ text, numbers }) {
  const columns = [
    ...Object.entries(text).map(([name, column]) => [name, column.split("~")]),
    ...Object.entries(numbers).map(([name, column]) => [name, column.split(",").map(Number)]),
  ];
  return columns[0][1].map((_, index) => Object.fromEntries(columns.map(([name, column]) => [name, column[index]])));
}

// The symbols that places are written with: from "(" on, but for the backslash.
const FIRST_SYMBOL = 40;
const BACKSLASH = 92;
const SYMBOLS = 83;

function placesIn(text) {
  return Array.from(text, (symbol) => {
    const code = symbol.charCodeAt(0);
    return code - FIRST_SYMBOL - (code > BACKSLASH ? 1 : 0);
  });
}

function byId(rows) {
  return new Map(rows.map((row) => [row.id, row]));
}

function deviceOf({ memory_capacity_gib, memory_options_gb, ...fields }) {
  const options = memory_options_gb.split("|").filter(Boolean);
  return makeDevice({
    ...fields,
    memory_capacity_bytes: memory_capacity_gib * GIB,
    memory_options_bytes: Object.freeze(options.map((gb) => Number(gb) * GIB)),
  });
}

function engineOf({ backends, ...fields }) {
  const pairs = backends.split(" ").filter(Boolean).map((pair) => pair.split(":"));
  return remember({ ...fields, backends: Object.freeze(pairs) });
}

function deviceFactorsOf({ places, ...table }, devices, calibrations) {
  const families = new Set([...devices.values()].map((device) => device.family));
  const scopes = [...families, ...devices.keys()];
  const rows = rowsOf(table);
  const [ids, names] = [places.calibration, places.scope].map((text) => numbersIn(text, rows.length));
  const keyOf = (row, index) => factorKey(calibrations[ids[index]].id, scopes[names[index]], row.weight_kind);
  return new Map(rows.map((row, index) => [keyOf(row, index), row]));
}

function weightFormatsOf(table, { roles, conditions, layers, blocks }) {
  const made = rowsOf(blocks);
  for (const block of made) block.fallback = block.fallback < 0 ? null : made[block.fallback];
  const rulesOf = (text) => {
    const places = placesIn(text);
    return Array.from({ length: places.length / 4 }, (_, index) => {
      const [role, condition, which, block] = places.slice(4 * index, 4 * index + 4);
      return Object.freeze({ role: roles[role], when: conditions[condition], layers: layers[which], block: made[block] });
    });
  };
  return byId(rowsOf(table).map((row) => makeWeightFormat({ ...row, rules: Object.freeze(rulesOf(row.rules)) })));
}

/** Numbers of one symbol each or of several: then the first symbols of all come before the second ones. */
function numbersIn(text, rows) {
  const symbols = placesIn(text);
  const numbers = symbols.slice(0, rows);
  for (let start = rows; start < symbols.length; start += rows) {
    for (let index = 0; index < rows; index += 1) numbers[index] = numbers[index] * SYMBOLS + symbols[start + index];
  }
  return numbers;
}
