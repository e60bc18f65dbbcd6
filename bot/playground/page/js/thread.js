// The thread beside the channel: the first message, its replies, and a composer of its own.

import { Composer } from "./composer.js";
import { el, iconButton } from "./dom.js";
import { MessageList } from "./messagelist.js";

export function mountThread(root, app) {
  const { store } = app;
  const where = el("span", { class: "topic" });
  const list = new MessageList(app, source, { inThread: true });
  const composer = new Composer(app);
  composer.onEdit = (ts) => list.rows.get(ts)?.edit();
  root.append(
    el("header", { class: "pane-head" },
      el("div", { class: "pane-title" }, el("h2", {}, "Thread"), where),
      iconButton("close", "Close thread", () => store.closeThread())),
    el("div", { class: "pane-body" }, list.node, composer.node));

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
    const direct = store.channels.get(channel)?.kind === "im";
    where.textContent = `${direct ? "" : "#"}${store.channelName(channel)}`;
    list.show("Thread");
    composer.setPlace({ channel, threadTs: ts, label: "Reply in thread", placeholder: "Reply…" });
  }

  const refresh = ({ channel }) => store.thread?.channel === channel && list.refresh();
  store.on("thread", show);
  store.on("place", show);
  store.on("snapshot", show);
  store.on("messages", refresh);
  store.on("status", refresh);
  root.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !event.defaultPrevented) store.closeThread();
  });
}
