// The few calls that make elements. Text goes in as text: there is no way from here to a markup
// string.

import type { Block, Inline } from "./text.ts";
import { parseBlocks, safeHref } from "./text.ts";

type Child = Node | string | undefined;

export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, string> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.filter((child) => child !== undefined));
  return element;
}

/** A shape of 24 by 24, drawn in the colour of the text around it. */
export function icon(path: string): SVGElement {
  const namespace = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(namespace, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const shape = document.createElementNS(namespace, "path");
  shape.setAttribute("d", path);
  svg.append(shape);
  return svg;
}

export function button(
  label: string,
  className: string,
  onClick: () => void,
  shape?: string,
): HTMLButtonElement {
  const element = h(
    "button",
    { type: "button", class: className },
    ...(shape ? [icon(shape)] : [label]),
  );
  if (shape) element.setAttribute("aria-label", label);
  element.addEventListener("click", onClick);
  return element;
}

/** A link out of the chat; without a safe address only its words. */
export function outwardLink(target: string, ...children: Child[]): HTMLElement {
  const href = safeHref(target, location.href);
  if (!href) return h("span", {}, ...children);
  return h("a", { href, target: "_blank", rel: "noopener nofollow ugc" }, ...children);
}

/** Markdown as elements. */
export function rich(text: string): HTMLElement[] {
  return parseBlocks(text).map(block);
}

function block(node: Block): HTMLElement {
  switch (node.tag) {
    case "p":
      return h("p", {}, ...node.children.map(inline));
    case "pre":
      return h("pre", { tabindex: "0" }, h("code", {}, node.text));
    case "ul":
      return h("ul", {}, ...node.items.map((item) => h("li", {}, ...item.map(inline))));
    case "ol":
      return h(
        "ol",
        { start: String(node.start ?? 1) },
        ...node.items.map((item) => h("li", {}, ...item.map(inline))),
      );
  }
}

function inline(node: Inline): Child {
  if (typeof node === "string") return node;
  const children = node.children.map(inline);
  return node.tag === "a" ? outwardLink(node.href, ...children) : h(node.tag, {}, ...children);
}
