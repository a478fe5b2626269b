// What the loader and the frame say to each other through their port. Types only; both sides import
// them.

/** The visitor session outlives the tab; an outbox belongs to one tab. */
export type Kept = "session" | "outbox";

export type FromFrame =
  | { type: "ready" }
  | { type: "close" }
  | { type: "unread"; count: number }
  /** Keep this for the next page, or forget it. */
  | { type: "keep"; what: Kept; text?: string }
  | { type: "sent"; clientId: string }
  | { type: "message"; from: "agent" | "assistant" }
  | { type: "refused"; message: string };

export type ToFrame =
  | { type: "start"; open: boolean; locale: string; session?: string; outbox?: string }
  | { type: "shown"; focus: boolean }
  | { type: "hidden" }
  /** Another tab of the page has begun a conversation. */
  | { type: "session"; token: string };
