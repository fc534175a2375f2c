// Requests that come, wait for a seat, are written together and leave: the queue, and where it begins to grow.

import { withCommas } from "./commas.mjs";
import { replace, s } from "./dom.mjs";
import { axes, curve, linearTicks, marker, picture, swatch, tickText } from "./marks.mjs";
import { queueData } from "./queue-data.mjs";
import { choices, control, stage } from "./stage.mjs";

const AT_FIRST = { seats: 1, rate: 6 }; // of the lists: 16 seats, and more requests than they can serve
const DEEP = 8;
const LARGEST_CELL = 18;
const ABOVE_SEATS = 26; // heights in pixels
const CACHE_BAR = 16;
const PLOT = 130;
const UNDER = 46;

/** Add up differences. */
export function summed(differences) {
  let sum = 0;
  return differences.map((more) => {
    sum += more;
    return sum;
  });
}

/**
 * Tell what a machine and its queue hold, and what it has written, at a moment.
 * @param {object} run - Its lists, summed up.
 * @param {{step: number, grain: number}} data - Seconds from one number to the next; the tokens that are one of them.
 * @param {number} t - Seconds.
 * @returns {{waiting: number, running: number, written: number, cached: number}} Requests, and tokens.
 */
export function queued({ waiting, running, written, cached }, { step, grain }, t) {
  const at = Math.floor(t / step + 1e-9);
  return { waiting: waiting[at], running: running[at], written: grain * written[at], cached: grain * cached[at] };
}

const SUMMED = ["waiting", "running", "written", "cached"];

/** A run with its lists summed up. */
export function whole(run) {
  return { ...run, ...Object.fromEntries(SUMMED.map((name) => [name, summed(run[name])])) };
}

/** Build the figure; `data` holds what the chapter's scheduler does, by the number of seats and the rate. */
export function mountQueue(root, data = queueData) {
  const { rates, seats, seconds } = data;
  const runs = data.runs.map((row) => row.map(whole));
  const seen = seats.map(() => new Set()); // rates that the reader has followed to the end
  stage(root, {
    title: "列は、どこで伸びはじめるか",
    intro: `席が埋まると、あとから来た依頼は列に並びます。1秒に何件までなら、列はほとんどできないでしょうか。見当をつけてから、始めてください（本当の速さで、${seconds}秒間）。見おわったあとは、つまみを動かすだけで、${seconds}秒後が見られます。`,
    initial: AT_FIRST,
    controls: (set) => [
      control({
        label: "1秒に来る依頼",
        values: rates,
        value: rates[AT_FIRST.rate],
        text: (n) => `${n}件`,
        onvalue: (n) => set({ rate: rates.indexOf(n) }),
      }),
      choices(
        "席の数",
        seats.map((n) => `${n}席`),
        (chosen) => set({ seats: chosen }),
        AT_FIRST.seats,
      ),
    ],
    duration: seconds,
    draw: (state, width) => queueOf({ ...data, runs, seen }, state, width),
  });
}

function queueOf(data, state, width) {
  const { runs, seen, seconds, rates } = data;
  const run = runs[state.seats][state.rate];
  const house = houseOf(data, state, width);
  const beside = width > 560;
  const top = house.height + 34;
  const time = timeOf(data, run, { left: 40, right: beside ? width / 2 - 16 : width - 12, top, bottom: top + PLOT });
  const below = beside ? top : top + PLOT + UNDER + 34;
  const area = { left: beside ? width / 2 + 46 : 40, right: width - 12, top: below, bottom: below + PLOT };
  const knee = s("g", {});
  const figure = picture(
    { width, height: area.bottom + UNDER, title: "列と席と、待つ時間" },
    house.parts,
    time.parts,
    kneeAxes(data, area),
    knee,
  );
  let known = null;
  return {
    figure,
    lines: (t) => queueWords(data, state, run, t),
    at(t) {
      const now = queued(run, data, t);
      house.at(now);
      time.at(t);
      const ended = t >= seconds;
      if (ended) seen[state.seats].add(rates[state.rate]); // as long as the page is open
      if (ended !== known) replace(knee, kneeOf(data, state, area, ended));
      known = ended;
    },
    said(t) {
      const { waiting, running } = queued(run, data, t);
      const waited = t >= seconds ? `待った時間は、平均${waitText(run.wait_s)}です。` : "";
      return `${t.toFixed(1)}秒の時点です。${running}件を書き、列は${waiting}件です。${waited}`;
    },
  };
}

// The queue before the seats, one square each, and the memory that those on the seats fill.
function houseOf(data, state, width) {
  const { runs, seats, bytes } = data;
  const all = runs.flat();
  const columns = (requests) => Math.ceil(requests / DEEP);
  const longest = columns(Math.max(...all.flatMap(({ waiting }) => waiting)));
  const cell = Math.min(LARGEST_CELL, Math.floor((width - 16) / (longest + columns(seats.at(-1)) + 2)));
  const door = width - 8 - (columns(seats.at(-1)) + 1) * cell; // the seats stand to its right
  const squares = (count, x) =>
    Array.from({ length: count }, (_, i) => {
      const [column, row] = [Math.floor(i / DEEP), i % DEEP];
      return `M${x(column)} ${ABOVE_SEATS + row * cell}h${cell - 1.5}v${cell - 1.5}h${1.5 - cell}z`;
    }).join("");
  const seat = (column) => door + (column + 1) * cell;
  const inQueue = (column) => door - (column + 1) * cell;
  const bottom = ABOVE_SEATS + DEEP * cell;
  const most = linearTicks(Math.max(...all.flatMap(({ cached }) => cached)) * data.grain * bytes, 3).at(-1);
  const wide = width - 16;
  const bar = { x: 8, y: bottom + 34, height: CACHE_BAR };
  const queue = s("path.hy-work.hy-series-1", {});
  const taken = s("path.hy-work.hy-series-0", {});
  const cache = s("rect.hy-work.hy-series-0", bar);
  const [waits, caches] = [
    s("text.hy-label", { x: door, y: 16, "text-anchor": "end" }),
    s("text.hy-label", { x: 8, y: bottom + 26 }),
  ];
  return {
    height: bottom + 34 + CACHE_BAR,
    parts: [
      s("text.hy-label", { x: seat(0), y: 16 }, `${seats[state.seats]}席`),
      s("path.hy-box", { d: squares(seats[state.seats], seat) }),
      s("line.hy-limit", { x1: door + cell / 2, x2: door + cell / 2, y1: ABOVE_SEATS, y2: bottom }),
      queue,
      taken,
      cache,
      s("rect.hy-tank", { ...bar, width: wide }),
      waits,
      caches,
      s("text.hy-tick", { x: 8 + wide, y: bottom + 26, "text-anchor": "end" }, `${most / 1e9}\u00a0GB`),
    ],
    at({ waiting, running, cached }) {
      queue.setAttribute("d", squares(waiting, inQueue));
      taken.setAttribute("d", squares(running, seat));
      cache.setAttribute("width", ((cached * bytes) / most) * wide);
      waits.textContent = `列 ${waiting}件`;
      caches.textContent = `KVキャッシュ ${((cached * bytes) / 1e9).toFixed(1)}\u00a0GB`;
    },
  };
}

// How many wait and how many are written, from the beginning to a moment.
function timeOf({ runs, seconds, step }, run, area) {
  const ticks = linearTicks(Math.max(...runs.flat().flatMap(({ waiting }) => waiting)), 4);
  const x = (t) => area.left + (t / seconds) * (area.right - area.left);
  const y = (requests) => area.bottom - (requests / ticks.at(-1)) * (area.bottom - area.top);
  const lines = ["running", "waiting"].map((name, i) => ({ name, line: curve(i, []) }));
  lines[1].line.classList.add("hy-beyond"); // told apart without its colour
  const at = s("line.hy-chosen", { y1: area.top, y2: area.bottom });
  return {
    parts: [
      s("text.hy-tick", { x: 8, y: area.top - 12 }, "件数"),
      axes(area, {
        xLabel: "時間（秒）",
        xTicks: linearTicks(seconds, 4).map((t) => ({ at: x(t), text: tickText(t) })),
        yTicks: ticks.map((tick) => ({ at: y(tick), text: tickText(tick) })),
      }),
      lines.map(({ line }) => line),
      at,
    ],
    at(t) {
      const count = Math.floor(t / step + 1e-9) + 1;
      for (const { name, line } of lines) {
        const points = run[name].slice(0, count).map((value, i) => `${x(i * step)},${y(value)}`);
        line.setAttribute("points", points.join(" "));
      }
      at.setAttribute("x1", x(t));
      at.setAttribute("x2", x(t));
    },
  };
}

// The same for any number of seats, so that they can be compared.
const kneeScale = ({ rates, runs }, area) => {
  const ticks = linearTicks(Math.max(...runs.flat().map(({ wait_s }) => wait_s)), 4);
  return {
    ticks,
    x: (rate) => area.left + (rate / rates.at(-1)) * (area.right - area.left),
    y: (wait) => area.bottom - (wait / ticks.at(-1)) * (area.bottom - area.top),
  };
};

function kneeAxes(data, area) {
  const { ticks, x, y } = kneeScale(data, area);
  return [
    s("text.hy-tick", { x: area.left - 32, y: area.top - 12 }, "待つ時間の平均（秒）"),
    axes(area, {
      xLabel: "1秒に来る依頼（件）",
      xTicks: linearTicks(data.rates.at(-1), 4).map((rate) => ({ at: x(rate), text: tickText(rate) })),
      yTicks: ticks.map((tick) => ({ at: y(tick), text: tickText(tick) })),
    }),
  ];
}

// The waits at those rates that were followed to the end; where the seats are all taken is said only then.
function kneeOf(data, state, area, ended) {
  const { seen, rates, capacity } = data;
  const { x, y } = kneeScale(data, area);
  const point = (k, which = state.seats) => [x(rates[k]), y(data.runs[which][k].wait_s)];
  const followed = (which) => rates.flatMap((rate, k) => (seen[which].has(rate) ? [point(k, which)] : []));
  const others = data.seats.map((count, which) => {
    const points = followed(which);
    return (
      which !== state.seats && [
        s("polyline.hy-roof.hy-chosen", { points: points.join(" ") }),
        points.map(([cx, cy]) => s("circle.hy-other", { cx, cy, r: 4 })),
        points
          .slice(-1)
          .map(([cx, cy]) => s("text.hy-tick.hy-over-lines", { x: cx - 9, y: cy, "text-anchor": "end" }, `${count}席`)),
      ]
    );
  });
  const points = followed(state.seats);
  const dots = points.map(([cx, cy]) => marker(1, cx, cy, "filled", 4));
  if (!ended) return [others, curve(1, points), dots];
  const full = x(capacity[state.seats]);
  const label = { x: full - 5, y: area.top + 14, "text-anchor": "end" };
  return [
    others,
    s("line.hy-limit", { x1: full, x2: full, y1: area.top, y2: area.bottom }),
    s("text.hy-tick.hy-over-lines", label, "さばける数"),
    curve(1, points),
    dots,
    marker(1, ...point(state.rate), "filled", 6),
  ];
}

const waitText = (seconds) => `${seconds < 1 ? seconds.toFixed(2) : seconds.toFixed(1)}秒`;

function queueWords(data, state, run, t) {
  const { seats, rates, seconds, capacity } = data;
  const { waiting, running, written } = queued(run, data, t);
  const lines = [
    { mark: swatch(0), text: `席で書いている依頼：${running}件（${seats[state.seats]}席）` },
    { mark: swatch(1), text: `列で待つ依頼：${waiting}件` },
  ];
  if (t > 0)
    lines.push({
      text: `ここまでに、平均で毎秒${withCommas(Number((written / t).toPrecision(2)))}トークンを書きました。`,
    });
  if (t < seconds) return lines;
  const per_s = run.requests / run.until_s;
  return [
    ...lines,
    { text: `${seconds}秒間に来た${run.requests}件が最初の一文字まで待った時間は、平均${waitText(run.wait_s)}です。` },
    {
      text: `${seats[state.seats]}席がいつも埋まっているとき、さばけるのは1秒に${capacity[state.seats].toFixed(1)}件です。${rates[state.rate] > capacity[state.seats] ? "それより多いので、列は伸びつづけます。" : ""}`,
    },
    {
      text: `中にいたのは平均${run.inside.toFixed(1)}件です。1秒に${per_s.toFixed(2)}件 × 一人${run.stay_s.toFixed(1)}秒 ＝ ${(per_s * run.stay_s).toFixed(1)}件と、ほぼ同じです（リトルの法則）。書き終わるまでの時間で割るので、件数はつまみより減ります。`,
    },
  ];
}
