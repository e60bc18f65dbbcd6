// Making a channel, and beginning a conversation with several people.

import { avatar, userBadges } from "./avatar.js";
import { openDialog } from "./dialogs.js";
import { el } from "./dom.js";
import { applyEvent } from "./protocol.js";

const MOST_IN_GROUP = 7; // besides oneself and the bot, as Slack has it

/** Ask for a name, make the channel and open it. */
export function openCreateChannel({ store, api }) {
  const name = el("input", { class: "field-control", id: "channel-name", required: true, maxlength: 80, placeholder: "e.g. onboarding",
    autofocus: true, autocomplete: "off",
    oninput: () => {
      name.value = name.value.toLowerCase().replace(/[^\p{L}\p{N}_-]/gu, "-");
    } });
  const secret = el("input", { type: "checkbox" });
  const shared = el("input", { type: "checkbox" });
  const dialog = openDialog({
    title: "Create a channel", className: "dialog-small",
    body: [
      el("label", { class: "input-label", for: "channel-name" }, "Name"), name,
      el("div", { class: "choices" },
        choice(secret, "Private", "Only its members see it"),
        choice(shared, "Shared", "People from another organisation can be invited")),
    ],
    footer: el("button", { type: "submit", class: "button button-primary" }, "Create"),
    onSubmit: async () => {
      try {
        const { channel } = await api.createChannel({
          name: name.value, private: secret.checked, ...(shared.checked && { shared: true }),
        });
        dialog.close();
        openNew(store, channel);
      } catch {
        name.focus();
      }
    },
  });
}

function choice(box, label, note) {
  return el("label", { class: "choice" }, box, el("span", {}, label, el("span", { class: "choice-note" }, note)));
}

/** Pick people and open the conversation that they, the bot and oneself are in. */
export function openCreateGroup({ store, api }) {
  const bot = store.bot();
  const chosen = new Set();
  const submit = el("button", { type: "submit", class: "button button-primary", disabled: true }, "Start");
  const people = [...store.users.values()].filter((user) => !user.is_bot && user.id !== store.me);
  const row = (user) => el("label", { class: "choice choice-person" },
    el("input", { type: "checkbox", onchange: (event) => {
      if (event.target.checked) chosen.add(user.id);
      else chosen.delete(user.id);
      submit.disabled = !chosen.size || chosen.size > MOST_IN_GROUP;
    } }), avatar(user, "small"), el("span", {}, user.real_name), userBadges(user));
  const dialog = openDialog({
    title: "Write to a group", className: "dialog-small",
    body: [el("p", { class: "dialog-note muted" }, bot ? `${bot.real_name} is in it as well.` : ""),
      el("div", { class: "choices", role: "group", "aria-label": "People" }, people.map(row))],
    footer: submit,
    onSubmit: async () => {
      try {
        const { channel } = await api.openGroup([...chosen]);
        dialog.close();
        openNew(store, channel);
      } catch {
        submit.focus();
      }
    },
  });
}

/** Open what was just made; the socket may be a moment behind the answer. */
function openNew(store, channel) {
  const id = typeof channel === "string" ? channel : channel?.id;
  if (channel?.id && !store.channels.has(id)) applyEvent(store, { type: "channel", channel });
  store.openChannel(id);
}
