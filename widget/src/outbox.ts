// What the visitor has sent and the daemon has not yet confirmed: a pure, ordered list. One item is
// under way at a time, because a refusal "try later" of one must not let the next overtake it.

import type { FromVisitor } from "./protocol.ts";

export interface Item {
  kind: "message" | "person" | "end" | "confirm";
  clientId: string;
  content: string;
  createdAt: number;
  /** `acked` messages wait only for their own echo, which knows their place. */
  phase: "queued" | "sent" | "acked" | "failed";
  /** Why it failed for good. */
  reason?: string;
}

export type Outbox = Item[];

export const OUTBOX_MAX = 50;

/** The item to send now, marked as sent; nothing while another one is under way. */
export function takeNext(outbox: Outbox): Item | undefined {
  if (outbox.some((item) => item.phase === "sent")) return undefined;
  const item = outbox.find(({ phase }) => phase === "queued");
  if (item) item.phase = "sent";
  return item;
}

export function frameOf({ kind, clientId, content }: Item): FromVisitor {
  return kind === "message" ? { type: kind, clientId, content } : { type: kind, clientId };
}

/** After a lost connection: nobody knows whether it arrived, so it goes again under the same id. */
export function requeue(outbox: Outbox): void {
  for (const item of outbox) if (item.phase === "sent") item.phase = "queued";
}

/** It is on the daemon's disk. */
export function acknowledge(outbox: Outbox, clientId: string): Item | undefined {
  const item = outbox.find((each) => each.clientId === clientId);
  if (!item) return undefined;
  if (item.kind === "message") item.phase = "acked";
  else remove(outbox, clientId);
  return item;
}

/** Refused: for good with a reason, else to be tried again. */
export function refuse(outbox: Outbox, clientId: string, reason: string | undefined): void {
  const item = outbox.find((each) => each.clientId === clientId);
  if (!item || item.phase === "acked") return;
  if (reason === undefined) item.phase = "queued";
  else if (item.kind === "message") Object.assign(item, { phase: "failed", reason });
  else remove(outbox, clientId);
}

export function remove(outbox: Outbox, clientId: string): Item | undefined {
  const index = outbox.findIndex((each) => each.clientId === clientId);
  return index < 0 ? undefined : outbox.splice(index, 1)[0];
}

/** What another load of the page would have to know. */
export function serialize(outbox: Outbox): string | undefined {
  const unconfirmed = outbox.filter(({ phase }) => phase !== "acked");
  return unconfirmed.length ? JSON.stringify(unconfirmed) : undefined;
}

export function restore(text: string | undefined): Outbox {
  try {
    const items: Outbox = JSON.parse(text ?? "[]");
    const whole = items.filter((i) => i.kind && i.clientId && typeof i.content === "string");
    requeue(whole);
    return whole.slice(0, OUTBOX_MAX);
  } catch {
    return [];
  }
}
