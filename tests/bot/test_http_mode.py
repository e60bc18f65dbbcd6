"""HTTP mode: what Slack did not sign is refused, what it signed is read, and nothing that comes in is an error 500."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.errors import PortInUseError
from bot.slack.http_mode import MOST_BYTES, HttpServer, Reply, build_web, parse_body
from bot.slack.signature import Verifier, sign
from tests.bot.http_client import SECRET, SlackCaller

NOW = 1_800_000_000


@dataclass
class NotingDesk:
    """Takes everything in, and answers as it is told to."""

    reply: Reply | Exception = field(default_factory=Reply)
    seconds: float = 0.0
    taken: list[tuple[Mapping[str, Any], Mapping[str, str]]] = field(default_factory=list)
    ready: bool = True

    def receive(self, payload: Mapping[str, Any], headers: Mapping[str, str]) -> Reply:
        time.sleep(self.seconds)
        self.taken.append((payload, headers))
        if isinstance(self.reply, Exception):
            raise self.reply
        return self.reply


@pytest.fixture
def desk() -> NotingDesk:
    return NotingDesk()


@pytest.fixture
def slack(desk: NotingDesk) -> Iterator[SlackCaller]:
    with HttpServer(build_web(desk, Verifier(SECRET)), "127.0.0.1", 0) as server:
        yield SlackCaller(port=server.port)


class TestSignature:
    verifier = Verifier(SECRET, now=lambda: float(NOW))

    def accepts(self, body: bytes, *, at: int = NOW, secret: str = SECRET) -> bool:
        return self.verifier.accepts(str(at), sign(secret.encode(), str(at), body), body)

    def test_slacks_own_example(self) -> None:
        body = (
            b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&"
            b"channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&"
            b"response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F"
            b"96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
        )
        verifier = Verifier(SECRET, now=lambda: 1531420618.0)
        signature = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
        assert verifier.accepts("1531420618", signature, body)

    def test_it_holds_for_five_minutes_each_way(self) -> None:
        assert self.accepts(b"{}", at=NOW - 300)
        assert self.accepts(b"{}", at=NOW + 300)
        assert not self.accepts(b"{}", at=NOW - 301)
        assert not self.accepts(b"{}", at=NOW + 301)

    def test_another_secret_another_body_and_another_time_are_refused(self) -> None:
        assert not self.accepts(b"{}", secret="another")
        good = sign(SECRET.encode(), str(NOW), b"{}")
        assert self.verifier.accepts(str(NOW), good, b"{}")
        assert not self.verifier.accepts(str(NOW), good, b"{} ")
        assert not self.verifier.accepts(str(NOW - 1), good, b"{}")
        assert not self.verifier.accepts(str(NOW), good.upper(), b"{}")
        assert not self.verifier.accepts(str(NOW), f"{good}\n", b"{}")

    def test_an_empty_secret_is_no_secret(self) -> None:
        with pytest.raises(ValueError, match="empty"):
            Verifier("")

    @settings(max_examples=400, deadline=None)
    @given(
        timestamp=st.one_of(st.none(), st.text(), st.integers().map(str), st.floats().map(str), st.just(str(NOW))),
        signature=st.one_of(
            st.none(), st.text(), st.from_regex(r"v0=[0-9a-f]{64}", fullmatch=True), st.text("v0=9afé٣", max_size=70)
        ),
        body=st.binary(max_size=200),
    )
    def test_nothing_odd_is_accepted_or_an_error(
        self, timestamp: str | None, signature: str | None, body: bytes
    ) -> None:
        assert self.verifier.accepts(timestamp, signature, body) is False

    @settings(max_examples=200, deadline=None)
    @given(body=st.binary(max_size=400))
    def test_signed_bytes_are_accepted_where_they_are_text(self, body: bytes) -> None:
        try:
            body.decode()
            is_text = True
        except UnicodeDecodeError:
            is_text = False
        assert self.accepts(body) is is_text


class TestRequests:
    def test_an_event_an_interaction_and_a_command_reach_the_desk(self, slack: SlackCaller, desk: NotingDesk) -> None:
        assert slack.event({"type": "app_mention"}, "T1", "Ev1").status == 200
        assert slack.interact({"type": "block_actions", "team": {"id": "T1"}}).status == 200
        assert slack.command(command="/lore", text="hä? & so", team_id="T1").status == 200
        assert [payload.get("type") for payload, _ in desk.taken] == ["event_callback", "block_actions", None]
        assert desk.taken[2][0]["text"] == "hä? & so"

    def test_the_challenge_is_given_back_once_it_is_signed(self, slack: SlackCaller, desk: NotingDesk) -> None:
        body = json.dumps({"type": "url_verification", "challenge": "3eZbrw1aB"}).encode()
        assert slack.send(body, "application/json").body == "3eZbrw1aB"
        assert slack.ask("POST", "/slack/events", body, {"Content-Type": "application/json"}).status == 401
        assert desk.taken == []

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"X-Slack-Signature": "v0="},
            {"X-Slack-Request-Timestamp": "soon", "X-Slack-Signature": "v0=" + "0" * 64},
            {"X-Slack-Request-Timestamp": "9" * 400, "X-Slack-Signature": "v0=" + "0" * 64},
            {"X-Slack-Request-Timestamp": "1e9", "X-Slack-Signature": "v0=" + "g" * 64},
            {"X-Slack-Request-Timestamp": "-1", "X-Slack-Signature": "\xff\xfe"},
            {"X-Slack-Request-Timestamp": "", "X-Slack-Signature": ""},
        ],
    )
    def test_missing_and_malformed_headers_are_401(
        self, slack: SlackCaller, desk: NotingDesk, headers: dict[str, str]
    ) -> None:
        answered = slack.ask("POST", "/slack/events", b"{}", {"Content-Type": "application/json", **headers})
        assert answered.status == 401
        assert desk.taken == []

    def test_bytes_that_are_no_text_are_401_though_signed(self, slack: SlackCaller) -> None:
        assert slack.send(b'{"a": "\xff"}', "application/json").status == 401

    def test_an_old_signature_is_401(self, slack: SlackCaller) -> None:
        assert slack.send(b"{}", "application/json", at=time.time() - 301).status == 401

    @pytest.mark.parametrize(
        ("body", "kind"),
        [
            (b"", "application/json"),
            (b"[]", "application/json"),
            (b"null", "application/json"),
            (b"{", "application/json"),
            (b"[" * 100_000, "application/json"),
            (b"payload=%7B", "application/x-www-form-urlencoded"),
            (b"payload=7", "application/x-www-form-urlencoded"),
            (b"a=b", "application/x-www-form-urlencoded"),
            (b"&".join(b"a=b" for _ in range(1000)), "application/x-www-form-urlencoded"),
            (b"hello", "text/plain"),
        ],
    )
    def test_signed_nonsense_is_400_and_not_sent_again(self, slack: SlackCaller, body: bytes, kind: str) -> None:
        answered = slack.send(body, kind)
        assert answered.status == 400
        assert answered.headers["x-slack-no-retry"] == "1"

    def test_a_body_that_is_too_large_is_refused_unread(self, slack: SlackCaller, desk: NotingDesk) -> None:
        assert slack.send(b"x" * (MOST_BYTES + 1), "application/json").status == 413
        claimed = {"Content-Length": str(MOST_BYTES * 1000), "Content-Type": "application/json"}
        assert slack.ask("POST", "/slack/events", b"", claimed).status == 413
        assert desk.taken == []

    def test_an_error_of_ours_asks_slack_to_come_again_and_tells_nothing(
        self, slack: SlackCaller, desk: NotingDesk
    ) -> None:
        desk.reply = RuntimeError("the secret reason")
        answered = slack.event({"type": "app_mention"}, "T1", "Ev1")
        assert answered.status == 503
        assert "secret" not in answered.body
        desk.reply = Reply(status=503)
        assert slack.event({"type": "app_mention"}, "T1", "Ev1").status == 503

    def test_the_number_of_a_repetition_is_handed_on(self, slack: SlackCaller, desk: NotingDesk) -> None:
        slack.send(b'{"type":"event_callback"}', "application/json", X_Slack_Retry_Num="2")
        assert desk.taken[0][1]["x-slack-retry-num"] == "2"

    def test_a_reply_may_carry_json(self, slack: SlackCaller, desk: NotingDesk) -> None:
        desk.reply = Reply(body={"response_action": "clear"})
        answered = slack.interact({"type": "view_submission"})
        assert json.loads(answered.body) == {"response_action": "clear"}
        assert answered.headers["content-type"].startswith("application/json")

    def test_many_at_once_do_not_wait_for_each_other(self, slack: SlackCaller, desk: NotingDesk) -> None:
        desk.seconds = 1.0
        began = time.monotonic()
        threads = [threading.Thread(target=slack.event, args=({}, "T1", f"Ev{n}")) for n in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(desk.taken) == 10
        # One after the other they take 10 seconds.
        assert time.monotonic() - began < 8.0

    @pytest.mark.parametrize(
        "junk", [b"\x16\x03\x01\x02\x00\x01\x00", b"POST\r\n\r\n", b"GET / HTTP/1.1\r\nX: " + b"a" * 70_000]
    )
    def test_what_is_no_http_is_turned_away_and_the_next_caller_is_served(
        self, slack: SlackCaller, junk: bytes
    ) -> None:
        with socket.create_connection(("127.0.0.1", slack.port), timeout=10) as line:
            line.sendall(junk)
            answered = line.recv(1000)
        assert b" 500 " not in answered
        assert slack.event({"type": "app_mention"}, "T1", "Ev1").status == 200

    def test_only_what_there_is_is_served(self, slack: SlackCaller, desk: NotingDesk) -> None:
        assert slack.ask("GET", "/slack/events").status == 405
        assert slack.ask("GET", "/slack/install").status == 404
        assert slack.ask("GET", "/").status == 404
        health = slack.ask("GET", "/healthz")
        assert (health.status, health.body) == (200, '{"ok":true}')
        desk.ready = False
        assert slack.ask("GET", "/healthz").status == 503

    def test_a_port_in_use_is_named_with_the_setting(self, slack: SlackCaller, desk: NotingDesk) -> None:
        with pytest.raises(PortInUseError, match=rf"127\.0\.0\.1:{slack.port}.*slack\.port"):
            HttpServer(build_web(desk, Verifier(SECRET)), "127.0.0.1", slack.port)


@settings(max_examples=300, deadline=None)
@given(text=st.text(max_size=300), kind=st.sampled_from(["application/json", "application/x-www-form-urlencoded", ""]))
def test_a_body_is_read_or_refused(text: str, kind: str) -> None:
    with contextlib.suppress(ValueError):
        assert isinstance(parse_body(text.encode(errors="replace"), kind), dict)
