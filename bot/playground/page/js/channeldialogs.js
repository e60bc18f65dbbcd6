// Small dialogs about channels: making one, and who is in it.

import { avatar } from "./avatar.js";
import { openDialog } from "./dialogs.js";
import { el, refill } from "./dom.js";

/** Ask for a name, make the channel and open it. */
export function openCreateChannel({ store, api }) {
  const name = el("input", { class: "field-control", id: "channel-name", required: true, maxlength: 80, placeholder: "e.g. onboarding",
    autofocus: true, autocomplete: "off",
    oninput: () => {
      name.value = name.value.toLowerCase().replace(/[^\p{L}\p{N}_-]/gu, "-");
    } });
  const secret = el("input", { type: "checkbox" });
  const dialog = openDialog({
    title: "Create a channel", className: "dialog-small",
    body: [
      el("label", { class: "input-label", for: "channel-name" }, "Name"), name,
      el("label", { class: "choice" }, secret, el("span", {}, "Private", el("span", { class: "choice-note" }, "Only its members see it"))),
    ],
    footer: el("button", { type: "submit", class: "button button-primary" }, "Create"),
    onSubmit: async () => {
      try {
        const { channel } = await api.createChannel({ name: name.value, private: secret.checked });
        dialog.close();
        const id = typeof channel === "string" ? channel : channel?.id;
        if (channel?.id && !store.channels.has(id)) store.apply({ type: "channel", channel });
        store.openChannel(id);
      } catch {
        name.focus();
      }
    },
  });
}

/** Show who is in a channel and invite those who are not. */
export function openMembers({ store, api }, channelId) {
  const body = el("ul", { class: "member-list" });
  const draw = () => {
    const channel = store.channels.get(channelId);
    refill(body, [...store.users.values()].map((user) => {
      const inside = channel.members.includes(user.id);
      return el("li", {}, avatar(user), el("span", {}, user.real_name, el("small", {}, `@${user.name}`)),
        inside ? el("span", { class: "muted" }, user.id === store.me ? "you" : "member")
          : el("button", { type: "button", class: "button button-default", onclick: () => invite(user.id) }, "Invite"));
    }));
  };
  const invite = async (invitee) => {
    await api.invite({ channel: channelId, invitee }).catch(() => {});
    setTimeout(draw, 150); // the new member list comes over the socket
  };
  draw();
  openDialog({ title: `Members of #${store.channels.get(channelId).name}`, className: "dialog-small", body });
}
