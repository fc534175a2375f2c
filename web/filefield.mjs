// A field for the file of a model: chosen, or dropped onto it.

import { h, replace } from "./dom.mjs";
import { later, lost } from "./later.mjs";

/**
 * The field.
 * @param {(model: string, weights: ?string) => void} choose - Called with what stands for the model in a state, and for
 *   the format that it is stored in.
 * @returns {HTMLElement}
 */
export function fileField(choose) {
  const said = h("p.hy-hint", { role: "status" });
  const wrong = h("p.hy-problem", { role: "alert" });
  const tell = (bytes) => replace(said, `読んでいます…（${(bytes / 1e6).toFixed(0)} MB）`);
  const take = async (files) => {
    if (!files.length) return;
    replace(wrong);
    replace(said, "読んでいます…");
    const part = await later("files").catch(() => null);
    try {
      if (!part) throw new Error(lost("files"));
      const model = await part.readFiles([...files], tell);
      choose(model, part.formatOf(model));
    } catch ({ name, message }) {
      // A file that went away, or that the browser may not read, has an error of the browser's own.
      replace(wrong, !part || name === "InvalidValueError" ? message : `${files[0].name} を読めません。`);
    }
    replace(said);
    input.value = ""; // the same file may be chosen once more
  };
  const input = h("input", { type: "file", accept: ".gguf,.json", multiple: true, onchange: () => take(input.files) });
  const over = (event) => {
    event.preventDefault();
    element.classList.toggle("hy-over", event.type === "dragover");
  };
  const element = h(
    "div.hy-field.hy-file",
    {
      ondragover: over,
      ondragleave: over,
      ondrop: (event) => {
        over(event);
        take(event.dataTransfer.files);
      },
    },
    h("label", {}, "手元のモデルのファイル（GGUF か config.json）", input),
    h(
      "p.hy-hint",
      {},
      "ここに落としても読みます。読むのはこのブラウザーの中だけで、どこにも送りません。分かれたGGUFは、全部を一度に選んでください。",
    ),
    said,
    wrong,
  );
  return element;
}
