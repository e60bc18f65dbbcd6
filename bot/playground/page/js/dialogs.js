// Modal dialogs on the browser's own <dialog>: it keeps the focus inside and closes on Escape.

import { el, focusAgain, iconButton } from "./dom.js";
import { keepToasts } from "./toast.js";

let number = 0;

/** Open a dialog; `onClose` runs at its end, `onCancel` also where that was not by `close()`. Gives {node, close}. */
export function openDialog({ title, body, footer, onCancel, onClose, className = "", onSubmit }) {
  number += 1;
  const id = `dialog-${number}`;
  const form = el("form", { class: "dialog-form", method: "dialog", onsubmit: (event) => {
    event.preventDefault();
    onSubmit?.();
  } },
  el("header", { class: "dialog-head" },
    el("h2", { id }, title),
    iconButton("close", "Close", () => cancel())),
  el("div", { class: "dialog-body" }, body),
  footer && el("footer", { class: "dialog-foot" }, footer));
  const node = el("dialog", { class: `dialog ${className}`, "aria-labelledby": id,
    oncancel: (event) => {
      event.preventDefault();
      cancel();
    },
    onpointerdown: (event) => {
      if (event.target === node) cancel();
    } }, form);
  const opener = document.activeElement;
  const close = () => {
    node.close();
    keepToasts();
    node.remove();
    onClose?.();
    if (opener) focusAgain(opener);
  };
  const cancel = () => {
    close();
    onCancel?.();
  };
  document.body.append(node);
  node.showModal();
  letScroll(node);
  (node.querySelector("[autofocus]") ?? node.querySelector(".dialog-body :is(input, textarea, select)"))?.focus();
  return { node, close };
}

/** A long text with nothing to use in it must take the focus itself, or no key could scroll it. */
export function letScroll(node) {
  const body = node.querySelector(".dialog-body");
  if (body.querySelector("a, button, input, textarea, select, [tabindex]")) body.removeAttribute("tabindex");
  else body.tabIndex = 0;
}

/** Ask a question; resolves to true only for the affirmative button. */
export function confirmDialog({ title, body, yes, no = "Cancel", danger = false }) {
  return new Promise((resolve) => {
    const settle = (answer) => {
      dialog.close();
      resolve(answer);
    };
    const dialog = openDialog({
      title, body, className: "dialog-small", onCancel: () => resolve(false),
      footer: [
        el("button", { type: "button", class: "button button-default", onclick: () => settle(false) }, no),
        el("button", { type: "submit", class: `button button-${danger ? "danger" : "primary"}`, autofocus: true }, yes),
      ],
      onSubmit: () => settle(true),
    });
  });
}
