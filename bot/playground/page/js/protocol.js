// Takes in what the server tells a page: each kind of event changes the store and says so.

import { GROWTH_ENDS_MS } from "./store.js";

const TRAFFIC_KEPT = 600; // enough for a long session, few enough to stay smooth

/** Take in one event of the page protocol; a kind that this page does not know is left out. */
export function applyEvent(store, event) {
  HANDLERS[event.type]?.(store, event);
}

const HANDLERS = {
  snapshot(store, event) {
    store.team = event.team ?? store.team;
    store.me = typeof event.me === "string" ? event.me : event.me.id;
    store.users = new Map(event.users.map((user) => [user.id, user]));
    store.channels = new Map(event.channels.map((channel) => [channel.id, channel]));
    store.messages = new Map(Object.entries(event.messages ?? {}).map(
      ([channel, list]) => [channel, new Map(list.map((message) => [message.ts, message]))],
    ));
    store.home = event.home ?? null;
    store.botConnected = Boolean(event.bot_connected);
    store.statuses.clear();
    for (const status of event.statuses ?? []) HANDLERS.status(store, status);
    store.prompts = new Map((event.prompts ?? []).map((item) => [placeKey(item), item]));
    store.sessions = new Map((event.sessions ?? []).map((item) => [placeKey(item), item]));
    store.commands = event.commands ?? [];
    store.shortcuts = event.shortcuts ?? [];
    store.features = event.features ?? null;
    store.surface = event.surface ?? null;
    store.traffic = new Map((event.traffic ?? []).map((entry) => [entry.id, entry]));
    if (!store.channels.has(store.current)) store.current = null;
    store.emit("snapshot");
    store.emit("unread");
    store.emit("presence");
    store.emit("traffic", null);
    for (const view of event.views ?? []) store.emit("view", { action: "push", view });
  },
  message(store, { channel, message }) {
    if (!store.messages.has(channel)) store.messages.set(channel, new Map());
    const known = store.messages.get(channel);
    const before = known.get(message.ts);
    known.set(message.ts, message);
    store.noteGrowth(before, message);
    if (!before) store.countUnread(channel, message);
    store.emit("messages", { channel, ts: message.ts, added: !before, message });
    if (store.growing.has(message.ts)) {
      setTimeout(() => store.emit("messages", { channel, ts: message.ts }), GROWTH_ENDS_MS);
    }
  },
  message_deleted(store, { channel, ts }) {
    store.messages.get(channel)?.delete(ts);
    store.emit("messages", { channel, ts });
    if (store.thread?.channel === channel && store.thread.ts === ts) store.closeThread();
  },
  status(store, event) {
    const key = placeKey(event);
    if (event.status) store.statuses.set(key, { ...event, at: Date.now() });
    else store.statuses.delete(key);
    store.emit("status", event);
  },
  session(store, event) {
    store.sessions.set(placeKey(event), event);
    store.emit("session", event);
  },
  view(store, event) {
    store.emit("view", event);
  },
  home(store, { view }) {
    store.home = view;
    store.emit("home");
  },
  channel(store, { channel }) {
    if (channel.members.includes(store.me)) store.channels.set(channel.id, channel);
    else store.forgetChannel(channel.id);
    store.emit("channels", channel);
  },
  bot(store, { connected }) {
    store.botConnected = connected;
    store.emit("presence");
  },
  prompts(store, event) {
    store.prompts.set(placeKey(event), event);
    store.emit("prompts", event);
  },
  user(store, { user }) {
    store.users.set(user.id, user);
    store.emit("channels");
  },
  features(store, event) {
    store.features = event.features ?? store.features;
    store.surface = event.surface ?? store.surface;
    store.emit("features");
  },
  traffic(store, { entry }) {
    store.traffic.set(entry.id, entry);
    while (store.traffic.size > TRAFFIC_KEPT) store.traffic.delete(store.traffic.keys().next().value);
    store.emit("traffic", entry);
  },
};

/** A place is a channel, or a thread in it. */
function placeKey({ channel, thread_ts: threadTs }) {
  return `${channel}:${threadTs ?? ""}`;
}
