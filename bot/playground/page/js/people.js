// The people of the workspace: who they are, becoming one of them, changing and adding them.

import { avatar, userBadges } from "./avatar.js";
import { el, icon, iconButton, refill } from "./dom.js";
import { openMenu } from "./popover.js";
import { announce } from "./toast.js";

const NOBODY_SPECIAL = { admin: false, guest: null };
const KINDS = {
  member: ["Member", {}],
  admin: ["Admin", { admin: true }],
  multi: ["Guest in several channels", { guest: "multi" }],
  single: ["Guest in one channel", { guest: "single" }],
  external: ["From another organisation", { external: true }],
};

/** The list with its form; `onActAs(user)` hears whom one wants to be. */
export function createPeople(app, onActAs) {
  const { store } = app;
  const list = el("ul", { class: "member-list" });
  const node = el("div", {}, list, personForm(app));
  const draw = () => refill(list, [...store.users.values()].filter((user) => !user.is_bot).map((user) => el("li", {}, avatar(user),
    el("span", { class: "member-name" }, el("span", {}, user.real_name, userBadges(user)), el("small", {}, store.userNote(user))),
    actions(app, user, onActAs))));
  return { node, draw };
}

function actions(app, user, onActAs) {
  const name = user.real_name;
  const changeable = !(user.external && user.id === app.store.me);
  return el("span", { class: "member-actions" },
    user.id === app.store.me ? el("span", { class: "muted" }, "you") : !user.deleted && el("button", {
      type: "button", class: "button button-default", "aria-label": `Act as ${name}`, onclick: () => onActAs(user),
    }, "Act as"),
    changeable && iconButton("more", `Change ${name}`, (event) => openMenu(event.currentTarget, `Change ${name}`, changes(app, user)), {
      "aria-haspopup": "menu", dataset: { focus: `change-${user.id}` },
    }));
}

function changes({ api, store }, user) {
  const change = (body) => api.changePerson({ person: user.id, ...body }).catch(() => {});
  const kind = kindOf(user);
  // Nobody moves to another organisation, or from one to this.
  const possible = Object.entries(KINDS).filter(([key]) => !user.external && key !== "external");
  const kinds = possible.map(([key, [label, standing]]) => ({
    label, checked: key === kind, run: () => change({ ...NOBODY_SPECIAL, ...standing }),
  }));
  const ends = user.deleted ? { label: "Activate", picture: icon("check"), run: () => change({ deleted: false }) }
    : { label: "Deactivate", picture: icon("close"), danger: true, run: () => change({ deleted: true }) };
  return user.id === store.me ? kinds : [...kinds, kinds.length > 0 && "separator", ends].filter(Boolean);
}

function kindOf(user) {
  if (user.is_admin) return "admin";
  return user.external ? "external" : user.guest ?? "member";
}

function personForm({ api }) {
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
