// Where the outbox outlives a reload. Storage of a frame may be forbidden at any call, so a store never throws.

export interface Store {
  read(): string | undefined;
  /** Nothing to keep erases what was kept. */
  write(text: string | undefined): void;
}

/** The tab's own storage, which two tabs never share; without it, as long as the frame lives. */
export class TabStore implements Store {
  #key: string;
  #memory: string | undefined;

  constructor(inbox: string) {
    this.#key = `fusionchat.outbox.${inbox}`;
  }

  read(): string | undefined {
    try {
      return sessionStorage.getItem(this.#key) ?? this.#memory;
    } catch {
      return this.#memory;
    }
  }

  write(text: string | undefined): void {
    this.#memory = text;
    try {
      if (text) sessionStorage.setItem(this.#key, text);
      else sessionStorage.removeItem(this.#key);
    } catch {
      // Kept in memory.
    }
  }
}
