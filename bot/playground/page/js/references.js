// People, channels and groups inside a text: shown by name, never more than a label.

import { el } from "./dom.js";
import { emojiChar } from "./emoji.js";

export function userChip(id, names) {
  const mine = id === names.me ? " mention-me" : "";
  return el("span", { class: `mention${mine}` }, `@${names.userName(id)}`);
}

/** A channel's name that opens it; main.js listens for `open-channel`. */
export function channelChip(id, names, label) {
  const name = names.channels.has(id) ? names.channelName(id) : label ?? id;
  const open = (event) => event.currentTarget.dispatchEvent(
    new CustomEvent("open-channel", { bubbles: true, detail: { channel: id } }),
  );
  return el("button", { type: "button", class: "mention mention-link", onclick: open }, `#${name}`);
}

export function groupChip(name) {
  return el("span", { class: "mention mention-me" }, `@${name}`);
}

export function emojiNode(name) {
  const char = emojiChar(name);
  if (!char) return document.createTextNode(`:${name}:`);
  return el("span", { class: "emoji", role: "img", "aria-label": `:${name}:`, title: `:${name}:` }, char);
}
