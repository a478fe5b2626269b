// The frame's one element: it owns the state, feeds update() with what happens and carries out what
// comes back. It holds no rules.

import type { Effect, Event as WidgetEvent, Timer } from "./update.ts";
import type { ToFrame } from "../../embed/src/port.ts";
import type { State } from "./state.ts";
import { Host } from "./host.ts";
import { chooseLanguage, wordsFor } from "./locale.ts";
import { restore, serialize } from "./outbox.ts";
import { Socket } from "./socket.ts";
import { newState } from "./state.ts";
import type { Store } from "./store.ts";
import { TabStore } from "./store.ts";
import { hello, update } from "./update.ts";
import { View } from "./view.ts";

const CLIENT_ID_BYTES = 16;

export class FusionChatFrame extends HTMLElement {
  #host = new Host();
  #timers = new Map<Timer, number>();
  #socket!: Socket;
  #store!: Store;
  #state!: State;
  #view!: View;

  connectedCallback(): void {
    const origins = (this.dataset.origins ?? "").split(" ");
    let origin = "";
    this.#host.connect(
      origins,
      (browserSays) => void (origin = browserSays),
      (message) => this.#onHost(message, origin),
    );
  }

  #onHost(message: ToFrame, origin: string): void {
    switch (message.type) {
      case "start":
        return this.#start(message, origin);
      case "shown":
        this.#attend(true);
        if (message.focus) this.#view.focus();
        return;
      case "hidden":
        return this.#attend(false);
      case "session":
        return this.#dispatch({ type: "session", token: message.token });
    }
  }

  #start(message: Extract<ToFrame, { type: "start" }>, origin: string): void {
    const { inbox = "", name = "", organization = "", locale } = this.dataset;
    const language = chooseLanguage([message.locale, navigator.language, locale]);
    document.documentElement.lang = language;
    this.#state = newState({
      inbox,
      organization,
      inboxName: name,
      words: wordsFor(language),
      locale: message.locale.slice(0, 35) || language,
    });
    this.#store = new TabStore(inbox, {
      read: () => message.outbox,
      write: (text) => this.#host.say({ type: "keep", what: "outbox", text }),
    });
    this.#state.outbox = restore(this.#store.read());
    this.#socket = new Socket({
      opened: () => this.#socket.send(hello(this.#state)),
      frame: (frame) => this.#dispatch({ type: "frame", frame }),
      closed: (code) => this.#dispatch({ type: "closed", code }),
    });
    this.#view = new View(this, this.#state, {
      submitted: (content) =>
        this.#dispatch({ type: "submitted", content, clientId: newClientId() }),
      asked: (kind) => this.#dispatch({ type: "asked", kind, clientId: newClientId() }),
      withdrawn: (clientId) => this.#dispatch({ type: "withdrawn", clientId }),
      typed: () => this.#dispatch({ type: "typed" }),
      closed: () => this.#host.say({ type: "close" }),
    });
    this.#listen();
    const { session, open: isOpen } = message;
    this.#dispatch({ type: "started", origin, session, isOpen });
    this.#host.say({ type: "ready" });
  }

  #listen(): void {
    const woke = () => document.hidden || this.#dispatch({ type: "woke" });
    addEventListener("online", woke);
    addEventListener("pageshow", woke);
    document.addEventListener("visibilitychange", woke);
    const attend = () => this.#attend(this.#state.isOpen);
    addEventListener("focus", attend);
    addEventListener("blur", attend);
    document.addEventListener("visibilitychange", attend);
  }

  #attend(isOpen: boolean): void {
    this.#dispatch({
      type: "attention",
      isOpen,
      hasFocus: !document.hidden && document.hasFocus(),
    });
  }

  #dispatch(event: WidgetEvent): void {
    const effects = update(this.#state, event, { now: Date.now(), random: Math.random() });
    for (const effect of effects) this.#carryOut(effect);
    this.#view.render();
  }

  #carryOut(effect: Effect): void {
    switch (effect.do) {
      case "connect":
        return this.#socket.connect();
      case "disconnect":
        return this.#socket.drop();
      case "send":
        return this.#socket.send(effect.frame);
      case "timer":
        return this.#setTimer(effect.timer, effect.ms);
      case "saveOutbox":
        return this.#store.write(serialize(this.#state.outbox));
      case "keepSession":
        return this.#host.say({ type: "keep", what: "session", text: effect.token });
      case "tell":
        return this.#host.say(effect.message);
      case "announce":
        return this.#view.announce(effect.text);
    }
  }

  #setTimer(timer: Timer, ms: number | undefined): void {
    clearTimeout(this.#timers.get(timer));
    if (ms === undefined) return;
    this.#timers.set(
      timer,
      setTimeout(() => this.#dispatch({ type: "timer", timer }), ms),
    );
  }
}

function newClientId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(CLIENT_ID_BYTES));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
