// A person's picture: their initials on their colour; the bot has its book.

import { el, icon } from "./dom.js";

const WHITE_CONTRAST = 4.6; // the guidelines ask for 4.5
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

/** Marks beside a name: an app, a guest, somebody from another organisation. */
export function userBadges(user) {
  return [
    user.is_bot && el("span", { class: "badge" }, "APP"),
    user.guest && el("span", { class: "badge badge-guest", title: user.guest === "single" ? "Guest in one channel" : "Guest in several channels" }, "GUEST"),
    user.external && el("span", { class: "badge badge-external", title: "From another organisation" }, "EXTERNAL"),
  ].filter(Boolean);
}

function initials(name) {
  const words = name.trim().split(/\s+/);
  const last = words.length > 1 ? [...words.at(-1)][0] : "";
  return ([...words[0]][0] + last).toUpperCase();
}

function colorOf(user) {
  const given = String(user.color ?? "").replace("#", "");
  if (/^[0-9a-f]{6}$/i.test(given)) return readable(given);
  const sum = [...user.id].reduce((total, char) => total + char.codePointAt(0), 0);
  return COLORS[sum % COLORS.length];
}

/** The colour, made darker until white letters can be read on it. */
function readable(hex) {
  let parts = [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16));
  while (1.05 / (brightness(parts) + 0.05) < WHITE_CONTRAST) parts = parts.map((part) => Math.floor(part * 0.94));
  return `#${parts.map((part) => part.toString(16).padStart(2, "0")).join("")}`;
}

/** Relative luminance, as the accessibility guidelines define it. */
function brightness(parts) {
  const [red, green, blue] = parts.map((part) => part / 255)
    .map((part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
