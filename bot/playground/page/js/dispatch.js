// How a control tells the bot that it was used: first the question it may want answered, then the action.

import { confirmDialog } from "./dialogs.js";
import { textObject } from "./mrkdwn.js";

/** Names a control over a redraw; a message's buttons go by their action alone, as its block ids change. */
export function focusKey(part, block, ctx, value = "") {
  const where = block.type === "input" ? block.block_id : "";
  return `${ctx.place}/${where}/${part.action_id}/${value}`;
}

/** Ask where the element wants it, then act; gives false where the person said no. */
export async function send(part, block, ctx, value) {
  if (part.confirm && !(await confirmDialog(confirmOf(part.confirm, ctx)))) return false;
  await ctx.act({ type: part.type, block_id: block.block_id, action_id: part.action_id, ...value });
  return true;
}

function confirmOf(confirm, ctx) {
  return {
    title: confirm.title?.text ?? "Are you sure?",
    body: textObject(confirm.text, ctx.names),
    yes: confirm.confirm?.text ?? "Yes",
    no: confirm.deny?.text ?? "Cancel",
    danger: confirm.style === "danger",
  };
}

/** Choices outside an input block act at once; inside one only where the block says so. Gives false for a no. */
export async function dispatched(part, block, ctx, value) {
  if (block.type === "input" && !block.dispatch_action) return true;
  try {
    return await send(part, block, ctx, value);
  } catch {
    return true; // the api module has shown a toast already; what was chosen stays chosen
  }
}

/** A button is busy until the server took the click, so that a double click is one click. */
export async function whileBusy(node, work) {
  if (node.getAttribute("aria-busy") === "true") return;
  node.setAttribute("aria-busy", "true");
  try {
    await work();
  } catch {
    // The api module has shown a toast already.
  } finally {
    node.removeAttribute("aria-busy");
  }
}
