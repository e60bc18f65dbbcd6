// The field to write in: Enter sends, Shift+Enter breaks the line, @ and # complete names. Drafts are kept per place.

import { avatar } from "./avatar.js";
import { el, icon, iconButton } from "./dom.js";
import { emojiChar } from "./emoji.js";
import { openEmojiPicker } from "./popover.js";
import { toSlack } from "./typed.js";

const MAX_HEIGHT_PX = 240;
const SHOWN_NAMES = 6;
let number = 0;

export class Composer {
  constructor(app) {
    this.app = app;
    this.drafts = new Map();
    this.place = null;
    this.options = [];
    this.selected = 0;
    number += 1;
    const listId = `names-${number}`;
    this.names = el("div", { class: "names", role: "listbox", id: listId, "aria-label": "Names", hidden: true });
    this.field = el("textarea", {
      rows: 1, class: "composer-field", autocomplete: "off", spellcheck: "true",
      "aria-autocomplete": "list", "aria-controls": listId,
      oninput: () => this.changed(), onkeydown: (event) => this.onKey(event),
      onblur: () => this.closeNames(), onclick: () => this.complete(),
    });
    this.sendButton = el("button", { type: "submit", class: "send-button", "aria-label": "Send", title: "Send (Enter)" }, icon("send"));
    this.node = el("form", { class: "composer", onsubmit: (event) => {
      event.preventDefault();
      this.send();
    } }, this.names,
    el("div", { class: "composer-box", onclick: (event) => event.target === event.currentTarget && this.field.focus() },
      this.field,
      el("div", { class: "composer-row" },
        iconButton("at", "Mention someone", () => this.insert("@")),
        iconButton("smile", "Insert an emoji", (event) => this.pickEmoji(event.currentTarget)),
        el("span", { class: "composer-hint", "aria-hidden": "true" },
          el("kbd", {}, "Enter"), " to send, ", el("kbd", {}, "Shift Enter"), " for a new line"),
        this.sendButton)));
  }

  /** Move to a channel or thread; `label` is the field's name, `placeholder` what it shows while empty. */
  setPlace({ channel, threadTs, label, placeholder }) {
    this.saveDraft();
    this.place = { channel, threadTs };
    this.field.setAttribute("aria-label", label);
    this.field.placeholder = placeholder ?? label;
    this.field.value = this.drafts.get(this.draftKey()) ?? "";
    this.closeNames();
    this.resize();
  }

  draftKey() {
    return `${this.app.store.me}:${this.place.channel}:${this.place.threadTs ?? ""}`;
  }

  saveDraft() {
    if (this.place) this.drafts.set(this.draftKey(), this.field.value);
  }

  focus() {
    this.field.focus({ preventScroll: true });
  }

  insert(text) {
    const { selectionStart: at, value } = this.field;
    const space = at > 0 && !/\s/.test(value[at - 1]) ? " " : "";
    this.field.setRangeText(space + text, at, this.field.selectionEnd, "end");
    this.focus();
    this.changed();
  }

  pickEmoji(anchor) {
    openEmojiPicker(anchor, (name) => this.insert(`${emojiChar(name)} `));
  }

  async send() {
    const typed = this.field.value.trim();
    if (!typed || !this.place) return;
    const { channel, threadTs } = this.place;
    const sentFrom = this.draftKey();
    this.field.value = "";
    this.changed();
    try {
      await this.app.api.say({ channel, text: toSlack(typed, this.app.store), ...(threadTs && { thread_ts: threadTs }) });
      this.drafts.delete(sentFrom);
    } catch {
      // Nothing that was written is lost: it comes back where it was.
      if (this.draftKey() === sentFrom && !this.field.value) this.field.value = typed;
      else this.drafts.set(sentFrom, typed);
      this.changed();
    }
  }

  changed() {
    this.resize();
    this.complete();
    this.node.classList.toggle("composer-ready", this.field.value.trim() !== "");
  }

  resize() {
    this.field.style.height = "auto";
    this.field.style.height = `${Math.min(this.field.scrollHeight, MAX_HEIGHT_PX)}px`;
    this.node.classList.toggle("composer-ready", this.field.value.trim() !== "");
  }

  onKey(event) {
    if (!this.names.hidden && this.onNameKey(event)) return;
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      this.send();
    } else if (event.key === "ArrowUp" && !this.field.value) {
      event.preventDefault();
      this.editLast();
    }
  }

  editLast() {
    const { store } = this.app;
    const { channel, threadTs } = this.place;
    const list = threadTs ? store.replies(channel, threadTs) : store.roots(channel);
    const last = list.filter((message) => message.user === store.me && !message.ephemeral).at(-1);
    if (last) this.onEdit?.(last.ts);
  }

  // Completion of names

  complete() {
    const before = this.field.value.slice(0, this.field.selectionStart);
    const match = /(^|[\s(])([@#])([\p{L}\p{N}_. -]{0,30})$/u.exec(before);
    const found = match ? this.candidates(match[2], match[3].toLowerCase()) : [];
    // A name that is complete needs no help: Enter sends.
    const complete = found.length === 1 && before.toLowerCase().endsWith(found[0].insert.toLowerCase());
    if (!found.length || complete) return this.closeNames();
    this.range = [before.length - match[3].length - 1, before.length];
    this.options = found;
    this.selected = 0;
    return this.drawNames();
  }

  candidates(sign, wanted) {
    const { store } = this.app;
    const starts = (name) => name?.toLowerCase().split(/[\s-]+/).some((word, at, words) => (
      words.slice(at).join(" ").startsWith(wanted.replaceAll("-", " "))));
    if (sign === "#") {
      return [...store.channels.values()].filter((channel) => channel.name && starts(channel.name))
        .slice(0, SHOWN_NAMES).map((channel) => ({ label: channel.name, insert: `#${channel.name}`, picture: icon("hash") }));
    }
    const members = new Set(store.channels.get(this.place.channel)?.members);
    return [...store.users.values()]
      .filter((user) => user.id !== store.me && (starts(user.real_name) || starts(user.name)))
      // The bot first: it is whom people come here to ask. Then those who are in the channel.
      .sort((a, b) => Number(Boolean(b.is_bot)) - Number(Boolean(a.is_bot)) || Number(members.has(b.id)) - Number(members.has(a.id)))
      .slice(0, SHOWN_NAMES)
      .map((user) => ({
        label: user.real_name, note: members.has(user.id) ? `@${user.name}` : "not in this channel",
        insert: `@${user.real_name}`, picture: avatar(user, "small"),
      }));
  }

  drawNames() {
    this.names.replaceChildren(...this.options.map((option, at) => el("div", {
      class: "name-option", role: "option", id: `${this.names.id}-${at}`, "aria-selected": at === this.selected,
      onpointerdown: (event) => {
        event.preventDefault(); // keep the focus in the field
        this.choose(at);
      },
    }, option.picture, el("span", {}, option.label), option.note && el("small", {}, option.note))));
    this.names.hidden = false;
    this.field.setAttribute("aria-activedescendant", `${this.names.id}-${this.selected}`);
  }

  closeNames() {
    this.names.hidden = true;
    this.field.removeAttribute("aria-activedescendant");
  }

  onNameKey(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      this.selected = (this.selected + step + this.options.length) % this.options.length;
      this.drawNames();
    } else if (event.key === "Enter" || event.key === "Tab") this.choose(this.selected);
    else if (event.key === "Escape") this.closeNames();
    else return false;
    event.preventDefault();
    event.stopPropagation();
    return true;
  }

  choose(at) {
    this.field.setRangeText(`${this.options[at].insert} `, ...this.range, "end");
    this.closeNames();
    this.changed();
  }
}
