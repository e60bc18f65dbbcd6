// Block Kit's buttons: plain ones, feedback, icons, and the overflow menu.

import { focusKey, send, whileBusy } from "./dispatch.js";
import { el, icon, iconButton } from "./dom.js";
import { safeAddress } from "./links.js";
import { textObject } from "./mrkdwn.js";
import { openMenu } from "./popover.js";

export function button(part, block, ctx) {
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

export function feedbackButtons(part, block, ctx) {
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

export function iconElement(part, block, ctx) {
  if (part.visible_to_user_ids?.length && !part.visible_to_user_ids.includes(ctx.names.me)) return null;
  const name = part.accessibility_label ?? part.text?.text ?? part.icon;
  const node = el("button", {
    type: "button", class: "feedback-button", title: name, "aria-label": name,
    dataset: { focus: focusKey(part, block, ctx) },
    onclick: () => whileBusy(node, () => send(part, block, ctx, { value: part.value })),
  }, icon(part.icon === "trash" ? "trash" : "more"));
  return node;
}

export function overflow(part, block, ctx) {
  const choose = (option) => {
    if (option.url) openAddress(option.url);
    return whileBusy(node, () => send(part, block, ctx, { selected_option: option }));
  };
  const node = iconButton("more", "More", () => openMenu(node, "More", (part.options ?? []).map((option) => ({
    label: textObject(option.text, ctx.names), note: option.description && textObject(option.description, ctx.names),
    run: () => choose(option),
  }))), {
    class: "icon-button overflow-button", "aria-haspopup": "menu", dataset: { focus: focusKey(part, block, ctx) },
  });
  return node;
}
