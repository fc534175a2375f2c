// The live figures of a page, built as the reader comes near. Most need no estimator: their numbers are computed when
// the book is made. For those that do, it comes then.

import { nextTask, runScript } from "./dom.mjs";
import { mountEight, passing, schedule } from "./eight.mjs";
import { boundAt, cacheBytes, mountFilling } from "./filling.mjs";
import { live } from "./live-data.mjs";
import { draw, mountLottery } from "./lottery.mjs";
import { dequantized, half, mountNibbles, weightsIn } from "./nibbles.mjs";
import { levels, mountPipes } from "./pipes.mjs";
import { whenNear } from "./stage.mjs";
import { mountWaterfall, pile } from "./waterfall.mjs";

const FIGURES = {
  eight: mountEight,
  filling: mountFilling,
  lottery: mountLottery,
  nibbles: mountNibbles,
  pipes: mountPipes,
  waterfall: mountWaterfall,
};

// The scripts of the estimator lie beside this one; once they are here, they build every figure that asks for them.
const beside = globalThis.document?.currentScript.src;
const estimator = { coming: null };

function bringEstimator() {
  const run = (name) => () => runScript(new URL(name, beside).href);
  estimator.coming ??= run("hayasa-tables.js")().then(run("hayasa.js"));
}

async function start() {
  for (const root of document.querySelectorAll(".hayasa-figure")) whenNear(root, bringEstimator);
  for (const root of document.querySelectorAll(".hayasa-live")) {
    await nextTask();
    const { live: kind } = root.dataset;
    if (!FIGURES[kind]) throw new Error(`data-live="${kind}" は、${Object.keys(FIGURES).join("、")} のどれかです。`);
    whenNear(root, () => FIGURES[kind](root, live[kind]));
  }
  document.documentElement.dataset.hayasaLive = "";
}

if (globalThis.document) start();

export { boundAt, cacheBytes, dequantized, draw, half, levels, passing, pile, schedule, weightsIn };
