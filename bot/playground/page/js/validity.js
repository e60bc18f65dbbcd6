// What Slack's client refuses before it asks the app: required fields that are empty, and values that do not fit.

const PROBLEMS = [
  ["badInput", () => "Please enter a number."],
  ["tooShort", (field) => `Please enter at least ${field.minLength} characters.`],
  ["rangeUnderflow", (field) => `Please enter ${field.min} or more.`],
  ["rangeOverflow", (field) => `Please enter ${field.max} or less.`],
  ["stepMismatch", () => "Please enter a whole number."],
  ["typeMismatch", (field) => (field.type === "email" ? "Please enter an email address." : "Please enter a web address.")],
];

/** The complaints about one open view, by block. */
export function fieldErrors({ view, form, body }) {
  const errors = {};
  for (const block of view.blocks ?? []) {
    if (block.type !== "input") continue;
    const field = [...body.querySelectorAll(".field-control[data-block]")].find((each) => each.dataset.block === block.block_id);
    const problem = problemOf(field) || (!block.optional && !isFilled(form.get(block, block.element)) && "Please complete this required field.");
    if (problem) errors[block.block_id] = problem;
  }
  return errors;
}

function isFilled(given = {}) {
  return Object.entries(given).some(([key, value]) => key !== "type" && value !== null && value !== "" && value?.length !== 0);
}

function problemOf(field) {
  if (!field) return "";
  // A value that was there from the start counts as well; the browser looks only at what was typed.
  if (field.minLength > 0 && field.value && field.value.length < field.minLength) return PROBLEMS[1][1](field);
  return PROBLEMS.find(([name]) => field.validity[name])?.[1](field) ?? "";
}
