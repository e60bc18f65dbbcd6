"""Slack's events, as they come, become the right values and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from bot.slack.markup import plain_text
from bot.slack.parse import (
    DeletedMessage,
    EditedMessage,
    HomeOpened,
    Parsed,
    ReactionChange,
    StopRequest,
    is_external,
    parse_event,
)
from bot.turn import Incoming

BOT = "U0BOT"


def event(**fields: Any) -> dict[str, Any]:
    return {
        "token": "t",
        "team_id": "T1",
        "api_app_id": "A1",
        "type": "event_callback",
        "event_id": "Ev1",
        "event_time": 1700000000,
        "authorizations": [{"team_id": "T1", "user_id": BOT, "is_bot": True}],
        "is_ext_shared_channel": False,
        "event": fields,
    }


def message(text: str = "hello", **fields: Any) -> dict[str, Any]:
    defaults = {"type": "message", "user": "U1", "channel": "C1", "channel_type": "channel", "ts": "10.1", "text": text}
    return event(**(defaults | fields))


def parse(body: dict[str, Any]) -> Parsed | None:
    return parse_event(body, BOT)


def question(body: dict[str, Any]) -> Incoming:
    parsed = parse(body)
    assert isinstance(parsed, Incoming)
    return parsed


def test_a_mention_in_a_channel_is_a_question_without_the_name() -> None:
    assert question(message("<@U0BOT> where is the handbook?")) == Incoming(
        team="T1",
        channel="C1",
        channel_kind="public",
        user="U1",
        ts="10.1",
        thread_ts=None,
        text="where is the handbook?",
        mentioned=True,
    )


def test_both_events_of_one_mention_are_the_same_question() -> None:
    as_message = question(message("<@U0BOT> hi", channel_type="group"))
    as_mention = question(event(type="app_mention", user="U1", channel="C1", ts="10.1", text="<@U0BOT> hi"))
    assert as_mention == as_message


def test_a_channel_that_does_not_say_what_it_is_counts_as_private() -> None:
    assert question(event(type="app_mention", user="U1", channel="C1", ts="1.1", text="x")).channel_kind == "private"
    assert question(message(channel="D1", channel_type="")).channel_kind == "im"


@pytest.mark.parametrize(("channel_type", "kind"), [("im", "im"), ("mpim", "mpim"), ("group", "private")])
def test_every_kind_of_channel_has_its_name(channel_type: str, kind: str) -> None:
    assert question(message("<@U0BOT> hi", channel_type=channel_type)).channel_kind == kind


def test_a_direct_message_needs_no_mention_and_a_channel_does() -> None:
    assert not question(message("hi", channel="D1", channel_type="im")).mentioned
    assert parse(message("hi")) is None


def test_a_reply_in_a_thread_is_passed_on_with_its_thread() -> None:
    reply = question(message("and abroad?", thread_ts="9.9"))
    assert (reply.thread_ts, reply.mentioned, reply.conversation) == ("9.9", False, "T1:C1:9.9")


def test_a_reply_that_begins_with_somebody_else_s_name_is_not_for_the_bot() -> None:
    assert parse(message("<@U2> what do you think?", thread_ts="9.9")) is None
    assert question(message("<@U2> let's ask <@U0BOT>", thread_ts="9.9")).text == "@U2 let's ask"


def test_the_first_message_of_a_thread_starts_it() -> None:
    assert question(message("<@U0BOT> hi", thread_ts="10.1")).thread_ts is None


@pytest.mark.parametrize(
    "fields",
    [
        {"user": BOT},
        {"bot_id": "B2"},
        {"subtype": "bot_message", "user": ""},
        {"subtype": "channel_join"},
        {"subtype": "assistant_app_thread"},
        {"ts": None},
    ],
)
def test_posts_of_bots_and_notices_are_no_questions(fields: dict[str, Any]) -> None:
    assert parse(message("<@U0BOT> hi", **fields)) is None


@pytest.mark.parametrize("subtype", ["file_share", "thread_broadcast"])
def test_files_and_broadcast_replies_are_questions(subtype: str) -> None:
    assert question(message("<@U0BOT> hi", subtype=subtype)).text == "hi"


@pytest.mark.parametrize("text", ["stop", "Stop.", "STOP!", "stop please", "Please stop", "<@U0BOT> stop", " stop it "])
def test_stop_in_a_thread_or_a_direct_message_is_a_request_to_stop(text: str) -> None:
    stop = parse(message(text, thread_ts="9.9"))
    assert stop == StopRequest(team="T1", channel="C1", user="U1", ts="10.1", thread_ts="9.9")
    assert stop is not None
    assert stop.conversation == "T1:C1:9.9"
    assert isinstance(parse(message(text, channel="D1", channel_type="im")), StopRequest)


@pytest.mark.parametrize("text", ["how do I stop a job?", "stop the deploy", "nonstop"])
def test_a_question_about_stopping_is_a_question(text: str) -> None:
    assert isinstance(parse(message(text, thread_ts="9.9")), Incoming)


def test_the_native_stop_button_stops() -> None:
    body = event(type="agent_session_stopped", channel="D1", thread_ts="9.9", user="U1", event_ts="11.0")
    assert parse(body) == StopRequest(team="T1", channel="D1", user="U1", ts="11.0", thread_ts="9.9")


def reaction(name: str, kind: str = "reaction_added", **fields: Any) -> dict[str, Any]:
    item = {"type": "message", "channel": "C1", "ts": "10.5"}
    return event(**({"type": kind, "user": "U1", "reaction": name, "item_user": BOT, "item": item} | fields))


@pytest.mark.parametrize(
    ("name", "vote"),
    [("+1", 1), ("thumbsup", 1), ("thumbsup::skin-tone-2", 1), ("-1", -1), ("thumbsdown", -1), ("-1::skin-tone-6", -1)],
)
def test_thumbs_of_every_colour_are_votes(name: str, vote: int) -> None:
    for kind, added in (("reaction_added", True), ("reaction_removed", False)):
        change = parse(reaction(name, kind))
        assert isinstance(change, ReactionChange)
        assert (change.vote, change.added, change.channel, change.message_ts) == (vote, added, "C1", "10.5")


def test_other_reactions_and_other_people_s_messages_are_no_votes() -> None:
    assert parse(reaction("tada")) is None
    assert parse(reaction("+1", item_user="U2")) is None
    assert parse(reaction("+1", user=BOT)) is None
    assert parse(reaction("+1", item={"type": "file", "file": "F1"})) is None


def changed(after: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    common = {"user": "U1", "ts": "10.1", "type": "message"}
    return message(subtype="message_changed", ts="12.0", message=common | after, previous_message=common | before)


def test_an_edit_counts_only_when_the_words_changed() -> None:
    edit = parse(changed({"text": "<@U0BOT> how?"}, {"text": "<@U0BOT> what?"}))
    assert edit == EditedMessage(
        team="T1", channel="C1", user="U1", ts="10.1", thread_ts=None, text="how?", mentioned=True
    )
    assert parse(changed({"text": "a https://x.y", "attachments": [{}]}, {"text": "a <https://x.y>"})) is None
    assert parse(changed({"text": "a", "user": BOT}, {"text": "b"})) is None
    assert parse(changed({"text": "a", "subtype": "assistant_app_thread"}, {"text": "b"})) is None


def test_a_deletion_names_the_message_also_where_a_thread_keeps_a_tombstone() -> None:
    gone = DeletedMessage(team="T1", channel="C1", ts="10.1", user="U1")
    before = {"user": "U1", "text": "x", "ts": "10.1"}
    assert parse(message(subtype="message_deleted", deleted_ts="10.1", previous_message=before)) == gone
    assert parse(changed({"subtype": "tombstone", "user": "USLACKBOT", "text": "gone"}, {"text": "x"})) == gone
    assert parse(message(subtype="message_deleted", deleted_ts="1.1", previous_message={"bot_id": "B1"})) is None


def test_opening_the_home_page_names_the_tab() -> None:
    assert parse(event(type="app_home_opened", user="U1", tab="home")) == HomeOpened(team="T1", user="U1", tab="home")
    opened = parse(event(type="app_home_opened", user="U1", tab="messages"))
    assert isinstance(opened, HomeOpened)
    assert opened.tab == "messages"


@pytest.mark.parametrize(
    "body",
    [{}, {"event": None}, {"event": {"type": "message"}}, {"event": []}, event(type="team_join"), event(type=3)],
)
def test_what_is_not_understood_is_nothing(body: dict[str, Any]) -> None:
    assert parse_event(body, BOT) is None


@pytest.mark.parametrize(
    ("slack", "words"),
    [
        ("<@U0BOT>, how are you?", "how are you?"),
        ("hey <@U0BOT|lorekeeper> what is up", "hey what is up"),
        ("ask <@U2|ada> or <#C9|general>", "ask @ada or #general"),
        ("<!here> look, <!subteam^S1|@team>", "@here look, @team"),
        ("see <https://x.example/a?b=1&amp;c=2|the page>", "see the page (https://x.example/a?b=1&c=2)"),
        ("see <https://x.example|x.example> or <mailto:a@b.c|a@b.c>", "see https://x.example or a@b.c"),
        ("<!date^1700000000^{date}|Nov 14>", "Nov 14"),
        ("1 &lt; 2 &amp;amp; 3", "1 < 2 &amp; 3"),
        ("code:\n    indented", "code:\n    indented"),
        ("<@U0BOT>", ""),
    ],
)
def test_slack_s_markup_becomes_words(slack: str, words: str) -> None:
    assert plain_text(slack, BOT) == words


def test_a_channel_shared_with_another_organisation_is_known() -> None:
    assert not is_external(message())
    assert is_external(message() | {"is_ext_shared_channel": True})
    assert is_external(message(team="T1", user_team="T2"))


def test_the_installed_team_is_the_one_that_authorised() -> None:
    body = message("<@U0BOT> hi") | {"team_id": "T9"}
    assert question(body).team == "T1"
