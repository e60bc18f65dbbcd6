// One message: who, when, what, its reactions, its thread and the bar of actions.

import { avatar, userBadges } from "./avatar.js";
import { renderBlocks } from "./blocks.js";
import { confirmDialog } from "./dialogs.js";
import { el, icon, refill } from "./dom.js";
import { emojiText } from "./emoji.js";
import { messageFiles } from "./files.js";
import { Form } from "./form.js";
import { messageBar } from "./messagebar.js";
import { editMessage } from "./messageedit.js";
import { mrkdwn } from "./mrkdwn.js";
import { openEmojiPicker } from "./popover.js";
import { isPlaceholder } from "./store.js";
import { markLive } from "./streaming.js";
import { ago, clockTime, fullTime } from "./time.js";

const SHOWN_FACES = 3;

/** A row of the list; `update` draws only what changed, so that hover, focus and selection survive. */
export class MessageRow {
  constructor(app, channel, { inThread }) {
    this.app = app;
    this.channel = channel;
    this.inThread = inThread;
    this.form = new Form();
    this.drawn = {};
    this.gutter = el("div", { class: "message-gutter" });
    this.head = el("div", { class: "message-head" });
    this.body = el("div", { class: "message-body" });
    this.reactions = el("div", { class: "reactions" });
    this.footer = el("div", { class: "message-footer" });
    this.node = el("article", { class: "message", tabindex: "-1", onkeydown: (event) => this.onKey(event) },
      this.gutter, el("div", { class: "message-main" }, this.head, this.body, this.reactions, this.footer));
    const bar = () => this.ensureBar();
    this.node.addEventListener("pointerenter", bar, { once: true });
    this.node.addEventListener("focusin", bar, { once: true });
  }

  update(message, compact) {
    this.message = message;
    const { store } = this.app;
    const live = store.isLive(this.channel, message);
    this.node.dataset.ts = message.ts;
    this.node.classList.toggle("message-compact", compact);
    this.node.classList.toggle("message-ephemeral", Boolean(message.ephemeral));
    this.node.classList.toggle("message-working", live && isPlaceholder(message));
    this.node.setAttribute("aria-label", `${store.userName(message.user)}, ${clockTime(message.ts)}`);
    this.node.setAttribute("aria-busy", String(live));
    this.part("head", [compact, store.user(message.user), message.ephemeral], () => this.drawHead(compact));
    this.part("body", [message.text, message.blocks, message.files, message.edited, live, this.editing], () => this.drawBody(live));
    this.part("reactions", [message.reactions, store.me], () => this.drawReactions());
    this.drawFooter();
  }

  part(name, values, draw) {
    const key = JSON.stringify(values);
    if (this.drawn[name] === key) return;
    this.drawn[name] = key;
    draw();
  }

  drawHead(compact) {
    const { message, app: { store } } = this;
    const user = store.user(message.user);
    const time = el("time", { class: "message-time", title: fullTime(message.ts) }, clockTime(message.ts));
    this.gutter.replaceChildren(compact ? time : avatar(user));
    this.head.replaceChildren();
    if (message.ephemeral) this.head.append(this.ephemeralNote());
    if (compact) return;
    this.head.append(el("span", { class: "message-author" }, user.real_name || user.name), ...userBadges(user), time);
  }

  ephemeralNote() {
    const dismiss = () => this.app.api.remove({ channel: this.channel, ts: this.message.ts }).catch(() => {});
    return el("div", { class: "ephemeral-note" }, icon("eye"), "Only visible to you ",
      el("button", { type: "button", class: "link-button", onclick: dismiss }, "Dismiss"));
  }

  drawBody(live) {
    const { message, app: { store, api } } = this;
    if (this.editing) return;
    const before = this.body.textContent;
    const act = (action) => api.blockAction({
      container: { type: "message", channel: this.channel, ts: message.ts }, action, state: { values: this.form.values },
    });
    const ctx = { names: store, act, form: this.form, place: message.ts };
    if (message.subtype === "tombstone") {
      this.body.replaceChildren(el("em", { class: "muted" }, "This message was deleted."));
      return;
    }
    // What a person typed is shown from its text: Slack's own client had put the styles into the blocks.
    const content = message.blocks?.length && store.user(message.user).is_bot
      ? renderBlocks(message.blocks, ctx)
      : mrkdwn(message.text ?? "", store);
    refill(this.body, content, message.files?.length > 0 && messageFiles(message.files));
    if (message.edited && !store.user(message.user).is_bot) {
      const last = this.body.lastElementChild;
      (last?.classList.contains("lines") ? last : this.body).append(el("span", { class: "edited" }, "(edited)"));
    }
    if (live || this.wasLive) markLive(this.body, before, live);
    this.wasLive = live;
  }

  drawReactions() {
    const { message, app: { store } } = this;
    const list = message.reactions ?? [];
    refill(this.reactions, list.map((reaction) => {
      const mine = reaction.users.includes(store.me);
      const who = reaction.users.map((id) => (id === store.me ? "you" : store.userName(id))).join(", ");
      return el("button", {
        type: "button", class: "reaction", "aria-pressed": mine, title: `${who} reacted with :${reaction.name}:`,
        "aria-label": `${emojiText(reaction.name)} ${reaction.count}, ${mine ? "remove your" : "add your"} reaction`,
        dataset: { focus: `${message.ts}/reaction/${reaction.name}` }, onclick: () => this.react(reaction.name),
      }, el("span", { class: "emoji" }, emojiText(reaction.name)), el("span", { class: "reaction-count" }, reaction.count));
    }), list.length > 0 && el("button", {
      type: "button", class: "reaction reaction-add", "aria-label": "Add another reaction", title: "Add another reaction",
      onclick: (event) => this.pickReaction(event.currentTarget),
    }, icon("smile")));
  }

  drawFooter() {
    if (this.inThread) return;
    const { message, app: { store } } = this;
    const replies = store.countedReplies(this.channel, message.ts);
    const status = store.status(this.channel, message.ts);
    const last = replies.at(-1);
    this.part("footer", [replies.map((each) => each.user), last?.ts, status?.status, Math.floor(Date.now() / 60_000)], () => {
      this.footer.replaceChildren();
      if (!last && !status) return;
      const faces = [...new Set(replies.map((each) => each.user))].slice(0, SHOWN_FACES);
      const count = `${replies.length} ${replies.length === 1 ? "reply" : "replies"}`;
      this.footer.append(el("button", { type: "button", class: "thread-link", onclick: () => this.openThread() },
        el("span", { class: "faces" }, faces.map((id) => avatar(store.user(id), "small"))),
        last && el("strong", {}, count),
        el("span", { class: "thread-note" }, status ? statusText(store, status) : `Last reply ${ago(last.ts)}`),
        icon("right", "icon thread-arrow")));
    });
  }

  ensureBar() {
    if (this.bar || this.message.ephemeral || this.message.subtype === "tombstone") return;
    this.bar = messageBar(this);
    this.node.append(this.bar);
  }

  react(name) {
    const mine = this.message.reactions?.find((each) => each.name === name)?.users.includes(this.app.store.me);
    this.app.api.react({ channel: this.channel, ts: this.message.ts, name, add: !mine }).catch(() => {});
  }

  pickReaction(anchor) {
    openEmojiPicker(anchor, (name) => this.react(name));
  }

  openThread() {
    this.app.store.openThread(this.channel, this.message.thread_ts ?? this.message.ts);
    document.querySelector("#thread textarea")?.focus();
  }

  edit() {
    editMessage(this);
  }

  async remove() {
    const sure = await confirmDialog({
      title: "Delete this message?", body: "It is removed for everyone, and the bot is told.", yes: "Delete", danger: true,
    });
    if (sure) await this.app.api.remove({ channel: this.channel, ts: this.message.ts }).catch(() => {});
  }

  onKey(event) {
    if (event.target !== this.node || event.ctrlKey || event.metaKey || event.altKey) return;
    const act = { Enter: () => !this.inThread && this.openThread(), r: () => this.pickReaction(this.node),
      e: () => this.message.user === this.app.store.me && this.edit() }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }
}

/** "Lorekeeper is searching…": the name goes in front of a status that begins in lower case, as Slack does it. */
export function statusText(store, status) {
  const rotating = status.loading_messages ?? [];
  if (rotating.length) return rotating[Math.floor((Date.now() - status.at) / 3000) % rotating.length];
  const text = status.status.replace(/[.…]+$/, "");
  return /^\p{Lu}/u.test(text) ? text : `${store.bot()?.real_name ?? "The bot"} ${text}`;
}
