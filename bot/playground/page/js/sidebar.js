// The left side: channels, direct messages, and whom this page acts as.

import { avatar } from "./avatar.js";
import { openCreateChannel, openCreateGroup } from "./channeldialogs.js";
import { channelPicture, sharedMark } from "./channelmark.js";
import { el, icon, iconButton, refill } from "./dom.js";
import { openMenu } from "./popover.js";

export function mountSidebar(root, app) {
  const { store } = app;
  const lists = el("div", { class: "sidebar-lists" });
  const person = el("div", { class: "sidebar-person" });
  root.append(lists, person);
  root.addEventListener("keydown", moveWithArrows);

  function draw() {
    if (!store.me) return;
    refill(lists,
      section("Channels", [...store.channels.values()].filter((channel) => ["public", "private"].includes(channel.kind)),
        iconButton("plus", "Create a channel", () => openCreateChannel(app))),
      section("Direct messages", [...store.channels.values()].filter((channel) => ["im", "mpim"].includes(channel.kind)),
        iconButton("plus", "Write to a group", () => openCreateGroup(app))));
    const me = store.user(store.me);
    refill(person, el("button", {
      type: "button", class: "person-button", "aria-haspopup": "menu", "aria-expanded": "false", dataset: { focus: "person" },
      "aria-label": `Acting as ${me.real_name}, change`, title: "Act as another person",
      onclick: (event) => choosePerson(event.currentTarget),
    }, avatar(me), el("span", { class: "person-text" }, el("small", {}, "Acting as"), el("strong", {}, me.real_name)), icon("down")));
  }

  function section(title, channels, action) {
    const id = `section-${title.replace(" ", "-")}`;
    return el("section", { "aria-labelledby": id },
      el("div", { class: "sidebar-head" }, el("h2", { id }, title), action),
      el("ul", {}, channels.map((channel) => el("li", {}, item(channel)))));
  }

  function item(channel) {
    const unread = store.unread.get(channel.id);
    const badge = unread?.mentions ? String(Math.min(unread.mentions, 99)) : "";
    const name = store.channelName(channel.id);
    return el("button", {
      type: "button", class: `sidebar-item${unread ? " has-unread" : ""}`,
      "aria-current": channel.id === store.current ? "page" : undefined, dataset: { focus: `channel-${channel.id}` },
      "aria-label": unread ? `${name}, ${unread.messages} unread` : name,
      onclick: () => {
        store.openChannel(channel.id);
        document.getElementById("app").classList.remove("with-sidebar");
      },
    }, picture(channel), el("span", { class: "sidebar-name" }, name), sharedMark(channel), badge && el("span", { class: "unread-badge" }, badge));
  }

  function picture(channel) {
    if (channel.kind !== "im") return channelPicture(store, channel);
    const other = store.user(store.counterpart(channel));
    const online = !other.is_bot || store.botConnected;
    return el("span", { class: `presence ${online ? "presence-on" : ""}` }, avatar(other, "small"));
  }

  function choosePerson(anchor) {
    const people = [...store.users.values()].filter((user) => !user.is_bot && !user.deleted);
    openMenu(anchor, "Act as", people.map((user) => ({
      label: user.real_name, note: store.userNote(user), picture: avatar(user, "small"),
      checked: user.id === store.me, run: () => app.actAs(user.id),
    })));
  }

  function moveWithArrows(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || event.altKey) return;
    const items = [...root.querySelectorAll(".sidebar-item")];
    const at = items.indexOf(document.activeElement);
    if (at < 0) return;
    event.preventDefault();
    items[at + step]?.focus();
  }

  for (const topic of ["snapshot", "channels", "unread", "place", "presence"]) store.on(topic, draw);
}
