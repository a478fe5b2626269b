// Everything the widget knows, as plain data. Only update.ts changes it, only view.ts shows it.

import type { Outbox } from "./outbox.ts";
import type { ConversationFrame, Epoch, MessageFrame } from "./protocol.ts";
import type { Words } from "./locale.ts";

export interface State {
  readonly inbox: string;
  organization: string;
  inboxName: string;
  words: Words;
  /** Language tag for the daemon and for dates. */
  locale: string;
  /** Origin of the embedding page, as the browser reported it. */
  origin: string;
  assistant: boolean;
  staffed: boolean;

  session?: string;
  /** The page keeps the session: true from the visitor's first message on. */
  sessionKept: boolean;
  /** A session that had ended was thrown away, and the new one has not been welcomed yet. */
  sessionRenewed: boolean;

  /** `waiting` = for the next attempt; `refused` = this page may not use the chat. */
  link: "idle" | "connecting" | "online" | "waiting" | "refused";
  attempt: number;
  welcomedAt: number;
  /** The daemon asked not to come back before this time. */
  notBefore: number;
  /** A message was refused until later; the outbox rests until then. */
  outboxResting: boolean;
  /** Everything from before this connection has been replayed: what comes now is news. */
  live: boolean;

  epoch?: Epoch;
  conversation?: ConversationFrame;
  messages: MessageFrame[];
  /** The last `seq` of the current conversation that came in order. */
  seen: number;
  outbox: Outbox;
  /** The visitor has read up to this; `markSent` is what the daemon was told. */
  mark: number;
  markSent: number;

  typing?: { by: "agent" | "assistant"; name?: string };
  /** The assistant's answer while it comes: no message yet, and gone once there is one. */
  answer?: { turn: number; parts: number; text: string; since: number };
  typedAt: number;
  isOpen: boolean;
  hasFocus: boolean;
  unread: number;
  /** A problem with something other than a message, in words. */
  notice?: string;
}

export function newState(
  base: Pick<State, "inbox" | "organization" | "inboxName" | "words" | "locale">,
): State {
  return {
    ...base,
    origin: "",
    assistant: true,
    staffed: true,
    sessionKept: false,
    sessionRenewed: false,
    link: "idle",
    attempt: 0,
    welcomedAt: 0,
    notBefore: 0,
    outboxResting: false,
    live: false,
    messages: [],
    seen: 0,
    outbox: [],
    mark: 0,
    markSent: 0,
    typedAt: 0,
    isOpen: false,
    hasFocus: false,
    unread: 0,
  };
}

/** How things stand, for the line under the name. */
export function standing(state: State): {
  tone: "assistant" | "waiting" | "agent" | "done";
  text: string;
} {
  const { conversation, words, staffed, assistant } = state;
  if (!conversation) {
    if (assistant) return { tone: "assistant", text: words.assistant };
    return staffed
      ? { tone: "agent", text: words.staffed }
      : { tone: "waiting", text: words.unstaffed };
  }
  if (conversation.status === "resolved") return { tone: "done", text: words.done };
  if (conversation.handler === "agent") {
    return { tone: "agent", text: conversation.agent?.name || words.agent };
  }
  if (conversation.status === "escalated" || conversation.handler === "none") {
    return { tone: "waiting", text: words.waiting };
  }
  return { tone: "assistant", text: words.assistant };
}

/** Whether "Talk to a person" is on offer. */
export function mayAskForPerson({ conversation, outbox }: State): boolean {
  return (
    conversation?.status === "open" &&
    conversation.handler === "assistant" &&
    !outbox.some(({ kind }) => kind === "person")
  );
}

/** Whether "This helped" is on offer: after the assistant's answer. */
export function mayConfirm({ conversation, outbox, messages }: State): boolean {
  const last = messages.findLast(({ senderType }) => senderType !== "system");
  return (
    conversation?.status === "open" &&
    conversation.handler === "assistant" &&
    last?.senderType === "assistant" &&
    !outbox.length
  );
}

/** A line of the system in the visitor's language; empty for what the visitor need not know. */
export function systemLine(words: Words, message: MessageFrame): string {
  const params = message.system?.params ?? {};
  const name = params.name || words.agent;
  switch (message.system?.code) {
    case "escalated":
      return params.staffed === "false" ? words.escalatedUnstaffed : words.escalatedStaffed;
    case "claimed":
      return words.claimed.replace("%", name);
    case "released":
    case "transferred":
      return words.released;
    case "handed_back":
      return words.handedBack;
    case "resolved":
      return params.by === "visitor" ? words.resolvedByVisitor : words.resolved;
    case "reopened":
      return words.reopened;
    case "silence_notice":
      return words.silence;
    default:
      return "";
  }
}

export function senderName(words: Words, message: MessageFrame): string {
  if (message.senderType === "user") return words.you;
  return message.senderName || (message.senderType === "agent" ? words.agent : words.assistant);
}
