// What drafts of the next tokens gain on the machines, and where they do not pay.

import { duration } from "./below-formulas.mjs";
import { brought } from "./brought.mjs";
import { h } from "./dom.mjs";
import { draftData } from "./draft-data.mjs";
import { DraftAcceptance, DraftCalibration, draft_speedup } from "./drafts-formulas.mjs";
import { gibibytes, rowsOf, significant, tables } from "./estimator.mjs";
import { menu } from "./fields.mjs";
import { factList, roomPerMachine } from "./permachine.mjs";
import { $dict } from "./runtime.mjs";
import { shelvesOf } from "./shelves.mjs";
import { withValues } from "./state.mjs";

const draftCalibrations = Object.freeze(rowsOf(draftData.calibrations).map((row) => new DraftCalibration(row)));
const acceptances = $dict(
  rowsOf(draftData.acceptances).map((row) => [Object.freeze([row.method, row.text]), new DraftAcceptance(row)]),
);

Object.assign(brought, { draft_calibrations: () => draftCalibrations, draft_acceptances: () => acceptances });

/**
 * What drafts gain on a result.
 * @param {object} result - An estimate.
 * @param {object} state - What the reader has chosen: how drafts are made, and for what kind of text.
 * @returns {object} Python's `DraftSpeedup`.
 */
export function speedupOf(result, { draft, draft_text }) {
  return draft_speedup(result, draft, { acceptance: draft_text });
}

/**
 * The room of drafts.
 * @param {object} tables - Those of `estimator.mjs`.
 * @param {(update: (state: object) => object, done?: boolean) => void} change - As for `conditionsForm`.
 * @returns {{element: HTMLElement, show: (view: object) => void}}
 */
export function draftsRoom({ drafting }, change) {
  const field = (name, label, groups, rest) =>
    menu({
      label,
      groups,
      value: "",
      ...rest,
      onvalue: (value) => change((state) => withValues(state, { [name]: value || null })),
    });
  const ways = ["", [["", "おまかせ（MTPの層があればそれ、なければ写し）"], ...Object.entries(drafting.ways)]];
  const way = field("draft", "下書きの作り方", [ways, ...shelvesOf(tables, "models")], { long: true });
  const texts = [["", "すべて"], ...Object.entries(drafting.texts)];
  const text = field("draft_text", "文章の種類", [["", texts]]);
  const set = (state) => {
    way.set(state.draft ?? "");
    text.set(state.draft_text ?? "");
  };
  return roomPerMachine([way.element, text.element], set, (result, state) =>
    draftParts(result, speedupOf(result, state)),
  );
}

function draftParts(result, gained) {
  const { draft, draft_model, draft_tokens, pays } = gained;
  const made = draft_model ? tables.models.get(draft_model).name : tables.drafting.ways[draft];
  const times = (gain) => `${significant(gain)}倍`;
  const { decode_tokens_per_s: speed, decode_tokens_per_s_low: low, decode_tokens_per_s_high: high } = gained;
  return [
    h(
      "p.hy-verdict",
      {},
      gained.best_tokens
        ? `${gained.best_tokens} トークンずつの下書きで、${times(gained.best_speedup)}になります。`
        : "下書きをしても、速くなりません。",
    ),
    factList([
      ["下書き", `${made}、${draft_tokens} トークンずつ`],
      ["速さ", `${significant(speed)} トークン/秒（下書きなしで ${significant(result.decode_tokens_per_s)}）`],
      ["その90%区間", `${significant(low)} ～ ${significant(high)}`],
      [
        pays ? "何倍か" : "何倍か（遅くなります）",
        `${times(gained.speedup)}（90%区間 ${significant(gained.speedup_low)} ～ ${significant(gained.speedup_high)}）`,
      ],
      ["受け入れ", `${significant(100 * gained.acceptance, 2)}%（最初のトークン、公開された値）`],
      ["1回に進むトークン", significant(gained.tokens_per_pass)],
      ["1回の時間", `下書き ${duration(gained.draft_s)}、まとめて通す ${duration(gained.pass_s)}`],
      ["下書きの重み", gained.draft_bytes ? gibibytes(gained.draft_bytes) : ""],
    ]),
    gained.notes.map((note) => h("p.hy-note", {}, note)),
  ];
}
