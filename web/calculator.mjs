// 速度計算機: choices on the left, answers that move with them, and the sum behind each.

import { h, nextTask, replace, s } from "./dom.mjs";
import { estimate, makeDevice, makeModel, maxContextLength } from "./estimator.mjs";
import { explain } from "./explanation.mjs";
import { menu, numberField, slider, textField } from "./fields.mjs";
import { comparable, nearestFirst, speedLike } from "./measured.mjs";
import { marker, rooflineChart, speedChart } from "./plot.mjs";
import { pythonCode } from "./python.mjs";
import {
  GIB,
  MAX_MACHINES,
  numberRules,
  OWN_DEVICE_NAME,
  OWN_FAMILIES,
  OWN_MODEL_NAME,
  readAddress,
  writeAddress,
} from "./state.mjs";
import { duration, gibibytes, significant } from "./units.mjs";

const COMMON_WEIGHTS = ["q4_k_m", "q8_0", "f16", "bf16", "mlx-q4", "mlx-q8", "awq-int4-g128", "int4", "int8"];
const BATCHES = Array.from({ length: 11 }, (_, i) => 2 ** i);
const CONTEXTS = [0, ...Array.from({ length: 12 }, (_, i) => 2 ** (i + 8))];
const SHAPE = ["layers", "hidden_size", "attention_heads", "kv_heads", "head_dim", "intermediate_size", "vocab_size"];
const QUIET_MS = 700; // no announcement while the choice still moves
const MEASUREMENTS_SHOWN = 12;

// Where each part of the sum is explained.
const CHAPTERS = {
  weights: ["04-flops-per-token", "06-quantization"],
  cache: ["07-kv-cache"],
  memory: ["02-latency"],
  compute: ["02-latency", "04-flops-per-token"],
  bound: ["03-a100-vs-macmini", "05-batch-and-roofline"],
  correction: ["09-measured"],
  prefill: ["05-batch-and-roofline"],
  capacity: ["07-kv-cache", "08-moe-and-clusters"],
};

const NEEDS_SHAPE =
  "パラメータ数だけでは、KVキャッシュの大きさが分かりません。文脈長を0にするか、「層やヘッドの数も入れる」に印を付けてください。";

/**
 * Build the calculator inside an element, step by step, so that the page never stands still for long.
 * @param {HTMLElement} root - An empty element; what is in it is replaced.
 * @param {object} tables - From `loadTables`.
 */
export async function mountCalculator(root, tables) {
  const rules = numberRules(tables.constants);
  let { state, problems } = readAddress(location.search, tables);
  let results = [];
  let announceTimer = 0;
  let shownSearch = location.search;

  const notice = h("div.hy-notice", { role: "note", hidden: true });
  const choices = h("div.hy-choices");
  const machines = h("div.hy-machines");
  const addButton = h("button.hy-button", { type: "button", onclick: addMachine }, "＋ 機械を加えて比べる");
  const verdict = h("p.hy-verdict");
  const speed = h("div.hy-chart");
  const speedNote = h("p.hy-caption");
  const roofline = h("div.hy-chart");
  const rooflineNote = h("p.hy-caption");
  const sums = h("div.hy-sums");
  const measured = h("div.hy-measured-list");
  const code = h("pre.hy-code", { tabindex: 0, "aria-label": "同じ計算をするPythonのコード" });
  const status = h("p.hy-hidden", { role: "status" });
  const copied = h("span.hy-copied", { role: "status" });
  let cards = [];
  let drawnWidth = 0;
  let lowerPartsWait = false;
  let opened = 0;
  replace(
    root,
    notice,
    h("section.hy-panel", { "aria-label": "条件" }, choices),
    machines,
    h(
      "p.hy-actions",
      {},
      addButton,
      h("button.hy-button", { type: "button", onclick: copyAddress }, "この条件のアドレスをコピー"),
      copied,
    ),
    verdict,
    h("section.hy-panel", { "aria-label": "速さの図" }, h("p.hy-title", {}, "速さ"), speed, speedNote),
    h(
      "section.hy-panel",
      { "aria-label": "ルーフラインの図" },
      h("p.hy-title", {}, "ルーフライン"),
      roofline,
      rooflineNote,
    ),
    h("section.hy-panel", { "aria-label": "公開された実測" }, h("p.hy-title", {}, "公開された実測と比べる"), measured),
    h("section.hy-panel", { "aria-label": "計算の道筋" }, h("p.hy-title", {}, "計算の道筋"), sums),
    h("details.hy-panel", {}, h("summary", {}, "同じ計算をPythonでする"), code),
    status,
  );

  addEventListener("popstate", () => location.search !== shownSearch && open(location.search));
  new ResizeObserver(onResize).observe(speed);
  document.addEventListener("click", followPreset);
  showProblems();
  buildChoices();
  await nextTask();
  buildMachines();
  await nextTask();
  show();
  clearTimeout(announceTimer); // whoever comes reads the page; only what changes is announced

  // ---- from the choices to the state -----------------------------------------------------------

  // The form is made anew; whoever stood in it stands in the same place again.
  function open(search) {
    opened += 1;
    const places = () => [...root.querySelectorAll("input, select, button, summary")];
    const place = places().indexOf(document.activeElement);
    shownSearch = location.search;
    ({ state, problems } = readAddress(search, tables));
    build();
    if (place >= 0 && !root.contains(document.activeElement))
      places()
        .at(Math.min(place, places().length - 1))
        .focus();
  }

  function change(values, done = true) {
    if (assignNew(state, values)) show();
    if (done) remember();
  }

  function changeMachine(machine, values, done = true) {
    if (assignNew(machine, values)) show();
    if (done) remember();
  }

  // Every settled choice is a place in the history, so that "back" undoes it.
  function remember() {
    const address = writeAddress(state);
    const view = opened; // another view may have been opened by then
    afterPaint(() => view === opened && new URL(address, location.href).search !== location.search && goTo(address));
  }

  // A page opened straight from the disk may not be allowed to change its address; the rest still works.
  function goTo(address) {
    try {
      history.pushState(null, "", address);
      shownSearch = location.search;
    } catch (error) {
      if (error.name !== "SecurityError") throw error;
    }
  }

  function addMachine() {
    const last = state.machines.at(-1);
    state.machines.push({ ...last, device: typeof last.device === "string" ? last.device : { ...last.device } });
    buildMachines();
    show();
    remember();
    cards.at(-1).focus();
  }

  function removeMachine(machine) {
    const index = state.machines.indexOf(machine);
    state.machines.splice(index, 1);
    buildMachines();
    show();
    remember();
    cards[Math.max(0, index - 1)].focus();
  }

  // A link to another view of this page moves the page instead of loading it anew.
  function followPreset(event) {
    const link = event.target.closest?.("a[href]");
    const elsewhere =
      !link || link.pathname !== location.pathname || link.host !== location.host || !link.search || link.hash;
    if (elsewhere || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    goTo(link.search);
    open(link.search);
    root.scrollIntoView({ block: "start" });
  }

  async function copyAddress() {
    const address = new URL(writeAddress(state), location.href).href;
    try {
      await navigator.clipboard.writeText(address);
      copied.textContent = "コピーしました。";
    } catch {
      copied.textContent = `コピーできませんでした。アドレスはこれです：${address}`;
    }
    setTimeout(() => (copied.textContent = ""), 8000);
  }

  // ---- the form ------------------------------------------------------------------------------------

  function build() {
    showProblems();
    buildChoices();
    buildMachines();
    show();
  }

  function showProblems() {
    replace(
      notice,
      problems.map((problem) => h("p", {}, problem)),
      problems.length && h("p", {}, "使えなかったところは、既定の条件で計算しています。"),
    );
    notice.hidden = !problems.length;
  }

  function buildChoices() {
    const number = (field, values, text, hint) => {
      const exact = numberField({
        rule: rules[field],
        value: state[field],
        hint,
        onvalue: (value, done) => {
          quick?.set(value);
          change({ [field]: value }, done);
        },
      });
      const quick = slider({
        label: `${rules[field].label}（スライダー）`,
        values,
        value: state[field],
        text,
        onvalue: (value, done) => {
          exact.set(value);
          change({ [field]: value }, done);
        },
      });
      exact.input.after(quick.element);
      return exact.element;
    };
    const prompt = numberField({
      rule: rules.prompt_length,
      value: state.prompt_length,
      hint: "空なら、文脈長と同じ（文脈長が0なら512）",
      onvalue: (value, done) => change({ prompt_length: value }, done),
    });
    const own = h("div.hy-own");
    const model = menu({
      label: "モデル",
      groups: modelGroups(),
      value: typeof state.model === "string" ? state.model : "own",
      onvalue: (value) => {
        change({ model: value === "own" ? ownModel() : value });
        buildOwnModel(own);
      },
    });
    buildOwnModel(own);
    replace(
      choices,
      h(
        "div.hy-grid-form",
        {},
        model.element,
        menu({
          label: "重みの形式",
          groups: weightGroups(),
          value: state.weights,
          onvalue: (weights) => change({ weights }),
        }).element,
        menu({
          label: "エンジン",
          groups: [["", [...tables.engines.values()].map((engine) => [engine.id, engineName(engine)])]],
          value: state.engine,
          onvalue: (engine) => change({ engine }),
        }).element,
        number("batch_size", BATCHES, (n) => `${n} 系列`, "同時に進める系列（会話）の数"),
        number(
          "context_length",
          CONTEXTS,
          (n) => `${n.toLocaleString("en-US")} トークン`,
          "すでに読み書きしたトークンの数",
        ),
        own,
      ),
      h(
        "details.hy-more",
        { open: state.prompt_length !== null || state.kv_cache !== "f16" || state.split !== "pipeline" },
        h("summary", {}, "くわしい条件"),
        h(
          "div.hy-grid-form",
          {},
          prompt.element,
          menu({
            label: "KVキャッシュの形式",
            value: state.kv_cache,
            groups: [
              [
                "",
                [
                  "f16",
                  "q8_0",
                  "q4_0",
                  ...(["f16", "q8_0", "q4_0"].includes(state.kv_cache) ? [] : [state.kv_cache]),
                ].map((id) => [id, tables.weight_formats.get(id).name]),
              ],
            ],
            onvalue: (kv_cache) => change({ kv_cache }),
          }).element,
          menu({
            label: "複数台での分け方",
            value: state.split,
            groups: [
              [
                "",
                [
                  ["pipeline", "層を順に分ける（パイプライン並列）"],
                  ["tensor", "行列を切り分ける（テンソル並列）"],
                ],
              ],
            ],
            onvalue: (split) => change({ split }),
          }).element,
        ),
      ),
    );
  }

  function buildOwnModel(element) {
    if (typeof state.model === "string") return replace(element);
    const shaped = Boolean(state.model.layers);
    const field = (name, hint) =>
      numberField({
        rule: rules[name],
        value: state.model[name],
        hint,
        onvalue: (value, done) => change({ model: { ...state.model, [name]: value } }, done),
      }).element;
    const toggle = h("input", {
      type: "checkbox",
      checked: shaped,
      onchange: () => {
        change({ model: toggle.checked ? exampleShape() : ownModel() });
        buildOwnModel(element);
        element.querySelector("input[type=checkbox]").focus();
      },
    });
    return replace(
      element,
      shaped
        ? h(
            "div.hy-grid-form.hy-tight",
            {},
            SHAPE.map((name) => field(name)),
          )
        : field("stated_parameters", "70億、7B、7e9 のように書けます"),
      h("label.hy-check", {}, toggle, " 層やヘッドの数も入れる（文脈長を計算に入れるときに要ります）"),
    );
  }

  function buildMachines() {
    cards = state.machines.map((machine, index) => machineCard(machine, index));
    replace(
      machines,
      cards.map((card) => card.element),
    );
    machines.dataset.count = String(cards.length);
    addButton.disabled = cards.length >= MAX_MACHINES;
  }

  function machineCard(machine, index) {
    const output = h("div.hy-output");
    const details = h("div.hy-own");
    const device = menu({
      label: "機種",
      groups: deviceGroups(),
      value: typeof machine.device === "string" ? machine.device : "own",
      onvalue: (value) => {
        changeMachine(machine, { device: value === "own" ? ownMachine() : value, memory_bytes: null });
        buildDetails();
      },
    });
    const count = numberField({
      rule: rules.devices,
      value: machine.devices,
      onvalue: (devices, done) => changeMachine(machine, { devices }, done),
    });
    const heading = h(
      "legend",
      {},
      s("svg", { width: 16, height: 16, viewBox: "0 0 16 16", "aria-hidden": "true" }, marker(index, 8, 8)),
      ` 機械 ${index + 1}`,
    );
    const remove =
      state.machines.length > 1 &&
      h(
        "button.hy-button.hy-remove",
        { type: "button", "aria-label": `機械 ${index + 1} を外す`, onclick: () => removeMachine(machine) },
        "外す",
      );

    function buildDetails() {
      if (typeof machine.device !== "string") return replace(details, ownDevice(machine));
      const options = tables.devices.get(machine.device).memory_options_bytes;
      if (options.length < 2) return replace(details);
      return replace(
        details,
        menu({
          label: "メモリ",
          groups: [["", options.map((bytes) => [String(bytes), `${bytes / GIB} GB`])]],
          value: String(machine.memory_bytes ?? tables.devices.get(machine.device).memory_capacity_bytes),
          onvalue: (bytes) => changeMachine(machine, { memory_bytes: Number(bytes) }),
        }).element,
      );
    }
    buildDetails();
    const element = h(
      "fieldset.hy-machine",
      {},
      heading,
      remove,
      h("div.hy-device", {}, device.element, details, count.element),
      output,
    );
    return { element, output, focus: () => device.select.focus() };
  }

  // Where the forms for one's own begin: as the article, or as the machine and model chosen before.
  function ownModel() {
    return { ...tables.presets.article.model };
  }

  function exampleShape() {
    const example = tables.models.get("llama-3.1-8b");
    return Object.fromEntries(SHAPE.map((name) => [name, example[name]]));
  }

  function ownMachine() {
    const { family, memory_bandwidth_bytes_per_s, memory_capacity_bytes } = tables.devices.get("apple-m4-10c");
    return { family: family.split("-")[0], memory_bandwidth_bytes_per_s, memory_capacity_bytes };
  }

  function ownDevice(machine) {
    const field = (name, unit, size) =>
      numberField({
        rule: { ...rules[name], optional: name !== "memory_bandwidth_bytes_per_s" },
        value: machine.device[name] || null,
        unit,
        ...size,
        onvalue: (value, done) => changeMachine(machine, { device: { ...machine.device, [name]: value ?? 0 } }, done),
      }).element;
    return h(
      "div.hy-grid-form.hy-tight",
      {},
      textField({
        label: "名前",
        value: machine.device.name ?? "",
        onvalue: (name, done) => changeMachine(machine, { device: { ...machine.device, name } }, done),
      }),
      menu({
        label: "種類",
        value: machine.device.family ?? "",
        groups: [["", [["", "分からない"], ...Object.entries(OWN_FAMILIES)]]],
        onvalue: (family) => changeMachine(machine, { device: { ...machine.device, family } }),
      }).element,
      field("memory_bandwidth_bytes_per_s", "GB/s", { exponent: 9 }),
      field("memory_capacity_bytes", "GB", { factor: GIB }),
      field("peak_fp16_dense_flop_per_s", "TFLOPS", { exponent: 12 }),
      field("peak_int8_dense_op_per_s", "TOPS", { exponent: 12 }),
      field("peak_int4_dense_op_per_s", "TOPS", { exponent: 12 }),
    );
  }

  // ---- menus ---------------------------------------------------------------------------------------------

  function modelGroups() {
    const families = new Map();
    for (const model of tables.models.values()) {
      if (!families.has(model.family)) families.set(model.family, []);
      families.get(model.family).push([model.id, model.name]);
    }
    return [
      ["", [["own", "自分のモデル（数字を入れる）"]]],
      ...[...families].map(([family, pairs]) => [family, pairs]),
    ];
  }

  function weightGroups() {
    const all = [...tables.weight_formats.values()].map((format) => [format.id, format.name]);
    const common = COMMON_WEIGHTS.map((id) => [id, tables.weight_formats.get(id).name]);
    const rest = all.filter(([id]) => !COMMON_WEIGHTS.includes(id));
    const kinds = [
      ["GGUF（llama.cpp）", /^GGUF/],
      ["MLX", /^MLX/],
      ["そのほか", /^(?!GGUF|MLX)/],
    ];
    return [
      ["よく使うもの", common],
      ...kinds.map(([title, pattern]) => [title, rest.filter(([, name]) => pattern.test(name))]),
    ];
  }

  function deviceGroups() {
    const groups = new Map();
    for (const device of tables.devices.values()) {
      const group = device.vendor === "Apple" ? "Apple（Mac）" : device.vendor || "CPUのメモリ";
      if (!groups.has(group)) groups.set(group, []);
      groups.get(group).push([device.id, device.name]);
    }
    return [
      ["", [["own", "自分の機械（数字を入れる）"]]],
      ...["Apple（Mac）", "NVIDIA"].map((name) => [name, groups.get(name)]),
      ...[...groups].filter(([name]) => !["Apple（Mac）", "NVIDIA"].includes(name)),
    ];
  }

  // ---- the answers -----------------------------------------------------------------------------------------

  function ask(machine) {
    const listed = typeof machine.device === "string" ? tables.devices.get(machine.device) : null;
    const name = listed ? listed.name : machine.device.name || OWN_DEVICE_NAME;
    const memory_bytes = machine.memory_bytes ?? listed?.memory_capacity_bytes;
    try {
      const device = listed
        ? makeDevice({ ...listed, memory_capacity_bytes: memory_bytes })
        : makeDevice({ ...machine.device, id: "own", name });
      const model =
        typeof state.model === "string"
          ? tables.models.get(state.model)
          : makeModel({ ...state.model, id: "own", name: OWN_MODEL_NAME });
      const result = estimate(tables, { ...common(), model, device, devices: machine.devices });
      return { name: machine.devices > 1 ? `${name} × ${machine.devices}` : name, machine, result, problem: "" };
    } catch (error) {
      if (!error.argument && error.name !== "InvalidValueError") throw error;
      return { name, machine, result: null, problem: needsShape() ? NEEDS_SHAPE : error.message };
    }
  }

  // The commonest mistake with a model of one's own is explained in the words of the form.
  function needsShape() {
    return typeof state.model !== "string" && !state.model.layers && state.context_length > 0;
  }

  function common() {
    const { weights, engine, batch_size, context_length, prompt_length, kv_cache, split } = state;
    return { weights, engine, batch_size, context_length, prompt_length, kv_cache, split };
  }

  function show() {
    results = state.machines.map(ask);
    results.forEach((answer, index) => replace(cards[index].output, answerParts(answer, index)));
    verdict.textContent = verdictText();
    if (drawnWidth) drawSpeed();
    if (!lowerPartsWait) afterPaint(showLowerParts);
    lowerPartsWait = true;
    clearTimeout(announceTimer);
    announceTimer = setTimeout(() => (status.textContent = announcement()), QUIET_MS);
  }

  function showLowerParts() {
    lowerPartsWait = false;
    if (drawnWidth) drawRoofline();
    showSums();
    measuredParts();
    code.textContent = pythonCode(state);
  }

  function answerParts({ result, problem }, index) {
    if (!result) return h("p.hy-problem", {}, problem);
    const ideal = result.engine.id === "ideal";
    const limit = (seconds) => `${tenths(result.batch_size / seconds)} トークン/秒`;
    const facts = [
      !ideal && [
        "90%区間",
        `${significant(result.decode_tokens_per_s_low)} ～ ${significant(result.decode_tokens_per_s_high)}`,
      ],
      !ideal && ["上限", `${significant(result.decode_tokens_per_s_bound)} トークン/秒`],
      ["メモリの限界", limit(result.memory_latency_s)],
      [
        "計算の限界",
        result.compute_latency_s
          ? limit(result.compute_latency_s)
          : `計算力が${result.device.id === "own" ? "未入力" : "未公表"}`,
      ],
      ["決めるもの", result.bound_by === "memory" ? "メモリ帯域幅" : "計算力"],
      result.batch_size > 1 && [
        "1系列あたり",
        `${significant(result.decode_tokens_per_s / result.batch_size)} トークン/秒`,
      ],
      [
        "最初のトークンまで",
        result.time_to_first_token_s
          ? `${duration(result.time_to_first_token_s)}（プロンプト ${result.prompt_length.toLocaleString("en-US")} トークン）`
          : "見積もれません",
      ],
    ].filter(Boolean);
    return [
      h(
        "p.hy-speed",
        {},
        h("span.hy-kind", {}, `${result.fits === false ? "もし入れば、" : ""}${ideal ? "上限" : "見積り"}`),
        h(
          "span",
          { class: `hy-number ${result.fits === false ? "hy-dim" : `hy-ink-${index}`}` },
          significant(result.decode_tokens_per_s),
        ),
        " トークン/秒",
      ),
      h(
        "dl.hy-facts",
        {},
        facts.map(([term, value]) => h("div", {}, h("dt", {}, term), h("dd", {}, value))),
      ),
      memoryParts(result),
      result.notes.map((note) => h("p.hy-note", {}, note)),
    ];
  }

  function memoryParts(result) {
    const needed = result.memory_required_bytes;
    if (result.fits === null)
      return h("p.hy-memory", {}, `必要なメモリ ${gibibytes(needed)}（機械のメモリは分かりません）`);
    const available = result.memory_available_bytes;
    const tight =
      result.device.family.startsWith("apple") && needed > tables.constants.MAC_GPU_MEMORY_SHARE * available;
    const fitting = tight ? "きわどい量です" : "入ります";
    const verdictOf = result.fits ? fitting : `入りません（${gibibytes(needed - available)} 不足）`;
    const longest = result.fits && result.model.layers ? maxContextLength(tables, result) : null;
    return h(
      "div",
      { class: `hy-memory ${result.fits ? "" : "hy-full"}` },
      h(
        "div.hy-bar",
        { "aria-hidden": "true" },
        h("div", { style: `width:${Math.min(100, (100 * needed) / available).toFixed(1)}%` }),
      ),
      h("p", {}, `メモリ ${gibibytes(needed)} ／ ${gibibytes(available)}：`, h("strong", {}, verdictOf)),
      longest !== null &&
        h(
          "p.hy-hint",
          {},
          `計算の上では、文脈長 ${Math.min(longest, result.model.context_length_max || longest).toLocaleString("en-US")} トークンまで入ります。OSやエンジンが使う分は数えていません。`,
        ),
      result.fits && tight && h("p.hy-hint", {}, "Macでは、GPUが使えるのはふつう全体の4分の3ほどです。"),
    );
  }

  function verdictText() {
    const answered = results.filter((answer) => answer.result);
    if (answered.length < 2) return "";
    // What does not fit does not run, however fast it would be.
    const running = answered.filter((answer) => answer.result.fits !== false);
    const full = answered.filter((answer) => answer.result.fits === false).map((answer) => answer.name);
    const without = full.length ? `${full.join("、")} のメモリには入りません。` : "";
    if (running.length < 2) return without;
    const sorted = [...running].sort((a, b) => b.result.decode_tokens_per_s - a.result.decode_tokens_per_s);
    const [fast, slow] = [sorted[0], sorted.at(-1)];
    const ratio = fast.result.decode_tokens_per_s / slow.result.decode_tokens_per_s;
    const among = full.length ? "メモリに入るもののうち、" : "";
    return `${among}いちばん速いのは ${fast.name} で、${slow.name} の ${significant(ratio)} 倍です。${without}`;
  }

  function announcement() {
    return results
      .map(({ name, result, problem }) =>
        result
          ? `${name}：${significant(result.decode_tokens_per_s)} トークン毎秒。${result.fits === false ? "メモリに入りません。" : ""}`
          : `${name}：${problem}`,
      )
      .join("");
  }

  // ---- charts ------------------------------------------------------------------------------------------------

  function onResize(entries) {
    const width = entries[0].contentRect.width;
    if (Math.abs(width - drawnWidth) <= 1) return;
    drawnWidth = width;
    drawSpeed();
    drawRoofline();
  }

  function answeredMachines() {
    return results.map((answer, index) => ({ ...answer, index })).filter((answer) => answer.result);
  }

  function chartWidth() {
    return Math.max(280, drawnWidth);
  }

  function drawSpeed() {
    const ideal = state.engine === "ideal";
    const answered = answeredMachines();
    if (!answered.length) {
      replace(speed);
      replace(speedNote);
      return;
    }
    const rows = answered.map(({ index, name, result, machine }) => ({
      index,
      label: name,
      bound: result.decode_tokens_per_s_bound,
      estimate: result.decode_tokens_per_s,
      low: result.decode_tokens_per_s_low,
      high: ideal ? 0 : result.decode_tokens_per_s_high,
      measured: comparable(tables, state, machine).map((row) => ({
        value: row.decode_tokens_per_s,
        title: `実測 ${row.decode_tokens_per_s} トークン/秒（${row.source.title}）`,
      })),
    }));
    const dots = rows.some((row) => row.measured.length);
    replace(speed, speedChart(rows, { width: chartWidth(), ideal, title: `速さの図。${announcement()}` }));
    speedNote.textContent = `${ideal ? "" : "印は見積り、太い線は90%区間、"}縦の線は上限です。${dots ? "×は公開された実測です（くわしくは下の表）。" : ""}`;
  }

  function drawRoofline() {
    const ideal = state.engine === "ideal";
    const answered = answeredMachines();
    if (!answered.length) {
      replace(roofline);
      replace(rooflineNote);
      return;
    }
    const points = answered.map(({ index, result }) => ({
      index,
      bandwidth: result.device.memory_bandwidth_bytes_per_s * together(result),
      peak: peakOf(result),
      intensity: result.flop_per_step / result.bytes_per_step,
      bound: result.flop_per_step / Math.max(result.memory_latency_s, result.compute_latency_s),
      estimate: ideal ? null : result.flop_per_step / result.step_latency_s,
    }));
    replace(
      roofline,
      rooflineChart(points, {
        width: chartWidth(),
        title: `ルーフラインの図。${points.map((p, i) => `${answered[i].name}：算術強度 ${significant(p.intensity)} FLOP/B`).join("、")}`,
      }),
    );
    rooflineNote.replaceChildren(
      `斜めの屋根はメモリ帯域幅、平らな屋根は${answered.some((a) => peakOf(a.result)) ? `計算力（${[...new Set(answered.map((a) => a.result.weights.compute_format))].join("、")}）` : "計算力（分からないので描けません）"}です。白抜きの印が上限${ideal ? "" : "、塗った印が見積り"}です。`,
      h(
        "a",
        { href: chapterAddress("05-batch-and-roofline") },
        `${chapterName("05-batch-and-roofline")}で説明しています`,
      ),
      "。",
    );
  }

  // ---- sums and measurements -----------------------------------------------------------------------------------

  function showSums() {
    const wasOpen = [...sums.querySelectorAll("details")].map((part) => part.open);
    replace(
      sums,
      results.map(
        ({ name, result }, index) =>
          result &&
          h("details.hy-sum", { open: wasOpen[index] ?? false }, h("summary", {}, name), explain(result).map(sumPart)),
      ),
    );
  }

  function sumPart({ id, title, lines }) {
    const chapters = CHAPTERS[id] ?? [];
    return h(
      "section",
      {},
      h(
        "p.hy-sum-title",
        {},
        title,
        chapters.map((chapter) => [" ", h("a", { href: chapterAddress(chapter) }, chapterName(chapter))]),
      ),
      lines.map((line) => h("p.hy-line", {}, line)),
    );
  }

  function measuredParts() {
    const perMachine = state.machines.map((machine, index) =>
      nearestFirst(tables, state, machine).map((row) => ({ ...row, index })),
    );
    const rows = perMachine.flat();
    if (!rows.length) {
      replace(measured, h("p", {}, "このモデルと機種の組み合わせの実測は、この本のデータにありません。"));
      return;
    }
    // Every machine that was measured has its share of the table.
    const share = Math.floor(MEASUREMENTS_SHOWN / perMachine.filter((found) => found.length).length);
    const shown = perMachine.flatMap((found) => found.slice(0, share));
    const cells = (row) => {
      const speed = speedLike(tables, row);
      return h(
        "tr",
        {},
        h(
          "td",
          {},
          s(
            "svg",
            { width: 16, height: 16, viewBox: "0 0 16 16", role: "img", "aria-label": `機械 ${row.index + 1}` },
            marker(row.index, 8, 8),
          ),
          row.devices > 1 && ` ×${row.devices}`,
        ),
        [
          significant(row.decode_tokens_per_s),
          significant(speed),
          signedPercent(speed / row.decode_tokens_per_s - 1),
        ].map((text) => h("td.hy-num", {}, text)),
        [row.weights, row.engine].map((text) => h("td", {}, text)),
        [row.batch_size, row.context_length].map((count) => h("td.hy-num", {}, count.toLocaleString("en-US"))),
        h("td", {}, h("a", { href: row.source.url }, row.source.title), row.measured_on && `（${row.measured_on}）`),
      );
    };
    replace(
      measured,
      h(
        "div.hy-scroll",
        { tabindex: 0, role: "group", "aria-label": "公開された実測の表" },
        h(
          "table.hy-table",
          {},
          h(
            "thead",
            {},
            h(
              "tr",
              {},
              ["機械", "実測", "見積り", "外れ", "重み", "エンジン", "バッチサイズ", "文脈長", "出典"].map((title) =>
                h("th", { scope: "col" }, title),
              ),
            ),
          ),
          h("tbody", {}, shown.map(cells)),
        ),
      ),
      h(
        "p.hy-caption",
        {},
        `実測と見積りの単位は、トークン/秒です。見積りは、それぞれの行の条件で計算しました。外れは、見積りが実測よりどれだけ速いかです。${rows.length > shown.length ? `条件の近い順に、全${rows.length}件のうち${shown.length}件を載せました。` : ""}`,
      ),
    );
  }
}

// What is not looked at while a slider moves can wait until the frame with the numbers is painted.
function afterPaint(task) {
  requestAnimationFrame(() => setTimeout(task));
}

// A slider that stops, and a field that is left, say once more what they have said while they moved.
function assignNew(target, values) {
  const moved = Object.keys(values).some((name) => target[name] !== values[name]);
  Object.assign(target, values);
  return moved;
}

function engineName(engine) {
  return engine.id === "ideal" ? "ideal：上限だけ（補正なし）" : engine.name;
}

function together(result) {
  return result.split === "tensor" ? result.devices : 1;
}

function peakOf(result) {
  return result.compute_latency_s ? result.flop_per_step / result.compute_latency_s : 0;
}

function signedPercent(share) {
  const percent = Math.round(100 * share);
  return percent === 0 ? "0%" : `${percent < 0 ? "−" : "+"}${Math.abs(percent)}%`;
}

// The article's numbers with one decimal; small ones with three digits.
function tenths(value) {
  if (value < 10) return significant(value);
  return value.toLocaleString("en-US", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
}

function chapterAddress(chapter) {
  return `chapters/${chapter}.html`;
}

function chapterName(chapter) {
  return `第${Number(chapter.split("-")[0])}章`;
}
