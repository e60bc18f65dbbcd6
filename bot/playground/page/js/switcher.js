// Ctrl/Cmd+K: jump to a channel or a person's page by typing a part of its name.

import { channelPicture } from "./channelmark.js";
import { openDialog } from "./dialogs.js";
import { el } from "./dom.js";

export function openSwitcher({ store }) {
  if (document.querySelector("dialog[open]")) return;
  let found = [];
  let selected = 0;
  const list = el("div", { class: "switcher-list", role: "listbox", id: "switcher-list", "aria-label": "Channels" });
  const field = el("input", {
    type: "text", class: "switcher-field", placeholder: "Jump to a channel", "aria-label": "Jump to a channel", autofocus: true,
    role: "combobox", "aria-expanded": "true", "aria-controls": "switcher-list", autocomplete: "off",
    oninput: () => search(), onkeydown: onKey,
  });
  const dialog = openDialog({ title: "Jump to", className: "dialog-switcher", body: [field, list], onSubmit: () => go(selected) });
  search();

  function search() {
    const wanted = field.value.trim().toLowerCase().replace(/^#/, "");
    found = [...store.channels.values()]
      .map((channel) => ({ channel, name: store.channelName(channel.id) }))
      .filter(({ name }) => name.toLowerCase().includes(wanted))
      .sort((a, b) => Number(store.unread.has(b.channel.id)) - Number(store.unread.has(a.channel.id)));
    selected = 0;
    draw();
  }

  function draw() {
    list.replaceChildren(...found.map(({ channel, name }, at) => el("div", {
      class: "name-option", role: "option", id: `switch-${at}`, "aria-selected": at === selected, onclick: () => go(at),
    }, channelPicture(store, channel),
    el("span", {}, name), store.unread.has(channel.id) && el("small", {}, "unread"))));
    if (!found.length) list.append(el("p", { class: "muted" }, "No channel of this name."));
    field.setAttribute("aria-activedescendant", `switch-${selected}`);
    list.children[selected]?.scrollIntoView({ block: "nearest" });
  }

  function onKey(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || !found.length) return;
    event.preventDefault();
    selected = (selected + step + found.length) % found.length;
    draw();
  }

  function go(at) {
    if (!found[at]) return;
    dialog.close();
    store.openChannel(found[at].channel.id);
  }
}
