// Questions to begin with, as chips above a composer: those that the bot set for this conversation.

import { el, iconButton, refill } from "./dom.js";

const MOST = 4; // Slack shows no more

/** A row of chips; `show(prompts, title)` fills it, `onPick(message)` hears which was chosen. */
export function createSuggestions(onPick) {
  const node = el("div", { class: "chips", role: "group", "aria-label": "Suggested questions", hidden: true });
  let dismissed = "";
  let drawn = "";

  function show(prompts, title) {
    const key = JSON.stringify(prompts);
    node.hidden = !prompts.length || key === dismissed;
    // A chip that is drawn anew between pressing and letting go would not be clicked.
    if (drawn === title + key) return;
    drawn = title + key;
    refill(node, title && el("span", { class: "chips-title" }, title),
      el("div", { class: "chips-row" }, prompts.slice(0, MOST).map((prompt) => el("button", {
        type: "button", class: "chip", title: prompt.message, dataset: { focus: `chip-${prompt.title}` },
        onclick: () => onPick(prompt.message),
      }, prompt.title))),
      iconButton("close", "Hide suggestions", () => {
        dismissed = key;
        node.hidden = true;
      }));
  }

  return { node, show };
}
