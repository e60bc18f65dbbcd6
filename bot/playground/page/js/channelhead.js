// The head of a channel: its name and marks, the tabs of the bot's page, its members and its menu.

import { userBadges } from "./avatar.js";
import { channelPicture, sharedMark } from "./channelmark.js";
import { openMembers } from "./members.js";
import { confirmDialog } from "./dialogs.js";
import { el, icon, iconButton, refill } from "./dom.js";
import { openMenu } from "./popover.js";
import { toast } from "./toast.js";

export function drawChannelHead(head, app, channel) {
  const { store } = app;
  const direct = channel.kind === "im";
  refill(head,
    el("div", { class: "pane-title" },
      channelPicture(store, channel),
      el("h1", {}, store.channelName(channel.id)),
      direct && userBadges(store.user(store.counterpart(channel))).filter((badge) => badge.textContent !== "APP"),
      sharedMark(channel),
      channel.topic && el("span", { class: "topic" }, channel.topic)),
    store.isBotDirect(channel.id) && tabs(store, channel),
    !direct && el("button", {
      type: "button", class: "chip-button", dataset: { focus: "members" },
      "aria-label": `${channel.members.length} members`, title: "Members",
      onclick: () => openMembers(app, channel.id),
    }, icon("people"), channel.members.length),
    !store.isConversation(channel.id) && iconButton("more", "Channel actions", (event) => openChannelMenu(event.currentTarget, app, channel), {
      "aria-haspopup": "menu", dataset: { focus: "channel-menu" },
    }));
}

function tabs(store, channel) {
  const tab = (key, label) => el("button", {
    type: "button", role: "tab", class: "tab", "aria-selected": store.tab === key,
    tabindex: store.tab === key ? "0" : "-1", dataset: { focus: `tab-${key}` },
    onclick: () => store.openChannel(channel.id, key),
  }, label);
  return el("div", { class: "tabs", role: "tablist", "aria-label": `${store.channelName(channel.id)} pages`,
    onkeydown: (event) => {
      if (!["ArrowLeft", "ArrowRight"].includes(event.key)) return;
      const other = store.tab === "home" ? "messages" : "home";
      store.openChannel(channel.id, other);
      document.querySelector(`[data-focus="tab-${other}"]`)?.focus();
    } }, tab("home", "Home"), tab("messages", "Messages"));
}

function openChannelMenu(anchor, app, channel) {
  const { api, store } = app;
  const share = () => api.share({ channel: channel.id, shared: !channel.shared }).catch(() => {});
  const invite = async () => {
    const done = await api.share({ channel: channel.id, pending: true }).then(() => true, () => false);
    if (done) toast("The other organisation is invited, and has not answered yet.");
  };
  openMenu(anchor, `Actions for #${channel.name}`, [
    { label: "Members", picture: icon("people"), run: () => openMembers(app, channel.id) },
    channel.shared ? { label: "Stop sharing", note: "It belongs to this workspace alone again", picture: icon("globe"), run: share }
      : { label: "Share with another organisation", note: "As with Slack Connect", picture: icon("globe"), run: share },
    !channel.shared && { label: "Invite another organisation", note: "Without an answer yet", picture: icon("globe"), run: invite },
    "separator",
    { label: "Leave channel", picture: icon("exit"), danger: true, run: () => leave(store, api, channel) },
  ].filter(Boolean));
}

async function leave(store, api, channel) {
  const sure = await confirmDialog({
    title: `Leave #${channel.name}?`, body: "You can be invited again by its members.", yes: "Leave", danger: true,
  });
  if (!sure) return;
  const done = await api.leave(channel.id).then(() => true, () => false);
  if (done) toast(`You have left #${channel.name}.`);
}
