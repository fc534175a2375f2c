// The entry of a chapter's page: takes the guesses, and has its live figures come as the reader does.

import { nextTask, runScript } from "./dom.mjs";
import { miss, mountGuess, steps } from "./guess.mjs";
import { whenNear } from "./near.mjs";

// They lie beside this script, and each builds what asks for it.
const FIGURES = {
  ".hayasa-live": ["hayasa-live.js"],
  ".hayasa-figure": ["hayasa-tables.js", "hayasa.js"],
};
const home = globalThis.document?.currentScript.src;

async function startChapter() {
  for (const root of document.querySelectorAll(".hayasa-guess")) {
    await nextTask();
    mountGuess(root);
  }
  for (const [place, scripts] of Object.entries(FIGURES)) {
    const roots = document.querySelectorAll(place);
    const come = once(() => scripts.reduce((before, name) => before.then(() => bring(name)), Promise.resolve()));
    for (const root of roots) whenNear(root, come);
  }
  document.documentElement.dataset.hayasaChapter = "";
}

const bring = (name) => runScript(new URL(name, home).href);

function once(task) {
  let done = false;
  return () => {
    if (!done) task();
    done = true;
  };
}

if (globalThis.document) startChapter();

export { miss, steps };
