// The raw traffic between the playground and the bot, newest last, with payloads that open on a click.

import { el, icon, iconButton } from "./dom.js";
import { createFaults } from "./faults.js";
import { jsonTree } from "./jsontree.js";

const KINDS = {
  call: { label: "Calls", arrow: "←", hint: "the bot calls the Web API" },
  event: { label: "Events", arrow: "→", hint: "the playground tells the bot" },
  interaction: { label: "Interactions", arrow: "→", hint: "somebody clicked or submitted" },
  ack: { label: "Acks", arrow: "←", hint: "the bot acknowledges" },
  file: { label: "Files", arrow: "↕", hint: "files come and go" },
  connection: { label: "Connections", arrow: "·", hint: "sockets come and go" },
};
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hourCycle: "h23" });

export function mountTraffic(root, app) {
  const { store, api } = app;
  const hidden = new Set();
  const rows = new Map();
  const list = el("ol", { class: "traffic-list", "aria-label": "Traffic entries", tabindex: "0" });
  const empty = el("p", { class: "traffic-empty muted" }, "Nothing yet. Every call, event and acknowledgement appears here.");
  const search = el("input", { type: "search", class: "field-control traffic-search", placeholder: "Filter by name or content",
    "aria-label": "Filter traffic", oninput: () => filter() });
  const faults = createFaults(app);
  root.append(
    el("header", { class: "traffic-head" },
      el("h2", {}, "Traffic"),
      el("div", { class: "traffic-kinds", role: "group", "aria-label": "Kinds" }, Object.keys(KINDS).map(kindChip)),
      search,
      faults.button,
      iconButton("trash", "Clear traffic", clear),
      iconButton("close", "Close traffic", () => app.toggleTraffic(false))),
    faults.panel, el("div", { class: "traffic-body" }, empty, list));

  function kindChip(kind) {
    const chip = el("button", { type: "button", class: "kind-chip", "aria-pressed": "true", title: KINDS[kind].hint,
      onclick: () => {
        if (!hidden.delete(kind)) hidden.add(kind);
        chip.setAttribute("aria-pressed", String(!hidden.has(kind)));
        filter();
      } }, el("i", { class: `kind-dot kind-${kind}` }), KINDS[kind].label);
    return chip;
  }

  function add(entry) {
    const body = root.querySelector(".traffic-body");
    const atEnd = body.scrollHeight - body.scrollTop - body.clientHeight < 60;
    const node = row(entry);
    if (rows.has(entry.id)) rows.get(entry.id).node.replaceWith(node);
    else list.append(node);
    rows.set(entry.id, { node, entry });
    node.hidden = !matches(entry);
    for (const id of [...rows.keys()].slice(0, Math.max(0, rows.size - store.traffic.size))) {
      rows.get(id).node.remove();
      rows.delete(id);
    }
    empty.hidden = true;
    if (atEnd) body.scrollTop = body.scrollHeight;
  }

  function row(entry) {
    const kind = KINDS[entry.kind] ?? KINDS.connection;
    const detail = el("div", { class: "entry-detail" });
    const bad = !/^(ok|200|acked|delivered|sent|open|opened|closed|hello|done|success)?$/i.test(entry.status ?? "");
    return el("li", {}, el("details", { class: "entry", ontoggle: (event) => {
      if (event.target !== event.currentTarget || !event.target.open) return;
      if (!detail.firstChild) detail.append(part("Request", entry.request), part("Response", entry.response));
      detail.scrollIntoView({ block: "nearest" });
    } },
    el("summary", { class: "entry-line" },
      icon("right", "icon entry-twist"),
      el("time", {}, clock.format(new Date(entry.time * 1000))),
      el("span", { class: `entry-kind kind-${entry.kind}`, title: kind.hint }, `${kind.arrow} ${entry.kind}`),
      el("span", { class: "entry-name" }, entry.name),
      el("span", { class: "entry-peek" }, peek(entry)),
      el("span", { class: `entry-status${bad ? " entry-bad" : ""}` }, entry.status),
      el("span", { class: "entry-ms" }, entry.ms ? `${Math.round(entry.ms)} ms` : "")), detail));
  }

  function part(name, value) {
    if (value === undefined || value === null) return el("div", { class: "entry-part" });
    const copy = iconButton("copy", `Copy ${name.toLowerCase()}`, () => navigator.clipboard.writeText(JSON.stringify(value, null, 2)));
    return el("div", { class: "entry-part" }, el("div", { class: "entry-part-head" }, el("h3", {}, name), copy), jsonTree(value));
  }

  function matches(entry) {
    const wanted = search.value.trim().toLowerCase();
    if (hidden.has(entry.kind)) return false;
    return !wanted || `${entry.name} ${JSON.stringify(entry.request ?? "")}`.toLowerCase().includes(wanted);
  }

  function filter() {
    for (const { node, entry } of rows.values()) node.hidden = !matches(entry);
  }

  function reset() {
    rows.clear();
    list.replaceChildren();
    empty.hidden = false;
    for (const entry of store.traffic.values()) add(entry);
  }

  async function clear() {
    await api.clearTraffic().catch(() => {});
    store.clearTraffic();
  }

  store.on("traffic", (entry) => (root.hidden ? undefined : entry ? add(entry) : reset()));
  return { opened: reset };
}

/** What an entry is about, in a few words. */
function peek(entry) {
  const request = entry.request ?? {};
  const event = request.payload?.event ?? request.event ?? request;
  const text = event.text ?? event.status ?? event.reaction ?? event.markdown_text ?? "";
  return typeof text === "string" ? text.replace(/\s+/g, " ").slice(0, 140) : "";
}
