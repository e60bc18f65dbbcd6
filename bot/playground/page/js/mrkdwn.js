// Slack's own markup (mrkdwn) as DOM nodes. Knows the syntax, not where the text came from.

import { el, fragment } from "./dom.js";
import { linkTo } from "./links.js";
import { channelChip, emojiNode, groupChip, userChip } from "./references.js";
import { emojiChar } from "./emoji.js";
import { codeBlock } from "./wide.js";

const FENCE = /```\n?([\s\S]+?)\n?```/g;
const QUOTE = /^(?:&gt;|>)(?!(?:&gt;|>)) ?/;
const QUOTE_REST = /^(?:&gt;){3}|^>{3}/;
const STYLES = { "*": "strong", _: "em", "~": "del" };
const WORD = /[\p{L}\p{N}]/u;

/** Parse a mrkdwn text; `names` resolves people and channels. */
export function mrkdwn(text, names) {
  const out = fragment();
  let from = 0;
  for (const match of text.matchAll(FENCE)) {
    out.append(lines(text.slice(from, match.index).replace(/\n$/, ""), names));
    out.append(codeBlock(plainOf(match[1])));
    from = match.index + match[0].length;
  }
  out.append(lines(text.slice(from).replace(from ? /^\n/ : /^$/, ""), names));
  return out;
}

/** A text object of Block Kit: `mrkdwn`, or `plain_text` with emoji names shown unless switched off. */
export function textObject(object, names) {
  if (!object) return fragment();
  if (object.type === "mrkdwn") return mrkdwn(object.text ?? "", names);
  const text = decode(object.text ?? "");
  return object.emoji === false ? document.createTextNode(text) : emojiOnly(text);
}

export function decode(text) {
  return text.replace(/&(amp|lt|gt);/g, (_, name) => ({ amp: "&", lt: "<", gt: ">" })[name]);
}

function emojiOnly(text) {
  const out = fragment();
  let from = 0;
  for (const match of text.matchAll(/:([a-z0-9_+-]+(?:::skin-tone-[2-6])?):/g)) {
    if (!emojiChar(match[1])) continue;
    out.append(text.slice(from, match.index), emojiNode(match[1]));
    from = match.index + match[0].length;
  }
  out.append(text.slice(from));
  return out;
}

function lines(text, names) {
  const out = fragment();
  if (!text) return out;
  const rows = text.split("\n");
  for (let at = 0; at < rows.length;) {
    const start = at;
    if (QUOTE_REST.test(rows[at])) {
      const rest = rows.slice(at).join("\n").replace(QUOTE_REST, "").trimStart();
      out.append(el("blockquote", {}, inline(rest, names)));
      return out;
    }
    const quoted = QUOTE.test(rows[at]);
    while (at < rows.length && QUOTE.test(rows[at]) === quoted && !QUOTE_REST.test(rows[at])) at += 1;
    const part = rows.slice(start, at);
    if (quoted) out.append(el("blockquote", {}, inline(part.map((row) => row.replace(QUOTE, "")).join("\n"), names)));
    else out.append(el("div", { class: "lines" }, inline(part.join("\n"), names)));
  }
  return out;
}

/** Text styles, links, references and emoji of one run of text. */
function inline(text, names) {
  const out = fragment();
  let plain = "";
  const flush = () => {
    if (plain) out.append(decode(plain));
    plain = "";
  };
  for (let at = 0; at < text.length;) {
    const found = special(text, at, names);
    if (found) {
      flush();
      out.append(found.node);
      at = found.end;
    } else {
      plain += text[at];
      at += 1;
    }
  }
  flush();
  return out;
}

function special(text, at, names) {
  const char = text[at];
  if (char === "`") return codeSpan(text, at);
  if (char === "<") return angle(text, at, names);
  if (char === ":") return shortcode(text, at);
  return STYLES[char] ? styled(text, at, names) : null;
}

function codeSpan(text, at) {
  const end = text.indexOf("`", at + 1);
  if (end < 0 || end === at + 1 || text.slice(at, end).includes("\n")) return null;
  return { node: el("code", {}, plainOf(text.slice(at + 1, end))), end: end + 1 };
}

function shortcode(text, at) {
  const match = /^:([a-z0-9_+-]+(?:::skin-tone-[2-6])?):/.exec(text.slice(at, at + 60));
  return match && emojiChar(match[1]) ? { node: emojiNode(match[1]), end: at + match[0].length } : null;
}

function angle(text, at, names) {
  const end = text.indexOf(">", at);
  if (end < 0) return null;
  const inner = text.slice(at + 1, end);
  if (!inner || inner.includes("\n") || inner.includes("<")) return null;
  return { node: reference(inner, names), end: end + 1 };
}

function reference(inner, names) {
  const bar = inner.indexOf("|");
  const target = bar < 0 ? inner : inner.slice(0, bar);
  const label = bar < 0 ? undefined : decode(inner.slice(bar + 1));
  if (target.startsWith("@")) return userChip(target.slice(1), names);
  if (target.startsWith("#")) return channelChip(target.slice(1), names, label);
  if (target.startsWith("!subteam^")) return groupChip((label ?? target.slice(9)).replace(/^@/, ""));
  if (target.startsWith("!date^")) return document.createTextNode(label ?? target);
  if (target.startsWith("!")) return groupChip(label?.replace(/^@/, "") || target.slice(1));
  return linkTo(decode(target), label);
}

function styled(text, at, names) {
  const mark = text[at];
  if (at > 0 && (WORD.test(text[at - 1]) || text[at - 1] === mark)) return null;
  if (!text[at + 1] || /\s/.test(text[at + 1]) || text[at + 1] === mark) return null;
  const end = closing(text, at, mark);
  if (end < 0) return null;
  return { node: el(STYLES[mark], {}, inline(text.slice(at + 1, end), names)), end: end + 1 };
}

/** Where the style that opens at `at` ends: on the same line, after a non-space, before a non-word; never in code. */
function closing(text, at, mark) {
  for (let end = at + 1; end < text.length && text[end] !== "\n"; end += 1) {
    const skip = { "`": "`", "<": ">" }[text[end]];
    if (skip) {
      const over = text.indexOf(skip, end + 1);
      if (over > 0) end = over;
      continue;
    }
    if (text[end] !== mark || end === at + 1 || /\s/.test(text[end - 1])) continue;
    if (!text[end + 1] || !(WORD.test(text[end + 1]) || text[end + 1] === mark)) return end;
  }
  return -1;
}

/** Code shows references as the text that Slack put in: `<https://x|x>` becomes `x`. */
function plainOf(text) {
  return decode(text.replace(/<([^<>\n|]+)(?:\|([^<>\n]*))?>/g, (_, target, label) => label || target));
}
