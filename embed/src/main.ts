// `/embed.js`: puts the chat's button on a page. Until the visitor wants to chat it fetches
// nothing, stores nothing and adds one element.

import type { Events, Fusionchat } from "../fusionchat.d.ts";
import { readConfig } from "./config.ts";
import { FusionChatElement } from "./element.ts";
import { Emitter } from "./events.ts";
import { recall } from "./memory.ts";

const TAG = "fusion-chat";
const OPENS = '[data-fusionchat-open], a[href="#fusionchat"]';

type Queued = [name: "open" | "close" | "toggle" | "on", args: unknown[]];

function install(script: HTMLScriptElement): void {
  const config = readConfig(script);
  const emitter = new Emitter();
  customElements.define(TAG, FusionChatElement);
  const element = document.createElement(TAG) as FusionChatElement;
  element.begin(config, emitter);

  const queued = (window.fusionchat as { q?: Queued[] } | undefined)?.q ?? [];
  const api: Fusionchat = {
    open: () => element.open(),
    close: () => element.close(),
    toggle: () => element.toggle(),
    on: <E extends keyof Events>(event: E, listener: (detail: Events[E]) => void) =>
      emitter.on(event, listener),
    state: () => element.snapshot,
  };
  window.fusionchat = api;
  if (!config.inbox) {
    element.fail("no_inbox", 'the script tag needs data-inbox="…", the id of an inbox.');
    return;
  }

  document.addEventListener("click", (event) => {
    const target = event.composedPath()[0];
    if (!(target instanceof Element) || !target.closest(OPENS)) return;
    event.preventDefault();
    element.open().catch(() => {});
  });
  // Frameworks that swap the whole body drop the element with it.
  const attach = () => element.isConnected || document.body.append(element);
  for (const event of ["DOMContentLoaded", "turbo:load", "astro:after-swap"]) {
    document.addEventListener(event, attach);
  }
  if (document.body) attach();
  // A visitor with a conversation has asked for the chat before: let the answer show on the button.
  if (recall("session", config.inbox)) whenIdle(() => element.prepare());
  for (const [name, args] of queued) {
    Promise.resolve((api[name] as (...args: unknown[]) => unknown)(...args)).catch(() => {});
  }
}

function whenIdle(then: () => void): void {
  const soon = () => (window.requestIdleCallback ?? setTimeout)(() => then());
  if (document.readyState === "complete") soon();
  else addEventListener("load", soon);
}

const script = document.currentScript;
if (script instanceof HTMLScriptElement && !customElements.get(TAG)) install(script);
