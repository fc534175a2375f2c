// 速度計算機: choices above, answers that move with them, and the sum behind each.
//
// Everything goes one way. What the reader does makes a new state; from the state come the answers; and every room of
// the page shows its part of both:
//
//   what is chosen          state, as text in address, and in the browser's addressbar
//   how it is chosen        form and machines, of fields and menus, further and own behind them; input reads numbers; files
//                           reads a model from a file of the reader's
//   what is said to it      answers; in the cards of the machines, read out by the announcer
//   below it                charts, rooflines and sums; in choosing, other machines that would do; as a program in python;
//                           what goes in other ways, and how long prompts take
//   what others have found  measured, with measurements, the nearest of them and their comparison with the estimate
//   how all is drawn        dom, plot and speedplot
//
// What can wait until the answers are painted comes then, with below; what is not seen before a reader asks for it
// (sums, choosing, python, measurements) is fetched when one does.

import { asksForView, readAddress, writeAddress } from "./address.mjs";
import { addressBar, copyButton } from "./addressbar.mjs";
import { announcer } from "./announcer.mjs";
import { announcementOf, answersTo, partsFor, verdictOf } from "./answers.mjs";
import { h, nextTask, onceAfterPaint, replace } from "./dom.mjs";
import { GIB } from "./estimator.mjs";
import { conditionsForm } from "./form.mjs";
import { readNumber } from "./input.mjs";
import { fillLater, later, lost, parts } from "./later.mjs";
import { machineList } from "./machines.mjs";
import { isListed, withMachine, withOneMoreMachine, withoutMachine } from "./state.mjs";

// Machines that many have, by what the browser says it runs on: name, device, GB where there are several amounts.
const MACS = [
  ["M1", "apple-m1-8c", 8],
  ["M2", "apple-m2-8c", 16],
  ["M4", "apple-m4-10c", 16],
  ["M4 Pro", "apple-m4-pro-20c", 24],
  ["M4 Max", "apple-m4-max-40c", 64],
];
const CARDS = [
  ["RTX 4060", "rtx-4060"],
  ["RTX 3060", "rtx-3060", 12],
  ["RTX 4090", "rtx-4090"],
  ["RTX 5070 Ti", "rtx-5070-ti"],
  ["GPUのないPC", "ddr5-5600-dual"],
];
const ofApple = () => /Mac|iP/.test(navigator.userAgent);
const likely = () => (ofApple() ? [...MACS, ...CARDS] : [...CARDS, ...MACS]);

// A first visitor sees a model that many run, on a machine of that sort.
function viewIn(search) {
  if (asksForView(search)) return search;
  const machine = ofApple() ? "apple-m4-10c@16" : "rtx-4060";
  return `?model=llama-3.1-8b&weights=q4_k_m&engine=llama.cpp&batch=1&context=2048&machine=${machine}`;
}

/**
 * Build the calculator inside an element, step by step, so that the page never stands still for long.
 * @param {HTMLElement} root - An empty element; what is in it is replaced.
 * @param {object} tables - Those of `estimator.mjs`.
 */
export async function mountCalculator(root, tables) {
  const calculator = new Calculator(root, tables);
  calculator.fillConditions();
  await nextTask();
  calculator.machines.fill(calculator.view.state);
  await nextTask();
  calculator.show();
  calculator.machines.element.after(calculator.actions); // where they stay: what stands above them is here
  calculator.announcer.hush(); // whoever comes reads the page; only what changes is announced
  await nextTask(); // the answers are painted
  await calculator.bringLowerRooms();
}

class Calculator {
  constructor(root, tables) {
    this.root = root;
    this.tables = tables;
    // All that changes.
    this.view = {
      ...readAddress(viewIn(location.search), tables), // `state`, what is chosen; `problems`, what of the address has no meaning
      answers: [], // to the state, one per machine
      measurements: null, // once the lower rooms know more of them
      width: 0, // of a chart in pixels, once it is known
    };
    this.addressBar = addressBar((search, followed) => this.open(search, followed));
    this.lower = null; // the rooms below the answers, once they have come
    this.showRest = onceAfterPaint(() => this.showLowerRooms());
    this.buildRooms();
  }

  buildRooms() {
    const { tables } = this;
    const change = (update, done) => this.change(update, done);
    this.notice = h("div.hy-notice", { role: "note", hidden: true });
    this.conditions = conditionsForm(tables, change);
    this.machines = machineList(tables, {
      change,
      add: () => this.addMachine(),
      remove: (index) => this.removeMachine(index),
    });
    this.verdict = h("p.hy-verdict");
    this.below = h("div");
    this.announcer = announcer();
    const copy = copyButton(() => writeAddress(this.view.state));
    this.actions = h("p.hy-actions", {}, this.machines.addButton, copy);
    replace(
      this.root,
      this.notice,
      h("section.hy-panel", { "aria-label": "条件" }, this.conditions.element),
      !asksForView(location.search) && this.machineAsked(),
      this.machines.element,
      this.verdict,
      this.below,
      this.announcer.element,
    );
  }

  /** The first machine is an example, so the reader's own is asked for. */
  machineAsked() {
    const button = ([name, device, gigabytes]) =>
      h("button.hy-button", { type: "button", onclick: () => this.changeMachines(choose(device, gigabytes), 0) }, name);
    const choose = (device, gigabytes) => (state) =>
      withMachine(state, 0, { device, memory_bytes: gigabytes ? gigabytes * GIB : null });
    return h(
      "div.hy-asked",
      { role: "group", "aria-label": "お使いの機械" },
      h("span", {}, "お使いの機械は"),
      likely().map(button),
    );
  }

  /** Have what a choice needs: what computes with a host, or reads a model of a file. */
  async bring(part) {
    try {
      await later("below");
      await later(part);
      this.show();
      if (part === "files") this.conditions.fill(this.view.state); // it has a name there
    } catch {
      replace(this.notice, h("p.hy-problem", {}, lost(part)));
      this.notice.hidden = false;
    }
  }

  /** Have what is below the answers; where it does not come, a button asks again. */
  async bringLowerRooms() {
    const build = ({ lowerRooms }) => {
      this.lower = lowerRooms(this.tables, this.view, {
        change: (update, done) => this.change(update, done),
        announce: (text) => this.announcer.announce(text),
      });
      this.lower.open();
      this.conditions.complete(this.view.state);
      if (!this.view.state.machines.every(({ device }) => isListed(device))) this.machines.fill(this.view.state);
      this.machines.show(this.view);
      this.showLowerRooms();
      return this.lower.elements;
    };
    fillLater(this.below, "below", build);
    await later("below").catch(() => null);
  }

  // ---------------------------------------------------------------- from the choice to the answers

  /** The reader has changed something; `done` if it is not still moving. */
  change(update, done = true) {
    const { view } = this;
    const before = view.state;
    view.state = update(before);
    if (view.state !== before) this.show();
    if (done) this.addressBar.remember(writeAddress(view.state));
  }

  addMachine() {
    this.changeMachines(withOneMoreMachine, this.view.state.machines.length);
  }

  removeMachine(index) {
    this.changeMachines((state) => withoutMachine(state, index), Math.max(0, index - 1));
  }

  changeMachines(update, focused) {
    this.view.state = update(this.view.state);
    this.machines.fill(this.view.state);
    this.show();
    this.addressBar.remember(writeAddress(this.view.state));
    this.machines.focus(focused);
  }

  /** Show another view. The form is made anew; whoever stood in it stands in the same place again. */
  open(search, followed) {
    const controls = () => [...this.root.querySelectorAll("input, select, button, summary")];
    const place = controls().indexOf(document.activeElement);
    Object.assign(this.view, readAddress(viewIn(search), this.tables));
    this.fillConditions();
    this.machines.fill(this.view.state);
    this.show();
    const lost = place >= 0 && !this.root.contains(document.activeElement);
    if (lost)
      controls()
        .at(Math.min(place, controls().length - 1))
        .focus();
    if (followed) this.root.scrollIntoView({ block: "start" });
  }

  // ---------------------------------------------------------------- what the rooms show

  fillConditions() {
    const { state, problems } = this.view;
    replace(
      this.notice,
      problems.map((problem) => h("p", {}, problem)),
      problems.length && h("p", {}, "使えなかったところは、既定の条件で計算しています。"),
    );
    this.notice.hidden = !problems.length;
    this.conditions.fill(state);
    this.lower?.open();
  }

  show() {
    const { view } = this;
    view.answers = answersTo(this.tables, view.state);
    for (const part of partsFor(view.state)) if (!parts[part]) this.bring(part);
    this.machines.show(view);
    this.verdict.textContent = verdictOf(view.answers);
    this.showRest();
    this.announcer.announce(announcementOf(view.answers));
  }

  /** What is not looked at while a slider moves can wait until the frame with the numbers is painted. */
  showLowerRooms() {
    const { view } = this;
    // What does not fit may be split: how fast that would be is told when what computes it has come.
    const splits = view.answers.some(({ result }) => result?.fits === false && parts.below?.mayBeSplit(result));
    if (splits && !parts.offload)
      later("offload").then(
        () => this.machines.show(view),
        () => null,
      );
    this.conditions.show(view);
    this.lower?.show();
  }
}

export { readAddress, readNumber, writeAddress };
