// Small figures in the chapters that answer a slider. The static figure below each says the same on paper.

import { withCommas } from "./commas.mjs";
import { curveChart } from "./curves.mjs";
import { estimate, makeModel, scaled, significant } from "./estimator.mjs";
import { smallMarker } from "./marks.mjs";
import { control, stage } from "./stage.mjs";

const CONTEXTS = [0, ...Array.from({ length: 64 }, (_, i) => 2048 * (i + 1))];
const BITS = Array.from({ length: 29 }, (_, i) => 2 + i / 2);

const PAGE_FIGURES = { context: contextFigure, bits: bitsFigure };

/**
 * Build the figure that an element asks for in its `data-…` attributes.
 *
 * `data-figure` is `context` (KV cache) or `bits` (weights); `data-machines` and `data-models` list ids, `data-model`
 * may be a number of parameters, `data-weights` is a weight format.
 * @param {HTMLElement} root - An empty element.
 * @param {object} tables - Those of `estimator.mjs`.
 */
export function mountFigure(root, tables) {
  const build = PAGE_FIGURES[root.dataset.figure];
  if (!build) {
    const known = Object.keys(PAGE_FIGURES).join("、");
    throw new Error(`data-figure="${root.dataset.figure}" は、${known} のどれかにしてください。`);
  }
  const list = (name) => (root.dataset[name] ?? "").split(/\s+/).filter(Boolean);
  const asked = {
    machines: list("machines").map((id) => withId(tables.devices, id)),
    models: list("models").map((id) =>
      /^[\d.e+]+$/.test(id) ? makeModel({ id, stated_parameters: Number(id) }) : withId(tables.models, id),
    ),
    weights: root.dataset.weights ?? "f16",
  };
  const { title, sliders, draw } = build(asked, tables);
  stage(root, {
    title: `動かしてみる：${title}`,
    initial: Object.fromEntries(sliders.map(({ name, value }) => [name, value])),
    controls: (set) => sliders.map((one) => control({ ...one, onvalue: (moved) => set({ [one.name]: moved }) })),
    draw(state, width) {
      const { figure, lines } = draw(state, width);
      return { figure, lines: lines.map(withMarker) };
    },
  });
}

function withMarker({ index, text }) {
  return { text, mark: index !== undefined && smallMarker(index, { "aria-hidden": "true" }) };
}

function withId(map, id) {
  if (!map.has(id)) throw new Error(`${id} という名前はありません。`);
  return map.get(id);
}

// Speed over context: the cache is read with the weights at every token.
function contextFigure({ machines: [device], models, weights }, tables) {
  const ask = (model, context_length) => estimate({ model, device, weights, engine: "ideal", context_length });
  const curves = models.map((model, index) => ({
    index,
    label: model.name,
    points: CONTEXTS.map((context) => [context, ask(model, context).decode_tokens_per_s]),
  }));
  return {
    title: `文脈長と速さの上限（${device.name}、${tables.weight_formats.get(weights).name}）`,
    sliders: [
      {
        name: "context_length",
        label: "文脈長",
        values: CONTEXTS,
        value: 8192,
        text: (n) => `${withCommas(n)}トークン`,
      },
    ],
    draw: ({ context_length: chosen }, width) => ({
      figure: curveChart(curves, {
        width,
        chosen,
        title: "文脈長と速さの図",
        xLabel: "文脈長（トークン）",
        yLabel: "トークン/秒",
        xTicks: [0, 32768, 65536, 98304, 131072].map((n) => [n, withCommas(n)]),
      }),
      lines: models.map((model, index) => {
        const result = ask(model, chosen);
        const beyond =
          model.context_length_max && chosen > model.context_length_max
            ? "（このモデルが扱える文脈長を超えています）"
            : "";
        return {
          index,
          text: `${model.name}：重み${scaled(result.weight_bytes_per_step, "B")} ＋ KVキャッシュ${scaled(result.kv_bytes_per_step, "B")}、${significant(result.decode_tokens_per_s)} トークン/秒${beyond}`,
        };
      }),
    }),
  };
}

// Speed over bits per weight: half the bits, twice the bound.
function bitsFigure({ machines, models: [model] }) {
  const ask = (device, bits_per_weight) =>
    estimate({
      model,
      device,
      engine: "ideal",
      weights: { id: `bits-${bits_per_weight}`, kind: "plain", bits_per_weight, compute_format: "fp16", rules: [] },
    });
  const memorySpeed = (device, bits) => 1 / ask(device, bits).memory_latency_s;
  const curves = machines.map((device, index) => ({
    index,
    label: device.name,
    points: BITS.map((bits) => [bits, memorySpeed(device, bits)]),
  }));
  return {
    title: "重み1個のビット数と、メモリの限界",
    sliders: [
      {
        name: "bits",
        label: "重み1個のビット数",
        values: BITS,
        value: 4,
        text: (bits) => `${bits}ビット`,
      },
    ],
    draw: ({ bits: chosen }, width) => ({
      figure: curveChart(curves, {
        width,
        chosen,
        title: "ビット数と速さの図",
        xLabel: "重み1個のビット数",
        yLabel: "トークン/秒",
        xTicks: [2, 4, 8, 12, 16].map((n) => [n, String(n)]),
      }),
      lines: [
        { text: `1トークンで読み出す重み：${scaled(ask(machines[0], chosen).weight_bytes_per_step, "B")}` },
        ...machines.map((device, index) => ({
          index,
          text: `${device.name}：${significant(memorySpeed(device, chosen))} トークン/秒`,
        })),
      ],
    }),
  };
}
