// The controls of Block Kit: buttons, feedback, choices and text fields.

import { confirmDialog } from "./dialogs.js";
import { el, icon } from "./dom.js";
import { safeAddress } from "./links.js";
import { textObject } from "./mrkdwn.js";

/** What has been entered in the controls of one message or view, in the shape of Slack's `state.values`. */
export class Form {
  constructor(values = {}) {
    this.values = structuredClone(values);
    this.pressed = new Map(); // which feedback button was pressed, by action id: block ids change with an update
  }

  get(block, part) {
    return this.values[block.block_id]?.[part.action_id];
  }

  set(block, part, value) {
    this.values[block.block_id] ??= {};
    this.values[block.block_id][part.action_id] = { type: part.type, ...value };
  }

  /** Keep only what the blocks of an updated view still ask for. */
  keep(blocks) {
    const ids = new Set(blocks.map((block) => block.block_id));
    for (const id of Object.keys(this.values)) if (!ids.has(id)) delete this.values[id];
  }
}

export function element(part, block, ctx) {
  const make = part && ELEMENTS[part.type];
  return make ? make(part, block, ctx) : el("span", { class: "unsupported" }, `[${part?.type}]`);
}

const ELEMENTS = {
  button, feedback_buttons: feedbackButtons, icon_button: iconElement,
  plain_text_input: textInput, email_text_input: textInput, url_text_input: textInput, number_input: textInput,
  radio_buttons: radioButtons, checkboxes, static_select: select, external_select: select, overflow,
};

/** Names a control over a redraw; a message's buttons go by their action alone, as its block ids change. */
function focusKey(part, block, ctx, value = "") {
  const where = block.type === "input" ? block.block_id : "";
  return `${ctx.place}/${where}/${part.action_id}/${value}`;
}

/** Ask where the element wants it, then act. */
async function send(part, block, ctx, value) {
  if (part.confirm && !(await confirmDialog(confirmOf(part.confirm, ctx)))) return false;
  await ctx.act({ type: part.type, block_id: block.block_id, action_id: part.action_id, ...value });
  return true;
}

function confirmOf(confirm, ctx) {
  return {
    title: confirm.title?.text ?? "Are you sure?",
    body: textObject(confirm.text, ctx.names),
    yes: confirm.confirm?.text ?? "Yes",
    no: confirm.deny?.text ?? "Cancel",
    danger: confirm.style === "danger",
  };
}

/** A button is busy until the server took the click, so that a double click is one click. */
async function whileBusy(node, work) {
  if (node.getAttribute("aria-busy") === "true") return;
  node.setAttribute("aria-busy", "true");
  try {
    await work();
  } catch {
    // The api module has shown a toast already.
  } finally {
    node.removeAttribute("aria-busy");
  }
}

function button(part, block, ctx) {
  const node = el("button", {
    type: "button",
    class: `button button-${part.style ?? "default"}`,
    "aria-label": part.accessibility_label,
    dataset: { focus: focusKey(part, block, ctx) },
    onclick: () => whileBusy(node, async () => {
      if (part.url) openAddress(part.url);
      await send(part, block, ctx, { value: part.value, text: part.text });
    }),
  }, textObject(part.text, ctx.names));
  return node;
}

function openAddress(address) {
  const href = safeAddress(address);
  if (href) window.open(href, "_blank", "noopener,noreferrer");
}

function feedbackButtons(part, block, ctx) {
  const sides = [["positive_button", "up"], ["negative_button", "thumbdown"]];
  const nodes = sides.filter(([key]) => part[key]).map(([key, picture]) => {
    const side = part[key];
    const name = side.accessibility_label ?? side.text?.text ?? key;
    const chosen = ctx.form.pressed.get(part.action_id) === side.value;
    const node = el("button", {
      type: "button", class: "feedback-button", title: side.text?.text ?? name, "aria-label": name, "aria-pressed": chosen,
      dataset: { focus: focusKey(part, block, ctx, side.value), value: side.value },
      onclick: () => whileBusy(node, () => choose(side.value)),
    }, icon(picture));
    return node;
  });
  // Noted before it is sent: the bot may redraw the message before the answer to the click is here.
  async function choose(value) {
    const before = ctx.form.pressed.get(part.action_id);
    press(value);
    try {
      if (!(await send(part, block, ctx, { value }))) press(before);
    } catch (error) {
      press(before);
      throw error;
    }
  }

  function press(value) {
    ctx.form.pressed.set(part.action_id, value);
    for (const node of nodes) node.setAttribute("aria-pressed", String(node.dataset.value === value));
  }

  return el("div", { class: "feedback-buttons", role: "group", "aria-label": "Feedback" }, nodes);
}

function iconElement(part, block, ctx) {
  const name = part.accessibility_label ?? part.text?.text ?? part.icon;
  const node = el("button", {
    type: "button", class: "feedback-button", title: name, "aria-label": name,
    dataset: { focus: focusKey(part, block, ctx) },
    onclick: () => whileBusy(node, () => send(part, block, ctx, { value: part.value })),
  }, icon(part.icon === "trash" ? "trash" : "more"));
  return node;
}

function textInput(part, block, ctx) {
  const start = ctx.form.get(block, part)?.value ?? part.initial_value ?? "";
  const type = { email_text_input: "email", url_text_input: "url", number_input: "number" }[part.type] ?? "text";
  const remember = () => ctx.form.set(block, part, { value: node.value || null });
  const node = el(part.multiline ? "textarea" : "input", {
    type: part.multiline ? undefined : type,
    rows: part.multiline ? 4 : undefined,
    class: "field-control", id: ctx.inputId, value: start,
    placeholder: part.placeholder?.text, maxlength: part.max_length,
    "aria-describedby": ctx.describedBy, "aria-invalid": ctx.invalid,
    autofocus: Boolean(part.focus_on_load),
    dataset: { focus: focusKey(part, block, ctx) },
    oninput: remember,
    onchange: () => dispatched(part, block, ctx, { value: node.value }),
  });
  remember();
  return node;
}

/** Choices outside an input block act at once; inside one only where the block says so. */
function dispatched(part, block, ctx, value) {
  if (block.type === "input" && !block.dispatch_action) return;
  send(part, block, ctx, value).catch(() => {});
}

let groupNumber = 0;

function choiceList(part, block, ctx, type, isChosen, onChange) {
  groupNumber += 1;
  const name = `choice-${groupNumber}`;
  const rows = (part.options ?? []).map((option) => el("label", { class: "choice" },
    el("input", {
      type, name, value: option.value, checked: isChosen(option), "aria-describedby": ctx.describedBy,
      dataset: { focus: focusKey(part, block, ctx, option.value) }, onchange: (event) => onChange(option, event.target),
    }),
    el("span", {}, textObject(option.text, ctx.names),
      option.description && el("span", { class: "choice-note" }, textObject(option.description, ctx.names)))));
  const role = type === "radio" ? "radiogroup" : "group";
  return el("div", { class: "choices", role, "aria-label": block.label?.text ?? part.action_id }, rows);
}

function radioButtons(part, block, ctx) {
  const start = ctx.form.get(block, part)?.selected_option ?? part.initial_option ?? null;
  ctx.form.set(block, part, { selected_option: start });
  return choiceList(part, block, ctx, "radio", (option) => option.value === start?.value, (option) => {
    ctx.form.set(block, part, { selected_option: option });
    dispatched(part, block, ctx, { selected_option: option });
  });
}

function checkboxes(part, block, ctx) {
  const chosen = new Map((ctx.form.get(block, part)?.selected_options ?? part.initial_options ?? [])
    .map((option) => [option.value, option]));
  const remember = () => ctx.form.set(block, part, { selected_options: [...chosen.values()] });
  remember();
  return choiceList(part, block, ctx, "checkbox", (option) => chosen.has(option.value), (option, input) => {
    if (input.checked) chosen.set(option.value, option);
    else chosen.delete(option.value);
    remember();
    dispatched(part, block, ctx, { selected_options: [...chosen.values()] });
  });
}

function select(part, block, ctx) {
  const groups = part.option_groups ?? [{ options: part.options ?? [] }];
  const options = groups.flatMap((group) => group.options);
  const start = ctx.form.get(block, part)?.selected_option ?? part.initial_option ?? null;
  ctx.form.set(block, part, { selected_option: start });
  const row = (option) => el("option", { value: option.value, selected: option.value === start?.value }, option.text?.text ?? "");
  return el("select", {
    class: "field-control", id: ctx.inputId, "aria-describedby": ctx.describedBy, "aria-invalid": ctx.invalid,
    "aria-label": ctx.inputId ? undefined : part.placeholder?.text ?? part.action_id,
    dataset: { focus: focusKey(part, block, ctx) },
    onchange: (event) => {
      const option = options.find((each) => each.value === event.target.value) ?? null;
      ctx.form.set(block, part, { selected_option: option });
      if (option) dispatched(part, block, ctx, { selected_option: option });
    },
  },
  el("option", { value: "", disabled: Boolean(start) }, part.placeholder?.text ?? "Choose…"),
  groups.map((group) => (group.label
    ? el("optgroup", { label: group.label.text }, group.options.map(row))
    : group.options.map(row))));
}

function overflow(part, block, ctx) {
  return el("div", { class: "overflow" }, (part.options ?? []).map((option) => {
    const node = el("button", {
      type: "button", class: "button button-default",
      onclick: () => whileBusy(node, () => send(part, block, ctx, { selected_option: option })),
    }, textObject(option.text, ctx.names));
    return node;
  }));
}
