// Block Kit's lists of choices: radio buttons and checkboxes.

import { dispatched, focusKey } from "./dispatch.js";
import { el } from "./dom.js";
import { textObject } from "./mrkdwn.js";

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

export function radioButtons(part, block, ctx) {
  const start = ctx.form.get(block, part)?.selected_option ?? part.initial_option ?? null;
  ctx.form.set(block, part, { selected_option: start });
  return choiceList(part, block, ctx, "radio", (option) => option.value === start?.value, (option) => {
    ctx.form.set(block, part, { selected_option: option });
    dispatched(part, block, ctx, { selected_option: option });
  });
}

export function checkboxes(part, block, ctx) {
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
