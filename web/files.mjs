// A model from a file of the reader's own, which never leaves the machine: a GGUF file, of which only what stands before
// the weights is read, or a published config.json.

import { guarded, unguarded } from "./address.mjs";
import { modelsByArchitecture } from "./architectures.mjs";
import { brought } from "./brought.mjs";
import { hayasa, makeModel, rowsOf, significant, tables } from "./estimator.mjs";
import { fileData } from "./file-data.mjs";
import {
  format_of_stored,
  gguf_header,
  InvalidValueError,
  LARGEST_CONFIG_BYTES,
  model_of_config,
  model_of_headers,
  parts_of,
  require_parts,
  WeightBytes,
} from "./files-formulas.mjs";
import { $dict } from "./runtime.mjs";
import { AS_THE_FILE, FROM_FILE } from "./state.mjs";

const FIRST_BYTES = 2 ** 20; // most headers are larger: their vocabulary takes some MB
const MAGIC = "GGUF";

const blocks = $dict(
  rowsOf(fileData.blocks).map(({ id, number, block_weights, bits_per_weight }) => [
    number,
    new hayasa.BlockType(id, block_weights, bits_per_weight),
  ]),
);
const listedFormat = (id) => (id ? tables.weight_formats.get(id) : null);

Object.assign(brought, {
  format_of_block: (block) => listedFormat(fileData.bulk[block]),
  format_of_file_type: (number) => listedFormat(fileData.file_types[number]),
  gguf_block_types: () => blocks,
  is_weight_format: (id) => tables.weight_formats.has(id),
  models_of_architecture: modelsByArchitecture(rowsOf(fileData.models)),
  parsed_json: parsedJson,
  text_at: ({ bytes }, start, size) => decoded(part(bytes, start, size), { ignoreBOM: true }),
  whole_number_at: ({ bytes }, start, size, signed) => {
    const { buffer, byteOffset } = part(bytes, start, size);
    const kind = `${size > 4 ? "Big" : ""}${signed ? "Int" : "Uint"}${8 * size}`;
    return Number(new DataView(buffer)[`get${kind}`](byteOffset, true));
  },
});

const decoded = (bytes, options) => new TextDecoder("utf-8", options).decode(bytes);

// What of a file is not there yet.
class NotRead extends Error {}

function part(bytes, start, size) {
  if (start + size > bytes.length) throw new NotRead();
  return bytes.subarray(start, start + size);
}

// Python also takes numbers that are none, which configurations have.
function parsedJson(content) {
  try {
    const text = decoded(content, { fatal: true });
    const plain = text.replaceAll(/"(?:[^"\\]|\\.)*"|-?\b(?:NaN|Infinity)\b/g, (found) =>
      found.startsWith('"') ? found : "null",
    );
    return JSON.parse(plain, (_, value) => (value?.constructor === Object ? $dict(Object.entries(value)) : value));
  } catch {
    return null;
  }
}

/**
 * Read a model.
 * @param {File[]} files - A GGUF file, all parts of one, or a config.json.
 * @param {(bytes: number) => void} tell - Called with how much has been read.
 * @returns {Promise<string>} What stands for the model in a state and in an address.
 * @throws {Error} With the `name` and the message of Python's error if the file holds no model.
 */
export async function readFiles(files, tell) {
  const { name } = files[0];
  try {
    if (decoded(await contentOf(files[0], 4)) !== MAGIC)
      return addressOf(model_of_config(name, await contentOf(files[0], LARGEST_CONFIG_BYTES)), null);
    const names = parts_of(name);
    const given = new Map(files.map((file) => [file.name, file]));
    require_parts(
      names.filter((one) => !given.has(one) && one !== name),
      names.length,
    );
    const headers = [];
    for (const one of names) headers.push(await headerOf(given.get(one) ?? files[0], tell));
    return addressOf(...model_of_headers(name, headers));
  } catch (error) {
    if (error.name !== "InvalidValueError") throw error;
    throw new InvalidValueError(`${name}: ${error.message}`);
  }
}

const contentOf = async (file, end) => new Uint8Array(await file.slice(0, end).arrayBuffer());

// How long a header is turns out while it is read.
async function headerOf(file, tell) {
  for (let size = FIRST_BYTES; ; size *= 4) {
    const bytes = await contentOf(file, size);
    tell(bytes.length);
    try {
      return gguf_header({ length: file.size, bytes });
    } catch (error) {
      if (!(error instanceof NotRead)) throw error;
    }
  }
}

// ---------------------------------------------------------------- in an address

const PLAIN = makeModel({ stated_parameters: 1 }); // says of every field what it is where nothing is said
const STORED = Object.keys(new WeightBytes(0, 0, 0, 0, 0, 0));

function addressOf(model, weights) {
  const said = Object.entries(model)
    .filter(([name, value]) => name !== "id" && (value || PLAIN[name]) && value !== PLAIN[name] && value.length !== 0)
    .map(([name, value]) => [name, Array.isArray(value) ? value.join("|") : value === true ? 1 : value]);
  if (weights) {
    const { id } = weights;
    const listed = tables.weight_formats.get(id)?.name === weights.name;
    said.push([listed ? "format" : "block", id], ["stored", [...weights.stored].join(",")]);
  }
  return FROM_FILE + said.map(([name, value]) => `${name}=${guarded(String(value))}`).join(";");
}

const read = new Map();

/**
 * What a text of a state or an address stands for.
 * @param {string} text - As `readFiles` returned it; the address may hold anything.
 * @returns {{model: object, weights: ?object}} As Python's `read_model` returns them.
 * @throws {Error} An `InvalidValueError` if it stands for nothing.
 */
export function modelOf(text) {
  if (!read.has(text)) read.set(text, modelIn(text));
  return read.get(text);
}

function modelIn(text) {
  const {
    format = "",
    block = "",
    stored,
    ...said
  } = Object.fromEntries(
    text
      .slice(FROM_FILE.length)
      .split(";")
      .map((pair) => [pair.slice(0, pair.indexOf("=")), unguarded(pair.slice(pair.indexOf("=") + 1))]),
  );
  const fields = Object.entries(said).map(([name, value]) => [name, fieldOf(name, value)]);
  const model = makeModel({ id: said.name, ...Object.fromEntries(fields) });
  if (stored === undefined) return { model, weights: null };
  const parts = stored.split(",").map(Number);
  const wrong = parts.length !== STORED.length || !parts.every((one) => one >= 0 && one <= 1e18);
  if (wrong || (format && !tables.weight_formats.has(format))) throw unusable("stored");
  return { model, weights: format_of_stored(format, block, new WeightBytes(...parts), model.stated_parameters) };
}

function fieldOf(name, value) {
  if (!Object.hasOwn(PLAIN, name) || name === "id") throw unusable(name);
  const usual = PLAIN[name];
  if (typeof usual === "string") return value;
  if (Array.isArray(usual)) return Object.freeze(value.split("|"));
  if (typeof usual === "boolean") return value === "1";
  return Number(value);
}

const unusable = (name) => new InvalidValueError(`アドレスにあるモデルの ${name} は使えません。`);

/** What stands in a state for the format that a file is stored in; undefined if it says none. */
export const formatOf = (text) => (modelOf(text).weights ? AS_THE_FILE : undefined);

/** For a menu: the models that have been read or have come with an address, with their names. */
export const modelsRead = () => [...read].map(([text, { model }]) => [text, model.name]);

/** For a menu: what the weights of a file are; undefined if it says nothing of them. */
export function weightsRead(text) {
  const { weights } = read.get(text) ?? {};
  return weights && `ファイルのまま（${weights.name}、平均 ${significant(weights.bits_per_weight)} ビット）`;
}
