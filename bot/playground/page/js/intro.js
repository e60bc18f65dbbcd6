// What stands above the first message of a channel: what it is, and what could be asked there.

import { el, icon, refill } from "./dom.js";

const GENERAL_PROMPTS = [
  { title: "First things first", message: "What can you do?" },
  { title: "Get started", message: "How do I get started?" },
  { title: "Get help", message: "Where do I find help if something does not work?" },
];
const MOST_PROMPTS = 4;

/** `ask(text)` sends a suggested question. */
export function drawIntro(intro, { store, api }, channel, ask) {
  const bot = store.bot();
  const empty = store.roots(channel.id).every((message) => message.ephemeral);
  const withBot = store.botHere(channel.id);
  const invitable = !withBot && bot && !store.isConversation(channel.id);
  refill(intro,
    el("span", { class: "intro-icon" }, icon({ im: "book", mpim: "people", private: "lock" }[channel.kind] ?? "hash")),
    el("h2", {}, headline(store, channel)),
    el("p", {}, about(store, channel)),
    invitable && el("button", {
      type: "button", class: "button button-primary", dataset: { focus: "invite" },
      onclick: () => api.invite({ channel: channel.id, invitee: bot.id }).catch(() => {}),
    }, `Invite ${bot.real_name}`),
    withBot && empty && cards(store, channel, ask));
  intro.classList.toggle("intro-empty", empty);
}

/** The beginning of a thread in the older container. */
export function drawContainerIntro(intro, { store }, given, ask) {
  refill(intro,
    el("span", { class: "intro-icon" }, icon("book")),
    el("h3", {}, `Ask ${store.bot()?.real_name ?? "the bot"}`),
    given.prompts.length > 0 && [
      given.title && el("p", { class: "prompts-title" }, given.title),
      promptCards(given.prompts, ask),
    ]);
}

function promptCards(prompts, ask) {
  return el("div", { class: "prompts", role: "group", "aria-label": "Suggested questions" },
    prompts.slice(0, MOST_PROMPTS).map((prompt) => el("button", {
      type: "button", class: "prompt-card", onclick: () => ask(prompt.message),
    }, el("strong", {}, prompt.title), prompt.message !== prompt.title && el("span", {}, prompt.message))));
}

function headline(store, channel) {
  if (store.isBotDirect(channel.id)) return `Ask ${store.bot().real_name}`;
  if (store.isConversation(channel.id)) return store.channelName(channel.id);
  return `Welcome to #${channel.name}`;
}

function about(store, channel) {
  const bot = store.bot();
  if (store.isBotDirect(channel.id)) return "It answers from the documents that you may read, and says where each answer comes from.";
  const ask = store.botHere(channel.id) ? `Mention @${bot.real_name} and ask; it answers in a thread.` : "Nobody here answers from documents yet.";
  if (channel.kind === "mpim") return `Only the people named above see this conversation. ${ask}`;
  const notes = [
    channel.kind === "private" ? "This channel is private: only its members see it." : channel.topic && `${channel.topic.replace(/[.]?$/, ".")}`,
    channel.shared && "People from another organisation are here too.",
    ask,
  ];
  return notes.filter(Boolean).join(" ");
}

function cards(store, channel, ask) {
  const given = store.promptsOf(channel.id);
  const prompts = given.prompts.length ? given.prompts : GENERAL_PROMPTS;
  const mention = store.isBotDirect(channel.id) ? "" : `<@${store.bot().id}> `;
  return [
    given.title && el("p", { class: "prompts-title" }, given.title),
    promptCards(prompts, (message) => ask(mention + message)),
  ];
}
