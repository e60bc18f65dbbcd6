"""Posting, changing and deleting: what Slack takes, what it refuses, and what everybody hears of it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.playground.site import ADA, BEN, BOT, GENERAL, PRIVATE, Site, error_of, wait_for

SECTION = {"type": "section", "text": {"type": "mrkdwn", "text": "*bold*"}}


def texts(site: Site, channel: str = GENERAL) -> list[str]:
    """List what the history of a channel says, oldest first."""
    messages = site.client().conversations_history(channel=channel)["messages"]
    return [message["text"] for message in reversed(messages)]


def test_a_posted_message_is_the_bots_and_carries_its_blocks_with_ids(site: Site) -> None:
    message = site.client().chat_postMessage(channel=GENERAL, text="fallback", blocks=[SECTION])["message"]
    assert (message["user"], message["bot_id"], message["app_id"]) == (BOT, "B0LOREKEEPER", "A0LOREKEEPER")
    assert message["blocks"][0]["block_id"]


def test_a_channel_can_be_named_and_a_person_stands_for_the_direct_message(site: Site) -> None:
    assert site.client().chat_postMessage(channel="#general", text="x")["channel"] == GENERAL
    assert site.client().chat_postMessage(channel=ADA, text="x")["channel"] == "D0ADAPARK"


def test_the_bot_posts_only_where_it_is(site: Site) -> None:
    public = site.act("create_channel", user=ADA, name="lunch", private=False)["channel"]["id"]
    private = site.act("create_channel", user=ADA, name="secret", private=True)["channel"]["id"]
    post = site.client().chat_postMessage
    assert error_of(post, channel=public, text="x") == "not_in_channel"
    assert error_of(post, channel=private, text="x") == "channel_not_found"
    assert error_of(post, channel="C0NOWHERE", text="x") == "channel_not_found"
    site.act("invite", user=ADA, channel=private, invitee=BOT)
    site.client().chat_postMessage(channel=private, text="x")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({}, "no_text"),
        ({"text": ""}, "no_text"),
        ({"markdown_text": "a", "text": "b"}, "markdown_text_conflict"),
        ({"markdown_text": "a", "blocks": [SECTION]}, "markdown_text_conflict"),
        ({"markdown_text": "a" * 12_001}, "msg_blocks_too_long"),
        ({"blocks": "{"}, "invalid_blocks_format"),
        ({"blocks": {"type": "section"}}, "invalid_blocks_format"),
        ({"blocks": [{"type": "sektion"}]}, "invalid_blocks"),
        ({"blocks": [{"type": "divider"}] * 51}, "invalid_blocks"),
        ({"text": "a", "attachments": [{}] * 101}, "too_many_attachments"),
        ({"text": "a", "metadata": "no"}, "invalid_metadata_format"),
        ({"text": "a", "metadata": {"event_type": "x"}}, "invalid_metadata_schema"),
        ({"text": "a", "metadata": {"event_type": "x", "event_payload": {"a": "b" * 20_000}}}, "metadata_too_large"),
        ({"text": "a", "thread_ts": "yesterday"}, "invalid_arguments"),
    ],
)
def test_what_cannot_be_posted(site: Site, arguments: dict[str, Any], error: str) -> None:
    assert site.call("chat.postMessage", channel=GENERAL, **arguments)["error"] == error
    assert texts(site) == []


def test_blocks_over_13200_characters_in_all_are_too_long(site: Site) -> None:
    section = {"type": "section", "text": {"type": "plain_text", "text": "a" * 2_900}}
    post = site.client().chat_postMessage
    post(channel=GENERAL, text="x", blocks=[section] * 4)
    assert error_of(post, channel=GENERAL, text="x", blocks=[section] * 5) == "msg_blocks_too_long"


def test_a_markdown_block_counts_as_the_blocks_it_becomes(site: Site) -> None:
    headings = "\n\n".join(f"# {n}\n\ntext" for n in range(26))
    block = {"type": "markdown", "text": headings}
    assert error_of(site.client().chat_postMessage, channel=GENERAL, text="x", blocks=[block]) == "invalid_blocks"


def test_text_over_40000_characters_is_cut_with_a_warning(site: Site) -> None:
    answer = site.client().chat_postMessage(channel=GENERAL, text="a" * 40_001)
    assert answer["warning"] == "message_truncated"
    assert len(answer["message"]["text"]) == 40_000


def test_replies_are_counted_on_their_parent_and_a_reply_to_a_reply_joins_the_thread(site: Site) -> None:
    parent = site.say("question")
    client = site.client()
    first = client.chat_postMessage(channel=GENERAL, text="one", thread_ts=parent)["message"]
    second = client.chat_postMessage(channel=GENERAL, text="two", thread_ts=first["ts"])["message"]
    assert (second["thread_ts"], second["parent_user_id"]) == (parent, ADA)
    thread = client.conversations_replies(channel=GENERAL, ts=parent)["messages"]
    assert [message["text"] for message in thread] == ["question", "one", "two"]
    assert (thread[0]["reply_count"], thread[0]["latest_reply"]) == (2, second["ts"])
    assert texts(site) == ["question"]


def test_a_broadcast_reply_is_in_the_history_too(site: Site) -> None:
    parent = site.say("question")
    site.client().chat_postMessage(channel=GENERAL, text="look", thread_ts=parent, reply_broadcast=True)
    assert texts(site) == ["question", "look"]


def test_metadata_shows_only_to_those_who_ask_for_it(site: Site) -> None:
    metadata = {"event_type": "lorekeeper_answer", "event_payload": {"key": "k1"}}
    posted = site.client().chat_postMessage(channel=GENERAL, text="x", metadata=metadata)
    client = site.client()
    assert "metadata" not in client.conversations_history(channel=GENERAL)["messages"][0]
    replies = client.conversations_replies(channel=GENERAL, ts=posted["ts"], include_all_metadata=True)
    assert replies["messages"][0]["metadata"] == metadata


def test_an_update_replaces_text_and_blocks_and_keeps_metadata(site: Site) -> None:
    client = site.client()
    metadata = {"event_type": "e", "event_payload": {}}
    ts = client.chat_postMessage(channel=GENERAL, text="one", blocks=[SECTION], metadata=metadata)["ts"]
    updated = client.chat_update(channel=GENERAL, ts=ts, text="two")["message"]
    assert (updated["text"], updated["metadata"], updated["edited"]["user"]) == ("two", metadata, BOT)
    assert "blocks" not in updated
    again = site.call("chat.update", channel=GENERAL, ts=ts, blocks=[SECTION])["message"]
    assert ("blocks" in again, again["text"]) == (True, "two")


def test_what_cannot_be_updated_or_deleted(site: Site) -> None:
    client = site.client()
    theirs = site.say("mine")
    own = client.chat_postMessage(channel=GENERAL, text="x")["ts"]
    psst = client.chat_postEphemeral(channel=GENERAL, user=ADA, text="psst")["message_ts"]
    assert error_of(client.chat_update, channel=GENERAL, ts=theirs, text="y") == "cant_update_message"
    assert error_of(client.chat_delete, channel=GENERAL, ts=theirs) == "cant_delete_message"
    assert error_of(client.chat_update, channel=GENERAL, ts=psst, text="y") == "message_not_found"
    assert error_of(client.chat_update, channel=GENERAL, ts="1.1", text="y") == "message_not_found"
    assert error_of(client.chat_update, channel=GENERAL, ts=own, text="y" * 4_001) == "msg_too_long"
    assert site.call("chat.update", channel=GENERAL, ts=own, text="")["error"] == "no_text"
    client.chat_delete(channel=GENERAL, ts=own)
    assert error_of(client.chat_delete, channel=GENERAL, ts=own) == "message_not_found"


def test_an_ephemeral_message_is_seen_by_one_person_and_kept_nowhere(site: Site) -> None:
    with site.page(ADA) as ada, site.page(BEN) as ben:
        ada.read_until("snapshot")
        ben.read_until("snapshot")
        site.client().chat_postEphemeral(channel=GENERAL, user=ADA, text="psst")
        assert ada.read_until("message")["message"]["ephemeral"] is True
        assert ben.read_until("traffic")["entry"]["name"] == "chat.postEphemeral"
        assert ben.is_quiet()
    assert texts(site) == []
    assert error_of(site.client().chat_postEphemeral, channel=PRIVATE, user=BEN, text="x") == "user_not_in_channel"


def test_a_permalink_names_channel_message_and_thread(site: Site) -> None:
    parent = site.say("question")
    reply = site.client().chat_postMessage(channel=GENERAL, text="x", thread_ts=parent)["ts"]
    link = site.client().chat_getPermalink(channel=GENERAL, message_ts=reply)["permalink"]
    assert link == f"{site.url}archives/{GENERAL}/p{reply.replace('.', '')}?thread_ts={parent}&cid={GENERAL}"
    assert error_of(site.client().chat_getPermalink, channel=GENERAL, message_ts="1.1") == "message_not_found"


def test_links_are_unfurled_later_unless_the_bot_says_no(site: Site) -> None:
    client = site.client()
    client.chat_postMessage(channel=GENERAL, text="see https://example.com/a", unfurl_links=False)
    loud = client.chat_postMessage(channel=GENERAL, text="see https://example.com/b")["ts"]

    def unfurled() -> list[str]:
        messages = client.conversations_history(channel=GENERAL)["messages"]
        return [message["ts"] for message in messages if "attachments" in message]

    wait_for(unfurled)
    assert unfurled() == [loud]
