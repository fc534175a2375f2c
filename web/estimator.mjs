// hayasa on the page: the formulas, which are translated from Python, and the tables that they read.

import { brought } from "./brought.mjs";
import { data } from "./data.mjs";
import { formulas } from "./formulas.mjs";
import { $dict } from "./runtime.mjs";

const ENGINES = $dict();

// What Python reads from files and tables, and what is never asked here.
const given = {
  ENGINES,
  _ENGINES: [],
  build_month: () => "",
  calibrations: () => tables.calibrations,
  device_factors: () => tables.device_factors,
  engine_memories: () => tables.engine_memories,
  get_device: (id) => listed("devices", id),
  get_engine: (id) => listed("engines", id),
  get_named_model: (id) => (tables.models.has(id) ? [tables.models.get(id), ""] : unlisted("models", id)),
  get_weight_format: (id, named) => listed("weight_formats", id, named),
  memory_reserves: () => tables.memory_reserves,
  weight_formats: () => [...tables.weight_formats.values()],
};

/** What is translated and what is given, for the formulas that come later. */
export const hayasa = { ...given, ...formulas(given) };

function listed(table, id, named) {
  return tables[table].has(id) ? tables[table].get(id) : unlisted(table, id, named);
}

// Other names than ids are read by what comes with the reports that have them.
function unlisted(table, name, named) {
  if (brought[table]) return brought[table](name, named);
  throw new Error(`${table}: ${name} という id はありません。`);
}

export const GIB = hayasa.GIB;
export const meantBy = hayasa._meant;
export const gibibytes = hayasa.gibibytes;
export const scaled = hayasa.scaled;
export const significant = hayasa.significant;

/** Objects of the reader's own: fields as in Python; a field that is undefined is not given. */
export const makeModel = (fields) => new hayasa.Model({ id: "own", ...fields });
export const makeDevice = (fields) => new hayasa.Device({ id: "own", memory_bandwidth_bytes_per_s: null, ...fields });
export const makeWeightFormat = (fields) => new hayasa.WeightFormat({ id: "own", bits_per_weight: null, ...fields });

/**
 * Estimate how fast a model runs on a device, and how sure that is.
 * @param {object} choice - The arguments of Python's `hayasa.estimate`, each by its name; objects as ids, as what
 *   `make…` returned, or as fields.
 * @returns {object} Python's `Estimate`.
 * @throws {Error} With the `name` that it has in Python and a message in Japanese, if a number is out of range.
 */
export function estimate({ model, device, weights, kv_cache, ...choice }) {
  return hayasa.estimate(objectOf(model, makeModel), objectOf(device, makeDevice), {
    ...choice,
    weights: objectOf(weights, makeWeightFormat),
    kv_cache: objectOf(kv_cache, makeWeightFormat),
  });
}

const objectOf = (value, make) => (value?.constructor === Object ? make(value) : value);

// ---------------------------------------------------------------- tables

// The symbols that places are written with: from "(" on, but for the backslash.
const FIRST_SYMBOL = 40;
const BACKSLASH = 92;
const SYMBOLS = 83;

// Objects by id, each made when it is first asked for: of hundreds a page begins with a few.
class Table {
  constructor(rows, make) {
    Object.assign(this, { rows, make, made: new Map(), places: new Map(rows.map((row) => [row.id, row])) });
  }
  has(id) {
    return this.places.has(id);
  }
  get(id) {
    if (this.has(id) && !this.made.has(id)) this.made.set(id, this.make(this.places.get(id)));
    return this.made.get(id);
  }
  keys() {
    return this.places.keys();
  }
  *values() {
    for (const id of this.keys()) yield this.get(id);
  }
}

/**
 * By id, in the order of menus: `devices`, `models`, `weight_formats`, each with its `rows` as they stand, `engines`; `backends`, `calibrations`,
 * `device_factors`, `memory_reserves`, `engine_memories`, `presets`, `shelves` (titles in menus, and how many stand
 * beneath each), `drafting` (`ways` and kinds of `texts`, with what they are called), `constants`.
 */
export const tables = loadTables(data);

function loadTables({ presets, shelves, drafting, ...packed }) {
  const { MAX_BATCH_SIZE, MAX_CONTEXT_LENGTH, MAX_DEVICES } = hayasa;
  const devices = rowsOf(packed.devices);
  const calibrations = rowsOf(packed.calibrations).map((row) => new hayasa.Calibration(row));
  return Object.freeze({
    constants: Object.freeze({ MAX_BATCH_SIZE, MAX_CONTEXT_LENGTH, MAX_DEVICES }),
    devices: new Table(devices, deviceOf),
    models: new Table(rowsOf(packed.models), makeModel),
    weight_formats: weightFormatsOf(packed.weight_formats, packed.mixes),
    engines: enginesOf(packed.engines),
    backends: hayasa.BACKENDS,
    calibrations: Object.freeze(calibrations),
    device_factors: factorsOf(packed.device_factors, devices, calibrations, hayasa.DeviceFactor, "weight_kind"),
    memory_reserves: Object.freeze(rowsOf(packed.memory_reserves).map((row) => new hayasa.MemoryReserve(row))),
    engine_memories: $dict(rowsOf(packed.engine_memories).map((row) => [row.id, new hayasa.EngineMemory(row)])),
    presets,
    shelves,
    drafting,
  });
}

/**
 * Turn a table into objects, one per row.
 * @param {object} table - As `tools/page/tables.py` writes it.
 * @returns {object[]}
 */
export function rowsOf({ text, numbers }) {
  const columns = [
    ...Object.entries(text).map(([name, column]) => [name, column.split("~")]),
    ...Object.entries(numbers).map(([name, column]) => [name, column.split(",").map(Number)]),
  ];
  return columns[0][1].map((_, index) => Object.fromEntries(columns.map(([name, column]) => [name, column[index]])));
}

function deviceOf({ memory_capacity_gib, memory_options_gb, estimated, notes, ...fields }) {
  return makeDevice({
    ...fields,
    memory_capacity_bytes: memory_capacity_gib * GIB,
    memory_options_bytes: Object.freeze(listedIn(memory_options_gb).map((gb) => Number(gb) * GIB)),
    estimated: Object.freeze(listedIn(estimated)),
    notes: Object.freeze(listedIn(notes)),
  });
}

// The formulas look into the same ones.
function enginesOf(rows) {
  for (const row of rows) {
    const engine = new hayasa.Engine(
      Object.fromEntries(Object.entries(row).map(([name, value]) => [name, tupleOf(value)])),
    );
    given._ENGINES.push(engine);
    ENGINES.set(engine.id, engine);
  }
  return new Map(ENGINES.items());
}

// A list of JSON as the tuple that it was.
function tupleOf(value) {
  return Array.isArray(value) ? Object.freeze(value.map(tupleOf)) : value;
}

function listedIn(cell) {
  return cell.split("|").filter(Boolean);
}

/**
 * Turn a table of factors into a dict by calibration and scope.
 * @param {object} table - As `tools/page/tables.py` writes it.
 * @param {object[]} devices - All of them, in order.
 * @param {object[]} calibrations - Likewise.
 * @param {Function} Factor - The class.
 * @param {...string} further - Fields that stand behind these two in the keys.
 * @returns {object}
 */
export function factorsOf({ places, ...table }, devices, calibrations, Factor, ...further) {
  const families = [...new Set(devices.map((device) => device.family))];
  const vendors = new Set(families.map((family) => family.split("-")[0]));
  const scopes = [...families, ...devices.map((device) => device.id), ...vendors];
  const rows = rowsOf(table);
  const [ids, names] = [places.calibration, places.scope].map((text) => numbersIn(text, rows.length));
  return $dict(
    rows.map((row, index) => {
      const [calibration, scope] = [calibrations[ids[index]].id, scopes[names[index]]];
      const factor = new Factor({ ...row, calibration, scope });
      return [Object.freeze([calibration, scope, ...further.map((name) => factor[name])]), factor];
    }),
  );
}

function weightFormatsOf(table, { roles, conditions, layers, blocks }) {
  const made = [];
  for (const { block_weights, bits_per_weight, fallback } of rowsOf(blocks)) {
    made.push(new hayasa.BlockType("", block_weights, bits_per_weight, fallback < 0 ? null : made[fallback]));
  }
  const rulesOf = (text) => {
    const places = placesIn(text);
    return Array.from({ length: places.length / 4 }, (_, index) => {
      const [role, condition, which, block] = places.slice(4 * index, 4 * index + 4);
      return new hayasa.TensorRule(roles[role], conditions[condition], layers[which], made[block]);
    });
  };
  return new Table(rowsOf(table), (row) => makeWeightFormat({ ...row, rules: Object.freeze(rulesOf(row.rules)) }));
}

function placesIn(text) {
  return Array.from(text, (symbol) => {
    const code = symbol.charCodeAt(0);
    return code - FIRST_SYMBOL - (code > BACKSLASH ? 1 : 0);
  });
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
