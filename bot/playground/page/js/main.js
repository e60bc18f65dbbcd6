// Starts the page: one store, one socket, the views, and what belongs to none of them (keys, address, theme).

import { createApi } from "./api.js";
import { mountChannel } from "./channel.js";
import { openKeysHelp } from "./keyshelp.js";
import { mountModals } from "./modal.js";
import { closePopover } from "./popover.js";
import { applyEvent } from "./protocol.js";
import { mountSidebar } from "./sidebar.js";
import { Socket } from "./socket.js";
import { Store, isReply } from "./store.js";
import { openSwitcher } from "./switcher.js";
import { applyTheme, currentTheme } from "./theme.js";
import { mountThread } from "./thread.js";
import { announce } from "./toast.js";
import { mountTopbar } from "./topbar.js";
import { mountTraffic } from "./traffic.js";

const FIRST_PERSON = "U0ADAPARK"; // the workspace's admin: whom a newcomer acts as
const OWN_QUESTION_SECONDS = 180;
const byId = (id) => document.getElementById(id);

const store = new Store();
const socket = new Socket({
  onEvent: (event) => applyEvent(store, event),
  onOnline: (online) => store.setOnline(online),
});
const app = { store, api: createApi(store), actAs, toggleTraffic, lookAt };

applyTheme(currentTheme());
store.on("snapshot", restorePlace);
mountTopbar(byId("topbar"), app);
mountSidebar(byId("sidebar"), app);
mountChannel(byId("main"), app);
mountThread(byId("thread"), app);
mountModals(app);
const traffic = mountTraffic(byId("traffic"), app);
for (const topic of ["place", "thread"]) store.on(topic, rememberPlace);
for (const topic of ["unread", "place", "snapshot"]) store.on(topic, drawTitle);
store.on("messages", followOwnQuestion);
store.on("place", tellHome);
for (const topic of ["place", "features"]) store.on(topic, tellContext);
document.addEventListener("open-channel", (event) => store.openChannel(event.detail.channel));
document.addEventListener("keydown", onKey);
document.addEventListener("visibilitychange", readAgain);
byId("main").addEventListener("pointerdown", () => byId("app").classList.remove("with-sidebar"));
if (sessionStorage.getItem("playground-traffic") === "open") toggleTraffic(true);
socket.connect(new URLSearchParams(location.search).get("user") ?? FIRST_PERSON);

/** Become another person: everything on the page is theirs from then on. */
function actAs(user) {
  const address = new URL(location.href);
  address.searchParams.set("user", user);
  history.replaceState(null, "", address);
  closePopover();
  store.unread.clear();
  store.viewing = null;
  store.closeThread();
  socket.connect(user);
}

function toggleTraffic(open = byId("traffic").hidden) {
  byId("traffic").hidden = !open;
  byId("app").classList.toggle("with-traffic", open);
  byId("traffic-button").setAttribute("aria-pressed", String(open));
  sessionStorage.setItem("playground-traffic", open ? "open" : "closed");
  if (open) traffic.opened();
}

/** After a (re)connection: where the address points, else the first channel. */
function restorePlace() {
  if (store.current) {
    tellContext();
    return;
  }
  const { channel, thread } = placeOfAddress();
  store.openChannel(store.channels.has(channel) ? channel : [...store.channels.keys()][0]);
  if (thread && store.message(channel, thread)) store.openThread(channel, thread);
}

/** `#CHANNEL/THREAD` is ours; `/archives/CHANNEL/p1700000000000100` is a permalink as Slack writes them. */
function placeOfAddress() {
  const permalink = /^\/archives\/(\w+)\/p(\d{10})(\d{6})$/.exec(location.pathname);
  if (!permalink) {
    const [channel, thread] = location.hash.slice(1).split("/");
    return { channel, thread };
  }
  const [, channel, seconds, fraction] = permalink;
  const parent = new URLSearchParams(location.search).get("thread_ts");
  return { channel, thread: parent ?? `${seconds}.${fraction}` };
}

function rememberPlace() {
  if (!store.current) return;
  const thread = store.thread ? `/${store.thread.ts}` : "";
  history.replaceState(null, "", `/?user=${store.me}#${store.current}${thread}`);
}

function drawTitle() {
  const mentions = [...store.unread.values()].reduce((sum, each) => sum + each.mentions, 0);
  const name = store.current ? `${store.channelName(store.current)} · ` : "";
  document.title = `${mentions ? `(${mentions}) ` : ""}${name}${store.team.name ?? "Playground"}`;
}

/** The bot answers in a thread: open it for the person who has just asked, so that the answer is seen coming in. */
function followOwnQuestion({ channel, added, message }) {
  if (!added || !message || !store.user(message.user).is_bot) return;
  announce(`${store.userName(message.user)} answers`);
  if (!isReply(message) || message.ephemeral || channel !== store.current || store.thread) return;
  const question = store.message(channel, message.thread_ts);
  const recent = Date.now() / 1000 - Number(message.thread_ts) < OWN_QUESTION_SECONDS;
  if (question?.user === store.me && recent) store.openThread(channel, message.thread_ts);
}

/** Slack tells an app when somebody looks at its pages; the older container answers with the thread to write in. */
async function tellHome() {
  const { current, tab } = store;
  if (!store.isBotDirect(current)) return;
  const { thread_ts: threadTs } = await app.api.openHome(tab).catch(() => ({}));
  if (!threadTs || store.current !== current || store.tab !== tab) return;
  store.openThread(current, threadTs);
  document.querySelector("#thread textarea")?.focus();
}

/** Slack tells an agent which channel somebody looks at; in its own conversation one asks about the channel before. */
function tellContext() {
  const agent = store.surface !== null && store.features?.agent !== false;
  if (!agent) store.viewing = null;
  else if (!store.isBotDirect(store.current)) lookAt(store.current);
}

function lookAt(channel) {
  if (store.viewing === channel) return;
  store.viewing = channel;
  app.api.lookAt(channel).catch(() => {});
  store.emit("viewing");
}

function readAgain() {
  if (document.visibilityState !== "visible" || !store.unread.has(store.current)) return;
  store.unread.delete(store.current);
  store.emit("unread");
}

function onKey(event) {
  if (document.querySelector("dialog[open]")) return;
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    openSwitcher(app);
  } else if ((event.ctrlKey || event.metaKey) && event.key === "/") {
    event.preventDefault();
    openKeysHelp();
  } else if (event.altKey && ["ArrowUp", "ArrowDown"].includes(event.key)) {
    event.preventDefault();
    const ids = [...store.channels.keys()];
    const at = ids.indexOf(store.current) + (event.key === "ArrowUp" ? -1 : 1);
    store.openChannel(ids[(at + ids.length) % ids.length]);
  } else if (event.key === "Escape" && !event.defaultPrevented) {
    byId("app").classList.remove("with-sidebar");
    store.closeThread();
  }
}
