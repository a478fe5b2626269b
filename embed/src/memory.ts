// The visitor session's token in the page's own storage, because a frame of another site may have none. It is
// written only when the frame asks, which it does at the visitor's first message.

const PREFIX = "fusionchat.session.";

export function recall(inbox: string): string | undefined {
  try {
    return localStorage.getItem(PREFIX + inbox) ?? undefined;
  } catch {
    return undefined;
  }
}

export function remember(inbox: string, token: string | undefined): void {
  try {
    if (token) localStorage.setItem(PREFIX + inbox, token);
    else localStorage.removeItem(PREFIX + inbox);
  } catch {
    // Without storage the session lasts as long as the page.
  }
}

/** Calls back when another tab of the page has begun a conversation. */
export function onRemembered(inbox: string, then: (token: string) => void): void {
  addEventListener("storage", (event) => {
    if (event.key === PREFIX + inbox && event.newValue) then(event.newValue);
  });
}
