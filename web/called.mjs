// What people and tools call models, machines and weight formats: the names that are no ids.

import { modelsByArchitecture } from "./architectures.mjs";
import { checkData } from "./check-data.mjs";
import {
  device_of_name,
  find_id,
  index_by_name,
  index_models,
  Processor,
  read_model_name,
  says_format,
  spelled_names,
} from "./check-formulas.mjs";
import { rowsOf, tables } from "./estimator.mjs";
import { $dict } from "./runtime.mjs";

// By id, what hayasa's tables say of each, in their order.
function rowsById(table) {
  const further = rowsOf(checkData[table]);
  const rows = tables[table].rows.map(({ id, name, family }, index) => ({ id, name, family, ...further[index] }));
  rows.sort((a, b) => a.place - b.place);
  return $dict(rows.map((row) => [row.id, $dict(Object.entries(row))]));
}

const namesIn = (rows) => (id) => [rows.get(id).get("name"), ...rows.get(id).get("aliases").split("|")].filter(Boolean);

const devices = rowsById("devices");
const models = rowsById("models");
const formats = rowsById("weight_formats");
const deviceNames = spelled_names(devices);
const modelNames = index_models(models, namesIn(models));
const formatNames = index_by_name(formats, namesIn(formats), "重みの形式");

const processors = new Map();
for (const row of rowsOf(checkData.processors)) {
  const processor = new Processor(row);
  processors.set(processor.device, [...(processors.get(processor.device) ?? []), processor]);
}
const processorsByDevice = $dict([...processors].map(([id, some]) => [id, Object.freeze(some)]));

// As Python's `_format_written`; EXL2 and EXL3, which take any number of bits, are in no report.
function formatWritten(word) {
  const id = formatNames.has(word) && formatNames.get(word);
  return id && says_format(word, tables.weight_formats.get(id).packing.split("|")) ? id : null;
}

function namedModel(name) {
  const { id, weights } = read_model_name(name, modelNames, formatWritten);
  return Object.freeze([tables.models.get(id), weights]);
}

/** For `brought`: what reads a name, by the table of `estimator.mjs` that it is looked for in, and hayasa's tables. */
export const namesRead = {
  device_rows: () => devices,
  devices: (name) => device_of_name(name, deviceNames, devices, (id) => tables.devices.get(id), processorsByDevice),
  models: namedModel,
  models_of_architecture: modelsByArchitecture(rowsOf(checkData.models)),
  weight_formats: (name, { argument = "weights" } = {}) =>
    tables.weight_formats.get(find_id(name, formatNames, { argument, what: "重みの形式" })),
};
