"""A small Bolt app with fixed answers: it makes the page show everything that a bot can do there.

It knows nothing of Lorekeeper; tests of the page use it so that they need no model and take no time.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from slack_bolt import Ack, App, Respond
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from tests.e2e.scripted_views import (
    ANSWER,
    PICTURE,
    PROMPTS,
    answer_blocks,
    form_view,
    home_view,
    kitchen_blocks,
    settings_view,
    table_block,
)


class ScriptedBot:
    """The app's listeners; `document` is what its citations open, `pause` the seconds between two updates."""

    def __init__(self, client: WebClient, *, link: str, pause: float = 0.1) -> None:
        self.link = link
        self.pause = pause
        self.votes: list[str] = []
        self.seen: list[Any] = []
        self.stopped: set[str] = set()
        self.picture = ""
        self.app = App(client=client, request_verification_enabled=False)
        self.app.event("app_mention")(self.on_mention)
        self.app.event("message")(self.on_message)
        self.app.event("reaction_added")(self.on_reaction)
        self.app.event("reaction_removed")(lambda: None)
        self.app.event("app_home_opened")(self.on_home)
        self.app.event("app_context_changed")(self.on_context)
        self.app.event("agent_session_stopped")(self.on_stop)
        self.app.event("assistant_thread_started")(self.on_assistant_thread)
        self.app.event("assistant_thread_context_changed")(lambda: None)
        self.app.action("feedback")(self.on_feedback)
        self.app.action("settings")(self.on_settings)
        self.app.view("bad_answer")(self.on_form)
        self.app.view("settings")(self.on_settings_form)
        self.app.command("/lore")(self.on_command)
        self.app.shortcut("answer_this")(self.on_message_shortcut)
        self.app.shortcut("ask_lorekeeper")(self.on_settings)
        for action in ("details", "approve", "delete", "forget"):
            self.app.action(action)(lambda ack: ack())
        for action in ("language", "more", "experts"):
            self.app.action(action)(self.on_choice)

    def on_mention(self, event: dict[str, Any], client: WebClient) -> None:
        """Answer in a thread."""
        self.answer(client, event)

    def on_message(self, event: dict[str, Any], client: WebClient) -> None:
        """Answer direct messages, and follow-ups in threads."""
        if (
            event.get("subtype") not in (None, "file_share")
            or event.get("bot_id")
            or "<@U0LOREKEEPER>" in event.get("text", "")
        ):
            return
        if event["channel_type"] == "im" or "thread_ts" in event:
            self.answer(client, event)

    def answer(self, client: WebClient, event: dict[str, Any]) -> None:
        """Show a status, then text that grows, then the finished answer."""
        channel, thread = event["channel"], event.get("thread_ts", event["ts"])
        client.assistant_threads_setStatus(channel_id=channel, thread_ts=thread, status="is searching the documents…")
        time.sleep(self.pause * 4)
        if event.get("files"):
            names = ", ".join(f"{file['name']} ({file['size']} bytes)" for file in event["files"])
            client.chat_postMessage(channel=channel, thread_ts=thread, text=f"I have {names}.")
            return
        if "kitchen" in event["text"]:
            client.chat_postMessage(channel=channel, thread_ts=thread, text="Kitchen sink", blocks=kitchen_blocks())
            return
        if "picture" in event["text"]:
            self.send_picture(client, channel, thread)
            return
        if "plan" in event["text"]:
            self.show_plan(client, channel, thread, event["user"])
            return
        if "stop" in event["text"]:
            self.work_until_stopped(client, channel, thread, event["user"])
            return
        if "native" in event["text"]:
            self.stream(client, channel, thread, event["user"])
            return
        ts = client.chat_postMessage(channel=channel, thread_ts=thread, text="Reading…")["ts"]
        for part in _growing(ANSWER):
            time.sleep(self.pause)
            client.chat_update(channel=channel, ts=ts, text=part)
        time.sleep(self.pause)
        client.chat_update(channel=channel, ts=ts, text=ANSWER, blocks=answer_blocks(self.link))

    def stream(self, client: WebClient, channel: str, thread: str, user: str) -> None:
        """The same with Slack's own streaming methods."""
        stream = client.chat_startStream(
            channel=channel, thread_ts=thread, recipient_user_id=user, recipient_team_id="T0PLAYGROUND"
        )
        for word in ANSWER.split():
            time.sleep(self.pause / 4)
            client.chat_appendStream(channel=channel, ts=stream["ts"], markdown_text=f"{word} ")
        client.chat_stopStream(channel=channel, ts=stream["ts"], blocks=answer_blocks(self.link)[1:])

    def work_until_stopped(self, client: WebClient, channel: str, thread: str, user: str) -> None:
        """Say that it works, and write until somebody presses Stop."""
        self._session(client, channel, thread, "processing", title="The fifth working day")
        stream = client.chat_startStream(
            channel=channel, thread_ts=thread, recipient_user_id=user, recipient_team_id="T0PLAYGROUND"
        )
        text = ""
        for word in (ANSWER + " ").split(" ") * 20:
            time.sleep(self.pause)
            if thread in self.stopped:
                break
            with contextlib.suppress(SlackApiError):
                client.chat_appendStream(channel=channel, ts=stream["ts"], markdown_text=f"{word} ")
                text += f"{word} "
        client.chat_stopStream(channel=channel, ts=stream["ts"])
        client.chat_update(channel=channel, ts=stream["ts"], text=f"{text}… (stopped)")
        self._session(client, channel, thread, "active")

    def show_plan(self, client: WebClient, channel: str, thread: str, user: str) -> None:
        """Stream the steps of a plan, and then the answer."""
        steps = [("read", "Read the question"), ("search", "Search the handbook"), ("write", "Write the answer")]
        stream = client.chat_startStream(
            channel=channel, thread_ts=thread, recipient_user_id=user, recipient_team_id="T0PLAYGROUND"
        )
        ts = stream["ts"]
        client.chat_appendStream(channel=channel, ts=ts, chunks=[{"type": "plan_update", "title": "Looking it up"}])
        for at in range(len(steps) + 1):
            states = ["complete"] * at + ["in_progress"] + ["pending"] * len(steps)
            chunks: list[dict[str, Any]] = [
                {"type": "task_update", "id": name, "title": title, "status": states[number]}
                for number, (name, title) in enumerate(steps)
            ]
            chunks[1]["details"] = "12 passages, 3 of them fit"
            chunks[1]["sources"] = [{"type": "url", "url": self.link, "text": "Expenses"}]
            client.chat_appendStream(channel=channel, ts=ts, chunks=chunks)
            # Long enough for a page on a busy machine to be seen in between.
            time.sleep(self.pause * 4)
        client.chat_stopStream(channel=channel, ts=ts, markdown_text=ANSWER, blocks=[table_block()])

    def send_picture(self, client: WebClient, channel: str, thread: str) -> None:
        """Send a picture into the thread, and show it on the home page from then on."""
        sent = client.files_upload_v2(
            channel=channel, thread_ts=thread, content=PICTURE, filename="answers.png", initial_comment="Answers a week"
        )
        self.picture = sent["files"][0]["id"]

    def _session(self, client: WebClient, channel: str, thread: str, status: str, **more: str) -> None:
        arguments = {"channel_id": channel, "thread_ts": thread, "status": status, **more}
        client.api_call("agents.sessions.setStatus", json=arguments)

    def on_stop(self, event: dict[str, Any]) -> None:
        """Stop working in a thread."""
        self.stopped.add(event["thread_ts"])

    def on_context(self, event: dict[str, Any]) -> None:
        """Note what somebody looks at."""
        self.seen.append([entity["value"] for entity in event["context"].get("entities", [])])

    def on_assistant_thread(self, event: dict[str, Any], client: WebClient) -> None:
        """Suggest questions in a new thread of the older container."""
        thread = event["assistant_thread"]
        client.assistant_threads_setSuggestedPrompts(
            channel_id=thread["channel_id"], thread_ts=thread["thread_ts"], title="Ask away", prompts=PROMPTS
        )

    def on_command(self, ack: Ack, command: dict[str, Any]) -> None:
        """Answer a command to the one who gave it."""
        ack(text=f"*{command['command']}* heard: {command['text'] or 'nothing'}")

    def on_message_shortcut(self, ack: Ack, shortcut: dict[str, Any], respond: Respond) -> None:
        """Answer a message that somebody pointed at."""
        ack()
        respond(text=f"About “{shortcut['message']['text']}”: {ANSWER}")

    def on_settings(self, ack: Ack, body: dict[str, Any], client: WebClient) -> None:
        """Open the form with every input."""
        ack()
        client.views_open(trigger_id=body["trigger_id"], view=settings_view())

    def on_settings_form(self, ack: Ack, view: dict[str, Any]) -> None:
        """Note everything that was entered."""
        ack()
        self.seen.append({name: next(iter(entered.values())) for name, entered in view["state"]["values"].items()})

    def on_choice(self, ack: Ack, body: dict[str, Any]) -> None:
        """Note what was chosen."""
        ack()
        self.seen.append(body["actions"][0])

    def on_reaction(self, event: dict[str, Any], client: WebClient) -> None:
        """Say thanks to the one who reacted."""
        self.votes.append(event["reaction"])
        item = event["item"]
        replies = client.conversations_replies(channel=item["channel"], ts=item["ts"])["messages"]
        thread = replies[0].get("thread_ts")
        client.chat_postEphemeral(
            channel=item["channel"], user=event["user"], thread_ts=thread, text="Thanks, noted :+1:"
        )

    def on_feedback(self, ack: Ack, body: dict[str, Any], client: WebClient) -> None:
        """Note a good answer; ask about a bad one."""
        ack()
        value = body["actions"][0]["value"]
        self.votes.append(value)
        if value == "bad":
            client.views_open(trigger_id=body["trigger_id"], view=form_view())
        message = body["message"]
        blocks = answer_blocks(self.link, receipt="Thanks, noted 👍" if value == "good" else "Thanks for telling us")
        client.chat_update(channel=body["channel"]["id"], ts=message["ts"], text=ANSWER, blocks=blocks)

    def on_form(self, ack: Ack, view: dict[str, Any]) -> None:
        """Ask for words where "something else" says nothing by itself."""
        values = view["state"]["values"]
        reason = values["reason"]["reason"]["selected_option"]["value"]
        better = values["better"]["better"]["value"]
        if reason == "other" and not better:
            ack(response_action="errors", errors={"better": "Please say what it should be."})
            return
        self.votes.append(f"{reason}: {better}")
        ack()

    def on_home(self, event: dict[str, Any], client: WebClient) -> None:
        """Publish the home page; suggest questions on the messages tab."""
        if event["tab"] == "home":
            client.views_publish(user_id=event["user"], view=home_view(self.picture))
            return
        client.assistant_threads_setSuggestedPrompts(channel_id=event["channel"], prompts=PROMPTS)


@contextmanager
def scripted_bot(
    api_url: str, bot_token: str, app_token: str, *, link: str, pause: float = 0.1
) -> Iterator[ScriptedBot]:
    """Connect a scripted bot to a playground."""
    bot = ScriptedBot(WebClient(token=bot_token, base_url=api_url), link=link, pause=pause)
    handler = SocketModeHandler(bot.app, app_token)
    handler.connect()  # type: ignore[no-untyped-call]
    try:
        yield bot
    finally:
        # The SDK's client may wait for ever for its own reading thread; the connection ends with the playground anyway.
        closing = threading.Thread(target=handler.close, daemon=True)
        closing.start()
        closing.join(10.0)


def _growing(text: str) -> Iterator[str]:
    words = text.split()
    for end in range(4, len(words), 4):
        yield " ".join(words[:end])
