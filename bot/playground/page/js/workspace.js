// The workspace dialog: what the app may do here, who is here, and what goes wrong.

import { confirmDialog, openDialog } from "./dialogs.js";
import { el, refill } from "./dom.js";
import { faultSwitches } from "./faults.js";
import { createPeople } from "./people.js";
import { toast } from "./toast.js";

const FEATURES = {
  streaming: ["Streaming", "Answers grow while they are written. Without it, the bot edits its message instead."],
  agent: ["Agent features", "Sessions with a Stop button, suggested questions, what people look at."],
  feedback_buttons: ["Feedback buttons", "Thumbs up and down below an answer."],
  history_limit: ["Limited history", "As for apps outside the Marketplace: one read of a history a minute, 15 messages at most."],
};
const SURFACES = {
  agent: ["Agent", "The bot's conversation is a page of its own, and it hears which channel one looks at."],
  assistant: ["Assistant", "The older container: each conversation with the bot is a thread."],
};

export function openWorkspace(app) {
  const { store, api } = app;
  const switches = el("div", { class: "switch-list" });
  const surfaces = el("fieldset", { class: "choices" });
  const people = createPeople(app, (user) => {
    dialog.close();
    app.actAs(user.id);
  });
  const draw = () => {
    drawFeatures(switches, app);
    drawSurfaces(surfaces, app);
    people.draw();
  };

  draw();
  const stops = ["features", "channels"].map((topic) => store.on(topic, draw));
  const dialog = openDialog({
    title: store.team.name ?? "Workspace", className: "dialog-workspace", onClose: () => stops.forEach((stop) => stop()),
    body: [
      section("What the app can use here", store.features === null ? el("p", { class: "muted" }, "Everything.") : switches,
        store.surface !== null && surfaces),
      section("People", people.node),
      section("Faults", el("div", { class: "faults-inline" }, faultSwitches(app))),
      section("The app itself", el("div", { class: "row-between" },
        el("p", { class: "muted" }, "Its tokens end, and it is told that it was removed."),
        el("button", { type: "button", class: "button button-danger", onclick: () => uninstall(store, api, dialog) }, "Uninstall"))),
    ],
  });
}

function section(title, ...children) {
  return el("section", { class: "dialog-section" }, el("h3", {}, title), children);
}

function drawFeatures(node, { store, api }) {
  const known = Object.entries(store.features ?? {}).filter(([, value]) => typeof value === "boolean");
  refill(node, known.map(([key, on]) => {
    const [name, note] = FEATURES[key] ?? [key.replaceAll("_", " "), ""];
    return el("label", { class: "switch-row" },
      el("span", {}, name, el("span", { class: "choice-note" }, note)),
      el("input", { type: "checkbox", class: "switch", role: "switch", checked: on, dataset: { focus: `feature-${key}` },
        onchange: (event) => api.setFeatures({ [key]: event.target.checked }).catch(() => {
          event.target.checked = on;
        }) }));
  }));
}

function drawSurfaces(node, { store, api }) {
  refill(node, el("legend", { class: "input-label" }, "The bot's own conversation"), Object.entries(SURFACES).map(([key, [name, note]]) => (
    el("label", { class: "choice" },
      el("input", { type: "radio", name: "surface", value: key, checked: store.surface === key, dataset: { focus: `surface-${key}` },
        onchange: () => api.setFeatures({ surface: key }).catch(() => drawSurfaces(node, { store, api })) }),
      el("span", {}, name, el("span", { class: "choice-note" }, note))))));
}

async function uninstall(store, api, dialog) {
  const name = store.bot()?.real_name ?? "the app";
  const sure = await confirmDialog({
    title: `Uninstall ${name}?`, body: "It has to be installed again, with new tokens, before it can answer here.", yes: "Uninstall", danger: true,
  });
  if (!sure) return;
  const done = await api.uninstall().then(() => true, () => false);
  if (!done) return;
  dialog.close();
  toast(`${name} is uninstalled.`);
}
