// Listeners of the page. A listener that throws must not stop the others or the chat.

import type { Events } from "../fusionchat.d.ts";

type Listener = (detail: never) => void;

/** Events that say how things stand: whoever asks later is told at once. */
const LASTING = ["ready", "error"];

export class Emitter {
  #listeners = new Map<string, Set<Listener>>();
  #last = new Map<string, unknown>();

  on<E extends keyof Events>(event: E, listener: (detail: Events[E]) => void): () => void {
    const set = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, set.add(listener));
    if (this.#last.has(event)) {
      queueMicrotask(() => set.has(listener) && listener(this.#last.get(event) as Events[E]));
    }
    return () => void set.delete(listener);
  }

  emit<E extends keyof Events>(event: E, detail: Events[E]): void {
    if (LASTING.includes(event)) this.#last.set(event, detail);
    for (const listener of this.#listeners.get(event) ?? []) {
      try {
        listener(detail as never);
      } catch (error) {
        console.error(error);
      }
    }
  }
}
