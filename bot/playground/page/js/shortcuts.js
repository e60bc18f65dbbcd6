// The app's shortcuts: those of a message, and those that are everywhere, together with the slash commands.

import { icon } from "./dom.js";
import { openMenu } from "./popover.js";

export function globalShortcuts(store) {
  return store.shortcuts.filter((shortcut) => shortcut.type === "global");
}

/** The ⚡ menu of a composer. */
export function openShortcuts({ store, api }, anchor, composer) {
  const shortcuts = globalShortcuts(store).map((shortcut) => ({
    label: shortcut.name, note: shortcut.description, picture: icon("bolt"),
    run: () => api.shortcut({ callback_id: shortcut.callback_id }).catch(() => {}),
  }));
  const commands = composer.place.threadTs ? [] : store.commands.map(({ command, description }) => ({
    label: command, note: description, picture: icon("slash"),
    run: () => composer.insertCommand(command),
  }));
  openMenu(anchor, "Shortcuts", [...shortcuts, shortcuts.length && commands.length && "separator", ...commands].filter(Boolean));
}

/** Entries of a message's ⋯ menu. */
export function messageShortcuts({ store, api }, channel, ts) {
  return store.shortcuts.filter((shortcut) => shortcut.type === "message").map((shortcut) => ({
    label: shortcut.name, note: store.bot()?.real_name, picture: icon("bolt"),
    run: () => api.shortcut({ callback_id: shortcut.callback_id, channel, ts }).catch(() => {}),
  }));
}
