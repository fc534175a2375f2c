// A talk that goes on: its cache fills the memory beside the weights, and every token is slower than the one before.

import { withCommas } from "./commas.mjs";
import { s } from "./dom.mjs";
import { fillingData } from "./filling-data.mjs";
import { axes, linearTicks, picture, swatch, tickText } from "./marks.mjs";
import { choices, stage } from "./stage.mjs";

const FIRST = 1; // of the models
const TALK_S = 20; // for the longest talk
const BAR_TOP = 34; // heights in pixels
const BAR_HEIGHT = 34;
const CURVE_TOP = 140;
const CURVE_HEIGHT = 130;
const POINTS = 64;

/**
 * Tell how large the cache of a talk is.
 * @param {{full: number, windowed: number, window: number}} model - Bytes of a token in layers that keep all, in those
 *   that keep a window, and its length.
 * @param {number} tokens
 * @returns {number} Bytes.
 */
export function cacheBytes({ full, windowed, window }, tokens) {
  return full * tokens + windowed * Math.min(tokens, window);
}

/** Tell what the memory's bandwidth allows, in tokens/s. */
export function boundAt(model, bandwidth, tokens) {
  return bandwidth / (model.read + cacheBytes(model, tokens));
}

/** Tell with how many tokens the memory is full: those of layers with a window take no more beyond it. */
export function fullAt({ full, windowed, window, resident, usable }) {
  const room = usable - resident;
  return Math.max(room / (full + windowed), (room - windowed * window) / full);
}

/** Build the figure; `data` says what fills the memory of one machine. */
export function mountFilling(root, data = fillingData) {
  const { models, machine } = data;
  stage(root, {
    title: `会話が続くと、メモリが埋まる（${machine}）`,
    intro: "会話が何トークンになると、メモリに入りきらなくなるでしょうか。見当をつけてから、始めてください。",
    initial: { model: FIRST },
    controls: (set) => [
      choices(
        "モデル",
        models.map(({ name }) => name),
        (model) => set({ model }),
        FIRST,
      ),
    ],
    duration: TALK_S,
    draw: ({ model }, width) => fillingOf(models[model], data, width),
  });
}

const inGb = (bytes) => `${(bytes / 1e9).toPrecision(3)}\u00a0GB`;
const talk = (tokens) => `${withCommas(Math.round(tokens))}トークン`;

const overSwatch = () =>
  s(
    "svg",
    { width: 16, height: 16, viewBox: "0 0 16 16", "aria-hidden": "true" },
    s("rect.hy-over", { x: 1, y: 1, width: 14, height: 14 }),
  );

const usableMark = (x) => [
  s("line.hy-limit", { x1: x, x2: x, y1: BAR_TOP - 8, y2: BAR_TOP + BAR_HEIGHT + 4 }),
  s("text.hy-tick", { x: x - 4, y: BAR_TOP - 10, "text-anchor": "end" }, "ここまで使える"),
  s("text.hy-tick", { x: x + 4, y: BAR_TOP - 10 }, "macOSなどが使う"),
];

const axesOf = (area, x, y, { longest, yTicks }) =>
  axes(area, {
    xLabel: "会話の長さ（トークン）",
    xTicks: [0, 0.25, 0.5, 0.75, 1].map((share) => ({
      at: x(share * longest),
      text: talk(share * longest).slice(0, -4),
    })),
    yTicks: yTicks.map((tick) => ({ at: y(tick), text: tickText(tick) })),
  });

const wallAt = (x, { top, bottom }, text) =>
  s(
    "g",
    {},
    s("line.hy-limit", { x1: x, x2: x, y1: top, y2: bottom }),
    s("text.hy-tick.hy-over-lines", { x: x + 5, y: top + 12 }, text),
  );

function fillingOf(model, { models, bandwidth, capacity, longest }, width) {
  const tokensAt = (t) => (t / TALK_S) * longest;
  const area = { left: 44, right: width - 16, top: CURVE_TOP, bottom: CURVE_TOP + CURVE_HEIGHT };
  const wide = area.right - area.left;
  const bytes = (value) => 8 + (value / capacity) * (width - 16);
  const x = (tokens) => area.left + (tokens / longest) * wide;
  const yTicks = linearTicks(Math.max(...models.map((one) => boundAt(one, bandwidth, 0))), 3);
  const y = (speed) => area.bottom - (speed / yTicks.at(-1)) * CURVE_HEIGHT;
  const sample = Array.from({ length: POINTS + 1 }, (_, i) => (i / POINTS) * longest);
  const line = s("polyline.hy-roof.hy-series-2", {});
  const beyond = s("polyline.hy-chosen", { fill: "none" });
  const until = fullAt(model);
  const wall = wallAt(x(until), area, `約${talk(until.toPrecision(3))}まで`);
  const cache = s("rect.hy-cache", { x: bytes(model.resident), y: BAR_TOP, height: BAR_HEIGHT });
  const at = s("line.hy-chosen", { y1: area.top, y2: area.bottom });
  const said = s("text.hy-label", { x: 8, y: BAR_TOP + BAR_HEIGHT + 20 });
  const bar = { y: BAR_TOP, height: BAR_HEIGHT };
  const figure = picture(
    { width, height: area.bottom + 46, title: "メモリの使いみちと、速さの上限" },
    s("rect.hy-wait.hy-series-0", { x: bytes(0), width: bytes(model.resident) - bytes(0), ...bar }),
    s("rect.hy-kept", { x: bytes(model.usable), width: bytes(capacity) - bytes(model.usable), ...bar }),
    cache,
    s("rect.hy-tank", { x: bytes(0), width: bytes(capacity) - bytes(0), ...bar }),
    usableMark(bytes(model.usable)),
    said,
    s("text.hy-tick", { x: 8, y: area.top - 12 }, "速さの上限（トークン/秒）"),
    axesOf(area, x, y, { longest, yTicks }),
    line,
    beyond,
    at,
    wall,
  );
  const state = (t) => {
    const tokens = tokensAt(t);
    const filled = model.resident + cacheBytes(model, tokens);
    return { tokens, filled, fits: filled <= model.usable, speed: boundAt(model, bandwidth, tokens) };
  };
  return {
    figure,
    lines: [
      { mark: swatch(0), text: `重み：${inGb(model.resident)}。会話が続いても変わりません。` },
      { mark: swatch(1), text: `KVキャッシュ：${model.kept}` },
      { mark: overSwatch(), text: "メモリに入りきらないKVキャッシュ" },
    ],
    at(t) {
      const { tokens, filled, fits, speed } = state(t);
      cache.setAttribute("width", bytes(Math.min(filled, capacity)) - bytes(model.resident));
      cache.setAttribute("class", fits ? "hy-cache" : "hy-cache hy-over");
      at.setAttribute("x1", x(tokens));
      at.setAttribute("x2", x(tokens));
      const way = (from, to) =>
        [from, ...sample.filter((one) => one > from && one < to), to].map(
          (one) => `${x(one)},${y(boundAt(model, bandwidth, one))}`,
        );
      line.setAttribute("points", way(0, Math.min(tokens, until)).join(" "));
      beyond.setAttribute("points", fits ? "" : way(until, tokens).join(" "));
      wall.setAttribute("visibility", fits ? "hidden" : "visible"); // how long it may be is for the reader to find
      said.textContent = `${talk(tokens)}で${inGb(filled)}、${fits ? `毎秒${speed.toFixed(1)}トークンまで` : "入りきりません"}`;
    },
    said(t) {
      const { tokens, filled, fits, speed } = state(t);
      const verdict = fits ? `速さの上限は毎秒${speed.toFixed(1)}トークンです。` : "メモリに入りきりません。";
      return `会話が${talk(tokens)}のとき、重みと合わせて${inGb(filled)}です。${verdict}`;
    },
  };
}
