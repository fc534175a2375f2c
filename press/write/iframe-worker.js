// Browsers start no worker for a page opened straight from the disk. There, a hidden frame runs the
// theme's search in its place. (The theme would fetch a script of this name from elsewhere.)
if (location.protocol === "file:") {
  window.Worker = class {
    constructor(address) {
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      this.frame.answer = (data) => this.onmessage?.({ data });
      this.frame.srcdoc =
        "<script>self.postMessage = (data) => self.frameElement.answer(data)</scr" + "ipt>" +
        `<script src="${address}"></scr` + "ipt>";
      this.ready = new Promise((loaded) => { this.frame.onload = loaded; });
      document.body.append(this.frame);
    }
    postMessage(data) {
      this.ready.then(() => this.frame.contentWindow?.onmessage({ data: structuredClone(data) }));
    }
    terminate() {
      this.frame.remove();
    }
  };
}
