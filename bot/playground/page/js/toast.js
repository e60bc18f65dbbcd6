// Short notices in the corner; errors stay longer and can be dismissed.

import { el, iconButton } from "./dom.js";

const SECONDS = { info: 4, error: 9 };

/** Show `text`; `kind` is "info" or "error". The same text is not shown twice at once. */
export function toast(text, kind = "info") {
  const holder = document.getElementById("toasts");
  for (const other of [...holder.children]) if (other.dataset.text === text) other.remove();
  const node = el("div", { class: `toast toast-${kind}`, role: kind === "error" ? "alert" : "status", dataset: { text } },
    el("span", {}, text),
    iconButton("close", "Dismiss", () => node.remove()));
  holder.append(node);
  setTimeout(() => node.remove(), SECONDS[kind] * 1000);
}

/** Tell a screen reader something that the eye sees anyway. */
export function announce(text) {
  document.getElementById("announcer").textContent = text;
}
