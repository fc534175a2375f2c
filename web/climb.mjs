// The roofline to be touched: the tokens of a step slide along it, from the writing of one to the reading of many.

import { climbData } from "./climb-data.mjs";
import { withCommas } from "./commas.mjs";
import { h } from "./dom.mjs";
import { smallMarker } from "./marks.mjs";
import { rooflineChart, roofOf } from "./plot.mjs";
import { choices, control, stage } from "./stage.mjs";

const WRITING = 0; // of the works
const NEAR_WORK = Math.log(4); // as many times more or fewer is still near

/**
 * Tell where the work lies under the roofs, and how fast that is.
 * @param {object} one - A model with its machines, as in `climb_data`.
 * @param {{work: number, size: number, context: number}} state - Places in its lists.
 * @returns {{intensity: number, machines: Array<{flop_per_s: number, tokens_per_s: number, ridge: number}>}}
 */
export function climbed({ works, machines }, { work, size, context }) {
  const { intensity, flop } = works[work];
  const at = work === WRITING ? context : 0; // what is read begins with nothing
  return {
    intensity: intensity[at][size],
    machines: machines.map((machine) => {
      const flop_per_s = roofOf(machine, intensity[at][size]);
      return { flop_per_s, tokens_per_s: flop_per_s / flop[at][size], ridge: machine.peak / machine.bandwidth };
    }),
  };
}

/** Build the figure; `data` holds models with their machines, their work, and what was measured. */
export function mountClimb(root, data = climbData) {
  const { sizes, contexts, models } = data;
  stage(root, {
    title: "仕事をルーフラインの上で動かす",
    intro:
      "一度に計算するトークンを増やすと、仕事は斜面（メモリが速さを決める）を右へのぼり、平らな屋根（計算力が決める）に着きます。図を左右になぞっても動かせます。",
    initial: { model: 0, work: WRITING, size: 0, context: 0 },
    controls(set) {
      const context = control({
        label: "文脈長",
        values: contexts,
        value: contexts[0],
        text: tokens,
        onvalue: (chosen) => set({ context: contexts.indexOf(chosen) }),
      });
      return [
        choices(
          "モデルと重みの形式",
          models.map(({ name }) => name),
          (model) => set({ model }),
        ),
        choices("仕事", ["書く（デコード）", "入力を処理する（プリフィル）"], (work) => {
          context.hidden = work !== WRITING;
          set({ work });
        }),
        control({
          label: "一度に計算する数",
          values: sizes,
          value: sizes[0],
          text: tokens,
          onvalue: (chosen) => set({ size: sizes.indexOf(chosen) }),
        }),
        context,
      ];
    },
    draw(state, width) {
      const { figure, intensityAt } = roofsOf(data, state, width);
      const reached = sizes.map((_, size) => climbed(models[state.model], { ...state, size }).intensity);
      return {
        figure,
        ...climbWords(data, state),
        drag(x) {
          const [slider] = root.getElementsByClassName("hy-slider");
          const size = nearest(reached, intensityAt(x));
          if (size === state.size) return;
          slider.value = size;
          slider.dispatchEvent(new Event("input"));
        },
      };
    },
  });
}

/** The place of the value that is the fewest times another away. */
export function nearest(values, wanted) {
  const gaps = values.map((value) => Math.abs(Math.log(value / wanted)));
  return gaps.indexOf(Math.min(...gaps));
}

const digits = (value) => withCommas(Number(value.toPrecision(3)));
const tokens = (n) => `${withCommas(n)}トークン`;
const inASecond = (tokens_per_s) => `毎秒${digits(tokens_per_s)}トークン`;

// Where the reader has put the work: `size` tokens at once, behind `context` tokens each.
const placeOf = ({ sizes, contexts }, { work, size, context }) => ({
  work,
  size: sizes[size],
  context: work === WRITING ? contexts[context] : 0,
});

function roofsOf(data, state, width) {
  const one = data.models[state.model];
  const rowsAt = (where) => {
    const { intensity, machines } = climbed(one, where);
    return machines.map(({ flop_per_s }, index) => {
      const { name, bandwidth, peak, room } = one.machines[index];
      const over = where.work === WRITING && data.sizes[where.size] > room[where.context];
      return { index, name, bandwidth, peak, intensity, bound: flop_per_s, estimate: null, over };
    });
  };
  const ends = [0, data.sizes.length - 1];
  const around = one.works.flatMap(({ intensity }, work) =>
    intensity.flatMap((_, context) => ends.flatMap((size) => rowsAt({ work, size, context }))),
  );
  const measured = one.machines.flatMap((machine, index) => {
    const spoken = besides(machine, placeOf(data, state));
    return machine.measured.map((row) => ({ ...row, index, near: row === spoken }));
  });
  const rows = rowsAt(state);
  return rooflineChart(rows, { width, title: "ルーフラインの図", around, chosen: rows[0].intensity, measured });
}

/** What was measured of the same work nearest to a place, if anything is near. */
export function besides({ measured }, { work, size, context }) {
  const far = (row) => Math.abs(Math.log(row.size / size)) + Math.abs(Math.log((row.context + 512) / (context + 512)));
  return measured.filter((row) => row.work === work && far(row) < NEAR_WORK).toSorted((a, b) => far(a) - far(b))[0];
}

const behind = (context) => `文脈長${withCommas(context)}`;

function workText({ work, size, context }) {
  if (work !== WRITING) return `${tokens(size)}の入力を処理する`;
  return `${withCommas(size)}系列を${size > 1 ? "束ねて" : ""}書く（${behind(context)}）`;
}

function measuredText({ work, size, context, tokens_per_s, share, engine, source }) {
  const what = work === WRITING ? `${withCommas(size)}系列、${behind(context)}` : `${tokens(size)}の入力`;
  return [
    `太い×の実測は、${what}で${inASecond(tokens_per_s)}。真上の屋根の${Math.round(100 * share)}%です（`,
    h("a", { href: source }, engine),
    "）。",
  ];
}

function climbWords(data, state) {
  const one = data.models[state.model];
  const place = placeOf(data, state);
  const { intensity, machines } = climbed(one, state);
  const first = `${workText(place)}：算術強度${digits(intensity)}\u00a0FLOP/B`;
  const kinds = machines.map(({ ridge }) => (intensity < ridge ? "メモリバウンド" : "計算バウンド"));
  const lines = machines.flatMap(({ tokens_per_s }, i) => {
    const { name, room, memory } = one.machines[i];
    const each = place.work === WRITING && place.size > 1 ? `（1系列あたり${digits(tokens_per_s / place.size)}）` : "";
    const most = room[state.context];
    const beyond =
      place.work === WRITING && place.size > most
        ? `${memory}の${name}に入るのは${withCommas(most)}系列までです。`
        : "";
    const row = besides(one.machines[i], place);
    const bound = {
      mark: smallMarker(i, { "aria-hidden": "true" }),
      text: `${name}：${kinds[i]}。上限は${inASecond(tokens_per_s)}${each}です。${beyond}`,
    };
    return row ? [bound, { text: measuredText(row) }] : [bound];
  });
  const tooLong =
    place.context > one.longest ? [{ text: `${one.name}が扱える文脈長は、${tokens(one.longest)}までです。` }] : [];
  return {
    lines: [{ text: first }, ...lines, ...tooLong, { text: `×は実測で、太い×はこの設定に近いものです。${one.roofs}` }],
    news: `${first}。${machines.map(({ tokens_per_s }, i) => `${one.machines[i].name}は${kinds[i]}、${inASecond(tokens_per_s)}`).join("、")}。`,
  };
}
