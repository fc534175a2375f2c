// How much power the machines draw, and what their tokens cost.

import { brought } from "./brought.mjs";
import { withCommas } from "./commas.mjs";
import { h } from "./dom.mjs";
import { energyData } from "./energy-data.mjs";
import {
  answer_energy,
  ClockCalibration,
  cost,
  energy,
  PowerCalibration,
  Price,
  RatedPower,
} from "./energy-formulas.mjs";
import { rowsOf, significant, tables } from "./estimator.mjs";
import { numberField } from "./fields.mjs";
import { factList, roomPerMachine } from "./permachine.mjs";
import { $dict } from "./runtime.mjs";
import { numberRules, withValues } from "./state.mjs";

const ratedById = dictById(ratedPowers());
const powerShares = dictById(rowsOf(energyData.power_calibrations).map((row) => new PowerCalibration(row)));
const clockAtPower = new ClockCalibration(rowsOf(energyData.clock_calibration)[0]);
const priceList = Object.freeze(rowsOf(energyData.prices).map((row) => new Price(row)));

Object.assign(brought, {
  rated_powers: () => ratedById,
  power_calibrations: () => powerShares,
  clock_calibration: () => clockAtPower,
  prices: () => priceList,
});

// A row for every device, in order; 0 where nothing is known.
function ratedPowers() {
  const ids = [...tables.devices.keys()];
  const rows = rowsOf(energyData.rated_powers).map((row, place) => new RatedPower({ id: ids[place], ...row }));
  return rows.filter(({ rated_power_w }) => rated_power_w);
}

function dictById(rows) {
  return $dict(rows.map((row) => [row.id, row]));
}

/**
 * What a result draws and costs.
 * @param {object} result - An estimate.
 * @param {object} state - What the reader has chosen: prices, hours, and the rated power where the table has none.
 * @returns {object} Python's `Cost`.
 */
export function costOf(result, { yen_per_kwh, hours_per_day, rated_power_w }) {
  const spent = energy(result, { rated_power_w: ratedById.has(result.device.id) ? null : rated_power_w });
  return cost(spent, { yen_per_kwh, hours_per_day: hours_per_day ?? undefined });
}

/**
 * The room of power and money.
 * @param {object} tables - Those of `estimator.mjs`.
 * @param {(update: (state: object) => object, done?: boolean) => void} change - As for `conditionsForm`.
 * @returns {{element: HTMLElement, show: (view: object) => void}}
 */
export function energyRoom({ constants }, change) {
  const rules = numberRules(constants);
  const field = (name, unit, hint) => {
    const onvalue = (value, done) => change((state) => withValues(state, { [name]: value }), done);
    return [name, numberField({ rule: rules[name], value: null, unit, hint, onvalue })];
  };
  const fields = [
    field("yen_per_kwh", "円/kWh", `空なら ${priceList.find(({ kind }) => kind === "electricity").value} 円`),
    field("hours_per_day", "時間", "空なら 4 時間"),
    field("rated_power_w", "W", "表にある機械では使いません"),
  ];
  const set = (state) => {
    for (const [name, { input, set: put }] of fields) if (document.activeElement !== input) put(state[name]);
  };
  const elements = fields.map(([, { element }]) => element);
  return roomPerMachine(elements, set, (result, state) => {
    if (!ratedById.has(result.device.id) && state.rated_power_w === null) return h("p.hy-note", {}, UNRATED);
    return costParts(costOf(result, state), state.answer_length);
  });
}

const UNRATED = "この機械の定格の電力は、表にありません。上の欄にワットで入れると、計算します。";

function costParts(price, answerLength) {
  const { spent, assumptions } = price;
  const yen = (value) => value !== null && `${significant(value)} 円`;
  return [
    factList([
      [
        "書くときの電力",
        withInterval(spent.decode_power.best_w, spent.decode_power.low_w, spent.decode_power.high_w, "W"),
      ],
      ["プロンプトを処理するときの電力", `${significant(spent.prompt_power.best_w)} W`],
      [
        "1トークンを書くエネルギー",
        withInterval(
          spent.decode_joules_per_token,
          spent.decode_joules_per_token_low,
          spent.decode_joules_per_token_high,
          "J",
        ),
      ],
      answerFact(spent, answerLength),
      ["書く電気代", withInterval(price.electricity_yen, price.electricity_low_yen, price.electricity_high_yen, "円")],
      ["プロンプトの電気代", yen(price.prompt_electricity_yen)],
      ["使わない間の電気代", yen(price.idle_yen)],
      ["機械の代金", yen(price.machine_yen)],
      ["借りたとき", yen(price.rent_yen)],
    ]),
    h("p.hy-caption", {}, `円は、どれも100万トークンあたりです。置いた仮定：${assumptions.join("。")}。`),
    spent.notes.map((note) => h("p.hy-note", {}, note)),
  ];
}

function withInterval(best, low, high, unit) {
  return `${significant(best)} ${unit}（90%区間 ${significant(low)} ～ ${significant(high)}）`;
}

function answerFact(spent, answerLength) {
  if (answerLength === null) return null;
  const { total_wh } = answer_energy(spent, answerLength);
  return total_wh && [`答え ${withCommas(answerLength)} トークン`, `${significant(total_wh)} Wh`];
}
