// The one element the loader adds to a page: the button, and the panel with the frame. It uses no
// markup string, no inline style attribute and no global style, so the page's strictest policy lets
// it work.

import type { ErrorCode, Snapshot } from "../fusionchat.d.ts";
import type { Config } from "./config.ts";
import type { Emitter } from "./events.ts";
import type { FromFrame, ToFrame } from "./port.ts";
import type { LauncherWords } from "./words.ts";
import { Frame } from "./frame.ts";
import { onSession, recall, remember } from "./memory.ts";
import { launcherWords } from "./words.ts";
import css from "./style.css";

const CHAT_ICON =
  "M12 3C6.5 3 2 6.8 2 11.4c0 2.5 1.3 4.7 3.4 6.2L4.6 21.5l4.3-2.1c1 .3 2 .4 3.1.4 5.5 0 10-3.7 10-8.4S17.5 3 12 3Z";
const CLOSE_ICON = "m6 9.5 6 6 6-6";
const BADGE_MAX = 9;

export class FusionChatElement extends HTMLElement {
  #config!: Config;
  #emitter!: Emitter;
  #words!: LauncherWords;
  #frame: Frame | undefined;
  #launcher = document.createElement("button");
  #badge = document.createElement("span");
  #panel = document.createElement("div");
  #failure = document.createElement("div");
  #opener: HTMLElement | undefined;
  #inerted: Element[] = [];
  #phone = matchMedia("(max-width: 480px), (max-height: 420px)");
  #waiting: { done: () => void; failed: (error: Error) => void }[] = [];
  #isOpen = false;
  #isReady = false;
  #unread = 0;

  /** Given once, before the element enters the page. */
  begin(config: Config, emitter: Emitter): void {
    this.#config = config;
    this.#emitter = emitter;
    this.#words = launcherWords(config.locale);
    this.#build();
    onSession(config.inbox, (token) => this.#frame?.say({ type: "session", token }));
    const viewport = window.visualViewport;
    for (const event of ["resize", "scroll"]) viewport?.addEventListener(event, () => this.#fit());
    this.#phone.addEventListener("change", () => this.#fit());
  }

  connectedCallback(): void {
    this.#isReady = false;
    this.#frame?.renew();
  }

  get snapshot(): Snapshot {
    return { ready: this.#isReady, open: this.#isOpen, unread: this.#unread };
  }

  /** Loads the frame without showing it. */
  prepare(): void {
    if (this.#frame) return;
    this.#frame = new Frame(this.#config, this.#words.chat, {
      connected: () => this.#greeting(),
      said: (message) => this.#onFrame(message),
      unreachable: () => this.#onUnreachable(),
    });
    this.#panel.prepend(this.#frame.element);
    this.#frame.load();
  }

  open(): Promise<void> {
    this.prepare();
    if (!this.#isOpen) {
      const active = document.activeElement;
      const isOther = active instanceof HTMLElement && active !== document.body && active !== this;
      this.#opener = isOther ? active : undefined;
      this.#isOpen = true;
      this.#paint();
      this.#frame?.element.focus();
      this.#frame?.say({ type: "shown", focus: true });
      this.#emitter.emit("open", undefined);
    }
    if (this.#isReady) return Promise.resolve();
    return new Promise((done, failed) => this.#waiting.push({ done, failed }));
  }

  close(): Promise<void> {
    if (this.#isOpen) {
      const hadFocus = document.activeElement === this;
      this.#isOpen = false;
      this.#paint();
      this.#frame?.say({ type: "hidden" });
      if (hadFocus)
        (this.#opener?.isConnected ? this.#opener : this.#launcher).focus({ preventScroll: true });
      this.#emitter.emit("close", undefined);
    }
    return Promise.resolve();
  }

  toggle(): Promise<void> {
    return this.#isOpen ? this.close() : this.open();
  }

  fail(code: ErrorCode, message: string): void {
    console.error(`Fusionchat: ${message}`);
    for (const { failed } of this.#waiting.splice(0)) failed(new Error(message));
    this.#emitter.emit("error", { code, message });
  }

  #build(): void {
    const root = this.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
    root.adoptedStyleSheets = [sheet];
    this.style.setProperty("--z", this.#config.zIndex);

    const launcher = this.#launcher;
    launcher.type = "button";
    launcher.setAttribute("part", "launcher");
    launcher.append(icon(CHAT_ICON), icon(CLOSE_ICON), this.#badge);
    launcher.addEventListener("pointerdown", () => this.prepare());
    launcher.addEventListener("click", () => void this.toggle().catch(() => {}));

    const panel = this.#panel;
    panel.className = "panel";
    panel.setAttribute("part", "panel");
    panel.setAttribute("role", "dialog");
    panel.setAttribute("aria-label", this.#words.chat);
    this.#failure.className = "failure";
    panel.append(this.#failure);
    root.append(panel, launcher);
    root.addEventListener("keydown", (event) => {
      if ((event as KeyboardEvent).key === "Escape") void this.close();
    });
    this.#paint();
  }

  #greeting(): ToFrame {
    const { inbox, locale } = this.#config;
    return {
      type: "start",
      open: this.#isOpen,
      locale,
      session: recall("session", inbox),
      outbox: recall("outbox", inbox),
    };
  }

  #onFrame(message: FromFrame): void {
    switch (message.type) {
      case "ready":
        this.#isReady = true;
        this.#failure.replaceChildren();
        this.#paint();
        if (this.#isOpen) this.#frame?.say({ type: "shown", focus: true });
        for (const { done } of this.#waiting.splice(0)) done();
        return this.#emitter.emit("ready", undefined);
      case "close":
        return void this.close();
      case "unread":
        if (message.count === this.#unread) return;
        this.#unread = message.count;
        this.#paint();
        return this.#emitter.emit("unread", message.count);
      case "keep":
        return remember(message.what, this.#config.inbox, message.text);
      case "sent":
        return this.#emitter.emit("sent", { clientId: message.clientId });
      case "message":
        return this.#emitter.emit("message", { from: message.from });
      case "refused":
        return this.fail("not_allowed", message.message);
    }
  }

  #onUnreachable(): void {
    const { inbox, host } = this.#config;
    const again = document.createElement("button");
    again.type = "button";
    again.textContent = this.#words.again;
    again.addEventListener("click", () => {
      this.#failure.replaceChildren();
      this.#paint();
      this.#frame?.load();
    });
    this.#failure.replaceChildren(this.#words.failed, again);
    this.#paint();
    this.fail(
      "frame_unreachable",
      `the chat at ${host} did not start. If it is running, this page may not show it; to allow ` +
        `it: fusionctl inbox edit ${inbox} --add-origin ${location.origin}`,
    );
  }

  /** Brings the elements into line with what is so. */
  #paint(): void {
    const { chat, unread } = this.#words;
    const count = this.#isOpen ? 0 : this.#unread;
    this.toggleAttribute("data-open", this.#isOpen);
    this.#panel.toggleAttribute("data-ready", this.#isReady);
    this.#panel.toggleAttribute("data-failed", this.#failure.hasChildNodes());
    this.#panel.inert = !this.#isOpen;
    this.#badge.textContent = count > BADGE_MAX ? `${BADGE_MAX}+` : String(count || "");
    this.#launcher.setAttribute("aria-label", count ? `${chat}, ${count} ${unread}` : chat);
    this.#launcher.setAttribute("aria-expanded", String(this.#isOpen));
    this.#fit();
  }

  /** On a phone the panel covers the page, which must not be reachable then, up to the keyboard. */
  #fit(): void {
    const covers = this.#isOpen && this.#phone.matches;
    this.#panel.toggleAttribute("data-covers", covers);
    this.#panel.setAttribute("aria-modal", String(covers));
    const viewport = window.visualViewport;
    const style = this.#panel.style;
    if (covers && viewport) {
      style.top = `${viewport.offsetTop}px`;
      style.height = `${viewport.height}px`;
    } else {
      style.top = style.height = "";
    }
    if (covers === this.#inerted.length > 0) return;
    for (const element of this.#inerted.splice(0)) element.removeAttribute("inert");
    if (!covers) return;
    this.#inerted = [...document.body.children].filter(
      (e) => e !== this && !e.hasAttribute("inert"),
    );
    for (const element of this.#inerted) element.setAttribute("inert", "");
  }
}

function icon(path: string): SVGElement {
  const namespace = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(namespace, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const shape = document.createElementNS(namespace, "path");
  shape.setAttribute("d", path);
  svg.append(shape);
  return svg;
}
