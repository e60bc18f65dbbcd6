// The thread beside the channel: the first message, its replies, and a composer of its own.

import { Composer } from "./composer.js";
import { el, iconButton } from "./dom.js";
import { drawContainerIntro } from "./intro.js";
import { MessageList } from "./messagelist.js";
import { openRename } from "./rename.js";
import { isContainer } from "./store.js";

const ALONE = matchMedia("(max-width: 1000px)"); // as in layout.css: then the thread stands in the channel's place

export function mountThread(root, app) {
  const { store } = app;
  const heading = el("h1", { class: "visually-hidden" });
  const name = el("h2", {});
  const where = el("span", { class: "topic" });
  const intro = el("div", { class: "intro" });
  const list = new MessageList(app, source, { inThread: true });
  const composer = new Composer(app);
  composer.onEdit = (ts) => list.rows.get(ts)?.edit();
  const panel = el("div", { class: "pane-body" }, list.node, composer.node);
  composer.listen(panel);
  const rename = iconButton("edit", "Rename", () => openRename(app, store.thread), { hidden: true });
  root.append(heading,
    el("div", { class: "pane-head" },
      el("div", { class: "pane-title" }, name, where), rename,
      iconButton("close", "Close thread", () => store.closeThread())), panel);

  function source() {
    if (!store.thread) return null;
    const { channel, ts } = store.thread;
    const first = store.message(channel, ts);
    const replies = store.replies(channel, ts);
    if (isContainer(first)) return { channel, threadTs: ts, messages: replies, intro };
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
    drawSuggestions();
    list.show("Thread");
    composer.setPlace({ channel, threadTs: ts, label: "Reply in thread", placeholder: "Reply…" });
  }

  /** The bot may give its work in a thread a title. */
  function drawHead() {
    if (!store.thread) return;
    const { channel, ts } = store.thread;
    const root = store.message(channel, ts);
    name.textContent = store.session(channel, ts)?.title || (isContainer(root) && root.text) || "Thread";
    rename.hidden = !store.session(channel, ts);
    where.textContent = store.channelTitle(channel);
    heading.textContent = store.channelTitle(channel);
  }

  /** A thread of the older container begins with suggestions; elsewhere they are chips. */
  function drawSuggestions() {
    if (!store.thread) return;
    const { channel, ts } = store.thread;
    const given = store.prompts.get(`${channel}:${ts}`) ?? { prompts: [], title: "" };
    const empty = !store.replies(channel, ts).length;
    const container = isContainer(store.message(channel, ts));
    composer.suggestions.show(container && empty ? [] : given.prompts, given.title);
    if (container) drawContainerIntro(intro, app, empty ? given : { prompts: [] }, (text) => composer.ask(text));
  }

  const refresh = ({ channel }) => {
    if (store.thread?.channel !== channel) return;
    drawHead();
    drawSuggestions();
    list.refresh();
  };
  store.on("thread", show);
  store.on("place", show);
  store.on("snapshot", show);
  store.on("messages", refresh);
  store.on("status", refresh);
  store.on("session", refresh);
  store.on("prompts", drawSuggestions);
  ALONE.addEventListener("change", tellRole);
  tellRole();

  /** A page has one main part and one first heading; what is not shown cannot be either. */
  function tellRole() {
    root.setAttribute("role", ALONE.matches ? "main" : "complementary");
    heading.hidden = !ALONE.matches;
  }

  root.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !event.defaultPrevented) store.closeThread();
  });
}
