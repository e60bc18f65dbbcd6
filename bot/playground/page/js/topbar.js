// The bar on top: brand, jump to a channel, connection, traffic and theme.

import { el, icon, iconButton, refill } from "./dom.js";
import { openKeysHelp } from "./keyshelp.js";
import { openSwitcher } from "./switcher.js";
import { applyTheme, currentTheme, nextTheme } from "./theme.js";
import { openWorkspace } from "./workspace.js";

const THEME_ICONS = { auto: "auto", light: "sun", dark: "moon" };
const APPLE = /Mac|iPhone|iPad/.test(navigator.platform);

export function mountTopbar(root, app) {
  const { store } = app;
  const page = document.getElementById("app");
  const state = el("span", { class: "bot-state", role: "status" });
  const theme = el("button", { type: "button", class: "icon-button", onclick: () => {
    applyTheme(nextTheme());
    drawTheme();
  } });
  const traffic = iconButton("pulse", "Traffic", () => app.toggleTraffic(), { "aria-pressed": "false", id: "traffic-button" });
  root.append(
    iconButton("menu", "Channels", () => page.classList.toggle("with-sidebar"), { class: "icon-button menu-button" }),
    el("button", { type: "button", class: "brand", title: "The workspace and its app", "aria-haspopup": "dialog", onclick: () => openWorkspace(app) },
      el("span", { class: "brand-mark" }, icon("book")), el("span", { class: "brand-name" }, "Playground"), icon("down")),
    el("button", { type: "button", class: "jump-button", onclick: () => openSwitcher(app), "aria-label": "Jump to a channel" },
      icon("search"), el("span", {}, "Jump to…"), el("kbd", {}, APPLE ? "⌘ K" : "Ctrl K")),
    state, traffic, iconButton("keyboard", "Keyboard", openKeysHelp, { class: "icon-button keys-button" }), theme);

  function drawTheme() {
    const now = currentTheme();
    const name = { auto: "as the system", light: "light", dark: "dark" }[now];
    refill(theme, icon(THEME_ICONS[now]));
    theme.title = `Theme: ${name}`;
    theme.setAttribute("aria-label", `Theme: ${name}`);
  }

  function drawState() {
    const bot = store.bot()?.real_name ?? "Bot";
    const on = store.online && store.botConnected;
    state.className = `bot-state ${on ? "bot-on" : "bot-off"}`;
    const text = on ? `${bot} is connected` : store.online ? `${bot} is not connected` : "Reconnecting…";
    refill(state, el("i", { "aria-hidden": "true" }), el("span", {}, text));
    state.title = text;
    root.querySelector(".brand-name").textContent = store.team.name ?? "Playground";
  }

  drawTheme();
  store.on("presence", drawState);
  store.on("snapshot", drawState);
}
