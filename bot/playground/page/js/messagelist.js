// A scrolling list of messages, for a channel and for a thread: order, days, grouping, status, scroll position.

import { avatar } from "./avatar.js";
import { el, icon, reorder } from "./dom.js";
import { MessageRow, statusText } from "./message.js";
import { isPlaceholder } from "./store.js";
import { dayKey, dayName } from "./time.js";

const GROUP_SECONDS = 300; // messages of one person within this time share one head
const NEAR_BOTTOM_PX = 90;

/** `source()` gives {channel, threadTs, messages, intro, afterFirst}; call `show()` when it is another place. */
export class MessageList {
  constructor(app, source, { inThread = false } = {}) {
    this.app = app;
    this.source = source;
    this.inThread = inThread;
    this.rows = new Map();
    this.days = new Map();
    this.statusLine = el("div", { class: "status-line", role: "status", hidden: true });
    this.list = el("div", { class: "message-list" });
    this.scroller = el("div", { class: "scroller", role: "log", "aria-live": "off", tabindex: "-1",
      onkeydown: (event) => this.onKey(event), onscroll: () => this.onScroll() }, this.list, this.statusLine);
    this.jump = el("button", { type: "button", class: "jump", hidden: true, onclick: () => this.toBottom() },
      icon("down"), "New messages");
    this.node = el("div", { class: "list-holder" }, this.scroller, this.jump);
    this.stick = true; // stay at the newest message until the person scrolls away
    this.lastTop = 0;
    this.pressed = false; // what moves or is drawn again between press and release would swallow the click
    this.missed = false;
    this.scroller.addEventListener("pointerdown", () => { this.pressed = true; });
    for (const end of ["pointerup", "pointercancel"]) window.addEventListener(end, () => this.released());
    const keep = new ResizeObserver(() => this.stick && !this.pressed && this.toBottom());
    keep.observe(this.scroller);
    keep.observe(this.list);
    setInterval(() => this.drawStatus(), 1000);
  }

  /** Begin again with another channel or thread. */
  show(label) {
    this.pressed = false;
    this.rows.clear();
    this.days.clear();
    this.list.replaceChildren();
    this.scroller.setAttribute("aria-label", label);
    this.refresh();
    this.toBottom();
  }

  refresh() {
    const place = this.source();
    if (!place) return;
    if (this.pressed) {
      this.missed = true;
      return;
    }
    const wasAtBottom = this.stick;
    const count = this.rows.size;
    reorder(this.list, this.nodes(place));
    this.drawStatus();
    this.setTabStop();
    const last = place.messages.at(-1);
    const added = this.rows.size > count;
    if (wasAtBottom || (added && last?.user === this.app.store.me)) this.toBottom();
    else if (added) this.jump.hidden = false;
  }

  /** The click comes after the release: only then the list may change again. */
  released() {
    if (!this.pressed) return;
    setTimeout(() => {
      this.pressed = false;
      if (!this.missed) return;
      this.missed = false;
      this.refresh();
    });
  }

  nodes({ channel, messages, intro, afterFirst, newSince }) {
    const nodes = intro ? [intro] : [];
    const kept = new Set();
    let before = null;
    messages.forEach((message, at) => {
      const day = !before || dayKey(before.ts) !== dayKey(message.ts);
      if (day && !this.inThread) nodes.push(this.day(message.ts));
      const isNew = newSince === message.ts;
      if (isNew) nodes.push(this.divider("new", "New", "new-divider"));
      const row = this.row(channel, message);
      row.update(message, Boolean(before) && !day && !isNew && follows(before, message) && !(afterFirst && at === 1));
      nodes.push(row.node);
      kept.add(message.ts);
      if (at === 0 && afterFirst) nodes.push(this.divider("replies", afterFirst, "replies-divider"));
      before = message;
    });
    for (const ts of this.rows.keys()) if (!kept.has(ts)) this.rows.delete(ts);
    return nodes;
  }

  row(channel, message) {
    if (!this.rows.has(message.ts)) this.rows.set(message.ts, new MessageRow(this.app, channel, { inThread: this.inThread }));
    return this.rows.get(message.ts);
  }

  day(ts) {
    return this.divider(`day-${dayKey(ts)}`, dayName(ts), "day-divider");
  }

  divider(key, text, className) {
    if (!this.days.has(key)) this.days.set(key, el("div", { class: className, role: "separator" }, el("span", {})));
    const node = this.days.get(key);
    node.firstElementChild.textContent = text;
    node.setAttribute("aria-label", text);
    return node;
  }

  drawStatus() {
    if (this.pressed) return;
    const place = this.source();
    const { store } = this.app;
    const last = place?.messages.filter((message) => !message.ephemeral).at(-1);
    // Where the bot's own message says what it does, saying it twice would be noise.
    const status = place && !isPlaceholder(last) && store.status(place.channel, place.threadTs);
    this.statusLine.hidden = !status;
    if (!status) {
      this.statusLine.replaceChildren();
      return;
    }
    const text = statusText(store, status);
    if (this.statusLine.dataset.text !== text || !this.statusLine.firstChild) {
      this.statusLine.dataset.text = text;
      this.statusLine.replaceChildren(avatar(store.bot() ?? store.user("?"), "small"),
        el("span", {}, text), el("span", { class: "dots", "aria-hidden": "true" }, el("i"), el("i"), el("i")));
    }
    if (this.stick) this.toBottom();
  }

  atBottom() {
    const { scrollHeight, scrollTop, clientHeight } = this.scroller;
    return scrollHeight - scrollTop - clientHeight < NEAR_BOTTOM_PX;
  }

  toBottom() {
    this.stick = true;
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.jump.hidden = true;
  }

  onScroll() {
    const { scrollTop } = this.scroller;
    // Only scrolling up lets go: a list that becomes smaller around its content is no wish of the person.
    if (this.atBottom()) this.stick = true;
    else if (scrollTop < this.lastTop) this.stick = false;
    this.lastTop = scrollTop;
    if (this.stick) this.jump.hidden = true;
  }

  /** One message can be reached with Tab; the arrow keys go on from there. */
  setTabStop() {
    const nodes = this.messageNodes();
    const focused = nodes.find((node) => node.contains(document.activeElement));
    for (const node of nodes) node.tabIndex = -1;
    const stop = focused ?? nodes.at(-1);
    if (stop) stop.tabIndex = 0;
  }

  messageNodes() {
    return [...this.list.querySelectorAll("article")];
  }

  onKey(event) {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!step || event.altKey || event.target.closest("textarea, input, select, .choices")) return;
    const nodes = this.messageNodes();
    const at = nodes.findIndex((node) => node.contains(document.activeElement));
    const next = nodes[at < 0 ? nodes.length - 1 : at + step];
    if (!next) return;
    event.preventDefault();
    next.focus();
    this.setTabStop();
  }
}

function follows(before, message) {
  return before.user === message.user && !message.ephemeral && !before.ephemeral
    && Number(message.ts) - Number(before.ts) < GROUP_SECONDS;
}
