// Block Kit: turns blocks into DOM. What happens on a click is the caller's (`ctx.act`); inputs report to `ctx.form`.
//
// ctx = { names: Store, act(action), form: Form, errors: {block_id: text}, place: string for focus keys }

import { el, fragment } from "./dom.js";
import { element as control } from "./elements.js";
import { imageBlock, imageElement } from "./images.js";
import { markdown } from "./markdown.js";
import { textObject } from "./mrkdwn.js";
import { richText } from "./richtext.js";
import { tableBlock } from "./table.js";
import { planBlock, taskCard } from "./tasks.js";

export function renderBlocks(blocks, ctx) {
  return fragment((blocks ?? []).map((block) => {
    const make = BLOCKS[block.type];
    return make ? make(block, ctx) : el("div", { class: "block unsupported" }, `[${block.type}]`);
  }));
}

const BLOCKS = {
  section(block, ctx) {
    return el("div", { class: "block block-section" },
      el("div", { class: "section-text" },
        block.text && textObject(block.text, ctx.names),
        block.fields && el("div", { class: "fields" },
          block.fields.map((field) => el("div", { class: "field" }, textObject(field, ctx.names))))),
      block.accessory && el("div", { class: "accessory" }, control(block.accessory, block, ctx)));
  },
  header: (block, ctx) => el("h3", { class: "block block-header" }, textObject(block.text, ctx.names)),
  divider: () => el("hr", { class: "block block-divider" }),
  context(block, ctx) {
    return el("div", { class: "block block-context" }, (block.elements ?? []).map((part) => (
      part.type === "image" ? imageElement(part) : el("div", { class: "context-part" }, textObject(part, ctx.names)))));
  },
  actions: (block, ctx) => el("div", { class: "block block-actions" },
    (block.elements ?? []).map((part) => control(part, block, ctx))),
  context_actions: (block, ctx) => el("div", { class: "block block-context-actions" },
    (block.elements ?? []).map((part) => control(part, block, ctx))),
  rich_text: (block, ctx) => el("div", { class: "block" }, richText(block, ctx.names)),
  markdown: (block, ctx) => el("div", { class: "block" }, markdown(block.text ?? "", ctx.names)),
  input: inputBlock,
  image: imageBlock,
  table: (block, ctx) => tableBlock(block, ctx.names),
  task_card: (block, ctx) => el("div", { class: "block block-tasks" }, el("ul", { class: "tasks" }, taskCard(block, ctx.names))),
  plan: (block, ctx) => planBlock(block, ctx.names),
};

let fieldNumber = 0;

function inputBlock(block, ctx) {
  fieldNumber += 1;
  const id = `field-${fieldNumber}`;
  const error = ctx.errors?.[block.block_id];
  const grouped = ["radio_buttons", "checkboxes"].includes(block.element?.type);
  const node = control(block.element, block, { ...ctx, inputId: id, describedBy: `${id}-note`, invalid: Boolean(error) });
  const label = [textObject(block.label, ctx.names), block.optional && el("span", { class: "optional" }, " (optional)")];
  return el(grouped ? "fieldset" : "div", { class: `block block-input${error ? " has-error" : ""}`, dataset: { block: block.block_id } },
    grouped ? el("legend", { class: "input-label" }, label) : el("label", { class: "input-label", for: id }, label),
    node,
    el("div", { class: "input-note", id: `${id}-note`, role: error ? "alert" : undefined },
      error ?? (block.hint && textObject(block.hint, ctx.names))));
}
