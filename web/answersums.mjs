// The sums behind the answers, one folded for every machine; what stands in them comes when one is unfolded.

import { h, replace } from "./dom.mjs";
import { fillLater } from "./later.mjs";

/** The sums, folded; one that was opened stays open while the choice moves. */
export function sumsPanel() {
  const list = h("div.hy-sums");
  return {
    element: h("section.hy-panel", { "aria-label": "計算の道筋" }, h("p.hy-title", {}, "計算の道筋"), list),
    show({ answers }) {
      const open = new Set([...list.querySelectorAll("details[open]")].map((part) => part.dataset.machine));
      replace(
        list,
        answers.map(({ index, name, result }) => result && sumOf(index, name, result, open.has(String(index)))),
      );
    },
  };
}

function sumOf(index, name, result, open) {
  const lines = h("div");
  const fill = () => {
    if (element.open && !lines.hasChildNodes()) fillLater(lines, "sums", ({ sumParts }) => sumParts(result));
  };
  const element = h("details.hy-sum", { "data-machine": index, open, ontoggle: fill }, h("summary", {}, name), lines);
  fill();
  return element;
}
