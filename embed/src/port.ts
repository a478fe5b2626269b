// What the loader and the frame say to each other through their port. Types only; both sides import them.

export type FromFrame =
  | { type: "ready" }
  | { type: "close" }
  | { type: "unread"; count: number }
  /** Keep the visitor session, or forget it. */
  | { type: "session"; token?: string }
  | { type: "sent"; clientId: string }
  | { type: "message"; from: "agent" | "assistant" }
  | { type: "refused"; message: string };

export type ToFrame =
  | { type: "start"; open: boolean; locale: string; session?: string }
  | { type: "shown"; focus: boolean }
  | { type: "hidden" }
  /** Another tab of the page has begun a conversation. */
  | { type: "session"; token: string };
