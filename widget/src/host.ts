// The port to the loader on the embedding page. The frame speaks first, and only to the origins the
// daemon wrote into it; whoever answers from one of them hands over a port, and window messages end
// there.

import type { FromFrame, ToFrame } from "../../embed/src/port.ts";

export class Host {
  #port: MessagePort | undefined;

  /** Calls back once with the page's origin as the browser has it, then with all it says. */
  connect(
    origins: string[],
    connected: (origin: string) => void,
    said: (message: ToFrame) => void,
  ): void {
    const listener = (event: MessageEvent) => {
      const port = event.ports[0];
      if (event.source !== parent || !origins.includes(event.origin) || !port) return;
      if (event.data?.fusionchat !== "port") return;
      removeEventListener("message", listener);
      this.#port = port;
      connected(event.origin);
      port.onmessage = ({ data }) => said(data);
    };
    addEventListener("message", listener);
    for (const origin of likely(origins)) parent.postMessage({ fusionchat: "hello" }, origin);
  }

  say(message: FromFrame): void {
    this.#port?.postMessage(message);
  }
}

/** The one the browser names, if it does: greeting the others leaves warnings in the console. */
function likely(origins: string[]): string[] {
  const named =
    location.ancestorOrigins?.[0] ?? (document.referrer && new URL(document.referrer).origin);
  return origins.includes(named) ? [named] : origins;
}
