// Text that is still coming in: a soft caret at its end, and new words that fade in one after the other.

import { el } from "./dom.js";

const SPREAD_MS = 500; // an update brings many words at once: let them arrive over this time
const BLOCKS = new Set(["DIV", "P", "LI", "UL", "OL", "BLOCKQUOTE", "PRE", "TABLE", "THEAD", "TBODY", "TR", "TH", "TD"]);
const BELOW_TEXT = "tbody:empty, .files, .block.table-scroll, .block-tasks, .block-context, .block-actions, .block-context-actions";

/** Mark what is new against `before`; while `live`, put the caret after the last word. */
export function markLive(body, before, live) {
  fadeIn(body, commonLength(before, body.textContent));
  const last = live && lastBlock(body);
  if (last && (last !== body || !body.querySelector(BELOW_TEXT))) last.append(el("span", { class: "caret", "aria-hidden": "true" }));
}

function commonLength(before, after) {
  let at = 0;
  while (at < before.length && before[at] === after[at]) at += 1;
  return at;
}

function fadeIn(body, from) {
  const words = [];
  let seen = 0;
  const walker = document.createTreeWalker(body, NodeFilter.SHOW_TEXT);
  const nodes = [];
  while (walker.nextNode()) nodes.push(walker.currentNode);
  for (const node of nodes) {
    const skip = Math.max(0, from - seen);
    seen += node.length;
    if (skip < node.length && !node.parentElement.closest(`button, time, ${BELOW_TEXT}`)) words.push(...wrap(skip ? node.splitText(skip) : node));
  }
  words.forEach((word, at) => {
    word.style.animationDelay = `${Math.round((at / words.length) * SPREAD_MS)}ms`;
  });
}

function wrap(node) {
  const words = (node.data.match(/\s*\S+\s*|\s+/g) ?? []).map((word) => el("span", { class: "fresh" }, word));
  node.replaceWith(...words);
  return words;
}

/** The innermost block that holds the end of the text; notes and buttons below the text are not part of it. */
function lastBlock(node) {
  let last = node;
  for (;;) {
    const inside = [...last.children].filter((each) => BLOCKS.has(each.tagName) && !each.matches(BELOW_TEXT)).at(-1);
    if (!inside) return last;
    last = inside;
  }
}
