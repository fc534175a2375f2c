// The sum behind each answer, line by line, and where the book explains it.

import { h, replace } from "./dom.mjs";
import { explanation } from "./estimator.mjs";

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
  return h("details.hy-sum", { "data-machine": index, open }, h("summary", {}, name), explanation(result).map(sumPart));
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

/** A link to a chapter by its number, with what follows it. */
export function chapterLink(chapter, rest = "") {
  return h("a", { href: `chapters/${chapter}.html` }, `第${Number(chapter.split("-")[0])}章${rest}`);
}
