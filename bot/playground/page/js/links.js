// The one place that decides whether an address may become a link.

import { el } from "./dom.js";

const ALLOWED = new Set(["http:", "https:", "mailto:"]);

/** The address if it may be opened, else null: the web, mail, and this server's /document pages. */
export function safeAddress(address) {
  const text = String(address ?? "").trim();
  if (text.startsWith("/document?")) return new URL(text, location.origin).href;
  try {
    const url = new URL(text); // without a base: "foo" and "//host" are not addresses
    return ALLOWED.has(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

/** A link that opens beside the page, or plain text where the address is not allowed. */
export function linkTo(address, label) {
  const href = safeAddress(address);
  const content = label ?? String(address);
  if (!href) return el("span", {}, content);
  return el("a", { href, target: "_blank", rel: "noopener noreferrer", title: href }, content);
}
