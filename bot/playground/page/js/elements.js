// Which control draws which element of Block Kit.

import { button, feedbackButtons, iconElement, overflow } from "./buttons.js";
import { checkboxes, radioButtons } from "./choices.js";
import { el } from "./dom.js";
import { imageElement } from "./images.js";
import { dateTimeInput, textInput } from "./inputs.js";
import { channelsSelect, conversationsSelect, staticSelect, usersSelect } from "./selects.js";

const ELEMENTS = {
  button, workflow_button: button, feedback_buttons: feedbackButtons, icon_button: iconElement, overflow,
  plain_text_input: textInput, email_text_input: textInput, url_text_input: textInput, number_input: textInput,
  datepicker: dateTimeInput, timepicker: dateTimeInput, datetimepicker: dateTimeInput,
  radio_buttons: radioButtons, checkboxes,
  static_select: staticSelect, multi_static_select: staticSelect, external_select: staticSelect, multi_external_select: staticSelect,
  users_select: usersSelect, multi_users_select: usersSelect,
  conversations_select: conversationsSelect, multi_conversations_select: conversationsSelect,
  channels_select: channelsSelect, multi_channels_select: channelsSelect,
  image: imageElement,
};

/** Draw `part`, which stands in `block`; `ctx` as in blocks.js. */
export function element(part, block, ctx) {
  const make = part && ELEMENTS[part.type];
  return make ? make(part, block, ctx) : el("span", { class: "unsupported" }, `[${part?.type}]`);
}
