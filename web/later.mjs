// What comes in a script of its own, when a reader asks for it; `tools/page/script.py` says which modules do.

import { h, replace, runScript } from "./dom.mjs";

// They lie beside this script.
const here = globalThis.document?.currentScript.src;
const coming = {};

/** What has come: by the name of a module, what it exports. Each script puts its own here. */
export const parts = {};

/**
 * Have what a module exports, which comes in a script of its own.
 * @param {string} name - The module's, without `.mjs`.
 * @returns {Promise<object>} Rejected if it does not come; then it may be asked for again.
 */
export function later(name) {
  coming[name] ??= fetchPart(name).finally(() => delete coming[name]);
  return coming[name];
}

async function fetchPart(name) {
  if (!parts[name]) await runScript(new URL(`hayasa-${name}.js`, here).href);
  if (!parts[name]) throw new Error(lost(name));
  return parts[name];
}

/** What is said where a script did not come, or is one of another edition. */
export function lost(name) {
  return `web/hayasa-${name}.js を読み込めませんでした。通信の状態と、そのファイルがあることを確かめるか、ページを開きなおしてください。`;
}

/**
 * Fill a place with what a part has to show: at once if the part is here, else when it has come.
 * @param {HTMLElement} place - What is in it is replaced.
 * @param {string} name - As for `later`.
 * @param {(part: object) => Array} make - Makes nodes with what the module exports.
 */
export function fillLater(place, name, make) {
  if (parts[name]) {
    replace(place, make(parts[name]));
    return;
  }
  replace(place, h("p", { role: "status" }, "読み込んでいます…"));
  const again = () => {
    place.tabIndex = -1;
    place.focus(); // the button goes
    fillLater(place, name, make);
  };
  later(name).then(
    () => fillLater(place, name, make),
    () =>
      replace(
        place,
        h("p.hy-problem", { role: "alert" }, lost(name)),
        h("p.hy-actions", {}, h("button.hy-button", { type: "button", onclick: again }, "もう一度読み込む")),
      ),
  );
}

/**
 * A folded room whose inside comes when a reader unfolds it, and that computes nothing while it is folded.
 * @param {string} summary - What stands on it.
 * @param {string} name - As for `later`.
 * @param {(part: object) => {element: HTMLElement, show: (view: object) => void}} build - Makes its inside.
 * @returns {{element: HTMLElement, show: (view: object) => void}}
 */
export function foldedRoom(summary, name, build) {
  const inside = h("div");
  let view = null;
  let room = null;
  const show = () => {
    if (!element.open || !view) return;
    if (room) room.show(view);
    else {
      fillLater(inside, name, (part) => {
        room ??= build(part);
        room.show(view);
        return room.element;
      });
    }
  };
  const element = h("details.hy-panel", { "data-part": name, ontoggle: show }, h("summary", {}, summary), inside);
  return {
    element,
    show(shown) {
      view = shown;
      show();
    },
  };
}
