// A value as a tree that opens on demand: large payloads cost nothing until somebody looks.

import { el } from "./dom.js";

const LONG_TEXT = 400;

export function jsonTree(value, name = null, open = true) {
  if (value === null || typeof value !== "object") return el("div", { class: "json-row" }, label(name), leaf(value));
  const entries = Array.isArray(value) ? value.map((item, at) => [at, item]) : Object.entries(value);
  const [left, right] = Array.isArray(value) ? ["[", "]"] : ["{", "}"];
  if (!entries.length) return el("div", { class: "json-row" }, label(name), `${left}${right}`);
  const children = el("div", { class: "json-children" });
  const node = el("details", { class: "json-node", open },
    el("summary", {}, label(name), el("span", { class: "json-brief" }, `${left} ${brief(value, entries)} ${right}`)), children);
  const fill = () => {
    if (node.open && !children.firstChild) children.append(...entries.map(([key, item]) => jsonTree(item, key, false)));
  };
  node.addEventListener("toggle", fill);
  fill();
  return node;
}

function label(name) {
  return name === null ? null : el("span", { class: "json-key" }, `${name}: `);
}

function leaf(value) {
  const kind = value === null ? "null" : typeof value;
  const text = JSON.stringify(value) ?? "undefined";
  return el("span", { class: `json-${kind}` }, text.length > LONG_TEXT ? `${text.slice(0, LONG_TEXT)}… (${text.length} characters)` : text);
}

function brief(value, entries) {
  if (Array.isArray(value)) return `${entries.length} ${entries.length === 1 ? "item" : "items"}`;
  const keys = entries.map(([key]) => key);
  return keys.slice(0, 4).join(", ") + (keys.length > 4 ? ", …" : "");
}
