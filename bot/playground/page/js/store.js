// What the page knows: the workspace as the server told it, and where this person is looking.
// Views subscribe by topic; nothing here touches the DOM or the network.

const GUESTS = { single: "guest in one channel", multi: "guest in several channels" };
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
    this.sessions = new Map();
    this.commands = [];
    this.shortcuts = [];
    this.features = null;
    this.surface = null;
    this.viewing = null; // the channel that the bot was told of last
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

  /** Call `listener(detail)` whenever `topic` changes; gives a function that ends it. */
  on(topic, listener) {
    if (!this.listeners.has(topic)) this.listeners.set(topic, new Set());
    this.listeners.get(topic).add(listener);
    return () => this.listeners.get(topic).delete(listener);
  }

  emit(topic, detail) {
    for (const listener of [...this.listeners.get(topic) ?? []]) listener(detail);
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
    if (channel.kind === "mpim") return this.others(channel).map((id) => this.userName(id)).join(", ");
    return channel.kind === "im" ? this.userName(this.counterpart(channel)) : channel.name;
  }

  /** The channel's name as it is spoken of: `#general`, or who is in the conversation. */
  channelTitle(id) {
    return this.isConversation(id) ? this.channelName(id) : `#${this.channelName(id)}`;
  }

  /** True for direct and group messages, which have people instead of a name. */
  isConversation(id) {
    return ["im", "mpim"].includes(this.channels.get(id)?.kind);
  }

  others(channel) {
    return channel.members.filter((id) => id !== this.me);
  }

  counterpart(channel) {
    return channel.members.find((id) => id !== this.me) ?? this.me;
  }

  bot() {
    return [...this.users.values()].find((user) => user.is_bot);
  }

  /** Who a person is, in a few words below their name. */
  userNote(user) {
    if (user.is_bot) return "app";
    const kinds = [user.is_admin && "admin", GUESTS[user.guest], user.external && "from another organisation", user.deleted && "deactivated"];
    return kinds.filter(Boolean).join(", ") || `@${user.name}`;
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

  /** What the bot suggests to ask, with its heading: in this thread, in this conversation, else in its own. */
  promptsOf(channelId, threadTs) {
    const own = (threadTs && this.prompts.get(`${channelId}:${threadTs}`)) ?? this.prompts.get(`${channelId}:`);
    const direct = [...this.channels.keys()].find((id) => this.isBotDirect(id));
    return own ?? this.prompts.get(`${direct}:`) ?? { title: "", prompts: [] };
  }

  session(channelId, threadTs) {
    return this.sessions.get(`${channelId}:${threadTs ?? ""}`);
  }

  /** The session that a person may stop here: this thread's, or in the bot's own conversation any that runs. */
  stoppable(channelId, threadTs) {
    const here = [...this.sessions.values()].filter((each) => (
      each.channel === channelId && each.status === "processing" && each.stoppable !== false));
    return here.find((each) => (threadTs ? each.thread_ts === threadTs : this.isBotDirect(channelId))) ?? null;
  }

  /** True while the text of a message is still coming in: streamed, just changed, or announced by a status. */
  isLive(channelId, message) {
    if (message.streaming !== undefined) return Boolean(message.streaming);
    const threadTs = message.thread_ts ?? message.ts;
    const session = this.session(channelId, threadTs);
    if (session && session.status !== "processing") return false;
    if (this.growing.get(message.ts) > Date.now()) return true;
    if (!this.user(message.user).is_bot || message.ephemeral || isFinished(message)) return false;
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

  /** One has left it: nothing of it stays, and one looks at another. */
  forgetChannel(channelId) {
    this.channels.delete(channelId);
    this.messages.delete(channelId);
    this.unread.delete(channelId);
    if (this.current === channelId) this.openChannel([...this.channels.keys()][0]);
  }

  clearTraffic() {
    this.traffic.clear();
    this.emit("traffic", null);
  }

  // Internals

  countUnread(channelId, message) {
    const mine = message.user === this.me;
    if (mine || (channelId === this.current && document.visibilityState === "visible")) return;
    const direct = this.isConversation(channelId);
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
    const ended = before?.streaming && !message.streaming;
    if (changed && !ended && !isFinished(message)) this.growing.set(message.ts, Date.now() + GROWING_MS);
    else this.growing.delete(message.ts);
  }
}

/** How long a message that has just changed counts as growing, for whoever wants to look again afterwards. */
export const GROWTH_ENDS_MS = GROWING_MS + 50;

/** The root of a thread in the older assistant's container: a title, not a message. */
export function isContainer(message) {
  return message?.subtype === "assistant_app_thread";
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
