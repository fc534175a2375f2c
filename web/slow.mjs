// One token in slow motion: weights come through a pipe, and what computes with them waits.

import { s } from "./dom.mjs";
import { picture, swatch } from "./marks.mjs";
import { slowData } from "./slow-data.mjs";
import { stage } from "./stage.mjs";

const STRETCHED = 1e6; // a microsecond is shown as a second
const SHOWN_S = 180; // at whose end the slower machine computes
const SQUARE = 96; // pixels: sides of the largest squares, where there is room
const THICKEST = 0.6; // of that side, the widest pipe
const PARCEL = 8; // pixels, the length of a parcel in the widest pipe
const FILLED = 0.7; // of a parcel's length
const TITLE_ROWS = 46; // pixels above and below the squares
const WORD_ROWS = 76;

/**
 * Tell how far a machine has come.
 *
 * It brings one load after the other, and computes with each as soon as it is there.
 * @param {{transfer_s: number, compute_s: number}} machine - What a load takes.
 * @param {{bytes: number, load: number}} amounts - Of a token, and of a load.
 * @param {number} seconds - Since it began.
 * @returns {{moved: number, loads: number, filled: number, computing: boolean, worked_s: number}} Bytes, whole loads,
 *   the share of the next one, and what was computed.
 */
export function carried({ transfer_s, compute_s }, { bytes, load }, seconds) {
  const moved = Math.min(bytes, (load * seconds) / transfer_s);
  const loads = Math.floor(moved / load + 1e-9);
  const since_s = seconds - loads * transfer_s;
  const last_s = Math.min(compute_s, Math.max(0, since_s));
  return {
    moved,
    loads,
    filled: Math.max(0, moved / load - loads),
    computing: loads > 0 && since_s < compute_s,
    worked_s: loads > 0 ? (loads - 1) * compute_s + last_s : 0,
  };
}

/** Say a time that is too long for seconds. */
export function longTime(seconds) {
  const whole = Math.round(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  if (hours) return `${hours}時間${minutes}分`;
  return minutes ? `${minutes}分${whole % 60}秒` : `${whole}秒`;
}

/** Build the figure; `data` holds the machines and what they bring. */
export function mountSlow(root, data = slowData) {
  stage(root, {
    title: "1マイクロ秒を、1秒に引き延ばす",
    intro:
      "1トークンを書くたびに、同じだけの重みがメモリから運ばれます。運び終えるのは、この速さで何分後でしょうか。見当をつけてから、始めてください。",
    duration: SHOWN_S,
    draw: (_, width) => slowMotion(data, width),
  });
}

const inMb = (bytes) => `${(bytes / 1e6).toFixed(1)}\u00a0MB`;
const micro = (seconds) => `${Number((seconds * 1e6).toPrecision(3))}マイクロ秒`;

function slowMotion(data, width) {
  const { machines, bytes } = data;
  const unit = Math.min(SQUARE, width * 0.2);
  const each = TITLE_ROWS + unit + WORD_ROWS;
  const drawn = machines.map((machine, i) => machineAt(machine, data, { width, unit, top: i * each + TITLE_ROWS }));
  const load = `${data.load / 1e6}\u00a0MB`;
  const at = (machine, t) => carried(machine, data, t / STRETCHED);
  return {
    figure: picture(
      { width, height: machines.length * each, title: "二つの機械が重みを運び、計算するところ" },
      drawn.map(({ parts }) => parts),
    ),
    lines: [
      { mark: swatch(0), text: `運ぶ重みです。左の四角の中にあるのが、1トークンに要る${data.weights}です。` },
      {
        text: `四角の面積が容量と計算力、管の太さが帯域幅です（どれも実際の比）。管の中の区切り一つが、重み${data.parcel}です。`,
      },
      {
        mark: swatch(1),
        text: `細長い箱に${load}たまるたびに、計算ユニットが計算します。つまみを動かすと、先の時刻も見られます。`,
      },
      ...machines.map(({ name, transfer_s, compute_s }) => ({
        answers: true,
        text: `${name}：${load}を運ぶのに${micro(transfer_s)}、計算するのに${micro(compute_s)}。働くのは、時間の${Math.round((100 * compute_s) / transfer_s)}%です。`,
      })),
    ],
    at(t) {
      for (const [i, machine] of machines.entries()) drawn[i].show(at(machine, t), t);
    },
    said: (t) =>
      machines
        .map((machine) => {
          const { moved, worked_s } = at(machine, t);
          const left = longTime(machine.token_s * STRETCHED * (1 - moved / bytes));
          return `${machine.name}は${inMb(moved)}を運び、計算したのは${micro(worked_s)}です。運び終えるまで、あと${left}です。`;
        })
        .join(""),
  };
}

// Memory, pipe, chip and what computes, from left to right; beneath them the whole token.
function machineAt(machine, { machines, bytes, parcel_bytes }, { width, unit, top }) {
  const most = (name) => Math.max(...machines.map((one) => one[name]));
  const side = (value, of) => unit * Math.sqrt(value / of);
  const [right, middle, bottom] = [width - 8, top + unit / 2, top + unit];
  const memory = side(machine.capacity, most("capacity"));
  const weights = side(bytes, most("capacity"));
  const computing = side(machine.peak, most("peak"));
  const share = machine.bandwidth / most("bandwidth");
  const chip = { x: right - 1.4 * unit, width: 0.4 * unit };
  const parcel = PARCEL / share;
  const pace = (machine.bandwidth / parcel_bytes / STRETCHED) * parcel; // pixels in a second of the film
  const pipe = { x1: 8 + memory, x2: chip.x, y1: middle, y2: middle, "stroke-width": THICKEST * unit * share };
  const flow = s("line.hy-flow.hy-series-0", {
    ...pipe,
    "stroke-dasharray": `${FILLED * parcel} ${(1 - FILLED) * parcel}`,
  });
  const water = s("rect.hy-work.hy-series-0", chip);
  const core = s("rect", { x: right - unit, y: middle - computing / 2, width: computing, height: computing });
  const moved = s("rect.hy-work.hy-series-0", { x: 8, y: bottom + 26, height: 10 });
  const texts = [
    s("text.hy-tick", { x: 8, y: bottom + 18 }),
    s("text.hy-tick", { x: right, y: bottom + 18, "text-anchor": "end" }),
    s("text.hy-label", { x: 8, y: bottom + 54 }),
    s("text.hy-label", { x: right, y: bottom + 54, "text-anchor": "end" }),
  ];
  const end = { x: right, y: top - 10, "text-anchor": "end" };
  return {
    parts: [
      s("text.hy-label", { x: 8, y: top - 28 }, machine.name),
      s("text.hy-tick", { x: 8, y: top - 10 }, machine.memory),
      s("text.hy-tick", { x: (8 + memory + chip.x) / 2, y: top - 10, "text-anchor": "middle" }, machine.pipe),
      s("text.hy-tick", end, machine.compute),
      s("rect.hy-cell", { x: 8, y: middle - memory / 2, width: memory, height: memory }),
      s("rect.hy-work.hy-series-0", { x: 8, y: middle + memory / 2 - weights, width: weights, height: weights }),
      s("line.hy-pipe", pipe),
      flow,
      water,
      s("rect.hy-tank", { ...chip, y: top, height: unit }),
      core,
      moved,
      s("rect.hy-tank", { x: 8, y: bottom + 26, width: right - 8, height: 10 }),
      texts,
    ],
    show(state, t) {
      flow.setAttribute("visibility", t > 0 ? "visible" : "hidden");
      flow.setAttribute("stroke-dashoffset", -pace * t);
      water.setAttribute("y", bottom - unit * state.filled);
      water.setAttribute("height", unit * state.filled);
      core.setAttribute("class", `hy-core hy-series-1${state.computing ? " hy-lit" : ""}`);
      moved.setAttribute("width", ((right - 8) * state.moved) / bytes);
      const left = machine.token_s * STRETCHED * (1 - state.moved / bytes);
      const next = machine.transfer_s * STRETCHED * (1 - state.filled);
      const words = [
        `運んだ量 ${inMb(state.moved)}`,
        state.computing ? "計算しています" : t > 0 ? `次の計算まで${longTime(next)}` : "計算は待っています",
        t > 0 ? `運び終えるまで${longTime(left)}` : "",
        t > 0 ? `計算は合計${(state.worked_s * STRETCHED).toFixed(1)}秒` : "",
      ];
      for (const [i, text] of texts.entries()) text.textContent = words[i];
    },
  };
}
