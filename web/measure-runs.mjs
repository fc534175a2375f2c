// What is done on a GPU: kernels are held against the reference, then memory is read, tokens are decoded, and two
// matrices are multiplied.

import {
  bytesOf,
  exponentFor,
  Halt,
  hash,
  LAYOUTS,
  MIB,
  pairOfBf16,
  rowProduct,
  signedUnit,
} from "./measure-formats.mjs";
import { asMuchAsMayBe, BINDINGS, dispatch, LONGEST_MS } from "./measure-gpu.mjs";
import { matrixVector, NORM, PRODUCT, READ, rowsPerGroup, SHAPES, TILE } from "./measure-kernels.mjs";

const MOST_ROWS = 65535 * Math.min(...SHAPES.map(rowsPerGroup)); // that one dispatch can have
const READERS = [256, 1024, 4096]; // workgroups that read; which is fastest depends on the GPU
const SMALLEST_READ = 8 * MIB; // shows how fast the GPU is at all
const SURE_READ = 64 * MIB; // from here on it is worth choosing
const LARGEST_READ = 1024 * MIB;
const LARGEST_PART = 256 * MIB;
const ROUNDING = 1e-4; // sums of 32 bits in another order
const WORDS = 0; // kinds of `FILL`
const PAIRS = 1;
const UNITS = 2;

/** Buffers that are thrown away together. */
class Shelf {
  constructor(gpu) {
    this.gpu = gpu;
    this.made = [];
  }

  keep(buffer) {
    if (buffer) this.made.push(buffer);
    return buffer;
  }

  async take(bytes) {
    return this.keep(await this.gpu.buffer(bytes));
  }

  uniform(...values) {
    return this.keep(this.gpu.uniform(...values));
  }

  clear() {
    for (const buffer of this.made.splice(0)) buffer.destroy();
  }
}

/** Do something with buffers that go when it is over, however it ends. */
async function withShelf(gpu, task) {
  const shelf = new Shelf(gpu);
  try {
    return await task(shelf);
  } finally {
    shelf.clear();
  }
}

const noMemory = () => new Halt("GPUのメモリが足りません。");

async function room(shelf, bytes) {
  const buffer = await shelf.take(bytes);
  if (!buffer) throw noMemory();
  return buffer;
}

// ---------------------------------------------------------------- matrices

const kernelOf = (gpu, format, shape) =>
  gpu.pipeline(
    `${format} ${shape.threads}.${shape.lanes}.${shape.rows}`,
    matrixVector(format, shape),
    BINDINGS[format],
  );

/**
 * Make a random matrix, in parts that a binding can hold.
 * @returns {Promise<?object[]>} The parts; null if there is no memory.
 */
async function matrixOf(shelf, format, rows, columns, seed, mostRows = MOST_ROWS) {
  const { weightsPerWord, scaled } = LAYOUTS[format];
  const rowBytes = (4 * columns) / weightsPerWord;
  const height = Math.min(mostRows, Math.floor(Math.min(shelf.gpu.largestPart, LARGEST_PART) / rowBytes));
  const parts = [];
  for (let first = 0; first < rows; first += height) {
    const count = Math.min(height, rows - first);
    const words = await shelf.take(count * rowBytes);
    const scales = scaled ? await shelf.take((count * columns) / 16) : null;
    if (!words || (scaled && !scales)) return null;
    const exponent = exponentFor(format, columns);
    await shelf.gpu.fill(words, count * rowBytes, seed + first, scaled ? WORDS : PAIRS, exponent);
    if (scaled) await shelf.gpu.fill(scales, (count * columns) / 16, seed + first + 1, PAIRS, exponent);
    parts.push({ words, scales, first, rows: count, columns, bytes: bytesOf(format, count * columns) });
  }
  return parts;
}

/** The products of a matrix's parts with a vector, as dispatches that any shape of the kernel can take. */
function products(shelf, layout, parts, x, y) {
  return parts.map(({ words, scales, first, rows, columns, bytes }) => {
    const sizes = shelf.uniform(rows, columns, first, 0);
    const group = shelf.gpu.group(layout, ...[sizes, words, x, y, scales].filter(Boolean));
    return { group, rows, bytes };
  });
}

const runWork = (pass, work, kernel, shape) => {
  for (const one of work) {
    if (one.pipeline) dispatch(pass, one);
    else dispatch(pass, { ...kernel, group: one.group, groups: Math.ceil(one.rows / rowsPerGroup(shape)) });
  }
};

const bytesIn = (work) => work.reduce((sum, one) => sum + (one.bytes ?? 0), 0);

// ---------------------------------------------------------------- kernels against the reference

/**
 * Hold every kernel against the reference.
 * @returns {Promise<{cases: number, wrong: string[], shapes: object}>} How many were tried, the names of those that are
 *   wrong here, and by format the shapes that are right.
 */
export async function checkKernels(gpu, signal) {
  const found = { cases: 0, wrong: [], shapes: { q4_0: [], bf16: [] } };
  const judge = async (name, task) => {
    gpu.check(signal);
    found.cases += 1;
    const right = await withShelf(gpu, task).catch((error) => {
      gpu.check(signal);
      return error instanceof Halt ? Promise.reject(error) : false; // what does not compile is wrong, too
    });
    if (!right) found.wrong.push(name);
    return right;
  };
  await judge("read", (shelf) => readsRight(shelf));
  await judge("norm", (shelf) => normsRight(shelf));
  await judge("product", (shelf) => multipliesRight(shelf));
  for (const format of Object.keys(LAYOUTS)) {
    for (const shape of SHAPES) {
      const name = `${format} ${shape.threads}.${shape.lanes}.${shape.rows}`;
      const right = await judge(name, (shelf) => vectorRight(shelf, format, shape));
      if (right) found.shapes[format].push(shape);
    }
  }
  return found;
}

const vectorFrom = (count, seed) => Float32Array.from({ length: count }, (_, i) => signedUnit(hash(i, seed)));
const wordsFrom = (count, seed) => Uint32Array.from({ length: count }, (_, i) => hash(i, seed));

const agrees = (given, expected) => {
  const size = Math.sqrt(expected.reduce((sum, value) => sum + value * value, 0) / expected.length);
  return expected.every((value, i) => Math.abs(given[i] - value) <= ROUNDING * size);
};

async function readsRight(shelf) {
  const { gpu } = shelf;
  const [count, seed, groups] = [4 * 70001, 5, 33]; // no multiple of anything
  const [data, sums] = [await room(shelf, 4 * count), await room(shelf, 4 * groups)];
  await gpu.fill(data, 4 * count, seed, WORDS);
  const { pipeline, layout } = await gpu.pipeline("read", READ, BINDINGS.read);
  gpu.submit((pass) => dispatch(pass, { pipeline, group: gpu.group(layout, data, sums), groups }));
  const all = (words) => words.reduce((sum, word) => sum ^ word, 0);
  return all(new Uint32Array(await gpu.read(sums, 4 * groups))) === all(wordsFrom(count, seed));
}

async function normsRight(shelf) {
  const { gpu } = shelf;
  const [count, seed] = [1000, 6];
  const [x, y] = [await room(shelf, 4 * count), await room(shelf, 4 * count)];
  await gpu.fill(x, 4 * count, seed, UNITS);
  const { pipeline, layout } = await gpu.pipeline("norm", NORM, BINDINGS.norm);
  const group = gpu.group(layout, shelf.uniform(count, 0, 0, 0), x, y);
  gpu.submit((pass) => dispatch(pass, { pipeline, group, groups: 1 }));
  const values = vectorFrom(count, seed);
  const size = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / count + 1e-6);
  return agrees(
    new Float32Array(await gpu.read(y, 4 * count)),
    values.map((value) => value / size),
  );
}

async function vectorRight(shelf, format, shape) {
  const { gpu } = shelf;
  // An odd number of blocks in a row and of rows in a part; more blocks than threads share, with a rest.
  for (const [rows, columns] of [
    [70, 96],
    [37, 4160],
  ]) {
    const kernel = await kernelOf(gpu, format, shape);
    const [x, y] = [await room(shelf, 4 * columns), await room(shelf, 4 * rows)];
    await gpu.fill(x, 4 * columns, 3, UNITS);
    const parts = await matrixOf(shelf, format, rows, columns, 11, 32);
    if (!parts) throw noMemory();
    gpu.submit((pass) => runWork(pass, products(shelf, kernel.layout, parts, x, y), kernel, shape));
    const given = new Float32Array(await gpu.read(y, 4 * rows));
    const vector = vectorFrom(columns, 3);
    const expected = parts.flatMap((part) => partTimes(format, part, vector, 11));
    if (!agrees(given, expected)) return false;
  }
  return true;
}

// What the reference says of a part, whose weights are made once more from the hash.
function partTimes(format, { first, rows, columns }, vector, seed) {
  const { weightsPerWord, scaled } = LAYOUTS[format];
  const exponent = exponentFor(format, columns);
  const pairs = (count, from) => wordsFrom(count, from).map((word) => pairOfBf16(word, exponent));
  const count = (rows * columns) / weightsPerWord;
  const words = scaled ? wordsFrom(count, seed + first) : pairs(count, seed + first);
  const scales = scaled ? new Uint16Array(pairs(Math.ceil((rows * columns) / 64), seed + first + 1).buffer) : null;
  return Array.from({ length: rows }, (_, row) => rowProduct(format, words, scales, vector, row, columns));
}

async function multipliesRight(shelf) {
  const { gpu } = shelf;
  const [m, n, k] = [TILE, 2 * TILE, 48];
  const { record, result } = await matrixProduct(shelf, m, n, k);
  gpu.submit(record);
  const given = new Float32Array(await gpu.read(result, 4 * m * n));
  const [a, b] = [vectorFrom(m * k, LEFT_SEED), vectorFrom(n * k, RIGHT_SEED)];
  const entry = (row, column) => {
    let sum = 0;
    for (let i = 0; i < k; i += 1) sum += a[row * k + i] * b[column * k + i];
    return sum;
  };
  return agrees(
    given,
    Array.from({ length: m * n }, (_, i) => entry(Math.floor(i / n), i % n)),
  );
}

// ---------------------------------------------------------------- reading

/**
 * Time how memory is read: of growing pieces, so that a cache shows.
 * @param {object} limits - `memory` to take, in bytes; `signal`, `until` as for `timeOften`.
 * @returns {Promise<object[]>} For each size `bytes`, and bytes per second: `median`, `low`, `high`, `samples`.
 */
export function timeReading(gpu, { memory, signal, until }) {
  return withShelf(gpu, async (shelf) => {
    const { pipeline, layout } = await gpu.pipeline("read", READ, BINDINGS.read);
    const sums = await room(shelf, 4 * Math.max(...READERS));
    const pieces = []; // groups of what is read
    const recordWith = (groups) => (pass) => {
      for (const group of pieces) dispatch(pass, { pipeline, group, groups });
    };
    const found = [];
    let groups = READERS[0];
    for (const bytes of readSizes(memory)) {
      const added = await randomBuffers(shelf, bytes - (found.at(-1)?.bytes ?? 0), 7 + pieces.length);
      if (!added) break;
      pieces.push(...added.map((buffer) => gpu.group(layout, buffer, sums)));
      if (bytes === SURE_READ) groups = (await fastest(READERS, recordWith, gpu, { signal, until })).choice;
      const time = await gpu.timeOften(recordWith(groups), { signal, until });
      found.push({ bytes, ...perSecond(time, bytes) });
      // The next one takes longer, and so does filling it.
      if (performance.now() > until || (time.median * nextSize(bytes)) / bytes > LONGEST_MS) break;
    }
    if (!found.length) throw noMemory();
    return found;
  });
}

const nextSize = (size) => (size < SURE_READ ? SURE_READ : 2 * size);

function readSizes(memory) {
  const sizes = [];
  const most = Math.min(LARGEST_READ, memory / 2);
  for (let size = SMALLEST_READ; size <= most; size = nextSize(size)) sizes.push(size);
  return sizes;
}

// Buffers that together have so many bytes; null if there is no memory.
async function randomBuffers(shelf, bytes, seed) {
  const made = [];
  const most = Math.min(LARGEST_PART, shelf.gpu.largestPart);
  for (let left = bytes; left > 0; left -= most) {
    const buffer = await shelf.take(Math.min(left, most));
    if (!buffer) return null;
    await shelf.gpu.fill(buffer, Math.min(left, most), seed + made.length, WORDS);
    made.push(buffer);
  }
  return made;
}

/** Amounts per second from the milliseconds that one takes; the slowest time is the lowest speed. */
function perSecond({ median, low, high, samples }, amount) {
  const rate = (ms) => (1e3 * amount) / ms;
  return { median: rate(median), low: rate(high), high: rate(low), samples };
}

// The choice with which something takes least.
async function fastest(choices, recordWith, gpu, limits) {
  let best = { choice: choices[0], ms: Infinity };
  for (const choice of choices) {
    if (performance.now() > limits.until) break;
    const { median: ms } = await gpu.timeOften(recordWith(choice), { ...limits, samples: 2 });
    if (ms < best.ms) best = { choice, ms };
  }
  return best;
}

// ---------------------------------------------------------------- decoding

/**
 * Time the matrices of a decoder, one after another as they depend on each other: of as many layers as fit.
 * @param {object} model - `layers`, `hidden`, `query`, `keys` (and values, each), `inner`, `vocabulary`: sizes.
 * @param {string} format - One of `LAYOUTS`.
 * @param {object[]} shapes - Those of the kernel that are right here.
 * @param {object} limits - As for `timeReading`.
 * @returns {Promise<object>} Bytes per second (`median`, `low`, `high`, `samples`), the `bytes` and `layers` that were
 *   read, whether that is the `whole` model, and `dispatches` in it.
 */
export function timeDecoding(gpu, model, format, shapes, limits) {
  return withShelf(gpu, async (shelf) => {
    const decoder = await decoderOn(shelf, model, format, shapes[0]);
    if (!(await decoder.addLayer(0))) throw noMemory();
    const kernels = new Map();
    for (const shape of shapes) kernels.set(shape, await kernelOf(gpu, format, shape));
    const recordWith = (shape) => (pass) => runWork(pass, decoder.work, kernels.get(shape), shape);
    const { signal, until } = limits;
    const half = performance.now() + (until - performance.now()) / 2;
    const { choice: shape, ms: layerMs } = await fastest(shapes, recordWith, gpu, { signal, until: half });
    const whole = await fillDecoder(decoder, model, Math.min(model.layers, asMuchAsMayBe(layerMs)), limits, half);
    const time = await gpu.timeOften(recordWith(shape), limits);
    const { work, layers } = decoder;
    const bytes = bytesIn(work);
    return { ...perSecond(time, bytes), bytes, layers, whole, dispatches: work.length };
  });
}

// Layers while there is memory and time, then the output.
async function fillDecoder(decoder, { layers }, wanted, { memory, signal }, until) {
  const { gpu, work } = decoder;
  const layerBytes = bytesIn(work);
  while (decoder.layers < wanted && bytesIn(work) + layerBytes <= memory && performance.now() < until) {
    gpu.check(signal);
    if (!(await decoder.addLayer(decoder.layers))) break;
    await gpu.finished();
  }
  const fits = bytesIn(work) + decoder.outputBytes <= memory;
  return decoder.layers === layers && fits && decoder.addOutput();
}

/** A decoder to which layers are added; `work` is what a token takes. */
async function decoderOn(shelf, model, format, shape) {
  const { gpu } = shelf;
  const { hidden, query, keys, inner, vocabulary } = model;
  const vectors = {};
  const lengths = { x: hidden, normed: hidden, qkv: query + 2 * keys, gated: 2 * inner, out: vocabulary };
  for (const [name, length] of Object.entries(lengths)) vectors[name] = await room(shelf, 4 * length);
  await gpu.fill(vectors.x, 4 * hidden, 1, UNITS);
  const { layout } = await kernelOf(gpu, format, shape);
  const { pipeline, layout: normLayout } = await gpu.pipeline("norm", NORM, BINDINGS.norm);
  const normGroup = gpu.group(normLayout, shelf.uniform(hidden, 0, 0, 0), vectors.x, vectors.normed);
  const norm = { pipeline, group: normGroup, groups: 1 };
  // What is multiplied with one vector is one matrix: queries, keys and values; the gate and what it opens.
  const matrices = [
    [norm, query + 2 * keys, hidden, "normed", "qkv"],
    [null, hidden, query, "qkv", "x"],
    [norm, 2 * inner, hidden, "normed", "gated"],
    [null, hidden, inner, "gated", "x"],
  ];
  const add = async (list, seed) => {
    const own = new Shelf(gpu);
    const added = [];
    for (const [index, [before, rows, columns, from, to]] of list.entries()) {
      const parts = await matrixOf(own, format, rows, columns, seed + 1000003 * index);
      if (!parts) {
        own.clear();
        return false;
      }
      if (before) added.push(before);
      added.push(...products(own, layout, parts, vectors[from], vectors[to]));
    }
    for (const buffer of own.made) shelf.keep(buffer);
    decoder.work.push(...added);
    return true;
  };
  const decoder = {
    gpu,
    work: [],
    layers: 0,
    outputBytes: bytesOf(format, vocabulary * hidden),
    async addLayer(index) {
      const added = await add(matrices, 10000019 * (index + 1));
      if (added) decoder.layers += 1;
      return added;
    },
    addOutput: () => add([[norm, vocabulary, hidden, "normed", "out"]], 77),
  };
  return decoder;
}

// ---------------------------------------------------------------- many tokens at once

const LEFT_SEED = 31;
const RIGHT_SEED = 32;
const PRODUCTS = [
  [64, 256, 256],
  [64, 1024, 1024],
  [256, 2048, 2048],
  [512, 4096, 4096],
];

async function matrixProduct(shelf, m, n, k) {
  const { gpu } = shelf;
  const [a, b, result] = [await room(shelf, 4 * m * k), await room(shelf, 4 * n * k), await room(shelf, 4 * m * n)];
  await gpu.fill(a, 4 * m * k, LEFT_SEED, UNITS);
  await gpu.fill(b, 4 * n * k, RIGHT_SEED, UNITS);
  const { pipeline, layout } = await gpu.pipeline("product", PRODUCT, BINDINGS.product);
  const group = gpu.group(layout, shelf.uniform(m, n, k, 0), a, b, result);
  return { record: (pass) => dispatch(pass, { pipeline, group, groups: n / TILE, rows: m / TILE }), result };
}

/**
 * Time the product of two matrices, of growing ones while there is time.
 * @returns {Promise<object>} Operations per second (`median`, `low`, `high`, `samples`) for the largest, and its `size`.
 */
export async function timeProduct(gpu, { signal, until }) {
  let best = null;
  for (const size of PRODUCTS) {
    const flop = 2 * size[0] * size[1] * size[2];
    if (best && ((1e3 * flop) / best.median > LONGEST_MS || performance.now() > until)) break;
    best = await withShelf(gpu, async (shelf) => {
      const { record } = await matrixProduct(shelf, ...size);
      return { ...perSecond(await gpu.timeOften(record, { signal, until }), flop), size };
    });
  }
  return best;
}
