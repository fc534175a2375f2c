// The live figures that need no estimator: their numbers are computed when the book is made. Each comes in a script of
// its own, with its numbers, as the reader comes near.

import { h, nextTask, replace } from "./dom.mjs";
import { later, lost, parts } from "./later.mjs";
import { whenNear } from "./near.mjs";

// By the name of the module.
const LIVE_FIGURES = {
  climb: ({ mountClimb }) => mountClimb,
  drawing: ({ mountDrawing }) => mountDrawing,
  eight: ({ mountEight }) => mountEight,
  filling: ({ mountFilling }) => mountFilling,
  fitting: ({ mountFitting }) => mountFitting,
  lottery: ({ mountLottery }) => mountLottery,
  nibbles: ({ mountNibbles }) => mountNibbles,
  pipes: ({ mountPipes }) => mountPipes,
  queue: ({ mountQueue }) => mountQueue,
  rounds: ({ mountRounds }) => mountRounds,
  slow: ({ mountSlow }) => mountSlow,
  split: ({ mountSplit }) => mountSplit,
  walk: ({ mountWalk }) => mountWalk,
  waterfall: ({ mountWaterfall }) => mountWaterfall,
};

async function startLive() {
  for (const root of document.querySelectorAll(".hayasa-live")) {
    await nextTask();
    const { live: kind } = root.dataset;
    if (!LIVE_FIGURES[kind])
      throw new Error(`data-live="${kind}" は、${Object.keys(LIVE_FIGURES).join("、")} のどれかです。`);
    whenNear(root, () => bringLive(root, kind));
  }
}

async function bringLive(root, kind) {
  const part = await later(kind).catch(() => null);
  if (part) LIVE_FIGURES[kind](part)(root);
  else replace(root, h("p.hy-problem", {}, lost(kind)));
}

if (globalThis.document) startLive();

export { parts };
