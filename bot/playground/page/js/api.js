// What a person does, sent to the playground server. A refusal becomes a toast and a thrown error.

import { toast } from "./toast.js";

const SENTENCES = {
  not_in_channel: "You are not a member of this channel.",
  channel_not_found: "This channel does not exist any more.",
  name_taken: "A channel with this name exists already.",
  msg_too_long: "This message is too long. Shorten it and send it again.",
  no_text: "An empty message cannot be sent.",
  operation_timed_out: "The bot did not answer in time. Try it once more.",
  already_in_channel: "They are in this channel already.",
  invalid_name: "This name cannot be used. Letters, digits, - and _ are fine.",
  file_too_large: "This file is too large. Files of up to 20 MB can be sent.",
  session_not_processing: "There is nothing to stop any more.",
  unknown_command: "The bot does not know this command.",
  command_not_in_threads: "Commands cannot be used in threads. Use it in the channel.",
  unknown_shortcut: "The bot does not know this shortcut.",
  channel_not_shared: "People from another organisation can only be in shared channels. Share this one first.",
  too_many_users: "A group message has nine people at most, the bot included.",
};

/** The actions of the page protocol, each as a function, in the name of the store's person. */
export function createApi(store) {
  const call = (action, body = {}, options = {}) => post(`/playground/api/${action}`, { user: store.me, ...body }, options);
  return {
    say: (body) => call("say", body),
    edit: (body) => call("edit", body),
    remove: (body) => call("delete", body),
    react: (body) => call("react", body),
    blockAction: (body) => call("block_action", body),
    submitView: (body) => call("view_submit", body),
    closeView: (body) => call("view_close", body),
    openHome: (tab) => call("open_home", { tab }),
    slash: (body) => call("slash", body),
    shortcut: (body) => call("shortcut", body),
    stopSession: (body) => call("stop_session", body),
    renameSession: (body) => call("rename_session", body),
    // Nobody asked for this one, so nobody is told when it fails.
    lookAt: (channel) => call("context", { channel }, { quiet: true }),
    createChannel: (body) => call("create_channel", body),
    openGroup: (people) => call("open_group", { with: people }),
    invite: (body) => call("invite", body),
    takeOut: (body) => call("remove", body),
    leave: (channel) => call("leave", { channel }),
    share: (body) => call("share", body),
    createPerson: (body) => call("create_person", body),
    changePerson: (body) => call("change_person", body),
    clearTraffic: () => call("clear_traffic"),
    uninstall: () => call("uninstall"),
    setFeatures: (body) => post("/playground/api/features", body),
    setFaults: (body) => post("/playground/api/faults", body),
  };
}

async function post(path, body, { quiet = false } = {}) {
  let answer;
  try {
    const response = await fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    answer = await response.json();
  } catch (error) {
    if (!quiet) toast("The playground server does not answer. Is it still running?", "error");
    throw error;
  }
  if (!answer.ok) {
    const said = SENTENCES[answer.error] ?? `The playground refused this: ${answer.error}`;
    if (!quiet) toast(said, "error");
    throw new Error(answer.error);
  }
  return answer;
}
