// What the page says in its script tag. Nothing is fetched to know it.

/** The script's `data-` attributes, with their defaults. */
export interface Config {
  /** Origin of the daemon, which is where this script came from. */
  host: string;
  /** `data-inbox`: the id of the inbox. */
  inbox: string;
  /** `data-locale`: else the page's language, else the browser's. */
  locale: string;
  /** `data-z-index`: where the chat lies among the page's own layers. */
  zIndex: string;
}

const DEFAULT_Z_INDEX = "1000000";

export function readConfig(script: HTMLScriptElement): Config {
  const data = script.dataset;
  return {
    host: new URL(script.src).origin,
    inbox: data.inbox ?? "",
    locale: data.locale || document.documentElement.lang || navigator.language || "en",
    zIndex: data.zIndex || DEFAULT_Z_INDEX,
  };
}
