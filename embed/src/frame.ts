// The iframe and the one port to it. Window messages are used for the handshake alone, with exact
// origins on both sides; whatever else arrives at the window is none of ours.

import type { Config } from "./config.ts";
import type { FromFrame, ToFrame } from "./port.ts";

export interface FrameEvents {
  /** The port is there; the answer is the first thing the frame is told. */
  connected(): ToFrame;
  said(message: FromFrame): void;
  unreachable(): void;
}

const SANDBOX =
  "allow-scripts allow-same-origin allow-forms allow-popups " +
  "allow-popups-to-escape-sandbox allow-downloads";
/** How long a frame may take to load, in milliseconds. */
const LOAD_LIMIT_MS = 20_000;
/** A frame that has loaded says hello at once: a refused one loads too, but says nothing. */
const HELLO_LIMIT_MS = 2_000;

export class Frame {
  readonly element = document.createElement("iframe");
  #config: Config;
  #events: FrameEvents;
  #port: MessagePort | undefined;
  #timer = 0;

  constructor(config: Config, title: string, events: FrameEvents) {
    this.#config = config;
    this.#events = events;
    const iframe = this.element;
    iframe.title = title;
    iframe.setAttribute("sandbox", SANDBOX);
    iframe.referrerPolicy = "strict-origin";
    iframe.addEventListener("load", () => this.#port || this.#expect(HELLO_LIMIT_MS));
    addEventListener("message", (event) => this.#onWindowMessage(event));
  }

  /** The browser loads an iframe again whenever it enters a document: the old port is dead. */
  renew(): void {
    this.#port?.close();
    this.#port = undefined;
    this.#expect(LOAD_LIMIT_MS);
  }

  load(): void {
    this.renew();
    this.element.src = `${this.#config.host}/w/${encodeURIComponent(this.#config.inbox)}`;
  }

  say(message: ToFrame): void {
    this.#port?.postMessage(message);
  }

  #expect(limit: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#events.unreachable(), limit);
  }

  #onWindowMessage(event: MessageEvent): void {
    const target = this.element.contentWindow;
    const { host } = this.#config;
    if (!target || event.source !== target || event.origin !== host || this.#port) return;
    if (event.data?.fusionchat !== "hello") return;
    clearTimeout(this.#timer);
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    port1.onmessage = ({ data }) => this.#events.said(data);
    target.postMessage({ fusionchat: "port" }, host, [port2]);
    this.say(this.#events.connected());
  }
}
