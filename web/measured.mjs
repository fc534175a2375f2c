// The room of the published measurements, which come with a script of their own: before, while and when they are here.

import { h, replace } from "./dom.mjs";
import { later, lost } from "./later.mjs";
import { isListed } from "./state.mjs";

export const NOTHING_MEASURED = "このモデルと機種の組み合わせの実測は、この本のデータにありません。";

/** The measurements before anybody asked for them; then they are `coming`, and `here` or `lost`. */
export const UNASKED = withoutRows("unasked");

function withoutRows(status) {
  return { status, comparable: () => [], parts: () => h("p", {}, NOTHING_MEASURED) };
}

/**
 * Fetch the measurements.
 * @param {object} tables - Those of `estimator.mjs`.
 * @param {(measurements: object) => void} receive - Called with what becomes of them: `comparable` are those that can
 *   stand beside the estimate for a machine of a state, `parts` what the room shows for a state.
 */
export async function fetchMeasurements(tables, receive) {
  receive(withoutRows("coming"));
  try {
    const { comparable, comparisonParts, publishedMeasurements } = await later("measurements");
    const rows = publishedMeasurements(tables);
    receive({
      status: "here",
      comparable: (state, machine) => comparable(rows, state, machine),
      parts: (state) => comparisonParts(state, rows),
    });
  } catch {
    receive(withoutRows("lost"));
  }
}

/** Whether a measurement of the choice could have been published: nobody measured the reader's own numbers. */
export function canBeMeasured({ model, machines }) {
  return isListed(model) && machines.some(({ device }) => isListed(device));
}

/** What is said while the measurements are not there, and what the button beside it says. */
const MISSING = {
  unasked: ["公開された実測は、この近くまで読み進むと読み込みます。", "公開された実測を読み込む"],
  coming: ["公開された実測を読み込んでいます…", "公開された実測を読み込む"],
  lost: [`${lost("measurements")}見積りは、実測がなくても変わりません。`, "もう一度読み込む"],
};

/**
 * Where the measurements stand beside the estimates.
 * @param {() => void} ask - Called when the reader asks for the measurements.
 * @returns {{element: HTMLElement, show: (view: object) => void}}
 */
export function comparisonPanel(ask) {
  const message = h("p");
  const button = h("button.hy-button", { type: "button", onclick: ask });
  const list = h("div.hy-measured-list", { tabindex: -1 });
  return {
    element: h(
      "section.hy-panel",
      { "aria-label": "公開された実測" },
      h("p.hy-title", {}, "公開された実測と比べる"),
      list,
    ),
    show({ state, measurements }) {
      const asked = document.activeElement === button;
      if (canBeMeasured(state) && measurements.status !== "here") {
        [message.textContent, button.textContent] = MISSING[measurements.status];
        message.className = measurements.status === "lost" ? "hy-problem" : "";
        if (!list.contains(button)) replace(list, message, h("p.hy-actions", {}, button));
        return;
      }
      replace(list, measurements.parts(state));
      // Whoever has pressed the button goes on where the table begins.
      if (asked) (list.querySelector(".hy-scroll") ?? list).focus();
    },
  };
}
