// What is below the answers, and what of them can wait until they are painted.

import { sumsPanel } from "./answersums.mjs";
import { speedPanel } from "./charts.mjs";
import { furtherFields } from "./further.mjs";
import { foldedRoom } from "./later.mjs";
import { canBeMeasured, comparisonPanel, fetchMeasurements, UNASKED } from "./measured.mjs";
import { ownDevice, ownModel } from "./own.mjs";
import { timeFacts } from "./prompts.mjs";
import { rooflinePanel } from "./rooflines.mjs";
import { marksFor, mayBeSplit, remediesFor, usualWeights, waysOut } from "./ways.mjs";

// Measurements are asked for when what shows them is in view or, for whoever has begun to go there, as near as this.
const NEAR = "600px";

/**
 * The rooms below the answers.
 * @param {object} tables - Those of `estimator.mjs`.
 * @param {object} view - That of the calculator; its `measurements` are kept here.
 * @param {object} on - What to call.
 * @param {(update: (state: object) => object, done?: boolean) => void} on.change - As for `conditionsForm`.
 * @param {(text: string) => void} on.announce - Called with what is to be read out.
 * @returns {{elements: HTMLElement[], show: () => void, open: () => void}} `open` unfolds what an address asks for.
 */
export function lowerRooms(tables, view, { change, announce }) {
  let near = false; // whether the reader has been where measurements are shown
  const receive = (measurements) => {
    view.measurements = measurements;
    speed.show(view);
    comparison.show(view);
  };
  // What became of the measurements is said to those who have pressed the button.
  const ask = async (pressed) => {
    if (view.measurements.status === "coming") return;
    await fetchMeasurements(tables, receive);
    if (pressed && view.measurements.status === "lost") announce(comparison.element.textContent);
  };
  const comeNear = () => {
    near = true;
    if (view.measurements === UNASKED && canBeMeasured(view.state)) ask(false);
  };
  const speed = speedPanel();
  const roofline = rooflinePanel();
  const comparison = comparisonPanel(() => ask(true));
  const choosing = foldedRoom("機械、形式、モデルを探す", "choosing", ({ choosingRoom }) =>
    choosingRoom(tables, change),
  );
  const code = foldedRoom("同じ計算をPythonでする", "python", ({ codeRoom }) => codeRoom());
  const check = foldedRoom("測った速さが普通かを確かめる", "check", ({ checkRoom }) => checkRoom(tables, change));
  const drafts = foldedRoom("下書きで速くする", "drafts", ({ draftsRoom }) => draftsRoom(tables, change));
  const energy = foldedRoom("電力と電気代", "energy", ({ energyRoom }) => energyRoom(tables, change));
  const rooms = [speed, roofline, comparison, sumsPanel(), check, energy, drafts, choosing, code];
  const watch = (rootMargin) => {
    const come = (entries) => entries.some((entry) => entry.isIntersecting) && comeNear();
    const watcher = new IntersectionObserver(come, { rootMargin });
    for (const room of [speed, comparison]) watcher.observe(room.element);
  };
  watch("0px");
  addEventListener("scroll", () => watch(NEAR), { once: true });
  // Charts are drawn as wide as the page is, a frame later: what resizes while it is observed is an error in WebKit.
  const resize = new ResizeObserver(([{ contentRect }]) => {
    if (Math.abs(contentRect.width - view.width) <= 1) return;
    view.width = contentRect.width;
    requestAnimationFrame(() => {
      for (const room of [speed, roofline]) room.show(view);
    });
  });
  resize.observe(speed.chart);
  view.measurements = UNASKED;
  return {
    elements: rooms.map(({ element }) => element),
    show() {
      for (const room of rooms) room.show(view);
      if (near) comeNear();
    },
    open() {
      const { find, draft, draft_text, measured, measured_prompt, yen_per_kwh, hours_per_day, rated_power_w } =
        view.state;
      if (measured ?? measured_prompt) check.element.open = true;
      if (find) choosing.element.open = true;
      if (draft ?? draft_text) drafts.element.open = true;
      if (yen_per_kwh ?? hours_per_day ?? rated_power_w) energy.element.open = true;
    },
  };
}

export { furtherFields, marksFor, mayBeSplit, ownDevice, ownModel, remediesFor, timeFacts, usualWeights, waysOut };
