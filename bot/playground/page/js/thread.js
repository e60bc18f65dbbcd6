// The thread beside the channel: the first message, its replies, and a composer of its own.

import { Composer } from "./composer.js";
import { el, iconButton } from "./dom.js";
import { MessageList } from "./messagelist.js";

export function mountThread(root, app) {
  const { store } = app;
  const name = el("h2", {});
  const where = el("span", { class: "topic" });
  const list = new MessageList(app, source, { inThread: true });
  const composer = new Composer(app);
  composer.onEdit = (ts) => list.rows.get(ts)?.edit();
  const panel = el("div", { class: "pane-body" }, list.node, composer.node);
  composer.listen(panel);
  root.append(
    el("header", { class: "pane-head" },
      el("div", { class: "pane-title" }, name, where),
      iconButton("close", "Close thread", () => store.closeThread())), panel);

  function source() {
    if (!store.thread) return null;
    const { channel, ts } = store.thread;
    const first = store.message(channel, ts);
    const replies = store.replies(channel, ts);
    const count = store.countedReplies(channel, ts).length;
    return {
      channel, threadTs: ts, messages: first ? [first, ...replies] : replies,
      afterFirst: first && count ? `${count} ${count === 1 ? "reply" : "replies"}` : undefined,
    };
  }

  function show() {
    root.hidden = !store.thread;
    document.getElementById("app").classList.toggle("with-thread", Boolean(store.thread));
    if (!store.thread) return;
    const { channel, ts } = store.thread;
    drawHead();
    list.show("Thread");
    composer.setPlace({ channel, threadTs: ts, label: "Reply in thread", placeholder: "Reply…" });
    drawSuggestions();
  }

  /** The bot may give its work in a thread a title. */
  function drawHead() {
    if (!store.thread) return;
    const { channel, ts } = store.thread;
    name.textContent = store.session(channel, ts)?.title || "Thread";
    where.textContent = store.channelTitle(channel);
  }

  function drawSuggestions() {
    if (!store.thread) return;
    const given = store.prompts.get(`${store.thread.channel}:${store.thread.ts}`);
    composer.suggestions.show(given?.prompts ?? [], given?.title);
  }

  const refresh = ({ channel }) => store.thread?.channel === channel && list.refresh();
  store.on("thread", show);
  store.on("place", show);
  store.on("snapshot", show);
  store.on("messages", refresh);
  store.on("status", refresh);
  store.on("session", drawHead);
  store.on("prompts", drawSuggestions);
  root.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !event.defaultPrevented) store.closeThread();
  });
}
