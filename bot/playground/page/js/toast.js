// Short notices in the corner; errors stay longer and can be dismissed.

import { el, iconButton } from "./dom.js";

const SECONDS = { info: 4, error: 9 };

/** Show `text`; `kind` is "info" or "error". The same text is not shown twice at once. */
export function toast(text, kind = "info") {
  const holder = holderIn([...document.querySelectorAll("dialog[open]")].at(-1) ?? document.body);
  for (const other of [...holder.children]) if (other.dataset.text === text) other.remove();
  const node = el("div", { class: `toast toast-${kind}`, role: kind === "error" ? "alert" : "status", dataset: { text } },
    el("span", {}, text),
    iconButton("close", "Dismiss", () => node.remove()));
  holder.append(node);
  setTimeout(() => node.remove(), SECONDS[kind] * 1000);
}

/** Everything outside of an open dialog is out of reach, so notices come into it. */
function holderIn(parent) {
  const holder = document.getElementById("toasts");
  if (holder.parentElement !== parent) parent.append(holder);
  return holder;
}

/** Keep the notices when the dialog that they are shown in goes. */
export function keepToasts() {
  holderIn(document.body);
}

/** Tell a screen reader something that the eye sees anyway. */
export function announce(text) {
  document.getElementById("announcer").textContent = text;
}
