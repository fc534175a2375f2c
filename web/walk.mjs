// One token that walks through a model: what each matrix adds to the count, slowly in the first layer, then fast.

import { withCommas } from "./commas.mjs";
import { s } from "./dom.mjs";
import { axes, linearTicks, picture, swatch, tickText } from "./marks.mjs";
import { choices, control, stage } from "./stage.mjs";
import { walkData } from "./walk-data.mjs";

const LAYER_S = 10; // seconds of the film in the first layer, in all others, and at the output
const OTHERS_S = 4;
const HEAD_S = 2;
const FIRST_CONTEXT = 1024; // as in the still figure
const FIRST_MODEL = 1;
const WALK_KINDS = ["Q、K、V、Oの行列", "内積と平均", "gate、up、downの行列", "出力の行列"];
const DOTS = 1; // of the kinds
const OUTPUT = 3;
const BYTES = 2; // of a weight, in 16 bits
const LETTERS = [9, 13, 9]; // pixels that a letter of a name needs in its box, by kind
const WALK_EDGE = 8; // heights and places in pixels
const STRIP = { top: 76, bottom: 94 };
const LAYER = { top: 120, bottom: 162 };
const PATH = 173; // of the token
const SUM = { top: 226, bottom: 252 };

/**
 * Tell what a token does in a layer.
 * @param {{steps: Array<{name: string, kind: number, weights: number}>, each: number}} model - Its matrices, and FLOP
 *   for each token that is looked back at.
 * @param {number} context - How many these are.
 * @returns {Array<{name: string, kind: number, flop: number, bytes: number}>}
 */
export function layerOf({ steps, each }, context) {
  return steps.map(({ name, kind, weights }) => ({
    name,
    kind,
    flop: kind === DOTS ? each * context : 2 * weights,
    bytes: BYTES * weights,
  }));
}

/**
 * Tell what has been counted at a moment of the film.
 * @param {object} model - As for `layerOf`, with its number of layers and the weights of the output.
 * @param {number} context
 * @param {number} t - Seconds.
 * @returns {{flop: number[], bytes: number, layers: number, step: number}} FLOP by kind, weights read, how many layers
 *   are done, and the place of the step in the first one.
 */
export function walked(model, context, t) {
  const layer = layerOf(model, context);
  const now = flopOf(layer) * Math.min(1, t / LAYER_S);
  const more = (model.layers - 1) * share(t - LAYER_S, OTHERS_S);
  const head = model.head * share(t - LAYER_S - OTHERS_S, HEAD_S);
  const flop = WALK_KINDS.map(() => 0);
  let [before, bytes, step] = [0, BYTES * head, 0];
  for (const [i, one] of layer.entries()) {
    const passed = share(now - before, one.flop);
    if (now > before) step = i;
    flop[one.kind] += one.flop * (passed + more);
    bytes += one.bytes * (passed + more);
    before += one.flop;
  }
  flop[OUTPUT] = 2 * head;
  return { flop, bytes, layers: now / flopOf(layer) + more, step };
}

const share = (done, whole) => Math.min(1, Math.max(0, done / whole));
const sum = (values) => values.reduce((total, value) => total + value, 0);
const flopOf = (layer) => sum(layer.map(({ flop }) => flop));

/** Build the figure; `data` holds the shapes of models. */
export function mountWalk(root, { contexts, models } = walkData) {
  stage(root, {
    title: "1トークンが、モデルを通り抜ける",
    intro:
      "1層目をゆっくり、残りの層を早送りで通ります。計算がいちばん多いのは、どこでしょうか。見当をつけてから、始めてください。",
    initial: { model: FIRST_MODEL, context: FIRST_CONTEXT },
    controls: (set) => [
      choices(
        "モデル",
        models.map(({ name }) => name),
        (model) => set({ model }),
        FIRST_MODEL,
      ),
      control({
        label: "参照するトークン",
        values: contexts,
        value: FIRST_CONTEXT,
        text: (n) => `${count(n)}トークン`,
        onvalue: (context) => set({ context }),
      }),
    ],
    duration: LAYER_S + OTHERS_S + HEAD_S,
    draw: ({ model, context }, width) => walkOf(models[model], context, width),
  });
}

const count = withCommas;
const giga = (value, unit, digits = 2) => `${(value / 1e9).toFixed(digits)}\u00a0${unit}`;

function walkOf(model, context, width) {
  const whole = walked(model, context, Infinity);
  const area = { ...SUM, left: WALK_EDGE, right: width - WALK_EDGE };
  const [strip, layer] = [stripOf(model, context, area), stepsOf(model, context, area)];
  const total = walkedSum(model, sum(whole.flop), area);
  const texts = [18, 40, 64].map((y, i) => s(i < 2 ? "text.hy-count" : "text.hy-tick", { x: WALK_EDGE, y }));
  const at = (t) => {
    const state = walked(model, context, t);
    strip.show(sum(state.flop) / sum(whole.flop));
    layer.show(Math.min(1, state.layers));
    total.show(state.flop);
    const words = [
      `計算 ${giga(sum(state.flop), "GFLOP", 3)}`,
      `読み出した重み ${giga(state.bytes, "GB", 3)}（16ビット）`,
    ];
    for (const [i, text] of [...words, whereabouts(model, state, t)].entries()) texts[i].textContent = text;
  };
  return {
    figure: picture(
      { width, height: SUM.bottom + 46, title: "1トークンの計算の積み上がり" },
      texts,
      strip.parts,
      layer.parts,
      total.parts,
    ),
    ...walkWords(model, context, whole),
    at,
    said(t) {
      const state = walked(model, context, t);
      return `${whereabouts(model, state, t)}。ここまでの計算は${giga(sum(state.flop), "GFLOP")}、読み出した重みは${giga(state.bytes, "GB")}です。`;
    },
  };
}

function whereabouts({ steps, layers }, { layers: done, step }, t) {
  if (t === 0) return "埋め込みの表を引いたところ";
  if (t < LAYER_S) return `1層目、${steps[step].name}${steps[step].size}`;
  if (t < LAYER_S + OTHERS_S) return `早送り：${Math.min(layers, Math.floor(done) + 1)}層目`;
  return t < LAYER_S + OTHERS_S + HEAD_S ? "出力の行列" : "次のトークンの点数が出ました";
}

// All layers and the output, as wide as they are long to compute.
function stripOf(model, context, { left, right }) {
  const layer = flopOf(layerOf(model, context));
  const whole = layer * model.layers + 2 * model.head;
  const x = (flop) => left + (flop / whole) * (right - left);
  const box = (name, from, to) =>
    s(`rect.${name}`, { x: x(from), width: x(to) - x(from), y: STRIP.top, height: STRIP.bottom - STRIP.top });
  const passed = box("hy-walked", 0, 0);
  const end = layer * model.layers;
  return {
    parts: [
      passed,
      Array.from({ length: model.layers }, (_, i) => box("hy-tank", layer * i, layer * (i + 1))),
      box("hy-tank", end, whole),
      s("text.hy-tick", { x: right, y: STRIP.top - 12, "text-anchor": "end" }, `${model.layers}層と出力`),
      // The first one is seen larger below.
      s("path.hy-axis-line", {
        fill: "none",
        d: `M${left} ${STRIP.bottom}V${LAYER.top}M${x(layer)} ${STRIP.bottom}L${right} ${LAYER.top}`,
      }),
    ],
    show: (done) => passed.setAttribute("width", done * (right - left)),
  };
}

// The matrices of the first layer, as wide as they are long to compute, and where the token is.
function stepsOf(model, context, { left, right }) {
  const layer = layerOf(model, context);
  const whole = flopOf(layer);
  const x = (flop) => left + (flop / whole) * (right - left);
  const middle = (LAYER.top + LAYER.bottom) / 2;
  let done = 0;
  const boxes = layer.map(({ name, kind, flop }) => {
    const [from, to] = [x(done), x(done + flop)];
    done += flop;
    const size = { y: LAYER.top, height: LAYER.bottom - LAYER.top };
    const label = { x: (from + to) / 2, y: middle + 5, "text-anchor": "middle" };
    const isRoomy = to - from > LETTERS[kind] * name.length + 3;
    const above = kind === DOTS && to - from > 2 && !isRoomy;
    return {
      from,
      to,
      lit: s(`rect.hy-work.hy-series-${kind}`, { x: from, ...size }),
      parts: [
        s(`rect.hy-work.hy-yet.hy-series-${kind}`, { x: from, width: to - from, ...size }),
        s("rect.hy-tank", { x: from, width: to - from, ...size }),
        above && [
          s("path.hy-axis-line", { d: `M${label.x} ${LAYER.top}v-5` }),
          s("text.hy-tick.hy-over-lines", { ...label, y: LAYER.top - 8 }, name),
        ],
      ],
      label: isRoomy && s("text.hy-inside", label, name),
    };
  });
  const token = s("circle.hy-mark.hy-hollow.hy-series-1", { cy: PATH, r: 6 });
  const groups = [
    ["注意機構", boxes.slice(0, 5)],
    ["FFN", boxes.slice(5)],
  ];
  return {
    parts: [
      boxes.map(({ parts, lit, label }) => [parts, lit, label]),
      groups.map(([name, some]) => {
        const [from, to] = [some[0].from, some.at(-1).to];
        return [
          s("path.hy-axis-line", { d: `M${from + 2} ${PATH + 12}H${to - 2}`, fill: "none" }),
          s("text.hy-tick", { x: (from + to) / 2, y: PATH + 27, "text-anchor": "middle" }, name),
        ];
      }),
      token,
    ],
    show(passed) {
      const now = x(passed * whole);
      token.setAttribute("cx", now);
      for (const { from, to, lit, label } of boxes) {
        lit.setAttribute("width", Math.max(0, Math.min(now, to) - from));
        label?.classList?.toggle("hy-inside", now >= (from + to) / 2);
      }
    },
  };
}

// What has been counted, by kind, on one axis with the chapter's 2P.
function walkedSum({ two_p }, most, area) {
  const ticks = linearTicks(Math.max(most, two_p) / 1e9, 4);
  const x = (flop) => area.left + (flop / 1e9 / ticks.at(-1)) * (area.right - area.left - 24);
  const bars = WALK_KINDS.map((_, kind) =>
    s(`rect.hy-wait.hy-series-${kind}`, { y: area.top + 2, height: area.bottom - area.top - 4 }),
  );
  return {
    parts: [
      axes(area, {
        xLabel: "1トークンの計算（GFLOP）",
        yTicks: [],
        xTicks: ticks.map((tick) => ({ at: x(tick * 1e9), text: tickText(tick), lined: true })),
      }),
      bars,
      s("line.hy-chosen", { x1: x(two_p), x2: x(two_p), y1: area.top - 6, y2: area.bottom }),
      s("text.hy-tick", { x: x(two_p), y: area.top - 9, "text-anchor": "middle" }, "2P"),
    ],
    show(flop) {
      let from = 0;
      for (const [kind, bar] of bars.entries()) {
        bar.setAttribute("x", x(from));
        bar.setAttribute("width", x(from + flop[kind]) - x(from));
        from += flop[kind];
      }
    },
  };
}

function walkWords({ name, layers, longest, two_p }, context, { flop, bytes }) {
  const total = sum(flop);
  const percent = (value) => `${Math.round((100 * value) / total)}%`;
  const back = (kind) => (kind === DOTS ? `（${count(context)}トークンを参照）` : "");
  const last = `${layers}層と出力の合計は${giga(total, "GFLOP")}で、2Pの${giga(two_p, "GFLOP")}の${(total / two_p).toFixed(2)}倍です。`;
  return {
    lines: [
      ...WALK_KINDS.map((kind, i) => ({
        mark: swatch(i),
        answers: true,
        text: `${kind}${back(i)}：${giga(flop[i], "GFLOP")}、${percent(flop[i])}`,
      })),
      { text: last, answers: true },
      {
        text: `読み出す重みは、16ビットなら${giga(bytes, "GB")}です。内積と平均が読み出すのは、重みではなくKVキャッシュです。`,
      },
      context > longest && { text: `${name}が扱える文脈長は、${count(longest)}トークンまでです。` },
    ].filter(Boolean),
    news: `内積と平均は、計算の${percent(flop[DOTS])}です。${last}`,
  };
}
