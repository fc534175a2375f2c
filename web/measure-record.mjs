// What is kept of a record: in an address, and in a command; and which machine it may be of.

import { readNumber } from "./input.mjs";
import { DECODED_FORMATS, SHAPED_MODELS } from "./measure-session.mjs";

export const RECORD_FILE = "hayasa-browser.json";
const MOST_TEXT = 80;
const SPEED_RULE = (label) => ({ label, minimum: 1e-9, maximum: 1e18 });
// In the address: amounts per second.
const AMOUNTS = { read: "reading", product: "product", cpu: "processor" };

/**
 * What a record says in a few numbers.
 * @param {object} record - As `measureAll` makes it.
 * @returns {object} `device` (an id, or empty), `on` (a date), `machine` (what the browser calls it), `reading` and
 *   `processor` (bytes/s), `product` (FLOP/s), each null if it was not measured, and `decoding`: `model`, `weights`,
 *   `tokens_per_s`.
 */
export function summaryOf({ device, measured_on, gpu, reading, product, processor, decoding }) {
  return {
    device,
    on: measured_on,
    machine: gpu ? gpuName(gpu) : "",
    reading: reading.at(-1)?.median ?? null,
    product: product?.median ?? null,
    processor: processor?.tasks.read?.all.median ?? null,
    decoding: decoding.map(({ model, weights, tokens_per_s }) => ({ model, weights, tokens_per_s })),
  };
}

export function gpuName({ renderer, vendor, architecture, device, description }) {
  return (
    renderer || description || [vendor, architecture, device].filter(Boolean).join(" ") || "名前は伝えられていません"
  );
}

/** Write a summary behind the `#` of an address: nothing of it is sent to where the page comes from. */
export function writeFragment(summary) {
  const parts = [
    ["on", summary.on],
    ["device", summary.device],
    ["machine", [...summary.machine].slice(0, MOST_TEXT).join("")],
  ];
  for (const [key, name] of Object.entries(AMOUNTS)) {
    if (summary[name] !== null) parts.push([key, short(summary[name])]);
  }
  for (const { model, weights, tokens_per_s } of summary.decoding) {
    parts.push(["decode", `${model}:${weights}:${short(tokens_per_s)}`]);
  }
  const said = parts.filter(([, value]) => value);
  return `#${said.map(([key, value]) => `${key}=${encodeURIComponent(value).replaceAll("%3A", ":")}`).join("&")}`;
}

const short = (value) => String(Number(value.toPrecision(4)));

/**
 * Read what `writeFragment` wrote.
 * @param {string} fragment - From `#` on.
 * @param {object} tables - Those of `estimator.mjs`.
 * @returns {{summary: ?object, problems: string[]}} No summary if there is nothing in it, and what could not be used.
 */
export function readFragment(fragment, tables) {
  const said = new URLSearchParams(fragment.replace(/^#/, ""));
  const problems = [];
  const number = (text, label) => {
    const { value, problem } = readNumber(text.slice(0, MOST_TEXT), SPEED_RULE(label));
    if (problem) problems.push(`アドレスの ${problem}`);
    return problem ? null : value;
  };
  const text = (key) => [...(said.get(key) ?? "")].slice(0, MOST_TEXT).join("");
  const summary = { device: text("device"), on: text("on"), machine: text("machine"), decoding: [] };
  if (summary.device && !tables.devices.has(summary.device)) {
    problems.push(`アドレスの機械 ${summary.device} は、表にありません。`);
    summary.device = "";
  }
  if (!/^(\d{4}-\d\d-\d\d)?$/.test(summary.on)) summary.on = "";
  for (const [key, name] of Object.entries(AMOUNTS)) summary[name] = said.has(key) ? number(said.get(key), key) : null;
  for (const one of said.getAll("decode").slice(0, SHAPED_MODELS.length * DECODED_FORMATS.length)) {
    const [model, weights, speed = ""] = one.split(":");
    const tokens_per_s = number(speed, "decode");
    const known = SHAPED_MODELS.includes(model) && DECODED_FORMATS.includes(weights);
    if (!known) problems.push(`アドレスの decode=${one.slice(0, MOST_TEXT)} は使えません。`);
    else if (tokens_per_s) summary.decoding.push({ model, weights, tokens_per_s });
  }
  const empty = !summary.decoding.length && Object.values(AMOUNTS).every((name) => !summary[name]);
  return { summary: empty ? null : summary, problems };
}

/** The commands that hold what was decoded against hayasa's estimates, in a shell: the whole record, or one speed. */
export function checkCommands({ device, decoding }) {
  if (!decoding.length) return [];
  const whole = `hayasa check ${RECORD_FILE}${device ? "" : " --device 機種のid"}`;
  const each = decoding.map(
    ({ model, weights, tokens_per_s }) =>
      `hayasa check --model ${model} --weights ${weights} --device ${device || "機種のid"} --measured ${short(tokens_per_s)}`,
  );
  return [whole, ...each];
}

/**
 * Find the listed machines that a text may speak of.
 * @param {string} text - What the browser calls the GPU.
 * @param {Iterable<object>} devices - With `id` and `name`.
 * @returns {string[]} Ids: all those whose name says most of what the text says; several where cores or memory differ.
 */
export function devicesCalled(text, devices) {
  const said = ` ${nameWords(text).join(" ")} `;
  let [most, found] = [0, []];
  for (const { id, name } of devices) {
    // What no browser tells: how many cores, how much memory.
    const words = nameWords(name.replace(/[（(].*?[）)]/g, "").replace(/\s\d+\s*GB\b/g, ""));
    if (!words.some((word) => /\d/.test(word)) || !said.includes(` ${words.join(" ")} `)) continue;
    if (words.length > most) [most, found] = [words.length, []];
    if (words.length === most) found.push(id);
  }
  return found;
}

const nameWords = (text) =>
  text
    .toLowerCase()
    .replace(/\((r|tm|c)\)/g, "")
    .split(/[^a-z0-9+.-]+/)
    .filter(Boolean);

/** What the browser calls the GPU that it draws with, which says more than WebGPU does; empty if it says nothing. */
export function rendererName() {
  const gl = document.createElement("canvas").getContext("webgl");
  if (!gl) return "";
  const told = gl.getExtension("WEBGL_debug_renderer_info")?.UNMASKED_RENDERER_WEBGL ?? gl.RENDERER;
  const name = String(gl.getParameter(told) ?? "");
  gl.getExtension("WEBGL_lose_context")?.loseContext();
  return name;
}
