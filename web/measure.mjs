// この機械を測る: what is measured and for how long is chosen, then measured, then held against what hayasa says.

import { announcer } from "./announcer.mjs";
import { h, nextTask, replace } from "./dom.mjs";
import { tables } from "./estimator.mjs";
import { menu } from "./fields.mjs";
import { Halt } from "./measure-formats.mjs";
import {
  checkCommands,
  devicesCalled,
  RECORD_FILE,
  readFragment,
  rendererName,
  summaryOf,
  writeFragment,
} from "./measure-record.mjs";
import { measureAll, PACES, SHAPED_MODELS, USUAL_MODELS } from "./measure-session.mjs";
import { resultParts } from "./measure-view.mjs";
import { shelvesOf } from "./shelves.mjs";

// It lies beside this script.
const WORKER = globalThis.document && new URL("hayasa-thread.js", document.currentScript.src).href;
const STOPPED = "途中で止めました。ここまでの結果は残します。";
const HIDDEN = "ページが隠れたので、途中で止めました。隠れたページは、ブラウザが遅くします。ここまでの結果は残します。";

/**
 * Build the page's instrument inside an element.
 * @param {HTMLElement} root - What is in it is replaced.
 */
export async function mountMeasure(root) {
  const instrument = new Instrument();
  replace(root, instrument.elements);
  await nextTask(); // to be told the name of the GPU takes as long
  instrument.open();
}

class Instrument {
  constructor() {
    this.chosen = { device: "", models: new Set(USUAL_MODELS), pace: "usual" };
    this.record = null; // of this machine, once it was measured
    this.shared = null; // a summary that came with the address
    this.running = null; // what stops the run
    this.announcer = announcer();
    this.start = h("button.hy-button", { type: "button", onclick: () => this.press() }, "測る");
    this.progress = h("progress.hy-progress", { max: 1, value: 0, "aria-label": "進みぐあい", hidden: true });
    this.status = h("p.hy-status", {}, "まだ測っていません。");
    this.device = this.deviceMenu();
    this.guess = h("p.hy-hint", {}, "選ぶと、カタログの帯域幅や見積りと並べます。");
    this.result = h("div.hy-result");
    this.elements = [
      h(
        "section.hy-panel",
        { "aria-label": "測るもの" },
        h("div.hy-grid-form", {}, h("div", {}, this.device.element, this.guess), this.modelChoice(), this.paceMenu()),
        h("p.hy-actions", {}, this.start, this.progress),
        this.status,
        this.announcer.element,
      ),
      this.result,
    ];
  }

  deviceMenu() {
    return menu({
      label: "この機械",
      long: true,
      groups: [["", [["", "分からない"]]], ...shelvesOf(tables, "devices")],
      value: "",
      onvalue: (device) => {
        this.chosen.device = device;
        if (this.record) this.record.device = device;
        this.show();
      },
    });
  }

  modelChoice() {
    const box = (id) => {
      const input = h("input", {
        type: "checkbox",
        checked: this.chosen.models.has(id),
        onchange: () => this.chosen.models[input.checked ? "add" : "delete"](id),
      });
      return h("label.hy-check", {}, input, ` ${tables.models.get(id).name}`);
    };
    return h("fieldset.hy-choice", {}, h("legend", {}, "まねるモデルの形"), SHAPED_MODELS.map(box));
  }

  paceMenu() {
    const choose = menu({
      label: "かける時間",
      groups: [["", Object.entries(PACES).map(([id, { label }]) => [id, label])]],
      value: this.chosen.pace,
      onvalue: (pace) => {
        this.chosen.pace = pace;
      },
    });
    return choose.element;
  }

  /** What the address says, and what the browser says of the machine. */
  open() {
    this.guessDevice(rendererName());
    this.follow();
    addEventListener("hashchange", () => this.follow());
    document.addEventListener("visibilitychange", () => document.hidden && this.running?.abort(new Halt(HIDDEN)));
  }

  follow() {
    const { summary, problems } = readFragment(location.hash, tables);
    this.problems = problems;
    if (summary) {
      this.shared = summary;
      this.record = null;
      if (summary.device) this.choose(summary.device);
    }
    this.show();
  }

  choose(device) {
    this.chosen.device = device;
    this.device.set(device);
  }

  guessDevice(said) {
    const found = devicesCalled(said, tables.devices.rows);
    if (!found.length) return;
    this.choose(found[0]);
    const others = found.length > 1 ? "コアの数やメモリの量は分からないので、確かめてください。" : "";
    this.guess.textContent = `ブラウザが伝える名前（${said}）から選びました。${others}`;
  }

  async press() {
    if (this.running) {
      this.running.abort(new Halt(STOPPED));
      return;
    }
    const running = new AbortController();
    this.running = running;
    this.start.textContent = "止める";
    this.progress.hidden = false;
    this.shared = null;
    this.problems = [];
    const awake = await navigator.wakeLock?.request("screen").catch(() => null);
    const record = await measureAll({
      tables,
      worker: WORKER,
      models: SHAPED_MODELS.filter((id) => this.chosen.models.has(id)),
      pace: PACES[this.chosen.pace],
      signal: running.signal,
      say: (text, share) => this.say(`${text}…`, share),
      show: (made) => this.take(made),
    });
    awake?.release();
    this.running = null;
    this.start.textContent = "もう一度測る";
    this.progress.hidden = true;
    const took = `${Math.round(record.seconds)}秒かかりました。`;
    this.say(record.complete ? `測り終わりました。${took}` : record.problems.at(-1), 1);
  }

  say(text, share) {
    this.progress.value = share;
    this.status.textContent = text;
    this.announcer.announce(text);
  }

  take(record) {
    record.device = this.chosen.device;
    if (record.gpu) record.gpu.renderer ??= rendererName();
    this.record = record;
    this.show();
  }

  show() {
    const summary = this.record
      ? summaryOf(this.record)
      : this.shared && { ...this.shared, device: this.chosen.device };
    replace(
      this.result,
      [...this.problems, ...(this.record?.problems ?? [])].map((text) => h("p.hy-notice", {}, text)),
      summary && resultParts({ tables, summary, record: this.record, width: this.result.clientWidth }),
      this.record && this.keeping(summary),
    );
  }

  keeping(summary) {
    const text = JSON.stringify(this.record, null, 1);
    const address = () => `${location.href.split("#")[0]}${writeFragment(summary)}`;
    const file = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    const commands = checkCommands(summary);
    return h(
      "section.hy-panel",
      { "aria-label": "結果を残す" },
      h("p.hy-title", {}, "結果を残す"),
      h(
        "p.hy-actions",
        {},
        h("a.hy-button", { href: file, download: RECORD_FILE }, "記録を保存する"),
        copier("記録を写す", () => text),
        copier("結果の入ったアドレスを写す", address),
      ),
      h("p", {}, "アドレスの # から後ろに結果が入ります。そこは、開いた人のブラウザだけが読み、どこにも送られません。"),
      commands.length > 0 && [
        h(
          "p",
          {},
          "hayasaを入れた機械では、次のようにすると、llama.cppの見積りと比べて、普通の速さかどうかを答えます。",
        ),
        h("pre.hy-code", { tabindex: 0, "aria-label": "hayasaで比べるコマンド" }, commands.join("\n")),
        h(
          "p",
          {},
          "hayasaがなくても、写した記録を",
          h("a", { href: "calculator.html" }, "速度計算機"),
          "の「測った速さが普通かを確かめる」に貼り付ければ、同じ答えが出ます。",
        ),
      ],
    );
  }
}

// A button that copies a text, and a place that says so.
function copier(label, text) {
  const said = h("span.hy-copied", { role: "status" });
  const copy = async () => {
    const copied = await navigator.clipboard?.writeText(text()).then(
      () => true,
      () => false,
    );
    said.textContent = copied ? "コピーしました。" : "このブラウザでは、コピーできませんでした。";
  };
  return [h("button.hy-button", { type: "button", onclick: copy }, label), said];
}

if (globalThis.document) for (const root of document.querySelectorAll(".hayasa-measure")) mountMeasure(root);
