// A guess that is drawn: the reader bends the line of what physics allows to where the measured speeds may be.

import { h, s } from "./dom.mjs";
import { drawingData } from "./drawing-data.mjs";
import { curve, smallMarker, swatch } from "./marks.mjs";
import { meanError, percent, speedBy, speedPaper, WIDEST } from "./speeds.mjs";
import { settable, stage } from "./stage.mjs";

const APART = 20e9; // bytes/s from one point of the line to the next
const HANDLES = [100e9, 200e9, 400e9, 600e9, WIDEST]; // where it can be set by a slider
const FINEST = 2; // tokens/s that a slider moves by
const GRIP = 10; // radius in pixels
const BESIDE = 3 * APART; // from where a hand no longer pulls a grip
const MINE = 1; // colours as in every other guess
const MEASURED = 0;

/**
 * Read a drawn line.
 * @param {number[]} line - Speeds at multiples of the step, from 0.
 * @param {number} bandwidth
 * @returns {number} The speed there.
 */
export function lineAt(line, bandwidth) {
  const at = Math.min(bandwidth / APART, line.length - 1);
  const before = Math.min(Math.floor(at), line.length - 2);
  return line[before] + (at - before) * (line[before + 1] - line[before]);
}

/**
 * Draw over a line, straight from one place to another.
 * @param {number[]} line
 * @param {[number, number]} from - Bandwidth and speed.
 * @param {[number, number]} to
 * @returns {number[]} Another line, which starts at 0 as this one does.
 */
export function drawnOver(line, from, to) {
  const [[left, start], [right, end]] = from[0] <= to[0] ? [from, to] : [to, from];
  const [first, last] = [Math.round(left / APART), Math.round(right / APART)];
  return line.map((speed, i) => {
    if (i === 0 || i < first || i > last) return speed;
    const share = right > left ? Math.min(1, Math.max(0, (i * APART - left) / (right - left))) : 1;
    return start + share * (end - start);
  });
}

/** Move a line at one of the handles: it goes straight to the handles beside that. */
export function bent(line, handle, speed) {
  const place = (i) => (i < 0 ? [0, 0] : [HANDLES[i], lineAt(line, HANDLES[i])]);
  const here = [HANDLES[handle], speed];
  const before = drawnOver(line, place(handle - 1), here);
  return handle + 1 < HANDLES.length ? drawnOver(before, here, place(handle + 1)) : before;
}

/** Build the figure; `data` holds measured rows, the bytes of a token, and the two numbers of the chapter's formula. */
export function mountDrawing(root, { rows, bytes, fit } = drawingData) {
  const bound = Array.from({ length: WIDEST / APART + 1 }, (_, i) => (i * APART) / bytes);
  const errorOf = (line) => meanError(rows, (bandwidth) => lineAt(line, bandwidth));
  const errors = {
    bound: errorOf(bound),
    formula: meanError(rows, (bandwidth) => speedBy(bytes, bandwidth, fit)),
  };
  let [line, decided, set] = [bound, false, null];
  const fastest = Math.ceil(bound.at(-1) / FINEST) * FINEST;
  const handles = HANDLES.map((bandwidth, i) =>
    settable({
      label: `${gbPerS(bandwidth)}のとき`,
      values: Array.from({ length: fastest / FINEST + 1 }, (_, k) => k * FINEST),
      value: lineAt(bound, bandwidth),
      text: (speed) => `${Math.round(speed)} トークン/秒`,
      onvalue: (speed) => take(bent(line, i, speed)),
    }),
  );
  const button = h("button.hy-button", { type: "button", onclick: () => take(decided ? bound : line, !decided) });

  function take(drawn, decide = false) {
    [line, decided] = [drawn, decide];
    button.textContent = decided ? "はじめから引きなおす" : "この線に決める";
    HANDLES.forEach((bandwidth, i) => {
      handles[i].set(lineAt(line, bandwidth));
      handles[i].element.querySelector("input").disabled = decided;
    });
    set({ line, decided });
  }

  stage(root, {
    title: "実測の通るところに、線を引く",
    intro:
      "破線は上限です。はじめは、あなたの線もその上にあります。丸を上下に動かすか、指かマウスでなぞるかして、実測が通りそうなところに引いてください。決めると、実測が現れます。",
    initial: { line, decided },
    controls(given) {
      set = given;
      button.textContent = "この線に決める";
      return [
        h(
          "details.hy-more",
          {},
          h("summary", {}, "つまみで引く"),
          h(
            "div.hy-handles",
            {},
            handles.map((one) => one.element),
          ),
        ),
        h("p.hy-actions", {}, button),
      ];
    },
    draw: (state, width) => drawingOf(state, { width, rows, bound, errorOf, errors, drawn: take }),
  });
}

const gbPerS = (bandwidth) => `${bandwidth / 1e9} GB/s`;

function drawingOf({ line, decided }, { width, rows, bound, errorOf, errors, drawn }) {
  const paper = speedPaper({ width, top: bound.at(-1), title: "帯域幅と速さ" });
  const { x, y } = paper;
  const placed = (speeds) => speeds.map((speed, i) => [x(i * APART), y(speed)]);
  const mine = curve(MINE, []);
  const grips = HANDLES.map(gripAt);
  const move = (speeds) => {
    mine.setAttribute("points", placed(speeds).join(" "));
    for (const [i, grip] of grips.entries()) {
      const at = [x(HANDLES[i]), y(lineAt(speeds, HANDLES[i]))];
      grip.setAttribute("transform", `translate(${at})`);
    }
  };
  move(line);
  const label = Math.round(bound.length * 0.6); // between two grips
  const figure = paper.pictureOf(
    mine,
    s("polyline.hy-limit", { points: placed(bound).join(" "), fill: "none", "stroke-dasharray": "5 5" }),
    s("text.hy-tick", { x: x(label * APART) - 12, y: y(bound[label]), "text-anchor": "end" }, "上限"),
    !decided && grips,
    decided && s("g.hy-revealed", {}, paper.points(rows, MEASURED)),
  );
  if (!decided) {
    figure.classList.add("hy-drawable");
    draggable(figure, {
      placeOf: ({ clientX, clientY }) => placeOn(figure, paper, clientX, clientY),
      started: line,
      moved: move,
      drawn,
    });
    const said = HANDLES.map((bandwidth) => `${gbPerS(bandwidth)}で${Math.round(lineAt(line, bandwidth))}`).join("、");
    return { figure, lines: [{ mark: swatch(MINE), text: `あなたの線（トークン/秒）：${said}` }] };
  }
  const verdict = `あなたの線は、実測から平均で${percent(errorOf(line))}外れました。`;
  const others = `上限の線なら${percent(errors.bound)}、この章でこれから作る式なら${percent(errors.formula)}です。`;
  return {
    figure,
    lines: [
      { mark: swatch(MINE), text: verdict },
      { mark: smallMarker(MEASURED, { "aria-hidden": "true" }), text: `点は、${rows.length}個の実測です。${others}` },
    ],
    news: verdict + others,
  };
}

// Where a finger is on the paper, no farther than its ends.
function placeOn(figure, { area, x, end }, clientX, clientY) {
  const box = figure.getBoundingClientRect();
  const scale = figure.viewBox.baseVal.width / box.width;
  const share = ((clientX - box.left) * scale - area.left) / (x(WIDEST) - area.left);
  const height = (area.bottom - (clientY - box.top) * scale) / (area.bottom - area.top);
  const within = (value) => Math.min(1, Math.max(0, value));
  return [within(share) * WIDEST, within(height) * end];
}

// What can be pulled up and down.
const gripAt = (_, handle) =>
  s(
    "g.hy-grip.hy-series-1",
    { "data-handle": handle },
    s("circle.hy-mark.hy-hollow", { r: GRIP }),
    s("path.hy-work", { d: "M0 -7l4 5h-8zM0 7l4 -5h-8z" }),
  );

// A grip that is pulled, or one stroke of a finger or a mouse; that of a finger that scrolls the page is none.
function draggable(figure, { placeOf, started, moved, drawn }) {
  let [line, last, handle] = [started, null, null];
  const to = (event) => {
    const place = placeOf(event);
    if (Math.abs(place[0] - HANDLES[handle]) > BESIDE) handle = null; // a stroke that began at a grip
    line = handle ? bent(started, Number(handle), place[1]) : drawnOver(line, last, place);
    last = place;
    moved(line);
  };
  figure.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    figure.setPointerCapture(event.pointerId);
    handle = event.target.closest(".hy-grip")?.dataset.handle;
    last = placeOf(event);
    to(event);
  });
  // A finger on a grip does not scroll.
  figure.addEventListener("touchstart", (event) => event.target.closest(".hy-grip") && event.preventDefault());
  figure.addEventListener("pointermove", (event) => last && to(event));
  figure.addEventListener("pointerup", () => last && drawn(line));
  figure.addEventListener("pointercancel", () => {
    [line, last] = [started, null];
    moved(line);
  });
}
