// What a processor multiplies with, in WebAssembly: three functions of a few instructions, put together by hand.
// Opcodes: WebAssembly core specification 3.0, "Binary Format", https://webassembly.github.io/spec/core/binary/

const TYPE = { i32: 0x7f, f32: 0x7d, v128: 0x7b };

// Numbers take seven bits a byte; `signed` ones as many as show their sign.
function leb(value, signed = false) {
  const bytes = [];
  let rest = value;
  for (;;) {
    const byte = rest & 127;
    rest >>= 7;
    const done = signed ? rest === (byte & 64 ? -1 : 0) : rest === 0;
    bytes.push(done ? byte : byte | 128);
    if (done) return bytes;
  }
}

const counted = (items) => [...leb(items.length), ...items.flat()];
const wasmSection = (id, content) => [id, ...leb(content.length), ...content];
const wasmName = (text) => counted([...text].map((letter) => letter.charCodeAt(0)));

const getLocal = (local) => [0x20, ...leb(local)];
const setLocal = (local) => [0x21, ...leb(local)];
const teeLocal = (local) => [0x22, ...leb(local)];
const wasmInteger = (value) => [0x41, ...leb(value, true)];
const simd = (opcode, ...rest) => [0xfd, ...leb(opcode), ...rest];
const load128 = (offset = 0) => simd(0, 0, ...leb(offset));
const OP = {
  load_f32: [0x2a, 2, 0],
  load_u16: [0x2f, 1, 0],
  below: 0x49,
  add: 0x6a,
  subtract: 0x6b,
  xor: 0x73,
  shift: 0x74,
  add_f32: 0x92,
  multiply_f32: 0x94,
  bits_as_f32: 0xbe,
};
// Of 16 bytes at once; behind each name the kind of number.
const WIDE = Object.fromEntries(
  Object.entries({
    splat_8: 15,
    splat_32: 17,
    splat_f32: 19,
    and: 78,
    xor: 81,
    shift_right_8: 109,
    subtract_8: 113,
    pairs_to_32: 126,
    add_16: 142,
    product_low: 156,
    product_high: 157,
    shift_left_32: 171,
    add_f32: 228,
    multiply_f32: 230,
    to_f32: 250,
  }).map(([name, opcode]) => [name, simd(opcode)]),
);
const lane32 = (lane) => simd(27, lane);
const laneF32 = (lane) => simd(31, lane);
const forward = (local, bytes) => [getLocal(local), wasmInteger(bytes), OP.add, setLocal(local)].flat();
const wasmLoop = (...code) => [0x03, 0x40, code, 0x0b].flat(2);
const againIf = [0x0d, 0];

function wasmBody(locals, ...code) {
  const content = [...counted(locals.map(([count, type]) => [...leb(count), type])), ...code.flat(Infinity), 0x0b];
  return [...leb(content.length), ...content];
}

const fourSummed = (local) => [0, 1, 2, 3].map((lane) => [getLocal(local), laneF32(lane), lane ? OP.add_f32 : []]);

// read(start, end): the exclusive or of memory, 64 bytes at a time.
const readBody = wasmBody(
  [[4, TYPE.v128]],
  wasmLoop(
    [0, 1, 2, 3].map((part) => [getLocal(2 + part), getLocal(0), load128(16 * part), WIDE.xor, setLocal(2 + part)]),
    [getLocal(0), wasmInteger(64), OP.add, teeLocal(0), getLocal(1), OP.below, againIf],
  ),
  [getLocal(2), getLocal(3), WIDE.xor, getLocal(4), getLocal(5), WIDE.xor, WIDE.xor, setLocal(2)],
  [0, 1, 2, 3].map((lane) => [getLocal(2), lane32(lane), lane ? OP.xor : []]),
);

// Sixteen weights of a block times sixteen numbers of 8 bits, as eight sums of 16 bits.
const sixteen = (weights, x, offset) => [
  [getLocal(weights), getLocal(x), load128(offset), WIDE.product_low],
  [getLocal(weights), getLocal(x), load128(offset), WIDE.product_high],
  WIDE.add_16,
];

// q4_0(words, scales, blocks, x, factors): a row of blocks times numbers of 8 bits, which have a factor a block.
const blocksBody = wasmBody(
  [[4, TYPE.v128]],
  wasmLoop(
    [getLocal(0), load128(), setLocal(5)],
    [getLocal(5), wasmInteger(15), WIDE.splat_8, WIDE.and, wasmInteger(8), WIDE.splat_8, WIDE.subtract_8, setLocal(6)],
    [getLocal(5), wasmInteger(4), WIDE.shift_right_8, wasmInteger(8), WIDE.splat_8, WIDE.subtract_8, setLocal(7)],
    [sixteen(6, 3, 0), sixteen(7, 3, 16), WIDE.add_16, WIDE.pairs_to_32, WIDE.to_f32],
    [
      getLocal(1),
      OP.load_u16,
      wasmInteger(16),
      OP.shift,
      OP.bits_as_f32,
      getLocal(4),
      OP.load_f32,
      OP.multiply_f32,
      WIDE.splat_f32,
    ],
    [WIDE.multiply_f32, getLocal(8), WIDE.add_f32, setLocal(8)],
    [forward(0, 16), forward(1, 2), forward(3, 32), forward(4, 4)],
    [getLocal(2), wasmInteger(1), OP.subtract, teeLocal(2), againIf],
  ),
  fourSummed(8),
);

// bf16(words, end, x): a row of numbers of 16 bits times numbers of 32, of which those for the lower halves of four
// words come first, and then those for the upper halves.
const halvesBody = wasmBody(
  [[3, TYPE.v128]],
  wasmLoop(
    [getLocal(0), load128(), setLocal(3)],
    [
      getLocal(3),
      wasmInteger(16),
      WIDE.shift_left_32,
      getLocal(2),
      load128(),
      WIDE.multiply_f32,
      getLocal(4),
      WIDE.add_f32,
      setLocal(4),
    ],
    [
      getLocal(3),
      wasmInteger(-65536),
      WIDE.splat_32,
      WIDE.and,
      getLocal(2),
      load128(16),
      WIDE.multiply_f32,
      getLocal(5),
      WIDE.add_f32,
      setLocal(5),
    ],
    forward(2, 32),
    [getLocal(0), wasmInteger(16), OP.add, teeLocal(0), getLocal(1), OP.below, againIf],
  ),
  [getLocal(4), getLocal(5), WIDE.add_f32, setLocal(4)],
  fourSummed(4),
);

const signature = (parameters, result) => [0x60, ...counted(parameters.map((type) => [type])), 1, result];

/** The module, which takes its memory as `own.memory` and gives `read`, `q4_0` and `bf16`. */
export function wasmModule() {
  const integers = (count) => Array.from({ length: count }, () => TYPE.i32);
  return new Uint8Array([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...wasmSection(
      1,
      counted([signature(integers(2), TYPE.i32), signature(integers(5), TYPE.f32), signature(integers(3), TYPE.f32)]),
    ),
    ...wasmSection(2, counted([[...wasmName("own"), ...wasmName("memory"), 2, 0, 1]])),
    ...wasmSection(3, counted([[0], [1], [2]])),
    ...wasmSection(7, counted(["read", "q4_0", "bf16"].map((name, index) => [...wasmName(name), 0, index]))),
    ...wasmSection(10, counted([readBody, blocksBody, halvesBody])),
  ]);
}
