// Shows the state. Messages never change, so each is made once; everything else is brought into
// line after every update. It decides nothing and keeps only what belongs to the screen.

import type { Item } from "./outbox.ts";
import type { MessageFrame } from "./protocol.ts";
import type { State } from "./state.ts";
import { button, h, icon, outwardLink, rich } from "./dom.ts";
import { OUTBOX_MAX } from "./outbox.ts";
import { mayAskForPerson, mayConfirm, senderName, standing, systemLine } from "./state.ts";
import { CHARACTERS_MAX, cleanText, countCharacters } from "./text.ts";

export interface ViewEvents {
  submitted(content: string): void;
  asked(kind: "person" | "end" | "confirm"): void;
  /** The item to take back, to be written anew. */
  withdrawn(clientId: string): void;
  typed(): void;
  closed(): void;
}

const CLOSE_ICON = "m6 6 12 12M18 6 6 18";
const SEND_ICON = "M12 19V5M6 11l6-6 6 6";
const DOWN_ICON = "M12 5v14M6 13l6 6 6-6";
/** Nearer to the end than this, in pixels, the list follows what is new. */
const FOLLOW_WITHIN = 80;
/** The count of characters is shown from here on. */
const COUNT_FROM = CHARACTERS_MAX - 500;
const COMPOSER_HEIGHT_MAX = 160;
/** How long the question whether to end stays, in milliseconds. */
const SURE_FOR_MS = 4_000;

export class View {
  #events: ViewEvents;
  #state: State;
  #rows = new Map<string, HTMLElement>();
  #following = true;
  #sureTimer = 0;
  /** An answer in the making was on the screen. */
  #answering = false;

  #title = h("h1", {});
  #face = h("span", { class: "face", "aria-hidden": "true" });
  #standing = h("span", {});
  #standingLine = h("p", { class: "standing" }, h("i", {}), this.#standing);
  #banner = h("p", { class: "banner", role: "status" });
  #welcome = h("div", { class: "welcome" });
  #list = h("ol", {});
  #typing = h("p", { class: "typing" });
  #log = h(
    "div",
    { class: "log", role: "region", tabindex: "0" },
    this.#welcome,
    this.#list,
    this.#typing,
  );
  #latest: HTMLButtonElement;
  #person: HTMLButtonElement;
  #end: HTMLButtonElement;
  #helped: HTMLButtonElement;
  #input = h("textarea", { rows: "1", dir: "auto", enterkeyhint: "send", maxlength: "60000" });
  #send: HTMLButtonElement;
  #count = h("p", { class: "count", id: "count", role: "status" });
  #announcer = h("div", { class: "unseen", "aria-live": "polite" });

  constructor(root: HTMLElement, state: State, events: ViewEvents) {
    this.#events = events;
    this.#state = state;
    const { words } = state;
    const latest = button(words.latest, "latest", () => this.#follow());
    latest.prepend(icon(DOWN_ICON));
    this.#latest = latest;
    this.#person = button(words.person, "quiet", () => this.#ask("person"));
    this.#end = button(words.end, "quiet", () => this.#askToEnd());
    this.#helped = button(words.helped, "quiet", () => this.#ask("confirm"));
    this.#send = button(words.send, "send", () => this.#submit(), SEND_ICON);
    this.#log.setAttribute("aria-label", words.messages);
    this.#input.setAttribute("aria-label", words.composer);
    this.#input.setAttribute("aria-describedby", "count");
    this.#input.placeholder = words.composer;
    this.#listen();
    root.replaceChildren(
      h(
        "header",
        {},
        this.#face,
        h("div", {}, this.#title, this.#standingLine),
        button(words.close, "icon", () => events.closed(), CLOSE_ICON),
      ),
      this.#banner,
      h("main", {}, this.#log, this.#latest),
      h(
        "footer",
        {},
        h("div", { class: "actions" }, this.#helped, this.#person, this.#end),
        h("div", { class: "composer" }, this.#input, this.#send),
        this.#count,
      ),
      this.#announcer,
    );
    this.render();
  }

  /** Moves the focus into the chat: to the text, unless that raises a keyboard over the screen. */
  focus(): void {
    (matchMedia("(pointer: fine)").matches ? this.#input : this.#log).focus({
      preventScroll: true,
    });
  }

  announce(text: string): void {
    this.#announcer.textContent = text;
  }

  render(): void {
    const state = this.#state;
    const { words, link, notice } = state;
    const { tone, text } = standing(state);
    setText(this.#title, state.organization || state.inboxName);
    setText(this.#face, [...(state.organization || state.inboxName)][0] ?? "");
    setText(this.#standing, text);
    this.#standingLine.dataset.tone = tone;
    this.#banner.dataset.kind = link;
    const lost = link === "waiting" || (link === "connecting" && state.attempt > 0);
    setText(
      this.#banner,
      link === "refused" ? words.refused : lost ? words.reconnecting : (notice ?? ""),
    );
    this.#renderWelcome();
    this.#renderMessages();
    const typist = state.typing && (state.typing.name || words[state.typing.by]);
    setText(this.#typing, typist ? words.typing.replace("%", typist) : "");
    this.#renderActions();
    this.#renderComposer();
    if (this.#following) this.#follow();
  }

  #listen(): void {
    this.#log.addEventListener("scroll", () => {
      const { scrollTop, scrollHeight, clientHeight } = this.#log;
      this.#following = scrollHeight - scrollTop - clientHeight < FOLLOW_WITHIN;
      if (this.#following) this.#latest.hidden = true;
    });
    new ResizeObserver(() => this.#following && this.#follow()).observe(this.#log);
    this.#input.addEventListener("input", () => {
      this.#renderComposer();
      if (this.#input.value) this.#events.typed();
    });
    this.#input.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229)
        return;
      event.preventDefault();
      this.#submit();
    });
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !event.isComposing) this.#events.closed();
    });
  }

  #follow(): void {
    this.#following = true;
    this.#latest.hidden = true;
    this.#log.scrollTop = this.#log.scrollHeight;
  }

  #renderWelcome(): void {
    const { words, messages, outbox, assistant, staffed } = this.#state;
    this.#welcome.hidden = messages.length + outbox.length > 0;
    const line = assistant ? words.askAssistant : staffed ? words.askPeople : words.askLater;
    if (this.#welcome.dataset.line === line) return;
    this.#welcome.dataset.line = line;
    this.#welcome.replaceChildren(h("h2", {}, words.hello), h("p", {}, line));
  }

  /** Adds what is new and takes away what is gone, in order; what stays is not touched. */
  #renderMessages(): void {
    const { messages, outbox, answer } = this.#state;
    const wanted = new Map<string, () => HTMLElement>();
    // What takes the place of an answer in the making must not come in anew.
    const settled = this.#answering;
    messages.forEach((message, at) => {
      const first = !sameSender(messages[at - 1], message);
      wanted.set(`${message.conversation} ${message.seq} ${first} ${!!message.retracted}`, () =>
        settle(this.#messageRow(message, first), settled),
      );
    });
    if (answer) {
      const { turn, parts } = answer;
      wanted.set(`answer ${turn} ${parts}`, () => settle(this.#answerRow(answer), settled));
    }
    this.#answering = !!answer;
    for (const item of outbox) {
      if (item.kind !== "message") continue;
      wanted.set(`${item.clientId} ${item.phase}`, () => this.#outboxRow(item));
    }
    for (const [key, row] of this.#rows) {
      if (wanted.has(key)) continue;
      row.remove();
      this.#rows.delete(key);
    }
    let added = false;
    let at = this.#list.firstElementChild;
    for (const [key, make] of wanted) {
      let row = this.#rows.get(key);
      if (!row) {
        row = make();
        this.#rows.set(key, row);
        added = true;
      }
      if (row === at) at = at.nextElementSibling;
      else this.#list.insertBefore(row, at);
    }
    this.#renderReceipt();
    if (added && !this.#following) this.#latest.hidden = false;
  }

  #messageRow(message: MessageFrame, first: boolean): HTMLElement {
    const { words, locale } = this.#state;
    const { senderType, content, sources, retracted } = message;
    if (senderType === "system") {
      return h(
        "li",
        { class: "system", dir: "auto" },
        systemLine(words, message) || content || undefined,
      );
    }
    const row = h("li", { class: senderType });
    if (first) {
      const when = new Date(message.createdAt);
      const time = h("time", { datetime: when.toISOString() }, clock(when, locale));
      row.append(h("p", { class: "who" }, h("bdi", {}, senderName(words, message)), " ", time));
    }
    const own = senderType === "user";
    const bubble = h(
      "div",
      { class: "bubble", dir: "auto" },
      ...(retracted
        ? [h("p", { class: "removed" }, words.removed)]
        : own
          ? [h("p", {}, content)]
          : rich(content)),
    );
    if (sources?.length) {
      const items = sources.map(({ url, title, locale }) =>
        h(
          "li",
          {},
          outwardLink(url, title || url),
          // An article in another language than the visitor's says so.
          ...(locale ? [h("span", { class: "tongue" }, locale.slice(0, 2).toUpperCase())] : []),
        ),
      );
      bubble.append(
        h("div", { class: "sources" }, h("p", {}, words.sources), h("ul", {}, ...items)),
      );
    }
    row.append(bubble);
    return row;
  }

  /** An answer in the making, as the message it may become. */
  #answerRow({ text, since }: NonNullable<State["answer"]>): HTMLElement {
    const message: MessageFrame = {
      type: "message",
      conversation: "",
      seq: 0,
      id: "",
      senderType: "assistant",
      content: text,
      createdAt: since,
    };
    const row = this.#messageRow(message, !sameSender(this.#state.messages.at(-1), message));
    row.setAttribute("aria-busy", "true");
    return row;
  }

  #outboxRow(item: Item): HTMLElement {
    const { words } = this.#state;
    const { phase, reason, clientId, content } = item;
    const row = h(
      "li",
      { class: `user ${phase}` },
      h("div", { class: "bubble", dir: "auto" }, h("p", {}, content)),
    );
    if (phase === "failed") {
      const edit = button(words.edit, "link", () => {
        const { value } = this.#input;
        this.#input.value = value ? `${value}\n${content}` : content;
        this.#events.withdrawn(clientId);
        this.#input.focus();
      });
      row.append(h("p", { class: "receipt" }, reason ?? "", " ", edit));
    } else {
      const state = { queued: words.unsent, sent: words.sending, acked: words.sent }[phase];
      row.append(h("p", { class: "receipt" }, state));
    }
    return row;
  }

  /** "Sent" or "Seen" stands once, under the visitor's last confirmed message. */
  #renderReceipt(): void {
    const { messages, outbox, conversation, words } = this.#state;
    const last = messages.findLast(({ senderType }) => senderType !== "system");
    const own = last?.senderType === "user" && !outbox.some(({ kind }) => kind === "message");
    const seen =
      own && last.conversation === conversation?.id && last.seq <= conversation.staffMark;
    this.#list.dataset.receipt = own ? (seen ? words.seen : words.sent) : "";
    this.#list.classList.toggle("received", own);
  }

  #renderActions(): void {
    const state = this.#state;
    const { conversation, words } = state;
    const ending = state.outbox.some(({ kind }) => kind === "end");
    if (!this.#sureTimer) setText(this.#end, words.end);
    this.#person.hidden = !mayAskForPerson(state);
    this.#helped.hidden = !mayConfirm(state);
    this.#end.hidden = !conversation || conversation.status === "resolved" || ending;
  }

  #renderComposer(): void {
    const { words, outbox, link } = this.#state;
    const { value, style } = this.#input;
    const count = value.length > COUNT_FROM ? countCharacters(cleanText(value)) : 0;
    const left = CHARACTERS_MAX - count;
    const full = outbox.length >= OUTBOX_MAX;
    const counted =
      left < 0 ? words.tooLong : left <= CHARACTERS_MAX - COUNT_FROM ? words.left : "";
    setText(this.#count, full ? words.full : counted.replace("%", String(Math.abs(left))));
    this.#count.classList.toggle("over", left < 0 || full);
    this.#input.disabled = link === "refused";
    this.#send.disabled = left < 0 || full || link === "refused" || !value.trim();
    style.height = "auto";
    style.height = `${Math.min(this.#input.scrollHeight, COMPOSER_HEIGHT_MAX)}px`;
  }

  #submit(): void {
    if (this.#send.disabled) return;
    const content = this.#input.value;
    this.#input.value = "";
    this.#following = true;
    this.#events.submitted(content);
    this.#input.focus();
  }

  /** The button goes away, so the focus must find another place. */
  #ask(kind: "person" | "end" | "confirm"): void {
    this.#events.asked(kind);
    this.focus();
  }

  /** The first click asks, the second one ends. */
  #askToEnd(): void {
    if (this.#sureTimer) {
      this.#calm();
      this.#ask("end");
      return;
    }
    setText(this.#end, this.#state.words.endSure);
    this.#end.classList.add("sure");
    this.#sureTimer = setTimeout(() => this.#calm(), SURE_FOR_MS);
  }

  #calm(): void {
    clearTimeout(this.#sureTimer);
    this.#sureTimer = 0;
    this.#end.classList.remove("sure");
    this.render();
  }
}

function settle(row: HTMLElement, settled: boolean): HTMLElement {
  row.classList.toggle("settled", settled && row.className === "assistant");
  return row;
}

function sameSender(before: MessageFrame | undefined, message: MessageFrame): boolean {
  return before?.senderType === message.senderType && before.senderName === message.senderName;
}

function clock(when: Date, locale: string): string {
  const today = when.toDateString() === new Date().toDateString();
  const options: Intl.DateTimeFormatOptions = {
    timeStyle: "short",
    ...(!today && { dateStyle: "short" }),
  };
  try {
    return when.toLocaleString(locale, options);
  } catch {
    return when.toLocaleString(undefined, options);
  }
}

/** Writing the same text again would make a screen reader say it again. */
function setText(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
  element.hidden = !text;
}
