// Who is in a channel: invite those who are not, take out those who should not be.

import { avatar, userBadges } from "./avatar.js";
import { openDialog } from "./dialogs.js";
import { el, iconButton, refill } from "./dom.js";

export function openMembers({ store, api }, channelId) {
  const body = el("ul", { class: "member-list" });
  const changeable = !store.isConversation(channelId);
  const draw = () => {
    const channel = store.channels.get(channelId);
    if (!channel) return;
    const inside = (user) => channel.members.includes(user.id);
    const people = [...store.users.values()].filter((user) => changeable || inside(user));
    people.sort((a, b) => Number(inside(b)) - Number(inside(a)));
    refill(body, people.map((user) => row(user, inside(user))));
  };

  function row(user, inside) {
    return el("li", {}, avatar(user),
      el("span", { class: "member-name" }, el("span", {}, user.real_name, userBadges(user)), el("small", {}, store.userNote(user))),
      inside ? member(user) : el("button", {
        type: "button", class: "button button-default", "aria-label": `Invite ${user.real_name}`, dataset: { focus: `invite-${user.id}` },
        onclick: () => change(api.invite({ channel: channelId, invitee: user.id })),
      }, "Invite"));
  }

  function member(user) {
    if (user.id === store.me) return el("span", { class: "muted" }, "you");
    if (!changeable) return el("span", { class: "muted" }, "member");
    return iconButton("close", `Remove ${user.real_name}`, () => change(api.takeOut({ channel: channelId, member: user.id })), {
      dataset: { focus: `remove-${user.id}` },
    });
  }

  const change = (sent) => sent.catch(() => {});
  draw();
  const stop = store.on("channels", draw);
  openDialog({
    title: changeable ? `Members of #${store.channels.get(channelId).name}` : "In this conversation",
    className: "dialog-small", body, onClose: stop,
  });
}
