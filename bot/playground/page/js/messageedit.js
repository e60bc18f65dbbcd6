// Editing a message in its place: Enter saves, Escape leaves it as it was.

import { el } from "./dom.js";
import { toSlack, toTyped } from "./typed.js";

const MOST_ROWS = 12;

export function editMessage(row) {
  const { app: { store, api }, message } = row;
  const field = el("textarea", { class: "field-control", "aria-label": "Edit message", value: toTyped(message.text, store) });
  field.rows = Math.min(MOST_ROWS, field.value.split("\n").length + 1);
  const done = () => {
    row.editing = false;
    row.node.classList.remove("message-editing");
    row.drawn.body = "";
    row.update(row.message, row.node.classList.contains("message-compact"));
    row.node.focus();
  };
  const save = async () => {
    const text = toSlack(field.value.trim(), store);
    if (text && text !== row.message.text) {
      await api.edit({ channel: row.channel, ts: row.message.ts, text }).catch(() => {});
    }
    done();
  };
  field.addEventListener("keydown", (event) => {
    if (event.key === "Escape") done();
    else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) save();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  row.editing = true;
  row.node.classList.add("message-editing");
  row.body.replaceChildren(field, el("div", { class: "edit-actions" },
    el("button", { type: "button", class: "button button-default", onclick: done }, "Cancel"),
    el("button", { type: "button", class: "button button-primary", onclick: save }, "Save")));
  field.focus();
  field.setSelectionRange(field.value.length, field.value.length);
}
