"""Dialogues at the gate: guests, other organisations, switched-off channels, the list of channels, too much use."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from bot import words
from bot.channels import ChannelSettings, save_channel
from bot.slack.gate import GateRules
from bot.use_limits import UseLimits
from tests.bot.dialogue import (
    ADA,
    ADAS_DM,
    BEN,
    BOT,
    HELP,
    LEADS,
    ScriptedAnswering,
    StartBot,
    Workspace,
    wait_until,
)

TEAM = "T0PLAYGROUND"


def only_answer(workspace: Workspace, channel: str, ts: str) -> str:
    (text,) = workspace.answers(channel, ts)
    return text


def is_said(workspace: Workspace, channel: str, ts: str, sentence: str) -> bool:
    """Whether the one message says this; the top-level text breaks what might become a link."""
    return sentence in only_answer(workspace, channel, ts)


def test_a_guest_is_refused_with_a_reason_until_an_admin_opens_the_channel(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    """M14."""
    answering = ScriptedAnswering()
    start_bot(answering)
    guest = workspace.act("create_person", name="Gil Guest", guest="multi")["user"]["id"]
    workspace.act("invite", user=ADA, channel=HELP, invitee=guest)
    ts = workspace.say(guest, HELP, f"{BOT} hello")
    assert is_said(workspace, HELP, ts, words.GATE_GUEST)
    assert answering.asked == []
    save_channel(engine, TEAM, HELP, ChannelSettings(allow_external=True), changed_by=ADA)
    ts = workspace.say(guest, HELP, f"{BOT} hello again")
    assert is_said(workspace, HELP, ts, "You asked: hello again")


def test_somebody_who_becomes_a_guest_is_refused_at_once(workspace: Workspace, start_bot: StartBot) -> None:
    """M14: user_change drops what was remembered."""
    start_bot(ScriptedAnswering())
    person = workspace.act("create_person", name="Nia New")["user"]["id"]
    ts = workspace.say(person, HELP, f"{BOT} one")
    assert is_said(workspace, HELP, ts, "You asked: one")
    workspace.act("change_person", person=person, guest="single")
    wait_until(lambda: "user_change" in {entry["name"] for entry in workspace.ledger("event")})
    ts = workspace.say(person, HELP, f"{BOT} two")
    assert is_said(workspace, HELP, ts, words.GATE_GUEST)


def test_a_channel_that_is_shared_with_another_organisation_falls_silent_at_once(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    """M14: channel_shared and channel_unshared drop what was remembered; an admin may open the channel."""
    answering = ScriptedAnswering()
    start_bot(answering)
    channel = workspace.act("create_channel", user=ADA, name="partners")["channel"]["id"]
    workspace.act("invite", user=ADA, channel=channel, invitee="U0LOREKEEPER")
    ts = workspace.say(ADA, channel, f"{BOT} one")
    assert is_said(workspace, channel, ts, "You asked: one")
    workspace.act("share", user=ADA, channel=channel, shared=True)
    ts = workspace.say(ADA, channel, f"{BOT} two")
    assert is_said(workspace, channel, ts, "another organisation")
    stranger = workspace.act("create_person", name="Sten Stranger", external=True)["user"]["id"]
    workspace.act("invite", user=ADA, channel=channel, invitee=stranger)
    ts = workspace.say(stranger, channel, f"{BOT} three")
    assert is_said(workspace, channel, ts, "another organisation")
    save_channel(engine, TEAM, channel, ChannelSettings(allow_external=True), changed_by=ADA)
    ts = workspace.say(stranger, channel, f"{BOT} four")
    assert is_said(workspace, channel, ts, "You asked: four")
    save_channel(engine, TEAM, channel, ChannelSettings(), changed_by=ADA)
    workspace.act("share", user=ADA, channel=channel, shared=False)
    wait_until(lambda: "channel_unshared" in {entry["name"] for entry in workspace.ledger("event")})
    ts = workspace.say(ADA, channel, f"{BOT} five")
    assert is_said(workspace, channel, ts, "You asked: five")
    assert [question.text for question in answering.asked] == ["one", "four", "five"]


@pytest.mark.parametrize(
    ("method", "sentence"),
    [("users.info", words.GATE_UNKNOWN_PERSON), ("conversations.info", words.GATE_UNKNOWN_PLACE)],
)
def test_where_slack_does_not_say_who_is_there_the_person_hears_why_there_is_no_answer(
    workspace: Workspace, start_bot: StartBot, method: str, sentence: str
) -> None:
    """M14: fail closed."""
    answering = ScriptedAnswering()
    start_bot(answering)
    workspace.act("faults", error={method: "missing_scope"})
    ts = workspace.say(BEN, HELP, f"{BOT} hello")
    assert is_said(workspace, HELP, ts, sentence)
    assert answering.asked == []


def test_a_channel_that_is_switched_off_is_silent_but_for_who_names_the_bot(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    """M17."""
    answering = ScriptedAnswering()
    start_bot(answering)
    ts = workspace.say(BEN, HELP, f"{BOT} before")
    workspace.answers(HELP, ts)
    save_channel(engine, TEAM, HELP, ChannelSettings(disabled=True, auto_answer=True), changed_by=ADA)
    overheard = workspace.say(ADA, HELP, "who pays for lunch?")
    follow_up = workspace.say(BEN, HELP, "and after?", thread_ts=ts)
    named = workspace.say(BEN, HELP, f"{BOT} and now?")
    assert is_said(workspace, HELP, named, words.GATE_DISABLED)
    wait_until(lambda: all(state != "waiting" for state in states(engine)))
    assert workspace.bot_messages(HELP, overheard) == []
    assert len(workspace.bot_messages(HELP, ts)) == 1, follow_up
    assert [question.text for question in answering.asked] == ["before"]
    ts = workspace.say(ADA, ADAS_DM, "are you there?")
    workspace.answers(ADAS_DM, ts)


def states(engine: sa.Engine) -> list[str]:
    from bot import tables
    from knowledge.database import reading

    with reading(engine) as connection:
        return [
            "waiting" if s in ("waiting", "working") else s for s in connection.scalars(sa.select(tables.inbox.c.state))
        ]


def test_only_the_listed_channels_are_answered_in(workspace: Workspace, start_bot: StartBot) -> None:
    """M17: nothing that is set in Slack widens the operator's list."""
    start_bot(ScriptedAnswering(), gate=GateRules(channels=frozenset({"C0GENERAL"})))
    ts = workspace.say(BEN, HELP, f"{BOT} hello")
    assert is_said(workspace, HELP, ts, words.GATE_NOT_LISTED)
    ts = workspace.say(BEN, "C0GENERAL", f"{BOT} hello")
    assert is_said(workspace, "C0GENERAL", ts, "You asked: hello")


def test_who_asks_too_much_is_told_when_to_come_back_also_after_a_restart(
    workspace: Workspace, start_bot: StartBot
) -> None:
    """M21."""
    limits = GateRules(limits=UseLimits(per_minute=2))
    bot = start_bot(ScriptedAnswering(), gate=limits)
    for text in ("one", "two"):
        workspace.answers(HELP, workspace.say(BEN, HELP, f"{BOT} {text}"))
    bot.stop()
    start_bot(ScriptedAnswering(), gate=limits)
    ts = workspace.say(BEN, HELP, f"{BOT} three")
    assert is_said(workspace, HELP, ts, "I answer up to 2 questions a minute for each person. Please ask again in")
    ts = workspace.say(ADA, HELP, f"{BOT} four")
    assert is_said(workspace, HELP, ts, "You asked: four")


def test_members_are_answered_in_group_messages_and_private_channels(workspace: Workspace, start_bot: StartBot) -> None:
    start_bot(ScriptedAnswering())
    group = workspace.act("open_group", user=ADA, **{"with": [BEN]})["channel"]["id"]
    for channel in (group, LEADS):
        ts = workspace.say(ADA, channel, f"{BOT} hello")
        assert is_said(workspace, channel, ts, "You asked: hello")
