// What a screen reader says of a change: once, when the choice has come to rest.

import { h } from "./dom.mjs";

const QUIET_MS = 700; // no announcement while the choice still moves

/**
 * A region that nobody sees, and that is read out.
 * @returns {{element: HTMLElement, announce: (text: string) => void, hush: () => void}} `hush` takes back what has not
 *   been said yet.
 */
export function announcer() {
  const element = h("p.hy-hidden", { role: "status" });
  let timer = 0;
  const hush = () => clearTimeout(timer);
  return {
    element,
    hush,
    announce(text) {
      hush();
      timer = setTimeout(() => {
        element.textContent = text;
      }, QUIET_MS);
    },
  };
}
