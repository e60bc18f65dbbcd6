"""What Slack says of people and places is remembered as long as it holds, and read carefully."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from slack_sdk import WebClient

from bot.playground.process import PlaygroundProcess, start_playground
from bot.slack.directory import Directory
from tests.bot.dialogue import ADA, BEN, HELP, Workspace


@pytest.fixture(scope="module")
def playground() -> Iterator[PlaygroundProcess]:
    with start_playground(port=0) as process:
        yield process


def test_an_invitation_is_noticed_within_a_minute(playground: PlaygroundProcess) -> None:
    workspace = Workspace(playground)
    client = WebClient(token=playground.bot_token, base_url=playground.api_url, retry_handlers=[])
    now = 1000.0
    directory = Directory(client, stopping=threading.Event(), monotonic=lambda: now)
    channel = workspace.act("create_channel", user=ADA, name="later")["channel"]["id"]
    assert not directory.is_member(channel)
    workspace.act("invite", user=ADA, channel=channel, invitee="U0LOREKEEPER")
    assert not directory.is_member(channel)
    now += 61
    assert directory.is_member(channel)


def test_people_are_asked_for_once_and_never_where_there_is_no_time(playground: PlaygroundProcess) -> None:
    workspace = Workspace(playground)
    client = WebClient(token=playground.bot_token, base_url=playground.api_url, retry_handlers=[])
    workspace.act("clear_traffic")
    directory = Directory(client, stopping=threading.Event())
    assert directory.name_of(BEN, at_once=True) == BEN
    assert [directory.name_of(BEN) for _ in range(3)] == ["ben"] * 3
    assert directory.name_of(BEN, at_once=True) == "ben"
    assert len(workspace.ledger("call", "users.info")) == 1


def test_where_slack_is_silent_the_careful_reading_counts() -> None:
    client = WebClient(token="xoxb-1", base_url="http://127.0.0.1:9/api/", retry_handlers=[])
    directory = Directory(client, stopping=threading.Event())
    assert (directory.kind_of(HELP), directory.is_member(HELP), directory.is_bot(BEN)) == ("private", False, False)
