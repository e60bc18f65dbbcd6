// What may be wider than its place scrolls by itself; it takes the focus, so that the arrow keys can scroll it.

import { el } from "./dom.js";

/** A block of code, as it was written. */
export function codeBlock(content) {
  return el("pre", { class: "code-block", tabindex: "0" }, el("code", {}, content));
}

/** A table in a frame that scrolls. */
export function tableFrame(table, className = "") {
  return el("div", { class: `table-scroll ${className}`, tabindex: "0", role: "group", "aria-label": "Table" }, table);
}
