// A seeded simulation of the widget's pure part against a daemon that keeps docs/protocol.md, with
// lost connections, lost acknowledgements, refusals, reloads and changed epochs. Every message sent
// must arrive once and in order, and the whole conversation must be shown once and in order.
//
//   npm exec --yes --package=typescript@5.9.3 -- tsc -p widget --noEmit false \
//     --rewriteRelativeImportExtensions --outDir target/widget-js
//   node widget/tests/delivery.mjs target/widget-js [seed]

import assert from "node:assert/strict";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [folder, onlySeed] = process.argv.slice(2);
const load = (name) => import(pathToFileURL(resolve(folder, `widget/src/${name}.js`)).href);
const { hello, update } = await load("update");
const { newState } = await load("state");
const { wordsFor } = await load("locale");
const { restore, serialize } = await load("outbox");

const SEEDS = 500;
const STEPS = 500;
const SETTLE_STEPS_MAX = 20_000;
const MESSAGES_MAX = 40;

/** The daemon's side: one visitor, one conversation. */
class Daemon {
  journal = [];
  conversation = undefined;
  epoch = 1;

  constructor(random) {
    this.random = random;
  }

  hear(frame, say) {
    if (frame.type === "hello") return this.welcome(frame, say);
    if (frame.type === "ping") return say({ type: "pong" });
    if (frame.type !== "message") return;
    const { clientId, content } = frame;
    if (this.random() < 0.08) {
      return say({ type: "error", code: "rate_limited", message: "", clientId, retryAfterMs: 300 });
    }
    const id = "c";
    this.conversation ??= {
      id,
      status: "open",
      handler: "assistant",
      visitorMark: 0,
      staffMark: 0,
    };
    const known = this.journal.find((message) => message.clientId === clientId);
    const message = known ?? this.post({ senderType: "user", content, clientId });
    const ack = { type: "ack", clientId, conversation: id, seq: message.seq };
    if (known) return say(ack);
    for (const each of this.random() < 0.5 ? [ack, message] : [message, ack]) say(each);
    if (this.random() < 0.4) this.answer(say);
  }

  /** An answer, whole or told in parts first; or parts of one that does not come. */
  answer(say) {
    this.turn = (this.turn ?? 0) + 1;
    const { turn } = this;
    const parts = Math.floor(this.random() * 4);
    for (let n = 0; n < parts; n++)
      say({ type: "stream", conversation: "c", turn, n, text: `${n};` });
    if (parts && this.random() < 0.3) return say({ type: "dropped", conversation: "c", turn });
    const message = this.post({ senderType: "assistant", content: "answer" });
    say(message);
    if (parts) say({ type: "committed", conversation: "c", turn, seq: message.seq });
  }

  welcome({ session, resume }, say) {
    const conversation = session && this.conversation;
    const inbox = { id: "i", name: "", locale: "en", assistant: "on", staffed: true };
    const base = {
      type: "welcome",
      session: session ?? "s",
      epoch: this.epoch,
      organization: "",
      inbox,
    };
    say({ ...base, ...(conversation && { conversation: { ...conversation } }) });
    if (!conversation) return;
    const resumes = resume?.epoch === this.epoch;
    if (resume && !resumes) say({ type: "reset", epoch: this.epoch });
    this.journal.slice(resumes ? resume.seq : 0).forEach(say);
    say({ type: "live", lastSeq: this.journal.length });
  }

  post(fields) {
    const seq = this.journal.length + 1;
    const message = {
      type: "message",
      conversation: "c",
      seq,
      id: `${seq}`,
      createdAt: 0,
      ...fields,
    };
    this.journal.push(message);
    return message;
  }
}

/** The browser's side: carries out effects in simulated time over a link that may vanish. */
class Browser {
  now = 0;
  kept = {};

  constructor(random) {
    this.random = random;
    this.reload();
  }

  reload() {
    const words = wordsFor("en");
    this.state = newState({ inbox: "i", organization: "", inboxName: "", words, locale: "en" });
    this.state.outbox = restore(this.kept.outbox);
    this.timers = new Map();
    this.link = undefined;
    this.feel({ type: "started", origin: "https://a", session: this.kept.session, isOpen: true });
  }

  feel(event) {
    const context = { now: this.now, random: this.random() };
    for (const effect of update(this.state, event, context)) this.carryOut(effect);
  }

  carryOut(effect) {
    if (effect.do === "connect") this.link = { up: [], down: [], open: false };
    if (effect.do === "disconnect") this.link = undefined;
    if (effect.do === "send" && this.link?.open) this.link.up.push(effect.frame);
    if (effect.do === "saveOutbox") this.kept.outbox = serialize(this.state.outbox);
    if (effect.do === "keepSession") this.kept.session = effect.token;
    if (effect.do === "timer") this.timers.delete(effect.timer);
    if (effect.do === "timer" && effect.ms !== undefined) {
      this.timers.set(effect.timer, this.now + effect.ms);
    }
  }

  step(daemon) {
    this.now += 1 + Math.floor(this.random() * 40);
    for (const [timer, due] of [...this.timers]) {
      if (due <= this.now && this.timers.delete(timer)) this.feel({ type: "timer", timer });
    }
    const { link } = this;
    if (link && !link.open) {
      link.open = true;
      link.up.push(hello(this.state));
      return;
    }
    if (link?.up.length && this.random() < 0.7) {
      daemon.hear(link.up.shift(), (frame) => link.down.push(structuredClone(frame)));
    }
    if (link?.down.length && this.random() < 0.8)
      this.feel({ type: "frame", frame: link.down.shift() });
    const { answer } = this.state;
    if (answer) {
      const text = Array.from({ length: answer.parts }, (_, n) => `${n};`).join("");
      assert.equal(answer.text, text, "an answer from its first part on, without a gap");
      assert(this.link, "no answer is in the making without a connection");
    }
  }

  lose(code) {
    if (!this.link) return;
    this.link = undefined;
    this.feel({ type: "closed", code });
  }
}

function simulate(seed) {
  const random = generator(seed);
  const daemon = new Daemon(random);
  const browser = new Browser(random);
  const sent = [];
  for (let at = 0; at < STEPS; at++) {
    browser.step(daemon);
    const dice = random();
    if (dice < 0.06 && sent.length < MESSAGES_MAX) {
      const content = `m${sent.length}`;
      sent.push(content);
      browser.feel({ type: "submitted", content, clientId: `id-${content}` });
    } else if (dice < 0.09) browser.lose(1006);
    else if (dice < 0.1) browser.reload();
    else if (dice < 0.105) {
      daemon.epoch++;
      browser.lose(1012);
    } else if (dice < 0.12) browser.feel({ type: "woke" });
  }
  for (let at = 0; at < SETTLE_STEPS_MAX; at++) {
    const { state, link } = browser;
    if (!state.outbox.length && state.live && !link?.down.length) break;
    browser.step(daemon);
  }
  const arrived = daemon.journal.filter(({ senderType }) => senderType === "user");
  assert.deepEqual(
    arrived.map(({ content }) => content),
    sent,
    `seed ${seed}: sent, arrived`,
  );
  assert.equal(browser.state.answer, undefined, `seed ${seed}: no answer is left in the making`);
  const shown = browser.state.messages.map(({ seq }) => seq);
  assert.deepEqual(
    shown,
    daemon.journal.map(({ seq }) => seq),
    `seed ${seed}: journal, shown`,
  );
}

/** mulberry32 */
function generator(seed) {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const seeds = onlySeed ? [Number(onlySeed)] : Array.from({ length: SEEDS }, (_, at) => at + 1);
seeds.forEach(simulate);
console.log(`${seeds.length} seeds: nothing lost, nothing twice, all in order`);
