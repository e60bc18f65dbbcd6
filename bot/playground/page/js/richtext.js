// A rich_text block as DOM nodes: sections, nested lists, quotes and preformatted text.

import { el, fragment } from "./dom.js";
import { linkTo } from "./links.js";
import { channelChip, emojiNode, groupChip, userChip } from "./references.js";
import { clockTime, fullTime } from "./time.js";
import { codeBlock } from "./wide.js";

const STYLE_TAGS = [["code", "code"], ["bold", "strong"], ["italic", "em"], ["strike", "del"], ["underline", "u"]];

export function richText(block, names) {
  const out = el("div", { class: "rich-text" });
  const open = []; // the lists that a deeper one may still go into
  for (const element of block.elements ?? []) {
    if (element.type === "rich_text_list") {
      nest(out, open, element, names);
    } else {
      open.length = 0;
      out.append(part(element, names));
    }
  }
  return out;
}

function part(element, names) {
  const content = () => inlineElements(element.elements, names);
  if (element.type === "rich_text_section") return el("div", { class: "lines" }, content());
  if (element.type === "rich_text_quote") return el("blockquote", {}, content());
  if (element.type === "rich_text_preformatted") return codeBlock(content());
  return el("div", { class: "unsupported" }, `[${element.type}]`);
}

/** Slack sends nested lists one after the other with an indent: put each into the last item of the one above. */
function nest(out, open, element, names) {
  const indent = Math.min(element.indent ?? 0, 8);
  while (open.length && open.at(-1).indent >= indent) open.pop();
  const list = el(element.style === "ordered" ? "ol" : "ul", { class: `list list-${indent % 3}` });
  if (element.offset && element.style === "ordered") list.start = element.offset + 1;
  if (element.border) list.classList.add("list-border");
  for (const item of element.elements ?? []) list.append(el("li", {}, part(item, names)));
  const above = open.at(-1)?.list.lastElementChild;
  (above ?? out).append(list);
  if (!above && indent) list.classList.add(`indent-${indent}`);
  open.push({ indent, list });
}

function inlineElements(elements, names) {
  return fragment((elements ?? []).map((element) => inlineElement(element, names)));
}

function inlineElement(element, names) {
  const make = INLINE[element.type];
  if (!make) return document.createTextNode(element.fallback ?? element.text ?? "");
  return withStyle(make(element, names), element.style);
}

const INLINE = {
  text: (element) => document.createTextNode(element.text ?? ""),
  link: (element) => linkTo(element.url, element.text || undefined),
  emoji: (element) => emojiNode(element.skin_tone ? `${element.name}::skin-tone-${element.skin_tone}` : element.name),
  user: (element, names) => userChip(element.user_id, names),
  channel: (element, names) => channelChip(element.channel_id, names),
  usergroup: (element) => groupChip(element.usergroup_id),
  broadcast: (element) => groupChip(element.range),
  date: (element) => el("time", { title: fullTime(element.timestamp) }, element.fallback ?? clockTime(element.timestamp)),
  color: (element) => el("code", {}, element.value),
};

function withStyle(node, style) {
  if (!style) return node;
  return STYLE_TAGS.reduce((inner, [name, tag]) => (style[name] ? el(tag, {}, inner) : inner), node);
}
