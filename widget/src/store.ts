// Where the outbox outlives a reload. Storage of a frame may be forbidden at any call, so a store
// never throws.

export interface Store {
  read(): string | undefined;
  /** Nothing to keep erases what was kept. */
  write(text: string | undefined): void;
}

/** The frame's own storage of this tab; where the browser forbids it, the other store. */
export class TabStore implements Store {
  #key: string;
  #other: Store;

  constructor(inbox: string, other: Store) {
    this.#key = `fusionchat.outbox.${inbox}`;
    this.#other = other;
  }

  read(): string | undefined {
    try {
      return sessionStorage.getItem(this.#key) ?? this.#other.read();
    } catch {
      return this.#other.read();
    }
  }

  write(text: string | undefined): void {
    try {
      if (text) sessionStorage.setItem(this.#key, text);
      else sessionStorage.removeItem(this.#key);
    } catch {
      this.#other.write(text);
    }
  }
}
