// The middle of the page: a channel's head, its messages or the bot's home, and the composer.

import { avatar } from "./avatar.js";
import { Composer } from "./composer.js";
import { openMembers } from "./channeldialogs.js";
import { el, icon, refill } from "./dom.js";
import { createHome } from "./home.js";
import { MessageList } from "./messagelist.js";

const DEFAULT_PROMPTS = [
  { title: "First things first", message: "What can you do?" },
  { title: "Get started", message: "How do I get started?" },
  { title: "Get help", message: "Where do I find help if something does not work?" },
];

export function mountChannel(root, app) {
  const { store, api } = app;
  const head = el("header", { class: "pane-head" });
  const banner = el("div", { class: "banner", role: "status", hidden: true });
  const home = createHome(app);
  const intro = el("div", { class: "intro" });
  const list = new MessageList(app, source);
  const composer = new Composer(app);
  composer.onEdit = (ts) => list.rows.get(ts)?.edit();
  const panel = el("div", { class: "pane-body" }, list.node, composer.node);
  root.append(head, banner, panel, home.node);

  function source() {
    const channel = store.current;
    if (!channel) return null;
    return { channel, messages: store.roots(channel), intro, newSince: store.newSince.get(channel) };
  }

  function showPlace() {
    const channel = store.channels.get(store.current);
    if (!channel) return;
    drawHead();
    drawIntro();
    const onHome = store.isBotDirect(channel.id) && store.tab === "home";
    panel.hidden = onHome;
    home.node.hidden = !onHome;
    list.show(`Messages in ${title(channel)}`);
    labelComposer();
    if (!onHome) composer.focus();
  }

  function labelComposer() {
    const channel = store.channels.get(store.current);
    const label = `Message ${title(channel)}`;
    const ask = store.botHere(channel.id) && channel.kind !== "im";
    composer.setPlace({ channel: channel.id, label, placeholder: ask ? `${label}, or ask @${store.bot().real_name}` : label });
  }

  function title(channel) {
    return channel.kind === "im" ? store.channelName(channel.id) : `#${channel.name}`;
  }

  function drawHead() {
    const channel = store.channels.get(store.current);
    if (!channel) return;
    const direct = channel.kind === "im";
    refill(head,
      el("div", { class: "pane-title" },
        direct ? avatar(store.user(store.counterpart(channel)), "small") : icon(channel.kind === "private" ? "lock" : "hash"),
        el("h1", {}, store.channelName(channel.id)),
        channel.topic && el("span", { class: "topic" }, channel.topic)),
      store.isBotDirect(channel.id) && tabs(channel),
      !direct && el("button", {
        type: "button", class: "chip-button", dataset: { focus: "members" },
        "aria-label": `${channel.members.length} members`, title: "Members",
        onclick: () => openMembers(app, channel.id),
      }, icon("people"), channel.members.length));
  }

  function tabs(channel) {
    const tab = (key, label) => el("button", {
      type: "button", role: "tab", class: "tab", "aria-selected": store.tab === key,
      tabindex: store.tab === key ? "0" : "-1", dataset: { focus: `tab-${key}` },
      onclick: () => store.openChannel(channel.id, key),
    }, label);
    return el("div", { class: "tabs", role: "tablist", "aria-label": `${store.channelName(channel.id)} pages`,
      onkeydown: (event) => {
        if (!["ArrowLeft", "ArrowRight"].includes(event.key)) return;
        store.openChannel(channel.id, store.tab === "home" ? "messages" : "home");
      } }, tab("home", "Home"), tab("messages", "Messages"));
  }

  function drawIntro() {
    const channel = store.channels.get(store.current);
    if (!channel) return;
    const bot = store.bot();
    const empty = store.roots(channel.id).length === 0;
    const withBot = store.botHere(channel.id);
    refill(intro,
      el("span", { class: "intro-icon" }, icon(channel.kind === "im" ? "book" : channel.kind === "private" ? "lock" : "hash")),
      el("h2", {}, withBot && channel.kind === "im" ? `Ask ${bot.real_name}` : `Welcome to ${title(channel)}`),
      el("p", {}, introText(channel, withBot, bot)),
      !withBot && bot && channel.kind !== "im" && el("button", {
        type: "button", class: "button button-primary", dataset: { focus: "invite" },
        onclick: () => api.invite({ channel: channel.id, invitee: bot.id }).catch(() => {}),
      }, `Invite ${bot.real_name}`),
      withBot && empty && el("div", { class: "prompts", role: "group", "aria-label": "Suggested questions" },
        prompts(channel.id).map((prompt) => promptCard(channel, prompt))));
    intro.classList.toggle("intro-empty", empty);
  }

  function introText(channel, withBot, bot) {
    if (!withBot) return "Nobody here answers from documents yet.";
    if (channel.kind === "im") return "It answers from the documents that you may read, and says where each answer comes from.";
    const reach = channel.kind === "private" ? "This channel is private: only its members see it." : channel.topic;
    return `${reach ? `${reach.replace(/[.]?$/, ".")} ` : ""}Mention @${bot.real_name} and ask; it answers in a thread.`;
  }

  function prompts(channelId) {
    const direct = [...store.channels.keys()].find((id) => store.isBotDirect(id));
    const own = store.promptsOf(channelId);
    const given = own.length ? own : store.promptsOf(direct);
    return (given.length ? given : DEFAULT_PROMPTS).slice(0, 4);
  }

  function promptCard(channel, prompt) {
    const mention = channel.kind === "im" ? "" : `<@${store.bot().id}> `;
    return el("button", {
      type: "button", class: "prompt-card",
      onclick: () => api.say({ channel: channel.id, text: mention + prompt.message }).catch(() => {}),
    }, el("strong", {}, prompt.title), el("span", {}, prompt.message));
  }

  function drawBanner() {
    const bot = store.bot()?.real_name ?? "The bot";
    const text = !store.online && store.me ? "The connection to the playground is lost. Trying again…"
      : !store.botConnected && store.me ? `${bot} is not connected yet. What you ask now is answered when it is.` : "";
    banner.hidden = !text;
    banner.textContent = text;
    banner.classList.toggle("banner-error", !store.online);
  }

  store.on("snapshot", showPlace);
  store.on("place", showPlace);
  store.on("home", drawHead);
  store.on("channels", () => {
    drawHead();
    drawIntro();
    labelComposer();
  });
  store.on("prompts", drawIntro);
  store.on("presence", drawBanner);
  store.on("status", ({ channel }) => channel === store.current && list.refresh());
  store.on("messages", ({ channel }) => {
    if (channel !== store.current) return;
    drawIntro();
    list.refresh();
  });
}
