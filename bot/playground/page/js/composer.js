// The field to write in: Enter sends, Shift+Enter breaks the line. Drafts and files are kept per place.

import { Attachments, encodeFiles } from "./attachments.js";
import { Completion } from "./completion.js";
import { el, icon, iconButton, refill } from "./dom.js";
import { emojiChar } from "./emoji.js";
import { openEmojiPicker } from "./popover.js";
import { globalShortcuts, openShortcuts } from "./shortcuts.js";
import { parseCommand, refuseCommand } from "./slash.js";
import { createSuggestions } from "./suggestions.js";
import { toSlack } from "./typed.js";

const MAX_HEIGHT_PX = 240;

export class Composer {
  constructor(app) {
    this.app = app;
    this.drafts = new Map();
    this.place = null;
    this.field = el("textarea", {
      rows: 1, class: "composer-field", autocomplete: "off", spellcheck: "true",
      oninput: () => this.changed(), onkeydown: (event) => this.onKey(event),
      onblur: () => this.completion.close(), onclick: () => this.completion.update(),
    });
    this.completion = new Completion(app, this.field, { place: () => this.place, onChange: () => this.changed() });
    this.attachments = new Attachments(() => this.drawReady());
    this.suggestions = createSuggestions((text) => this.ask(text));
    this.tip = el("div", { class: "composer-tip", hidden: true });
    this.about = el("div", { class: "composer-about", hidden: true });
    this.shortcutButton = iconButton("bolt", "Shortcuts", (event) => openShortcuts(app, event.currentTarget, this), {
      "aria-haspopup": "menu",
    });
    this.sendButton = el("button", { type: "submit", class: "send-button", "aria-label": "Send", title: "Send (Enter)" }, icon("send"));
    this.stopButton = el("button", { type: "button", class: "stop-button", title: "Stop the answer", hidden: true,
      onclick: () => this.stop() }, icon("stop"), "Stop");
    this.node = el("form", { class: "composer", onsubmit: (event) => {
      event.preventDefault();
      this.send();
    } }, this.completion.node, this.suggestions.node, this.box());
    for (const topic of ["session", "snapshot"]) app.store.on(topic, () => this.drawStop());
    for (const topic of ["snapshot", "features"]) app.store.on(topic, () => this.drawShortcuts());
  }

  box() {
    return el("div", { class: "composer-box", onclick: (event) => event.target === event.currentTarget && this.field.focus() },
      this.about, this.field, this.tip, this.attachments.node,
      el("div", { class: "composer-row" },
        iconButton("attach", "Attach files", () => this.attachments.pick()), this.attachments.input,
        iconButton("at", "Mention someone", () => this.insert("@")),
        iconButton("smile", "Insert an emoji", (event) => this.pickEmoji(event.currentTarget)),
        this.shortcutButton,
        el("span", { class: "composer-hint", "aria-hidden": "true" },
          el("kbd", {}, "Enter"), " to send, ", el("kbd", {}, "Shift Enter"), " for a new line"),
        this.stopButton, this.sendButton));
  }

  /** Take files that are dropped anywhere on `pane`. */
  listen(pane) {
    this.attachments.listen(pane, this.field);
  }

  /** Move to a channel or thread; `label` is the field's name, `placeholder` what it shows while empty. */
  setPlace({ channel, threadTs, label, placeholder }) {
    this.saveDraft();
    this.place = { channel, threadTs };
    this.field.setAttribute("aria-label", label);
    this.field.placeholder = placeholder ?? label;
    const draft = this.drafts.get(this.draftKey()) ?? { text: "", files: [] };
    this.field.value = draft.text;
    this.attachments.set(draft.files);
    this.completion.close();
    this.resize();
    this.drawShortcuts();
    this.drawStop();
  }

  target() {
    const { channel, threadTs } = this.place;
    return { channel, ...(threadTs && { thread_ts: threadTs }) };
  }

  draftKey() {
    return `${this.app.store.me}:${this.place.channel}:${this.place.threadTs ?? ""}`;
  }

  saveDraft() {
    if (this.place) this.drafts.set(this.draftKey(), this.written());
  }

  written() {
    return { text: this.field.value, files: this.attachments.files };
  }

  focus() {
    this.field.focus({ preventScroll: true });
  }

  /** Say what the bot was told that one looks at, with a way to take it back; `null` says nothing. */
  showAbout(name, onClear) {
    this.about.hidden = !name;
    refill(this.about, name && [icon("eye"), el("span", {}, `Looking at ${name}`), iconButton("close", "Look at nothing", onClear)]);
  }

  insert(text) {
    const { selectionStart: at, value } = this.field;
    const space = at > 0 && !/\s/.test(value[at - 1]) ? " " : "";
    this.field.setRangeText(space + text, at, this.field.selectionEnd, "end");
    this.focus();
    this.changed();
  }

  /** Begin a command; what was written stays behind it. */
  insertCommand(command) {
    this.field.value = `${command} ${this.field.value}`;
    this.focus();
    this.changed();
  }

  pickEmoji(anchor) {
    openEmojiPicker(anchor, (name) => this.insert(`${emojiChar(name)} `));
  }

  async send() {
    const { text, files } = this.written();
    if ((!text.trim() && !files.length) || !this.place) return;
    const command = parseCommand(text, this.app.store);
    if (command && refuseCommand(command, this.place, files, this.app.store.commands.length > 0)) return;
    const sentFrom = this.draftKey();
    this.field.value = "";
    this.attachments.set([]);
    this.changed();
    try {
      await (command ? this.run(command) : this.post(text.trim(), files));
      this.drafts.delete(sentFrom);
    } catch {
      this.restore(sentFrom, { text: text.trim(), files });
    }
  }

  /** Send a suggested text at once, and be ready for what comes next. */
  ask(text) {
    this.app.api.say({ ...this.target(), text }).catch(() => {});
    this.focus();
  }

  async post(typed, files) {
    const body = { ...this.target(), text: toSlack(typed, this.app.store) };
    await this.app.api.say(files.length ? { ...body, files: await encodeFiles(files) } : body);
  }

  run({ command, text }) {
    return this.app.api.slash({ channel: this.place.channel, command, text: toSlack(text, this.app.store) });
  }

  /** Nothing that was written is lost: it comes back where it was. */
  restore(sentFrom, draft) {
    if (this.draftKey() === sentFrom && !this.field.value && !this.attachments.files.length) {
      this.field.value = draft.text;
      this.attachments.set(draft.files);
    } else this.drafts.set(sentFrom, draft);
    this.changed();
  }

  async stop() {
    const session = this.app.store.stoppable(this.place.channel, this.place.threadTs);
    if (!session || this.stopButton.getAttribute("aria-busy") === "true") return;
    this.stopButton.setAttribute("aria-busy", "true");
    await this.app.api.stopSession({ channel: session.channel, thread_ts: session.thread_ts })
      .catch(() => this.stopButton.removeAttribute("aria-busy"));
  }

  changed() {
    this.resize();
    this.completion.update();
    const command = parseCommand(this.field.value, this.app.store);
    const hint = command?.known && !this.place.threadTs && /\s$/.test(this.field.value) && !command.text && command.known.usage_hint;
    this.tip.hidden = !hint;
    this.tip.textContent = hint ? `${command.command} ${hint}` : "";
  }

  resize() {
    this.field.style.height = "auto";
    this.field.style.height = `${Math.min(this.field.scrollHeight, MAX_HEIGHT_PX)}px`;
    this.drawReady();
  }

  drawReady() {
    const ready = this.field.value.trim() !== "" || this.attachments.files.length > 0;
    this.node.classList.toggle("composer-ready", ready);
  }

  drawShortcuts() {
    const { store } = this.app;
    this.shortcutButton.hidden = !globalShortcuts(store).length && !store.commands.length;
  }

  drawStop() {
    if (!this.place) return;
    const stoppable = Boolean(this.app.store.stoppable(this.place.channel, this.place.threadTs));
    const focused = document.activeElement === this.stopButton;
    if (!stoppable || this.stopButton.hidden) this.stopButton.removeAttribute("aria-busy");
    this.stopButton.hidden = !stoppable;
    this.node.classList.toggle("composer-busy", stoppable);
    if (focused && !stoppable) this.focus();
  }

  onKey(event) {
    if (this.completion.onKey(event)) return;
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
}
