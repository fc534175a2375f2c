// What was measured and published, beside what is estimated for the same conditions.

import { withCommas } from "./commas.mjs";
import { h } from "./dom.mjs";
import { significant } from "./estimator.mjs";
import { smallMarker } from "./marks.mjs";
import { NOTHING_MEASURED } from "./measured.mjs";
import { nearestFirst, speedLike } from "./nearest.mjs";

const MEASUREMENTS_SHOWN = 12;
const COLUMNS = ["機械", "実測", "見積り", "外れ", "重み", "エンジン", "バッチサイズ", "文脈長", "出典"];

/**
 * The table of measurements.
 * @param {object} state - What the reader has chosen.
 * @param {object[]} measurements - From `publishedMeasurements`.
 * @returns {HTMLElement|HTMLElement[]}
 */
export function comparisonParts(state, measurements) {
  const perMachine = state.machines.map((machine, index) =>
    nearestFirst(measurements, state, machine).map((row) => ({ ...row, index })),
  );
  const count = perMachine.flat().length;
  if (!count) return h("p", {}, NOTHING_MEASURED);
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
  const counts = [row.batch_size, row.context_length].map((count) => withCommas(count));
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
