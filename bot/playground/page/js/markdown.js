// Standard Markdown (the `markdown` block and `markdown_text`) as DOM nodes: what models write, without HTML.

import { el, fragment } from "./dom.js";
import { linkTo } from "./links.js";
import { channelChip, emojiNode, groupChip, userChip } from "./references.js";
import { emojiChar } from "./emoji.js";
import { codeBlock, tableFrame } from "./wide.js";

const FENCE = /^ {0,3}(```+|~~~+)/;
const HEADING = /^ {0,3}(#{1,6})\s+(.*?)\s*#*$/;
const RULE = /^ {0,3}([-*_])(?:\s*\1){2,}\s*$/;
const ITEM = /^(\s*)([-*+]|\d{1,9}[.)])\s+(.*)$/;
const TABLE_RULE = /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/;
const INLINE = new RegExp([
  "\\\\(?<escaped>[\\\\`*_{}\\[\\]()#+.!~|<>-])",
  "(?<ticks>`+)(?<code>[\\s\\S]*?[^`])\\k<ticks>(?!`)",
  "\\[(?<label>[^\\[\\]]+)\\]\\((?<href>[^()\\s]+(?:\\([^()\\s]*\\)[^()\\s]*)*)(?:\\s+\"[^\"]*\")?\\)",
  "<(?<angle>[^<>\\s]+)>",
  "(?<bare>https?://[^\\s<>()]+[^\\s<>().,;:!?'\"])",
  "\\*\\*(?<bold>\\S(?:[\\s\\S]*?\\S)?)\\*\\*",
  "(?<![\\p{L}\\p{N}])__(?<bold2>\\S(?:[\\s\\S]*?\\S)?)__(?![\\p{L}\\p{N}])",
  "~~(?<strike>\\S(?:[\\s\\S]*?\\S)?)~~",
  "\\*(?<italic>[^\\s*](?:[^*]*[^\\s*])?)\\*",
  "(?<![\\p{L}\\p{N}])_(?<italic2>[^\\s_](?:[^_]*[^\\s_])?)_(?![\\p{L}\\p{N}])",
  ":(?<emoji>[a-z0-9_+-]+):",
].join("|"), "u");

export function markdown(text, names) {
  return el("div", { class: "markdown" }, blocks(text.replaceAll("\r\n", "\n").split("\n"), names));
}

function blocks(rows, names) {
  const out = fragment();
  for (let at = 0; at < rows.length;) {
    const row = rows[at];
    if (!row.trim()) at += 1;
    else if (FENCE.test(row)) at = fence(out, rows, at);
    else if (HEADING.test(row)) at = heading(out, rows, at, names);
    else if (RULE.test(row)) at = rule(out, at);
    else if (/^ {0,3}>/.test(row)) at = quote(out, rows, at, names);
    else if (ITEM.test(row)) at = list(out, rows, at, names);
    else if (row.includes("|") && TABLE_RULE.test(rows[at + 1] ?? "")) at = table(out, rows, at, names);
    else at = paragraph(out, rows, at, names);
  }
  return out;
}

function rule(out, at) {
  out.append(el("hr"));
  return at + 1;
}

function fence(out, rows, at) {
  const mark = FENCE.exec(rows[at])[1];
  let end = at + 1;
  while (end < rows.length && !rows[end].trim().startsWith(mark)) end += 1;
  out.append(codeBlock(rows.slice(at + 1, end).join("\n")));
  return end + 1;
}

function heading(out, rows, at, names) {
  const [, marks, title] = HEADING.exec(rows[at]);
  // The page has its own headings above: level 1 of a message is level 3 of the page.
  out.append(el(`h${Math.min(marks.length + 2, 6)}`, {}, inline(title, names)));
  return at + 1;
}

function quote(out, rows, at, names) {
  let end = at;
  while (end < rows.length && /^ {0,3}>/.test(rows[end])) end += 1;
  out.append(el("blockquote", {}, blocks(rows.slice(at, end).map((row) => row.replace(/^ {0,3}> ?/, "")), names)));
  return end;
}

function list(out, rows, at, names) {
  const [, margin, mark] = ITEM.exec(rows[at]);
  const ordered = /\d/.test(mark);
  const node = el(ordered ? "ol" : "ul", { class: "list" });
  if (ordered) node.start = parseInt(mark, 10);
  while (at < rows.length) {
    const item = ITEM.exec(rows[at]);
    if (!item || item[1].length !== margin.length || /\d/.test(item[2]) !== ordered) break;
    const body = [item[3]];
    const indent = item[0].length - item[3].length;
    for (at += 1; at < rows.length && belongs(rows, at, margin.length); at += 1) {
      body.push(rows[at].slice(Math.min(indent, rows[at].search(/\S|$/))));
    }
    node.append(el("li", {}, itemContent(body, names)));
    if (at < rows.length && !rows[at].trim() && ITEM.exec(rows[at + 1] ?? "")?.[1].length === margin.length) at += 1;
  }
  out.append(node);
  return at;
}

/** A row goes on with an item when it is indented deeper, or plain text right below it. */
function belongs(rows, at, margin) {
  const row = rows[at];
  if (!row.trim()) return /^\s+\S/.test(rows[at + 1] ?? "") && rows[at + 1].search(/\S/) > margin;
  if (row.search(/\S/) > margin) return true;
  return rows[at - 1].trim() !== "" && ![ITEM, HEADING, FENCE, RULE].some((each) => each.test(row));
}

function itemContent(body, names) {
  const end = body.findIndex((row) => !row.trim() || ITEM.test(row) || FENCE.test(row));
  const first = end < 0 ? body : body.slice(0, end);
  return fragment(inline(first.join("\n"), names), end < 0 ? null : blocks(body.slice(end), names));
}

function table(out, rows, at, names) {
  const cells = (row) => row.trim().replace(/^\||\|$/g, "").split(/(?<!\\)\|/).map((cell) => cell.trim());
  let end = at + 2;
  while (end < rows.length && rows[end].includes("|")) end += 1;
  const line = (row, tag) => el("tr", {}, cells(row).map((cell) => el(tag, {}, inline(cell, names))));
  out.append(tableFrame(el("table", {},
    el("thead", {}, line(rows[at], "th")),
    el("tbody", {}, rows.slice(at + 2, end).map((row) => line(row, "td"))))));
  return end;
}

function paragraph(out, rows, at, names) {
  let end = at + 1;
  const stops = (row) => !row.trim() || /^ {0,3}>/.test(row) || [FENCE, HEADING, RULE, ITEM].some((each) => each.test(row));
  while (end < rows.length && !stops(rows[end])) end += 1;
  out.append(el("p", { class: "lines" }, inline(rows.slice(at, end).map((row) => row.trim()).join("\n"), names)));
  return end;
}

function inline(text, names) {
  const out = fragment();
  for (let rest = text; rest;) {
    const match = INLINE.exec(rest);
    if (!match) {
      out.append(rest);
      break;
    }
    out.append(rest.slice(0, match.index), span(match, names));
    rest = rest.slice(match.index + match[0].length);
  }
  return out;
}

function span(match, names) {
  const found = match.groups;
  const deeper = (tag, inner) => el(tag, {}, inline(inner, names));
  if (found.escaped) return document.createTextNode(found.escaped);
  if (found.code) return el("code", {}, found.code.replace(/^ (.*) $/, "$1"));
  if (found.href) return linkTo(found.href, inline(found.label, names));
  if (found.angle) return angle(found.angle, match[0], names);
  if (found.bare) return linkTo(found.bare);
  if (found.bold ?? found.bold2) return deeper("strong", found.bold ?? found.bold2);
  if (found.strike) return deeper("del", found.strike);
  if (found.italic ?? found.italic2) return deeper("em", found.italic ?? found.italic2);
  return emojiChar(found.emoji) ? emojiNode(found.emoji) : document.createTextNode(match[0]);
}

function angle(inner, whole, names) {
  if (inner.startsWith("@")) return userChip(inner.slice(1), names);
  if (inner.startsWith("#")) return channelChip(inner.slice(1).split("|")[0], names);
  if (/^!(here|channel|everyone)/.test(inner)) return groupChip(inner.slice(1).split("|")[0]);
  if (/^(https?|mailto):/.test(inner)) return linkTo(inner);
  return document.createTextNode(whole);
}
