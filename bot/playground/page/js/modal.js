// The bot's modals: a stack of views, with inputs kept over updates and errors shown at their fields.

import { renderBlocks } from "./blocks.js";
import { letScroll, openDialog } from "./dialogs.js";
import { el, refill } from "./dom.js";
import { Form } from "./form.js";
import { fieldErrors } from "./validity.js";

/** Follow the server's `view` events. */
export function mountModals({ store, api }) {
  const stack = [];
  const top = () => stack.at(-1);
  const actions = { open, push: open, update, close, errors: showErrors };
  store.on("view", (event) => actions[event.action]?.(event));
  store.on("snapshot", () => close({}));

  function open({ action, view }) {
    if (action === "open") close({});
    const entry = { view, form: new Form(view.state?.values), errors: {} };
    entry.dialog = openDialog({
      title: view.title?.text ?? "", className: "dialog-view",
      body: (entry.body = el("div", {})), footer: (entry.footer = el("div", { class: "dialog-buttons" })),
      onSubmit: () => submit(entry), onCancel: () => cancel(entry),
    });
    // The browser's own complaints would come in a bubble and in another language than the bot's.
    entry.dialog.node.querySelector("form").noValidate = true;
    for (const type of ["input", "change"]) entry.body.addEventListener(type, (event) => forgive(entry, event.target));
    stack.push(entry);
    draw(entry);
    entry.body.querySelector("[autofocus], input, textarea, select")?.focus();
  }

  function draw(entry) {
    const { view, form, errors } = entry;
    const act = (action) => api.blockAction({
      container: { type: "view", view_id: view.id }, action, state: { values: form.values },
    });
    entry.dialog.node.querySelector("h2").textContent = view.title?.text ?? "";
    refill(entry.body, renderBlocks(view.blocks, { names: store, act, form, errors, place: view.id }));
    refill(entry.footer,
      el("button", { type: "button", class: "button button-default", onclick: () => {
        entry.dialog.close();
        cancel(entry);
      } }, view.close?.text ?? "Cancel"),
      view.submit && el("button", { type: "submit", class: "button button-primary" }, view.submit.text));
    letScroll(entry.dialog.node);
  }

  function update({ view }) {
    const entry = stack.find((each) => each.view.id === view.id) ?? top();
    if (!entry) return;
    entry.view = view;
    entry.errors = {};
    entry.form.keep(view.blocks ?? []);
    draw(entry);
  }

  /** One view where the server names it, else all of them. */
  function close({ view }) {
    const from = view ? stack.findIndex((each) => each.view.id === view.id) : 0;
    if (from < 0) return;
    for (const entry of stack.splice(from).reverse()) entry.dialog.close();
  }

  function showErrors({ view, errors }) {
    const entry = stack.find((each) => each.view.id === view?.id) ?? top();
    if (!entry) return;
    entry.errors = { ...errors };
    draw(entry);
    entry.body.querySelector(".has-error :is(input, textarea, select)")?.focus();
  }

  async function submit(entry) {
    const missing = fieldErrors(entry);
    if (Object.keys(missing).length) return showErrors({ view: entry.view, errors: missing });
    const button = entry.footer.querySelector("[type=submit]");
    if (!button || button.getAttribute("aria-busy")) return undefined;
    button.setAttribute("aria-busy", "true");
    try {
      return await api.submitView({ view_id: entry.view.id, values: entry.form.values });
    } catch {
      return undefined; // a toast says it; what was entered stays
    } finally {
      button.removeAttribute("aria-busy");
    }
  }

  /** A complaint goes as soon as somebody does something about it. */
  function forgive(entry, control) {
    const block = control.closest(".has-error");
    if (!block) return;
    delete entry.errors[block.dataset.block];
    block.classList.remove("has-error");
    block.querySelector(".input-note").textContent = "";
    block.querySelector("[aria-invalid]")?.removeAttribute("aria-invalid");
  }

  function cancel(entry) {
    stack.splice(stack.indexOf(entry), 1);
    api.closeView({ view_id: entry.view.id }).catch(() => {});
  }
}
