// A table block: cells are plain or rich text, the first row is the head.

import { el } from "./dom.js";
import { richText } from "./richtext.js";
import { tableFrame } from "./wide.js";

export function tableBlock(block, names) {
  const [head = [], ...rows] = block.rows ?? [];
  const settings = block.column_settings ?? [];
  const cell = (tag) => (content, at) => el(tag, {
    scope: tag === "th" ? "col" : undefined,
    class: [`align-${settings[at]?.align ?? "left"}`, settings[at]?.is_wrapped && "cell-wrapped"].filter(Boolean).join(" "),
  }, cellContent(content, names));
  return tableFrame(el("table", {},
    el("thead", {}, el("tr", {}, head.map(cell("th")))),
    el("tbody", {}, rows.map((row) => el("tr", {}, row.map(cell("td")))))), "block");
}

function cellContent(content, names) {
  if (content?.type === "rich_text") return richText(content, names);
  return String(content?.text ?? content?.value ?? "");
}
