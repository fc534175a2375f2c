// Browsers start no worker for a page opened straight from the disk. There, a hidden frame runs the
// theme's search in its place. (The theme would fetch a script of this name from elsewhere.)
if (location.protocol === "file:") {
  window.Worker = class {
    constructor(address) {
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      this.ready = new Promise((loaded) => {
        this.frame.onload = () => {
          const { contentWindow: inside, contentDocument: text } = this.frame;
          inside.postMessage = (data) => this.onmessage?.({ data });
          const script = text.createElement("script"); // as an element, since the page's policy forbids one in the text
          script.src = address;
          script.onload = loaded;
          text.body.append(script);
        };
      });
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
