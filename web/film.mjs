// A picture that moves in real time: the reader starts it, it stops off screen, and it can be wound to any moment.

import { h } from "./dom.mjs";

const LONGEST_GAP_S = 0.1; // a tab that was away does not jump ahead
const STEPS_PER_S = 20; // text that grows needs no more
const WHILE_VISIBLE = 0.25;

/** The time of a film, which passes only while the reader wants it to and sees it. */
class Playhead {
  /**
   * @param {number} duration - Seconds, after which it stands still.
   * @param {(t: number, running: boolean) => void} show - Draws a moment.
   * @param {() => void} ended - It came to the end by itself.
   */
  constructor(duration, show, ended) {
    Object.assign(this, { duration, show, ended, t: 0, running: false, seen: false, frame: 0 });
  }

  to(t) {
    this.t = Math.min(Math.max(0, t), this.duration);
    this.shown = this.t;
    this.show(this.t, this.running);
  }

  run(from) {
    this.running = true;
    this.to(from);
    this.wake();
  }

  stop(t = this.t) {
    this.running = false;
    this.wake();
    this.to(t);
  }

  wake() {
    if (!(this.running && this.seen && !document.hidden)) {
      cancelAnimationFrame(this.frame);
      this.frame = 0;
    } else if (!this.frame) {
      this.before = performance.now();
      this.frame = requestAnimationFrame((now) => this.step(now));
    }
  }

  step(now) {
    this.t += Math.min(LONGEST_GAP_S, Math.max(0, now - this.before) / 1000);
    this.before = now;
    if (this.t >= this.duration) {
      this.stop();
      this.ended();
      return;
    }
    if (this.t - this.shown >= 1 / STEPS_PER_S) this.to(this.t);
    this.frame = requestAnimationFrame((later) => this.step(later));
  }
}

/**
 * Make the controls of a film.
 *
 * The picture is a function of the time alone, so that winding back, a test and a still frame are the same call.
 * @param {object} options
 * @param {number} options.duration - Seconds, after which nothing moves any more.
 * @param {(t: number) => void} options.draw - Draws the moment `t`.
 * @param {(moment: "pause"|"end", t: number) => void} options.said - What a screen reader hears, in rest only.
 * @returns {{element: HTMLElement, show: (t: number) => void}}
 */
export function film({ duration, draw, said }) {
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const button = h("button.hy-button", { type: "button", onclick: press });
  const clock = h("output.hy-clock");
  const wind = h("input.hy-slider", { type: "range", min: 0, max: duration, step: 0.1, "aria-label": "経過した時間" });
  const playhead = new Playhead(duration, show, () => said("end", duration));

  function show(t, running) {
    draw(t);
    wind.value = t;
    wind.setAttribute("aria-valuetext", `${t.toFixed(1)}秒`);
    clock.textContent = `${t.toFixed(1)} 秒`;
    button.textContent = running
      ? "止める"
      : t >= duration
        ? "もう一度"
        : t > 0
          ? "続ける"
          : still
            ? "結果を見る"
            : "始める";
  }

  function rest() {
    said(playhead.t >= duration ? "end" : "pause", playhead.t);
  }

  function press() {
    if (playhead.running || still) {
      playhead.stop(still ? duration : playhead.t);
      rest();
    } else playhead.run(playhead.t >= duration ? 0 : playhead.t);
  }

  wind.addEventListener("input", () => playhead.stop(Number(wind.value)));
  wind.addEventListener("change", rest);
  const again = h("button.hy-button", { type: "button", onclick: () => playhead.stop(0) }, "はじめに戻す");
  const element = h("div.hy-film", {}, button, again, h("span.hy-time", {}, "経過 ", clock), wind);
  return { element, show: (t) => playhead.to(t), watch: (seen) => watch(playhead, seen) };
}

// The time stands still where the picture is out of sight, on paper, and in a tab behind.
function watch(playhead, picture) {
  const options = { threshold: [0, WHILE_VISIBLE], rootMargin: "0px" };
  new IntersectionObserver(([entry]) => {
    const { intersectionRatio, intersectionRect, rootBounds } = entry;
    // A picture that is larger than the window never shows a quarter of itself.
    const fills = rootBounds && intersectionRect.height >= WHILE_VISIBLE * rootBounds.height;
    playhead.seen = intersectionRatio >= WHILE_VISIBLE || fills;
    playhead.wake();
  }, options).observe(picture);
  document.addEventListener("visibilitychange", () => playhead.wake());
  addEventListener("beforeprint", () => playhead.stop());
}
