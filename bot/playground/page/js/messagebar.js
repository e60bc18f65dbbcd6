// What can be done with a message: the bar that appears on it, and the menu behind its three dots.

import { el, icon, iconButton } from "./dom.js";
import { emojiText } from "./emoji.js";
import { openMenu } from "./popover.js";
import { messageShortcuts } from "./shortcuts.js";
import { toast } from "./toast.js";
import { toTyped } from "./typed.js";

const QUICK_REACTIONS = ["+1", "-1"];

export function messageBar(row) {
  return el("div", { class: "message-bar", role: "toolbar", "aria-label": "Message actions" },
    QUICK_REACTIONS.map((name) => el("button", {
      type: "button", class: "icon-button", title: `React with ${emojiText(name)}`,
      "aria-label": `React with ${emojiText(name)}`, onclick: () => row.react(name),
    }, el("span", { class: "emoji" }, emojiText(name)))),
    iconButton("smile", "Add a reaction", (event) => row.pickReaction(event.currentTarget)),
    !row.inThread && iconButton("reply", "Reply in thread", () => row.openThread()),
    iconButton("more", "More actions", (event) => openMenu(event.currentTarget, "Message actions", menuItems(row)), {
      "aria-haspopup": "menu",
    }));
}

function menuItems(row) {
  const { app, channel, message } = row;
  const own = message.user === app.store.me;
  const shortcuts = messageShortcuts(app, channel, message.ts);
  return [
    ...shortcuts,
    shortcuts.length > 0 && "separator",
    { label: "Copy link", picture: icon("link"), run: () => copy(permalink(channel, message), "The link is copied.") },
    message.text && { label: "Copy text", picture: icon("copy"), run: () => copy(toTyped(message.text, app.store), "The text is copied.") },
    own && "separator",
    own && { label: "Edit message", picture: icon("edit"), run: () => row.edit() },
    own && { label: "Delete message", picture: icon("trash"), danger: true, run: () => row.remove() },
  ].filter(Boolean);
}

/** The address as Slack writes it. */
function permalink(channel, { ts, thread_ts: threadTs }) {
  const thread = threadTs && threadTs !== ts ? `?thread_ts=${threadTs}` : "";
  return `${location.origin}/archives/${channel}/p${ts.replace(".", "")}${thread}`;
}

async function copy(text, said) {
  try {
    await navigator.clipboard.writeText(text);
    toast(said);
  } catch {
    toast("The browser does not allow copying here.", "error");
  }
}
