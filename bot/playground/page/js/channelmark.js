// How a channel is shown wherever it is named: its picture, and the mark of a shared one.

import { avatar } from "./avatar.js";
import { el, icon } from "./dom.js";

/** The picture that stands for a channel, wherever it is listed. */
export function channelPicture(store, channel) {
  if (channel.kind === "im") return avatar(store.user(store.counterpart(channel)), "small");
  return icon({ private: "lock", mpim: "people" }[channel.kind] ?? "hash");
}

/** The mark of a channel that people of another organisation are in. */
export function sharedMark(channel) {
  return channel.shared && el("span", { class: "shared-mark", role: "img", "aria-label": "Shared with another organisation",
    title: "Shared with another organisation" }, icon("globe"));
}
