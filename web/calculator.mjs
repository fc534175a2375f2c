// 速度計算機: choices above, answers that move with them, and the sum behind each.
//
// Everything goes one way. What the reader does makes a new state; from the state come the answers; and every room of
// the page shows its part of both:
//
//   what is chosen          state, as text in address, and in the browser's addressbar
//   how it is chosen        form and machines, of fields and menus; input reads numbers
//   what is said to it      answers; in the cards of the machines, in charts and sums, read out by the announcer;
//                           in choosing, other machines that would do, and as a program in python
//   what others have found  measured, with measurements, the nearest of them and their comparison with the estimate
//   how all is drawn        dom and plot
//
// What is not seen at once (sums, choosing, python, measurements) is fetched later, when a reader asks for it.

import { readAddress, writeAddress } from "./address.mjs";
import { addressBar, copyButton } from "./addressbar.mjs";
import { announcer } from "./announcer.mjs";
import { announcementOf, answersTo, verdictOf } from "./answers.mjs";
import { sumsPanel } from "./answersums.mjs";
import { rooflinePanel, speedPanel } from "./charts.mjs";
import { h, nextTask, onceAfterPaint, replace } from "./dom.mjs";
import { conditionsForm } from "./form.mjs";
import { readNumber } from "./input.mjs";
import { foldedRoom } from "./later.mjs";
import { machineList } from "./machines.mjs";
import { canBeMeasured, comparisonPanel, fetchMeasurements, UNASKED } from "./measured.mjs";
import { withOneMoreMachine, withoutMachine } from "./state.mjs";

const NEAR = "600px"; // measurements are asked for when what shows them is as near as this to the part of the page in view

/**
 * Build the calculator inside an element, step by step, so that the page never stands still for long.
 * @param {HTMLElement} root - An empty element; what is in it is replaced.
 * @param {object} tables - Those of `estimator.mjs`.
 */
export async function mountCalculator(root, tables) {
  const calculator = new Calculator(root, tables);
  calculator.followWidth();
  calculator.fillConditions();
  await nextTask();
  calculator.machines.fill(calculator.view.state);
  await nextTask();
  calculator.show();
  calculator.announcer.hush(); // whoever comes reads the page; only what changes is announced
  calculator.followReader();
}

class Calculator {
  constructor(root, tables) {
    this.root = root;
    this.tables = tables;
    // All that changes.
    this.view = {
      ...readAddress(location.search, tables), // `state`, what is chosen; `problems`, what of the address has no meaning
      answers: [], // to the state, one per machine
      measurements: UNASKED,
      near: false, // whether the reader has been where measurements are shown
      width: 0, // of a chart in pixels, once it is known
    };
    this.addressBar = addressBar((search, followed) => this.open(search, followed));
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
    this.speed = speedPanel();
    this.roofline = rooflinePanel();
    this.comparison = comparisonPanel(() => this.askForMeasurements(true));
    this.sums = sumsPanel();
    this.choosing = foldedRoom("機械、形式、モデルを探す", "choosing", ({ choosingRoom }) =>
      choosingRoom(tables, change),
    );
    this.code = foldedRoom("同じ計算をPythonでする", "python", ({ codeRoom }) => codeRoom());
    this.announcer = announcer();
    const copy = copyButton(() => writeAddress(this.view.state));
    replace(
      this.root,
      this.notice,
      h("section.hy-panel", { "aria-label": "条件" }, this.conditions.element),
      this.machines.element,
      h("p.hy-actions", {}, this.machines.addButton, copy),
      this.verdict,
      [this.speed, this.roofline, this.comparison, this.sums, this.choosing, this.code].map(({ element }) => element),
      this.announcer.element,
    );
  }

  /** Draw the charts as wide as the page is. */
  followWidth() {
    new ResizeObserver(([entry]) => this.resize(entry.contentRect.width)).observe(this.speed.chart);
  }

  /** Ask for the measurements when the reader comes near them. */
  followReader() {
    const nearness = new IntersectionObserver(
      (entries) => {
        if (entries.some((entry) => entry.isIntersecting)) this.comeNear();
      },
      { rootMargin: NEAR },
    );
    for (const room of [this.speed, this.comparison]) nearness.observe(room.element);
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
    Object.assign(this.view, readAddress(search, this.tables));
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
    if (state.find) this.choosing.element.open = true;
  }

  show() {
    const { view } = this;
    view.answers = answersTo(this.tables, view.state);
    this.machines.show(view);
    this.verdict.textContent = verdictOf(view.answers);
    this.speed.show(view);
    this.showRest();
    this.announcer.announce(announcementOf(view.answers));
  }

  /** What is not looked at while a slider moves can wait until the frame with the numbers is painted. */
  showLowerRooms() {
    const { view } = this;
    this.conditions.show(view);
    this.roofline.show(view);
    this.comparison.show(view);
    this.sums.show(view);
    this.choosing.show(view);
    this.code.show(view);
    if (view.near) this.comeNear();
  }

  resize(width) {
    const { view } = this;
    if (Math.abs(width - view.width) <= 1) return;
    view.width = width;
    this.speed.show(view);
    this.roofline.show(view);
  }

  // ---------------------------------------------------------------- measurements

  comeNear() {
    this.view.near = true;
    if (this.view.measurements === UNASKED && canBeMeasured(this.view.state)) this.askForMeasurements(false);
  }

  /** Fetch the measurements; what became of it is said to those who have pressed the button. */
  async askForMeasurements(pressed) {
    if (this.view.measurements.status === "coming") return;
    await fetchMeasurements(this.tables, (measurements) => this.receive(measurements));
    if (pressed && this.view.measurements.status === "lost") {
      this.announcer.announce(this.comparison.element.textContent);
    }
  }

  receive(measurements) {
    this.view.measurements = measurements;
    this.speed.show(this.view);
    this.comparison.show(this.view);
  }
}

export { readAddress, readNumber, writeAddress };
