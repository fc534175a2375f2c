// The 18 bytes of a Q4_0 block: turn a bit, and see which of its 32 weights change.

import { withCommas } from "./commas.mjs";
import { h, replace, s } from "./dom.mjs";
import { axes, linearTicks, picture, tickText } from "./marks.mjs";
import { nibblesData } from "./nibbles-data.mjs";
import { stage } from "./stage.mjs";

const WEIGHTS = 32;
const SCALE_BYTES = 2;
const HEIGHT = 240;

/**
 * Read a number of 16 bits with 5 bits of exponent (IEEE 754 binary16).
 * @param {number} low - The first byte.
 * @param {number} high - The second.
 * @returns {number}
 */
export function half(low, high) {
  const [exponent, fraction] = [(high >> 2) & 31, ((high & 3) << 8) | low];
  const sign = high >> 7 ? -1 : 1;
  if (exponent === 31) return fraction ? Number.NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -14 * (fraction / 1024));
}

/**
 * Undo the quantization of a block: its scale times each integer less 8.
 * @param {number[]} block - 18 bytes.
 * @returns {number[]} 32 weights; byte `i` holds those of `i` (low half) and `i + 16` (high half).
 */
export function dequantized(block) {
  const scale = half(block[0], block[1]);
  const packed = block.slice(SCALE_BYTES);
  return [...packed.map((byte) => byte & 15), ...packed.map((byte) => byte >> 4)].map((q) => scale * (q - 8));
}

/** Which weights stand in a byte. */
export function weightsIn(byte) {
  if (byte < SCALE_BYTES) return Array.from({ length: WEIGHTS }, (_, i) => i);
  return [byte - SCALE_BYTES, byte - SCALE_BYTES + WEIGHTS / 2];
}

/** Build the figure; `data` holds the block. */
export function mountNibbles(root, { block } = nibblesData) {
  stage(root, {
    title: "Q4_0の18バイトをさわる",
    intro: "重み32個が入った1ブロックです。どのビットを反転すると、重みがいちばん大きく変わるでしょうか。",
    initial: { block, byte: 2 },
    controls: (set) => controlsOf(block, set),
    draw: (state, width) => ({
      figure: weightsChart(dequantized(block), dequantized(state.block), weightsIn(state.byte), width),
      lines: wordsOn(block, state),
    }),
  });
}

// Bytes to choose from, of which one is open: its bits can be turned.
function controlsOf(original, set) {
  let [bytes, open] = [original, SCALE_BYTES];
  const bits = h("div.hy-bits", { role: "group", "aria-label": "選んだバイトのビット" });
  const halves = h("div.hy-halves", { "aria-hidden": "true" }); // the buttons say it themselves
  const chips = original.map(() => h("span"));
  const show = () => {
    for (const [i, chip] of chips.entries()) chip.textContent = hex(bytes[i]);
    replace(
      halves,
      halvesOf(open).map((name) => h("span", {}, name)),
    );
    for (const [i, button] of [...bits.children].entries()) {
      const isOn = Boolean(bytes[open] & (128 >> i));
      button.textContent = Number(isOn);
      button.setAttribute("aria-pressed", isOn);
      button.setAttribute("aria-label", `${bitName(open, 7 - i)}：${Number(isOn)}`);
    }
  };
  const change = () => {
    show();
    set({ block: bytes, byte: open });
  };
  const turn = (i) => {
    bytes = bytes.map((byte, at) => (at === open ? byte ^ (128 >> i) : byte));
    change();
  };
  replace(
    bits,
    Array.from({ length: 8 }, (_, i) => h("button.hy-bit", { type: "button", onclick: () => turn(i) })),
  );
  const choose = (i) => {
    open = i;
    change();
  };
  const radios = chips.map((chip, i) => {
    const name = `${i + 1}バイト目（${i < SCALE_BYTES ? "倍率" : "整数"}）`;
    const radio = {
      type: "radio",
      name: "hy-bytes",
      checked: i === open,
      onchange: () => choose(i),
      "aria-label": name,
    };
    return h(`label.hy-byte${i < SCALE_BYTES ? ".hy-byte-scale" : ""}`, {}, h("input", radio), chip);
  });
  const again = () => {
    bytes = original;
    change();
  };
  show();
  return [
    h("p", {}, "二重の枠の2バイトが、32個に掛ける倍率です。ほかの16バイトには、重みが2個ずつ入っています。"),
    h("div.hy-bytes", { role: "radiogroup", "aria-label": "バイト" }, radios),
    halves,
    bits,
    h("p.hy-actions", {}, h("button.hy-button", { type: "button", onclick: again }, "もとに戻す")),
  ];
}

const hex = (byte) => byte.toString(16).padStart(2, "0");
const number = (value) =>
  Number.isFinite(value) ? withCommas(Number(value.toPrecision(4))).replaceAll("-", "−") : "表せない値";

function bitName(byte, bit) {
  if (byte < SCALE_BYTES) return `倍率の下から${8 * byte + bit + 1}番目のビット`;
  const [low, high] = weightsIn(byte);
  return `${bit < 4 ? low : high}番の重みの${2 ** (bit % 4)}の位`;
}

// What the upper and the lower four bits of a byte are.
function halvesOf(byte) {
  if (byte < SCALE_BYTES) return [`倍率の${["下", "上"][byte]}の8ビット`];
  return weightsIn(byte)
    .reverse()
    .map((i) => `${i}番の重み`);
}

const stepsFor = (weights) => linearTicks(Math.max(...weights.filter(Number.isFinite).map(Math.abs)), 2);

function weightsChart(before, after, chosen, width) {
  const area = { left: 56, right: width - 12, top: 32, bottom: HEIGHT - 46 };
  const steps = stepsFor([...before, ...after]);
  const end = steps.at(-1);
  const x = (i) => area.left + ((i + 0.5) / WEIGHTS) * (area.right - area.left);
  const y = (value) => (area.top + area.bottom) / 2 - (value / end) * ((area.bottom - area.top) / 2);
  const ticks = [...steps.slice(1).map((step) => -step), ...steps];
  return picture(
    { width, height: HEIGHT, title: "1ブロックの32個の重み" },
    s("text.hy-tick", { x: 8, y: 16 }, "重みの値"),
    axes(area, {
      xLabel: "ブロックの中の番号",
      xTicks: [0, 8, 16, 24, 31].map((i) => ({ at: x(i), text: String(i) })),
      yTicks: ticks.map((value) => ({ at: y(value), text: value < 0 ? `−${tickText(-value)}` : tickText(value) })),
    }),
    after.map((value, i) => {
      if (!Number.isFinite(value)) return null;
      const moved = value !== before[i];
      const mark = chosen.includes(i) ? "hy-series-1" : "hy-series-0";
      return [
        moved && s("line.hy-guess-gap", { x1: x(i), x2: x(i), y1: y(before[i]), y2: y(value) }),
        moved &&
          s("circle.hy-mark.hy-hollow", { class: `hy-mark hy-hollow ${mark}`, cx: x(i), cy: y(before[i]), r: 3.5 }),
        s("circle", { class: `hy-mark hy-filled ${mark}`, cx: x(i), cy: y(value), r: 3.5 }),
      ];
    }),
  );
}

function wordsOn(original, { block, byte }) {
  const [before, after] = [dequantized(original), dequantized(block)];
  const moved = after.map((value, i) => Math.abs(value - before[i])).filter((by) => by !== 0);
  const largest = Math.max(...moved);
  const changed = moved.length
    ? `32個のうち${moved.length}個が変わりました（白い丸が前の値）。いちばん大きな変化は${number(largest)}です。`
    : "まだ、どの重みも変わっていません。";
  const [reach, wider] = [before, [...before, ...after]].map((weights) => stepsFor(weights).at(-1));
  const jump =
    wider > reach ? [{ text: `縦軸の範囲は、±${tickText(reach)}から±${tickText(wider)}に広がりました。` }] : [];
  const scale = number(half(block[0], block[1]));
  const sums = (i) => {
    const packed = block[SCALE_BYTES + (i % 16)];
    const q = i < 16 ? packed & 15 : packed >> 4;
    return { text: `${i}番の重み：${scale} ×（${q} − 8）＝ ${number(after[i])}` };
  };
  if (byte < SCALE_BYTES) {
    return [
      { text: changed },
      ...jump,
      { text: `先頭の2バイトは、16ビットの小数で書いた倍率 ${scale} です。32個の重みすべてに掛かります。` },
    ];
  }
  return [{ text: changed }, ...jump, ...weightsIn(byte).map(sums)];
}
