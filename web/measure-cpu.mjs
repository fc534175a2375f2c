// What is done on the processor: in threads of their own where there may be some, else on the page itself.

import { nextTask } from "./dom.mjs";
import {
  bf16Values,
  bytesOf,
  exponentFor,
  Halt,
  hash,
  MIB,
  pairOfBf16,
  rowProduct,
  spreadOf,
} from "./measure-formats.mjs";
import { wasmModule } from "./measure-wasm.mjs";

const ROW_WEIGHTS = 2048; // of a row: one of the sizes that small models have
const BLOCKS = ROW_WEIGHTS / 32;
const EDGE = 65536; // behind the weights: the vector in its forms
const AT_ONCE = 256 * 1024; // bytes between two looks at the clock
const MOST_MEMORY = 1024 * MIB;
const MOST_OF_ONE = 128 * MIB;
const LEAST_OF_ONE = 16 * MIB;
const CHECKED_ROWS = 16;
const TOLERATED = 1e-4;
export const TASKS = ["read", "q4_0", "bf16"];

/**
 * A thread's part: memory, and what goes over it.
 * @returns {(message: object) => Promise<object>} Answers `{prepare: bytes}`, `{fill: task}` and `{run: task, ms}`.
 */
export function processorPart() {
  let own = null;
  return async ({ prepare, fill, run, ms }) => {
    if (prepare) own = await memoryOf(prepare);
    else if (fill) return { right: fillFor(own, fill) };
    else if (run) return runFor(own, run, ms);
    return { engine: own.engine };
  };
}

async function memoryOf(bytes) {
  const made = await wasmOf(bytes).catch(() => null); // the page's policy, or an old browser
  const buffer = made ? made.buffer : new ArrayBuffer(bytes + EDGE);
  const x = Float32Array.from({ length: ROW_WEIGHTS }, (_, i) => ((hash(i, 5) % 255) - 127) * 0.01);
  const own = { engine: made ? "WebAssembly" : "JavaScript", bytes, buffer, x, words: new Uint32Array(buffer), row: 0 };
  own.kernels = made ? wasmKernels(own, made.exports) : plainKernels(own);
  return own;
}

async function wasmOf(bytes) {
  const memory = new WebAssembly.Memory({ initial: (bytes + EDGE) / 65536 });
  const made = await WebAssembly.instantiate(wasmModule(), { own: { memory } }); // the minifier would take it apart first
  return { buffer: memory.buffer, exports: made.instance.exports };
}

// Rows that a task goes over, and where the scales of all of them begin.
const rowCount = (own, task) => Math.floor(own.bytes / rowBytes(task));
const rowBytes = (task) => (task === "read" ? 4096 : bytesOf(task, ROW_WEIGHTS));
const scalesAt = (own) => rowCount(own, "q4_0") * ROW_WEIGHTS * 0.5;

function wasmKernels(own, { read, q4_0, bf16 }) {
  const { buffer, bytes, x } = own;
  const [small, factors, halves] = [bytes, bytes + 4096, bytes + 8192];
  new Int8Array(buffer, small, ROW_WEIGHTS).set(x.map((value) => Math.round(value / 0.01)));
  new Float32Array(buffer, factors, BLOCKS).fill(0.01);
  // Four for the lower halves of four words, then four for the upper ones.
  const place = (i) => (i & ~7) + (i & 7) / 2;
  const apart = new Float32Array(buffer, halves, ROW_WEIGHTS);
  for (let i = 0; i < ROW_WEIGHTS; i += 2) apart.set([x[i]], place(i));
  for (let i = 0; i < ROW_WEIGHTS; i += 2) apart.set([x[i + 1]], place(i) + 4);
  const scales = scalesAt(own);
  return {
    read: (row) => read(row * 4096, (row + 1) * 4096),
    q4_0: (row) => q4_0((row * ROW_WEIGHTS) / 2, scales + row * BLOCKS * 2, BLOCKS, small, factors),
    bf16: (row) => bf16(row * ROW_WEIGHTS * 2, (row + 1) * ROW_WEIGHTS * 2, halves),
  };
}

function plainKernels(own) {
  return {
    read: (row) => wordsTogether(own.words, row * 1024, (row + 1) * 1024),
    q4_0: (row) => referenceFor(own, "q4_0", row),
    bf16: (row) => referenceFor(own, "bf16", row),
  };
}

function referenceFor(own, task, row) {
  own.scales ??= new Uint16Array(own.buffer, scalesAt(own), rowCount(own, "q4_0") * BLOCKS);
  return rowProduct(task, own.words, own.scales, own.x, row, ROW_WEIGHTS);
}

function wordsTogether(words, start, end) {
  let [a, b, c, d] = [0, 0, 0, 0];
  for (let i = start; i < end; i += 4) {
    a ^= words[i];
    b ^= words[i + 1];
    c ^= words[i + 2];
    d ^= words[i + 3];
  }
  return a ^ b ^ c ^ d;
}

// Fill the memory for a task; tell whether its kernel agrees with the reference on some rows.
function fillFor(own, task) {
  const { words, kernels } = own;
  const exponent = exponentFor(task, ROW_WEIGHTS);
  const plain = { read: own.bytes / 4, q4_0: scalesAt(own) / 4, bf16: 0 }[task];
  for (let i = 0; i < plain; i += 1) words[i] = hash(i, 1);
  for (let i = plain; i < own.bytes / 4; i += 1) words[i] = pairOfBf16(hash(i, 1), exponent);
  bf16Values();
  own.row = 0;
  const last = rowCount(own, task) - 1;
  const rows = Array.from({ length: CHECKED_ROWS }, (_, i) => Math.floor((i * last) / (CHECKED_ROWS - 1)));
  if (task === "read") {
    return rows.every((row) => kernels.read(row) === wordsTogether(words, row * 1024, (row + 1) * 1024));
  }
  const expected = rows.map((row) => referenceFor(own, task, row));
  const size = Math.max(...expected.map(Math.abs));
  return rows.every((row, i) => Math.abs(kernels[task](row) - expected[i]) <= TOLERATED * size);
}

/** The clock just after it moved on: some browsers show only whole milliseconds, or sixtieths of a second. */
function nextTick() {
  const shown = performance.now();
  let now = shown;
  while (now === shown) now = performance.now();
  return now;
}

// Go over the memory for a while, from where the last time ended.
function runFor(own, task, ms) {
  const kernel = own.kernels[task];
  const rows = rowCount(own, task);
  const some = Math.ceil(AT_ONCE / rowBytes(task));
  const start = nextTick();
  let [done, sum, passed] = [0, 0, 0];
  do {
    for (let i = 0; i < some; i += 1) {
      sum += kernel(own.row); // what is not used might not be computed
      own.row = own.row + 1 < rows ? own.row + 1 : 0;
    }
    done += some;
    passed = performance.now() - start;
  } while (passed < ms);
  return { bytes: done * rowBytes(task), ms: passed, sum };
}

// ---------------------------------------------------------------- threads

/** A part in a worker. */
function workerPart(address, signal) {
  const worker = new Worker(address);
  let settle = null;
  const stop = () => worker.terminate();
  signal.addEventListener("abort", () => {
    stop();
    settle?.reject(signal.reason);
  });
  worker.onmessage = ({ data }) => (data.problem ? settle.reject(new Halt(data.problem)) : settle.resolve(data));
  worker.onerror = (event) => {
    event.preventDefault();
    settle?.reject(new Halt("別のスレッドを始められませんでした。"));
  };
  const ask = (message) =>
    new Promise((resolve, reject) => {
      settle = { resolve, reject };
      worker.postMessage(message);
    });
  return { ask, stop };
}

/** A part on the page, which has its turn in between. */
function pagePart(signal) {
  const answer = processorPart();
  const ask = async (message) => {
    await nextTask();
    signal.throwIfAborted();
    return answer(message);
  };
  return { ask, stop() {} };
}

async function partsOn(address, threads, signal) {
  const bytes = Math.max(LEAST_OF_ONE, Math.min(MOST_OF_ONE, Math.floor(MOST_MEMORY / threads / MIB) * MIB));
  try {
    const parts = Array.from({ length: threads }, () => workerPart(address, signal));
    const answers = await Promise.all(parts.map((part) => part.ask({ prepare: bytes })));
    return { parts, engine: answers[0].engine, bytes };
  } catch {
    // A page opened straight from the disk may have no workers.
    signal.throwIfAborted();
    const part = pagePart(signal);
    const { engine } = await part.ask({ prepare: LEAST_OF_ONE * 4 });
    return { parts: [part], engine, bytes: LEAST_OF_ONE * 4, alone: true };
  }
}

/**
 * Time the processor: reading, and multiplying in both formats, with one thread and with all.
 * @param {string} address - Of the worker's script.
 * @param {{signal: AbortSignal, until: number}} limits
 * @returns {Promise<object>} The `engine`, `threads`, whether the page ran `alone`, `wrong` kernels, and by task bytes
 *   per second of `one` thread and of `all`: `median`, `low`, `high`, `samples`.
 */
export async function timeProcessor(address, { signal, until }) {
  const threads = Math.max(1, Math.min(64, navigator.hardwareConcurrency ?? 1));
  const { parts, engine, bytes, alone = false } = await partsOn(address, threads, signal);
  const found = { engine, threads: parts.length, alone, bytes_of_each: bytes, wrong: [], tasks: {} };
  try {
    for (const [index, task] of TASKS.entries()) {
      const answers = await Promise.all(parts.map((part) => part.ask({ fill: task })));
      if (!answers.every(({ right }) => right)) {
        found.wrong.push(task);
        continue;
      }
      const start = performance.now();
      const share = (until - start) / (TASKS.length - index);
      const one = await timeParts(parts.slice(0, 1), task, start + share * 0.4);
      const all = parts.length > 1 ? await timeParts(parts, task, start + share) : one;
      found.tasks[task] = { one, all };
    }
  } finally {
    for (const part of parts) part.stop();
  }
  return found;
}

async function timeParts(parts, task, until) {
  const ms = Math.max(20, Math.min(200, (until - performance.now()) / 6));
  const rates = [];
  do {
    const answers = await Promise.all(parts.map((part) => part.ask({ run: task, ms })));
    rates.push(answers.reduce((sum, answer) => sum + (1e3 * answer.bytes) / answer.ms, 0));
  } while (rates.length < 6 && (rates.length < 2 || performance.now() < until));
  return spreadOf(rates.slice(1)); // clocks rise under load
}
