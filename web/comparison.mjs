// What was measured and published, beside what is estimated for the same conditions.

import { h, replace } from "./dom.mjs";
import { significant } from "./estimator.mjs";
import { canBeMeasured, nearestFirst, speedLike } from "./measurements.mjs";
import { smallMarker } from "./plot.mjs";

const MEASUREMENTS_SHOWN = 12;
const COLUMNS = ["機械", "実測", "見積り", "外れ", "重み", "エンジン", "バッチサイズ", "文脈長", "出典"];
const NOTHING = "このモデルと機種の組み合わせの実測は、この本のデータにありません。";

/** What is said while the measurements are not there, and what the button beside it says. */
const MISSING = {
  unasked: ["公開された実測は、この近くまで読み進むと読み込みます。", "公開された実測を読み込む"],
  coming: ["公開された実測を読み込んでいます…", "公開された実測を読み込む"],
  lost: [
    "公開された実測（web/hayasa-measurements.js）を読み込めませんでした。通信の状態と、そのファイルがあることを確かめてください。見積りは、実測がなくても変わりません。",
    "もう一度読み込む",
  ],
};

/**
 * The table of measurements.
 * @param {object} tables - Those of `estimator.mjs`.
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
      replace(list, comparisonParts(state, measurements.rows));
      // Whoever has pressed the button goes on where the table begins.
      if (asked) (list.querySelector(".hy-scroll") ?? list).focus();
    },
  };
}

function comparisonParts(state, measurements) {
  const perMachine = state.machines.map((machine, index) =>
    nearestFirst(measurements, state, machine).map((row) => ({ ...row, index })),
  );
  const count = perMachine.flat().length;
  if (!count) return h("p", {}, NOTHING);
  // Every machine that was measured has its share of the table.
  const share = Math.floor(MEASUREMENTS_SHOWN / perMachine.filter((found) => found.length).length);
  const shown = perMachine.flatMap((found) => found.slice(0, share));
  const chosen = count > shown.length ? `条件の近い順に、全${count}件のうち${shown.length}件を載せました。` : "";
  return [
    h(
      "div.hy-scroll",
      { tabindex: 0, role: "group", "aria-label": "公開された実測の表" },
      h(
        "table.hy-table",
        {},
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            COLUMNS.map((title) => h("th", { scope: "col" }, title)),
          ),
        ),
        h(
          "tbody",
          {},
          shown.map((row) => tableRow(row)),
        ),
      ),
    ),
    h(
      "p.hy-caption",
      {},
      `実測と見積りの単位は、トークン/秒です。見積りは、それぞれの行の条件で計算しました。外れは、見積りが実測よりどれだけ速いかです。${chosen}`,
    ),
  ];
}

function tableRow(row) {
  const speed = speedLike(row);
  const numbers = [
    significant(row.decode_tokens_per_s),
    significant(speed),
    signedPercent(speed / row.decode_tokens_per_s - 1),
  ];
  const counts = [row.batch_size, row.context_length].map((count) => count.toLocaleString("en-US"));
  const right = (text) => h("td.hy-num", {}, text);
  const left = (...content) => h("td", {}, ...content);
  return h(
    "tr",
    {},
    left(
      smallMarker(row.index, { role: "img", "aria-label": `機械 ${row.index + 1}` }),
      row.devices > 1 && ` ×${row.devices}`,
    ),
    numbers.map(right),
    left(row.weights),
    left(row.engine),
    counts.map(right),
    left(h("a", { href: row.source.url }, row.source.title), row.measured_on && `（${row.measured_on}）`),
  );
}

function signedPercent(share) {
  const percent = Math.round(100 * share);
  return percent === 0 ? "0%" : `${percent < 0 ? "−" : "+"}${Math.abs(percent)}%`;
}
