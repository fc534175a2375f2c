// What JupyterLite's pages run first.

// Opened as a file such a page stays empty: a browser loads no module from disk.
if (location.protocol === "file:") {
  document.write(`<p lang="ja" style="max-width: 40em; margin: 3em auto; padding: 0 1em; font: 1rem/1.8 sans-serif">
    ブラウザの中のJupyterは、ファイルとして開いたページでは動きません。
    <code>make preview</code>でサイトを開くか、章のページからノートブックをダウンロードしてください。</p>`);
}

// Jupyter takes what is no whole address for a file of its own; so a notebook's links into the book have a host that
// stands for wherever the book is.
const BOOK = "https://book.invalid/";
const site = new URL("../../", document.currentScript.src).href;
new MutationObserver(() => {
  for (const link of document.querySelectorAll(`a[href^="${BOOK}"]`)) link.href = link.href.replace(BOOK, site);
}).observe(document, { childList: true, subtree: true, attributeFilter: ["href"] });
