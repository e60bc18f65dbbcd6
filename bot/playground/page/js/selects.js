// Block Kit's selects: what each offers, what it starts with and what it tells; picker.js draws them all.

import { avatar } from "./avatar.js";
import { channelPicture } from "./channelmark.js";
import { dispatched, focusKey } from "./dispatch.js";
import { createPicker } from "./picker.js";

const KINDS = { public: "public", private: "private", im: "im", mpim: "mpim" };

export function staticSelect(part, block, ctx) {
  const groups = part.option_groups ?? [{ options: part.options ?? [] }];
  const offered = groups.flatMap((group) => group.options.map((option) => ({
    key: option.value, label: option.text?.text ?? "", note: option.description?.text, group: group.label?.text, value: option,
  })));
  return select(part, block, ctx, { noun: "option", offered, keyOf: (option) => option.value });
}

export function usersSelect(part, block, ctx) {
  const store = ctx.names;
  const offered = [...store.users.values()].filter((user) => !user.deleted).map((user) => ({
    key: user.id, label: user.real_name || user.name, note: store.userNote(user), picture: () => avatar(user, "small"), value: user.id,
  }));
  return select(part, block, ctx, { noun: "user", offered });
}

export function channelsSelect(part, block, ctx) {
  return select(part, block, ctx, { noun: "channel", offered: places(ctx.names, (channel) => channel.kind === "public") });
}

export function conversationsSelect(part, block, ctx) {
  const store = ctx.names;
  const { include = Object.keys(KINDS), exclude_bot_users: noBots, exclude_external_shared_channels: noShared } = part.filter ?? {};
  const offered = places(store, (channel) => (
    include.includes(channel.kind) && !(noBots && store.isBotDirect(channel.id)) && !(noShared && channel.shared)));
  return select(part, block, ctx, {
    noun: "conversation", offered, fallback: part.default_to_current_conversation ? store.current : null,
  });
}

function places(store, fits) {
  return [...store.channels.values()].filter(fits).map((channel) => ({
    key: channel.id, label: store.channelName(channel.id), picture: () => channelPicture(store, channel), value: channel.id,
  }));
}

/** Join one select to its form: `noun` names its fields, `selected_user` and `initial_users` and so on. */
function select(part, block, ctx, { noun, offered, keyOf = (value) => value, fallback = null }) {
  const multiple = part.type.startsWith("multi_");
  const field = `selected_${noun}${multiple ? "s" : ""}`;
  const start = ctx.form.get(block, part)?.[field] ?? part[`initial_${noun}${multiple ? "s" : ""}`] ?? fallback;
  const remember = (value) => ctx.form.set(block, part, { [field]: value });
  remember(start ?? (multiple ? [] : null));
  const label = block.label?.text ?? part.placeholder?.text ?? part.action_id;
  return createPicker({
    offered, multiple, label, most: part.max_selected_items,
    chosen: [start ?? []].flat().map(keyOf),
    placeholder: part.placeholder?.text ?? "Choose…",
    field: { id: ctx.inputId, "aria-describedby": ctx.describedBy, "aria-invalid": ctx.invalid || undefined, autofocus: Boolean(part.focus_on_load),
      "aria-label": ctx.inputId ? undefined : label, dataset: { focus: focusKey(part, block, ctx) } },
    onChange: (options) => {
      const values = options.map((option) => option.value);
      const value = multiple ? values : values[0] ?? null;
      remember(value);
      return value === null ? true : dispatched(part, block, ctx, { [field]: value });
    },
  });
}
