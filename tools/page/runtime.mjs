// The part of Python's meaning that JavaScript lacks, for the formulas that translate.py translates.
//
// None is null, a tuple a frozen array, a list another array; dict, set and range are classes below. JavaScript has one
// kind of number: a whole number counts, and is written, as an int. What Python refuses raises an error here, too.

// ---------------------------------------------------------------- errors

class Exception extends Error {}

export class $TypeError extends Exception {
  name = "TypeError";
}
export class $ValueError extends Exception {
  name = "ValueError";
}
export class $OverflowError extends Exception {
  name = "OverflowError";
}
export class $ZeroDivisionError extends Exception {
  name = "ZeroDivisionError";
}
export class $IndexError extends Exception {
  name = "IndexError";
}
export class $KeyError extends Exception {
  name = "KeyError";
}

function unsuitable(value, wanted) {
  return new $TypeError(`not ${wanted}: ${value}`);
}

// ---------------------------------------------------------------- kinds of values

/** A dataclass with `eq=False`: each is equal to itself only. */
export class $Unique {
  constructor(defaults, given) {
    Object.assign(this, defaults, given);
  }
}

/** Another dataclass: two are equal if all their fields are. */
export class $Record extends $Unique {
  equals(other) {
    return Object.keys(this).every((name) => $equal(this[name], other[name]));
  }
}

/** A named tuple: its fields are its parts. */
export class $NamedTuple {
  [Symbol.iterator]() {
    return Object.values(this)[Symbol.iterator]();
  }
}

/** A copy of a dataclass object or of a named tuple in which some fields are others. */
export function $replaced(object, changes) {
  for (const name of Object.keys(changes)) if (!(name in object)) throw new $TypeError(`unknown field: ${name}`);
  if (object instanceof $NamedTuple) return new object.constructor(...Object.values({ ...object, ...changes }));
  return new object.constructor({ ...object, ...changes });
}

/** Parts as a tuple, or an object whose fields stay as they are. */
export const $fixed = Object.freeze;

const isTuple = (value) => (Array.isArray(value) && Object.isFrozen(value)) || value instanceof $NamedTuple;
const isList = (value) => Array.isArray(value) && !Object.isFrozen(value);

function asNumber(value) {
  if (typeof value === "number") return value;
  if (typeof value === "boolean") return Number(value);
  throw unsuitable(value, "number");
}

function asWhole(value) {
  if (Number.isSafeInteger(asNumber(value))) return Number(value);
  throw unsuitable(value, "integer");
}

function asText(value) {
  if (typeof value === "string") return value;
  throw unsuitable(value, "str");
}

function asList(value) {
  if (isList(value)) return value;
  throw unsuitable(value, "list");
}

function asDict(value) {
  if (value instanceof Dict) return value;
  throw unsuitable(value, "dict");
}

/** Python counts characters, JavaScript counts their halves, too. */
const characters = (value) => (/[\ud800-\udfff]/.test(value) ? [...value] : value);

export function $iterate(value) {
  if (value?.[Symbol.iterator]) return value;
  throw unsuitable(value, "iterable");
}

/** A type is a function that makes its values; `is` tells them. */
const typed = (is, make) => Object.assign(make, { is });

export const $type_is = (value, kind) => (kind.is ? kind.is(value) : value instanceof kind);
export const $isinstance = (value, kind) =>
  Array.isArray(kind)
    ? kind.some((one) => $isinstance(value, one))
    : $type_is(value, kind) || (typeof value === "boolean" && kind === $int);

/** There are no bytes here. */
export class $bytes {}

// ---------------------------------------------------------------- keys: what is equal is the same key

/** A place in a tree, whose branches are the parts of a tuple or the arguments of a function. */
class Place {
  objects = null; // most places have no branches
  others = null;
  result = undefined;

  at(part) {
    const kind = typeof part === "object" && part !== null ? "objects" : "others";
    if (!this[kind]) this[kind] = kind === "objects" ? new WeakMap() : new Map();
    const known = this[kind].get(part);
    if (known) return known;
    const place = new Place();
    this[kind].set(part, place);
    return place;
  }
}

const tuples = new Place();

/** What stands for a key in a Map: itself, 1 for True, and one and the same place for all equal tuples. */
function keyOf(value) {
  if (typeof value === "boolean") return Number(value);
  if (typeof value !== "object" || value === null) return value;
  if (isTuple(value)) {
    let place = tuples;
    for (const part of value) place = place.at(keyOf(part));
    return place;
  }
  if (Array.isArray(value) || value instanceof Container || value instanceof $Record)
    throw unsuitable(value, "hashable");
  return value;
}

/** What keeps its parts by what they are equal to. */
class Container {}

class PythonSet extends Container {
  #parts = new Map();
  constructor(parts) {
    super();
    for (const part of parts) if (!this.has(part)) this.#parts.set(keyOf(part), part);
  }
  get length() {
    return this.#parts.size;
  }
  has(part) {
    return this.#parts.has(keyOf(part));
  }
  equals(other) {
    return [...this].every((part) => other.has(part));
  }
  [Symbol.iterator]() {
    return this.#parts.values();
  }
}

class Dict extends Container {
  #pairs = new Map();
  constructor(pairs) {
    super();
    for (const [key, value] of pairs) this.set(key, value);
  }
  get length() {
    return this.#pairs.size;
  }
  has(key) {
    return this.#pairs.has(keyOf(key));
  }
  get(key) {
    return this.#pairs.get(keyOf(key))?.[1];
  }
  set(key, value) {
    const known = this.#pairs.get(keyOf(key));
    this.#pairs.set(keyOf(key), $fixed([known ? known[0] : key, value]));
  }
  delete(key) {
    this.#pairs.delete(keyOf(key));
  }
  items() {
    return [...this.#pairs.values()];
  }
  equals(other) {
    return this.items().every(([key, value]) => other.has(key) && $equal(value, other.get(key)));
  }
  *[Symbol.iterator]() {
    for (const [key] of this.#pairs.values()) yield key;
  }
}

class Range {
  constructor(start, stop, step) {
    if (step === 0) throw new $ValueError("step");
    Object.assign(this, { start, step, length: Math.max(0, Math.ceil((stop - start) / step)) });
  }
  *[Symbol.iterator]() {
    for (let index = 0; index < this.length; index += 1) yield this.start + index * this.step;
  }
}

/** Remember what a function returned for the same arguments: so many by position, others by name in one object. */
export function $cached(compute, positions, names) {
  const known = new Place();
  return (...values) => {
    let place = known;
    for (let index = 0; index < positions; index += 1) place = place.at(argument(values[index]));
    for (const name of names) place = place.at(argument(values[positions]?.[name]));
    if (place.result === undefined) place.result = compute(...values);
    return place.result;
  };
}

/** Objects are remembered as such: those that are equal are computed again. */
const argument = (value) => (value instanceof $Record ? value : keyOf(value));

// ---------------------------------------------------------------- truth and comparison

export function $truth(value) {
  if (typeof value === "number") return value !== 0;
  if (typeof value === "object" && value !== null)
    return Array.isArray(value) || "length" in value ? value.length > 0 : true;
  return Boolean(value);
}

export const $and = (first, second) => ($truth(first) ? second() : first);
export const $or = (first, second) => ($truth(first) ? first : second());

export function $equal(a, b) {
  if (typeof a === "object" && typeof b === "object" && a !== null && b !== null) return a === b || sameObjects(a, b);
  const numbers = [a, b].every((value) => typeof value === "number" || typeof value === "boolean");
  return numbers ? Number(a) === Number(b) : a === b;
}

function sameObjects(a, b) {
  if (isTuple(a) ? isTuple(b) : isList(a) && isList(b)) return sameParts([...a], [...b]);
  return a.constructor === b.constructor && a.length === b.length && Boolean(a.equals?.(b));
}

const sameParts = (a, b) => a.length === b.length && a.every((part, index) => $equal(part, b[index]));

/** Negative, 0 or positive as the first comes before, with or behind the second; NaN if they have no order. */
function order(a, b) {
  if (typeof a === "string" && typeof b === "string") {
    const [first, second] = [a, b].map((value) => Array.from(value, (character) => character.codePointAt(0)));
    return orderOfParts(first, second);
  }
  if (isTuple(a) ? isTuple(b) : isList(a) && isList(b)) return orderOfParts([...a], [...b]);
  const [first, second] = [asNumber(a), asNumber(b)];
  return first === second ? 0 : first - second || NaN;
}

function orderOfParts(a, b) {
  const differs = a.findIndex((part, index) => index < b.length && !$equal(part, b[index]));
  return differs < 0 ? a.length - b.length : order(a[differs], b[differs]);
}

const bothNumbers = (a, b) => typeof a === "number" && typeof b === "number";
export const $less = (a, b) => (bothNumbers(a, b) ? a < b : order(a, b) < 0);
export const $less_equal = (a, b) => (bothNumbers(a, b) ? a <= b : order(a, b) <= 0);
export const $greater = (a, b) => (bothNumbers(a, b) ? a > b : order(a, b) > 0);
export const $greater_equal = (a, b) => (bothNumbers(a, b) ? a >= b : order(a, b) >= 0);

export function $contains(container, part) {
  if (typeof container === "string") return container.includes(asText(part));
  if (container instanceof Container) return container.has(part);
  for (const one of $iterate(container)) if (one === part || $equal(one, part)) return true;
  return false;
}

// ---------------------------------------------------------------- arithmetic

export function $add(a, b) {
  if (bothNumbers(a, b)) return a + b;
  if (typeof a === "string" && typeof b === "string") return a + b;
  if (isList(a) && isList(b)) return [...a, ...b];
  if (isTuple(a) && isTuple(b)) return $fixed([...a, ...b]);
  return asNumber(a) + asNumber(b);
}

/** `a += b`, which makes a list longer instead of making another one. */
export function $add_in_place(a, b) {
  if (!isList(a)) return $add(a, b);
  a.push(...$iterate(b));
  return a;
}

/** The pairs of two dicts; the second's are those that count. */
export const $merge = (a, b) => new Dict([...asDict(a).items(), ...asDict(b).items()]);

/** `a |= b`, which changes the dict. */
export function $merge_in_place(a, b) {
  for (const [key, value] of asDict(b).items()) asDict(a).set(key, value);
  return a;
}

export const $subtract = (a, b) => (bothNumbers(a, b) ? a - b : asNumber(a) - asNumber(b));

export function $multiply(a, b) {
  if (bothNumbers(a, b)) return a * b;
  if (typeof a === "number" && typeof b !== "boolean") return $multiply(b, a);
  if (typeof a === "string") return a.repeat(Math.max(0, asWhole(b)));
  if (!Array.isArray(a)) return asNumber(a) * asNumber(b);
  const repeated = Array.from({ length: Math.max(0, asWhole(b)) }, () => a).flat();
  return isTuple(a) ? $fixed(repeated) : repeated;
}

export function $divide(a, b) {
  if (bothNumbers(a, b) && b !== 0) return a / b;
  return asNumber(a) / divisor(b);
}

function divisor(value) {
  if (asNumber(value) === 0) throw new $ZeroDivisionError("division by zero");
  return Number(value);
}

export function $floor_divide(a, b) {
  const rest = asNumber(a) % divisor(b);
  const quotient = (a - rest) / b - (rest !== 0 && rest < 0 !== b < 0 ? 1 : 0);
  const floor = Math.floor(quotient);
  return quotient - floor > 0.5 ? floor + 1 : floor;
}

export function $modulo(a, b) {
  const rest = asNumber(a) % divisor(b);
  return rest !== 0 && rest < 0 !== b < 0 ? rest + Number(b) : rest;
}

export function $power(a, b) {
  const [base, exponent] = [asNumber(a), asNumber(b)];
  if (base === 0 && exponent < 0) throw new $ZeroDivisionError("0 ** negative");
  if (base === 1 || (base === -1 && Math.abs(exponent) === Infinity)) return 1;
  const result = base ** exponent;
  if (Number.isNaN(result) && base < 0 && !Number.isNaN(exponent)) throw unsuitable(a, "real");
  if (!Number.isFinite(result) && Number.isFinite(base) && Number.isFinite(exponent))
    throw new $OverflowError("too large");
  return result;
}

export const $negative = (value) => -asNumber(value);
export const $abs = (value) => Math.abs(asNumber(value));

/** Round to the nearest, a tie to the even one. */
export function $round(value, digits = null) {
  if (digits !== null) return Number.isFinite(asNumber(value)) ? Number(fixed(value, asWhole(digits))) : value;
  const floor = Math.floor(finite(value));
  const rest = value - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

function finite(value) {
  if (Number.isNaN(asNumber(value))) throw new $ValueError("nan");
  if (!Number.isFinite(Number(value))) throw new $OverflowError("inf");
  return Number(value);
}

export const $isfinite = (value) => Number.isFinite(asNumber(value));

export const $pi = Math.PI;

export function $sqrt(value) {
  if (asNumber(value) < 0) throw new $ValueError("math domain error");
  return Math.sqrt(Number(value));
}

// The last digit of the rest is the browser's own.

export const $hypot = (a, b) => Math.hypot(asNumber(a), asNumber(b));

export function $log(value) {
  if (asNumber(value) <= 0) throw new $ValueError("math domain error");
  return Math.log(Number(value));
}

export function $exp(value) {
  const power = Math.exp(Number(asNumber(value)));
  if (power === Infinity && Number.isFinite(Number(value))) throw new $OverflowError("math range error");
  return power;
}

// ---------------------------------------------------------------- builtins

export const $bool = typed(
  (value) => typeof value === "boolean",
  (value) => $truth(value),
);
export const $tuple = typed(isTuple, (values = []) => $fixed([...$iterate(values)]));
export const $list = typed(isList, (values = []) => [...$iterate(values)]);
export const $set = typed(
  (value) => value instanceof PythonSet,
  (values = []) => new PythonSet($iterate(values)),
);
export const $frozenset = (values = []) => new PythonSet($iterate(values));
export const $dict = typed(
  (value) => value instanceof Dict,
  (pairs = []) => new Dict(pairs instanceof Dict ? pairs.items() : $iterate(pairs)),
);
export const $fromkeys = (keys, value = null) => new Dict(Array.from($iterate(keys), (key) => [key, value]));
export function $len(value) {
  if (typeof value === "string") return characters(value).length;
  if (value instanceof $NamedTuple) return Object.keys(value).length;
  if (typeof value?.length === "number") return value.length;
  throw unsuitable(value, "sized");
}

export function $range(start, stop, step = 1) {
  return stop === undefined ? new Range(0, asWhole(start), 1) : new Range(asWhole(start), asWhole(stop), asWhole(step));
}

export function* $enumerate(values, start = 0) {
  let index = start;
  for (const value of $iterate(values)) {
    yield $fixed([index, value]);
    index += 1;
  }
}

export function* $zip(lists, { strict = false } = {}) {
  const iterators = lists.map((values) => $iterate(values)[Symbol.iterator]());
  while (iterators.length) {
    const parts = iterators.map((one) => one.next());
    if (strict && new Set(parts.map((part) => part.done)).size > 1) throw new $ValueError("zip");
    if (parts.some((part) => part.done)) return;
    yield $fixed(parts.map((part) => part.value));
  }
}

/** Each of some values as something else, if it is to be kept; nothing before it is asked for. */
export function* $each(values, take, keep) {
  for (const value of values) if (!keep || keep(value)) yield take(value);
}

export function* $each_of(values, further, keep) {
  for (const value of values) if (!keep || keep(value)) yield* further(value);
}

export function $any(values) {
  for (const value of $iterate(values)) if ($truth(value)) return true;
  return false;
}

export function $all(values) {
  for (const value of $iterate(values)) if (!$truth(value)) return false;
  return true;
}

export function $sum(values, start = 0) {
  let sum = start;
  for (const value of $iterate(values)) sum = $add(sum, value);
  return sum;
}

function first(values, comesBefore, { key = null, default: otherwise } = {}) {
  let [best, least] = [otherwise, undefined];
  for (const value of $iterate(values)) {
    const its = key ? key(value) : value;
    if (least === undefined || comesBefore(its, least)) [best, least] = [value, its];
  }
  if (best === undefined) throw new $ValueError("empty");
  return best;
}

export function $next(values, otherwise) {
  for (const value of $iterate(values)) return value;
  return otherwise;
}

export const $min = (values, options) => first(values, $less, options);
export const $max = (values, options) => first(values, $greater, options);

export function $sorted(values, { key = null, reverse = false } = {}) {
  const keyed = Array.from($iterate(values), (value) => [key ? key(value) : value, value]);
  const compared = ([a], [b]) => ($less(a, b) ? -1 : $less(b, a) ? 1 : 0);
  return keyed.sort($truth(reverse) ? (a, b) => compared(b, a) : compared).map(([, value]) => value);
}

export function $getattr(object, name, otherwise) {
  if (typeof object === "object" && object !== null && asText(name) in object) return object[name];
  if (otherwise !== undefined) return otherwise;
  throw new $TypeError(name);
}

function partsOf(value) {
  if (Array.isArray(value)) return value;
  return value instanceof $NamedTuple ? Object.values(value) : [...$iterate(value)];
}

/** Parts that are bound to so many variables, or to so many and a list of the rest. */
export function $unpack(value, count, rest = false) {
  const parts = partsOf(value);
  if (parts.length < count || (!rest && parts.length > count)) throw new $ValueError("unpack");
  return parts;
}

// ---------------------------------------------------------------- parts of things

function placeIn(parts, index) {
  const place = asWhole(index) < 0 ? index + parts.length : Number(index);
  if (place < 0 || place >= parts.length) throw new $IndexError("index");
  return place;
}

export function $item(value, key) {
  if (value instanceof Match) return value.group(key);
  if (value instanceof Dict) {
    if (value.has(key)) return value.get(key);
    throw new $KeyError(String(key));
  }
  const parts =
    typeof value === "string"
      ? characters(value)
      : value instanceof Range || isTuple(value)
        ? [...value]
        : asList(value);
  return parts[placeIn(parts, key)];
}

export function $set_item(value, key, part) {
  if (value instanceof Dict) value.set(key, part);
  else asList(value)[placeIn(value, key)] = part;
}

export function $slice(value, from, to) {
  const ends = [from ?? 0, to ?? Infinity].map((end) => (end === Infinity ? end : asWhole(end)));
  if (typeof value === "string") {
    const part = characters(value).slice(...ends);
    return typeof part === "string" ? part : part.join("");
  }
  return isTuple(value) ? $fixed([...value].slice(...ends)) : asList(value).slice(...ends);
}

export function $setdefault(values, key, value) {
  if (!asDict(values).has(key)) values.set(key, value);
  return values.get(key);
}

/** The fields that a dict holds for a class, of which some are required. */
export function $fields_from(values, known) {
  const given = Object.fromEntries(asDict(values).items());
  for (const name of Object.keys(given))
    if (!Object.hasOwn(known, name)) throw new $TypeError(`unknown field: ${name}`);
  for (const name of Object.keys(known)) if (known[name] && !(name in given)) throw new $TypeError(`missing: ${name}`);
  return given;
}

export const $append = (values, value) => void asList(values).push(value);
export const $extend = (values, others) => void asList(values).push(...$iterate(others));
export const $update = (values, others) => void $merge_in_place(asDict(values), $dict(others));

export function $pop(values, key, otherwise) {
  if (!asDict(values).has(key) && otherwise !== undefined) return otherwise;
  const value = $item(values, key);
  values.delete(key);
  return value;
}

export const $get = (values, key, otherwise = null) => (asDict(values).has(key) ? values.get(key) : otherwise);
export const $items = (values) => asDict(values).items();
export const $values = (values) =>
  asDict(values)
    .items()
    .map(([, value]) => value);

// ---------------------------------------------------------------- strings

function isBlank(character) {
  const code = character.charCodeAt(0);
  if ((code >= 0x1c && code <= 0x1f) || code === 0x85) return true;
  return code !== 0xfeff && character.trim() === "";
}

/** A text without the characters at its ends that are blank, or among those given. */
export function $strip(value, given = null) {
  const isLoose = given === null ? isBlank : (one) => asText(given).includes(one);
  const letters = characters(asText(value));
  let [from, to] = [0, letters.length];
  while (from < to && isLoose(letters[from])) from += 1;
  while (from < to && isLoose(letters[to - 1])) to -= 1;
  return $slice(value, from, to);
}
const anyOf = (wanted, test) => (typeof wanted === "string" ? test(wanted) : [...$iterate(wanted)].some(test));
export const $startswith = (value, wanted) => anyOf(wanted, (one) => asText(value).startsWith(asText(one)));
export const $endswith = (value, wanted) => anyOf(wanted, (one) => asText(value).endsWith(asText(one)));
export const $removesuffix = (value, suffix) =>
  asText(value).endsWith(asText(suffix)) ? value.slice(0, value.length - suffix.length) : value;
export const $removeprefix = (value, prefix) =>
  asText(value).startsWith(asText(prefix)) ? value.slice(prefix.length) : value;
export const $normalize = (form, value) => asText(value).normalize(form);
export const $replace = (value, old, other) => asText(value).replaceAll(asText(old), () => asText(other));
export const $upper = (value) => asText(value).toUpperCase();
export const $lower = (value) => asText(value).toLowerCase();
export const $join = (separator, values) => Array.from($iterate(values), asText).join(asText(separator));

/** The parts between separators; without one, the words between blanks. */
export function $split(value, separator) {
  if (separator === "") throw new $ValueError("separator");
  if (separator !== undefined) return asText(value).split(asText(separator));
  const words = [""];
  for (const letter of asText(value)) {
    if (!isBlank(letter)) words.push(words.pop() + letter);
    else if (words.at(-1)) words.push("");
  }
  return words.filter(Boolean);
}

// What ends a line in Python, beside "\r\n" all characters whose codes are listed.
const LINE_ENDS = String.fromCharCode(10, 11, 12, 13, 28, 29, 30, 0x85, 0x2028, 0x2029);

export function $splitlines(value) {
  const lines = asText(value).split(new RegExp(`\r\n|[${LINE_ENDS}]`));
  return lines.at(-1) ? lines : lines.slice(0, -1);
}

/** How often a text stands in another, or a value in a list or a tuple. */
export function $count(value, wanted) {
  if (typeof value === "string") return wanted ? value.split(asText(wanted)).length - 1 : $len(value) + 1;
  return partsOf(value).filter((part) => $equal(part, wanted)).length;
}

// ---------------------------------------------------------------- patterns

/** What a pattern found. */
class Match {
  constructor(found) {
    this.found = found;
  }
  group(key) {
    const groups = typeof key === "string" ? (this.found.groups ?? {}) : this.found;
    if (!Object.hasOwn(groups, key)) throw new $IndexError("no such group");
    return groups[key] ?? null;
  }
}

// In JavaScript's words: blanks are those of ASCII, and a line break at the very end stands behind the end.
const BLANKS = " \\t\\n\\r\\f\\v";
const PARTS = /\\.|\[(?:\\.|[^\]\\])*\]|\(\?(?:P<|P?.)|\{,|\$/gs;
const FOREIGN = /^(?:\\[AZ]|\(\?P?[^:=!<]|\{,|\[\^?\])$/; // what means something else there, or nothing

function inJavaScript(part) {
  if (part === "(?P<") return "(?<";
  if (FOREIGN.test(part)) throw new $ValueError(`unsupported in a pattern: ${part}`);
  if (part === "$") return "(?=\\n?$)";
  if (part === "\\s") return `[${BLANKS}]`;
  if (part === "\\S") return `[^${BLANKS}]`;
  return part.startsWith("[") ? part.replaceAll(/\\./gs, blanksIn) : part;
}

function blanksIn(part) {
  if (part === "\\S") throw new $ValueError("\\S in a class");
  return part === "\\s" ? BLANKS : part;
}

/** A pattern of Python's `re` with `re.ASCII`. */
class Pattern {
  constructor(text, flags) {
    const written = text.replaceAll(PARTS, inJavaScript);
    this.all = new RegExp(written, `${flags}g`);
    this.once = new RegExp(written, flags);
    this.here = new RegExp(written, `${flags}y`);
    this.whole = new RegExp(`^(?:${written})$`, flags);
  }
  /** All places in a text; what is found where nothing stands, the two languages find in different places. */
  places() {
    if (this.once.test("")) throw new $ValueError("a pattern that finds nothing, too");
    return this.all;
  }
  found(how, value) {
    this[how].lastIndex = 0;
    const found = this[how].exec(asText(value));
    return found && new Match(found);
  }
}

export const $compile = (text, flags) => new Pattern(asText(text), flags);
export const $escape = (value) => asText(value).replaceAll(/[^\w]/g, "\\$&");
export const $search = (pattern, value) => pattern.found("once", value);
export const $match = (pattern, value) => pattern.found("here", value);
export const $fullmatch = (pattern, value) => pattern.found("whole", value);
export const $groups = ({ found }) => $fixed(found.slice(1).map((part) => part ?? null));
export const $groupdict = ({ found }) =>
  new Dict(Object.entries(found.groups ?? {}).map(([name, part]) => [name, part ?? null]));

/** All that a pattern finds: whole, or by its groups where it has some. */
export const $findall = (pattern, value) =>
  Array.from(asText(value).matchAll(pattern.places()), (found) => {
    const groups = found.slice(1).map((part) => part ?? "");
    return groups.length > 1 ? $fixed(groups) : (groups[0] ?? found[0]);
  });

/** A text with something else in the place of what a pattern finds, so often at most if that is not 0. */
export function $sub(pattern, other, value, most = 0) {
  let done = 0;
  const write = typeof other === "string" ? (found) => expanded(other, found) : other;
  return asText(value).replaceAll(pattern.places(), (...found) => {
    done += 1;
    return most && done > most ? found[0] : asText(write(new Match(matchOf(found))));
  });
}

// What `replaceAll` hands over, as `exec` would.
function matchOf(found) {
  const groups = typeof found.at(-1) === "object" ? found.at(-1) : undefined;
  return Object.assign(found.slice(0, groups ? -3 : -2), { groups });
}

const expanded = (other, found) => other.replaceAll(/\\(\d)/g, (_, place) => found.group(Number(place)) ?? "");

// ---------------------------------------------------------------- numbers from and as text

const INTEGER = /^[+-]?\d+(?:_\d+)*$/;
const FLOAT =
  /^[+-]?(?:(?:\d+(?:_\d+)*\.?(?:\d+(?:_\d+)*)?|\.\d+(?:_\d+)*)(?:e[+-]?\d+(?:_\d+)*)?|inf(?:inity)?|nan)$/i;

function parsed(value, pattern) {
  const written = pattern.test(value) ? value : $strip(value);
  if (!pattern.test(written)) throw new $ValueError($repr(value));
  const number = Number(written.replaceAll("_", ""));
  if (!Number.isNaN(number) || /nan/i.test(written)) return number;
  return written.startsWith("-") ? -Infinity : Infinity;
}

export const $int = typed(Number.isInteger, (value) =>
  typeof value === "string" ? parsed(value, INTEGER) : Math.trunc(finite(value)),
);
export const $float = typed(
  (value) => typeof value === "number",
  (value) => (typeof value === "string" ? parsed(value, FLOAT) : asNumber(value)),
);

export const $str = typed(
  (value) => typeof value === "string",
  (value) => {
    if (typeof value === "string") return value;
    return value instanceof Exception ? value.message : $repr(value);
  },
);

export function $repr(value) {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "number") return shortestNumber(value);
  if (typeof value === "string") return quoted(value);
  if (isList(value)) return `[${value.map($repr).join(", ")}]`;
  if (Array.isArray(value)) return `(${value.map($repr).join(", ")}${value.length === 1 ? "," : ""})`;
  if (value instanceof Dict)
    return `{${value
      .items()
      .map((pair) => pair.map($repr).join(": "))
      .join(", ")}}`;
  throw unsuitable(value, "writable");
}

const ESCAPES = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" };

function quoted(value) {
  const quote = value.includes("'") && !value.includes('"') ? '"' : "'";
  const escaped = (character) => {
    if (character === quote) return `\\${quote}`;
    if (character in ESCAPES) return ESCAPES[character];
    if (character === " " || !/[\p{C}\p{Z}]/u.test(character)) return character;
    const code = character.codePointAt(0).toString(16);
    if (code.length <= 2) return `\\x${code.padStart(2, "0")}`;
    return code.length <= 4 ? `\\u${code.padStart(4, "0")}` : `\\U${code.padStart(8, "0")}`;
  };
  return quote + Array.from(value, escaped).join("") + quote;
}

/** The shortest digits that are read back as the same number; Python places the point otherwise. */
function shortestNumber(value) {
  if (!Number.isFinite(value)) return nonFinite(value);
  if (Number.isSafeInteger(value)) return String(value);
  const [digits, exponent] = digitsAndExponent(value.toExponential());
  if (exponent < -4 || exponent >= 16) return `${digits}e${signed(exponent)}`;
  const written = value.toFixed(Math.max(0, digits.replace(/[-.]/g, "").length - 1 - exponent));
  return written.includes(".") ? written : `${written}.0`;
}

const nonFinite = (value) => (Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf");

/** `f"{value:{spec}}"`. */
export function $format(value, spec) {
  if (typeof value === "string") throw new $ValueError(spec);
  const given = asNumber(value);
  const [point, kind] = [spec.indexOf("."), spec.at(-1)];
  if (kind === "d" && !Number.isSafeInteger(given)) throw new $ValueError(spec);
  if (!Number.isFinite(given)) return nonFinite(given);
  const written = (FORMATS[kind] ?? shortestNumber)(given, point < 0 ? 6 : Number.parseInt(spec.slice(point + 1), 10));
  if (spec[0] !== "," || Math.abs(given) < 999) return written;
  return written.replace(/^-?\d+/, (before) => before.replace(/\B(?=(\d{3})+$)/g, ","));
}

const FORMATS = { d: (value) => fixed(value, 0), e: exponential, f: fixed, g: general };

function exponential(value, decimals) {
  const [digits, exponent] = rounded(value, decimals, "toExponential");
  return `${digits}e${signed(exponent)}`;
}

function fixed(value, decimals) {
  // From here on JavaScript would write an exponent; all such numbers are whole.
  if (Math.abs(value) >= 1e21) return BigInt(value) + (decimals ? `.${"0".repeat(decimals)}` : "");
  return rounded(value, decimals, "toFixed")[0];
}

function general(value, precision) {
  const digits = Math.max(1, precision);
  const [mantissa, exponent] = rounded(value, digits - 1, "toExponential");
  if (exponent < -4 || exponent >= digits) return `${withoutZeros(mantissa)}e${signed(exponent)}`;
  return withoutZeros(fixed(value, digits - 1 - exponent));
}

/**
 * Digits and exponent. JavaScript rounds a number that lies exactly between two up, Python to the one whose last digit
 * is even.
 */
function rounded(value, decimals, write) {
  const [longer, exponent] = digitsAndExponent(value[write](decimals + 1));
  const [shorter, last] = [longer.slice(0, decimals ? -1 : -2), longer.at(-1)];
  if (last < "5" || (last === "5" && shorter.at(-1) % 2 === 0 && isTie(value, decimals, write)))
    return [shorter, exponent];
  return digitsAndExponent(value[write](decimals));
}

/** Fifty more digits tell a tie, which is exact, from a number beside it. */
function isTie(value, decimals, write) {
  const all = Math.min(100, decimals + 51);
  return /^50*$/.test(digitsAndExponent(value[write](all))[0].slice(decimals - all));
}

function digitsAndExponent(written) {
  const place = written.indexOf("e");
  return place < 0 ? [written, 0] : [written.slice(0, place), Number(written.slice(place + 1))];
}

const signed = (exponent) => `${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
const withoutZeros = (written) => (written.includes(".") ? written.replace(/\.?0+$/, "") : written);
