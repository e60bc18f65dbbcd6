"""HTTP delivery: signed, repeated with the reason, answered in the response; read by the real Bolt, too."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import pytest
from slack_bolt import Ack, App, Respond, Say
from slack_bolt.request import BoltRequest

from bot.errors import SettingsError
from bot.playground.options import PlaygroundOptions, Tokens
from bot.playground.playground import Playground
from tests.playground.site import ADA, GENERAL, Site, wait_for

JSON = dict[str, Any]


@dataclass(kw_only=True)
class Received:
    """One request that the app's server got."""

    headers: dict[str, str]
    body: str

    @property
    def content(self) -> JSON:
        """What it says, whatever form it has."""
        if self.headers["content-type"] == "application/json":
            found: JSON = json.loads(self.body)
            return found
        form = {key: values[0] for key, values in parse_qs(self.body, keep_blank_values=True).items()}
        return json.loads(form["payload"]) if "payload" in form else form


@dataclass(kw_only=True)
class AppServer:
    """The app's own server: keeps what it gets, and answers with the next of `answers`, else 200."""

    url: str = ""
    received: list[Received] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str], str]] = field(default_factory=list)
    app: Callable[[Received], tuple[int, dict[str, str], str]] | None = None

    def answer(self, request: Received) -> tuple[int, dict[str, str], str]:
        """Say what the server says to a request."""
        if request.content.get("type") == "url_verification":
            return 200, {"Content-Type": "text/plain"}, str(request.content["challenge"])
        self.received.append(request)
        if self.app is not None:
            return self.app(request)
        return self.answers.pop(0) if self.answers else (200, {}, "")


@contextmanager
def serving(port: int = 0) -> Iterator[AppServer]:
    """Run an app's server."""
    app = AppServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, more, text = app.answer(Received(headers=headers, body=body))
            self.send_response(status)
            for name, value in {**more, "Content-Length": str(len(text.encode()))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    app.url = f"http://127.0.0.1:{server.server_port}/slack/events"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield app
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def connected(site: Site) -> None:
    """Wait until the address has given its challenge back."""
    wait_for(lambda: site.ledger("connection", "url_verification"))


def test_an_event_is_json_with_a_signature(start: Callable[..., Site]) -> None:
    with serving() as app:
        site = start(events_url=app.url)
        connected(site)
        ts = site.say("hello")
        request = wait_for(lambda: app.received)[0]
    assert (request.content["type"], request.content["event"]["ts"]) == ("event_callback", ts)
    stamp, signature = request.headers["x-slack-request-timestamp"], request.headers["x-slack-signature"]
    base = f"v0:{stamp}:{request.body}".encode()
    assert signature == "v0=" + hmac.new(site.tokens.signing_secret.encode(), base, hashlib.sha256).hexdigest()
    assert "x-slack-retry-num" not in request.headers
    wait_for(lambda: site.ledger("ack"))


def test_a_failure_is_tried_again_with_its_reason(start: Callable[..., Site]) -> None:
    with serving() as app:
        app.answers = [(500, {}, "no")] * 3
        site = start(events_url=app.url, time_scale=1000.0)
        connected(site)
        site.say("hello")
        wait_for(lambda: len(app.received) == 4)
        wait_for(lambda: site.ledger("ack"))
    tried = [(r.headers.get("x-slack-retry-num"), r.headers.get("x-slack-retry-reason")) for r in app.received]
    assert tried == [(None, None), ("1", "http_error"), ("2", "http_error"), ("3", "http_error")]
    assert len({r.content["event_id"] for r in app.received}) == 1


def test_the_app_can_ask_not_to_be_told_again(start: Callable[..., Site]) -> None:
    with serving() as app:
        app.answers = [(400, {"x-slack-no-retry": "1"}, "no")]
        site = start(events_url=app.url, time_scale=1000.0)
        connected(site)
        site.say("hello")
        lost = wait_for(lambda: [e for e in site.ledger("event") if e["status"] == "lost"])
    assert (len(lost), len(app.received)) == (1, 1)


def test_a_slow_answer_is_a_timeout(start: Callable[..., Site]) -> None:
    slow = threading.Event()

    def answer(request: Received) -> tuple[int, dict[str, str], str]:
        if "x-slack-retry-num" not in request.headers:
            slow.wait(1.0)
        return 200, {}, ""

    with serving() as app:
        app.app = answer
        site = start(events_url=app.url, ack_seconds=0.2, time_scale=1000.0)
        connected(site)
        site.say("hello")
        wait_for(lambda: len(app.received) == 2)
        slow.set()
        wait_for(lambda: site.ledger("ack"))
    assert app.received[1].headers["x-slack-retry-reason"] == "http_timeout"


def test_who_asks_before_the_app_is_up_is_heard_when_it_is(start: Callable[..., Site]) -> None:
    with serving() as app:
        address, port = app.url, int(app.url.split(":")[2].partition("/")[0])
    site = start(events_url=address)
    with site.page(ADA) as page:
        assert page.read()["bot_connected"] is False
        ts = site.say("is anybody there?")
        with serving(port) as app:
            assert page.read_until("bot")["connected"] is True
            assert wait_for(lambda: app.received)[0].content["event"]["ts"] == ts
        site.say("and now?")
        assert page.read_until("bot")["connected"] is False


def test_interactions_and_commands_are_forms_and_their_answers_count(start: Callable[..., Site]) -> None:
    with serving() as app:
        site = start(events_url=app.url)
        connected(site)
        app.answers = [
            (200, {"Content-Type": "text/plain"}, "Only you."),
            (
                200,
                {"Content-Type": "application/json; charset=utf-8"},
                '{"response_type": "in_channel", "text": "All."}',
            ),
        ]
        with site.page(ADA) as page:
            page.read_until("snapshot")
            site.act("slash", user=ADA, channel=GENERAL, command="/lore", text="a & b")
            assert page.read_until("message")["message"]["ephemeral"] is True
            site.act("slash", user=ADA, channel=GENERAL, command="/lore", text="")
            assert page.read_until("message")["message"]["text"] == "All."
        site.act("shortcut", user=ADA, callback_id="ask")
        command, shortcut = app.received[0], app.received[-1]
    assert command.headers["content-type"] == "application/x-www-form-urlencoded"
    assert (command.content["command"], command.content["text"]) == ("/lore", "a & b")
    assert (shortcut.content["type"], shortcut.content["callback_id"]) == ("shortcut", "ask")
    app.answers = [(500, {}, "")]


def test_the_real_bolt_takes_what_comes(start: Callable[..., Site]) -> None:
    with serving() as server:
        site = start(events_url=server.url)
        bolt = App(client=site.client(), signing_secret=site.tokens.signing_secret, process_before_response=True)

        @bolt.event("app_mention")
        def answer(event: JSON, say: Say) -> None:
            say(text="Twenty-eight.", thread_ts=event["ts"])

        @bolt.command("/lore")
        def command(ack: Ack, respond: Respond) -> None:
            ack()
            respond(text="Later.")

        def dispatch(request: Received) -> tuple[int, dict[str, str], str]:
            headers: dict[str, str | Sequence[str]] = dict(request.headers)
            response = bolt.dispatch(BoltRequest(body=request.body, headers=headers))
            return response.status, {}, response.body

        server.app = dispatch
        connected(site)
        ts = site.say("@Lorekeeper how many?")
        wait_for(lambda: len(site.client().conversations_replies(channel=GENERAL, ts=ts)["messages"]) == 2)
        with site.page(ADA) as page:
            page.read_until("snapshot")
            site.act("slash", user=ADA, channel=GENERAL, command="/lore")
            assert page.read_until("message")["message"]["text"] == "Later."


@pytest.mark.parametrize("url", ["ftp://a.example/", "https://", "127.0.0.1:3000"])
def test_an_address_that_is_none_is_named(url: str) -> None:
    with pytest.raises(SettingsError, match="events address"):
        Playground(PlaygroundOptions(events_url=url), Tokens.create())
