// Between what a person types (`@Ada Park`) and what Slack keeps (`<@U0ADAPARK>`, escaped).

import { decode } from "./mrkdwn.js";

const escape = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
const quoteRegex = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** Names become references, everything else is escaped. */
export function toSlack(typed, store) {
  const targets = new Map();
  for (const user of store.users.values()) {
    for (const name of [user.real_name, user.name]) if (name) targets.set(`@${name}`.toLowerCase(), `<@${user.id}>`);
  }
  for (const channel of store.channels.values()) {
    if (channel.name) targets.set(`#${channel.name}`.toLowerCase(), `<#${channel.id}|${channel.name}>`);
  }
  for (const group of ["here", "channel", "everyone"]) targets.set(`@${group}`, `<!${group}>`);
  const words = [...targets.keys()].sort((a, b) => b.length - a.length).map(quoteRegex).join("|");
  const pattern = new RegExp(`(?<![\\p{L}\\p{N}])(${words})(?![\\p{L}\\p{N}_-])`, "giu");
  return typed.split(pattern).map((part, at) => (at % 2 ? targets.get(part.toLowerCase()) : escape(part))).join("");
}

/** The other way, to edit a message. */
export function toTyped(text, store) {
  return decode(text.replace(/<([@#!]?)([^<>|]+)(?:\|([^<>]*))?>/g, (_, sign, target, label) => {
    if (sign === "@") return `@${store.userName(target)}`;
    if (sign === "#") return `#${store.channels.get(target)?.name ?? label ?? target}`;
    return sign === "!" ? `@${target}` : target;
  }));
}
