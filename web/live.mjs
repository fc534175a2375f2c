// The live figures that need no estimator: their numbers are computed when the book is made.

import { besides, climbed, mountClimb, nearest } from "./climb.mjs";
import { nextTask } from "./dom.mjs";
import { bent, drawnOver, lineAt, mountDrawing } from "./drawing.mjs";
import { mountEight, passing, schedule } from "./eight.mjs";
import { boundAt, cacheBytes, mountFilling } from "./filling.mjs";
import { errorOfFit, mountFitting } from "./fitting.mjs";
import { live } from "./live-data.mjs";
import { draw, mountLottery } from "./lottery.mjs";
import { whenNear } from "./near.mjs";
import { dequantized, half, mountNibbles, weightsIn } from "./nibbles.mjs";
import { levels, mountPipes } from "./pipes.mjs";
import { mountQueue, queued, whole } from "./queue.mjs";
import { carried, longTime, mountSlow } from "./slow.mjs";
import { meanError, speedBy } from "./speeds.mjs";
import { mountWaterfall, pile } from "./waterfall.mjs";

const LIVE_FIGURES = {
  climb: mountClimb,
  drawing: mountDrawing,
  eight: mountEight,
  filling: mountFilling,
  fitting: mountFitting,
  lottery: mountLottery,
  nibbles: mountNibbles,
  pipes: mountPipes,
  queue: mountQueue,
  slow: mountSlow,
  waterfall: mountWaterfall,
};

async function startLive() {
  for (const root of document.querySelectorAll(".hayasa-live")) {
    await nextTask();
    const { live: kind } = root.dataset;
    if (!LIVE_FIGURES[kind])
      throw new Error(`data-live="${kind}" は、${Object.keys(LIVE_FIGURES).join("、")} のどれかです。`);
    whenNear(root, () => LIVE_FIGURES[kind](root, live[kind]));
  }
}

if (globalThis.document) startLive();

export {
  bent,
  besides,
  boundAt,
  cacheBytes,
  carried,
  climbed,
  dequantized,
  draw,
  drawnOver,
  errorOfFit,
  half,
  levels,
  lineAt,
  longTime,
  meanError,
  nearest,
  passing,
  pile,
  queued,
  schedule,
  speedBy,
  weightsIn,
  whole,
};
