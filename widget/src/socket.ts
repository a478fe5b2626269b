// One WebSocket at a time. An answer of a socket that was given up is never heard.

import type { FromDaemon, FromVisitor } from "./protocol.ts";

export interface SocketEvents {
  opened(): void;
  frame(frame: FromDaemon): void;
  closed(code: number): void;
}

export class Socket {
  #current: WebSocket | undefined;
  #events: SocketEvents;

  constructor(events: SocketEvents) {
    this.#events = events;
  }

  connect(): void {
    this.drop();
    const url = new URL("/ws", location.href);
    url.protocol = url.protocol.replace("http", "ws");
    const socket = new WebSocket(url);
    this.#current = socket;
    const ifCurrent = (then: () => void) => () => this.#current === socket && then();
    socket.onopen = ifCurrent(() => this.#events.opened());
    socket.onclose = ({ code }) =>
      ifCurrent(() => {
        this.#current = undefined;
        this.#events.closed(code);
      })();
    socket.onmessage = ({ data }) =>
      ifCurrent(() => {
        const frame = parse(data);
        if (frame) this.#events.frame(frame);
      })();
  }

  /** Closes without an event. */
  drop(): void {
    const socket = this.#current;
    this.#current = undefined;
    socket?.close();
  }

  send(frame: FromVisitor): void {
    if (this.#current?.readyState === WebSocket.OPEN) this.#current.send(JSON.stringify(frame));
  }
}

function parse(data: unknown): FromDaemon | undefined {
  try {
    const frame = JSON.parse(String(data));
    return typeof frame?.type === "string" ? frame : undefined;
  } catch {
    return undefined;
  }
}
