// Units: SI inside, GB and GiB only where a number is shown.  A port of src/hayasa/units.py,
// and of how Python writes numbers, so that both sides say the same, character by character.

export const GIB = 2 ** 30;

const SCALES = [[1e15, "P"], [1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]];

/**
 * Write a number with so many meaningful digits and thousands separators.
 * @param {number} value - Any finite number, of any unit.
 * @param {number} [digits] - How many digits carry meaning.
 * @returns {string} The number without a unit.
 */
export function significant(value, digits = 3) {
  if (value === 0) return "0";
  if (!Number.isFinite(value)) return pythonNumber(value);
  const written = exponential(value, digits - 1);
  const rounded = Number(written);
  if (Math.abs(rounded) < 1e-4) return exponential(rounded, digits - 1);
  const decimals = Math.max(0, digits - 1 - decimalExponent(rounded));
  return grouped(fixed(rounded, decimals));
}

/**
 * Write a number with a decimal prefix: 120e9 and "B/s" become 120 GB/s.
 * @param {number} value - A quantity in `unit`, unscaled.
 * @param {string} unit - "B", "B/s", "FLOP", "FLOP/s" and the like.
 * @param {number} [digits] - How many digits carry meaning.
 * @returns {string} Number, space, prefixed unit.
 */
export function scaled(value, unit, digits = 3) {
  for (const [factor, prefix] of SCALES) {
    if (Math.abs(value) >= factor) return `${significant(value / factor, digits)} ${prefix}${unit}`;
  }
  return `${significant(value, digits)} ${unit}`;
}

/**
 * Write an amount of memory the way it is sold and llama.cpp prints it.
 * @param {number} bytes - Bytes.
 * @param {number} [digits] - How many digits carry meaning.
 * @returns {string} Number, space, "GiB".
 */
export function gibibytes(bytes, digits = 3) {
  return `${significant(bytes / GIB, digits)} GiB`;
}

/**
 * Write a time in the unit that suits it: s, ms or µs.
 * @param {number} seconds - A time in seconds.
 * @param {number} [digits] - How many digits carry meaning.
 * @returns {string} Number, space, unit.
 */
export function duration(seconds, digits = 3) {
  if (seconds >= 1) return `${significant(seconds, digits)} s`;
  if (seconds >= 1e-3) return `${significant(seconds / 1e-3, digits)} ms`;
  return `${significant(seconds / 1e-6, digits)} µs`;
}

/**
 * Write a whole number with thousands separators, like Python's `f"{value:,}"`.
 * @param {number} value - A whole number.
 * @returns {string}
 */
export function thousands(value) {
  return grouped(fixed(value, 0));
}

/**
 * Write a number like Python's `str`: whole numbers as an `int`, others as a `float`.
 * @param {number} value - Any number.
 * @returns {string}
 */
export function pythonNumber(value) {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (Number.isSafeInteger(value)) return String(value);
  // Both write the shortest digits that are read back as the same number, but place the point otherwise.
  const [digits, exponent] = split(value.toExponential());
  if (exponent < -4 || exponent >= 16) return `${digits}e${signed(exponent)}`;
  const text = fixed(value, Math.max(0, digits.replace(/[-.]/g, "").length - 1 - exponent));
  return text.includes(".") ? text : `${text}.0`;
}

/**
 * Write a number like Python's `f"{value:g}"`: six digits at most, no needless zeros.
 * @param {number} value - Any finite number.
 * @returns {string}
 */
export function general(value) {
  if (value === 0) return "0";
  const written = exponential(value, 5);
  const [digits, exponent] = split(written);
  if (exponent < -4 || exponent >= 6) return `${withoutZeros(digits)}e${signed(exponent)}`;
  return withoutZeros(fixed(Number(written), 5 - exponent));
}

/**
 * Write anything like Python's `repr`, as far as a form or an address can give it.
 * @param {*} value - Text, number, truth value or nothing.
 * @returns {string}
 */
export function pythonRepr(value) {
  if (value === null || value === undefined) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (typeof value === "number") return pythonNumber(value);
  const quote = value.includes("'") && !value.includes('"') ? '"' : "'";
  return quote + [...String(value)].map((character) => escaped(character, quote)).join("") + quote;
}

const ESCAPES = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" };

function escaped(character, quote) {
  if (character === quote) return `\\${quote}`;
  if (character in ESCAPES) return ESCAPES[character];
  if (character === " " || !/[\p{C}\p{Z}]/u.test(character)) return character;
  const code = character.codePointAt(0).toString(16);
  if (code.length <= 2) return `\\x${code.padStart(2, "0")}`;
  return code.length <= 4 ? `\\u${code.padStart(4, "0")}` : `\\U${code.padStart(8, "0")}`;
}

/** `f"{value:.{decimals}e}"`, which rounds a number that lies exactly between two to the even one. */
function exponential(value, decimals) {
  const [digits, exponent] = split(isTie(value, decimals) ? lowerIfEven(value, decimals) : value.toExponential(decimals));
  return `${digits}e${signed(exponent)}`;
}

function isTie(value, decimals) {
  const longer = value.toExponential(decimals + 1);
  if (!longer.includes("5e") || Number(longer) !== value) return false;
  // A tie is exact: 60 digits are more than enough to tell 74.65, which is a little more, from one.
  const digits = value.toExponential(60).replace(/[-.]|e.*/g, "");
  return /^0*$/.test(digits.slice(decimals + 2));
}

/** JavaScript rounds a tie up; one with an even digit before its 5 goes down instead. */
function lowerIfEven(value, decimals) {
  const lower = value.toExponential(decimals + 1).replace(/\.?5e/, "e");
  return /[02468]e/.test(lower) ? lower : value.toExponential(decimals);
}

/** The decimal exponent of a number: 2 for 999, 3 for 1000. */
function decimalExponent(value) {
  return split(exponential(value, 6))[1];
}

/** `f"{value:.{decimals}f}"` of a number that needs no rounding there. */
function fixed(value, decimals) {
  // From here on JavaScript would write an exponent; all such numbers are whole.
  return Math.abs(value) >= 1e21 ? String(BigInt(value)) : value.toFixed(decimals);
}

function grouped(text) {
  const [whole, fraction] = text.split(".");
  const separated = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return fraction === undefined ? separated : `${separated}.${fraction}`;
}

function split(written) {
  const [digits, exponent] = written.split("e");
  return [digits, Number(exponent)];
}

function signed(exponent) {
  return `${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
}

function withoutZeros(text) {
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}
