// What stands in the card of a machine: its speed, what limits it, and whether the model fits.

import { writeAddress } from "./address.mjs";
import { withCommas } from "./commas.mjs";
import { h } from "./dom.mjs";
import { gibibytes, significant } from "./estimator.mjs";
import { parts } from "./later.mjs";

/**
 * An answer in words.
 * @param {object} answer - From `answersTo`.
 * @param {object[]} ways - From `waysOut`, where there is no result.
 * @param {?number} answerLength - Tokens of an answer whose time is asked for.
 * @param {boolean} open - Whether what the speed comes from is unfolded.
 * @returns {Array} Nodes.
 */
export function answerParts({ index, result, problem }, ways, answerLength, open) {
  if (!result) return [h("p.hy-problem", {}, problem), ways.length > 0 && wayLinks(ways)];
  return [
    speedLine(result, index),
    !isIdeal(result) && factsPart([intervalOf(result)]),
    memoryPart(result),
    factsPart(firstFacts(result, answerLength)),
    h("details.hy-limits", { open }, h("summary", {}, "速さを決めるもの"), factsPart(limitsOf(result))),
    ways.length > 0 && wayLinks(ways),
    result.notes.map((note) => h("p.hy-note", {}, note)),
  ];
}

function wayLinks(ways) {
  const links = ways.map(({ text, state }, place) => [place > 0 && "、", h("a", { href: writeAddress(state) }, text)]);
  return h("p.hy-ways", {}, "代わりに計算できるもの：", links);
}

function speedLine(result, index) {
  const full = result.fits === false;
  const kind = isIdeal(result) ? "上限" : "見積り";
  return h(
    "p.hy-speed",
    {},
    h("span.hy-kind", {}, full ? `もし入れば、${kind}` : kind),
    h("span", { class: `hy-number ${full ? "hy-dim" : `hy-ink-${index}`}` }, significant(result.decode_tokens_per_s)),
    " トークン/秒",
  );
}

function isIdeal(result) {
  return result.engine.id === "ideal";
}

function factsPart(facts) {
  return h(
    "dl.hy-facts",
    {},
    facts.map(([term, value]) => h("div", {}, h("dt", {}, term), h("dd", {}, value))),
  );
}

function intervalOf({ decode_tokens_per_s_low: low, decode_tokens_per_s_high: high }) {
  return ["90%区間", `${significant(low)} ～ ${significant(high)}`];
}

// What is asked first.
function firstFacts(result, answerLength) {
  const { batch_size } = result;
  return [
    ...(batch_size > 1 ? [["1系列あたり", `${significant(result.decode_tokens_per_s / batch_size)} トークン/秒`]] : []),
    ...(parts.below?.timeFacts(result, answerLength) ?? [["最初のトークンまで", "…"]]),
  ];
}

function limitsOf(result) {
  const limit = (seconds) => `${tenths(result.batch_size / seconds)} トークン/秒`;
  const unknown = `計算力が${result.device.id === "own" ? "未入力" : "未公表"}`;
  return [
    ...(isIdeal(result) ? [] : [["上限", `${significant(result.decode_tokens_per_s_bound)} トークン/秒`]]),
    ["メモリの限界", limit(result.memory_latency_s)],
    ["計算の限界", result.compute_latency_s ? limit(result.compute_latency_s) : unknown],
    ["決めるもの", result.bound_by === "memory" ? "メモリ帯域幅" : "計算力"],
  ];
}

function memoryPart(result) {
  const { fit } = result;
  const { verdict, required_bytes: needed, capacity_bytes: capacity } = fit;
  if (verdict === null) {
    return h(
      "p.hy-memory",
      {},
      `必要なメモリ ${gibibytes(needed)}（機械のメモリを入れると、入るかどうかも分かります）`,
    );
  }
  return h(
    "div",
    { class: `hy-memory ${verdict === "does_not_fit" ? "hy-full" : ""}` },
    memoryBar(needed / capacity),
    h("p", {}, `メモリ ${gibibytes(needed)} ／ ${gibibytes(capacity)}：`, h("strong", {}, verdictText(fit))),
    result.host_fit && hostLine(result.host_fit),
    verdict === "fits" && longestContext(result),
    parts.below?.remediesFor(result).map((remedy) => h("p.hy-hint", {}, remedy)),
  );
}

function hostLine(fit) {
  const needed = `主記憶 ${gibibytes(fit.required_bytes)}`;
  if (fit.verdict === null) return h("p", {}, needed);
  return h("p", {}, `${needed} ／ ${gibibytes(fit.capacity_bytes)}：`, h("strong", {}, verdictText(fit)));
}

function verdictText({ verdict, left_bytes }) {
  if (verdict === "fits") return "入ります";
  return verdict === "tight" ? "きわどい量です" : `入りません（${gibibytes(-left_bytes)} 不足）`;
}

/** Whether it fits, in a word. */
export function shortVerdict({ verdict }) {
  return { fits: "入る", tight: "きわどい", does_not_fit: "入らない" }[verdict] ?? "不明";
}

function memoryBar(share) {
  const filled = h("div");
  // Not as an attribute, which a strict Content-Security-Policy forbids.
  filled.style.width = `${Math.min(100, 100 * share).toFixed(1)}%`;
  return h("div.hy-bar", { "aria-hidden": "true" }, filled);
}

function longestContext({ longest_context_length: longest }) {
  if (longest === null) return null;
  return h("p.hy-hint", {}, `文脈長 ${withCommas(longest)} トークンまで入ります。`);
}

// The article's numbers with one decimal; small ones with three digits.
function tenths(value) {
  if (value < 10) return significant(value);
  return withCommas(value.toFixed(1));
}
