"""The real Bolt against the playground, by base URL alone: dialogues with mentions, buttons and forms."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from slack_bolt import Ack, App, Say
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_sdk import WebClient

from tests.playground.site import ADA, ADA_DM, BOT, GENERAL, Listener, Site, error_of, wait_for

JSON = dict[str, Any]
BUTTONS = {
    "type": "context_actions",
    "block_id": "votes",
    "elements": [
        {
            "type": "feedback_buttons",
            "action_id": "vote",
            "positive_button": {"text": {"type": "plain_text", "text": "Good"}, "value": "+1"},
            "negative_button": {"text": {"type": "plain_text", "text": "Bad"}, "value": "-1"},
        }
    ],
}
MODAL = {
    "type": "modal",
    "callback_id": "reason",
    "title": {"type": "plain_text", "text": "What was wrong?"},
    "submit": {"type": "plain_text", "text": "Send"},
    "notify_on_close": True,
    "blocks": [
        {
            "type": "input",
            "block_id": "why",
            "label": {"type": "plain_text", "text": "Why"},
            "element": {"type": "plain_text_input", "action_id": "text"},
        }
    ],
}


@pytest.fixture
def app(site: Site) -> App:
    """A Bolt app of which only the base URL differs from the real thing."""
    return App(client=site.client(), signing_secret=site.tokens.signing_secret)


@contextmanager
def connected(app: App, site: Site) -> Iterator[None]:
    """Run the app over Socket Mode."""
    handler: Any = SocketModeHandler(app, site.tokens.app)
    try:
        handler.connect()
        wait_for(lambda: site.ledger("connection", "hello"))
        yield
    finally:
        # The SDK's client may wait for ever for its own reading thread.
        closing = threading.Thread(target=handler.close, daemon=True)
        closing.start()
        closing.join(10.0)


def test_a_mention_is_answered_in_its_thread_and_the_answer_is_echoed(site: Site, app: App) -> None:
    heard: list[str] = []

    @app.event("app_mention")
    def answer(event: JSON, say: Say) -> None:
        say(text="Twenty-eight.", thread_ts=event["ts"])

    @app.event("message")
    def hear(event: JSON) -> None:
        heard.append(event["text"])

    with connected(app, site):
        ts = site.say("@Lorekeeper how many holidays?")
        wait_for(lambda: len(site.client().conversations_replies(channel=GENERAL, ts=ts)["messages"]) == 2)
        echoes = wait_for(lambda: [e for e in site.ledger("event", "message") if sent_by(e) == BOT])
        wait_for(lambda: len(site.ledger("ack")) == 3)
    assert echoes[0]["request"]["payload"]["event"]["bot_id"] == "B0LOREKEEPER"
    assert heard == [f"<@{BOT}> how many holidays?"], "Bolt keeps the bot from hearing itself"


def test_a_press_opens_a_form_which_is_refused_corrected_and_taken(site: Site, app: App) -> None:
    votes: list[str] = []
    reasons: list[str] = []

    @app.action("vote")
    def vote(ack: Ack, body: JSON, client: WebClient) -> None:
        ack()
        votes.append(body["actions"][0]["value"])
        client.views_open(trigger_id=body["trigger_id"], view=MODAL | {"private_metadata": body["message"]["ts"]})

    @app.view("reason")
    def take(ack: Ack, view: JSON) -> None:
        text = view["state"]["values"]["why"]["text"]["value"]
        if len(text) < 5:
            ack(response_action="errors", errors={"why": "Please say more."})
            return
        ack()
        reasons.append(f"{view['private_metadata']}: {text}")

    with connected(app, site), site.page(ADA) as page:
        page.read_until("snapshot")
        ts = site.client().chat_postMessage(channel=GENERAL, text="answer", blocks=[BUTTONS])["ts"]
        press(site, ts, "-1")
        view = shown(page, "open")
        submit(site, view, "no")
        assert shown_errors(page) == {"why": "Please say more."}
        submit(site, view, "It is thirty.")
        shown(page, "close")
    assert (votes, reasons) == (["-1"], [f"{ts}: It is thirty."])


def test_a_form_can_be_updated_pushed_and_cleared_by_its_acknowledgement(site: Site, app: App) -> None:
    answers: list[Callable[[Ack], object]] = [
        lambda ack: ack(response_action="update", view=MODAL | {"title": title("Second")}),
        lambda ack: ack(response_action="push", view=MODAL | {"title": title("Third")}),
        lambda ack: ack(response_action="clear"),
    ]

    @app.action("vote")
    def vote(ack: Ack, body: JSON, client: WebClient) -> None:
        ack()
        client.views_open(trigger_id=body["trigger_id"], view=MODAL)

    @app.view("reason")
    def take(ack: Ack) -> None:
        answers.pop(0)(ack)

    with connected(app, site), site.page(ADA) as page:
        page.read_until("snapshot")
        ts = site.client().chat_postMessage(channel=GENERAL, text="answer", blocks=[BUTTONS])["ts"]
        press(site, ts, "-1")
        first = shown(page, "open")
        submit(site, first, "text")
        assert shown(page, "update")["title"]["text"] == "Second"
        submit(site, first, "text")
        pushed = shown(page, "push")
        assert (pushed["previous_view_id"], pushed["root_view_id"]) == (first["id"], first["id"])
        submit(site, pushed, "text")
        assert {shown(page, "close")["id"], shown(page, "close")["id"]} == {first["id"], pushed["id"]}


def test_closing_a_form_is_told_where_the_app_asked_for_it(site: Site, app: App) -> None:
    closed = threading.Event()

    @app.action("vote")
    def vote(ack: Ack, body: JSON, client: WebClient) -> None:
        ack()
        client.views_open(trigger_id=body["trigger_id"], view=MODAL)

    @app.view_closed("reason")
    def hear(ack: Ack) -> None:
        ack()
        closed.set()

    with connected(app, site), site.page(ADA) as page:
        page.read_until("snapshot")
        ts = site.client().chat_postMessage(channel=GENERAL, text="answer", blocks=[BUTTONS])["ts"]
        press(site, ts, "-1")
        view = shown(page, "open")
        site.act("view_close", user=ADA, view_id=view["id"])
        assert closed.wait(5)
        assert site.try_to("view_submit", user=ADA, view_id=view["id"], values={})["error"] == "view_not_found"


def test_a_required_field_left_empty_never_reaches_the_app(site: Site, app: App) -> None:
    @app.action("vote")
    def vote(ack: Ack, body: JSON, client: WebClient) -> None:
        ack()
        client.views_open(trigger_id=body["trigger_id"], view=MODAL)

    with connected(app, site), site.page(ADA) as page:
        page.read_until("snapshot")
        ts = site.client().chat_postMessage(channel=GENERAL, text="answer", blocks=[BUTTONS])["ts"]
        press(site, ts, "-1")
        view = shown(page, "open")
        answer = site.act("view_submit", user=ADA, view_id=view["id"], values={})
        assert answer["errors"] == {"why": "Please complete this required field."}
        assert not [e for e in site.ledger("interaction") if e["name"] == "view_submission"]


def test_a_trigger_opens_one_form(site: Site, app: App) -> None:
    triggers: list[str] = []

    @app.action("vote")
    def vote(ack: Ack, body: JSON) -> None:
        ack()
        triggers.append(body["trigger_id"])

    with connected(app, site):
        ts = site.client().chat_postMessage(channel=GENERAL, text="answer", blocks=[BUTTONS])["ts"]
        press(site, ts, "+1")
        client = site.client()
        trigger = wait_for(lambda: triggers)[0]
        opened = client.views_open(trigger_id=trigger, view=MODAL | {"external_id": "one"})["view"]
        assert error_of(client.views_open, trigger_id=trigger, view=MODAL) == "exchanged_trigger_id"
        assert error_of(client.views_open, trigger_id="1.2.3", view=MODAL) == "invalid_trigger_id"
        assert error_of(client.views_update, view_id=opened["id"], view=MODAL, hash="old") == "hash_conflict"
        renamed = client.views_update(external_id="one", view=MODAL | {"external_id": "two"}, hash=opened["hash"])[
            "view"
        ]
        assert (renamed["id"], renamed["external_id"]) == (opened["id"], "two")
        assert error_of(client.views_update, external_id="one", view=MODAL) == "not_found"


def test_the_home_tab_is_published_when_it_is_opened_and_its_buttons_work(site: Site, app: App) -> None:
    pressed = threading.Event()
    button = {"type": "button", "action_id": "refresh", "text": {"type": "plain_text", "text": "Refresh"}}

    @app.event("app_home_opened")
    def publish(event: JSON, client: WebClient) -> None:
        blocks = [{"type": "actions", "block_id": "a", "elements": [button]}]
        client.views_publish(user_id=event["user"], view={"type": "home", "blocks": blocks})

    @app.action("refresh")
    def refresh(ack: Ack, body: JSON) -> None:
        ack()
        assert body["view"]["type"] == "home"
        pressed.set()

    with connected(app, site), site.page(ADA) as page:
        assert page.read_until("snapshot")["home"] is None
        site.act("open_home", user=ADA, tab="home")
        view = page.read_until("home")["view"]
        container = {"type": "home", "view_id": view["id"]}
        action = {"type": "button", "block_id": "a", "action_id": "refresh"}
        site.act("block_action", user=ADA, container=container, action=action)
        assert pressed.wait(5)


def test_an_ephemeral_answer_is_replaced_and_removed_over_its_response_url(site: Site, app: App) -> None:
    button = {"type": "button", "action_id": "ok", "text": {"type": "plain_text", "text": "OK"}}
    steps: list[Callable[[Any], object]] = [
        lambda respond: respond(text="Noted.", blocks=[actions], replace_original=True),
        lambda respond: respond(delete_original=True),
    ]
    actions = {"type": "actions", "block_id": "a", "elements": [button]}

    @app.action("ok")
    def ok(ack: Ack, body: JSON, respond: Any) -> None:
        ack()
        assert body["container"]["is_ephemeral"]
        assert "message" not in body
        assert steps.pop(0)(respond).status_code == 200  # type: ignore[attr-defined]

    with connected(app, site), site.page(ADA) as page:
        page.read_until("snapshot")
        ts = site.client().chat_postEphemeral(channel=GENERAL, user=ADA, text="Sure?", blocks=[actions])["message_ts"]
        page.read_until("message")
        press(site, ts, "", block="a", action="ok")
        assert page.read_until("message")["message"]["text"] == "Noted."
        press(site, ts, "", block="a", action="ok")
        assert page.read_until("message_deleted")["ts"] == ts


def test_a_press_without_a_bot_says_so(site: Site) -> None:
    ts = site.client().chat_postMessage(channel=ADA_DM, text="answer", blocks=[BUTTONS])["ts"]
    container = {"type": "message", "channel": ADA_DM, "ts": ts}
    action = {"type": "feedback_buttons", "block_id": "votes", "action_id": "vote", "value": "+1"}
    refused = site.try_to("block_action", user=ADA, container=container, action=action)
    assert refused["error"] == "operation_timed_out"
    for wrong, error in (({"action_id": "other"}, "element_not_found"), ({"value": "0"}, "invalid_arguments")):
        answer = site.try_to("block_action", user=ADA, container=container, action=action | wrong)
        assert answer["error"] == error


def test_the_app_comes_back_after_every_kind_of_disconnect(site: Site, app: App) -> None:
    heard: list[str] = []

    @app.event("message")
    def hear(event: JSON) -> None:
        heard.append(event["text"])

    with connected(app, site):
        for n, reason in enumerate(("refresh_requested", "warning"), 2):
            site.faults(disconnect=reason)
            wait_for(lambda count=n: len(site.ledger("connection", "hello")) >= count, seconds=15)  # type: ignore[misc]
            site.say(f"after {reason}")
            wait_for(lambda text=f"after {reason}": text in heard, seconds=15)  # type: ignore[misc]


def sent_by(entry: JSON) -> str:
    """Give who wrote the message of an event."""
    return str(entry["request"]["payload"]["event"].get("user"))


def title(text: str) -> JSON:
    """Give the title of a form."""
    return {"type": "plain_text", "text": text}


def press(site: Site, ts: str, value: str, *, block: str = "votes", action: str = "vote") -> None:
    """Press a button of a message in #general."""
    site.act(
        "block_action",
        user=ADA,
        container={"type": "message", "channel": GENERAL, "ts": ts},
        action={"type": "button", "block_id": block, "action_id": action, "value": value},
    )


def submit(site: Site, view: JSON, text: str) -> None:
    """Fill in a form and send it."""
    values = {"why": {"text": {"type": "plain_text_input", "value": text}}}
    site.act("view_submit", user=ADA, view_id=view["id"], values=values)


def shown(page: Listener, action: str) -> JSON:
    """Wait for something to happen to a form on the page."""
    while True:
        item = page.read_until("view")
        if item["action"] == action:
            view: JSON = item["view"]
            return view


def shown_errors(page: Listener) -> JSON:
    """Wait for a form's errors."""
    while True:
        item = page.read_until("view")
        if item["action"] == "errors":
            errors: JSON = item["errors"]
            return errors
