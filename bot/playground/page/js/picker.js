// A field that chooses from a list: type to narrow it, arrows and Enter to take one; several become chips.

import { el, icon, iconButton, refill } from "./dom.js";

const GAP_PX = 4;
let number = 0;

/** `offered`: {key, label, note?, group?, picture?()}; `onChange(chosen)` may give false to take it back. */
export function createPicker({ offered, chosen, multiple, most, label, placeholder, field, onChange }) {
  number += 1;
  const listId = `picker-${number}`;
  let keys = chosen.filter((key) => offered.some((option) => option.key === key));
  let shown = [];
  let at = 0;
  const find = (key) => offered.find((option) => option.key === key);
  const list = el("div", { class: "picker-list", role: "listbox", id: listId, popover: "manual", "aria-label": label,
    "aria-multiselectable": multiple ? "true" : undefined });
  const input = el("input", {
    ...field, type: "text", class: "picker-field", role: "combobox", autocomplete: "off", spellcheck: "false",
    "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": listId,
    oninput: () => open(input.value), onkeydown: onKey, onblur: () => close(),
    onclick: () => (isOpen() ? undefined : open("")), onfocus: () => input.select(),
  });
  const chips = el("span", { class: "picker-chips" });
  const node = el("div", { class: "picker field-control", onclick: (event) => event.target === node && input.focus() },
    chips, input, icon("down", "icon picker-arrow"), list);
  draw();
  return node;

  function draw() {
    refill(chips, multiple && keys.map((key) => el("span", { class: "picker-chip" }, find(key).label,
      iconButton("close", `Remove ${find(key).label}`, () => change(keys.filter((each) => each !== key)), {
        dataset: { focus: `${field.dataset?.focus}/remove-${key}` },
      }))));
    chips.hidden = !multiple || !keys.length;
    input.value = multiple || !keys.length ? "" : find(keys[0]).label;
    input.placeholder = multiple && keys.length ? "" : placeholder;
  }

  async function change(next) {
    const before = keys;
    keys = next;
    draw();
    node.dispatchEvent(new Event("change", { bubbles: true }));
    if ((await onChange(next.map(find))) !== false) return;
    keys = before;
    draw();
  }

  function isOpen() {
    return input.getAttribute("aria-expanded") === "true";
  }

  function open(wanted) {
    const text = wanted.trim().toLowerCase();
    shown = offered.filter((option) => `${option.label} ${option.note ?? ""}`.toLowerCase().includes(text));
    at = Math.max(0, text || multiple ? 0 : shown.findIndex((option) => option.key === keys[0]));
    drawList();
    if (isOpen()) return;
    list.showPopover();
    input.setAttribute("aria-expanded", "true");
    place();
    document.addEventListener("scroll", onScroll, true);
  }

  function close() {
    if (isOpen()) {
      list.hidePopover();
      document.removeEventListener("scroll", onScroll, true);
    }
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
    if (multiple || !keys.length) input.value = "";
    else input.value = find(keys[0]).label;
  }

  function onScroll(event) {
    if (!list.contains(event.target)) close();
  }

  function place() {
    const around = node.getBoundingClientRect();
    list.style.minWidth = `${Math.min(around.width, innerWidth - 4 * GAP_PX)}px`;
    const { offsetWidth: width, offsetHeight: height } = list;
    const below = around.bottom + GAP_PX + height <= innerHeight;
    list.style.left = `${Math.max(GAP_PX, Math.min(around.left, innerWidth - width - 2 * GAP_PX))}px`;
    list.style.top = `${below ? around.bottom + GAP_PX : Math.max(GAP_PX, around.top - GAP_PX - height)}px`;
  }

  function drawList() {
    const rows = shown.map((option, index) => el("div", {
      class: "picker-option", role: "option", id: `${listId}-${index}`, "aria-selected": keys.includes(option.key),
      dataset: { active: String(index === at) },
      onpointerdown: (event) => {
        event.preventDefault(); // keep the focus in the field
        take(index);
      },
    }, option.picture?.(), el("span", {}, option.label), option.note && el("small", {}, option.note),
    keys.includes(option.key) && icon("check")));
    refill(list, grouped(rows), !rows.length && el("p", { class: "picker-none", role: "option", "aria-disabled": "true",
      "aria-selected": "false" }, "Nothing fits."));
    if (rows.length) input.setAttribute("aria-activedescendant", `${listId}-${at}`);
    else input.removeAttribute("aria-activedescendant");
    rows[at]?.scrollIntoView({ block: "nearest" });
  }

  function grouped(rows) {
    const names = [...new Set(shown.map((option) => option.group))];
    if (names.every((name) => name === undefined)) return rows;
    return names.map((name) => el("div", { role: "group", "aria-label": name },
      el("div", { class: "picker-group", "aria-hidden": "true" }, name), rows.filter((_, index) => shown[index].group === name)));
  }

  function take(index) {
    const option = shown[index];
    if (!option) return;
    if (!multiple) {
      close();
      if (option.key !== keys[0]) change([option.key]);
      return;
    }
    const full = most && keys.length >= most && !keys.includes(option.key);
    if (full) return;
    change(keys.includes(option.key) ? keys.filter((key) => key !== option.key) : [...keys, option.key]);
    open("");
    place();
  }

  function onKey(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && !isOpen()) open("");
    else if (step && shown.length) {
      at = (at + step + shown.length) % shown.length;
      drawList();
    } else if (event.key === "Enter" && isOpen()) take(at);
    else if (event.key === "Escape" && isOpen()) close();
    else if (event.key === "Backspace" && multiple && !input.value && keys.length) change(keys.slice(0, -1));
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
