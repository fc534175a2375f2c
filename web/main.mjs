// The entry: has what the page asks for built. Without a page, hayasa's functions for a console or a test.

import { h, nextTask, replace } from "./dom.mjs";
import { estimate, makeDevice, makeModel, significant, tables } from "./estimator.mjs";
import { later, lost, parts } from "./later.mjs";

// A script that the page itself names waits until all of these have run; one that comes later has no need to.
if (globalThis.document?.currentScript.defer) document.addEventListener("DOMContentLoaded", start);
else if (globalThis.document) start();

async function start() {
  await build(".hayasa-figure", "figures", ({ mountFigure }, root) => mountFigure(root, tables));
  await build(".hayasa-calculator", "calculator", ({ mountCalculator }, root) => mountCalculator(root, tables));
  performance.mark("hayasa-ready");
  document.documentElement.dataset.hayasaReady = performance.now().toFixed(1);
}

async function build(place, name, mount) {
  for (const root of document.querySelectorAll(place)) {
    await nextTask();
    const part = await later(name).catch(() => null);
    if (part) await mount(part, root);
    else replace(root, h("p.hy-problem", {}, lost(name)));
  }
}

export { estimate, makeDevice, makeModel, parts, significant, tables };
