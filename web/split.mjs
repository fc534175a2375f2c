// A model that does not fit: its layers, or their experts alone, in the GPU's memory, in the host's, on the SSD.

import { s } from "./dom.mjs";
import { axes, linearTicks, picture, swatch, tickText } from "./marks.mjs";
import { splitData } from "./split-data.mjs";
import { choices, control, stage } from "./stage.mjs";

const DRAWN_AT_ONCE = { model: 1, ram: 0 };
const LAYER_STRIP = 26; // heights in pixels
const ROOM = 12;
const WAY = 140;
const SPEEDS = 120;
const THINNEST = 4;
const STRIPES = 6; // pixels of a layer with a gap beside it
const TOO_FEW = 2; // layers outside, less than are needed, that can be tried

/**
 * Tell what a token waits for, and whether the GPU has room.
 * @param {object} way - Its lists, as in `split_data`.
 * @param {number} usable - Bytes that the GPU has.
 * @param {number} ram - Which of the host's memories.
 * @param {number} outside - Layers that lie outside of the GPU, or whose experts do.
 * @returns {{parts: number[], token_s: number, left: number}} Seconds on the GPU, on the host, for handing over and for
 *   the SSD; their sum; bytes that the GPU has left, or lacks.
 */
export function waited(way, usable, ram, outside) {
  const parts = [way.gpu, way.host, way.hand_over, way.disk[ram]].map((list) => list[outside]);
  return { parts, token_s: parts.reduce((sum, part) => sum + part, 0), left: usable - way.on_gpu[outside] };
}

/** Tell with how few layers outside a model fits: that split is the fastest. */
export function fewest(way, usable) {
  return way.on_gpu.findIndex((bytes) => bytes <= usable);
}

const fewestOfAll = ({ ways }, usable) => Math.min(...ways.map((way) => fewest(way, usable)));
const leastShown = (model, usable) => fewestOfAll(model, usable) - TOO_FEW;

/** Build the figure; `data` says what lies where, and what is waited for, by model, way and number of layers. */
export function mountSplit(root, data = splitData) {
  const { models, rams } = data;
  const all = models.map(({ layers }) => layers);
  const initial = { ...DRAWN_AT_ONCE, outside: all, farthest: all };
  stage(root, {
    title: "層を、GPUとCPU側のどちらに置くか",
    intro:
      "RTX 4090（24\u00a0GB）に載らないモデルです。外に置いた層をGPUへ戻していくと、どこまで速くなるでしょうか。MoEでは、層ごと外に置くのと、専門家だけを外に置くのを比べます。CPU側のメモリが足りなければ、あふれた分はSSDから読みます。",
    initial,
    controls(set) {
      let { outside, farthest } = initial;
      const sliders = models.map(({ layers }, i) =>
        control({
          label: "外に置く層",
          values: Array.from({ length: layers + 1 }, (_, n) => n).slice(leastShown(models[i], data.usable)),
          value: layers,
          text: (n) => `${n}層（${layers}層のうち）`,
          onvalue(n) {
            outside = outside.with(i, n);
            farthest = farthest.with(i, Math.min(farthest[i], n));
            set({ outside, farthest });
          },
        }),
      );
      const show = (model) => {
        for (const [i, one] of sliders.entries()) one.hidden = i !== model;
      };
      show(initial.model);
      return [
        choices(
          "モデル",
          models.map(({ name }) => name),
          (model) => {
            show(model);
            set({ model });
          },
          initial.model,
        ),
        choices(
          "CPU側のメモリ",
          rams.map(({ name }, i) => (i ? name : `CPU側のメモリ\u00a0${name}`)),
          (ram) => set({ ram }),
        ),
        sliders,
      ];
    },
    draw: ({ model, ram, outside, farthest }, width) =>
      chosenSplit(data, models[model], { ram, outside: outside[model], farthest: farthest[model] }, width),
  });
}

const asMs = (seconds) => `${Number((seconds * 1000).toPrecision(seconds < 1e-3 ? 1 : 3))}\u00a0ms`;
const gb = (bytes) => `${(bytes / 1e9).toFixed(1)}\u00a0GB`;
const splitSpeed = (token_s) => `毎秒${Number((1 / token_s).toPrecision(3))}トークン`;
const wayName = (name) => (name === "層ごと" ? "層ごと外に置く" : "専門家だけを外に置く");

function chosenSplit(data, model, place, width) {
  const { ways, layers } = model;
  const { ram, outside } = place;
  const now = ways.map((way) => waited(way, data.usable, ram, outside));
  const area = { left: 8, right: width - 12 };
  const slowest = Math.max(...ways.map((way) => waited(way, data.usable, ram, layers).token_s));
  const msTicks = linearTicks(slowest * 1000, 4);
  const x = (seconds) => area.left + ((seconds * 1000) / msTicks.at(-1)) * (area.right - area.left);
  const bottom = ways.length * WAY;
  const speeds = speedsOf(data, model, place, {
    left: 40,
    right: width - 12,
    top: bottom + 74,
    bottom: bottom + 74 + SPEEDS,
  });
  const figure = picture(
    { width, height: bottom + 74 + SPEEDS + 46, title: "層の置き場所と、1トークンの時間" },
    axes(
      { ...area, top: 0, bottom },
      {
        xLabel: "1トークンの時間（ミリ秒）",
        xTicks: msTicks.map((ms) => ({ at: x(ms / 1000), text: tickText(ms) })),
        yTicks: [],
      },
    ),
    ways.map((way, i) => wayRows(data, model, way, now[i], { ...place, top: i * WAY, x, width })),
    speeds,
  );
  return { figure, ...splitWords(data, model, place, now) };
}

// A way to split: the layers, each where it lies; how full the GPU is; the bar of a token's time.
function wayRows(data, model, way, { parts, token_s, left }, { ram, outside, top, x, width }) {
  const { layers, experts } = model;
  const wide = (width - 16) / layers;
  const gap = wide < STRIPES ? 0 : 1;
  const cut = way.name === "層ごと" ? 0 : Math.max(THINNEST, (1 - experts) * LAYER_STRIP);
  const onHost = way.on_host[outside];
  const onDisk = onHost ? Math.max(0, 1 - data.rams[ram].usable / onHost) * outside : 0;
  const strip = (series, from, to, y, height) =>
    to > from &&
    s("path", {
      class: `hy-work hy-series-${series}`,
      d: Array.from({ length: Math.ceil(to) - Math.floor(from) }, (_, i) => {
        const [start, end] = [Math.max(from, Math.floor(from) + i), Math.min(to, Math.floor(from) + i + 1)];
        const long = Math.max(0.5, (end - start) * wide - gap);
        return `M${8 + start * wide} ${y}h${long}v${height}h${-long}z`;
      }).join(""),
    });
  const y = top + 24;
  const most = Math.max(...model.ways.map((one) => one.on_gpu[leastShown(model, data.usable)]));
  const room = (bytes) => (bytes / most) * (width - 16);
  const fits = left >= 0;
  const bar = { x: 8, y: y + LAYER_STRIP + 8, height: ROOM };
  let end = 0;
  return [
    s("text.hy-label", { x: 8, y: top + 16 }, wayName(way.name)),
    s(
      "text.hy-label",
      { x: width - 12, y: top + 16, "text-anchor": "end" },
      fits ? splitSpeed(token_s) : "GPUに入りません",
    ),
    strip(1, 0, outside - onDisk, y, LAYER_STRIP - cut),
    strip(3, outside - onDisk, outside, y, LAYER_STRIP - cut),
    cut > 0 && strip(0, 0, outside, y + LAYER_STRIP - cut, cut),
    strip(0, outside, layers, y, LAYER_STRIP),
    s("rect.hy-work.hy-series-0", { ...bar, width: room(Math.min(way.on_gpu[outside], data.usable)) }),
    !fits && s("rect.hy-over", { ...bar, x: 8 + room(data.usable), width: room(-left) }),
    s("rect.hy-tank", { ...bar, width: room(data.usable) }),
    s(
      "text.hy-tick",
      { x: 8, y: y + LAYER_STRIP + 36 },
      `GPUに${gb(way.on_gpu[outside])}（使えるのは${gb(data.usable)}）`,
    ),
    fits &&
      parts.map((part, i) => {
        const from = end;
        end += part;
        return (
          part > 0 &&
          s(`rect.hy-wait.hy-series-${i}`, { x: x(from), y: y + LAYER_STRIP + 46, width: x(end) - x(from), height: 24 })
        );
      }),
  ];
}

// The speed of every split that fits, by the layers outside, as far as the reader has come.
function speedsOf(data, model, { ram, outside, farthest }, area) {
  const { ways, layers } = model;
  const speed = (way, n) => 1 / waited(way, data.usable, ram, n).token_s;
  const ticks = linearTicks(Math.max(...ways.map((way) => speed(way, fewest(way, data.usable)))), 3);
  const first = leastShown(model, data.usable);
  const x = (n) => area.left + ((n - first) / (layers - first)) * (area.right - area.left);
  const y = (value) => area.bottom - (value / ticks.at(-1)) * (area.bottom - area.top);
  const lines = ways.map((way, i) => {
    const from = Math.max(farthest, fewest(way, data.usable));
    const points = Array.from({ length: layers + 1 - from }, (_, k) => `${x(from + k)},${y(speed(way, from + k))}`);
    return [
      s("polyline", { class: `hy-roof hy-plain${i ? " hy-beyond" : ""}`, points: points.join(" ") }),
      waited(way, data.usable, ram, outside).left >= 0 &&
        s("circle.hy-mark.hy-filled.hy-plain", { cx: x(outside), cy: y(speed(way, outside)), r: 5 }),
    ];
  });
  const [, step] = linearTicks(layers - first, 5);
  const full = fewestOfAll(model, data.usable);
  return [
    farthest <= full && [
      s("line.hy-limit", { x1: x(full), x2: x(full), y1: area.top, y2: area.bottom }),
      s("text.hy-tick.hy-over-lines", { x: x(full) + 5, y: area.bottom - 6 }, `${full}層で、GPUは満杯`),
    ],
    s("text.hy-tick", { x: 8, y: area.top - 12 }, `速さ（トークン/秒${ways.length > 1 ? "。点線は専門家だけ" : ""}）`),
    axes(area, {
      xLabel: "外に置く層",
      xTicks: Array.from({ length: layers + 1 }, (_, n) => n)
        .filter((n) => n > first && n % step === 0)
        .map((n) => ({ at: x(n), text: tickText(n) })),
      yTicks: ticks.map((tick) => ({ at: y(tick), text: tickText(tick) })),
    }),
    lines,
    s("line.hy-chosen", { x1: x(outside), x2: x(outside), y1: area.top, y2: area.bottom }),
  ];
}

const PARTS = ["GPU側", "CPU側", "受け渡し", "SSD"];

function splitWords(data, { ways, layers }, { ram, outside }, now) {
  const legend = PARTS.flatMap((text, i) =>
    ways.some((way) => waited(way, data.usable, ram, layers).parts[i] > 0) ? [swatch(i), `\u00a0${text}　`] : [],
  );
  const told = ways.map((way, i) => {
    const { parts, token_s, left } = now[i];
    const best = fewest(way, data.usable);
    const where = `${wayName(way.name)}：CPU側に${gb(way.on_host[outside])}。`;
    if (left < 0) return `${where}GPUに${gb(-left)}入りきりません。`;
    const sum = parts.flatMap((part, k) => (part > 0 ? [`${PARTS[k]}${asMs(part)}`] : [])).join(" ＋ ");
    const verdict =
      outside === best
        ? "これより多くはGPUに戻せないので、この置き方では、いちばん速い分け方です。"
        : `GPUには、あと${gb(left)}入ります。`;
    const disk = parts[3] > 0 ? "SSDの分は、うまくいったときの値です。" : "";
    return `${where}${sum} ＝ ${asMs(token_s)}で、${splitSpeed(token_s)}。${disk}${verdict}`;
  });
  return {
    lines: [{ text: legend }, ...told.map((text) => ({ text }))],
    news: told.join(""),
  };
}
