// The two formats that are measured, with values from a hash, and what a product with a row of them is: the reference
// that every kernel is held against, and what multiplies where there is nothing faster.

const BLOCK = 32;

/**
 * How weights lie in memory. `words` are 32 bits with the weights; `scales`, two in a word, what each block of
 * `q4_0` is multiplied by. Byte j of a block holds the weights j and j + 16, less 8, in its low and its high half.
 */
export const LAYOUTS = {
  q4_0: { name: "4ビット（Q4_0）", weightsPerWord: 8, scaled: true },
  bf16: { name: "16ビット（BF16）", weightsPerWord: 2, scaled: false },
};

/**
 * Count the bytes of weights.
 * @param {string} format - One of `LAYOUTS`.
 * @param {number} weights - How many; whole blocks.
 * @returns {number}
 */
export function bytesOf(format, weights) {
  const { weightsPerWord, scaled } = LAYOUTS[format];
  return (4 * weights) / weightsPerWord + (scaled ? (2 * weights) / BLOCK : 0);
}

/** A random word, the same in JavaScript and in WGSL; (PCG, O'Neill 2014, in the form of Jarzynski and Olano 2020). */
export function hash(index, seed) {
  const state = (Math.imul((index + Math.imul(seed, 0x9e3779b1)) | 0, 747796405) + 2891336453) | 0;
  const word = Math.imul(((state >>> ((state >>> 28) + 4)) ^ state) | 0, 277803737);
  return ((word >>> 22) ^ word) >>> 0;
}

/** The exponent of weights with which a product is about as large as what it is made from. */
export function exponentFor(format, columns) {
  return 127 - Math.round(Math.log2((format === "q4_0" ? 7 : 1.5) * Math.sqrt(columns)));
}

/** Two numbers of 16 bits from a random word: sign and fraction by chance, the exponent given. */
export function pairOfBf16(word, exponent) {
  return ((word & 0x807f807f) | (exponent << 7) | (exponent << 23)) >>> 0;
}

/** A number from -1 to below 1 from a random word, exact in 32 bits. */
export function signedUnit(word) {
  return (word >>> 8) / 2 ** 23 - 1;
}

// The value of every number of 16 bits: it is the upper half of one of 32.
let values = null;
export function bf16Values() {
  values ??= new Float32Array(Uint32Array.from({ length: 2 ** 16 }, (_, bits) => bits << 16).buffer);
  return values;
}

/**
 * Multiply a row with a vector.
 * @param {string} format - One of `LAYOUTS`.
 * @param {Uint32Array} words - The weights of all rows.
 * @param {Uint16Array} scales - Of all blocks; not read where the format has none.
 * @param {ArrayLike<number>} x - The vector.
 * @param {number} row - Which.
 * @param {number} columns - Weights of a row.
 * @returns {number}
 */
export function rowProduct(format, words, scales, x, row, columns) {
  const value = bf16Values();
  return format === "q4_0"
    ? blockRow(words, scales, x, row, columns / BLOCK, value)
    : halfRow(words, x, (row * columns) / 2, columns, value);
}

function blockRow(words, scales, x, row, blocks, value) {
  let sum = 0;
  for (let block = 0; block < blocks; block += 1) {
    const at = row * blocks + block;
    let inside = 0;
    for (let j = 0; j < 16; j += 1) {
      const byte = words[4 * at + (j >> 2)] >>> (8 * (j & 3));
      inside += ((byte & 15) - 8) * x[BLOCK * block + j] + (((byte >>> 4) & 15) - 8) * x[BLOCK * block + 16 + j];
    }
    sum += inside * value[scales[at]];
  }
  return sum;
}

function halfRow(words, x, start, columns, value) {
  let sum = 0;
  for (let column = 0; column < columns; column += 2) {
    const word = words[start + column / 2];
    sum += value[word & 0xffff] * x[column] + value[word >>> 16] * x[column + 1];
  }
  return sum;
}

/** The median of numbers, and the quartiles around it. */
export function spreadOf(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const at = (share) => {
    const place = share * (sorted.length - 1);
    const low = Math.floor(place);
    return sorted[low] + (place - low) * ((sorted[low + 1] ?? sorted[low]) - sorted[low]);
  };
  return { median: at(0.5), low: at(0.25), high: at(0.75), samples: sorted.length };
}

export const MIB = 2 ** 20;

/** What a measurement ends with before its end. */
export class Halt extends Error {}
