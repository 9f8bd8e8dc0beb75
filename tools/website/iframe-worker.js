// Search from the disk: browsers start no worker for file:// pages, so a hidden frame runs its code.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      this.waiting = []; // messages that came before the code was there
      const frame = document.createElement("iframe");
      frame.hidden = true;
      document.body.appendChild(frame);
      const inside = (this.inside = frame.contentWindow);
      inside.postMessage = (data) => this.told(this, data);
      inside.importScripts = (...urls) =>
        urls.reduce((before, next) => before.then(() => this.script(next)), Promise.resolve());
      this.script(url).then(() => {
        const waiting = this.waiting;
        this.waiting = null;
        waiting.forEach((data) => this.postMessage(data));
      });
    }
    script(url) {
      return new Promise((resolve, reject) => {
        const element = this.inside.document.createElement("script");
        element.src = new URL(url, location);
        element.onload = resolve;
        element.onerror = reject;
        this.inside.document.body.appendChild(element);
      });
    }
    told(target, data) {
      const event = new MessageEvent("message", { data });
      target.dispatchEvent(event);
      if (typeof target.onmessage === "function") target.onmessage(event);
    }
    postMessage(data) {
      if (this.waiting) this.waiting.push(data);
      else this.told(this.inside, data);
    }
    terminate() {
      this.inside.frameElement.remove();
    }
  };
}
