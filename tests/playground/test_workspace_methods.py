"""Channels, people, reactions, status and prompts, as the bot reads and sets them."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.playground.site import ADA, ADA_DM, BEN, BOT, GENERAL, HELP, PRIVATE, Site, error_of


def test_the_bot_sees_public_channels_and_those_it_is_in(site: Site) -> None:
    secret = site.act("create_channel", user=ADA, name="secret", private=True)["channel"]["id"]
    lunch = site.act("create_channel", user=ADA, name="lunch", private=False)["channel"]["id"]
    types = "public_channel,private_channel,im"
    found = {channel["id"]: channel for channel in site.client().conversations_list(types=types)["channels"]}
    assert found.keys() == {GENERAL, HELP, PRIVATE, lunch, ADA_DM, "D0BENORTIZ", "D0CHLOELIND"}
    assert (found[lunch]["is_member"], found[PRIVATE]["is_private"]) == (False, True)
    assert found[ADA_DM]["user"] == ADA
    info = site.client().conversations_info
    assert error_of(info, channel=secret) == "channel_not_found"
    assert info(channel=GENERAL, include_num_members=True)["channel"]["num_members"] == 4
    assert error_of(site.client().conversations_history, channel=lunch) == "not_in_channel"


def test_lists_come_in_pages(site: Site) -> None:
    client = site.client()
    names, cursor = [], ""
    while True:
        page = client.users_list(limit=3, cursor=cursor or None)
        names += [member["name"] for member in page["members"]]
        cursor = page["response_metadata"]["next_cursor"]
        if not cursor:
            break
    assert names == ["ada", "ben", "chloe", "lorekeeper"]
    assert error_of(client.users_list, cursor="nonsense") == "invalid_cursor"
    assert error_of(client.conversations_list, types="rooms") == "invalid_types"
    assert error_of(client.conversations_list, limit=1000) == "invalid_limit"


def test_history_is_newest_first_and_can_be_cut_by_time_and_count(site: Site) -> None:
    stamps = [site.say(text) for text in ("one", "two", "three")]
    history = site.client().conversations_history
    page = history(channel=GENERAL, limit=2)
    assert ([m["text"] for m in page["messages"]], page["has_more"]) == (["three", "two"], True)
    rest = history(channel=GENERAL, limit=2, cursor=page["response_metadata"]["next_cursor"])
    assert ([m["text"] for m in rest["messages"]], rest["has_more"]) == (["one"], False)
    after = history(channel=GENERAL, oldest=stamps[1])["messages"]
    assert [m["text"] for m in after] == ["three"]
    within = history(channel=GENERAL, oldest=stamps[0], latest=stamps[1], inclusive=True)["messages"]
    assert [m["text"] for m in within] == ["two", "one"]
    assert error_of(history, channel=GENERAL, oldest="yesterday") == "invalid_ts_oldest"
    assert error_of(site.client().conversations_replies, channel=GENERAL, ts="1.1") == "thread_not_found"


def test_the_channels_of_a_person_are_public_or_shared_with_the_bot(site: Site) -> None:
    site.act("create_channel", user=ADA, name="secret", private=True)
    types = "public_channel,private_channel"
    of = {
        user: {c["id"] for c in site.client().users_conversations(user=user, types=types)["channels"]}
        for user in (ADA, BEN)
    }
    assert of == {ADA: {GENERAL, HELP, PRIVATE}, BEN: {GENERAL, HELP}}


def test_direct_messages_are_opened_once(site: Site) -> None:
    client = site.client()
    assert client.conversations_open(users=ADA)["channel"]["id"] == ADA_DM
    group = client.conversations_open(users=f"{ADA},{BEN}")["channel"]["id"]
    assert client.conversations_open(users=f"{BEN},{ADA}")["channel"]["id"] == group
    assert client.conversations_info(channel=group)["channel"]["is_mpim"]
    assert client.conversations_members(channel=group)["members"] == [ADA, BEN, BOT]
    assert site.call("conversations.open")["error"] == "users_list_not_supplied"
    assert error_of(client.conversations_open, users="U0NOBODY") == "user_not_found"


def test_people_are_described(site: Site) -> None:
    user = site.client().users_info(user=ADA)["user"]
    assert (user["real_name"], user["is_admin"], user["is_bot"]) == ("Ada Park", True, False)
    assert site.client().users_info(user=BOT)["user"]["is_bot"]
    assert error_of(site.client().users_info, user="U0NOBODY") == "user_not_found"
    assert error_of(site.client().bots_info, bot="B0NOBODY") == "bot_not_found"


def test_reactions_are_added_once_and_removed_once(site: Site) -> None:
    ts = site.say("hello")
    client = site.client()
    where = {"channel": GENERAL, "timestamp": ts}
    client.reactions_add(**where, name="eyes")
    assert error_of(client.reactions_add, **where, name="eyes") == "already_reacted"
    site.act("react", user=ADA, channel=GENERAL, ts=ts, name="eyes", add=True)
    message = client.reactions_get(channel=GENERAL, timestamp=ts)["message"]
    assert message["reactions"] == [{"name": "eyes", "users": [BOT, ADA], "count": 2}]
    client.reactions_remove(**where, name="eyes")
    assert error_of(client.reactions_remove, **where, name="eyes") == "no_reaction"
    assert error_of(client.reactions_add, **where, name="No Such") == "invalid_name"
    assert error_of(client.reactions_add, channel=GENERAL, timestamp="now", name="eyes") == "bad_timestamp"
    assert error_of(client.reactions_get) == "no_item_specified"


def test_a_status_shows_and_goes_when_the_bot_posts(site: Site) -> None:
    ts = site.say("question")
    client = site.client()
    with site.page(ADA) as page:
        page.read_until("snapshot")
        client.assistant_threads_setStatus(
            channel_id=GENERAL, thread_ts=ts, status="is searching…", loading_messages=["Reading", "Thinking"]
        )
        shown = page.read_until("status")
        assert (shown["status"], shown["loading_messages"]) == ("is searching…", ["Reading", "Thinking"])
        client.chat_postMessage(channel=GENERAL, thread_ts=ts, text="answer")
        assert page.read_until("status")["status"] == ""


def test_a_status_goes_by_itself_after_two_minutes(start: Callable[..., Site]) -> None:
    site = start(time_scale=1000.0)
    ts = site.say("question")
    with site.page(ADA) as page:
        page.read_until("snapshot")
        began = time.monotonic()
        site.client().assistant_threads_setStatus(channel_id=GENERAL, thread_ts=ts, status="is thinking…")
        page.read_until("status")
        assert page.read_until("status")["status"] == ""
        assert time.monotonic() - began >= 0.1


@pytest.mark.parametrize("loading", [[], ["x"] * 11, ["x" * 51], ["ok", ""]])
def test_loading_messages_have_limits(site: Site, loading: list[str]) -> None:
    ts = site.say("question")
    where = {"channel_id": GENERAL, "thread_ts": ts, "status": "s"}
    assert site.call("assistant.threads.setStatus", **where, loading_messages=loading)["error"] == "invalid_arguments"


def test_a_status_needs_a_thread(site: Site) -> None:
    call = site.client().assistant_threads_setStatus
    assert error_of(call, channel_id=GENERAL, thread_ts="1700000000.000100", status="s") == "invalid_thread_ts"


def test_prompts_are_shown_to_the_person_and_at_most_four(site: Site) -> None:
    prompt = {"title": "Holidays", "message": "How many holidays do I have?"}
    with site.page(ADA) as page:
        page.read_until("snapshot")
        assert site.call("assistant.threads.setSuggestedPrompts", channel_id=ADA_DM, prompts=[prompt], title="Try")[
            "ok"
        ]
        shown = page.read_until("prompts")
        assert (shown["channel"], shown["thread_ts"], shown["prompts"]) == (ADA_DM, None, [prompt])
    too_many = site.call("assistant.threads.setSuggestedPrompts", channel_id=ADA_DM, prompts=[prompt] * 5)
    assert too_many["error"] == "invalid_arguments"
