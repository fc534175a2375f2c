// A GPU of the browser: what it says of itself, its buffers, and how long what it is given takes.

import { nextTask } from "./dom.mjs";
import { Halt, MIB, spreadOf } from "./measure-formats.mjs";
import { FILL } from "./measure-kernels.mjs";

const SAMPLE_MS = 50; // what is timed takes as long: far above the grain of the clocks
export const LONGEST_MS = 250; // and no longer: a driver resets what does not answer for seconds
const SLOW_ANSWER_MS = 20; // a browser that looks for finished work only now and then
const NUDGE_MS = 5;
const SOFTWARE = /swiftshader|llvmpipe|lavapipe|softpipe|basic render/i;

const READS = "read-only-storage";
const WRITES = "storage";
const UNIFORM = "uniform";
export const BINDINGS = {
  fill: [UNIFORM, WRITES],
  read: [READS, WRITES],
  norm: [UNIFORM, READS, WRITES],
  product: [UNIFORM, READS, READS, WRITES],
  bf16: [UNIFORM, READS, READS, WRITES],
  q4_0: [UNIFORM, READS, READS, WRITES, READS],
};

/**
 * Ask the browser for a GPU.
 * @returns {Promise<{gpu: ?Gpu, reason: string}>} If there is none, why, in words that help a reader.
 */
export async function openGpu() {
  if (!globalThis.isSecureContext)
    return refused("WebGPUは、https:// か、手元のファイルで開いたページでだけ使えます。");
  if (!navigator.gpu) {
    return refused(
      "このブラウザには、WebGPUがありません。Chrome、Edge、Safari（26以降）、Firefox（WindowsとMac）の新しい版にはあります。",
    );
  }
  try {
    const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" });
    if (!adapter) {
      return refused(
        "WebGPUはありますが、使えるGPUをブラウザが渡してくれませんでした。設定でハードウェアアクセラレーションが切られているか、GPUのドライバーが対応していません。",
      );
    }
    return { gpu: new Gpu(adapter, await deviceOn(adapter)), reason: "" };
  } catch (error) {
    return refused(`ブラウザがGPUを開けませんでした（${error.message}）。`);
  }
}

const refused = (reason) => ({ gpu: null, reason });

// What a page does not ask for it does not get: 128 MiB in a binding, whatever the GPU could do.
function deviceOn(adapter) {
  const { maxBufferSize, maxStorageBufferBindingSize } = adapter.limits;
  return adapter.requestDevice({
    requiredFeatures: adapter.features.has("timestamp-query") ? ["timestamp-query"] : [],
    requiredLimits: { maxBufferSize, maxStorageBufferBindingSize },
  });
}

/** A GPU, and what was made on it. */
class Gpu {
  constructor({ info = {}, isFallbackAdapter }, device) {
    this.device = device;
    this.lost = "";
    this.pipelines = new Map();
    this.answerMs = 0;
    const { vendor = "", architecture = "", device: chip = "", description = "" } = info;
    this.names = { vendor, architecture, device: chip, description };
    this.software = Boolean(info.isFallbackAdapter ?? isFallbackAdapter) || SOFTWARE.test(Object.values(this.names));
    this.largestPart = Math.min(device.limits.maxStorageBufferBindingSize, device.limits.maxBufferSize);
    this.timestamps = device.features.has("timestamp-query") ? this.clock() : null;
    device.lost.then(({ message, reason }) => {
      this.lost = message || reason || "理由は伝えられていません";
    });
  }

  clock() {
    const [set, size] = [this.device.createQuerySet({ type: "timestamp", count: 2 }), 16];
    const usage = GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC;
    return {
      set,
      resolved: this.device.createBuffer({ size, usage }),
      read: this.device.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST }),
      trusted: null, // until it was compared with the page's own clock
    };
  }

  close() {
    this.device.destroy();
  }

  check(signal) {
    signal.throwIfAborted();
    if (this.lost) throw new Halt(this.lost);
  }

  /** Say what an error was: whatever goes wrong with a GPU that is lost, it went wrong for that. */
  async reasonOf(error) {
    if (!this.lost) await Promise.race([this.device.lost, nextTask()]);
    if (!this.lost) return error.message;
    return `ブラウザがGPUを失いました（${this.lost}）。ドライバーの再起動や、メモリの不足で起きます。`;
  }

  /** A buffer; null if there is no memory for it. */
  async buffer(size, usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST) {
    this.device.pushErrorScope("validation");
    this.device.pushErrorScope("out-of-memory");
    let made = null;
    try {
      made = this.device.createBuffer({ size: Math.ceil(size / 16) * 16, usage });
    } catch {
      // a size that the browser does not even try
    }
    const errors = [await this.device.popErrorScope(), await this.device.popErrorScope()];
    if (made && !errors.some(Boolean)) return made;
    made?.destroy();
    return null;
  }

  uniform(...values) {
    const made = this.device.createBuffer({ size: 16, usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST });
    this.device.queue.writeBuffer(made, 0, new Uint32Array(values));
    return made;
  }

  /** A program, made once. */
  async pipeline(name, code, kinds) {
    if (!this.pipelines.has(name)) {
      const entries = kinds.map((type, binding) => ({ binding, visibility: GPUShaderStage.COMPUTE, buffer: { type } }));
      const layout = this.device.createBindGroupLayout({ entries });
      const pipeline = await this.device.createComputePipelineAsync({
        layout: this.device.createPipelineLayout({ bindGroupLayouts: [layout] }),
        compute: { module: this.device.createShaderModule({ code }), entryPoint: "main" },
      });
      this.pipelines.set(name, { pipeline, layout });
    }
    return this.pipelines.get(name);
  }

  group(layout, ...buffers) {
    const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
    return this.device.createBindGroup({ layout, entries });
  }

  /** Fill a buffer with words from the hash; `kind` as in `FILL`. */
  async fill(buffer, bytes, seed, kind, exponent = 0) {
    const { pipeline, layout } = await this.pipeline("fill", FILL, BINDINGS.fill);
    const count = Math.ceil(bytes / 4);
    const settings = this.uniform(count, seed, kind, exponent);
    const group = this.group(layout, settings, buffer);
    this.submit((pass) => dispatch(pass, { pipeline, group, groups: Math.min(16384, Math.ceil(count / 256)) }));
    settings.destroy(); // once it has been used
  }

  submit(record, timestampWrites) {
    const encoder = this.device.createCommandEncoder();
    const pass = encoder.beginComputePass(timestampWrites ? { timestampWrites } : {});
    record(pass);
    pass.end();
    if (timestampWrites) {
      const { set, resolved, read } = this.timestamps;
      encoder.resolveQuerySet(set, 0, 2, resolved, 0);
      encoder.copyBufferToBuffer(resolved, 0, read, 0, 16);
    }
    this.device.queue.submit([encoder.finish()]);
  }

  /** Wait until all is done. Some browsers notice it late, unless they are given something to do. */
  async finished() {
    const done = this.device.queue.onSubmittedWorkDone();
    if (this.answerMs < SLOW_ANSWER_MS) return done;
    const nudge = setInterval(() => this.device.queue.submit([]), NUDGE_MS);
    return done.finally(() => clearInterval(nudge));
  }

  /** Learn how long the browser takes to say that nothing is to be done. */
  async learnAnswer() {
    for (let turn = 0; turn < 2; turn += 1) {
      const waits = [];
      for (let i = 0; i < 3; i += 1) {
        const start = performance.now();
        await this.finished();
        waits.push(performance.now() - start);
      }
      this.answerMs = spreadOf(waits).median;
    }
  }

  /**
   * Time one submission.
   * @param {(pass: GPUComputePassEncoder) => void} record - Gives it its work.
   * @returns {Promise<{ms: number, wallMs: number, gpuMs: number}>} `ms` by the clock that can be trusted.
   */
  async time(record, signal) {
    this.check(signal);
    const clock = this.timestamps;
    const start = performance.now();
    this.submit(record, clock && { querySet: clock.set, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 });
    await this.finished();
    const passed = performance.now() - start;
    const wallMs = Math.max(passed - this.answerMs, passed / 2);
    const gpuMs = clock ? await this.gpuTime(clock) : NaN;
    this.check(signal);
    if (clock && clock.trusted === null && passed > SAMPLE_MS) {
      clock.trusted = gpuMs > passed / 2 && gpuMs < passed * 1.05;
    }
    return { ms: clock?.trusted ? gpuMs : wallMs, wallMs, gpuMs };
  }

  async gpuTime({ read }) {
    await read.mapAsync(GPUMapMode.READ);
    const [begin, end] = new BigUint64Array(read.getMappedRange().slice(0));
    read.unmap();
    return Number(end - begin) / 1e6;
  }

  /** Which clock times are taken with. */
  get timer() {
    return this.timestamps?.trusted ? "timestamp-query" : "onSubmittedWorkDone";
  }

  /**
   * Time something that can be done several times over, until the median stands or the time is up.
   * @param {(pass: GPUComputePassEncoder) => void} record - Does it once.
   * @param {{signal: AbortSignal, until: number, samples: number}} limits - `until` on the page's clock.
   * @returns {Promise<{median: number, low: number, high: number, samples: number}>} Milliseconds for once.
   */
  async timeOften(record, { signal, until, samples = 9 }) {
    let times = 1;
    const often = (pass) => {
      for (let i = 0; i < times; i += 1) record(pass);
    };
    // Clocks rise under load, and what was never touched is only then given memory: the first ones do not count.
    let first = await this.time(often, signal);
    while (first.wallMs < SAMPLE_MS && times < 4096 && performance.now() < until) {
      times = Math.min(4096, Math.ceil(times * Math.min(8, (1.3 * SAMPLE_MS) / Math.max(first.wallMs, 0.5))));
      first = await this.time(often, signal);
    }
    const taken = [];
    while (taken.length < samples && (taken.length === 0 || performance.now() < until)) {
      taken.push((await this.time(often, signal)).ms / times);
    }
    return spreadOf(taken);
  }

  async read(buffer, bytes) {
    const copy = this.device.createBuffer({ size: bytes, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    const encoder = this.device.createCommandEncoder();
    encoder.copyBufferToBuffer(buffer, 0, copy, 0, bytes);
    this.device.queue.submit([encoder.finish()]);
    await copy.mapAsync(GPUMapMode.READ);
    const bytesRead = copy.getMappedRange().slice(0);
    copy.destroy();
    return bytesRead;
  }
}

/** Put one dispatch into a pass. */
export function dispatch(pass, { pipeline, group, groups, rows = 1 }) {
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, group);
  pass.dispatchWorkgroups(groups, rows);
}

/** How much of something one submission may hold, of which `ms` are known for one. */
export function asMuchAsMayBe(ms) {
  return Math.max(1, Math.floor(LONGEST_MS / Math.max(ms, 0.01)));
}

/** What a page may take of a GPU's memory, which no browser tells: phones kill pages that take much. */
export function memoryToTake({ software }) {
  const mobile = navigator.userAgentData?.mobile ?? /Android|iPhone|iPad|Mobile/.test(navigator.userAgent);
  return (software || mobile ? 512 : 2048) * MIB;
}
