// Slash commands as typed: what counts as one, and when it cannot be used.

import { toast } from "./toast.js";

/** `{command, text, known}` where the text begins like a command, else null; a space in front makes it a message. */
export function parseCommand(typed, store) {
  const match = /^(\/[\p{L}\p{N}_-]+)(?:\s+([\s\S]*))?$/u.exec(typed.trimEnd());
  if (!match) return null;
  const command = match[1].toLowerCase();
  return { command, text: match[2] ?? "", known: store.commands.find((each) => each.command === command) };
}

/** Say why a command cannot be used here; gives true where it cannot. Where none is declared, the bot must know. */
export function refuseCommand({ command, known }, { threadTs }, files, declared) {
  const reason = !known && declared ? `${command} is not a command here. To send it as a message, put a space in front of it.`
    : threadTs ? `${command} cannot be used in threads. Use it in the channel.`
      : files.length ? `${command} takes no files. Remove them, or send a message instead.` : "";
  if (reason) toast(reason, "error");
  return Boolean(reason);
}
