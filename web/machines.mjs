// The machines side by side: which each is, and beneath it what hayasa answers.

import { answerParts } from "./cards.mjs";
import { h, replace } from "./dom.mjs";
import { GIB } from "./estimator.mjs";
import { menu, numberField } from "./fields.mjs";
import { parts } from "./later.mjs";
import { smallMarker } from "./marks.mjs";
import { deviceGroups, OWN_CHOICE } from "./menus.mjs";
import { isListed, MAX_MACHINES, numberRules, withMachine } from "./state.mjs";

const DEVICE_EXAMPLE = "apple-m4-10c";

/**
 * The machines.
 * @param {object} tables - Those of `estimator.mjs`.
 * @param {object} on - What to call.
 * @param {(update: (state: object) => object, done?: boolean) => void} on.change - As for `conditionsForm`.
 * @param {() => void} on.add - Called when the reader wants one more machine.
 * @param {(index: number) => void} on.remove - Called when one is to go.
 * @returns {{element: HTMLElement, addButton: HTMLElement, fill: (state: object) => void,
 *   show: (view: object) => void, focus: (index: number) => void}} `fill` makes the fields anew, for a state; `show`
 *   puts the answers into the cards.
 */
export function machineList(tables, { change, add, remove }) {
  const element = h("div.hy-machines");
  const addButton = h("button.hy-button", { type: "button", onclick: add }, "＋ 機械を加えて比べる");
  let cards = [];
  return {
    element,
    addButton,
    fill(state) {
      const alone = state.machines.length === 1;
      cards = state.machines.map((machine, index) =>
        machineCard(tables, machine, index, change, alone ? null : remove),
      );
      replace(
        element,
        cards.map((card) => card.element),
      );
      addButton.disabled = cards.length >= MAX_MACHINES;
    },
    show({ state, answers }) {
      for (const [index, answer] of answers.entries()) {
        const { output } = cards[index];
        const ways = parts.below?.waysOut(tables, state, answer) ?? [];
        const open = Boolean(output.querySelector("details[open]"));
        replace(output, answerParts(answer, ways, state.answer_length, open));
      }
    },
    focus: (index) => cards[index].select.focus(),
  };
}

function machineCard(tables, machine, index, change, remove) {
  const set = (values, done) => change((state) => withMachine(state, index, values), done);
  const details = h("div.hy-own");
  const output = h("div.hy-output");
  const { element: device, select } = menu({
    label: "機種",
    long: true,
    groups: deviceGroups(tables),
    value: isListed(machine.device) ? machine.device : OWN_CHOICE,
    onvalue: (value, said = {}) => {
      const chosen = { device: value === OWN_CHOICE ? deviceExample(tables) : value, memory_bytes: null };
      const options = tables.devices.get(value)?.memory_options_bytes;
      const bytes = said.memoryGb * GIB;
      if (bytes && (options?.length === 0 || options?.includes(bytes))) chosen.memory_bytes = bytes;
      set(said.devices ? { ...chosen, devices: said.devices } : chosen);
      if (said.devices) count.set(said.devices);
      replace(details, deviceDetails(chosen));
    },
  });
  const deviceDetails = (chosen) =>
    isListed(chosen.device)
      ? memoryField(tables, chosen, set)
      : parts.below?.ownDevice(tables, chosen.device, index, change);
  const count = numberField({
    rule: numberRules(tables.constants).devices,
    value: machine.devices,
    onvalue: (devices, done) => set({ devices }, done),
  });
  replace(details, deviceDetails(machine));
  const element = h(
    "fieldset.hy-machine",
    {},
    h("legend", {}, smallMarker(index, { "aria-hidden": "true" }), ` 機械 ${index + 1}`),
    remove && removeButton(index, remove),
    h("div.hy-device", {}, device, details, count.element),
    output,
  );
  return { element, output, select };
}

function removeButton(index, remove) {
  const attributes = { type: "button", "aria-label": `機械 ${index + 1} を外す`, onclick: () => remove(index) };
  return h("button.hy-button.hy-remove", attributes, "外す");
}

// Of the amounts that it is sold with, or what the reader has put into it.
function memoryField(tables, { device, memory_bytes }, set) {
  const options = tables.devices.get(device).memory_options_bytes;
  if (options.length === 1) return null;
  if (!options.length) {
    const rule = numberRules(tables.constants).memory_bytes;
    const onvalue = (bytes, done) => set({ memory_bytes: bytes }, done);
    return numberField({ rule, value: memory_bytes, factor: GIB, unit: "GB", onvalue }).element;
  }
  return menu({
    label: "メモリ",
    groups: [["", options.map((bytes) => [String(bytes), `${bytes / GIB} GB`])]],
    value: String(memory_bytes ?? tables.devices.get(device).memory_capacity_bytes),
    onvalue: (bytes) => set({ memory_bytes: Number(bytes) }),
  }).element;
}

// Where the reader's own numbers begin.
function deviceExample(tables) {
  const { family, memory_bandwidth_bytes_per_s, memory_capacity_bytes } = tables.devices.get(DEVICE_EXAMPLE);
  return { family: family.split("-")[0], memory_bandwidth_bytes_per_s, memory_capacity_bytes };
}
