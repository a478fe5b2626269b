// The frames of the WebSocket, as docs/protocol.md has them. The daemon is trusted to keep to them;
// what does not parse is dropped by socket.ts.

/** An epoch is handed back as it came. */
export type Epoch = number | string;

export type SenderType = "user" | "agent" | "assistant" | "system";

export interface ConversationFrame {
  id: string;
  status: "open" | "escalated" | "resolved";
  handler: "assistant" | "agent" | "none";
  agent?: { name: string };
  lastSeq: number;
  visitorMark: number;
  staffMark: number;
}

export interface Source {
  articleId: string;
  title: string;
  url: string;
  /** Its language, where that is not the conversation's. */
  locale?: string;
}

export interface MessageFrame {
  type: "message";
  conversation: string;
  seq: number;
  id: string;
  senderType: SenderType;
  senderName?: string;
  content: string;
  sources?: Source[];
  system?: { code: string; params?: Record<string, string> };
  clientId?: string;
  createdAt: number;
  /** It was taken back: the content is gone. */
  retracted?: boolean;
}

export interface WelcomeFrame {
  type: "welcome";
  session: string;
  epoch: Epoch;
  organization: string;
  inbox: { id: string; name: string; locale: string; assistant: "on" | "off"; staffed: boolean };
  conversation?: ConversationFrame;
}

export interface ErrorFrame {
  type: "error";
  code: string;
  message: string;
  clientId?: string;
  retryAfterMs?: number;
}

/** More of the assistant's answer while it is made. */
export interface StreamFrame {
  type: "stream";
  conversation: string;
  turn: number;
  /** Counts from 0 in each turn. */
  n: number;
  text: string;
}

export type FromDaemon =
  | WelcomeFrame
  | MessageFrame
  | ErrorFrame
  | { type: "live"; lastSeq: number }
  | { type: "ack"; clientId: string; conversation: string; seq?: number; id?: string }
  | { type: "typing"; by: "agent" | "assistant"; name?: string }
  | StreamFrame
  | { type: "committed"; conversation: string; turn: number; seq: number }
  | { type: "dropped"; conversation: string; turn: number }
  | { type: "read"; seq: number }
  | { type: "status"; conversation?: ConversationFrame; staffed: boolean }
  | { type: "reset"; epoch: Epoch }
  | { type: "pong" }
  | { type: "bye"; retryAfterMs: number };

export type FromVisitor =
  | {
      type: "hello";
      inbox: string;
      origin: string;
      session?: string;
      resume?: { conversation: string; epoch: Epoch; seq: number };
      locale?: string;
    }
  | { type: "message"; clientId: string; content: string }
  | { type: "person"; clientId: string }
  | { type: "end"; clientId: string }
  | { type: "confirm"; clientId: string }
  | { type: "typing" }
  | { type: "read"; seq: number }
  | { type: "ping" };

/** Close codes that need more than coming back. */
export const CLOSE_SESSION_ENDED = 4002;
export const CLOSE_REFUSED = 4003;
