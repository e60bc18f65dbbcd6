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
};

/** The actions of the page protocol, each as a function, in the name of the store's person. */
export function createApi(store) {
  const call = (action, body = {}) => post(`/playground/api/${action}`, { user: store.me, ...body });
  return {
    say: (body) => call("say", body),
    edit: (body) => call("edit", body),
    remove: (body) => call("delete", body),
    react: (body) => call("react", body),
    blockAction: (body) => call("block_action", body),
    submitView: (body) => call("view_submit", body),
    closeView: (body) => call("view_close", body),
    openHome: (tab) => call("open_home", { tab }),
    createChannel: (body) => call("create_channel", body),
    invite: (body) => call("invite", body),
    clearTraffic: () => call("clear_traffic"),
    setFaults: (body) => post("/playground/api/faults", body),
  };
}

async function post(path, body) {
  let answer;
  try {
    const response = await fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    answer = await response.json();
  } catch (error) {
    toast("The playground server does not answer. Is it still running?", "error");
    throw error;
  }
  if (!answer.ok) {
    const said = SENTENCES[answer.error] ?? `The playground refused this: ${answer.error}`;
    toast(said, "error");
    throw new Error(answer.error);
  }
  return answer;
}
