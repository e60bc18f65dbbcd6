// Completes what is being typed in a field: people after @, channels after #, commands after a / at the start.

import { avatar } from "./avatar.js";
import { el, icon } from "./dom.js";

const SHOWN = 8;
let number = 0;

/** A list above `field`; `place()` says where one is writing, `onChange` hears that the text was changed. */
export class Completion {
  constructor(app, field, { place, onChange }) {
    this.app = app;
    this.field = field;
    this.place = place;
    this.onChange = onChange;
    this.options = [];
    this.selected = 0;
    number += 1;
    this.node = el("div", { class: "names", role: "listbox", id: `names-${number}`, "aria-label": "Suggestions", hidden: true });
    field.setAttribute("aria-autocomplete", "list");
    field.setAttribute("aria-controls", this.node.id);
  }

  /** Look at the text before the caret and offer what fits. */
  update() {
    const before = this.field.value.slice(0, this.field.selectionStart);
    const command = !this.place().threadTs && /^\/(\S*)$/.exec(before);
    const name = /(^|[\s(])([@#])([\p{L}\p{N}_. -]{0,30})$/u.exec(before);
    const found = command ? this.commands(before) : name ? this.names(name[2], name[3].toLowerCase()) : [];
    // A name that is complete needs no help: Enter sends.
    const complete = found.length === 1 && before.toLowerCase().endsWith(found[0].insert.toLowerCase());
    if (!found.length || complete) return this.close();
    this.range = [command ? 0 : before.length - name[3].length - 1, before.length];
    this.options = found;
    this.selected = 0;
    return this.draw();
  }

  commands(typed) {
    return this.app.store.commands.filter(({ command }) => command.startsWith(typed.toLowerCase())).slice(0, SHOWN)
      .map(({ command, usage_hint: hint, description }) => ({
        label: command, hint, note: description, insert: command, picture: icon("slash"),
      }));
  }

  names(sign, wanted) {
    const { store } = this.app;
    const starts = (name) => name?.toLowerCase().split(/[\s-]+/).some((word, at, words) => (
      words.slice(at).join(" ").startsWith(wanted.replaceAll("-", " "))));
    if (sign === "#") {
      return [...store.channels.values()].filter((channel) => !store.isConversation(channel.id) && starts(channel.name))
        .slice(0, SHOWN).map((channel) => ({ label: channel.name, insert: `#${channel.name}`, picture: icon("hash") }));
    }
    const members = new Set(store.channels.get(this.place().channel)?.members);
    return [...store.users.values()]
      .filter((user) => user.id !== store.me && (starts(user.real_name) || starts(user.name)))
      // The bot first: it is whom people come here to ask. Then those who are in the channel.
      .sort((a, b) => Number(Boolean(b.is_bot)) - Number(Boolean(a.is_bot)) || Number(members.has(b.id)) - Number(members.has(a.id)))
      .slice(0, SHOWN)
      .map((user) => ({
        label: user.real_name, note: members.has(user.id) ? `@${user.name}` : "not in this channel",
        insert: `@${user.real_name}`, picture: avatar(user, "small"),
      }));
  }

  draw() {
    this.node.replaceChildren(...this.options.map((option, at) => el("div", {
      class: "name-option", role: "option", id: `${this.node.id}-${at}`, "aria-selected": at === this.selected,
      onpointerdown: (event) => {
        event.preventDefault(); // keep the focus in the field
        this.choose(at);
      },
    }, option.picture, el("span", {}, option.label), option.hint && el("span", { class: "name-hint" }, option.hint),
    option.note && el("small", {}, option.note))));
    this.node.hidden = false;
    this.field.setAttribute("aria-activedescendant", `${this.node.id}-${this.selected}`);
  }

  close() {
    this.node.hidden = true;
    this.field.removeAttribute("aria-activedescendant");
  }

  /** Keys that belong to the open list; gives true where one was used. */
  onKey(event) {
    if (this.node.hidden) return false;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      this.selected = (this.selected + step + this.options.length) % this.options.length;
      this.draw();
    } else if ((event.key === "Enter" && !event.isComposing) || event.key === "Tab") this.choose(this.selected);
    else if (event.key === "Escape") this.close();
    else return false;
    event.preventDefault();
    event.stopPropagation();
    return true;
  }

  choose(at) {
    this.field.setRangeText(`${this.options[at].insert} `, ...this.range, "end");
    this.close();
    this.onChange();
  }
}
