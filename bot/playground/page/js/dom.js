// Builds DOM nodes. Text always goes in as text: nothing in the page is ever parsed as HTML.

const SVG = "http://www.w3.org/2000/svg";

/** Make an element: `on…` are listeners, `class`/`dataset`/`aria-…` as expected, booleans are properties. */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) setProp(node, key, value);
  append(node, children);
  return node;
}

function setProp(node, key, value) {
  if (value === undefined || value === null) return;
  if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
  else if (key === "class") node.className = value;
  else if (key === "dataset") Object.assign(node.dataset, value);
  else if (typeof value === "boolean" && !key.startsWith("aria-")) node[key] = value;
  else if (key === "value") node.value = value;
  else node.setAttribute(key, String(value));
}

/** Append nodes and strings; null, undefined and false are left out, lists are flattened. */
function append(node, children) {
  for (const child of [children].flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child);
  }
  return node;
}

export function fragment(...children) {
  return append(document.createDocumentFragment(), children);
}

/** Replace everything in `node`, giving the focus back to the control with the same `data-focus`. */
export function refill(node, ...children) {
  const focused = node.contains(document.activeElement) ? document.activeElement : null;
  node.replaceChildren();
  append(node, children);
  if (focused) focusAgain(focused);
}

/** Focus a control, or the one that was drawn in its place. */
export function focusAgain(control) {
  const key = control.dataset?.focus;
  const again = control.isConnected ? control
    : key && [...document.querySelectorAll("[data-focus]")].find((each) => each.dataset.focus === key);
  again?.focus({ preventScroll: true });
}

/** Make `parent` hold exactly `nodes`, moving only what must move, so that focus and hover stay. */
export function reorder(parent, nodes) {
  const wanted = new Set(nodes);
  for (const child of [...parent.childNodes]) if (!wanted.has(child)) child.remove();
  let at = parent.firstChild;
  for (const node of nodes) {
    if (node === at) at = at.nextSibling;
    else parent.insertBefore(node, at);
  }
}

const ICONS = {
  reply: "M4 5.5h16v10.5h-9l-4.5 3.5v-3.5H4z",
  smile: "M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17zM8.5 14c1.8 2.6 5.2 2.6 7 0M9 9.7v.3M15 9.7v.3",
  close: "M6 6l12 12M18 6L6 18",
  send: "M4.5 12L4 5l16.5 7L4 19l.5-7zm0 0H12",
  search: "M10.5 4.5a6 6 0 1 0 0 12 6 6 0 0 0 0-12zM15 15l5 5",
  plus: "M12 5v14M5 12h14",
  hash: "M9.5 4L7.5 20M16.5 4l-2 16M4.5 9h16M3.5 15h16",
  lock: "M6.5 11h11v8.5h-11zM8.5 11V8a3.5 3.5 0 0 1 7 0v3",
  menu: "M4 7h16M4 12h16M4 17h16",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2.5v2.5M12 19v2.5M2.5 12H5M19 12h2.5M5.3 5.3L7 7M17 17l1.7 1.7M18.7 5.3L17 7M7 17l-1.7 1.7",
  moon: "M19.5 14.5A8 8 0 0 1 9.5 4.5a8 8 0 1 0 10 10z",
  auto: "M12 4a8 8 0 1 0 0 16zM12 4a8 8 0 0 1 0 16",
  pulse: "M3 12h4l3-7 4 14 3-7h4",
  more: "M5.5 12h.01M12 12h.01M18.5 12h.01",
  edit: "M5 19l1-4L16 5l3 3L9 18z",
  trash: "M5 7h14M9.5 7V4.5h5V7M7 7l1 13h8l1-13",
  check: "M5 12.5l4.5 4.5L19 7.5",
  copy: "M9 9h10.5v10.5H9zM15 9V4.5H4.5V15H9",
  down: "M6 9.5l6 6 6-6",
  right: "M9.5 6l6 6-6 6",
  eye: "M3 12c4-7 14-7 18 0-4 7-14 7-18 0zM12 9.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5z",
  at: "M15.5 12a3.5 3.5 0 1 1-7 0 3.5 3.5 0 0 1 7 0zm0-3.5V13c0 3.5 5 3 5-1a8.5 8.5 0 1 0-3.5 6.9",
  home: "M4.5 11L12 4.5l7.5 6.5v8.5h-5v-5h-5v5h-5z",
  people: "M9 11.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2.5 19.5c.5-7 12.5-7 13 0M16 5a3.5 3.5 0 0 1 0 6.5M18 13.5c2 .8 3.3 2.8 3.5 6",
  up: "M7 11v8.5H4V11zM7 11l4-7.5c2 0 2.6 1.5 2 3.5L12.5 10H19l-1.5 9.5H7",
  thumbdown: "M7 13V4.5H4V13zM7 13l4 7.5c2 0 2.6-1.5 2-3.5L12.5 14H19L17.5 4.5H7",
  book: "M4.5 5.5c3-.9 5.5-.4 7.5 1.5 2-1.9 4.5-2.4 7.5-1.5v12.5c-3-.9-5.5-.4-7.5 1.5-2-1.9-4.5-2.4-7.5-1.5zM12 7v12.5",
  attach: "M18.5 11l-7 7a4.2 4.2 0 0 1-6-6l7.5-7.5a2.8 2.8 0 0 1 4 4L9.5 16a1.4 1.4 0 0 1-2-2l6.5-6.5",
  bolt: "M13 3L5.5 13.5h5L10 21l8-11h-5.5z",
  stop: "M7.5 7.5h9v9h-9z",
  file: "M6.5 3.5h7l4.5 4.5v12.5H6.5zM13.5 3.5V8H18",
  image: "M4 5h16v14H4zM4 16l4.5-4.5L13 16l2.5-2.5L20 17.5M15.5 9h.01",
  download: "M12 4v11M7 10.5l5 5 5-5M5 19.5h14",
  link: "M10 14l4-4M8.5 11L6 13.5a3.5 3.5 0 0 0 5 5l2-2M15.5 13l2.5-2.5a3.5 3.5 0 0 0-5-5l-2 2",
  globe: "M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17zM3.5 12h17M12 3.5c5 5 5 12 0 17M12 3.5c-5 5-5 12 0 17",
  sliders: "M4 8h9M17 8h3M15 5.5v5M4 16h3M11 16h9M9 13.5v5",
  slash: "M15.5 4.5l-7 15",
  exit: "M10 4.5H5.5v15H10M10 12h9.5M15.5 8l4 4-4 4",
  spin: "M12 4.5a7.5 7.5 0 1 1-7.5 7.5",
  keyboard: "M3.5 6.5h17v11h-17zM7 10h.01M10.3 10h.01M13.7 10h.01M17 10h.01M7.5 14h9",
  circle: "M12 4.5a7.5 7.5 0 1 0 0 15 7.5 7.5 0 0 0 0-15z",
  bug: "M8 9.5h8v6a4 4 0 0 1-8 0zM9.5 9.5a2.5 2.5 0 0 1 5 0M4 8l4 2.5M20 8l-4 2.5M3.5 14H8M16 14h4.5M4.5 20L8 17M19.5 20L16 17",
};

/** A line icon that takes the colour of the text around it; decoration only, so hidden from readers. */
export function icon(name, className = "icon") {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", className);
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  if (name === "more") path.setAttribute("stroke-width", "3"); // three dots are only as large as the line is wide
  svg.append(path);
  return svg;
}

/** A square button that shows only an icon; `label` is its name and its tooltip. */
export function iconButton(name, label, onclick, props = {}) {
  return el("button", { type: "button", class: "icon-button", title: label, "aria-label": label, onclick, ...props },
    icon(name));
}
