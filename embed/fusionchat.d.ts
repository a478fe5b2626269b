/**
 * The public face of the loader: `window.fusionchat`, the same before and after the chat has
 * loaded.
 *
 * A page that calls it before `embed.js` has run may paste this in front of the script tag; calls
 * and their promises are kept until then (all but `state`, which needs the loader):
 *
 * ```html
 * <script>
 *   window.fusionchat = window.fusionchat || { q: [] };
 *   for (const name of ["open", "close", "toggle", "on"])
 *     fusionchat[name] = fusionchat[name] || ((...args) => void fusionchat.q.push([name, args]));
 * </script>
 * ```
 */

/** What happens in the chat, and what a listener gets. */
export interface Events {
  /** The chat has loaded and shaken hands; a listener added later is called at once. */
  ready: undefined;
  open: undefined;
  close: undefined;
  /** The number of messages not yet seen. */
  unread: number;
  /** The visitor's message is on the daemon's disk. */
  sent: { clientId: string };
  /** Somebody wrote to the visitor. The words are not handed to the page. */
  message: { from: "agent" | "assistant" };
  /** The chat cannot work; offer another way to write. A listener added later is called at once. */
  error: { code: ErrorCode; message: string };
}

export type ErrorCode = "no_inbox" | "frame_unreachable" | "not_allowed";

/** What is so at this moment. */
export interface Snapshot {
  readonly ready: boolean;
  readonly open: boolean;
  readonly unread: number;
}

export interface Fusionchat {
  /** Shows the chat; settles once it is ready, or is rejected with the error's message. */
  open(): Promise<void>;
  close(): Promise<void>;
  toggle(): Promise<void>;
  /** Adds a listener and returns what takes it away. */
  on<E extends keyof Events>(event: E, listener: (detail: Events[E]) => void): () => void;
  state(): Snapshot;
}

declare global {
  interface Window {
    fusionchat: Fusionchat;
  }
}
