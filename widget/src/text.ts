// Text in and out: cleaning what the visitor typed, and a small part of Markdown as a tree. Every
// repetition in the patterns is bounded, so no text can make them slow. It must never produce
// markup.

export const CHARACTERS_MAX = 10_000;

/** Line feeds unified, control characters but line feed and tab removed, ends trimmed. */
export function cleanText(typed: string): string {
  const text = typed.replace(/\r\n?/g, "\n").replace(/[\0-\x08\x0b-\x1f\x7f-\x9f]/g, "");
  // A lone surrogate has no UTF-8.
  return text
    .replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, "�")
    .trim();
}

export function countCharacters(text: string): number {
  return [...text].length;
}

export type Inline =
  | string
  | { tag: "strong" | "em" | "code"; children: Inline[] }
  | { tag: "a"; href: string; children: Inline[] };

export type Block =
  | { tag: "p"; children: Inline[] }
  | { tag: "pre"; text: string }
  | { tag: "ul" | "ol"; start?: number; items: Inline[][] };

const NESTING_MAX = 3;
/** One group each; what none of them takes is plain text. */
const INLINE = new RegExp(
  [
    /`([^`\n]{1,500})`/, // code
    /\*\*(?=\S)([^\n]{1,800}?)\*\*/, // strong
    /(?<![\w*])(?<mark>[*_])(?=\S)([^\n*_]{1,800}?)\k<mark>(?!\w)/, // emphasis, but not in snake_case
    /\[([^[\]\n]{1,300})\]\((\S{1,1000}?)\)/, // [words](address)
    /(https?:\/\/[^\s<>"`]{1,1000})/, // an address as it stands
    /([\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4})/, // a mail address
  ]
    .map(({ source }) => source)
    .join("|"),
  "g",
);

export function parseBlocks(text: string): Block[] {
  const blocks: Block[] = [];
  let paragraph: string[] = [];
  let list: { tag: "ul" | "ol"; start?: number; items: string[] } | undefined;
  const end = () => {
    if (paragraph.length) blocks.push({ tag: "p", children: parseInline(paragraph.join("\n")) });
    if (list) blocks.push({ ...list, items: list.items.map((item) => parseInline(item)) });
    paragraph = [];
    list = undefined;
  };
  const lines = text.split("\n");
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at];
    const item = /^\s{0,8}(?:([-*•])|(\d{1,4})[.)])\s+(.*)$/.exec(line);
    const heading = /^#{1,6}\s+(.*)$/.exec(line);
    if (line.startsWith("```")) {
      end();
      const from = at + 1;
      for (at = from; at < lines.length && !lines[at].startsWith("```"); ) at++;
      blocks.push({ tag: "pre", text: lines.slice(from, at).join("\n") });
    } else if (item) {
      const tag = item[1] ? "ul" : "ol";
      if (list?.tag !== tag) {
        end();
        list = { tag, items: [], ...(item[2] && { start: Number(item[2]) }) };
      }
      list?.items.push(item[3]);
    } else if (heading) {
      end();
      blocks.push({ tag: "p", children: [{ tag: "strong", children: parseInline(heading[1]) }] });
    } else if (!line.trim()) {
      // A blank line inside a numbered list does not start its count anew.
      if (!list || !/^\s{0,8}(?:[-*•]|\d{1,4}[.)])\s/.test(lines[at + 1] ?? "")) end();
    } else if (list && /^\s/.test(line)) {
      list.items[list.items.length - 1] += `\n${line.trim()}`;
    } else {
      if (list) end();
      paragraph.push(line);
    }
  }
  end();
  return blocks;
}

function parseInline(text: string, depth = 0): Inline[] {
  const out: Inline[] = [];
  let from = 0;
  for (const match of text.matchAll(INLINE)) {
    const [whole, code, strong, , em, label, target, bare, mail] = match;
    const inner = (part: string) => (depth < NESTING_MAX ? parseInline(part, depth + 1) : [part]);
    let node: Inline | undefined;
    let length = whole.length;
    if (code) node = { tag: "code", children: [code] };
    else if (strong) node = { tag: "strong", children: inner(strong) };
    else if (em) node = { tag: "em", children: inner(em) };
    else if (label) node = link(target, label);
    else if (bare) {
      const url = bare.replace(/[.,;:!?'*_)\]]{1,20}$/, "");
      length = url.length;
      node = link(url, url);
    } else node = link(`mailto:${mail}`, mail);
    if (!node) continue;
    if (match.index > from) out.push(text.slice(from, match.index));
    out.push(node);
    from = match.index + length;
  }
  if (from < text.length) out.push(text.slice(from));
  return out;
}

function link(target: string, label: string): Inline | undefined {
  const href = safeHref(target);
  return href && { tag: "a", href, children: [label] };
}

/** The words alone, for a voice. */
export function plainText(text: string): string {
  const words = (node: Inline): string =>
    typeof node === "string" ? node : node.children.map(words).join("");
  const lines = parseBlocks(text).map((block) => {
    if (block.tag === "pre") return block.text;
    if (block.tag === "p") return block.children.map(words).join("");
    return block.items.map((item) => item.map(words).join("")).join("\n");
  });
  return lines.join("\n");
}

/** The address if it leads to the web or to mail, and nowhere else. */
export function safeHref(target: string, base?: string): string | undefined {
  try {
    const { protocol, href } = new URL(target, base);
    return ["https:", "http:", "mailto:"].includes(protocol) ? href : undefined;
  } catch {
    return undefined;
  }
}
