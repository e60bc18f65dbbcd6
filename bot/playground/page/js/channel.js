// The middle of the page: a channel's head, its messages or the bot's home, and the composer.

import { drawChannelHead } from "./channelhead.js";
import { Composer } from "./composer.js";
import { el } from "./dom.js";
import { createHome } from "./home.js";
import { drawIntro } from "./intro.js";
import { MessageList } from "./messagelist.js";

export function mountChannel(root, app) {
  const { store } = app;
  const head = el("header", { class: "pane-head" });
  const banner = el("div", { class: "banner", role: "status", hidden: true });
  const home = createHome(app);
  const intro = el("div", { class: "intro" });
  const list = new MessageList(app, source);
  const composer = new Composer(app);
  composer.onEdit = (ts) => list.rows.get(ts)?.edit();
  const panel = el("div", { class: "pane-body" }, list.node, composer.node);
  composer.listen(panel);
  root.append(head, banner, panel, home.node);

  const ask = (text) => composer.ask(text);
  const current = () => store.channels.get(store.current);

  function source() {
    const channel = store.current;
    if (!channel) return null;
    return { channel, messages: store.roots(channel), intro, newSince: store.newSince.get(channel) };
  }

  function showPlace() {
    const channel = current();
    if (!channel) return;
    drawAround();
    const onHome = store.isBotDirect(channel.id) && store.tab === "home";
    panel.hidden = onHome;
    home.node.hidden = !onHome;
    list.show(`Messages in ${store.channelTitle(channel.id)}`);
    labelComposer();
    if (!onHome) composer.focus();
  }

  function drawAround() {
    const channel = current();
    if (!channel) return;
    drawChannelHead(head, app, channel);
    drawIntro(intro, app, channel, ask);
    drawSuggestions();
    drawAbout();
  }

  function labelComposer() {
    const channel = current();
    if (!channel) return;
    const label = `Message ${store.channelTitle(channel.id)}`;
    const ask = store.botHere(channel.id) && channel.kind !== "im";
    composer.setPlace({ channel: channel.id, label, placeholder: ask ? `${label}, or ask @${store.bot().real_name}` : label });
  }

  /** In an empty conversation the suggestions stand large in the middle; later they are chips above the composer. */
  function drawSuggestions() {
    const direct = store.isBotDirect(store.current);
    const { prompts, title } = store.promptsOf(store.current);
    const show = direct && store.roots(store.current).length > 0;
    composer.suggestions.show(show ? prompts : [], title);
  }

  function drawAbout() {
    const known = store.isBotDirect(store.current) && store.channels.has(store.viewing);
    composer.showAbout(known ? store.channelTitle(store.viewing) : null, () => app.lookAt(null));
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
  store.on("home", drawAround);
  store.on("channels", () => {
    drawAround();
    labelComposer();
  });
  store.on("prompts", drawAround);
  store.on("viewing", drawAbout);
  store.on("presence", drawBanner);
  store.on("status", ({ channel }) => channel === store.current && list.refresh());
  store.on("messages", ({ channel }) => {
    if (channel !== store.current) return;
    drawIntro(intro, app, current(), ask);
    drawSuggestions();
    list.refresh();
  });
}
