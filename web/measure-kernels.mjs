// What runs on the GPU, in WGSL. It needs no optional feature: numbers of 16 bits are the upper halves of those of 32.

const HASH = `
fn hash(index: u32, seed: u32) -> u32 {
  let state = (index + seed * 0x9e3779b1u) * 747796405u + 2891336453u;
  let word = ((state >> ((state >> 28u) + 4u)) ^ state) * 277803737u;
  return (word >> 22u) ^ word;
}`;

const lines = (count, line) => Array.from({ length: count }, (_, i) => line(i)).join("\n");

/** Fills a buffer from the hash: words as they are (kind 0), pairs of 16 bits (1) or numbers of 32 (2). */
export const FILL = `
struct Fill { count: u32, seed: u32, kind: u32, exponent: u32 }
@group(0) @binding(0) var<uniform> p: Fill;
@group(0) @binding(1) var<storage, read_write> filled: array<u32>;
${HASH}
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  for (var i = id.x; i < p.count; i += groups.x * 256u) {
    var word = hash(i, p.seed);
    if (p.kind == 1u) { word = (word & 0x807f807fu) | (p.exponent << 7u) | (p.exponent << 23u); }
    if (p.kind == 2u) { word = bitcast<u32>(f32(word >> 8u) / 8388608.0 - 1.0); }
    filled[i] = word;
  }
}`;

/** Reads a buffer; each workgroup writes the exclusive or of what it has read. */
export const READ = `
@group(0) @binding(0) var<storage, read> data: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> sums: array<u32>;
var<workgroup> parts: array<u32, 256>;
@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
  @builtin(num_workgroups) groups: vec3<u32>,
) {
  let count = arrayLength(&data);
  let step = groups.x * 256u;
  var i = group.x * 256u + local;
  var sum = vec4<u32>(0u);
  for (; i + 3u * step < count; i += 4u * step) {
    sum ^= data[i] ^ data[i + step] ^ data[i + 2u * step] ^ data[i + 3u * step];
  }
  for (; i < count; i += step) { sum ^= data[i]; }
  parts[local] = sum.x ^ sum.y ^ sum.z ^ sum.w;
  workgroupBarrier();
  if (local == 0u) {
    var all = 0u;
    for (var j = 0u; j < 256u; j++) { all ^= parts[j]; }
    sums[group.x] = all;
  }
}`;

const Q4_0 = {
  weights: 32,
  declared: `
@group(0) @binding(4) var<storage, read> scales: array<u32>;
fn low(word: u32) -> vec4<f32> {
  return vec4<f32>(vec4<u32>(word, word >> 8u, word >> 16u, word >> 24u) & vec4<u32>(15u));
}
fn scale(block: u32) -> f32 { return bitcast<f32>((scales[block / 2u] >> (16u * (block % 2u))) << 16u); }`,
  vectors: 8,
  // Every weight is 8 too large as it stands, and so is the sum by 8 times the vector's.
  before: "let excess = 8.0 * dot(x0 + x1 + x2 + x3 + x4 + x5 + x6 + x7, vec4<f32>(1.0));",
  product: (block) => `let q = words[${block}];
      let sum = dot(low(q.x), x0) + dot(low(q.y), x1) + dot(low(q.z), x2) + dot(low(q.w), x3)
        + dot(low(q.x >> 4u), x4) + dot(low(q.y >> 4u), x5) + dot(low(q.z >> 4u), x6) + dot(low(q.w >> 4u), x7);
      let value = scale(${block}) * (sum - excess);`,
};

const BF16 = {
  weights: 8,
  declared: `
fn pair(word: u32) -> vec2<f32> { return bitcast<vec2<f32>>(vec2<u32>(word << 16u, word & 0xffff0000u)); }`,
  vectors: 2,
  before: "",
  product: (block) => `let q = words[${block}];
      let value = dot(vec4<f32>(pair(q.x), pair(q.y)), x0) + dot(vec4<f32>(pair(q.z), pair(q.w)), x1);`,
};

/** Shapes of the kernel that multiplies; which is fastest depends on the GPU. */
export const SHAPES = [
  { threads: 64, lanes: 32, rows: 4 },
  { threads: 64, lanes: 16, rows: 2 },
  { threads: 128, lanes: 32, rows: 1 },
];

/** Rows that one workgroup finishes. */
export const rowsPerGroup = ({ threads, lanes, rows }) => (threads / lanes) * rows;

/**
 * Multiply a matrix with a vector: `lanes` threads share a row, and each of them has `rows` rows at once.
 * @param {string} format - One of `LAYOUTS`.
 * @param {{threads: number, lanes: number, rows: number}} shape - One of `SHAPES`.
 * @returns {string}
 */
export function matrixVector(format, { threads, lanes, rows }) {
  const { weights, declared, vectors, before, product } = format === "q4_0" ? Q4_0 : BF16;
  return `
struct Matrix { rows: u32, columns: u32, first: u32, unused: u32 }
@group(0) @binding(0) var<uniform> p: Matrix;
@group(0) @binding(1) var<storage, read> words: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
${declared}
var<workgroup> parts: array<f32, ${threads * rows}>;
@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let lane = local % ${lanes}u;
  let start = (group.x * ${threads / lanes}u + local / ${lanes}u) * ${rows}u;
  let blocks = p.columns / ${weights}u;
  ${lines(rows, (i) => `let row${i} = min(start + ${i}u, p.rows - 1u) * blocks; var sum${i} = 0.0;`)}
  for (var block = lane; block < blocks; block += ${lanes}u) {
    ${lines(vectors, (i) => `let x${i} = x[${vectors}u * block + ${i}u];`)}
    ${before}
    ${lines(rows, (i) => `{ ${product(`row${i} + block`)} sum${i} += value; }`)}
  }
  ${lines(rows, (i) => `parts[${i * threads}u + local] = sum${i};`)}
  workgroupBarrier();
  if (local < ${(threads / lanes) * rows}u) {
    let team = local / ${rows}u;
    let which = local % ${rows}u;
    var sum = 0.0;
    for (var i = 0u; i < ${lanes}u; i++) { sum += parts[which * ${threads}u + team * ${lanes}u + i]; }
    let row = (group.x * ${threads / lanes}u + team) * ${rows}u + which;
    if (row < p.rows) { y[p.first + row] = sum; }
  }
}`;
}

/** Brings a vector to the length that a decoder's layer expects. */
export const NORM = `
struct Norm { count: u32, a: u32, b: u32, c: u32 }
@group(0) @binding(0) var<uniform> p: Norm;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
var<workgroup> parts: array<f32, 128>;
@compute @workgroup_size(128)
fn main(@builtin(local_invocation_index) local: u32) {
  var sum = 0.0;
  for (var i = local; i < p.count; i += 128u) { sum += x[i] * x[i]; }
  parts[local] = sum;
  workgroupBarrier();
  for (var half = 64u; half > 0u; half >>= 1u) {
    if (local < half) { parts[local] += parts[local + half]; }
    workgroupBarrier();
  }
  let factor = inverseSqrt(parts[0] / f32(p.count) + 1e-6);
  for (var i = local; i < p.count; i += 128u) { y[i] = x[i] * factor; }
}`;

/** Rows and columns of the result that one workgroup of `PRODUCT` computes, and how deep its tiles are. */
export const TILE = 64;
const DEPTH = 16;

/** Multiplies two matrices of 32 bits: the rows of `a` with the rows of `b`, as a layer does with many tokens at once. */
export const PRODUCT = `
struct Sizes { m: u32, n: u32, k: u32, unused: u32 }
@group(0) @binding(0) var<uniform> p: Sizes;
@group(0) @binding(1) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> b: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> c: array<vec4<f32>>;
var<workgroup> left: array<f32, ${TILE * DEPTH}>;
var<workgroup> right: array<f32, ${TILE * DEPTH}>;
@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let depth = p.k / 4u;
  let row = local / 4u;
  let quarter = local % 4u;
  let top = (local / 16u) * 4u;
  let place = local % 16u;
  ${lines(4, (i) => `var sum${i} = vec4<f32>();`)}
  for (var start = 0u; start < depth; start += ${DEPTH / 4}u) {
    let l = a[(group.y * ${TILE}u + row) * depth + start + quarter];
    let r = b[(group.x * ${TILE}u + row) * depth + start + quarter];
    ${lines(4, (i) => `left[(quarter * 4u + ${i}u) * ${TILE}u + row] = l[${i}];`)}
    ${lines(4, (i) => `right[(quarter * 4u + ${i}u) * ${TILE}u + row] = r[${i}];`)}
    workgroupBarrier();
    for (var k = 0u; k < ${DEPTH}u; k++) {
      let at = k * ${TILE}u + place * 4u;
      let across = vec4<f32>(right[at], right[at + 1u], right[at + 2u], right[at + 3u]);
      ${lines(4, (i) => `sum${i} = fma(vec4<f32>(left[k * ${TILE}u + top + ${i}u]), across, sum${i});`)}
    }
    workgroupBarrier();
  }
  let width = p.n / 4u;
  let first = (group.y * ${TILE}u + top) * width + group.x * ${TILE / 4}u + place;
  ${lines(4, (i) => `c[first + ${i}u * width] = sum${i};`)}
}`;
