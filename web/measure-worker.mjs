// A thread that measures: what it is asked it answers, one after another.

import { processorPart } from "./measure-cpu.mjs";

const part = processorPart();

export async function answer({ data }) {
  postMessage(await part(data).catch((error) => ({ problem: `メモリが足りません（${error.message}）。` })));
}

globalThis.onmessage = answer;
