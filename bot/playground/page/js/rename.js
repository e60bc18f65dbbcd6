// Giving the bot's work in a thread another title.

import { openDialog } from "./dialogs.js";
import { el } from "./dom.js";

const MOST_CHARACTERS = 200;

export function openRename({ store, api }, { channel, ts }) {
  const field = el("input", { class: "field-control", id: "session-title", required: true, maxlength: MOST_CHARACTERS, autofocus: true,
    autocomplete: "off", value: store.session(channel, ts)?.title ?? "" });
  const dialog = openDialog({
    title: "Rename", className: "dialog-small",
    body: [el("label", { class: "input-label", for: "session-title" }, "Title"), field],
    footer: el("button", { type: "submit", class: "button button-primary" }, "Save"),
    onSubmit: async () => {
      const done = await api.renameSession({ channel, thread_ts: ts, title: field.value.trim() }).then(() => true, () => false);
      if (done) dialog.close();
    },
  });
}
