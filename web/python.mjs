// The Python that computes what the page shows, for readers who go on in a notebook.

import { h } from "./dom.mjs";
import { tables } from "./estimator.mjs";
import { parts } from "./later.mjs";
import { AS_THE_FILE, asksForHost, DEVICE_PARTS, isFromFile, listedDevice, MODEL_PARTS, OWN_DEVICE_NAME, OWN_MODEL_NAME } from "./state.mjs";

/** The program of what is chosen. */
export function codeRoom() {
  const element = h("pre.hy-code", { tabindex: 0, "aria-label": "同じ計算をするPythonのコード" });
  return {
    element,
    show({ state }) {
      element.textContent = pythonCode(state);
    },
  };
}

/**
 * Write a state as a Python program that prints the sum for every machine.
 * @param {object} state - A state, as in `state.mjs`.
 * @returns {string}
 */
export function pythonCode(state) {
  const options = [
    ["weights", state.weights === AS_THE_FILE ? "weights" : text(state.weights)],
    ["engine", text(state.engine)],
    ["batch_size", state.batch_size],
    ["context_length", state.context_length],
    state.backend !== null && ["backend", text(state.backend)],
    state.prompt_length !== null && ["prompt_length", state.prompt_length],
    state.kv_cache !== "f16" && ["kv_cache", text(state.kv_cache)],
    state.split !== "pipeline" && ["split", text(state.split)],
  ].filter(Boolean);
  const smaller = state.machines.some((machine) => machine.memory_bytes !== null);
  const splits = asksForHost(state);
  return [
    ...(smaller ? ["from dataclasses import replace", ""] : []),
    "import hayasa",
    "",
    modelCode(state.model),
    ...(splits ? [splitCode(state)] : []),
    "machines = [",
    ...state.machines.map((machine) => `    (${deviceCode(machine)}, ${machine.devices}${splits ? `, ${keepsAll(machine) ? "{}" : "split"}` : ""}),`),
    "]",
    `for device, devices${splits ? ", more" : ""} in machines:`,
    "    result = hayasa.estimate(",
    "        model, device, devices=devices,",
    ...options.map(([name, value]) => `        ${name}=${value},`),
    ...(splits ? ["        **more,"] : []),
    "    )",
    "    print(hayasa.explain(result))",
    "",
  ].join("\n");
}

// A file is read again, from where it lies.
function modelCode(model) {
  if (isFromFile(model)) return `model, weights = hayasa.read_model(${text(parts.files?.modelOf(model).model.name ?? "")})`;
  if (typeof model === "string") return `model = ${text(model)}`;
  return `model = ${made("", "hayasa.Model", { id: "own", name: OWN_MODEL_NAME, ...ordered(model, MODEL_PARTS) })}`;
}

// What of the model lies in the host's memory; a machine whose processor has the same memory leaves nothing there.
function splitCode({ host, host_memory_bytes, gpu_layers, cpu_moe_layers }) {
  const listed = host && tables.devices.get(host);
  const fields = listed && {
    id: host,
    name: listed.name,
    memory_bandwidth_bytes_per_s: listed.memory_bandwidth_bytes_per_s,
    memory_capacity_bytes: host_memory_bytes ?? 0,
  };
  const parts = Object.entries({ gpu_layers, cpu_moe_layers }).filter(([, value]) => value !== null);
  return [
    "split = dict(",
    ...(fields ? [`    host=${made("    ", "hayasa.Host", fields)},`] : []),
    ...parts.map(([name, value]) => `    ${name}=${value},`),
    ")",
  ].join("\n");
}

function keepsAll(machine) {
  return Boolean(listedDevice(tables, machine)?.shares_memory);
}

function deviceCode({ device, memory_bytes }) {
  if (typeof device !== "string") return made("    ", "hayasa.Device", { id: "own", ...ordered({ ...device, name: device.name || OWN_DEVICE_NAME }, DEVICE_PARTS) });
  if (memory_bytes === null) return text(device);
  return `replace(hayasa.get_device(${text(device)}), memory_capacity_bytes=${memory_bytes})`;
}

// However the reader came to it, the same choice is the same program.
function ordered(own, parts) {
  return Object.fromEntries(Object.values(parts).map((field) => [field, own[field]]));
}

function made(indent, name, fields) {
  const written = Object.entries(fields).filter(([, value]) => value !== "" && value !== 0 && value !== undefined);
  const lines = written.map(([key, value]) => `${indent}    ${key}=${typeof value === "string" ? text(value) : value},\n`);
  return `${name}(\n${lines.join("")}${indent})`;
}

// A JSON string is a Python string, too.
function text(value) {
  return JSON.stringify(value);
}
