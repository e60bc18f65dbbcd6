// Switches for what goes wrong, inside the traffic panel. Each arms the next occurrence; the server counts them down.

import { el, icon } from "./dom.js";
import { toast } from "./toast.js";

const ONCE = [
  ["Lose a reply", "The next message is posted, but the bot never hears so", { lost_replies: { "chat.postMessage": 1 } }],
  ["Send an event twice", "The next event reaches the bot a second time", { duplicates: 1 }],
  ["Swap two events", "The next event is overtaken by the one after it", { reordered: 1 }],
  ["Ignore an acknowledgement", "The next one counts only after 4 seconds, so the event is sent again", { slow_acks: { count: 1, seconds: 4 } }],
  ["Rate limit edits", "The next chat.update is refused for 5 seconds", { rate_limit: { "chat.update": { after_calls: 0, retry_after: 5 } } }],
  ["Fail a post", "The next chat.postMessage ends with internal_error", { error: { "chat.postMessage": { code: "internal_error", count: 1 } } }],
  ["Disconnect the bot", "Its socket is closed now, without a word", { disconnect: "abrupt" }],
];
const LASTING = [
  ["Enforce rate limits", "Allow each method its documented calls a minute", "tiers"],
  ["Silent line", "Connections stay open but carry no events", "silent"],
];

/** The button that opens the switches, and the panel with them. */
export function createFaults(app) {
  const panel = el("div", { class: "faults", role: "group", "aria-label": "Faults", hidden: true, id: "faults" }, faultSwitches(app));
  const button = el("button", {
    type: "button", class: "chip-button", "aria-expanded": "false", "aria-controls": "faults",
    onclick: () => {
      panel.hidden = !panel.hidden;
      button.setAttribute("aria-expanded", String(!panel.hidden));
    },
  }, icon("bug"), "Faults");
  return { button, panel };
}

/** The switches themselves. */
export function faultSwitches({ api }) {
  const boxes = [];
  return [
    el("p", { class: "muted" }, "See how the bot takes it when something goes wrong. Each of these happens once:"),
    el("div", { class: "fault-row" }, ONCE.map(([name, hint, settings]) => once(name, hint, settings))),
    el("div", { class: "fault-row" }, LASTING.map(([name, hint, key]) => lasting(name, hint, key)), reset()),
  ];

  function once(name, hint, settings) {
    return el("button", { type: "button", class: "button button-default", title: hint, onclick: async () => {
      await api.setFaults(settings).catch(() => {});
      toast(`${name}: ${hint.charAt(0).toLowerCase()}${hint.slice(1)}.`);
    } }, name);
  }

  function lasting(name, hint, key) {
    const box = el("input", { type: "checkbox", class: "switch", role: "switch",
      onchange: () => api.setFaults({ [key]: box.checked }).catch(() => {
        box.checked = !box.checked;
      }) });
    boxes.push(box);
    return el("label", { class: "switch-label", title: hint }, box, name);
  }

  function reset() {
    return el("button", { type: "button", class: "link-button", onclick: async () => {
      await api.setFaults({ clear: true }).catch(() => {});
      for (const box of boxes) box.checked = false;
    } }, "Everything back to normal");
  }
}
