// The small form that adds a person to the workspace.

import { el } from "./dom.js";
import { announce } from "./toast.js";

const KINDS = {
  member: ["Member", {}],
  admin: ["Admin", { admin: true }],
  multi: ["Guest in several channels", { guest: "multi" }],
  single: ["Guest in one channel", { guest: "single" }],
  external: ["From another organisation", { external: true }],
};

export function createPersonForm({ api }) {
  const name = el("input", { class: "field-control", id: "person-name", maxlength: 80, autocomplete: "off", placeholder: "e.g. Dana Reyes",
    onkeydown: (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      add();
    } });
  const kind = el("select", { class: "field-control", id: "person-kind" },
    Object.entries(KINDS).map(([key, [label]]) => el("option", { value: key }, label)));
  async function add() {
    const given = name.value.trim();
    if (!given) {
      name.focus();
      return;
    }
    const made = await api.createPerson({ name: given, ...KINDS[kind.value][1] }).then(() => true, () => false);
    if (!made) return;
    name.value = "";
    announce(`${given} is here now.`);
    name.focus();
  }

  return el("div", { class: "person-form" },
    el("div", {}, el("label", { class: "input-label", for: "person-name" }, "Name"), name),
    el("div", {}, el("label", { class: "input-label", for: "person-kind" }, "Kind"), kind),
    el("button", { type: "button", class: "button button-default", onclick: add }, "Add person"));
}
