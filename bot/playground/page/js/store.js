// What the page knows: the workspace as the server told it, and where this person is looking.
// Views subscribe by topic; nothing here touches the DOM or the network.

const TRAFFIC_KEPT = 600; // enough for a long session, few enough to stay smooth
const GROWING_MS = 4000; // a bot that streams by chat.update sends at least one edit in this time
const STATUS_MS = 120_000; // Slack clears a status after two minutes without a message

export class Store {
  constructor() {
    this.listeners = new Map();
    this.me = null;
    this.team = { name: "Playground" };
    this.users = new Map();
    this.channels = new Map();
    this.messages = new Map();
    this.statuses = new Map();
    this.prompts = new Map();
    this.unread = new Map();
    this.newSince = new Map();
    this.growing = new Map();
    this.traffic = new Map();
    this.home = null;
    this.botConnected = false;
    this.online = false;
    this.current = null;
    this.tab = "messages";
    this.thread = null;
  }

  /** Call `listener(detail)` whenever `topic` changes. */
  on(topic, listener) {
    if (!this.listeners.has(topic)) this.listeners.set(topic, []);
    this.listeners.get(topic).push(listener);
  }

  emit(topic, detail) {
    for (const listener of this.listeners.get(topic) ?? []) listener(detail);
  }

  /** Take in one event of the page protocol. */
  apply(event) {
    const handler = HANDLERS[event.type];
    if (handler) handler(this, event);
  }

  setOnline(online) {
    this.online = online;
    this.emit("presence");
  }

  // Reading

  user(id) {
    const name = id === "USLACKBOT" ? "Slackbot" : id;
    return this.users.get(id) ?? { id, name, real_name: name };
  }

  userName(id) {
    const user = this.user(id);
    return user.real_name || user.name;
  }

  channelName(id) {
    const channel = this.channels.get(id);
    if (!channel) return id;
    return channel.kind === "im" ? this.userName(this.counterpart(channel)) : channel.name;
  }

  counterpart(channel) {
    return channel.members.find((id) => id !== this.me) ?? this.me;
  }

  bot() {
    return [...this.users.values()].find((user) => user.is_bot);
  }

  botHere(channelId) {
    const bot = this.bot();
    return Boolean(bot && this.channels.get(channelId)?.members.includes(bot.id));
  }

  isBotDirect(channelId) {
    const channel = this.channels.get(channelId);
    return channel?.kind === "im" && channel.members.includes(this.bot()?.id);
  }

  message(channelId, ts) {
    return this.messages.get(channelId)?.get(ts);
  }

  sorted(channelId) {
    return [...(this.messages.get(channelId)?.values() ?? [])].sort((a, b) => (a.ts < b.ts ? -1 : 1));
  }

  roots(channelId) {
    return this.sorted(channelId).filter((each) => !isReply(each) || each.subtype === "thread_broadcast");
  }

  replies(channelId, threadTs) {
    return this.sorted(channelId).filter((each) => isReply(each) && each.thread_ts === threadTs);
  }

  /** Replies that everyone sees: what only this person sees is not counted, as in Slack. */
  countedReplies(channelId, threadTs) {
    return this.replies(channelId, threadTs).filter((each) => !each.ephemeral);
  }

  status(channelId, threadTs) {
    const status = this.statuses.get(`${channelId}:${threadTs ?? ""}`);
    return status && Date.now() - status.at < STATUS_MS ? status : null;
  }

  promptsOf(channelId) {
    return this.prompts.get(channelId) ?? [];
  }

  /** True while the text of a message is still coming in: streamed, just changed, or announced by a status. */
  isLive(channelId, message) {
    if (message.streaming !== undefined) return Boolean(message.streaming);
    if (this.growing.get(message.ts) > Date.now()) return true;
    if (!this.user(message.user).is_bot || message.ephemeral || isFinished(message)) return false;
    const threadTs = message.thread_ts ?? message.ts;
    return Boolean(this.status(channelId, threadTs)) && this.replies(channelId, threadTs).at(-1)?.ts === message.ts;
  }

  // Where the person looks

  openChannel(channelId, tab = "messages") {
    const moved = this.current !== channelId;
    if (!this.channels.has(channelId) || (!moved && this.tab === tab)) return;
    if (moved) this.thread = null;
    this.current = channelId;
    this.tab = tab;
    this.newSince.set(channelId, this.unread.get(channelId)?.first);
    this.unread.delete(channelId);
    this.emit("place", { moved });
    this.emit("unread");
  }

  openThread(channelId, ts) {
    this.openChannel(channelId);
    this.thread = { channel: channelId, ts };
    this.emit("thread");
  }

  closeThread() {
    if (!this.thread) return;
    this.thread = null;
    this.emit("thread");
  }

  clearTraffic() {
    this.traffic.clear();
    this.emit("traffic", null);
  }

  // Internals

  countUnread(channelId, message) {
    const mine = message.user === this.me;
    if (mine || (channelId === this.current && document.visibilityState === "visible")) return;
    const direct = ["im", "mpim"].includes(this.channels.get(channelId)?.kind);
    const before = this.unread.get(channelId) ?? { messages: 0, mentions: 0, first: message.ts };
    const forMe = direct || (message.text ?? "").includes(`<@${this.me}>`) || this.inMyThread(channelId, message);
    this.unread.set(channelId, {
      ...before, messages: before.messages + 1, mentions: before.mentions + (forMe ? 1 : 0),
    });
    this.emit("unread");
  }

  inMyThread(channelId, message) {
    return isReply(message) && this.message(channelId, message.thread_ts)?.user === this.me;
  }

  noteGrowth(before, message) {
    const changed = before && this.user(message.user).is_bot && message.text !== before.text;
    if (changed && !isFinished(message)) this.growing.set(message.ts, Date.now() + GROWING_MS);
    else this.growing.delete(message.ts);
  }
}

export function isReply(message) {
  return Boolean(message.thread_ts && message.thread_ts !== message.ts);
}

/** A finished answer has something to click; one that is being written has not. */
function isFinished(message) {
  return /"type":"(feedback_buttons|button|icon_button)"/.test(JSON.stringify(message.blocks ?? ""));
}

/** True for a message that only says what is being done: "Searching…" in small type. */
export function isPlaceholder(message) {
  return Boolean(message?.blocks?.length) && message.blocks.every((block) => block.type === "context");
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
    store.prompts = new Map((event.prompts ?? []).map((item) => [item.channel, item.prompts]));
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
      setTimeout(() => store.emit("messages", { channel, ts: message.ts }), GROWING_MS + 50);
    }
  },
  message_deleted(store, { channel, ts }) {
    store.messages.get(channel)?.delete(ts);
    store.emit("messages", { channel, ts });
    if (store.thread?.channel === channel && store.thread.ts === ts) store.closeThread();
  },
  status(store, event) {
    const key = `${event.channel}:${event.thread_ts ?? ""}`;
    if (event.status) store.statuses.set(key, { ...event, at: Date.now() });
    else store.statuses.delete(key);
    store.emit("status", event);
  },
  view(store, event) {
    store.emit("view", event);
  },
  home(store, { view }) {
    store.home = view;
    store.emit("home");
  },
  channel(store, { channel }) {
    store.channels.set(channel.id, channel);
    store.emit("channels", channel);
  },
  bot(store, { connected }) {
    store.botConnected = connected;
    store.emit("presence");
  },
  prompts(store, { channel, prompts }) {
    store.prompts.set(channel, prompts);
    store.emit("prompts", { channel });
  },
  traffic(store, { entry }) {
    store.traffic.set(entry.id, entry);
    while (store.traffic.size > TRAFFIC_KEPT) store.traffic.delete(store.traffic.keys().next().value);
    store.emit("traffic", entry);
  },
};
