// A person's picture: their initials on their colour; the bot has its book.

import { el, icon } from "./dom.js";

const COLORS = ["#2f7d6b", "#9a5b2c", "#5a5fb0", "#a34a6a", "#4b7a2f", "#7a4fa0", "#2c6f9a"];

/** An avatar of `size` "small", "normal" or "large". */
export function avatar(user, size = "normal") {
  const node = el("span", { class: `avatar avatar-${size}${user.is_bot ? " avatar-bot" : ""}`, "aria-hidden": "true" });
  if (user.is_bot) node.append(icon("book", "icon avatar-icon"));
  else node.append(initials(user.real_name || user.name));
  // Set through the object model: the page's policy refuses style attributes.
  node.style.setProperty("--avatar", colorOf(user));
  return node;
}

function initials(name) {
  const words = name.trim().split(/\s+/);
  const last = words.length > 1 ? [...words.at(-1)][0] : "";
  return ([...words[0]][0] + last).toUpperCase();
}

function colorOf(user) {
  const given = String(user.color ?? "").replace("#", "");
  if (/^[0-9a-f]{6}$/i.test(given)) return `#${given}`;
  const sum = [...user.id].reduce((total, char) => total + char.codePointAt(0), 0);
  return COLORS[sum % COLORS.length];
}
