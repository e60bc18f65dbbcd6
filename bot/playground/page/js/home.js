// The bot's home tab.

import { renderBlocks } from "./blocks.js";
import { el, icon, refill } from "./dom.js";
import { Form } from "./form.js";

/** A panel that shows the published home view of the bot. */
export function createHome({ store, api }) {
  const body = el("div", { class: "home-body" });
  const node = el("div", { class: "home", role: "tabpanel", "aria-label": "Home", tabindex: "0" },
    el("h2", { class: "visually-hidden" }, "Home"), body);
  const form = new Form();
  store.on("home", draw);
  store.on("snapshot", draw);

  function draw() {
    const view = store.home;
    if (!view) return refill(body, waiting());
    const act = (action) => api.blockAction({
      container: { type: "home" }, action, state: { values: form.values },
    });
    return refill(body, renderBlocks(view.blocks, { names: store, act, form, place: `home-${view.id}` }));
  }

  function waiting() {
    return el("div", { class: "empty-state" },
      el("span", { class: "empty-icon" }, icon("home")),
      el("h2", {}, "Nothing here yet"),
      el("p", {}, store.botConnected
        ? "The bot publishes its home as soon as it has something to show."
        : "The bot publishes its home when it is connected."));
  }

  draw();
  return { node };
}
