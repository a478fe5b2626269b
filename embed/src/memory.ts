// What the frame asks the page to keep, because a frame of another site may have no storage of its
// own: the visitor session's token, and if need be the unsent messages. It asks at the visitor's
// first message at the earliest, so a visitor who never writes leaves nothing here.

import type { Kept } from "./port.ts";

function keyOf(what: Kept, inbox: string): string {
  return `fusionchat.${what}.${inbox}`;
}

/** Any use of it may throw. */
function storageOf(what: Kept): Storage {
  return what === "session" ? localStorage : sessionStorage;
}

export function recall(what: Kept, inbox: string): string | undefined {
  try {
    return storageOf(what).getItem(keyOf(what, inbox)) ?? undefined;
  } catch {
    return undefined;
  }
}

export function remember(what: Kept, inbox: string, text: string | undefined): void {
  try {
    if (text) storageOf(what).setItem(keyOf(what, inbox), text);
    else storageOf(what).removeItem(keyOf(what, inbox));
  } catch {
    // Without storage it lasts as long as the page.
  }
}

/** Calls back when another tab of the page has begun a conversation. */
export function onSession(inbox: string, then: (token: string) => void): void {
  addEventListener("storage", (event) => {
    if (event.key === keyOf("session", inbox) && event.newValue) then(event.newValue);
  });
}
