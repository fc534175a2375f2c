// The sum behind each answer, line by line, and where the book explains it.

import { h } from "./dom.mjs";
import { chapterLink } from "./rooflines.mjs";
import { explanation } from "./sums-formulas.mjs";

const CHAPTERS = {
  weights: ["04-flops-per-token", "06-quantization"],
  cache: ["07-kv-cache"],
  memory: ["02-latency"],
  compute: ["02-latency", "04-flops-per-token"],
  bound: ["03-a100-vs-macmini", "05-batch-and-roofline"],
  correction: ["09-measured"],
  prefill: ["05-batch-and-roofline"],
  capacity: ["07-kv-cache", "08-moe-and-clusters"],
};

/**
 * The sum behind an answer.
 * @param {object} result - An estimate.
 * @returns {HTMLElement[]}
 */
export function sumParts(result) {
  return explanation(result).map(sumPart);
}

function sumPart({ id, title, lines }) {
  const chapters = CHAPTERS[id] ?? [];
  return h(
    "section",
    {},
    h(
      "p.hy-sum-title",
      {},
      title,
      chapters.map((chapter) => [" ", chapterLink(chapter)]),
    ),
    lines.map((line) => h("p.hy-line", {}, line)),
  );
}

export { explanation };
