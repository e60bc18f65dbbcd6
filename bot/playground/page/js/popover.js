// A small panel beside the control that opened it: menus and the emoji picker.

import { el, icon } from "./dom.js";
import { EMOJI_NAMES, emojiChar } from "./emoji.js";

const PARTS = "dialog, main, nav, section, [role=main], [role=complementary]";
let openOne = null;

export function closePopover() {
  openOne?.();
}

/** Show `content` at `anchor`; closes on Escape, on a click elsewhere and when another one opens. */
function openPopover(anchor, content) {
  closePopover();
  content.classList.add("popover");
  // In the same part of the page as its opener: a dialog puts everything outside of it out of reach.
  (anchor.closest(PARTS) ?? document.body).append(content);
  place(anchor, content);
  const outside = (event) => {
    if (!content.contains(event.target) && !anchor.contains(event.target)) close();
  };
  const keys = (event) => {
    if (event.key !== "Escape" && !(event.key === "Tab" && content.role === "menu")) return;
    event.preventDefault();
    event.stopPropagation();
    close();
    anchor.focus();
  };
  const close = () => {
    content.remove();
    document.removeEventListener("pointerdown", outside, true);
    anchor.setAttribute("aria-expanded", "false");
    openOne = null;
  };
  content.addEventListener("keydown", keys);
  document.addEventListener("pointerdown", outside, true);
  anchor.setAttribute("aria-expanded", "true");
  openOne = close;
}

function place(anchor, content) {
  const at = anchor.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = content;
  const left = Math.max(8, Math.min(at.left, innerWidth - width - 8));
  const above = at.top - height - 6;
  const top = at.bottom + height + 6 > innerHeight && above > 8 ? above : Math.min(at.bottom + 6, innerHeight - height - 8);
  content.style.left = `${left}px`;
  content.style.top = `${Math.max(8, top)}px`;
}

/** A menu of {label, note?, picture?, checked?, danger?, run}, and of "separator". */
export function openMenu(anchor, label, items) {
  const rows = items.map((item) => (item === "separator" ? el("hr", { class: "menu-separator" }) : menuItem(anchor, item)));
  const stops = rows.filter((row) => row.tagName === "BUTTON");
  const menu = el("div", { class: "menu", role: "menu", "aria-label": label, onkeydown: (event) => moveFocus(event, stops, 1) }, rows);
  openPopover(anchor, menu);
  (stops.find((row) => row.getAttribute("aria-checked") === "true") ?? stops[0]).focus();
}

function menuItem(anchor, item) {
  return el("button", {
    type: "button", class: `menu-item${item.danger ? " menu-danger" : ""}`, tabindex: "-1",
    role: item.checked === undefined ? "menuitem" : "menuitemradio", "aria-checked": item.checked,
    onclick: (event) => {
      closePopover();
      // With the keyboard one goes on from where one was; with the mouse the focus would only hold the bar open.
      if (event.detail === 0) anchor.focus({ preventScroll: true });
      item.run();
    },
  }, item.picture, el("span", { class: "menu-label" }, item.label, item.note && el("small", {}, item.note)),
  item.checked && icon("check", "icon menu-check"));
}

/** Pick an emoji by its name. */
export function openEmojiPicker(anchor, onPick) {
  const grid = el("div", { class: "emoji-grid" });
  const search = el("input", {
    type: "search", class: "field-control", placeholder: "Search emoji", "aria-label": "Search emoji",
    oninput: () => fill(search.value),
    onkeydown: (event) => {
      if (event.key === "ArrowDown") grid.firstElementChild?.focus();
      else if (event.key === "Enter") grid.firstElementChild?.click();
      else return;
      event.preventDefault();
    },
  });
  const fill = (wanted) => {
    const names = EMOJI_NAMES.filter((name) => name.includes(wanted.trim().toLowerCase().replaceAll(":", "")));
    grid.replaceChildren(...names.map((name) => el("button", {
      type: "button", class: "emoji-choice", title: `:${name}:`, "aria-label": `:${name}:`,
      onclick: () => {
        closePopover();
        onPick(name);
      },
    }, emojiChar(name))));
    if (!names.length) grid.append(el("p", { class: "muted" }, "No emoji of this name."));
  };
  fill("");
  grid.addEventListener("keydown", (event) => moveFocus(event, [...grid.children], 8));
  openPopover(anchor, el("div", { class: "emoji-picker", role: "dialog", "aria-label": "Pick an emoji" }, search, grid));
  search.focus();
}

function moveFocus(event, nodes, perRow) {
  const step = { ArrowDown: perRow, ArrowUp: -perRow, ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const at = nodes.indexOf(document.activeElement);
  nodes[Math.max(0, Math.min(nodes.length - 1, at + step))]?.focus();
}
