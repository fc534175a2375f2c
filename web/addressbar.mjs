// The address bar, which says at any time what is shown: to be shared, to be come back to.

import { afterPaint, h } from "./dom.mjs";

const COPIED_MS = 8000;

/**
 * Keep the address bar and the page together.
 * @param {(search: string, followed: boolean) => void} open - Called when another view of this page is asked for: by
 *   "back" and "forward", or, `followed`, by a link.
 * @returns {{remember: (address: string) => void}} `remember` makes of an address a place in the history, so that "back"
 *   undoes a choice.
 */
export function addressBar(open) {
  let shown = location.search;
  let opened = 0;

  function visit(search, followed) {
    opened += 1;
    shown = location.search;
    open(search, followed);
  }

  function push(address) {
    try {
      history.pushState(null, "", address);
      shown = location.search;
    } catch (error) {
      // A page opened straight from the disk may not be allowed to change its address; the rest still works.
      if (error.name !== "SecurityError") throw error;
    }
  }

  addEventListener("popstate", () => {
    if (location.search !== shown) visit(location.search, false);
  });
  document.addEventListener("click", (event) => {
    const search = anotherView(event);
    if (!search) return;
    event.preventDefault();
    push(search);
    visit(search, true);
  });
  return {
    remember(address) {
      const before = opened;
      afterPaint(() => {
        // Another view may have been opened in the meantime.
        if (opened === before && new URL(address, location.href).search !== location.search) push(address);
      });
    },
  };
}

// What a click on a link asks this page to show, without loading it anew; null for any other click.
function anotherView(event) {
  const link = event.target.closest?.("a[href]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return null;
  const here = link.pathname === location.pathname && link.host === location.host;
  return here && !link.hash ? link.search : null;
}

/**
 * A button that copies the address, and a place that says so.
 * @param {() => string} address - What to copy, from `?` on.
 * @returns {HTMLElement[]}
 */
export function copyButton(address) {
  const said = h("span.hy-copied", { role: "status" });
  const say = (text) => {
    said.textContent = text;
  };
  const copy = async () => {
    const whole = new URL(address(), location.href).href;
    try {
      await navigator.clipboard.writeText(whole);
      say("コピーしました。");
    } catch {
      say(`コピーできませんでした。アドレスはこれです：${whole}`);
    }
    setTimeout(say, COPIED_MS, "");
  };
  return [h("button.hy-button", { type: "button", onclick: copy }, "この条件のアドレスをコピー"), said];
}
