// The entry: builds what the page asks for. Without a page, hayasa's functions for a console or a test.

import { readAddress, writeAddress } from "./address.mjs";
import { mountCalculator } from "./calculator.mjs";
import { nextTask } from "./dom.mjs";
import { estimate, explanation, makeDevice, makeModel, significant, tables } from "./estimator.mjs";
import { mountFigure } from "./figures.mjs";
import { readNumber } from "./input.mjs";
import { pythonCode } from "./python.mjs";

// What is asked for later lies beside this script.
const MEASUREMENTS_SCRIPT = "hayasa-measurements.js";
const scriptAddress = globalThis.document?.currentScript.src;

if (globalThis.document) start();

async function start() {
  for (const root of document.querySelectorAll(".hayasa-figure")) {
    await nextTask();
    mountFigure(root, tables);
  }
  for (const root of document.querySelectorAll(".hayasa-calculator")) {
    await nextTask();
    await mountCalculator(root, tables, new URL(MEASUREMENTS_SCRIPT, scriptAddress).href);
  }
  performance.mark("hayasa-ready");
  document.documentElement.dataset.hayasaReady = performance.now().toFixed(1);
}

export {
  estimate,
  explanation,
  makeDevice,
  makeModel,
  pythonCode,
  readAddress,
  readNumber,
  significant,
  tables,
  writeAddress,
};
