// Numbers as people write them, and what is wrong with them.

const FACTORS = { k: 1e3, M: 1e6, G: 1e9, B: 1e9, T: 1e12, 万: 1e4, 億: 1e8, 兆: 1e12 };

/**
 * Read a number: 7e9, 7,000,000,000, 7B, 70億, full-width digits too.
 * @param {string} text - What was typed.
 * @returns {number} The number; NaN if it is none.
 */
function parseAmount(text) {
  const plain = text.normalize("NFKC").replaceAll(/[\s_]/g, "");
  // A comma stands between thousands and nowhere else: 16,5 is no way to write sixteen and a half.
  const found = /^([+-]?(?:(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?)([kMGBT万億兆]?)$/iu.exec(plain);
  if (!found) return NaN;
  const [, digits, suffix] = found;
  return (
    Number(digits.replaceAll(",", "")) *
    (FACTORS[suffix] ?? FACTORS[suffix.toUpperCase()] ?? FACTORS[suffix.toLowerCase()] ?? 1)
  );
}

/**
 * Check a typed number against what its field allows.
 * @param {string} text - What was typed.
 * @param {{label: string, minimum: number, maximum: number, integer?: boolean, optional?: boolean, unit?: string}} rule
 *   The field; with `optional`, an empty text is allowed and read as null.
 * @returns {{value: ?number, problem: string}} The number, or a sentence that says what is wrong.
 */
export function readNumber(text, rule) {
  if (text.trim() === "" && rule.optional) return { value: null, problem: "" };
  // A unit that was pasted along says nothing new.
  const value = parseAmount(rule.unit ? text.replace(new RegExp(`${rule.unit}\\s*$`, "i"), "") : text);
  const shown = text.trim() === "" ? "何も入力されていません" : `「${text.trim()}」と入力されています`;
  const unit = rule.unit ? ` ${rule.unit}` : "";
  const range = `${limit(rule.minimum)}${unit}以上、${limit(rule.maximum)}${unit}以下`;
  const kind = rule.integer ? "整数" : "数";
  if (
    !Number.isFinite(value) ||
    value < rule.minimum ||
    value > rule.maximum ||
    (rule.integer && !Number.isInteger(value))
  ) {
    return { value: null, problem: `${rule.label}は、${range}の${kind}にしてください（${shown}）。` };
  }
  return { value, problem: "" };
}

/**
 * Write a number for a field: all its digits, no separators, no needless exponent.
 * @param {?number} value - A number, or null for an empty field.
 * @returns {string}
 */
export function plainNumber(value) {
  if (value === null || value === undefined) return "";
  return Math.abs(value) >= 1e6 || (value !== 0 && Math.abs(value) < 1e-3) ? compact(value) : String(value);
}

// A limit in a sentence: 100万 and 9.31億 are read at a glance, 1e6 and 931322574.6154785 are not.
function limit(value) {
  if (value >= 1e8 && value < 1e12) return `${Math.floor(value / 1e6) / 100}億`;
  if (value >= 1e4 && value < 1e8 && Number.isInteger(value / 1e4)) return `${value / 1e4}万`;
  return plainNumber(value);
}

function compact(value) {
  if (Number.isInteger(value / 1e8) && value < 1e16) return `${value / 1e8}億`;
  return value.toExponential().replace("e+", "e");
}
