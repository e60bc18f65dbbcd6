"""A small Bolt app with fixed answers: it makes the page show everything that a bot can do there.

It knows nothing of Lorekeeper; tests of the page use it so that they need no model and take no time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from slack_bolt import Ack, App
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_sdk import WebClient

Block = dict[str, Any]

ANSWER = (
    "Expense reports are due on the fifth working day of the month. Attach a receipt to everything above 20 euros, "
    "and name the project it belongs to."
)


def _text(text: str, **style: bool) -> Block:
    return {"type": "text", "text": text} | ({"style": style} if style else {})


def _section(*elements: Block) -> Block:
    return {"type": "rich_text_section", "elements": list(elements)}


def _list(style: str, *items: str, indent: int = 0) -> Block:
    return {
        "type": "rich_text_list",
        "style": style,
        "indent": indent,
        "elements": [_section(_text(i)) for i in items],
    }


def _plain(text: str) -> Block:
    return {"type": "plain_text", "text": text}


def _mrkdwn(text: str) -> Block:
    return {"type": "mrkdwn", "text": text}


def answer_blocks(link: str, receipt: str = "") -> list[Block]:
    """A finished answer: text with a citation, its source, and the feedback buttons."""
    words, rest = ANSWER.split(". ", 1)
    notes = [{"type": "context", "elements": [_plain(receipt)]}] if receipt else []
    feedback = {
        "type": "feedback_buttons",
        "action_id": "feedback",
        "positive_button": {"text": _plain("Good answer"), "value": "good"},
        "negative_button": {"text": _plain("Bad answer"), "value": "bad"},
    }
    return [
        {
            "type": "rich_text",
            "elements": [
                _section(_text(f"{words} "), {"type": "link", "url": link, "text": "[1]"}, _text(f". {rest}"))
            ],
        },
        {"type": "context", "elements": [_mrkdwn(f"*Sources*\n1. <{link}|Expenses › Deadlines>")]},
        *notes,
        {"type": "context_actions", "elements": [feedback]},
    ]


def kitchen_blocks() -> list[Block]:
    """One of every block that the page draws."""
    cite = {"type": "link", "url": "https://example.org/guide", "text": "the guide"}
    rich = [
        _section(
            _text("Bold", bold=True),
            _text(", "),
            _text("italic", italic=True),
            _text(", "),
            _text("gone", strike=True),
            _text(", "),
            _text("code()", code=True),
            _text(", "),
            cite,
            _text(", "),
            {"type": "emoji", "name": "tada"},
            _text(" "),
            {"type": "user", "user_id": "U0BENORTIZ"},
            _text(" "),
            {"type": "channel", "channel_id": "C0HELP"},
            _text(" "),
            {"type": "broadcast", "range": "here"},
        ),
        _list("ordered", "First step", "Second step"),
        _list("bullet", "a detail of the second", "another detail", indent=1),
        _list("ordered", "deeper", indent=2),
        {"type": "rich_text_quote", "elements": [_text("Well begun is half done.")]},
        {"type": "rich_text_preformatted", "elements": [_text("lorekeeper sync --json\n<b>not bold</b>")]},
    ]
    button = {"type": "button", "text": _plain("Delete all"), "action_id": "delete", "style": "danger", "value": "all"}
    confirm = {
        "title": _plain("Really?"),
        "text": _plain("All of it goes."),
        "confirm": _plain("Yes, delete"),
        "deny": _plain("Keep"),
    }
    table = "## Formats\n\n| Format | Reader |\n|---|---|\n| PDF | pypdf |\n| DOCX | *mammoth* |\n\n- one\n  - two\n"
    return [
        {"type": "header", "text": _plain("Kitchen sink")},
        {"type": "rich_text", "elements": rich},
        {"type": "divider"},
        {
            "type": "section",
            "text": _mrkdwn(
                "*bold* _it_ ~no~ `x &lt; y` <https://example.org/?a=1&amp;b=2|a link> :wave: <@U0ADAPARK>\n"
                "&gt; quoted <javascript:alert(1)|not a link>\n• one\n• two\n```\ncode <https://example.org|example.org>\n```"
            ),
            "accessory": {"type": "button", "text": _plain("Details"), "action_id": "details", "value": "d"},
        },
        {"type": "section", "fields": [_mrkdwn("*Owner*\nAda"), _mrkdwn("*Due*\nFriday")]},
        {"type": "markdown", "text": table},
        {
            "type": "actions",
            "elements": [
                {
                    "type": "button",
                    "text": _plain("Approve"),
                    "action_id": "approve",
                    "style": "primary",
                    "value": "yes",
                },
                button | {"confirm": confirm},
            ],
        },
        {"type": "context", "elements": [_mrkdwn("Edited *today* by <@U0CHLOELIND>"), _plain("v1.2")]},
    ]


def form_view() -> Block:
    """The form behind a thumbs down."""
    reasons = [("wrong", "It is wrong"), ("outdated", "It is outdated"), ("other", "Something else")]
    options = [{"text": _plain(label), "value": value} for value, label in reasons]
    radio = {"type": "radio_buttons", "action_id": "reason", "options": options}
    text = {
        "type": "plain_text_input",
        "action_id": "better",
        "multiline": True,
        "placeholder": _plain("What should it say?"),
    }
    return {
        "type": "modal",
        "callback_id": "bad_answer",
        "title": _plain("What was wrong?"),
        "submit": _plain("Send"),
        "close": _plain("Cancel"),
        "blocks": [
            {"type": "input", "block_id": "reason", "label": _plain("Reason"), "element": radio},
            {
                "type": "input",
                "block_id": "better",
                "label": _plain("A better answer"),
                "element": text,
                "optional": True,
            },
        ],
    }


def home_view() -> Block:
    """A home page."""
    return {
        "type": "home",
        "blocks": [
            {"type": "header", "text": _plain("Hello 👋")},
            {"type": "section", "text": _plain("I answer from your team's documents.")},
            {"type": "divider"},
            {"type": "rich_text", "elements": [_section(_text("Handbook", bold=True))]},
            {"type": "context", "elements": [_plain("890 documents · read 5 minutes ago · next in 55 minutes")]},
        ],
    }


class ScriptedBot:
    """The app's listeners; `document` is what its citations open, `pause` the seconds between two updates."""

    def __init__(self, client: WebClient, *, link: str, pause: float = 0.1) -> None:
        self.link = link
        self.pause = pause
        self.votes: list[str] = []
        self.app = App(client=client, request_verification_enabled=False)
        self.app.event("app_mention")(self.on_mention)
        self.app.event("message")(self.on_message)
        self.app.event("reaction_added")(self.on_reaction)
        self.app.event("reaction_removed")(lambda: None)
        self.app.event("app_home_opened")(self.on_home)
        self.app.action("feedback")(self.on_feedback)
        self.app.view("bad_answer")(self.on_form)
        for action in ("details", "approve", "delete"):
            self.app.action(action)(lambda ack: ack())

    def on_mention(self, event: dict[str, Any], client: WebClient) -> None:
        """Answer in a thread."""
        self.answer(client, event)

    def on_message(self, event: dict[str, Any], client: WebClient) -> None:
        """Answer direct messages, and follow-ups in threads."""
        if event.get("subtype") or event.get("bot_id") or "<@U0LOREKEEPER>" in event.get("text", ""):
            return
        if event["channel_type"] == "im" or "thread_ts" in event:
            self.answer(client, event)

    def answer(self, client: WebClient, event: dict[str, Any]) -> None:
        """Show a status, then text that grows, then the finished answer."""
        channel, thread = event["channel"], event.get("thread_ts", event["ts"])
        client.assistant_threads_setStatus(channel_id=channel, thread_ts=thread, status="is searching the documents…")
        time.sleep(self.pause * 4)
        if "kitchen" in event["text"]:
            client.chat_postMessage(channel=channel, thread_ts=thread, text="Kitchen sink", blocks=kitchen_blocks())
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
            client.views_publish(user_id=event["user"], view=home_view())
            return
        prompts = [
            {"title": "Expenses", "message": "When are expense reports due?"},
            {"title": "Holidays", "message": "How many days of leave do I have?"},
            {"title": "Security", "message": "How do I report a lost laptop?"},
        ]
        client.assistant_threads_setSuggestedPrompts(channel_id=event["channel"], prompts=prompts)


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
        handler.close()  # type: ignore[no-untyped-call]


def _growing(text: str) -> Iterator[str]:
    words = text.split()
    for end in range(4, len(words), 4):
        yield " ".join(words[:end])
