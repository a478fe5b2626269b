// The widget's behaviour as a function: what happened goes in, the state changes, what is to be
// done comes out. No clock, no randomness, no browser in here.

import type { FromFrame } from "../../embed/src/port.ts";
import type {
  FromDaemon,
  FromVisitor,
  MessageFrame,
  StreamFrame,
  WelcomeFrame,
} from "./protocol.ts";
import type { Item } from "./outbox.ts";
import type { State } from "./state.ts";
import { CLOSE_REFUSED, CLOSE_SESSION_ENDED } from "./protocol.ts";
import { OUTBOX_MAX, acknowledge, frameOf, refuse, remove, requeue, takeNext } from "./outbox.ts";
import { senderName, systemLine } from "./state.ts";
import { cleanText, plainText } from "./text.ts";

export type Timer = "reconnect" | "outbox" | "typing" | "ping" | "dead" | "mark";

export type Event =
  | { type: "started"; origin: string; session?: string; isOpen: boolean }
  | { type: "session"; token: string }
  | { type: "frame"; frame: FromDaemon }
  | { type: "closed"; code: number }
  | { type: "timer"; timer: Timer }
  /** The network, the tab or the page came back. */
  | { type: "woke" }
  | { type: "attention"; isOpen: boolean; hasFocus: boolean }
  | { type: "submitted"; content: string; clientId: string }
  | { type: "asked"; kind: "person" | "end" | "confirm"; clientId: string }
  | { type: "withdrawn"; clientId: string }
  | { type: "typed" };

export type Effect =
  | { do: "connect" }
  | { do: "disconnect" }
  | { do: "send"; frame: FromVisitor }
  /** Sets the timer anew; without `ms` it is stopped. */
  | { do: "timer"; timer: Timer; ms?: number }
  | { do: "saveOutbox" }
  | { do: "keepSession"; token?: string }
  | { do: "tell"; message: FromFrame }
  | { do: "announce"; text: string };

/** What update may not find out by itself. `random` is in [0, 1). */
export interface Context {
  now: number;
  random: number;
}

export const BACKOFF_MIN_MS = 250;
export const BACKOFF_MAX_MS = 8_000;
/** A connection that lasted this long ends the series of failed attempts. */
const STEADY_MS = 5_000;
const PING_EVERY_MS = 20_000;
const DEAD_AFTER_MS = 10_000;
const TYPING_SHOWN_MS = 6_000;
const TYPING_EVERY_MS = 2_500;
const MARK_AFTER_MS = 400;
const RETRY_MIN_MS = 250;
const RETRY_MAX_MS = 60_000;

export function update(state: State, event: Event, context: Context): Effect[] {
  switch (event.type) {
    case "started":
      state.origin = event.origin;
      state.session = event.session;
      state.sessionKept = !!event.session;
      state.isOpen = event.isOpen;
      return connect(state);
    case "session":
      return adopt(state, event.token);
    case "frame":
      return onFrame(state, event.frame, context);
    case "closed":
      return onClosed(state, event.code, context);
    case "timer":
      return onTimer(state, event.timer, context);
    case "woke":
      return onWoke(state, context);
    case "attention":
      state.isOpen = event.isOpen;
      state.hasFocus = event.hasFocus;
      return marks(state);
    case "submitted":
      return submit(state, event.content, event.clientId, context);
    case "asked":
      return enqueue(state, {
        kind: event.kind,
        clientId: event.clientId,
        content: "",
        createdAt: context.now,
        phase: "queued",
      });
    case "withdrawn":
      remove(state.outbox, event.clientId);
      return [{ do: "saveOutbox" }];
    case "typed":
      if (!state.live || !state.conversation || context.now - state.typedAt < TYPING_EVERY_MS)
        return [];
      state.typedAt = context.now;
      return [send({ type: "typing" })];
  }
}

function send(frame: FromVisitor): Effect {
  return { do: "send", frame };
}

// The connection.

function connect(state: State): Effect[] {
  state.link = "connecting";
  return [
    { do: "timer", timer: "reconnect" },
    { do: "timer", timer: "dead", ms: DEAD_AFTER_MS },
    { do: "connect" },
  ];
}

/** The first frame of a connection. */
export function hello(state: State): FromVisitor {
  const { inbox, origin, session, locale, epoch, conversation, seen } = state;
  return {
    type: "hello",
    inbox,
    origin,
    ...(session && { session }),
    ...(conversation &&
      epoch !== undefined &&
      seen && { resume: { conversation: conversation.id, epoch, seq: seen } }),
    locale,
  };
}

function onClosed(state: State, code: number, { now, random }: Context): Effect[] {
  const effects: Effect[] = (["ping", "dead", "outbox", "typing", "mark"] as const).map(
    (timer) => ({ do: "timer", timer }),
  );
  if (state.welcomedAt && now - state.welcomedAt > STEADY_MS) state.attempt = 0;
  state.welcomedAt = 0;
  state.live = false;
  state.outboxResting = false;
  state.typing = state.answer = undefined;
  requeue(state.outbox);
  if (code === CLOSE_REFUSED) {
    state.link = "refused";
    const { inbox, origin } = state;
    const message = `this page may not use the chat; to allow it: fusionctl inbox edit ${inbox} --add-origin ${origin}`;
    return [...effects, { do: "tell", message: { type: "refused", message } }];
  }
  if (code === CLOSE_SESSION_ENDED && state.session && !state.sessionRenewed) {
    forgetSession(state);
    return [...effects, { do: "keepSession" }, ...connect(state)];
  }
  state.link = "waiting";
  const ceiling = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** state.attempt);
  state.attempt = Math.min(state.attempt + 1, 10);
  const ms = Math.max(ceiling / 2 + (random * ceiling) / 2, state.notBefore - now);
  return [...effects, { do: "timer", timer: "reconnect", ms }];
}

/** The visitor starts anew; what was not confirmed yet goes to the new session. */
function forgetSession(state: State): void {
  state.session = state.conversation = state.epoch = undefined;
  state.sessionKept = false;
  state.sessionRenewed = true;
  state.messages = [];
  state.seen = state.mark = state.markSent = 0;
  state.outbox = state.outbox.filter(({ phase }) => phase !== "acked");
}

/** Another tab of the page began the conversation: join it unless this tab has one of its own. */
function adopt(state: State, token: string): Effect[] {
  if (state.conversation || state.outbox.length || state.session === token) return [];
  state.session = token;
  state.sessionKept = true;
  return state.link === "refused" ? [] : [{ do: "disconnect" }, ...connect(state)];
}

function onTimer(state: State, timer: Timer, context: Context): Effect[] {
  switch (timer) {
    case "reconnect":
      return state.link === "waiting" ? connect(state) : [];
    case "ping":
      return state.link === "online" ? ping() : [];
    case "dead":
      return [{ do: "disconnect" }, ...onClosed(state, 0, context)];
    case "outbox":
      state.outboxResting = false;
      return flush(state);
    case "typing":
      state.typing = undefined;
      return [];
    case "mark":
      if (state.link !== "online" || state.mark <= state.markSent) return [];
      state.markSent = state.mark;
      return [send({ type: "read", seq: state.mark })];
  }
}

function ping(): Effect[] {
  return [
    send({ type: "ping" }),
    { do: "timer", timer: "dead", ms: DEAD_AFTER_MS },
    { do: "timer", timer: "ping", ms: PING_EVERY_MS },
  ];
}

function onWoke(state: State, { now }: Context): Effect[] {
  if (state.link === "online") return ping();
  if (state.link !== "waiting" || now < state.notBefore) return [];
  state.attempt = 0;
  return connect(state);
}

// What the daemon says.

function onFrame(state: State, frame: FromDaemon, context: Context): Effect[] {
  const alive: Effect = { do: "timer", timer: "dead" };
  switch (frame.type) {
    case "welcome":
      return [alive, ...onWelcome(state, frame, context)];
    case "message":
      return [alive, ...onMessage(state, frame)];
    case "live":
      state.live = true;
      return [alive, ...marks(state), ...flush(state)];
    case "ack":
      return [alive, ...onAck(state, frame.clientId, frame.conversation)];
    case "error":
      return [alive, ...onError(state, frame, context)];
    case "typing":
      state.typing = { by: frame.by, name: frame.name };
      return [alive, { do: "timer", timer: "typing", ms: TYPING_SHOWN_MS }];
    case "stream":
      return [alive, ...onStream(state, frame, context)];
    case "committed":
      // The message came before this and stands in the answer's place.
      return [alive];
    case "dropped":
      if (state.answer?.turn === frame.turn && frame.conversation === state.conversation?.id)
        state.answer = undefined;
      return [alive];
    case "read":
      if (state.conversation)
        state.conversation.staffMark = Math.max(state.conversation.staffMark, frame.seq);
      return [alive];
    case "status":
      state.staffed = frame.staffed;
      if (frame.conversation) join(state, frame.conversation);
      return [alive, ...marks(state)];
    case "reset":
      state.epoch = frame.epoch;
      state.messages = [];
      state.answer = undefined;
      state.seen = state.mark = state.markSent = 0;
      state.live = false;
      return [alive];
    case "pong":
      return [alive];
    case "bye":
      state.notBefore = context.now + bounded(frame.retryAfterMs);
      return [alive];
  }
}

function onWelcome(state: State, frame: WelcomeFrame, { now }: Context): Effect[] {
  state.link = "online";
  state.welcomedAt = now;
  state.notBefore = 0;
  state.sessionRenewed = false;
  state.organization = frame.organization;
  state.inboxName = frame.inbox.name;
  state.assistant = frame.inbox.assistant === "on";
  state.staffed = frame.inbox.staffed;
  state.session = frame.session;
  state.epoch = frame.epoch;
  if (frame.conversation) join(state, frame.conversation);
  else state.conversation = undefined;
  // Without a conversation there is nothing to replay, so nothing to wait for.
  if (!frame.conversation) state.live = true;
  return [
    { do: "timer", timer: "ping", ms: PING_EVERY_MS },
    ...keepSession(state),
    ...(state.live ? flush(state) : []),
  ];
}

/** Takes over what the daemon says of the conversation; another one counts from nothing. */
function join(state: State, conversation: NonNullable<State["conversation"]>): void {
  if (state.conversation?.id !== conversation.id) {
    state.seen = 0;
    state.mark = state.markSent = 0;
  }
  if (conversation.handler !== "assistant") state.answer = undefined;
  state.conversation = conversation;
  state.mark = Math.max(state.mark, conversation.visitorMark);
  state.markSent = Math.max(state.markSent, conversation.visitorMark);
}

/** The first sign of a conversation may be an answer to its first message. */
function joinById(state: State, id: string): void {
  if (state.conversation?.id === id) return;
  const handler = state.assistant ? "assistant" : "none";
  join(state, { id, status: "open", handler, lastSeq: 0, visitorMark: 0, staffMark: 0 });
}

function onMessage(state: State, message: MessageFrame): Effect[] {
  const { messages, words } = state;
  joinById(state, message.conversation);
  // It is the answer's own, or the conversation has moved on.
  state.answer = undefined;
  state.seen = Math.max(state.seen, message.seq);
  const effects: Effect[] = [];
  const item = message.clientId ? remove(state.outbox, message.clientId) : undefined;
  if (item) {
    effects.push({ do: "saveOutbox" });
    // The echo of what is still under way is as good as its acknowledgement.
    if (item.phase !== "acked")
      effects.push({ do: "tell", message: { type: "sent", clientId: item.clientId } });
    effects.push(...flush(state));
  }
  if (messages.some((m) => m.seq === message.seq && m.conversation === message.conversation))
    return effects;
  let index = messages.length;
  while (
    index &&
    messages[index - 1].conversation === message.conversation &&
    messages[index - 1].seq > message.seq
  )
    index--;
  messages.splice(index, 0, message);
  const { code, params } = message.system ?? {};
  if (code === "retracted") blank(state, message.conversation, Number(params?.seq));

  const { senderType } = message;
  if (senderType === state.typing?.by) {
    state.typing = undefined;
    effects.push({ do: "timer", timer: "typing" });
  }
  if (state.live && senderType !== "user") {
    if (senderType === "system") followSystemLine(state, message);
    else effects.push({ do: "tell", message: { type: "message", from: senderType } });
    const text =
      code === "retracted"
        ? words.removed
        : senderType === "system"
        ? systemLine(words, message)
        : `${senderName(words, message)}: ${plainText(message.content)}`;
    if (text) effects.push({ do: "announce", text });
  }
  return [...effects, ...marks(state)];
}

/** Shows more of the answer; it is said aloud only when it is a message. */
function onStream(state: State, frame: StreamFrame, { now }: Context): Effect[] {
  const { answer } = state;
  const { turn, n, text } = frame;
  if (frame.conversation !== state.conversation?.id) return [];
  if (!n) state.answer = { turn, parts: 1, text, since: now };
  else if (answer?.turn === turn && answer.parts === n)
    state.answer = { ...answer, parts: n + 1, text: answer.text + text };
  state.typing = undefined;
  return [{ do: "timer", timer: "typing" }];
}

/** Takes the text of a message away that may have been read already. */
function blank({ messages }: State, conversation: string, seq: number): void {
  const at = messages.findIndex((m) => m.seq === seq && m.conversation === conversation);
  if (at >= 0) messages[at] = { ...messages[at], content: "", sources: [], retracted: true };
}

/** A status frame says the same; the line may come first, and the header should agree with it. */
function followSystemLine({ conversation }: State, { system }: MessageFrame): void {
  if (!conversation || !system) return;
  const { code, params } = system;
  if (code === "escalated" || code === "released" || code === "transferred")
    Object.assign(conversation, { status: "escalated", handler: "none", agent: undefined });
  if (code === "claimed")
    Object.assign(conversation, {
      status: "open",
      handler: "agent",
      agent: { name: params?.name ?? "" },
    });
  if (code === "handed_back")
    Object.assign(conversation, { status: "open", handler: "assistant", agent: undefined });
  if (code === "resolved") conversation.status = "resolved";
}

function onAck(state: State, clientId: string, conversation: string): Effect[] {
  const item = acknowledge(state.outbox, clientId);
  if (!item) return [];
  joinById(state, conversation);
  const sent: Effect = { do: "tell", message: { type: "sent", clientId } };
  return [{ do: "saveOutbox" }, ...(item.kind === "message" ? [sent] : []), ...flush(state)];
}

function onError(
  state: State,
  frame: Extract<FromDaemon, { type: "error" }>,
  { now }: Context,
): Effect[] {
  const { clientId, retryAfterMs, code, message } = frame;
  const wait = retryAfterMs === undefined ? undefined : bounded(retryAfterMs);
  if (!clientId) {
    if (wait !== undefined) state.notBefore = now + wait;
    return [];
  }
  const reason = state.words.errors[code] ?? message;
  const isMessage = state.outbox.some((i) => i.clientId === clientId && i.kind === "message");
  if (wait === undefined && !isMessage) state.notice = reason;
  refuse(state.outbox, clientId, wait === undefined ? reason : undefined);
  if (wait === undefined) return [{ do: "saveOutbox" }, ...flush(state)];
  state.outboxResting = true;
  return [{ do: "timer", timer: "outbox", ms: wait }];
}

function bounded(retryAfterMs: number): number {
  return Math.min(RETRY_MAX_MS, Math.max(RETRY_MIN_MS, retryAfterMs));
}

// What the visitor does.

function submit(state: State, typed: string, clientId: string, { now }: Context): Effect[] {
  const content = cleanText(typed);
  if (!content) return [];
  return enqueue(state, { kind: "message", clientId, content, createdAt: now, phase: "queued" });
}

function enqueue(state: State, item: Item): Effect[] {
  if (state.outbox.length >= OUTBOX_MAX) return [];
  state.notice = undefined;
  state.outbox.push(item);
  return [{ do: "saveOutbox" }, ...keepSession(state), ...flush(state)];
}

/** The session is worth keeping once the visitor has written, and must be kept before that is sent. */
function keepSession(state: State): Effect[] {
  const { session, conversation, outbox, sessionKept } = state;
  if (!session || (!sessionKept && !conversation && !outbox.length)) return [];
  state.sessionKept = true;
  return [{ do: "keepSession", token: session }];
}

function flush(state: State): Effect[] {
  if (state.link !== "online" || !state.live || state.outboxResting) return [];
  const item = takeNext(state.outbox);
  return item ? [send(frameOf(item))] : [];
}

/** Counts what is unread, and moves the mark while the visitor looks. */
function marks(state: State): Effect[] {
  const effects: Effect[] = [];
  if (state.isOpen && state.hasFocus) state.mark = Math.max(state.mark, state.seen);
  if (state.live && state.mark > state.markSent)
    effects.push({ do: "timer", timer: "mark", ms: MARK_AFTER_MS });
  const { conversation, mark, messages } = state;
  const unread = messages.filter(
    (m) =>
      m.conversation === conversation?.id &&
      m.seq > mark &&
      (m.senderType === "agent" || m.senderType === "assistant"),
  ).length;
  if (unread !== state.unread) {
    state.unread = unread;
    effects.push({ do: "tell", message: { type: "unread", count: unread } });
  }
  return effects;
}
