"""Delivery of envelopes: to one connection, until acknowledged, as often as Slack tries."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from tests.playground.site import ADA, ADA_DM, BEN, BOT, GENERAL, Listener, Site, wait_for


@pytest.fixture
def quick(start: Callable[..., Site]) -> Site:
    """A playground where an acknowledgement has 0.2 s, and a minute passes in 0.3 s."""
    return start(ack_seconds=0.2, time_scale=200.0)


def test_hello_counts_the_connections(site: Site) -> None:
    with site.app_connection(), site.app_connection():
        hellos = [entry["response"] for entry in site.ledger("connection", "hello")]
    assert [hello["num_connections"] for hello in hellos] == [1, 2]
    assert hellos[0]["debug_info"]["approximate_connection_time"] == 18_060


def test_an_address_works_once(site: Site) -> None:
    url = site.client(site.tokens.app).apps_connections_open(app_token=site.tokens.app)["url"]
    with connect(url) as socket:
        assert json.loads(socket.recv(5))["type"] == "hello"
        with pytest.raises(InvalidStatus), connect(url):
            pass


def test_a_mention_makes_two_events_that_differ_only_as_slacks_do(site: Site) -> None:
    with site.app_connection() as app:
        ts = site.say("hello @Lorekeeper")
        envelopes = [app.read(), app.read()]
        for envelope in envelopes:
            app.acknowledge(envelope)
        first, second = (envelope["payload"] for envelope in envelopes)
        assert [p["event"]["type"] for p in (first, second)] == ["message", "app_mention"]
        assert first["event"]["ts"] == second["event"]["ts"] == ts
        assert first["event_id"] != second["event_id"]
        assert first["event"]["text"] == f"hello <@{BOT}>"
        assert (first["event"]["channel_type"], first["event"]["user"]) == ("channel", ADA)
        assert first["authorizations"][0]["user_id"] == BOT
        assert (first["type"], first["is_ext_shared_channel"]) == ("event_callback", False)
        assert envelopes[0]["accepts_response_payload"] is False
        assert (envelopes[0]["retry_attempt"], envelopes[0]["retry_reason"]) == (0, "")
        assert app.is_quiet()


def test_a_direct_message_makes_one_event_even_with_a_mention(site: Site) -> None:
    with site.app_connection() as app:
        site.say("hello @Lorekeeper", channel=ADA_DM)
        envelope = app.read()
        app.acknowledge(envelope)
        assert envelope["payload"]["event"]["channel_type"] == "im"
        assert app.is_quiet()


def test_every_envelope_goes_to_one_of_two_connections(site: Site) -> None:
    with site.app_connection() as one, site.app_connection() as two:
        sent = {site.say(f"message {n}") for n in range(6)}
        got = [[app.read() for _ in range(3)] for app in (one, two)]
        for app, envelopes in zip((one, two), got, strict=True):
            for envelope in envelopes:
                app.acknowledge(envelope)
        assert {e["payload"]["event"]["ts"] for envelopes in got for e in envelopes} == sent
        assert one.is_quiet()
        assert two.is_quiet()


def test_what_nobody_acknowledges_comes_again_three_times_with_the_same_event_id(quick: Site) -> None:
    with quick.app_connection() as app:
        quick.say("hello")
        envelopes = [app.read() for _ in range(4)]
        assert [e["retry_attempt"] for e in envelopes] == [0, 1, 2, 3]
        assert [e["retry_reason"] for e in envelopes] == ["", "timeout", "timeout", "timeout"]
        assert len({e["payload"]["event_id"] for e in envelopes}) == 1
        assert len({e["envelope_id"] for e in envelopes}) == 4
        assert app.is_quiet(2.0)
    assert quick.ledger("event")[-1]["status"] == "lost"


def test_a_late_acknowledgement_does_not_count(quick: Site) -> None:
    quick.faults(slow_acks={"count": 1, "seconds": 0.4})
    with quick.app_connection() as app:
        quick.say("hello")
        for attempt in (0, 1):
            envelope = app.read()
            assert envelope["retry_attempt"] == attempt
            app.acknowledge(envelope)
        assert app.is_quiet(1.0)
    assert sorted(entry["status"] for entry in quick.ledger("ack")) == ["late", "ok"]


def test_duplicates_and_reordering_on_request(site: Site) -> None:
    with site.app_connection() as app:
        site.faults(duplicates=1)
        site.say("twice")
        twins = [app.read(), app.read()]
        assert twins[0]["payload"] == twins[1]["payload"]
        site.faults(reordered=1)
        late, early = site.say("first"), site.say("second")
        order = [app.read(), app.read()]
        assert [e["payload"]["event"]["ts"] for e in order] == [early, late]
        for envelope in (*twins, *order):
            app.acknowledge(envelope)


def test_what_nobody_confirmed_can_be_given_up(site: Site) -> None:
    with site.app_connection() as app:
        site.say("hello")
        assert app.read()["payload"]["event"]["text"] == "hello"
    site.faults(give_up=True)
    assert [entry["status"] for entry in site.ledger("event")][-1] == "lost"
    with site.app_connection() as app:
        site.say("again")
        again = app.read()
        assert again["payload"]["event"]["text"] == "again"
        app.acknowledge(again)


@pytest.mark.parametrize("reason", ["refresh_requested", "link_disabled", "too_many_websockets"])
def test_a_disconnect_says_why_and_closes(site: Site, reason: str) -> None:
    with site.app_connection() as app:
        assert site.faults(disconnect=reason)["disconnected"] == 1
        goodbye = app.read()
        assert (goodbye["type"], goodbye["reason"]) == ("disconnect", reason)
        with pytest.raises(ConnectionClosed):
            app.read()


def test_after_a_warning_the_old_connection_gets_nothing_new_and_ends_ten_seconds_later(site: Site) -> None:
    with site.app_connection() as old:
        site.faults(disconnect="warning")
        assert old.read()["reason"] == "warning"
        with site.app_connection() as new:
            site.say("hello")
            new.acknowledge(new.read())
            with pytest.raises(ConnectionClosed):
                old.read()


def test_a_line_can_be_cut_without_a_word(site: Site) -> None:
    with contextlib.suppress(ConnectionClosed), site.app_connection() as app:
        site.faults(disconnect="abrupt")
        with pytest.raises(ConnectionClosed) as closed:
            app.read()
        assert closed.value.rcvd is None


def test_an_eleventh_connection_is_told_to_leave(site: Site) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(site.app_connection())
        url = site.client(site.tokens.app).apps_connections_open(app_token=site.tokens.app)["url"]
        with connect(url) as socket:
            assert Listener(socket).read()["reason"] == "too_many_websockets"


def test_an_event_without_a_connection_waits_for_the_bot(site: Site) -> None:
    ts = site.say("is anybody there?")
    wait_for(lambda: [e for e in site.ledger("event") if e["status"] == "no connection"])
    with site.app_connection() as app:
        envelope = app.read()
        app.acknowledge(envelope)
        assert envelope["payload"]["event"]["ts"] == ts
        assert envelope["retry_attempt"] > 0
        assert envelope["retry_reason"] == "connection_failed"


def test_a_silent_line_carries_nothing(quick: Site) -> None:
    with quick.app_connection() as app:
        quick.faults(silent=True)
        quick.say("hello")
        assert app.is_quiet(0.3)
        quick.faults(silent=False)
        assert app.read()["retry_attempt"] > 0


def test_edits_unfurls_and_deletions_are_hidden_events(site: Site) -> None:
    with site.app_connection() as app:

        def event() -> dict[str, object]:
            envelope = app.read()
            app.acknowledge(envelope)
            found: dict[str, object] = envelope["payload"]["event"]
            return found

        ts = site.say("see https://example.com/a")
        event()
        unfurled = event()
        assert unfurled["subtype"] == "message_changed"
        assert "edited" not in unfurled["message"]  # type: ignore[operator]
        site.act("edit", user=ADA, channel=GENERAL, ts=ts, text="other")
        edited = event()
        assert edited["message"]["edited"]["user"] == ADA  # type: ignore[index]
        assert edited["previous_message"]["ts"] == ts  # type: ignore[index]
        site.act("delete", user=ADA, channel=GENERAL, ts=ts)
        deleted = event()
        assert (deleted["subtype"], deleted["deleted_ts"], deleted["hidden"]) == ("message_deleted", ts, True)


def test_a_deleted_parent_of_a_thread_becomes_a_tombstone(site: Site) -> None:
    parent = site.say("question")
    site.client().chat_postMessage(channel=GENERAL, text="answer", thread_ts=parent)
    with site.app_connection() as app:
        drain(app)
        site.act("delete", user=ADA, channel=GENERAL, ts=parent)
        envelope = app.read()
        app.acknowledge(envelope)
        event = envelope["payload"]["event"]
        assert (event["subtype"], event["message"]["subtype"]) == ("message_changed", "tombstone")
        assert event["previous_message"]["text"] == "question"
    thread = site.client().conversations_replies(channel=GENERAL, ts=parent)["messages"]
    assert [message["text"] for message in thread] == ["This message was deleted.", "answer"]


def test_reactions_home_and_joining_are_events(site: Site) -> None:
    ts = site.say("hello")
    lunch = site.act("create_channel", user=ADA, name="lunch", private=False)["channel"]["id"]
    with site.app_connection() as app:
        drain(app)
        site.act("react", user=BEN, channel=GENERAL, ts=ts, name="thumbsup::skin-tone-3", add=True)
        site.act("react", user=BEN, channel=GENERAL, ts=ts, name="thumbsup::skin-tone-3", add=False)
        site.act("open_home", user=BEN, tab="messages")
        site.act("invite", user=ADA, channel=lunch, invitee=BOT)
        events = []
        site.act("leave", user=ADA, channel=lunch, who=BOT)
        for _ in range(5):
            envelope = app.read()
            app.acknowledge(envelope)
            events.append(envelope["payload"]["event"])
    added, removed, home, joined, left = events
    assert (left["type"], left["user"], left["channel"]) == ("member_left_channel", BOT, lunch)
    assert (added["type"], removed["type"]) == ("reaction_added", "reaction_removed")
    assert (added["reaction"], added["item_user"]) == ("thumbsup::skin-tone-3", ADA)
    assert added["item"] == {"type": "message", "channel": GENERAL, "ts": ts}
    assert (home["type"], home["tab"], home["channel"]) == ("app_home_opened", "messages", "D0BENORTIZ")
    assert (joined["type"], joined["user"], joined["inviter"]) == ("member_joined_channel", BOT, ADA)


def test_no_event_tells_of_a_channel_that_the_bot_is_not_in(site: Site) -> None:
    secret = site.act("create_channel", user=ADA, name="secret", private=True)["channel"]["id"]
    with site.app_connection() as app:
        site.say("@Lorekeeper between us", channel=secret)
        assert app.is_quiet()


def drain(app: Listener) -> None:
    """Acknowledge whatever waited for the connection."""
    for envelope in app.read_all():
        app.acknowledge(envelope)
