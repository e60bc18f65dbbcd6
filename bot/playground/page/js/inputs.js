// Block Kit's fields to type in: text, addresses, numbers, dates and times.

import { dispatched, focusKey } from "./dispatch.js";
import { el } from "./dom.js";

const TYPES = { email_text_input: "email", url_text_input: "url", number_input: "number" };
const TYPING_MS = 400; // an app that wants every character gets them in handfuls

export function textInput(part, block, ctx) {
  const start = ctx.form.get(block, part)?.value ?? part.initial_value ?? "";
  const value = () => ({ value: node.value || null });
  const remember = () => ctx.form.set(block, part, value());
  const act = () => dispatched(part, block, ctx, value());
  const triggers = part.dispatch_action_config?.trigger_actions_on ?? ["on_enter_pressed"];
  let timer = 0;
  const node = el(part.multiline ? "textarea" : "input", {
    ...shape(part), ...common(part, block, ctx), value: start,
    oninput: () => {
      remember();
      if (!block.dispatch_action || !triggers.includes("on_character_entered")) return;
      clearTimeout(timer);
      timer = setTimeout(act, TYPING_MS);
    },
    onkeydown: (event) => {
      const wanted = block.dispatch_action && triggers.includes("on_enter_pressed");
      if (event.key !== "Enter" || part.multiline || !wanted || event.isComposing) return;
      event.preventDefault();
      act();
    },
  });
  remember();
  return node;
}

function shape(part) {
  if (part.multiline) return { rows: 4, maxlength: part.max_length, minlength: part.min_length };
  if (part.type !== "number_input") return { type: TYPES[part.type] ?? "text", maxlength: part.max_length, minlength: part.min_length };
  return { type: "number", min: part.min_value, max: part.max_value, step: part.is_decimal_allowed ? "any" : "1" };
}

function common(part, block, ctx) {
  return {
    class: "field-control", id: ctx.inputId, placeholder: part.placeholder?.text,
    "aria-label": ctx.inputId ? undefined : part.placeholder?.text ?? part.action_id,
    "aria-describedby": ctx.describedBy, "aria-invalid": ctx.invalid || undefined, autofocus: Boolean(part.focus_on_load),
    dataset: { focus: focusKey(part, block, ctx), block: block.block_id },
  };
}

const CLOCKS = {
  datepicker: { type: "date", key: "selected_date", initial: "initial_date" },
  timepicker: { type: "time", key: "selected_time", initial: "initial_time" },
  datetimepicker: { type: "datetime-local", key: "selected_date_time", initial: "initial_date_time" },
};

/** The browser's own picker: everybody knows theirs, and it speaks their language. */
export function dateTimeInput(part, block, ctx) {
  const { type, key, initial } = CLOCKS[part.type];
  const start = ctx.form.get(block, part)?.[key] ?? part[initial] ?? null;
  const moment = type === "datetime-local";
  const read = () => (moment ? Math.floor(new Date(node.value).getTime() / 1000) || null : node.value || null);
  const node = el("input", {
    ...common(part, block, ctx), type, class: "field-control field-clock", value: moment && start ? localTime(start) : start ?? "",
    onchange: () => {
      ctx.form.set(block, part, { [key]: read() });
      dispatched(part, block, ctx, { [key]: read() });
    },
  });
  ctx.form.set(block, part, { [key]: start });
  return node;
}

function localTime(seconds) {
  const date = new Date(seconds * 1000);
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}
