// What the bot is doing, step by step: a plan with its tasks, and single task cards.

import { el, fragment, icon } from "./dom.js";
import { linkTo } from "./links.js";
import { markdown } from "./markdown.js";
import { richText } from "./richtext.js";

const STATES = {
  pending: ["circle", "to do"], in_progress: ["spin", "in progress"], complete: ["check", "done"], error: ["close", "failed"],
};

export function planBlock(block, names) {
  const tasks = block.tasks ?? [];
  return el("div", { class: "block block-tasks" },
    el("div", { class: "plan-title" }, textOf(block.title)),
    tasks.length > 0 && el("ul", { class: "tasks" }, tasks.map((task) => taskCard(task, names))));
}

export function taskCard(task, names) {
  const [picture, state] = STATES[task.status] ?? STATES.pending;
  const more = [task.details, task.output].filter(Boolean);
  const head = [
    el("span", { class: "task-state", role: "img", "aria-label": state, title: state }, icon(picture)),
    el("span", { class: "task-title" }, textOf(task.title)),
  ];
  const sources = task.sources?.length > 0 && el("ul", { class: "task-sources" },
    task.sources.map((source) => el("li", {}, linkTo(source.url, source.text))));
  return el("li", { class: `task task-${task.status ?? "pending"}` },
    more.length ? el("details", {}, el("summary", {}, head, icon("down", "icon task-twist")),
      el("div", { class: "task-more" }, more.map((part) => content(part, names)))) : el("div", { class: "task-head" }, head),
    sources);
}

function textOf(value) {
  return typeof value === "string" ? value : value?.text ?? "";
}

function content(part, names) {
  if (typeof part === "string") return markdown(part, names);
  return part.type === "rich_text" ? richText(part, names) : fragment(textOf(part));
}
