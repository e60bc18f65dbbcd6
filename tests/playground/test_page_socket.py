"""What an open page is told: a snapshot, then increments, and only what its person may see."""

from __future__ import annotations

from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from tests.playground.site import ADA, ADA_DM, BEN, BOT, GENERAL, HELP, PRIVATE, Site, error_of


def test_a_snapshot_holds_what_the_person_is_in(site: Site) -> None:
    site.say("hello")
    with site.page(ADA) as ada, site.page(BEN) as ben:
        first, second = ada.read(), ben.read()
    assert {channel["id"] for channel in first["channels"]} == {GENERAL, HELP, PRIVATE, ADA_DM}
    assert {channel["id"] for channel in second["channels"]} == {GENERAL, HELP, "D0BENORTIZ"}
    assert second["messages"].keys() == {GENERAL, HELP, "D0BENORTIZ"}
    assert [message["text"] for message in first["messages"][GENERAL]] == ["hello"]
    assert (first["me"], first["bot_connected"], first["home"]) == (ADA, False, None)
    assert [user["real_name"] for user in first["users"]] == ["Ada Park", "Ben Ortiz", "Chloe Lind", "Lorekeeper"]
    general = next(channel for channel in first["channels"] if channel["id"] == GENERAL)
    assert general.keys() == {"id", "name", "kind", "members", "topic", "shared"}


def test_private_messages_reach_members_only_and_traffic_reaches_all(site: Site) -> None:
    with site.page(ADA) as ada, site.page(BEN) as ben:
        ada.read_until("snapshot")
        ben.read_until("snapshot")
        site.say("between us", channel=PRIVATE)
        shown = ada.read_until("message")
        assert (shown["channel"], shown["message"]["text"]) == (PRIVATE, "between us")
        assert {item["type"] for item in ben.read_all()} == {"traffic"}


def test_changes_replies_and_deletions_are_told(site: Site) -> None:
    with site.page(ADA) as page:
        page.read_until("snapshot")
        ts = site.say("one")
        assert page.read_until("message")["message"]["text"] == "one"
        site.act("edit", user=ADA, channel=GENERAL, ts=ts, text="two")
        assert page.read_until("message")["message"]["edited"]["user"] == ADA
        site.act("react", user=BEN, channel=GENERAL, ts=ts, name="+1", add=True)
        assert page.read_until("message")["message"]["reactions"] == [{"name": "+1", "users": [BEN], "count": 1}]
        reply = site.say("reply", thread_ts=ts)
        assert page.read_until("message")["message"]["thread_ts"] == ts
        assert page.read_until("message")["message"]["reply_count"] == 1
        site.act("delete", user=ADA, channel=GENERAL, ts=reply)
        assert page.read_until("message_deleted")["ts"] == reply
        assert "reply_count" not in page.read_until("message")["message"]


def test_the_page_hears_of_the_bot_and_of_traffic(site: Site) -> None:
    with site.page(ADA) as page:
        page.read_until("snapshot")
        with site.app_connection():
            assert page.read_until("bot")["connected"] is True
        assert page.read_until("bot")["connected"] is False
        entry = site.ledger("call", "apps.connections.open")[0]
        assert {"id", "time", "kind", "name", "status", "ms", "request", "response"} <= entry.keys()


def test_nobody_acts_as_the_bot_or_as_a_stranger(site: Site) -> None:
    for user in (BOT, "U0NOBODY", ""):
        with pytest.raises(InvalidStatus), site.page(user):
            pass
    assert site.try_to("say", user=BOT, channel=GENERAL, text="x")["error"] == "user_not_found"


def test_what_people_cannot_do(site: Site) -> None:
    theirs = site.say("mine", user=BEN)
    ada = {"user": ADA, "channel": GENERAL}
    attempts: list[tuple[str, dict[str, Any], str]] = [
        ("say", {"user": BEN, "channel": PRIVATE, "text": "x"}, "not_in_channel"),
        ("say", {**ada, "text": "  "}, "no_text"),
        ("say", {**ada, "text": "x" * 100_001}, "msg_too_long"),
        ("say", {"user": ADA, "channel": "C0NOWHERE", "text": "x"}, "channel_not_found"),
        ("edit", {**ada, "ts": theirs, "text": "x"}, "not_your_message"),
        ("delete", {**ada, "ts": theirs}, "not_your_message"),
        ("delete", {**ada, "ts": "1.1"}, "message_not_found"),
        ("react", {**ada, "ts": theirs, "name": "+1", "add": False}, "no_reaction"),
        ("react", {**ada, "ts": theirs, "name": "No Such", "add": True}, "invalid_name"),
        ("create_channel", {"user": ADA, "name": "general"}, "name_taken"),
        ("create_channel", {"user": ADA, "name": "two words"}, "invalid_name"),
        ("invite", {**ada, "invitee": BEN}, "already_in_channel"),
        ("open_home", {"user": ADA, "tab": "files"}, "invalid_arguments"),
        ("block_action", {"user": ADA, "container": {"type": "wall"}, "action": {}}, "invalid_arguments"),
        ("view_close", {"user": ADA, "view_id": "V0"}, "view_not_found"),
        ("dance", {}, "unknown_action"),
    ]
    for action, body, error in attempts:
        assert site.try_to(action, **body)["error"] == error


def test_typed_text_is_stored_as_slack_stores_it(site: Site) -> None:
    site.say("@ada & <b> `x<y` https://example.com/?a=1&b=2, <@U0BENORTIZ> @nobody a@ben.example")
    message = site.client().conversations_history(channel=GENERAL)["messages"][0]
    assert message["text"] == (
        "<@U0ADAPARK> &amp; &lt;b&gt; `x&lt;y` <https://example.com/?a=1&amp;b=2>, <@U0BENORTIZ> @nobody a@ben.example"
    )
    elements = message["blocks"][0]["elements"][0]["elements"]
    assert [element["type"] for element in elements] == ["user", "text", "link", "text", "user", "text"]
    assert elements[2]["url"] == "https://example.com/?a=1&b=2"


def test_a_mention_where_the_bot_is_not_is_answered_by_slackbot(site: Site) -> None:
    lunch = site.act("create_channel", user=ADA, name="lunch", private=False)["channel"]["id"]
    with site.page(ADA) as page:
        page.read_until("snapshot")
        site.say("@Lorekeeper hello?", channel=lunch)
        page.read_until("message")
        notice = page.read_until("message")["message"]
        assert (notice["user"], notice["ephemeral"]) == ("USLACKBOT", True)
        site.act("delete", user=ADA, channel=lunch, ts=notice["ts"])
        assert page.read_until("message_deleted")["ts"] == notice["ts"]


def test_an_invited_person_gets_the_channel_and_its_history(site: Site) -> None:
    secret = site.act("create_channel", user=ADA, name="secret", private=True)["channel"]["id"]
    site.say("before you came", channel=secret)
    with site.page(BEN) as ben:
        ben.read_until("snapshot")
        site.act("invite", user=ADA, channel=secret, invitee=BEN)
        assert ben.read_until("channel")["channel"]["members"] == [ADA, BEN]
        assert ben.read_until("message")["message"]["text"] == "before you came"


def test_the_traffic_can_be_cleared(site: Site) -> None:
    site.client().auth_test()
    site.act("clear_traffic")
    assert site.ledger() == []
    assert error_of(site.client("xoxb-wrong").auth_test) == "invalid_auth"
    assert [entry["status"] for entry in site.ledger()] == ["invalid_auth"]
