// One run of the measurements, and the record that it leaves, whether or not it comes to its end.

import { estimate, makeDevice } from "./estimator.mjs";
import { timeProcessor } from "./measure-cpu.mjs";
import { Halt } from "./measure-formats.mjs";
import { memoryToTake, openGpu } from "./measure-gpu.mjs";
import { checkKernels, timeDecoding, timeProduct, timeReading } from "./measure-runs.mjs";

export const RECORD_SCHEMA = "hayasa-browser/1";

/** How long each part may take, in milliseconds: about a minute for all, or a quarter of it. */
export const PACES = {
  usual: { label: "ふつう（1分ほど）", read: 8000, decode: 5000, product: 3000, processor: 9000 },
  short: { label: "短く（15秒ほど）", read: 1500, decode: 1500, product: 800, processor: 2400 },
};

/** The models whose shapes are decoded: from those that fit everywhere to those that people run. */
export const SHAPED_MODELS = ["qwen3-0.6b", "llama-3.2-1b", "llama-3.2-3b", "llama-3.1-8b"];
export const USUAL_MODELS = ["llama-3.2-1b", "llama-3.1-8b"];

/** The formats of `LAYOUTS`, which are formats of hayasa, too. */
export const DECODED_FORMATS = ["q4_0", "bf16"];

const NOWHERE = makeDevice({ memory_bandwidth_bytes_per_s: 1, peak_fp16_dense_flop_per_s: 1 });

/** Bytes that hayasa says a token reads. */
export function bytesPerToken(model, weights) {
  return estimate({ model, device: NOWHERE, weights, engine: "ideal" }).bytes_per_step;
}

/** The sizes of a model's matrices. */
export function matrixSizes({
  layers,
  hidden_size,
  attention_heads,
  kv_heads,
  head_dim,
  intermediate_size,
  vocab_size,
}) {
  return {
    layers,
    hidden: hidden_size,
    query: attention_heads * head_dim,
    keys: kv_heads * head_dim,
    inner: intermediate_size,
    vocabulary: vocab_size,
  };
}

/**
 * Measure.
 * @param {object} options
 * @param {object} options.tables - Those of `estimator.mjs`.
 * @param {string} options.worker - Address of the script of a thread.
 * @param {string[]} options.models - Ids, of `SHAPED_MODELS`.
 * @param {object} options.pace - One of `PACES`.
 * @param {AbortSignal} options.signal - Stops it; its reason is a `Halt`.
 * @param {(text: string, share: number) => void} options.say - Told what is done now, and how much is over.
 * @param {(record: object) => void} options.show - Given the record whenever there is more in it.
 * @returns {Promise<object>} The record. Nothing is thrown: what went wrong stands in its `problems`.
 */
export async function measureAll({ tables, worker, models, pace, signal, say, show }) {
  const record = emptyRecord();
  const steps = 3 + DECODED_FORMATS.length * models.length + 1;
  let done = 0;
  const step = (text) => {
    say(text, done / steps);
    done += 1;
  };
  const start = performance.now();
  try {
    await measureGpu({ record, tables, models, pace, signal, step, show });
    done = steps - 1;
    step("プロセッサで測っています");
    const limits = { signal, until: performance.now() + pace.processor };
    record.processor = await timeProcessor(worker, limits);
    for (const wrong of record.processor.wrong) {
      record.problems.push(`プロセッサの計算「${wrong}」の答えが合わないので、その速さは載せません。`);
    }
    record.complete = true;
  } catch (error) {
    record.problems.push(error.message);
  }
  record.seconds = (performance.now() - start) / 1e3;
  show(record);
  return record;
}

function emptyRecord() {
  const agent = navigator.userAgentData;
  return {
    schema: RECORD_SCHEMA,
    measured_on: new Date().toISOString().slice(0, 10),
    browser: agent?.brands.map(({ brand, version }) => `${brand} ${version}`).join(", ") ?? navigator.userAgent,
    system: agent?.platform ?? navigator.platform,
    logical_cores: navigator.hardwareConcurrency ?? null,
    device: "",
    gpu: null,
    checked: null,
    reading: [],
    decoding: [],
    product: null,
    processor: null,
    problems: [],
    complete: false,
    seconds: 0,
  };
}

// The part on the GPU. Only who stops it ends it all: the processor can be measured without a GPU.
async function measureGpu(all) {
  const { record, signal, step } = all;
  step("GPUを開いています");
  const { gpu, reason } = await openGpu();
  if (!gpu) {
    record.problems.push(`${reason}GPUの代わりに、プロセッサだけで測ります。`);
    return;
  }
  try {
    await gpu.learnAnswer();
    record.gpu = { ...gpu.names, software: gpu.software, largest_part_bytes: gpu.largestPart };
    await measureOn(gpu, all);
  } catch (error) {
    signal.throwIfAborted();
    record.problems.push(`${await gpu.reasonOf(error)}GPUで測るのは、ここまでにします。`);
  } finally {
    record.gpu ??= { ...gpu.names, software: gpu.software };
    record.gpu.timer = gpu.timer;
    record.gpu.answer_ms = gpu.answerMs;
    gpu.close();
  }
}

async function measureOn(gpu, all) {
  const { record, pace, signal, step, show } = all;
  step("計算が正しいことを確かめています");
  const { cases, wrong, shapes } = await checkKernels(gpu, signal);
  record.checked = { cases, wrong };
  if (wrong.length)
    record.problems.push(`このGPUでは、答えの合わない計算がありました（${wrong.join("、")}）。使わずに測ります。`);
  const memory = memoryToTake(gpu);
  step("メモリを読む速さを測っています");
  if (!wrong.includes("read")) {
    record.reading = await timeReading(gpu, { memory, signal, until: performance.now() + pace.read });
    show(record);
  }
  if (!wrong.includes("norm")) await decodeAll(gpu, shapes, memory, all);
  step("行列の積を測っています");
  if (!wrong.includes("product")) {
    record.product = await timeProduct(gpu, { signal, until: performance.now() + pace.product });
    show(record);
  }
}

async function decodeAll(gpu, shapes, memory, { record, tables, models, pace, signal, step, show }) {
  for (const id of models) {
    const { name, ...model } = tables.models.get(id);
    for (const weights of DECODED_FORMATS) {
      step(`${name}の形で、1トークンずつ書いています（${weights}）`);
      if (!shapes[weights].length) continue;
      const limits = { memory, signal, until: performance.now() + pace.decode };
      try {
        const time = await timeDecoding(gpu, matrixSizes(model), weights, shapes[weights], limits);
        record.decoding.push(tokensOf(id, weights, time));
      } catch (error) {
        if (!(error instanceof Halt) || gpu.lost || signal.aborted) throw error;
        record.problems.push(`${name}（${weights}）: ${error.message}`);
      }
      show(record);
    }
  }
}

/** What a speed through the weights is in tokens: a file of that format has as many bytes a token. */
function tokensOf(model, weights, { median, low, high, ...time }) {
  const bytes_per_token = bytesPerToken(model, weights);
  return {
    model,
    weights,
    tokens_per_s: median / bytes_per_token,
    low_tokens_per_s: low / bytes_per_token,
    high_tokens_per_s: high / bytes_per_token,
    bytes_per_s: median,
    bytes_per_token,
    ...time,
  };
}
