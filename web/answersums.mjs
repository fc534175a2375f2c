// What a step waits for, as a bar for every machine, and folded beneath it the sum behind the answer; what stands in the
// sum comes when it is unfolded.

import { duration } from "./below-formulas.mjs";
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
        answers.map(
          ({ index, name, result }) =>
            result && [waitsBar(index, result), sumOf(index, name, result, open.has(String(index)))],
        ),
      );
    },
  };
}

/** What a step waits for, the longest first; what passes behind something else takes no time. */
function waitsBar(index, { waits, step_latency_s }) {
  const seen = waits.filter(({ seconds, hidden }) => seconds !== 0 && !hidden).sort((a, b) => b.seconds - a.seconds);
  const longer = seen.filter(({ seconds }) => seconds > 0);
  const bar = longer.map(({ seconds }) => {
    const part = h("div");
    part.style.flexGrow = String(seconds / step_latency_s);
    return part;
  });
  const text = ({ kind, seconds }) => `${kind.label} ${seconds < 0 ? "−" : ""}${duration(Math.abs(seconds))}`;
  return h(
    "div",
    { class: `hy-waits hy-series-${index}` },
    h("div.hy-wait-bar", { "aria-hidden": "true" }, bar),
    h("p.hy-caption", {}, `1ステップに ${duration(step_latency_s)}：${seen.map(text).join("、")}`),
  );
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
