// A thread that measures: what it is asked it answers, one after another.

import { processorPart } from "./measure-cpu.mjs";

const answer = processorPart();

export async function answerMessage({ data }) {
  postMessage(await answer(data).catch((error) => ({ problem: `メモリが足りません（${error.message}）。` })));
}

globalThis.onmessage = answerMessage;
