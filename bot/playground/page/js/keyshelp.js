// The dialog that lists what the keyboard can do.

import { openDialog } from "./dialogs.js";
import { el } from "./dom.js";

const COMMAND = /Mac|iPhone|iPad/.test(navigator.platform) ? "⌘" : "Ctrl";
const KEYS = [
  ["Everywhere", [
    [[COMMAND, "K"], "Jump to a channel"],
    [["Alt", "↑"], "The channel above"],
    [["Alt", "↓"], "The channel below"],
    [["Esc"], "Close the thread, a menu or a dialog"],
    [[COMMAND, "/"], "This list"],
  ]],
  ["On a message", [
    [["↑", "↓"], "The message before or after"],
    [["Enter"], "Open its thread"],
    [["R"], "React"],
    [["E"], "Edit your own"],
    [["Tab"], "What else can be done with it"],
  ]],
  ["While writing", [
    [["Enter"], "Send"],
    [["Shift", "Enter"], "A new line"],
    [["↑"], "Edit your last message"],
    [["@"], "Mention somebody"],
    [["#"], "Name a channel"],
    [["/"], "Use a command"],
  ]],
];

export function openKeysHelp() {
  openDialog({
    title: "Keyboard", className: "dialog-keys",
    body: KEYS.map(([title, keys]) => el("section", { class: "dialog-section" }, el("h3", {}, title),
      el("dl", { class: "keys" }, keys.map(([combination, does]) => el("div", {},
        el("dt", {}, does), el("dd", {}, combination.map((key) => el("kbd", {}, key)))))))),
  });
}
